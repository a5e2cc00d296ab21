// Executed programs through the kernel's process connector (netlink), for hosts where BPF is refused. Tells only pids: the rest is read from /proc, and a process that is
// gone by then is lost, and counted. Gives records in the form of the kernel programs (ebpf/kernel_event.h). Needs the host's own user, pid and network
// namespace, and before Linux 6.6 CAP_NET_ADMIN.
#pragma once
#include <string>

#include "base/ipc/socket.hpp"

namespace creance::sensor {

class Connector {
 public:
  // Ready when the kernel has answered. kDenied; kUnsupported where the kernel does not answer (within a container it is silent, and no event would ever come).
  static Result<Connector> open();
  // Tells the supervisor, hands it the socket on which records come and a page with its counters (ce_shared), and goes on until nobody holds the other end.
  int serve(ipc::Socket& supervisor, const std::string& why_not_ebpf);

 private:
  ipc::Descriptor netlink_;
};

// The record of one process as /proc tells it, in the kernel programs' form. kNotFound: it is gone.
Result<Bytes> record_from_proc(int pid);

}  // namespace creance::sensor
