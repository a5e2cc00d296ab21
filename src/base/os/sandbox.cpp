#include "base/os/sandbox.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>

#include "base/os/privileges.hpp"
#include "base/os/real.hpp"

namespace creance::os {
namespace {

// Landlock grew after the headers that Debian 12 ships; the kernel is asked what it knows.
constexpr uint64_t kFsTruncate = 1ull << 14;
constexpr uint64_t kFsIoctlDevice = 1ull << 15;
constexpr uint64_t kNetBind = 1ull << 0;
constexpr uint64_t kNetConnect = 1ull << 1;
constexpr uint64_t kScopeAbstract = 1ull << 0;
constexpr uint64_t kScopeSignal = 1ull << 1;
struct Ruleset {
  uint64_t files = 0;
  uint64_t net = 0;
  uint64_t scoped = 0;
};

constexpr uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kWrite = kRead | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR |
                            LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REFER;

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

Status allow(int ruleset, const std::filesystem::path& path, uint64_t access) {
  const Fd fd(::open(path.c_str(), O_PATH | O_CLOEXEC));
  if (fd.get() < 0) return fail(errno_error(errno, "cannot open for the sandbox", path));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail(errno_error(errno, "cannot open for the sandbox", path));
  if (!S_ISDIR(info.st_mode)) access &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kFsTruncate;
  const landlock_path_beneath_attr rule{access, fd.get()};
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0) return fail(errno_error(errno, "cannot allow in the sandbox", path));
  return {};
}

constexpr int kAllowed[] = {
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(lseek), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
    SCMP_SYS(statx), SCMP_SYS(fcntl), SCMP_SYS(dup), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk),
    SCMP_SYS(futex), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getrusage), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
    SCMP_SYS(getdents64), SCMP_SYS(uname), SCMP_SYS(sched_getaffinity), SCMP_SYS(rseq), SCMP_SYS(set_robust_list), SCMP_SYS(membarrier)};
constexpr int kAllowedForWriters[] = {SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rmdir),
                                      SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(pwrite64), SCMP_SYS(access), SCMP_SYS(faccessat),
                                      SCMP_SYS(faccessat2), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd)};

constexpr int kAllowedForClients[] = {SCMP_SYS(connect), SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmmsg), SCMP_SYS(setsockopt), SCMP_SYS(getsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
                                       SCMP_SYS(shutdown), SCMP_SYS(eventfd2), SCMP_SYS(pipe2), SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid)};

// Stream and datagram sockets of IPv4 and IPv6, unnamed pairs, and threads (clone3's flags lie in memory where no filter sees them: with ENOSYS the C library takes clone).
int allow_client(scmp_filter_ctx filter) {
  int refused = 0;
  for (const int call : kAllowedForClients) refused |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
  for (const scmp_datum_t family : {AF_INET, AF_INET6})
    for (const scmp_datum_t kind : {SOCK_STREAM, SOCK_DGRAM})
      refused |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2, SCMP_A0(SCMP_CMP_EQ, family), SCMP_A1(SCMP_CMP_MASKED_EQ, ~static_cast<scmp_datum_t>(SOCK_CLOEXEC | SOCK_NONBLOCK), kind));
  for (const scmp_datum_t request : {FIONREAD, FIONBIO}) refused |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, request));
  refused |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
  refused |= seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  refused |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND, CLONE_THREAD | CLONE_VM | CLONE_SIGHAND));
  return refused;
}

}  // namespace

Status confine_files(const Confinement& confinement) {
  const long abi = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return fail(ErrorCode::kUnsupported, "this kernel has no Landlock: files are not confined");
  Ruleset ruleset;
  ruleset.files = LANDLOCK_ACCESS_FS_MAKE_SYM * 2 - 1;  // all of version 1
  if (abi >= 2) ruleset.files |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) ruleset.files |= kFsTruncate;
  if (abi >= 5) ruleset.files |= kFsIoctlDevice;
  if (abi >= 4) ruleset.net = confinement.may_connect ? kNetBind : kNetBind | kNetConnect;
  if (abi >= 6) ruleset.scoped = kScopeAbstract | kScopeSignal;
  const size_t bytes = abi >= 6 ? sizeof ruleset : abi >= 4 ? 16 : 8;
  const Fd fd(static_cast<int>(::syscall(SYS_landlock_create_ruleset, &ruleset, bytes, 0)));
  if (fd.get() < 0) return fail(errno_error(errno, "cannot make", "Landlock ruleset"));
  for (const auto& path : confinement.readable) TRY_VOID(allow(fd.get(), path, kRead & ruleset.files));
  for (const auto& path : confinement.writable) TRY_VOID(allow(fd.get(), path, (kWrite | kFsTruncate) & ruleset.files));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(errno_error(errno, "cannot set", "no_new_privs"));
  if (::syscall(SYS_landlock_restrict_self, fd.get(), 0) != 0) return fail(errno_error(errno, "cannot enter", "Landlock ruleset"));
  return {};
}

Status confine_calls(const Confinement& confinement) {
  TRY_VOID(keep_capabilities(0));
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), &seccomp_release);
  if (!filter) return fail(ErrorCode::kIo, "cannot make a seccomp filter");
  int refused = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  for (const int call : kAllowed) refused |= seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
  refused |= seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  refused |= seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
  refused |= seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(::getpid())));  // abort()
  if (confinement.may_connect) refused |= allow_client(filter.get());
  if (confinement.may_write_files) {
    for (const int call : kAllowedForWriters) refused |= seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
    refused |= seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(openat), 0);
    refused |= seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(open), 0);
  } else {  // open for reading only: no flag that writes, makes or cuts
    refused |= seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC | (O_TMPFILE & ~O_DIRECTORY), O_RDONLY));
  }
  if (refused != 0) return fail(ErrorCode::kUnsupported, "the seccomp library does not know a system call of the filter");
  if (const int error = seccomp_load(filter.get()); error != 0) return fail(errno_error(-error, "cannot load", "seccomp filter"));
  return {};
}

std::vector<std::filesystem::path> network_client_files() {
  std::vector<std::filesystem::path> files;
  std::error_code ec;
  for (const char* name : {"/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf", "/etc/gai.conf", "/etc/services", "/etc/ssl", "/usr/lib/ssl", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/etc/pki/tls"})
    if (std::filesystem::exists(name, ec)) files.emplace_back(name);
  // A link leads into a folder of whoever manages the network, where the file is replaced now and then: the folder stays.
  const auto resolver = std::filesystem::canonical("/etc/resolv.conf", ec);
  if (!ec) files.push_back(resolver.parent_path() == "/etc" ? resolver : resolver.parent_path());
  return files;
}

uint64_t resolver_stamp() {
  struct stat info {};
  return ::stat("/etc/resolv.conf", &info) == 0 ? static_cast<uint64_t>(info.st_ino) : 0;
}

}  // namespace creance::os
