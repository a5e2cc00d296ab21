#include "channel/verified_correlations.hpp"

namespace creance::channel {

ObservedType VerifiedCorrelations::type(uint32_t index) const {
  const ObservedTypeRecord& record = layout_.types[index];
  return {layout_.texts.substr(record.id.offset, record.id.size), record.fingerprint, record.input_count, layout_.numbers.subspan(record.times.first, record.times.count)};
}

SourceInfo VerifiedCorrelations::source(uint32_t index) const {
  const SourceRecord& record = layout_.sources[index];
  return {record.type, layout_.texts.substr(record.rule_id.offset, record.rule_id.size), (record.flags & kSilent) != 0};
}

CorrelationInfo VerifiedCorrelations::correlation(uint32_t index) const {
  const CorrelationRecord& record = layout_.correlations[index];
  const auto text = [&](TextRef ref) { return layout_.texts.substr(ref.offset, ref.size); };
  const auto list = [&](ListRef ref) { return TextList(layout_.text_refs.subspan(ref.first, ref.count), layout_.texts); };
  return {.rule_id = text(record.rule_id),
          .title = text(record.title),
          .level = text(record.level),
          .author = text(record.author),
          .tags = list(record.tags),
          .references = list(record.references),
          .group_names = list(record.group_names),
          .silent = (record.flags & kSilent) != 0};
}

std::span<const uint32_t> VerifiedCorrelations::group_inputs(uint32_t feed) const {
  const FeedRecord& record = layout_.feeds[feed];
  return layout_.numbers.subspan(record.columns.first, layout_.correlations[record.correlation].group_names.count);
}

}  // namespace creance::channel
