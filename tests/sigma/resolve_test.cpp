// Filters, mappings and placeholders: what they make of rules.
#include "sigma/resolve.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/fake/files.hpp"
#include "base/limits.hpp"
#include "sigma/parser.hpp"

namespace creance::sigma {
namespace {

constexpr std::string_view kProcess = R"(title: Process
id: 00000000-0000-4000-8000-000000000001
name: process
logsource: {product: windows, category: process_creation}
detection:
)";

struct Tried {
  std::vector<Rule> rules;
  bool filter_lost = false;
  Diagnostics diagnostics;
  bool has(std::string_view code) const { return std::ranges::count(diagnostics, code, &Diagnostic::code) > 0; }
  std::string all() const {
    std::string out;
    for (const Diagnostic& d : diagnostics) out += to_line(d) + "\n";
    return out;
  }
};

Tried resolve_text(const std::string& yaml, const std::string& pipeline = "", const std::string& placeholders = "") {
  Tried out;
  ParseOutcome parsed = parse(yaml, "r.yml");
  out.diagnostics = std::move(parsed.diagnostics);
  fake::MemoryFileSystem files;
  PipelineFiles paths;
  if (!pipeline.empty()) {
    EXPECT_TRUE(files.write_atomic("p.yml", as_bytes(pipeline), 0644));
    paths.pipelines.push_back("p.yml");
  }
  if (!placeholders.empty()) {
    EXPECT_TRUE(files.write_atomic("v.yml", as_bytes(placeholders), 0644));
    paths.placeholders.push_back("v.yml");
  }
  const auto read = read_pipeline(paths, files, out.diagnostics);
  EXPECT_TRUE(read);
  Resolved resolved = resolve(std::move(parsed.rules), parsed.filters, parsed.correlations, *read, out.diagnostics);
  out.rules = std::move(resolved.rules);
  out.filter_lost = resolved.filter_lost;
  return out;
}

std::vector<std::string> texts(const Item& item) {
  std::vector<std::string> out;
  for (const Value& value : item.values) out.push_back(value.text);
  return out;
}
const std::vector<Item>& items(const Rule& rule) { return rule.selections.at(0).alternatives.at(0).items; }
std::string process(std::string_view detection) { return std::string(kProcess) + std::string(detection); }

// The condition over which selections hold, by name.
bool condition_holds(const Rule& rule, std::vector<std::string> holding) {
  std::vector<bool> verdict;
  for (const ConditionNode& node : rule.condition) {
    const auto child = [&](uint32_t i) -> bool { return verdict[i]; };
    switch (node.kind) {
      case NodeKind::kSelection: verdict.push_back(std::ranges::count(holding, rule.selections[node.selection].name) > 0); break;
      case NodeKind::kAnd: verdict.push_back(std::ranges::all_of(node.children, child)); break;
      case NodeKind::kOr: verdict.push_back(std::ranges::any_of(node.children, child)); break;
      case NodeKind::kNot: verdict.push_back(!child(node.children.at(0))); break;
    }
  }
  return verdict.back();
}

TEST(Placeholders, EveryCombinationStandsInTheValue) {
  const Tried r = resolve_text(process("  s:\n    Image|contains|expand: 'C:\\%dir%\\%tool%.exe'\n  condition: s\n"), "", "dir: [A, 'B*']\ntool: [x, 7]\n");
  ASSERT_EQ(r.rules.size(), 1u) << r.all();
  EXPECT_EQ(texts(items(r.rules[0])[0]), (std::vector<std::string>{R"(C:\A\x.exe)", R"(C:\A\7.exe)", R"(C:\B*\x.exe)", R"(C:\B*\7.exe)"}));
  EXPECT_EQ(items(r.rules[0])[0].modifiers, std::vector{Modifier::kContains});
}

TEST(Placeholders, ALonePercentSignIsItselfAndNoBackslashEscapesWhatIsPutIn) {
  const Tried r = resolve_text(process("  s:\n    Image|expand: ['5%', '%a%%a%', 'C:\\%a%', 'C:\\\\%a%', '%b%*']\n  condition: s\n"), "", "a: ['*x']\nb: ['y\\']\n");
  ASSERT_EQ(r.rules.size(), 1u) << r.all();
  EXPECT_EQ(texts(items(r.rules[0])[0]), (std::vector<std::string>{"5%", "*x*x", R"(C:\\*x)", R"(C:\\*x)", R"(y\\*)"}));
  const Tried raw = resolve_text(process("  s:\n    Image|re|expand: '^C:\\\\%a%$'\n  condition: s\n"), "", "a: ['\\w+']\n");
  ASSERT_EQ(raw.rules.size(), 1u) << raw.all();
  EXPECT_EQ(texts(items(raw.rules[0])[0]), std::vector<std::string>{R"(^C:\\\w+$)"});
}

TEST(Placeholders, WithAllEachValueHoldsByAnyOfItsTexts) {
  const Tried r = resolve_text(process("  s:\n    CommandLine|contains|all|expand: ['%a%', 'z']\n  condition: s\n"), "", "a: [x, y]\n");
  ASSERT_EQ(r.rules.size(), 1u) << r.all();
  ASSERT_EQ(items(r.rules[0]).size(), 2u);
  EXPECT_EQ(texts(items(r.rules[0])[0]), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(texts(items(r.rules[0])[1]), (std::vector<std::string>{"z"}));
  for (const Item& item : items(r.rules[0])) EXPECT_EQ(item.modifiers, std::vector{Modifier::kContains});
}

TEST(Placeholders, ANumberAloneStaysANumber) {
  const Tried r = resolve_text(process("  s:\n    ProcessId|expand|gte: '%least%'\n  condition: s\n"), "", "least: 1000\n");
  ASSERT_EQ(r.rules.size(), 1u) << r.all();
  EXPECT_EQ(items(r.rules[0])[0].values[0].kind, ValueKind::kInteger);
  const Tried word = resolve_text(process("  s:\n    ProcessId|expand|gte: '%least%'\n  condition: s\n"), "", "least: many\n");
  EXPECT_TRUE(word.rules.empty());
  EXPECT_TRUE(word.has("S048")) << word.all();
}

TEST(Placeholders, AnUnknownOneIsNamedAndRefusesItsRuleAlone) {
  const Tried r = resolve_text(process("  s:\n    Image|expand: '%nobody%'\n  condition: s\n---\ntitle: Other\nid: 00000000-0000-4000-8000-000000000002\nlogsource: {product: windows, category: process_creation}\n"
                                          "detection:\n  s: {Image: '%nobody%'}\n  condition: s\n"));
  ASSERT_EQ(r.rules.size(), 1u);
  EXPECT_EQ(r.rules[0].title, "Other");  // without the modifier the text is a text
  EXPECT_NE(r.all().find("r.yml:7:19: error S049: the placeholder `nobody` has no values"), std::string::npos) << r.all();
}

TEST(Placeholders, AreBoundedInNumber) {
  std::string values = "a: [";
  for (int i = 0; i < 1000; ++i) values += std::to_string(i) + ",";
  const Tried r = resolve_text(process("  s:\n    Image|expand: '%a%-%a%'\n  condition: s\n"), "", values + "0]\n");
  EXPECT_TRUE(r.rules.empty());
  EXPECT_TRUE(r.has("S051")) << r.all();
}

TEST(Filters, AreJoinedToTheConditionOfTheirRulesAlone) {
  const Tried r = resolve_text(process("  s: {Image: a}\n  condition: s\n---\ntitle: Other\nid: 00000000-0000-4000-8000-000000000002\nlogsource: {product: windows, category: process_creation}\n"
                                          "detection:\n  s: {Image: b}\n  condition: s\n---\ntitle: F\nid: 00000000-0000-4000-8000-000000000003\nlogsource: {product: windows}\n"
                                          "filter:\n  rules: [process]\n  f1: {User: x}\n  f2: {User: y}\n  condition: not 1 of f*\n"));
  ASSERT_EQ(r.rules.size(), 2u) << r.all();
  EXPECT_TRUE(condition_holds(r.rules[0], {"s"}));
  EXPECT_FALSE(condition_holds(r.rules[0], {"s", "f2"}));
  EXPECT_FALSE(condition_holds(r.rules[0], {}));
  EXPECT_TRUE(condition_holds(r.rules[1], {"s", "f2"}));
}

TEST(Filters, ForAnyRuleGoByTheLogSource) {
  const Tried r = resolve_text(process("  s: {Image: a}\n  condition: s\n---\ntitle: Pipe\nid: 00000000-0000-4000-8000-000000000002\nlogsource: {product: windows, category: pipe_created}\n"
                                          "detection:\n  s: {Image: b}\n  condition: s\n---\ntitle: F\nid: 00000000-0000-4000-8000-000000000003\nlogsource: {category: pipe_created}\n"
                                          "filter:\n  rules: any\n  f: {Image: x}\n  condition: not f\n"));
  ASSERT_EQ(r.rules.size(), 2u) << r.all();
  EXPECT_TRUE(condition_holds(r.rules[0], {"s", "f"}));
  EXPECT_FALSE(condition_holds(r.rules[1], {"s", "f"}));
}

TEST(Filters, SeveralFiltersAllHold) {
  std::string yaml = process("  s: {Image: a}\n  condition: s\n");
  for (int i = 2; i < 6; ++i) {
    yaml += "---\ntitle: F\nid: 00000000-0000-4000-8000-00000000000" + std::to_string(i) + "\nlogsource: {product: windows}\nfilter:\n  rules: any\n  f" + std::to_string(i) + ": {User: x}\n  condition: not f" + std::to_string(i) + "\n";
  }
  const Tried r = resolve_text(yaml);
  ASSERT_EQ(r.rules.size(), 1u) << r.all();
  EXPECT_TRUE(condition_holds(r.rules[0], {"s"}));
  for (const char* f : {"f2", "f3", "f4", "f5"}) EXPECT_FALSE(condition_holds(r.rules[0], {"s", f}));
}

TEST(Mappings, RenameFieldsAndReferencesAndLogSources) {
  const Tried r = resolve_text(process("  s:\n    IMAGE|endswith: a\n    User|fieldref: ParentImage\n  condition: s\n"),
                                  "mappings:\n  - logsource: {product: windows, category: process_creation}\n    fields: {Image: NewProcessName, parentimage: ParentProcessName}\n"
                                  "    to: {product: windows, service: security}\n    add: {EventID: 4688}\n"
                                  "  - logsource: {service: security}\n    fields: {user: SubjectUserName}\n  - logsource: {service: system}\n    fields: {EventID: Nothing}\n");
  ASSERT_EQ(r.rules.size(), 1u) << r.all();
  const Rule& rule = r.rules[0];
  EXPECT_EQ(rule.logsource, (schema::LogSource{"windows", "", "security"}));
  EXPECT_EQ(items(rule)[0].field, "NewProcessName");
  EXPECT_EQ(items(rule)[1].field, "SubjectUserName");
  EXPECT_EQ(texts(items(rule)[1]), std::vector<std::string>{"ParentProcessName"});
  ASSERT_EQ(rule.selections.size(), 2u);
  EXPECT_EQ(rule.selections[1].alternatives[0].items[0].field, "EventID");
  EXPECT_EQ(rule.selections[1].origin, "p.yml");
  EXPECT_TRUE(condition_holds(rule, {"s", ""}));
  EXPECT_FALSE(condition_holds(rule, {"s"}));
}

TEST(Mappings, TurnAnotherTaxonomyIntoOurs) {
  const std::string rule = "title: T\nid: 00000000-0000-4000-8000-000000000001\ntaxonomy: ecs\nlogsource: {product: windows, category: process_creation}\ndetection:\n  s: {process.executable: a}\n  condition: s\n";
  const Tried r = resolve_text(rule, "mappings:\n  - taxonomy: ecs\n    fields: {process.executable: Image}\n");
  ASSERT_EQ(r.rules.size(), 1u) << r.all();
  EXPECT_EQ(items(r.rules[0])[0].field, "Image");
  EXPECT_TRUE(resolve_text(rule).has("S037"));
  EXPECT_TRUE(resolve_text(rule, "mappings:\n  - logsource: {product: windows}\n    fields: {process.executable: Image}\n").has("S037"));
}

TEST(Pipelines, IncludedFilesCountFirstAndOnce) {
  fake::MemoryFileSystem files;
  const auto write = [&](const char* name, std::string_view text) { EXPECT_TRUE(files.write_atomic(name, as_bytes(text), 0644)); };
  write("d/top.yml", "include: [sub/a.yml, b.yml]\nmappings:\n  - {logsource: {product: p}, fields: {A: top}}\n");
  write("d/sub/a.yml", "placeholders: {x: 1}\nmappings:\n  - {logsource: {product: p}, fields: {A: a}}\n");
  write("d/b.yml", "include: [sub/a.yml]\nmappings:\n  - {logsource: {product: p}, fields: {A: b}}\n");
  Diagnostics diagnostics;
  const auto read = read_pipeline({{"d/top.yml"}, {}}, files, diagnostics);
  ASSERT_TRUE(read);
  EXPECT_TRUE(diagnostics.empty());
  std::vector<std::string> order;
  for (const Mapping& mapping : read->mappings) order.push_back(mapping.fields[0].second);
  EXPECT_EQ(order, (std::vector<std::string>{"a", "b", "top"}));
  EXPECT_TRUE(read->placeholders.contains("x"));
}

TEST(Pipelines, CirclesAndDepthAreRefused) {
  fake::MemoryFileSystem files;
  EXPECT_TRUE(files.write_atomic("a.yml", as_bytes("include: [b.yml]\n"), 0644));
  EXPECT_TRUE(files.write_atomic("b.yml", as_bytes("include: [./a.yml]\n"), 0644));
  Diagnostics diagnostics;
  ASSERT_TRUE(read_pipeline({{"a.yml"}, {}}, files, diagnostics));
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_EQ(to_line(diagnostics[0]), "b.yml:1:11: error S150: `./a.yml` includes this file in turn");
  for (uint32_t i = 0; i < limits::kPipelineDepthMax + 1; ++i) {
    EXPECT_TRUE(files.write_atomic(std::to_string(i) + ".yml", as_bytes("include: [" + std::to_string(i + 1) + ".yml]\n"), 0644));
  }
  EXPECT_TRUE(files.write_atomic(std::to_string(limits::kPipelineDepthMax) + ".yml", as_bytes("placeholders: {a: 1}\n"), 0644));
  diagnostics.clear();
  ASSERT_TRUE(read_pipeline({{"1.yml"}, {}}, files, diagnostics));
  EXPECT_TRUE(diagnostics.empty());  // exactly as deep as allowed
  diagnostics.clear();
  ASSERT_TRUE(read_pipeline({{"0.yml"}, {}}, files, diagnostics));
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_EQ(diagnostics[0].code, "S150");
  EXPECT_FALSE(read_pipeline({{"gone.yml"}, {}}, files, diagnostics));
}

// A filter that is there and cannot be put into its rule: what it should leave out would be found. The outcome itself says so.
TEST(FilterLost, WhateverKeepsAFilterOutOfARule) {
  const auto lost = [](const std::string& rules, const std::string& filter) {
    const Tried r = resolve_text(rules + "---\ntitle: F\nlogsource: {product: windows}\nfilter:\n  x: {Image: y}\n" + filter);
    return r.filter_lost;
  };
  const std::string rule = process("  s: {Image: x}\n  condition: s\n");
  const std::string correlation = "---\ntitle: C\nname: many\ncorrelation: {type: event_count, rules: [process], group-by: [Image], timespan: 1m, condition: {gte: 2}}\n";
  EXPECT_FALSE(lost(rule, "  rules: [process]\n  condition: not x\n"));
  EXPECT_FALSE(lost(rule, "  rules: any\n  condition: not x\n"));
  EXPECT_FALSE(lost(rule, "  rules: [absent]\n  condition: not x\n"));                 // S142: it leaves out nothing of what is there
  EXPECT_TRUE(lost(rule + correlation, "  rules: [many]\n  condition: not x\n"));       // S145
  std::string twin = rule;
  twin.replace(twin.find("000000000001"), 12, "000000000002");
  EXPECT_TRUE(lost(rule + "---\n" + twin, "  rules: [process]\n  condition: not x\n"));  // S147
  std::string half;
  for (uint32_t i = 0; i < limits::kConditionNodesMax / 2 - 2; ++i) half += " or s";
  const std::string large = process("  s: {Image: x}\n  condition: s" + half + "\n");
  EXPECT_FALSE(lost(large, "  rules: any\n  condition: not x\n"));
  EXPECT_TRUE(lost(large, "  s: {Image: x}\n  rules: any\n  condition: not (x or s" + half.substr(5) + ")\n"));  // S064
}

TEST(FilterLost, ARuleOfTheSameFileIsMeant) {
  // One index for filters and correlations: beside each other wins over elsewhere.
  const std::string filter = "title: F\nlogsource: {product: windows}\nfilter: {rules: [process], x: {Image: y}, condition: not x}\n";
  ParseOutcome near = parse(process("  s: {Image: x}\n  condition: s\n") + "---\n" + filter, "near.yml");
  const ParseOutcome far = parse(process("  s: {Image: x}\n  condition: s\n"), "far.yml");
  std::vector<Rule> rules = near.rules;
  rules.push_back(far.rules.at(0));
  Diagnostics diagnostics;
  Resolved resolved = resolve(rules, near.filters, {}, {}, diagnostics);
  EXPECT_FALSE(resolved.filter_lost);
  ASSERT_EQ(resolved.rules.size(), 2u);
  EXPECT_EQ(resolved.rules[0].selections.size(), 2u);
  EXPECT_EQ(resolved.rules[1].selections.size(), 1u);
}

}  // namespace
}  // namespace creance::sigma
