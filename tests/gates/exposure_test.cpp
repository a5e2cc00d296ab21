#include "gates/exposure.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace creance::gates {
namespace {
std::vector<uint64_t> cohorts(size_t n) {
  std::vector<uint64_t> values;
  for (size_t i = 0; i < n; ++i) values.push_back((i + 1) * 0x9e3779b97f4a7c15u);
  return values;
}
size_t below(const std::vector<uint64_t>& values, uint64_t limit) {
  return static_cast<size_t>(std::ranges::count_if(values, [&](uint64_t v) { return v < limit || limit == kEveryone; }));
}
}  // namespace

TEST(Cut, TellsExactlyHalfOfTwentyToGo) {
  const auto hosts = cohorts(20);
  const Cut c = cut(hosts, 0.5);
  EXPECT_EQ(below(hosts, c.go_below), 10u);
  EXPECT_EQ(below(hosts, c.enter_below), 20u);
  EXPECT_EQ(c.go, 10u);
  EXPECT_EQ(c.enter, 20u);
}

TEST(Cut, NeverPassesNinetyPercentAndNeverLeavesOutTheOnlyHost) {
  for (const size_t n : {2u, 5u, 10u, 19u, 1000u}) {
    const Cut c = cut(cohorts(n), 1);
    EXPECT_LE(c.go, n * 9 / 10) << n;
    EXPECT_GE(c.go, 1u);
    EXPECT_EQ(c.enter, n);
  }
  EXPECT_EQ(cut(cohorts(1), 0.1).go, 1u);
  EXPECT_EQ(cut(cohorts(20), 0).go, 0u);
  EXPECT_EQ(cut(cohorts(20), 0).enter, 0u);
}

TEST(Cut, MakesTheControlAsLargeAsTheTreatedArm) {
  const Cut c = cut(cohorts(100), 0.1);
  EXPECT_EQ(c.go, 10u);
  EXPECT_EQ(c.enter, 20u);
}

TEST(Cut, OfAnEmptyRingIsTheShareItself) {
  EXPECT_EQ(cut({}, 0.5).go_below, uint64_t{1} << 63);
  EXPECT_EQ(cut({}, 1).go_below, cut({}, 0.9).go_below);
}

}  // namespace creance::gates
