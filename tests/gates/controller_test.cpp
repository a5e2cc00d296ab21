#include "gates/controller.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "gates/record.hpp"

namespace creance::gates {
namespace {

WallTime at(double seconds) { return WallTime(Milliseconds(1'000'000'000 + static_cast<int64_t>(seconds * 1000))); }

// A rollout of two rings and its hosts, all healthy, granted one after the other from second 0 on, confirmed two seconds later.
struct Scene {
  Rollout rollout;
  std::vector<HostHistory> hosts;
  std::vector<Presence> present;
  double now = 30;

  Scene(uint32_t go, uint32_t hold) {
    rollout.stages = {{"canary", 0.5, Milliseconds(10'000), 10}, {"general", 0.5, Milliseconds(10'000), 10}};
    rollout.stage_opened = at(0);
    present = {{go, hold}, {0, 0}};
    for (uint32_t i = 0; i < go; ++i) add(Arm::kGo, i);
    for (uint32_t i = 0; i < hold; ++i) add(Arm::kHold, i);
  }
  void add(Arm arm, uint32_t i) {
    HostHistory h;
    h.sensor_id = (arm == Arm::kGo ? "go" : "hold") + std::to_string(i);
    h.tenant = "demo";
    h.arm = arm;
    h.entered = at(0.1 * i);
    h.confirmed = at(2 + 0.1 * i);
    h.last_report = at(now);
    hosts.push_back(h);
  }
  void crash(size_t index, double second) {
    hosts[index].first_event[static_cast<size_t>(Metric::kCrash)] = at(second);
    hosts[index].first_event[static_cast<size_t>(Metric::kReturn)] = at(second);
  }
  void vital(size_t index, Metric metric, double second) { hosts[index].first_event[static_cast<size_t>(metric)] = at(second); }
  Summary summary() const { return summarise(rollout, hosts, present, {}, at(now)); }
  Decision decision() const { return decide(rollout, summary(), at(now)); }
};

}  // namespace

TEST(Controller, HaltsTenAgainstTenWhenAllTreatedCrash) {
  Scene scene(10, 10);
  uint32_t failed = 0;
  for (; failed < 10; ++failed) {
    if (scene.decision().verdict == Verdict::kHalt) break;
    scene.crash(failed, 5 + failed * 0.1);
  }
  const Decision d = scene.decision();
  EXPECT_EQ(d.verdict, Verdict::kHalt) << d.words;
  EXPECT_TRUE(d.statistical);
  EXPECT_GE(d.log_e, std::log(2000));
  EXPECT_NE(d.words.find("passed 2000"), std::string::npos) << d.words;
  EXPECT_EQ(failed, failures_to_halt(10, 10, kWeights[0] + kWeights[1] + kWeights[3], std::log(2000)));
}

TEST(Controller, DoesNotHaltWhenBothArmsCrashAlike) {
  Scene scene(10, 10);
  for (size_t i = 0; i < 20; ++i) scene.crash(i, 5 + static_cast<double>(i % 10) * 0.1);
  EXPECT_EQ(scene.decision().verdict, Verdict::kKeep) << scene.decision().words;
}

TEST(Controller, PromotesAfterTheSoakAndNotBefore) {
  Scene scene(10, 10);
  for (scene.now = 3; scene.now < 40; scene.now += 0.5) {
    for (HostHistory& h : scene.hosts) h.last_report = at(scene.now);
    const Decision d = scene.decision();
    const bool soaked = scene.now - 5 >= 0.9 + 10;  // tau, the last grant, the soak
    EXPECT_EQ(d.verdict, soaked ? Verdict::kPromote : Verdict::kKeep) << scene.now << " " << d.words;
    if (soaked) { EXPECT_NEAR(d.smallest_rate, 1 - std::pow(0.1, 0.1), 1e-9); }
  }
  scene.rollout.stage = 1;
  scene.rollout.stage_opened = at(40);
  EXPECT_EQ(scene.decision().verdict, Verdict::kKeep);
  EXPECT_NE(scene.decision().words.find("No data never promotes"), std::string::npos);
}

TEST(Controller, CompletesAfterTheLastStage) {
  Scene scene(10, 10);
  scene.rollout.stages.pop_back();
  scene.present.pop_back();
  EXPECT_EQ(scene.decision().verdict, Verdict::kComplete) << scene.decision().words;
}

TEST(Controller, NoDataNeverPromotes) {
  Scene scene(10, 10);
  scene.hosts.clear();
  scene.now = 1e6;
  EXPECT_EQ(scene.decision().verdict, Verdict::kKeep);
  scene.present = {{0, 0}, {0, 0}};
  EXPECT_EQ(scene.decision().verdict, Verdict::kKeep);
  EXPECT_NE(scene.decision().words.find("No data never promotes"), std::string::npos);
}

TEST(Controller, AnUnconfirmedOrSilentHostHoldsThePromotion) {
  Scene unconfirmed(10, 10);
  unconfirmed.hosts[3].confirmed.reset();
  EXPECT_EQ(unconfirmed.decision().verdict, Verdict::kKeep);
  EXPECT_EQ(unconfirmed.summary().stages[0].unknown, 1u);
  Scene silent(10, 10);
  silent.hosts[3].last_report = at(20);
  EXPECT_EQ(silent.decision().verdict, Verdict::kKeep);
  EXPECT_EQ(silent.summary().stages[0].silent, 1u);
}

TEST(Controller, SilenceOfTheTreatedHalts) {
  Scene scene(10, 10);
  for (size_t i = 0; i < 10; ++i) {
    scene.hosts[i].last_report = scene.hosts[i].entered;
    scene.hosts[i].confirmed.reset();
  }
  const Decision d = scene.decision();
  EXPECT_EQ(d.verdict, Verdict::kHalt) << d.words;
}

TEST(Controller, SmallFleetsSaySoPromoteBySoakAndHaltOnTheFirstFailure) {
  Scene scene(3, 3);
  Decision d = scene.decision();
  EXPECT_EQ(d.verdict, Verdict::kPromote);
  EXPECT_FALSE(d.statistical);
  EXPECT_NE(d.words.find("only 6 hosts"), std::string::npos) << d.words;
  scene.crash(4, 6);  // a held host: not the release's doing
  EXPECT_EQ(scene.decision().verdict, Verdict::kPromote);
  scene.crash(1, 29.9);  // read now
  d = scene.decision();
  EXPECT_EQ(d.verdict, Verdict::kHalt);
  EXPECT_NE(d.words.find("too few for a statistical gate"), std::string::npos) << d.words;
}

TEST(Controller, CountsTheHostsThatWillCompareAndNotThoseThatAlreadyCame) {
  Scene scene(10, 10);
  scene.hosts.resize(2);  // two of ten went, nobody else came yet
  scene.crash(0, 5);
  EXPECT_EQ(scene.decision().verdict, Verdict::kKeep) << scene.decision().words;
}

TEST(Controller, TripwireOnAnInternalHostHaltsAtOnce) {
  Scene scene(10, 10);
  scene.hosts[0].internal = true;
  scene.crash(0, 29.99);
  EXPECT_EQ(scene.decision().verdict, Verdict::kHalt);
  EXPECT_NE(scene.decision().words.find("tripwire"), std::string::npos);
  scene.rollout.tripwire = false;
  EXPECT_EQ(scene.decision().verdict, Verdict::kKeep);
}

// Whoever may make events on a host can flood a rule of any content.
TEST(Controller, ARuleOverItsBudgetTripsUnlessHeldHostsHadTheSame) {
  Scene scene(10, 10);
  scene.now = 100;
  for (HostHistory& host : scene.hosts) host.last_report = at(100);
  scene.hosts[0].internal = true;
  scene.vital(0, Metric::kOverBudget, 80);
  EXPECT_NE(scene.decision().verdict, Verdict::kHalt) << "the other arm may say the same in a moment";
  scene.vital(0, Metric::kOverBudget, 60);
  EXPECT_EQ(scene.decision().verdict, Verdict::kHalt) << "no held host had it";
  EXPECT_NE(scene.decision().words.find("over_budget"), std::string::npos);
  scene.vital(12, Metric::kOverBudget, 65);
  EXPECT_NE(scene.decision().verdict, Verdict::kHalt) << "a held host had it too: " << scene.decision().words;
  scene.hosts[1].internal = true;
  scene.vital(1, Metric::kOverBudget, 62);
  EXPECT_EQ(scene.decision().verdict, Verdict::kHalt) << "what the treated have on top of it counts";
}

TEST(Controller, AStormOfARuleIsSaidAndDoesNotCount) {
  Scene scene(10, 10);
  scene.now = 100;
  for (HostHistory& host : scene.hosts) host.last_report = at(100);
  HostHistory& host = scene.hosts[0];
  host.internal = true;
  scene.vital(0, Metric::kOverBudget, 60);
  host.over_budget = {{"old", at(60), true}};
  EXPECT_NE(scene.decision().verdict, Verdict::kHalt) << scene.decision().words;
  EXPECT_NE(scene.decision().words.find("go0: old"), std::string::npos) << scene.decision().words;
  EXPECT_EQ(scene.summary().failed, 0u);
  host.over_budget = {{"old", at(61), true}};
  EXPECT_EQ(scene.decision().verdict, Verdict::kHalt) << "what is known does not reach back to the first event";
  host.over_budget = {{"old", at(60), true}, {"new", at(65), false}};
  EXPECT_EQ(scene.decision().verdict, Verdict::kHalt) << "the other rule counts";
  scene.vital(12, Metric::kOverBudget, 65);
  EXPECT_EQ(scene.decision().verdict, Verdict::kHalt) << "and no held host can have what is new in it";
  host.over_budget = {{"old", at(60), true}, {"", at(65), false}};
  EXPECT_NE(scene.decision().verdict, Verdict::kHalt) << "without a rule's name, a held host's excuses as ever: " << scene.decision().words;
  host.over_budget = {{"old", at(60), true}, {"new", at(80), false}};
  EXPECT_NE(scene.decision().verdict, Verdict::kHalt) << "it counts once it is half a minute old";
  const Record record{at(scene.now), scene.rollout, scene.summary(), scene.decision()};
  const auto back = parse_record(to_json(record));
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(decide(back->rollout, back->summary, back->now), record.decision);
}

TEST(Controller, OneTenantAloneCallsAPerson) {
  for (const size_t tenants : {2u, 4u}) {
    Scene scene(30, 30);
    for (size_t i = 0; i < 60; ++i) scene.hosts[i].tenant = i % 30 < 16 ? "loud" : "quiet" + std::to_string(i % (tenants - 1));
    for (size_t i = 0; i < 16; ++i) scene.crash(i, 5);
    const Decision d = scene.decision();
    EXPECT_EQ(d.verdict, Verdict::kHoldAndCall) << tenants << d.words;
    EXPECT_NE(d.words.find("a person must look"), std::string::npos);
  }
}

TEST(Controller, SeveralTenantsAgreeAndHalt) {
  Scene scene(20, 20);
  for (size_t i = 0; i < 40; ++i) scene.hosts[i].tenant = "t" + std::to_string(i % 4);
  for (size_t i = 0; i < 20; ++i) scene.crash(i, 5);
  EXPECT_EQ(scene.decision().verdict, Verdict::kHalt) << scene.decision().words;
}

TEST(Controller, EachResumeHalvesTheBudget) {
  EXPECT_NEAR(std::exp(log_halt_threshold({}, 0)), 2000, 1e-6);
  EXPECT_NEAR(std::exp(log_halt_threshold({}, 3)), 16000, 1e-6);
}

TEST(Controller, InconclusiveWaitsForAPersonAndApprovalNeverSkipsTheSoak) {
  Scene scene(40, 40);
  scene.crash(0, 5);
  scene.rollout.settings.failure_rate_max = 0.1;  // 24 hosts suffice
  EXPECT_EQ(scene.decision().verdict, Verdict::kKeep);
  EXPECT_NE(scene.decision().words.find("inconclusive"), std::string::npos) << scene.decision().words;
  scene.rollout.approved = true;
  EXPECT_EQ(scene.decision().verdict, Verdict::kPromote);
  scene.rollout.stage_opened = at(20);
  EXPECT_EQ(scene.decision().verdict, Verdict::kKeep);
}

TEST(Controller, MemoryPressureInTheTreatedArmHalts) {
  Scene scene(10, 10);
  scene.now = 90;
  for (HostHistory& host : scene.hosts) host.last_report = at(scene.now);
  for (size_t i = 0; i < 10; ++i) scene.vital(i, Metric::kPressure, 40 + static_cast<double>(i));
  const Decision d = scene.decision();
  EXPECT_EQ(d.verdict, Verdict::kHalt) << d.words;
  EXPECT_TRUE(d.statistical);
  EXPECT_GE(d.log_e_star, d.log_e_halt);
  for (const Metric metric : {Metric::kOomKill, Metric::kDisk, Metric::kOthersCrashed, Metric::kSlowBoot}) {  // each kind alone, with kAny, is enough
    Scene one(8, 8);
    for (size_t i = 0; i < 8; ++i) one.vital(i, metric, 5);
    EXPECT_EQ(one.decision().verdict, Verdict::kHalt) << to_string(metric) << one.decision().words;
  }
}

TEST(Controller, APressureOnBothArmsIsNotTheContents) {
  for (const bool internal : {false, true}) {
    for (const uint32_t size : {10u, 2u}) {  // with a statistical gate, and without one
      Scene scene(size, size);
      scene.now = 120;
      for (HostHistory& host : scene.hosts) host.last_report = at(scene.now), host.internal = internal;
      for (size_t i = 0; i < 2 * size; ++i) scene.vital(i, Metric::kPressure, 40 + static_cast<double>(i % size));
      const Decision d = scene.decision();
      EXPECT_NE(d.verdict, Verdict::kHalt) << d.words;
      EXPECT_EQ(scene.summary().failed, 0u);
      EXPECT_EQ(d.verdict, Verdict::kPromote) << "and stops nobody: " << d.words;
    }
  }
}

TEST(Controller, WhatTheTreatedHaveOnTopCounts) {
  Scene scene(3, 3);
  scene.now = 120;
  for (HostHistory& host : scene.hosts) host.last_report = at(scene.now);
  scene.vital(0, Metric::kPressure, 40);
  scene.vital(3, Metric::kPressure, 41);
  EXPECT_EQ(scene.decision().verdict, Verdict::kPromote) << scene.decision().words;
  scene.vital(1, Metric::kPressure, 42);
  EXPECT_EQ(scene.decision().verdict, Verdict::kHalt) << scene.decision().words;
  scene.vital(1, Metric::kPressure, 110);  // lately: the other arm may say the same in a moment
  EXPECT_EQ(scene.decision().verdict, Verdict::kKeep) << "neither halted nor promoted: " << scene.decision().words;
  scene.vital(4, Metric::kPressure, 118);
  EXPECT_EQ(scene.decision().verdict, Verdict::kPromote) << scene.decision().words;
  scene.crash(1, 5);  // no excuse for what is the sensor's own
  EXPECT_EQ(scene.decision().verdict, Verdict::kHalt);
}

TEST(Controller, OnlyARollingRolloutIsJudged) {
  Scene scene(10, 10);
  for (const auto state : {RolloutState::kPaused, RolloutState::kCalled, RolloutState::kHalted, RolloutState::kWithdrawn, RolloutState::kComplete}) {
    scene.rollout.state = state;
    EXPECT_EQ(scene.decision().verdict, Verdict::kKeep);
  }
}

TEST(Record, ReplaysEveryVerdict) {
  std::vector<Scene> scenes = {Scene(10, 10), Scene(3, 3), Scene(20, 20), Scene(10, 10)};
  for (size_t i = 0; i < 10; ++i) scenes[0].crash(i, 5 + static_cast<double>(i) / 3);
  scenes[1].crash(0, 7);
  for (size_t i = 0; i < 40; ++i) scenes[2].hosts[i].tenant = i < 14 ? "a" : "b";
  for (size_t i = 0; i < 14; ++i) scenes[2].crash(i, 5);
  std::vector<Verdict> verdicts;
  for (const Scene& scene : scenes) {
    const Record record{at(scene.now), scene.rollout, scene.summary(), scene.decision()};
    verdicts.push_back(record.decision.verdict);
    const auto back = parse_record(to_json(record));
    ASSERT_TRUE(back) << back.error().detail;
    EXPECT_EQ(back->decision, record.decision);
    EXPECT_EQ(decide(back->rollout, back->summary, back->now), record.decision);
  }
  EXPECT_EQ(verdicts, (std::vector{Verdict::kHalt, Verdict::kHalt, Verdict::kHoldAndCall, Verdict::kPromote}));
}

TEST(Record, RefusesWhatIsNone) {
  for (const char* text : {"", "{}", "[]", "nonsense", R"({"now":1,"rollout":{},"summary":{},"decision":{}})"}) EXPECT_FALSE(parse_record(text)) << text;
}

}  // namespace creance::gates
