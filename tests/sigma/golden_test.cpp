// Each tests/golden/sigma/<case>.in is parsed and, where it gives rules, bound to the embedded catalog; the diagnostics are <case>.out.
// CREANCE_UPDATE_GOLDEN=1 writes the .out files and fails, so that a person reads the difference.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "base/fake/files.hpp"
#include "sigma/binder.hpp"
#include "sigma/codes.hpp"
#include "sigma/parser.hpp"
#include "sigma/resolve.hpp"
#include "support/places.hpp"

namespace creance::sigma {
namespace {

const std::filesystem::path kGolden = test::source_dir() / "tests" / "golden" / "sigma";
const std::filesystem::path kPage = test::source_dir() / "docs" / "reference" / "diagnostics.md";

std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

std::string cell(std::string_view text) {  // of a Markdown table
  std::string out;
  for (const char c : text) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::vector<std::filesystem::path> cases() {
  std::vector<std::filesystem::path> out;
  for (const auto& entry : std::filesystem::directory_iterator(kGolden)) {
    if (entry.path().extension() == ".in") out.push_back(entry.path());
  }
  std::ranges::sort(out);
  return out;
}

// pipeline_*.in is a pipeline; everything else holds rules, correlations and filters.
Diagnostics judge_pipeline(const std::filesystem::path& path) {
  fake::MemoryFileSystem files;
  const std::string name = path.filename().string();
  EXPECT_TRUE(files.write_atomic(name, as_bytes(read(path)), 0644));
  Diagnostics diagnostics;
  // Twice, once over another file: a placeholder that it defines is defined in two places.
  EXPECT_TRUE(files.write_atomic("again.yml", as_bytes("placeholders: {good: 1}\n"), 0644));
  EXPECT_TRUE(read_pipeline({{name, "again.yml"}, {}}, files, diagnostics));
  sort(diagnostics);
  return diagnostics;
}

Diagnostics judge(const std::filesystem::path& path) {
  if (path.filename().string().starts_with("pipeline_")) return judge_pipeline(path);
  ParseOutcome outcome = parse(read(path), path.filename().string());
  outcome.rules = resolve(std::move(outcome.rules), outcome.filters, outcome.correlations, {}, outcome.diagnostics).rules;
  for (const Rule& rule : outcome.rules) bind(rule, schema::Catalog::embedded(), outcome.diagnostics);
  (void)link(outcome.correlations, outcome.rules, outcome.diagnostics);
  sort(outcome.diagnostics);
  return outcome.diagnostics;
}

TEST(Golden, DiagnosticsAreAsWritten) {
  const bool update = std::getenv("CREANCE_UPDATE_GOLDEN") != nullptr;
  EXPECT_GE(cases().size(), 40u);
  for (const auto& path : cases()) {
    std::string got;
    for (const Diagnostic& d : judge(path)) got += to_line(d) + "\n  help: " + d.help + "\n";
    auto expected = path;
    expected.replace_extension(".out");
    if (update) std::ofstream(expected, std::ios::binary) << got;
    EXPECT_EQ(got, update ? "" : read(expected)) << path;
  }
}

TEST(Golden, EveryCodeHasACase) {
  std::set<std::string> seen;
  for (const auto& path : cases()) {
    for (const Diagnostic& d : judge(path)) seen.insert(d.code);
  }
  const std::set<std::string> too_large_for_a_case{"S001", "S051", "S099"};  // tests/sigma/parser_test.cpp makes these
  for (const CodeInfo& info : codes()) {
    const std::string code(info.code);
    EXPECT_EQ(seen.contains(code), !too_large_for_a_case.contains(code)) << code;
  }
}

TEST(Golden, ReferencePageFollowsTheTable) {
  const std::string page = read(kPage);
  std::string missing;
  for (const CodeInfo& info : codes()) {
    const std::string row = "| " + std::string(info.code) + " | " + std::string(to_string(info.severity)) + " | " + cell(info.meaning) + " | " + cell(info.help) + " |\n";
    if (page.find(row) == std::string::npos) missing += row;
  }
  EXPECT_EQ(missing, "") << "add these rows to " << kPage;
}

TEST(Golden, ReferencePageNamesEveryCodeOfCompilerAndLoader) {
  const std::string page = read(kPage);
  std::set<std::string> missing;
  size_t found = 0;
  for (const auto& [folder, letter] : {std::pair{"compiler", 'C'}, std::pair{"schema", 'T'}}) {
    for (const auto& entry : std::filesystem::directory_iterator(test::source_dir() / "src" / folder)) {
      const std::string text = entry.is_regular_file() ? read(entry.path()) : "";
      for (size_t at = text.find('"'); at != std::string::npos; at = text.find('"', at + 1)) {
        const std::string code = text.substr(at + 1, 5);
        if (code.size() < 5 || code[0] != letter || code[4] != '"' || code.find_first_not_of("0123456789", 1) != 4) continue;
        ++found;
        if (page.find("| " + code.substr(0, 4) + " |") == std::string::npos) missing.insert(code.substr(0, 4));
      }
    }
  }
  EXPECT_GT(found, 20u);
  EXPECT_EQ(missing, std::set<std::string>{});
}

}  // namespace
}  // namespace creance::sigma
