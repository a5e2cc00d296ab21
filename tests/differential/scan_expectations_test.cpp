// The whole way (parser, binder, compiler, verifier, decoder, interpreter, scan) over every public event: exactly the expected matches, no more and no fewer.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "scan/scan.hpp"
#include "shared_data.hpp"

namespace creance {
namespace {

void compare(bool quick_only) {
  SKIP_WITHOUT_SHARED_DATA();
  const schema::Catalog& catalog = schema::Catalog::embedded();
  const auto known = shared_data::rules_with_expectation();
  std::vector<sigma::Rule> rules = shared_data::rules();
  std::erase_if(rules, [&](const sigma::Rule& rule) { return !known.contains(rule.id); });
  Diagnostics diagnostics;
  auto ruleset = scan::Ruleset::prepare(std::move(rules), catalog, diagnostics);
  ASSERT_TRUE(ruleset.has_value()) << ruleset.error().detail;
  for (const Diagnostic& diagnostic : diagnostics) {
    EXPECT_FALSE(diagnostic.code.starts_with("C") && diagnostic.severity == Severity::kError) << "the compiler refuses " << to_line(diagnostic);
  }
  EXPECT_GT(ruleset->running().size(), 1900u);

  const std::vector<std::string> names = shared_data::event_files(quick_only);
  std::vector<std::string> files;
  for (const std::string& name : names) files.push_back((shared_data::folder() / name).string());
  std::map<std::string_view, std::string> name_of;
  for (size_t i = 0; i < names.size(); ++i) name_of[files[i]] = names[i];
  std::map<std::string, std::vector<shared_data::Place>> found;
  scan::Sinks sinks;
  sinks.on_match = [&](const scan::Match& match) { found[match.rule->id].push_back({name_of.at(match.file), match.line}); };
  const auto reports = scan::run(*ruleset, files, 2, sinks);
  uint64_t events = 0, faults = 0, matches = 0;
  for (const scan::FileReport& report : reports) {
    EXPECT_FALSE(report.error.has_value()) << report.file;
    EXPECT_EQ(report.malformed(), 0u) << report.file;
    EXPECT_EQ(report.events, report.lines) << report.file;
    events += report.events;
    faults += report.faults;
    matches += report.matches;
  }
  EXPECT_EQ(faults, 0u);
  if (!quick_only) {
    EXPECT_EQ(events, 685'637u);
  }

  const auto expected = shared_data::expected_matches();
  size_t wrong = 0;
  const auto complain = [&](const sigma::Rule& rule, const shared_data::Place& place, const char* what) {
    if (++wrong <= 40) ADD_FAILURE() << text_of(place) << ": " << rule.file << " (" << rule.id << ") " << what;
  };
  for (const sigma::Rule* rule : ruleset->running()) {
    std::vector<shared_data::Place> wanted;
    if (const auto at = expected.find(rule->id); at != expected.end()) wanted = at->second;
    std::erase_if(wanted, [&](const shared_data::Place& place) { return std::find(names.begin(), names.end(), place.file) == names.end(); });
    std::vector<shared_data::Place> got = found[rule->id];
    std::sort(got.begin(), got.end());
    EXPECT_EQ(std::adjacent_find(got.begin(), got.end()), got.end()) << "one match per rule and event: " << rule->file;
    for (const auto& place : got) {
      if (!std::binary_search(wanted.begin(), wanted.end(), place)) complain(*rule, place, "matches and should not");
    }
    for (const auto& place : wanted) {
      if (!std::binary_search(got.begin(), got.end(), place)) complain(*rule, place, "does not match and should");
    }
  }
  EXPECT_EQ(wrong, 0u);
  std::cout << fmt::format("{} rules, {} events, {} matches\n", ruleset->running().size(), events, matches);
}

TEST(ScanExpectations, QuickEvents) { compare(true); }

TEST(ScanExpectations, AllEvents) {
#ifdef CREANCE_DCHECK
  GTEST_SKIP() << "a gigabyte of events: run it in the release preset";
#else
  compare(false);
#endif
}

}  // namespace
}  // namespace creance
