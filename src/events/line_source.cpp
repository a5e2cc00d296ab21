#include "events/line_source.hpp"

#include <fmt/format.h>
#include <zstd.h>

#include <array>
#include <cstring>
#include <vector>

#include "base/check.hpp"
#include "base/limits.hpp"
#include "base/os/byte_stream.hpp"

namespace creance::events {
namespace {

constexpr size_t kChunkBytes = 256u << 10;
constexpr int kWindowLogMax = 27;  // 128 MiB: above, a small file could demand gigabytes
constexpr std::string_view kMagic = "\x28\xB5\x2F\xFD";
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

struct FreeContext {
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

// The text of a stream, unpacked where it is packed. One call gives at least one byte, or 0 at the end.
class Unpacker {
 public:
  explicit Unpacker(std::unique_ptr<ByteStream> stream) : stream_(std::move(stream)) {}

  Result<size_t> read(std::span<char> out) {
    if (!looked_) TRY_VOID(look());
    if (context_) return unpack(out);
    if (taken_ < held_) {
      const size_t n = std::min(out.size(), held_ - taken_);
      std::memcpy(out.data(), packed_.data() + taken_, n);
      taken_ += n;
      return n;
    }
    TRY(const size_t n, stream_->read(out));
    bytes_read_ += n;
    return n;
  }

  const ByteStream& stream() const { return *stream_; }
  uint64_t bytes_read() const { return bytes_read_; }

 private:
  // Reads the first bytes and decides whether the stream is packed.
  Status look() {
    looked_ = true;
    packed_.resize(kChunkBytes);
    while (held_ < kMagic.size()) {
      TRY(const size_t n, stream_->read(std::span(packed_).subspan(held_)));
      if (n == 0) break;
      held_ += n;
      bytes_read_ += n;
    }
    const bool named = stream_->name().ends_with(".zst");
    if (std::string_view(packed_.data(), held_).starts_with(kMagic)) {
      context_.reset(ZSTD_createDCtx());
      CHECK(context_ != nullptr);
      CHECK(ZSTD_isError(ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kWindowLogMax)) == 0);
    } else if (named) {
      return fail(ErrorCode::kInvalid, "it is named .zst but does not begin as zstd data does; rename it if it is plain text");
    }
    return {};
  }

  Result<size_t> unpack(std::span<char> out) {
    for (;;) {
      if (taken_ == held_) {
        TRY(held_, stream_->read(packed_));
        taken_ = 0;
        bytes_read_ += held_;
        ended_ = held_ == 0;
      }
      ZSTD_inBuffer in{packed_.data(), held_, taken_};
      ZSTD_outBuffer to{out.data(), out.size(), 0};
      const bool frame_over = frame_left_ == 0;
      if (ended_ && frame_over) return size_t{0};
      const size_t left = ZSTD_decompressStream(context_.get(), &to, &in);
      taken_ = in.pos;
      if (ZSTD_isError(left) != 0) return fail(ErrorCode::kInvalid, fmt::format("the zstd data is damaged ({})", ZSTD_getErrorName(left)));
      frame_left_ = left;
      if (to.pos > 0) return to.pos;
      if (ended_) return fail(ErrorCode::kInvalid, "the zstd data is cut off; fetch or copy the file again");
    }
  }

  std::unique_ptr<ByteStream> stream_;
  std::unique_ptr<ZSTD_DCtx, FreeContext> context_;  // only for packed streams
  std::vector<char> packed_;                         // [taken_, held_) is not used yet
  size_t held_ = 0;
  size_t taken_ = 0;
  size_t frame_left_ = 1;  // 0: between two frames
  bool looked_ = false;
  bool ended_ = false;
  uint64_t bytes_read_ = 0;
};

}  // namespace

struct LineSource::State {
  explicit State(std::unique_ptr<ByteStream> stream) : from(std::move(stream)) {}

  Unpacker from;
  std::vector<char> buffer;  // [begin, end) is text not given out yet; [begin, seen) has no line end
  size_t begin = 0;
  size_t seen = 0;
  size_t end = 0;
  uint64_t lines = 0;
  bool skipping = false;  // inside a line that is too long
  bool ended = false;
  bool started = false;   // the byte order mark was looked for

  // Where the next line ends, or nothing if its end is not in the buffer.
  std::optional<size_t> find_end() {
    if (seen == end) return std::nullopt;
    const void* found = std::memchr(buffer.data() + seen, '\n', end - seen);
    if (found == nullptr) {
      seen = end;
      return std::nullopt;
    }
    return static_cast<size_t>(static_cast<const char*>(found) - buffer.data());
  }

  Status fill() {
    if (begin > 0) {
      std::memmove(buffer.data(), buffer.data() + begin, end - begin);
      seen -= begin;
      end -= begin;
      begin = 0;
    }
    if (buffer.size() - end < kChunkBytes / 2) buffer.resize(std::max(buffer.size() + kChunkBytes, buffer.size() + buffer.size() / 2));
    auto got = from.read(std::span(buffer).subspan(end));
    if (!got) {
      ended = true;
      begin = seen = end = 0;  // what is left of a broken line is no line
      const std::string where = lines == 0 ? "before its first line" : fmt::format("after line {}", lines);
      return fail(got.error().code, fmt::format("`{}` cannot be read {}: {}", from.stream().name(), where, got.error().detail));
    }
    end += *got;
    if (*got == 0) ended = true;
    return {};
  }

  void drop_mark() {
    if (started || (end - begin < kByteOrderMark.size() && !ended)) return;
    started = true;
    if (std::string_view(buffer.data() + begin, end - begin).starts_with(kByteOrderMark)) begin += kByteOrderMark.size();
    seen = std::max(seen, begin);
  }

  Line give(size_t line_end, size_t next_begin) {
    std::string_view text(buffer.data() + begin, line_end - begin);
    if (text.ends_with('\r')) text.remove_suffix(1);
    begin = seen = next_begin;
    const bool too_long = skipping || text.size() > limits::kEventLineBytesMax;
    skipping = false;
    return {too_long ? std::string_view() : text, ++lines, too_long};
  }
};

Result<LineSource> LineSource::open(const std::string& path) {
  TRY(auto stream, os::open_stream(path));
  return LineSource(std::move(stream));
}

LineSource::LineSource(std::unique_ptr<ByteStream> stream) : state_(std::make_unique<State>(std::move(stream))) {}
LineSource::LineSource(LineSource&&) noexcept = default;
LineSource& LineSource::operator=(LineSource&&) noexcept = default;
LineSource::~LineSource() = default;

Result<std::optional<Line>> LineSource::next() {
  State& s = *state_;
  for (;;) {
    s.drop_mark();
    if (s.started) {
      if (const auto at = s.find_end()) return s.give(*at, *at + 1);
    }
    if (s.end - s.begin > limits::kEventLineBytesMax + 1) {  // + 1: the CR of a line that is just not too long
      s.skipping = true;
      s.begin = s.seen = s.end;
    }
    if (s.ended) {
      if (s.begin == s.end && !s.skipping) return std::nullopt;
      return s.give(s.end, s.end);
    }
    TRY_VOID(s.fill());
  }
}

bool LineSource::line_ready() const {
  State& s = *state_;
  if (s.ended) return true;
  return s.started && s.find_end().has_value();
}

const std::string& LineSource::name() const { return state_->from.stream().name(); }
uint64_t LineSource::lines() const { return state_->lines; }
uint64_t LineSource::bytes_read() const { return state_->from.bytes_read(); }
std::optional<uint64_t> LineSource::bytes_total() const { return state_->from.stream().size(); }

}  // namespace creance::events
