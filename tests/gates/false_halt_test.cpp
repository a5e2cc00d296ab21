// Simulated fleets in which the release does nothing: how often is it halted? Three wrong ways, each tempting, and ours.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "gates/comparison.hpp"

namespace creance::gates {
namespace {

constexpr double kAlpha = 0.05;  // a nominal level that a few hundred runs can tell from a broken one
constexpr int kRuns = 500;
// kRuns * alpha and three standard deviations of a binomial above it.
const double kHaltsMax = kRuns * kAlpha + 3 * std::sqrt(kRuns * kAlpha * (1 - kAlpha));

WallTime at(double seconds) { return WallTime(Milliseconds(1'000'000'000'000 + static_cast<int64_t>(seconds * 1000))); }

struct Crash {
  double time;
  size_t host;
};
struct Fleet {
  std::vector<HostHistory> hosts;
  std::vector<Crash> crashes;  // every one, also the repeated
};

Fleet make(size_t n) {
  Fleet fleet;
  for (size_t i = 0; i < n; ++i) {
    HostHistory h;
    h.sensor_id = std::to_string(i);
    h.tenant = "demo";
    h.last_report = at(1e5);
    fleet.hosts.push_back(h);
  }
  return fleet;
}

void finish(Fleet& fleet) {
  std::ranges::sort(fleet.crashes, {}, &Crash::time);
  for (const Crash& crash : fleet.crashes) {
    auto& first = fleet.hosts[crash.host].first_event[static_cast<size_t>(Metric::kCrash)];
    if (!first) first = at(crash.time);
  }
}

// Whether E ever reaches 1/alpha, looking after each event.
bool ever_halts(const Comparison& comparison) {
  Mixture mixture;
  for (const RiskEvent& e : comparison.events) {
    if (e.metric != Metric::kCrash) continue;
    mixture.add(e.treated, static_cast<double>(e.at_risk[0].go) / (e.at_risk[0].go + e.at_risk[0].hold));
    if (mixture.log_value() >= std::log(1 / kAlpha)) return true;
  }
  return false;
}
bool ours_halts(const Fleet& fleet) { return ever_halts(compare(fleet.hosts, {}, at(1e5))); }

bool halts_with(const std::vector<std::pair<bool, double>>& events) {
  Mixture mixture;
  for (const auto& [treated, theta] : events) {
    mixture.add(treated, theta);
    if (mixture.log_value() >= std::log(1 / kAlpha)) return true;
  }
  return false;
}

// Shares 10, 50, 90 % over time; hosts crash at a constant rate, whatever they run.
Fleet staged(std::mt19937_64& random) {
  Fleet fleet = make(300);
  std::exponential_distribution<double> life(1.0 / 1500);
  for (size_t i = 0; i < fleet.hosts.size(); ++i) {
    HostHistory& h = fleet.hosts[i];
    const double cohort = static_cast<double>(i) / 300;
    h.arm = cohort < 0.9 ? Arm::kGo : Arm::kHold;
    h.entered = at(cohort < 0.1 ? 0 : cohort < 0.5 ? 500 : cohort < 0.9 ? 1000 : 0);
    fleet.crashes.push_back({life(random), i});
  }
  return fleet;
}

}  // namespace

// Every host that announces enters at its stage and is told by its hash; those told to wait for a later stage hold until then.
TEST(FalseHalt, SharesInStages) {
  std::mt19937_64 random(1);
  int ours = 0;
  int cumulative = 0;
  for (int run = 0; run < kRuns; ++run) {
    Fleet raw = staged(random);
    std::vector<double> crash_at(raw.hosts.size());
    for (const Crash& crash : raw.crashes) crash_at[crash.host] = crash.time;
    // Wrong: theta from exposure since the beginning, not from who is at risk at the event.
    std::vector<std::pair<bool, double>> events;
    std::vector<size_t> order(raw.hosts.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::ranges::sort(order, {}, [&](size_t i) { return crash_at[i]; });
    for (const size_t i : order) {
      const double t = crash_at[i];
      if (t > 2000) break;
      double treated_time = 0;
      double all_time = 0;
      for (size_t j = 0; j < order.size(); ++j) {
        const double end = std::min(t, crash_at[j]);
        const double start = static_cast<double>((raw.hosts[j].entered - at(0)).count()) / 1000;
        if (raw.hosts[j].arm == Arm::kGo) treated_time += std::max(0.0, end - start);
        all_time += end;
      }
      events.push_back({raw.hosts[i].arm == Arm::kGo && t >= static_cast<double>((raw.hosts[i].entered - at(0)).count()) / 1000, treated_time / all_time});
    }
    cumulative += halts_with(events);
    // Ours: a host that goes later was held before; each stage is a stratum of its own.
    Fleet fleet = make(0);
    for (size_t i = 0; i < raw.hosts.size(); ++i) {
      const HostHistory& h = raw.hosts[i];
      HostHistory before = h;
      before.arm = Arm::kHold;
      before.entered = at(0);
      before.left = h.entered;
      before.first_event[static_cast<size_t>(Metric::kCrash)] = at(crash_at[i]);
      HostHistory after = h;
      after.first_event = before.first_event;
      after.stage = h.arm == Arm::kGo ? static_cast<uint32_t>((h.entered - at(0)).count() / 500'000) : 0;
      if (h.arm == Arm::kGo && h.entered > at(0)) fleet.hosts.push_back(before);
      fleet.hosts.push_back(after);
      for (uint32_t stage = 1; stage < 3 && h.arm == Arm::kHold; ++stage) {  // the rest of the hold-back re-enters with each stage
        HostHistory again = after;
        fleet.hosts.back().left = at(stage * 500);
        again.stage = stage;
        again.entered = at(stage * 500);
        fleet.hosts.push_back(again);
      }
    }
    ours += ours_halts(fleet);
  }
  EXPECT_GT(cumulative, kRuns * 0.9) << "the wrong way no longer shows";
  EXPECT_LE(ours, kHaltsMax);
  RecordProperty("cumulative", cumulative);
  RecordProperty("ours", ours);
}

TEST(FalseHalt, FlakyHostsThatCrashAgainAndAgain) {
  std::mt19937_64 random(2);
  int ours = 0;
  int repeated = 0;
  for (int run = 0; run < kRuns; ++run) {
    Fleet fleet = make(200);
    std::bernoulli_distribution coin(0.5);
    std::bernoulli_distribution flaky(0.03);
    std::exponential_distribution<double> gap(1.0 / 50);
    for (size_t i = 0; i < fleet.hosts.size(); ++i) {
      fleet.hosts[i].arm = coin(random) ? Arm::kGo : Arm::kHold;
      fleet.hosts[i].entered = at(0);
      if (!flaky(random)) continue;
      for (double t = gap(random); t < 1000; t += gap(random)) fleet.crashes.push_back({t, i});
    }
    finish(fleet);
    ours += ours_halts(fleet);
    const auto go = static_cast<double>(std::ranges::count(fleet.hosts, Arm::kGo, &HostHistory::arm));
    std::vector<std::pair<bool, double>> events;  // wrong: every crash counts
    for (const Crash& crash : fleet.crashes) events.push_back({fleet.hosts[crash.host].arm == Arm::kGo, go / 200});
    repeated += halts_with(events);
  }
  EXPECT_GT(repeated, 3 * kHaltsMax) << "the wrong way no longer shows";
  EXPECT_LE(ours, kHaltsMax);
  RecordProperty("repeated", repeated);
  RecordProperty("ours", ours);
}

// A swap itself is risky: most crashes come soon after the door, in both arms. Treated hosts pass it one after the other.
TEST(FalseHalt, ControlAtRiskBeforeTheTreatedEnter) {
  std::mt19937_64 random(3);
  int ours = 0;
  int early = 0;
  for (int run = 0; run < kRuns; ++run) {
    Fleet fleet = make(400);
    std::bernoulli_distribution coin(0.5);
    std::bernoulli_distribution weak(0.15);
    std::exponential_distribution<double> soon(1.0 / 20);
    std::uniform_real_distribution<double> door(200, 1000);
    Fleet wrong = fleet;
    for (size_t i = 0; i < fleet.hosts.size(); ++i) {
      const Arm arm = coin(random) ? Arm::kGo : Arm::kHold;
      const double grant = door(random);
      fleet.hosts[i].arm = wrong.hosts[i].arm = arm;
      fleet.hosts[i].entered = at(grant);
      wrong.hosts[i].entered = at(arm == Arm::kGo ? grant : 0);  // wrong: the control is at risk from the plan on, and re-activates nothing
      if (!weak(random)) continue;
      const double after = soon(random);
      fleet.crashes.push_back({grant + after, i});
      wrong.crashes.push_back({(arm == Arm::kGo ? grant : 0) + after, i});
    }
    finish(fleet);
    finish(wrong);
    ours += ours_halts(fleet);
    early += ours_halts(wrong);
  }
  EXPECT_GT(early, kRuns * 0.9) << "the wrong way no longer shows";
  EXPECT_LE(ours, kHaltsMax);
  RecordProperty("early", early);
  RecordProperty("ours", ours);
}

}  // namespace creance::gates
