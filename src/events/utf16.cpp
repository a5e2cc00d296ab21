#include "events/utf16.hpp"

#include <utility>

#include "base/utf8.hpp"

namespace creance::events {
namespace {

uint32_t unit_at(std::string_view bytes, size_t at) { return static_cast<uint8_t>(bytes[at]) | static_cast<uint32_t>(static_cast<uint8_t>(bytes[at + 1])) << 8; }
bool is_first_half(uint32_t unit) { return unit >= 0xD800 && unit <= 0xDBFF; }
bool is_second_half(uint32_t unit) { return unit >= 0xDC00 && unit <= 0xDFFF; }

}  // namespace

void append_utf8(uint32_t rune, std::string& out) {
  char bytes[4];
  out.append(bytes, put_utf8(rune, bytes));
}

void append_utf16(std::string_view bytes, std::string& out) {
  for (size_t i = 0; i + 1 < bytes.size(); i += 2) {
    uint32_t rune = unit_at(bytes, i);
    if (is_first_half(rune) || is_second_half(rune)) {
      const uint32_t next = i + 3 < bytes.size() ? unit_at(bytes, i + 2) : 0;
      const bool pair = is_first_half(rune) && is_second_half(next);
      rune = pair ? 0x10000 + ((rune - 0xD800) << 10) + (next - 0xDC00) : kReplacementCharacter;
      if (pair) i += 2;
    }
    append_utf8(rune, out);
  }
}

void Utf16Text::feed(std::string_view bytes, std::string& out) {
  units_.assign(held_).append(bytes);
  size_t whole = units_.size() & ~size_t{1};
  if (big_endian_) {
    for (size_t i = held_.size() & ~size_t{1}; i < whole; i += 2) std::swap(units_[i], units_[i + 1]);
  }
  if (whole >= 2 && is_first_half(unit_at(units_, whole - 2))) whole -= 2;
  append_utf16(std::string_view(units_).substr(0, whole), out);
  held_.assign(units_, whole);
}

void Utf16Text::finish(std::string& out) {
  if (!held_.empty()) append_utf8(kReplacementCharacter, out);
  held_.clear();
}

}  // namespace creance::events
