#include "reference/pattern.hpp"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/bytes.hpp"
#include "base/limits.hpp"

namespace creance::reference {
namespace {

using Kind = Token::Kind;
constexpr std::array<char32_t, 5> kDashes = {U'-', U'/', U'\u2013', U'\u2014', U'\u2015'};
constexpr std::array<std::string_view, 5> kDashTexts = {"-", "/", "\u2013", "\u2014", "\u2015"};

bool is_dash(char32_t c) { return std::find(kDashes.begin(), kDashes.end(), c) != kDashes.end(); }
// docs/adr/0058: letters, digits and `_` of ASCII, and beyond it all but the blocks of punctuation and symbols.
bool is_word(char32_t c) {
  if (c < 0x80) return c == U'_' || u_isalnum(static_cast<UChar32>(c)) != 0;
  constexpr std::array<std::pair<char32_t, char32_t>, 9> kOthers = {{{0x80, 0xA9}, {0xAB, 0xB4}, {0xB6, 0xB9}, {0xBB, 0xBF}, {0xD7, 0xD7}, {0xF7, 0xF7}, {0x2000, 0x2BFF}, {0x3000, 0x3004}, {kStrayByte, ~char32_t{0}}}};
  return std::none_of(kOthers.begin(), kOthers.end(), [c](const auto& range) { return c >= range.first && c <= range.second; });
}

void add_text(Pattern& pattern, std::string_view text) {
  if (text.empty()) return;
  if (pattern.empty() || pattern.back().kind != Kind::kText) pattern.push_back({Kind::kText, ""});
  pattern.back().text += text;
}

std::string utf8_of(char32_t c) {
  std::string out;
  const auto put = [&out](char32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c >= kStrayByte) {
    put(c - kStrayByte);
  } else if (c < 0x80) {
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

// Encodings work on text: each dash becomes each of its five forms.
Result<std::vector<Pattern>> without_dashes(const Pattern& pattern) {
  std::vector<Pattern> all = {{}};
  for (const Token& token : pattern) {
    if (token.kind != Kind::kDash) {
      for (Pattern& each : all) {
        if (token.kind == Kind::kText) add_text(each, token.text); else each.push_back(token);
      }
      continue;
    }
    std::vector<Pattern> more;
    for (const Pattern& each : all) {
      for (const std::string_view dash : kDashTexts) {
        more.push_back(each);
        add_text(more.back(), dash);
      }
    }
    if (more.size() > limits::kDashFormsMax) return fail(ErrorCode::kUnsupported, "too many dashes in one value before an encoding");
    all = std::move(more);
  }
  return all;
}

// The bytes of a pattern that is plain text.
Result<std::string> plain(const Pattern& pattern) {
  std::string text;
  for (const Token& token : pattern) {
    if (token.kind != Kind::kText) return fail(ErrorCode::kInvalid, "base64 of a value with wildcards; escape them with a backslash");
    text += token.text;
  }
  return text;
}

std::string utf16_bytes(std::string_view text, bool big) {
  std::string out;
  const auto unit = [&](char32_t u) {
    const char low = static_cast<char>(static_cast<unsigned char>(u & 0xFF));
    const char high = static_cast<char>(static_cast<unsigned char>(u >> 8));
    out += big ? high : low;
    out += big ? low : high;
  };
  for (const char32_t c : characters_of(text)) {
    if (c >= kStrayByte) {
      unit(0xFFFD);
    } else if (c < 0x10000) {
      unit(c);
    } else {
      unit(0xD800 + ((c - 0x10000) >> 10));
      unit(0xDC00 + ((c - 0x10000) & 0x3FF));
    }
  }
  return out;
}

}  // namespace

Characters characters_of(std::string_view text) {
  Characters out;
  size_t at = 0;
  const auto tail = [&](size_t i) -> std::optional<char32_t> {
    if (at + i >= text.size()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(text[at + i]);
    return (byte & 0xC0) == 0x80 ? std::optional<char32_t>(byte & 0x3F) : std::nullopt;
  };
  while (at < text.size()) {
    const auto first = static_cast<unsigned char>(text[at]);
    const size_t length = first < 0x80 ? 1 : first >= 0xC2 && first <= 0xDF ? 2 : first >= 0xE0 && first <= 0xEF ? 3 : first >= 0xF0 && first <= 0xF4 ? 4 : 0;
    char32_t c = length == 1 ? first : length == 2 ? first & 0x1F : length == 3 ? first & 0x0F : first & 0x07;
    bool valid = length > 0;
    for (size_t i = 1; valid && i < length; ++i) {
      const auto more = tail(i);
      valid = more.has_value();
      if (valid) c = c << 6 | *more;
    }
    if (length == 3 && c < 0x800) valid = false;
    if (length == 4 && (c < 0x10000 || c > 0x10FFFF)) valid = false;
    out += valid ? c : kStrayByte + first;
    at += valid ? length : 1;
  }
  return out;
}

Characters folded(Characters characters) {
  for (char32_t& c : characters) {
    if (c < kStrayByte) c = static_cast<char32_t>(u_foldCase(static_cast<UChar32>(c), U_FOLD_CASE_DEFAULT));
  }
  return characters;
}

Pattern parse_pattern(std::string_view value) {
  Pattern out;
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const char next = i + 1 < value.size() ? value[i + 1] : '\0';
    if (c == '\\' && (next == '*' || next == '?' || next == '\\')) {
      add_text(out, value.substr(++i, 1));
    } else if (c == '*') {
      out.push_back({Kind::kAnyRun, ""});
    } else if (c == '?') {
      out.push_back({Kind::kAnyOne, ""});
    } else {
      add_text(out, value.substr(i, 1));
    }
  }
  return out;
}

Pattern literal_pattern(std::string_view text) {
  Pattern out;
  add_text(out, text);
  return out;
}

Pattern starts_with(Pattern pattern) {
  pattern.push_back({Kind::kAnyRun, ""});
  return pattern;
}
Pattern ends_with(Pattern pattern) {
  pattern.insert(pattern.begin(), {Kind::kAnyRun, ""});
  return pattern;
}
Pattern contains(Pattern pattern) { return ends_with(starts_with(std::move(pattern))); }

// In each piece of text between wildcards, as if it stood alone: a dash, no word character before it, one behind it.
Pattern windash(const Pattern& pattern) {
  Pattern out;
  for (const Token& token : pattern) {
    if (token.kind != Kind::kText) {
      out.push_back(token);
      continue;
    }
    const Characters text = characters_of(token.text);
    for (size_t i = 0; i < text.size(); ++i) {
      const bool word_before = i > 0 && is_word(text[i - 1]);
      const bool word_behind = i + 1 < text.size() && is_word(text[i + 1]);
      if (is_dash(text[i]) && !word_before && word_behind) {
        out.push_back({Kind::kDash, ""});
      } else {
        add_text(out, utf8_of(text[i]));
      }
    }
  }
  return out;
}

Result<std::vector<Pattern>> utf16(const Pattern& pattern, Utf16 form) {
  TRY(std::vector<Pattern> all, without_dashes(pattern));
  for (Pattern& each : all) {
    for (Token& token : each) {
      if (token.kind == Kind::kText) token.text = utf16_bytes(token.text, form == Utf16::kBig);
    }
    if (form == Utf16::kMarked) each.insert(each.begin(), {Kind::kText, "\xFF\xFE"});
  }
  return all;
}

Result<std::vector<Pattern>> base64(const Pattern& pattern) {
  TRY(std::vector<Pattern> all, without_dashes(pattern));
  for (Pattern& each : all) {
    TRY(const std::string text, plain(each));
    each = literal_pattern(to_base64(as_bytes(text)));
  }
  return all;
}

// The value may stand 0, 1 or 2 bytes behind a multiple of three. Characters that also depend on the bytes around it are left out.
Result<std::vector<Pattern>> base64_offset(const Pattern& pattern) {
  constexpr std::array<size_t, 3> kFirst = {0, 2, 3};  // first character that depends on nothing before the value
  constexpr std::array<size_t, 3> kCut = {0, 3, 2};    // by (offset + length) mod 3: characters that depend on what follows, padding included
  TRY(const std::vector<Pattern> all, without_dashes(pattern));
  std::vector<Pattern> out;
  for (const Pattern& each : all) {
    TRY(const std::string text, plain(each));
    for (size_t offset = 0; offset < 3; ++offset) {
      const std::string encoded = to_base64(as_bytes(std::string(offset, ' ') + text));
      const size_t end = encoded.size() - kCut[(offset + text.size()) % 3];
      if (end <= kFirst[offset]) return fail(ErrorCode::kInvalid, "the value is too short for base64offset: at one offset nothing of it is left");
      out.push_back(literal_pattern(std::string_view(encoded).substr(kFirst[offset], end - kFirst[offset])));
    }
  }
  return out;
}

bool matches(const Pattern& pattern, std::string_view text, bool cased) {
  Characters value = characters_of(text);
  if (!cased) value = folded(std::move(value));
  // reached[i]: the tokens so far can cover exactly the first i characters.
  std::vector<bool> reached(value.size() + 1, false);
  reached[0] = true;
  for (const Token& token : pattern) {
    std::vector<bool> next(value.size() + 1, false);
    if (token.kind == Kind::kText) {
      Characters literal = characters_of(token.text);
      if (!cased) literal = folded(std::move(literal));
      for (size_t i = 0; i + literal.size() <= value.size(); ++i) {
        if (reached[i] && value.compare(i, literal.size(), literal) == 0) next[i + literal.size()] = true;
      }
    } else if (token.kind == Kind::kAnyRun) {
      bool any = false;
      for (size_t i = 0; i <= value.size(); ++i) next[i] = any = any || reached[i];
    } else {
      for (size_t i = 0; i < value.size(); ++i) next[i + 1] = reached[i] && (token.kind == Kind::kAnyOne || is_dash(value[i]));
    }
    reached = std::move(next);
  }
  return reached[value.size()];
}

}  // namespace creance::reference
