// Regular expressions: compiled by our compiler, proven by the verifier, run by the interpreter, against RE2.
#include <re2/re2.h>

#include <algorithm>
#include <random>

#include "channel/fold.hpp"
#include "channel/utf8.hpp"
#include "compiler/regex.hpp"
#include "compiler/unicode_groups.hpp"
#include "interpreter/fixture.hpp"

namespace creance::test {
namespace {

sigma::Rule regex_rule(const std::string& pattern, std::vector<sigma::Modifier> extra = {}) {
  sigma::Rule rule{{.file = "rule.yml", .id = "00000000-0000-4000-8000-000000000001", .title = "Regex"}};
  sigma::Item item{.field = "A", .modifiers = {sigma::Modifier::kRegex}, .values = {{sigma::ValueKind::kString, pattern, {}}}};
  item.modifiers.insert(item.modifiers.end(), extra.begin(), extra.end());
  rule.selections = {{"sel", {}, {{{item}}}}};
  rule.condition = {{sigma::NodeKind::kSelection, 0, {}}};
  return rule;
}

// Nothing: the compiler refuses the pattern.
std::optional<Loaded> load_regex(const std::string& pattern) {
  const schema::TemplateType type = type_of({"A"});
  Diagnostics diagnostics;
  Bytes bytes = compile_rules(type, {regex_rule(pattern)}, diagnostics);
  if (!diagnostics.empty()) return std::nullopt;
  return Loaded(type, std::move(bytes));
}

// RE2 takes no byte that is not UTF-8; we take each as U+FFFD.
std::string replaced(const std::string& text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const channel::Decoded decoded = channel::decode(text.data() + at, text.data() + text.size());
    if (channel::rune_for_regex(decoded.rune) == channel::kReplacementRune) out += "\xef\xbf\xbd";
    else out.append(text, at, decoded.size);
    at += decoded.size;
  }
  return out;
}
bool re2_matches(const RE2& re, const std::string& text) { return RE2::PartialMatch(replaced(text), re); }

void compare(const std::string& pattern, const std::vector<std::string>& texts) {
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 re(pattern, options);
  std::optional<Loaded> loaded = load_regex(pattern);
  ASSERT_EQ(re.ok(), loaded.has_value()) << pattern << ": " << re.error();
  if (!re.ok()) return;
  for (const std::string& text : texts) {
    // RE2 works on bytes and finds an empty `\B` inside a character; we work on characters.
    if (pattern.find("\\B") != std::string::npos && std::ranges::any_of(text, [](char c) { return static_cast<uint8_t>(c) >= 0x80; })) continue;
    EXPECT_EQ(!loaded->matches({{"A", text}}).empty(), re2_matches(re, text)) << "`" << pattern << "` on `" << text << "`";
  }
}

class Generator {
 public:
  explicit Generator(uint32_t seed) : random_(seed) {}
  std::string pattern(int depth) {
    std::string out;
    const int alternatives = pick(6) == 0 ? 2 : 1;
    for (int a = 0; a < alternatives; ++a) {
      if (a > 0) out += '|';
      for (int i = pick(4) + (depth > 2 ? 1 : 0); i >= 0; --i) out += piece(depth);
    }
    return out;
  }
  std::string text() {
    static const std::vector<std::string> kPieces{"a", "b", "c", "A", "B", "\n", "0", "_", " ", "é", "É", "ſ", "S", "K", "\u212A", "ab", "ba", "-", "😀"};
    std::string out;
    for (int i = pick(12); i > 0; --i) out += kPieces[static_cast<size_t>(pick(static_cast<int>(kPieces.size())))];
    return out;
  }
  int pick(int n) { return static_cast<int>(random_() % static_cast<uint32_t>(n)); }

 private:
  std::string atom(int depth) {
    static const std::vector<std::string> kAtoms{"a", "b", "c", "ab", ".", "[ab]", "[^a]", "[^ab\\n]", "[a-c]", "\\d", "\\w", "\\s", "\\W", "\\S", "é", "[é-í]", "s", "k", "\\x61", "\\x{e9}", "-", "[[:alpha:]]", "[\\w-]", "[]a]", "\\."};
    static const std::vector<std::string> kAsserts{"^", "$", "\\b", "\\B", "\\A", "\\z"};
    const int kind = pick(12);
    if (kind == 0) return kAsserts[static_cast<size_t>(pick(static_cast<int>(kAsserts.size())))];
    if (kind <= 2 && depth > 0) {
      static const std::vector<std::string> kOpen{"(", "(?:", "(?i:", "(?s:", "(?m:", "(?P<n>", "(?i-s:"};
      return kOpen[static_cast<size_t>(pick(static_cast<int>(kOpen.size() - (depth > 1 ? 0 : 2))))] + pattern(depth - 1) + ")";
    }
    return kAtoms[static_cast<size_t>(pick(static_cast<int>(kAtoms.size())))];
  }
  std::string piece(int depth) {
    static const std::vector<std::string> kQuantifiers{"*", "+", "?", "*?", "+?", "??", "{2}", "{1,}", "{0,2}", "{1,3}?", "{0}"};
    std::string out = atom(depth);
    if (pick(3) == 0 && out.size() > 0) out = "(?:" + out + ")" + kQuantifiers[static_cast<size_t>(pick(static_cast<int>(kQuantifiers.size())))];
    return out;
  }
  std::mt19937 random_;
};

}  // namespace

TEST(RegexAgainstRe2, GeneratedPatternsOnGeneratedTexts) {
  for (uint32_t seed = 1; seed <= 4000; ++seed) {
    SCOPED_TRACE(seed);
    Generator generator(seed);
    std::string pattern = generator.pattern(2);
    for (size_t at = pattern.find("(?P<n>"); at != std::string::npos; at = pattern.find("(?P<n>", at + 1)) pattern.replace(at, 6, "(?P<n" + std::to_string(at) + ">");
    std::vector<std::string> texts{""};
    for (int i = 0; i < 20; ++i) texts.push_back(generator.text());
    compare(pattern, texts);
    if (HasFailure()) return;
  }
}

TEST(RegexAgainstRe2, SyntaxAtItsEdges) {
  const std::vector<std::string> texts{"", "a", "aa", "aaa", "ab", "{", "a{", "a{,2}", "a{2", "x{1}", "]", "}", "a-b", "b", "\\", "^", "-", "]a", "a\nb", "A", "_", ".", "/", "\"", "0", "\x07", "10"};
  for (const std::string pattern :
       {"a{2}", "a{2", "a{,2}", "{", "a{", "}", "]", "[]]", "[^]]", "[a-]", "[-a]", "[\\]]", "\\/", "\\\"", "\\-", "\\.", "a||b", "|a", "a|", "()", "(|a)", "a**", "*a", "+", "?", "a{2}{3}", "(", ")", "a)", "[", "[a", "[b-a]", "\\", "\\1",
        "\\q", "\\_", "(?=a)", "(?!a)", "(?<=a)", "(?<!a)", "(?i", "(?i)A", "a(?i)B", "(?:a(?i)b)B", "(?z)a", "(?-i)A", "(?i-i)A", "[[:foo:]]", "[[:digit:]]", "[[:^digit:]]", "\\x", "\\xg", "\\x6", "\\x61", "\\x{61}", "\\x{110000}",
        "\\07", "\\a", "a{1001}", "a{1000}", "a{3,2}", "^*", "(?:^)*a", "$a", "a$", "^$", "a^", "\\Aa\\z", "(?m)^b", "(?s)a.b", "[^a]", "[\\d\\s]", "(a*)*", "(a*)+", "(a|b)*?b", "((((a))))", "(?P<x>a)", "[\\x61-c]", "a{0}", "a{0,0}b",
        "\\B", "\\b", "[[:word:]]+", "[.]", "[$^]", "a.c|.b", "(?U)a+", "\\Qa{\\E", "\\Q", "\\Q\\E", "a\\Q\\E*b", "a*\\Q\\E*", "\\Qa-\\E+b", "\\Q\\\\E", "[\\Qa]", "\\E", "\\Qa", "\\pL", "\\p{L}", "\\PL",
        "\\p{^L}", "\\P{^L}", "\\p{Lu}", "(?i)\\p{Lu}", "(?i)\\P{Lu}", "(?i)[\\P{Lu}]", "[\\pN-]", "[^\\pL\\d]", "[\\pL-z]", "\\p", "\\p{", "\\p{}", "\\p{Zzz}", "\\p{greek}", "\\p{L", "\\p^L", "\\p{Any}", "\\p{Cn}", "\\p{C}", "\\p{Latin}+", "(?P<x>a)(?P<x>b)",
        "(?P<>a)", "(?P<a-b>a)", "(?P<1>a)"}) {
    compare(pattern, texts);
  }
}

struct GroupRun {
  uint32_t first;
  uint32_t name;
};
#include "compiler/unicode_groups.inc"

// What RE2 finds in a text of every character, against our table.
TEST(RegexAgainstRe2, UnicodeGroupsHaveTheSameMembers) {
  std::string every;
  for (uint32_t rune = 0; rune <= channel::kRuneMax; ++rune) {
    char text[4];
    if (channel::rune_for_regex(rune) == rune) every.append(text, channel::encode(rune, text));
  }
  std::vector<std::string> names{"C", "L", "M", "N", "P", "S", "Z", "Any"};
  for (const std::string_view name : kCategoryNames) names.emplace_back(name);
  for (const std::string_view name : kScriptNames) names.emplace_back(name);
  RE2::Options options;
  options.set_log_errors(false);
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const RE2 re("(\\p{" + name + "}+)", options);
    const auto ours = compiler::unicode_group(name);
    ASSERT_EQ(re.ok(), ours.has_value());
    if (!ours) continue;
    std::string members;
    for (const channel::RangeRecord& range : *ours) {
      for (uint32_t rune = range.low; rune <= range.high; ++rune) {
        char text[4];
        if (channel::rune_for_regex(rune) == rune) members.append(text, channel::encode(rune, text));
      }
    }
    std::string found;
    re2::StringPiece rest(every);
    for (re2::StringPiece run; RE2::FindAndConsume(&rest, re, &run);) found.append(run.data(), run.size());
    EXPECT_TRUE(found == members) << found.size() << " and " << members.size() << " bytes";
  }
}

TEST(Regex, BytesThatAreNotUtf8AreReplacementCharacters) {
  const std::vector<std::string> texts{"a\xff" "b", "\xff", "a\xc3", "\xe2\x82", "a\xe2\x82" "b", "é\xa9", std::string("a\0b", 3)};
  for (const std::string pattern : {"a.b", ".", "b", "[^x]", "a", "a.?b", "^.$", "é", "\\x{fffd}", "[^a-z]b", "[\\x{fffd}x]b", "^a.+$", "\\W"}) compare(pattern, texts);
  EXPECT_FALSE(load_regex("^/tmp/.*x$")->matches({{"A", "/tmp/\xff/x"}}).empty());
}

TEST(Regex, RefusesWhatWouldBeTooLarge) {
  for (const std::string pattern : {"(a{1000}){1000}", "((a{100}){100}){100}", "(?:\\w{900}){100}"}) {
    const auto program = compiler::compile_regex(pattern, {});
    ASSERT_FALSE(program) << pattern;
    EXPECT_TRUE(program.error().too_large);
  }
  const std::string deep = std::string(100'000, '(') + "a" + std::string(100'000, ')');
  const auto program = compiler::compile_regex(deep, {});
  ASSERT_FALSE(program);
  EXPECT_TRUE(program.error().too_large);
  EXPECT_TRUE(compiler::compile_regex("(?:a{1000}){8}", {}));
}

TEST(Regex, ProblemsNameTheirPlace) {
  EXPECT_EQ(compiler::compile_regex("abc(?=d)", {}).error().position, 3u);
  EXPECT_EQ(compiler::compile_regex("ab[c", {}).error().position, 2u);
}

using Texts = std::vector<std::string>;

TEST(Regex, KnowsWhatAMatchMustContain) {
  using Lists = std::vector<Texts>;
  const auto required = [](const std::string& pattern) { return compiler::compile_regex(pattern, {}).value().required; };
  EXPECT_EQ(required("abc.*defgh"), (Lists{{"defgh"}, {"abc"}}));
  EXPECT_EQ(required("[Pp][Oo]wer\\s+Shell"), (Lists{{"power"}, {"shell"}}));
  EXPECT_EQ(required("\\.(zip|asp)x+"), (Lists{{".aspx", ".zipx"}}));
  EXPECT_EQ(required("a*"), Lists{});
  EXPECT_EQ(required("(abc)?d"), Lists{{"d"}});
  EXPECT_EQ(required("(?:abc){2,}"), Lists{{"abcabc"}});
  EXPECT_EQ(required("x|yz"), (Lists{{"x", "yz"}}));
  EXPECT_EQ(required("x|.*"), Lists{});
  EXPECT_EQ(required("\\.[a-z]{1,6}\\.[ '\"]"), (Lists{{". ", ".\"", ".'"}}));
  EXPECT_EQ(required("cmd.+(?:/c|/r)(?:\\s|)\"set"), (Lists{{"\"set"}, {"cmd"}, {"/c", "/r"}}));
  EXPECT_EQ(required("[0-9a-f]{8}"), Lists{});
}

// Whatever matches contains one of each list: texts made to match, by RE2's word.
TEST(Regex, MatchesContainWhatTheyAreSaidToContain) {
  std::mt19937 random(3);
  const char* const kAtoms[] = {"a", "b", "ab", "[ab]", "[a-c]", "(?:a|bc)", "(?:ab|)", ".", "c", "[^a]", "(?i:A)", "(?:b|[ac])", "\\b", "(?:ca|cb|cc)"};
  const char* const kRepeats[] = {"", "", "", "?", "*", "+", "{2}", "{1,3}"};
  size_t matched = 0;
  for (int n = 0; n < 4'000; ++n) {
    std::string pattern;
    for (auto atoms = 1 + random() % 5; atoms > 0; --atoms) {
      const std::string atom = kAtoms[random() % std::size(kAtoms)];
      const std::string repeat = kRepeats[random() % std::size(kRepeats)];
      pattern += repeat.empty() || atom == "\\b" ? atom : "(?:" + atom + ")" + repeat;
    }
    const auto program = compiler::compile_regex(pattern, {});
    ASSERT_TRUE(program) << pattern;
    const RE2 re2(pattern);
    for (int t = 0; t < 40; ++t) {
      std::string text;
      for (auto size = random() % 9; size > 0; --size) text += "abcAB "[random() % 6];
      if (!RE2::PartialMatch(text, re2)) continue;
      ++matched;
      const std::string folded = channel::fold(text);
      for (const Texts& list : program->required) ASSERT_TRUE(std::ranges::any_of(list, [&](const std::string& each) { return folded.find(each) != std::string::npos; })) << pattern << " over " << text;
    }
  }
  EXPECT_GE(matched, 10'000u);
}

}  // namespace creance::test
