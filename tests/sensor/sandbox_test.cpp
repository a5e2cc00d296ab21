// What confined processes can still do, tried from inside: worker-like (reads one folder), admit-like (writes one folder) and updater-like (writes one folder, and is a network
// client). Each attempt runs in a child of its own.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "base/os/sandbox.hpp"

namespace creance::os {
namespace {
namespace fs = std::filesystem;

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
  EXPECT_EQ(inside(kClient, [] {
    std::thread thread([] {});  // names are looked up in one
    thread.join();
    addrinfo* found = nullptr;
    return ::getaddrinfo("localhost", "80", nullptr, &found) == 0;
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
