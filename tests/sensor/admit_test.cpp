// admit over a spool in memory: whose policy it follows, and what it thinks of a clock.
#include "base/digest.hpp"
#include "plan/plan.hpp"
#include "plan/policy.hpp"
#include "plan/release.hpp"
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

}  // namespace
}  // namespace creance::sensor
