// A file of events, cut into blocks that can be read apart from each other and by different threads. Not a reader of events: records.hpp reads a block.
// The format is told by the content unless it is given: EVTX by its magic, a list or a pretty-printed JSON document by its first line, auditd and syslog text likewise.
// Memory: the block, and one unfinished line (limits::kEventLineBytesMax). One thread at a time. Movable.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/seams/byte_stream.hpp"
#include "events/format.hpp"

namespace creance::events {

// Reused: next() keeps the memory.
struct Block {
  Format format = Format::kJson;       // never kAuto
  std::string bytes;                   // kEvtx: one chunk. Else lines with their ends; the last one of a file may lack it
  uint64_t first = 1;                  // number of the first line
  uint64_t lines = 0;                  // as many are in it (kEvtx: 0)
  std::vector<uint64_t> numbers;       // for documents that take several lines (each is one line of `bytes`): where each began. Empty: first, first + 1, …
  bool too_long = false;               // one line longer than limits::kEventLineBytesMax: it was skipped and `bytes` is empty
  std::string notice;                  // kEvtx: what is wrong with the file around its chunks; told with the first of them

  void clear() {
    bytes.clear();
    notice.clear();
    numbers.clear();
    lines = 0;
    too_long = false;
  }
};

class BlockSource {
 public:
  static Result<BlockSource> open(const std::string& path, Format format = Format::kAuto);  // "-" is standard input; errors as os::open_stream
  explicit BlockSource(std::unique_ptr<ByteStream> stream, Format format = Format::kAuto);
  BlockSource(BlockSource&&) noexcept;
  BlockSource& operator=(BlockSource&&) noexcept;
  ~BlockSource();

  // The next block of about limits::kScanBatchBytes (of a pipe: what it has given so far); false at the end. An error (reading failed; packed data are damaged
  // or cut off) says how many lines came before it; all of those were delivered, the broken one is not, and afterwards the source is at its end.
  Result<bool> next(Block& out);

  const std::string& name() const;
  uint64_t lines() const;                       // delivered so far
  uint64_t bytes_read() const;                  // of the file as it is stored
  std::optional<uint64_t> bytes_total() const;  // the same unit; nothing for pipes

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace creance::events
