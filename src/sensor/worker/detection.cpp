#include "sensor/worker/detection.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "base/rfc3339.hpp"
#include "base/text.hpp"

namespace creance::sensor {
namespace {

constexpr size_t kTail = 256;  // room for what follows the inputs

}  // namespace

void append_json_text(std::string_view text, size_t bytes_max, std::string& out, bool& cut) {
  if (text.size() > bytes_max) {
    text = text.substr(0, bytes_max);
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xc0) == 0x80) text.remove_suffix(1);      // no half character at the end:
    if (!text.empty() && static_cast<unsigned char>(text.back()) >= 0xc0) text.remove_suffix(1);                  // its continuation bytes and its first one
    cut = true;
  }
  out += '"';
  while (!text.empty()) {
    const size_t good = invalid_utf8_at(text).value_or(text.size());
    for (const char c : text.substr(0, good)) {
      if (c == '"' || c == '\\') {
        out += '\\';
        out += c;
      } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
      } else {
        out += c;
      }
    }
    text.remove_prefix(good);
    if (text.empty()) break;
    out += "\xef\xbf\xbd";
    text.remove_prefix(1);
  }
  out += '"';
}

void append_correlation(uint32_t events, const channel::TextList& names, std::span<const uint32_t> inputs, const schema::Inputs& values, std::string& out) {
  constexpr size_t kBytesMax = limits::kDetectionBytesMax / 4;
  bool cut = false;
  out += fmt::format("\"correlation\":{{\"events\":{},\"group\":{{", events);
  for (size_t i = 0; i < inputs.size() && i < names.size() && out.size() < kBytesMax; ++i) {
    if (i > 0) out += ',';
    append_json_text(names[i], 64, out, cut);
    out += ':';
    append_json_text(values.values[inputs[i]].text(), 256, out, cut);
  }
  out += cut ? "},\"cut\":true}," : "}},";
}

void write_detection(const Match& match, std::string& out) {
  bool cut = false;
  out.clear();
  out += fmt::format("{{\"time\":\"{}\",\"rule_id\":", rfc3339(match.time));
  append_json_text(match.instance.rule_id, 128, out, cut);
  out += ",\"rule_title\":";
  append_json_text(match.instance.title, 512, out, cut);
  out += ",\"level\":";
  append_json_text(match.instance.level, 32, out, cut);
  out += ",\"tags\":[";
  for (size_t i = 0; i < match.instance.tags.size() && out.size() < 4096; ++i) {
    if (i > 0) out += ',';
    append_json_text(match.instance.tags[i], 128, out, cut);
  }
  out += "],\"author\":";
  append_json_text(match.instance.author, 512, out, cut);
  out += ",\"references\":[";
  for (size_t i = 0; i < match.instance.references.size(); ++i) {
    if (out.size() > 6144 || i == 64) {  // the event is worth more than the twentieth link
      cut = true;
      break;
    }
    if (i > 0) out += ',';
    append_json_text(match.instance.references[i], 512, out, cut);
  }
  out += ']';
  out += fmt::format(",\"type\":\"{}\",\"release_digest\":\"{}\",\"channel_sha256\":\"{}\",\"host\":", match.type.id, match.release_hex, match.channel_sha256);
  append_json_text(match.host, 256, out, cut);
  out += ',';
  out += match.members;
  out += "\"inputs\":{";
  std::string matched;
  bool first = true;
  const auto add = [&](uint32_t input, bool read) {
    const schema::InputValue& value = match.inputs.values[input];
    if (!value.has_value()) return;
    const size_t before = out.size();
    if (!first) out += ',';
    append_json_text(match.type.inputs[input].name, 128, out, cut);
    out += ':';
    append_json_text(value.text(), limits::kDetectionInputBytesMax, out, cut);
    if (out.size() + matched.size() + kTail > limits::kDetectionBytesMax) {  // escapes can make six bytes of one
      out.resize(before);
      cut = true;
      return;
    }
    first = false;
    if (!read) return;
    if (!matched.empty()) matched += ',';
    append_json_text(match.type.inputs[input].name, 128, matched, cut);
  };
  for (const uint32_t input : match.instance.inputs) add(input, true);
  for (uint32_t input = 0; input < match.inputs.values.size(); ++input)
    if (!std::ranges::binary_search(match.instance.inputs, input)) add(input, false);
  out += "},\"matched\":[" + matched + "]";
  if (cut) out += ",\"cut\":true";
  out += '}';
}

}  // namespace creance::sensor
