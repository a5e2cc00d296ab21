#include "sigma/parser.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/limits.hpp"
#include "sigma/document.hpp"
#include "support/places.hpp"

namespace creance::sigma {
namespace {

std::string rule_with(const std::string& detection) {
  return "title: T\nid: 7f1f3a0e-7c1a-4a53-9d1e-000000000001\nlogsource:\n  category: process_creation\n  product: windows\ndetection:\n" + detection;
}
std::string with_condition(const std::string& condition) {
  return rule_with("  a:\n    Image: x\n  b:\n    Image: y\n  c_1:\n    Image: z\n  c_2:\n    Image: w\n  _d:\n    Image: v\n  condition: " + condition + "\n");
}

// The tree as text: (or a (and b c))
std::string show(const Rule& rule) {
  std::vector<std::string> texts;
  for (const ConditionNode& node : rule.condition) {
    if (node.kind == NodeKind::kSelection) {
      texts.push_back(rule.selections[node.selection].name);
      continue;
    }
    std::string text = node.kind == NodeKind::kAnd ? "(and" : node.kind == NodeKind::kOr ? "(or" : "(not";
    for (const uint32_t child : node.children) text += " " + texts[child];
    texts.push_back(text + ")");
  }
  return texts.empty() ? "" : texts.back();
}
std::string condition(const std::string& text) {
  const ParseOutcome outcome = parse(with_condition(text), "r.yml");
  return outcome.rules.empty() ? "refused" : show(outcome.rules.front());
}
std::string first_code(const std::string& yaml) {
  const ParseOutcome outcome = parse(yaml, "r.yml");
  for (const Diagnostic& d : outcome.diagnostics) {
    if (d.severity == Severity::kError) return d.code;
  }
  return "";
}

TEST(Condition, BindsNotBeforeAndBeforeOr) {
  EXPECT_EQ(condition("a"), "a");
  EXPECT_EQ(condition("a and b"), "(and a b)");
  EXPECT_EQ(condition("a or b and c_1"), "(or a (and b c_1))");
  EXPECT_EQ(condition("a and b or c_1"), "(or (and a b) c_1)");
  EXPECT_EQ(condition("not a and b"), "(and (not a) b)");
  EXPECT_EQ(condition("not (a and b)"), "(not (and a b))");
  EXPECT_EQ(condition("not not a"), "(not (not a))");
  EXPECT_EQ(condition("a and not b or not c_1"), "(or (and a (not b)) (not c_1))");
  EXPECT_EQ(condition("a and (b or c_1) and c_2"), "(and a (or b c_1) c_2)");
}

TEST(Condition, WordsHaveNoCaseNamesDo) {
  EXPECT_EQ(condition("a AND NOT b Or c_1"), "(or (and a (not b)) c_1)");
  EXPECT_EQ(condition("1 OF Them"), "(or a b c_1 c_2)");
  EXPECT_EQ(condition("A"), "refused");
}

TEST(Condition, QuantifiersNameSelectionsByPattern) {
  EXPECT_EQ(condition("1 of c_*"), "(or c_1 c_2)");
  EXPECT_EQ(condition("any of c_*"), "(or c_1 c_2)");
  EXPECT_EQ(condition("all of c_*"), "(and c_1 c_2)");
  EXPECT_EQ(condition("all of *_1"), "(and c_1)");
  EXPECT_EQ(condition("1 of *_*"), "(or c_1 c_2 _d)");
  EXPECT_EQ(condition("all of them"), "(and a b c_1 c_2)");
  EXPECT_EQ(condition("a and not 1 of c_*"), "(and a (not (or c_1 c_2)))");
  EXPECT_EQ(condition("1 of a"), "(or a)");
}

TEST(Condition, ListIsOr) { EXPECT_EQ(condition("\n    - a\n    - b and c_1"), "(or a (and b c_1))"); }

TEST(Condition, OutsideNestingIsRefusedNotFollowed) {
  EXPECT_EQ(first_code(with_condition(std::string(100'000, '(') + "a" + std::string(100'000, ')'))), "S064");
  std::string nots;
  for (int i = 0; i < 50'000; ++i) nots += "not ";
  EXPECT_EQ(first_code(with_condition(nots + "a")), "S064");
  EXPECT_EQ(first_code(with_condition("(a")), "S060");
  EXPECT_EQ(first_code(with_condition("a)")), "S060");
}

TEST(Condition, DepthAtTheLimitIsFineOnePastIsNot) {
  const auto nested = [](size_t n) { return with_condition(std::string(n, '(') + "a" + std::string(n, ')')); };
  EXPECT_EQ(first_code(nested(limits::kConditionDepthMax)), "");
  EXPECT_EQ(first_code(nested(limits::kConditionDepthMax + 1)), "S064");
  const auto negated = [](size_t n) {
    std::string text;
    for (size_t i = 0; i < n; ++i) text += "not ";
    return with_condition(text + "a");
  };
  EXPECT_EQ(first_code(negated(limits::kConditionDepthMax)), "");
  EXPECT_EQ(first_code(negated(limits::kConditionDepthMax + 1)), "S064");
}

TEST(Condition, LengthAtTheLimitIsFineOnePastIsNot) {
  const auto chain = [](size_t operands) {
    std::string text = "a";
    for (size_t i = 1; i < operands; ++i) text += " or a";
    return with_condition(text);
  };
  EXPECT_EQ(first_code(chain(limits::kConditionNodesMax / 2 + 1)), "");
  EXPECT_EQ(first_code(chain(limits::kConditionNodesMax / 2 + 2)), "S064");
}

TEST(Condition, ManyPatternsOverManyNamesAreBounded) {
  std::string detection;
  for (int i = 0; i < 20'000; ++i) detection += "  name_" + std::to_string(i) + ":\n    Image: x\n";
  std::string text = "1 of x*";
  for (int i = 0; i < 20'000; ++i) text += " or 1 of *a*b*c*" + std::to_string(i);
  EXPECT_EQ(first_code(rule_with(detection + "  condition: " + text + "\n")), "S062");  // the first pattern that names nothing ends it
  std::string matching = "1 of name_1";
  for (int i = 0; i < 20'000; ++i) matching += " or 1 of name_1";
  EXPECT_EQ(first_code(rule_with(detection + "  condition: " + matching + "\n")), "S064");
}

TEST(Yaml, NestingIsRefusedNotFollowed) {
  EXPECT_NE(first_code(std::string(100'000, '[')), "");
  EXPECT_NE(first_code("title: " + std::string(100'000, '[')), "");
  EXPECT_NE(first_code(std::string(100'000, '{')), "");
  EXPECT_EQ(first_code(std::string(10'000, '[') + std::string(10'000, ']')), "S005");
  for (const char* level : {"{a: ", "[{a: ", "{a: [", "- - ", "- a:\n"}) {
    std::string text;
    for (int i = 0; i < 100'000; ++i) text += level;
    EXPECT_NE(first_code(text), "") << level;
  }
  std::string dashes;
  for (int i = 0; i < 100'000; ++i) dashes += "- ";
  EXPECT_EQ(first_code(dashes + "x\n"), "S005");
  std::string questions;
  for (int i = 0; i < 100'000; ++i) questions += "? ";
  EXPECT_NE(first_code(questions + "x\n"), "");
  std::string indented;
  for (size_t i = 0; i < 2'000; ++i) indented += std::string(i, ' ') + "a:\n";
  EXPECT_EQ(first_code(indented), "S005");
}

TEST(Yaml, DepthAtTheLimitIsFineOnePastIsNot) {
  const auto nested = [](size_t n) { return "title: t\nx: " + std::string(n - 1, '[') + std::string(n - 1, ']') + "\n"; };  // the document's map is the first level
  EXPECT_EQ(first_code(nested(limits::kYamlDepthMax)), "S020");
  EXPECT_EQ(first_code(nested(limits::kYamlDepthMax + 1)), "S005");
}

TEST(Yaml, LargeFileIsRefusedBeforeItIsRead) {
  const std::string head = rule_with("  a:\n    Image: x\n  condition: a\n#");
  EXPECT_EQ(first_code(head + std::string(limits::kRuleFileBytesMax - head.size(), 'x')), "");
  EXPECT_EQ(first_code(head + std::string(limits::kRuleFileBytesMax - head.size() + 1, 'x')), "S001");
  EXPECT_EQ(first_code(std::string(20u << 20, 'x')), "S001");
}

TEST(Yaml, AliasesAreSharedAndBombsRefused) {
  const ParseOutcome outcome = parse(rule_with("  a:\n    Image: &names\n      - x\n      - y\n    ParentImage: *names\n  condition: a\n"), "r.yml");
  ASSERT_EQ(outcome.rules.size(), 1u);
  const auto& items = outcome.rules[0].selections[0].alternatives[0].items;
  ASSERT_EQ(items[1].values.size(), 2u);
  EXPECT_EQ(items[1].values[1].text, "y");

  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) bomb += (j == 0 ? "" : ", ") + before;
    bomb += "]\n";
  }
  EXPECT_EQ(first_code(bomb), "S006");
  std::string wide = "s: &s " + std::string(100'000, 'x') + "\nl:\n";
  for (int i = 0; i < 1'000; ++i) wide += "  - *s\n";
  EXPECT_EQ(first_code(wide), "S006");
  EXPECT_EQ(first_code("a: &a [*a]\n"), "S010");
}

TEST(Yaml, TokenThatBeginsNothingEndsTheParse) {
  for (const char* text : {", a: b\n", ",", "title: x\n---\n, y\n", "]", "}", ": ,"}) EXPECT_NE(first_code(text), "") << text;
  EXPECT_EQ(first_code(", a: b\n"), "S004");
}

TEST(Yaml, ScalarsHaveTheTypesOfTheCoreSchema) {
  for (const char* text : {"null", "~", "Null", "NULL", ""}) EXPECT_EQ(yaml::plain_type(text), ValueKind::kNull) << text;
  for (const char* text : {"true", "False", "TRUE"}) EXPECT_EQ(yaml::plain_type(text), ValueKind::kBoolean) << text;
  for (const char* text : {"0", "-12", "+3", "007", "0x1F", "0o17"}) EXPECT_EQ(yaml::plain_type(text), ValueKind::kInteger) << text;
  for (const char* text : {"1.5", "-.5", "1.", "1e3", "2.5E-3", ".inf", "-.inf", ".nan"}) EXPECT_EQ(yaml::plain_type(text), ValueKind::kFloat) << text;
  for (const char* text : {"yes", "on", "nULL", "tRUE", "0x", "0xg", "0o8", "1_000", "12:30", "1.2.3", "-", "+", ".", "e3", "1e", "2026-11-23", "-0x1"}) EXPECT_EQ(yaml::plain_type(text), ValueKind::kString) << text;
}

TEST(Yaml, ColumnsCountCharacters) {
  const ParseOutcome outcome = parse("title: \"ä€😀\" x\n", "r.yml");
  ASSERT_FALSE(outcome.diagnostics.empty());
  const ParseOutcome inside = parse(rule_with("  a: {Ünï: x, Ünï: y}\n  condition: a\n"), "r.yml");
  ASSERT_EQ(inside.diagnostics.size(), 1u);
  EXPECT_EQ(inside.diagnostics[0].code, "S007");
  EXPECT_EQ(inside.diagnostics[0].span, (Span{7, 15}));
}

TEST(Yaml, ByteOrderMarkAndCarriageReturnsAreFine) {
  std::string text = rule_with("  a:\n    Image: x\n  condition: a and nope\n");
  std::string crlf;
  for (const char c : text) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
  const ParseOutcome outcome = parse("\xEF\xBB\xBF" + crlf, "r.yml");
  ASSERT_EQ(outcome.diagnostics.size(), 1u);
  EXPECT_EQ(to_line(outcome.diagnostics[0]), "r.yml:9:20: error S061: the condition names `nope`, which is no search identifier");
  EXPECT_EQ(parse("\xEF\xBB\xBF" + crlf, "r.yml").documents, 1u);
}

TEST(Parser, KeepsWhatTheRuleSays) {
  const ParseOutcome outcome = parse(R"(title: Full rule
id: 7F1F3A0E-7C1A-4A53-9D1E-000000000001
name: full_rule
status: test
description: |
  Two lines
  of text
references:
  - https://example.org/1
author: Somebody
license: Apache-2.0
date: 2026-11-23
modified: 2026-11-24
tags: [attack.t1055]
logsource: {category: process_creation, product: Windows}
detection:
  map:
    Image|endswith|cased: '\cmd.exe'
    Empty:
    Quoted: '5'
    Number: 5
    Real: 1.50
    Truth: TRUE
  words: [one, 2]
  all_words:
    '|all': [three, four]
  either:
    - Image: a
      User: b
    - Image: c
  condition: all of *
fields: [Image]
falsepositives: Unlikely
level: critical
)",
                                     "full.yml");
  ASSERT_EQ(outcome.rules.size(), 1u);
  const Rule& rule = outcome.rules[0];
  EXPECT_EQ(rule.id, "7f1f3a0e-7c1a-4a53-9d1e-000000000001");
  EXPECT_EQ(rule.name, "full_rule");
  EXPECT_EQ(rule.description, "Two lines\nof text\n");
  EXPECT_EQ(rule.level, Level::kCritical);
  EXPECT_EQ(rule.logsource, (schema::LogSource{"windows", "process_creation", ""}));
  EXPECT_EQ(rule.logsource_span, (Span{15, 1}));
  EXPECT_EQ(rule.tags, std::vector<std::string>{"attack.t1055"});
  EXPECT_EQ(rule.false_positives, std::vector<std::string>{"Unlikely"});
  ASSERT_EQ(rule.selections.size(), 4u);
  const auto& items = rule.selections[0].alternatives[0].items;
  EXPECT_EQ(items[0].field, "Image");
  EXPECT_EQ(items[0].modifiers, (std::vector{Modifier::kEndsWith, Modifier::kCased}));
  EXPECT_EQ(items[0].values[0].text, "\\cmd.exe");
  EXPECT_EQ(items[0].span, (Span{18, 5}));
  EXPECT_EQ(items[0].values[0].span, (Span{18, 27}));
  EXPECT_EQ(items[1].values[0].kind, ValueKind::kNull);
  EXPECT_EQ(items[2].values[0].kind, ValueKind::kString);
  EXPECT_EQ(items[3].values[0].kind, ValueKind::kInteger);
  EXPECT_EQ(items[4].values[0].kind, ValueKind::kFloat);
  EXPECT_EQ(items[4].values[0].text, "1.50");
  EXPECT_EQ(items[5].values[0].kind, ValueKind::kBoolean);
  EXPECT_TRUE(rule.selections[1].alternatives[0].items[0].is_keyword());
  EXPECT_EQ(rule.selections[1].alternatives[0].items[0].values.size(), 2u);
  EXPECT_EQ(rule.selections[2].alternatives[0].items[0].modifiers, std::vector{Modifier::kAll});
  EXPECT_EQ(rule.selections[3].alternatives.size(), 2u);
  EXPECT_EQ(show(rule), "(and map words all_words either)");
  ASSERT_EQ(outcome.diagnostics.size(), 1u);
  EXPECT_EQ(outcome.diagnostics[0].code, "S034");
}

TEST(Parser, EachDocumentIsARuleAndABadOneDoesNotHideTheOthers) {
  const std::string good = rule_with("  a:\n    Image: x\n  condition: a\n");
  std::string other = good;
  other.replace(other.find("0001"), 4, "0002");
  const ParseOutcome outcome = parse(good + "---\ntitle: broken\n---\n" + other + "---\n", "r.yml");
  EXPECT_EQ(outcome.documents, 3u);
  EXPECT_EQ(outcome.rules.size(), 2u);
  EXPECT_TRUE(has_errors(outcome.diagnostics));
  EXPECT_EQ(first_code(good + "---\n" + good), "S036");
}

TEST(Parser, ValuesAtTheLimitAreFineOnePastIsNot) {
  std::string values;
  for (uint32_t i = 0; i < limits::kValuesPerRuleMax; ++i) values += "    - x\n";
  const auto rule = [](const std::string& list) { return rule_with("  a:\n" + list + "  condition: a\n"); };
  EXPECT_EQ(first_code(rule(values)), "");
  EXPECT_EQ(first_code(rule(values + "    - x\n")), "S051");
}

TEST(Parser, DiagnosticsAreBounded) {
  std::string keys;
  for (int i = 0; i < 100'000; ++i) keys += "custom_" + std::to_string(i) + ": x\n";
  const ParseOutcome outcome = parse(keys, "r.yml");
  EXPECT_EQ(outcome.diagnostics.size(), limits::kDiagnosticsPerFileMax);
  EXPECT_TRUE(has_errors(outcome.diagnostics) || outcome.rules.empty());
  EXPECT_TRUE(std::ranges::any_of(outcome.diagnostics, [](const Diagnostic& d) { return d.code == "S099"; }));
}

// What truly is not supported in the shared rules: placeholders.
TEST(Parser, ReadsEveryPublicRule) {
  const std::filesystem::path rules = test::shared_dir() / "data" / "rules";
  if (!std::filesystem::exists(rules)) GTEST_SKIP() << "Parser.ReadsEveryPublicRule: no shared data at " << rules;
  size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(rules)) {
    if (entry.path().extension() != ".yml") continue;
    ++files;
    std::ifstream in(entry.path(), std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    const ParseOutcome outcome = parse(text.str(), entry.path().string());
    for (const Diagnostic& d : outcome.diagnostics) {
      if (d.severity == Severity::kError) ADD_FAILURE() << to_line(d);
    }
    EXPECT_EQ(outcome.rules.size(), 1u) << entry.path();
  }
  EXPECT_GT(files, 2'500u);
}

TEST(Documents, OneThatIsNoYamlCounts) {
  const std::string good = "title: T\nlogsource: {category: x}\ndetection: {s: {a: b}, condition: s}\n";
  EXPECT_EQ(parse(good, "r.yml").documents, 1u);
  for (const std::string bad : {"title: [\n", "a: b\n a: c\n", "\xff", "title: 'open\n", "a: *none\n"}) {
    EXPECT_EQ(parse(bad, "r.yml").documents, 1u) << bad;
    const ParseOutcome both = parse(good + "---\n" + bad, "r.yml");
    EXPECT_EQ(both.documents, bad == "\xff" ? 1u : 2u) << bad;
    EXPECT_EQ(both.refused_filters, 0u) << bad;
  }
  EXPECT_EQ(parse(std::string(limits::kRuleFileBytesMax + 1, ' '), "r.yml").documents, 1u);
  EXPECT_EQ(parse("# nothing\n", "r.yml").documents, 0u);
}

TEST(Documents, AFilterThatIsNoYamlIsARefusedFilter) {
  const std::string good = "title: F\nlogsource: {category: x}\nfilter: {rules: any, s: {a: b}, condition: not s}\n";
  EXPECT_EQ(parse(good, "r.yml").refused_filters, 0u);
  EXPECT_EQ(parse(good + "broken: [\n", "r.yml").refused_filters, 1u);
  EXPECT_EQ(parse(good + "---\ntitle: [\n", "r.yml").refused_filters, 0u);  // the broken document is another one
  EXPECT_EQ(parse(good + "---\n" + good + "broken: [\n", "r.yml").refused_filters, 1u);
  EXPECT_EQ(parse("filter: [\n", "r.yml").refused_filters, 1u);
  EXPECT_EQ(parse("# filter: x\ntitle: [\n", "r.yml").refused_filters, 0u);
}

}  // namespace
}  // namespace creance::sigma
