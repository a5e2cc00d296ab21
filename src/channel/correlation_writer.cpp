#include "channel/correlation_writer.hpp"

#include <fmt/format.h>

#include "base/limits.hpp"

namespace creance::channel {

TextRef CorrelationDraft::add_text(std::string_view text) {
  if (const auto it = known_texts_.find(text); it != known_texts_.end()) return it->second;
  const TextRef ref{static_cast<uint32_t>(texts.size()), static_cast<uint32_t>(text.size())};
  texts += text;
  known_texts_.emplace(text, ref);
  return ref;
}

ListRef CorrelationDraft::add_texts(std::span<const std::string> list) {
  std::vector<TextRef> refs;
  for (const std::string& text : list) refs.push_back(add_text(text));
  const ListRef ref{static_cast<uint32_t>(text_refs.size()), static_cast<uint32_t>(refs.size())};
  text_refs.insert(text_refs.end(), refs.begin(), refs.end());
  return refs.empty() ? ListRef{0, 0} : ref;
}

ListRef CorrelationDraft::add_numbers(std::span<const uint32_t> list) {
  if (list.empty()) return {0, 0};
  const ListRef ref{static_cast<uint32_t>(numbers.size()), static_cast<uint32_t>(list.size())};
  numbers.insert(numbers.end(), list.begin(), list.end());
  return ref;
}

Result<Bytes> write(const CorrelationDraft& draft) {
  CorrelationHeader header{};
  header.magic = kCorrelationMagic;
  header.format_version = kCorrelationFormatVersion;
  header.state_bytes = draft.state_bytes;
  CorrelationLayout layout{.correlations = draft.correlations};
  header.cost_bound = correlation_cost(layout, draft.state_bytes);

  Bytes bytes(sizeof header, 0);
  uint32_t index = 0;
  const auto add = [&](const auto& records) {
    header.sections[index++] = {static_cast<uint32_t>(bytes.size()), static_cast<uint32_t>(records.size())};
    const auto* data = reinterpret_cast<const uint8_t*>(records.data());
    bytes.insert(bytes.end(), data, data + records.size() * sizeof(*records.data()));
    bytes.resize((bytes.size() + 7) / 8 * 8, 0);
  };
  add(draft.texts);
  add(draft.text_refs);
  add(draft.numbers);
  add(draft.types);
  add(draft.sources);
  add(draft.correlations);
  add(draft.feeds);
  add(draft.terms);
  if (bytes.size() > limits::kChannelBytesMax) return fail(ErrorCode::kTooLarge, fmt::format("the correlation file would be larger than {} bytes; split its rules over several releases", limits::kChannelBytesMax));
  header.file_bytes = static_cast<uint32_t>(bytes.size());
  std::memcpy(bytes.data(), &header, sizeof header);
  return bytes;
}

}  // namespace creance::channel
