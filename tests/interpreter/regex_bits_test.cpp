// Regular expressions run as bit sets where they are small, state by state where they are large: the answers are the same. A pattern is made large by an alternative that no text has.
#include "interpreter/regex_bits.hpp"

#include <random>

#include "interpreter/fixture.hpp"
#include "interpreter/state.hpp"

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

// Many of them in a long value run together, from where they begin; alone, each runs by itself.
TEST(RegexBits, RunTogetherAnswerAsEachAlone) {
  const std::vector<std::string> patterns{"abca*[ab]$", "abcb+x", "abc[^x]+x9", "bcab(?s).*q", "bca(b|ba)*c9", "cabcab", "cab\\b.?9", "cab .?é", "(abc)", "dabc|dabx", "aaaa+b$", "aaab{2,3}9", "abcabcabc+9", "cccx(ab|a)*$", "bbb\\n+c", "bbb[^a-z]9"};
  const schema::TemplateType type = type_of({"A", "B"});
  const auto loaded = [&](const std::string& yaml) {
    Diagnostics diagnostics;
    return Loaded(type, compile_rules(type, parse_rules(yaml), diagnostics));
  };
  std::string all;
  std::vector<Loaded> alone;
  for (size_t i = 0; i < patterns.size(); ++i) {
    const std::string detection = "sel:\n  A|re: '" + patterns[i] + "'\ncondition: sel";
    all += (i == 0 ? "" : "---\n") + rule_yaml(detection, static_cast<int>(i) + 1);
    alone.push_back(loaded(rule_yaml(detection)));
  }
  Loaded together = loaded(all);
  const std::string pieces[] = {"a", "b", "c", "ab", "abc", "cab", "bca", "aaaa", "bbb", "ccc", "x", "9", "d", "q", " ", "é", "\n", "\xff"};
  std::mt19937 random(4);
  std::vector<size_t> matched(patterns.size());
  for (int event = 0; event < 1'500; ++event) {
    const auto text = [&](size_t size) {
      std::string out;
      while (out.size() < size) out += pieces[random() % (event % 2 == 0 ? std::size(pieces) : 9)];
      return out;
    };
    std::string first = text(512 + random() % 200);
    for (const char* each : {"abcd", "bcab", "cab", "dabc", "aaaab", "cccx", "bbb"}) {  // so that many are awake
      if (event % 3 != 0) first += each + text(random() % 4);
    }
    const std::string second = text(random() % 80);
    const std::vector<schema::InputValue> values{schema::InputValue(first), schema::InputValue(second)};
    std::vector<schema::FurtherValue> further;
    if (event % 4 == 0) further = {{1, first}, {0, second}};
    const schema::Inputs inputs{values, further, {}};
    const interpreter::Outcome outcome = together.run(inputs);
    std::vector<uint32_t> expected;
    for (uint32_t i = 0; i < alone.size(); ++i) {
      if (!alone[i].run(inputs).matches.empty()) expected.push_back(i);
    }
    ASSERT_TRUE(std::ranges::equal(outcome.matches, expected)) << "`" << first << "`, `" << second << "`";
    for (const uint32_t i : expected) ++matched[i];
  }
  EXPECT_GT(together.scratch().state().late_value, 500u);  // it was tried
  for (size_t i = 0; i < patterns.size(); ++i) EXPECT_GT(matched[i], 0u) << patterns[i];
}

}  // namespace creance::test
