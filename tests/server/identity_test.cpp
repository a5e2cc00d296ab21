// Who speaks: copies of one identity are found, each enrols again, and what a host refused stays away from it whatever becomes of its disk.
#include <fmt/format.h>

#include "harness.hpp"

namespace creance::server::testing {
namespace {

bool wants(const Answer& answer, std::string_view problem) { return answer.status == 409 && answer.string("type") == problem; }
bool enrol_again(const Answer& answer) { return wants(answer, plan::kProblemEnrolAgain); }

Json shown(World& world, const std::string& id) {
  const Answer list = world.operate("GET", "/api/v1/sensors");
  for (const Json& sensor : list.body.find("sensors")->elements())
    if (sensor.find("sensor_id")->string() == id) return sensor;
  return Json::object({});
}
size_t events(const Json& sensor, std::string_view kind) {
  size_t n = 0;
  for (const Json& event : sensor.find("events")->elements()) n += event.find("kind")->string() == kind;
  return n;
}

}  // namespace

TEST(Identity, TwoStartsThatAreAliveAtOnceAreTwoSensorsAndBothEnrolAgain) {
  World world;
  ASSERT_TRUE(world.start());
  Sensor one = enrol(world, "canary", 1)[0];
  Sensor other = one;  // the disk was copied
  const std::string id = one.id;
  other.new_epoch(world);
  other.sequence = 0;
  ASSERT_EQ(other.report().status, 200) << "it may be the same sensor, started again";
  const Answer first = one.report();
  EXPECT_TRUE(wants(first, "about:blank")) << "it may be an echo of the former start: " << first.text;
  world.clock.advance(std::chrono::seconds(1));
  EXPECT_TRUE(enrol_again(one.report()));
  EXPECT_TRUE(enrol_again(other.report())) << "the identity is given up, for both";
  EXPECT_TRUE(enrol_again(other.send("/api/v1/announce", to_json([&] {
    plan::Announce message;
    message.sensor_id = id, message.boot_epoch = other.boot_epoch;
    return message.to_json();
  }()))));
  ASSERT_EQ(one.enrol_again().status, 201);
  ASSERT_EQ(other.enrol_again().status, 201);
  EXPECT_NE(one.id, id);
  EXPECT_NE(other.id, id);
  EXPECT_NE(one.id, other.id);
  EXPECT_TRUE(one.tenant_key().has_value());
  EXPECT_EQ(one.report().status, 200);
  EXPECT_EQ(other.report().status, 200);
  const Json old = shown(world, id);
  EXPECT_EQ(old.find("clones")->integer(), 1);
  EXPECT_EQ(old.find("retired")->string(), "two sensors used it");
  EXPECT_EQ(events(old, "cloned"), 1u);
  EXPECT_EQ(events(old, "enrolled_again"), 2u);
  const Json next = shown(world, other.id);
  EXPECT_EQ(next.find("from_sensor")->string(), id);
  EXPECT_EQ(next.find("ring")->string(), "canary") << "tenant and tags are the old one's";
  EXPECT_EQ(next.find("retired")->string(), "");
}

TEST(Identity, AnEchoOfAFormerStartIsNoClone) {
  World world;
  ASSERT_TRUE(world.start());
  Sensor sensor = enrol(world, "canary", 1)[0];
  for (int restart = 0; restart < 12; ++restart) {
    const std::string echo = to_json(sensor.next_report().to_json());  // on its way while its process is killed
    sensor.new_epoch(world);
    ASSERT_EQ(sensor.report().status, 200) << restart;
    EXPECT_EQ(sensor.send("/api/v1/report", echo).status, 409);
    EXPECT_EQ(sensor.send("/api/v1/report", echo).status, 409) << "twice, even";
    ASSERT_EQ(sensor.report().status, 200) << restart;
    world.clock.advance(std::chrono::seconds(5));
  }
  EXPECT_EQ(shown(world, sensor.id).find("clones")->integer(), 0);
}

// Whoever listened on the way has every report that was ever said, and no key.
TEST(Identity, WhatWasSaidOnceAndIsSaidAgainChangesNothing) {
  World world;
  ASSERT_TRUE(world.start());
  Sensor sensor = enrol(world, "canary", 1)[0];
  std::vector<std::string> captured;
  const auto say = [&](std::string_view machine = {}) {
    plan::Report report = sensor.next_report();
    if (!machine.empty()) report.machine_id = machine;
    captured.push_back(to_json(report.to_json()));
    Answer answer = sensor.send("/api/v1/report", captured.back());
    if (answer.string("type") != plan::kProblemNonce) return answer;
    report.nonce = answer.string("nonce");
    captured.push_back(to_json(report.to_json()));
    return sensor.send("/api/v1/report", captured.back());
  };
  for (int start = 0; start < 12; ++start) {  // more than epochs are remembered
    for (int i = 0; i < 6; ++i) ASSERT_EQ(say().status, 200) << start;
    sensor.new_epoch(world);
    sensor.sequence = 0;
    ASSERT_EQ(say().status, 200) << start << ": a restart is taken after one question";
  }
  EXPECT_EQ(say(std::string(32, 'c')).string("type"), plan::kProblemEnrolAgain);
  EXPECT_EQ(say(std::string(32, 'd')).string("type"), plan::kProblemEnrolAgain);
  for (int i = 0; i < 6; ++i) ASSERT_EQ(say().status, 200);
  const std::string before = to_json(shown(world, sensor.id));
  for (const int minutes : {0, 1, 60}) {
    world.clock.advance(std::chrono::minutes(minutes));
    for (int round = 0; round < 2; ++round) {
      for (size_t i = 0; i < captured.size(); ++i) {
        const Answer answer = sensor.send("/api/v1/report", captured[i]);
        const bool last = i + 1 == captured.size();
        ASSERT_EQ(answer.status, last ? 200 : 409) << i << answer.text;
        ASSERT_NE(answer.string("type"), plan::kProblemEnrolAgain) << i << answer.text;
        ASSERT_NE(answer.string("type"), plan::kProblemNewEpoch) << i << answer.text;
      }
    }
    EXPECT_EQ(to_json(shown(world, sensor.id)), before);
  }
  EXPECT_EQ(say().status, 200) << "and the sensor goes on";
}

TEST(Identity, ANonceIsGoodForWhomItWasAskedAndForAWhile) {
  World world;
  ASSERT_TRUE(world.start());
  Sensor sensor = enrol(world, "canary", 1)[0];
  const auto asked = [&](const plan::Report& report) { return sensor.send("/api/v1/report", to_json(report.to_json())); };
  sensor.new_epoch(world);
  plan::Report first = sensor.next_report();
  const std::string nonce = asked(first).string("nonce");
  ASSERT_TRUE(plan::is_id(nonce));
  sensor.new_epoch(world);
  plan::Report other = sensor.next_report();
  other.nonce = nonce;
  EXPECT_EQ(asked(other).string("type"), plan::kProblemNonce) << "asked of another start";
  first.nonce = nonce;
  world.clock.advance(std::chrono::minutes(2));
  const Answer late = asked(first);
  EXPECT_EQ(late.string("type"), plan::kProblemNonce) << "too late";
  first.nonce = late.string("nonce");
  world.stop();
  ASSERT_TRUE(world.start());
  const Answer forgotten = asked(first);
  ASSERT_EQ(forgotten.string("type"), plan::kProblemNonce) << "a server that was started again asks anew";
  first.nonce = forgotten.string("nonce");
  EXPECT_EQ(asked(first).status, 200);
  EXPECT_EQ(asked(first).status, 200) << "our answer was lost";
  first.nonce = "short";
  EXPECT_EQ(asked(first).status, 400);
  EXPECT_NE(world.call("GET", "/metrics").text.find("creance_reports_challenged_total"), std::string::npos);
}

TEST(Identity, AHundredCopiesOfOneImageAreFoundAlsoWhereTheirEpochsAreForgotten) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> copies(24, enrol(world, "canary", 1)[0]);
  for (Sensor& copy : copies) copy.new_epoch(world);
  bool found = false;
  for (int second = 0; second < 100 && !found; second += 10) {  // each reports now and then, in turn
    world.clock.advance(std::chrono::seconds(10));
    for (Sensor& copy : copies) {
      plan::Report report = copy.next_report();
      report.uptime_ms = (second + 10) * 1'000;
      found = found || enrol_again(copy.report(report));
    }
  }
  ASSERT_TRUE(found);
  std::set<std::string> ids;
  for (Sensor& copy : copies) {
    ASSERT_EQ(copy.enrol_again().status, 201);
    ids.insert(copy.id);
  }
  EXPECT_EQ(ids.size(), copies.size());
}

TEST(Identity, AnOfflineStartThatComesBackIsNoClone) {
  World world;
  ASSERT_TRUE(world.start());
  Sensor sensor = enrol(world, "canary", 1)[0];
  world.clock.advance(std::chrono::hours(3));  // started anew two hours ago, and the server could not be reached until now
  sensor.new_epoch(world);
  plan::Report report = sensor.next_report();
  report.uptime_ms = 2 * 3600 * 1'000;
  EXPECT_EQ(sensor.report(report).status, 200);
}

TEST(Identity, OnAnotherMachineTheCopyEnrolsAgainAndTheOriginalGoesOn) {
  World world;
  ASSERT_TRUE(world.start());
  Sensor original = enrol(world, "canary", 1)[0];
  Sensor copy = original;
  copy.machine_id = std::string(32, 'c');
  copy.new_epoch(world);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(enrol_again(copy.report()));
  EXPECT_EQ(original.report().status, 200);
  EXPECT_EQ(original.enrol_again().status, 403) << "it has no cause to";
  ASSERT_EQ(copy.enrol_again().status, 201);
  EXPECT_EQ(copy.report().status, 200);
  EXPECT_EQ(original.report().status, 200);
  const Json seen = shown(world, original.id);
  EXPECT_EQ(seen.find("clones")->integer(), 1);
  EXPECT_EQ(events(seen, "other_machine"), 1u) << "told once";
  EXPECT_EQ(seen.find("retired")->string(), "");
}

TEST(Identity, ADiskThatMovedToAnotherMachineLeavesNoSilentHostBehind) {
  World world;
  ASSERT_TRUE(world.start());
  Sensor sensor = enrol(world, "canary", 1)[0];
  const std::string id = sensor.id;
  world.clock.advance(std::chrono::minutes(5));
  sensor.machine_id = std::string(32, 'd');
  EXPECT_TRUE(enrol_again(sensor.report()));
  ASSERT_EQ(sensor.enrol_again().status, 201);
  EXPECT_EQ(shown(world, id).find("retired")->string(), "it moved to another machine");
}

TEST(Identity, RestoredWithItsMemoryItGoesOnInANewEpoch) {
  World world;
  ASSERT_TRUE(world.start());
  Sensor sensor = enrol(world, "canary", 1)[0];
  const Sensor snapshot = sensor;
  for (int i = 0; i < 50; ++i) ASSERT_EQ(sensor.report().status, 200);
  sensor = snapshot;
  const Answer back = sensor.report({{plan::EventKind::kFault, std::nullopt, 1, "other bytes than the first time"}});
  EXPECT_TRUE(wants(back, plan::kProblemNewEpoch)) << back.text;
  sensor.new_epoch(world);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(sensor.report().status, 200);
  EXPECT_EQ(shown(world, sensor.id).find("clones")->integer(), 0);
  EXPECT_EQ(events(shown(world, sensor.id), "went_back"), 1u);
}

TEST(Identity, CopiedWithItsMemoryBothAreFound) {
  World world;
  ASSERT_TRUE(world.start());
  Sensor one = enrol(world, "canary", 1)[0];
  Sensor other = one;
  ASSERT_EQ(one.report().status, 200);
  plan::Report forked = other.next_report();  // the same number, and other words
  forked.counters.events = 5;
  ASSERT_TRUE(wants(other.report(forked), plan::kProblemNewEpoch));
  other.new_epoch(world);
  ASSERT_EQ(other.report().status, 200);
  EXPECT_EQ(one.report().status, 409);
  EXPECT_TRUE(enrol_again(one.report()));
  EXPECT_TRUE(enrol_again(other.report()));
}

TEST(Identity, ThePermissionIsForEachStartOnceAndAnsweredAgain) {
  World world;
  ASSERT_TRUE(world.start());
  Sensor sensor = enrol(world, "canary", 1)[0];
  EXPECT_EQ(sensor.enrol_again().status, 403) << "nobody else uses it";
  sensor.machine_id = std::string(32, 'e');
  Sensor again = sensor;
  const auto key = std::make_shared<trust::KeyPair>(std::move(*trust::KeyPair::generate_ed25519()));
  ASSERT_EQ(sensor.enrol_again(key).status, 201);
  Sensor lost = again;  // the answer did not arrive: asked again, it is the same
  ASSERT_EQ(lost.enrol_again(key).status, 201);
  EXPECT_EQ(lost.id, sensor.id);
  EXPECT_TRUE(lost.tenant_key().has_value());
  Sensor greedy = again;
  EXPECT_EQ(greedy.enrol_again().status, 403) << "a second identity for the same start";
  plan::EnrolAgain message;
  message.sensor_id = std::string(32, 'a'), message.boot_epoch = again.boot_epoch;
  message.request.public_key = key->public_key().ed25519_hex(), message.request.machine_id = again.machine_id, message.request.platform = "linux", message.request.manifest.build = "x";
  EXPECT_EQ(again.send("/api/v1/enrol-again", to_json(message.to_json())).status, 403) << "in another one's name";
  EXPECT_EQ(world.call("POST", "/api/v1/enrol-again", to_json(message.to_json())).status, 401) << "unsigned";
  for (const char* body : {"", "{}", "[]", "{\"sensor_id\":1}"}) EXPECT_EQ(again.send("/api/v1/enrol-again", body).status, 400) << body;
  EXPECT_EQ(world.call("GET", "/api/v1/enrol-again").status, 405);
}

// One host with one token may not become a crowd.
TEST(Identity, SuccessorsAreBoundedAlongTheirWholeDescent) {
  World world;
  ASSERT_TRUE(world.start());
  const Sensor root = enrol(world, "canary", 1)[0];
  const auto moved = [&](Sensor sensor, int to) {
    sensor.machine_id = fmt::format("{:032x}", to);
    return sensor;
  };
  Sensor child = moved(root, 1);
  ASSERT_EQ(child.enrol_again().status, 201);
  Sensor unheard = moved(child, 2);
  EXPECT_EQ(unheard.enrol_again().status, 403) << "never heard: no chain";
  EXPECT_EQ(unheard.enrol_again().status, 403);
  EXPECT_EQ(events(shown(world, child.id), "enrol_again_refused"), 1u) << "the fleet shows it, once";
  ASSERT_EQ(child.report().status, 200);
  Sensor grandchild = moved(child, 3);
  ASSERT_EQ(grandchild.enrol_again().status, 201);
  Sensor hasty = moved(child, 4);
  EXPECT_EQ(hasty.enrol_again().status, 403) << "one an hour";
  world.clock.advance(std::chrono::hours(1));
  ASSERT_EQ(child.report().status, 200);
  ASSERT_EQ(hasty.enrol_again().status, 201);
  int more = 0;
  for (int i = 5; i < 60; ++i) more += moved(root, i).enrol_again().status == 201;
  EXPECT_EQ(more, 32 - 3) << "all that came of the root are counted";
  EXPECT_EQ(events(shown(world, root.id), "enrol_again_refused"), 1u);
  ASSERT_EQ(grandchild.report().status, 200);
  EXPECT_EQ(moved(grandchild, 70).enrol_again().status, 403) << "on every branch";
}

// Identities that nobody uses any more deny nobody one.
TEST(Identity, SuccessorsThatWereNotHeardForADayAreNotCounted) {
  World world;
  ASSERT_TRUE(world.start());
  const Sensor root = enrol(world, "canary", 1)[0];
  int machine = 0;
  const auto another = [&] {
    Sensor sensor = root;
    sensor.machine_id = fmt::format("{:032x}", ++machine);
    return std::pair(sensor.enrol_again().status, sensor);
  };
  std::vector<Sensor> made;
  for (int i = 0; i < 32; ++i) {
    auto [status, sensor] = another();
    ASSERT_EQ(status, 201) << i;
    made.push_back(std::move(sensor));
  }
  EXPECT_EQ(another().first, 403);
  world.clock.advance(std::chrono::hours(23));
  EXPECT_EQ(another().first, 403);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(made[static_cast<size_t>(i)].report().status, 200);
  world.clock.advance(std::chrono::hours(2));
  int more = 0;
  for (int i = 0; i < 40; ++i) more += another().first == 201;
  EXPECT_EQ(more, 30) << "two of them live";
}

TEST(Identity, AGivenUpIdentityLeavesItsRolloutAndIsNotCalledSilent) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 20);
  const Digest release = world.push("r-1");
  world.clock.advance(std::chrono::minutes(2));
  for (Sensor& sensor : sensors) ASSERT_EQ(sensor.report().status, 200);
  const std::string rollout = world.begin("r-1", Json::array({World::stage("canary", 50, 3600)}));
  ASSERT_TRUE(world.plan());
  for (Sensor& sensor : sensors) {
    ASSERT_EQ(sensor.announce(release).status, 200);
    sensor.settle();
  }
  const auto treated = std::ranges::find(sensors, plan::Verdict::kGo, &Sensor::arm);
  Sensor copy = *treated;
  copy.new_epoch(world);
  ASSERT_EQ(copy.report().status, 200);
  EXPECT_EQ(treated->report().status, 409);
  ASSERT_TRUE(enrol_again(treated->report()));
  ASSERT_EQ(treated->enrol_again().status, 201);
  ASSERT_EQ(copy.enrol_again().status, 201);
  for (int s = 0; s < 20; ++s) {
    world.clock.advance(std::chrono::seconds(1));
    for (Sensor& sensor : sensors) ASSERT_EQ(sensor.report().status, 200);
  }
  const int64_t ticks = world.ticks();
  ASSERT_TRUE(world.wait([&] { return world.ticks() >= ticks + 3; }));
  EXPECT_EQ(world.status(rollout).body.find("stages")->elements()[0].find("silent")->integer(), 0) << world.status(rollout).text;
  EXPECT_EQ(world.status(rollout).string("state"), "rolling");
  EXPECT_EQ(copy.announce(release).status, 202) << "an id that is younger than the rollout is in neither arm";
}

TEST(Identity, NobodyIsGrantedAnythingBeforeItsReportShowedWhoItIs) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 4);
  const Digest release = world.push("r-1");
  world.begin("r-1", Json::array({World::stage("canary", 50, 3600)}));
  ASSERT_TRUE(world.plan());
  Sensor copy = sensors[0];
  copy.new_epoch(world);
  copy.machine_id = std::string(32, 'f');
  EXPECT_EQ(copy.announce(release).status, 202);
  EXPECT_TRUE(enrol_again(copy.report()));
  EXPECT_EQ(copy.announce(release).status, 202);
  EXPECT_EQ(sensors[0].announce(release).status, 200);
}

TEST(Identity, WhatAHostRefusedStaysAwayFromItWhateverBecomesOfItsDisk) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 20);
  const Digest release = world.push("bad-1");
  const std::string rollout = world.begin("bad-1", Json::array({World::stage("canary", 50, 3600)}));
  ASSERT_TRUE(world.plan());
  for (Sensor& sensor : sensors) ASSERT_EQ(sensor.announce(release).status, 200);
  Sensor& hurt = *std::ranges::find(sensors, plan::Verdict::kGo, &Sensor::arm);
  const Sensor snapshot = hurt;
  hurt.crash();
  EXPECT_EQ(shown(world, hurt.id).find("refused")->elements().size(), 1u);
  // The machine is restored to before its return, without its memory: a new start that knows nothing.
  const auto restore = [&] {
    hurt = snapshot;
    hurt.new_epoch(world);
    ASSERT_EQ(hurt.report().status, 200);
    ASSERT_EQ(hurt.announce(release).status, 200);
  };
  restore();
  EXPECT_EQ(hurt.arm, plan::Verdict::kHold);
  EXPECT_NE(hurt.reason.find("worker_crash: signal 11"), std::string::npos) << hurt.reason;
  // Also when the rollout was resumed, and when the server was started again.
  world.operate("POST", "/api/v1/rollouts/" + rollout + "/halt");
  world.push("other");
  ASSERT_EQ(world.operate("POST", "/api/v1/rollouts/" + rollout + "/resume").string("state"), "rolling");
  restore();
  EXPECT_EQ(hurt.arm, plan::Verdict::kHold);
  world.stop();
  ASSERT_TRUE(world.start());
  restore();
  EXPECT_EQ(hurt.arm, plan::Verdict::kHold);
  // A retry that the content signers sign lifts it, if it is newer than the refusal.
  plan::DenyList list;
  list.version = 1;
  list.retry = {release};
  world.push_deny(list);
  restore();
  EXPECT_EQ(hurt.arm, plan::Verdict::kGo);
  hurt.crash();  // again, under this list
  restore();
  EXPECT_EQ(hurt.arm, plan::Verdict::kHold);
  ASSERT_EQ(hurt.report({{plan::EventKind::kRefusalLifted, release, 1, "the host's owner"}}).status, 200);
  ASSERT_EQ(hurt.announce(release).status, 200);
  EXPECT_EQ(hurt.arm, plan::Verdict::kGo) << "its owner lifted it";
  EXPECT_TRUE(shown(world, hurt.id).find("refused")->elements().empty());
}

TEST(Identity, RefusalsAreInheritedByWhoEnrolsAgainAndBounded) {
  World world;
  ASSERT_TRUE(world.start());
  Sensor sensor = enrol(world, "canary", 1)[0];
  std::vector<plan::SensorEvent> many;
  for (int i = 0; i < 300; ++i) many.push_back({plan::EventKind::kContentRefused, sha256(as_bytes(std::to_string(i))), 1, "x"});
  ASSERT_EQ(sensor.report(many).status, 200);
  EXPECT_EQ(shown(world, sensor.id).find("refused")->elements().size(), 256u);
  sensor.machine_id = std::string(32, 'b');
  ASSERT_TRUE(enrol_again(sensor.report()));
  ASSERT_EQ(sensor.enrol_again().status, 201);
  EXPECT_EQ(shown(world, sensor.id).find("refused")->elements().size(), 256u);
}

}  // namespace creance::server::testing
