// Child processes as the sensor's supervisor needs them: started with exactly the descriptors and limits that are named, ended with their parent, observed
// through a pidfd. Not a shell, no PATH, no inherited environment. One thread. Failure: Error of the operating system; a program that cannot be executed ends with
// exit code 127.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ipc/socket.hpp"
#include "base/os/privileges.hpp"
#include "base/result.hpp"

namespace creance::os {

struct ProcessLimits {  // rlimits; 0: as the parent has it. Core dumps are always off.
  uint64_t address_space_bytes = 0;
  uint64_t open_files = 0;
  uint64_t cpu_seconds = 0;
  uint64_t file_bytes = 0;
  uint64_t processes = 0;  // and threads, of the child's user; root's are not counted
};

struct Launch {
  std::filesystem::path program;
  std::vector<std::string> arguments;                // without the program's own name
  std::vector<std::pair<int, int>> descriptors;      // {ours, the child's number}; numbers above 2, each once
  std::filesystem::path log;                         // standard error goes there (appended); empty: as the parent's
  ProcessLimits limits;
  std::optional<User> user;                          // with no other groups, no capabilities and none to gain; nullopt: as the parent
  Capabilities capabilities = ~Capabilities{0};      // nullopt user: at most these; a program of root's has them
  bool no_new_privileges = false;                    // no program that it starts has more than it (always so with `user`)
  int nice = 0;                                      // added to the parent's; not negative
  int folder = -1;                                   // where it works (a descriptor); -1: as the parent
  int cgroup = -1;                                   // cgroup.procs that it enters before it is the program, if that still works; -1: as the parent
};

struct ExitStatus {
  int code = 0;    // if signal is 0
  int signal = 0;
  bool clean() const { return code == 0 && signal == 0; }
  std::string text() const;  // "exit code 3", "signal 11"
};

class ChildProcess {
 public:
  static Result<ChildProcess> start(const Launch& launch);
  ChildProcess() = default;
  ChildProcess(ChildProcess&& other) noexcept : pid_(std::exchange(other.pid_, -1)), pidfd_(std::move(other.pidfd_)), statistics_(std::move(other.statistics_)) {}
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();  // kills and reaps

  explicit operator bool() const { return pid_ > 0; }
  int pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }         // readable when the child has ended
  void signal(int number) const;
  std::optional<ExitStatus> exited();                // reaps; the object is empty afterwards
  ExitStatus wait();                                 // until it ends
  bool stopped() const;                              // by a signal, and not continued
  std::optional<std::chrono::nanoseconds> cpu_time() const;  // of all its threads so far
  // For so long a thread of it could have gone on and got no processor: of the one that waited longest. nullopt: not known
  std::optional<std::chrono::nanoseconds> waited() const;
  std::optional<uint64_t> resident_bytes() const;    // nullopt: not known (ended, or /proc is not of this pid namespace)

 private:
  void end() noexcept;
  int pid_ = -1;
  ipc::Descriptor pidfd_;
  ipc::Descriptor statistics_;                       // /proc/<pid>/statm
};

// The second number of /proc/<pid>/task/<thread>/schedstat; nullopt: the text is not that.
std::optional<std::chrono::nanoseconds> run_delay(std::string_view schedstat);

// The second number of /proc/<pid>/statm, in pages; nullopt: the text is not that.
std::optional<uint64_t> resident_pages(std::string_view statm);

std::string boot_id();                                 // 36 characters; changes with each boot; empty where the kernel does not say
std::filesystem::path own_program();                   // the file that this process runs

// For files that only inform (status): replaced in one step, not synced.
Status write_unsynced(const std::filesystem::path& path, std::string_view text, unsigned mode);

}  // namespace creance::os
