// What confined processes can still do, tried from inside: worker-like (reads one folder), admit-like (writes one folder) and updater-like (writes one folder, and is a network
// client). Each attempt runs in a child of its own; as root, in one that is another user first, as the supervisor starts them. What users alone keep away: users_test.cpp.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "base/os/privileges.hpp"
#include "base/os/sandbox.hpp"

namespace creance::os {
namespace {
namespace fs = std::filesystem;

constexpr User kUser{65'522, 65'522};

class Sandbox : public testing::Test {
 public:
  enum Kind { kReader, kWriter, kClient };

 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("creance-sandbox-{}", ::getpid());
    fs::create_directories(folder_ / "inside");
    fs::create_directories(folder_ / "outside");
    std::ofstream(folder_ / "inside/file") << "x";
    std::ofstream(folder_ / "outside/file") << "x";
    as_user_ = ::geteuid() == 0 && can_become({kUser}).has_value();
    if (as_user_) {
      ASSERT_TRUE(give_folder(folder_ / "inside", {kUser, 0755, 0644}));
    }
  }
  void TearDown() override { fs::remove_all(folder_); }

  // True if `attempt` succeeded inside of the sandbox. 77: the sandbox itself could not be entered.
  int inside(int kind, const std::function<bool()>& attempt) {
    const pid_t child = ::fork();
    if (child == 0) {
      const fs::path paths[] = {folder_ / "inside"};
      const std::vector<fs::path> of_network = network_client_files();
      Confinement confinement;
      if (kind != kReader) confinement.writable = paths;
      else confinement.readable = paths;
      if (kind == kClient) confinement.readable = of_network;
      confinement.may_write_files = kind != kReader;
      confinement.may_connect = kind == kClient;
      if (as_user_ && !become_user(kUser, 0)) ::_exit(78);
      if (!confine_files(confinement) || !confine_calls(confinement)) ::_exit(77);
      ::_exit(attempt() ? 1 : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  int opens(int kind, const char* file, int flags) {
    return inside(kind, [&] { return ::open((folder_ / file).c_str(), flags, 0600) >= 0; });
  }

  fs::path folder_;
  bool as_user_ = false;
};

class SandboxOf : public Sandbox, public testing::WithParamInterface<int> {};

TEST_P(SandboxOf, KeepsTheNetworkProgramsAndOtherProcessesAway) {
  const int writer = GetParam();
  if (inside(writer, [] { return false; }) == 77) GTEST_SKIP() << "this kernel has neither Landlock nor seccomp for us";
  for (const int family : {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, AF_PACKET}) {
    const bool wanted = writer == kClient && (family == AF_INET || family == AF_INET6);
    EXPECT_EQ(inside(writer, [&] { return ::socket(family, SOCK_DGRAM, 0) >= 0; }), wanted ? 1 : 0) << "socket family " << family;
  }
  EXPECT_EQ(inside(writer, [] {
    char program[] = "/bin/true";
    char* const arguments[] = {program, nullptr};
    ::execve(program, arguments, nullptr);
    return errno != EPERM && errno != EACCES;
  }), 0) << "a program";
  EXPECT_EQ(inside(writer, [] { return ::fork() >= 0; }), 0) << "a process";
  const pid_t parent = ::getpid();
  EXPECT_EQ(inside(writer, [&] { return ::kill(parent, 0) == 0; }), 0) << "a signal";
  EXPECT_EQ(inside(writer, [&] { return ::ptrace(PTRACE_ATTACH, parent, nullptr, nullptr) == 0; }), 0) << "tracing";
  EXPECT_EQ(inside(writer, [] { return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED; }), 0) << "memory that can be executed";
  EXPECT_EQ(inside(writer, [] { return ::setuid(0) == 0; }), 0) << "another user";
  EXPECT_EQ(inside(writer, [] { return ::unlink("/tmp/creance-not-there") == 0 || errno == ENOENT; }), writer ? 1 : 0);
  EXPECT_EQ(inside(writer, [] { return ::mmap(nullptr, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED; }), 1) << "but memory there is";
}

// One that the kernel refuses for another reason (no such process, a bad address) would not have been refused by the sandbox: only its own answers count.
TEST_P(SandboxOf, LeavesNoWayToMoreRightsOrToOtherProcesses) {
  const int kind = GetParam();
  if (inside(kind, [] { return false; }) == 77) GTEST_SKIP() << "this kernel has neither Landlock nor seccomp for us";
  const pid_t parent = ::getpid();
  const fs::path file = folder_ / "inside/file";
  struct Way {
    const char* name;
    std::function<long()> take;
  };
  static char area[4096];
  const Way ways[] = {
      {"setuid", [] { return ::syscall(SYS_setuid, 0); }},
      {"setgid", [] { return ::syscall(SYS_setgid, 0); }},
      {"setresuid", [] { return ::syscall(SYS_setresuid, 0, 0, 0); }},
      {"setgroups", [] { return ::syscall(SYS_setgroups, 0, nullptr); }},
      {"setfsuid", [] { return ::syscall(SYS_setfsuid, 0); }},
      {"capset", [] {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        __user_cap_data_struct none[2] = {};
        return ::syscall(SYS_capset, &header, none);
      }},
      {"a user namespace", [] { return ::syscall(SYS_unshare, CLONE_NEWUSER); }},
      {"a mount namespace", [] { return ::syscall(SYS_unshare, CLONE_NEWNS); }},
      {"a process in a user namespace", [] { return ::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr); }},
      {"another's namespace", [] { return ::syscall(SYS_setns, 0, 0); }},
      {"io_uring", [] { return ::syscall(SYS_io_uring_setup, 1, area); }},
      {"bpf", [] { return ::syscall(SYS_bpf, 0, area, 64); }},
      {"keyctl", [] { return ::syscall(SYS_keyctl, 0, -3, 1); }},
      {"add_key", [] { return ::syscall(SYS_add_key, "user", "x", "y", 1, -2); }},
      {"request_key", [] { return ::syscall(SYS_request_key, "user", "x", nullptr, 0); }},
      {"perf_event_open", [] { return ::syscall(SYS_perf_event_open, area, 0, -1, -1, 0); }},
      {"userfaultfd", [] { return ::syscall(SYS_userfaultfd, 0); }},
      {"mount", [] { return ::syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, nullptr); }},
      {"a new mount", [] { return ::syscall(SYS_fsopen, "tmpfs", 0); }},
      {"chroot", [] { return ::syscall(SYS_chroot, "/"); }},
      {"pivot_root", [] { return ::syscall(SYS_pivot_root, "/", "/"); }},
      {"open_by_handle_at", [] { return ::syscall(SYS_open_by_handle_at, -100, area, 0); }},
      {"a device", [&] { return ::syscall(SYS_mknodat, AT_FDCWD, (folder_ / "inside/node").c_str(), S_IFIFO | 0600, 0); }},
      {"a second name", [&] { return ::syscall(SYS_linkat, AT_FDCWD, file.c_str(), AT_FDCWD, (folder_ / "inside/second").c_str(), 0); }},
      {"another owner", [&] { return ::syscall(SYS_fchownat, AT_FDCWD, file.c_str(), 0, 0, 0); }},
      {"extended attributes", [&] { return ::syscall(SYS_setxattr, file.c_str(), "user.x", "y", 1, 0); }},
      {"ptrace", [&] { return ::syscall(SYS_ptrace, PTRACE_SEIZE, parent, 0, 0); }},
      {"to be traced", [] { return ::syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0); }},
      {"another's memory", [&] {
        iovec here{area, 1}, there{area, 1};
        return ::syscall(SYS_process_vm_readv, parent, &here, 1, &there, 1, 0);
      }},
      {"writing another's memory", [&] {
        iovec here{area, 1}, there{area, 1};
        return ::syscall(SYS_process_vm_writev, parent, &here, 1, &there, 1, 0);
      }},
      {"a pidfd", [&] { return ::syscall(SYS_pidfd_open, parent, 0); }},
      {"another's descriptor", [] { return ::syscall(SYS_pidfd_getfd, 0, 0, 0); }},
      {"kcmp", [&] { return ::syscall(SYS_kcmp, parent, parent, 0, 0, 0); }},
      {"kill", [&] { return ::syscall(SYS_kill, parent, 0); }},
      {"tkill", [&] { return ::syscall(SYS_tkill, parent, 0); }},
      {"tgkill of another", [&] { return ::syscall(SYS_tgkill, parent, parent, 0); }},
      {"a queued signal", [&] { return ::syscall(SYS_rt_sigqueueinfo, parent, 0, area); }},
      {"execve", [] { return ::syscall(SYS_execve, "/bin/true", nullptr, nullptr); }},
      {"execveat", [] { return ::syscall(SYS_execveat, -100, "/bin/true", nullptr, nullptr, 0); }},
      {"fork", [] { return ::syscall(SYS_fork); }},
      {"vfork", [] { return ::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr); }},
      {"a limit of its own", [] {
        const rlimit more{1 << 20, 1 << 20};
        return ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &more, nullptr);
      }},
      {"priority", [] { return ::syscall(SYS_setpriority, PRIO_PROCESS, 0, -20); }},
      {"real-time scheduling", [] {
        const sched_param wanted{.sched_priority = 1};
        return ::syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &wanted);
      }},
      {"prctl", [] { return ::syscall(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0); }},
      {"the clock", [] { return ::syscall(SYS_clock_settime, 0, area); }},
      {"the host's name", [] { return ::syscall(SYS_sethostname, "x", 1); }},
      {"a kernel module", [] { return ::syscall(SYS_finit_module, -1, "", 0); }},
      {"the kernel's log", [] { return ::syscall(SYS_syslog, 10, nullptr, 0); }},
      {"a memory file", [] { return ::syscall(SYS_memfd_create, "x", 0); }},
      {"shared memory", [] { return ::syscall(SYS_shmget, 1, 4096, 0600 | 01000); }},
      {"a message queue", [] { return ::syscall(SYS_msgget, 1, 0600 | 01000); }},
  };
  for (const Way& way : ways) {
    const int result = inside(kind, [&] { return way.take() >= 0 || (errno != EPERM && errno != EACCES); });
    EXPECT_EQ(result, 0) << way.name;
  }
}

TEST_F(Sandbox, OfAReaderOpensOnlyWhatItWasGivenAndOnlyToRead) {
  if (inside(kReader, [] { return false; }) == 77) GTEST_SKIP() << "this kernel has neither Landlock nor seccomp for us";
  EXPECT_EQ(opens(kReader, "inside/file", O_RDONLY), 1);
  EXPECT_EQ(opens(kReader, "inside/file", O_WRONLY), 0);
  EXPECT_EQ(opens(kReader, "inside/file", O_RDWR), 0);
  EXPECT_EQ(opens(kReader, "inside/new", O_WRONLY | O_CREAT), 0);
  EXPECT_EQ(opens(kReader, "inside/new", O_RDONLY | O_CREAT), 0);
  EXPECT_EQ(opens(kReader, "inside/file", O_RDONLY | O_TRUNC), 0);
  EXPECT_EQ(opens(kReader, "inside", O_RDWR | O_TMPFILE), 0);
  EXPECT_EQ(opens(kReader, "outside/file", O_RDONLY), 0);
  EXPECT_EQ(inside(kReader, [] { return ::open("/etc/passwd", O_RDONLY) >= 0; }), 0);
  EXPECT_EQ(inside(kReader, [] { return ::open("/proc/1/environ", O_RDONLY) >= 0; }), 0);
  EXPECT_TRUE(fs::exists(folder_ / "inside/file"));
  EXPECT_FALSE(fs::exists(folder_ / "inside/new"));
}

TEST_F(Sandbox, OfAWriterWritesOnlyBelowWhatItWasGiven) {
  if (inside(kWriter, [] { return false; }) == 77) GTEST_SKIP() << "this kernel has neither Landlock nor seccomp for us";
  EXPECT_EQ(opens(kWriter, "inside/new", O_WRONLY | O_CREAT), 1);
  EXPECT_EQ(opens(kWriter, "outside/file", O_WRONLY), 0);
  EXPECT_EQ(opens(kWriter, "outside/new", O_WRONLY | O_CREAT), 0);
  EXPECT_EQ(inside(kWriter, [&] { return ::rename((folder_ / "inside/file").c_str(), (folder_ / "outside/moved").c_str()) == 0; }), 0);
  EXPECT_EQ(inside(kWriter, [&] { return ::symlink("/etc", (folder_ / "inside/link").c_str()) == 0; }), 0);
}

TEST_F(Sandbox, OfANetworkClientConnectsOutwardsAndNothingElse) {
  if (inside(kClient, [] { return false; }) == 77) GTEST_SKIP() << "this kernel has neither Landlock nor seccomp for us";
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(listener, 4), 0);
  socklen_t bytes = sizeof address;
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &bytes), 0);
  EXPECT_EQ(inside(kClient, [&] {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd >= 0 && (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno == EINPROGRESS);
  }), 1) << "outwards";
  const auto look_up = [] {
    addrinfo* found = nullptr;
    const int code = ::getaddrinfo("localhost", "80", nullptr, &found);
    if (code == 0) ::freeaddrinfo(found);
    return code;
  };
  EXPECT_EQ(inside(kClient, [&, outside = look_up()] {  // which is none where no file names this host
    std::thread thread([] {});  // names are looked up in one
    thread.join();
    return look_up() == outside;
  }), 1) << "a thread that looks a name up";
  EXPECT_EQ(inside(kClient, [] {
    sockaddr_in any{};
    any.sin_family = AF_INET;
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    return ::bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0;
  }), 0) << "an address of its own";
  EXPECT_EQ(inside(kClient, [] { return ::listen(::socket(AF_INET, SOCK_STREAM, 0), 1) == 0; }), 0) << "listening";
  EXPECT_EQ(inside(kClient, [] { return ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0; }), 0) << "raw packets";
  EXPECT_EQ(opens(kClient, "inside/new", O_WRONLY | O_CREAT), 1);
  EXPECT_EQ(opens(kClient, "outside/file", O_RDONLY), 0) << "the sensor's key lies outside";
  EXPECT_EQ(opens(kClient, "outside/new", O_WRONLY | O_CREAT), 0);
  EXPECT_EQ(inside(kClient, [] { return ::open("/etc/shadow", O_RDONLY) >= 0; }), 0);
  ::close(listener);
}

INSTANTIATE_TEST_SUITE_P(ReadersWritersAndClients, SandboxOf, testing::Values(Sandbox::kReader, Sandbox::kWriter, Sandbox::kClient), [](const auto& given) {
  return std::string(given.param == Sandbox::kClient ? "Client" : given.param == Sandbox::kWriter ? "Writer" : "Reader");
});

}  // namespace
}  // namespace creance::os
