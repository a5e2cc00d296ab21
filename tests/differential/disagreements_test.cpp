// Behaviour that the two judges once disagreed on.
#include <gtest/gtest.h>

#include "both_judges.hpp"
#include "reference/rule_builder.hpp"

namespace creance::differential {
namespace {

using namespace testing_rules;

TEST(Disagreements, NotEqualIsNeverIgnored) {
  const schema::TemplateType type = type_of({"A", "B"});
  BothJudges both(type, {rule_of(item("A|neq", {"x"})), rule_of(item("A|neq", {"x", "y"})), rule_of(item("A|contains|neq", {"x"})), rule_of(item("A|contains|all|neq", {"x", "y"})), rule_of(item("A|neq", {1})), rule_of(item("A|fieldref|neq", {"B"})),
                         rule_of(item("A|re|neq", {"^x"})), rule_of(item("A|cidr|neq", {"10.0.0.0/8"})), rule_of(item("A|neq", {Null{}}))});
  ASSERT_EQ(both.error(), "");
  EXPECT_EQ(both.disagreement(Event(type).inputs()), "");
  EXPECT_EQ(both.disagreement(Event(type).unavailable("A").inputs()), "");
  for (const char* a : {"x", "X", "y", "xy", "1", "10.1.1.1", ""}) {
    EXPECT_EQ(both.disagreement(Event(type).set("A", a).inputs()), "");
    EXPECT_EQ(both.disagreement(Event(type).set("A", a).set("B", "x").inputs()), "");
    EXPECT_EQ(both.disagreement(Event(type).set("A", a).add("A", "x").set("B", "y").inputs()), "");
  }
}

// A name on Linux is bytes, and a long value may be cut inside a character: neither hides from a regular expression.
TEST(Disagreements, RegularExpressionsSeeBytesThatAreNotUtf8) {
  const schema::TemplateType type = type_of({"A"});
  std::vector<sigma::Rule> rules;
  for (const char* pattern : {".", "^.$", "a.", ".a", "a.b", "[^a]", "[^a]b", "[ä-ö]", "a[^b]*c", "^..$", "\\W", "\\w", "\\b", ".*", "[^\\x00-\\x7F]", "(a|.)b", "x?.y", "\\x{FFFD}", "[\\x{FFFD}]", "[\\x{D800}-\\x{DFFF}]", "\\p{Cs}", "\\P{L}", "(a|\xEF\xBF\xBD)y", "(?i)\xEF\xBF\xBDY", "a\\x{FFFD}b", "[\\x{FFFD}c]$", "\\x{D800}", "[\\x{D000}-\\x{E000}]", "[^\\x{D000}-\\x{E000}]"}) rules.push_back(rule_of(item("A|re", {pattern})));
  BothJudges both(type, std::move(rules));
  ASSERT_EQ(both.error(), "");
  const std::vector<std::string> letters = {"a", "b", "c", "\xff", "\xc3", "\xa4", "\xe2\x82", "\xed\xa0\x80", "ä", "y"};
  std::vector<std::string> all = {""};
  for (size_t begin = 0, n = 0; n < 3; ++n) {
    const size_t end = all.size();
    for (size_t i = begin; i < end; ++i) {
      for (const std::string& letter : letters) all.push_back(all[i] + letter);
    }
    begin = end;
  }
  size_t wrong = 0;
  for (const std::string& value : all) {
    const std::string said = both.disagreement(Event(type).set("A", value).inputs());
    if (!said.empty() && ++wrong <= 5) ADD_FAILURE() << said;
  }
  EXPECT_EQ(wrong, 0u);
}

// Behind the limit nothing is compared: what holds of a cut value holds of the whole one, whatever its rest is.
TEST(Disagreements, NothingIsSaidOfTheEndOfACutValue) {
  const schema::TemplateType type = type_of({"A", "B"});
  const std::string most = std::string(limits::kInputBytesMax - 1, 'b') + "a";
  struct Case {
    sigma::Item line;
    bool of_whole;  // of `most`, which fits
    bool of_cut;    // of `most` and more
  };
  const std::vector<Case> cases = {
      {item("A|endswith", {"a"}), true, false},      {item("A|endswith", {"bbbbbbbbbbba"}), true, false}, {item("A|endswith|cased", {"ba"}), true, false}, {item("A", {"*a"}), true, false},
      {item("A", {"b*ba"}), true, false},            {item("A", {"*b?"}), true, false},                   {item("A", {"*"}), true, true},                 {item("A", {"b*"}), true, true},
      {item("A", {"*b?*"}), true, true},             {item("A", {"b*a*"}), true, true},                   {item("A|startswith", {"bb"}), true, true},     {item("A|contains", {"ba"}), true, true},
      {item("A|contains|cased", {"ba"}), true, true}, {item("A|contains", {"ac"}), false, false},          {item("A|re", {"ba$"}), true, false},           {item("A|re", {"ba\\z"}), true, false},
      {item("A|re", {"^[^c]*$"}), true, false},      {item("A|re|m", {"ba$"}), true, false},              {item("A|re", {"ba"}), true, true},             {item("A|re", {"^b+a"}), true, true},
      {item("A|re", {"ba\\b"}), true, false},        {item("A|re", {"ba\\B"}), false, true},              {item("A|re", {"ba."}), false, false},          {item("A|re", {"a$|^bb"}), true, true},
      {item("A|re", {"(b|x)(b|y)a$"}), true, false}, {item("A|exists", {Flag{true}}), true, true},        {item("A", {""}), false, false},                {item("A|neq", {"a"}), true, true},
      {item("", {"b*a"}), true, true},               {item("", {"ba"}), true, true},                      {item("|re", {"ba$"}), true, false},            {item("A|lt", {5}), false, false},
      {item("A", {most}), true, false},              {item("A|startswith", {most}), true, true},          {item("A|endswith", {most}), true, false},      {item("A|contains", {most}), true, true},
      {item("A|fieldref", {"B"}), true, false},      {item("A|fieldref|endswith", {"B"}), true, false},   {item("A|fieldref|startswith", {"B"}), true, false}, {item("A|fieldref|contains", {"B"}), true, false}};
  std::vector<sigma::Rule> rules;
  for (const Case& each : cases) rules.push_back(rule_of(each.line));
  BothJudges both(type, rules);
  ASSERT_EQ(both.error(), "");
  for (const std::string more : {"", "ccc"}) {
    const std::string value = most + more;
    std::vector<uint64_t> matched(cases.size());
    EXPECT_EQ(both.disagreement(Event(type).set("A", value).set("B", value).inputs(), nullptr, &matched).substr(0, 300), "") << more;
    for (size_t i = 0; i < cases.size(); ++i) EXPECT_EQ(matched[i], (more.empty() ? cases[i].of_whole : cases[i].of_cut) ? 1u : 0u) << more << ' ' << describe(rule_of(cases[i].line)).substr(0, 200);
  }
  EXPECT_EQ(both.disagreement(Event(type).set("A", most + "ccc").set("B", "a").inputs()).substr(0, 300), "");
  EXPECT_EQ(both.disagreement(Event(type).set("A", "b").set("B", most + "ccc").inputs()).substr(0, 300), "");
  EXPECT_EQ(both.disagreement(Event(type).set("A", most + "\n").set("B", most).inputs()).substr(0, 300), "") << "a line ends at the cut";
  EXPECT_EQ(both.disagreement(Event(type).set("A", most + "\xC3\xA9").set("B", most).inputs()).substr(0, 300), "");
}

}  // namespace
}  // namespace creance::differential
