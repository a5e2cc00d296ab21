// Executed programs through the kernel's process connector (netlink), for hosts where BPF is refused. Tells only pids: the rest is read from /proc, and a process that is
// gone by then is lost (and counted in a note at the end). Gives records in the form of the kernel programs (ebpf/kernel_event.h). Needs CAP_NET_ADMIN.
#pragma once
#include <string>

#include "base/ipc/socket.hpp"

namespace creance::sensor {

class Connector {
 public:
  static Result<Connector> open();
  // Tells the supervisor, hands it the socket on which records come, and goes on until nobody holds the other end.
  int serve(ipc::Socket& supervisor, const std::string& why_not_ebpf);

 private:
  ipc::Descriptor netlink_;
};

// The record of one process as /proc tells it, in the kernel programs' form. kNotFound: it is gone.
Result<Bytes> record_from_proc(int pid);

}  // namespace creance::sensor
