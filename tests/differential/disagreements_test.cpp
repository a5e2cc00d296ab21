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

}  // namespace
}  // namespace creance::differential
