// Text and patterns as Sigma means them: characters, case, wildcards, escapes, and what the text modifiers make of a value. Nothing of rules or events.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace creance::reference {

// A text as characters: UTF-8 decoded; a byte that is not UTF-8 is kStrayByte + the byte.
using Characters = std::u32string;
inline constexpr char32_t kStrayByte = 0x8000'0000;
Characters characters_of(std::string_view text);
Characters folded(Characters characters);  // simple case folding, character by character

// One element of a pattern.
struct Token {
  enum class Kind { kText, kAnyRun, kAnyOne, kDash };  // kDash: one of the five dashes of `windash`
  Kind kind = Kind::kText;
  std::string text;  // kText only; bytes, never empty
};
using Pattern = std::vector<Token>;

Pattern parse_pattern(std::string_view value);   // Sigma's wildcards and escapes
Pattern literal_pattern(std::string_view text);  // every character is itself

// The text modifiers. Those that give several patterns mean any of them.
Pattern contains(Pattern pattern);
Pattern starts_with(Pattern pattern);
Pattern ends_with(Pattern pattern);
Pattern windash(const Pattern& pattern);
enum class Utf16 { kLittle, kBig, kMarked };
Result<std::vector<Pattern>> utf16(const Pattern& pattern, Utf16 form);
Result<std::vector<Pattern>> base64(const Pattern& pattern);
Result<std::vector<Pattern>> base64_offset(const Pattern& pattern);

// Whether the pattern covers the whole text.
bool matches(const Pattern& pattern, std::string_view text, bool cased);

}  // namespace creance::reference
