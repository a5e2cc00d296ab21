#include "channel/writer.hpp"

#include <fmt/format.h>

#include "base/limits.hpp"
#include "channel/cost.hpp"

namespace creance::channel {
namespace {

struct SectionBytes {
  const void* data;
  size_t count;
  size_t record_bytes;
};
template <class T>
SectionBytes section(const T& records) {
  return {records.data(), records.size(), sizeof(typename T::value_type)};
}
std::array<SectionBytes, kSectionCount> sections_of(const Draft& d) {
  return {section(d.texts),   section(d.text_refs),    section(d.numbers), section(d.instances), section(d.entries), section(d.nodes),
          section(d.predicates), section(d.glob_tokens), section(d.regexes), section(d.instructions), section(d.classes), section(d.ranges),
          section(d.indexes), section(d.slots),        section(d.candidates), section(d.bitmaps)};
}
constexpr size_t padded(size_t bytes) { return (bytes + 7) / 8 * 8; }

}  // namespace

TextRef Draft::add_text(std::string_view text) {
  if (const auto it = known_texts_.find(text); it != known_texts_.end()) return it->second;
  const TextRef ref{static_cast<uint32_t>(texts.size()), static_cast<uint32_t>(text.size())};
  texts += text;
  known_texts_.emplace(text, ref);
  return ref;
}

ListRef Draft::add_numbers(std::span<const uint32_t> list) {
  const ListRef ref{static_cast<uint32_t>(numbers.size()), static_cast<uint32_t>(list.size())};
  numbers.insert(numbers.end(), list.begin(), list.end());
  return ref;
}

ListRef Draft::add_text_refs(std::span<const TextRef> list) {
  const ListRef ref{static_cast<uint32_t>(text_refs.size()), static_cast<uint32_t>(list.size())};
  text_refs.insert(text_refs.end(), list.begin(), list.end());
  return ref;
}

Layout view(const Draft& d, Header& header) {
  header.input_count = d.input_count;
  return {.header = &header,
          .texts = d.texts,
          .text_refs = d.text_refs,
          .numbers = d.numbers,
          .instances = d.instances,
          .entries = d.entries,
          .nodes = d.nodes,
          .predicates = d.predicates,
          .glob_tokens = d.glob_tokens,
          .regexes = d.regexes,
          .instructions = d.instructions,
          .classes = d.classes,
          .ranges = d.ranges,
          .indexes = d.indexes,
          .slots = d.slots,
          .candidates = d.candidates,
          .bitmaps = d.bitmaps};
}

Result<Bytes> write(const Draft& draft) {
  Header header{};
  header.magic = kMagic;
  header.format_version = kFormatVersion;
  header.fingerprint = draft.fingerprint;
  header.type_version = draft.type_version;
  header.type_id = draft.type_id;
  header.sample_events = draft.sample_events;
  const Cost cost = channel_cost(view(draft, header));
  header.cost_bound = cost.bound;
  header.cost_fixed = cost.fixed;
  header.cost_per_value = cost.per_value;
  header.cost_per_byte = cost.per_byte;

  const auto sections = sections_of(draft);
  size_t at = sizeof(Header);
  for (size_t i = 0; i < sections.size(); ++i) {
    header.sections[i] = {static_cast<uint32_t>(at), static_cast<uint32_t>(sections[i].count)};
    at += padded(sections[i].count * sections[i].record_bytes);
    if (at > limits::kChannelBytesMax) {
      return fail(ErrorCode::kTooLarge, fmt::format("the channel would be larger than {} bytes; split its rules over several releases or drop some", limits::kChannelBytesMax));
    }
  }
  header.file_bytes = static_cast<uint32_t>(at);

  Bytes bytes(at, 0);
  std::memcpy(bytes.data(), &header, sizeof header);
  for (size_t i = 0; i < sections.size(); ++i) {
    if (sections[i].count > 0) std::memcpy(bytes.data() + header.sections[i].offset, sections[i].data, sections[i].count * sections[i].record_bytes);
  }
  return bytes;
}

}  // namespace creance::channel
