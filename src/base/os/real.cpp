#include "base/os/real.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <signal.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <set>
#include <system_error>

#include "base/check.hpp"
#include "base/os/durable.hpp"
#include "base/os/real_reserved_files.hpp"

namespace creance::os {
namespace fs = std::filesystem;
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

int64_t milliseconds(clockid_t id) {
  timespec now{};
  CHECK(::clock_gettime(id, &now) == 0);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

Status write_all(int fd, BytesView bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno_error(errno, "cannot write", path));
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return {};
}

Status sync_folder(const fs::path& folder) {
  const Descriptor fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return fail(errno_error(errno, "cannot open folder", folder));
  if (::fsync(fd.get()) != 0 && errno != EINVAL) return fail(errno_error(errno, "cannot sync folder", folder));
  return {};
}

Status write_new(const fs::path& path, BytesView bytes, unsigned mode, bool sync) {
  const Descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
  if (fd.get() < 0) return fail(errno_error(errno, "cannot create", path));
  TRY_VOID(write_all(fd.get(), bytes, path));
  if (sync && ::fsync(fd.get()) != 0) return fail(errno_error(errno, "cannot sync", path));
  return {};
}

constexpr std::string_view kStagingPrefix = ".tmp-";  // the file's own name is not in it: that may be as long as a name can be, and says what is inside

fs::path beside(const fs::path& path) {
  static std::atomic<uint64_t> counter{0};
  return path.parent_path() / fmt::format("{}{}-{}", kStagingPrefix, ::getpid(), counter.fetch_add(1));
}

// Everything that was written to the file systems of these folders.
Status sync_file_systems(const std::set<fs::path>& folders) {
  std::set<dev_t> done;
  for (const fs::path& folder : folders) {
    const Descriptor fd(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat info {};
    if (fd.get() < 0 || ::fstat(fd.get(), &info) != 0) return fail(errno_error(errno, "cannot open folder", folder));
    if (done.insert(info.st_dev).second && ::syncfs(fd.get()) != 0) return fail(errno_error(errno, "cannot sync the file system of", folder));
  }
  return {};
}

class RealCalls : public DiskCalls {
 public:
  Result<int> create(const fs::path& path, unsigned mode) override {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) return fail(errno_error(errno, "cannot create", path));
    return fd;
  }
  Status write(int file, BytesView bytes, const fs::path& path) override { return write_all(file, bytes, path); }
  Status sync(int file, const fs::path& path) override { return ::fsync(file) == 0 ? Status() : fail(errno_error(errno, "cannot sync", path)); }
  void close(int file) override { ::close(file); }
  Status rename(const fs::path& from, const fs::path& to) override { return ::rename(from.c_str(), to.c_str()) == 0 ? Status() : fail(errno_error(errno, "cannot replace", to)); }
  Status unlink(const fs::path& path) override { return ::unlink(path.c_str()) == 0 ? Status() : fail(errno_error(errno, "cannot remove", path)); }
  Status make_folder(const fs::path& path) override {
    if (::mkdir(path.c_str(), 0777) == 0) return {};
    const int error = errno;
    struct stat info {};
    if (error != ENOENT && ::stat(path.c_str(), &info) == 0) return fail(S_ISDIR(info.st_mode) ? Error{ErrorCode::kExists, path.string()} : errno_error(ENOTDIR, "cannot make folder", path));
    return fail(errno_error(error, "cannot make folder", path));
  }
  Status sync_folder(const fs::path& path) override { return os::sync_folder(path); }
  Result<int> open_to_overwrite(const fs::path& path) override {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return fail(errno_error(errno, "cannot open", path));
    return fd;
  }
  Result<uint64_t> size(const fs::path& path) override {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) return fail(errno_error(errno, "cannot look at", path));
    if (!S_ISREG(info.st_mode)) return fail(ErrorCode::kInvalid, fmt::format("`{}` is no regular file", path.string()));
    return static_cast<uint64_t>(info.st_size);
  }
  Status exchange(const fs::path& a, const fs::path& b) override {
    if (::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE) == 0) return {};
    if (errno == EINVAL || errno == ENOSYS) return fail(ErrorCode::kUnsupported, fmt::format("this file system cannot exchange `{}` with another file", b.string()));
    return fail(errno_error(errno, "cannot replace", b));
  }
};

// Where each write goes to new blocks (btrfs), a file that was made so stays in its place; elsewhere the kernel does not know the flag, and need not.
class ReservingCalls final : public RealCalls {
 public:
  Result<int> create(const fs::path& path, unsigned mode) override {
    TRY(const int fd, RealCalls::create(path, mode));
    int flags = 0;
    if (::ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
      flags |= FS_NOCOW_FL;
      (void)::ioctl(fd, FS_IOC_SETFLAGS, &flags);
    }
    return fd;
  }
};

}  // namespace

Error errno_error(int error_number, std::string_view what, const fs::path& path) {
  ErrorCode code = ErrorCode::kIo;
  switch (error_number) {
    case ENOENT: case ENOTDIR: code = ErrorCode::kNotFound; break;
    case EACCES: case EPERM: case EROFS: code = ErrorCode::kDenied; break;
    case ENOSPC: case EDQUOT: code = ErrorCode::kNoSpace; break;
    case EEXIST: case EADDRINUSE: code = ErrorCode::kExists; break;
    case EINTR: case EAGAIN: case ETIMEDOUT: case ECONNREFUSED: code = ErrorCode::kUnavailable; break;
    default: break;
  }
  return Error{code, fmt::format("{} `{}`: {}", what, path.string(), std::error_code(error_number, std::generic_category()).message())};
}

WallTime RealClock::wall() const { return WallTime(std::chrono::milliseconds(milliseconds(CLOCK_REALTIME))); }
MonotonicTime RealClock::monotonic() const { return MonotonicTime(milliseconds(CLOCK_BOOTTIME)); }

void RealRandom::fill(std::span<uint8_t> out) {
  while (!out.empty()) {
    const ssize_t n = ::getrandom(out.data(), out.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    CHECK(n > 0);
    out = out.subspan(static_cast<size_t>(n));
  }
}

Result<Bytes> RealFileSystem::read(const fs::path& path, size_t bytes_max) {
  // Only what a shell hands over by number may be a pipe: a FIFO that lies about would hold whoever opens it for ever.
  const bool handed_over = path.string().starts_with("/dev/") || path.string().starts_with("/proc/self/fd/");
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | (handed_over ? 0 : O_NONBLOCK)));
  if (fd.get() < 0) return fail(errno_error(errno, "cannot open", path));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail(errno_error(errno, "cannot read", path));
  if (S_ISDIR(info.st_mode)) return fail(errno_error(EISDIR, "cannot read", path));
  if (!S_ISREG(info.st_mode) && !handed_over && !path.string().starts_with("/proc/") && !path.string().starts_with("/sys/")) return fail(ErrorCode::kInvalid, fmt::format("`{}` is no regular file", path.string()));
  Bytes bytes;
  if (S_ISREG(info.st_mode)) bytes.reserve(std::min<size_t>(static_cast<size_t>(info.st_size), bytes_max) + 1);
  for (;;) {
    constexpr size_t kStep = 65'536;
    const size_t have = bytes.size();
    bytes.resize(have + kStep);
    const ssize_t n = ::read(fd.get(), bytes.data() + have, kStep);
    if (n < 0 && errno == EINTR) {
      bytes.resize(have);
      continue;
    }
    if (n < 0) return fail(errno_error(errno, "cannot read", path));
    bytes.resize(have + static_cast<size_t>(n));
    if (bytes.size() > bytes_max) return fail(ErrorCode::kTooLarge, fmt::format("`{}` is larger than the limit of {} bytes", path.string(), bytes_max));
    if (n == 0) return bytes;
  }
}

Status RealFileSystem::write_atomic(const fs::path& path, BytesView bytes, unsigned mode) {
  RealCalls calls;
  return os::write_atomic(calls, path, beside(path), bytes, mode);
}

Status RealFileSystem::write_many(std::span<const FileWrite> files) {
  constexpr size_t kSyncedOneByOneMax = 8;  // above: one sync of the whole file system costs less
  const bool one_by_one = files.size() <= kSyncedOneByOneMax;
  std::set<fs::path> folders;
  for (const FileWrite& file : files) folders.insert(file.path.parent_path());
  for (const fs::path& folder : folders) TRY_VOID(make_directories(folder));
  std::vector<fs::path> staged;
  const auto give_up = [&](Error error, size_t from) {
    for (size_t i = from; i < staged.size(); ++i) ::unlink(staged[i].c_str());
    return fail(std::move(error));
  };
  for (const FileWrite& file : files) {
    staged.push_back(beside(file.path));
    if (auto written = write_new(staged.back(), file.bytes, file.mode, one_by_one); !written) return give_up(written.error(), 0);
  }
  if (!one_by_one) {
    if (auto synced = sync_file_systems(folders); !synced) return give_up(synced.error(), 0);
  }
  for (size_t i = 0; i < files.size(); ++i) {
    if (::rename(staged[i].c_str(), files[i].path.c_str()) != 0) return give_up(errno_error(errno, "cannot replace", files[i].path), i);
  }
  for (const fs::path& folder : folders) TRY_VOID(sync_folder(folder));
  return {};
}

Status RealFileSystem::make_directories(const fs::path& path) {
  RealCalls calls;
  return os::make_directories(calls, path);
}

Status RealFileSystem::remove(const fs::path& path) {
  RealCalls calls;
  return os::remove(calls, path);
}

Status RealReservedFiles::reserve(const fs::path& path, BytesView blank) {
  ReservingCalls calls;
  return os::reserve(calls, path, blank);
}

Status RealReservedFiles::write(const fs::path& path, BytesView bytes) {
  ReservingCalls calls;
  return os::write_reserved(calls, path, bytes);
}

Status hand_over(const fs::path& path, BytesView bytes) {
  ReservingCalls calls;
  return os::hand_over(calls, path, bytes);
}

Status RealReservedFiles::take_spare(const fs::path& path) {
  ReservingCalls calls;
  return os::take_spare(calls, path);
}

Status RealFileSystem::remove_tree(const fs::path& path) {
  std::error_code ec;
  fs::remove_all(path, ec);
  if (ec) return fail(errno_error(ec.value(), "cannot remove", path));
  return {};
}

bool RealFileSystem::exists(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

Result<std::vector<std::string>> RealFileSystem::list(const fs::path& directory) {
  std::error_code ec;
  fs::directory_iterator it(directory, ec);
  std::vector<std::string> names;
  for (; !ec && it != fs::directory_iterator(); it.increment(ec)) names.push_back(it->path().filename().string());
  if (ec) return fail(errno_error(ec.value(), "cannot list", directory));
  std::ranges::sort(names);
  return names;
}

Result<FolderLock> FolderLock::wait_for(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return fail(errno_error(errno, "cannot open folder", folder));
  FolderLock lock(fd);
  while (::flock(fd, LOCK_EX) != 0) {
    if (errno != EINTR) return fail(errno_error(errno, "cannot lock folder", folder));
  }
  return lock;
}

Status remove_abandoned(const fs::path& folder) {
  TRY(const std::vector<std::string> names, RealFileSystem().list(folder));
  for (const std::string& name : names) {
    if (!name.starts_with(kStagingPrefix)) continue;
    pid_t pid = 0;
    const char* const end = name.data() + name.size();
    const auto [dash, error] = std::from_chars(name.data() + kStagingPrefix.size(), end, pid);
    if (error != std::errc() || pid < 1 || dash == end || *dash != '-' || !std::all_of(dash + 1, end, [](char c) { return c >= '0' && c <= '9'; })) continue;
    if (pid != ::getpid() && (::kill(pid, 0) == 0 || errno != ESRCH)) continue;
    if (::unlink((folder / name).c_str()) != 0 && errno != ENOENT) return fail(errno_error(errno, "cannot remove", folder / name));
  }
  return {};
}

FolderLock::~FolderLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace creance::os
