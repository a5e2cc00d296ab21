// The scan engine's contract: order, counts, one match per rule and event, and what happens to bad files and lines.
#include "scan/scan.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/limits.hpp"
#include "sigma/parser.hpp"

namespace creance::scan {
namespace {

namespace fs = std::filesystem;

const schema::Catalog& catalog() {
  static const schema::Catalog made([] {
    const auto type = [](std::string id, std::string category, schema::EventSource source) {
      schema::TemplateType out;
      out.id = std::move(id);
      out.platform = "windows";
      for (const char* name : {"EventID", "Channel", "Image", "CommandLine"}) out.inputs.push_back({name, schema::InputType::kString, ""});
      out.logsources.push_back({{"windows", std::move(category), ""}, {}});
      out.sources.push_back(std::move(source));
      out.fingerprint[0] = static_cast<uint8_t>(out.id.size());
      return out;
    };
    std::vector<schema::TemplateType> types{type("windows.process", "process_creation", {{"Log"}, {}, {1}, {}}), type("windows.anything", "anything", {{"Log"}, {}, {}, {}}), type("other.idle", "idle", {{"Idle"}, {}, {}, {}})};
    types.back().logsources[0].logsource.product = "other";  // that no rule is of
    return types;
  }());
  return made;
}

std::vector<sigma::Rule> parse(std::string_view yaml) {
  auto parsed = sigma::parse(yaml, "rules.yml");
  for (const Diagnostic& d : parsed.diagnostics) EXPECT_NE(d.severity, Severity::kError) << to_line(d);
  return std::move(parsed.rules);
}
constexpr std::string_view kRules = R"(
title: Mimikatz
id: 00000000-0000-4000-8000-000000000002
logsource: {product: windows, category: process_creation}
detection:
  selection: {Image|endswith: '\mimikatz.exe'}
  condition: selection
level: high
---
title: Word anywhere
id: 00000000-0000-4000-8000-000000000001
logsource: {product: windows}
detection:
  keywords: [secretword]
  condition: keywords
level: low
)";

Ruleset prepare(std::string_view yaml = kRules) {
  Diagnostics diagnostics;
  auto made = Ruleset::prepare(parse(yaml), catalog(), diagnostics);
  EXPECT_TRUE(made.has_value()) << (made ? "" : made.error().detail);
  return std::move(*made);
}

struct ScanTest : testing::Test {
  fs::path folder = fs::path(testing::TempDir()) / ("creance_scan_" + std::to_string(::getpid()) + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
  void SetUp() override {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string write(const std::string& name, const std::string& text) {
    const std::string path = (folder / name).string();
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  struct Seen {
    std::vector<std::string> matches;  // "file:line title"
    std::vector<std::string> events;
    std::vector<std::string> remarks;
    std::vector<FileReport> reports;
    uint64_t progress_last = 0;
    std::optional<uint64_t> progress_total;
  };
  Seen run(const Ruleset& ruleset, const std::vector<std::string>& files, unsigned threads = 2) {
    Seen seen;
    Sinks sinks;
    sinks.on_match = [&](const Match& match) {
      seen.matches.push_back(fs::path(match.file).filename().string() + ":" + std::to_string(match.line) + " " + match.rule->title);
      seen.events.emplace_back(match.event);
    };
    sinks.on_remark = [&](std::string_view file, const Remark& remark) {
      seen.remarks.push_back(fs::path(file).filename().string() + ":" + std::to_string(remark.line) + ":" + std::to_string(remark.column) + " " + remark.reason);
    };
    sinks.on_progress = [&](uint64_t done, std::optional<uint64_t> total) {
      EXPECT_GE(done, seen.progress_last);
      seen.progress_last = done;
      seen.progress_total = total;
    };
    seen.reports = scan::run(ruleset, files, threads, sinks);
    return seen;
  }
};

using Texts = std::vector<std::string>;
constexpr const char* kMimikatz = R"({"Channel":"Log","EventID":1,"Image":"C:\\x\\MIMIKATZ.EXE"})";
constexpr const char* kSecret = R"({"Channel":"Log","EventID":1,"Image":"a","Extra":"a SecretWord here"})";
constexpr const char* kNothing = R"({"Channel":"Log","EventID":2})";

TEST_F(ScanTest, ReportsMatchesWithFileLineAndEvent) {
  const Ruleset rules = prepare();
  EXPECT_EQ(rules.running().size(), 2u);
  EXPECT_EQ(rules.channels().size(), 2u);
  const std::string file = write("a.jsonl", std::string(kNothing) + "\n" + kMimikatz + "\r\n" + kSecret);
  const Seen seen = run(rules, {file});
  EXPECT_EQ(seen.matches, (Texts{"a.jsonl:2 Mimikatz", "a.jsonl:3 Word anywhere"}));
  EXPECT_EQ(seen.events, (Texts{kMimikatz, kSecret}));
  ASSERT_EQ(seen.reports.size(), 1u);
  EXPECT_EQ(seen.reports[0].lines, 3u);
  EXPECT_EQ(seen.reports[0].events, 3u);
  EXPECT_EQ(seen.reports[0].routed, 3u);
  EXPECT_EQ(seen.reports[0].matches, 2u) << "the keyword rule runs over both Types and still matches once";
  EXPECT_EQ(seen.reports[0].faults, 0u);
  EXPECT_EQ(seen.progress_last, fs::file_size(file));
  EXPECT_EQ(seen.progress_total, fs::file_size(file));
}

TEST_F(ScanTest, OrderDoesNotDependOnThreads) {
  std::vector<std::string> files;
  for (int f = 0; f < 5; ++f) {
    std::string text;
    for (int i = 0; i < 20'000; ++i) {
      text += i % 97 == f ? kMimikatz : i % 389 == f ? kSecret : i % 1000 == 999 ? "{broken" : kNothing;
      text += "\n";
    }
    files.push_back(write("f" + std::to_string(f) + ".jsonl", text));
  }
  const Ruleset rules = prepare();
  const Seen one = run(rules, files, 1);
  EXPECT_GT(one.matches.size(), 1000u);
  EXPECT_EQ(one.remarks.size(), 99u);  // one of the 100 lines stands where a match does
  for (const unsigned threads : {0u, 2u, 3u, 7u, 1000u}) {
    const Seen many = run(rules, files, threads);
    EXPECT_EQ(many.matches, one.matches) << threads;
    EXPECT_EQ(many.remarks, one.remarks) << threads;
    EXPECT_EQ(many.events, one.events) << threads;
  }
}

TEST_F(ScanTest, MalformedLinesAreCountedAndNeverStopTheScan) {
  std::string text = std::string(kMimikatz) + "\n\n   \n{\"a\":\n[1]\n{\"a\":\"\xff\"}\n" + std::string(limits::kEventLineBytesMax + 1, 'x') + "\n" + kMimikatz + "\n";
  for (int i = 0; i < 30; ++i) text += "no\n";
  const Seen seen = run(prepare(), {write("a.jsonl", text)});
  EXPECT_EQ(seen.matches, (Texts{"a.jsonl:1 Mimikatz", "a.jsonl:8 Mimikatz"}));
  ASSERT_GE(seen.remarks.size(), 4u);
  EXPECT_EQ(seen.remarks[0], "a.jsonl:4:6 an object without an end");
  EXPECT_EQ(seen.remarks[1], "a.jsonl:5:1 not a JSON object");
  EXPECT_EQ(seen.remarks[2], "a.jsonl:6:0 bytes that are no UTF-8, or control characters inside a string: read as U+FFFD, and as themselves");
  EXPECT_EQ(seen.remarks[3], "a.jsonl:7:0 longer than 16777216 bytes");
  EXPECT_EQ(seen.reports[0].malformed(), 33u);
  EXPECT_EQ(seen.reports[0].count(Remark::Kind::kMended), 1u);
  EXPECT_EQ(seen.reports[0].first_remarks.size(), kRemarksListedMax + 1) << "as many of each kind";
  EXPECT_EQ(seen.reports[0].lines, 38u);
  EXPECT_EQ(seen.reports[0].events, 3u);
}

TEST_F(ScanTest, AnEventIsJudgedWhateverItsBytesAndItsDepth) {
  const std::string odd = std::string(R"({"Channel":"Log","EventID":1,"Image":"C:\\)") + "\xff\x01\xed\xa0\x80" + R"(\\mimikatz.exe"})";
  std::string deep = R"({"Channel":"Log","EventID":1,"Odd":)";
  for (int i = 0; i < 5000; ++i) deep += R"({"k":[)";
  deep += "1";
  for (int i = 0; i < 5000; ++i) deep += "]}";
  deep += R"(,"Image":"C:\\mimikatz.exe","More":[[["SecretWord"]]]})";
  const Seen seen = run(prepare(), {write("a.jsonl", odd + "\n" + deep + "\n")});
  EXPECT_EQ(seen.matches, (Texts{"a.jsonl:1 Mimikatz", "a.jsonl:2 Mimikatz", "a.jsonl:2 Word anywhere"}));
  EXPECT_EQ(seen.events.at(0), std::string(R"({"Channel":"Log","EventID":1,"Image":"C:\\)") + "\xEF\xBF\xBD\\u0001\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD" + R"(\\mimikatz.exe"})") << "what is reported is JSON again";
  EXPECT_EQ(seen.reports[0].count(Remark::Kind::kMended), 1u);
  EXPECT_EQ(seen.reports[0].count(Remark::Kind::kTooDeep), 1u);
  EXPECT_EQ(seen.reports[0].malformed(), 0u);
}

TEST_F(ScanTest, FieldsThatStandTwiceAreCounted) {
  const Seen seen = run(prepare(), {write("a.jsonl", std::string(kNothing) + "\n" + R"({"Channel":"Log","EventID":2,"Image":"C:\\mimikatz.exe","Image":"x","image":"y"})" + "\n")});
  EXPECT_EQ(seen.matches, Texts{});
  EXPECT_EQ(seen.reports[0].duplicates, 2u);
}

TEST_F(ScanTest, ValuesThatAreTooLongAndTooManyValuesAreToldApart) {
  const std::string head = R"({"Channel":"Log","EventID":1,"Image":")";
  const std::string most(limits::kInputBytesMax, 'b');
  std::string many = head + R"(a","Extra":[)";
  for (uint32_t i = 0; i < limits::kFurtherValuesMax; ++i) many += "\"x\",";
  const Seen seen = run(prepare(), {write("long.jsonl", head + most + "mimikatz.exe\"}\n"), write("cut.jsonl", head + most.substr(0, most.size() - 13) + "\\\\mimikatz.exec\"}\n"), write("many.jsonl", many + "\"x\",\"secretword\"]}\n")});
  EXPECT_EQ(seen.matches, Texts{}) << "what a rule says of the end does not hold of a cut value";
  ASSERT_EQ(seen.reports.size(), 3u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_GT(seen.reports[i].values_cut, 0u);
    EXPECT_EQ(seen.reports[i].values_left_out, 0u);
  }
  EXPECT_EQ(seen.reports[2].values_cut, 0u);
  EXPECT_GT(seen.reports[2].values_left_out, 0u);
}

TEST_F(ScanTest, EventsThatNoRuleLooksAtAreCounted) {
  const Seen seen = run(prepare(), {write("a.jsonl", std::string(kMimikatz) + "\n" + R"({"Channel":"Unknown","EventID":1})" + "\n" + R"({"Channel":"Idle","EventID":1})" + "\n")});
  EXPECT_EQ(seen.reports[0].events, 3u);
  EXPECT_EQ(seen.reports[0].routed, 2u);
  EXPECT_EQ(seen.reports[0].looked_at, 1u);
}

TEST_F(ScanTest, FilesThatCannotBeReadAreReportedAndTheOthersScanned) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += std::string(i == 10 ? kMimikatz : kNothing) + std::to_string(i * 7919).insert(0, " ") + "\n";
  for (size_t at = 0; (at = text.find("} ", at)) != std::string::npos;) text.replace(at, text.find('\n', at) - at, ",\"n\":" + text.substr(at + 2, text.find('\n', at) - at - 2) + "}");
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 1));
  const std::string cut = write("cut.jsonl.zst", packed.substr(0, packed.size() / 2));
  const std::string none = (folder / "none.jsonl").string();
  const std::string empty = write("empty.jsonl", "");
  const Seen seen = run(prepare(), {none, cut, empty, folder.string(), write("last.jsonl", kMimikatz)});
  EXPECT_EQ(seen.matches, (Texts{"cut.jsonl.zst:11 Mimikatz", "last.jsonl:1 Mimikatz"}));
  ASSERT_EQ(seen.reports.size(), 5u);
  EXPECT_EQ(seen.reports[0].error->code, ErrorCode::kNotFound);
  ASSERT_TRUE(seen.reports[1].error.has_value());
  EXPECT_NE(seen.reports[1].error->detail.find("after line " + std::to_string(seen.reports[1].lines) + ":"), std::string::npos) << seen.reports[1].error->detail;
  EXPECT_EQ(seen.reports[1].events, seen.reports[1].lines);
  EXPECT_FALSE(seen.reports[2].error.has_value());
  EXPECT_EQ(seen.reports[2].lines, 0u);
  EXPECT_EQ(seen.reports[3].error->code, ErrorCode::kInvalid);
  EXPECT_EQ(seen.reports[4].matches, 1u);
}

TEST_F(ScanTest, CorrelationsFollowTheOrderOfFilesWhateverTheThreads) {
  auto parsed = sigma::parse(R"(
title: Three of one image
id: 00000000-0000-4000-8000-000000000009
correlation: {type: event_count, rules: [tool], group-by: [Image], timespan: 1h, condition: {gte: 3}}
level: high
---
title: Tool
name: tool
logsource: {product: windows, category: process_creation}
detection: {selection: {CommandLine|contains: run}, condition: selection}
---
title: Mimikatz
id: 00000000-0000-4000-8000-000000000002
logsource: {product: windows, category: process_creation}
detection: {selection: {Image|endswith: '\mimikatz.exe'}, condition: selection}
)", "rules.yml");
  Diagnostics diagnostics;
  auto made = Ruleset::prepare(std::move(parsed.rules), catalog(), diagnostics, std::move(parsed.correlations));
  ASSERT_TRUE(made);
  ASSERT_EQ(made->running_correlations().size(), 1u) << (diagnostics.empty() ? "" : to_line(diagnostics[0]));
  std::vector<std::string> files;
  std::vector<std::string> expected;
  size_t seen_of[3] = {0, 0, 0};
  for (int f = 0; f < 3; ++f) {
    std::string text;
    for (int i = 0; i < 30'000; ++i) {
      const bool runs = i % 7 == 0;
      const int image = i % 3;
      const bool loud = image == 2;
      text += R"({"Channel":"Log","EventID":1,"Image":"C:\\)" + std::string(loud ? "mimikatz.exe" : image == 1 ? "b" : "a") + R"(","CommandLine":")" + (runs ? "run" : "rest") + std::string(60, 'x') + "\"}\n";
      const std::string at = "f" + std::to_string(f) + ":" + std::to_string(i + 1) + " ";
      if (loud) expected.push_back(at + "Mimikatz");
      if (runs && ++seen_of[image] % 3 == 0) expected.push_back(at + "Three of one image");
    }
    files.push_back(write("f" + std::to_string(f), text));
  }
  for (const unsigned threads : {1u, 2u, 5u}) EXPECT_EQ(run(*made, files, threads).matches, expected) << threads;
  std::string group;
  uint32_t events = 0;
  CorrelationReport report;
  Sinks sinks;
  sinks.on_match = [&](const Match& match) {
    if (match.found == nullptr) return;
    events = match.found->events;
    group = match.found->group.at(0).first + "=" + match.found->group.at(0).second;
  };
  sinks.on_correlated = [&](const CorrelationReport& counts) { report = counts; };
  const std::string few = write("few", R"({"Channel":"Log","EventID":1,"Image":"z","CommandLine":"run"}
{"Channel":"Log","EventID":1,"Image":"z","CommandLine":"run"}
{"Channel":"Log","EventID":1,"Image":"z","CommandLine":"run"})");
  EXPECT_EQ(scan::run(*made, std::vector{few}, 1, sinks)[0].matches, 1u);
  EXPECT_EQ(events, 3u);
  EXPECT_EQ(group, "Image=z");
  EXPECT_EQ(report.untimed, 3u);  // these Types have no time at all
}

TEST_F(ScanTest, RefusedRulesAreListedWithAReason) {
  Diagnostics diagnostics;
  auto made = Ruleset::prepare(parse(R"(
title: Runs
id: 00000000-0000-4000-8000-000000000003
logsource: {product: windows, category: process_creation}
detection:
  selection: {Image: x}
  condition: selection
level: low
---
title: No such log
id: 00000000-0000-4000-8000-000000000004
logsource: {product: solaris, category: process_creation}
detection:
  selection: {Image: x}
  condition: selection
level: low
---
title: No such field
id: 00000000-0000-4000-8000-000000000005
logsource: {product: windows, category: process_creation}
detection:
  selection: {Imagee: x}
  condition: selection
level: low
)"), catalog(), diagnostics);
  ASSERT_TRUE(made.has_value());
  EXPECT_EQ(made->rules().size(), 3u);
  ASSERT_EQ(made->running().size(), 1u);
  EXPECT_EQ(made->running()[0]->title, "Runs");
  ASSERT_EQ(made->refused().size(), 2u);
  EXPECT_EQ(made->refused()[0]->title, "No such log");
  EXPECT_GE(std::count_if(diagnostics.begin(), diagnostics.end(), [](const Diagnostic& d) { return d.severity == Severity::kError; }), 2);
}

TEST_F(ScanTest, RulesWithoutIdsAreToldApart) {
  std::vector<sigma::Rule> rules = parse(kRules);
  for (sigma::Rule& rule : rules) rule.id.clear();
  Diagnostics diagnostics;
  auto made = Ruleset::prepare(std::move(rules), catalog(), diagnostics);
  ASSERT_TRUE(made.has_value());
  const Seen seen = run(*made, {write("a.jsonl", std::string(kSecret) + "\n" + kMimikatz)});
  EXPECT_EQ(seen.matches, (Texts{"a.jsonl:1 Word anywhere", "a.jsonl:2 Mimikatz"}));
  EXPECT_EQ(made->rules()[0].id, "") << "the caller's rules stay as they are";
}

TEST_F(ScanTest, NoFilesAndNoSinksAreFine) {
  EXPECT_TRUE(scan::run(prepare(), {}, 2, {}).empty());
  const std::vector<std::string> files = {write("a.jsonl", kMimikatz)};
  EXPECT_EQ(scan::run(prepare(), files, 2, {})[0].matches, 1u);
}

}  // namespace
}  // namespace creance::scan
