// creance-tuf-client as a program against a web server: what the public conformance suites of The Update Framework look at, and what other clients got wrong. Each test names the section of
// the specification (1.0.34) that it is about. The rules themselves are tried closer in workflow_test.cpp and delegation_test.cpp.
// Sections are those of The Update Framework specification 1.0.34; a test without one checks what the specification leaves to the implementation.
#include <algorithm>
#include <set>

#include "trust/simulated_repository.hpp"

namespace creance::trust::testing {
namespace {

using std::chrono::days;
WallTime past(int n) { return os::RealClock().wall() - days(n); }

// Refreshed once, everything at version 1.
struct Ready : Site {
  Ready() {
    EXPECT_EQ(init(), 0);
    EXPECT_TRUE(asked.empty());  // init makes no request
    EXPECT_EQ(refresh(), 0) << said;
  }
};

TEST(Conformance, RequestsComeInTheOrderOfTheWorkflow) {  // 5.3 to 5.6
  Ready site;
  EXPECT_EQ(site.asked, (Names{"2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"}));
  EXPECT_EQ(site.stored(), (Names{"root.json", "snapshot.json", "targets.json", "timestamp.json"}));
  EXPECT_EQ(site.refresh(), 0);
  EXPECT_EQ(site.asked, (Names{"2.root.json", "timestamp.json"}));  // what is stored and still named is not asked for again
}

TEST(Conformance, DownloadRefreshesByItselfAlsoWhenThereIsNoSuchTarget) {  // 5.6.7, 5.7.2
  Site site;
  ASSERT_EQ(site.init(), 0);
  EXPECT_EQ(site.download({"no such file"}), 1);
  EXPECT_EQ(site.asked, (Names{"2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json"}));
  EXPECT_EQ(site.stored_version("targets"), 1);
}

TEST(Conformance, WithoutAGoodFirstRootNothingIsAskedFor) {  // 5.2
  for (const bool unsigned_root : {false, true}) {
    Site site;
    site.repo.bend("root", [&](Json& root) {
      if (!unsigned_root) {
        Json part = *root.find("signed");
        part.remove("version");
        root.set("signed", part);
      } else {
        root.set("signatures", Json::array({Json::object({{"keyid", root.find("signatures")->elements()[0].find("keyid")->string()}, {"sig", std::string(128, 'a')}})}));
      }
    });
    EXPECT_EQ(site.init(), 1);
    EXPECT_EQ(site.refresh(), 1);
    EXPECT_TRUE(site.asked.empty());
  }
}

TEST(Conformance, MetadataIsStoredAsItWasSent) {  // 5.3.8, 5.4.5, 5.5.7, 5.6.6
  Site site;
  for (const char* role : {"root", "timestamp", "snapshot", "targets"}) {
    const std::string text = to_json_pretty(*parse_json(site.repo.published[role][0]));
    site.repo.published[role][0] = to_bytes(" \n" + text + "\t ");
  }
  ASSERT_EQ(site.init(), 0);
  ASSERT_EQ(site.refresh(), 0) << site.said;
  for (const char* role : {"root", "timestamp", "snapshot", "targets"}) EXPECT_EQ(site.stored_bytes(role), site.repo.published[role][0]) << role;
}

// Specification 4.1: members that are not known are kept, and signed.
TEST(Conformance, UnknownMembersAreCoveredBySignatures) {  // 4
  Ready site;
  site.repo.more_in_root.set("further", Json::object({{"z", Json::array({1, "ü", true, Json()})}, {"a", "line\nbreak \\ \" \x7f"}}));
  Json keys = Json::object();
  for (const auto& [id, key] : site.repo.root_keys.members()) {
    Json with_more = key;
    with_more.set("keyid_hash_algorithms", Json::array({"md5"}));
    keys.set(id, with_more);
  }
  site.repo.root_keys = keys;
  site.repo.publish({"root"});
  EXPECT_EQ(site.refresh(), 0) << site.said;
  EXPECT_EQ(site.stored_version("root"), 2);
}

TEST(Conformance, ATimestampOfTheSameVersionIsDiscarded) {  // 5.4.3.1
  Ready site;
  const Bytes stored = site.stored_bytes("timestamp");
  site.repo.timestamp_meta.set("version", 100);
  site.repo.published["timestamp"].back() = site.repo.sign("timestamp", site.repo.make("timestamp"));
  EXPECT_EQ(site.refresh(), 0);
  EXPECT_EQ(site.stored_bytes("timestamp"), stored);
}

TEST(Conformance, SnapshotAndTargetsMustBeThoseThatAreNamed) {  // 5.5.2, 5.5.4, 5.6.2, 5.6.4
  {
    Ready site;
    site.repo.publish({"snapshot", "timestamp"});
    site.repo.published["snapshot"].back() = site.repo.published["snapshot"].front();  // version 1 where 2 is named
    EXPECT_EQ(site.refresh(), 1);
    EXPECT_EQ(site.stored_version("snapshot"), 1);
    EXPECT_EQ(site.stored_version("timestamp"), 2);
  }
  {
    Ready site;
    site.repo.hashes = true;
    site.repo.publish({"targets", "snapshot", "timestamp"});
    ASSERT_EQ(site.refresh(), 0);
    site.repo.publish({"targets", "snapshot", "timestamp"});
    site.repo.published["targets"].back().push_back(' ');
    EXPECT_EQ(site.refresh(), 1);
    EXPECT_EQ(site.stored_version("targets"), 2);
    site.repo.published["targets"].back().pop_back();
    EXPECT_EQ(site.refresh(), 0);  // an error leaves nothing behind that bars the way
    EXPECT_EQ(site.stored_version("targets"), 3);
  }
}

// --- keys and thresholds (4.2, 5.3.4, 6.1)

struct RootVersion {
  std::vector<int> keys;
  int64_t threshold;
  std::vector<int> signed_by;
};
struct RootCase {
  const char* name;
  std::vector<RootVersion> versions;
  bool accepted;  // the last one
};
std::ostream& operator<<(std::ostream& out, const RootCase& c) { return out << c.name; }
class RootChain : public ::testing::TestWithParam<RootCase> {};

// Specification 5.3.2 to 5.3.9.
TEST_P(RootChain, IsFollowedAsFarAsItIsSigned) {
  Site site;
  site.repo.start_again("root");
  for (const RootVersion& v : GetParam().versions) {
    site.repo.roles["root"] = {{}, v.threshold};
    site.repo.signers["root"].clear();
    for (const int k : v.keys) site.repo.add_key("root", seeded(100 + k));
    site.repo.signers["root"].clear();
    for (const int k : v.signed_by) site.repo.signers["root"].push_back(seeded(100 + k));
    site.repo.publish({"root"});
  }
  ASSERT_EQ(site.init(), 0) << site.said;
  EXPECT_EQ(site.refresh(), GetParam().accepted ? 0 : 1) << site.said;
  const auto& all = site.repo.published["root"];
  EXPECT_EQ(site.stored_bytes("root"), all[all.size() - (GetParam().accepted ? 1 : 2)]);
}

INSTANTIATE_TEST_SUITE_P(Conformance, RootChain,
                         ::testing::Values(RootCase{"one_key_rotated", {{{1}, 1, {1}}, {{2}, 1, {2, 1}}, {{2}, 1, {2}}}, true},
                                           RootCase{"strangers_sign_too", {{{1}, 1, {3, 1, 4}}, {{2}, 1, {3, 2, 1, 4}}, {{2}, 1, {3, 2, 4}}}, true},
                                           RootCase{"any_three_of_five", {{{0, 1, 2, 3, 4}, 3, {0, 2, 4}}, {{0, 1, 2, 3, 4}, 3, {0, 4, 1}}, {{0, 1, 2, 3, 4}, 3, {0, 1, 3}}}, true},
                                           RootCase{"one_of_five_rotated", {{{0, 1, 2, 3, 4}, 3, {0, 2, 4}}, {{0, 1, 3, 4, 5}, 3, {0, 4, 1}}}, true},
                                           RootCase{"one_of_five_rotated_with_a_step", {{{0, 1, 2, 3, 4}, 3, {0, 2, 4}}, {{0, 1, 3, 4, 5}, 3, {0, 2, 4, 5}}, {{0, 1, 3, 4, 5}, 3, {0, 4, 5}}}, true},
                                           RootCase{"all_rotated", {{{0, 1, 2, 3, 4}, 3, {0, 2, 4}}, {{5, 6, 7, 8, 9}, 3, {0, 2, 4, 5, 6, 7}}, {{5, 6, 7, 8, 9}, 3, {5, 6, 7}}}, true},
                                           RootCase{"threshold_up", {{{1, 2, 3}, 1, {1}}, {{1, 2, 3}, 2, {1, 2}}}, true},
                                           RootCase{"threshold_down", {{{1, 2, 3}, 2, {1, 2}}, {{1, 2, 3}, 1, {1, 2}}, {{1, 2, 3}, 1, {1}}}, true},
                                           RootCase{"second_key_and_threshold", {{{1}, 1, {1}}, {{1, 2}, 2, {1, 2}}}, true},
                                           RootCase{"old_key_missing", {{{1}, 1, {1}}, {{2}, 1, {2, 3, 4}}}, false}, RootCase{"new_key_missing", {{{1}, 1, {1}}, {{2}, 1, {1, 3, 4}}}, false},
                                           RootCase{"new_threshold_missed", {{{0, 1, 2, 3, 4}, 3, {0, 2, 4}}, {{0, 1, 3, 4, 5}, 3, {0, 2, 4}}}, false},
                                           RootCase{"old_threshold_missed", {{{0, 1, 2, 3, 4}, 3, {0, 2, 4}}, {{0, 1, 3, 4, 5}, 3, {0, 4, 5}}}, false},
                                           RootCase{"raised_threshold_missed", {{{1, 2, 3}, 1, {1}}, {{1, 2, 3}, 2, {2}}}, false},
                                           RootCase{"lowered_threshold_does_not_count_yet", {{{1, 2, 3}, 2, {1, 2}}, {{1, 2, 3}, 1, {1}}}, false}),
                         [](const auto& c) { return std::string(c.param.name); });

struct RoleCase {
  const char* name;
  RootVersion version;
  bool accepted;
};
std::ostream& operator<<(std::ostream& out, const RoleCase& c) { return out << c.name; }
class RoleThreshold : public ::testing::TestWithParam<RoleCase> {};

TEST_P(RoleThreshold, CountsTheKeysThatTheRootNames) {  // 5.4.2, 5.5.3, 5.6.3
  Ready site;
  for (const char* role : {"timestamp", "snapshot", "targets"}) {
    site.repo.roles[role] = {{}, GetParam().version.threshold};
    for (const int k : GetParam().version.keys) site.repo.add_key(role, seeded(100 + k));
    site.repo.signers[role].clear();
    for (const int k : GetParam().version.signed_by) site.repo.signers[role].push_back(seeded(100 + k));
    site.repo.publish(Names{"root", "targets", "snapshot", "timestamp"});
    EXPECT_EQ(site.refresh(), GetParam().accepted ? 0 : 1) << role << ": " << site.said;
    if (!GetParam().accepted) break;
    EXPECT_EQ(site.stored_bytes(role), site.repo.published[role].back());
  }
}

INSTANTIATE_TEST_SUITE_P(Conformance, RoleThreshold,
                         ::testing::Values(RoleCase{"rotated", {{2}, 1, {2}}, true}, RoleCase{"strangers_sign_too", {{1}, 1, {3, 1, 4}}, true}, RoleCase{"new_key_missing", {{2}, 1, {1, 3, 4}}, false},
                                           RoleCase{"one_is_a_stranger", {{0, 1, 3, 4, 5}, 3, {0, 2, 4}}, false}, RoleCase{"two_of_three", {{0, 1, 3, 4, 5}, 3, {0, 4}}, false},
                                           RoleCase{"three_of_five", {{0, 1, 2, 3, 4}, 3, {0, 2, 4}}, true}, RoleCase{"another_three_of_five", {{0, 1, 2, 3, 4}, 3, {4, 3, 1}}, true}),
                         [](const auto& c) { return std::string(c.param.name); });

TEST(Conformance, MoreSignaturesThanThereAreKeysCannotBeHad) {  // 4.2: the threshold is above the number of keys
  Ready site;
  for (int i = 0; i < 4; ++i) site.repo.add_key("snapshot", seeded(60 + i));
  site.repo.roles["snapshot"].threshold = 6;
  site.repo.publish({"root", "snapshot", "timestamp"});
  EXPECT_EQ(site.refresh(), 1);
  EXPECT_EQ(site.stored_version("root"), 2);
  EXPECT_EQ(site.stored_version("snapshot"), 1);
}

TEST(Conformance, OneKeyManyTimesIsOneKey) {  // 4.2
  {
    Site site;
    ASSERT_EQ(site.init(), 0);
    const Key key = seeded(60);
    for (int i = 0; i < 9; ++i) site.repo.add_key("snapshot", key);
    site.repo.signers["snapshot"] = {site.repo.signers["snapshot"][0], key};
    site.repo.roles["snapshot"].threshold = 6;
    site.repo.publish({"root", "snapshot", "timestamp"});
    site.repo.bend("snapshot", [&](Json& envelope) {
      Json list = *envelope.find("signatures");
      for (int i = 0; i < 8; ++i) list.push(list.elements().back());
      envelope.set("signatures", list);
    });
    EXPECT_EQ(site.refresh(), 1);
    EXPECT_EQ(site.stored_version("snapshot"), 0);
  }
  {
    Site site;  // a second signature with the same key id, though one is enough
    ASSERT_EQ(site.init(), 0);
    site.repo.bend("snapshot", [](Json& envelope) {
      Json list = *envelope.find("signatures");
      list.push(list.elements()[0]);
      envelope.set("signatures", list);
    });
    EXPECT_EQ(site.refresh(), 1);
    EXPECT_EQ(site.stored_version("snapshot"), 0);
  }
}

TEST(Conformance, EveryKeyTypeCountsAndItsWrongSignatureDoesNot) {  // 4.2
  const std::pair<Key, size_t> kinds[] = {{std::make_shared<KeyPair>(*KeyPair::generate_rsa(2048)), 512}, {std::make_shared<KeyPair>(*KeyPair::generate_ecdsa_p256()), 0}, {seeded(60), 128}};
  for (const auto& [key, digits] : kinds) {
    Ready site;
    site.repo.add_key("root", key);
    site.repo.roles["root"].threshold = 2;
    site.repo.publish({"root"});
    EXPECT_EQ(site.refresh(), 0) << site.said;
    ASSERT_EQ(site.stored_version("root"), 2);
    const std::string earlier = to_hex(*key->sign(to_bytes("something else")));  // well formed, of other bytes
    site.repo.publish({"root"});
    site.repo.bend("root", [&, id = key->public_key().id()](Json& envelope) {
      Json list = Json::array();
      for (const Json& entry : envelope.find("signatures")->elements()) list.push(entry.find("keyid")->string() == id ? Json::object({{"keyid", id}, {"sig", earlier}}) : entry);
      envelope.set("signatures", list);
    });
    EXPECT_EQ(site.refresh(), 1);
    EXPECT_EQ(site.stored_version("root"), 2);
    if (digits != 0) {
      EXPECT_EQ(earlier.size(), digits);
    }
  }
}

TEST(Conformance, KeysAndSignaturesOfUnknownSchemesDoNoHarm) {  // 4.2: KEYVAL is the key type's business, and so is the length of a signature
  const Json foreign = *parse_json(as_bytes(R"({"keytype":"sigstore-oidc","scheme":"Fulcio","keyval":{"identity":"a","issuer":"b"},"x-more":[1]})"));
  Ready site;
  site.repo.root_keys.set("foreign", foreign);
  site.repo.root_keys.set("broken", *parse_json(as_bytes(R"({"keytype":"ed25519","scheme":"ed25519","keyval":{"identity":"a"}})")));
  for (const char* role : {"root", "timestamp"}) {
    site.repo.roles[role].keyids.push_back("foreign");
    site.repo.roles[role].keyids.push_back("broken");
  }
  site.repo.delegate("targets", "A");
  site.repo.documents["targets"].keys.set("foreign", foreign);
  site.repo.documents["targets"].delegations[0].role.keyids.push_back("foreign");
  site.repo.add_file("A", "file", "content");
  site.repo.publish({"root", "A", "targets", "snapshot"});
  const auto add = [](Json& envelope) {
    Json list = *envelope.find("signatures");
    list.push(Json::object({{"keyid", "foreign"}, {"sig", std::string(9'254, 'a')}}));  // ML-DSA-87 in hexadecimal
    list.push(Json::object({{"keyid", "unheard of"}, {"sig", "no hexadecimal " + std::string(20'000, 'z')}}));
    envelope.set("signatures", list);
  };
  for (const char* role : {"root", "A", "targets", "snapshot"}) site.repo.bend(role, add);
  site.repo.publish({"timestamp"});
  EXPECT_EQ(site.download({"file"}), 0) << site.said;
  EXPECT_EQ(site.stored_version("root"), 2);
  // It does not count either.
  site.repo.roles["timestamp"].threshold = 2;
  site.repo.publish({"root", "timestamp"});
  site.repo.bend("timestamp", [](Json& envelope) {
    Json list = *envelope.find("signatures");
    list.push(Json::object({{"keyid", "foreign"}, {"sig", std::string(128, 'a')}}));
    envelope.set("signatures", list);
  });
  EXPECT_EQ(site.refresh(), 1);
  EXPECT_NE(site.said.find("signed by 1 of the 2"), std::string::npos) << site.said;
}

// Specification 4.5, names of targets and roles; 4.1.
TEST(Conformance, ANameWithNulIsRefused) {  // 4: names go into addresses and file names
  for (const bool role : {false, true}) {
    Ready site;
    const std::string name("a\0b", 3);
    if (role) {
      site.repo.delegate("targets", name);
    } else {
      site.repo.add_file("targets", name, "content");
    }
    site.repo.publish({"targets", "snapshot", "timestamp"});
    EXPECT_EQ(site.refresh(), 1);
    EXPECT_NE(site.said.find("NUL"), std::string::npos) << site.said;
    EXPECT_EQ(site.stored_version("targets"), 1);
  }
}

TEST(Conformance, AWrongSignatureBesideEnoughGoodOnesDoesNoHarm) {  // 4.2
  Ready site;
  site.repo.add_key("timestamp", seeded(60));
  site.repo.publish({"root", "timestamp"});
  for (const std::string& wrong : {std::string(128, '0'), std::string(), std::string("no hexadecimal at all")}) {
    site.repo.bend("timestamp", [&](Json& envelope) {
      const auto& list = envelope.find("signatures")->elements();
      envelope.set("signatures", Json::array({Json::object({{"keyid", list[0].find("keyid")->string()}, {"sig", wrong}}), list[1]}));
    });
    EXPECT_EQ(site.refresh(), 0) << wrong << ": " << site.said;
    site.repo.publish({"timestamp"});
  }
}

// --- expiry (5.3.10, 5.4.4, 5.5.6, 5.6.5)

TEST(Conformance, AnExpiredRootIsStoredAndNothingAfterItIsAskedFor) {  // 5.3.8 before 5.3.10
  Ready site;
  site.repo.publish({"root"});
  site.repo.expires["root"] = past(1);
  site.repo.publish({"root", "targets", "snapshot", "timestamp"});
  EXPECT_EQ(site.refresh(), 1);
  EXPECT_EQ(site.stored_version("root"), 3);
  EXPECT_EQ(site.stored_version("timestamp"), 1);
  EXPECT_EQ(site.asked, (Names{"2.root.json", "3.root.json", "4.root.json"}));
  site.repo.expires.clear();
  site.repo.publish({"root"});
  EXPECT_EQ(site.refresh(), 0) << site.said;
}

// Specification 5.4.4, 5.5.6, 5.6.5.
TEST(Conformance, WhatHasExpiredIsNotStored) {
  for (const std::string role : {"timestamp", "snapshot", "targets"}) {
    Ready site;
    site.repo.expires[role] = past(5);
    site.repo.publish({"targets", "snapshot", "timestamp"});
    EXPECT_EQ(site.refresh(), 1) << role;
    EXPECT_EQ(site.stored_version(role), 1) << role;
  }
}

TEST(Conformance, ADelegatedRoleThatHasExpiredBringsNothing) {  // 5.6.7 with 5.6.5
  Site site;
  ASSERT_EQ(site.init(), 0);
  site.repo.delegate("targets", "team", {"team/*"});
  site.repo.add_file("team", "team/file", "content");
  site.repo.expires["team"] = past(1);
  site.repo.publish({"team", "targets", "snapshot", "timestamp"});
  EXPECT_EQ(site.refresh(), 0) << site.said;
  EXPECT_EQ(site.download({"team/file"}), 1);
  EXPECT_TRUE(site.downloaded().empty());
  EXPECT_EQ(site.stored(), (Names{"root.json", "snapshot.json", "targets.json", "timestamp.json"}));
}

// The system's clock is read through libc, so that libfaketime can move it.
struct FakedTime : ::testing::Test {
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "a sanitized program takes no other preloaded library";
#endif
    if (!fs::exists(Site::faketime())) GTEST_SKIP() << "libfaketime is not installed (package faketime)";
  }
};

TEST_F(FakedTime, ExpiredStoredMetadataIsStillTheBarAndTheNewIsTaken) {  // 5.1, 5.4.3, 5.4.4
  Site site;
  const WallTime now = os::RealClock().wall();
  site.repo.expires["timestamp"] = now + days(7);
  site.repo.publish({"timestamp"});
  ASSERT_EQ(site.init(), 0);
  ASSERT_EQ(site.refresh(), 0) << site.said;
  const Bytes old = site.repo.published["timestamp"].back();
  EXPECT_EQ(site.refresh(Site::after(18)), 1);  // frozen
  site.repo.expires["timestamp"] = now + days(21);
  site.repo.publish({"targets", "snapshot", "timestamp"});
  EXPECT_EQ(site.refresh(Site::after(18)), 0) << site.said;
  EXPECT_EQ(site.stored_version("targets"), 2);
  site.repo.published["timestamp"].back() = old;
  EXPECT_EQ(site.refresh(Site::after(22)), 1);
  EXPECT_EQ(site.stored_version("timestamp"), 3);
}

// Specification 5.1.
TEST_F(FakedTime, AClockThatWentBackTakesTheSameMetadata) {  // the sensor's own handling of clocks is docs/reference/sensor.md
  Ready site;
  site.repo.publish({"targets", "snapshot", "timestamp"});
  EXPECT_EQ(site.refresh("-3650d"), 0) << site.said;
  EXPECT_EQ(site.stored_version("timestamp"), 2);
  EXPECT_EQ(site.refresh(), 0);
}

TEST_F(FakedTime, AStoredDelegatedRoleStopsBeingUsedWhenItExpires) {  // 5.6.7 with 5.6.5
  Site site;
  ASSERT_EQ(site.init(), 0);
  site.repo.delegate("targets", "team", {"team/*"});
  site.repo.add_file("team", "team/first", "first");
  site.repo.add_file("team", "team/second", "second");
  site.repo.expires["team"] = os::RealClock().wall() + days(7);
  site.repo.publish({"team", "targets", "snapshot", "timestamp"});
  ASSERT_EQ(site.download({"team/first"}), 0) << site.said;
  EXPECT_EQ(site.download({"team/second"}, Site::after(18)), 1);
  EXPECT_EQ(site.downloaded().size(), 1u);
  site.repo.expires["team"] = os::RealClock().wall() + days(21);
  site.repo.publish({"team", "snapshot", "timestamp"});
  EXPECT_EQ(site.download({"team/second"}, Site::after(18)), 0) << site.said;
}

// --- rollback and fast-forward (5.3.11, 5.4.3, 5.5.5)

TEST(Conformance, NothingGoesBack) {
  for (const bool hashes : {false, true}) {
    {
      Ready site;  // 5.4.3.1
      site.repo.publish({"timestamp"});
      ASSERT_EQ(site.refresh(), 0);
      site.repo.start_again("timestamp");
      site.repo.publish({"timestamp"});
      EXPECT_EQ(site.refresh(), 1);
      EXPECT_EQ(site.stored_version("timestamp"), 2);
      EXPECT_EQ(site.asked.back(), "timestamp.json");
    }
    {
      Ready site;  // 5.4.3.2
      site.repo.hashes = hashes;
      site.repo.publish({"snapshot", "timestamp"});
      ASSERT_EQ(site.refresh(), 0);
      site.repo.start_again("snapshot");
      site.repo.publish({"snapshot", "timestamp"});
      EXPECT_EQ(site.refresh(), 1);
      EXPECT_EQ(site.stored_version("timestamp"), 2);
      EXPECT_EQ(site.stored_version("snapshot"), 2);
      EXPECT_EQ(site.asked.back(), "timestamp.json");
    }
    {
      Ready site;  // 5.5.5
      site.repo.hashes = hashes;
      site.repo.publish({"targets", "snapshot", "timestamp"});
      ASSERT_EQ(site.refresh(), 0);
      site.repo.start_again("targets");
      site.repo.publish({"targets", "snapshot", "timestamp"});
      EXPECT_EQ(site.refresh(), 1);
      EXPECT_EQ(site.stored_version("snapshot"), 2);
      EXPECT_EQ(site.stored_version("targets"), 2);
    }
  }
}

TEST(Conformance, ARoleDoesNotVanishFromTheSnapshot) {  // 5.5.5
  Site site;
  ASSERT_EQ(site.init(), 0);
  site.repo.delegate("targets", "team", {"team/*"});
  site.repo.publish({"team", "targets", "snapshot", "timestamp"});
  ASSERT_EQ(site.refresh(), 0);
  site.repo.snapshot_meta.remove("team.json");
  site.repo.publish({"snapshot", "timestamp"});
  EXPECT_EQ(site.refresh(), 1);
  EXPECT_EQ(site.stored_version("snapshot"), 2);
}

TEST(Conformance, NewKeysRecoverFromVersionsThatWereDrivenUp) {  // 5.3.11
  for (const std::string role : {"timestamp", "snapshot", "targets"}) {
    Site site;
    ASSERT_EQ(site.init(), 0);
    site.repo.delegate("targets", "team", {"team/*"});
    site.repo.publish({"team"});
    for (int i = 0; i < 99; ++i) site.repo.publish({role});
    if (role == "targets") site.repo.publish({"snapshot"});
    if (role != "timestamp") site.repo.publish({"timestamp"});
    ASSERT_EQ(site.refresh(), 0) << site.said;
    ASSERT_EQ(site.stored_version(role), 100);
    if (role != "timestamp") site.repo.rotate_keys("snapshot");
    if (role != "targets") site.repo.rotate_keys("timestamp");
    site.repo.start_again(role);
    if (role == "targets") site.repo.snapshot_meta.remove("team.json");
    if (role == "timestamp") {
      site.repo.publish({"root", "timestamp"});
    } else {
      site.repo.publish(role == "targets" ? Names{"root", "targets", "snapshot", "timestamp"} : Names{"root", "snapshot", "timestamp"});
    }
    EXPECT_EQ(site.refresh(), 0) << role << ": " << site.said;
    EXPECT_EQ(site.stored_version(role), 1) << role;
  }
}

// --- delegations (4.5, 5.6.7)

struct Edge {
  const char* from;
  const char* to;
  Names paths = {"*"};
  bool terminating = false;
};
struct GraphCase {
  const char* name;
  std::vector<Edge> edges;
  Names walked;
};
std::ostream& operator<<(std::ostream& out, const GraphCase& c) { return out << c.name; }
class Graph : public ::testing::TestWithParam<GraphCase> {};

// Specification 5.6.7.
TEST_P(Graph, IsWalkedInOrder) {
  Site site;
  ASSERT_EQ(site.init(), 0);
  std::set<std::string> all;
  for (const Edge& edge : GetParam().edges) {
    site.repo.delegate(edge.from, edge.to, edge.paths, edge.terminating);
    all.insert(edge.to);
  }
  site.repo.publish(Names(all.begin(), all.end()));
  site.repo.publish({"targets", "snapshot", "timestamp"});
  EXPECT_EQ(site.download({"missing"}), 1);
  Names expected;
  for (const std::string& role : GetParam().walked) expected.push_back("1." + role + ".json");
  EXPECT_EQ(Names(site.asked.begin() + 4, site.asked.end()), expected);
}

INSTANTIATE_TEST_SUITE_P(Conformance, Graph,
                         ::testing::Values(GraphCase{"one", {{"targets", "A"}}, {"A"}}, GraphCase{"two", {{"targets", "A"}, {"targets", "B"}}, {"A", "B"}},
                                           GraphCase{"two_levels", {{"targets", "A"}, {"targets", "B"}, {"B", "C"}}, {"A", "B", "C"}},
                                           GraphCase{"depth_first", {{"targets", "A"}, {"targets", "B"}, {"A", "C"}, {"A", "D"}}, {"A", "C", "D", "B"}},
                                           GraphCase{"three_levels_depth_first", {{"targets", "A"}, {"targets", "B"}, {"A", "C"}, {"C", "D"}}, {"A", "C", "D", "B"}},
                                           GraphCase{"terminating", {{"targets", "A"}, {"targets", "B"}, {"A", "C", {"*"}, true}, {"A", "D"}}, {"A", "C"}},
                                           GraphCase{"terminating_descends", {{"targets", "A"}, {"targets", "B"}, {"A", "C", {"*"}, true}, {"C", "D"}}, {"A", "C", "D"}},
                                           GraphCase{"paths_cut_a_branch", {{"targets", "A", {"*.py"}}, {"targets", "B"}, {"A", "C"}}, {"B"}},
                                           GraphCase{"paths_cut_deeper", {{"targets", "A"}, {"targets", "B"}, {"A", "C", {"*.py"}}, {"C", "D"}}, {"A", "B"}},
                                           GraphCase{"cycle", {{"targets", "A"}, {"targets", "B"}, {"B", "C"}, {"C", "D"}, {"D", "B"}}, {"A", "B", "C", "D"}},
                                           GraphCase{"shared", {{"targets", "A"}, {"targets", "B"}, {"B", "C"}, {"A", "C"}}, {"A", "C", "B"}},
                                           GraphCase{"shared_by_other_paths", {{"targets", "A"}, {"targets", "B"}, {"B", "C"}, {"A", "C", {"*.py"}}}, {"A", "B", "C"}}),
                         [](const auto& c) { return std::string(c.param.name); });

TEST(Conformance, AFileIsFoundWhereItsPathLeads) {  // 4.5: `*` does not cross `/`; every role on the way must let it through
  Site site;
  ASSERT_EQ(site.init(), 0);
  site.repo.delegate("targets", "A", {"*.doc", "*.md"});
  site.repo.delegate("targets", "B", {"releases/*/*"});
  site.repo.delegate("B", "C", {"releases/x/*"});
  site.repo.delegate("B", "D", {"releases/y/*.zip"});
  site.repo.add_file("targets", "file", "by targets");
  site.repo.add_file("A", "README.md", "by A");
  site.repo.add_file("C", "releases/x/v1", "by C");
  site.repo.add_file("D", "releases/y/v1.zip", "by D");
  site.repo.add_file("D", "releases/z/v1.zip", "by D, who may not");
  site.repo.publish({"A", "B", "C", "D", "targets", "snapshot", "timestamp"});
  ASSERT_EQ(site.refresh(), 0) << site.said;
  EXPECT_EQ(site.download({"file"}), 0);
  EXPECT_EQ(site.asked.size(), 3u);  // root, timestamp and the file
  EXPECT_EQ(site.download({"README.md"}), 0);
  EXPECT_EQ(site.asked[2], "1.A.json");
  EXPECT_EQ(site.download({"releases/x/v1"}), 0);
  EXPECT_EQ(Names(site.asked.begin() + 2, site.asked.begin() + 4), (Names{"1.B.json", "1.C.json"}));
  EXPECT_EQ(site.download({"releases/y/v1.zip"}), 0);
  EXPECT_EQ(site.asked[2], "1.D.json");  // B is stored
  EXPECT_EQ(site.download({"releases/z/v1.zip"}), 1);
  EXPECT_EQ(site.downloaded().size(), 4u);
}

// Specification 5.6.7 and 3.1.2: names of metadata files.
TEST(Conformance, OddRoleNamesAreQuotedAndLeaveNoFolder) {  // names go into addresses and file names
  for (const std::string role : {"?", "#", "/delegatedrole", "../delegatedrole", "a b", "ü", "%2F", "a&b=c;d"}) {
    Site site;
    ASSERT_EQ(site.init(), 0);
    site.repo.delegate("targets", role);
    site.repo.publish({role, "targets", "snapshot", "timestamp"});
    EXPECT_EQ(site.download({"nothing"}), 1);
    EXPECT_EQ(site.asked.back(), "1." + percent_encode(role, false) + ".json") << role;
    EXPECT_EQ(site.stored().size(), 5u) << role;
    for (const auto& entry : fs::directory_iterator(site.dir)) EXPECT_NE(entry.path().filename(), "delegatedrole.json");
  }
}

TEST(Conformance, RolesOfAnyNameAreStored) {  // 5.6.6 and 5.6.7: a role whose name is too long for a file does not stand before another that answers
  for (const size_t length : {249u, 250u, 251u, 255u, 1'000u, 4'000u}) {
    Site site;
    ASSERT_EQ(site.init(), 0);
    const std::string role(length, 'r');
    const std::string other = role.substr(1) + "s";
    site.repo.delegate("targets", role);
    site.repo.delegate("targets", other);
    site.repo.add_file(other, "file", "content");
    site.repo.publish({role, other, "targets", "snapshot", "timestamp"});
    EXPECT_EQ(site.download({"file"}), 0) << length << site.said;
    EXPECT_EQ(site.stored().size(), 6u) << length;
    EXPECT_EQ(os::RealFileSystem().exists(site.dir / "metadata" / (length <= 250 ? role + ".json" : "sha256=" + sha256(as_bytes(role)).hex() + ".json")), true) << length;
    EXPECT_EQ(site.download({"file"}), 0) << length << site.said;  // another process finds them
    EXPECT_EQ(site.asked, (Names{"2.root.json", "timestamp.json"})) << length;
  }
  EXPECT_NE(stored_name("sha256=" + sha256(as_bytes(std::string(300, 'r'))).hex()), stored_name(std::string(300, 'r')));
  EXPECT_EQ(stored_name(std::string(100, '/')).size(), 76u);  // three bytes each
}

TEST(Conformance, ATargetWhoseNameIsTooLongForAFileIsAnErrorOfItsOwn) {  // 5.7.3
  Site site;
  ASSERT_EQ(site.init(), 0);
  const std::string fits(255, 'f');
  const std::string long_name = std::string(84, '/') + "long";
  for (const std::string& name : {fits, long_name}) site.repo.add_file("targets", name, "content");
  site.repo.publish({"targets", "snapshot", "timestamp"});
  EXPECT_EQ(site.download({fits, long_name}), 1);
  EXPECT_NE(site.said.find("has 256 bytes"), std::string::npos) << site.said;
  EXPECT_EQ(std::ranges::count(site.said, '\n'), 1);
  EXPECT_EQ(site.downloaded().size(), 1u);
  EXPECT_TRUE(site.downloaded().contains(fits));
}

// --- target files (5.7)

TEST(Conformance, TargetNamesAreQuotedInAddressesAndStoredFlat) {  // 5.7.3
  Site site;
  ASSERT_EQ(site.init(), 0);
  const Names names{"path/to/file.txt", "with space", "ü", "a#b?c", "100%", "semi;colon", "../up"};
  for (const std::string& name : names) site.repo.add_file("targets", name, "content of " + name);
  site.repo.publish({"targets", "snapshot", "timestamp"});
  EXPECT_EQ(site.download(names), 0) << site.said;
  const auto stored = site.downloaded();
  ASSERT_EQ(stored.size(), names.size());
  for (const std::string& name : names) EXPECT_EQ(stored.at(percent_encode(name, false)), "content of " + name);
  const std::string hash = sha256(as_bytes("content of a#b?c")).hex();
  EXPECT_EQ(std::ranges::count(site.asked, "T:" + hash + ".a%23b%3Fc"), 1);
}

TEST(Conformance, SeveralTargetsAreFetchedInOrderByOneUpdaterUpToTheFirstFailure) {  // 5.1: one time, one refresh
  Site site;
  ASSERT_EQ(site.init(), 0);
  for (const char* name : {"one", "two", "three"}) site.repo.add_file("targets", name, name);
  site.repo.publish({"targets", "snapshot", "timestamp"});
  EXPECT_EQ(site.download({"two", "none", "one"}), 1);
  EXPECT_EQ(site.asked.size(), 5u);
  EXPECT_EQ(site.downloaded(), (std::map<std::string, std::string>{{"two", "two"}}));
  EXPECT_EQ(site.download({"three", "one", "two"}), 0);
  EXPECT_EQ(site.asked, (Names{"2.root.json", "timestamp.json", "T:" + sha256(as_bytes("three")).hex() + ".three", "T:" + sha256(as_bytes("one")).hex() + ".one"}));  // two is there already
}

TEST(Conformance, ASubstitutedFileIsNotTaken) {  // 5.7.3
  Site site;
  ASSERT_EQ(site.init(), 0);
  site.repo.add_file("targets", "a", "good a");
  site.repo.add_file("targets", "b", "good b");
  site.repo.publish({"targets", "snapshot", "timestamp"});
  ASSERT_EQ(site.download({"a"}), 0);
  for (const char* name : {"a", "b"}) site.repo.files[name] = to_bytes("malicious data");
  EXPECT_EQ(site.download({"a"}), 0);  // the one that is here is the one that is signed for
  EXPECT_EQ(site.download({"b"}), 1);
  site.repo.files["b"] = to_bytes("bad b!");  // of the right length
  EXPECT_EQ(site.download({"b"}), 1);
  EXPECT_EQ(site.downloaded(), (std::map<std::string, std::string>{{"a", "good a"}}));
  ASSERT_TRUE(os::RealFileSystem().write_atomic(site.dir / "targets" / "a", to_bytes("changed by someone"), 0644));
  site.repo.files["a"] = to_bytes("good a");
  EXPECT_EQ(site.download({"a"}), 0);
  EXPECT_EQ(site.downloaded().at("a"), "good a");
}

// Specification 5.7 and 3.1.1: names of target files.
TEST(Conformance, AFileThatChangesKeepsItsName) {
  Site site;
  ASSERT_EQ(site.init(), 0);
  for (int i = 0; i < 6; ++i) {
    site.repo.add_file("targets", "file", fmt::format("content {}", i));
    site.repo.publish({"targets", "snapshot", "timestamp"});
    if (i % 2 == 1) continue;  // not every version is seen
    EXPECT_EQ(site.download({"file"}), 0);
    EXPECT_EQ(site.downloaded(), (std::map<std::string, std::string>{{"file", fmt::format("content {}", i)}}));
  }
}

TEST(Conformance, Sha256AndSha512AndNothingUnknown) {  // 4.5, HASHES
  for (const Names& algorithms : {Names{"sha256"}, Names{"sha512"}, Names{"sha512", "sha256"}}) {
    Site site;
    ASSERT_EQ(site.init(), 0);
    site.repo.add_file("targets", "file", "content", algorithms);
    site.repo.publish({"targets", "snapshot", "timestamp"});
    EXPECT_EQ(site.download({"file"}), 0) << site.said;
    EXPECT_EQ(std::ranges::count_if(site.asked, [](const std::string& path) { return path.starts_with("T:"); }), 1);
    site.repo.add_file("targets", "other", "content", algorithms);
    site.repo.files["other"] = to_bytes("CONTENT");
    site.repo.publish({"targets", "snapshot", "timestamp"});
    EXPECT_EQ(site.download({"other"}), 1);
  }
  Site site;
  ASSERT_EQ(site.init(), 0);
  site.repo.add_file("targets", "file", "content");
  site.repo.documents["targets"].files.set("file", Json::object({{"hashes", Json::object({{"unknown-hash", sha256(as_bytes("content")).hex()}})}, {"length", 7}}));
  site.repo.publish({"targets", "snapshot", "timestamp"});
  EXPECT_EQ(site.download({"file"}), 1);
  EXPECT_TRUE(site.downloaded().empty());
}

TEST(Conformance, ConsistentSnapshotsAreFollowedWhereTheRootSaysSo) {  // 5.3.12, 6.2
  Site site;
  site.repo.consistent = false;
  site.repo.start_again("root");
  site.repo.publish({"root"});
  site.repo.delegate("targets", "team", {"team/*"});
  site.repo.add_file("team", "team/file", "content");
  site.repo.publish({"team", "targets", "snapshot", "timestamp"});
  ASSERT_EQ(site.init(), 0);
  EXPECT_EQ(site.download({"team/file"}), 0) << site.said;
  EXPECT_EQ(site.asked, (Names{"2.root.json", "timestamp.json", "snapshot.json", "targets.json", "team.json", "T:team/file"}));
  site.repo.consistent = true;  // the root changes its mind
  site.repo.publish({"root", "team", "targets", "snapshot", "timestamp"});
  EXPECT_EQ(site.refresh(), 0) << site.said;
  EXPECT_EQ(site.asked, (Names{"2.root.json", "3.root.json", "timestamp.json", "3.snapshot.json", "3.targets.json"}));
}

// --- the web as it is

// Specification 5.3.3, 5.4.1, 5.5.1, 5.6.1, 5.7: lengths are bounded while downloading.
TEST(Conformance, WhatAServerMaySendIsSurvived) {
  using Answer = TinyServer::Answer;
  const auto plain = [](int status, std::string_view body) { return Answer{fmt::format("HTTP/1.0 {} X\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body)}; };
  TinyServer other([](const std::string&) { return Answer{"HTTP/1.0 200 OK\r\n\r\nstolen"}; });
  const std::string deep = "{\"signed\":" + std::string(100'000, '[');
  const std::pair<const char*, Answer> answers[] = {
      {"empty reply", Answer{""}},
      {"empty body", plain(200, "")},
      {"server error", plain(500, "sorry")},
      {"cut", Answer{"HTTP/1.0 200 OK\r\nContent-Length: 5000\r\n\r\n{\"signed\""}},
      {"no JSON", plain(200, "<html>captive portal</html>")},
      {"deep nesting", plain(200, deep)},
      {"duplicate names", plain(200, R"({"signatures":[],"signed":{"_type":"timestamp","_type":"timestamp"}})")},
      {"endless", Answer{"HTTP/1.0 200 OK\r\n\r\n" + std::string(10'000, ' '), false, true}},
      {"elsewhere", Answer{"HTTP/1.0 302 Found\r\nLocation: " + other.url() + "timestamp.json\r\nContent-Length: 0\r\n\r\n"}},
  };
  for (const auto& [what, answer] : answers) {
    Ready site;
    site.repo.publish({"targets", "snapshot", "timestamp"});
    site.instead["metadata/timestamp.json"] = answer;
    EXPECT_EQ(site.refresh(), 1) << what;
    EXPECT_EQ(site.stored_version("timestamp"), 1) << what;
    site.instead.clear();
    EXPECT_EQ(site.refresh(), 0) << what << ": " << site.said;
    EXPECT_EQ(site.stored_version("timestamp"), 2) << what;
  }
  EXPECT_TRUE(other.paths.empty());
}

// Specification 5.4.5, 5.5.7, 5.6.6: what is written to non-volatile storage.
TEST(Conformance, SeveralProcessesShareOneFolder) {
  Site site;
  ASSERT_EQ(site.init(), 0);
  site.repo.add_file("targets", "file", "content");
  for (int round = 0; round < 3; ++round) {
    site.repo.publish({"targets", "snapshot", "timestamp"});
    std::vector<int> running;
    for (int i = 0; i < 6; ++i) {
      running.push_back(Site::start({"--metadata-url", site.metadata_url(), "--metadata-dir", (site.dir / "metadata").string(), "--target-name", "file", "--target-dir", (site.dir / "targets").string(),
                                     "--target-base-url", site.base() + "targets/", "download"},
                                    "", site.dir / fmt::format("log{}", i)));
    }
    for (const int pid : running) EXPECT_EQ(Site::wait(pid), 0);
    EXPECT_EQ(site.stored(), (Names{"root.json", "snapshot.json", "targets.json", "timestamp.json"}));
    EXPECT_EQ(site.stored_version("timestamp"), round + 2);
    EXPECT_EQ(site.downloaded().at("file"), "content");
  }
}

TEST(Conformance, WhatAKilledProcessLeftIsCleared) {  // 5.3.8 and on: what is stored, and nothing beside
  Site site;
  ASSERT_EQ(site.init(), 0);
  site.repo.add_file("targets", "file", "content");
  site.repo.publish({"targets", "snapshot", "timestamp"});
  const int dead = Site::start({"--metadata-dir", (site.dir / "metadata").string(), "init", (site.dir / "first.json").string()}, "", site.dir / "log");
  ASSERT_EQ(Site::wait(dead), 0);
  for (const char* folder : {"metadata", "targets"}) {
    fs::create_directories(site.dir / folder);
    std::ofstream(site.dir / folder / fmt::format(".tmp-{}-0", dead)) << "half of a fi";
  }
  EXPECT_EQ(site.download({"file"}), 0) << site.said;
  EXPECT_EQ(site.stored(), (Names{"root.json", "snapshot.json", "targets.json", "timestamp.json"}));
  EXPECT_EQ(site.downloaded().size(), 1u);
}

TEST(Conformance, WhatIsMissingIsNamedAsItIsCalled) {  // 5.4.1
  Ready site;
  site.repo.published.erase("timestamp");
  EXPECT_EQ(site.refresh(), 1);
  EXPECT_NE(site.said.find("`metadata/timestamp.json`"), std::string::npos) << site.said;
}

TEST(Conformance, EveryFailureIsExitCodeOne) {
  Site site;
  const std::string dir = (site.dir / "metadata").string();
  const Names wrong[] = {{}, {"refresh"}, {"--metadata-dir", dir, "fly"}, {"--metadata-dir"}, {"--metadata-dir", dir, "init"}, {"--metadata-dir", dir, "init", "/nowhere/root.json"},
                         {"--what", "x", "refresh"}, {"--metadata-dir", dir, "--metadata-url", "http://127.0.0.1:1/", "refresh"}, {"--metadata-dir", dir, "--metadata-url", "ftp://127.0.0.1/", "refresh"}};
  for (const Names& arguments : wrong) {
    EXPECT_EQ(site.run(arguments), 1);
    EXPECT_EQ(std::ranges::count(site.said, '\n'), 1) << site.said;
  }
  ASSERT_EQ(site.init(), 0);
  EXPECT_EQ(site.run({"--metadata-dir", dir, "--metadata-url", "http://127.0.0.1:1/", "refresh"}), 1);
  EXPECT_EQ(site.stored(), (Names{"root.json"}));
}

}  // namespace
}  // namespace creance::trust::testing
