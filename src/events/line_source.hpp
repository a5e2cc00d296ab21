// Plain lines of a text file, packed or not, with their numbers, whatever they mean. For lists and tables; events are read by records.hpp.
// A UTF-8 byte order mark at the start, CRLF, and a last line without an end are fine. Memory and failures: as BlockSource, of which it is a reader.
// One thread at a time. Movable.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "events/blocks.hpp"

namespace creance::events {

struct Line {
  std::string_view text;  // without its end; valid until the next call
  uint64_t number = 0;    // 1-based
  bool too_long = false;  // longer than limits::kEventLineBytesMax: it was skipped and `text` is empty
};

class LineSource {
 public:
  static Result<LineSource> open(const std::string& path);
  explicit LineSource(std::unique_ptr<ByteStream> stream);

  Result<std::optional<Line>> next();  // nothing at the end

  const std::string& name() const { return blocks_.name(); }
  uint64_t lines() const { return number_; }  // delivered so far
  uint64_t bytes_read() const { return blocks_.bytes_read(); }
  std::optional<uint64_t> bytes_total() const { return blocks_.bytes_total(); }

 private:
  BlockSource blocks_;
  Block block_;
  size_t at_ = 0;  // in the block's bytes
  uint64_t number_ = 0;
};

}  // namespace creance::events
