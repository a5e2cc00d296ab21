// Regular expressions run as bit sets where they are small, state by state where they are large: the answers are the same. A pattern is made large by an alternative that no text has.
#include "interpreter/regex_bits.hpp"

#include "interpreter/fixture.hpp"

namespace creance::test {

TEST(RegexBits, AnswersAsTheStateLists) {
  const std::vector<std::string> patterns{"a", "^a", "a$", "^a$", "a.b", "a*b", "(a|b)*c", "[^a]b", "[a-cé]+x", "\\ba", "a\\b", "\\Bb", "(?m)^b$", "(?s)a.b", "(?i)AB", "a{2,3}b", "(a|ab)(c|bc)$", "(^|b)a", "x?$", "", "é|x", "\\W\\w", "(a?){5}b", "[^\\x00-\\x7F]", ".$", "(?m)a$\\n^b"};
  std::vector<std::string> texts{""};
  const std::vector<std::string> letters{"a", "b", "c", "x", "é", "\n", " ", "\xff", "\xed\xa0\x80"};
  for (size_t begin = 0, n = 0; n < 4; ++n) {
    const size_t end = texts.size();
    for (size_t i = begin; i < end; ++i) {
      for (const std::string& letter : letters) texts.push_back(texts[i] + letter);
    }
    begin = end;
  }
  for (const std::string& pattern : patterns) {
    Loaded small = load("sel:\n  A|re: '" + pattern + "'\ncondition: sel");
    Loaded large = load("sel:\n  A|re: '(?:" + pattern + "|ZQ{99})'\ncondition: sel");
    const auto has_bits = [](const Loaded& loaded) {
      const channel::Layout& l = loaded.channel().layout();
      return interpreter::make_regex_bits(l, l.regexes[0]) != nullptr;
    };
    EXPECT_TRUE(has_bits(small)) << pattern;
    EXPECT_FALSE(has_bits(large)) << pattern;
    size_t matched = 0;
    for (const std::string& text : texts) {
      const bool first = !small.matches({{"A", text}}).empty();
      const bool second = !large.matches({{"A", text}}).empty();
      ASSERT_EQ(first, second) << pattern << " on `" << text << "`";
      matched += first;
    }
    EXPECT_GT(matched, 0u) << pattern;
    EXPECT_LT(matched, texts.size() + (pattern.empty() || pattern == "x?$" ? 1 : 0)) << pattern;
  }
}

}  // namespace creance::test
