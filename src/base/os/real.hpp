// The real ends of the seams. Only `main` functions and base/os make them.
#pragma once
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
  Status make_directories(const std::filesystem::path& path) override;
  Status remove(const std::filesystem::path& path) override;
  Status remove_tree(const std::filesystem::path& path) override;
  bool exists(const std::filesystem::path& path) override;
  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override;
};

// "No space left on device" and the matching code, for messages: detail = "<what> `<path>`: <reason>".
Error errno_error(int error_number, std::string_view what, const std::filesystem::path& path);

}  // namespace creance::os
