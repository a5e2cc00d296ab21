#include "base/os/privileges.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "base/os/real.hpp"

namespace creance::os {
namespace {

constexpr int kCapabilityMax = 63;
constexpr size_t kFoldersDeepMax = 16;

// name:password:uid:gid:…
struct Line {
  std::string_view name;
  User user;
};
std::optional<Line> next_line(std::string_view& passwd) {
  while (!passwd.empty()) {
    std::string_view line = passwd.substr(0, passwd.find('\n'));
    passwd.remove_prefix(std::min(passwd.size(), line.size() + 1));
    std::array<std::string_view, 4> fields;
    for (std::string_view& field : fields) {
      field = line.substr(0, line.find(':'));
      line.remove_prefix(std::min(line.size(), field.size() + 1));
    }
    Line found{fields[0], {}};
    const auto number = [](std::string_view text, uint32_t& out) {
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
      return error == std::errc() && end == text.data() + text.size();
    };
    if (number(fields[2], found.user.uid) && number(fields[3], found.user.gid)) return found;
  }
  return std::nullopt;
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

// `fd` need not be open for anything (O_PATH): nothing of the file is read, and nobody who watches who opens files sees one.
Status give(int fd, const struct stat& info, const Owner& owner, const std::filesystem::path& path) {
  if (info.st_uid == owner.user.uid && info.st_gid == owner.user.gid) return {};
  const std::string by_number = fmt::format("/proc/self/fd/{}", fd);  // the file itself, whatever its name means by now
  if (::fchownat(fd, "", owner.user.uid, owner.user.gid, AT_EMPTY_PATH) != 0 || ::chmod(by_number.c_str(), S_ISDIR(info.st_mode) ? owner.folder_mode : owner.file_mode) != 0)
    return fail(errno_error(errno, "cannot give to its user", path));
  return {};
}

}  // namespace

std::optional<User> find_user(std::string_view passwd, std::string_view name) {
  while (const auto line = next_line(passwd))
    if (line->name == name) return line->user;
  return std::nullopt;
}

std::string_view name_of_user(std::string_view passwd, uint32_t uid) {
  while (const auto line = next_line(passwd))
    if (line->user.uid == uid) return line->name;
  return {};
}

std::optional<User> parse_user(std::string_view text) {
  User user;
  const char* const end = text.data() + text.size();
  const auto uid = std::from_chars(text.data(), end, user.uid);
  if (uid.ec != std::errc() || uid.ptr == end || *uid.ptr != ':') return std::nullopt;
  const auto gid = std::from_chars(uid.ptr + 1, end, user.gid);
  return gid.ec == std::errc() && gid.ptr == end ? std::optional(user) : std::nullopt;
}

bool reduce_bounding_set(Capabilities kept) {
  for (int number = 0; number <= kCapabilityMax; ++number) {
    const int held = ::prctl(PR_CAPBSET_READ, number, 0, 0, 0);
    if (held < 0) break;  // this kernel has no more
    if (held == 1 && (kept >> number & 1) == 0 && ::prctl(PR_CAPBSET_DROP, number, 0, 0, 0) != 0) return false;
  }
  return ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0;
}

Capabilities effective_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return 0;
  return Capabilities{data[0].effective} | Capabilities{data[1].effective} << 32;
}

Status keep_capabilities(Capabilities kept) {
  (void)reduce_bounding_set(kept);
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  if (::syscall(SYS_capget, &header, data) != 0) return fail(errno_error(errno, "cannot read", "capabilities"));
  for (size_t i = 0; i < 2; ++i) {
    data[i].permitted &= static_cast<uint32_t>(kept >> (32 * i));
    data[i].effective = data[i].permitted;
    data[i].inheritable = 0;
  }
  if (::syscall(SYS_capset, &header, data) != 0) return fail(errno_error(errno, "cannot drop", "capabilities"));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(errno_error(errno, "cannot set", "no_new_privs"));
  return {};
}

bool become_user(const User& user, Capabilities kept) {
  return reduce_bounding_set(kept) && ::setgroups(0, nullptr) == 0 && ::setresgid(user.gid, user.gid, user.gid) == 0 && ::setresuid(user.uid, user.uid, user.uid) == 0;
}

Status become_user_keeping(const User& user, Capabilities kept) {
  int at_parents_end = 0;
  if (::prctl(PR_GET_PDEATHSIG, &at_parents_end) != 0 || ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0 || !become_user(user, kept)) return fail(errno_error(errno, "cannot become user", std::to_string(user.uid)));
  TRY_VOID(keep_capabilities(kept));
  const pid_t parent = ::getppid();
  if (::prctl(PR_SET_PDEATHSIG, at_parents_end) != 0 || ::getppid() != parent) return fail(ErrorCode::kDenied, "the parent is gone");
  return {};
}

Status can_become(std::initializer_list<User> users) {
  for (const User& user : users) {
    const pid_t child = ::fork();
    if (child < 0) return fail(errno_error(errno, "cannot start", "a process"));
    if (child == 0) ::_exit(become_user(user, 0) ? 0 : errno);
    int raw = 0;
    while (::waitpid(child, &raw, 0) < 0 && errno == EINTR) {
    }
    if (!WIFEXITED(raw) || WEXITSTATUS(raw) != 0) return fail(ErrorCode::kDenied, errno_error(WIFEXITED(raw) ? WEXITSTATUS(raw) : EPERM, "cannot become user", std::to_string(user.uid)).detail);
  }
  return {};
}

Status give_folder(const std::filesystem::path& folder, const Owner& owner) {
  std::vector<Folder> open;
  const auto enter = [&](int fd, const std::filesystem::path& path) -> Status {
    if (fd < 0) return fail(errno == ELOOP || errno == ENOTDIR ? Error{ErrorCode::kInvalid, fmt::format("`{}` is a link or no folder, and must be a folder", path.string())} : errno_error(errno, "cannot open", path));
    open.emplace_back(::fdopendir(fd));
    if (!open.back()) return fail(errno_error(errno, "cannot read", path));
    if (open.size() > kFoldersDeepMax) return fail(ErrorCode::kInvalid, fmt::format("`{}` has folders nested more than {} deep", folder.string(), kFoldersDeepMax));
    struct stat info {};
    if (::fstat(fd, &info) != 0) return fail(errno_error(errno, "cannot read", path));
    return give(fd, info, owner, path);
  };
  TRY_VOID(enter(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), folder));
  while (!open.empty()) {
    DIR* const at = open.back().get();
    errno = 0;
    const dirent* entry = ::readdir(at);
    if (entry == nullptr) {
      if (errno != 0) return fail(errno_error(errno, "cannot read", folder));
      open.pop_back();
      continue;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    const int fd = ::openat(::dirfd(at), entry->d_name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) continue;
    struct stat info {};
    auto given = ::fstat(fd, &info) == 0 ? Status() : fail(errno_error(errno, "cannot read", folder / name));
    if (given && S_ISDIR(info.st_mode)) given = enter(::openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), folder / name);
    else if (given && S_ISREG(info.st_mode) && info.st_nlink == 1) given = give(fd, info, owner, folder / name);
    ::close(fd);
    TRY_VOID(given);
  }
  return {};
}

}  // namespace creance::os
