// One line of outside JSON. Must not crash, and what it accepts must obey the Decoder's contract: as many inputs as the Type has, values bounded by the line's size,
// and the same answer when asked again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.hpp"
#include "base/text.hpp"
#include "events/decoder.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace creance;
  static events::Decoder decoder(schema::Catalog::embedded());
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  const auto first = decoder.decode(line);
  CHECK(first.has_value() || !first.error().detail.empty());
  if (!first) return 0;
  CHECK(!invalid_utf8_at(line));
  std::string seen;
  for (const events::Decoded& event : *first) {
    CHECK(event.inputs.values.size() == event.type->inputs.size());
    size_t bytes = 0;
    const auto look = [&](std::string_view text) {
      CHECK(!invalid_utf8_at(text));
      bytes += text.size();
      seen += text;
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
  const auto second = decoder.decode(line);
  CHECK(second.has_value());
  std::string again;
  for (const events::Decoded& event : *second) {
    for (const schema::InputValue& value : event.inputs.values) again += value.has_value() ? value.text() : std::string_view();
    for (const schema::FurtherValue& more : event.inputs.further) again += more.text;
    for (const std::string_view other : event.inputs.others) again += other;
  }
  CHECK(seen == again);
  return 0;
}
