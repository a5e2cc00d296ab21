#include "validator/judge/cases.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/fake/files.hpp"
#include "base/os/real.hpp"
#include "sigma/parser.hpp"
#include "sigma/resolve.hpp"
#include "support/places.hpp"
#include "validator/judge/codes.hpp"

namespace creance::validator {
namespace {

constexpr const char* kRule = R"(title: A pipe
id: 7f1f3a0e-7c1a-4a53-9d1e-000000000001
logsource: {product: windows, category: pipe_created}
detection:
  sel:
    PipeName|startswith: '\evil'
  filter:
    Image|endswith: '\good.exe'
  condition: sel and not filter
)";

std::vector<sigma::Rule> rules_of(const std::string& yaml, const std::string& file = "r.yml") {
  auto outcome = sigma::parse(yaml, file);
  for (const Diagnostic& d : outcome.diagnostics) EXPECT_NE(d.severity, Severity::kError) << to_line(d);
  return std::move(outcome.rules);
}

std::string cases_with(const std::string& cases) { return "rule: 7F1F3A0E-7c1a-4a53-9d1e-000000000001\ncases:\n" + cases; }
std::string one_case(const std::string& name, const std::string& match, const std::string& event, const std::string& more = "") {
  return "  - name: " + name + "\n    match: " + match + "\n    event: {Channel: Microsoft-Windows-Sysmon/Operational, EventID: 17" + (event.empty() ? "" : ", ") + event + "}\n" + more;
}

CaseReport judge(const std::string& cases, const std::string& rule = kRule) {
  Diagnostics diagnostics;
  const auto parsed = parse_cases(cases, "r.cases.yml", diagnostics);
  CaseReport report = judge_cases(rules_of(rule), parsed, schema::Catalog::embedded());
  std::ranges::move(diagnostics, std::back_inserter(report.diagnostics));
  return report;
}
std::vector<std::string> codes_of(const Diagnostics& diagnostics) {
  std::vector<std::string> out;
  for (const Diagnostic& d : diagnostics) out.push_back(d.code);
  return out;
}
std::vector<std::string> parse_codes(const std::string& cases) {
  Diagnostics diagnostics;
  parse_cases(cases, "r.cases.yml", diagnostics);
  return codes_of(diagnostics);
}
using Codes = std::vector<std::string>;

constexpr const char* kCorrelation = R"(title: Many pipes
id: 7f1f3a0e-7c1a-4a53-9d1e-00000000000c
correlation: {type: event_count, rules: [a_pipe], group-by: [Image], timespan: 1m, condition: {gte: 2}}
---
)";

CaseReport judge_correlation(const std::string& cases) {
  Diagnostics diagnostics;
  const auto parsed = parse_cases("rule: 7f1f3a0e-7c1a-4a53-9d1e-00000000000c\ncases:\n" + cases, "r.cases.yml", diagnostics);
  auto outcome = sigma::parse(kCorrelation + std::string(kRule) + "name: a_pipe\n", "r.yml");
  CaseReport report = judge_cases(outcome.rules, parsed, schema::Catalog::embedded(), outcome.correlations);
  std::ranges::move(diagnostics, std::back_inserter(report.diagnostics));
  return report;
}
std::string sequence(const std::string& name, const std::string& hits, const std::vector<std::string>& events) {
  std::string out = "  - name: " + name + "\n    hits: " + hits + "\n    events:\n";
  for (const std::string& event : events) out += "      - {Channel: Microsoft-Windows-Sysmon/Operational, EventID: 17, " + event + "}\n";
  return out;
}

TEST(Cases, ACorrelationIsJudgedOnSequences) {
  const std::string a = "PipeName: '\\evil1', Image: a, UtcTime: '2026-11-23 10:00:00'";
  const std::string b = "PipeName: '\\evil1', Image: b, UtcTime: '2026-11-23 10:00:10'";
  const std::string late = "PipeName: '\\evil1', Image: a, UtcTime: '2026-11-23 10:02:00'";
  const CaseReport report = judge_correlation(sequence("two", "[3]", {a, b, a}) + sequence("apart", "[]", {a, late}) + sequence("wrong", "[1]", {a, a}) + one_case("no sequence", "true", "PipeName: x") +
                                              sequence("no Type", "[]", {"EventID2: 1, Channel2: x"}));
  ASSERT_EQ(report.results.size(), 5u);
  EXPECT_EQ(report.results[0].verdict, Verdict::kPassed) << report.results[0].reason;
  EXPECT_EQ(report.results[1].verdict, Verdict::kPassed) << report.results[1].reason;
  EXPECT_EQ(report.results[2].verdict, Verdict::kWrong);
  EXPECT_EQ(report.results[2].reason, "the case wants hits at [1], both judges have them at [2]");
  EXPECT_EQ(report.results[3].verdict, Verdict::kUnusable);
  EXPECT_TRUE(std::ranges::count(codes_of(report.diagnostics), "J014"));
  const CaseReport other = judge(cases_with(sequence("a sequence", "[]", {a})));
  EXPECT_EQ(other.results.at(0).verdict, Verdict::kUnusable);
  EXPECT_TRUE(std::ranges::count(codes_of(other.diagnostics), "J014"));
}

TEST(Cases, WrongSequencesAreDiagnosed) {
  const auto head = std::string("rule: 7f1f3a0e-7c1a-4a53-9d1e-00000000000c\ncases:\n");
  EXPECT_EQ(parse_codes(head + "  - {name: x, hits: [2], events: [{A: b}]}\n"), (std::vector<std::string>{"J002"}));
  EXPECT_EQ(parse_codes(head + "  - {name: x, events: [{A: b}]}\n"), (std::vector<std::string>{"J002"}));
  EXPECT_EQ(parse_codes(head + "  - {name: x, hits: [], events: []}\n"), (std::vector<std::string>{"J002"}));
  EXPECT_EQ(parse_codes(head + "  - {name: x, hits: [], events: [a]}\n"), (std::vector<std::string>{"J002"}));
  EXPECT_EQ(parse_codes(head + "  - {name: x, hits: [], match: true, events: [{A: b}]}\n"), (std::vector<std::string>{"J003"}));
  EXPECT_EQ(parse_codes(head + "  - {name: x, hits: [1, 1], type: t, events: [{A: b, _type: c}]}\n"), std::vector<std::string>{});
}

TEST(Cases, BothJudgesDecideEachCase) {
  const CaseReport report = judge(cases_with(one_case("evil", "true", "PipeName: '\\evil1', Image: 'C:\\bad.exe'") + one_case("no image", "true", "PipeName: '\\EVIL'") +
                                             one_case("filtered", "false", "PipeName: '\\evil1', Image: 'C:\\good.exe'") + one_case("absent", "false", "Image: 'C:\\bad.exe'")));
  ASSERT_EQ(report.results.size(), 4u);
  for (const CaseResult& result : report.results) EXPECT_TRUE(result.passed) << result.name << ": " << result.reason;
  EXPECT_EQ(report.diagnostics.size(), 0u);
  EXPECT_EQ(report.results[0].rule_id, "7f1f3a0e-7c1a-4a53-9d1e-000000000001");
  EXPECT_EQ(report.results[0].file, "r.cases.yml");
  EXPECT_EQ(report.results[2].span.line, 9u);
}

TEST(Cases, WrongExpectationFailsAndSaysBothSides) {
  const CaseReport report = judge(cases_with(one_case("a", "false", "PipeName: '\\evil1'") + one_case("b", "true", "PipeName: '\\other'")));
  ASSERT_EQ(report.results.size(), 2u);
  EXPECT_EQ(report.results[0].verdict, Verdict::kWrong);
  EXPECT_EQ(report.results[0].reason, "the case wants no match, both judges say a match");
  EXPECT_EQ(report.results[1].verdict, Verdict::kWrong);
  EXPECT_FALSE(report.results[1].passed);
}

TEST(Cases, DisagreementAndFaultAreTheirOwnVerdicts) {
  EXPECT_EQ(verdict_of(true, true, true, 0), Verdict::kPassed);
  EXPECT_EQ(verdict_of(false, false, false, 0), Verdict::kPassed);
  EXPECT_EQ(verdict_of(true, false, false, 0), Verdict::kWrong);
  for (const bool expected : {false, true}) {
    EXPECT_EQ(verdict_of(expected, true, false, 0), Verdict::kDisagree);
    EXPECT_EQ(verdict_of(expected, false, true, 0), Verdict::kDisagree);
    EXPECT_EQ(verdict_of(expected, expected, expected, 1), Verdict::kFault);
  }
}

TEST(Cases, ATypeThatIsNoneIsAnError) {
  const CaseReport report = judge("rule: 7f1f3a0e-7c1a-4a53-9d1e-000000000001\ncases:\n  - name: a\n    match: false\n    type: windows.pipe_made\n    event: {Channel: Microsoft-Windows-Sysmon/Operational, EventID: 17, PipeName: x}\n");
  EXPECT_TRUE(std::ranges::any_of(report.diagnostics, [](const Diagnostic& d) { return d.code == "J002" && d.message == "`type` of `a` is no Template Type: `windows.pipe_made`"; }));
}

TEST(Cases, EventOfAnotherTypeIsUnusableAlsoWhereNoMatchIsWanted) {
  const CaseReport report = judge("rule: 7f1f3a0e-7c1a-4a53-9d1e-000000000001\ncases:\n  - name: a\n    match: false\n    event: {Channel: Microsoft-Windows-Sysmon/Operational, EventID: 1}\n  - name: b\n    match: false\n    event: {x: y}\n");
  ASSERT_EQ(report.results.size(), 2u);
  EXPECT_EQ(report.results[0].verdict, Verdict::kUnusable);
  EXPECT_EQ(report.results[0].reason, "the event goes to `windows.process_creation`, not to one of the rule (`windows.pipe_created`); check Channel, EventID and `type`");
  EXPECT_EQ(report.results[1].verdict, Verdict::kUnusable);
  EXPECT_EQ(report.results[1].reason, "the event is of no Template Type; events of `windows.pipe_created` have Channel `Microsoft-Windows-Sysmon/Operational` and EventID 17 or 18, or the case says `type`");
}

TEST(Cases, TypeNamesTheTemplateType) {
  const CaseReport report = judge("rule: 7f1f3a0e-7c1a-4a53-9d1e-000000000001\ncases:\n  - {name: a, match: true, type: windows.pipe_created, event: {PipeName: '\\evil'}}\n");
  ASSERT_EQ(report.results.size(), 1u);
  EXPECT_TRUE(report.results[0].passed) << report.results[0].reason;
}

TEST(Cases, UnavailableInputNeverMatchesUnderNotEither) {
  const CaseReport report = judge(cases_with(one_case("filter input unavailable", "false", "PipeName: '\\evil1'", "    unavailable: [Image]\n") + one_case("unread input", "true", "PipeName: '\\evil1'", "    unavailable: [User]\n") +
                                             one_case("no such input", "false", "PipeName: x", "    unavailable: [Imag]\n")));
  ASSERT_EQ(report.results.size(), 3u);
  EXPECT_TRUE(report.results[0].passed) << report.results[0].reason;
  EXPECT_TRUE(report.results[1].passed) << report.results[1].reason;
  EXPECT_EQ(report.results[2].verdict, Verdict::kUnusable);
  EXPECT_TRUE(std::ranges::count(codes_of(report.diagnostics), "J009") == 1);
}

TEST(Cases, CoverageNamesInputsThatNoCaseTries) {
  const CaseReport report = judge(cases_with(one_case("a", "true", "PipeName: '\\evil1'") + one_case("b", "true", "PipeName: '\\evil2'") + one_case("c", "false", "PipeName: x") + one_case("d", "false", "PipeName: y")));
  EXPECT_EQ(codes_of(report.diagnostics), Codes{"J008"});
  ASSERT_EQ(report.coverage.size(), 2u);
  const auto image = std::ranges::find(report.coverage, "Image", &InputCoverage::input);
  ASSERT_NE(image, report.coverage.end());
  EXPECT_FALSE(image->in_matching || image->in_not_matching);
  const auto pipe = std::ranges::find(report.coverage, "PipeName", &InputCoverage::input);
  ASSERT_NE(pipe, report.coverage.end());
  EXPECT_TRUE(pipe->in_matching && pipe->in_not_matching);
}

// The fields of a correlation are those of its rules as written: each goes through the mappings of its own rule.
TEST(Cases, FieldsOfACorrelationGoThroughTheMappingsOfItsRules) {
  const std::string yaml = R"(title: C
id: 7f1f3a0e-7c1a-4a53-9d1e-00000000000c
correlation:
  type: value_count
  rules: [pipe, process]
  group-by: [who, host.name]
  timespan: 1m
  condition: {gte: 2, field: process.executable}
  aliases: {who: {pipe: account.name, process: User}}
---
title: Outer
id: 7f1f3a0e-7c1a-4a53-9d1e-00000000000d
correlation: {type: event_count, rules: [inner], group-by: [host.name], timespan: 1m, condition: {gte: 1}}
---
title: Inner
name: inner
id: 7f1f3a0e-7c1a-4a53-9d1e-00000000000e
correlation: {type: event_count, rules: [pipe], group-by: [account.name], timespan: 1m, condition: {gte: 2}}
---
title: Pipe
name: pipe
id: 7f1f3a0e-7c1a-4a53-9d1e-000000000001
taxonomy: own
logsource: {product: windows, category: pipe_created}
detection: {s: {pipe.name: p}, condition: s}
---
title: Process
name: process
id: 7f1f3a0e-7c1a-4a53-9d1e-000000000002
logsource: {product: windows, category: process_creation}
detection: {s: {CommandLine: c}, condition: s}
)";
  // `host.name` becomes another input for each rule, the one of the pipe by two steps.
  const std::string pipeline = R"(mappings:
  - taxonomy: own
    fields: {pipe.name: PipeName, account.name: user.name, host.name: node, Process.Executable: Image}
  - taxonomy: own
    fields: {user.name: User, node: Computer}
  - logsource: {product: windows, category: process_creation}
    fields: {host.name: Company, process.executable: OriginalFileName}
)";
  auto outcome = sigma::parse(yaml, "r.yml");
  fake::MemoryFileSystem files;
  ASSERT_TRUE(files.write_atomic("p.yml", as_bytes(pipeline), 0644));
  const auto read = sigma::read_pipeline({{"p.yml"}, {}}, files, outcome.diagnostics);
  ASSERT_TRUE(read);
  const auto rules = sigma::resolve(std::move(outcome.rules), outcome.filters, outcome.correlations, *read, outcome.diagnostics).rules;
  ASSERT_FALSE(has_errors(outcome.diagnostics)) << to_line(outcome.diagnostics.front());
  const std::string pipe = "{Channel: Microsoft-Windows-Sysmon/Operational, EventID: 17, PipeName: p, User: u, Computer: h, Image: ";
  const std::string process = "{Channel: Microsoft-Windows-Sysmon/Operational, EventID: 1, CommandLine: c, User: u, Company: h, Computer: other, Image: same, OriginalFileName: ";
  const auto at = [](int second) { return ", UtcTime: '2026-01-01 00:00:0" + std::to_string(second) + "'}\n"; };
  std::string cases = "rule: 7f1f3a0e-7c1a-4a53-9d1e-00000000000c\ncases:\n";
  cases += "  - name: both rules in one group\n    hits: [2]\n    events:\n      - " + pipe + "a" + at(0) + "      - " + process + "b" + at(1);
  cases += "  - name: the same value\n    hits: []\n    events:\n      - " + pipe + "a" + at(0) + "      - " + process + "a" + at(1);
  cases += "---\nrule: 7f1f3a0e-7c1a-4a53-9d1e-00000000000d\ncases:\n";
  cases += "  - name: through the inner one\n    hits: [2]\n    events:\n      - " + pipe + "a" + at(0) + "      - " + pipe + "b" + at(1);
  cases += "  - name: one event\n    hits: []\n    events:\n      - " + pipe + "a" + at(0);
  Diagnostics diagnostics;
  const auto parsed = parse_cases(cases, "r.cases.yml", diagnostics);
  ASSERT_EQ(codes_of(diagnostics), Codes{});
  const CaseReport report = judge_cases(rules, parsed, schema::Catalog::embedded(), outcome.correlations);
  ASSERT_EQ(report.results.size(), 4u);
  for (const CaseResult& result : report.results) EXPECT_TRUE(result.passed) << result.name << ": " << result.reason;
  for (const Diagnostic& d : report.diagnostics) EXPECT_NE(d.severity, Severity::kError) << to_line(d);
}

TEST(Cases, WhatIsMissingIsSaid) {
  EXPECT_EQ(codes_of(judge("rule: 7f1f3a0e-7c1a-4a53-9d1e-000000000001\ncases: []\n").diagnostics), (Codes{"J005", "J015"}));
  EXPECT_EQ(codes_of(judge("rule: 7f1f3a0e-7c1a-4a53-9d1e-000000000002\ncases: []\n").diagnostics), (Codes{"J004", "J005", "J015"}));
  for (const char* nothing : {"", "\n", "# later\n", "---\n", "---\n---\n...\n", "~\n", "null\n"}) EXPECT_EQ(parse_codes(nothing), Codes{"J015"}) << nothing;
  EXPECT_EQ(parse_codes("---\n" + cases_with(one_case("a", "true", "PipeName: x")) + "---\n"), Codes{});  // a blank document beside a full one is nothing
  std::string without_id = kRule;
  without_id.erase(without_id.find("id: "), 40);
  EXPECT_EQ(codes_of(judge(cases_with(one_case("a", "true", "PipeName: x")), without_id).diagnostics), (Codes{"J004", "J012"}));
  const CaseReport one = judge(cases_with(one_case("a", "true", "PipeName: '\\evil', Image: x")));
  EXPECT_EQ(codes_of(one.diagnostics), Codes{"J007"});
}

TEST(Cases, RuleThatCannotRunFailsItsCases) {
  std::string rule = kRule;
  rule.replace(rule.find("PipeName"), 8, "PipeNam_");
  const CaseReport report = judge(cases_with(one_case("a", "true", "PipeName: '\\evil'")), rule);
  ASSERT_EQ(report.results.size(), 1u);
  EXPECT_EQ(report.results[0].verdict, Verdict::kUnusable);
  EXPECT_EQ(std::ranges::count(codes_of(report.diagnostics), "S202"), 1);
  EXPECT_EQ(std::ranges::count(codes_of(report.diagnostics), "J010"), 1);
}

// Each modifier by itself over values that should and should not satisfy it: the judges must agree, whatever they say.
TEST(Judges, AgreeOnEveryModifier) {
  const std::vector<std::string> lines{
      "User|neq: a", "User|neq: [a, b]", "User|contains|neq: a", "User|neq: null", "User|fieldref|neq: ParentUser", "User|re|neq: '^a'", "User|cidr|neq: 10.0.0.0/8", "User|all|contains|neq: [a, b]",
      "User|fieldref: ParentUser", "User|fieldref|startswith: ParentUser", "User|exists: true", "User|exists: false", "User|cased: A", "User|contains|cased: a", "User|gt: 5", "User|lte: 5.5", "User|re|i: '^A'",
      "User|windash|contains: ' -a'", "User|base64: a", "User|wide|base64offset|contains: ab", "User|utf16: a", "User|startswith: 'a*b'", "User: 'a?'", "User: ''", "User: null", "User: 5", "User: true"};
  const std::vector<std::string> events{"{}", "{User: ''}", "{User: a}", "{User: A, ParentUser: a}", "{User: ab, ParentUser: a}", "{User: '5'}", "{User: '5.5'}", "{User: 10.1.2.3}", "{User: 'x /a'}", "{User: YQ==}", "{User: [a, b]}", "{User: 'true'}", "{User: [b, '']}"};
  std::string cases = "rule: 7f1f3a0e-7c1a-4a53-9d1e-000000000001\ncases:\n";
  for (size_t i = 0; i < events.size(); ++i) cases += "  - {name: c" + std::to_string(i) + ", match: true, type: windows.process_creation, event: " + events[i] + "}\n";
  for (const std::string& line : lines) {
    const std::string rule = "title: t\nid: 7f1f3a0e-7c1a-4a53-9d1e-000000000001\nlogsource: {product: windows, category: process_creation}\ndetection:\n  sel:\n    " + line + "\n  condition: sel\n";
    const CaseReport report = judge(cases, rule);
    ASSERT_EQ(report.results.size(), events.size()) << line;
    for (size_t i = 0; i < events.size(); ++i) {
      EXPECT_TRUE(report.results[i].verdict == Verdict::kPassed || report.results[i].verdict == Verdict::kWrong) << line << " over " << events[i] << ": " << report.results[i].reason;
    }
    if (line == "User|neq: a") {
      EXPECT_TRUE(report.results[0].passed && report.results[1].passed && report.results[4].passed);
      EXPECT_FALSE(report.results[2].passed || report.results[3].passed);
    }
  }
}

TEST(CasesFile, BadPartsAreReportedWithTheirPlace) {
  EXPECT_EQ(parse_codes("rule: [\n"), Codes{"J001"});
  EXPECT_EQ(parse_codes("rule: a\nrule: b\n"), Codes{"J001"});
  EXPECT_EQ(parse_codes(", rule: a\n"), Codes{"J001"});
  EXPECT_EQ(parse_codes("- x\n"), Codes{"J002"});
  EXPECT_EQ(parse_codes("cases: []\n"), Codes{"J002"});
  EXPECT_EQ(parse_codes("rule: a\ncases: x\n"), Codes{"J002"});
  EXPECT_EQ(parse_codes("rule: a\ncases: []\nruel: b\n"), Codes{"J003"});
  EXPECT_EQ(parse_codes("rule: a\ncases:\n  - x\n"), Codes{"J002"});
  EXPECT_EQ(parse_codes("rule: a\ncases:\n  - {match: true, event: {}}\n"), Codes{"J002"});
  EXPECT_EQ(parse_codes("rule: a\ncases:\n  - {name: n, event: {}}\n"), Codes{"J002"});
  EXPECT_EQ(parse_codes("rule: a\ncases:\n  - {name: n, match: yes, event: {}}\n"), Codes{"J002"});
  EXPECT_EQ(parse_codes("rule: a\ncases:\n  - {name: n, match: 'true', event: {}}\n"), Codes{"J002"});
  EXPECT_EQ(parse_codes("rule: a\ncases:\n  - {name: n, match: true}\n"), Codes{"J002"});
  EXPECT_EQ(parse_codes("rule: a\ncases:\n  - {name: n, match: true, event: {a: {b: c}}}\n"), Codes{"J002"});
  EXPECT_EQ(parse_codes("rule: a\ncases:\n  - {name: n, match: true, event: {a: [[b]]}}\n"), Codes{"J002"});
  EXPECT_EQ(parse_codes("rule: a\ncases:\n  - {name: n, match: true, event: {_type: b}}\n"), Codes{"J002"});
  EXPECT_EQ(parse_codes("rule: a\ncases:\n  - {name: n, match: true, event: {}, unavailable: User}\n"), Codes{"J002"});
  EXPECT_EQ(parse_codes("rule: a\ncases:\n  - {name: n, match: true, event: {}}\n  - {name: n, match: true, event: {}}\n"), Codes{"J006"});
  EXPECT_EQ(parse_codes("rule: a\ncases:\n  - {name: n, match: true, event: {}, tpye: x}\n"), Codes{"J003"});
  EXPECT_EQ(parse_codes(std::string(100'000, '[')), Codes{"J001"});
  Diagnostics diagnostics;
  parse_cases("rule: a\ncases:\n  - name: n\n    match: maybe\n    event: {}\n", "x.cases.yml", diagnostics);
  ASSERT_EQ(diagnostics.size(), 1u);
  EXPECT_EQ(to_line(diagnostics[0]), "x.cases.yml:4:12: error J002: `match` must be true or false");
}

TEST(CasesFile, ValuesKeepTheirKind) {
  Diagnostics diagnostics;
  const auto parsed = parse_cases("rule: a\ncases:\n  - {name: n, match: true, event: {i: 17, s: '17', o: 007, x: 0x1F, f: 1.50, t: true, q: 'true', n: null, l: [a, 1], e: ''}}\n", "x", diagnostics);
  ASSERT_EQ(parsed.size(), 1u);
  EXPECT_EQ(parsed[0].cases[0].event_json, R"({"i":17,"s":"17","o":"007","x":"0x1F","f":"1.50","t":true,"q":"true","n":null,"l":["a",1],"e":""})");
}

TEST(CasesFile, StandsBesideTheRule) {
  EXPECT_EQ(cases_file_of("rules/a.yml"), "rules/a.cases.yml");
  EXPECT_EQ(cases_file_of("a.yaml"), "a.cases.yaml");
  EXPECT_EQ(cases_file_of("rule"), "rule.cases.yml");
}

TEST(StarterContent, IsCleanAndPassesBothJudges) {
  const std::filesystem::path root = test::source_dir() / "rules";
  std::vector<sigma::Rule> rules;
  std::vector<sigma::Correlation> correlations;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(".yml") || name.ends_with(".cases.yml")) continue;
    std::ifstream in(entry.path(), std::ios::binary);
    std::stringstream text;
    text << in.rdbuf();
    auto outcome = sigma::parse(text.str(), entry.path().string());
    for (const Diagnostic& d : outcome.diagnostics) ADD_FAILURE() << to_line(d);
    std::ranges::move(outcome.rules, std::back_inserter(rules));
    std::ranges::move(outcome.correlations, std::back_inserter(correlations));
  }
  EXPECT_GE(rules.size(), 14u);
  EXPECT_GE(correlations.size(), 2u);
  os::RealFileSystem files;
  const CaseReport report = run_cases(rules, schema::Catalog::embedded(), files, correlations);
  for (const Diagnostic& d : report.diagnostics) ADD_FAILURE() << to_line(d) << "\n" << d.help;
  for (const CaseResult& result : report.results) EXPECT_TRUE(result.passed) << result.file << ":" << result.span.line << ": " << result.name << ": " << result.reason;
  EXPECT_GE(report.results.size(), rules.size() * 4);
  for (const InputCoverage& input : report.coverage) EXPECT_TRUE(input.in_matching || input.in_not_matching) << input.rule_id << " " << input.input;
}

TEST(JudgeCodes, ReferencePageFollowsTheTable) {
  std::ifstream in(test::source_dir() / "docs" / "reference" / "diagnostics.md");
  std::stringstream page;
  page << in.rdbuf();
  std::string missing;
  for (const JudgeCode& code : judge_codes()) {
    const std::string row = "| " + std::string(code.code) + " | " + std::string(to_string(code.severity)) + " | " + std::string(code.meaning) + " | " + std::string(code.help) + " |\n";
    if (page.str().find(row) == std::string::npos) missing += row;
  }
  EXPECT_EQ(missing, "");
}

}  // namespace
}  // namespace creance::validator
