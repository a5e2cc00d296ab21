#include "events/unpack.hpp"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "base/check.hpp"

namespace creance::events {
namespace {

constexpr size_t kChunkBytes = 256u << 10;
constexpr int kWindowLogMax = 27;  // 128 MiB: above, a small file could demand gigabytes
constexpr std::string_view kZstdMagic = "\x28\xB5\x2F\xFD";
constexpr std::string_view kGzipMagic = "\x1F\x8B\x08";

// What is packed and not used yet.
struct Packed {
  std::vector<char> bytes;
  size_t taken = 0;
  size_t held = 0;
  bool ended = false;  // the stream has no more
};

// One way of packing. step() unpacks what it can of `in`; it is between two members when between() says so.
class Method {
 public:
  virtual ~Method() = default;
  virtual Result<size_t> step(Packed& in, std::span<char> out) = 0;
  virtual bool between() const = 0;
  virtual std::string_view name() const = 0;
};

class Zstd final : public Method {
 public:
  Zstd() : context_(ZSTD_createDCtx()) {
    CHECK(context_ != nullptr);
    CHECK(ZSTD_isError(ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kWindowLogMax)) == 0);
  }
  Result<size_t> step(Packed& in, std::span<char> out) override {
    ZSTD_inBuffer from{in.bytes.data(), in.held, in.taken};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const size_t left = ZSTD_decompressStream(context_.get(), &to, &from);
    in.taken = from.pos;
    if (ZSTD_isError(left) != 0) return fail(ErrorCode::kInvalid, fmt::format("the zstd data is damaged ({})", ZSTD_getErrorName(left)));
    between_ = left == 0;
    return to.pos;
  }
  bool between() const override { return between_; }
  std::string_view name() const override { return "zstd"; }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  bool between_ = false;
};

class Gzip final : public Method {
 public:
  Gzip() { CHECK(inflateInit2(&stream_, 15 + 16) == Z_OK); }  // 16: gzip members, no zlib streams
  ~Gzip() override { inflateEnd(&stream_); }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  Result<size_t> step(Packed& in, std::span<char> out) override {
    if (between_ && in.taken < in.held) {  // RFC 1952, section 2.2: members follow each other; some writers pad the last one with zeros
      if (in.bytes[in.taken] == '\0') {
        while (in.taken < in.held && in.bytes[in.taken] == '\0') ++in.taken;
        return size_t{0};
      }
      CHECK(inflateReset(&stream_) == Z_OK);
      between_ = false;
    }
    stream_.next_in = reinterpret_cast<Bytef*>(in.bytes.data() + in.taken);
    stream_.avail_in = static_cast<uInt>(in.held - in.taken);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    const size_t room = std::min<size_t>(out.size(), 1u << 30);
    stream_.avail_out = static_cast<uInt>(room);
    const int code = inflate(&stream_, Z_NO_FLUSH);
    in.taken = in.held - stream_.avail_in;
    if (code == Z_STREAM_END) {
      between_ = true;
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      return fail(ErrorCode::kInvalid, fmt::format("the gzip data is damaged ({})", stream_.msg != nullptr ? stream_.msg : "no reason given"));
    }
    return room - stream_.avail_out;
  }
  bool between() const override { return between_; }
  std::string_view name() const override { return "gzip"; }

 private:
  z_stream stream_{};
  bool between_ = false;
};

}  // namespace

struct Unpacker::State {
  std::unique_ptr<ByteStream> stream;
  std::unique_ptr<Method> method;  // only for packed streams
  Packed packed;
  bool looked = false;
  uint64_t bytes_read = 0;

  Result<size_t> fetch(std::span<char> out) {
    TRY(const size_t n, stream->read(out));
    bytes_read += n;
    return n;
  }

  // Reads the first bytes and decides whether the stream is packed.
  Status look() {
    looked = true;
    packed.bytes.resize(kChunkBytes);
    while (packed.held < kZstdMagic.size()) {
      TRY(const size_t n, fetch(std::span(packed.bytes).subspan(packed.held)));
      if (n == 0) break;
      packed.held += n;
    }
    const std::string_view begin(packed.bytes.data(), packed.held);
    if (begin.starts_with(kZstdMagic)) {
      method = std::make_unique<Zstd>();
    } else if (begin.starts_with(kGzipMagic)) {
      method = std::make_unique<Gzip>();
    } else {
      for (const auto& [ending, what] : {std::pair<std::string_view, std::string_view>{".zst", "zstd"}, {".gz", "gzip"}}) {
        if (stream->name().ends_with(ending)) return fail(ErrorCode::kInvalid, fmt::format("it is named {} but does not begin as {} data does; rename it if it is plain text", ending, what));
      }
    }
    return {};
  }

  Result<size_t> unpack(std::span<char> out) {
    for (;;) {
      if (packed.taken == packed.held && !packed.ended) {
        TRY(packed.held, fetch(packed.bytes));
        packed.taken = 0;
        packed.ended = packed.held == 0;
      }
      if (packed.ended && method->between()) return size_t{0};
      const size_t before = packed.taken;
      TRY(const size_t n, method->step(packed, out));
      if (n > 0) return n;
      if (packed.ended && before == packed.taken && !method->between()) return fail(ErrorCode::kInvalid, fmt::format("the {} data is cut off; fetch or copy the file again", method->name()));
    }
  }
};

Unpacker::Unpacker(std::unique_ptr<ByteStream> stream) : state_(std::make_unique<State>()) { state_->stream = std::move(stream); }
Unpacker::Unpacker(Unpacker&&) noexcept = default;
Unpacker& Unpacker::operator=(Unpacker&&) noexcept = default;
Unpacker::~Unpacker() = default;

Result<size_t> Unpacker::read(std::span<char> out) {
  State& s = *state_;
  if (!s.looked) TRY_VOID(s.look());
  if (s.method) return s.unpack(out);
  if (s.packed.taken < s.packed.held) {
    const size_t n = std::min(out.size(), s.packed.held - s.packed.taken);
    std::memcpy(out.data(), s.packed.bytes.data() + s.packed.taken, n);
    s.packed.taken += n;
    return n;
  }
  return s.fetch(out);
}

const ByteStream& Unpacker::stream() const { return *state_->stream; }
uint64_t Unpacker::bytes_read() const { return state_->bytes_read; }

}  // namespace creance::events
