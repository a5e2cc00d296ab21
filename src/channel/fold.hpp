// Case folding as the channel format defines it: Unicode simple case folding (CaseFolding.txt, statuses C and S), character by character; bytes that are not UTF-8 stay.
// Compiler and interpreter both use it, so that literals and values are folded alike. Never allocates in the char* form.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace creance::channel {

uint32_t fold_rune(uint32_t rune) noexcept;

// Eight bytes at once: upper-case ASCII letters get bit 5, other bytes stay.
constexpr uint64_t fold_word(uint64_t word) noexcept {
  constexpr uint64_t kOnes = 0x0101010101010101ull;
  const uint64_t low = word & (0x7f * kOnes);
  const uint64_t from_a = low + (0x80 - 'A') * kOnes;   // bit 7: at least 'A'
  const uint64_t above_z = low + (0x7f - 'Z') * kOnes;  // bit 7: above 'Z'
  return word | ((from_a ^ above_z) & ~word & (0x80 * kOnes)) >> 2;
}

// Writes `size` bytes. True: all of them were ASCII, and `out` is the folded text; false: call fold(). Its last block overlaps what is done, so there is no loop over single bytes.
inline bool fold_ascii(const char* in, size_t size, char* out) noexcept {
  const auto some = [&]<class Word>(size_t at, Word) {
    Word word;
    std::memcpy(&word, in + at, sizeof word);
    const auto folded = static_cast<Word>(fold_word(word));
    std::memcpy(out + at, &folded, sizeof word);
    return static_cast<uint64_t>(word);
  };
  constexpr uint64_t kHighBits = 0x8080808080808080ull;
#if defined(__SSE2__)
  if (size >= 16) {
    const auto block = [&](size_t at) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + at));
      // Signed: only 'A' to 'Z' become less than -102.
      const __m128i is_upper = _mm_cmplt_epi8(_mm_add_epi8(bytes, _mm_set1_epi8(static_cast<char>(-128 - 'A'))), _mm_set1_epi8(-128 + 26));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(out + at), _mm_or_si128(bytes, _mm_and_si128(is_upper, _mm_set1_epi8(32))));
      return bytes;
    };
    __m128i any = block(size - 16);
    for (size_t at = 0; at + 16 < size; at += 16) any = _mm_or_si128(any, block(at));
    return _mm_movemask_epi8(any) == 0;
  }
#endif
  if (size >= 8) {
    uint64_t any = some(size - 8, uint64_t{});
    for (size_t at = 0; at + 8 < size; at += 8) any |= some(at, uint64_t{});
    return (any & kHighBits) == 0;
  }
  if (size >= 4) return ((some(0, uint32_t{}) | some(size - 4, uint32_t{})) & kHighBits) == 0;
  uint64_t any = 0;
  for (size_t at = 0; at < size; ++at) any |= some(at, uint8_t{});
  return (any & kHighBits) == 0;
}

// `out` must have room for folded_bytes_max(text.size()). Returns the size written.
size_t fold(std::string_view text, char* out) noexcept;
constexpr size_t folded_bytes_max(size_t bytes) { return bytes + bytes / 2; }  // U+023A and U+023E grow from 2 to 3 bytes; nothing grows more

std::string fold(std::string_view text);

// All characters that fold to the same as `rune`, itself included, ascending.
std::vector<uint32_t> fold_orbit(uint32_t rune);

}  // namespace creance::channel
