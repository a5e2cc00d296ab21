// The detailed client workflow, step by step. Section numbers are those of the TUF specification.
// Sections are those of The Update Framework specification 1.0.34; a test without one checks what the specification leaves to the implementation.
#include <algorithm>

#include "trust/tree.hpp"

namespace creance::trust::testing {
namespace {

ErrorCode code(const Status& status) { return status ? ErrorCode::kUnsupported : status.error().code; }
template <class T>
ErrorCode code_of(const Result<T>& result) { return result ? ErrorCode::kUnsupported : result.error().code; }

TEST(Refresh, AsksInTheOrderOfTheSpecificationAndStoresUnversionedNames) {  // 5.2 to 5.6
  Tree t;
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(t.transport.requests, (std::vector<std::string>{"metadata/2.root.json", "metadata/timestamp.json", "metadata/1.snapshot.json", "metadata/1.targets.json"}));
  EXPECT_EQ(*t.host.list("/cache"), (std::vector<std::string>{"root.json", "snapshot.json", "targets.json", "timestamp.json"}));
  EXPECT_EQ(*t.client.stored("targets"), *t.server.read("/tree/metadata/1.targets.json", 1u << 20));
}

// Specification 5.5.1, 5.6.1.
TEST(Refresh, DoesNotAskAgainForWhatIsStoredAndCurrent) {
  Tree t;
  ASSERT_TRUE(t.client.refresh(t.now));
  t.transport.requests.clear();
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(t.transport.requests, (std::vector<std::string>{"metadata/2.root.json", "metadata/timestamp.json"}));
}

TEST(Refresh, BringsContentThroughItsDelegation) {  // 5.6.7, 5.7
  Tree t;
  ASSERT_TRUE(t.publish_content({{"content/r1/a.channel", bytes("abc"), Json::object({{"type", "x"}})}}));
  ASSERT_TRUE(t.client.refresh(t.now));
  const auto info = t.client.target("content/r1/a.channel");
  ASSERT_TRUE(info) << info.error().detail;
  EXPECT_EQ(info->role, "content");
  EXPECT_EQ(*info->file.custom->find("type"), Json("x"));
  EXPECT_EQ(info->fetched_as, "targets/content/r1/ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad.a.channel");
  EXPECT_EQ(*t.client.download(*info), bytes("abc"));
  EXPECT_EQ(t.stored_version("content"), 1);
}

TEST(Refresh, NeedsARootAndMakesNoRequestWithout) {  // 5.2
  Tree t;
  Client other(t.transport, t.host, "/empty");
  EXPECT_EQ(code(other.refresh(t.now)), ErrorCode::kNotFound);
  EXPECT_TRUE(t.transport.requests.empty());
}

TEST(Init, RefusesARootThatIsNotSignedByItselfAndKeepsTheFirstOne) {
  Tree t;
  Client other(t.transport, t.host, "/other");
  const Json unsigned_root = make_root(1, t.now, t.roles({t.root1.public_key(), t.root2.public_key()}, 2));
  EXPECT_EQ(code(other.init(t.signed_by(unsigned_root, {&t.root1}))), ErrorCode::kDenied);
  EXPECT_EQ(code(other.init(bytes("{}"))), ErrorCode::kInvalid);
  const Bytes first = *t.client.stored("root");
  ASSERT_TRUE(t.client.init(t.root_bytes(1, t.now)));
  EXPECT_EQ(*t.client.stored("root"), first);
}

// --- 5.3 root

struct RootCase : ::testing::Test {
  Tree t;
  Json next(int64_t version, std::vector<PublicKey> keys, uint32_t threshold) { return make_root(version, t.now + std::chrono::days(30), t.roles(std::move(keys), threshold)); }
  void publish(int64_t version, const Json& json, std::vector<Signer*> signers) { t.put(std::to_string(version) + ".root", t.signed_by(json, std::move(signers))); }
};

// Specification 5.3.4.
TEST_F(RootCase, FollowsAChainSignedByOldAndNew) {
  publish(2, next(2, {t.root2.public_key(), t.root3.public_key()}, 2), {&t.root1, &t.root2, &t.root3});
  publish(3, next(3, {t.root3.public_key()}, 1), {&t.root2, &t.root3});
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(t.stored_version("root"), 3);
}

TEST_F(RootCase, RefusesARootThatTheOldKeysDidNotSign) {  // 5.3.4 (1)
  publish(2, next(2, {t.root2.public_key(), t.root3.public_key()}, 2), {&t.root2, &t.root3});
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
  EXPECT_EQ(t.stored_version("root"), 1);
}

TEST_F(RootCase, RefusesARootThatItsOwnKeysDidNotSign) {  // 5.3.4 (2)
  publish(2, next(2, {t.root2.public_key(), t.root3.public_key()}, 2), {&t.root1, &t.root2});
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
}

TEST_F(RootCase, RefusesASkippedAndARepeatedVersion) {  // 5.3.5: exactly N+1
  publish(2, next(3, {t.root1.public_key(), t.root2.public_key()}, 2), {&t.root1, &t.root2});
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
  publish(2, next(1, {t.root1.public_key(), t.root2.public_key()}, 2), {&t.root1, &t.root2});
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
}

TEST_F(RootCase, StoresAnExpiredRootAndThenStops) {  // 5.3.8 before 5.3.10
  publish(2, make_root(2, t.now, t.roles({t.root1.public_key(), t.root2.public_key()}, 2)), {&t.root1, &t.root2});
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kExpired);
  EXPECT_EQ(t.stored_version("root"), 2);
  EXPECT_EQ(t.transport.requests.back(), "metadata/3.root.json");
}

TEST_F(RootCase, AnIntermediateRootMayBeExpired) {  // 5.3.6
  publish(2, make_root(2, t.now, t.roles({t.root1.public_key(), t.root2.public_key()}, 2)), {&t.root1, &t.root2});
  publish(3, next(3, {t.root1.public_key(), t.root2.public_key()}, 2), {&t.root1, &t.root2});
  EXPECT_TRUE(t.client.refresh(t.now));
}

TEST_F(RootCase, StopsAfterTheLimitOfRotations) {  // 5.3.3, Y
  for (int64_t v = 2; v <= 6; ++v) publish(v, next(v, {t.root1.public_key(), t.root2.public_key()}, 2), {&t.root1, &t.root2});
  ClientOptions options;
  options.root_rotations_max = 3;
  Client limited(t.transport, t.host, "/cache", options);
  ASSERT_TRUE(limited.refresh(t.now));
  EXPECT_EQ(t.stored_version("root"), 4);
}

// Specification 5.3.3.
TEST_F(RootCase, AnErrorThatIsNotNotFoundStopsTheRefresh) {
  t.transport.instead["metadata/2.root.json"] = fail(ErrorCode::kUnavailable, "cut");
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kUnavailable);
}

TEST_F(RootCase, OneSignerTwiceIsOneSigner) {  // 4.2: a threshold counts different keys
  const Json json = next(2, {t.root1.public_key(), t.root2.public_key()}, 2);
  Bytes signed_once = t.signed_by(json, {&t.root1});
  Json envelope = *parse_json(signed_once);
  Json again = envelope.find("signatures")->elements()[0];
  Json list = *envelope.find("signatures");
  list.push(again);
  envelope.set("signatures", list);
  t.put("2.root", bytes(to_json(envelope)));
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kInvalid);  // the same key id twice
  EXPECT_EQ(t.stored_version("root"), 1);
}

// Specification 4.2, KEYID; 5.3.4.
TEST_F(RootCase, OneKeyUnderTwoNamesIsOneKey) {
  Json root = next(2, {t.root1.public_key(), t.root2.public_key()}, 2);
  // root1 once more under a second name, by an unknown member in the key object.
  Json twin = t.root1.public_key().json();
  twin.set("note", "twin");
  Json keys = *root.find("keys");
  keys.set("twin", twin);
  root.set("keys", keys);
  Json roles = *root.find("roles");
  roles.set("root", Json::object({{"keyids", Json::array({t.root1.public_key().id(), "twin"})}, {"threshold", 2}}));
  root.set("roles", roles);
  Envelope envelope = *Envelope::of(root);
  const Bytes sig = *t.root1.sign(envelope.canonical);
  envelope.signatures = {{t.root1.public_key().id(), sig}, {"twin", sig}, {t.root2.public_key().id(), *t.root2.sign(envelope.canonical)}};
  t.put("2.root", envelope.to_bytes());
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
}

// Specification 5.3.4.
TEST_F(RootCase, ABadSignatureBesideEnoughGoodOnesDoesNoHarm) {
  Envelope envelope = *Envelope::of(next(2, {t.root1.public_key(), t.root2.public_key(), t.root3.public_key()}, 2));
  envelope.signatures = {{t.root3.public_key().id(), Bytes(64, 1)}, {"stranger", Bytes(64, 2)}, {t.root1.public_key().id(), *t.root1.sign(envelope.canonical)},
                         {t.root2.public_key().id(), *t.root2.sign(envelope.canonical)}};
  t.put("2.root", envelope.to_bytes());
  EXPECT_TRUE(t.client.refresh(t.now));
}

// Specification 4.3, THRESHOLD.
TEST_F(RootCase, AThresholdBelowOneIsRefused) {
  Json root = next(2, {t.root1.public_key(), t.root2.public_key()}, 2);
  for (const int64_t threshold : {int64_t{0}, int64_t{-1}}) {
    Json roles = *root.find("roles");
    roles.set("timestamp", Json::object({{"keyids", Json::array({t.timestamp.public_key().id()})}, {"threshold", threshold}}));
    root.set("roles", roles);
    publish(2, root, {&t.root1, &t.root2});
    EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kInvalid) << threshold;
  }
}

// Specification 4.1.
TEST_F(RootCase, UnknownMembersAreCoveredByTheSignature) {  // section 4
  Json root = next(2, {t.root1.public_key(), t.root2.public_key()}, 2);
  root.set("custom-field", Json::object({{"a", 1}, {"ü", "\t"}}));
  publish(2, root, {&t.root1, &t.root2});
  EXPECT_TRUE(t.client.refresh(t.now));
}

TEST_F(RootCase, TakenOnlineKeysAreForgottenWithTheirVersions) {  // 5.3.11: fast-forward recovery
  Tree& f = t;
  f.put_snapshot(1'000'000, 1'000'000, f.published_meta());
  ASSERT_TRUE(f.client.refresh(f.now));
  EXPECT_EQ(f.stored_version("timestamp"), 1'000'000);
  KeyPair snapshot2 = key(40);
  KeyPair timestamp2 = key(41);
  auto roles = f.roles({f.root1.public_key(), f.root2.public_key()}, 2);
  roles["snapshot"] = {{snapshot2.public_key()}, 1};
  roles["timestamp"] = {{timestamp2.public_key()}, 1};
  const Bytes root = f.signed_by(make_root(2, f.now + std::chrono::days(30), roles), {&f.root1, &f.root2});
  ASSERT_TRUE(f.repository.publish_root(root, {snapshot2, timestamp2}, f.now));
  ASSERT_TRUE(f.client.refresh(f.now));
  EXPECT_EQ(f.stored_version("timestamp"), 2);
  EXPECT_EQ(f.stored_version("snapshot"), 2);
}

TEST_F(RootCase, AKeyThatIsOnlyAddedDoesNotLowerTheBar) {
  ASSERT_TRUE(t.publish_rollout("1"));
  ASSERT_TRUE(t.client.refresh(t.now));
  const Bytes old_timestamp = t.signed_by(make_timestamp(1, t.now + std::chrono::days(1), {1, std::nullopt, {}}), {&t.timestamp});
  auto roles = t.roles({t.root1.public_key(), t.root2.public_key()}, 2);
  roles["timestamp"].keys.push_back(key(41).public_key());
  publish(2, make_root(2, t.now + std::chrono::days(30), roles), {&t.root1, &t.root2});
  t.put("timestamp", old_timestamp);
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
}

// --- 5.4 timestamp

TEST(TimestampStep, RefusesAWrongSignature) {  // 5.4.2
  Tree t;
  t.put("timestamp", t.signed_by(make_timestamp(2, t.now + std::chrono::days(1), {1, std::nullopt, {}}), {&t.snapshot}));
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
  EXPECT_EQ(t.stored_version("timestamp"), 0);
}

TEST(TimestampStep, RefusesToGoBack) {  // 5.4.3.1
  Tree t;
  const Bytes old = *t.server.read("/tree/metadata/timestamp.json", 1u << 20);
  ASSERT_TRUE(t.publish_rollout("1"));
  ASSERT_TRUE(t.client.refresh(t.now));
  t.put("timestamp", old);
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
  EXPECT_EQ(t.stored_version("timestamp"), 2);
}

TEST(TimestampStep, RefusesASnapshotVersionThatGoesBack) {  // 5.4.3.2
  Tree t;
  ASSERT_TRUE(t.publish_rollout("1"));
  ASSERT_TRUE(t.client.refresh(t.now));
  t.put("timestamp", t.signed_by(make_timestamp(9, t.now + std::chrono::days(1), {1, std::nullopt, {}}), {&t.timestamp}));
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
  EXPECT_EQ(t.stored_version("timestamp"), 2);
}

TEST(TimestampStep, KeepsTheStoredOneWhenTheVersionIsEqual) {  // 5.4.3.1, "discard"
  Tree t;
  ASSERT_TRUE(t.client.refresh(t.now));
  const Bytes stored = *t.client.stored("timestamp");
  t.put("timestamp", t.signed_by(make_timestamp(1, t.now + std::chrono::days(1), {100, std::nullopt, {}}), {&t.timestamp}));
  EXPECT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(*t.client.stored("timestamp"), stored);
}

TEST(TimestampStep, RefusesAnExpiredOneAndDoesNotStoreIt) {  // 5.4.4: freeze
  Tree t;
  EXPECT_EQ(code(t.client.refresh(t.now + std::chrono::days(2))), ErrorCode::kExpired);
  EXPECT_EQ(t.stored_version("timestamp"), 0);
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(code(t.client.refresh(t.now + std::chrono::days(2))), ErrorCode::kExpired);  // a frozen mirror
  EXPECT_FALSE(t.client.target("rollout/plan.json"));
}

TEST(TimestampStep, AnExpiredStoredOneIsStillTheBarForRollbacks) {
  Tree t;
  const Bytes old = *t.server.read("/tree/metadata/timestamp.json", 1u << 20);
  ASSERT_TRUE(t.publish_rollout("1"));
  ASSERT_TRUE(t.client.refresh(t.now));
  const WallTime later = t.now + std::chrono::days(2);
  t.put("timestamp", t.signed_by(make_timestamp(1, later + std::chrono::days(1), {1, std::nullopt, {}}), {&t.timestamp}));
  EXPECT_EQ(code(t.client.refresh(later)), ErrorCode::kDenied);
  t.now = later;
  ASSERT_TRUE(t.publish_rollout("2"));
  EXPECT_TRUE(t.client.refresh(later));
}

// --- 5.5 snapshot

TEST(SnapshotStep, RefusesAnotherHashOrLength) {  // 5.5.2: mix-and-match
  Tree t;
  const Bytes real = *t.server.read("/tree/metadata/1.snapshot.json", 1u << 20);
  Bytes padded = real;
  padded.push_back('\n');
  t.put("1.snapshot", padded);
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kTooLarge);
  t.put("1.snapshot", t.signed_by(make_snapshot(1, t.now + std::chrono::days(8), t.published_meta()), {&t.snapshot}));
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
  EXPECT_EQ(t.stored_version("timestamp"), 1);  // was right by itself
  EXPECT_EQ(t.stored_version("snapshot"), 0);
}

TEST(SnapshotStep, RefusesAWrongSignature) {  // 5.5.3
  Tree t;
  const Bytes forged = t.signed_by(make_snapshot(2, t.now + std::chrono::days(8), t.published_meta()), {&t.timestamp});
  t.put("2.snapshot", forged);
  t.put("timestamp", t.signed_by(make_timestamp(2, t.now + std::chrono::days(1), meta_of(forged, 2)), {&t.timestamp}));
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
  EXPECT_EQ(t.stored_version("snapshot"), 0);
}

TEST(SnapshotStep, RefusesAnotherVersionThanTheTimestampNames) {  // 5.5.4
  Tree t;
  const Bytes other = t.signed_by(make_snapshot(3, t.now + std::chrono::days(8), t.published_meta()), {&t.snapshot});
  t.put("2.snapshot", other);
  t.put("timestamp", t.signed_by(make_timestamp(2, t.now + std::chrono::days(1), meta_of(other, 2)), {&t.timestamp}));
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
}

TEST(SnapshotStep, RefusesARoleThatGoesBackOrVanishes) {  // 5.5.5
  Tree t;
  ASSERT_TRUE(t.publish_rollout("1"));
  ASSERT_TRUE(t.publish_rollout("2"));
  ASSERT_TRUE(t.client.refresh(t.now));
  auto meta = t.published_meta();
  meta["rollout.json"].version = 1;
  t.put_snapshot(50, 50, meta);
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
  meta.erase("rollout.json");
  t.put_snapshot(51, 51, meta);
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
  EXPECT_EQ(t.stored_version("snapshot"), 3);
}

// Specification 5.5.5.
TEST(SnapshotStep, TheBarHoldsAlsoWhenTheStoredSnapshotHasExpired) {
  Tree t;
  ASSERT_TRUE(t.publish_rollout("1"));
  ASSERT_TRUE(t.publish_rollout("2"));
  ASSERT_TRUE(t.client.refresh(t.now));
  auto meta = t.published_meta();
  t.now += std::chrono::days(10);
  meta["rollout.json"].version = 1;
  t.put_snapshot(50, 50, meta);
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
}

TEST(SnapshotStep, RefusesAnExpiredOne) {  // 5.5.6
  Tree t;
  t.put_snapshot(2, 2, t.published_meta(), true, t.now);
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kExpired);
  EXPECT_EQ(t.stored_version("snapshot"), 0);
}

// --- 5.6 targets

TEST(TargetsStep, RefusesAnotherHash) {  // 5.6.2
  Tree t;
  t.put("1.targets", t.signed_by(make_targets(1, t.now + std::chrono::days(300), t.delegations()), {&t.targets}));
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kDenied);
}

TEST(TargetsStep, RefusesAWrongSignatureVersionAndExpiry) {  // 5.6.3, 5.6.4, 5.6.5
  Tree t;
  int64_t n = 10;
  const auto serve = [&](int64_t version, WallTime expires, Signer& signer) {
    const Bytes targets = t.signed_by(make_targets(version, expires, t.delegations()), {&signer});
    t.put("5.targets", targets);
    ++n;
    t.put_snapshot(n, n, {{"targets.json", MetaFile{5, std::nullopt, {}}}}, false);
    return code(t.client.refresh(t.now));
  };
  EXPECT_EQ(serve(5, t.now + std::chrono::days(1), t.snapshot), ErrorCode::kDenied);
  EXPECT_EQ(serve(6, t.now + std::chrono::days(1), t.targets), ErrorCode::kDenied);
  EXPECT_EQ(serve(4, t.now + std::chrono::days(1), t.targets), ErrorCode::kDenied);
  EXPECT_EQ(serve(5, t.now, t.targets), ErrorCode::kExpired);
  EXPECT_EQ(t.stored_version("targets"), 0);
  EXPECT_EQ(serve(5, t.now + std::chrono::days(1), t.targets), ErrorCode::kUnsupported);  // and the right one is taken
}

TEST(TargetsStep, RefusesMetadataOfAnotherRole) {
  Tree t;
  t.put("5.targets", t.signed_by(make_timestamp(5, t.now + std::chrono::days(1), {1, std::nullopt, {}}), {&t.targets}));
  t.put_snapshot(10, 10, {{"targets.json", MetaFile{5, std::nullopt, {}}}});
  EXPECT_EQ(code(t.client.refresh(t.now)), ErrorCode::kInvalid);
}

// --- 5.7 download

TEST(Download, RefusesWrongBytesAndMoreBytes) {
  Tree t;
  ASSERT_TRUE(t.publish_content({{"content/r1/a.channel", bytes("abc"), std::nullopt}}));
  ASSERT_TRUE(t.client.refresh(t.now));
  const TargetInfo info = *t.client.target("content/r1/a.channel");
  t.transport.instead[info.fetched_as] = bytes("abd");
  EXPECT_EQ(code_of(t.client.download(info)), ErrorCode::kDenied);
  t.transport.instead[info.fetched_as] = bytes("ab");
  EXPECT_EQ(code_of(t.client.download(info)), ErrorCode::kDenied);
  t.transport.instead[info.fetched_as] = bytes("abcd");
  EXPECT_EQ(code_of(t.client.download(info)), ErrorCode::kTooLarge);
  EXPECT_EQ(code_of(t.client.target("content/r1/none")), ErrorCode::kNotFound);
}

// Specification 5.6.3.
TEST(RoleKeysOf, AreThoseOfTheDelegation) {
  Tree t;
  EXPECT_EQ(t.client.role_keys("rollout"), nullptr);
  ASSERT_TRUE(t.client.refresh(t.now));
  ASSERT_NE(t.client.role_keys("rollout"), nullptr);
  const Bytes grant = t.signed_by(Json::object({{"_type", "grant"}}), {&t.rollout});
  EXPECT_TRUE(open_document(grant, *t.client.role_keys("rollout"), "grant"));
  EXPECT_EQ(code_of(open_document(t.signed_by(Json::object({{"_type", "grant"}}), {&t.policy}), *t.client.role_keys("rollout"), "grant")), ErrorCode::kDenied);
}

TEST(RefreshOffline, GivesWhatIsStoredWithoutARequest) {
  Tree t;
  ASSERT_TRUE(t.publish_rollout("1"));
  ASSERT_TRUE(t.client.refresh(t.now));
  ASSERT_TRUE(t.client.target("rollout/plan.json"));
  t.transport.requests.clear();
  Client again(t.transport, t.host, "/cache");
  ASSERT_TRUE(again.refresh_offline(t.now));
  EXPECT_TRUE(again.target("rollout/plan.json"));
  EXPECT_TRUE(t.transport.requests.empty());
  EXPECT_EQ(code(again.refresh_offline(t.now + std::chrono::days(3))), ErrorCode::kExpired);
}

TEST(Mirror, OfWhatTheUpdaterFetchedGivesAdmitTheSameResult) {
  Tree t;
  ASSERT_TRUE(t.publish_content({{"content/r1/a.channel", bytes("abc"), std::nullopt}}));
  ASSERT_TRUE(t.publish_rollout("plan 1"));
  RecordingTransport recording(t.transport, t.host, "/mirror");
  Client updater(recording, t.host, "/updater");
  const Bytes root = *t.client.stored("root");
  ASSERT_TRUE(updater.init(root));
  DirectoryTransport mirror(t.host, "/mirror");
  Client admit(mirror, t.host, "/admit");
  ASSERT_TRUE(admit.init(root));
  const auto both = [&](const std::string& path) {
    ASSERT_TRUE(updater.refresh(t.now));
    const auto fetched = updater.download(*updater.target(path));
    ASSERT_TRUE(fetched);
    ASSERT_TRUE(admit.refresh(t.now));
    EXPECT_EQ(*admit.download(*admit.target(path)), *fetched);
  };
  both("content/r1/a.channel");
  ASSERT_TRUE(t.publish_rollout("plan 2"));
  both("rollout/plan.json");
  ASSERT_TRUE(t.repository.publish_root(t.signed_by(make_root(2, t.now + std::chrono::days(30), t.roles({t.root3.public_key()}, 1)), {&t.root1, &t.root2, &t.root3}), t.online(), t.now));
  both("rollout/plan.json");
  // What nobody will ask for again goes; what is left still serves admit.
  const auto mirrored = [&] { return std::ranges::count_if(t.host.files(), [](const auto& file) { return file.first.starts_with("/mirror/"); }); };
  const auto before = mirrored();
  ASSERT_TRUE(recording.prune(*updater.trusted()));
  EXPECT_LT(mirrored(), before);
  both("rollout/plan.json");
  Client late(mirror, t.host, "/late");
  ASSERT_TRUE(late.init(root));
  ASSERT_TRUE(late.refresh(t.now)) << late.refresh(t.now).error().detail;
  EXPECT_EQ(as_text(*late.download(*late.target("rollout/plan.json"))), "plan 2");
  // A taken updater cannot make admit take anything else.
  ASSERT_TRUE(t.host.write_atomic("/mirror/metadata/timestamp.json", t.signed_by(make_timestamp(99, t.now + std::chrono::days(1), {1, std::nullopt, {}}), {&t.rollout}), 0644));
  EXPECT_EQ(code(admit.refresh(t.now)), ErrorCode::kDenied);
}

}  // namespace
}  // namespace creance::trust::testing
