#include <gtest/gtest.h>

#include "plan/decide.hpp"
#include "plan/messages.hpp"

namespace creance::plan {
namespace {

WallTime at(std::string_view text) { return *parse_time(text); }
Digest digest(uint8_t n) {
  Digest d;
  d.bytes.fill(n);
  return d;
}
std::string id(char c) { return std::string(32, c); }
// The document with one member replaced by `value` (JSON text), then parsed: what the error says.
template <class Document>
std::string complaint(const Bytes& good, const std::vector<std::string>& path, std::string_view value) {
  Json json = *parse_json(good);
  const std::function<Json(const Json&, size_t)> replaced = [&](const Json& node, size_t depth) -> Json {
    if (depth == path.size()) return *parse_json(as_bytes(value), {.reals = true});
    Json copy = node;
    if (node.is_array()) {
      Json::Array list = node.elements();
      list.at(std::stoul(path[depth])) = replaced(list.at(std::stoul(path[depth])), depth + 1);
      return Json(list);
    }
    copy.set(path[depth], replaced(node.find(path[depth]) != nullptr ? *node.find(path[depth]) : Json(), depth + 1));
    return copy;
  };
  const auto parsed = Document::parse(as_bytes(to_json(replaced(json, 0))));
  return parsed ? "accepted" : parsed.error().detail;
}

Release sample_release() {
  Release r;
  r.name = "starter-1";
  r.created = at("2026-11-23T10:00:00Z");
  r.notes = "First \"rules\"\n";
  r.channels = {{"windows.pipe_created", digest(1), "content/starter-1/windows.pipe_created.channel", digest(2), 1234, 7, CasesRef{"content/starter-1/windows.pipe_created.cases.jsonl", digest(4), 99}}};
  r.evidence = digest(3);
  r.floor = {at("2026-12-23T10:00:00Z"), {{Ring::kCanary, 1'000'000, at("2026-11-23T11:00:00Z")}, {Ring::kGeneral, 0, at("2026-11-24T00:00:00Z")}}};
  r.category = "rapid";
  return r;
}

TEST(ReleaseDocument, RoundTripsAndIsTheSameBytesEachTime) {
  const Release r = sample_release();
  EXPECT_EQ(*Release::parse(r.to_bytes()), r);
  EXPECT_EQ(Release::parse(r.to_bytes())->to_bytes(), r.to_bytes());
  EXPECT_EQ(r.path(), "content/starter-1/release.json");
}

TEST(ReleaseDocument, ReadsTheExampleOfTheProtocol) {
  const std::string text = R"({"_type": "release", "release": "starter-1", "created": "2026-11-23T10:00:00Z", "notes": "",
     "channels": [{"type": "windows.pipe_created", "fingerprint": "1111111111111111111111111111111111111111111111111111111111111111",
     "path": "content/starter-1/windows.pipe_created.channel", "sha256": "2222222222222222222222222222222222222222222222222222222222222222", "length": 1234, "instances": 7}],
     "evidence": {"sha256": "3333333333333333333333333333333333333333333333333333333333333333"}, "unknown": [1],
     "floor": {"approved_until": "2026-12-23T10:00:00Z", "not_before": [{"ring": "canary", "share": 1000000, "time": "2026-11-23T11:00:00Z"}]}, "category": "rapid"})";
  const auto release = Release::parse(as_bytes(text));
  ASSERT_TRUE(release) << release.error().detail;
  EXPECT_EQ(release->floor.not_before.at(0).ring, Ring::kCanary);
  EXPECT_FALSE(release->channels.at(0).cases) << "a release may have none";
}

TEST(ReleaseName, SaysWhoApprovesItAndWhereItLies) {  // ADR 0099
  for (const char* good : {"r1", "0.9_a-b", "acme/own-1", "acme-2/1"}) EXPECT_TRUE(is_release_name(good)) << good;
  for (const std::string& bad : {std::string("acme/"), std::string("/own"), std::string("acme/own/1"), std::string("acme.x/own"), std::string("Acme/own"), std::string("../own"), std::string("acme/../own"), "a/" + std::string(63, 'b')}) EXPECT_FALSE(is_release_name(bad)) << bad;
  EXPECT_EQ(tenant_of("r1"), "");
  EXPECT_EQ(tenant_of("acme/own-1"), "acme");
  EXPECT_EQ(content_role("r1"), "content");
  EXPECT_EQ(content_role("acme/own-1"), "content-acme");
  EXPECT_EQ(release_folder("r1"), "content/r1");
  EXPECT_EQ(release_folder("acme/own-1"), "content-acme/own-1");
}

TEST(ReleaseDocument, OfATenantNamesItsOwnFilesAlone) {
  Release release;
  release.name = "acme/own-1";
  release.category = "rapid";
  release.channels = {{"t", {}, "content-acme/own-1/t.channel", {}, 1, 1}};
  EXPECT_TRUE(Release::parse(release.to_bytes()));
  EXPECT_EQ(release.path(), "content-acme/own-1/release.json");
  for (const char* elsewhere : {"content/own-1/t.channel", "content-globex/own-1/t.channel", "content-acme/own-2/t.channel"}) {
    release.channels[0].path = elsewhere;
    EXPECT_FALSE(Release::parse(release.to_bytes())) << elsewhere;
  }
}

TEST(ReleaseDocument, NamesTheMemberThatIsWrong) {
  const Bytes good = sample_release().to_bytes();
  EXPECT_EQ(complaint<Release>(good, {"floor", "not_before", "1", "ring"}, "\"moon\""), "floor.not_before[1].ring: must be one of internal, canary, early, general, late");
  EXPECT_EQ(complaint<Release>(good, {"channels", "0", "sha256"}, "\"abc\""), "channels[0].sha256: must be 64 lower-case hexadecimal digits");
  EXPECT_EQ(complaint<Release>(good, {"channels", "0", "length"}, "1.5"), "numbers with a fraction or an exponent are not allowed here");
  EXPECT_EQ(complaint<Release>(good, {"channels", "0", "path"}, "\"content/other/x.channel\""), "channels[0]: path must lie in content/starter-1/");
  EXPECT_EQ(complaint<Release>(good, {"channels", "0", "cases", "path"}, "\"content/other/x.cases.jsonl\""), "channels[0].cases: path must lie in content/starter-1/");
  EXPECT_NE(complaint<Release>(good, {"channels", "0", "cases", "length"}, std::to_string(limits::kRehearsalBytesMax + 1)), "");
  EXPECT_EQ(complaint<Release>(good, {"release"}, "\"../x\""), "release: must be 1 to 64 of a-z, 0-9, `.`, `_`, `-`, and begin with a letter or digit (with a tenant's name and `/` before it, if it is a tenant's own)");
  EXPECT_EQ(complaint<Release>(good, {"created"}, "\"2026-02-30T10:00:00Z\""), "created: `2026-02-30T10:00:00Z` is not a time such as 2026-11-23T10:00:00Z");
  EXPECT_EQ(complaint<Release>(good, {"_type"}, "\"plan\""), "_type: must be `release`");
  EXPECT_EQ(complaint<Release>(good, {"floor", "not_before", "0", "share"}, "1000001"), "floor.not_before[0].share: 1000001 is not between 0 and 1000000");
}

Plan sample_plan() {
  Plan p;
  p.sequence = 7;
  p.issued = at("2026-11-23T10:00:00Z");
  Rollout r;
  r.release = "starter-1";
  r.release_digest = digest(9);
  r.salt.fill(0xab);
  r.ids_before = at("2026-11-23T09:00:00Z");
  r.stages = {{Ring::kInternal, kEveryCohort, kEveryCohort}, {Ring::kCanary, 0x7fffffffffffffff, kEveryCohort}};
  p.rollouts = {r};
  return p;
}

TEST(PlanDocument, RoundTrips) {
  const Plan p = sample_plan();
  EXPECT_EQ(*Plan::parse(p.to_bytes()), p);
  EXPECT_NE(as_text(p.to_bytes()).find(R"("go_below":"7fffffffffffffff")"), std::string_view::npos);
}

TEST(PlanDocument, RefusesWhatIsAmbiguous) {
  const Bytes good = sample_plan().to_bytes();
  EXPECT_EQ(complaint<Plan>(good, {"rollouts", "0", "stages", "0", "enter_below"}, "\"7fffffffffffffff\""), "rollouts[0].stages[0]: go_below must not be above enter_below");
  EXPECT_EQ(complaint<Plan>(good, {"rollouts", "0", "stages", "1", "ring"}, "\"internal\""), "rollouts[0].stages[1]: a second stage for the same ring");
  EXPECT_EQ(complaint<Plan>(good, {"rollouts", "0", "state"}, "\"maybe\""), "rollouts[0].state: must be one of rolling, complete, halted, withdrawn, paused");
  EXPECT_EQ(complaint<Plan>(good, {"rollouts", "0", "salt"}, "\"AB\""), "rollouts[0].salt: must be 32 lower-case hexadecimal digits");
  EXPECT_EQ(complaint<Plan>(good, {"sequence"}, "0"), "sequence: 0 is not between 1 and 9007199254740991");
  Plan twice = sample_plan();
  twice.rollouts.push_back(twice.rollouts[0]);
  EXPECT_EQ(Plan::parse(twice.to_bytes()).error().detail, "rollouts[1]: a second rollout of the same release");
}

TEST(PolicyDocument, RoundTripsAndTheFirstFittingGroupApplies) {
  Policy p;
  p.tenant = "demo";
  p.version = 3;
  p.groups = {{"both", {"canary", "linux"}, {Ring::kEarly, true, "starter-1", std::chrono::seconds(60), {"r1"}}}, {"canaries", {"canary"}, {Ring::kCanary, false, {}, {}, {}}}};
  EXPECT_EQ(*Policy::parse(p.to_bytes()), p);
  const auto ring = [&](std::vector<std::string> tags) { return p.rules_for(tags).ring; };
  EXPECT_EQ(ring({"linux", "canary"}), Ring::kEarly);
  EXPECT_EQ(ring({"canary"}), Ring::kCanary);
  EXPECT_EQ(ring({"linux"}), Ring::kGeneral);
  EXPECT_EQ(complaint<Policy>(p.to_bytes(), {"groups", "1", "delay_s"}, "-1").substr(0, 22), "groups[1].delay_s: -1 ");
  EXPECT_EQ(complaint<Policy>(p.to_bytes(), {"groups", "1", "name"}, "\"both\""), "groups[1]: a second group of the same name");
}

TEST(LocalPolicyDocument, RefusesAMisspelledMember) {
  EXPECT_TRUE(LocalPolicy::parse(as_bytes(R"({"_type":"local","paused":true})"))->paused);
  EXPECT_TRUE(LocalPolicy::parse(as_bytes(R"({"_type":"local","pasued":true})")).error().detail.starts_with("document: `pasued` is not known here; known are _type, paused,"));
}

TEST(DenyListDocument, RoundTrips) {
  const DenyList list{2, {{digest(1), "crashes"}}, {digest(2)}};
  EXPECT_EQ(*DenyList::parse(list.to_bytes()), list);
}

TEST(GrantDocument, RoundTripsAndChecksEachOfItsBinds) {
  const Grant grant{id('a'), id('b'), digest(1), Verdict::kGo, at("2026-11-23T10:05:00Z")};
  EXPECT_EQ(*Grant::parse(grant.to_json()), grant);
  const WallTime now = at("2026-11-23T10:00:00Z");
  EXPECT_TRUE(grant.check(id('a'), id('b'), digest(1), now));
  EXPECT_EQ(grant.check(id('c'), id('b'), digest(1), now).error().code, ErrorCode::kDenied);
  EXPECT_EQ(grant.check(id('a'), id('c'), digest(1), now).error().code, ErrorCode::kDenied);
  EXPECT_EQ(grant.check(id('a'), id('b'), digest(2), now).error().code, ErrorCode::kDenied);
  EXPECT_EQ(grant.check(id('a'), id('b'), digest(1), at("2026-11-23T10:05:00Z")).error().code, ErrorCode::kExpired);
}

// --- cohorts

TEST(Cohort, IsTheFirstEightBytesOfTheHash) {
  Salt salt{};
  // printf '\0…(16)…abc' | sha256sum
  Bytes input(16, 0);
  for (const char c : std::string("abc")) input.push_back(static_cast<uint8_t>(c));
  EXPECT_EQ(cohort_hex(cohort(salt, "abc")), sha256(input).hex().substr(0, 16));
  salt[0] = 1;
  EXPECT_NE(cohort(salt, "abc"), cohort(Salt{}, "abc"));
}

TEST(Cohort, AllOnesIncludesEveryHost) {
  EXPECT_TRUE(below(~uint64_t{0}, kEveryCohort));
  EXPECT_FALSE(below(~uint64_t{0} - 1, ~uint64_t{0} - 1));
  EXPECT_FALSE(below(0, 0));
}

TEST(Cohort, SharesAreExactAtTheirEnds) {
  EXPECT_EQ(limit_of_share(0), 0u);
  EXPECT_EQ(limit_of_share(1'000'000), kEveryCohort);
  EXPECT_EQ(limit_of_share(500'000), uint64_t{1} << 63);
  EXPECT_TRUE(beyond_share(0, 0));
  EXPECT_FALSE(beyond_share(~uint64_t{0}, 1'000'000));
  uint32_t inside = 0;
  for (int i = 0; i < 20'000; ++i) inside += below(cohort(Salt{}, std::to_string(i)), limit_of_share(100'000)) ? 1 : 0;
  EXPECT_NEAR(inside, 2'000, 200);
}

// --- messages

TEST(Messages, RoundTrip) {
  EnrolRequest enrol{"t", std::string(64, 'a'), "host", id('1'), "linux", {"0.1.0", {{"windows.pipe_created", digest(1), 24}}}};
  const auto enrol2 = EnrolRequest::parse(as_bytes(to_json(enrol.to_json())));
  ASSERT_TRUE(enrol2);
  EXPECT_EQ(enrol2->to_json(), enrol.to_json());

  Report report;
  report.sensor_id = id('1');
  report.machine_id = id('2');
  report.boot_id = "b";
  report.boot_epoch = id('3');
  report.sequence = 12;
  report.state = SensorState::kProbation;
  report.running_digest = digest(1);
  report.arm = Verdict::kGo;
  report.arm_digest = digest(1);
  report.events = {{EventKind::kWorkerCrash, digest(1), 1234, "signal 11"}, {EventKind::kHitsOverBudget, digest(1), 1235, "rule r1: hits_over_budget", "r1"}};
  report.counters.events = 100;
  report.counters.more["psi"] = 3;
  report.held = {{"r", "Image"}};
  report.vitals = {{"memory_some", 12}, {"oom_kills", 0}};
  report.pause = LocalPause{std::chrono::hours(1), "lunch"};
  const auto report2 = Report::parse(as_bytes(to_json(report.to_json())));
  ASSERT_TRUE(report2) << report2.error().detail;
  EXPECT_EQ(report2->to_json(), report.to_json());
  EXPECT_EQ(report2->events, report.events);
  EXPECT_EQ(report2->vitals, report.vitals);
  EXPECT_EQ(report2->pause, report.pause);
  for (int kind = 0; kind <= static_cast<int>(EventKind::kRecordsDamaged); ++kind) EXPECT_EQ(*parse_event_kind(to_string(static_cast<EventKind>(kind))), static_cast<EventKind>(kind));

  EnrolAgain again{id('7'), id('8'), enrol};
  again.request.token.clear();
  const auto again2 = EnrolAgain::parse(as_bytes(to_json(again.to_json())));
  ASSERT_TRUE(again2) << again2.error().detail;
  EXPECT_EQ(again2->to_json(), again.to_json());
  Grant held{id('1'), id('2'), digest(1), Verdict::kHold, WallTime{}, "this sensor refused it"};
  EXPECT_EQ(*Grant::parse(held.to_json()), held);
  EXPECT_FALSE(report2->lkg_digest);

  Detection detection{"2026-11-23T10:00:00.123Z", "rule", "Pipe", "high", {"attack.t1055"}, "me", "windows.pipe_created", {"https://example.org/a"}, digest(1), digest(2), "host", {{"PipeName", "\\msagent_1"}}, {"PipeName"}};
  EXPECT_EQ(*Detection::parse(as_bytes(to_json(detection.to_json()))), detection);

  const Announce announce{id('1'), id('2'), digest(1), {}};
  EXPECT_EQ(Announce::parse(as_bytes(to_json(announce.to_json())))->to_json(), announce.to_json());
  EXPECT_EQ(Wait::parse(as_bytes(R"({"wait_ms":7})"))->wait, std::chrono::milliseconds(7));
  EXPECT_EQ(ReportResponse::parse(as_bytes(R"({"report_interval_ms":5,"accepted_sequence":3})"))->accepted_sequence, 3);
  EXPECT_EQ(DetectionsResponse::parse(as_bytes(R"({"stored":3})"))->stored, 3);
  EXPECT_EQ(Problem::parse(as_bytes(R"({"title":"no","status":404})"))->status, 404);
}

TEST(Messages, HostileOnesAreRefusedWithTheirPlace) {
  Report report;
  report.sensor_id = report.machine_id = report.boot_epoch = id('1');
  report.events = {{EventKind::kFault, {}, 1, ""}};
  const std::string good_text = to_json(report.to_json());
  const Bytes good(good_text.begin(), good_text.end());
  EXPECT_EQ(complaint<Report>(good, {"events", "0", "kind"}, "\"explosion\""), "events[0].kind: is not a value that is known here");
  EXPECT_EQ(complaint<Report>(good, {"events", "0", "detail"}, "7"), "events[0].detail: must be text");
  EXPECT_EQ(complaint<Report>(good, {"sensor_id"}, "\"../../etc\""), "sensor_id: must be 32 lower-case hexadecimal digits");
  EXPECT_EQ(complaint<Report>(good, {"sequence"}, "-1"), "sequence: -1 is not between 0 and 9007199254740991");
  EXPECT_EQ(complaint<Report>(good, {"counters", "events"}, "\"7\""), "counters.events: must be an integer");
  EXPECT_EQ(complaint<Report>(good, {"arm"}, "\"perhaps\""), "document: arm must be go, hold or empty");
  EXPECT_EQ(complaint<Report>(good, {"events"}, "{}"), "events: must be a list");
}

TEST(Messages, WhatIsOfOneStartOfASensorNamesBothAlike) {
  const auto refuses_all = [](auto message) {
    using Message = decltype(message);
    for (const char* member : {"sensor_id", "boot_epoch"}) {
      Json json = message.to_json();
      json.set(member, "ABC");
      const auto complaint_of = [&] {
        if constexpr (std::is_same_v<Message, Grant>) return Grant::parse(json);
        else return Message::parse(as_bytes(to_json(json)));
      };
      const auto parsed = complaint_of();
      ASSERT_FALSE(parsed);
      EXPECT_TRUE(parsed.error().detail.ends_with(std::string(member) + ": must be 32 lower-case hexadecimal digits")) << parsed.error().detail;
    }
  };
  Report report;
  report.sensor_id = report.machine_id = report.boot_epoch = id('1');
  refuses_all(report);
  refuses_all(Announce{id('1'), id('2'), digest(1), {}});
  refuses_all(EnrolAgain{id('1'), id('2'), {"", std::string(64, 'a'), "host", id('1'), "linux", {"0.1.0", {}}}});
  refuses_all(Grant{id('1'), id('2'), digest(1), Verdict::kHold, WallTime{}});
}

TEST(Messages, TheSignedBytesAreMethodPathAndBody) { EXPECT_EQ(as_text(signed_message("POST", "/api/v1/report", as_bytes("{}"))), "POST /api/v1/report\n{}"); }

}  // namespace
}  // namespace creance::plan
