#include "sensor/supervise/launcher.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/os/real.hpp"

namespace creance::sensor {
namespace fs = std::filesystem;
namespace {

constexpr size_t kPasswdBytesMax = 4u << 20;
constexpr uint32_t kFirstNumber = 65'520;  // to 65533: unused by systemd's and reserved by Debian's allocation of numbers; there in 16 bits and in containers
constexpr int kFirstGiven = 10;            // descriptors of files that a child is given; the ones before have fixed meanings

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kAddressSpace = 0;  // sanitizers reserve terabytes,
constexpr uint64_t kNoFurtherProcess = 0;  // and have threads of their own
#else
constexpr uint64_t kAddressSpace = uint64_t{2} << 30;
constexpr uint64_t kNoFurtherProcess = 1;
#endif
constexpr uint64_t kThreadsOfUser = 512;  // of those that have some: in all sensors of a host

struct RoleSettings {
  const char* user;
  const char* group;          // its control group
  uint32_t number;            // after kFirstNumber
  os::ProcessLimits limits;
  uint64_t processes;         // in its control group
  uint32_t cpu_weight, cpu_percent;
  int nice;
};
constexpr std::array<RoleSettings, kRoles> kSettings = {{
    {"creance-worker", "worker", 2, {.address_space_bytes = kAddressSpace, .open_files = 64, .cpu_seconds = 0, .file_bytes = 0, .processes = kThreadsOfUser}, 4, 100, 100, 0},
    {"creance-rehearsal", "rehearsal", 3, {.address_space_bytes = kAddressSpace, .open_files = 64, .cpu_seconds = 30, .file_bytes = 1, .processes = kNoFurtherProcess}, 4, 25, 50, 5},
    {"creance-updater", "updater", 0, {.address_space_bytes = kAddressSpace, .open_files = 128, .cpu_seconds = 0, .file_bytes = 256u << 20, .processes = kThreadsOfUser}, 64, 25, 50, 5},
    {"creance-admit", "admit", 1, {.address_space_bytes = kAddressSpace, .open_files = 64, .cpu_seconds = 30, .file_bytes = 256u << 20, .processes = kNoFurtherProcess}, 4, 25, 50, 5},
    {"creance-collect", "collect", 4, {.address_space_bytes = 0, .open_files = 128, .cpu_seconds = 0, .file_bytes = 1u << 20, .processes = 0}, 4, 100, 100, 0},
}};
const RoleSettings& settings_of(Role role) { return kSettings[static_cast<size_t>(role)]; }

// BPF and what finds its tracepoints; for the process connector also NET_ADMIN (before Linux 6.6) and what reads /proc of other users' processes. collect-setup drops them one by one.
constexpr os::Capabilities kCollectCapabilities = os::capabilities({CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN, CAP_DAC_READ_SEARCH, CAP_SYS_RESOURCE, CAP_NET_ADMIN, CAP_SYS_PTRACE, CAP_SETUID, CAP_SETGID, CAP_SETPCAP});
// Children of other users are started, ended, and what they wrote is cleared away.
constexpr os::Capabilities kSupervisorCapabilities = os::capabilities({CAP_SETUID, CAP_SETGID, CAP_SETPCAP, CAP_KILL, CAP_DAC_OVERRIDE});

constexpr uint64_t kMiB = 1u << 20;

// What root alone reads. A link or a file with a second name is left as it is.
Status keep_for_root(const fs::path& file) {
  const ipc::Descriptor fd(::open(file.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return errno == ENOENT ? Status() : fail(os::errno_error(errno, "cannot open", file));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail(os::errno_error(errno, "cannot read", file));
  if (!S_ISREG(info.st_mode) || info.st_nlink != 1) return fail(ErrorCode::kInvalid, fmt::format("`{}` must be a plain file with one name", file.string()));
  if ((info.st_uid != 0 || info.st_gid != 0) && ::fchown(fd.get(), 0, 0) != 0) return fail(os::errno_error(errno, "cannot give to root", file));
  if ((info.st_mode & 07777) != 0600 && ::fchmod(fd.get(), 0600) != 0) return fail(os::errno_error(errno, "cannot keep for root", file));
  return {};
}

}  // namespace

std::string_view to_string(Role role) { return settings_of(role).group; }

Result<ProcessUsers> process_users(std::string_view passwd) {
  ProcessUsers users;
  for (size_t i = 0; i < kRoles; ++i) {
    const auto found = os::find_user(passwd, kSettings[i].user);
    const uint32_t number = kFirstNumber + kSettings[i].number;
    if (found && (found->uid == 0 || found->gid == 0)) return fail(ErrorCode::kInvalid, fmt::format("`{}` in /etc/passwd is root; it must be a user of its own", kSettings[i].user));
    if (const auto other = os::name_of_user(passwd, number); !found && !other.empty())
      return fail(ErrorCode::kInvalid, fmt::format("the number {} belongs to `{}` here: make a system user `{}`", number, other, kSettings[i].user));
    users.of[i] = found.value_or(os::User{number, number});
    users.names[i] = found ? kSettings[i].user : std::to_string(number);
    for (size_t k = 0; k < i; ++k)
      if (users.of[k].uid == users.of[i].uid) return fail(ErrorCode::kInvalid, fmt::format("`{}` and `{}` are one user (uid {}); each must have one of its own", users.names[k], users.names[i], users.of[i].uid));
  }
  users.of[static_cast<size_t>(Role::kRehearsal)].gid = users.of[static_cast<size_t>(Role::kWorker)].gid;  // the group of those who read content
  return users;
}

Status give_state(const fs::path& state, const ProcessUsers& users) {
  const os::User updater = users.of[static_cast<size_t>(Role::kUpdater)], admit = users.of[static_cast<size_t>(Role::kAdmit)], worker = users.of[static_cast<size_t>(Role::kWorker)];
  struct stat info {};
  if (::stat(state.c_str(), &info) != 0) return fail(os::errno_error(errno, "cannot read", state));
  if ((info.st_mode & 0111) != 0111 && ::chmod(state.c_str(), (info.st_mode & 07777) | 0111) != 0) return fail(os::errno_error(errno, "cannot let the sensor's users into", state));
  const std::pair<const char*, os::Owner> folders[] = {
      {"state", {{0, 0}, 0755, 0600}},
      {"spool", {{updater.uid, admit.gid}, 02750, 0640}},
      {"outbox", {updater, 0700, 0600}},
      {"trusted", {admit, 0700, 0600}},
      {"sets", {{admit.uid, worker.gid}, 02750, 0440}},
  };
  for (const auto& [name, owner] : folders) TRY_VOID(os::give_folder(state / name, owner));
  for (const char* name : {"sensor.key", "tenant.key", "identity.json"}) TRY_VOID(keep_for_root(state / name));
  return {};
}

bool is_absent(const fs::path& path) {
  for (fs::path at = fs::absolute(path);; at = at.parent_path()) {
    struct stat info {};
    if (::lstat(at.c_str(), &info) == 0) return at != fs::absolute(path) && ::stat(at.c_str(), &info) == 0;
    if (errno != ENOENT || at == at.root_path()) return false;
  }
}

Status Launcher::prepare(FileSystem& files) {
  folder_ = ipc::Descriptor(::open(state_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder_) return fail(os::errno_error(errno, "cannot open", state_));
  if (::geteuid() != 0) {
    users_text_ = fmt::format("one user (uid {}) for all, since the sensor was not started as root", ::geteuid());
  } else {
    const auto passwd = files.read("/etc/passwd", kPasswdBytesMax);
    TRY(const ProcessUsers users, process_users(passwd ? as_text(*passwd) : std::string_view()));
    if (const auto can = os::can_become({users.of[0], users.of[1], users.of[2], users.of[3]}); !can) {
      users_text_ = fmt::format("one user (root) for all: {}", can.error().detail);
    } else {
      TRY_VOID(give_state(state_, users));
      users_text_ = fmt::format("separate users {}", fmt::join(users.names, ", "));
      users_ = users;
    }
  }
  auto tree = os::CgroupTree::own();
  if (tree) cgroups_ = std::move(*tree);
  limits_text_ = cgroups_ ? fmt::format("cgroup v2 `{}`, rlimits and the supervisor", cgroups_.folder().string()) : fmt::format("rlimits and the supervisor ({})", tree.error().detail);
  return {};
}

Status Launcher::give_up_rest() { return os::keep_capabilities(kSupervisorCapabilities); }

Result<Child> Launcher::start(Role role, Program program) {
  const RoleSettings& settings = settings_of(role);
  constexpr std::array<ipc::Process, kRoles> kSpeakers = {ipc::Process::kWorker, ipc::Process::kWorker, ipc::Process::kUpdater, ipc::Process::kAdmit, ipc::Process::kCollectSetup};
  TRY(auto pair, ipc::Socket::pair(ipc::Process::kSupervisor, kSpeakers[static_cast<size_t>(role)]));
  os::Launch launch;
  launch.program = fs::absolute(program.file);
  launch.arguments = std::move(program.arguments);
  launch.descriptors = std::move(program.descriptors);
  launch.descriptors.emplace_back(pair.second.fd(), 3);
  std::vector<ipc::Descriptor> given;
  for (const fs::path& path : program.given) {
    ipc::Descriptor file(::openat(folder_.get(), path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    struct stat info {};
    if (!file || ::fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode)) continue;  // absent, or the child says what is wrong with it
    const int number = kFirstGiven + static_cast<int>(given.size());
    launch.arguments.insert(launch.arguments.end(), {"--given", fmt::format("{}:{}", number, (path.is_absolute() ? path : "." / path).string())});
    launch.descriptors.emplace_back(file.get(), number);
    given.push_back(std::move(file));
  }
  launch.limits = settings.limits;
  launch.nice = settings.nice;
  launch.folder = folder_.get();
  launch.no_new_privileges = true;
  if (role == Role::kCollectSetup) {
    launch.capabilities = kCollectCapabilities;
    if (users_) launch.arguments.insert(launch.arguments.end(), {"--user", fmt::format("{}:{}", users_->of[static_cast<size_t>(role)].uid, users_->of[static_cast<size_t>(role)].gid)});
  } else {
    launch.capabilities = 0;
    if (users_) launch.user = users_->of[static_cast<size_t>(role)];
    else if (launch.limits.processes == kThreadsOfUser) launch.limits.processes = 0;  // its user's other processes would count
  }
  Child child;
  ipc::Descriptor procs;
  if (cgroups_)
    if (auto leaf = cgroups_.leaf(settings.group, {memory_bytes_max_, settings.processes, settings.cpu_weight, settings.cpu_percent})) procs = std::move(*leaf);
  if (procs) launch.cgroup = procs.get();
  child.oom_kills_before = cgroups_.oom_kills(settings.group);
  TRY(child.process, os::ChildProcess::start(launch));
  child.socket = std::move(pair.first);
  child.role = role;
  return child;
}

std::string Launcher::over_memory(const Child& child) const {
  const auto resident = child.process.resident_bytes();
  if (!resident || *resident <= memory_bytes_max_) return {};
  return fmt::format("{} MiB resident, more than its {} MiB", *resident / kMiB, memory_bytes_max_ / kMiB);
}

std::string Launcher::ended_for_memory(const Child& child) const {
  if (!cgroups_ || cgroups_.oom_kills(settings_of(child.role).group) <= child.oom_kills_before) return {};
  return fmt::format("ended by the kernel over its {} MiB (cgroup)", memory_bytes_max_ / kMiB);
}

}  // namespace creance::sensor
