#include "events/line_source.hpp"

#include <algorithm>

#include "base/limits.hpp"
#include "base/os/byte_stream.hpp"

namespace creance::events {
namespace {

constexpr Format kPlain = Format::kSyslog;  // any text is syslog: blocks of lines as they stand

}  // namespace

Result<LineSource> LineSource::open(const std::string& path) {
  TRY(auto stream, os::open_stream(path));
  return LineSource(std::move(stream));
}

LineSource::LineSource(std::unique_ptr<ByteStream> stream) : blocks_(std::move(stream), kPlain) {}

Result<std::optional<Line>> LineSource::next() {
  while (at_ == block_.bytes.size()) {
    at_ = 0;
    TRY(const bool more, blocks_.next(block_));
    if (!more) return std::nullopt;
    if (block_.too_long) return Line{{}, ++number_, true};
  }
  const size_t end = std::min(block_.bytes.find('\n', at_), block_.bytes.size());
  std::string_view text = std::string_view(block_.bytes).substr(at_, end - at_);
  at_ = std::min(end + 1, block_.bytes.size());
  if (text.ends_with('\r')) text.remove_suffix(1);
  const bool too_long = text.size() > limits::kEventLineBytesMax;
  return Line{too_long ? std::string_view() : text, ++number_, too_long};
}

}  // namespace creance::events
