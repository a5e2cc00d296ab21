#include "channel/address.hpp"

#include <cstddef>
#include <cstring>

namespace creance::channel {
namespace {

// Reads `text` as a dotted quad into out[0..3].
bool parse_quad(std::string_view text, uint8_t* out) noexcept {
  size_t at = 0;
  for (int part = 0; part < 4; ++part) {
    if (part > 0 && (at >= text.size() || text[at++] != '.')) return false;
    const size_t begin = at;
    uint32_t value = 0;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9' && at - begin < 3) value = value * 10 + static_cast<uint32_t>(text[at++] - '0');
    const size_t digits = at - begin;
    if (digits == 0 || value > 255 || (digits > 1 && text[begin] == '0')) return false;
    out[part] = static_cast<uint8_t>(value);
  }
  return at == text.size();
}

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<Address> parse_v6(std::string_view text) noexcept {
  Address address{6, {}};
  uint8_t groups[16] = {};
  size_t filled = 0;           // bytes written to groups
  size_t gap = 17;             // where `::` stands; 17: nowhere
  size_t at = 0;
  if (text.starts_with("::")) {
    gap = 0;
    at = 2;
  }
  while (at < text.size()) {
    if (filled == 16) return std::nullopt;
    const std::string_view rest = text.substr(at);
    if (rest.find(':') == std::string_view::npos && rest.find('.') != std::string_view::npos) {  // the last part may be a dotted quad
      if (filled > 12 || !parse_quad(rest, groups + filled)) return std::nullopt;
      filled += 4;
      at = text.size();
      break;
    }
    uint32_t value = 0;
    size_t digits = 0;
    while (at < text.size() && hex_value(text[at]) >= 0 && digits < 4) {
      value = value << 4 | static_cast<uint32_t>(hex_value(text[at++]));
      ++digits;
    }
    if (digits == 0) return std::nullopt;
    groups[filled++] = static_cast<uint8_t>(value >> 8);
    groups[filled++] = static_cast<uint8_t>(value);
    if (at == text.size()) break;
    if (text[at++] != ':') return std::nullopt;
    if (at < text.size() && text[at] == ':') {
      if (gap != 17) return std::nullopt;
      gap = filled;
      ++at;
    } else if (at == text.size()) {
      return std::nullopt;  // ends with one colon
    }
  }
  if (gap == 17 ? filled != 16 : filled > 14) return std::nullopt;
  const size_t head = gap == 17 ? 16 : gap;
  std::memcpy(address.bytes.data(), groups, head);
  std::memcpy(address.bytes.data() + 16 - (filled - head), groups + head, filled - head);
  return address;
}

}  // namespace

std::optional<Address> parse_address(std::string_view text) noexcept {
  if (text.size() < 2 || text.size() > 45) return std::nullopt;
  if (text.find(':') != std::string_view::npos) return parse_v6(text);
  Address address{4, {}};
  if (!parse_quad(text, address.bytes.data())) return std::nullopt;
  return address;
}

bool in_network(const std::array<uint8_t, 16>& address, const uint8_t* network, uint32_t bits) noexcept {
  const uint32_t whole = bits / 8;
  if (std::memcmp(address.data(), network, whole) != 0) return false;
  const uint32_t rest = bits % 8;
  return rest == 0 || (address[whole] ^ network[whole]) >> (8 - rest) == 0;
}

}  // namespace creance::channel
