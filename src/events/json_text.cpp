#include "events/json_text.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "base/check.hpp"
#include "base/utf8.hpp"

namespace creance::events {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<uint32_t> hex4(std::string_view text) {
  if (text.size() < 4) return std::nullopt;
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = text[static_cast<size_t>(i)];
    const char lower = static_cast<char>(c | 0x20);
    if (is_digit(c)) {
      value = value * 16 + static_cast<uint32_t>(c - '0');
    } else if (lower >= 'a' && lower <= 'f') {
      value = value * 16 + static_cast<uint32_t>(lower - 'a') + 10;
    } else {
      return std::nullopt;
    }
  }
  return value;
}

// `at` stands behind "\u"; afterwards behind the whole escape, the second half of a pair included.
std::optional<uint32_t> code_point(std::string_view text, size_t& at) {
  const auto first = hex4(text.substr(at));
  if (!first) return std::nullopt;
  at += 4;
  if (*first < 0xD800 || *first > 0xDFFF) return *first;
  if (*first > 0xDBFF || text.substr(at, 2) != "\\u") return kReplacementCharacter;
  const auto second = hex4(text.substr(at + 2));
  if (!second) return std::nullopt;
  if (*second < 0xDC00 || *second > 0xDFFF) return kReplacementCharacter;  // the second escape is read on its own
  at += 6;
  return 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00);
}

// What stands behind the backslash -> what it says; 0: no escape of one character.
constexpr std::array<char, 256> kSimpleEscapes = [] {
  std::array<char, 256> table{};
  table['"'] = '"';
  table['\\'] = '\\';
  table['/'] = '/';
  table['b'] = '\b';
  table['f'] = '\f';
  table['n'] = '\n';
  table['r'] = '\r';
  table['t'] = '\t';
  return table;
}();

// How many bytes of eight stand before the first backslash; 8: there is none.
size_t plain_bytes(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  const uint64_t zero = word ^ (0x5c * kOnes);  // a byte of zero is a backslash; the first mark is exact
  const uint64_t marks = (zero - kOnes) & ~zero & (0x80 * kOnes);
  return static_cast<size_t>(std::countr_zero(marks)) / 8;
}

// `at` stands on a backslash; afterwards behind the escape. What it says goes to `put`. False: a bad escape.
template <class Put>
bool pass_escape(std::string_view inner, size_t& at, Put put) {
  if (at + 1 == inner.size()) return false;
  const char kind = inner[at + 1];
  at += 2;
  if (const char c = kSimpleEscapes[static_cast<uint8_t>(kind)]; c != 0) {
    put(static_cast<uint32_t>(c));
    return true;
  }
  if (kind != 'u') return false;
  const auto c = code_point(inner, at);
  if (!c) return false;
  put(*c);
  return true;
}

}  // namespace

char* TextArena::reserve(size_t bytes) {
  CHECK(bytes <= block_.size() - used_);
  return block_.data() + used_;
}

std::optional<std::string_view> unescape(std::string_view inner, TextArena& arena) {
  const size_t at = first_backslash(inner, 0);
  return at == inner.size() ? std::optional(inner) : unescape_from(inner, at, arena);
}

std::optional<std::string_view> unescape_from(std::string_view inner, size_t at, TextArena& arena) {
  char* const begin = arena.reserve(inner.size());
  std::memcpy(begin, inner.data(), at);
  char* out = begin + at;
  while (at < inner.size()) {
    if (inner[at] == '\\') {
      if (at + 1 < inner.size() && inner[at + 1] == '\\') [[likely]] {  // paths
        *out++ = '\\';
        at += 2;
      } else if (!pass_escape(inner, at, [&out](uint32_t c) { out = c < 0x80 ? (*out = static_cast<char>(c), out + 1) : put_utf8(c, out); })) {
        return std::nullopt;
      }
      continue;
    }
    if (at + 8 > inner.size()) {
      *out++ = inner[at++];
      continue;
    }
    uint64_t word;  // up to the next backslash; what was copied of it and behind is overwritten. No more is written than was read
    std::memcpy(&word, inner.data() + at, 8);
    std::memcpy(out, &word, 8);
    const size_t plain = plain_bytes(word);
    at += plain;
    out += plain;
  }
  arena.commit(out);
  return std::string_view(begin, static_cast<size_t>(out - begin));
}

Scalar read_scalar(std::string_view token, TextArena& arena, std::string_view& text) {
  if (token.size() >= 2 && token.front() == '"' && token.back() == '"') {
    const auto made = unescape(token.substr(1, token.size() - 2), arena);
    if (!made) return Scalar::kBadEscape;
    text = *made;
    return Scalar::kValue;
  }
  if (token == "null") return Scalar::kNull;
  if (token != "true" && token != "false" && !is_json_number(token)) return Scalar::kBad;
  text = token;
  return Scalar::kValue;
}

bool is_scalar(std::string_view token) {
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') return is_json_number(token) || token == "null" || token == "true" || token == "false";
  const std::string_view inner = token.substr(1, token.size() - 2);
  for (size_t at = first_backslash(inner, 0); at < inner.size(); at = first_backslash(inner, at)) {
    if (!pass_escape(inner, at, [](uint32_t) {})) return false;
  }
  return true;
}

bool is_json_number(std::string_view token) {
  size_t at = 0;
  const auto here = [&] { return at < token.size() ? token[at] : '\0'; };
  const auto digits = [&] {
    const size_t begin = at;
    while (is_digit(here())) ++at;
    return at > begin;
  };
  if (here() == '-') ++at;
  if (here() == '0') {
    ++at;
  } else if (!digits()) {
    return false;
  }
  if (here() == '.') {
    ++at;
    if (!digits()) return false;
  }
  if (here() == 'e' || here() == 'E') {
    ++at;
    if (here() == '+' || here() == '-') ++at;
    if (!digits()) return false;
  }
  return at == token.size();
}

std::optional<int64_t> whole_number(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return std::nullopt;
  text = text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
  int64_t plain = 0;
  const char* const text_end = text.data() + text.size();
  if (const auto parsed = std::from_chars(text.data(), text_end, plain); parsed.ec == std::errc{} && parsed.ptr == text_end) return plain;
  if (!is_json_number(text)) return std::nullopt;
  // digits with a point somewhere: 0.<digits> * 10^place
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  const size_t exponent_at = std::min(text.find_first_of("eE"), text.size());
  int64_t exponent = 0;
  if (exponent_at < text.size()) {
    const size_t digits = exponent_at + (text[exponent_at + 1] == '+' ? 2 : 1);
    if (std::from_chars(text.data() + digits, text_end, exponent).ec != std::errc{}) return std::nullopt;
  }
  const std::string_view mantissa = text.substr(0, exponent_at);
  const int64_t places = static_cast<int64_t>(std::min(mantissa.find('.'), mantissa.size()));
  if (exponent > 64 || exponent < -int64_t{1} * static_cast<int64_t>(mantissa.size())) {
    return mantissa.find_first_not_of("0.") == std::string_view::npos ? std::optional<int64_t>(0) : std::nullopt;
  }
  char digits[24];
  size_t count = 0;
  if (negative) digits[count++] = '-';
  int64_t at = 0;  // digits seen
  for (const char c : mantissa) {
    if (c == '.') continue;
    const bool whole = at++ < places + exponent;
    if (!whole && c != '0') return std::nullopt;
    if (!whole || (c == '0' && count == (negative ? 1u : 0u))) continue;
    if (count == sizeof digits) return std::nullopt;
    digits[count++] = c;
  }
  if (count == (negative ? 1u : 0u)) return 0;
  for (; at < places + exponent; ++at) {
    if (count == sizeof digits) return std::nullopt;
    digits[count++] = '0';
  }
  const auto parsed = std::from_chars(digits, digits + count, plain);
  return parsed.ec == std::errc{} && parsed.ptr == digits + count ? std::optional(plain) : std::nullopt;
}

std::string_view WholeNumbers::digits_of(std::string_view text) {
  if (text.size() <= 18 && (text.size() == 1 || !text.starts_with('0')) && std::ranges::all_of(text, is_digit)) return text;
  const auto number = whole_number(text);
  if (!number) return text;
  if (used_ == made_.size()) made_.emplace_back();
  auto& digits = made_[used_++];
  return {digits.data(), static_cast<size_t>(std::to_chars(digits.data(), digits.data() + digits.size(), *number).ptr - digits.data())};
}

}  // namespace creance::events
