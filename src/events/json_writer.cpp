#include "events/json_writer.hpp"

#include <cstdint>
#include <optional>

#include "base/text.hpp"

namespace creance::events {
namespace {

void append_escaped(std::string_view text, std::string& out) {
  size_t plain = 0;  // begin of the run that needs no escape
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain, i - plain);
    plain = i + 1;
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: {
        constexpr char kHex[] = "0123456789abcdef";
        out += "\\u00";
        out.push_back(kHex[c >> 4]);
        out.push_back(kHex[c & 15]);
      }
    }
  }
  out.append(text, plain);
}

}  // namespace

void append_json_text(std::string_view text, std::string& out) {
  out.push_back('"');
  while (!text.empty()) {
    const std::optional<size_t> bad = invalid_utf8_at(text);
    append_escaped(text.substr(0, bad.value_or(text.size())), out);
    if (!bad) break;
    out += "\xEF\xBF\xBD";
    text.remove_prefix(*bad + 1);
  }
  out.push_back('"');
}

}  // namespace creance::events
