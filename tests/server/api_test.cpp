// The protocol's edges: what is refused, and how.
#include "harness.hpp"

#include <fmt/format.h>

#include "server/store/sqlite_store.hpp"

namespace creance::server::testing {
namespace {

bool is_problem(const Answer& answer, int status) {
  return answer.status == status && answer.body.find("title") != nullptr && answer.integer("status") == status && !answer.string("detail").empty();
}

std::string detection(const char* title) {
  plan::Detection d;
  d.time = "2026-11-23T10:00:00Z", d.rule_id = "7a3f0c1e-0000-4000-8000-000000000001", d.rule_title = title, d.level = "high", d.type = "windows.pipe_created", d.host = "h";
  d.inputs = {{"PipeName", "\\msagent_1"}}, d.matched = {"PipeName"};
  return to_json(d.to_json());
}

}  // namespace

TEST(Api, EnrolmentTokenWorksOnce) {
  World world;
  ASSERT_TRUE(world.start());
  const auto tokens = world.tokens("canary", 1);
  Sensor first(world, tokens[0], "a");
  EXPECT_EQ(first.enrolled.status, 201);
  EXPECT_TRUE(plan::is_id(first.id));
  EXPECT_EQ(first.enrolled.string("tenant"), "demo");
  Sensor second(world, tokens[0], "b");
  EXPECT_TRUE(is_problem(second.enrolled, 403)) << second.enrolled.text;
  const Answer list = world.operate("GET", "/api/v1/sensors?ring=canary");
  ASSERT_EQ(list.body.find("sensors")->elements().size(), 1u);
  EXPECT_EQ(list.body.find("sensors")->elements()[0].find("hostname")->string(), "a");
  EXPECT_TRUE(world.operate("GET", "/api/v1/sensors?ring=late").body.find("sensors")->elements().empty());
}

TEST(Api, ExpiredTokensDoNotWork) {
  World world;
  ASSERT_TRUE(world.start());
  const auto tokens = world.tokens("canary", 1);
  world.clock.advance(std::chrono::hours(2));
  EXPECT_TRUE(is_problem(Sensor(world, tokens[0], "a").enrolled, 403));
}

TEST(Api, RefusesMessagesThatTheSensorDidNotSign) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 2);
  const std::string body = to_json(sensors[0].next_report().to_json());
  EXPECT_TRUE(is_problem(world.call("POST", "/api/v1/report", body), 401));
  EXPECT_TRUE(is_problem(world.call("POST", "/api/v1/report", body, {{"Creance-Sensor", sensors[0].id}, {"Creance-Signature", std::string(128, '0')}}), 401));
  EXPECT_TRUE(is_problem(world.call("POST", "/api/v1/report", body, {{"Creance-Sensor", "nobody"}, {"Creance-Signature", "zz"}}), 401));
  EXPECT_TRUE(is_problem(sensors[1].send("/api/v1/report", body), 403));  // signed by another sensor than it speaks of
  EXPECT_EQ(sensors[0].send("/api/v1/report", body).status, 200);
}

TEST(Api, TakesReportsInOrderOnceAndNotesClones) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 1);
  Sensor& s = sensors[0];
  const std::string second = to_json(s.next_report().to_json());
  EXPECT_EQ(s.send("/api/v1/report", second).integer("accepted_sequence"), 2);
  EXPECT_EQ(s.send("/api/v1/report", second).integer("accepted_sequence"), 2);  // our answer was lost
  EXPECT_EQ(s.report().integer("accepted_sequence"), 3);
  EXPECT_TRUE(is_problem(s.send("/api/v1/report", second), 409));
  const std::string old_epoch = s.boot_epoch;
  s.boot_epoch = std::string(32, 'a');
  s.sequence = 0;
  EXPECT_EQ(s.report().status, 200);  // it started anew
  s.boot_epoch = old_epoch;
  EXPECT_TRUE(is_problem(s.report(), 409));  // an echo of its former self, maybe
  EXPECT_EQ(world.operate("GET", "/api/v1/sensors").body.find("sensors")->elements()[0].find("clones")->integer(), 0);
  EXPECT_TRUE(is_problem(s.report(), 409));  // and it goes on speaking: two use this identity (identity_test.cpp)
  EXPECT_EQ(world.operate("GET", "/api/v1/sensors").body.find("sensors")->elements()[0].find("clones")->integer(), 1);
}

TEST(Api, ShowsHowHostsFareAndWhoIsPausedUntilWhen) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 1);
  plan::Report report = sensors[0].next_report();
  report.vitals = {{"memory_some", 340}, {"oom_kills", 2}};
  report.pause = plan::LocalPause{std::chrono::hours(2), "maintenance \"on\" host"};
  const std::string until = format_time(world.clock.wall() + std::chrono::hours(2));
  ASSERT_EQ(sensors[0].send("/api/v1/report", to_json(report.to_json())).status, 200);
  const auto shown = [&] { return world.operate("GET", "/api/v1/sensors").body.find("sensors")->elements()[0]; };
  Json seen = shown();
  EXPECT_EQ(seen.find("vitals")->find("memory_some")->integer(), 340);
  EXPECT_EQ(seen.find("vitals")->find("oom_kills")->integer(), 2);
  EXPECT_EQ(seen.find("vitals")->find("io_full"), nullptr) << "what the host cannot say is not there";
  EXPECT_EQ(seen.find("paused")->find("until")->string(), until);
  EXPECT_EQ(seen.find("paused")->find("reason")->string(), "maintenance \"on\" host");
  ASSERT_EQ(sensors[0].report().status, 200);
  seen = shown();
  EXPECT_EQ(seen.find("paused")->kind(), Json::Kind::kNull) << "the pause is over";
  report = sensors[0].next_report();
  for (const std::pair<const char*, const char*>& bad : {std::pair("\"vitals\":{\"oom_kills\":-1}", "vitals"), std::pair("\"vitals\":[]", "vitals"), std::pair("\"vitals\":{\"x\":\"y\"}", "vitals"),
                                                        std::pair("\"pause\":{\"remaining_ms\":0}", "pause"), std::pair("\"pause\":{}", "pause"), std::pair("\"pause\":{\"remaining_ms\":99999999999999}", "pause")}) {
    std::string body = to_json(report.to_json());
    body.insert(1, std::string(bad.first) + ",");
    const Answer refused = sensors[0].send("/api/v1/report", body);
    EXPECT_TRUE(is_problem(refused, 400)) << bad.first;
    EXPECT_NE(refused.string("detail").find(bad.second), std::string::npos) << refused.text;
  }
}

TEST(Api, RefusesMalformedBodies) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 1);
  for (const std::string body : {"", "{", "[]", "{\"sensor_id\":1}", "\xff\xfe", "{\"a\":1,\"a\":2}"}) {
    EXPECT_TRUE(is_problem(world.call("POST", "/api/v1/enrol", body), 400)) << body;
    EXPECT_TRUE(is_problem(sensors[0].send("/api/v1/report", body), 400)) << body;
    EXPECT_TRUE(is_problem(sensors[0].send("/api/v1/announce", body), 400)) << body;
    EXPECT_TRUE(is_problem(world.call("POST", "/api/v1/rollouts", body, {{"Authorization", "Bearer " + world.token}}), 400)) << body;
  }
  EXPECT_TRUE(is_problem(sensors[0].send("/api/v1/report", std::string(100'000, '[')), 400) || is_problem(sensors[0].send("/api/v1/report", std::string(100'000, '[')), 413));
  EXPECT_TRUE(is_problem(sensors[0].send("/api/v1/report", std::string((1u << 20) + 1, ' ')), 413));
  EXPECT_EQ(sensors[0].report().status, 200);
}

TEST(Api, OperatorsNeedTheirToken) {
  World world;
  ASSERT_TRUE(world.start());
  for (const char* path : {"/api/v1/sensors", "/api/v1/rollouts", "/api/v1/roles", "/api/v1/detections", "/api/v1/nothing"}) {
    EXPECT_TRUE(is_problem(world.call("GET", path), 401)) << path;
    EXPECT_TRUE(is_problem(world.call("GET", path, "", {{"Authorization", "Bearer wrong"}}), 401)) << path;
  }
  EXPECT_TRUE(is_problem(world.operate("GET", "/api/v1/nothing"), 404));
  EXPECT_TRUE(is_problem(world.operate("GET", "/elsewhere"), 404));
  EXPECT_TRUE(is_problem(world.operate("DELETE", "/api/v1/sensors"), 405));
}

TEST(Api, ServesTheTreeAndNothingBesideIt) {
  World world;
  ASSERT_TRUE(world.start());
  EXPECT_EQ(world.call("GET", "/tuf/metadata/1.root.json").status, 200);
  EXPECT_EQ(world.call("GET", "/tuf/metadata/9.root.json").status, 404);
  for (const char* path : {"/tuf/../operator.token", "/tuf/%2e%2e/operator.token", "/tuf//etc/passwd", "/tuf/metadata", "/tuf/", "/tuf/metadata/../../operator.token"}) {
    const Answer answer = world.call("GET", path);
    EXPECT_NE(answer.status, 200) << path;
    EXPECT_EQ(answer.text.find(world.token), std::string::npos);
  }
  EXPECT_TRUE(is_problem(world.call("POST", "/tuf/metadata/timestamp.json", "x"), 405));
}

TEST(Api, StoresDetectionsAllOrNone) {
  World world;
  ASSERT_TRUE(world.start());
  std::vector<Sensor> sensors = enrol(world, "canary", 1);
  EXPECT_EQ(sensors[0].send("/api/v1/detections", detection("one") + "\n" + detection("two") + "\n").integer("stored"), 2);
  const Answer refused = sensors[0].send("/api/v1/detections", detection("three") + "\nnonsense\n");
  EXPECT_TRUE(is_problem(refused, 400)) << refused.text;
  EXPECT_NE(refused.string("detail").find("line 2"), std::string::npos) << refused.text;
  const auto list = [&](const std::string& query) { return world.operate("GET", "/api/v1/detections" + query).body.find("detections")->elements(); };
  ASSERT_EQ(list("").size(), 2u);
  EXPECT_EQ(list("")[0].find("rule_title")->string(), "two");
  EXPECT_EQ(list("?limit=1").size(), 1u);
  EXPECT_EQ(list("?after=" + std::to_string(list("")[1].find("id")->integer())).size(), 1u);
  EXPECT_EQ(list("?before=" + std::to_string(list("")[0].find("id")->integer()))[0].find("rule_title")->string(), "one");
  EXPECT_TRUE(is_problem(sensors[0].send("/api/v1/detections", "{\"a\":\"" + std::string(20'000, 'x') + "\"}"), 413));
}

TEST(Api, RefusesContentThatPeopleDidNotSign) {
  World world;
  ASSERT_TRUE(world.start());
  auto stranger = trust::KeyPair::generate_ed25519();
  const auto part = trust::next_targets(std::nullopt, {}, {}, world.clock.wall() + std::chrono::hours(24));
  trust::Signer* const signers[] = {&*stranger};
  const Answer refused = world.operate("PUT", "/api/v1/content", Json::object({{"metadata", to_base64(*trust::sign_document(*part, signers))}, {"targets", Json::array()}}));
  EXPECT_TRUE(is_problem(refused, 403)) << refused.text;
  EXPECT_EQ(world.operate("GET", "/api/v1/roles").integer("content_version"), 0);
  world.push("r-1");
  EXPECT_EQ(world.operate("GET", "/api/v1/roles").integer("content_version"), 1);
}

TEST(Api, RefusesRolloutsThatMakeNoSense) {
  World world;
  ASSERT_TRUE(world.start());
  world.push("r-1");
  const auto begin = [&](const char* release, Json stages) { return world.operate("POST", "/api/v1/rollouts", Json::object({{"release", release}, {"stages", std::move(stages)}})); };
  EXPECT_TRUE(is_problem(begin("r-2", Json::array({World::stage("canary", 50, 1)})), 404));
  EXPECT_TRUE(is_problem(begin("../r-1", Json::array({World::stage("canary", 50, 1)})), 400));
  EXPECT_TRUE(is_problem(begin("r-1", Json::array()), 400));
  EXPECT_TRUE(is_problem(begin("r-1", Json::array({World::stage("nowhere", 50, 1)})), 400));
  EXPECT_TRUE(is_problem(begin("r-1", Json::array({World::stage("canary", 500, 1)})), 400));
  EXPECT_TRUE(is_problem(begin("r-1", Json::array({World::stage("canary", 50, -1)})), 400));
  EXPECT_EQ(begin("r-1", Json::array({World::stage("canary", 50, 1)})).status, 201);
  EXPECT_TRUE(is_problem(begin("r-1", Json::array({World::stage("canary", 50, 1)})), 409));
}

TEST(Api, PoliciesDecideRings) {
  World world;
  ASSERT_TRUE(world.start());
  enrol(world, "canary", 1);
  Json policy = Json::object({{"_type", "policy"}, {"tenant", "demo"}, {"version", 1}, {"groups", Json::array()}, {"default", Json::object({{"ring", "late"}, {"paused", false}, {"delay_s", 0}})}});
  EXPECT_EQ(world.operate("PUT", "/api/v1/policies/demo", policy).integer("version"), 2);
  EXPECT_EQ(world.operate("GET", "/api/v1/sensors").body.find("sensors")->elements()[0].find("ring")->string(), "late");
  EXPECT_TRUE(is_problem(world.operate("PUT", "/api/v1/policies/other", policy), 400));
}

TEST(Api, PoliciesAreReadAndReplacedOnlyOverWhatTheirAuthorHasSeen) {
  World world;
  ASSERT_TRUE(world.start());
  const std::pair<std::string, std::string> operators{"Authorization", "Bearer " + world.token};
  const auto send = [&](const char* method, std::string body, std::vector<std::pair<std::string, std::string>> headers, const char* path = "/api/v1/policies/demo") {
    creance::HttpRequest request;
    request.method = method, request.url = world.url() + path, request.body = std::move(body), request.headers = std::move(headers);
    return *world.client.send(request);
  };
  const auto document = [](const char* ring) { return fmt::format(R"({{"_type":"policy","tenant":"demo","version":1,"groups":[],"default":{{"ring":"{}"}}}})", ring); };
  for (const char* path : {"/api/v1/policies", "/api/v1/policies/demo"}) EXPECT_EQ(send("GET", "", {}, path).status, 401) << path;
  EXPECT_EQ(send("GET", "", {operators}).status, 404);
  EXPECT_EQ(send("GET", "", {operators}, "/api/v1/policies/no%20name").status, 400);
  EXPECT_EQ(send("DELETE", "", {operators}).status, 405);
  EXPECT_EQ(send("GET", "", {operators}, "/api/v1/policies").body, R"({"policies":[]})");
  EXPECT_EQ(send("PUT", document("late"), {operators, {"If-Match", "*"}}).status, 412) << "there is none";
  EXPECT_EQ(send("PUT", document("late"), {operators, {"If-None-Match", "*"}}).status, 200);
  EXPECT_EQ(send("PUT", document("early"), {operators, {"If-None-Match", "*"}}).status, 412) << "now there is one";
  const HttpAnswer first = send("GET", "", {operators});
  ASSERT_EQ(first.status, 200);
  EXPECT_EQ(plan::Policy::parse(as_bytes(first.body))->fallback.ring, plan::Ring::kLate);
  EXPECT_TRUE(first.etag.starts_with("\"1-")) << first.etag;
  EXPECT_EQ(send("GET", "", {operators, {"If-None-Match", first.etag}}).status, 304);
  const HttpAnswer second = send("PUT", document("early"), {operators, {"If-Match", "\"x\", " + first.etag}});
  ASSERT_EQ(second.status, 200) << second.body;
  EXPECT_TRUE(second.etag.starts_with("\"2-")) << second.etag;
  const HttpAnswer late = send("PUT", document("canary"), {operators, {"If-Match", first.etag}});
  EXPECT_EQ(late.status, 412);
  EXPECT_NE(late.body.find("version 2"), std::string::npos) << late.body;
  EXPECT_EQ(send("PUT", document("canary"), {operators, {"If-Match", "W/" + second.etag}}).status, 412) << "weak tags are no match";
  EXPECT_EQ(send("GET", "", {operators}).etag, second.etag);
  EXPECT_EQ(send("PUT", document("canary"), {operators}).status, 200) << "without a condition as ever";
  world.stop();  // sealed and read back
  ASSERT_TRUE(world.start());
  const HttpAnswer again = send("GET", "", {operators});
  EXPECT_EQ(plan::Policy::parse(as_bytes(again.body))->fallback.ring, plan::Ring::kCanary);
  const HttpAnswer all = send("GET", "", {operators}, "/api/v1/policies");
  EXPECT_EQ(all.body, fmt::format(R"({{"policies":[{{"tenant":"demo","version":3,"groups":0,"etag":{}}}]}})", to_json(Json(again.etag))));
}

TEST(Api, APolicyThatCannotBeReadIsNotReplacedByAnOlderVersion) {
  World world;
  ASSERT_TRUE(world.start());
  const Json policy = *parse_json(as_bytes(R"({"_type":"policy","tenant":"demo","version":1,"groups":[],"default":{"ring":"late"}})"));
  for (int i = 0; i < 2; ++i) ASSERT_EQ(world.operate("PUT", "/api/v1/policies/demo", policy).status, 200);
  world.stop();
  {
    auto store = open_sqlite_store(world.folder.path / "server.db");
    ASSERT_TRUE((*store)->set("tenant_key/demo", to_hex(trust::SealKey::generate().raw())));  // another key: the policy is not opened by it
  }
  ASSERT_TRUE(world.start());
  EXPECT_TRUE(is_problem(world.operate("GET", "/api/v1/policies/demo"), 500));
  EXPECT_TRUE(is_problem(world.operate("PUT", "/api/v1/policies/demo", policy), 500)) << "hosts have version 2, and would take no other";
}

TEST(Api, MisspelledMembersOfAPolicyAreRefused) {
  World world;
  ASSERT_TRUE(world.start());
  const auto put = [&](const char* text) {
    const auto json = parse_json(as_bytes(text));
    return world.operate("PUT", "/api/v1/policies/demo", json.value());
  };
  const auto wrong = put(R"({"_type":"policy","tenant":"demo","version":1,"groups":[{"name":"a","tags":["x"],"ring":"late","windws":["daily 00:00-01:00 UTC"]}],"default":{"ring":"late"}})");
  EXPECT_TRUE(is_problem(wrong, 400));
  EXPECT_NE(to_json(wrong.body).find("groups[0]: `windws` is not known here; known are name, tags"), std::string::npos) << to_json(wrong.body);
  EXPECT_TRUE(is_problem(put(R"({"_type":"policy","tenant":"demo","version":1,"groups":[],"default":{"ring":"late","window":[]}})"), 400));
  EXPECT_TRUE(is_problem(put(R"({"_type":"policy","tenant":"demo","version":1,"groups":[],"windows":[],"default":{"ring":"late"}})"), 400));
  EXPECT_EQ(put(R"({"_type":"policy","tenant":"demo","version":1,"groups":[],"default":{"ring":"late"}})").status, 200);
}

TEST(Api, PoliciesSayWindowsThatHostsCanJudge) {
  World world;
  ASSERT_TRUE(world.start());
  const auto put = [&](Json windows) {
    const Json policy = Json::object({{"_type", "policy"}, {"tenant", "demo"}, {"version", 1}, {"groups", Json::array()}, {"default", Json::object({{"ring", "late"}, {"windows", std::move(windows)}})}});
    return world.operate("PUT", "/api/v1/policies/demo", policy);
  };
  EXPECT_EQ(put(Json::array({"Mon-Fri 22:00-04:00 UTC"})).status, 200);
  for (const char* wrong : {"Mon-Fri 22:00-04:00 Nowhere/Atlantis", "Mon-Fri 22:00-04:00 ../../etc/passwd", "Mon-Fri 25:00-04:00 UTC", "Mon 22:00-22:00 UTC"}) EXPECT_TRUE(is_problem(put(Json::array({wrong})), 400)) << wrong;
  EXPECT_TRUE(is_problem(put(Json::array()), 400));
  EXPECT_TRUE(is_problem(put(Json::array({"daily 22:00-04:00 UTC", "Sun 23:00-24:00 UTC"})), 400));
}

TEST(Api, RenewsWhatIsNearItsEnd) {
  World world;
  ASSERT_TRUE(world.start());
  for (int day = 0; day < 40; ++day) {  // past the life of timestamp, snapshot and rollout metadata
    world.clock.advance(std::chrono::hours(24));
    ASSERT_TRUE(world.wait([&] { return world.call("GET", "/readyz").status == 200; })) << world.log;
  }
  const auto plan = world.plan();  // a client takes all of it
  EXPECT_TRUE(plan) << plan.error().detail;
}

TEST(Api, TellsHowItIs) {
  World world;
  ASSERT_TRUE(world.start());
  EXPECT_EQ(world.call("GET", "/healthz").status, 200);
  EXPECT_EQ(world.call("GET", "/readyz").status, 200);
  enrol(world, "canary", 1);
  const std::string metrics = world.call("GET", "/metrics").text;
  EXPECT_NE(metrics.find("creance_reports_total 1\n"), std::string::npos) << metrics;
  EXPECT_NE(metrics.find("# TYPE creance_plan_sequence gauge"), std::string::npos);
}

}  // namespace creance::server::testing
