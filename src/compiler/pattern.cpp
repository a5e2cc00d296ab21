#include "compiler/pattern.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "channel/utf8.hpp"

namespace creance::compiler {
namespace {

using channel::GlobKind;

constexpr std::array<uint32_t, 5> kDashRunes{'-', '/', 0x2013, 0x2014, 0x2015};
constexpr std::array<std::string_view, 5> kDashTexts{"-", "/", "\xe2\x80\x93", "\xe2\x80\x94", "\xe2\x80\x95"};

// For `windash`. Beyond ASCII everything that is not in a block of punctuation or symbols (docs/adr/0058).
bool is_word(uint32_t rune) {
  if (rune == channel::kInvalidRune) return false;
  if (rune < 0x80) return (rune >= '0' && rune <= '9') || (rune >= 'a' && rune <= 'z') || (rune >= 'A' && rune <= 'Z') || rune == '_';
  const bool punctuation = rune < 0xc0 || rune == 0xd7 || rune == 0xf7 || (rune >= 0x2000 && rune <= 0x2bff) || (rune >= 0x3000 && rune <= 0x3004);
  return !punctuation || rune == 0xaa || rune == 0xb5 || rune == 0xba;
}

// The characters of one text with their places.
struct Character {
  uint32_t rune;
  size_t at;
  size_t size;
};
std::vector<Character> characters(std::string_view text) {
  std::vector<Character> out;
  for (size_t at = 0; at < text.size();) {
    const channel::Decoded decoded = channel::decode(text.data() + at, text.data() + text.size());
    out.push_back({decoded.rune, at, decoded.size});
    at += decoded.size;
  }
  return out;
}

void windash_text(const std::string& text, Pattern& out) {
  const std::vector<Character> runes = characters(text);
  std::string plain;
  for (size_t i = 0; i < runes.size(); ++i) {
    const bool is_dash = std::ranges::find(kDashRunes, runes[i].rune) != kDashRunes.end();
    const bool starts_option = (i == 0 || !is_word(runes[i - 1].rune)) && i + 1 < runes.size() && is_word(runes[i + 1].rune);
    if (is_dash && starts_option) {
      out.push_back({GlobKind::kText, std::move(plain)});
      out.push_back({GlobKind::kDash, {}});
      plain.clear();
    } else {
      plain.append(text, runes[i].at, runes[i].size);
    }
  }
  out.push_back({GlobKind::kText, std::move(plain)});
}

std::string utf16(std::string_view text, Encoding encoding) {
  std::string out;
  const auto put = [&](uint32_t unit) {
    const char low = static_cast<char>(static_cast<uint8_t>(unit));
    const char high = static_cast<char>(static_cast<uint8_t>(unit >> 8));
    out += encoding == Encoding::kUtf16Be ? high : low;
    out += encoding == Encoding::kUtf16Be ? low : high;
  };
  for (const Character& c : characters(text)) {
    const uint32_t rune = c.rune == channel::kInvalidRune ? 0xfffd : c.rune;
    if (rune < 0x10000) {
      put(rune);
    } else {
      put(0xd800 + ((rune - 0x10000) >> 10));
      put(0xdc00 + ((rune - 0x10000) & 0x3ff));
    }
  }
  return out;
}

}  // namespace

Pattern tidy(Pattern pattern) {
  Pattern out;
  for (Token& token : pattern) {
    if (token.kind == GlobKind::kText && token.text.empty()) continue;
    const bool same = !out.empty() && out.back().kind == token.kind;
    if (same && token.kind == GlobKind::kText) out.back().text += token.text;
    else if (!same || token.kind != GlobKind::kAnyRun) out.push_back(std::move(token));
  }
  return out;
}

Pattern parse_pattern(std::string_view text) {
  Pattern out;
  std::string plain;
  const auto wildcard = [&](GlobKind kind) {
    out.push_back({GlobKind::kText, std::move(plain)});
    out.push_back({kind, {}});
    plain.clear();
  };
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size() && (text[i + 1] == '*' || text[i + 1] == '?' || text[i + 1] == '\\')) plain += text[++i];
    else if (c == '*') wildcard(GlobKind::kAnyRun);
    else if (c == '?') wildcard(GlobKind::kAnyOne);
    else plain += c;
  }
  out.push_back({GlobKind::kText, std::move(plain)});
  return tidy(std::move(out));
}

Pattern wrap(Pattern pattern, bool run_before, bool run_behind) {
  if (run_before) pattern.insert(pattern.begin(), Token{GlobKind::kAnyRun, {}});
  if (run_behind) pattern.push_back({GlobKind::kAnyRun, {}});
  return tidy(std::move(pattern));
}

Pattern windash(const Pattern& pattern) {
  Pattern out;
  for (const Token& token : pattern) {
    if (token.kind == GlobKind::kText) windash_text(token.text, out);
    else out.push_back(token);
  }
  return tidy(std::move(out));
}

std::vector<Pattern> expand_single_dash(const Pattern& pattern) {
  if (std::ranges::count(pattern, GlobKind::kDash, &Token::kind) != 1) return {pattern};
  return expand_dashes(pattern);
}

std::vector<Pattern> expand_dashes(const Pattern& pattern) {
  std::vector<Pattern> forms{{}};
  for (const Token& token : pattern) {
    if (token.kind != GlobKind::kDash) {
      for (Pattern& form : forms) form.push_back(token);
      continue;
    }
    if (forms.size() * kDashTexts.size() > limits::kDashFormsMax) return {};
    std::vector<Pattern> more;
    for (const Pattern& form : forms) {
      for (const std::string_view dash : kDashTexts) {
        more.push_back(form);
        more.back().push_back({GlobKind::kText, std::string(dash)});
      }
    }
    forms = std::move(more);
  }
  for (Pattern& form : forms) form = tidy(std::move(form));
  return forms;
}

Pattern encode_utf16(const Pattern& pattern, Encoding encoding) {
  Pattern out = pattern;
  for (Token& token : out) {
    if (token.kind == GlobKind::kText) token.text = utf16(token.text, encoding);
  }
  if (encoding == Encoding::kUtf16WithMark) out.insert(out.begin(), Token{GlobKind::kText, "\xff\xfe"});
  return tidy(std::move(out));
}

std::expected<std::vector<Pattern>, std::string> base64(const Pattern& pattern, bool at_every_offset) {
  if (pattern.size() > 1 || (pattern.size() == 1 && pattern[0].kind != GlobKind::kText)) return std::unexpected("a wildcard has no base64 form; put `base64` before `contains`");
  if (pattern.empty()) return std::unexpected("an empty text has no base64 form");
  const std::string& text = pattern[0].text;
  if (!at_every_offset) return std::vector<Pattern>{{{GlobKind::kText, to_base64(as_bytes(text))}}};
  // In front of the text stand 0, 1 or 2 unknown bytes: the digits that they share with it are left away, and so are those shared with what follows.
  std::vector<Pattern> out;
  for (size_t offset = 0; offset < 3; ++offset) {
    const std::string digits = to_base64(as_bytes(std::string(offset, ' ') + text));
    const size_t first = std::array<size_t, 3>{0, 2, 3}[offset];
    const size_t behind = std::array<size_t, 3>{0, 3, 2}[(text.size() + offset) % 3];
    if (digits.size() <= first + behind) return std::unexpected("the text is too short for `base64offset`: nothing certain is left of it");
    out.push_back({{GlobKind::kText, digits.substr(first, digits.size() - first - behind)}});
  }
  return out;
}

}  // namespace creance::compiler
