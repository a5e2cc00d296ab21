// An index of the file, made ready for scanning: its references are checked once, when a Scratch is made, and small filters are worked out that ask less of each byte.
// Nothing new is believed: a filter says what the tables' own literals say, and whatever it lets through is looked up in the tables as before.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "channel/format.hpp"
#include "channel/hash.hpp"
#include "interpreter/rough.hpp"
#include "interpreter/wide.hpp"

namespace creance::interpreter {

struct IndexPlan {
  struct Table {
    const channel::SlotRecord* slots = nullptr;  // null: there is none
    uint32_t mask = 0;
    explicit operator bool() const noexcept { return slots != nullptr; }
  };
  struct Bitmap {
    const uint64_t* words = nullptr;
    uint32_t log2 = channel::kBitmapLog2Min;
    bool has(uint32_t bit) const noexcept { return (words[bit / 64] >> (bit % 64) & 1) != 0; }
    bool has_gram(uint32_t gram) const noexcept { return has(channel::gram_bit(gram, log2)); }
    bool has_key(uint64_t hash) const noexcept { return has(channel::key_bit(hash, log2)); }
  };
  static constexpr size_t kFewGrams = 4;

  uint32_t input = 0;
  bool broken = false;  // a reference points outside its table: no event gets past this index
  bool anchored = false;
  Table exact, suffix, prefix, near_grams, far_grams;
  Bitmap anchored_known, near_known, far_known;
  uint32_t suffix_sizes = 0;
  uint32_t near_sizes = 0;
  std::span<const uint32_t> prefix_lengths;
  // Near grams are looked for by three bytes of their literals, at every place, or at every second or fourth where the shortest literal is long enough to have as many of them.
  // A gram of a literal that is found at a place begins at most near_before in front of it and near_behind behind it.
  GramFilter near_filter;
  uint32_t near_stride = 1;
  uint32_t near_before = 0;
  uint32_t near_behind = 0;
  bool near_with_far = false;  // the far grams' first three bytes are in near_filter, too: one pass for both
  GramFilter far_filter;
  // Of an index that has nothing but far grams, and no more than these: so few are compared as they are, without folding the text first. Bit 5 of each byte is set.
  std::array<uint32_t, kFewGrams> few{};
  uint32_t few_count = 0;
  uint32_t few_bytes_min = 0;  // of a text: shorter ones, folded, are shorter than each literal

  std::vector<uint64_t> near_words;  // near_filter's

  // Of an index with few keys: what its literals say of a text before it is folded, with bit 5 of each byte set (rough.cpp). Most texts need not be folded then.
  Rough rough;
};

// One for each of the layout's indexes, in their order.
std::vector<IndexPlan> make_index_plans(const channel::Layout& layout);

}  // namespace creance::interpreter
