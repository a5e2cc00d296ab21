// Sigma's string values: escapes, wildcards, and the modifiers that change a text before it is compared (windash, wide, base64, …).
// Source: Sigma specification 2.1.0, "Special field values" (escapes, wildcards) and "Modifiers". Values only; no predicates yet.
#pragma once
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "channel/format.hpp"

namespace creance::compiler {

struct Token {
  channel::GlobKind kind = channel::GlobKind::kText;
  std::string text;  // kText: never empty in a tidy pattern
  friend bool operator==(const Token&, const Token&) = default;
};
using Pattern = std::vector<Token>;  // over the whole value; empty: the empty value

// Joins texts, drops empty ones, joins runs.
Pattern tidy(Pattern pattern);

// `*` any run, `?` one character; `\*` `\?` `\\` are those characters; another backslash is itself.
Pattern parse_pattern(std::string_view text);

Pattern wrap(Pattern pattern, bool run_before, bool run_behind);

// Every dash (`-` `/` and the three long ones) that no word character stands before and one stands behind becomes kDash.
Pattern windash(const Pattern& pattern);
// One literal pattern for each dash if there is exactly one (the index finds literals faster); else the pattern itself.
std::vector<Pattern> expand_single_dash(const Pattern& pattern);
// Without kDash: a pattern for each way to write the dashes. Empty: more than limits::kDashFormsMax.
std::vector<Pattern> expand_dashes(const Pattern& pattern);

enum class Encoding { kUtf16Le, kUtf16Be, kUtf16WithMark };
// No kDash may be left: encodings are of text.
Pattern encode_utf16(const Pattern& pattern, Encoding encoding);

// Texts only: a wildcard has no encoding. Gives the texts, or what stands in the way.
std::expected<std::vector<Pattern>, std::string> base64(const Pattern& pattern, bool at_every_offset);

}  // namespace creance::compiler
