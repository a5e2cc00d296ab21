// docs/sigma.md: made from the table below, and the table is tried: what it says is supported both judges take and answer as it says; what it says is refused is refused with that code.
// CREANCE_UPDATE_GOLDEN=1 writes the page and fails, so that a person reads the difference.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "both_judges.hpp"
#include "reference/rule_builder.hpp"
#include "sigma/modifiers.hpp"
#include "sigma/parser.hpp"
#include "sigma/resolve.hpp"
#include "support/places.hpp"

namespace creance::differential {
namespace {

using namespace testing_rules;

struct Point {
  std::string section;  // of the specification; "": none
  std::string point;
  std::string example;  // lines below `detection:`; `$` stands for a line of the selection `s`: "$A: x"
  std::string yes;      // a value of A for which it matches
  std::string no;       // and one for which it does not
  std::string code;     // refused with it
  std::string note;     // how it is understood; a deliberate difference begins with "Differs:", something added with "More:"
};

const std::vector<std::pair<std::string, std::vector<Point>>>& table() {
  static const std::string absent = "\x01";  // as yes or no: the event has no A
  static const std::vector<std::pair<std::string, std::vector<Point>>> made = {
      {"Values and fields: Sigma Rules Specification 2.1.0, Detection",
       {
           {"General", "values are compared as a whole, without case", "$A: aBä", "AbÄ", "xaBä", "", "Unicode simple case folding: one character stays one (`ß` is not `ss`)"},
           {"General", "numbers and booleans are compared as text", "$A: 88", "88", "088", "", "`88` and `'88'` are the same; so are `true` and `'TRUE'`"},
           {"String Wildcard", "`*` any run, `?` one character", "$A: 'a*b?c'", "a\nxb\u00e4c", "abc", "", "a run may be empty and hold line breaks; a byte that is no UTF-8 is one character"},
           {"Escape Character", "`\\*`, `\\?`, `\\\\`", R"($A: 'a\*b\\*')", R"(a*b\x)", "axb\\x", "", "a backslash before anything else is itself"},
           {"Lists", "a list of texts: keywords, each anywhere in any value", "  s: [some, other]\n  condition: s", "xSOMEx", "x", "", "every value of the event, also those that are no input of the Template Type; one value at a time"},
           {"Lists", "a list of maps: any of them", "  s:\n    - A: a\n    - A|contains: b\n  condition: s", "xb", "x", "", "keywords may stand between the maps: together they are one more alternative"},
           {"Maps", "all lines of a map", "$A|startswith: a\n    A|endswith: b", "a..b", "a", "", ""},
           {"Maps", "a list of values: any of them", "$A: [a, 7]", "7", "b", "", "of mixed types, too"},
           {"Special Field Values", "`''` is there and empty", "$A: ''", "", absent, "", ""},
           {"Special Field Values", "`null` is absent", "$A: null", absent, "", "", ""},
           {"Special Field Values", "`null` in a list", "$A: [a, null]", absent, "b", "", "Differs: the specification keeps `null` out of lists; here it is one more alternative"},
           {"Field Usage", "names of fields without spaces", "$A: a", "a", "b", "", "names are compared without case; a Template Type knows each of its inputs, and an unknown field is refused (S202)"},
           {"Placeholders", "`%name%` with `expand`", "$A|expand: '%names%'", "", "", "S049", "their values come from files ([write rules](how-to/write-rules.md)); without values the rule is refused by name"},
           {"Keywords search", "`'|all':` needs each keyword", "  s:\n    '|all': [one, two]\n  condition: s", "two one", "one", "", "each may be in another value"},
           {"", "an empty list or map", "$A: []", "", "", "S043", ""},
           {"", "a map as a value", "$A: {b: c}", "", "", "S045", ""},
           {"", "a search identifier that is one text", "  s: some\n  condition: s", "xSOMEx", "x", "", "More: it is the one keyword, as in pySigma, with a warning (S058)"},
           {"", "a search identifier that is a number, a truth value or nothing", "  s: 5\n  condition: s", "", "", "S042", ""},
           {"", "keys twice in a map", "$A: a\n    A: b", "", "", "S007", "YAML 1.2 forbids it; other readers keep one of them silently"},
       }},
      {"Conditions: Sigma Rules Specification 2.1.0, Condition",
       {
           {"Condition", "`and`, `or`, `not`, parentheses", "  a: {A: a}\n  b: {A: b}\n  condition: not (a or b) and not a", "c", "b", "", "`not` binds before `and`, that before `or`; words have no case, names have"},
           {"Condition", "`1 of them`, `all of them`", "  a: {A|contains: a}\n  b: {A|contains: b}\n  _c: {A: c}\n  condition: all of them", "ab", "a", "", "names that begin with `_` are left out"},
           {"Condition", "`1 of name*`, `all of name*`", "  sel_a: {A: a}\n  sel_b: {A: b}\n  condition: 1 of sel_*", "b", "c", "", "More: `any of` is `1 of`"},
           {"Condition", "a list of conditions: any of them", "  a: {A: a}\n  b: {A: b}\n  condition: [a, b]", "b", "c", "", ""},
           {"", "`not` over an absent field", "  a: {A: a}\n  condition: not a", absent, "a", "", "holds: absent is different. An input that the host cannot supply is not absent: the rule is held there"},
           {"", "aggregations (`| count()`, `| near`)", "  a: {A: a}\n  condition: a | count() > 5", "", "", "S065", "not part of Sigma 2: write a correlation"},
           {"", "`timeframe`", "  a: {A: a}\n  timeframe: 5m\n  condition: a", "a", "b", "", "a warning (S068): without an aggregation it has no effect"},
           {"", "a name that is not there", "  a: {A: a}\n  condition: b", "", "", "S061", ""},
       }},
      {"Modifiers: Sigma Modifiers 2.1.0",
       {
           {"Generic Modifiers", "`contains`", "$A|contains: b", "abc", "ac", "", ""},
           {"Generic Modifiers", "`startswith`", "$A|startswith: a", "ab", "ba", "", ""},
           {"Generic Modifiers", "`endswith`", "$A|endswith: a", "ba", "ab", "", ""},
           {"Generic Modifiers", "`all`", "$A|contains|all: [a, b]", "ba", "a", "", "with one value a warning (S050)"},
           {"Generic Modifiers", "`exists`", "$A|exists: true", "", absent, "", "empty is there"},
           {"Generic Modifiers", "`cased`", "$A|cased: aB", "aB", "ab", "", ""},
           {"Generic Modifiers", "`neq`", "$A|neq: [a, b]", absent, "b", "", "of the whole line: none of the values, and an absent field is different, too"},
           {"", "`exact`", "$A|exact: a", "A", "ab", "", "More: says the default"},
           {"String Modifiers", "`windash`", "$A|windash|contains: ' -a'", "x /a", "x a", "", "all five dashes into each other where `\\B` stands before and `\\b` behind. Differs: pySigma turns only `-` and `/`"},
           {"Regular Expression", "`re`", "$A|re: '^a[0-9]+$'", "a12", "A1", "", "found anywhere, with case. More: the syntax of RE2 with `\\p`, `\\Q…\\E`, `(?<name>…)`; bytes that are no UTF-8 are U+FFFD"},
           {"Regular Expression", "`i`", "$A|re|i: 'AB'", "xaBx", "a", "", ""},
           {"Regular Expression", "`m`", "$A|re|m: '^b$'", "a\nb", "ab", "", ""},
           {"Regular Expression", "`s`", "$A|re|s: 'a.b'", "a\nb", "ab", "", ""},
           {"", "`ignorecase`", "$A|re|ignorecase: 'AB'", "ab", "a", "", "More: pySigma's long name of `i`"},
           {"", "`multiline`", "$A|re|multiline: '^b$'", "a\nb", "ab", "", "More: pySigma's long name of `m`"},
           {"", "`dotall`", "$A|re|dotall: 'a.b'", "a\nb", "ab", "", "More: pySigma's long name of `s`"},
           {"", "look-around, back-references", "$A|re: 'a(?=b)'", "", "", "C005", "they have no linear time"},
           {"", "`contains` and its like on `re`", "$A|re|contains: a", "", "", "S047", "a regular expression is found anywhere"},
           {"Encoding", "`base64`", "$A|base64: ab", "YWI=", "ab", "", "the encoded text is compared like any text, without case"},
           {"Encoding", "`base64offset`", "$A|base64offset|contains: foobar", "eGZvb2Jhcng=", "foobar", "", "the characters that do not depend on what stands around the value"},
           {"Encoding", "`utf16le`", "$A|utf16le: a", std::string("a\0", 2), "a", "", ""},
           {"Encoding", "`utf16be`", "$A|utf16be: a", std::string("\0a", 2), "a", "", ""},
           {"Encoding", "`utf16`", "$A|utf16: a", std::string("\xff\xfe" "a\0", 4), std::string("a\0", 2), "", "byte order mark, then little-endian"},
           {"Encoding", "`wide`", "$A|wide|base64: ab", "YQBiAA==", "YWI=", "", "is `utf16le`; all characters of Unicode, also as surrogates"},
           {"", "an encoding behind a place", "$A|contains|base64: ab", "", "", "S047", "modifiers work from left to right"},
           {"Numeric Modifiers", "`lt`", "$A|lt: 5", "4.5", "5", "", "what is no decimal number does not compare"},
           {"Numeric Modifiers", "`lte`", "$A|lte: 5", "5", "6", "", ""},
           {"Numeric Modifiers", "`gt`", "$A|gt: 5", "1e3", "5", "", ""},
           {"Numeric Modifiers", "`gte`", "$A|gte: 5", "5", "x", "", ""},
           {"Time Modifiers", "`minute`", "$A|minute: 5", "2024-02-29 23:05:06", "2024-02-29 23:06", "", "of an ISO 8601 date and time of day, in UTC; with `lt`, `lte`, `gt`, `gte`, `neq` behind it. Which texts are times: [ADR 0057](adr/0057-parts-of-times.md)"},
           {"Time Modifiers", "`hour`", "$A|hour|gte: 22", "2024-02-29T23:05:06Z", "2024-02-29T05:00:00Z", "", ""},
           {"Time Modifiers", "`day`", "$A|day: 29", "2024-02-29 12:00", "2023-02-29 12:00", "", ""},
           {"Time Modifiers", "`week`", "$A|week: 53", "2020-12-31 12:00", "2024-12-31 12:00", "", "of ISO 8601. Differs: up to 53, the specification says 52"},
           {"Time Modifiers", "`month`", "$A|month|neq: 2", "2024-03-01 12:00", "2024-02-01 12:00", "", ""},
           {"Time Modifiers", "`year`", "$A|year|lt: 2024", "2023-12-31 12:00", "2024-01-01 12:00", "", ""},
           {"IP (Internet Protocol) Modifiers", "`cidr`", "$A|cidr: [10.0.0.0/8, 'fe80::/10']", "fe80::1", "11.0.0.1", "", "IPv4 without leading zeros; an IPv4-mapped address is an IPv6 address"},
           {"Specific Modifiers", "`fieldref`", "$A|fieldref|endswith: B", "a/b", "a", "", "alone, with `contains`, `startswith`, `endswith`, `cased`, `neq`; here B is `b`"},
           {"Specific Modifiers", "`expand`", "$A|expand: '%other%'", "", "", "S049", "see Placeholders"},
           {"", "a modifier that does not exist", "$A|containz: a", "", "", "S046", ""},
       }},
  };
  return made;
}

std::string detection_of(const Point& point) { return point.example.starts_with('$') ? "  s:\n    " + point.example.substr(1) + "\n  condition: s" : point.example; }

Diagnostics try_rule(const Point& point, std::vector<sigma::Rule>& rules) {
  auto parsed = sigma::parse("title: T\nid: 00000000-0000-4000-8000-000000000001\nlogsource: {product: windows}\ndetection:\n" + detection_of(point) + "\n", "t.yml");
  rules = sigma::resolve(std::move(parsed.rules), parsed.filters, parsed.correlations, {}, parsed.diagnostics).rules;
  return parsed.diagnostics;
}

TEST(SigmaPage, WhatItSaysIsSo) {
  const schema::TemplateType type = type_of({"A", "B"});
  for (const auto& [chapter, points] : table()) {
    for (const Point& point : points) {
      SCOPED_TRACE(point.point + " " + point.example);
      std::vector<sigma::Rule> rules;
      const Diagnostics diagnostics = try_rule(point, rules);
      if (!point.code.empty() && point.code[0] == 'S') {
        EXPECT_TRUE(std::ranges::any_of(diagnostics, [&](const Diagnostic& d) { return d.code == point.code && d.severity == Severity::kError; }));
        EXPECT_TRUE(rules.empty());
        continue;
      }
      EXPECT_FALSE(has_errors(diagnostics)) << (diagnostics.empty() ? "" : to_line(diagnostics.front()));
      ASSERT_EQ(rules.size(), 1u);
      BothJudges both(type, rules);
      ASSERT_EQ(both.error(), "");
      if (!point.code.empty()) {
        EXPECT_FALSE(both.compiled(0));
        EXPECT_FALSE(both.judged(0));
        continue;
      }
      ASSERT_TRUE(both.compiled(0) && both.judged(0)) << both.reason(0);
      for (const auto& [value, expected] : {std::pair{point.yes, true}, {point.no, false}}) {
        Event event(type);
        event.set("B", "b");
        if (value != "\x01") event.set("A", value);
        EXPECT_EQ(both.disagreement(event.inputs()), "");
        EXPECT_EQ(both.judge(0, event.inputs()), expected) << "`" << value << "`";
      }
    }
  }
}

TEST(SigmaPage, HasEveryModifier) {
  std::set<std::string> known;
  for (const Point& point : table().back().second) known.insert(point.point);
  for (const std::string_view name : sigma::modifier_names()) EXPECT_TRUE(known.contains("`" + std::string(name) + "`")) << name;
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : c == '\n' ? std::string(" ⏎ ") : std::string(1, c);
  return out;
}

std::string page() {
  std::string out = "# Sigma: what is supported\n\n"
                    "The Sigma specification, versions 2.0 and 2.1, point by point. This page is made from a table in `tests/differential/sigma_page_test.cpp`; the test tries each point on both judges, so what stands here is so.\n"
                    "*Differs* marks a deliberate difference to the specification or to pySigma, *More* what goes beyond it; the reasons are in [ADR 0051](adr/0051-where-the-language-is-wider-than-the-specification.md).\n"
                    "A point that is refused names its [code](reference/diagnostics.md).\n";
  for (const auto& [chapter, points] : table()) {
    out += "\n## " + chapter + "\n\n| section | point | example | |\n|---|---|---|---|\n";
    for (const Point& point : points) {
      std::string example = point.example.starts_with('$') ? point.example.substr(1) : point.example;
      if (const size_t first = example.find_first_not_of(' '); first != std::string::npos) example.erase(0, first);
      for (size_t at = example.find("\n  "); at != std::string::npos; at = example.find("\n  ")) {  // indentation says nothing on one line
        example.erase(at + 1, example.find_first_not_of(' ', at + 1) - at - 1);
      }
      std::string note = point.code.empty() ? point.note : "refused, " + point.code + (point.note.empty() ? "" : ": " + point.note);
      for (const char* word : {"Differs:", "More:"}) {
        if (const size_t at = note.find(word); at != std::string::npos) note.replace(at, std::string(word).size(), "*" + std::string(word) + "*");
      }
      out += "| " + (point.section.empty() ? "–" : point.section) + " | " + cell(point.point) + " | `` " + cell(example) + " `` | " + cell(note) + " |\n";
    }
  }
  out += "\n## Documents\n\n"
         "| specification | |\n|---|---|\n"
         "| Sigma Rules 2.1.0, File Structure | every key is read; unknown ones are warned of (S022, S023), since custom keys are allowed. Several documents in a file: rules, correlations and filters together |\n"
         "| Sigma Rules 2.1.0, Taxonomy; Custom Taxonomy 1.0.0 | `sigma` is the default; another one needs a pipeline ([ADR 0050](adr/0050-filters-pipelines-placeholders.md)) (S037) |\n"
         "| Sigma Filters 2.1.0 | whole; joined by `and`, `rules: any` as in pySigma ([ADR 0050](adr/0050-filters-pipelines-placeholders.md)) |\n"
         "| Sigma Correlation Rules 2.1.0 | whole, by both judges, in `scan` and on sensors; see the [codes](reference/diagnostics.md) S100 to S123 |\n"
         "| the old collections (`action: global`, `reset`, `repeat`) | refused, S014: not part of Sigma 2 |\n";
  return out;
}

TEST(SigmaPage, IsAsWritten) {
  const std::filesystem::path path = test::source_dir() / "docs" / "sigma.md";
  const bool update = std::getenv("CREANCE_UPDATE_GOLDEN") != nullptr;
  if (update) std::ofstream(path, std::ios::binary) << page();
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  EXPECT_EQ(text.str(), update ? "" : page());
}

}  // namespace
}  // namespace creance::differential
