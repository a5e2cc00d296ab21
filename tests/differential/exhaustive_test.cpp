// Every small rule against every small event: both judges must agree on all of them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "both_judges.hpp"
#include "reference/rule_builder.hpp"

namespace creance::differential {
namespace {

using namespace testing_rules;

#ifdef CREANCE_DCHECK
constexpr size_t kLongest = 3;  // elements of a text; the release preset goes one further
#else
constexpr size_t kLongest = 4;
#endif

// All texts over the alphabet with at most `length` elements.
std::vector<std::string> texts(const std::vector<std::string>& alphabet, size_t length) {
  std::vector<std::string> all = {""};
  size_t begin = 0;
  for (size_t n = 0; n < length; ++n) {
    const size_t end = all.size();
    for (size_t i = begin; i < end; ++i) {
      for (const std::string& letter : alphabet) all.push_back(all[i] + letter);
    }
    begin = end;
  }
  return all;
}

enum class Refusals {
  kSame,             // both judges take the same rules
  kCompilerRefuses,  // the compiler may refuse more; what it takes the reference must take
};

// Each rule on each text in A.
void compare(const std::vector<sigma::Rule>& rules, const std::vector<std::string>& values, Refusals refusals = Refusals::kSame) {
  const schema::TemplateType type = type_of({"A", "B"});
  BothJudges both(type, rules);
  ASSERT_EQ(both.error(), "");
  size_t refused = 0;
  for (size_t i = 0; i < rules.size(); ++i) {
    if (refusals == Refusals::kCompilerRefuses && !both.compiled(i)) {
      ++refused;
      continue;
    }
    EXPECT_EQ(both.compiled(i), both.judged(i)) << describe(rules[i]) << ": " << (both.judged(i) ? "only the compiler refuses" : both.reason(i).substr(0, 300));
    if (!both.compiled(i) || !both.judged(i)) ++refused;
  }
  EXPECT_LT(refused, rules.size());
  uint64_t matches = 0;
  std::vector<uint64_t> matched(rules.size(), 0);
  size_t wrong = 0;
  for (const std::string& value : values) {
    const std::string said = both.disagreement(Event(type).set("A", value).inputs(), &matches, &matched);
    if (!said.empty() && ++wrong <= 10) ADD_FAILURE() << said;
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(matches, 0u);
  ChainTally tally;
  tally.add(both, matched);
  EXPECT_EQ(tally.never(), "") << "no rule with these modifiers ever matches";
  std::cout << fmt::format("{} rules ({} refused by one or both), {} events, {} matches\n", rules.size(), refused, values.size(), matches);
}

TEST(Exhaustive, PatternsWithWildcardsAndEscapes) {
  for (const char* field : {"A", "A|contains", "A|startswith", "A|endswith", "A|cased", "A|contains|cased"}) {
    SCOPED_TRACE(field);
    std::vector<sigma::Rule> rules;
    for (const std::string& pattern : texts({"a", "B", "*", "?", "\\"}, 3)) rules.push_back(rule_of(item(field, {pattern})));
    compare(rules, texts({"a", "b", "\\", "*", "ä"}, kLongest));
  }
}

TEST(Exhaustive, LongerPatternsThatTheIndexFinds) {
  const std::vector<std::string> letters = {"ab", "cdef", "ghijklm", "*"};
  for (const char* field : {"A", "A|contains", "A|startswith", "A|endswith"}) {
    SCOPED_TRACE(field);
    std::vector<sigma::Rule> rules;
    for (const std::string& pattern : texts(letters, 3)) rules.push_back(rule_of(item(field, {pattern})));
    compare(rules, texts({"AB", "cdEf", "ghijklm", "x"}, kLongest));
  }
}

TEST(Exhaustive, Windash) {
  for (const char* field : {"A|windash", "A|windash|contains", "A|contains|windash", "A|windash|startswith", "A|windash|endswith"}) {
    SCOPED_TRACE(field);
    std::vector<sigma::Rule> rules;
    for (const std::string& pattern : texts({"a", "-", "/", " ", "*", "—"}, 3)) rules.push_back(rule_of(item(field, {pattern})));
    compare(rules, texts({"a", "-", "/", "–", " "}, kLongest));
  }
}

TEST(Exhaustive, Folding) {
  const std::vector<std::string> letters = {"k", "K", "\u212A", "ſ", "s", "ß", "ẞ", "σ", "ς", "Σ", "İ", "i", "ı", "Ǆ", "ǅ", "ǆ", "Ⱥ", "ⱥ", "\U00010400", "\U00010428", "ꭰ", "Ꭰ"};
  for (const char* field : {"A", "A|contains", "A|cased", "A|re|i", "A|re"}) {
    SCOPED_TRACE(field);
    std::vector<sigma::Rule> rules;
    for (const std::string& pattern : texts(letters, 1)) {
      if (!pattern.empty()) rules.push_back(rule_of(item(field, {pattern})));
    }
    compare(rules, texts(letters, 2));
  }
}

TEST(Exhaustive, BytesThatAreNotUtf8) {
  const std::vector<std::string> letters = {"a", "\xff", "\xc3", "\xa4", "\xe2\x82", "\xed\xa0\x80", "ä"};
  for (const char* field : {"A", "A|contains", "A|endswith"}) {
    SCOPED_TRACE(field);
    std::vector<sigma::Rule> rules;
    for (const std::string& pattern : texts({"a", "?", "*", ".", "ä"}, 3)) rules.push_back(rule_of(item(field, {pattern})));
    compare(rules, texts(letters, kLongest));
  }
}

TEST(Exhaustive, RegularExpressions) {
  std::vector<sigma::Rule> rules;
  for (const std::string& pattern : texts({"a", ".", "*", "^", "$", "|", "(", ")", "[^a]", "\\b", "+?", "{2}"}, 3)) {
    for (const char* field : {"A|re", "A|re|i", "A|re|m", "A|re|s|m"}) rules.push_back(rule_of(item(field, {pattern})));
  }
  compare(rules, texts({"a", "A", "\n", "ä", " "}, 3));
}

TEST(Exhaustive, RegularExpressionSyntax) {
  std::vector<sigma::Rule> rules;
  for (const char* pattern :
       {R"(\d+)", R"(\D)", R"(\w\W)", R"(\s|\S\S)", R"(\bab\b)", R"(\Bb)", R"([[:alpha:]]+1)", R"([[:^digit:]]{2})", R"([a-c&&b])", R"([\d\-a])", R"([]a])", R"([^]a])", R"([a\]b]+)", R"(\x61\x{62})", R"(\141)",
        R"(a{0,2}b)", R"(a{,2})", R"(a{2,})", R"(a{1,1000})", R"(a{1,1001})", R"((?i)A)", R"((?i:A)b)", R"((?-i)A)", R"((?P<n>a))", R"((?<n>a))", R"((?:a|b)+1)", R"(\Qa.b\E)", R"(\pL+)", R"(\p{Greek})", R"(\P{L})", R"(\p{Lu})",
        R"(\A1)", R"(1\z)", R"(1\Z)", R"(a\/b)", R"(\-)", R"(\_)", R"(\e)", R"(\cA)", R"(\h)", R"(\R)", R"(\K)", R"(\G)", R"(\X)", R"(a++)", R"(a*+)", R"((?>a))", R"((?=a))", R"((?<!a)b)", R"(\1)", R"((a)\1)", R"(a**)", R"(a+*)",
        R"(()", R"())", R"([a)", R"(a\)", R"(*a)", R"(+)", R"(a{)", R"(a{1)", R"(a{x})", R"({2})", R"([b-a])", R"([\w-z])", R"((?#comment)a)", R"((?x) a b)", R"(\n|\t|\r|\f|\v|\a)", R"([\n\t])", R"(^$)", R"(^^a)", R"(a|)", R"(|)", R"(()|a)", "a\nb", "ä+",
        R"([ä-ö])", R"([^\x00-\x7F])", R"(\C)", R"(\N)", R"([[.a.]])", R"([[=a=]])", R"(\u0061)", R"(\U0001F600)", R"(\o{141})", R"((?m)^b$)", R"((?s)a.b)", R"((?s-i)a.b)", R"((?U)a+)", R"($a)", R"(\.exe$)", R"(\\\\)", R"([\\/])"}) {
    for (const char* field : {"A|re", "A|re|i"}) rules.push_back(rule_of(item(field, {pattern})));
  }
  compare(rules, texts({"a", "b", "1", "A", ".", "-", "\\", "ä", "\n"}, kLongest), Refusals::kCompilerRefuses);
}

TEST(Exhaustive, Numbers) {
  const std::vector<std::string> numbers = {"0", "-0", "1", "-1", "10", "010", "1.0", "1.5", "9007199254740993", "9007199254740992", "1e3", "18446744073709551616", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "000000000000000000000000002"};
  std::vector<sigma::Rule> rules;
  for (const char* field : {"A|lt", "A|lte", "A|gt", "A|gte", "A"}) {
    for (const std::string& number : numbers) rules.push_back(rule_of(item(field, {Number{number}})));
  }
  std::vector<std::string> values = numbers;
  for (const char* odd : {"", " 1", "1 ", "+1", "0x1", "1.", ".5", "1e", "1e999", "-1e999", "inf", "nan", "1_0", "1,0", "--1", "٣", "1e-400", "9007199254740992", "1.50", "1E3", "1e+3"}) values.emplace_back(odd);
  for (const size_t size : {18, 19, 20, 64, 65}) values.insert(values.end(), {std::string(size, '9'), "-" + std::string(size, '9'), std::string(size - 1, '0') + "1"});
  compare(rules, values);
}

TEST(Exhaustive, PartsOfTimes) {
  std::vector<sigma::Rule> rules;
  for (const char* part : {"minute", "hour", "day", "week", "month", "year"}) {
    for (const char* test : {"", "|lt", "|lte", "|gt", "|gte", "|neq"}) {
      for (const char* number : {"0", "1", "2", "5", "12", "22", "28", "29", "31", "52", "53", "59", "1969", "1970", "2000", "2026", "9999"}) rules.push_back(rule_of(item(fmt::format("A|{}{}", part, test), {Number{number}})));
    }
  }
  std::vector<std::string> values;
  for (const char* day : {"2026-11-27", "2026-12-31", "2027-01-03", "2027-01-04", "2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "1970-01-01", "1969-12-31", "0000-01-01", "0000-02-29", "9999-12-31", "2020-12-31", "2021-01-01", "2026-00-10", "2026-13-01",
                          "2026-04-31", "2026-04-30", "2026-4-3", "02026-04-03", "-026-04-03", "2026/04/03", "20260403", "2026-W12-3"}) {
    for (const char* clock : {"", "T22:28", "T00:00:00Z", " 23:59:60", " 22:28:12.123", "T22:28:12.", "T22:28.5", "T22:28:12.123456789Z", "T24:00", "T22:60", "T22:28:61", "t22:28", "T22:28z", "  22:28", "T2:28", "T22:28+01:00", "T00:10+0011", "T23:50:00.5-00:11", "T22:28+24:00",
                              "T22:28-00:60", "T22:28+01", "T22:28+01:0", "T22:28Z+01:00", "T22:28 Z", "T22:28 ", "T22:28:12,5", "T22", "T2228", "T00:00+23:59", "T23:59-23:59"}) {
      values.push_back(std::string(day) + clock);
    }
  }
  for (const char* odd : {"", "1700000000", " 2026-11-27T22:28", "2026-11-27T22:28:12.00000000000000000000000000000000000000000000", "2026-11-27T22:28:12.000000000000000000000000000000000000000000000", "٢٠٢٦-11-27T22:28", "2026-11-27T22:28\n"}) values.emplace_back(odd);
  compare(rules, values);
}

TEST(Exhaustive, Networks) {
  std::vector<sigma::Rule> rules;
  for (const char* network : {"0.0.0.0/0", "10.0.0.0/8", "10.0.0.1/8", "10.1.2.3/32", "10.1.2.3", "192.168.0.0/15", "::/0", "::1/128", "fe80::/10", "2001:db8::/33", "::ffff:10.0.0.0/104", "::", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "x", ""}) {
    rules.push_back(rule_of(item("A|cidr", {network})));
  }
  compare(rules, {"0.0.0.0", "10.1.2.3", "10.01.2.3", "11.0.0.0", "192.169.255.255", "192.170.0.0", "255.255.255.255", "256.0.0.1", "1.2.3", "1.2.3.4.5", "::", "::1", ":::", "1::2::3", "fe80::1", "FEBF::", "fec0::", "fe80::1%eth0", "2001:db8:7fff::1",
                  "2001:db8:8000::", "::ffff:10.1.2.3", "::ffff:a01:203", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "12345::", "", " ", "10.1.2.3 ", "[::1]", "::1.2.3", "1.2.3.4::"});
}

TEST(Exhaustive, Encodings) {
  std::vector<sigma::Rule> rules;
  for (const char* field : {"A|base64", "A|base64|contains", "A|base64offset|contains", "A|wide|base64offset|contains", "A|utf16|base64|contains", "A|utf16be|base64|contains", "A|wide|contains", "A|utf16le", "A|utf16be|startswith", "A|windash|base64offset|contains",
                            "A|windash|wide|base64offset|contains", "A|wide|windash", "A|windash|wide|contains", "A|windash|utf16be", "A|utf16|windash|contains", "A|windash|base64", "A|utf16|contains"}) {
    for (const std::string& text : texts({"a", "-b", "ä", "*", "😀"}, 2)) {
      if (!text.empty()) rules.push_back(rule_of(item(field, {text})));
    }
  }
  // Every such text in base64 at every offset, plain, wide and big-endian.
  std::vector<std::string> values;
  const auto wide = [](const std::string& text, bool big) {
    std::string out;
    for (const char32_t c : std::u32string(text == "ä" ? U"ä" : text == "😀" ? U"😀" : std::u32string(text.begin(), text.end()))) {
      const auto unit = [&](char32_t u) {
        const char low = static_cast<char>(u & 0xff), high = static_cast<char>(u >> 8);
        out += big ? high : low;
        out += big ? low : high;
      };
      if (c < 0x10000) unit(c);
      else unit(0xD800 + ((c - 0x10000) >> 10)), unit(0xDC00 + ((c - 0x10000) & 0x3ff));
    }
    return out;
  };
  for (const std::string text : {"a", "-b", "/b", "aa", "-ba", "ä", "😀", "*", "a-b"}) {
    for (const std::string& bytes : {text, wide(text, false), wide(text, true), "\xff\xfe" + wide(text, false)}) {
      values.push_back(bytes);
      values.push_back("x" + bytes + "y");
      for (size_t offset = 0; offset < 3; ++offset) {
        for (size_t tail = 0; tail < 3; ++tail) values.push_back(to_base64(as_bytes(std::string(offset, 'q') + bytes + std::string(tail, 'q'))));
      }
    }
  }
  compare(rules, values);
}

// Every condition of at most two operators over three selections, on every combination of present, absent, wrong and unavailable.
TEST(Exhaustive, Conditions) {
  const schema::TemplateType type = type_of({"A", "B", "C"});
  using Nodes = std::vector<sigma::ConditionNode>;
  std::vector<Nodes> small = {{leaf(0)}, {leaf(1)}, {leaf(2)}};
  const auto joined = [](const Nodes& left, const Nodes& right, sigma::NodeKind kind) {
    Nodes out = left;
    const auto shift = static_cast<uint32_t>(left.size());
    for (sigma::ConditionNode node : right) {
      for (uint32_t& child : node.children) child += shift;
      out.push_back(node);
    }
    out.push_back({kind, 0, {shift - 1, static_cast<uint32_t>(out.size()) - 1}});
    return out;
  };
  const auto grown = [&](const std::vector<Nodes>& from) {
    std::vector<Nodes> out = from;
    for (const Nodes& nodes : from) {
      Nodes inverse = nodes;
      inverse.push_back(negated(static_cast<uint32_t>(nodes.size()) - 1));
      out.push_back(inverse);
    }
    for (const Nodes& left : from) {
      for (const Nodes& right : from) {
        out.push_back(joined(left, right, sigma::NodeKind::kAnd));
        out.push_back(joined(left, right, sigma::NodeKind::kOr));
      }
    }
    return out;
  };
  std::vector<sigma::Rule> rules;
  for (const Nodes& nodes : grown(grown(small))) {
    rules.push_back(rule({selection("a", {{item("A", {"1"})}}), selection("b", {{item("B|contains", {"1"})}, {item("C", {"2"})}}), selection("c", {{item("C", {Null{}, "1"}), item("A|exists", {Flag{true}})}})}, nodes));
  }
  EXPECT_GT(rules.size(), 1000u);
  BothJudges both(type, std::move(rules));
  ASSERT_EQ(both.error(), "");
  size_t wrong = 0;
  uint64_t matches = 0;
  const std::vector<std::string> states = {"absent", "unavailable", "", "1", "2"};
  for (const std::string& a : states) {
    for (const std::string& b : states) {
      for (const std::string& c : states) {
        Event event(type);
        const auto put = [&](const char* input, const std::string& state) {
          if (state == "unavailable") event.unavailable(input);
          else if (state != "absent") event.set(input, state);
        };
        put("A", a);
        put("B", b);
        put("C", c);
        const std::string said = both.disagreement(event.inputs(), &matches);
        if (!said.empty() && ++wrong <= 10) ADD_FAILURE() << said;
      }
    }
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_GT(matches, 1000u);
}

}  // namespace
}  // namespace creance::differential
