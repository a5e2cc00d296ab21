// A file of lines from outside, plain or zstd, whole or damaged, in pieces of any size. Must not crash; numbers grow by one; an error ends the source.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/check.hpp"
#include "events/line_source.hpp"

namespace {
class Stream final : public creance::ByteStream {
 public:
  Stream(const uint8_t* data, size_t size, size_t piece) : data_(data), size_(size), piece_(piece) {}
  creance::Result<size_t> read(std::span<char> out) override {
    const size_t n = std::min({piece_, out.size(), size_ - at_});
    if (n > 0) std::memcpy(out.data(), data_ + at_, n);
    at_ += n;
    return n;
  }
  std::optional<uint64_t> size() const override { return size_; }
  const std::string& name() const override { return name_; }

 private:
  const uint8_t* data_;
  size_t size_;
  size_t piece_;
  size_t at_ = 0;
  std::string name_ = "fuzz";
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace creance;
  if (size == 0) return 0;
  const size_t piece = size_t{1} + data[0];
  events::LineSource source(std::make_unique<Stream>(data + 1, size - 1, piece));
  uint64_t number = 0;
  size_t text_bytes = 0;
  while (text_bytes < (64u << 20)) {  // a small frame may unpack to very much
    const auto line = source.next();
    if (!line) {
      CHECK(!source.next().value_or(std::nullopt).has_value());
      break;
    }
    if (!*line) break;
    CHECK((*line)->number == ++number);
    CHECK((*line)->text.find('\n') == std::string_view::npos);
    text_bytes += (*line)->text.size() + 1;
  }
  CHECK(source.lines() == number);
  CHECK(source.bytes_read() <= size - 1);
  return 0;
}
