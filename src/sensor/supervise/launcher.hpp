// Starts the sensor's processes: each as a user of its own, in a control group of its own, with its limits, with the descriptors that it needs and no others; and says when one is over
// its limit of memory. Not the one who decides when: that is the supervisor. What a host does not give (root, control groups) is left out and said. One thread.
#pragma once
#include <array>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/ipc/socket.hpp"
#include "base/os/cgroup.hpp"
#include "base/os/process.hpp"
#include "base/seams/files.hpp"

namespace creance::sensor {

enum class Role : uint8_t { kWorker, kRehearsal, kUpdater, kAdmit, kCollectSetup, kLast = kCollectSetup };
inline constexpr size_t kRoles = 5;
std::string_view to_string(Role role);  // "worker"

struct Child {
  os::ChildProcess process;
  ipc::Socket socket;
  Role role = Role::kWorker;
  uint64_t oom_kills_before = 0;  // of its control group, when it was started
  std::string over;               // why the supervisor ended it for its memory; empty: it did not
  std::string lie;                // or for what it said
  explicit operator bool() const { return static_cast<bool>(process); }
};

// Whose the processes are: system users by these names, where /etc/passwd has them; else numbers of a range that neither distributions nor systemd give to anyone (65520 to 65533).
struct ProcessUsers {
  std::array<os::User, kRoles> of{};
  std::array<std::string, kRoles> names;  // "creance-worker", "65522"
};
Result<ProcessUsers> process_users(std::string_view passwd);

// What lies in the sensor's folder belongs to whoever writes it, is readable for whoever must read it, and for nobody else. Without following links. For a process with root's rights.
Status give_state(const std::filesystem::path& state, const ProcessUsers& users);

// Whether it is certain that there is no such file: nothing has its name, and no link on the way leads nowhere. False where that cannot be seen.
bool is_absent(const std::filesystem::path& path);

struct Program {
  std::filesystem::path file;
  std::vector<std::string> arguments;
  std::vector<std::pair<int, int>> descriptors;         // {ours, the child's}; 3 is the socket
  std::vector<std::filesystem::path> given;             // files that it reads: below `state` by relative paths, others by absolute ones. What cannot be opened is left to it
};

class Launcher {
 public:
  Launcher(std::filesystem::path state, uint64_t memory_bytes_max) : state_(std::move(state)), memory_bytes_max_(memory_bytes_max) {}

  // Before anything is started and after the folders are there: users, whose the folders are, control groups.
  Status prepare(FileSystem& files);
  // After collect-setup: gives up what this process itself needs for nothing any more.
  Status give_up_rest();

  // The child works in the sensor's folder: its own paths are relative to it.
  Result<Child> start(Role role, Program program);
  uint64_t memory_bytes_max() const { return memory_bytes_max_; }
  // Why this child must be ended now; empty: it need not be.
  std::string over_memory(const Child& child) const;
  // Why the child that has ended was ended by the kernel for its memory; empty: it was not. `before`: its process was still there.
  std::string ended_for_memory(const Child& child) const;

  const std::string& users_text() const { return users_text_; }    // for people: "creance-updater, creance-admit, …", "one user (uid 1000)"
  const std::string& limits_text() const { return limits_text_; }  // "cgroup v2 `/…`", "rlimits and the supervisor"

 private:
  std::filesystem::path state_;
  uint64_t memory_bytes_max_;
  ipc::Descriptor folder_;
  std::optional<ProcessUsers> users_;                   // nullopt: all as this process's user
  os::CgroupTree cgroups_;
  std::string users_text_, limits_text_;
};

}  // namespace creance::sensor
