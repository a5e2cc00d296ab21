#include "gates/comparison.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace creance::gates {
namespace {

WallTime at(int64_t seconds) { return WallTime(std::chrono::seconds(1'000'000 + seconds)); }

HostHistory host(std::string id, Arm arm, int64_t entered, int64_t last_report, std::optional<int64_t> crash = {}) {
  HostHistory h;
  h.sensor_id = std::move(id);
  h.tenant = "demo";
  h.arm = arm;
  h.entered = at(entered);
  h.last_report = at(last_report);
  if (crash) h.first_event[static_cast<size_t>(Metric::kCrash)] = at(*crash);
  return h;
}

std::vector<RiskEvent> of(const Comparison& c, Metric metric) {
  std::vector<RiskEvent> events;
  for (const RiskEvent& e : c.events) {
    if (e.metric == metric) events.push_back(e);
  }
  return events;
}

}  // namespace

TEST(Comparison, PutsHostsAtRiskFromTheirGrantToTheirFirstEvent) {
  const std::vector<HostHistory> hosts = {host("a", Arm::kGo, 0, 100, 10), host("b", Arm::kGo, 5, 100, 20), host("c", Arm::kHold, 0, 100), host("d", Arm::kHold, 15, 100),
                                          host("e", Arm::kGo, 50, 100)};
  const auto events = of(compare(hosts, {}, at(100)), Metric::kCrash);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].at_risk[0], (Counts{2, 1}));  // a, b against c
  EXPECT_EQ(events[1].at_risk[0], (Counts{1, 2}));  // a has left, d has entered
}

TEST(Comparison, ReadsNothingYoungerThanTau) {
  const std::vector<HostHistory> hosts = {host("a", Arm::kGo, 0, 100, 98), host("b", Arm::kHold, 0, 100)};
  EXPECT_TRUE(compare(hosts, {}, at(100)).events.empty());
  EXPECT_EQ(compare(hosts, {}, at(103)).events.size(), 2u);  // tau is five reports; any and crash
}

TEST(Comparison, DatesSilenceByTheFirstMissedReport) {
  HostHistory h = host("a", Arm::kGo, 0, 40);
  EXPECT_EQ(silent_since(h, {}, at(44)), std::nullopt);
  EXPECT_EQ(silent_since(h, {}, at(45)), at(41));
  h.last_report = {};  // never reported: its grant is when it was last heard
  EXPECT_EQ(silent_since(h, {}, at(6)), at(1));
  SilenceRule late;
  late.listening_since = at(42);
  EXPECT_EQ(silent_since(h, late, at(46)), std::nullopt);
  const auto events = of(compare(std::vector{host("a", Arm::kGo, 0, 40), host("b", Arm::kHold, 0, 60)}, {}, at(60)), Metric::kSilence);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_TRUE(events[0].treated);
}

TEST(Comparison, KeepsStrataApart) {
  std::vector<HostHistory> hosts = {host("a", Arm::kGo, 0, 100, 10), host("b", Arm::kHold, 0, 100), host("c", Arm::kHold, 0, 100)};
  hosts[2].stage = 1;
  const Comparison c = compare(hosts, {}, at(100));
  EXPECT_EQ(of(c, Metric::kCrash)[0].at_risk[0], (Counts{1, 1}));
  EXPECT_EQ(c.entered, (Counts{1, 1}));  // the second stratum has no treated host
}

TEST(Comparison, LeavesOutAHostThatHadItsEventBeforeItsDoor) {
  const std::vector<HostHistory> hosts = {host("a", Arm::kGo, 20, 100, 10), host("b", Arm::kHold, 0, 100, 30), host("c", Arm::kGo, 0, 100)};
  const auto events = of(compare(hosts, {}, at(100)), Metric::kCrash);
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].at_risk[0], (Counts{1, 1}));
}

TEST(Comparison, CensorsAHostThatWasToldOtherwise) {
  std::vector<HostHistory> hosts = {host("a", Arm::kHold, 0, 100), host("b", Arm::kGo, 0, 100, 50)};
  hosts[0].left = at(30);
  EXPECT_EQ(of(compare(hosts, {}, at(100)), Metric::kCrash)[0].at_risk[0], (Counts{1, 0}));
}

TEST(Comparison, OrdersTiesBySensorIdAndNotByArmOrInput) {
  std::vector<HostHistory> hosts = {host("b", Arm::kGo, 0, 100, 10), host("a", Arm::kHold, 0, 100, 10)};
  const Comparison one = compare(hosts, {}, at(100));
  std::swap(hosts[0], hosts[1]);
  const Comparison other = compare(hosts, {}, at(100));
  EXPECT_EQ(one.events, other.events);
  EXPECT_FALSE(of(one, Metric::kCrash)[0].treated);
}

TEST(Comparison, CountsTenantsThatSpeak) {
  std::vector<HostHistory> hosts = {host("a", Arm::kGo, 0, 100, 10), host("b", Arm::kGo, 0, 100), host("c", Arm::kHold, 0, 100, 20)};
  hosts[1].tenant = hosts[2].tenant = "other";
  const Comparison c = compare(hosts, {}, at(100));
  EXPECT_EQ(c.tenants, (std::vector<std::string>{"other", "demo"}));
  EXPECT_EQ(c.tenants_exposed, 2u);
  EXPECT_EQ(c.tenants_speaking, 1u);
}

}  // namespace creance::gates
