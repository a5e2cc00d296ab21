// UTF-8 as patterns see it: valid sequences (no overlong forms, at most U+10FFFF) are one character, any other byte is one character by itself.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/utf8.hpp"

namespace creance::channel {

struct Decoded {
  uint32_t rune;  // kInvalidRune: not a valid sequence; size is 1 then
  uint32_t size;
};
inline constexpr uint32_t kInvalidRune = 0xffffffff;
inline constexpr uint32_t kRuneMax = 0x10ffff;
inline constexpr uint32_t kReplacementRune = 0xfffd;  // what a byte that is no character, and an encoded surrogate, is to regular expressions
constexpr uint32_t rune_for_regex(uint32_t rune) noexcept { return rune == kInvalidRune || (rune >= 0xd800 && rune <= 0xdfff) ? kReplacementRune : rune; }

// The character at `at`; at < end. Surrogates that somebody encoded are characters.
inline Decoded decode(const char* at, const char* end) noexcept {
  const auto byte = [&](ptrdiff_t i) { return static_cast<uint8_t>(at[i]); };
  const uint32_t first = byte(0);
  if (first < 0x80) return {first, 1};
  const auto is_tail = [&](ptrdiff_t i) { return (byte(i) & 0xc0) == 0x80; };
  const auto tail = [&](ptrdiff_t i) { return static_cast<uint32_t>(byte(i) & 0x3f); };
  const ptrdiff_t have = end - at;
  if (first >= 0xc2 && first <= 0xdf && have >= 2 && is_tail(1)) return {(first & 0x1f) << 6 | tail(1), 2};
  if (first >= 0xe0 && first <= 0xef && have >= 3 && is_tail(1) && is_tail(2)) {
    const uint32_t rune = (first & 0x0f) << 12 | tail(1) << 6 | tail(2);
    if (rune >= 0x800) return {rune, 3};
  }
  if (first >= 0xf0 && first <= 0xf4 && have >= 4 && is_tail(1) && is_tail(2) && is_tail(3)) {
    const uint32_t rune = (first & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3);
    if (rune >= 0x10000 && rune <= kRuneMax) return {rune, 4};
  }
  return {kInvalidRune, 1};
}

// The number of bytes of the last character of [begin, at); begin < at.
inline uint32_t size_before(const char* begin, const char* at) noexcept {
  for (ptrdiff_t back = 2; back <= 4 && at - back >= begin; ++back) {
    if (static_cast<uint8_t>(at[-back]) < 0xc0) continue;  // a tail or ASCII: no sequence begins here
    if (decode(at - back, at).size == static_cast<uint32_t>(back)) return static_cast<uint32_t>(back);
    break;
  }
  return 1;
}

// Writes 1 to 4 bytes; rune <= kRuneMax.
inline uint32_t encode(uint32_t rune, char* out) noexcept { return static_cast<uint32_t>(put_utf8(rune, out) - out); }

}  // namespace creance::channel
