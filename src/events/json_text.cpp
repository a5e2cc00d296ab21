#include "events/json_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.hpp"

namespace creance::events {
namespace {

constexpr uint32_t kReplacement = 0xFFFD;

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

char* put_utf8(char* out, uint32_t c) {
  const auto put = [&out](uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (c < 0x80) {
    put(c);
  } else if (c < 0x800) {
    put(0xC0 | c >> 6);
    put(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    put(0xE0 | c >> 12);
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  } else {
    put(0xF0 | c >> 18);
    put(0x80 | (c >> 12 & 0x3F));
    put(0x80 | (c >> 6 & 0x3F));
    put(0x80 | (c & 0x3F));
  }
  return out;
}

// `at` stands behind "\u"; afterwards behind the whole escape, the second half of a pair included.
std::optional<uint32_t> code_point(std::string_view text, size_t& at) {
  const auto first = hex4(text.substr(at));
  if (!first) return std::nullopt;
  at += 4;
  if (*first < 0xD800 || *first > 0xDFFF) return *first;
  if (*first > 0xDBFF || text.substr(at, 2) != "\\u") return kReplacement;
  const auto second = hex4(text.substr(at + 2));
  if (!second) return std::nullopt;
  if (*second < 0xDC00 || *second > 0xDFFF) return kReplacement;  // the second escape is read on its own
  at += 6;
  return 0x10000 + ((*first - 0xD800) << 10) + (*second - 0xDC00);
}

char simple_escape(char c) {
  switch (c) {
    case '"': return '"';
    case '\\': return '\\';
    case '/': return '/';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
  }
}

}  // namespace

char* TextArena::reserve(size_t bytes) {
  CHECK(bytes <= block_.size() - used_);
  return block_.data() + used_;
}

std::optional<std::string_view> unescape(std::string_view inner, TextArena& arena) {
  const void* first = std::memchr(inner.data(), '\\', inner.size());
  if (first == nullptr) return inner;
  char* const begin = arena.reserve(inner.size());
  char* out = begin;
  size_t at = 0;
  while (at < inner.size()) {
    const void* found = std::memchr(inner.data() + at, '\\', inner.size() - at);
    const size_t next = found == nullptr ? inner.size() : static_cast<size_t>(static_cast<const char*>(found) - inner.data());
    std::memcpy(out, inner.data() + at, next - at);
    out += next - at;
    if (next == inner.size()) break;
    if (next + 1 == inner.size()) return std::nullopt;
    const char kind = inner[next + 1];
    at = next + 2;
    if (kind == 'u') {
      const auto c = code_point(inner, at);
      if (!c) return std::nullopt;
      out = put_utf8(out, *c);
    } else {
      const char c = simple_escape(kind);
      if (c == 0) return std::nullopt;
      *out++ = c;
    }
  }
  arena.commit(out);
  return std::string_view(begin, static_cast<size_t>(out - begin));
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

}  // namespace creance::events
