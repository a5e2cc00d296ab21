// Delegations: patterns, hash prefixes, bins, the order of the walk. Specification 4.5 and 5.6.7.
// Sections are those of The Update Framework specification 1.0.34; a test without one checks what the specification leaves to the implementation.
#include <fmt/format.h>

#include "base/digest.hpp"
#include "trust/tree.hpp"

namespace creance::trust::testing {
namespace {

TEST(PathPattern, StarsAndQuestionMarksDoNotCrossASlash) {  // 4.5, PATHPATTERN and its examples
  EXPECT_TRUE(path_matches("targets/*.tgz", "targets/foo.tgz"));
  EXPECT_FALSE(path_matches("targets/*.tgz", "targets/foo.txt"));
  EXPECT_TRUE(path_matches("foo-version-?.tgz", "foo-version-a.tgz"));
  EXPECT_FALSE(path_matches("foo-version-?.tgz", "foo-version-alpha.tgz"));
  EXPECT_TRUE(path_matches("*.tgz", "foo.tgz"));
  EXPECT_FALSE(path_matches("*.tgz", "targets/foo.tgz"));
  EXPECT_FALSE(path_matches("a?b", "a/b"));
  EXPECT_FALSE(path_matches("*", "a/b"));
  EXPECT_TRUE(path_matches("*/*", "a/b"));
  EXPECT_FALSE(path_matches("content/*/*", "content/r/x/y"));
  EXPECT_TRUE(path_matches("", ""));
  EXPECT_FALSE(path_matches("", "a"));
  EXPECT_TRUE(path_matches("a**b*", "axxbx"));
  EXPECT_FALSE(path_matches("a*b", "axbx"));
  EXPECT_TRUE(path_matches("*a*b*c*", "xaybzc"));
}

// Specification 4.5, PATHPATTERN.
TEST(PathPattern, Sets) {
  EXPECT_TRUE(path_matches("f[a-c].x", "fb.x"));
  EXPECT_FALSE(path_matches("f[a-c].x", "fd.x"));
  EXPECT_TRUE(path_matches("f[!a-c].x", "fd.x"));
  EXPECT_TRUE(path_matches("[]]", "]"));
  EXPECT_TRUE(path_matches("[abc", "[abc"));
  EXPECT_FALSE(path_matches("a[!b]c", "a/c"));
}

TEST(PathPattern, SpeaksOfCharactersNotOfBytes) {  // 4.5, PATHPATTERN
  EXPECT_TRUE(path_matches("?", "é"));
  EXPECT_FALSE(path_matches("??", "é"));
  EXPECT_TRUE(path_matches("??", "é€"));
  EXPECT_TRUE(path_matches("v?/*.tgz", "v😀/ü.tgz"));
  EXPECT_TRUE(path_matches("[é]x", "éx"));
  EXPECT_FALSE(path_matches("[é]x", "èx"));
  EXPECT_FALSE(path_matches("[é]*", "\xc3x"));
  EXPECT_TRUE(path_matches("[!é]x", "èx"));
  EXPECT_FALSE(path_matches("[!é]x", "éx"));
  EXPECT_TRUE(path_matches("[à-ü]", "é"));
  EXPECT_FALSE(path_matches("[à-ü]", "ÿ"));
  EXPECT_TRUE(path_matches("[a-€]", "é"));
  EXPECT_TRUE(path_matches("*é", "aéé"));
  EXPECT_TRUE(path_matches("*?", "€"));
  EXPECT_FALSE(path_matches("*??", "€"));
  // What is no UTF-8 (a name given to the program) is as many characters as bytes and equals nothing but itself.
  EXPECT_TRUE(path_matches("??", "\xc3("));
  EXPECT_TRUE(path_matches("?", "\xff"));
  EXPECT_FALSE(path_matches("[.-0]", "\xc0\xaf"));
}

// Specification 4.5, PATHPATTERN.
TEST(PathPattern, WorkIsBounded) {
  // Sets that are not closed, closed far away, and many; the text fits nearly everywhere.
  for (const std::string& pattern : {"*" + std::string(2'000, '[') + "b", "*" + std::string(2'000, '[') + "b]", "*" + std::string(1'999, '[') + "]b", "*[" + std::string(4'000, 'a') + "]b"}) {
    EXPECT_FALSE(path_matches(pattern, std::string(4'000, '[') + "c")) << pattern.substr(0, 4);
  }
  std::string pattern;
  for (int i = 0; i < 1'000; ++i) pattern += "*a";
  EXPECT_FALSE(path_matches(pattern + "b", std::string(4'000, 'a')));
}

// Specification 4.5, path_hash_prefixes.
TEST(HashPrefix, CoversPathsByTheirHash) {  // path_hash_prefixes
  const std::string hash = sha256(as_bytes("some/path")).hex();
  Delegation d;
  d.path_hash_prefixes = {hash.substr(0, 3)};
  EXPECT_TRUE(d.covers("some/path"));
  d.path_hash_prefixes = {hash.substr(0, 2) + (hash[2] == '0' ? "1" : "0")};
  EXPECT_FALSE(d.covers("some/path"));
  d.path_hash_prefixes = {};
  EXPECT_FALSE(d.covers("some/path"));
}

// Specification 4.5, succinct_roles (TAP 15).
TEST(SuccinctBins, NamesFollowTap15) {
  SuccinctRoles bins;
  bins.name_prefix = "bin";
  bins.bit_length = 6;
  const uint8_t first = sha256(as_bytes("p")).bytes[0];
  EXPECT_EQ(bins.bin_of("p"), fmt::format("bin-{:02x}", first >> 2));
  EXPECT_TRUE(bins.has("bin-3f"));
  EXPECT_FALSE(bins.has("bin-40"));
  EXPECT_FALSE(bins.has("bin-3F"));
  EXPECT_FALSE(bins.has("bin-3"));
  EXPECT_FALSE(bins.has("xbin-3f"));
  bins.bit_length = 32;
  EXPECT_TRUE(bins.has("bin-ffffffff"));
}

// A forest of roles, all signed by their own keys, served without hashes in the snapshot.
struct Forest {
  Tree t;
  std::map<std::string, std::vector<Delegation>> children;  // "targets" and the rest
  std::map<std::string, std::vector<std::string>> files;
  std::map<std::string, uint8_t> signer;                    // role → key seed; by delegation below
  std::set<std::string> wrong;                              // roles whose metadata another key signed
  int64_t version = 2;

  void edge(const std::string& parent, const std::string& child, std::vector<std::string> paths, bool terminating = false) {
    Delegation d;
    d.name = child;
    d.paths = std::move(paths);
    d.terminating = terminating;
    children[parent].push_back(d);
    if (!signer.contains(child)) signer[child] = static_cast<uint8_t>(100 + signer.size());
  }
  void publish() {
    std::map<std::string, MetaFile> meta;
    std::set<std::string> roles{"targets"};
    for (const auto& [role, n] : signer) roles.insert(role);
    for (const std::string& role : roles) {
      std::vector<DelegationSpec> specs;
      for (const Delegation& d : children[role]) specs.push_back({d.name, {{key(signer[d.name]).public_key()}, 1}, d.paths, d.terminating});
      Json json = make_targets(version, t.now + std::chrono::days(30), specs);
      Json targets = Json::object();
      for (const std::string& file : files[role]) targets.set(file, target_entry({file, bytes(role), std::nullopt}));
      json.set("targets", targets);
      KeyPair own = role == "targets" ? key(4) : key(wrong.contains(role) ? 99 : signer[role]);
      t.put(std::to_string(version) + "." + percent_encode(role, false), t.signed_by(json, {&own}));
      meta[role + ".json"] = {version, std::nullopt, {}};
    }
    t.put_snapshot(version, version, meta);
    ++version;
  }
  std::vector<std::string> walked(const std::string& path) {  // roles that were asked for, in order
    Client fresh(t.transport, t.host, "/walk" + std::to_string(version));
    EXPECT_TRUE(fresh.init(*t.client.stored("root")));
    EXPECT_TRUE(fresh.refresh(t.now));
    t.transport.requests.clear();
    found = fresh.target(path);
    std::vector<std::string> out;
    for (const std::string& request : t.transport.requests) {
      const std::string name = request.substr(request.find('.') + 1);
      out.push_back(name.substr(0, name.size() - 5));
    }
    return out;
  }
  Result<TargetInfo> found = fail(ErrorCode::kNotFound, "");
};
using Names = std::vector<std::string>;

TEST(Walk, IsPreOrderAndDepthFirst) {  // 5.6.7.2; CVE-2024-47534, CVE-2025-2886: wrong orders
  Forest f;
  f.edge("targets", "a", {"*"});
  f.edge("targets", "b", {"*"});
  f.edge("a", "a1", {"*"});
  f.edge("a", "a2", {"*"});
  f.edge("a1", "a11", {"*"});
  f.edge("b", "b1", {"*"});
  f.publish();
  EXPECT_EQ(f.walked("x"), (Names{"a", "a1", "a11", "a2", "b", "b1"}));
  EXPECT_EQ(f.found.error().code, ErrorCode::kNotFound);
}

// Specification 5.6.7.2.
TEST(Walk, TheFirstThatSpeaksWins) {
  Forest f;
  f.edge("targets", "a", {"*"});
  f.edge("targets", "b", {"*"});
  f.edge("a", "a1", {"*"});
  f.files["a1"] = {"x"};
  f.files["b"] = {"x"};
  f.publish();
  EXPECT_EQ(f.walked("x"), (Names{"a", "a1"}));
  EXPECT_EQ(f.found->role, "a1");
}

// Specification 5.6.7.2.
TEST(Walk, SkipsDelegationsThatDoNotCoverThePath) {
  Forest f;
  f.edge("targets", "a", {"y*"});
  f.edge("targets", "b", {"x*"});
  f.files["a"] = {"x1"};  // speaks about what it may not
  f.files["b"] = {"x1"};
  f.publish();
  EXPECT_EQ(f.walked("x1"), (Names{"b"}));
  EXPECT_EQ(f.found->role, "b");
}

TEST(Walk, ATerminatingDelegationEndsIt) {  // 5.6.7.2.1
  Forest f;
  f.edge("targets", "a", {"*"}, true);
  f.edge("targets", "b", {"*"});
  f.edge("a", "a1", {"*"});
  f.files["b"] = {"x"};
  f.publish();
  EXPECT_EQ(f.walked("x"), (Names{"a", "a1"}));
  EXPECT_FALSE(f.found);
}

// Specification 5.6.7.2.
TEST(Walk, ATerminatingDelegationInsideEndsTheOuterWalkToo) {
  Forest f;
  f.edge("targets", "a", {"*"});
  f.edge("targets", "b", {"*"});
  f.edge("a", "a1", {"*"}, true);
  f.edge("a", "a2", {"*"});
  f.files["b"] = {"x"};
  f.publish();
  EXPECT_EQ(f.walked("x"), (Names{"a", "a1"}));
  EXPECT_FALSE(f.found);
}

// Specification 5.6.7.2.
TEST(Walk, ATerminatingDelegationThatDoesNotCoverThePathEndsNothing) {
  Forest f;
  f.edge("targets", "a", {"y"}, true);
  f.edge("targets", "b", {"*"});
  f.files["b"] = {"x"};
  f.publish();
  f.walked("x");
  EXPECT_TRUE(f.found);
}

TEST(Walk, CyclesAndRepeatedRolesAreVisitedOnce) {  // 5.6.7.1
  Forest f;
  f.edge("targets", "a", {"*"});
  f.edge("a", "b", {"*"});
  f.edge("b", "a", {"*"});
  f.edge("targets", "b", {"*"});
  f.publish();
  EXPECT_EQ(f.walked("x"), (Names{"a", "b"}));
}

TEST(Walk, VisitsAtMostTheLimitOfRoles) {  // 5.6.7.1
  Forest f;
  for (int i = 0; i < 100; ++i) f.edge("targets", "r" + std::to_string(i), {"*"});
  f.files["r99"] = {"x"};
  f.files["r62"] = {"y"};
  f.publish();
  EXPECT_EQ(f.walked("x").size(), limits::kDelegationsMax - 1);  // and targets itself
  EXPECT_FALSE(f.found);
  ++f.version;
  f.walked("y");
  EXPECT_TRUE(f.found);
}

TEST(Walk, OneRoleThatCannotBeVerifiedEndsItWithoutAnAnswer) {  // 5.6.7, note
  Forest f;
  f.edge("targets", "a", {"*"});
  f.edge("targets", "b", {"*"});
  f.files["b"] = {"x"};
  f.wrong = {"a"};
  f.publish();
  f.walked("x");
  EXPECT_EQ(f.found.error().code, ErrorCode::kDenied);
}

// Specification 5.6.3.
TEST(Walk, ACachedRoleIsVerifiedByTheDelegatorThatLeadsToItNow) {  // not by its name
  Forest f;
  f.edge("targets", "a", {"x"});
  f.edge("targets", "b", {"y"});
  f.edge("a", "shared", {"x"});
  f.edge("b", "shared", {"y"});
  f.files["shared"] = {"x", "y"};
  f.publish();
  // b delegates to another key under the same name
  std::vector<DelegationSpec> specs{{"shared", {{key(77).public_key()}, 1}, {"y"}, false}};
  KeyPair b = key(f.signer["b"]);
  f.t.put("2.b", f.t.signed_by(make_targets(2, f.t.now + std::chrono::days(30), specs), {&b}));
  ASSERT_TRUE(f.t.client.refresh(f.t.now));
  EXPECT_TRUE(f.t.client.target("x"));
  EXPECT_EQ(f.t.client.target("y").error().code, ErrorCode::kDenied);
  EXPECT_TRUE(f.t.client.target("x"));
}

// Specification 5.6.3.
TEST(Walk, AKeyTakenFromADelegationLosesItsRole) {  // CVE-2025-2887: removed roles and keys
  Tree t;
  ASSERT_TRUE(t.publish_rollout("1"));
  ASSERT_TRUE(t.client.refresh(t.now));
  ASSERT_TRUE(t.client.target("rollout/plan.json"));
  auto delegations = t.delegations();
  delegations[1].role = {{key(50).public_key()}, 1};
  ASSERT_TRUE(t.repository.publish_targets(t.signed_by(make_targets(2, t.now + std::chrono::days(30), delegations), {&t.targets}), [](const std::string&) -> Signer* { return nullptr; }, t.online(), t.now));
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(t.client.target("rollout/plan.json").error().code, ErrorCode::kDenied);
  delegations.erase(delegations.begin() + 1);
  ASSERT_TRUE(t.repository.publish_targets(t.signed_by(make_targets(3, t.now + std::chrono::days(30), delegations), {&t.targets}), [](const std::string&) -> Signer* { return nullptr; }, t.online(), t.now));
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(t.client.target("rollout/plan.json").error().code, ErrorCode::kNotFound);
}

// Specification 5.6.1, 5.7.3.
TEST(Walk, AWithheldRoleOrFileIsNotTheSameAsNone) {
  Tree t;
  ASSERT_TRUE(t.publish_rollout("1"));
  t.transport.instead["metadata/1.rollout.json"] = fail(ErrorCode::kNotFound, "404");
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(t.client.target("rollout/plan.json").error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(t.client.target("policy/demo.json").error().code, ErrorCode::kNotFound);  // the signed snapshot has no such role yet
  t.transport.instead.clear();
  const TargetInfo info = *t.client.target("rollout/plan.json");
  t.transport.instead[info.fetched_as] = fail(ErrorCode::kNotFound, "404");
  EXPECT_EQ(t.client.download(info).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(t.client.target("rollout/other.json").error().code, ErrorCode::kNotFound);
}

// Specification 5.6.5.
TEST(Walk, ADelegatedRoleThatExpiredIsRefused) {
  Tree t;
  ASSERT_TRUE(t.publish_rollout("1"));
  t.now += std::chrono::days(40);
  ASSERT_TRUE(*t.repository.renew(t.online(), t.now));
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(t.client.target("rollout/plan.json").error().code, ErrorCode::kExpired);
}

// Specification 5.6.1, 5.6.6.
TEST(Walk, OddRoleNamesAreEncodedInAddressesAndInTheFolder) {
  for (const std::string name : {"?", "#", "/delegatedrole", "../delegatedrole", "a b", "ü"}) {
    Forest f;
    f.edge("targets", name, {"*"});
    f.publish();
    EXPECT_EQ(f.walked("x"), (Names{percent_encode(name, false)})) << name;
    for (const auto& [file, content] : f.t.host.files()) EXPECT_TRUE(file.starts_with("/cache/") || file.starts_with("/walk")) << file;
  }
}

// Specification 4.5: either paths or path_hash_prefixes; names are unique.
TEST(TargetsMetadata, RefusesAmbiguousDelegations) {
  Tree t;
  const auto parse = [&](const std::function<void(Json&)>& bend) {
    Json json = make_targets(1, t.now, t.delegations());
    Json delegations = *json.find("delegations");
    bend(delegations);
    json.set("delegations", delegations);
    const auto parsed = Targets::parse(t.signed_by(json, {&t.targets}));
    return parsed ? std::string("accepted") : parsed.error().detail;
  };
  const auto bend_role = [&](const std::string& member, Json value) {
    return parse([&](Json& d) {
      Json::Array roles = d.find("roles")->elements();
      roles[0].set(member, std::move(value));
      d.set("roles", Json(roles));
    });
  };
  EXPECT_EQ(parse([](Json&) {}), "accepted");
  EXPECT_EQ(bend_role("name", "rollout"), "signed.delegations.roles[1]: the same role name twice");
  for (const char* name : {"root", "timestamp", "snapshot", "targets"}) {
    EXPECT_EQ(bend_role("name", name), "signed.delegations.roles[0]: a delegated role must not have the name of a top-level role");
  }
  EXPECT_EQ(bend_role("name", ""), "signed.delegations.roles[0].name: must not be empty");
  EXPECT_EQ(bend_role("path_hash_prefixes", Json::array({"ab"})), "signed.delegations.roles[0]: `paths` and `path_hash_prefixes` exclude each other");
  EXPECT_EQ(bend_role("threshold", 0).substr(0, 40), "signed.delegations.roles[0].threshold: 0");
  EXPECT_EQ(bend_role("keyids", Json::array({"a", "a"})), "signed.delegations.roles[0].keyids[1]: the same key id twice");
}

}  // namespace
}  // namespace creance::trust::testing
