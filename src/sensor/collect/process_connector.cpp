#include "sensor/collect/process_connector.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/cn_proc.h>
#include <linux/connector.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <optional>

#include "base/os/real.hpp"
#include "sensor/collect/ebpf/kernel_event.h"

namespace creance::sensor {
namespace {

std::string link_of(const std::string& path) {
  std::array<char, 4096> text;
  const ssize_t n = ::readlink(path.c_str(), text.data(), text.size());
  return n > 0 ? std::string(text.data(), static_cast<size_t>(n)) : std::string();
}

// "/usr/bin/x" as the kernel programs give it: parts from the last to the first, each ended by a zero byte.
std::string reversed_parts(std::string_view path) {
  std::string out;
  while (!path.empty()) {
    const size_t slash = path.rfind('/');
    const std::string_view part = path.substr(slash == std::string_view::npos ? 0 : slash + 1);
    if (!part.empty()) {
      out += part;
      out += '\0';
    }
    path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
  }
  return out.substr(0, 1024);
}

// The first number of a line of /proc/PID/status, such as "\nUid:\t1000\t1000…": of Uid the real user.
uint32_t number_of(std::string_view status, std::string_view line) {
  const size_t at = status.find(line);
  uint32_t number = 0;
  if (at != std::string_view::npos) std::from_chars(status.data() + at + line.size(), status.data() + status.size(), number);
  return number;
}

// Where the program was, also if its file has been removed since: the kernel programs say it without a remark.
std::string program_of(const std::string& exe) {
  constexpr std::string_view kGone = " (deleted)";
  return exe.ends_with(kGone) ? exe.substr(0, exe.size() - kGone.size()) : exe;
}

constexpr size_t kEventHead = NLMSG_HDRLEN + sizeof(cn_msg);
constexpr int kAnswerMaxMs = 2'000;

// The next event of the kernel, if one is there now. ENOBUFS: some were thrown away.
std::optional<proc_event> next_event(int netlink, int& error, uint32_t* answers = nullptr) {
  alignas(nlmsghdr) std::array<uint8_t, 4096> bytes;
  sockaddr_nl from{};
  socklen_t from_bytes = sizeof from;
  const ssize_t n = ::recvfrom(netlink, bytes.data(), bytes.size(), MSG_DONTWAIT, reinterpret_cast<sockaddr*>(&from), &from_bytes);
  error = n < 0 ? errno : 0;
  if (n <= 0 || from.nl_pid != 0 || static_cast<size_t>(n) < kEventHead + sizeof(proc_event)) return std::nullopt;  // only the kernel's own words count
  if (answers != nullptr) std::memcpy(answers, bytes.data() + NLMSG_HDRLEN + offsetof(cn_msg, ack), sizeof *answers);
  proc_event event;
  std::memcpy(&event, bytes.data() + kEventHead, sizeof event);
  return event;
}

// Everybody who listens hears the kernel's answers to everybody: ours has our number, and one more.
Status await_answer(int netlink, uint32_t asked) {
  os::RealClock clock;
  for (const MonotonicTime until = clock.monotonic() + MonotonicTime(kAnswerMaxMs);;) {
    const int64_t left = (until - clock.monotonic()).count();
    if (left <= 0) return fail(ErrorCode::kUnsupported, "the kernel does not answer (is this a container? only the host's own pid namespace is served)");
    pollfd wait{netlink, POLLIN, 0};
    ::poll(&wait, 1, static_cast<int>(left));
    int ignored = 0;
    uint32_t answers = 0;
    const auto event = next_event(netlink, ignored, &answers);
    if (!event || event->what != proc_event::PROC_EVENT_NONE || answers != asked + 1) continue;
    if (event->event_data.ack.err != 0) return fail(os::errno_error(static_cast<int>(event->event_data.ack.err), "the kernel refuses", "process connector"));
    return {};
  }
}

}  // namespace

Result<Bytes> record_from_proc(int pid) {
  os::RealFileSystem files;
  const std::string folder = fmt::format("/proc/{}/", pid);
  struct stat info {};
  if (::stat(folder.c_str(), &info) != 0) return fail(ErrorCode::kNotFound, "the process is gone");
  const auto status = files.read(folder + "status", 65'536);
  const auto arguments = files.read(folder + "cmdline", 4u << 20);
  const std::string exe = link_of(folder + "exe");
  if (!status || !arguments || exe.empty()) return fail(ErrorCode::kNotFound, "the process is gone");
  ce_event event{};
  event.version = CE_VERSION;
  event.kind = CE_EXEC;
  event.pid = static_cast<unsigned>(pid);
  event.parent_pid = number_of(as_text(*status), "\nPPid:\t");
  event.uid = number_of(as_text(*status), "\nUid:\t");
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  event.boot_ns = static_cast<unsigned long long>(now.tv_sec) * 1'000'000'000u + static_cast<unsigned long long>(now.tv_nsec);
  const std::string parts[] = {reversed_parts(program_of(exe)), reversed_parts(program_of(link_of(fmt::format("/proc/{}/exe", event.parent_pid)))), reversed_parts(link_of(folder + "cwd")),
                               std::string(as_text(*arguments).substr(0, CE_ARGUMENT_BYTES_MAX))};
  if (arguments->size() > CE_ARGUMENT_BYTES_MAX) event.flags |= CE_ARGUMENTS_CUT;
  unsigned short* const sizes[] = {&event.exe_bytes, &event.parent_exe_bytes, &event.cwd_bytes, &event.arguments_bytes};
  Bytes bytes(CE_HEAD_BYTES);
  for (size_t i = 0; i < 4; ++i) {
    *sizes[i] = static_cast<unsigned short>(parts[i].size());
    bytes.insert(bytes.end(), parts[i].begin(), parts[i].end());
  }
  std::memcpy(bytes.data(), &event, CE_HEAD_BYTES);
  return bytes;
}

Result<Connector> Connector::open() {
  Connector connector;
  connector.netlink_ = ipc::Descriptor(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_CONNECTOR));
  if (!connector.netlink_) return fail(os::errno_error(errno, "cannot open", "process connector"));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = CN_IDX_PROC;
  if (::bind(connector.netlink_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return fail(os::errno_error(errno, "cannot bind", "process connector"));
  const int buffer = 4 << 20;
  ::setsockopt(connector.netlink_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
  alignas(nlmsghdr) std::array<uint8_t, NLMSG_SPACE(sizeof(cn_msg) + sizeof(proc_cn_mcast_op))> request{};
  auto* head = reinterpret_cast<nlmsghdr*>(request.data());
  head->nlmsg_len = NLMSG_LENGTH(sizeof(cn_msg) + sizeof(proc_cn_mcast_op));
  head->nlmsg_type = NLMSG_DONE;
  auto* message = static_cast<cn_msg*>(NLMSG_DATA(head));
  message->id = {CN_IDX_PROC, CN_VAL_PROC};
  message->len = sizeof(proc_cn_mcast_op);
  std::array<uint8_t, sizeof message->ack> drawn;
  os::RealRandom().fill(drawn);
  std::memcpy(&message->ack, drawn.data(), sizeof message->ack);  // the kernel overwrites `seq` with a count of its own
  const uint32_t asked = message->ack;
  const proc_cn_mcast_op listen = PROC_CN_MCAST_LISTEN;
  std::memcpy(message->data, &listen, sizeof listen);
  if (::send(connector.netlink_.get(), request.data(), head->nlmsg_len, 0) < 0) return fail(os::errno_error(errno, "cannot listen on", "process connector"));
  TRY_VOID(await_answer(connector.netlink_.get(), asked));
  return connector;
}

int Connector::serve(ipc::Socket& supervisor, const std::string& why_not_ebpf) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return 2;
  ipc::Descriptor ours(ends[0]), theirs(ends[1]);
  const ipc::Descriptor page(::memfd_create("creance-counters", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!page || ::ftruncate(page.get(), ::sysconf(_SC_PAGESIZE)) != 0 || ::fcntl(page.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) != 0) return 2;
  void* const mapped = ::mmap(nullptr, static_cast<size_t>(::sysconf(_SC_PAGESIZE)), PROT_READ | PROT_WRITE, MAP_SHARED, page.get(), 0);
  if (mapped == MAP_FAILED) return 2;
  auto* const shared = static_cast<ce_shared*>(mapped);
  const std::atomic_ref lost(shared->lost), crashed(shared->crashed);
  ipc::CollectReady ready;
  ready.attached = ready.connector = 1;
  ready.descriptors = 2;
  ready.detail.assign(fmt::format("executed programs alone; eBPF cannot be used: {}", why_not_ebpf));
  const int given[] = {theirs.get(), page.get()};
  if (!supervisor.send_frame(ipc::encode(ready, ipc::Process::kCollectSetup), given)) return 2;
  theirs.reset();
  for (;;) {
    pollfd waits[] = {{netlink_.get(), POLLIN, 0}, {supervisor.fd(), POLLIN, 0}};
    ::poll(waits, 2, -1);
    if (waits[1].revents != 0) return 0;  // the supervisor is gone
    int error = 0;
    const auto event = next_event(netlink_.get(), error);
    if (error == ENOBUFS) ++lost;
    if (!event) continue;
    if (event->what == proc_event::PROC_EVENT_EXIT && event->event_data.exit.process_pid == event->event_data.exit.process_tgid) {
      const uint32_t signal = event->event_data.exit.exit_code & 0x7f;
      if (signal < 32 && ((CE_CRASH_SIGNALS >> signal) & 1) != 0) ++crashed;
    }
    if (event->what != proc_event::PROC_EVENT_EXEC) continue;
    const auto record = record_from_proc(event->event_data.exec.process_tgid);
    if (!record || ::send(ours.get(), record->data(), record->size(), MSG_NOSIGNAL) < 0) ++lost;
  }
}

}  // namespace creance::sensor
