// Each stolen key, and a taken mirror, played against a host: tree, client, plan, floor and policy as they are used together. Prints what each can and cannot do; every line stands in
// docs/threat-model.md, and the test fails if one does not.
#include <fmt/format.h>

#include <cstdio>
#include <fstream>

#include "plan/decide.hpp"
#include "support/places.hpp"
#include "trust/delta/delta.hpp"
#include "trust/tree.hpp"

namespace creance::plan {
namespace {

using trust::TargetFile;
using trust::testing::bytes;
using std::chrono::hours;

// A fleet of one host. r1 is complete and runs; r2 is approved by content, rolls out in canary alone, and has a floor: nobody else before tomorrow. r3 is signed by nobody.
struct World {
  trust::testing::Tree t;
  Policy policy;
  Plan plan;
  std::map<std::string, Digest> digests;
  HostState state;
  Host host{std::string(32, 'a'), t.now - hours(48), {"servers"}};
  fake::MemoryFileSystem disk;  // another client's: admit's
  trust::Client client{t.transport, disk, "/admit"};

  static Release release(const std::string& name, WallTime now) {
    Release r;
    r.name = name;
    r.created = now;
    r.category = "rapid";
    r.channels = {{"windows.x", sha256(as_bytes(name)), "content/" + name + "/x.channel", sha256(as_bytes("file of " + name)), 10, 1}};
    r.floor.approved_until = now + hours(24 * 10);
    return r;
  }
  World() {
    std::vector<TargetFile> files;
    for (const char* name : {"r1", "r2", "r3"}) {
      Release r = release(name, t.now);
      if (r.name == "r2") r.floor.not_before = {{Ring::kEarly, 0, t.now + hours(24)}, {Ring::kGeneral, 0, t.now + hours(24)}, {Ring::kLate, 0, t.now + hours(24)}};
      digests[name] = release_digest(r.to_bytes());
      if (r.name != "r3") files.push_back({r.path(), r.to_bytes(), std::nullopt});
    }
    EXPECT_TRUE(t.publish_content(files));
    policy.tenant = "demo";
    policy.version = 1;
    policy.fallback.ring = Ring::kGeneral;
    plan.sequence = 5;
    plan.issued = t.now;
    plan.rollouts = {rollout("r2", RolloutState::kRolling, {{Ring::kCanary, kEveryCohort, kEveryCohort}}), rollout("r1", RolloutState::kComplete, {})};
    EXPECT_TRUE(publish(plan));
    EXPECT_TRUE(publish(policy));
    EXPECT_TRUE(client.init(*t.client.stored("root")));
    state.running = digests["r1"];
    state.retained = {digests["r1"]};
    state.plan_sequence = 5;
    state.boot_epoch = std::string(32, 'e');
    EXPECT_EQ(host_says(), "stays on r1: ring_not_open");
  }
  Rollout rollout(const std::string& name, RolloutState in, std::vector<Stage> stages) { return {name, digests.at(name), {}, in, t.now - hours(1), std::move(stages)}; }
  Status publish(const Plan& next) { return t.repository.publish_files("rollout", {{std::string(Plan::kPath), next.to_bytes(), std::nullopt}}, {}, t.rollout, t.online(), t.now); }
  Status publish(const Policy& next) { return t.repository.publish_files("policy", {{Policy::path("demo"), next.to_bytes(), std::nullopt}}, {}, t.policy, t.online(), t.now); }

  // A tree that breaks the publisher's own rules: role metadata as given, under snapshot and timestamp that name it, signed by the real online keys.
  void force(const std::string& role, const std::vector<TargetFile>& files, std::vector<trust::Signer*> signers) {
    std::optional<BytesView> previous;
    const auto before = t.repository.metadata(role);
    if (before) previous = *before;
    const Json next = *trust::next_targets(previous, files, {}, t.now + hours(24));
    const int64_t version = next.find("version")->integer();
    const Bytes metadata = t.signed_by(next, std::move(signers));
    t.put(fmt::format("{}.{}", version, role), metadata);
    for (const TargetFile& file : files) {
      const size_t slash = file.path.rfind('/') + 1;
      EXPECT_TRUE(t.server.write_atomic("/tree/targets/" + file.path.substr(0, slash) + sha256(file.bytes).hex() + "." + file.path.substr(slash), file.bytes, 0644));
    }
    auto meta = t.published_meta();
    meta[role + ".json"] = trust::meta_of(metadata, version);
    t.put_snapshot(100, 100, meta);
  }
  Result<std::optional<Bytes>> document(const std::string& path) {
    const auto info = client.target(path);
    if (!info && info.error().code == ErrorCode::kNotFound) return std::optional<Bytes>();
    if (!info) return fail(info.error());
    TRY(Bytes content, client.download(*info));
    return std::optional(std::move(content));
  }
  // As admit does it: what the tree says, then the decision.
  Result<Decision> decide_now() {
    TRY_VOID(client.refresh(t.now));
    std::optional<Plan> plan_;
    std::optional<Policy> policy_;
    std::optional<DenyList> deny_;
    std::map<Digest, Release> releases;
    TRY(const auto plan_bytes, document(std::string(Plan::kPath)));
    if (plan_bytes) {
      TRY(plan_, Plan::parse(*plan_bytes));
    }
    TRY(const auto policy_bytes, document(Policy::path("demo")));
    if (policy_bytes) {
      TRY(policy_, Policy::parse(*policy_bytes));
    }
    TRY(const auto deny_bytes, document(std::string(DenyList::kPath)));
    if (deny_bytes) {
      TRY(deny_, DenyList::parse(*deny_bytes));
    }
    for (const char* name : {"r1", "r2", "r3"}) {
      TRY(const auto release_bytes, document(fmt::format("content/{}/release.json", name)));
      if (!release_bytes) continue;
      TRY(Release parsed, Release::parse(*release_bytes));
      releases[release_digest(*release_bytes)] = std::move(parsed);
    }
    Documents documents;
    documents.plan = plan_ ? &*plan_ : nullptr;
    documents.policy = policy_ ? &*policy_ : nullptr;
    documents.deny = deny_ ? &*deny_ : nullptr;
    documents.release = [&](const Digest& digest) {
      const auto it = releases.find(digest);
      return it == releases.end() ? nullptr : &it->second;
    };
    return decide(documents, host, state, t.now);
  }
  std::string name_of(const std::optional<Digest>& digest) const {
    if (!digest) return "nothing";
    for (const auto& [name, known] : digests) {
      if (known == *digest) return name;
    }
    return "something unknown";
  }
  std::string host_says() {
    const auto decision = decide_now();
    if (!decision) return fmt::format("refuses the tree ({}), stays on {}", to_string(decision.error().code), name_of(state.running));
    switch (decision->action) {
      case Action::kStay: return fmt::format("stays on {}: {}", name_of(state.running), to_string(decision->reason));
      case Action::kAnnounce: return fmt::format("would take {}", name_of(decision->release));
      case Action::kTake: return fmt::format("takes {}", name_of(decision->release));
      case Action::kHold: return fmt::format("is held back from {}", name_of(decision->release));
      case Action::kReturn: return decision->release ? fmt::format("returns to {}", name_of(decision->release)) : "is left without content (safe mode)";
    }
    return "";
  }
};

struct Table {
  std::string all;
  void row(std::string_view key, std::string_view attempt, const std::string& outcome, std::string_view expected) {
    EXPECT_EQ(outcome, expected) << key << ": " << attempt;
    const std::string line = fmt::format("| {} | {} | {} |", key, attempt, outcome);
    std::printf("%s\n", line.c_str());
    EXPECT_NE(document().find(line), std::string::npos) << "docs/threat-model.md lacks: " << line;
  }
  static const std::string& document() {
    static const std::string text = [] {
      std::ifstream in(test::source_dir() / "docs" / "threat-model.md");
      return std::string(std::istreambuf_iterator<char>(in), {});
    }();
    return text;
  }
};

TEST(StolenKeys, WhatEachCanAndCannotDo) {
  Table table;
  const auto play = [&](std::string_view key, std::string_view attempt, const std::function<void(World&)>& attack, std::string_view expected) {
    World w;
    attack(w);
    table.row(key, attempt, w.host_says(), expected);
  };
  const std::vector<Stage> everyone{{Ring::kCanary, kEveryCohort, kEveryCohort}, {Ring::kGeneral, kEveryCohort, kEveryCohort}};
  const auto plan_of = [&](World& w, int64_t sequence, std::vector<Rollout> rollouts) {
    Plan next{sequence, w.t.now, std::move(rollouts)};
    EXPECT_TRUE(w.publish(next));
  };

  // rollout, and with it the online keys and the mirror: the worst that a taken control plane has
  play("`rollout`", "name content that nobody signed", [&](World& w) { plan_of(w, 6, {w.rollout("r3", RolloutState::kRolling, everyone), w.plan.rollouts[1]}); }, "stays on r1: release_unknown");
  play("`rollout`", "send approved content to everyone before its floor", [&](World& w) { plan_of(w, 6, {w.rollout("r2", RolloutState::kRolling, everyone), w.plan.rollouts[1]}); }, "stays on r1: floor_not_reached");
  play("`rollout`", "the same after the floor's last date", [&](World& w) {
    w.t.now += hours(25);
    plan_of(w, 6, {w.rollout("r2", RolloutState::kRolling, everyone), w.plan.rollouts[1]});
  }, "would take r2");
  play("`rollout`", "the same after the approval has ended", [&](World& w) {
    w.t.now += hours(24 * 11);
    plan_of(w, 6, {w.rollout("r2", RolloutState::kRolling, everyone), w.plan.rollouts[1]});
  }, "stays on r1: approval_expired");
  play("`rollout`", "an older plan under newer metadata", [&](World& w) { plan_of(w, 4, {w.rollout("r2", RolloutState::kRolling, everyone)}); }, "stays on r1: plan_old");
  play("`rollout`", "withdraw what is rolling out from a host that runs it", [&](World& w) {
    w.state.running = w.digests["r2"];
    plan_of(w, 6, {w.rollout("r2", RolloutState::kWithdrawn, {}), w.plan.rollouts[1]});
  }, "returns to r1");
  play("`rollout`", "withdraw everything, to empty the host", [&](World& w) { plan_of(w, 6, {w.rollout("r2", RolloutState::kWithdrawn, {}), w.rollout("r1", RolloutState::kWithdrawn, {})}); }, "stays on r1: nothing_else");
  play("`rollout`", "deny a digest", [&](World& w) {
    DenyList deny{1, {{w.digests["r1"], "stolen"}}, {}};
    w.force("rollout", {{std::string(DenyList::kPath), deny.to_bytes(), std::nullopt}}, {&w.t.rollout});
  }, "stays on r1: ring_not_open");

  // policy
  play("`policy`", "put the host into the first ring", [&](World& w) {
    w.policy.version = 2;
    w.policy.fallback.ring = Ring::kCanary;
    EXPECT_TRUE(w.publish(w.policy));
  }, "would take r2");
  play("`policy`", "pause the host", [&](World& w) {
    w.policy.version = 2;
    w.policy.fallback.paused = true;
    EXPECT_TRUE(w.publish(w.policy));
  }, "stays on r1: paused");
  play("`policy`", "speak as the plan", [&](World& w) {
    Plan evil{9, w.t.now, {w.rollout("r2", RolloutState::kRolling, everyone)}};
    w.force("policy", {{std::string(Plan::kPath), evil.to_bytes(), std::nullopt}}, {&w.t.policy});
  }, "stays on r1: ring_not_open");

  // one of two content keys
  play("one `content` key", "sign a release alone", [&](World& w) {
    const Release r3 = World::release("r3", w.t.now);
    w.force("content", {{r3.path(), r3.to_bytes(), std::nullopt}}, {&w.t.author});
  }, "refuses the tree (denied), stays on r1");
  play("one `content` key", "deny alone", [&](World& w) {
    DenyList deny{1, {{w.digests["r1"], "stolen"}}, {}};
    w.force("content", {{std::string(DenyList::kPath), deny.to_bytes(), std::nullopt}}, {&w.t.reviewer});
  }, "refuses the tree (denied), stays on r1");
  play("one `content` key", "sign twice", [&](World& w) {
    const Release r3 = World::release("r3", w.t.now);
    w.force("content", {{r3.path(), r3.to_bytes(), std::nullopt}}, {&w.t.author, &w.t.author});
  }, "refuses the tree (denied), stays on r1");
  play("both `content` keys", "sign a release (it still needs `rollout` to reach anyone)", [&](World& w) {
    const Release r3 = World::release("r3", w.t.now);
    w.force("content", {{r3.path(), r3.to_bytes(), std::nullopt}}, {&w.t.author, &w.t.reviewer});
  }, "stays on r1: ring_not_open");
  play("both `content` keys", "deny what runs, the last good content too (hosts keep no denied content)", [&](World& w) {
    DenyList deny{1, {{w.digests["r1"], "stolen"}}, {}};
    w.force("content", {{std::string(DenyList::kPath), deny.to_bytes(), std::nullopt}}, {&w.t.author, &w.t.reviewer});
  }, "is left without content (safe mode)");

  // timestamp and snapshot
  play("`timestamp` + `snapshot`", "an older plan for a host that has seen the newer", [&](World& w) {
    Plan next = w.plan;
    next.sequence = 6;
    EXPECT_TRUE(w.publish(next));
    EXPECT_TRUE(w.client.refresh(w.t.now));
    auto meta = w.t.published_meta();
    meta["rollout.json"].version = 1;
    meta["rollout.json"].hashes.clear();
    meta["rollout.json"].length.reset();
    w.t.put_snapshot(100, 100, meta);
  }, "refuses the tree (denied), stays on r1");
  play("`timestamp` + `snapshot`", "bring content of their own", [&](World& w) {
    const Release r3 = World::release("r3", w.t.now);
    w.force("content", {{r3.path(), r3.to_bytes(), std::nullopt}}, {&w.t.timestamp, &w.t.snapshot});
  }, "refuses the tree (denied), stays on r1");
  play("`timestamp` + `snapshot`", "freeze: the state of today for ever", [&](World& w) {
    EXPECT_TRUE(w.client.refresh(w.t.now));
    w.t.put_snapshot(100, 100, w.t.published_meta());
    Plan next = w.plan;  // published by the true server elsewhere, never seen here
    next.sequence = 6;
  }, "stays on r1: ring_not_open");
  play("`timestamp` + `snapshot`", "drive versions up, then the keys are replaced", [&](World& w) {
    w.t.put_snapshot(1'000'000, 1'000'000, w.t.published_meta());
    EXPECT_TRUE(w.client.refresh(w.t.now));
    trust::KeyPair snapshot = trust::testing::key(40);
    trust::KeyPair timestamp = trust::testing::key(41);
    auto roles = w.t.roles({w.t.root1.public_key(), w.t.root2.public_key()}, 2);
    roles["snapshot"] = {{snapshot.public_key()}, 1};
    roles["timestamp"] = {{timestamp.public_key()}, 1};
    EXPECT_TRUE(w.t.repository.publish_root(w.t.signed_by(trust::make_root(2, w.t.now + hours(24 * 30), roles), {&w.t.root1, &w.t.root2}), {snapshot, timestamp}, w.t.now));
  }, "stays on r1: ring_not_open");

  // a taken mirror: no key at all
  play("a mirror", "change a document", [&](World& w) {
    const Bytes plan = Plan{9, w.t.now, {w.rollout("r2", RolloutState::kRolling, everyone)}}.to_bytes();
    EXPECT_TRUE(w.client.refresh(w.t.now));
    w.t.transport.instead[w.client.target(std::string(Plan::kPath))->fetched_as] = plan;
  }, "refuses the tree (denied), stays on r1");
  play("a mirror", "the state of yesterday for a host that has seen today's", [&](World& w) {
    const Bytes old = *w.t.server.read("/tree/metadata/timestamp.json", 1u << 20);
    Plan next = w.plan;
    next.sequence = 6;
    EXPECT_TRUE(w.publish(next));
    EXPECT_TRUE(w.client.refresh(w.t.now));
    w.t.put("timestamp", old);
  }, "refuses the tree (denied), stays on r1");
  play("a mirror", "freeze: after 24 hours nothing new is taken", [&](World& w) { w.t.now += hours(25); }, "refuses the tree (expired), stays on r1");
  play("a mirror", "withhold the deny list (or any other file that signed metadata names)", [&](World& w) {
    DenyList deny{1, {{w.digests["r1"], "bad"}}, {}};
    std::vector<TargetFile> files{{std::string(DenyList::kPath), deny.to_bytes(), std::nullopt}};
    w.force("content", files, {&w.t.author, &w.t.reviewer});
    EXPECT_TRUE(w.client.refresh(w.t.now));
    w.t.transport.instead[w.client.target(std::string(DenyList::kPath))->fetched_as] = fail(ErrorCode::kNotFound, "404");
  }, "refuses the tree (unavailable), stays on r1");
  play("a mirror", "send without end", [&](World& w) { w.t.transport.instead["metadata/timestamp.json"] = Bytes(limits::kTimestampBytesMax + 1, ' '); }, "refuses the tree (too large), stays on r1");
}

}  // namespace
}  // namespace creance::plan
