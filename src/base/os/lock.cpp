#include "base/os/lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>

#include "base/os/real.hpp"

namespace creance::os {
namespace {

Result<ipc::Descriptor> open(const std::filesystem::path& path) {
  ipc::Descriptor held(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!held) held = ipc::Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!held) return fail(errno_error(errno, "cannot lock", path));
  return held;
}

}  // namespace

Result<Lock> Lock::take(const std::filesystem::path& path, Kind kind, std::string_view holder) {
  TRY(auto held, open(path));
  if (::flock(held.get(), (kind == Kind::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) return Lock(std::move(held));
  if (errno == EWOULDBLOCK) return fail(ErrorCode::kExists, std::string(holder));
  return fail(errno_error(errno, "cannot lock", path));
}

Result<Lock> Lock::wait(const std::filesystem::path& path, Kind kind) {
  TRY(auto held, open(path));
  while (::flock(held.get(), kind == Kind::kShared ? LOCK_SH : LOCK_EX) != 0)
    if (errno != EINTR) return fail(errno_error(errno, "cannot lock", path));
  return Lock(std::move(held));
}

}  // namespace creance::os
