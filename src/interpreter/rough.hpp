// What an index with few keys says of a text as it stands, with bit 5 of each byte set instead of folding it: "no" for most, and these are neither folded nor scanned.
// Derived from the literals of verified candidates when a channel is made ready. Lets through all that the tables would find, and decides nothing (docs/adr/0190).
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace creance::interpreter {

class Rough {
 public:
  class Maker;
  static constexpr size_t kTextBytesMax = 48;  // longer texts are folded and scanned by whole blocks

  explicit operator bool() const noexcept { return !words_.empty(); }
  // Whether a text of at most kTextBytesMax bytes may hold what the index looks for. One with a byte beyond ASCII may: folding can change more than bit 5.
  bool may_hold(std::string_view text) const noexcept {
    if (!whole_alone_ || text.size() >= 8) return may_hold_any(text);
    const uint64_t all = short_text(text);
    return ((has(whole_place(all, all, text.size())) | all >> 7) & kOnes) != 0;
  }

 private:
  static constexpr uint64_t kOnes = 0x0101010101010101ull;
  static constexpr uint64_t kBit5 = 0x20 * kOnes;
  static constexpr uint64_t kMultiplier = 0x9e3779b97f4a7c15ull;

  // A text of fewer than 8 bytes; behind it zeros.
  static uint64_t short_text(std::string_view text) noexcept {
    const char* const data = text.data();
    const size_t size = text.size();
    if (size >= 4) return load<uint32_t>(data) | static_cast<uint64_t>(load<uint32_t>(data + size - 4)) << (8 * (size - 4));
    if (size == 0) return 0;
    const auto byte = [&](size_t at) { return static_cast<uint64_t>(static_cast<uint8_t>(data[at])) << (8 * at); };
    return byte(0) | byte(size / 2) | byte(size - 1);
  }
  template <class Word>
  static Word load(const char* at) noexcept {
    Word word;
    std::memcpy(&word, at, sizeof word);
    return word;
  }
  // Places in the filter, of the first and the last min(8, size) bytes of a whole, and of the last ones of a suffix at the upper end of a word. Bit 5 is set beyond a short text, too: of literals and texts alike.
  uint32_t place(uint64_t key) const noexcept { return static_cast<uint32_t>(key * kMultiplier >> shift_); }
  uint32_t whole_place(uint64_t head, uint64_t tail, size_t size) const noexcept { return place((head | kBit5) + std::rotl(tail | kBit5, 29) * 3 + size); }
  uint32_t suffix_place(uint64_t top, uint32_t size) const noexcept { return place(((top | kBit5) >> (64 - 8 * size)) ^ std::rotr(uint64_t{size}, 8)); }
  // Bit 0.
  uint64_t has(uint32_t bit) const noexcept { return words_.data()[bit / 64] >> (bit % 64) & 1; }
  bool may_hold_any(std::string_view text) const noexcept;

  std::vector<uint64_t> words_;   // keys of wholes and suffixes, and triples of inner literals; empty: the index is not asked this way
  uint32_t shift_ = 0;            // 64 less the logarithm of its bits
  uint32_t stride_ = 0;           // triples are looked for at so many places; 0: there are none
  uint32_t suffix_sizes_ = 0;     // as in the index
  bool any_whole_ = false;
  bool whole_alone_ = false;
};

class Rough::Maker {
 public:
  explicit Maker(uint32_t suffix_sizes) : suffix_sizes_(suffix_sizes) {}
  void add_whole(std::string_view literal);
  void add_suffix(std::string_view literal);
  void add_inner(std::string_view literal);                    // kContains of near grams
  void add_far(std::string_view literal, uint32_t offset);     // one gram of four
  Rough make() const;

 private:
  uint32_t suffix_sizes_;
  bool any_inner_ = false;
  size_t shortest_ = ~size_t{0};       // inner literal
  std::vector<std::string_view> wholes_;
  std::vector<std::string_view> suffixes_;
  std::vector<std::string_view> inner_;
  std::vector<uint32_t> far_triples_;
};

}  // namespace creance::interpreter
