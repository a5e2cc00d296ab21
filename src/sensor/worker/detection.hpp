// A match as one line of JSON (docs/reference/protocol.md), at most limits::kDetectionBytesMax: values are cut, and then `cut` says so. Always valid UTF-8: bytes
// that are none become U+FFFD. Only writes.
#pragma once
#include <string>

#include "base/seams/clock.hpp"
#include "channel/verified_channel.hpp"
#include "schema/inputs.hpp"
#include "schema/type.hpp"

namespace creance::sensor {

struct Match {
  const channel::InstanceInfo& instance;
  const schema::TemplateType& type;
  const schema::Inputs& inputs;
  std::string_view release_hex;
  std::string_view channel_sha256;
  std::string_view host;
  WallTime time{};
  std::string_view members = {};  // further members of the object, each with a comma behind it
};
// Of a correlation: how many events made the hit, and its group: `"correlation":{"events":3,"group":{"User":"bob"}},`
void append_correlation(uint32_t events, const channel::TextList& names, std::span<const uint32_t> inputs, const schema::Inputs& values, std::string& out);
void write_detection(const Match& match, std::string& out);  // replaces `out`; without a newline
void append_json_text(std::string_view text, size_t bytes_max, std::string& out, bool& cut);

}  // namespace creance::sensor
