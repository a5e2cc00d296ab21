// Lines of a JSON Lines file, plain or zstd, with their numbers. Not a JSON parser.
// zstd is recognised by its magic bytes; a file named .zst without them is refused. Windows up to 128 MiB; several frames one after the other are one text.
// A UTF-8 byte order mark at the start, CRLF, and a last line without an end are fine. Memory: one line (limits::kEventLineBytesMax) and a read buffer.
// One thread at a time. Movable.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/seams/byte_stream.hpp"

namespace creance::events {

struct Line {
  std::string_view text;  // without its end; valid until the next call
  uint64_t number = 0;    // 1-based
  bool too_long = false;  // longer than limits::kEventLineBytesMax: it was skipped and `text` is empty
};

class LineSource {
 public:
  static Result<LineSource> open(const std::string& path);  // "-" is standard input; errors as os::open_stream
  explicit LineSource(std::unique_ptr<ByteStream> stream);
  LineSource(LineSource&&) noexcept;
  LineSource& operator=(LineSource&&) noexcept;
  ~LineSource();

  // The next line; nothing at the end. An error (reading failed; the zstd data is damaged or cut off) says how many lines came before it;
  // all of those were delivered, the broken one is not, and afterwards the source is at its end.
  Result<std::optional<Line>> next();

  // Whether next() can answer without reading: at the end of what a pipe has given so far it cannot.
  bool line_ready() const;

  const std::string& name() const;
  uint64_t lines() const;                        // delivered so far
  uint64_t bytes_read() const;                   // of the file as it is stored
  std::optional<uint64_t> bytes_total() const;   // the same unit; nothing for pipes

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace creance::events
