// One code point as UTF-8. Not a checker: what is no code point of Unicode is the caller's to replace.
#pragma once
#include <cstdint>

namespace creance {

inline constexpr uint32_t kReplacementCharacter = 0xFFFD;

// Writes 1 to 4 bytes and gives where they end; rune <= 0x10FFFF.
inline char* put_utf8(uint32_t rune, char* out) noexcept {
  const auto put = [&out](uint32_t byte) { *out++ = static_cast<char>(static_cast<uint8_t>(byte)); };
  if (rune < 0x80) {
    put(rune);
  } else if (rune < 0x800) {
    put(0xC0 | rune >> 6);
    put(0x80 | (rune & 0x3F));
  } else if (rune < 0x10000) {
    put(0xE0 | rune >> 12);
    put(0x80 | (rune >> 6 & 0x3F));
    put(0x80 | (rune & 0x3F));
  } else {
    put(0xF0 | rune >> 18);
    put(0x80 | (rune >> 12 & 0x3F));
    put(0x80 | (rune >> 6 & 0x3F));
    put(0x80 | (rune & 0x3F));
  }
  return out;
}

}  // namespace creance
