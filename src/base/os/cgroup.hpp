// One control group (cgroup v2) for each child of a process, below its own: limits of memory, processes and CPU time that the kernel keeps. Only in a group that is this process's alone
// (a service, a scope, a container) and may be changed; anywhere else nothing is touched. Parses only the few numbers that the kernel writes. Source: the kernel's cgroup-v2 guide.
// Failure: kUnsupported with what is missing. One thread.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/ipc/socket.hpp"
#include "base/result.hpp"

namespace creance::os {

struct CgroupLimits {
  uint64_t memory_bytes = 0;       // 0: none; then also no swap
  uint64_t processes = 0;          // and threads; 0: none
  uint32_t cpu_weight = 100;       // beside others; the kernel's default is 100
  uint32_t cpu_percent = 0;        // of one CPU, at most; 0: no limit
};

class CgroupTree {
 public:
  // The group that this process is in, if it is its alone and the kernel gives memory limits there; moves this process into a leaf `supervisor`.
  static Result<CgroupTree> own(const std::filesystem::path& mounts = "/proc/self/mounts", const std::filesystem::path& self = "/proc/self/cgroup");
  // Below this folder.
  static Result<CgroupTree> at(const std::filesystem::path& folder);
  CgroupTree() = default;
  explicit operator bool() const { return !folder_.empty(); }
  const std::filesystem::path& folder() const { return folder_; }

  // Makes the leaf, or sets it anew, and gives its cgroup.procs for Launch::cgroup. kUnsupported, kIo: without this child's group then.
  Result<ipc::Descriptor> leaf(std::string_view name, const CgroupLimits& limits) const;
  uint64_t oom_kills(std::string_view leaf) const;  // so far

 private:
  std::filesystem::path folder_;
};

// Of "/proc/self/cgroup" the path behind "0::"; of "/proc/self/mounts" where cgroup2 is mounted; of "memory.events" the number behind `key`. nullopt: the text does not have it.
std::optional<std::string> cgroup_path(std::string_view text);
std::optional<std::string> cgroup_mount(std::string_view text);
std::optional<uint64_t> number_behind(std::string_view text, std::string_view key);

}  // namespace creance::os
