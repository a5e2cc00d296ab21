// Files as the decisions need them: whole files, atomic replacement, explicit sync. Not a streaming interface.
// Every call names its size cap. Paths are absolute or relative to the process; no call follows `..` out of what it is given by checking, callers must not pass foreign names.
#pragma once
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace creance {

struct FileWrite {
  std::filesystem::path path;
  BytesView bytes;
  unsigned mode = 0644;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<Bytes> read(const std::filesystem::path& path, size_t bytes_max) = 0;  // kNotFound, kTooLarge, kIo
  // Writes beside `path`, syncs, renames over it, syncs the folder: afterwards the old or the new bytes are there, whole. kNoSpace, kIo.
  virtual Status write_atomic(const std::filesystem::path& path, BytesView bytes, unsigned mode = 0644) = 0;
  // As many files as there are at the price of a few syncs: makes missing folders, writes all beside their paths, syncs, renames in no particular order, syncs the folders. When it returns, all are
  // on the disk; after an error or a stop some are there and some are not, each whole. For files that nothing names yet. kNoSpace, kIo.
  virtual Status write_many(std::span<const FileWrite> files) = 0;
  virtual Status make_directories(const std::filesystem::path& path) = 0;   // with its parents; they stay, whatever happens afterwards
  virtual Status remove(const std::filesystem::path& path) = 0;             // absent is fine; it stays away, whatever happens afterwards
  virtual Status remove_tree(const std::filesystem::path& path) = 0;        // absent is fine; not synced: some of it may come back
  virtual bool exists(const std::filesystem::path& path) = 0;
  virtual Result<std::vector<std::string>> list(const std::filesystem::path& directory) = 0;  // file names, sorted
};

}  // namespace creance
