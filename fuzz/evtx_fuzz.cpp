// An EVTX file from outside: mode 0, a whole file in pieces; mode 1, the bytes as one chunk's records behind a good chunk header, so that binary XML is reached at once.
// Must not crash or run long; what it makes of a record is one JSON object that the decoder takes.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "base/check.hpp"
#include "events/decoder.hpp"
#include "events/evtx/chunk_reader.hpp"
#include "events/evtx/layout.hpp"
#include "events/records.hpp"

namespace {
using namespace creance;

class Stream final : public ByteStream {
 public:
  Stream(std::string_view text, size_t piece) : text_(text), piece_(piece) {}
  Result<size_t> read(std::span<char> out) override {
    const size_t n = std::min({piece_, out.size(), text_.size() - at_});
    if (n > 0) std::memcpy(out.data(), text_.data() + at_, n);
    at_ += n;
    return n;
  }
  std::optional<uint64_t> size() const override { return text_.size(); }
  const std::string& name() const override { return name_; }

 private:
  std::string_view text_;
  size_t piece_;
  size_t at_ = 0;
  std::string name_ = "fuzz";
};

void judge(std::string_view json) {
  static events::Decoder decoder(schema::Catalog::embedded());
  const auto decoded = decoder.decode(json);
  CHECK(decoded.has_value());
}

void whole_file(std::string_view bytes) {
  events::BlockSource blocks(std::make_unique<Stream>(bytes, 40'000), events::Format::kEvtx);
  events::RecordReader records;
  events::Block block;
  for (;;) {
    const auto more = blocks.next(block);
    CHECK(more.has_value() || !more.error().detail.empty());
    if (!more || !*more) break;
    records.begin(block);
    for (events::Record record; records.next(record);) {
      CHECK(record.json.empty() != record.problem.empty());
      if (!record.json.empty()) judge(record.json);
    }
  }
}

void one_chunk(std::string_view bytes) {
  std::string chunk(events::evtx::kChunkHeaderBytes, '\0');
  chunk.replace(0, events::evtx::kChunkMagic.size(), events::evtx::kChunkMagic);
  chunk += bytes.substr(0, events::evtx::kChunkBytes - chunk.size());
  const auto used = static_cast<uint32_t>(chunk.size());
  std::memcpy(chunk.data() + 48, &used, sizeof used);
  static events::evtx::ChunkReader reader;
  reader.begin(chunk, 1);
  std::string json, problem;
  uint64_t number = 0;
  bool damaged = false;
  for (size_t n = 0; reader.next(json, problem, number, damaged); ++n) {
    CHECK(n <= events::evtx::kChunkBytes / 8);
    CHECK(json.empty() != problem.empty());
    CHECK(!damaged || !problem.empty());
    if (!json.empty()) judge(json);
    json.clear();
    problem.clear();
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == '0') whole_file(bytes);
  else one_chunk(bytes);
  return 0;
}
