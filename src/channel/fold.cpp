#include "channel/fold.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "channel/utf8.hpp"

namespace creance::channel {
namespace {

struct FoldRange {
  uint32_t low;
  uint32_t high;
  uint32_t step;
  int32_t delta;
};
constexpr FoldRange kFoldRanges[] = {
#include "channel/fold_table.inc"
};

constexpr std::array<char, 128> kAsciiFold = [] {
  std::array<char, 128> table{};
  for (size_t i = 0; i < table.size(); ++i) table[i] = static_cast<char>(i >= 'A' && i <= 'Z' ? i + 32 : i);
  return table;
}();

constexpr size_t kBlock = 32;

// One block without branches, for the vectoriser; true if all of it was ASCII.
bool fold_block(const char* __restrict in, char* __restrict out) noexcept {
  uint8_t any = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const auto byte = static_cast<uint8_t>(in[i]);
    any |= byte;
    const uint8_t upper = static_cast<uint8_t>(byte - 'A') < 26 ? 32 : 0;
    out[i] = static_cast<char>(byte | upper);
  }
  return any < 0x80;
}

// Eight bytes at once: upper-case ASCII letters get bit 5, other bytes stay.
uint64_t fold_word(uint64_t word) noexcept {
  constexpr uint64_t kOnes = 0x0101010101010101ull;
  const uint64_t low = word & (0x7f * kOnes);
  const uint64_t from_a = low + (0x80 - 'A') * kOnes;      // bit 7: at least 'A'
  const uint64_t above_z = low + (0x7f - 'Z') * kOnes;     // bit 7: above 'Z'
  return word | ((from_a ^ above_z) & ~word & (0x80 * kOnes)) >> 2;
}
constexpr uint64_t kHighBits = 0x8080808080808080ull;

// The last bytes (fewer than a block) of an ASCII text; false: there is a byte that is not.
bool fold_tail(const char* in, size_t size, char* out) noexcept {
  const auto word_at = [&](size_t at) {
    uint64_t word;
    std::memcpy(&word, in + at, 8);
    return word;
  };
  const auto put = [&](size_t at, uint64_t word) {
    const uint64_t folded = fold_word(word);
    std::memcpy(out + at, &folded, 8);
    return (word & kHighBits) == 0;
  };
  if (size >= 8) {
    bool ascii = true;
    for (size_t at = 0; at + 8 < size; at += 8) ascii &= put(at, word_at(at));
    return ascii & put(size - 8, word_at(size - 8));  // may overlap what is done
  }
  uint8_t any = 0;
  for (size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<uint8_t>(in[i]);
    any |= byte;
    out[i] = static_cast<char>(byte | (static_cast<uint8_t>(byte - 'A') < 26 ? 32 : 0));
  }
  return any < 0x80;
}

size_t fold_slow(std::string_view text, char* out) noexcept {
  const char* at = text.data();
  const char* const end = at + text.size();
  char* to = out;
  while (at < end) {
    const Decoded decoded = decode(at, end);
    if (decoded.rune < 0x80) {
      *to++ = kAsciiFold[decoded.rune];
    } else if (decoded.rune == kInvalidRune) {
      *to++ = *at;
    } else {
      to += encode(fold_rune(decoded.rune), to);
    }
    at += decoded.size;
  }
  return static_cast<size_t>(to - out);
}

}  // namespace

uint32_t fold_rune(uint32_t rune) noexcept {
  if (rune < 0x80) return static_cast<uint8_t>(kAsciiFold[rune]);
  const auto* const range = std::ranges::lower_bound(kFoldRanges, rune, {}, &FoldRange::high);
  if (range == std::end(kFoldRanges) || rune < range->low || (rune - range->low) % range->step != 0) return rune;
  return static_cast<uint32_t>(static_cast<int32_t>(rune) + range->delta);
}

size_t fold(std::string_view text, char* out) noexcept {
  size_t i = 0;
  for (; i + kBlock <= text.size(); i += kBlock) {
    if (!fold_block(text.data() + i, out + i)) return i + fold_slow(text.substr(i), out + i);
  }
  return fold_tail(text.data() + i, text.size() - i, out + i) ? text.size() : i + fold_slow(text.substr(i), out + i);
}

std::string fold(std::string_view text) {
  std::string out(folded_bytes_max(text.size()) + 1, '\0');
  out.resize(fold(text, out.data()));
  return out;
}

std::vector<uint32_t> fold_orbit(uint32_t rune) {
  static const std::multimap<uint32_t, uint32_t> kSources = [] {
    std::multimap<uint32_t, uint32_t> sources;
    for (const FoldRange& range : kFoldRanges) {
      for (uint32_t r = range.low; r <= range.high; r += range.step) sources.emplace(fold_rune(r), r);
    }
    for (uint32_t r = 'A'; r <= 'Z'; ++r) sources.emplace(r + 32, r);
    return sources;
  }();
  const uint32_t folded = fold_rune(rune);
  std::vector<uint32_t> orbit{folded};
  for (auto [it, last] = kSources.equal_range(folded); it != last; ++it) orbit.push_back(it->second);
  std::ranges::sort(orbit);
  return orbit;
}

}  // namespace creance::channel
