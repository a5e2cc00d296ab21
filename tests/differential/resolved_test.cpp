// Rules with filters, mappings and placeholders: what both judges say of them once they are resolved.
#include <gtest/gtest.h>

#include "base/fake/files.hpp"
#include "both_judges.hpp"
#include "reference/rule_builder.hpp"
#include "sigma/parser.hpp"
#include "sigma/resolve.hpp"

namespace creance::differential {
namespace {

using namespace testing_rules;

// What both judges say; a failure if they differ, or refuse.
bool matches(const sigma::Rule& rule, const schema::TemplateType& type, const Event& event) {
  BothJudges both(type, {rule});
  EXPECT_EQ(both.error(), "");
  if (!both.error().empty()) return false;
  EXPECT_TRUE(both.compiled(0) && both.judged(0)) << describe(rule) << ": " << both.reason(0);
  EXPECT_EQ(both.disagreement(event.inputs()), "");
  return both.judged(0) && both.judge(0, event.inputs());
}

const schema::TemplateType& type() {
  static const schema::TemplateType made = type_of({"A", "B", "C"});
  return made;
}
std::vector<sigma::Rule> resolved(const std::string& yaml, const std::string& pipeline) {
  auto parsed = sigma::parse(yaml, "rules.yml");
  fake::MemoryFileSystem files;
  EXPECT_TRUE(files.write_atomic("pipeline.yml", as_bytes(pipeline), 0644));
  const auto read = sigma::read_pipeline({{"pipeline.yml"}, {}}, files, parsed.diagnostics);
  EXPECT_TRUE(read);
  auto rules = sigma::resolve(std::move(parsed.rules), parsed.filters, parsed.correlations, *read, parsed.diagnostics).rules;
  for (const Diagnostic& d : parsed.diagnostics) EXPECT_NE(d.severity, Severity::kError) << to_line(d);
  return rules;
}
constexpr const char* kHead = "title: T\nid: 00000000-0000-4000-8000-000000000001\nname: the_rule\nlogsource: {product: windows, category: own}\ndetection:\n";

TEST(Resolved, PlaceholdersGiveEachOfTheirValues) {
  const auto rules = resolved(std::string(kHead) + "  s: {A|expand|contains: '[%who%@%where%]'}\n  condition: s\n", "placeholders: {who: [ann, 'b*b'], where: [x, 1]}");
  ASSERT_EQ(rules.size(), 1u);
  for (const char* yes : {"[ann@x]", "..[ANN@1]", "[bob@x]", "[b..b@1]"}) EXPECT_TRUE(matches(rules[0], type(), Event(type()).set("A", yes))) << yes;
  for (const char* no : {"ann@x", "[eve@x]", "[ann@y]", "[%who%@%where%]"}) EXPECT_FALSE(matches(rules[0], type(), Event(type()).set("A", no))) << no;
}

TEST(Resolved, ValuesOfOnePlaceholderAreAlternativesUnderAll) {
  const auto rules = resolved(std::string(kHead) + "  s: {A|contains|all|expand: ['%tool%', ' -x']}\n  condition: s\n", "placeholders: {tool: [nmap, masscan]}");
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_TRUE(matches(rules[0], type(), Event(type()).set("A", "nmap -x")));
  EXPECT_TRUE(matches(rules[0], type(), Event(type()).set("A", "masscan -x")));
  EXPECT_FALSE(matches(rules[0], type(), Event(type()).set("A", "nmap")));
  EXPECT_FALSE(matches(rules[0], type(), Event(type()).set("A", "zmap -x")));
}

TEST(Resolved, PlaceholdersForEveryTypeOfValue) {
  const auto rules = resolved(std::string(kHead) + "  n: {A|gte|expand: '%low%'}\n  c: {B|cidr|expand: '%nets%'}\n  r: {C|re|expand: '^%words%\\d$'}\n  e: {A|expand: '%low%'}\n  condition: n and c and r and not e\n",
                              "placeholders: {low: 10, nets: [10.0.0.0/8, 'fe80::/10'], words: '(a|b)+'}");
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_TRUE(matches(rules[0], type(), Event(type()).set("A", "11").set("B", "fe80::1").set("C", "ab7")));
  EXPECT_FALSE(matches(rules[0], type(), Event(type()).set("A", "10").set("B", "fe80::1").set("C", "ab7")));
  EXPECT_FALSE(matches(rules[0], type(), Event(type()).set("A", "11").set("B", "11.0.0.1").set("C", "ab7")));
}

TEST(Resolved, PipelinesMapFieldsAndAddConditions) {
  const auto rules = resolved(std::string(kHead) + "  s: {Picture|endswith: x.exe, picture|fieldref: Parent}\n  f: [word]\n  condition: s and not f\n",
                              "mappings:\n  - {logsource: {category: own}, to: {product: windows, category: other}, fields: {Picture: A1, parent: B}}\n  - {logsource: {category: own}, fields: {A1: C}}\n  - {logsource: {category: other}, fields: {A1: A}, add: {C|contains: [on, off]}}");
  ASSERT_EQ(rules.size(), 1u);
  EXPECT_EQ(rules[0].logsource.category, "other");
  EXPECT_TRUE(matches(rules[0], type(), Event(type()).set("A", "x.exe").set("B", "X.exe").set("C", "on")));
  EXPECT_FALSE(matches(rules[0], type(), Event(type()).set("A", "x.exe").set("B", "X.exe").set("C", "idle")));
  EXPECT_FALSE(matches(rules[0], type(), Event(type()).set("A", "x.exe").set("B", "X.exe")));
  EXPECT_FALSE(matches(rules[0], type(), Event(type()).set("A", "x.exe").set("C", "on")));
}

TEST(Resolved, FiltersAreJoinedByAnd) {
  const std::string rule = std::string(kHead) + "  s: {A: x}\n  t: {B: y}\n  condition: s or t\n---\n";
  const std::string filter = "title: F\nlogsource: {product: windows}\nfilter:\n  rules: [the_rule]\n  selection: {C|startswith|expand: 'adm%tail%'}\n  condition: ";
  const std::string pipeline = "placeholders: {tail: [_, in]}";
  for (const bool excludes : {true, false}) {
    const auto rules = resolved(rule + filter + (excludes ? "not selection" : "1 of them"), pipeline);
    ASSERT_EQ(rules.size(), 1u);
    for (const auto& [who, filtered] : {std::pair{"adm_ann", true}, {"Admin", true}, {"eve", false}}) {
      EXPECT_EQ(matches(rules[0], type(), Event(type()).set("A", "x").set("C", who)), filtered != excludes) << who;
      EXPECT_EQ(matches(rules[0], type(), Event(type()).set("B", "y").set("C", who)), filtered != excludes) << who;
      EXPECT_FALSE(matches(rules[0], type(), Event(type()).set("A", "z").set("C", who)));
    }
    EXPECT_EQ(matches(rules[0], type(), Event(type()).set("A", "x")), excludes);
  }
}

}  // namespace
}  // namespace creance::differential
