// A file of events from outside, of any form, plain or packed, whole or damaged, in pieces of any size. Must not crash; lines are counted as they are given; an error ends the source.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/check.hpp"
#include "events/records.hpp"
#include "events/text_stream.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace creance;
  if (size == 0) return 0;
  const size_t piece = size_t{1} + data[0];
  events::BlockSource source(std::make_unique<events::TextStream>(std::string(reinterpret_cast<const char*>(data + 1), size - 1), piece, "fuzz"));
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
