// Which of the cases a release carries to the hosts.
#include "validator/judge/rehearsal_events.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/limits.hpp"

namespace creance::validator {
namespace {

CaseResult result(const std::string& rule, const std::string& event, const std::string& type = "windows.pipe_created", bool passed = true) {
  CaseResult made;
  made.rule_id = rule;
  made.passed = passed;
  made.event_json = event;
  made.types = {type};
  return made;
}

TEST(RehearsalEvents, TakesTheFirstOfEachRuleThenTheSecondWhateverOrderTheRulesHave) {
  std::vector<CaseResult> results = {result("b", R"({"n":1})"), result("b", R"({"n":2})"), result("a", R"({"n":3})"), result("a", R"({"n":1})"), result("a", R"({"n":5})", "linux.fifo_created"),
                                     result("a", R"({"n":6})", "windows.pipe_created", false)};
  const auto chosen = rehearsal_events(results);
  ASSERT_EQ(chosen.size(), 2u);
  EXPECT_EQ(chosen.at("windows.pipe_created").lines, "{\"n\":3}\n{\"n\":1}\n{\"n\":2}\n") << "the same event twice is one, and a case that did not pass is none";
  EXPECT_EQ(chosen.at("windows.pipe_created").count, 3u);
  EXPECT_EQ(chosen.at("linux.fifo_created").lines, "{\"n\":5}\n");
  std::ranges::rotate(results, results.begin() + 2);
  EXPECT_EQ(rehearsal_events(results).at("windows.pipe_created").lines, chosen.at("windows.pipe_created").lines);
}

TEST(RehearsalEvents, EveryRuleGetsItsTurnBeforeTheLimitIsReached) {
  std::vector<CaseResult> many;
  for (uint32_t i = 0; i < limits::kRehearsalEventsMax; ++i) many.push_back(result("a", "{\"a\":" + std::to_string(i) + "}"));
  many.push_back(result("z", R"({"z":1})"));
  const auto chosen = rehearsal_events(many).at("windows.pipe_created");
  EXPECT_EQ(chosen.count, limits::kRehearsalEventsMax);
  EXPECT_NE(chosen.lines.find("\"z\""), std::string::npos);

  const std::string whole(limits::kRehearsalBytesMax - 1, 'x');
  EXPECT_EQ(rehearsal_events(std::vector{result("a", whole)}).at("windows.pipe_created").lines.size(), limits::kRehearsalBytesMax);
  EXPECT_TRUE(rehearsal_events(std::vector{result("a", whole + "x")}).empty()) << "one byte over the limit";
}

}  // namespace
}  // namespace creance::validator
