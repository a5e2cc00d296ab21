// Whole rollouts over real HTTP, with simulated sensors and a clock that the test moves.
#include "harness.hpp"

#include <fstream>

#include "base/sensor_limits.hpp"
#include "gates/record.hpp"
#include "server/store/sqlite_store.hpp"

namespace creance::server::testing {
namespace {

const Json& stage_of(const Answer& status, size_t i) { return status.body.find("stages")->elements().at(i); }
int64_t number(const Json& stage, std::string_view name) { return stage.find(name)->integer(); }

// One second passes and every sensor reports, `seconds` times.
void live(World& world, std::vector<Sensor>& sensors, int seconds) {
  for (int s = 0; s < seconds; ++s) {
    world.clock.advance(std::chrono::seconds(1));
    for (Sensor& sensor : sensors) ASSERT_EQ(sensor.report().status, 200);
  }
}

size_t announce_all(std::vector<Sensor>& sensors, const Digest& release) {
  size_t go = 0;
  for (Sensor& sensor : sensors) {
    const Answer told = sensor.announce(release);
    EXPECT_EQ(told.status, 200) << told.text;
    go += sensor.arm == plan::Verdict::kGo;
  }
  return go;
}

}  // namespace

TEST(Rollout, OneTenantsSilentHostsDoNotKeepTheOthersOut) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> evil = enrol(world, "canary", 20, "evil"), honest = enrol(world, "canary", 20);
  const Digest release = world.push("r-1");
  const std::string rollout = world.begin("r-1", Json::array({World::stage("canary", 50, 3600, 5)}));
  ASSERT_TRUE(world.plan());
  int taken = 0, waiting = 0;
  for (Sensor& sensor : evil) {
    const Answer told = sensor.announce(release);
    taken += told.status == 200 && sensor.arm == plan::Verdict::kGo;
    waiting += told.status == 202;
  }
  EXPECT_EQ(taken, 2) << "half of the cap";
  EXPECT_GT(waiting, 0);
  size_t go = 0;
  for (Sensor& sensor : honest) {
    ASSERT_EQ(sensor.announce(release).status, 200);
    sensor.settle();
    go += sensor.arm == plan::Verdict::kGo;
  }
  EXPECT_GT(go, 0u);
  EXPECT_EQ(evil.back().announce(release).status, 202);
}

TEST(Rollout, TwoTenantsTogetherDoNotKeepTheOthersOut) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> evil = enrol(world, "canary", 20, "evil"), ally = enrol(world, "canary", 20, "ally"), honest = enrol(world, "canary", 20);
  const Digest release = world.push("r-1");
  world.begin("r-1", Json::array({World::stage("canary", 50, 3600, 6)}));
  ASSERT_TRUE(world.plan());
  int taken = 0;
  for (std::vector<Sensor>* tenant : {&evil, &ally}) {
    for (Sensor& sensor : *tenant) taken += sensor.announce(release).status == 200 && sensor.arm == plan::Verdict::kGo;
  }
  EXPECT_EQ(taken, 4) << "a third of the cap each";
  size_t go = 0;
  for (Sensor& sensor : honest) {
    ASSERT_EQ(sensor.announce(release).status, 200);
    sensor.settle();
    go += sensor.arm == plan::Verdict::kGo;
  }
  EXPECT_GT(go, 0u);
}

TEST(Rollout, ACapThatIsFullOfSilentHostsIsForAPerson) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 20);
  const Digest release = world.push("r-1");
  const std::string rollout = world.begin("r-1", Json::array({World::stage("canary", 50, 120, 2)}));
  ASSERT_TRUE(world.plan());
  std::vector<Sensor> others;
  int taken = 0;
  for (Sensor& sensor : sensors) {
    if (sensor.announce(release).status == 200 && sensor.arm == plan::Verdict::kGo) ++taken;
    else others.push_back(sensor);
  }
  ASSERT_EQ(taken, 2) << "one tenant has the whole cap";
  ASSERT_EQ(world.status(rollout).string("state"), "rolling");
  live(world, others, 200);  // nobody is silent within a minute of the server's start; then the soak
  ASSERT_TRUE(world.wait_state(rollout, "called")) << world.status(rollout).text;
  const Answer status = world.status(rollout);
  EXPECT_NE(status.string("reason").find("all 2 places"), std::string::npos) << status.text;
  EXPECT_NE(status.string("reason").find("`demo`: 2"), std::string::npos) << status.text;
  EXPECT_EQ(stage_of(status, 0).find("silent_places")->find("demo")->integer(), 2);
  ASSERT_EQ(world.operate("POST", "/api/v1/rollouts/" + rollout + "/resume").string("state"), "rolling");
  ASSERT_TRUE(world.plan());
  EXPECT_EQ(others.back().announce(release).status, 200) << "the places are free";
}

TEST(Rollout, HaltsByItselfWhenTheTreatedCrash) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 20);
  const Digest release = world.push("bad-1");
  const std::string rollout = world.begin("bad-1", Json::array({World::stage("canary", 50, 3600), World::stage("general", 100, 10)}));
  auto plan = world.plan();
  ASSERT_TRUE(plan) << plan.error().detail;
  ASSERT_EQ(plan->rollouts.size(), 1u);
  EXPECT_EQ(plan->rollouts[0].release_digest, release);
  ASSERT_EQ(plan->rollouts[0].stages.size(), 1u);
  const int64_t sequence = plan->sequence;

  EXPECT_EQ(announce_all(sensors, release), 10u);
  for (const Sensor& sensor : sensors) {  // the grant is what the plan says
    const bool go = plan::below(plan::cohort(plan->rollouts[0].salt, sensor.id), plan->rollouts[0].stages[0].go_below);
    EXPECT_EQ(sensor.arm == plan::Verdict::kGo, go);
  }
  for (Sensor& sensor : sensors) {
    if (sensor.arm == plan::Verdict::kGo) sensor.crash();
    else sensor.settle();
  }
  live(world, sensors, 7);
  ASSERT_TRUE(world.wait_state(rollout, "halted")) << world.status(rollout).text << world.log;
  const Answer status = world.status(rollout);
  EXPECT_EQ(number(stage_of(status, 0), "exposed"), 10);
  EXPECT_EQ(number(stage_of(status, 0), "held"), 10);
  EXPECT_EQ(number(stage_of(status, 0), "crashed"), 10);
  EXPECT_EQ(number(stage_of(status, 0), "returned"), 10);
  EXPECT_GE(stage_of(status, 0).find("e")->real(), stage_of(status, 0).find("e_halt")->real());
  EXPECT_EQ(number(stage_of(status, 1), "exposed"), 0);
  plan = world.plan();
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->rollouts[0].state, plan::RolloutState::kHalted);
  EXPECT_EQ(plan->sequence, sequence + 1);
  EXPECT_EQ(sensors[0].announce(release).status, 202);
  const Answer resumed = world.operate("POST", "/api/v1/rollouts/" + rollout + "/resume");
  EXPECT_EQ(resumed.status, 409);
  EXPECT_NE(resumed.text.find("content signers"), std::string::npos);
  // The halt is in the log with all that it was made from.
  world.stop();
  auto store = open_sqlite_store(world.folder.path / "server.db");
  ASSERT_TRUE(store);
  const auto log = (*store)->decisions(rollout, 10);
  const auto halt = std::ranges::find(*log, "halt", &DecisionRecord::verdict);
  ASSERT_NE(halt, log->end());
  const auto record = gates::parse_record(halt->record);
  ASSERT_TRUE(record) << record.error().detail;
  EXPECT_EQ(gates::decide(record->rollout, record->summary, record->now), record->decision);
}

TEST(Rollout, PromotesHealthyContentToTheEndAndTheHoldBackComesLast) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> canaries = enrol(world, "canary", 20);
  std::vector<Sensor> general = enrol(world, "general", 2);
  const Digest release = world.push("good-1");
  const std::string rollout = world.begin("good-1", Json::array({World::stage("canary", 50, 0.5), World::stage("general", 100, 0.5)}));
  ASSERT_TRUE(world.plan());
  EXPECT_EQ(announce_all(canaries, release), 10u);
  EXPECT_EQ(general[0].announce(release).status, 202);  // its ring is not open
  for (Sensor& sensor : canaries) sensor.settle();
  for (int s = 0; s < 8; ++s) {
    live(world, canaries, 1);
    live(world, general, 1);
  }
  ASSERT_TRUE(world.wait([&] { return world.status(rollout).integer("stage") == 1; })) << world.status(rollout).text << world.log;
  EXPECT_EQ(announce_all(general, release), 1u);  // never more than 90 % before the whole soak is over
  for (Sensor& sensor : general) sensor.settle();
  for (int s = 0; s < 8; ++s) {
    live(world, canaries, 1);
    live(world, general, 1);
  }
  ASSERT_TRUE(world.wait_state(rollout, "complete")) << world.status(rollout).text << world.log;
  const auto plan = world.plan();
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->rollouts[0].state, plan::RolloutState::kComplete);
  EXPECT_EQ(announce_all(canaries, release), 20u);
  EXPECT_EQ(announce_all(general, release), 2u);
  const Answer again = world.operate("POST", "/api/v1/rollouts", Json::object({{"release", "good-1"}, {"stages", Json::array({World::stage("canary", 50, 1)})}}));
  EXPECT_EQ(again.status, 409) << again.text;
}

TEST(Rollout, AHostThatIsRestartedBeforeItTellsThatItPassedIsConfirmedByItsLastKnownGood) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> hosts = enrol(world, "canary", 1);
  Sensor& host = hosts[0];
  const Digest release = world.push("good-1");
  const std::string rollout = world.begin("good-1", Json::array({World::stage("canary", 100, 3600)}));
  ASSERT_TRUE(world.plan());
  ASSERT_EQ(announce_all(hosts, release), 1u);
  // The machine was reset: another run of the sensor, which knows its content and nothing of a grant.
  host.boot_epoch = std::string(32, 'e');
  host.sequence = 0;
  host.arm.reset(), host.arm_release.reset();
  host.running = release;
  plan::Report report = host.next_report();
  report.state = plan::SensorState::kSteady;
  EXPECT_EQ(host.report(report).status, 200);
  EXPECT_EQ(number(stage_of(world.status(rollout), 0), "confirmed"), 0) << "running it is not yet having passed";
  report = host.next_report();
  report.state = plan::SensorState::kSteady;
  report.lkg_digest = release;
  EXPECT_EQ(host.report(report).status, 200);
  EXPECT_EQ(number(stage_of(world.status(rollout), 0), "confirmed"), 1) << world.status(rollout).text;
}

TEST(Rollout, SilenceOfTheTreatedHalts) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 20);
  const Digest release = world.push("mute-1");
  world.clock.advance(std::chrono::minutes(2));  // past the time after a start in which nobody is blamed
  for (Sensor& sensor : sensors) ASSERT_EQ(sensor.report().status, 200);
  const std::string rollout = world.begin("mute-1", Json::array({World::stage("canary", 50, 3600)}));
  ASSERT_TRUE(world.plan());
  announce_all(sensors, release);
  std::vector<Sensor> held;
  for (Sensor& sensor : sensors) {
    if (sensor.arm == plan::Verdict::kHold) held.push_back(std::move(sensor));
  }
  live(world, held, 14);
  ASSERT_TRUE(world.wait_state(rollout, "halted")) << world.status(rollout).text;
  EXPECT_EQ(number(stage_of(world.status(rollout), 0), "silent"), 10);
}

TEST(Rollout, CapsTheHostsWithUnknownOutcome) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 20);
  const Digest release = world.push("slow-1");
  world.begin("slow-1", Json::array({World::stage("canary", 90, 3600, 3)}));
  ASSERT_TRUE(world.plan());
  std::vector<Sensor*> exposed;
  size_t waiting = 0;
  for (Sensor& sensor : sensors) {
    const Answer told = sensor.announce(release);
    if (told.status == 202) ++waiting;
    else if (sensor.arm == plan::Verdict::kGo) exposed.push_back(&sensor);
  }
  EXPECT_EQ(exposed.size(), 3u);
  EXPECT_GE(waiting, 15u);  // both arms wait alike
  EXPECT_EQ(exposed[0]->announce(release).status, 200);  // who has its grant keeps it
  exposed[0]->settle();
  size_t more = 0;
  for (Sensor& sensor : sensors) {
    if (sensor.arm) continue;
    if (sensor.announce(release).status == 200) more += sensor.arm == plan::Verdict::kGo;
  }
  EXPECT_EQ(more, 1u);
}

TEST(Rollout, MemoryPressureInTheTreatedArmHaltsAndOnBothArmsDoesNot) {
  for (const bool everywhere : {false, true}) {
    World world;
    ASSERT_TRUE(world.start());
    std::vector<Sensor> sensors = enrol(world, "canary", 20);
    const Digest release = world.push("hungry-1");
    const std::string rollout = world.begin("hungry-1", Json::array({World::stage("canary", 50, 3600)}));
    ASSERT_TRUE(world.plan());
    announce_all(sensors, release);
    for (Sensor& sensor : sensors) sensor.settle();
    live(world, sensors, 2);
    for (Sensor& sensor : sensors) {
      if (!everywhere && sensor.arm != plan::Verdict::kGo) continue;
      ASSERT_EQ(sensor.report({{plan::EventKind::kPressure, sensor.running, 10'000, "some task waited for memory 34 % of the last minute"}}).status, 200);
    }
    live(world, sensors, 40);
    if (!everywhere) {
      ASSERT_TRUE(world.wait_state(rollout, "halted")) << world.status(rollout).text << world.log;
      EXPECT_GE(stage_of(world.status(rollout), 0).find("e")->real(), stage_of(world.status(rollout), 0).find("e_halt")->real());
      continue;
    }
    const int64_t ticks = world.ticks();
    ASSERT_TRUE(world.wait([&] { return world.ticks() >= ticks + 3; }));  // judged with all of it
    EXPECT_EQ(world.status(rollout).string("state"), "rolling") << world.status(rollout).text;
    EXPECT_LT(stage_of(world.status(rollout), 0).find("e")->real(), 10);
  }
}

TEST(Rollout, TripwireOnAnInternalHostHaltsAtOnce) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "internal", 2);
  const Digest release = world.push("trip-1");
  const std::string rollout = world.begin("trip-1", Json::array({World::stage("internal", 100, 60)}));
  ASSERT_TRUE(world.plan());
  announce_all(sensors, release);
  for (Sensor& sensor : sensors) {
    if (sensor.arm == plan::Verdict::kGo) sensor.crash();
  }
  EXPECT_TRUE(world.wait_state(rollout, "halted")) << world.status(rollout).text;
  EXPECT_NE(world.status(rollout).string("reason").find("tripwire"), std::string::npos);
}

// Puts a release out to a ring in which nobody is, to the end.
Digest complete_base(World& world, std::vector<plan::Evidence::Source> rules, bool to_the_end = true) {
  const Digest base = world.push("base-1", {}, std::move(rules));
  const std::string rollout = world.begin("base-1", Json::array({World::stage("late", 100, 0.1)}));
  EXPECT_EQ(world.operate("POST", "/api/v1/rollouts/" + rollout + (to_the_end ? "/approve" : "/halt")).status, 200);
  world.clock.advance(std::chrono::seconds(10));
  EXPECT_TRUE(world.wait_state(rollout, to_the_end ? "complete" : "halted")) << world.status(rollout).text;
  return base;
}

// One internal host is treated and its rule `flooded` goes over its budget. What was there before decides whether that is the new content's doing.
struct Flood {
  const char* what;
  bool halts;
  plan::Evidence::Source base{"flooded", "F", "low", Digest{{1}}, Digest{{2}}}, candidate = base;
  const char* before_on = "internal";  // the ring of the host that had it under the base, "": none had
  const char* tenant = "demo";         // of that host
  std::chrono::hours ago{1};
  const char* rule = "flooded";        // as the treated host names it
  const char* then = "";               // and another one that goes over its budget there
  const char* already = "";            // or that did before the treated host had taken the new content
  bool passed = true;                  // the base's rollout is complete
  plan::EventKind kind = plan::EventKind::kHitsOverBudget;  // what the treated host says of it
};

TEST(Rollout, AFloodOfARuleThatWasFloodedUnderTheContentBeforeDoesNotHalt) {
  const plan::Evidence::Source other_text{"flooded", "F", "low", Digest{{9}}, Digest{{2}}}, other_filter{"flooded", "F", "low", Digest{{1}}, Digest{{9}}}, old_evidence{"flooded", "F", "low", Digest{{1}}};
  std::vector<Flood> cases = {{"on another internal host", false}, {"nowhere", true}, {"the text is another", true}, {"a filter is another", true}, {"evidence of an older version", true}, {"a host of the same tenant in another ring", false},
                              {"a host of another tenant", true}, {"two days ago", true}, {"the sensor does not name the rule", true}, {"and a rule that is new", true}, {"and one that nobody had, before it had the new content", false},
                              {"under content that was itself halted", true}, {"by its steps, where only hits were too many before", true}};
  cases[1].before_on = "";
  cases[2].candidate = other_text;
  cases[3].candidate = other_filter;
  cases[4].base = cases[4].candidate = old_evidence;
  cases[5].before_on = "canary";
  cases[6].before_on = "canary", cases[6].tenant = "acme";
  cases[7].ago = std::chrono::hours(48);
  cases[8].rule = "";
  cases[9].then = "new";
  cases[10].already = "new";
  cases[11].passed = false;
  cases[12].kind = plan::EventKind::kCpuOverBudget;
  for (const Flood& flood : cases) {
    SCOPED_TRACE(flood.what);
    World world;
    ASSERT_TRUE(world.start());
    std::vector<Sensor> sensors = enrol(world, "internal", 2);
    std::vector<Sensor> before = *flood.before_on == 0 ? std::vector<Sensor>() : enrol(world, flood.before_on, 1, flood.tenant);
    const Digest base = complete_base(world, {flood.base}, flood.passed);
    for (Sensor& host : before) ASSERT_EQ(host.report({{plan::EventKind::kHitsOverBudget, base, 10'000, "", "flooded"}}).status, 200);
    world.clock.advance(flood.ago);
    for (Sensor& sensor : sensors) ASSERT_EQ(sensor.report().status, 200);
    const Digest release = world.push("next-1", {}, {flood.candidate, {"new", "N", "low", Digest{{5}}, Digest{{6}}}});
    const std::string rollout = world.begin("next-1", Json::array({World::stage("internal", 100, 3600)}));
    ASSERT_TRUE(world.plan());
    ASSERT_GE(announce_all(sensors, release), 1u);
    Sensor& treated = *std::ranges::find(sensors, plan::Verdict::kGo, [](const Sensor& s) { return *s.arm; });
    if (*flood.already != 0) {
      ASSERT_EQ(treated.report({{plan::EventKind::kHitsOverBudget, base, 10'000, "", flood.already}}).status, 200);
    }
    for (Sensor& sensor : sensors) sensor.settle();
    ASSERT_EQ(treated.report({{flood.kind, release, 10'000, "", flood.rule}}).status, 200);
    if (*flood.then != 0) {
      ASSERT_EQ(treated.report({{plan::EventKind::kHitsOverBudget, release, 10'000, "", flood.then}}).status, 200);
    }
    live(world, sensors, 40);
    if (flood.halts) {
      ASSERT_TRUE(world.wait_state(rollout, "halted")) << world.status(rollout).text << world.log;
      EXPECT_NE(world.status(rollout).string("reason").find("over_budget"), std::string::npos);
      continue;
    }
    const int64_t ticks = world.ticks();
    ASSERT_TRUE(world.wait([&] { return world.ticks() >= ticks + 3; }));
    const Answer status = world.status(rollout);
    EXPECT_EQ(status.string("state"), "rolling") << status.text;
    EXPECT_NE(status.text.find(R"({"sensor_id":")" + treated.id + R"(","rule_id":"flooded"})"), std::string::npos) << status.text;
    EXPECT_NE(status.text.find("rule `flooded` is over its budget on the treated host"), std::string::npos) << status.text;
    EXPECT_EQ(status.text.find(R"("rule_id":"new")"), std::string::npos) << "a name that no evidence has: " << status.text;
  }
}

// What a host said months ago does not take away the time that the other arm has to say the same.
TEST(Rollout, AnOldWordOfMemoryDoesNotShortenTheGrace) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "internal", 2);
  for (Sensor& sensor : sensors) ASSERT_EQ(sensor.report({{plan::EventKind::kMemoryOverBudget, std::nullopt, 10'000, "the sensor's processes hold 900 MiB"}}).status, 200);
  world.clock.advance(std::chrono::hours(24 * 60));
  for (Sensor& sensor : sensors) ASSERT_EQ(sensor.report().status, 200);
  const Digest release = world.push("next-1", {}, {});
  const std::string rollout = world.begin("next-1", Json::array({World::stage("internal", 100, 3600)}));
  ASSERT_TRUE(world.plan());
  ASSERT_EQ(announce_all(sensors, release), 1u);
  for (Sensor& sensor : sensors) sensor.settle();
  live(world, sensors, 60);
  const auto say = [&](plan::Verdict arm) {
    Sensor& sensor = *std::ranges::find(sensors, arm, [](const Sensor& s) { return *s.arm; });
    ASSERT_EQ(sensor.report({{plan::EventKind::kMemoryOverBudget, std::nullopt, 10'000, "the sensor's processes hold 900 MiB"}}).status, 200);
  };
  say(plan::Verdict::kGo);
  live(world, sensors, 10);
  say(plan::Verdict::kHold);
  live(world, sensors, 60);
  const int64_t ticks = world.ticks();
  ASSERT_TRUE(world.wait([&] { return world.ticks() >= ticks + 3; }));
  EXPECT_EQ(world.status(rollout).string("state"), "rolling") << world.status(rollout).text;
}

TEST(Rollout, AHostThatFillsTheMemoryOfFloodedRulesIsNotExcusedByIt) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "internal", 2);
  const plan::Evidence::Source rule{"flooded", "F", "low", Digest{{1}}, Digest{{2}}};
  const Digest base = complete_base(world, {rule});
  const Digest release = world.push("next-1", {}, {rule});
  for (Sensor& sensor : sensors) {
    std::vector<plan::SensorEvent> many;
    for (size_t i = 0; i < limits::kOverBudgetRememberedMax; ++i) many.push_back({plan::EventKind::kHitsOverBudget, base, 10'000, "", "r" + std::to_string(i)});
    many.back().rule_id = "flooded";
    ASSERT_EQ(sensor.report(std::move(many)).status, 200);
  }
  const std::string rollout = world.begin("next-1", Json::array({World::stage("internal", 100, 3600)}));
  ASSERT_TRUE(world.plan());
  ASSERT_EQ(announce_all(sensors, release), 1u);
  for (Sensor& sensor : sensors) sensor.settle();
  Sensor& treated = *std::ranges::find(sensors, plan::Verdict::kGo, [](const Sensor& s) { return *s.arm; });
  ASSERT_EQ(treated.report({{plan::EventKind::kHitsOverBudget, release, 10'000, "", "flooded"}}).status, 200);
  live(world, sensors, 40);
  EXPECT_TRUE(world.wait_state(rollout, "halted")) << world.status(rollout).text;
}

TEST(Rollout, GoesOnAfterARestart) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 20);
  const Digest release = world.push("bad-1");
  const std::string rollout = world.begin("bad-1", Json::array({World::stage("canary", 50, 3600)}));
  ASSERT_TRUE(world.plan());
  announce_all(sensors, release);
  for (size_t i = 0; i < 10; ++i) sensors[i].settle();
  world.stop();
  world.clock.advance(std::chrono::minutes(10));  // the server was away; nobody is blamed for that
  const auto started = world.start();
  ASSERT_TRUE(started) << started.error().detail;
  live(world, sensors, 7);
  EXPECT_EQ(world.status(rollout).string("state"), "rolling");
  EXPECT_EQ(number(stage_of(world.status(rollout), 0), "exposed"), 10);
  for (Sensor& sensor : sensors) {
    if (sensor.arm == plan::Verdict::kGo) sensor.crash();
  }
  live(world, sensors, 7);
  EXPECT_TRUE(world.wait_state(rollout, "halted")) << world.status(rollout).text;
}

TEST(Rollout, PauseResumeHaltAndApproveAreTheOperators) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 4);
  const Digest release = world.push("r-1");
  const std::string rollout = world.begin("r-1", Json::array({World::stage("canary", 50, 3600)}));
  const std::string base = "/api/v1/rollouts/" + rollout;
  EXPECT_EQ(world.operate("POST", base + "/pause", Json::object({{"reason", "lunch"}})).string("state"), "paused");
  ASSERT_EQ(world.plan()->rollouts[0].state, plan::RolloutState::kPaused);
  EXPECT_EQ(sensors[0].announce(release).status, 202);
  EXPECT_EQ(world.operate("POST", base + "/resume").string("state"), "rolling");
  EXPECT_EQ(sensors[0].announce(release).status, 200);
  EXPECT_EQ(world.operate("POST", base + "/approve", Json::object({{"reason", "fine"}})).status, 200);
  EXPECT_EQ(world.operate("POST", base + "/halt", Json::object({{"reason", "enough"}})).string("state"), "halted");
  EXPECT_EQ(world.plan()->rollouts[0].state, plan::RolloutState::kHalted);
  EXPECT_EQ(world.operate("POST", base + "/pause").status, 409);
  EXPECT_EQ(world.operate("POST", base + "/dance").status, 404);
  EXPECT_EQ(world.operate("POST", "/api/v1/rollouts/none/halt").status, 404);
  // Newer content metadata, signed by people, lifts it.
  world.push("r-2");
  EXPECT_EQ(world.operate("POST", base + "/resume").string("state"), "rolling") << world.log;
  EXPECT_EQ(world.status(rollout).integer("resumes"), 1);
}

TEST(Rollout, WaitsForTheFloor) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 20);
  const WallTime later = std::chrono::floor<std::chrono::seconds>(world.clock.wall()) + std::chrono::hours(1);
  const Digest release = world.push("floor-1", {{plan::Ring::kCanary, 0, later}});
  const std::string rollout = world.begin("floor-1", Json::array({World::stage("canary", 50, 3600)}));
  ASSERT_TRUE(world.plan());
  EXPECT_EQ(sensors[0].announce(release).status, 202);
  EXPECT_NE(world.status(rollout).string("reason").find("floor"), std::string::npos);
  world.clock.set(later);
  EXPECT_TRUE(world.wait([&] { return stage_of(world.status(rollout), 0).find("opened")->boolean(); })) << world.log;
  EXPECT_EQ(announce_all(sensors, release), 10u);
}

TEST(Rollout, HoldsWhoCameBackFromItOnce) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 20);
  const Digest release = world.push("r-1");
  world.begin("r-1", Json::array({World::stage("canary", 50, 3600)}));
  ASSERT_TRUE(world.plan());
  announce_all(sensors, release);
  const auto hurt = std::ranges::find(sensors, plan::Verdict::kGo, &Sensor::arm);
  hurt->crash();
  EXPECT_EQ(hurt->announce(release).status, 200);
  EXPECT_EQ(hurt->arm, plan::Verdict::kHold);
  EXPECT_NE(hurt->reason.find("this sensor refused it at 2026-"), std::string::npos) << hurt->reason;
  EXPECT_NE(hurt->reason.find("worker_crash: signal 11"), std::string::npos) << hurt->reason;
}

}  // namespace creance::server::testing
