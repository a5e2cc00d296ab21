#include "base/os/cgroup.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/os/real.hpp"

namespace creance::os {
namespace fs = std::filesystem;
namespace {

constexpr size_t kTextBytesMax = 65'536;

// Control files are written in place, one value at a time, and never made: where one is missing, so is its controller.
Status write_value(const fs::path& file, const std::string& value) {
  const ipc::Descriptor fd(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return fail(errno_error(errno, "cannot open", file));
  if (::write(fd.get(), value.data(), value.size()) != static_cast<ssize_t>(value.size())) return fail(errno_error(errno, "cannot write", file));
  return {};
}

std::string text_of(const fs::path& file) {
  RealFileSystem files;
  const auto bytes = files.read(file, kTextBytesMax);
  return bytes ? std::string(as_text(*bytes)) : std::string();
}

bool has_word(std::string_view text, std::string_view word) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find_first_of(" \n", at), text.size());
    if (text.substr(at, end - at) == word) return true;
    at = end + 1;
  }
  return false;
}

template <class F>
void each_line(std::string_view text, F&& use) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    use(line);
  }
}

}  // namespace

std::optional<std::string> cgroup_path(std::string_view text) {
  std::optional<std::string> path;
  each_line(text, [&](std::string_view line) {
    if (line.starts_with("0::/")) path = std::string(line.substr(3));
  });
  return path;
}

std::optional<std::string> cgroup_mount(std::string_view text) {
  std::optional<std::string> mount;
  each_line(text, [&](std::string_view line) {  // device folder type options …
    const size_t folder = line.find(' ');
    const size_t type = folder == std::string_view::npos ? folder : line.find(' ', folder + 1);
    if (type != std::string_view::npos && line.substr(type + 1).starts_with("cgroup2 ") && !mount) mount = std::string(line.substr(folder + 1, type - folder - 1));
  });
  return mount;
}

std::optional<uint64_t> number_behind(std::string_view text, std::string_view key) {
  std::optional<uint64_t> number;
  each_line(text, [&](std::string_view line) {
    if (line.size() <= key.size() + 1 || !line.starts_with(key) || line[key.size()] != ' ') return;
    uint64_t value = 0;
    const char* const end = line.data() + line.size();
    if (const auto read = std::from_chars(line.data() + key.size() + 1, end, value); read.ec == std::errc() && read.ptr == end) number = value;
  });
  return number;
}

Result<CgroupTree> CgroupTree::at(const fs::path& folder) {
  if (!has_word(text_of(folder / "cgroup.controllers"), "memory")) return fail(ErrorCode::kUnsupported, fmt::format("`{}` has no memory controller", folder.string()));
  // A group whose children have controllers holds no processes itself.
  for (const char* controller : {"+memory", "+pids", "+cpu"})
    if (const auto given = write_value(folder / "cgroup.subtree_control", controller); !given && std::string_view(controller) == "+memory") return fail(ErrorCode::kUnsupported, given.error().detail);
  CgroupTree tree;
  tree.folder_ = folder;
  return tree;
}

Result<CgroupTree> CgroupTree::own(const fs::path& mounts, const fs::path& self) {
  const auto mount = cgroup_mount(text_of(mounts)), path = cgroup_path(text_of(self));
  if (!mount || !path) return fail(ErrorCode::kUnsupported, "no cgroup v2");
  const fs::path folder = *path == "/" ? fs::path(*mount) : fs::path(*mount + *path);
  if (!has_word(text_of(folder / "cgroup.controllers"), "memory")) return fail(ErrorCode::kUnsupported, fmt::format("cgroup v2 without a memory controller in `{}`", folder.string()));
  if (text_of(folder / "cgroup.procs") != fmt::format("{}\n", ::getpid())) return fail(ErrorCode::kUnsupported, fmt::format("the control group `{}` is not this sensor's alone (a service with Delegate=yes has one)", folder.string()));
  const fs::path leaf = folder / "supervisor";
  if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return fail(ErrorCode::kUnsupported, errno_error(errno, "cannot make", leaf).detail);
  if (const auto moved = write_value(leaf / "cgroup.procs", "0"); !moved) return fail(ErrorCode::kUnsupported, moved.error().detail);
  return at(folder);
}

Result<ipc::Descriptor> CgroupTree::leaf(std::string_view name, const CgroupLimits& limits) const {
  const fs::path folder = folder_ / name;
  if (::mkdir(folder.c_str(), 0755) != 0 && errno != EEXIST) return fail(errno_error(errno, "cannot make", folder));
  if (limits.memory_bytes > 0) {
    TRY_VOID(write_value(folder / "memory.max", std::to_string(limits.memory_bytes)));
    (void)write_value(folder / "memory.swap.max", "0").has_value();    // absent without swap accounting
    (void)write_value(folder / "memory.oom.group", "1").has_value();
  }
  // What the kernel has no controller for here is left to rlimits.
  if (limits.processes > 0) (void)write_value(folder / "pids.max", std::to_string(limits.processes)).has_value();
  (void)write_value(folder / "cpu.weight", std::to_string(limits.cpu_weight)).has_value();
  constexpr uint32_t kPeriodUs = 100'000;
  if (limits.cpu_percent > 0) (void)write_value(folder / "cpu.max", fmt::format("{} {}", uint64_t{limits.cpu_percent} * kPeriodUs / 100, kPeriodUs)).has_value();
  ipc::Descriptor procs(::open((folder / "cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  if (!procs) return fail(errno_error(errno, "cannot open", folder / "cgroup.procs"));
  return procs;
}

uint64_t CgroupTree::oom_kills(std::string_view leaf) const {
  if (folder_.empty()) return 0;
  const std::string text = text_of(folder_ / leaf / "memory.events");
  return number_behind(text, "oom_group_kill").value_or(0) + number_behind(text, "oom_kill").value_or(0);
}

}  // namespace creance::os
