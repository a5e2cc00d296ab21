// What correlations mean (docs/adr/0040-meaning-of-correlations.md), each rule of it a test, by both judges.
#include <random>

#include "base/correlation_limits.hpp"
#include "correlation/harness.hpp"

namespace creance::test {
namespace {

using Strings = std::vector<std::string>;

std::vector<TestEvent> at(const std::vector<int64_t>& times, const std::string& rules = "a") {
  std::vector<TestEvent> out;
  for (const int64_t time : times) out.push_back({time, rules});
  return out;
}

TEST(EventCount, FiresWhenReachedAndUsesUpItsEvents) {
  Pair pair({body("event_count", "[a]", "10s", "{gte: 3}")});
  EXPECT_EQ(pair.hits(at({0, 1, 2, 3, 4, 5})), (Strings{"", "", "c0[u]:3", "", "", "c0[u]:3"}));
}

TEST(EventCount, WindowSlidesAndBothEndsBelongToIt) {
  Pair pair({body("event_count", "[a]", "10s", "{gte: 3}")});
  EXPECT_EQ(pair.hits(at({0, 9, 11, 18})), (Strings{"", "", "", "c0[u]:3"}));
  pair.reset();
  EXPECT_EQ(pair.hits(at({0, 5, 10})), (Strings{"", "", "c0[u]:3"}));
  pair.reset();
  EXPECT_EQ(pair.hits(at({0, 5, 11})), (Strings{"", "", ""}));
}

TEST(EventCount, GroupsStandApart) {
  Pair pair({body("event_count", "[a]", "10s", "{gte: 2}", "[Host, User]")});
  EXPECT_EQ(pair.hits({{0, "a", "h1", "u1"}, {1, "a", "h1", "u2"}, {2, "a", "h2", "u1"}, {3, "a", "h1", "u1"}, {4, "a", "h1", "U2"}}), (Strings{"", "", "", "c0[h1,u1]:2", ""}));
}

TEST(EventCount, EventWithoutAGroupIsNotCounted) {
  Pair pair({body("event_count", "[a]", "10s", "{gte: 2}")});
  EXPECT_EQ(pair.hits({{0, "a", "h", std::nullopt}, {1, "a", "h", std::nullopt}, {2, "a", "h", ""}, {3, "a", "h", ""}}), (Strings{"", "", "", "c0[]:2"}));
  EXPECT_EQ(pair.state().counts().without_group, 2u);
}

TEST(EventCount, WithoutGroupByAllEventsAreOneGroup) {
  Pair pair({"type: event_count\nrules: [a, b]\ntimespan: 1m\ncondition: {gte: 3}"});
  EXPECT_EQ(pair.hits({{0, "a", "h1", "u1"}, {1, "b", "h2", "u2"}, {2, "a", "h3", "u3"}}), (Strings{"", "", "c0[]:3"}));
}

TEST(EventCount, AnEventThatSeveralRulesMatchCountsOnce) {
  Pair pair({body("event_count", "[a, b]", "10s", "{gte: 2}")});
  EXPECT_EQ(pair.hits({{0, "ab"}, {1, "ab"}}), (Strings{"", "c0[u]:2"}));
}

TEST(EventCount, Ranges) {
  Pair pair({body("event_count", "[a]", "10s", "{gt: 1, lte: 3}"), body("event_count", "[a]", "10s", "{eq: 2}"), body("event_count", "[a]", "10s", "{neq: 1}"), body("event_count", "[a]", "10s", "{lt: 2}")});
  EXPECT_EQ(pair.hits(at({0, 1})), (Strings{"c3[u]:1", "c0[u]:2 c1[u]:2 c2[u]:2 c3[u]:1"}));
}

TEST(ValueCount, CountsDifferentValuesAndTuples) {
  Pair pair({body("value_count", "[a]", "10s", "{field: Value, gte: 3}"), body("value_count", "[a]", "10s", "{field: [Host, Value], gte: 3}")});
  EXPECT_EQ(pair.hits({{0, "a", "h1", "u", "x"}, {1, "a", "h1", "u", "x"}, {2, "a", "h1", "u", "y"}, {3, "a", "h2", "u", "x"}, {4, "a", "h1", "u", "z"}}), (Strings{"", "", "", "c1[u]:3", "c0[u]:3"}));
}

TEST(ValueCount, AValueStaysAsLongAsItsLastEvent) {
  Pair pair({body("value_count", "[a]", "10s", "{field: Value, gte: 2}")});
  EXPECT_EQ(pair.hits({{0, "a", "h", "u", "x"}, {8, "a", "h", "u", "x"}, {15, "a", "h", "u", "y"}}), (Strings{"", "", "c0[u]:2"}));
}

TEST(Temporal, AllRulesInAnyOrder) {
  Pair pair({body("temporal", "[a, b, c]", "10s", "")});
  EXPECT_EQ(pair.hits({{0, "c"}, {1, "a"}, {2, "a"}, {3, "b"}, {4, "b"}}), (Strings{"", "", "", "c0[u]:3", ""}));
  pair.reset();
  EXPECT_EQ(pair.hits({{0, "c"}, {1, "ab"}}), (Strings{"", "c0[u]:3"}));
  pair.reset();
  EXPECT_EQ(pair.hits({{0, "c"}, {5, "a"}, {11, "b"}, {12, "c"}}), (Strings{"", "", "", "c0[u]:3"}));
}

TEST(Temporal, CountOfRules) {
  Pair pair({body("temporal", "[a, b, c]", "10s", "{gte: 2}")});
  EXPECT_EQ(pair.hits({{0, "c"}, {1, "c"}, {3, "b"}}), (Strings{"", "", "c0[u]:2"}));
}

TEST(Temporal, ConditionInWords) {
  Pair pair({body("temporal", "[a, b, c]", "10s", "(a or b) and not c")});
  EXPECT_EQ(pair.hits({{0, "c"}, {1, "a"}, {20, "b"}, {21, "c"}}), (Strings{"", "", "c0[u]:1", ""}));
}

TEST(TemporalOrdered, OnlyInOrderAndByDifferentEvents) {
  Pair pair({body("temporal_ordered", "[a, b, c]", "10s", "")});
  EXPECT_EQ(pair.hits({{0, "c"}, {1, "b"}, {2, "a"}, {3, "b"}, {4, "c"}}), (Strings{"", "", "", "", "c0[u]:3"}));
  pair.reset();
  EXPECT_EQ(pair.hits({{0, "ab"}, {1, "c"}, {2, "bc"}, {3, "c"}}), (Strings{"", "", "", "c0[u]:3"}));
}

TEST(TemporalOrdered, ConditionInWordsNeedsAChainOfWhatItNames) {
  Pair pair({body("temporal_ordered", "[a, b, c]", "10s", "a and (b or c)"), body("temporal_ordered", "[a, b, c]", "10s", "a and c and not b")});
  EXPECT_EQ(pair.hits({{0, "c"}, {1, "a"}, {2, "c"}}), (Strings{"", "", "c0[u]:2 c1[u]:2"}));
  pair.reset();
  EXPECT_EQ(pair.hits({{0, "b"}, {1, "a"}, {2, "c"}}), (Strings{"", "", "c0[u]:3"}));
}

TEST(Values, SumsUseUpTheirEvents) {
  Pair pair({body("value_sum", "[a]", "10s", "{field: Value, gt: 10}")});
  EXPECT_EQ(pair.hits({{0, "a", "h", "u", "5"}, {1, "a", "h", "u", "5.0"}, {2, "a", "h", "u", "0.000000001"}, {3, "a", "h", "u", "9"}, {4, "a", "h", "u", "none"}, {5, "a", "h", "u", "-3"}, {6, "a", "h", "u", "5"}}),
            (Strings{"", "", "c0[u]:3", "", "", "", "c0[u]:3"}));
  EXPECT_EQ(pair.state().counts().without_value, 1u);
}

TEST(Values, AveragesAndExtremesFireWhenTheyBeginToHold) {
  Pair pair({body("value_avg", "[a]", "10s", "{field: Value, gte: 4}"), body("value_max", "[a]", "10s", "{field: Value, gte: 4}"), body("value_min", "[a]", "10s", "{field: Value, lt: 2}"), body("value_median", "[a]", "10s", "{field: Value, eq: 3.5}")});
  const auto one = [](int64_t time, const char* value) { return TestEvent{time, "a", "h", "u", value}; };
  EXPECT_EQ(pair.hits({one(0, "3"), one(1, "4"), one(2, "5"), one(3, "5"), one(4, "1"), one(12, "1"), one(30, "5")}), (Strings{"", "c1[u]:2 c3[u]:2", "c0[u]:3", "", "c2[u]:5", "", "c0[u]:1 c1[u]:1"}));
}

TEST(Values, Percentiles) {
  Pair pair({body("value_percentile", "[a]", "1m", "{field: Value, percentile: 90, gt: 50}")});
  std::vector<TestEvent> events;
  for (int64_t i = 0; i < 20; ++i) events.push_back({i, "a", "h", "u", i < 18 ? "10" : "100"});
  Strings expected(20);
  expected[19] = "";  // 18 tens and 2 hundreds: place 17.1, value 19
  events.push_back({20, "a", "h", "u", "100"});
  expected.push_back("c0[u]:21");  // place 18: the first hundred
  EXPECT_EQ(pair.hits(events), expected);
}

TEST(Values, ShareOfARareValue) {
  Pair pair({body("value_percentile", "[a]", "1h", "{field: Value, lte: 10}")});
  std::vector<TestEvent> events;
  for (int64_t i = 0; i < 9; ++i) events.push_back({i, "a", "h", "u", "common"});
  events.push_back({9, "a", "h", "u", "rare"});
  events.push_back({10, "a", "h", "u", "other"});
  Strings expected(9);
  expected.insert(expected.end(), {"c0[u]:10", "c0[u]:11"});
  EXPECT_EQ(pair.hits(events), expected);
}

TEST(Aliases, JoinFieldsOfSeveralTypes) {
  Pair pair({body("temporal", "[a, e]", "10s", "", "[who]") + "\naliases:\n  who: {a: User, e: Account}"});
  EXPECT_EQ(pair.hits({{0, "a", "h", "x"}, {1, "e", "h", "y"}, {2, "e", "h", "x"}}), (Strings{"", "", "c0[x]:2"}));
}

TEST(Aliases, OneEventCanBelongToTwoGroups) {
  Pair pair({body("event_count", "[a, b]", "10s", "{gte: 2}", "[it]") + "\naliases:\n  it: {a: User, b: Host}"});
  EXPECT_EQ(pair.hits({{0, "ab", "x", "y"}, {1, "a", "z", "x"}, {2, "b", "y", "z"}}), (Strings{"", "c0[x]:2", "c0[y]:2"}));
}

TEST(Chains, ManyFailuresAndThenASuccess) {
  Pair pair({body("temporal_ordered", "[c1, b]", "10s", ""), body("event_count", "[a]", "10s", "{gte: 2}", "[Host, User]")});
  EXPECT_EQ(pair.hits({{0, "b"}, {1, "a"}, {2, "a"}, {3, "b"}, {4, "a"}, {5, "b"}}), (Strings{"", "", "c1[h,u]:2", "c0[u]:2", "", ""}));
}

TEST(Chains, AliasesOfTheInnerOneAreFieldsOfTheOuterOne) {
  Pair pair({body("event_count", "[c1]", "1m", "{gte: 2}", "[who]"), body("temporal", "[a, e]", "10s", "", "[who]") + "\naliases:\n  who: {a: User, e: Account}"});
  EXPECT_EQ(pair.hits({{0, "a", "h", "x"}, {1, "e", "h", "x"}, {20, "e", "h", "x"}, {21, "a", "h", "x"}}), (Strings{"", "c1[x]:2", "", "c0[x]:2 c1[x]:2"}));
}

TEST(Times, LateEventsCountAndOnesOlderThanTheWindowStandApart) {
  Pair pair({body("event_count", "[a]", "10s", "{gte: 3}")});
  EXPECT_EQ(pair.hits(at({100, 95, 91})), (Strings{"", "", "c0[u]:3"}));
  pair.reset();
  EXPECT_EQ(pair.hits(at({100, 100, 89, 90, 91, 92})), (Strings{"", "", "", "c0[u]:3", "", ""})) << "what counted for a hit counts for no other";
  EXPECT_EQ(pair.state().counts().went_back, 1u);
}

// Whoever can write one event with a time of their choice does not make a correlation forget.
TEST(Times, OneEventOfAnotherTimeTakesNothingAway) {
  Pair counts({body("event_count", "[a]", "10s", "{gte: 3}"), body("value_count", "[a]", "10s", "{field: Value, gte: 3}"), body("value_sum", "[a]", "10s", "{field: Value, gte: 6}")});
  Pair sequence({body("temporal", "[a, b, c]", "10s", ""), body("temporal_ordered", "[a, b, c]", "10s", "")});
  for (const int64_t other : {-1'000'000'000, 0, 90, 111, 112, 10'000, 1'000'000'000}) {
    counts.reset();
    EXPECT_EQ(counts.hits({{100, "a", "h", "u", "1"}, {101, "a", "h", "u", "2"}, {other, "a", "h", "u", "1"}, {102, "a", "h", "u", "3"}}), (Strings{"", "", "", "c0[u]:3 c1[u]:3 c2[u]:3"})) << other;
    sequence.reset();
    EXPECT_EQ(sequence.hits({{100, "a"}, {101, "b"}, {other, "a"}, {102, "c"}}), (Strings{"", "", "", "c0[u]:3 c1[u]:3"})) << other;
  }
}

TEST(Times, OneThatLeapsAheadWithinTheTimespanTakesNothingAwayEither) {
  Pair pair({body("value_count", "[a]", "10s", "{field: Value, gte: 5}"), body("temporal", "[a, b, c]", "10s", "")});
  for (const int64_t other : {109, 111, 114}) {
    pair.reset();
    EXPECT_EQ(pair.hits({{100, "a", "h", "u", "1"}, {101, "b"}, {103, "a", "h", "u", "2"}, {other, "ab", "h", "u", "1"}, {104, "a", "h", "u", "3"}, {105, "a", "h", "u", "4"}, {106, "ac", "h", "u", "5"}}), (Strings{"", "", "", "", "", "", "c0[u]:5 c1[u]:3"})) << other;
  }
}

TEST(Times, OneOfAnEverNewTimeBetweenAnyTwoTakesNothingAway) {
  Pair pair({body("event_count", "[a]", "10s", "{gte: 6}")});
  EXPECT_EQ(pair.hits(at({100, 5'000, 101, 10, 102, 9'000, 103, 6'000, 104, -50, 105})), (Strings{"", "", "", "", "", "", "", "", "", "", "c0[u]:6"}));
  EXPECT_EQ(pair.state().counts().dropped, 0u);
}

TEST(Times, SeveralInARowTakeItAwayOnlyAboveTheLimitAndThatIsCounted) {
  for (const int64_t others : {3, 4}) {
    Pair pair({body("event_count", "[a]", "10s", "{gte: 3}")});
    std::vector<TestEvent> events = at({100, 101});
    for (int64_t i = 1; i <= others; ++i) events.push_back({1'000 * i, "a"});
    events.push_back({102, "a"});
    const Strings hits = pair.hits(events);
    EXPECT_EQ(hits.back(), others < limits::kCorrelationStrandsMax ? "c0[u]:3" : "");
    EXPECT_EQ(pair.state().counts().evicted, others < limits::kCorrelationStrandsMax ? 0u : 1u) << "time went back once more than it may";
  }
}

TEST(Times, OneAheadDoesNotTakeWhatComesUpToIt) {
  Pair pair({body("event_count", "[a]", "10s", "{gte: 5}")});
  EXPECT_EQ(pair.hits(at({115, 101, 102, 104, 106, 108})), (Strings{"", "", "", "", "", "c0[u]:5"}));
}

TEST(Times, WhatComesUpToOneAheadIsCountedWithIt) {
  Pair pair({body("value_count", "[a]", "10s", "{field: Value, gte: 3}")});
  EXPECT_EQ(pair.hits({{100, "a", "h", "u", "1"}, {115, "a", "h", "u", "2"}, {107, "a", "h", "u", "3"}, {116, "a", "h", "u", "4"}}), (Strings{"", "", "", "c0[u]:3"}));
  Pair count({body("event_count", "[a]", "10s", "{gte: 4}")});
  EXPECT_EQ(count.hits(at({100, 108, 101, 109, 110})), (Strings{"", "", "", "c0[u]:4", ""})) << "after a leap, too";
  count.reset();
  EXPECT_EQ(count.hits(at({100, 108, 111, 112, 113})), (Strings{"", "", "", "", "c0[u]:4"})) << "and what a leap made old stays old";
}

// The property that makes forging useless: of a count or a sequence that events in their order complete, one other event between any two of them, whatever its time (but for half a timespan
// ahead), does not take the hit away.
TEST(Times, NoEventsInBetweenHideWhatOthersComplete) {
  std::mt19937 random(5);
  Pair pair({body("event_count", "[a]", "10s", "{gte: 5}"), body("value_count", "[a]", "10s", "{field: Value, gte: 5}"), body("temporal", "[a, b, c]", "10s", "", "[Host]"), body("temporal_ordered", "[a, b, c]", "10s", "", "[Host]")});
  uint32_t forged = 0;
  for (int round = 0; round < 1'000; ++round) {
    std::vector<TestEvent> events;
    int64_t time = 1'000;
    for (int i = 0; i < 5; ++i) {
      for (uint32_t others = static_cast<uint32_t>(random() % 2); others-- > 0; ++forged) {
        int64_t other = 960 + static_cast<int64_t>(random() % 80);
        if (other > time && other <= time + 5) other = 5'000;
        events.push_back({other, "a", "h", "u", "v" + std::to_string(random() % 5)});
      }
      events.push_back({time, i == 2 ? "ab" : i == 4 ? "ac" : "a", "h", "u", "v" + std::to_string(i)});
      time += static_cast<int64_t>(random() % 3);
    }
    pair.reset();
    ASSERT_EQ(pair.difference(events), "");
    pair.reset();
    std::string found = show(events);
    for (const std::string& hits : pair.hits(events)) found += hits + " ";
    for (const char* each : {"c0", "c1", "c2", "c3"}) ASSERT_NE(found.find(each), std::string::npos) << each << " in round " << round << ": " << found;
  }
  EXPECT_GT(forged, 1'000u);
}

TEST(Times, AClockThatWasSetBlindsNothing) {
  Pair pair({body("event_count", "[a]", "10s", "{gte: 3}")});
  EXPECT_EQ(pair.hits(at({1'000, 1'001, 5, 6, 7, 5'000, 5'001, 5'002})), (Strings{"", "", "", "", "c0[u]:3", "", "", "c0[u]:3"}));
}

TEST(Times, ALateEventStandsInItsPlace) {
  Pair pair({body("temporal_ordered", "[a, b]", "10s", "")});
  EXPECT_EQ(pair.hits({{5, "b"}, {6, "a"}, {20, "b"}, {15, "a"}}), (Strings{"", "", "", "c0[u]:2"}));
}

TEST(Times, EventsWithoutTimeAreAsTheOneBefore) {
  Pair pair({body("event_count", "[a]", "10s", "{gte: 2}")});
  EXPECT_EQ(pair.hits({{std::nullopt, "a"}, {100, "a"}, {std::nullopt, "a"}}), (Strings{"", "", "c0[u]:2"}));
  EXPECT_EQ(pair.state().counts().untimed, 2u);
}

TEST(Generate, SaysWhoReportsByItself) {
  Pair pair({body("event_count", "[a, b]", "10s", "{gte: 2}"), body("event_count", "[b]", "10s", "{gte: 2}") + "\ngenerate: true", body("event_count", "[c0]", "10s", "{gte: 2}")});
  std::vector<std::string> silent;
  for (uint32_t i = 0; i < pair.file().source_count(); ++i) silent.push_back(std::string(1, pair.file().source(i).rule_id.back()) + (pair.file().source(i).silent ? "-" : "+"));
  EXPECT_EQ(silent, (Strings{"a-", "b+"}));
  for (uint32_t i = 0; i < pair.file().correlation_count(); ++i) EXPECT_EQ(pair.file().correlation(i).silent, pair.file().correlation(i).title == "Correlation 0");
}

std::vector<std::string> codes(const Pair& pair) {
  std::vector<std::string> out;
  for (const Diagnostic& d : pair.diagnostics()) {
    if (d.severity != Severity::kError) continue;
    EXPECT_FALSE(d.help.empty());
    out.push_back(d.code);
  }
  return out;
}

TEST(Refusals, HaveACodeEach) {
  EXPECT_EQ(codes(Pair({body("event_count", "[e]", "10s", "{gte: 2}")})), (Strings{"C042", "C047"}));
  EXPECT_EQ(codes(Pair({body("event_count", "[c1]", "10s", "{gte: 2}"), body("event_count", "[e]", "10s", "{gte: 2}")})), (Strings{"C042", "C041", "C047"}));
  EXPECT_EQ(codes(Pair({body("event_count", "[a]", "10s", "{gte: 16385}")})), (Strings{"C044", "C047"}));
  EXPECT_EQ(codes(Pair({body("event_count", "[a]", "10s", "{gte: 6000}")})), Strings{});
  EXPECT_EQ(codes(Pair({body("temporal", "[a, b]", "10s", "not a or not b")})), (Strings{"C046", "C047", "C047"}));
  EXPECT_EQ(codes(Pair({body("temporal", "[a, b]", "10s", "a and not a or b and not b")})), (Strings{"C046", "C047", "C047"}));
}

}  // namespace
}  // namespace creance::test
