// A file of events from outside in any text form, packed or not, in pieces of any size: JSON lines, lists and documents, audit records, syslog. The first byte chooses the pieces, the
// second the format. Must not crash; numbers ascend; what is made of a line is one JSON object that the decoder takes.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/check.hpp"
#include "events/decoder.hpp"
#include "events/records.hpp"
#include "events/text_stream.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace creance;
  if (size < 2) return 0;
  constexpr events::Format kFormats[] = {events::Format::kAuto, events::Format::kJson, events::Format::kAuditd, events::Format::kSyslog};
  const events::Format format = kFormats[data[1] % 4];
  events::BlockSource blocks(std::make_unique<events::TextStream>(std::string(reinterpret_cast<const char*>(data + 2), size - 2), size_t{1} + data[0], "fuzz"), format);
  static events::RecordReader records;
  static events::Decoder decoder(schema::Catalog::embedded());
  events::Block block;
  uint64_t last = 0, lines = 0;
  size_t unpacked = 0;
  while (unpacked < (8u << 20)) {  // a small frame may unpack to very much
    const auto more = blocks.next(block);
    if (!more) {
      CHECK(!more.error().detail.empty());
      CHECK(!blocks.next(block).value_or(true));
      break;
    }
    if (!*more) break;
    unpacked += block.bytes.size() + 1;
    lines += block.lines;
    records.begin(block);
    for (events::Record record; records.next(record);) {
      CHECK(record.number >= last);
      last = record.number;
      CHECK(record.json.empty() != record.problem.empty());
      if (!record.json.empty() && !record.in_block) CHECK(decoder.decode(record.json).has_value());
    }
  }
  CHECK(last <= lines || block.format == events::Format::kEvtx || block.too_long);
  CHECK(blocks.bytes_read() <= size - 2);
  return 0;
}
