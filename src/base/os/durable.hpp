// How whole files and folders change so that a power loss at any moment leaves the old or the new: write, sync, rename, sync the folder. The recipes stand over the
// few calls that they are made of, so that the same ones run on a pretended disk which forgets what was not synced (base/fake/disk.hpp). Not a file system of its own.
#pragma once
#include <filesystem>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace creance::os {

class DiskCalls {
 public:
  virtual ~DiskCalls() = default;
  virtual Result<int> create(const std::filesystem::path& path, unsigned mode) = 0;  // or cuts it to nothing; a number for the next three
  virtual Status write(int file, BytesView bytes, const std::filesystem::path& path) = 0;
  virtual Status sync(int file, const std::filesystem::path& path) = 0;
  virtual void close(int file) = 0;
  virtual Status rename(const std::filesystem::path& from, const std::filesystem::path& to) = 0;  // within one folder
  virtual Status unlink(const std::filesystem::path& path) = 0;                                   // kNotFound
  virtual Status make_folder(const std::filesystem::path& path) = 0;                              // kExists
  virtual Status sync_folder(const std::filesystem::path& path) = 0;                              // what was made, renamed and removed in it
  virtual Result<int> open_to_overwrite(const std::filesystem::path& path) = 0;                   // keeps its bytes and its place; kNotFound
  virtual Result<uint64_t> size(const std::filesystem::path& path) = 0;                           // of a regular file; kNotFound
  virtual Status exchange(const std::filesystem::path& a, const std::filesystem::path& b) = 0;    // within one folder, in one step; kUnsupported
};

// `staging`: beside `path`, of this write alone; removed again if a step fails.
Status write_atomic(DiskCalls& calls, const std::filesystem::path& path, const std::filesystem::path& staging, BytesView bytes, unsigned mode);
Status remove(DiskCalls& calls, const std::filesystem::path& path);            // absent is fine; afterwards it stays away
Status make_directories(DiskCalls& calls, const std::filesystem::path& path);  // with its parents; afterwards they stay
Status reserve(DiskCalls& calls, const std::filesystem::path& path, BytesView blank);          // as ReservedFiles
Status write_reserved(DiskCalls& calls, const std::filesystem::path& path, BytesView bytes);   // likewise
Status take_spare(DiskCalls& calls, const std::filesystem::path& path);                        // likewise

// As write_reserved, without the copy: nothing is written once the file has changed. For two processes that write one reserved file in turn, each only when it sees there what the other
// wrote: a step behind that would be one in the middle of the other's write. Where the spare is missing it is made first, which needs space.
Status hand_over(DiskCalls& calls, const std::filesystem::path& path, BytesView bytes);

}  // namespace creance::os
