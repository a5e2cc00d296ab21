// The real ends of the seams. Only `main` functions and base/os make them.
#pragma once
#include <utility>

#include "base/seams/clock.hpp"
#include "base/seams/files.hpp"
#include "base/seams/random.hpp"

namespace creance::os {

class RealClock final : public Clock {
 public:
  WallTime wall() const override;
  MonotonicTime monotonic() const override;  // CLOCK_BOOTTIME: counts suspended time too
};

class RealRandom final : public Random {
 public:
  void fill(std::span<uint8_t> out) override;  // getrandom(2)
};

class RealFileSystem final : public FileSystem {
 public:
  Result<Bytes> read(const std::filesystem::path& path, size_t bytes_max) override;
  Status write_atomic(const std::filesystem::path& path, BytesView bytes, unsigned mode) override;
  Status write_many(std::span<const FileWrite> files) override;  // above a few files: one syncfs(2) for each file system (errors of writing back are told since Linux 5.8)
  Status make_directories(const std::filesystem::path& path) override;
  Status remove(const std::filesystem::path& path) override;
  Status remove_tree(const std::filesystem::path& path) override;
  bool exists(const std::filesystem::path& path) override;
  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override;
};

// Held by one process at a time, for a folder that several of them change (flock on the folder itself, so nothing lies in it). Waits for the holder; ends with the object or its process.
class FolderLock {
 public:
  static Result<FolderLock> wait_for(const std::filesystem::path& folder);
  FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

// Removes what writes to `folder` left beside their files (`.tmp-<pid>-<n>`) when their process was stopped in between: those of processes that are no more, and those of this one's number. For a
// process that writes nothing there at the moment; other processes' writes are left alone. kIo, kDenied.
Status remove_abandoned(const std::filesystem::path& folder);

// "No space left on device" and the matching code, for messages: detail = "<what> `<path>`: <reason>".
Error errno_error(int error_number, std::string_view what, const std::filesystem::path& path);

}  // namespace creance::os
