// Small files of fixed size that must be writable when the disk is full: space for them is taken beforehand. Beside each lies a spare (`<path>.spare`) of the same size; a write goes
// into the spare where it lies, and then both change places, so that neither a block nor a name nor anything of a quota is needed (ADR 0150). Not for files that grow.
// One writer. A reader that opened a file before two writes may see bytes of the second: the files carry checksums, and it reads again.
#pragma once
#include <filesystem>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace creance {

class ReservedFiles {
 public:
  virtual ~ReservedFiles() = default;
  // Afterwards `path` and a spare as long as `blank` are there; a file that was missing holds `blank`, one that was there what it held. Costs two looks where nothing is missing.
  // kNoSpace, kDenied, kIo.
  virtual Status reserve(const std::filesystem::path& path, BytesView blank) = 0;
  // All of `path`, as FileSystem::write_atomic: afterwards, and after any stop, the old or the new bytes are there, whole. kNotFound: nothing of this size is reserved. kIo, kDenied.
  virtual Status write(const std::filesystem::path& path, BytesView bytes) = 0;
};

}  // namespace creance
