#include "gates/evalue.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace creance::gates {
namespace {

RiskEvent event(bool treated, uint32_t go, uint32_t hold, uint8_t slot = 0, Metric metric = Metric::kAny) {
  RiskEvent e{metric, slot, treated, {}};
  e.at_risk[slot] = {go, hold};
  return e;
}

// The formula of the design, written out without logarithms.
double by_hand(const std::vector<std::pair<bool, double>>& events) {
  double sum = 0;
  for (const double r : kRatios) {
    double product = 1;
    for (const auto& [treated, theta] : events) product *= (treated ? r : 1) / (1 + theta * (r - 1));
    sum += product / kRatios.size();
  }
  return sum;
}

// `tenants` tenants of `each` go and hold hosts; the given number of treated hosts of each fails, one tenant after the other.
std::vector<RiskEvent> fleet(std::vector<uint32_t> failing, uint32_t each) {
  std::array<Counts, kSlots> at_risk{};
  for (size_t t = 0; t < failing.size(); ++t) at_risk[t] = {each, each};
  std::vector<RiskEvent> events;
  for (size_t t = 0; t < failing.size(); ++t) {
    for (uint32_t i = 0; i < failing[t]; ++i) {
      events.push_back({Metric::kAny, static_cast<uint8_t>(t), true, at_risk});
      --at_risk[t].go;
    }
  }
  return events;
}

}  // namespace

TEST(EValue, IsTheFormulaOfTheDesign) {
  const std::vector<RiskEvent> events = {event(true, 5, 5), event(false, 4, 5), event(true, 4, 4), event(true, 3, 4)};
  EXPECT_NEAR(std::exp(log_e(events, Metric::kAny)), by_hand({{true, 0.5}, {false, 4.0 / 9}, {true, 0.5}, {true, 3.0 / 7}}), 1e-12);
  // One treated failure among 1 + 1: sum over r of r / (1 + r) * 2 / 8.
  double one = 0;
  for (const double r : kRatios) one += 2 * r / (1 + r) / 8;
  EXPECT_NEAR(std::exp(log_e(std::vector{event(true, 1, 1)}, Metric::kAny)), one, 1e-12);
}

TEST(EValue, ReachesTheMaximaOfTheDesign) {
  EXPECT_NEAR(std::exp(log_e_max(3, 3)), 10.7, 0.05);
  EXPECT_NEAR(std::exp(log_e_max(8, 8)), 4037, 0.5);
}

TEST(EValue, SaysNothingWithoutEventsOrWithoutControl) {
  EXPECT_NEAR(log_e({}, SlotMask{0}), 0, 1e-12);
  EXPECT_NEAR(log_e(std::vector{event(true, 7, 0), event(true, 6, 0)}, Metric::kAny), 0, 1e-12);
}

TEST(EValue, NeverHasMeanAboveOneUnderNoWorse) {  // one step: sum over who fails of its probability times its factor
  for (uint32_t go = 1; go < 12; ++go) {
    for (uint32_t hold = 1; hold < 12; ++hold) {
      const double theta = static_cast<double>(go) / (go + hold);
      const double mean = theta * std::exp(log_e(std::vector{event(true, go, hold)}, Metric::kAny)) + (1 - theta) * std::exp(log_e(std::vector{event(false, go, hold)}, Metric::kAny));
      EXPECT_NEAR(mean, 1, 1e-12);
      const double g0 = 2;  // tolerated: treated hosts fail twice as often
      const double tilted = g0 * theta / (g0 * theta + 1 - theta);
      const double mean_g0 = tilted * std::exp(log_e(std::vector{event(true, go, hold)}, Metric::kAny, 0, g0)) +
                             (1 - tilted) * std::exp(log_e(std::vector{event(false, go, hold)}, Metric::kAny, 0, g0));
      EXPECT_NEAR(mean_g0, 1, 1e-12);
    }
  }
}

TEST(EValue, AveragesMetricsByWeight) {
  double weights = 0;
  for (const double w : kWeights) weights += w;
  EXPECT_NEAR(weights, 1, 1e-12);
  const std::vector<RiskEvent> events = {event(true, 8, 8, 0, Metric::kCrash)};
  const double one = std::exp(log_e(events, Metric::kCrash));
  EXPECT_NEAR(std::exp(log_e(events, SlotMask{0})), kWeights[1] * one + (1 - kWeights[1]), 1e-12);
}

TEST(EValue, HaltsEightAgainstEightWhateverTheKindOfHarm) {
  for (size_t m = 1; m < kMetrics; ++m) {
    std::vector<RiskEvent> events;
    for (uint32_t i = 0; i < 8; ++i) {
      events.push_back(event(true, 8 - i, 8, 0, static_cast<Metric>(m)));
      events.push_back(event(true, 8 - i, 8, 0, Metric::kAny));
    }
    EXPECT_GE(std::exp(log_e(events, SlotMask{0})), 2000) << to_string(static_cast<Metric>(m));
  }
}

TEST(EValue, TenAgainstTenThatAllCrashPassTwoThousand) {
  EXPECT_LE(failures_to_halt(10, 10, kWeights[0], std::log(2000)), 10u);
  EXPECT_EQ(failures_to_halt(3, 3, 1, std::log(2000)), 4u);
}

TEST(OneLiar, NeitherHaltsEveryoneNorHidesAFailure) {
  const double halt = std::log(2000);
  const std::vector<RiskEvent> liar = fleet({20, 0, 0, 0}, 20);
  EXPECT_GE(log_e(liar, SlotMask{0}), halt);
  EXPECT_LT(log_e_star(liar, 4), std::log(2));
  const std::vector<RiskEvent> silent = fleet({0, 20, 20, 20}, 20);  // one tenant hides its failures
  EXPECT_GE(log_e_star(silent, 4), halt);
}

TEST(OneLiar, IsMeanOfMinimaOverPairs) {
  const std::vector<RiskEvent> events = fleet({3, 2, 1}, 4);
  const auto without = [&](int j, int k) { return std::exp(log_e(events, static_cast<SlotMask>(1 << j | 1 << k))); };
  const double expected = (std::min(without(0, 1), without(0, 2)) + std::min(without(1, 0), without(1, 2)) + std::min(without(2, 0), without(2, 1))) / 3;
  EXPECT_NEAR(std::exp(log_e_star(events, 3)), expected, 1e-12);
  EXPECT_NEAR(log_e_star(events, 2), log_e(events, SlotMask{0}), 1e-12);
}

TEST(Safety, GrowsWhenTreatedHostsFailNoMoreThanOthers) {
  std::vector<RiskEvent> events;
  for (uint32_t i = 0; i < 30; ++i) events.push_back(event(i % 2 == 0, 500 - i / 2, 500 - i / 2));
  EXPECT_GE(log_e_safety(events, 3), std::log(10));
  std::vector<RiskEvent> worse;
  for (uint32_t i = 0; i < 30; ++i) worse.push_back(event(i % 4 != 0, 500, 500));  // three of four: exactly the null
  EXPECT_LT(log_e_safety(worse, 3), std::log(10));
}

TEST(SmallestRate, IsTheBinomialAnswer) {
  EXPECT_NEAR(smallest_rate(10, 1), 1 - std::pow(0.1, 0.1), 1e-9);  // 1 - (1 - p)^10 = .9
  EXPECT_EQ(smallest_rate(10, 11), 1);
  EXPECT_NEAR(smallest_rate(2, 2), std::sqrt(0.9), 1e-9);
}

}  // namespace creance::gates
