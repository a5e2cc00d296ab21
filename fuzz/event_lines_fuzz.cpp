// A file of events from outside, of any form, plain or packed, whole or damaged, in pieces of any size. Must not crash; lines are counted as they are given; an error ends the source.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "base/check.hpp"
#include "events/records.hpp"

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
  events::BlockSource source(std::make_unique<Stream>(data + 1, size - 1, piece));
  events::RecordReader records;
  events::Block block;
  uint64_t lines = 0;
  size_t bytes = 0;
  while (bytes < (64u << 20)) {  // a small frame may unpack to very much
    const auto more = source.next(block);
    if (!more) {
      CHECK(!source.next(block).value_or(false));
      break;
    }
    if (!*more) break;
    lines += block.lines;
    bytes += block.bytes.size() + 1;
    records.begin(block);
    for (events::Record record; records.next(record);) {
      CHECK(record.json.empty() != record.problem.empty());
      CHECK(record.json.find('\n') == std::string_view::npos);
    }
  }
  CHECK(source.lines() == lines);
  CHECK(source.bytes_read() <= size - 1);
  return 0;
}
