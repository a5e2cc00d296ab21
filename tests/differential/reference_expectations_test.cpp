// The reference evaluator against the published expectations: every match of the quick events must be found, and a fixed sample of all other pairs must not match.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <cstdlib>

#include "events/decoder.hpp"
#include "reference/judge.hpp"
#include "schema/catalog.hpp"
#include "shared_data.hpp"
#include "sigma/binder.hpp"

namespace creance {
namespace {

#ifdef CREANCE_DCHECK
constexpr uint64_t kOneOf = 64;  // of the pairs that are not expected to match
#else
constexpr uint64_t kOneOf = 4;
#endif

uint64_t mix(uint64_t a, uint64_t b) {
  uint64_t h = a * 0x9E3779B97F4A7C15 + b;
  h ^= h >> 31;
  h *= 0xBF58476D1CE4E5B9;
  return h ^ h >> 29;
}

struct BoundJudge {
  uint32_t rule;
  reference::Judge judge;
};

// `one_of`: how many of the pairs that are not expected to match are judged, one of so many.
void compare(const std::vector<std::string>& files, uint64_t one_of, uint64_t positives_least) {
  const schema::Catalog& catalog = schema::Catalog::embedded();
  const std::vector<sigma::Rule> rules = shared_data::rules();
  const auto known = shared_data::rules_with_expectation();
  const auto expected = shared_data::expected_matches();
  std::unordered_map<const schema::TemplateType*, std::vector<BoundJudge>> judges;
  std::unordered_map<std::string, std::unordered_set<uint32_t>> expected_at;  // place -> rules
  size_t bound = 0;
  for (uint32_t i = 0; i < rules.size(); ++i) {
    if (!known.contains(rules[i].id)) continue;
    Diagnostics diagnostics;
    bool runs = false;
    for (const sigma::Binding& binding : sigma::bind(rules[i], catalog, diagnostics)) {
      auto judge = reference::Judge::make(rules[i], binding);
      if (!judge) {
        ADD_FAILURE() << rules[i].file << ": " << judge.error().detail;
        continue;
      }
      judges[binding.type].push_back({i, std::move(*judge)});
      runs = true;
    }
    if (!runs) continue;
    ++bound;
    const auto at = expected.find(rules[i].id);
    if (at == expected.end()) continue;
    for (const shared_data::Place& place : at->second) expected_at[text_of(place)].insert(i);
  }
  EXPECT_GT(bound, 1500u) << "rules that bind";

  uint64_t pairs = 0, positives = 0, events = 0, wrong = 0;
  const auto complain = [&](const std::string& place, uint32_t rule, const char* what) {
    if (++wrong <= 40) ADD_FAILURE() << place << ": " << rules[rule].file << " (" << rules[rule].id << ") " << what;
  };
  for (const std::string& file : files) {
    auto source = events::LineSource::open((shared_data::folder() / file).string());
    ASSERT_TRUE(source.has_value());
    events::Decoder decoder(catalog);
    for (;;) {
      auto line = source->next();
      ASSERT_TRUE(line.has_value()) << line.error().detail;
      if (!*line) break;
      const auto decoded = decoder.decode((*line)->text);
      ASSERT_TRUE(decoded.has_value()) << file << ":" << (*line)->number << ": " << decoded.error().detail;
      ++events;
      const std::string place = shared_data::text_of({file, (*line)->number});
      const auto wanted = expected_at.find(place);
      std::unordered_set<uint32_t> missing;
      if (wanted != expected_at.end()) missing = wanted->second;
      for (const events::Decoded& each : *decoded) {
        for (const BoundJudge& judge : judges[each.type]) {
          const bool is_expected = wanted != expected_at.end() && wanted->second.contains(judge.rule);
          if (!is_expected && mix(judge.rule, events) % one_of != 0) continue;
          ++pairs;
          if (!judge.judge.matches(each.inputs)) continue;
          if (!is_expected) complain(place, judge.rule, "matches and should not");
          missing.erase(judge.rule);
          ++positives;
        }
      }
      for (const uint32_t rule : missing) {
        // A rule over all of Windows is expected to match events of logs that no Type stands for yet.
        const bool whole_product = rules[rule].logsource.category.empty() && rules[rule].logsource.service.empty();
        if (!whole_product || !decoded->empty()) complain(place, rule, "does not match and should");
      }
    }
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_GE(positives, positives_least);
  std::cout << fmt::format("{} rules, {} events, {} pairs, {} matches\n", bound, events, pairs, positives);
}

TEST(ReferenceExpectations, QuickEvents) {
  SKIP_WITHOUT_SHARED_DATA();
  compare(shared_data::event_files(true), kOneOf, 500);
}

// Every rule on every event, hours of work: only in the full check, one test for each file.
class AllEvents : public testing::TestWithParam<int> {};
TEST_P(AllEvents, OfOneFile) {
  SKIP_WITHOUT_SHARED_DATA();
  if (std::getenv("CREANCE_FULL") == nullptr) GTEST_SKIP() << "hours of work: set CREANCE_FULL";
  const auto files = shared_data::event_files(false);
  if (static_cast<size_t>(GetParam()) >= files.size()) GTEST_SKIP() << "there are fewer files";
  compare({files[static_cast<size_t>(GetParam())]}, 1, 0);
}
INSTANTIATE_TEST_SUITE_P(ReferenceExpectations, AllEvents, testing::Range(0, 16));

}  // namespace
}  // namespace creance
