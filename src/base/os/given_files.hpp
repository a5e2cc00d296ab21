// Files that were handed over as open descriptors, under the names that they have on the disk; everything else comes from the disk. So a process reads what its parent chose for it,
// and needs no right to the files themselves. Owns the descriptors. One thread.
#pragma once
#include <map>
#include <string_view>

#include "base/ipc/socket.hpp"
#include "base/seams/files.hpp"

namespace creance::os {

class GivenFiles final : public FileSystem {
 public:
  explicit GivenFiles(FileSystem& disk) : disk_(disk) {}
  bool take(std::string_view argument);                 // "10:./identity.json"; false: not in this form
  void close(const std::filesystem::path& path) { given_.erase(path); }

  Result<Bytes> read(const std::filesystem::path& path, size_t bytes_max) override;
  bool exists(const std::filesystem::path& path) override { return given_.contains(path) || disk_.exists(path); }
  Status write_atomic(const std::filesystem::path& path, BytesView bytes, unsigned mode) override { return disk_.write_atomic(path, bytes, mode); }
  Status write_many(std::span<const FileWrite> files) override { return disk_.write_many(files); }
  Status make_directories(const std::filesystem::path& path) override { return disk_.make_directories(path); }
  Status remove(const std::filesystem::path& path) override { return disk_.remove(path); }
  Status remove_tree(const std::filesystem::path& path) override { return disk_.remove_tree(path); }
  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override { return disk_.list(directory); }

 private:
  FileSystem& disk_;
  std::map<std::filesystem::path, ipc::Descriptor> given_;
};

}  // namespace creance::os
