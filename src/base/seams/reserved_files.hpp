// Small files of fixed size that must be writable when the disk is full: space for them is taken beforehand. Beside each lies a spare (`<path>.spare`) of the same size; a write goes
// into the spare where it lies, then both change places, then the other one is written too: neither a block nor a name nor anything of a quota is needed (ADR 0150), and what was
// written is there twice (ADR 0165). Not for files that grow.
// One writer. A reader that opened a file before a write may see bytes of the new one: the files carry checksums, and it reads again.
#pragma once
#include <filesystem>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace creance {

class ReservedFiles {
 public:
  virtual ~ReservedFiles() = default;
  // Afterwards `path` and a spare as long as `blank` are there; where both were missing they hold `blank`, one that was there holds what it held. Costs two looks where nothing is missing.
  // kNoSpace, kDenied, kIo.
  virtual Status reserve(const std::filesystem::path& path, BytesView blank) = 0;
  // All of `path`, as FileSystem::write_atomic: afterwards, and after any stop, the old or the new bytes are there, whole. kNotFound: nothing of this size is reserved. kIo, kDenied.
  virtual Status write(const std::filesystem::path& path, BytesView bytes) = 0;
  // `path` is damaged, missing or older than its spare: they change places, so that the next write, which begins with the spare, does not begin with the only good copy. kNotFound: no spare.
  virtual Status take_spare(const std::filesystem::path& path) = 0;
};

inline std::filesystem::path spare_of(std::filesystem::path path) { return path += ".spare"; }

}  // namespace creance
