// What reaches the tree from people over the server's calls: taking back, deny, new keys, evidence, deltas; and what creance-signer thinks of it.
#include "harness.hpp"
#include "plan/evidence.hpp"
#include "plan/policy.hpp"
#include "trust/delta/delta.hpp"

namespace creance::server::testing {
namespace {

struct Delivery : World {
  trust::KeyPair root = std::move(*trust::load_key(files, folder.path / "offline-keys/root.pem"));
  trust::KeyPair targets = std::move(*trust::load_key(files, folder.path / "offline-keys/targets.pem"));
  Folder metadata;

  WallTime now() const { return std::chrono::floor<std::chrono::seconds>(clock.wall()); }
  Json document(const std::string& role) {  // what is published, without signatures
    return trust::Envelope::parse(*files.read(folder.path / "tuf/metadata" / (std::to_string(role == "root" ? root_version : targets_version) + "." + role + ".json"), 1u << 20), 1u << 20)->signed_part;
  }
  Answer put(const std::string& role, const Json& part, std::vector<trust::Signer*> signers) {
    return operate("PUT", "/api/v1/" + role, Json::object({{"metadata", to_base64(*trust::sign_document(part, signers))}}));
  }
  // Content metadata with these files added, signed by the author (or another).
  Answer push_files(const std::vector<trust::TargetFile>& list, trust::Signer* by = nullptr, Json deltas = Json(), std::chrono::hours valid = std::chrono::hours(24 * 90)) {
    const auto part = trust::next_targets(content ? std::optional<BytesView>(*content) : std::nullopt, list, {}, now() + valid);
    trust::Signer* const signers[] = {by == nullptr ? &author : by};
    const Bytes next = *trust::sign_document(*part, signers);
    Json targets_list = Json::array();
    for (const trust::TargetFile& file : list) targets_list.push(Json::object({{"path", file.path}, {"data", to_base64(file.bytes)}}));
    Json body = Json::object({{"metadata", to_base64(next)}, {"targets", targets_list}});
    if (deltas.is_array()) body.set("deltas", deltas);
    const Answer answer = operate("PUT", "/api/v1/content", body);
    if (answer.status == 201) content = next;
    return answer;
  }
  // A file of the tree as a host gets it.
  Result<Bytes> host_reads(const std::string& path) {
    trust::HttpTransport transport({.base_url = url() + "/tuf/"});
    trust::Client client_(transport, files, metadata.path);
    TRY(const auto first, files.read(folder.path / "root.json", 1u << 20));
    TRY_VOID(client_.init(first));
    TRY_VOID(client_.refresh(clock.wall()));
    TRY(const auto info, client_.target(path));
    return client_.download(info);
  }
  int64_t root_version = 1, targets_version = 1;
};

TEST(Withdraw, EndsWhatIsRollingOutForGood) {
  Delivery world;
  ASSERT_TRUE(world.start());
  world.push("r-1");
  const std::string rollout = world.begin("r-1", Json::array({World::stage("canary", 50, 3600)}));
  const std::string base = "/api/v1/rollouts/" + rollout;
  EXPECT_EQ(world.operate("POST", base + "/halt", Json::object({{"reason", "look"}})).string("state"), "halted");
  EXPECT_EQ(world.operate("POST", base + "/withdraw", Json::object({{"reason", "bad"}})).string("state"), "withdrawn");
  EXPECT_EQ(world.plan()->rollouts[0].state, plan::RolloutState::kWithdrawn);
  EXPECT_EQ(world.operate("POST", base + "/withdraw").status, 409);
  world.push("r-2");
  EXPECT_EQ(world.operate("POST", base + "/resume").status, 409);  // also under newer content metadata
}

TEST(Deny, ReachesTheTreeWithTheContentThresholdOnly) {
  Delivery world;
  ASSERT_TRUE(world.start());
  const Digest release = world.push("r-1");
  plan::DenyList list{1, {{release, "crashes hosts"}}, {}};
  auto stranger = trust::KeyPair::generate_ed25519();
  EXPECT_EQ(world.push_files({{std::string(plan::DenyList::kPath), list.to_bytes(), std::nullopt}}, &*stranger).status, 403);
  EXPECT_EQ(world.push_files({{std::string(plan::DenyList::kPath), list.to_bytes(), std::nullopt}}).status, 201);
  EXPECT_EQ(*plan::DenyList::parse(*world.host_reads(std::string(plan::DenyList::kPath))), list);
  list = {2, {}, {release}};
  EXPECT_EQ(world.push_files({{std::string(plan::DenyList::kPath), list.to_bytes(), std::nullopt}}).status, 201);
  EXPECT_EQ(plan::DenyList::parse(*world.host_reads(std::string(plan::DenyList::kPath)))->retry, std::vector<Digest>{release});
}

TEST(Content, IsNotTakenForEver) {
  Delivery world;
  ASSERT_TRUE(world.start());
  const Answer refused = world.push_files({{"content/r-1/x", {1}, std::nullopt}}, nullptr, Json(), std::chrono::hours(24 * 400 + 1));
  EXPECT_EQ(refused.status, 403);
  EXPECT_NE(refused.text.find("more than 400 days"), std::string::npos) << refused.text;
  EXPECT_EQ(world.push_files({{"content/r-1/x", {1}, std::nullopt}}, nullptr, Json(), std::chrono::hours(24 * 400)).status, 201);
}

TEST(NewKeys, OfContentAreFollowedByServerSignerAndHosts) {
  Delivery world;
  ASSERT_TRUE(world.start());
  world.push("r-1");
  auto carla = trust::KeyPair::generate_ed25519();
  Json part = world.document("targets");
  const auto delegations = [&](const trust::PublicKey& content_key) {
    const trust::Targets now = *trust::Targets::parse(*world.files.read(world.folder.path / "tuf/metadata/1.targets.json", 1u << 20));
    std::vector<trust::DelegationSpec> specs;
    for (const trust::Delegation& d : now.delegations) {
      trust::RoleSpec role{{}, d.role.threshold};
      if (d.name == "content") role.keys = {content_key};
      else for (const auto& [id, key] : d.role.keys) role.keys.push_back(key);
      specs.push_back({d.name, role, d.paths, d.terminating});
    }
    return specs;
  };
  const Json next = trust::make_targets(2, world.now() + std::chrono::hours(24 * 300), delegations(carla->public_key()));
  EXPECT_EQ(world.put("targets", next, {&world.author}).status, 403);  // not the targets key
  EXPECT_EQ(world.put("targets", part, {&world.targets}).status, 403);  // the very same version again
  EXPECT_EQ(world.put("targets", next, {&world.targets}).status, 201);
  EXPECT_EQ(world.push_files({{"content/r-2/x", {1}, std::nullopt}}).status, 403);  // the author's key is out
  EXPECT_EQ(world.push_files({{"content/r-2/x", {1}, std::nullopt}}, &*carla).status, 201);
  EXPECT_EQ(*world.host_reads("content/r-2/x"), Bytes{1});
  // The signer follows too: a plan for content of the new key.
  plan::Release release;
  release.name = "r-3", release.created = world.now(), release.category = "rapid";
  release.floor.approved_until = world.now() + std::chrono::hours(24);
  release.channels = {{"windows.x", {}, "content/r-3/windows.x.channel", sha256(Bytes{7}), 1, 1}};
  EXPECT_EQ(world.push_files({{release.path(), release.to_bytes(), std::nullopt}, {"content/r-3/windows.x.channel", {7}, std::nullopt}}, &*carla).status, 201);
  world.begin("r-3", Json::array({World::stage("canary", 50, 3600)}));
  EXPECT_EQ(world.plan()->rollouts.at(0).release, "r-3");
  world.stop();
  ASSERT_TRUE(world.start());  // and remembers
}

// Online keys are replaced under a running server: root names timestamp's, targets name rollout's and policy's. Hosts that have seen the old ones follow (specification 5.3.11).
TEST(NewKeys, OfOnlineRolesSignFromTheirPublicationOn) {
  Delivery world;
  ASSERT_TRUE(world.start());
  const std::string body = R"({"_type":"policy","tenant":"one","version":1,"groups":[],"default":{"ring":"general"}})";
  ASSERT_EQ(world.operate("PUT", "/api/v1/policies/one", *parse_json(as_bytes(body))).status, 200);
  ASSERT_TRUE(world.host_reads("policy/one.json"));
  const auto keys = world.folder.path / "signer/keys";
  std::map<std::string, trust::PublicKey> fresh;
  const auto prepare = [&](const std::string& role) {
    const auto key = trust::KeyPair::generate_ed25519();
    EXPECT_TRUE(trust::save_key(world.files, keys / (role + ".next.pem"), *key));
    fresh.emplace(role, key->public_key());
  };
  const trust::Root now = *trust::Root::parse(*world.files.read(world.folder.path / "root.json", 1u << 20));
  const auto next_root = [&](const trust::PublicKey& timestamp) {
    std::map<std::string, trust::RoleSpec> roles;
    for (const auto& [name, who] : now.roles) {
      roles[name].threshold = who.threshold;
      if (name == "timestamp") roles[name].keys = {timestamp};
      else for (const auto& [id, key] : who.keys) roles[name].keys.push_back(key);
    }
    return trust::make_root(2, world.now() + std::chrono::hours(24 * 300), roles);
  };
  const Answer missing = world.put("root", next_root(trust::KeyPair::generate_ed25519()->public_key()), {&world.root});
  EXPECT_EQ(missing.status, 403);
  EXPECT_NE(missing.text.find("timestamp.next.pem"), std::string::npos) << missing.text;
  ASSERT_TRUE(world.host_reads("policy/one.json"));  // nothing changed
  prepare("timestamp");
  EXPECT_EQ(world.put("root", next_root(fresh.at("timestamp")), {&world.root}).status, 201);
  EXPECT_TRUE(world.host_reads("policy/one.json"));
  EXPECT_FALSE(world.files.exists(keys / "timestamp.next.pem"));
  EXPECT_EQ(trust::load_key(world.files, keys / "timestamp.pem")->public_key(), fresh.at("timestamp"));

  prepare("rollout");
  prepare("policy");
  const trust::Targets before = *trust::Targets::parse(*world.files.read(world.folder.path / "tuf/metadata/1.targets.json", 1u << 20));
  std::vector<trust::DelegationSpec> specs;
  for (const trust::Delegation& d : before.delegations) {
    trust::RoleSpec role{{}, d.role.threshold};
    if (fresh.contains(d.name)) role.keys = {fresh.at(d.name)};
    else for (const auto& [id, key] : d.role.keys) role.keys.push_back(key);
    specs.push_back({d.name, role, d.paths, d.terminating});
  }
  const Answer replaced = world.put("targets", trust::make_targets(2, world.now() + std::chrono::hours(24 * 300), specs), {&world.targets});
  EXPECT_EQ(replaced.status, 201) << replaced.text;
  EXPECT_TRUE(world.host_reads("policy/one.json"));
  EXPECT_TRUE(world.host_reads(std::string(plan::Plan::kPath)));
  EXPECT_EQ(world.operate("PUT", "/api/v1/policies/one", *parse_json(as_bytes(body))).status, 200);
  world.push("r-1");
  world.begin("r-1", Json::array({World::stage("canary", 50, 3600)}));
  EXPECT_TRUE(world.host_reads("policy/one.json"));
  world.stop();
  ASSERT_TRUE(world.start());  // and remembers
  EXPECT_TRUE(world.host_reads("policy/one.json"));
}

TEST(TenantsContent, IsSignedByItsTenantAndReachesItsHostsAlone) {  // ADR 0099
  Delivery world;
  ASSERT_TRUE(world.start());
  auto acme = trust::KeyPair::generate_ed25519();
  std::optional<Bytes> own;
  const auto push = [&](const std::string& folder, trust::Signer& by, Digest* digest = nullptr) {
    plan::Release release;
    release.name = "acme/own-1", release.created = world.now(), release.category = "rapid";
    release.floor.approved_until = world.now() + std::chrono::hours(24);
    release.channels = {{"windows.x", {}, "content-acme/own-1/windows.x.channel", sha256(Bytes{7}), 1, 1}};
    const Bytes document = release.to_bytes();
    if (digest != nullptr) *digest = plan::release_digest(document);
    const std::vector<trust::TargetFile> list{{folder + "/release.json", document, std::nullopt}, {folder + "/windows.x.channel", {7}, std::nullopt}};
    const auto part = trust::next_targets(own ? std::optional<BytesView>(*own) : std::nullopt, list, {}, world.now() + std::chrono::hours(24 * 90));
    trust::Signer* const signers[] = {&by};
    const Bytes metadata = *trust::sign_document(*part, signers);
    Json targets = Json::array();
    for (const trust::TargetFile& file : list) targets.push(Json::object({{"path", file.path}, {"data", to_base64(file.bytes)}}));
    const Answer answer = world.operate("PUT", "/api/v1/content", Json::object({{"tenant", "acme"}, {"metadata", to_base64(metadata)}, {"targets", targets}}));
    if (answer.status == 201) own = metadata;
    return answer;
  };
  const Answer nobody = push("content-acme/own-1", *acme);
  EXPECT_EQ(nobody.status, 403);
  EXPECT_NE(nobody.text.find("content-acme"), std::string::npos) << nobody.text;
  Json part = world.document("targets");
  Json delegations = *part.find("delegations");
  Json keys = *delegations.find("keys");
  keys.set(acme->public_key().id(), acme->public_key().json());
  Json roles = *delegations.find("roles");
  roles.push(Json::object({{"keyids", Json::array({Json(acme->public_key().id())})}, {"name", "content-acme"}, {"paths", Json::array({Json("content-acme/*/*")})}, {"terminating", true}, {"threshold", 1}}));
  delegations.set("keys", keys);
  delegations.set("roles", roles);
  part.set("delegations", delegations);
  part.set("version", 2);
  ASSERT_EQ(world.put("targets", part, {&world.targets}).status, 201);
  Digest digest;
  EXPECT_EQ(push("content-acme/own-1", world.author).status, 403);    // everybody's signer is not the tenant's
  EXPECT_EQ(push("content/own-1", *acme).status, 403);                // the tenant says nothing outside its name space
  EXPECT_EQ(push("content-globex/own-1", *acme).status, 403);
  ASSERT_EQ(push("content-acme/own-1", *acme, &digest).status, 201);
  EXPECT_EQ(*world.host_reads("content-acme/own-1/windows.x.channel"), Bytes{7});

  const Digest everybodys = world.push("r-1");
  std::vector<Sensor> of_acme = enrol(world, "canary", 2, "acme");
  std::vector<Sensor> of_globex = enrol(world, "canary", 2, "globex");
  world.clock.advance(std::chrono::seconds(2));
  const std::string general = world.begin("r-1", Json::array({World::stage("canary", 100, 3600)}));
  const std::string tenants = world.begin("acme/own-1", Json::array({World::stage("canary", 100, 3600)}));  // beside it
  EXPECT_EQ(world.operate("POST", "/api/v1/rollouts", Json::object({{"release", "acme/own-1"}, {"stages", Json::array({World::stage("canary", 100, 1)})}})).status, 409);
  ASSERT_EQ(world.plan()->rollouts.size(), 2u);
  EXPECT_NE(world.plan()->find(digest), nullptr);
  for (Sensor& sensor : of_acme) EXPECT_NE(sensor.announce(digest).status, 404);
  for (Sensor& sensor : of_globex) {
    EXPECT_EQ(sensor.announce(digest).status, 404);
    EXPECT_NE(sensor.announce(everybodys).status, 404);
  }
  const auto hosts_of = [&](const std::string& rollout) {
    const Answer status = world.status(rollout);
    std::string words;
    for (const Json& entry : status.body.find("log")->elements()) words += entry.find("reason")->string() + "\n";
    return words;
  };
  EXPECT_NE(hosts_of(tenants).find("`canary`: 2 hosts"), std::string::npos) << hosts_of(tenants);
  EXPECT_NE(hosts_of(general).find("`canary`: 4 hosts"), std::string::npos) << hosts_of(general);
  // The tenant's newer metadata lifts the tenant's halt, everybody's does not.
  EXPECT_EQ(world.operate("POST", "/api/v1/rollouts/" + tenants + "/halt").status, 200);
  world.push("r-2");
  EXPECT_EQ(world.operate("POST", "/api/v1/rollouts/" + tenants + "/resume").status, 409);
  ASSERT_EQ(push("content-acme/own-2", *acme).status, 201);
  EXPECT_EQ(world.operate("POST", "/api/v1/rollouts/" + tenants + "/resume").status, 200);
  world.stop();
  ASSERT_TRUE(world.start());
  EXPECT_EQ(world.plan()->rollouts.size(), 2u);
}

TEST(NewKeys, OfTheRootNeedOldAndNew) {
  Delivery world;
  ASSERT_TRUE(world.start());
  auto second = trust::KeyPair::generate_ed25519();
  const trust::Root now = *trust::Root::parse(*world.files.read(world.folder.path / "root.json", 1u << 20));
  std::map<std::string, trust::RoleSpec> roles;
  for (const auto& [name, role] : now.roles) {
    trust::RoleSpec spec{{}, role.threshold};
    for (const auto& [id, key] : role.keys) spec.keys.push_back(key);
    roles[name] = spec;
  }
  roles["root"] = {{world.root.public_key(), second->public_key()}, 2};
  const Json next = trust::make_root(2, world.now() + std::chrono::hours(24 * 300), roles);
  EXPECT_EQ(world.put("root", next, {&world.root}).status, 403);
  EXPECT_EQ(world.put("root", next, {&*second}).status, 403);
  EXPECT_EQ(world.put("root", next, {&world.root, &*second}).status, 201);
  EXPECT_TRUE(world.plan());  // hosts follow from the first root
  EXPECT_EQ(world.operate("GET", "/api/v1/roles").integer("root_version"), 2);
}

TEST(Deltas, AreTriedBeforeTheyAreStored) {
  Delivery world;
  ASSERT_TRUE(world.start());
  const Bytes old_file(50'000, 7);
  Bytes new_file = old_file;
  new_file[1'000] = 8;
  ASSERT_EQ(world.push_files({{"content/r-1/x.channel", old_file, std::nullopt}}).status, 201);
  const auto delta = [&](const Bytes& bytes, const std::string& from) {
    return Json::array({Json::object({{"path", "content/r-2/x.channel"}, {"from", from}, {"data", to_base64(bytes)}})});
  };
  const std::vector<trust::TargetFile> next{{"content/r-2/x.channel", new_file, std::nullopt}};
  const Bytes good = *trust::make_delta(old_file, new_file);
  EXPECT_EQ(world.push_files(next, nullptr, delta({1, 2, 3}, sha256(old_file).hex())).status, 400);
  EXPECT_EQ(world.push_files(next, nullptr, delta(good, std::string(64, '0'))).status, 400);
  EXPECT_EQ(world.push_files(next, nullptr, delta(good, sha256(old_file).hex())).status, 201);
  EXPECT_EQ(world.call("GET", "/tuf/" + trust::delta_path(sha256(old_file).hex(), sha256(new_file).hex())).status, 200);
}

TEST(Evidence, IsRequiredWhereTheServerIsSetTo) {
  Delivery world;
  world.require_evidence = true;
  ASSERT_TRUE(world.start());
  plan::Release release;
  release.name = "r-1", release.created = world.now(), release.category = "rapid";
  release.floor.approved_until = world.now() + std::chrono::hours(24);
  const Bytes channel{1, 2, 3};
  release.channels = {{"windows.x", {}, "content/r-1/windows.x.channel", sha256(channel), 3, 1}};
  plan::Evidence evidence;
  evidence.subjects = {{"windows.x.channel", sha256(channel)}};
  const auto push = [&](bool named, bool sent) {
    release.evidence.reset();
    if (named) release.evidence = sha256(evidence.to_bytes());
    std::vector<trust::TargetFile> list{{release.path(), release.to_bytes(), std::nullopt}, {"content/r-1/windows.x.channel", channel, std::nullopt}};
    if (sent) list.push_back({plan::Evidence::path("r-1"), evidence.to_bytes(), std::nullopt});
    return world.push_files(list).status;
  };
  EXPECT_EQ(push(false, false), 403);
  EXPECT_EQ(push(true, false), 403);
  EXPECT_EQ(push(false, true), 403);
  EXPECT_EQ(push(true, true), 201);
}

TEST(SealedPolicies, AreReadByTheirTenantsHostsAlone) {  // ADR 0098
  Delivery world;
  ASSERT_TRUE(world.start());
  const Sensor one(world, world.tokens("canary", 1, "one")[0], "a");
  const Sensor again(world, world.tokens("canary", 1, "one")[0], "b");
  const Sensor two(world, world.tokens("canary", 1, "two")[0], "c");
  const auto key_of_one = one.tenant_key();
  const auto key_of_two = two.tenant_key();
  ASSERT_TRUE(key_of_one) << key_of_one.error().detail;
  ASSERT_TRUE(key_of_two);
  EXPECT_EQ(again.tenant_key()->id(), key_of_one->id());  // one key for a tenant
  EXPECT_NE(key_of_one->id(), key_of_two->id());
  const std::string body = R"({"_type":"policy","tenant":"one","version":1,"groups":[{"name":"secret-group","tags":["x"],"ring":"late"}],"default":{"ring":"general"}})";
  ASSERT_EQ(world.operate("PUT", "/api/v1/policies/one", *parse_json(as_bytes(body))).status, 200);
  const Bytes document = *world.host_reads("policy/one.json");
  EXPECT_EQ(as_text(document).find("secret-group"), std::string_view::npos);
  const auto opened = trust::open_document_sealed_as("policy/one.json", document, *key_of_one);
  ASSERT_TRUE(opened) << opened.error().detail;
  const auto policy = plan::Policy::parse(opened->plain);
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->groups.at(0).name, "secret-group");
  EXPECT_EQ(policy->version, opened->version);
  EXPECT_EQ(trust::open_document_sealed_as("policy/one.json", document, *key_of_two).error().code, ErrorCode::kDenied);
  // No file of the tree has it in clear.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(world.folder.path / "tuf")) {
    if (entry.is_regular_file()) {
      EXPECT_EQ(as_text(*world.files.read(entry.path(), 1u << 26)).find("secret-group"), std::string_view::npos) << entry.path();
    }
  }
  // The server itself goes on from it after a restart: the next version, not the first.
  world.stop();
  ASSERT_TRUE(world.start());
  ASSERT_EQ(world.operate("PUT", "/api/v1/policies/one", *parse_json(as_bytes(body))).status, 200);
  EXPECT_EQ(trust::open_document_sealed_as("policy/one.json", *world.host_reads("policy/one.json"), *key_of_one)->version, opened->version + 1);
}

TEST(SealedPolicies, AnEnrolmentWhoseKeyAgreesOnNothingUsesUpNoToken) {
  Delivery world;
  ASSERT_TRUE(world.start());
  const std::string token = world.tokens("canary", 1, "one")[0];
  plan::EnrolRequest request;
  request.token = token, request.public_key = trust::KeyPair::generate_ed25519()->public_key().ed25519_hex(), request.machine_id = std::string(32, 'a'), request.platform = "linux", request.manifest.build = "0.1.0";
  request.seal_key = std::string(64, '0');
  EXPECT_EQ(world.call("POST", "/api/v1/enrol", to_json(request.to_json())).status, 400);
  EXPECT_EQ(Sensor(world, token, "a").enrolled.status, 201);
}

TEST(Garbage, IsCollectedWhileTheServerRuns) {  // 6.2.1: what a reader may still need stays
  Delivery world;
  world.snapshots_kept = 2;
  ASSERT_TRUE(world.start());
  world.push("r-1");
  for (int i = 0; i < 6; ++i) {
    const std::string body = R"({"_type":"policy","tenant":"one","version":1,"groups":[],"default":{"ring":"general"}})";
    ASSERT_EQ(world.operate("PUT", "/api/v1/policies/one", *parse_json(as_bytes(body))).status, 200);
  }
  const auto count = [&](const std::filesystem::path& folder) { return std::distance(std::filesystem::directory_iterator(world.folder.path / "tuf" / folder), {}); };
  EXPECT_TRUE(world.wait([&] { return count("targets/policy") <= 2; }));
  EXPECT_TRUE(world.files.exists(world.folder.path / "tuf/metadata/1.root.json"));
  EXPECT_FALSE(world.files.exists(world.folder.path / "tuf/metadata/1.snapshot.json"));
  EXPECT_TRUE(world.host_reads("policy/one.json"));
  EXPECT_TRUE(world.host_reads("content/r-1/release.json"));
}

TEST(PolicyBins, AreSignedForTheirOwnPathsOnly) {
  Delivery world;
  ASSERT_TRUE(world.start());
  for (const char* tenant : {"one", "two", "three"}) world.tokens("canary", 1, tenant);  // publishes the tenant's policy
  for (const char* tenant : {"one", "two", "three"}) EXPECT_TRUE(world.host_reads(plan::Policy::path(tenant)));
  world.stop();
  // The signer by itself: bins of its own key, each for its paths.
  auto core = SignerCore::open(world.files, world.folder.path / "signer", world.clock);
  ASSERT_TRUE(core);
  LocalLink link(std::move(*core));
  const auto signers = std::move(*RemoteSigners::connect(link));
  trust::SuccinctRoles bins;
  bins.name_prefix = "policy";
  bins.bit_length = kPolicyBinBits;
  const auto sign = [&](const std::string& role, const std::string& path, int64_t version) {
    Json part = trust::make_targets(version, world.now() + std::chrono::hours(24), {});
    part.set("targets", Json::object({{path, trust::target_entry({path, {1}, std::nullopt})}}));
    return signers->role(role).sign(*canonical_json(part)).has_value();
  };
  const std::string bin = bins.bin_of("policy/new.json");
  const std::string other = bin == "policy-00" ? "policy-01" : "policy-00";
  EXPECT_FALSE(sign(other, "policy/new.json", 90));
  EXPECT_FALSE(sign(bin, "rollout/plan.json", 90));
  EXPECT_TRUE(sign(bin, "policy/new.json", 90));
  EXPECT_FALSE(sign(bin, "policy/new.json", 89));  // each bin's versions only grow
  trust::KeyPair stranger = std::move(*trust::KeyPair::generate_ed25519());
  const auto delegate = [&](uint32_t bits, const trust::PublicKey& key) {
    Json part = trust::make_targets(99, world.now() + std::chrono::hours(24), {});
    return signers->role("policy").sign(*canonical_json(trust::with_bins(part, "policy", bits, {{key}, 1}))).has_value();
  };
  EXPECT_FALSE(delegate(kPolicyBinBits, stranger.public_key()));
  EXPECT_FALSE(delegate(3, signers->role("policy").public_key()));
  EXPECT_TRUE(delegate(kPolicyBinBits, signers->role("policy").public_key()));
}

}  // namespace
}  // namespace creance::server::testing
