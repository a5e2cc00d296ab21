#include "channel/verified_channel.hpp"

namespace creance::channel {

std::string_view VerifiedChannel::type_id() const { return layout_.texts.substr(layout_.header->type_id.offset, layout_.header->type_id.size); }

schema::Fingerprint VerifiedChannel::fingerprint() const { return layout_.header->fingerprint; }

InstanceInfo VerifiedChannel::instance(uint32_t index) const {
  const InstanceRecord& record = layout_.instances[index];
  const auto text = [&](TextRef ref) { return layout_.texts.substr(ref.offset, ref.size); };
  const auto list = [&](ListRef ref) { return TextList(layout_.text_refs.subspan(ref.first, ref.count), layout_.texts); };
  return {.rule_id = text(record.rule_id),
          .title = text(record.title),
          .level = text(record.level),
          .author = text(record.author),
          .tags = list(record.tags),
          .references = list(record.references),
          .inputs = layout_.numbers.subspan(record.inputs.first, record.inputs.count),
          .reads_every_value = (record.flags & kReadsEveryValue) != 0};
}

}  // namespace creance::channel
