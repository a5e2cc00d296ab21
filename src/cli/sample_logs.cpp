#include "cli/sample_logs.hpp"

#include <fmt/format.h>

#include "base/digest.hpp"
#include "base/os/real.hpp"

namespace creance::cli {

struct SampleLogs::OwnedEvent {
  std::string texts;
  std::vector<schema::InputValue> values;
  std::vector<schema::FurtherValue> further;
  std::vector<std::string_view> others;

  explicit OwnedEvent(const schema::Inputs& inputs) : values(inputs.values.begin(), inputs.values.end()), further(inputs.further.begin(), inputs.further.end()), others(inputs.others.begin(), inputs.others.end()) {
    size_t bytes = 0;
    const auto each = [&](auto change) {
      for (schema::InputValue& value : values) {
        if (value.has_value()) value = schema::InputValue(change(value.text()));
      }
      for (schema::FurtherValue& more : further) more.text = change(more.text);
      for (std::string_view& other : others) other = change(other);
    };
    each([&](std::string_view text) { return bytes += text.size(), text; });
    texts.reserve(bytes);
    each([&](std::string_view text) {
      const size_t at = texts.size();
      texts += text;
      return std::string_view(texts).substr(at);
    });
  }
  OwnedEvent(const OwnedEvent&) = delete;
  OwnedEvent& operator=(const OwnedEvent&) = delete;
};

Result<SampleLogs> SampleLogs::read(const std::vector<std::string>& files, const schema::Catalog& catalog) {
  SampleLogs out;
  os::RealFileSystem disk;
  events::Decoder decoder(catalog);
  events::RecordReader records;
  events::Block block;
  for (const std::string& file : files) {
    TRY(const Bytes bytes, disk.read(file, kFileBytesMax));
    out.digests_.push_back(sha256(bytes).hex());
    TRY(events::BlockSource blocks, events::BlockSource::open(file));
    while (true) {
      TRY(const bool more, blocks.next(block));
      if (!more) break;
      records.begin(block);
      for (events::Record record; records.next(record);) out.add(record, decoder);
    }
  }
  if (!files.empty() && out.events_.empty()) return fail(ErrorCode::kInvalid, fmt::format("`{}`{} has no event of a Template Type; give logs that the rules speak of", files[0], files.size() > 1 ? " and the other logs" : ""));
  return out;
}

void SampleLogs::add(const events::Record& record, events::Decoder& decoder) {
  if (!record.problem.empty()) return;
  const auto decoded = decoder.decode(record.json);
  if (!decoded) return;
  for (const events::Decoded& event : *decoded) {
    auto& of_type = events_[event.type];
    if (of_type.size() < limits::kSampleEventsMax) of_type.push_back(std::make_shared<const OwnedEvent>(event.inputs));
  }
}

compiler::Samples SampleLogs::samples() const {
  compiler::Samples out;
  for (const auto& [type, events] : events_) {
    for (const auto& event : events) out[type].push_back({event->values, event->further, event->others});
  }
  return out;
}

}  // namespace creance::cli
