// creance-sensor-collect-setup: loads the kernel programs, attaches them, hands their descriptors to the supervisor (socket 3) and ends. One-shot; the one program of
// the sensor that needs the privilege to load BPF. Where that is refused, it stays and gives records of executed programs from the process connector and /proc instead.
// What keeps the programs attached are the link descriptors, which the supervisor holds without knowing what they are.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ipc/socket.hpp"
#include "base/os/privileges.hpp"
#include "sensor/collect/process_connector.hpp"
#include "creance_bpf_object.hpp"  // generated: kBpfObject

namespace creance::sensor {
namespace {

constexpr os::Capabilities kForBpf = os::capabilities({CAP_BPF, CAP_PERFMON, CAP_DAC_READ_SEARCH, CAP_SYS_RESOURCE});
constexpr os::Capabilities kForConnector = os::capabilities({CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_SETUID, CAP_SETGID, CAP_SETPCAP});
constexpr os::Capabilities kForOthersProc = os::capabilities({CAP_SYS_PTRACE});  // /proc/<pid>/exe and cwd of other users' processes

std::string last_complaint;  // libbpf's own words, for the report

int keep_complaint(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  char line[512];
  std::vsnprintf(line, sizeof line, format, arguments);
  if (level == LIBBPF_WARN && last_complaint.empty()) last_complaint = line;
  return 0;
}

struct Close {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};

void mount_tracefs() {  // tracepoints are found by their files there
  struct stat info {};
  if (::stat("/sys/kernel/tracing/events", &info) == 0 || ::stat("/sys/kernel/debug/tracing/events", &info) == 0) return;
  ::mount("tracefs", "/sys/kernel/tracing", "tracefs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr);
}

// Debian and Ubuntu add a level 3 to perf_event_paranoid, and set it: there attaching to a tracepoint takes CAP_SYS_ADMIN, whatever CAP_PERFMON says elsewhere.
os::Capabilities for_tracepoints() {
  int level = 2;
  if (const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/sys/kernel/perf_event_paranoid", "re"), &std::fclose); file && std::fscanf(file.get(), "%d", &level) != 1) level = 2;
  return level > 2 ? os::capabilities({CAP_SYS_ADMIN}) : 0;
}

struct Attached {
  std::unique_ptr<bpf_object, Close> object;
  std::vector<bpf_link*> links;
  std::vector<int> descriptors;
  uint32_t ring_bytes = 0;
};

Result<Attached> attach() {
  if constexpr (kBpfObject.empty()) return fail(ErrorCode::kUnsupported, "this build has no kernel programs: no clang was found when it was built");
  libbpf_set_print(keep_complaint);
  mount_tracefs();
  // The last that needed more. What is left: loading BPF, finding tracepoints, and what the process connector needs if that fails.
  TRY_VOID(os::keep_capabilities(kForBpf | for_tracepoints() | kForConnector));
  const rlimit all{RLIM_INFINITY, RLIM_INFINITY};
  ::setrlimit(RLIMIT_MEMLOCK, &all);  // older kernels charge maps to it; refused without the privilege, which is fine on newer ones
  Attached attached;
  attached.object.reset(bpf_object__open_mem(kBpfObject.data(), kBpfObject.size(), nullptr));
  if (!attached.object) return fail(ErrorCode::kUnsupported, fmt::format("cannot open the kernel programs: {}", last_complaint));
  const int error = bpf_object__load(attached.object.get());
  if (error == -EPERM || error == -EACCES) return fail(ErrorCode::kDenied, "BPF is not permitted to this process (it needs CAP_BPF and CAP_PERFMON, as root has them)");
  if (error != 0)
    return fail(ErrorCode::kUnsupported, fmt::format("the kernel refuses the programs (error {}): {}", -error, last_complaint));
  const bpf_map* ring = bpf_object__find_map_by_name(attached.object.get(), "events");
  const bpf_map* shared = bpf_object__find_map_by_name(attached.object.get(), "shared");
  attached.ring_bytes = bpf_map__max_entries(ring);
  attached.descriptors = {bpf_map__fd(ring), bpf_map__fd(shared)};
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, attached.object.get()) {
    bpf_link* link = bpf_program__attach(program);
    const bool optional = std::string_view(bpf_program__name(program)).ends_with("_old");
    if (link == nullptr && optional) continue;
    if (link == nullptr) return fail(ErrorCode::kUnsupported, fmt::format("cannot attach `{}`: {}", bpf_program__section_name(program), last_complaint));
    attached.links.push_back(link);
    attached.descriptors.push_back(bpf_link__fd(link));
  }
  return attached;
}

int run(bool without_ebpf, const std::optional<os::User>& user) {
  ipc::Socket supervisor{ipc::Descriptor(3), ipc::Process::kSupervisor};
  auto attached = without_ebpf ? Result<Attached>(fail(ErrorCode::kUnsupported, "told to do without eBPF")) : attach();
  if (!attached) {
    auto connector = Connector::open();
    if (connector) {
      const auto given_up = user ? os::become_user_keeping(*user, kForOthersProc) : os::keep_capabilities(kForOthersProc);
      if (given_up) return connector->serve(supervisor, attached.error().detail);
      connector = fail(given_up.error());
    }
    attached = fail(attached.error().code, fmt::format("{}; nor through the process connector: {}", attached.error().detail, connector.error().detail));
  }
  if (const auto dropped = os::keep_capabilities(0); !dropped) attached = fail(dropped.error());
  ipc::CollectReady ready;
  if (attached) {
    ready.attached = 1;
    ready.ring_bytes = attached->ring_bytes;
    ready.descriptors = static_cast<uint32_t>(attached->descriptors.size());
    ready.detail.assign(fmt::format("{} kernel programs attached", attached->links.size()));
  } else {
    ready.detail.assign(attached.error().detail);
  }
  const auto sent = supervisor.send_frame(ipc::encode(ready, ipc::Process::kCollectSetup), attached ? std::span<const int>(attached->descriptors) : std::span<const int>());
  if (!sent) {
    fmt::print(stderr, "creance-sensor-collect-setup: {}\n", sent.error().detail);
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace creance::sensor

// Ends without tearing anything down: the kernel links live on in the supervisor's descriptors, and destroying libbpf's objects would switch the events off.
int main(int argc, char** argv) {
  bool without_ebpf = false;
  std::optional<creance::os::User> user;
  for (int i = 1; i < argc; ++i) {
    const std::string_view option = argv[i];
    if (option == "--without-ebpf") without_ebpf = true;
    if (option == "--user" && i + 1 < argc) user = creance::os::parse_user(argv[++i]);
  }
  const int code = creance::sensor::run(without_ebpf, user);
  std::fflush(nullptr);
  ::_exit(code);
}
