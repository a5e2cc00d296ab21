// JSON scalars -> text. Works on tokens that a JSON parser has already cut out; not a parser of documents.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <deque>
#include <optional>
#include <string_view>
#include <vector>

namespace creance::events {

// Memory for unescaped strings of one event: a block that only grows, reused for the next. Views stay valid until reset().
class TextArena {
 public:
  // Room for all strings of a document of `bytes`: unescaping makes none longer.
  void reset(size_t bytes) {
    if (block_.size() < bytes) block_.resize(bytes + bytes / 2);
    used_ = 0;
  }
  char* reserve(size_t bytes);  // CHECKs that reset() made enough room
  void commit(const char* end) { used_ = static_cast<size_t>(end - block_.data()); }

 private:
  std::vector<char> block_;
  size_t used_ = 0;
};

// The text between the quotes of a JSON string, unescaped: a view of itself if it has no escape, else in the arena. Nothing: a bad escape.
// A lone surrogate becomes U+FFFD.
std::optional<std::string_view> unescape(std::string_view inner, TextArena& arena);
std::optional<std::string_view> unescape_from(std::string_view inner, size_t backslash, TextArena& arena);  // likewise; its first backslash is known

bool is_json_number(std::string_view token);  // RFC 8259 section 6

// The whole number that a text is, however JSON spells it (`4688`, `4688.0`, `4.688e3`), blanks around it left out; nothing: it is none, or needs more than 64 bits.
std::optional<int64_t> whole_number(std::string_view text);

// What lies from the first byte of a value or name to the next place of JSON's structure, without the white space behind it.
inline std::string_view trimmed_token(std::string_view token) {
  while (!token.empty() && (token.back() == ' ' || token.back() == '\t' || token.back() == '\r' || token.back() == '\n')) token.remove_suffix(1);
  return token;
}

// The first backslash of `text` at or after `at`; its size: there is none. Eight bytes at once.
inline size_t first_backslash(std::string_view text, size_t at) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    const uint64_t zero = word ^ (0x5c * kOnes);  // a byte of zero is a backslash; the first mark is exact
    const uint64_t marks = (zero - kOnes) & ~zero & (0x80 * kOnes);
    if (marks != 0) return at + static_cast<size_t>(std::countr_zero(marks)) / 8;
  }
  while (at < text.size() && text[at] != '\\') ++at;
  return at;
}
static_assert(std::endian::native == std::endian::little);

enum class Scalar : uint8_t { kValue, kNull, kBadEscape, kBad };
// A trimmed token -> its text: of a string what it says, of a number or boolean the token itself.
Scalar read_scalar(std::string_view token, TextArena& arena, std::string_view& text);
// Whether read_scalar() would find a value or null, without making the text.
bool is_scalar(std::string_view token);

// Whole numbers as digits alone, for the values of one event; a view stays valid until reset(). No allocation in the steady state.
class WholeNumbers {
 public:
  void reset() { used_ = 0; }
  std::string_view digits_of(std::string_view text);  // text that is no whole number stays as it is

 private:
  std::deque<std::array<char, 24>> made_;  // of numbers that were spelled otherwise
  size_t used_ = 0;
};

}  // namespace creance::events
