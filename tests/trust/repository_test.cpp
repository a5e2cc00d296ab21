// What the control plane publishes, and what it refuses to publish. Specification 6.
// Sections are those of The Update Framework specification 1.0.34; a test without one checks what the specification leaves to the implementation.
#include <set>

#include "base/digest.hpp"
#include "trust/tree.hpp"

namespace creance::trust::testing {
namespace {

// Specification 3.1.2, 6.2.
TEST(Repository, LaysTheTreeOutAsTheProtocolSays) {
  Tree t;
  ASSERT_TRUE(t.publish_content({{"content/r1/a.channel", bytes("abc"), std::nullopt}}));
  ASSERT_TRUE(t.publish_rollout("p"));
  std::vector<std::string> names;
  for (const auto& [name, content] : t.server.files()) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"/tree/metadata/1.content.json", "/tree/metadata/1.rollout.json", "/tree/metadata/1.root.json", "/tree/metadata/1.snapshot.json",
                                             "/tree/metadata/1.targets.json", "/tree/metadata/2.snapshot.json", "/tree/metadata/3.snapshot.json", "/tree/metadata/timestamp.json",
                                             "/tree/targets/content/r1/" + sha256(as_bytes("abc")).hex() + ".a.channel", "/tree/targets/rollout/" + sha256(as_bytes("p")).hex() + ".plan.json"}));
}

TEST(Repository, LoadsWhatItPublishedAndGoesOn) {
  Tree t;
  ASSERT_TRUE(t.publish_content({{"content/r1/a.channel", bytes("abc"), std::nullopt}}));
  Repository again(t.server, "/tree");
  EXPECT_TRUE(again.exists());
  ASSERT_TRUE(again.load());
  EXPECT_EQ(again.version("content"), 1);
  EXPECT_EQ(again.version("timestamp"), 2);
  EXPECT_EQ(again.version("rollout"), 0);
  EXPECT_EQ(*again.target("content/r1/a.channel"), bytes("abc"));
  EXPECT_EQ(again.target("content/r1/b").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(again.publish_files("rollout", {{"rollout/plan.json", bytes("p"), std::nullopt}}, {}, t.rollout, t.online(), t.now));
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(*t.client.download(*t.client.target("rollout/plan.json")), bytes("p"));
  EXPECT_EQ(again.create(t.root_bytes(1, t.now), bytes(""), t.online(), t.now).error().code, ErrorCode::kExists);
}

// Specification 4.5, threshold.
TEST(Repository, RefusesContentBelowItsThreshold) {
  Tree t;
  const Json next = *next_targets({}, {}, {}, t.now + std::chrono::days(1));
  EXPECT_EQ(t.repository.publish({{"content", t.signed_by(next, {&t.author}), {}}}, t.online(), t.now).error().code, ErrorCode::kDenied);
  EXPECT_EQ(t.repository.publish({{"content", t.signed_by(next, {&t.author, &t.rollout}), {}}}, t.online(), t.now).error().code, ErrorCode::kDenied);
  EXPECT_EQ(t.repository.version("content"), 0);
  // signed by the second person elsewhere, brought back
  const Bytes whole = *add_signature(t.signed_by(next, {&t.author}), t.reviewer);
  EXPECT_TRUE(t.repository.publish({{"content", whole, {}}}, t.online(), t.now));
}

// Specification 5.6.3 to 5.6.5, 4.5.
TEST(Repository, RefusesOldVersionsExpiredMetadataForeignPathsAndUnknownRoles) {
  Tree t;
  ASSERT_TRUE(t.publish_content({}));
  const auto push = [&](const Json& json, std::vector<TargetFile> files = {}) { return t.repository.publish({{"content", t.signed_by(json, {&t.author, &t.reviewer}), std::move(files)}}, t.online(), t.now); };
  const Json again = *next_targets({}, {}, {}, t.now + std::chrono::days(1));
  EXPECT_EQ(push(again).error().detail, "content: version 1 is published already; sign version 2");
  const Bytes before = *t.repository.metadata("content");
  EXPECT_EQ(push(*next_targets(before, {}, {}, t.now)).error().code, ErrorCode::kExpired);
  const std::vector<TargetFile> foreign{{"rollout/plan.json", bytes("x"), std::nullopt}};
  EXPECT_EQ(push(*next_targets(before, foreign, {}, t.now + std::chrono::days(1)), foreign).error().detail, "content: may not say anything about `rollout/plan.json`");
  EXPECT_EQ(t.repository.publish({{"nobody", before, {}}}, t.online(), t.now).error().code, ErrorCode::kDenied);
  EXPECT_EQ(t.repository.version("snapshot"), 2);
}

TEST(Repository, RefusesMissingWrongAndUnsignedFiles) {
  Tree t;
  const std::vector<TargetFile> files{{"content/r1/a", bytes("abc"), std::nullopt}};
  const Bytes metadata = t.signed_by(*next_targets({}, files, {}, t.now + std::chrono::days(1)), {&t.author, &t.reviewer});
  EXPECT_EQ(t.repository.publish({{"content", metadata, {}}}, t.online(), t.now).error().detail, "content: the file of target `content/r1/a` is missing");
  EXPECT_EQ(t.repository.publish({{"content", metadata, {{"content/r1/a", bytes("abd"), std::nullopt}}}}, t.online(), t.now).error().code, ErrorCode::kDenied);
  EXPECT_EQ(t.repository.publish({{"content", metadata, {files[0], {"content/r1/b", bytes("b"), std::nullopt}}}}, t.online(), t.now).error().code, ErrorCode::kInvalid);
  EXPECT_TRUE(t.repository.publish({{"content", metadata, files}}, t.online(), t.now));
  // a later version need not bring it again
  EXPECT_TRUE(t.publish_content({{"content/r1/b", bytes("b"), std::nullopt}}));
}

TEST(Repository, RefusesPathsThatLeaveTheTree) {
  for (const std::string path : {"content/../x", "content//x", "content/r/..", "content/r\\x/y"}) {
    Tree t;
    auto delegations = t.delegations();
    delegations[0].paths = {"*/*/*", "*/*", "*/*/*/*"};
    ASSERT_TRUE(t.repository.publish_targets(t.signed_by(make_targets(2, t.now + std::chrono::days(30), delegations), {&t.targets}), [](const std::string&) -> Signer* { return nullptr; }, t.online(), t.now));
    const std::vector<TargetFile> files{{path, bytes("abc"), std::nullopt}};
    EXPECT_EQ(t.publish_content(files).error().code, ErrorCode::kInvalid) << path;
  }
}

// Specification 4.3.
TEST(Repository, RefusesSignersThatItsRootDoesNotName) {
  Tree t;
  KeyPair stranger = key(60);
  EXPECT_EQ(t.repository.publish({}, {stranger, t.timestamp}, t.now).error().code, ErrorCode::kDenied);
  EXPECT_EQ(t.repository.publish({}, {t.snapshot, stranger}, t.now).error().code, ErrorCode::kDenied);
  EXPECT_EQ(t.repository.version("timestamp"), 1);
}

TEST(Repository, RenewsWhatHasLessThanHalfOfItsLife) {
  Tree t;
  EXPECT_FALSE(*t.repository.renew(t.online(), t.now + std::chrono::hours(11)));
  EXPECT_TRUE(*t.repository.renew(t.online(), t.now + std::chrono::hours(13)));
  EXPECT_EQ(t.repository.version("timestamp"), 2);
  EXPECT_EQ(t.repository.version("snapshot"), 1);
  EXPECT_TRUE(*t.repository.renew(t.online(), t.now + std::chrono::hours(24 * 4)));
  EXPECT_EQ(t.repository.version("snapshot"), 2);
  EXPECT_TRUE(t.client.refresh(t.now + std::chrono::hours(24 * 4 + 23)));
}

TEST(Repository, RotatesTheRootAndOldClientsFollow) {  // 6.1
  Tree t;
  ASSERT_TRUE(t.client.refresh(t.now));
  const Json second = make_root(2, t.now + std::chrono::days(30), t.roles({t.root2.public_key(), t.root3.public_key()}, 2));
  EXPECT_EQ(t.repository.publish_root(t.signed_by(second, {&t.root2, &t.root3}), t.online(), t.now).error().code, ErrorCode::kDenied);
  ASSERT_TRUE(t.repository.publish_root(t.signed_by(second, {&t.root1, &t.root2, &t.root3}), t.online(), t.now));
  ASSERT_TRUE(t.publish_rollout("p"));
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_TRUE(t.client.target("rollout/plan.json"));
  Repository again(t.server, "/tree");
  ASSERT_TRUE(again.load());
  EXPECT_EQ(again.version("root"), 2);
}

TEST(Repository, ChangedBytesOnTheDiskAreNoticedOnLoad) {
  Tree t;
  ASSERT_TRUE(t.publish_rollout("p"));
  Bytes bent = *t.server.read("/tree/metadata/1.rollout.json", 1u << 20);
  bent.push_back('\n');
  t.put("1.rollout", bent);
  Repository again(t.server, "/tree");
  EXPECT_EQ(again.load().error().code, ErrorCode::kDenied);
}

// Specification 6.2.
TEST(Repository, CollectsWhatNoKeptSnapshotNames) {
  Tree t;
  ASSERT_TRUE(t.publish_content({{"content/r1/a", bytes("abc"), std::nullopt}}));
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(t.publish_rollout(std::to_string(i)));
  ASSERT_TRUE(t.repository.publish_root(t.signed_by(make_root(2, t.now + std::chrono::days(30), t.roles({t.root3.public_key()}, 1)), {&t.root1, &t.root2, &t.root3}), t.online(), t.now));
  const size_t before = t.server.files().size();
  const auto removed = t.repository.collect_garbage(2);
  ASSERT_TRUE(removed) << removed.error().detail;
  EXPECT_EQ(*removed, before - t.server.files().size());
  std::vector<std::string> names;
  for (const auto& [name, content] : t.server.files()) names.push_back(name.substr(name.rfind('/') + 1));
  // 2 roots, 2 snapshots, targets, content, the newest rollout (both snapshots name it), timestamp, 2 target files
  EXPECT_EQ(names.size(), 10u) << ::testing::PrintToString(names);
  EXPECT_EQ(*t.repository.collect_garbage(2), 0u);
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(*t.client.download(*t.client.target("rollout/plan.json")), bytes("9"));
  EXPECT_EQ(*t.client.download(*t.client.target("content/r1/a")), bytes("abc"));
  Repository again(t.server, "/tree");
  EXPECT_TRUE(again.load());
}

TEST(Repository, CarriesThousandsOfTenants) {
  Tree t;
  std::vector<TargetFile> files;
  for (int i = 0; i < 2'000; ++i) files.push_back({"policy/t" + std::to_string(i) + ".json", bytes("{" + std::to_string(i)), std::nullopt});
  ASSERT_TRUE(t.repository.publish_files("policy", files, {}, t.policy, t.online(), t.now));
  ASSERT_TRUE(t.client.refresh(t.now));
  const auto policy = t.client.download(*t.client.target("policy/t1777.json"));
  EXPECT_EQ(*policy, bytes("{1777"));
}

// --- policies in bins (TAP 15)

Status publish_policies(Tree& t, const std::vector<TargetFile>& files, const std::vector<std::string>& removed = {}) {
  return t.repository.publish_binned("policy", 7, files, removed, [&](const std::string&) -> Signer& { return t.policy; }, t.online(), t.now);
}
TargetFile policy_of(int tenant, std::string_view text) { return {"policy/t" + std::to_string(tenant) + ".json", bytes(text), std::nullopt}; }

TEST(Bins, HoldPoliciesAndOnlyTheChangedOneIsWritten) {
  Tree t;
  std::vector<TargetFile> files;
  for (int i = 0; i < 300; ++i) files.push_back(policy_of(i, "{" + std::to_string(i)));
  ASSERT_TRUE(publish_policies(t, files));
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(*t.client.download(*t.client.target("policy/t177.json")), bytes("{177"));
  EXPECT_EQ(t.client.target("policy/t177.json")->role.substr(0, 7), "policy-");
  EXPECT_EQ(t.client.target("policy/none.json").error().code, ErrorCode::kNotFound);
  const auto before = t.server.files();
  ASSERT_TRUE(publish_policies(t, {policy_of(177, "changed")}));
  std::vector<std::string> written;
  for (const auto& [name, content] : t.server.files()) {
    if (!before.contains(name)) written.push_back(name);
  }
  EXPECT_EQ(written.size(), 3u);  // the file, its bin, the snapshot; and timestamp.json anew
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(*t.client.download(*t.client.target("policy/t177.json")), bytes("changed"));
  EXPECT_EQ(*t.client.download(*t.client.target("policy/t178.json")), bytes("{178"));
  ASSERT_TRUE(publish_policies(t, {}, {"policy/t177.json"}));
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(t.client.target("policy/t177.json").error().code, ErrorCode::kNotFound);
  Repository again(t.server, "/tree");
  ASSERT_TRUE(again.load()) << again.load().error().detail;
  EXPECT_EQ(again.bins("policy"), t.repository.bins("policy"));
  EXPECT_GT(again.bins("policy").size(), 80u);
}

TEST(Bins, PoliciesOfOneRoleMoveIntoThem) {
  Tree t;
  ASSERT_TRUE(t.repository.publish_files("policy", {policy_of(1, "one"), policy_of(2, "two")}, {}, t.policy, t.online(), t.now));
  ASSERT_TRUE(publish_policies(t, {policy_of(3, "three")}));
  ASSERT_TRUE(t.client.refresh(t.now));
  for (const auto& [tenant, text] : {std::pair{1, "one"}, {2, "two"}, {3, "three"}}) {
    EXPECT_EQ(*t.client.download(*t.client.target("policy/t" + std::to_string(tenant) + ".json")), bytes(text));
  }
}

// Specification 4.5, succinct_roles.
TEST(Bins, SpeakOnlyAboutTheirOwnPaths) {
  Tree t;
  ASSERT_TRUE(publish_policies(t, {policy_of(1, "one")}));
  const std::string bin = t.repository.bins("policy").at(0);
  const auto publish = [&](const TargetFile& file) {
    const Json next = *next_targets(BytesView(*t.repository.metadata(bin)), {file}, {}, t.now + std::chrono::days(1));
    return t.repository.publish({{bin, t.signed_by(next, {&t.policy}), {file}}}, t.online(), t.now);
  };
  int foreign = 2;
  SuccinctRoles bins;
  bins.name_prefix = "policy";
  bins.bit_length = 7;
  while (bins.bin_of(policy_of(foreign, "").path) == bin) ++foreign;
  EXPECT_EQ(publish(policy_of(foreign, "x")).error().code, ErrorCode::kDenied);
  EXPECT_EQ(publish({"rollout/plan.json", bytes("x"), std::nullopt}).error().code, ErrorCode::kDenied);
  EXPECT_EQ(t.repository.publish({{"policy-80", bytes("{}"), {}}}, t.online(), t.now).error().code, ErrorCode::kDenied);  // no such bin
}

TEST(Bins, TheMirrorKeepsThePolicyOfItsHost) {
  Tree t;
  ASSERT_TRUE(publish_policies(t, {policy_of(1, "one"), policy_of(2, "two")}));
  RecordingTransport recorder(t.transport, t.host, "/mirror");
  Client client(recorder, t.host, "/updater");
  ASSERT_TRUE(client.init(*t.client.stored("root")));
  ASSERT_TRUE(client.refresh(t.now));
  const TargetInfo info = *client.target("policy/t1.json");
  ASSERT_TRUE(client.download(info));
  ASSERT_TRUE(recorder.prune(*client.trusted()));
  EXPECT_TRUE(t.host.exists("/mirror/" + info.fetched_as));
}

// --- power loss and full disks: every changing operation fails, stops before or stops after, in turn

// What a client that knows only the first root sees.
std::string seen(Tree& t) {
  fake::MemoryFileSystem fresh;
  DirectoryTransport folder(t.server, "/tree");
  Client client(folder, fresh, "/c");
  EXPECT_TRUE(client.init(t.root_bytes(1, t.now + std::chrono::days(365))));
  if (const Status refreshed = client.refresh(t.now); !refreshed) return refreshed.error().detail;
  const auto target = client.target("rollout/plan.json");
  if (!target) return "none";
  const auto plan = client.download(*target);
  return plan ? std::string(as_text(*plan)) : plan.error().detail;
}

TEST(PowerLoss, APublicationIsThereWholeOrNotAtAll) {
  for (const fake::Fault fault : {fake::Fault::kFails, fake::Fault::kStopsBefore, fake::Fault::kStopsAfter}) {
    bool finished = false;
    for (uint64_t k = 0; !finished; ++k) {
      ASSERT_LT(k, 50u);
      Tree t;
      ASSERT_TRUE(t.publish_rollout("old"));
      t.server.fault_at(k, fault);
      finished = t.publish_rollout("new").has_value();
      t.server.restart();
      const std::string now = seen(t);
      EXPECT_TRUE(now == "old" || now == "new") << "operation " << k << ": " << now;
      if (finished) {
        EXPECT_EQ(now, "new");
      }
      // The server comes up again, publishes, and everyone sees it.
      Repository again(t.server, "/tree");
      ASSERT_TRUE(again.load()) << "operation " << k << ": " << again.load().error().detail;
      ASSERT_TRUE(again.publish_files("rollout", {{"rollout/plan.json", bytes("newest"), std::nullopt}}, {}, t.rollout, t.online(), t.now));
      EXPECT_EQ(seen(t), "newest") << "operation " << k;
    }
  }
}

TEST(PowerLoss, AFailedPublicationLeavesTheRunningServerOnTheOldState) {
  Tree t;
  ASSERT_TRUE(t.publish_rollout("old"));
  t.server.fault_at(3, fake::Fault::kFails);
  ASSERT_EQ(t.publish_rollout("new").error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(t.repository.version("rollout"), 1);
  ASSERT_TRUE(t.publish_rollout("new"));
  EXPECT_EQ(seen(t), "new");
}

// Specification 6.1, 5.3.
TEST(PowerLoss, ARootRotationCanBeTakenUpAgain) {
  for (const fake::Fault fault : {fake::Fault::kFails, fake::Fault::kStopsBefore, fake::Fault::kStopsAfter}) {
    bool finished = false;
    for (uint64_t k = 0; !finished; ++k) {
      ASSERT_LT(k, 50u);
      Tree t;
      ASSERT_TRUE(t.publish_rollout("old"));
      KeyPair snapshot2 = key(70);
      KeyPair timestamp2 = key(71);
      auto roles = t.roles({t.root3.public_key()}, 1);
      roles["snapshot"] = {{snapshot2.public_key()}, 1};
      roles["timestamp"] = {{timestamp2.public_key()}, 1};
      const Bytes root = t.signed_by(make_root(2, t.now + std::chrono::days(30), roles), {&t.root1, &t.root2, &t.root3});
      t.server.fault_at(k, fault);
      finished = t.repository.publish_root(root, {snapshot2, timestamp2}, t.now).has_value();
      t.server.restart();
      Repository again(t.server, "/tree");
      ASSERT_TRUE(again.load()) << "operation " << k;
      if (again.version("root") == 1) {
        EXPECT_EQ(seen(t), "old") << k;
        ASSERT_TRUE(again.publish_root(root, {snapshot2, timestamp2}, t.now));
      }
      ASSERT_TRUE(again.publish_files("rollout", {{"rollout/plan.json", bytes("newest"), std::nullopt}}, {}, t.rollout, {snapshot2, timestamp2}, t.now));
      EXPECT_EQ(seen(t), "newest") << "operation " << k;
    }
  }
}

// Specification 5.3.8, 5.4.5, 5.5.7, 5.6.6.
TEST(PowerLoss, ARefreshLeavesAStateFromWhichTheNextOneGoesOn) {
  for (const fake::Fault fault : {fake::Fault::kFails, fake::Fault::kStopsBefore, fake::Fault::kStopsAfter}) {
    bool finished = false;
    for (uint64_t k = 0; !finished; ++k) {
      ASSERT_LT(k, 50u);
      Tree t;
      ASSERT_TRUE(t.publish_rollout("old"));
      ASSERT_TRUE(t.client.refresh(t.now));
      ASSERT_TRUE(t.client.target("rollout/plan.json"));
      // a new root that takes the online keys, and a new plan
      KeyPair snapshot2 = key(70);
      KeyPair timestamp2 = key(71);
      auto roles = t.roles({t.root3.public_key()}, 1);
      roles["snapshot"] = {{snapshot2.public_key()}, 1};
      roles["timestamp"] = {{timestamp2.public_key()}, 1};
      ASSERT_TRUE(t.repository.publish_root(t.signed_by(make_root(2, t.now + std::chrono::days(30), roles), {&t.root1, &t.root2, &t.root3}), {snapshot2, timestamp2}, t.now));
      ASSERT_TRUE(t.repository.publish_files("rollout", {{"rollout/plan.json", bytes("new"), std::nullopt}}, {}, t.rollout, {snapshot2, timestamp2}, t.now));
      t.host.fault_at(k, fault);
      finished = t.client.refresh(t.now).has_value() && t.client.target("rollout/plan.json").has_value();
      t.host.restart();
      for (const auto& [name, content] : t.host.files()) EXPECT_TRUE(parse_json(content, {.bytes_max = 1u << 20})) << name;  // whole
      Client after(t.transport, t.host, "/cache");
      ASSERT_TRUE(after.refresh(t.now)) << "operation " << k;
      EXPECT_EQ(*after.download(*after.target("rollout/plan.json")), bytes("new")) << "operation " << k;
    }
  }
}

TEST(Renewal, OfManyBinsIsOnePublication) {
  Tree t;
  std::vector<TargetFile> all;
  for (int tenant = 0; tenant < 50; ++tenant) all.push_back(policy_of(tenant, std::to_string(tenant)));
  ASSERT_TRUE(publish_policies(t, all));
  std::vector<std::string> roles = t.repository.bins("policy");
  ASSERT_GT(roles.size(), 4u);
  roles.push_back("policy");
  const int64_t snapshots = t.repository.version("snapshot");
  const int64_t before = t.repository.version(roles[0]);
  t.now += std::chrono::days(20);
  const auto signer_of = [&](const std::string&) -> Signer& { return t.policy; };
  ASSERT_TRUE(t.repository.renew_roles(roles, signer_of, t.online(), t.now));
  EXPECT_EQ(t.repository.version("snapshot"), snapshots + 1);
  EXPECT_EQ(t.repository.version(roles[0]), before + 1);
  t.now += std::chrono::days(20);  // those of before would have expired
  ASSERT_TRUE(t.repository.renew(t.online(), t.now));
  ASSERT_TRUE(t.client.refresh(t.now));
  for (const int tenant : {0, 17, 49}) EXPECT_EQ(*t.client.download(*t.client.target(policy_of(tenant, "").path)), bytes(std::to_string(tenant)));
  EXPECT_EQ(t.repository.renew_roles({"policy-none"}, signer_of, t.online(), t.now).error().code, ErrorCode::kNotFound);
}

TEST(PowerLoss, AChangeOfBinsIsThereWholeOrNotAtAll) {
  for (const fake::Fault fault : {fake::Fault::kFails, fake::Fault::kStopsBefore, fake::Fault::kStopsAfter}) {
    bool finished = false;
    for (uint64_t k = 0; !finished; ++k) {
      ASSERT_LT(k, 60u);
      Tree t;
      ASSERT_TRUE(publish_policies(t, {policy_of(1, "old"), policy_of(2, "old"), policy_of(3, "old")}));
      ASSERT_TRUE(t.client.refresh(t.now));
      t.server.fault_at(k, fault);
      finished = publish_policies(t, {policy_of(1, "new"), policy_of(2, "new"), policy_of(3, "new")}).has_value();
      t.server.restart();
      ASSERT_TRUE(t.client.refresh(t.now)) << "operation " << k;
      std::set<std::string> seen_texts;
      for (const int tenant : {1, 2, 3}) seen_texts.insert(std::string(as_text(*t.client.download(*t.client.target(policy_of(tenant, "").path)))));
      EXPECT_EQ(seen_texts.size(), 1u) << "operation " << k;  // all three, or none of them
      if (finished) {
        EXPECT_TRUE(seen_texts.contains("new"));
      }
      Repository again(t.server, "/tree");
      ASSERT_TRUE(again.load()) << "operation " << k;
    }
  }
}

TEST(PowerLoss, AFirstPublicationCanBeTakenUpAgain) {
  for (const fake::Fault fault : {fake::Fault::kFails, fake::Fault::kStopsBefore, fake::Fault::kStopsAfter}) {
    bool finished = false;
    for (uint64_t k = 0; !finished; ++k) {
      ASSERT_LT(k, 50u);
      Tree t;
      fake::MemoryFileSystem disk;
      const Bytes root = t.root_bytes(1, t.now + std::chrono::days(365));
      const Bytes top = t.signed_by(make_targets(1, t.now + std::chrono::days(365), t.delegations()), {&t.targets});
      disk.fault_at(k, fault);
      Repository first(disk, "/new");
      finished = first.create(root, top, t.online(), t.now).has_value();
      disk.restart();
      Repository again(disk, "/new");
      if (again.exists()) {
        EXPECT_TRUE(again.load()) << "operation " << k;
      } else {
        EXPECT_TRUE(again.create(root, top, t.online(), t.now)) << "operation " << k;
      }
    }
  }
}

TEST(PowerLoss, CollectingGarbageTakesNothingThatAReaderNeeds) {
  for (const fake::Fault fault : {fake::Fault::kFails, fake::Fault::kStopsBefore, fake::Fault::kStopsAfter}) {
    bool finished = false;
    for (uint64_t k = 0; !finished; ++k) {
      ASSERT_LT(k, 80u);
      Tree t;
      for (int n = 0; n < 6; ++n) ASSERT_TRUE(t.publish_rollout("plan " + std::to_string(n)));
      t.server.fault_at(k, fault);
      finished = t.repository.collect_garbage(1).has_value();
      t.server.restart();
      EXPECT_EQ(seen(t), "plan 5") << "operation " << k;
      EXPECT_TRUE(t.repository.collect_garbage(1)) << "operation " << k;
      EXPECT_EQ(seen(t), "plan 5");
    }
  }
}

// --- what one stolen key can do (docs/threat-model.md)

// Specification 1.5.2, 2.1.
TEST(StolenKey, OnlineSnapshotAndTimestampCannotBringContent) {
  Tree t;
  ASSERT_TRUE(t.publish_content({{"content/r1/a", bytes("abc"), std::nullopt}}));
  const Json evil = *next_targets({}, {{"content/r1/a", bytes("evil"), std::nullopt}}, {}, t.now + std::chrono::days(30));
  const Bytes metadata = t.signed_by(evil, {&t.snapshot, &t.timestamp});
  t.put("1.content", metadata);
  auto meta = t.published_meta();
  meta["content.json"] = meta_of(metadata, 1);
  t.put_snapshot(3, 3, meta);
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(t.client.target("content/r1/a").error().code, ErrorCode::kDenied);
}

// Specification 2.1, 4.5.
TEST(StolenKey, OneContentKeyIsNotEnough) {
  Tree t;
  const Json evil = *next_targets({}, {{"content/r1/a", bytes("evil"), std::nullopt}}, {}, t.now + std::chrono::days(30));
  const Bytes metadata = t.signed_by(evil, {&t.author});
  t.put("1.content", metadata);
  auto meta = t.published_meta();
  meta["content.json"] = meta_of(metadata, 1);
  t.put_snapshot(3, 3, meta);  // even with the online keys
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(t.client.target("content/r1/a").error().code, ErrorCode::kDenied);
}

// Specification 4.5, paths of a delegation.
TEST(StolenKey, RolloutCannotSpeakAboutContent) {
  Tree t;
  ASSERT_TRUE(t.publish_content({{"content/r1/a", bytes("abc"), std::nullopt}}));
  const std::vector<TargetFile> evil{{"content/r1/a", bytes("evil"), std::nullopt}};
  EXPECT_EQ(t.repository.publish_files("rollout", evil, {}, t.rollout, t.online(), t.now).error().code, ErrorCode::kDenied);
  // past the server's check, on a taken mirror:
  const Bytes metadata = t.signed_by(*next_targets({}, evil, {}, t.now + std::chrono::days(30)), {&t.rollout});
  t.put("1.rollout", metadata);
  auto meta = t.published_meta();
  meta["rollout.json"] = meta_of(metadata, 1);
  t.put_snapshot(3, 3, meta);
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(*t.client.download(*t.client.target("content/r1/a")), bytes("abc"));
}

}  // namespace
}  // namespace creance::trust::testing
