// What confined processes can still do, tried from inside: worker-like (reads one folder) and admit-like (writes one folder). Each attempt runs in a child of its own.
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/os/sandbox.hpp"

namespace creance::os {
namespace {
namespace fs = std::filesystem;

class Sandbox : public testing::Test {
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
  int inside(bool writer, const std::function<bool()>& attempt) {
    const pid_t child = ::fork();
    if (child == 0) {
      const fs::path paths[] = {folder_ / "inside"};
      Confinement confinement;
      if (writer) confinement.writable = paths;
      else confinement.readable = paths;
      confinement.may_write_files = writer;
      if (!confine_files(confinement) || !confine_calls(confinement)) ::_exit(77);
      ::_exit(attempt() ? 1 : 0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  int opens(bool writer, const char* file, int flags) {
    return inside(writer, [&] { return ::open((folder_ / file).c_str(), flags, 0600) >= 0; });
  }

  fs::path folder_;
};

class SandboxOf : public Sandbox, public testing::WithParamInterface<bool> {};

TEST_P(SandboxOf, KeepsTheNetworkProgramsAndOtherProcessesAway) {
  const bool writer = GetParam();
  if (inside(writer, [] { return false; }) == 77) GTEST_SKIP() << "this kernel has neither Landlock nor seccomp for us";
  for (const int family : {AF_INET, AF_INET6, AF_UNIX, AF_NETLINK, AF_PACKET}) EXPECT_EQ(inside(writer, [&] { return ::socket(family, SOCK_DGRAM, 0) >= 0; }), 0) << "socket family " << family;
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
  if (inside(false, [] { return false; }) == 77) GTEST_SKIP() << "this kernel has neither Landlock nor seccomp for us";
  EXPECT_EQ(opens(false, "inside/file", O_RDONLY), 1);
  EXPECT_EQ(opens(false, "inside/file", O_WRONLY), 0);
  EXPECT_EQ(opens(false, "inside/file", O_RDWR), 0);
  EXPECT_EQ(opens(false, "inside/new", O_WRONLY | O_CREAT), 0);
  EXPECT_EQ(opens(false, "inside/new", O_RDONLY | O_CREAT), 0);
  EXPECT_EQ(opens(false, "inside/file", O_RDONLY | O_TRUNC), 0);
  EXPECT_EQ(opens(false, "inside", O_RDWR | O_TMPFILE), 0);
  EXPECT_EQ(opens(false, "outside/file", O_RDONLY), 0);
  EXPECT_EQ(inside(false, [] { return ::open("/etc/passwd", O_RDONLY) >= 0; }), 0);
  EXPECT_EQ(inside(false, [] { return ::open("/proc/1/environ", O_RDONLY) >= 0; }), 0);
  EXPECT_TRUE(fs::exists(folder_ / "inside/file"));
  EXPECT_FALSE(fs::exists(folder_ / "inside/new"));
}

TEST_F(Sandbox, OfAWriterWritesOnlyBelowWhatItWasGiven) {
  if (inside(true, [] { return false; }) == 77) GTEST_SKIP() << "this kernel has neither Landlock nor seccomp for us";
  EXPECT_EQ(opens(true, "inside/new", O_WRONLY | O_CREAT), 1);
  EXPECT_EQ(opens(true, "outside/file", O_WRONLY), 0);
  EXPECT_EQ(opens(true, "outside/new", O_WRONLY | O_CREAT), 0);
  EXPECT_EQ(inside(true, [&] { return ::rename((folder_ / "inside/file").c_str(), (folder_ / "outside/moved").c_str()) == 0; }), 0);
  EXPECT_EQ(inside(true, [&] { return ::symlink("/etc", (folder_ / "inside/link").c_str()) == 0; }), 0);
}

INSTANTIATE_TEST_SUITE_P(ReadersAndWriters, SandboxOf, testing::Bool(), [](const auto& given) { return given.param ? "Writer" : "Reader"; });

}  // namespace
}  // namespace creance::os
