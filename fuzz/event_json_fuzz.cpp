// One line of outside JSON. Must not crash, and what it accepts must obey the Decoder's contract: as many inputs as the Type has, values bounded by the line's size,
// the same answer when asked again, and the same from a decoder that takes no short way (flat_reader.hpp).
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "base/text.hpp"
#include "events/answers.hpp"
#include "events/decoder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace creance;
  static events::Decoder decoder(schema::Catalog::embedded());
  static events::Decoder general(schema::Catalog::embedded(), {}, events::Decoder::Ways::kGeneral);
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto first = decoder.decode(line);
  CHECK(first.has_value() || !first.error().detail.empty());
  if (!first) {
    const auto long_way = general.decode(line);
    CHECK(!long_way.has_value());
    CHECK(long_way.error().detail == first.error().detail);
    return 0;
  }
  // Bytes that are no UTF-8 are read as U+FFFD, and told; what is given out is UTF-8 always.
  CHECK(decoder.notices().mended || decoder.json() == line);
  CHECK(!invalid_utf8_at(decoder.json()));
  for (const events::Decoded& event : *first) {
    CHECK(event.inputs.values.size() == event.type->inputs.size());
    size_t bytes = 0;
    const auto look = [&](std::string_view text) {
      CHECK(!invalid_utf8_at(text));
      bytes += text.size();
    };
    for (const schema::InputValue& value : event.inputs.values) {
      if (value.has_value()) look(value.text());
    }
    for (const schema::FurtherValue& more : event.inputs.further) {
      CHECK(more.input < event.inputs.values.size());
      look(more.text);
    }
    for (const std::string_view other : event.inputs.others) look(other);
    CHECK(bytes <= 4 * line.size() + 1024);  // nested forms: users, hashes and data without names are put together
  }
  const std::string once = events::told(first);
  const auto second = decoder.decode(line);
  CHECK(second.has_value());
  CHECK(once == events::told(second));
  const auto long_way = general.decode(line);
  CHECK(long_way.has_value());
  CHECK(once == events::told(long_way));
  return 0;
}
