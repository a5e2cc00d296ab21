// Transports without a network: a folder, and a recorder that mirrors what another transport fetched.
// The updater runs Client over RecordingTransport(HttpTransport); `admit`, which has no network and trusts nobody, runs its own Client with its own metadata folder over
// DirectoryTransport on the recorded mirror and comes to the same result. Both must have started from the same shipped root; delete the updater's metadata folder and mirror together or not at all.
#pragma once
#include <filesystem>
#include <string>

#include "base/seams/files.hpp"
#include "base/seams/transport.hpp"

namespace creance::trust {

class DirectoryTransport final : public Transport {
 public:
  DirectoryTransport(FileSystem& files, std::filesystem::path root);
  Result<Bytes> fetch(const std::string& path, size_t bytes_max) override;  // kInvalid for a path that would leave the folder

 private:
  FileSystem& files_;
  std::filesystem::path root_;
};

class RecordingTransport final : public Transport {
 public:
  RecordingTransport(Transport& upstream, FileSystem& files, std::filesystem::path mirror);
  // A file that was fetched is in the mirror, whole, before this returns. Errors of the disk are errors of the fetch.
  Result<Bytes> fetch(const std::string& path, size_t bytes_max) override;

 private:
  Transport& upstream_;
  FileSystem& files_;
  std::filesystem::path mirror_;
};

// "metadata/2.root.json" → relative path of path segments; kInvalid for absolute paths, empty, "." and ".." segments, NUL, backslash.
Result<std::filesystem::path> safe_relative_path(std::string_view path);

}  // namespace creance::trust
