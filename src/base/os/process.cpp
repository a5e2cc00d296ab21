#include "base/os/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <system_error>

#include "base/check.hpp"
#include "base/os/real.hpp"

namespace creance::os {
namespace {

void limit(__rlimit_resource resource, uint64_t value) {
  if (value == 0) return;
  rlimit now{};
  if (::getrlimit(resource, &now) == 0 && now.rlim_max != RLIM_INFINITY) value = std::min<uint64_t>(value, now.rlim_max);
  const rlimit wanted{value, value};
  if (::setrlimit(resource, &wanted) != 0) ::_exit(126);  // rather no child than one without its limits
}

// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void become(const Launch& launch, const std::vector<char*>& arguments, int log, int program, pid_t parent) {
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGTERM, SIGINT, SIGHUP}) ::signal(number, SIG_DFL);
  // First out of the way of the child's numbers, then to their places.
  int highest = 2;
  for (const auto& [ours, theirs] : launch.descriptors) highest = std::max(highest, theirs);
  const int floor = highest + 1;
  int folder = launch.folder, cgroup = launch.cgroup;
  for (int* const fd : {&log, &program, &folder, &cgroup})
    if (*fd >= 0) *fd = ::fcntl(*fd, F_DUPFD_CLOEXEC, floor);
  std::array<int, 64> staged{};
  for (size_t i = 0; i < launch.descriptors.size(); ++i) {
    staged[i] = ::fcntl(launch.descriptors[i].first, F_DUPFD_CLOEXEC, floor);
    if (staged[i] < 0) ::_exit(126);
  }
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0) ::_exit(126);
  ::dup2(nothing, 0);
  if (log >= 0) {
    ::dup2(log, 1);
    ::dup2(log, 2);
  }
  for (size_t i = 0; i < launch.descriptors.size(); ++i)
    if (::dup2(staged[i], launch.descriptors[i].second) < 0) ::_exit(126);
  for (int fd = 3; fd <= highest; ++fd) {
    bool given = false;
    for (const auto& entry : launch.descriptors) given = given || entry.second == fd;
    if (!given) ::close(fd);
  }
  ::syscall(SYS_close_range, static_cast<unsigned>(highest) + 1, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
  if (cgroup >= 0 && ::write(cgroup, "0", 1) != 1) cgroup = -1;  // someone took it away: the other limits stay
  if (folder >= 0 && ::fchdir(folder) != 0) ::_exit(126);
  if (launch.nice > 0) (void)!::nice(launch.nice);
  limit(RLIMIT_AS, launch.limits.address_space_bytes);
  limit(RLIMIT_NOFILE, launch.limits.open_files);
  limit(RLIMIT_CPU, launch.limits.cpu_seconds);
  limit(RLIMIT_FSIZE, launch.limits.file_bytes);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  if (launch.user) {
    if (!become_user(*launch.user, 0)) ::_exit(126);
    ::umask(027);
  } else if (launch.capabilities != ~Capabilities{0}) {
    (void)reduce_bounding_set(launch.capabilities);  // refused without CAP_SETPCAP: then there is nothing to gain, see below
  }
  limit(RLIMIT_NPROC, launch.limits.processes);  // of the user that it is now
  if ((launch.user || launch.no_new_privileges) && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(126);
  // Last: a change of the user takes it back.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126);
  char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
  char locale[] = "LC_ALL=C";
  char* const environment[] = {path, locale, nullptr};
  ::execve(launch.program.c_str(), arguments.data(), environment);
  // The user may run the program without being able to go where it lies (below /root, say).
  if (program >= 0 && errno == EACCES) ::syscall(SYS_execveat, program, "", arguments.data(), environment, 0x1000 /* AT_EMPTY_PATH */);
  ::_exit(127);
}

}  // namespace

std::string ExitStatus::text() const { return signal != 0 ? fmt::format("signal {}", signal) : fmt::format("exit code {}", code); }

Result<ChildProcess> ChildProcess::start(const Launch& launch) {
  CHECK(launch.descriptors.size() <= 64);
  ipc::Descriptor log;
  if (!launch.log.empty()) {
    log = ipc::Descriptor(::open(launch.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!log) return fail(errno_error(errno, "cannot open log", launch.log));
  }
  const ipc::Descriptor program(launch.user ? ::open(launch.program.c_str(), O_PATH | O_CLOEXEC) : -1);
  std::string name = launch.program.string();
  std::vector<std::string> texts = launch.arguments;
  std::vector<char*> arguments{name.data()};
  for (std::string& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail(errno_error(errno, "cannot start", launch.program));
  if (pid == 0) become(launch, arguments, log.get(), program.get(), parent);
  ChildProcess child;
  child.pid_ = pid;
  child.pidfd_ = ipc::Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!child.pidfd_) return fail(errno_error(errno, "cannot watch", launch.program));  // the destructor ends the child
  static const bool own_proc = [] {  // /proc may be of another pid namespace, where the number is someone else's
    std::error_code ec;
    return std::filesystem::read_symlink("/proc/self", ec).string() == std::to_string(::getpid());
  }();
  if (own_proc) child.statistics_ = ipc::Descriptor(::open(fmt::format("/proc/{}/statm", pid).c_str(), O_RDONLY | O_CLOEXEC));
  return child;
}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    end();
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
    statistics_ = std::move(other.statistics_);
  }
  return *this;
}

ChildProcess::~ChildProcess() { end(); }

void ChildProcess::end() noexcept {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  wait();
}

void ChildProcess::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

namespace {
ExitStatus status_of(int raw) {
  ExitStatus status;
  if (WIFSIGNALED(raw)) status.signal = WTERMSIG(raw);
  else status.code = WEXITSTATUS(raw);
  return status;
}
}  // namespace

bool ChildProcess::stopped() const {
  siginfo_t info{};
  return pid_ > 0 && ::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
}

std::optional<ExitStatus> ChildProcess::exited() {
  if (pid_ <= 0) return std::nullopt;
  int raw = 0;
  if (::waitpid(pid_, &raw, WNOHANG) != pid_) return std::nullopt;
  pid_ = -1;
  pidfd_.reset();
  statistics_.reset();
  return status_of(raw);
}

ExitStatus ChildProcess::wait() {
  CHECK(pid_ > 0);
  int raw = 0;
  while (::waitpid(pid_, &raw, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  pidfd_.reset();
  statistics_.reset();
  return status_of(raw);
}

std::optional<std::chrono::nanoseconds> ChildProcess::cpu_time() const {
  clockid_t clock{};
  timespec spent{};
  if (pid_ <= 0 || ::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &spent) != 0) return std::nullopt;
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

namespace {
std::optional<uint64_t> second_number(std::string_view text) {
  const size_t space = text.find(' ');
  uint64_t number = 0;
  if (space == std::string_view::npos || std::from_chars(text.data() + space + 1, text.data() + text.size(), number).ec != std::errc()) return std::nullopt;
  return number;
}
}  // namespace

std::optional<uint64_t> resident_pages(std::string_view statm) { return second_number(statm); }

std::optional<std::chrono::nanoseconds> run_delay(std::string_view schedstat) {
  const auto number = second_number(schedstat);
  return number ? std::optional(std::chrono::nanoseconds(static_cast<int64_t>(std::min<uint64_t>(*number, INT64_MAX)))) : std::nullopt;
}

std::optional<std::chrono::nanoseconds> ChildProcess::waited() const {
  if (pid_ <= 0) return std::nullopt;
  RealFileSystem files;
  const std::filesystem::path threads = std::filesystem::path("/proc") / std::to_string(pid_) / "task";
  const auto names = files.list(threads);
  std::optional<std::chrono::nanoseconds> most;
  for (const std::string& name : names ? *names : std::vector<std::string>()) {
    const auto text = files.read(threads / name / "schedstat", 256);
    const auto waited = text ? run_delay(as_text(*text)) : std::nullopt;
    if (waited && (!most || *waited > *most)) most = waited;
  }
  return most;
}

std::optional<uint64_t> ChildProcess::resident_bytes() const {
  std::array<char, 128> text;
  const ssize_t n = statistics_ ? ::pread(statistics_.get(), text.data(), text.size(), 0) : -1;
  const auto pages = n > 0 ? resident_pages({text.data(), static_cast<size_t>(n)}) : std::nullopt;
  if (!pages) return std::nullopt;
  static const auto page_bytes = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return *pages <= UINT64_MAX / page_bytes ? *pages * page_bytes : UINT64_MAX;
}

std::string boot_id() {
  RealFileSystem files;
  auto bytes = files.read("/proc/sys/kernel/random/boot_id", 64);
  if (!bytes || bytes->size() < 36) return {};
  return std::string(as_text(*bytes).substr(0, 36));
}

std::filesystem::path own_program() {
  std::error_code ec;
  return std::filesystem::read_symlink("/proc/self/exe", ec);
}

Status write_unsynced(const std::filesystem::path& path, std::string_view text, unsigned mode) {
  std::filesystem::path staging = path;
  staging += ".new";
  {
    const ipc::Descriptor fd(::open(staging.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
    if (!fd) return fail(errno_error(errno, "cannot create", staging));
    while (!text.empty()) {
      const ssize_t n = ::write(fd.get(), text.data(), text.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) {
        auto error = errno_error(errno, "cannot write", staging);
        ::unlink(staging.c_str());
        return fail(std::move(error));
      }
      text.remove_prefix(static_cast<size_t>(n));
    }
  }
  if (::rename(staging.c_str(), path.c_str()) != 0) return fail(errno_error(errno, "cannot replace", path));
  return {};
}

}  // namespace creance::os
