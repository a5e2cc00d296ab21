// What wakes a rule is chosen by how often literals hold on sample events; the choice costs time only, never a match.
#include "compiler/selectivity.hpp"

#include "interpreter/fixture.hpp"

namespace creance::test {
namespace {

const std::vector<std::vector<schema::InputValue>>& sample_values() {
  static const std::vector<std::vector<schema::InputValue>> kValues{
      {schema::InputValue("C:\\Windows\\System32\\svchost.exe"), schema::InputValue("-k netsvcs"), {}},
      {schema::InputValue("C:\\Windows\\System32\\svchost.exe"), schema::InputValue("-k LocalService"), {}},
      {schema::InputValue("C:\\Windows\\explorer.exe"), {}, schema::InputValue("x")},
      {schema::InputValue("D:\\tool.exe"), schema::InputValue("-K netsvcs"), schema::InputValue("")},
  };
  return kValues;
}
std::vector<schema::Inputs> sample() {
  std::vector<schema::Inputs> out;
  for (const auto& values : sample_values()) out.push_back({values, {}, {}});
  return out;
}

Bytes compile_with(std::span<const schema::Inputs> events, const std::string& detection) {
  const std::vector<sigma::Rule> rules = parse_rules(rule_yaml(detection));
  const compiler::BoundRule bound{&rules[0], nullptr};
  Diagnostics diagnostics;
  compiler::Options options;
  options.sample = events;
  auto bytes = compiler::compile(type_of({"A", "B", "C"}), {&bound, 1}, diagnostics, options);
  EXPECT_TRUE(bytes.has_value());
  return bytes ? *bytes : Bytes{};
}

// The literals of the only instance's clause.
std::vector<std::string> clause_of(const Loaded& loaded) {
  std::vector<std::string> out;
  const channel::Layout& l = loaded.channel().layout();
  for (const uint32_t p : l.numbers.subspan(l.instances[0].clause.first, l.instances[0].clause.count)) out.emplace_back(l.texts.substr(l.predicates[p].operand.first, l.predicates[p].operand.count));
  return out;
}

}  // namespace

TEST(Selectivity, CountsEventsInWhichALiteralHolds) {
  channel::Draft draft;
  using enum channel::PredicateKind;
  const auto add = [&](channel::PredicateKind kind, uint32_t input, std::string_view text, uint8_t flags = 0) {
    const channel::TextRef ref = draft.add_text(text);
    draft.predicates.push_back({.kind = kind, .flags = flags, .input = input, .operand = {ref.offset, ref.size}});
  };
  add(kEndsWith, 0, "\\svchost.exe");
  add(kEndsWith, 0, ".exe");
  add(kStartsWith, 0, "c:\\windows\\");
  add(kEquals, 0, "d:\\tool.exe");
  add(kContains, 1, "-k netsvcs");
  add(kContains, 1, "-k netsvcs", channel::kCased);
  add(kContains, 1, "-k");
  add(kEquals, 2, "");
  add(kContains, 2, "nowhere");
  add(kContains, channel::kEveryValue, "x");
  add(kPresent, 0, "");
  const std::vector<schema::Inputs> events = sample();
  const compiler::Sample counted = compiler::count_on(events, draft);
  EXPECT_EQ(counted.events, 4u);
  EXPECT_EQ(counted.seen, (std::vector<uint32_t>{2, 4, 3, 1, 2, 1, 3, 1, 0, 4, 0}));  // the last but one: in several values of one event, so at most once each
  EXPECT_EQ(compiler::count_on({}, draft).events, 0u);
}

TEST(Selectivity, LooksAtNoMoreEventsThanItsLimit) {
  const std::vector<schema::Inputs> events(2 * limits::kSampleEventsMax + 1, sample()[0]);
  EXPECT_LE(compiler::count_on(events, {}).events, limits::kSampleEventsMax);
  EXPECT_GT(compiler::count_on(events, {}).events, limits::kSampleEventsMax / 2);
}

// The rule is awake whenever `\\svchost.exe` runs: its other literal is looked up with those that wake, where the index has a table for it, and only if it is rarer than the rule is awake.
TEST(Selectivity, LooksUpWhatIsOftenTested) {
  const std::vector<schema::Inputs> events = sample();
  const std::string detection = "a:\n  A|contains: '\\system32\\'\nb:\n  A|contains: '\\windowsapps\\'\n  B|contains: 'netsvcs'\nc:\n  A|contains: '\\temporary'\n  A|endswith: '.tmp'\ncondition: a and not b and not c";
  const schema::TemplateType type = type_of({"A", "B", "C"});
  Loaded loaded(type, compile_with(events, detection));
  Loaded guessed(type, compile_with({}, detection));
  const auto looked_up = [](const Loaded& one, std::string_view literal) {
    const channel::Layout& l = one.channel().layout();
    for (const channel::PredicateRecord& p : l.predicates) {
      if (l.texts.substr(p.operand.first, p.operand.count) == literal) return (p.flags & channel::kIndexed) != 0;
    }
    ADD_FAILURE() << literal;
    return false;
  };
  ASSERT_EQ(clause_of(loaded), std::vector<std::string>{"\\system32\\"});
  EXPECT_TRUE(looked_up(loaded, "\\windowsapps\\"));
  EXPECT_TRUE(looked_up(loaded, "\\temporary"));
  EXPECT_FALSE(looked_up(loaded, ".tmp"));     // the index of A has no suffixes
  EXPECT_FALSE(looked_up(loaded, "netsvcs"));  // B has no index
  EXPECT_FALSE(looked_up(guessed, "\\windowsapps\\"));
  for (const std::string_view a : {"C:\\Windows\\System32\\x.exe", "C:\\WindowsApps\\System32\\x.exe", "C:\\temporary\\System32\\x.tmp", "C:\\x"}) {
    for (const std::string_view b : {"-k netsvcs", "-k"}) {
      const std::vector<schema::InputValue> values{schema::InputValue(a), schema::InputValue(b), {}};
      const bool matches = a.contains("System32") && !(a.contains("WindowsApps") && b.contains("netsvcs")) && !a.contains("temporary");
      EXPECT_EQ(loaded.run({values, {}, {}}).matches.size(), matches ? 1u : 0u) << a << ' ' << b;
      EXPECT_EQ(guessed.run({values, {}, {}}).matches.size(), matches ? 1u : 0u) << a << ' ' << b;
    }
  }
}

TEST(Selectivity, ChoosesTheRareLiteral) {
  const std::string detection = "a:\n  A|endswith: '\\svchost.exe'\nb:\n  B|contains: schtask\ncondition: a and b";
  const schema::TemplateType type = type_of({"A", "B", "C"});
  const std::vector<schema::Inputs> events(50, sample()[0]);
  Loaded guessed(type, compile_with({}, detection));
  Loaded counted(type, compile_with(events, detection));
  EXPECT_EQ(guessed.channel().layout().header->sample_events, 0u);
  EXPECT_EQ(counted.channel().layout().header->sample_events, 50u);
  EXPECT_EQ(clause_of(guessed), std::vector<std::string>{"\\svchost.exe"});
  EXPECT_EQ(clause_of(counted), std::vector<std::string>{"schtask"});
  for (const Event& event : {Event{{"A", "x\\svchost.exe"}, {"B", "/c schtasks"}}, Event{{"A", "x\\svchost.exe"}}, Event{{"B", "schtask"}}}) EXPECT_EQ(guessed.matches(event), counted.matches(event));
}

TEST(Selectivity, IsPartOfTheSources) {
  const std::string detection = "a:\n  A|endswith: '\\svchost.exe'\ncondition: a";
  const std::vector<schema::Inputs> events = sample();
  EXPECT_EQ(compile_with(events, detection), compile_with(events, detection));
  EXPECT_NE(compile_with(events, detection), compile_with({}, detection));  // the file says that and what was counted
}

}  // namespace creance::test
