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

size_t fold(std::string_view text, char* out) noexcept { return fold_ascii(text.data(), text.size(), out) ? text.size() : fold_slow(text, out); }

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
