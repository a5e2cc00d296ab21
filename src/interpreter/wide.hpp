// The loops over bytes in which an event spends most of its time, in two ways: plain, and for processors with AVX2. The ways are chosen when a Scratch is made; both give the same answer to the bit.
// What they find is a proposal: tables and literals decide.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "channel/hash.hpp"

namespace creance::interpreter {

struct GramFilter {
  const uint64_t* words = nullptr;  // 2^log2 bits, places by channel::gram_bit
  uint32_t log2 = channel::kBitmapLog2Min;
  uint32_t kept = 0;                // of a gram: its first three bytes, or all four
  bool has(uint32_t gram) const noexcept {
    const uint32_t bit = channel::gram_bit(gram & kept, log2);
    return (words[bit / 64] >> (bit % 64) & 1) != 0;
  }
};

inline constexpr size_t kHitPlacesMax = 2'048;  // of one call
inline constexpr size_t kGramReach = 64;  // bytes behind the last place that may be read: texts that are scanned have room for them
using HitMasks = std::array<uint32_t, kHitPlacesMax / 32>;

// Bit i % 32 of masks[i / 32] for each place i < places (a multiple of `stride`: 1, 2 or 4) that the filter lets through; no other bits in the words of these places. False: there is none.
using FindHits = bool (*)(const GramFilter& filter, const char* text, size_t places, uint32_t stride, HitMasks& masks) noexcept;

// Whether one of four grams may stand in a text of at least kWideBytes bytes once it is folded, at a place that a multiple of four leads to. Bit 5 of each byte of `grams` is set. A byte beyond ASCII: yes.
using MayHaveOne = bool (*)(const std::array<uint32_t, 4>& grams, const char* text, size_t size) noexcept;

// The first place from `at` on with text[place] == first and text[place + reach] == last, or `places`, of which there are at least kWideBytes.
using FindEnds = size_t (*)(const char* text, size_t places, size_t reach, char first, char last, size_t at) noexcept;

inline constexpr size_t kWideBytes = 32;

struct Ways {
  FindHits find_hits;
  MayHaveOne may_have_one;  // null: the caller's own loop does
  FindEnds find_ends;       // null: the caller's own loop does
};
Ways plain_ways() noexcept;
Ways best_ways() noexcept;  // of this processor

// Calls `hit(place)` for each place that is let through, ascending, until it returns false; then false.
template <class Hit>
bool each_hit(FindHits find, const GramFilter& filter, const char* text, size_t places, uint32_t stride, Hit hit) noexcept {
  HitMasks masks;
  for (size_t begin = 0; begin < places; begin += kHitPlacesMax) {
    const size_t count = std::min(places - begin, kHitPlacesMax);
    if (!find(filter, text + begin, count, stride, masks)) continue;
    for (size_t block = 0; block * 32 < count; ++block) {
      for (uint32_t bits = masks[block]; bits != 0; bits &= bits - 1) {
        if (!hit(begin + block * 32 + static_cast<size_t>(__builtin_ctz(bits)))) return false;
      }
    }
  }
  return true;
}

}  // namespace creance::interpreter
