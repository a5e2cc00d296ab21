#include <algorithm>
#include <random>

#include "base/limits.hpp"
#include "interpreter/fixture.hpp"

namespace creance::test {
namespace {

using Codes = std::vector<std::string>;

std::vector<sigma::Rule> many_rules() {
  std::vector<sigma::Rule> rules;
  const std::vector<std::string> detections{"sel:\n  A|contains:\n    - power\n    - shell\ncondition: sel",
                                            "sel:\n  A|endswith: '\\cmd.exe'\nf:\n  B|re: 'x[0-9]+y'\ncondition: sel and not f",
                                            "kw:\n  - hello\n  - 'w*d'\ncondition: kw",
                                            "sel:\n  A|startswith: 'c:\\windows'\n  B: null\ncondition: sel",
                                            "sel:\n  C|cidr: 10.0.0.0/8\ncondition: sel"};
  for (int i = 0; i < 40; ++i) {
    auto parsed = parse_rules(rule_yaml(detections[static_cast<size_t>(i) % detections.size()], 100 - i));
    rules.push_back(std::move(parsed[0]));
  }
  return rules;
}

}  // namespace

TEST(Compile, SameRulesInAnyOrderGiveTheSameBytes) {
  const schema::TemplateType type = type_of({"A", "B", "C"});
  std::vector<sigma::Rule> rules = many_rules();
  Diagnostics diagnostics;
  const Bytes bytes = compile_rules(type, rules, diagnostics);
  EXPECT_TRUE(diagnostics.empty());
  std::mt19937 random(7);
  for (int i = 0; i < 5; ++i) {
    std::shuffle(rules.begin(), rules.end(), random);
    EXPECT_EQ(compile_rules(type, rules, diagnostics), bytes);
  }
}

TEST(Compile, NoRulesGiveAnEmptyChannel) {
  const schema::TemplateType type = type_of({"A"});
  Diagnostics diagnostics;
  Loaded loaded(type, compile_rules(type, {}, diagnostics));
  EXPECT_EQ(loaded.channel().instance_count(), 0u);
  EXPECT_TRUE(loaded.matches({{"A", "x"}}).empty());
}

TEST(Compile, RefusesByCode) {
  EXPECT_EQ(refusals("sel:\n  Unknown: x\ncondition: sel"), Codes{"C002"});
  EXPECT_EQ(refusals("sel:\n  A|base64|contains: 'a*b'\ncondition: sel"), Codes{"C004"});
  EXPECT_EQ(refusals("sel:\n  A|re: '(?=a)b'\ncondition: sel"), Codes{"C005"});
  EXPECT_EQ(refusals("sel:\n  A|re: '(a{1000}){1000}'\ncondition: sel"), Codes{"C006"});
  EXPECT_EQ(refusals("sel:\n  A|fieldref: Unknown\ncondition: sel"), Codes{"C010"});
}

// What the parser would refuse as well, given as values: the compiler must not depend on who made the rule.
TEST(Compile, RefusesWhatNoParserLetsThrough) {
  using sigma::Modifier;
  using sigma::ValueKind;
  const schema::TemplateType type = type_of({"A", "B"});
  const auto codes = [&](std::vector<Modifier> modifiers, sigma::Value value, std::vector<sigma::ConditionNode> condition = {{sigma::NodeKind::kSelection, 0, {}}}) {
    sigma::Rule rule{{.file = "rule.yml", .id = "x", .title = "Rule"}};
    rule.selections = {{"sel", {}, {{{sigma::Item{.field = "A", .modifiers = std::move(modifiers), .values = {std::move(value)}}}}}}};
    rule.condition = std::move(condition);
    Diagnostics diagnostics;
    Loaded loaded(type, compile_rules(type, {rule}, diagnostics));
    EXPECT_EQ(loaded.channel().instance_count(), 0u);
    Codes out;
    for (const Diagnostic& d : diagnostics) out.push_back(d.code);
    return out;
  };
  const sigma::Value text{ValueKind::kString, "x", {}};
  EXPECT_EQ(codes({Modifier::kContains, Modifier::kEndsWith}, text), Codes{"C003"});
  EXPECT_EQ(codes({Modifier::kCidr, Modifier::kContains}, text), Codes{"C003"});
  EXPECT_EQ(codes({Modifier::kContains}, {ValueKind::kNull, "", {}}), Codes{"C004"});
  EXPECT_EQ(codes({Modifier::kExists}, text), Codes{"C004"});
  EXPECT_EQ(codes({Modifier::kLess}, text), Codes{"C004"});
  EXPECT_EQ(codes({Modifier::kCidr}, text), Codes{"C007"});
  EXPECT_EQ(codes({Modifier::kExpand}, text), Codes{"C008"});
  EXPECT_EQ(codes({Modifier::kHour}, text), Codes{"C004"});
  EXPECT_EQ(codes({Modifier::kYear}, {ValueKind::kInteger, "10000", {}}), Codes{"C004"});
  EXPECT_EQ(codes({Modifier::kHour, Modifier::kDay}, {ValueKind::kInteger, "1", {}}), Codes{"C003"});
  EXPECT_EQ(codes({Modifier::kHour, Modifier::kCidr}, {ValueKind::kInteger, "1", {}}), Codes{"C003"});
  EXPECT_EQ(codes({Modifier::kHour, Modifier::kContains}, {ValueKind::kInteger, "1", {}}), Codes{"C003"});
  EXPECT_EQ(codes({}, {ValueKind::kString, std::string(limits::kPatternBytesMax + 1, 'x'), {}}), Codes{"C013"});
  EXPECT_EQ(codes({}, text, {}), (Codes{"C012"}));
  EXPECT_EQ(codes({}, text, {{sigma::NodeKind::kSelection, 5, {}}}), Codes{"C012"});
  EXPECT_EQ(codes({}, text, {{sigma::NodeKind::kSelection, 0, {}}, {sigma::NodeKind::kNot, 0, {}}}), Codes{"C012"});
  EXPECT_EQ(codes({}, text, {{sigma::NodeKind::kNot, 0, {0}}}), Codes{"C012"});
}

TEST(Compile, LeavesOutOnlyWhatItRefuses) {
  const schema::TemplateType type = type_of({"A"});
  std::vector<sigma::Rule> rules = parse_rules(rule_yaml("sel:\n  A: x\ncondition: sel", 1));
  for (sigma::Rule& rule : parse_rules(rule_yaml("sel:\n  A|re: '(?<=a)b'\ncondition: sel", 2))) rules.push_back(std::move(rule));
  Diagnostics diagnostics;
  Loaded loaded(type, compile_rules(type, rules, diagnostics));
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_EQ(diagnostics[0].file, "rule.yml");
  EXPECT_GT(diagnostics[0].span.line, 0u);
  EXPECT_EQ(loaded.channel().instance_count(), 1u);
}

TEST(Compile, RefusesARuleAboveItsBudgetAndAChannelAboveIts) {
  const schema::TemplateType type = type_of({"A"});
  const std::vector<sigma::Rule> rules = parse_rules(rule_yaml("sel:\n  A|re: '(a|b){100}c'\ncondition: sel"));
  const std::vector<compiler::BoundRule> bound{{&rules[0], nullptr}};
  Diagnostics diagnostics;
  const auto whole = compiler::compile(type, bound, diagnostics);
  ASSERT_TRUE(whole);
  EXPECT_TRUE(diagnostics.empty());
  const auto refused = compiler::compile(type, bound, diagnostics, {.instance_steps_max = 1000});
  ASSERT_TRUE(refused);
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_EQ(diagnostics[0].code, "C030");
  const auto too_large = compiler::compile(type, bound, diagnostics, {.channel_steps_max = 1000});
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, ErrorCode::kTooLarge);
}

// A list of indicators is one look into a table for each place of a value, however long the list is.
TEST(Compile, TakesAHundredThousandTextsOfEachKindAndItsBoundFollowsTheField) {
  const schema::TemplateType type = type_of({"A", "B"});
  const auto bound_of = [&](const std::string& modifier, uint32_t count) {
    std::string yaml = "sel:\n  A" + modifier + ":\n";
    for (uint32_t i = 0; i < count; ++i) yaml += "    - 'indicator-" + std::to_string(i * 2'654'435'761u) + ".example'\n";
    const std::vector<sigma::Rule> rules = parse_rules(rule_yaml(yaml + "also:\n  B: x\ncondition: sel and also"));
    Diagnostics diagnostics;
    const std::vector<compiler::BoundRule> bound{{&rules.at(0), nullptr}};
    auto bytes = compiler::compile(type, bound, diagnostics);
    EXPECT_TRUE(bytes && diagnostics.empty()) << modifier << (diagnostics.empty() ? "" : to_line(diagnostics[0]));
    if (!bytes) return ~uint64_t{0};
    const auto channel = channel::VerifiedChannel::verify(*bytes, {type.fingerprint, 2});
    EXPECT_TRUE(channel) << modifier << (channel ? "" : channel.error().detail);
    if (!channel) return ~uint64_t{0};
    // The law, on the longest value there is: made of the indicators, and one that holds in the end.
    std::string text;
    while (text.size() < limits::kInputBytesMax - 100) text += "indicator-" + std::to_string(text.size() * 40'503u) + ".exampl ";
    text += "indicator-0.example";
    const std::string exact = "indicator-0.example";
    interpreter::Scratch scratch(*channel);
    for (const std::string& value : {modifier == "|contains" || modifier == "|endswith" ? text : exact, text.substr(0, 60'000)}) {
      const std::vector<schema::InputValue> values{schema::InputValue(value), schema::InputValue("x")};
      const auto outcome = interpreter::evaluate(*channel, {values, {}, {}}, scratch);
      EXPECT_EQ(outcome.matches.size(), value.ends_with(exact) ? 1u : 0u) << modifier << " " << value.size();
      EXPECT_TRUE(outcome.faults.empty());
      EXPECT_LE(outcome.steps, channel->cost_bound()) << modifier;
    }
    return channel->cost_bound();
  };
#ifdef __SANITIZE_ADDRESS__
  constexpr uint32_t kTexts = 10'000;  // the same paths, ten times as slow
#else
  constexpr uint32_t kTexts = 100'000;
#endif
  for (const std::string modifier : {"", "|startswith", "|endswith"}) EXPECT_LT(bound_of(modifier, kTexts), limits::kInstanceStepsMax) << modifier;
  EXPECT_LT(bound_of("|contains", kTexts), std::min(limits::kInstanceStepsMax, 40 * bound_of("|contains", kTexts / 10)));  // what stands in more of them shares places in the table
}

TEST(Compile, RestrictionsOfTheLogSourceStandInFront) {
  const schema::TemplateType type = type_of({"A", "EventID"});
  const std::vector<sigma::Rule> rules = parse_rules(rule_yaml("sel:\n  A: x\ncondition: not sel"));
  const schema::AnsweredLogSource logsource{{}, {{"EventID", {"13", "14"}}}};
  const std::vector<compiler::BoundRule> bound{{&rules[0], &logsource}};
  Diagnostics diagnostics;
  Loaded loaded(type, compiler::compile(type, bound, diagnostics).value());
  EXPECT_EQ(loaded.matches({{"A", "y"}, {"EventID", "13"}}).size(), 1u);
  EXPECT_EQ(loaded.matches({{"EventID", "14"}}).size(), 1u);
  EXPECT_EQ(loaded.matches({{"A", "x"}, {"EventID", "14"}}).size(), 0u);
  EXPECT_EQ(loaded.matches({{"A", "y"}, {"EventID", "12"}}).size(), 0u);
  EXPECT_EQ(loaded.matches({{"A", "y"}}).size(), 0u);
}

// A rule with a clause sleeps through events without its literals: cost follows the event.
TEST(WakeUp, CostDoesNotGrowWithSleepingRules) {
  const schema::TemplateType type = type_of({"A", "B"});
  std::vector<sigma::Rule> rules;
  for (int i = 0; i < 400; ++i) {
    const std::string word = "literal-" + std::to_string(i * 7919);
    for (sigma::Rule& rule : parse_rules(rule_yaml("sel:\n  A|contains: '" + word + "'\n  B|re: 'a.*b'\ncondition: sel", i))) rules.push_back(std::move(rule));
  }
  Diagnostics diagnostics;
  Loaded few(type, compile_rules(type, {rules.begin(), rules.begin() + 4}, diagnostics));
  Loaded many(type, compile_rules(type, rules, diagnostics));
  const Event event{{"A", std::string(200, 'q') + " something else entirely"}, {"B", "a and b"}};
  const EventInputs laid_out = lay_out(type, event);
  EXPECT_LE(many.run(laid_out.inputs()).steps, few.run(laid_out.inputs()).steps + 20);
  EXPECT_EQ(many.matches({{"A", "a literal-7919."}, {"B", "a and b"}}), std::vector<uint32_t>{1});
}

// Every kind and length of literal is found wherever it stands: the index against plain text search.
TEST(WakeUp, FindsEveryLiteralAtEveryPlace) {
  const schema::TemplateType type = type_of({"A"});
  std::mt19937 random(11);
  for (size_t length = 1; length <= 24; ++length) {
    std::string word;
    for (size_t i = 0; i < length; ++i) word += static_cast<char>('a' + random() % 3);
    for (const std::string modifier : {"contains", "startswith", "endswith", "exact"}) {
      const std::string field = modifier == "exact" ? "A" : "A|" + modifier;
      Loaded loaded = load("sel:\n  " + field + ": '" + word + "'\ncondition: sel", {"A"});
      for (size_t before = 0; before < 12; ++before) {
        for (size_t behind = 0; behind < 6; ++behind) {
          const std::string text = std::string(before, 'z') + word + std::string(behind, 'z');
          const bool expected = modifier == "contains" || (modifier == "startswith" && before == 0) || (modifier == "endswith" && behind == 0) || (before == 0 && behind == 0);
          EXPECT_EQ(!loaded.matches({{"A", text}}).empty(), expected) << field << ": " << word << " on " << text;
        }
      }
    }
  }
}

}  // namespace creance::test
