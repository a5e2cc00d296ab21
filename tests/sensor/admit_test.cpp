// admit over a spool in memory: whose policy it follows, and what it thinks of a clock.
#include <algorithm>
#include <functional>

#include "base/digest.hpp"
#include "base/os/real.hpp"
#include "plan/grant.hpp"
#include "plan/plan.hpp"
#include "plan/policy.hpp"
#include "plan/release.hpp"
#include "plan/zone.hpp"
#include "sensor/admit/admit.hpp"
#include "sensor/admit/identity.hpp"
#include "trust/keys/seal.hpp"
#include "trust/tree.hpp"

namespace creance::sensor {
namespace {

using std::chrono::hours;

// The spool is the tree itself: what an updater brings that brings everything.
struct Host {
  fake::MemoryFileSystem files;
  WallTime now = trust::testing::at("2026-11-23T10:00:00Z");
  trust::KeyPair root = trust::testing::key(1), targets = trust::testing::key(2), snapshot = trust::testing::key(3), timestamp = trust::testing::key(4), author = trust::testing::key(5), rollout = trust::testing::key(6),
                 policy = trust::testing::key(7), acme_person = trust::testing::key(8);
  trust::Repository repository{files, "/state/spool"};
  trust::SealKey acme = trust::SealKey::generate();
  Question question;

  Host() {
    const auto one = [](const trust::KeyPair& key) { return trust::RoleSpec{{key.public_key()}, 1}; };
    trust::Signer* const by_root[] = {&root};
    trust::Signer* const by_targets[] = {&targets};
    const Bytes first = *trust::sign_document(trust::make_root(1, now + hours(24 * 365), {{"root", one(root)}, {"targets", one(targets)}, {"snapshot", one(snapshot)}, {"timestamp", one(timestamp)}}), by_root);
    const Bytes top = *trust::sign_document(trust::make_targets(1, now + hours(24 * 365), {{"content", one(author), {"content/*/*"}, true}, {"content-acme", one(acme_person), {"content-acme/*/*"}, true}, {"content-globex", one(author), {"content-globex/*/*"}, true}, {"rollout", one(rollout), {"rollout/*"}, true}, {"policy", one(policy), {"policy/*"}, true}}), by_targets);
    EXPECT_TRUE(repository.create(first, top, online(), now));
    EXPECT_TRUE(files.write_atomic("/state/root.json", first, 0644));
    Identity identity;
    identity.sensor_id = std::string(32, 'a'), identity.tenant = "acme", identity.server = "http://server", identity.hostname = "h", identity.machine_id = std::string(32, 'b'), identity.enrolled = now, identity.report_interval_ms = 1000;
    EXPECT_TRUE(identity.write(files, "/state"));
    plan::Plan plan;
    plan.sequence = 7;
    plan.issued = now;
    EXPECT_TRUE(repository.publish_files("rollout", {{std::string(plan::Plan::kPath), plan.to_bytes(), std::nullopt}}, {}, rollout, online(), now));
    question.state = "/state";
    question.boot_epoch = std::string(32, 'c');
  }
  trust::OnlineSigners online() { return {snapshot, timestamp}; }
  void give_key(const trust::SealKey& key) { EXPECT_TRUE(files.write_atomic("/state/tenant.key", as_bytes(to_hex(key.raw()) + "\n"), 0600)); }
  static Bytes document(const std::string& tenant, int64_t version) {
    plan::Policy policy;
    policy.tenant = tenant, policy.version = version, policy.fallback.paused = true;
    return policy.to_bytes();
  }
  void publish(Bytes policy_bytes) { EXPECT_TRUE(repository.publish_files("policy", {{"policy/acme.json", std::move(policy_bytes), std::nullopt}}, {}, policy, online(), now)); }
  Bytes sealed(const std::string& tenant, int64_t inside, int64_t outside) { return *trust::seal_document("policy/acme.json", outside, document(tenant, inside), acme.public_key()); }
  ipc::Admitted ask(WallTime wall) { return admit(question, files, wall); }
  std::string refusal() {
    const auto answer = ask(now);
    EXPECT_EQ(answer.trusted, 0);
    return std::string(answer.detail.view());
  }
};

TEST(Admit, FollowsThePolicyThatIsSealedToItsTenant) {
  Host host;
  host.give_key(host.acme);
  host.publish(host.sealed("acme", 3, 3));
  const auto answer = host.ask(host.now);
  EXPECT_EQ(answer.trusted, 1) << answer.detail.view();
  EXPECT_EQ(answer.detail.view().substr(0, 7), "paused:") << answer.detail.view();  // it says so
}

TEST(Admit, BeforeAnythingWasFetchedItSaysThatAndNothingWorse) {
  Host host;
  host.publish(host.sealed("acme", 3, 3));
  ASSERT_TRUE(host.files.remove("/state/spool/metadata/timestamp.json"));
  EXPECT_EQ(host.refusal(), "nothing was fetched from the server yet");
  host.question.policy = "/etc/policy.yml";
  EXPECT_NE(std::string(host.ask(host.now).unread.view()).find("/etc/policy.yml"), std::string::npos) << "whatever else it says";
}

TEST(Admit, TakesNothingNewUnderAPolicyThatItCannotRead) {
  Host host;
  host.publish(host.sealed("acme", 3, 3));
  EXPECT_NE(host.refusal().find("no key of its tenant"), std::string::npos);
  host.give_key(trust::SealKey::generate());
  EXPECT_NE(host.refusal().find("sealed to key"), std::string::npos);
  ASSERT_TRUE(host.files.write_atomic("/state/tenant.key", as_bytes("zz"), 0600));
  EXPECT_FALSE(host.refusal().empty());
}

TEST(Admit, RefusesAPolicyOfAnotherTenantOrVersionInItsPlace) {
  Host host;
  host.give_key(host.acme);
  host.publish(host.sealed("globex", 3, 3));
  EXPECT_NE(host.refusal().find("`globex`"), std::string::npos);
  host.publish(host.sealed("acme", 2, 3));
  EXPECT_NE(host.refusal().find("sealed as version 3"), std::string::npos);
  host.publish(*trust::seal_document("policy/globex.json", 3, Host::document("acme", 3), host.acme.public_key()));
  EXPECT_NE(host.refusal().find("was sealed as `policy/globex.json`"), std::string::npos);
}

TEST(Admit, TakesAPolicyInClearOnlyWithoutAKeyOfItsTenant) {  // ADR 0098
  Host host;
  host.publish(Host::document("globex", 3));
  EXPECT_NE(host.refusal().find("`globex`"), std::string::npos);
  host.publish(Host::document("acme", 3));
  EXPECT_EQ(host.ask(host.now).trusted, 1);
  host.give_key(host.acme);
  host.publish(Host::document("acme", 4));
  EXPECT_NE(host.refusal().find("not sealed"), std::string::npos);
}

// Whoever holds the keys of policy, snapshot and timestamp brings policies of before under newer metadata.
TEST(Admit, TakesNoPolicyOlderThanItsNewest) {
  Host host;
  host.give_key(host.acme);
  host.publish(host.sealed("acme", 1, 1));
  EXPECT_EQ(host.ask(host.now).trusted, 1);
  host.publish(host.sealed("acme", 2, 2));
  EXPECT_EQ(host.ask(host.now).trusted, 1);
  EXPECT_EQ(host.ask(host.now).trusted, 1);  // the same again
  host.publish(host.sealed("acme", 1, 1));
  EXPECT_NE(host.refusal().find("this host has seen version 2"), std::string::npos);
  EXPECT_TRUE(host.repository.publish_files("policy", {}, {"policy/acme.json"}, host.policy, host.online(), host.now));
  EXPECT_NE(host.refusal().find("no policy of tenant `acme` any more"), std::string::npos);
  host.publish(host.sealed("acme", 3, 3));
  EXPECT_EQ(host.ask(host.now).trusted, 1);
  // A tenant enrolled anew has a new key, and begins anew.
  host.acme = trust::SealKey::generate();
  host.give_key(host.acme);
  host.publish(host.sealed("acme", 1, 1));
  EXPECT_EQ(host.ask(host.now).trusted, 1) << host.refusal();
}

// A complete release of one channel, and a plan that names it.
Digest publish_release(Host& host, const std::string& name, trust::Signer& by, hours valid = hours(100)) {
  plan::Release release;
  release.name = name, release.created = host.now, release.category = "rapid";
  release.floor.approved_until = host.now + hours(100);
  const Bytes channel{1, 2, 3};
  release.channels = {{"linux.process_creation", sha256(as_bytes("f")), plan::release_folder(name) + "/x.channel", sha256(channel), 3, 1}};
  const Bytes document = release.to_bytes();
  const std::vector<trust::TargetFile> files{{release.path(), document, std::nullopt}, {release.channels[0].path, channel, std::nullopt}};
  trust::Signer* const signers[] = {&by};
  EXPECT_TRUE(host.repository.publish({{plan::content_role(name), *trust::sign_document(*trust::next_targets(std::nullopt, files, {}, host.now + valid), signers), files}}, host.online(), host.now));
  plan::Plan plan;
  plan.sequence = 8;
  plan.issued = host.now;
  plan.rollouts = {{name, plan::release_digest(document), {}, plan::RolloutState::kComplete, host.now, {}}};
  EXPECT_TRUE(host.repository.publish_files("rollout", {{std::string(plan::Plan::kPath), plan.to_bytes(), std::nullopt}}, {}, host.rollout, host.online(), host.now));
  return plan::release_digest(document);
}

TEST(Admit, OffersAReleaseOfItsTenantAndPutsItsFiles) {  // ADR 0099
  Host host;
  const Digest digest = publish_release(host, "acme/own-1", host.acme_person);
  const auto answer = host.ask(host.now);
  EXPECT_EQ(answer.trusted, 1) << answer.detail.view();
  EXPECT_EQ(answer.offer, digest.bytes) << answer.detail.view();
  EXPECT_EQ(answer.offer_release.view(), "acme/own-1");
  EXPECT_TRUE(host.files.exists("/state/sets/" + digest.hex() + "/set.bin"));
}

TEST(Admit, TakesNoContentThatIsMeantToHoldForEver) {
  for (const bool too_long : {false, true}) {
    Host host;
    const Digest digest = publish_release(host, "acme/own-1", host.acme_person, hours(24 * 400 + (too_long ? 1 : 0)));
    EXPECT_EQ(host.ask(host.now).offer != ipc::kNoSet, !too_long);
    EXPECT_EQ(host.files.exists("/state/sets/" + digest.hex() + "/set.bin"), !too_long);
    if (too_long) {
      EXPECT_NE(host.refusal().find("more than 400 days"), std::string::npos);
    }
  }
}

TEST(Admit, OffersNoReleaseOfAnotherTenant) {
  Host host;
  publish_release(host, "globex/own-1", host.author);
  const auto answer = host.ask(host.now);
  EXPECT_EQ(answer.trusted, 1) << answer.detail.view();
  EXPECT_EQ(answer.offer, ipc::kNoSet) << answer.detail.view();
}

TEST(Admit, SaysThatTheClockIsBehindAndGoesOn) {  // ADR 0097
  Host host;
  host.question.uptime = trust::Uptime{"boot", MonotonicTime(10)};
  auto answer = host.ask(host.now - hours(1000));
  EXPECT_EQ(answer.trusted, 1) << answer.detail.view();
  EXPECT_EQ(answer.clock_behind_ms, 1000u * 3600 * 1000);
  host.question.uptime->at += hours(25);  // frozen, and held back: what expired is expired
  answer = host.ask(host.now - hours(1000));
  EXPECT_EQ(answer.trusted, 0);
  EXPECT_EQ(answer.clock_behind_ms, 1025u * 3600 * 1000);
  EXPECT_NE(answer.detail.view().find("expired"), std::string_view::npos) << answer.detail.view();
}

// What time decides, under a clock that jumps. It is judged by the later of clock and signed time (ADR 0097): no hold ends earlier for a clock that was put back, and none of those that this
// host counts itself for one that was put ahead.
struct Timed : Host {
  Digest release = publish_release(*this, "acme/own-1", acme_person);
  void policy_says(const std::function<void(plan::GroupRules&)>& rules) {
    plan::Policy wanted;
    wanted.tenant = "acme", wanted.version = ++version;
    rules(wanted.fallback);
    publish(wanted.to_bytes());
  }
  void owner_says(const std::string& json) {
    EXPECT_TRUE(files.write_atomic("/state/local.json", as_bytes(json), 0600));
    question.local = "/state/local.json";
  }
  std::string reason(WallTime wall) {
    const auto answer = ask(wall);
    EXPECT_EQ(answer.trusted, 1) << answer.detail.view();
    return answer.offer != ipc::kNoSet ? "offered" : std::string(answer.detail.view().substr(0, answer.detail.view().find(':')));
  }
  std::string detail(WallTime wall) { return std::string(ask(wall).detail.view()); }
  int64_t version = 0;
};

TEST(AdmitTime, WindowsOfBothSidesHoldNewContentAndSayWhenTheNextOpens) {
  Timed host;  // 2026-11-23 is a Monday, 10:00 UTC
  EXPECT_EQ(host.reason(host.now), "offered");
  host.policy_says([](plan::GroupRules& rules) { ASSERT_TRUE(plan::add_window(rules.windows, "Mon 11:00-14:00 UTC")); });
  EXPECT_EQ(host.reason(host.now), "window");
  EXPECT_NE(host.detail(host.now).find("the next opens at 2026-11-23 11:00 UTC"), std::string::npos) << host.detail(host.now);
  EXPECT_EQ(host.ask(host.now).recheck_ms, 3'600'000u);
  EXPECT_EQ(host.reason(host.now + hours(1)), "offered");
  host.owner_says(R"({"_type":"local","windows":["Mon-Fri 12:00-13:00 UTC"]})");
  EXPECT_EQ(host.reason(host.now + hours(1)), "local_window");
  EXPECT_EQ(host.reason(host.now + hours(2)), "offered");
  EXPECT_EQ(host.reason(host.now + hours(3)), "local_window");
}

TEST(AdmitTime, AZoneThatThisHostDoesNotKnowOpensNoWindow) {
  Timed host;  // whose files hold no zones at all
  host.policy_says([](plan::GroupRules& rules) { ASSERT_TRUE(plan::add_window(rules.windows, "daily 00:00-24:00 Europe/Vienna")); });
  EXPECT_EQ(host.reason(host.now), "window");
  EXPECT_NE(host.detail(host.now).find("`Europe/Vienna` is not known on this host"), std::string::npos);
  os::RealFileSystem disk;
  const auto zone = disk.read(std::filesystem::path(plan::kZoneFolder) / "Europe/Vienna", plan::kZoneBytesMax);
  if (!zone) GTEST_SKIP() << "this machine has no time zones (package tzdata)";
  EXPECT_TRUE(host.files.write_atomic(std::filesystem::path(plan::kZoneFolder) / "Europe/Vienna", *zone, 0644));
  EXPECT_EQ(host.reason(host.now), "offered");
}

TEST(AdmitTime, AClockThatWasPutBackOpensNoWindow) {
  Timed host;
  host.question.uptime = trust::Uptime{"boot", MonotonicTime(10)};
  host.policy_says([](plan::GroupRules& rules) { ASSERT_TRUE(plan::add_window(rules.windows, "daily 00:00-24:00 UTC")); });
  EXPECT_EQ(host.reason(host.now), "offered");
  EXPECT_EQ(host.reason(host.now - hours(1)), "window");
  EXPECT_NE(host.detail(host.now - hours(1)).find("this host's clock is behind what signed metadata says"), std::string::npos);
  EXPECT_EQ(host.reason(host.now - std::chrono::seconds(30)), "offered") << "clocks differ by that much";
}

TEST(AdmitTime, ADelayEndsByNoClockThatWasPutBackAndAPauseByNoClockAtAll) {
  Timed host;
  host.question.uptime = trust::Uptime{"boot", MonotonicTime(10)};
  host.policy_says([](plan::GroupRules& rules) { rules.delay = hours(2); });
  EXPECT_EQ(host.reason(host.now), "delay");
  EXPECT_EQ(host.reason(host.now - hours(5)), "delay");
  host.question.uptime->at += hours(1);
  EXPECT_EQ(host.reason(host.now - hours(5)), "delay") << "an hour of this machine's own later";
  host.question.uptime->at += hours(1);
  EXPECT_EQ(host.reason(host.now - hours(5)), "offered") << "two hours: what is held back is the clock, not time";
  host.question.paused = true;
  for (const hours jump : {hours(-1000), hours(0), hours(20)}) EXPECT_EQ(host.reason(host.now + jump), "local_pause");
}

TEST(AdmitTime, AGrantEndsWithItsTimeHoweverTheClockStands) {
  Timed host;
  host.question.uptime = trust::Uptime{"boot", MonotonicTime(10)};
  host.question.announced = host.release.bytes;
  plan::Grant grant{std::string(32, 'a'), host.question.boot_epoch, host.release, plan::Verdict::kGo, host.now + hours(1)};
  trust::Signer* const by[] = {&host.rollout};
  EXPECT_TRUE(host.files.write_atomic("/state/spool/grant.json", *trust::sign_document(grant.to_json(), by), 0600));
  EXPECT_EQ(host.ask(host.now).grant, ipc::GrantVerdict::kGo);
  EXPECT_EQ(host.ask(host.now + hours(1)).grant, ipc::GrantVerdict::kNone) << "over";
  EXPECT_EQ(host.ask(host.now - hours(9)).grant, ipc::GrantVerdict::kGo) << "a clock behind is not believed, and so hurts nobody";
  host.question.uptime->at += hours(1);
  const auto late = host.ask(host.now - hours(9));
  EXPECT_EQ(late.grant, ipc::GrantVerdict::kNone) << "put back, it lengthens no grant";
  EXPECT_NE(late.offer, ipc::kNoSet) << "the host asks again";
  EXPECT_NE(late.detail.view().find("grant:"), std::string_view::npos) << late.detail.view();
}

// What a server remembers of this host is a hold as any other, and its log says so with the server's reason.
TEST(AdmitTime, AHoldSaysThatItIsOneAndWhy) {
  Timed host;
  host.question.announced = host.release.bytes;
  trust::Signer* const by[] = {&host.rollout};
  for (const std::string reason : {"", "this sensor refused it at 2026-01-01T00:00:00Z: worker_crash: signal 11"}) {
    const plan::Grant grant{std::string(32, 'a'), host.question.boot_epoch, host.release, plan::Verdict::kHold, host.now + hours(1), reason};
    EXPECT_TRUE(host.files.write_atomic("/state/spool/grant.json", *trust::sign_document(grant.to_json(), by), 0600));
    const auto answer = host.ask(host.now);
    EXPECT_EQ(answer.grant, ipc::GrantVerdict::kHold);
    EXPECT_EQ(answer.remembered, reason.empty() ? 0 : 1);
    EXPECT_EQ(answer.detail.view(), "granted_hold: the server said hold" + (reason.empty() ? "" : ": " + reason));
  }
}

TEST(AdmitTime, ExpiredMetadataStopsNewContentAndNothingElse) {
  Timed host;
  const auto late = host.ask(host.now + hours(24 * 60));
  EXPECT_EQ(late.trusted, 0) << "nothing new";
  EXPECT_EQ(late.running_standing, ipc::Standing::kAllowed) << "and no word against what runs";
  EXPECT_TRUE(std::ranges::all_of(late.rung_standing, [](ipc::Standing standing) { return standing == ipc::Standing::kAllowed; }));
  EXPECT_EQ(host.reason(host.now), "offered") << "a clock that was ahead and is right again locks nobody out";
}

}  // namespace
}  // namespace creance::sensor
