// What creance-signer refuses, whoever asks.
#include "server/signer/signer_core.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "harness.hpp"
#include "support/places.hpp"

namespace creance::server::testing {
namespace {

// A folder after its ceremony, a signer over it, and content that was signed by a person.
struct Ceremony {
  Ceremony() : author(std::move(*trust::KeyPair::generate_ed25519())) {
    const auto made = key_ceremony({folder.path, {author.public_key()}, 1}, files, random, clock);
    EXPECT_TRUE(made) << made.error().detail;
    open();
  }
  void open() {
    signers.reset();
    auto core = SignerCore::open(files, folder.path / "signer", clock);
    ASSERT_TRUE(core) << core.error().detail;
    link = std::make_unique<LocalLink>(std::move(*core));
    signers = std::move(*RemoteSigners::connect(*link));
  }
  WallTime now() const { return std::chrono::floor<std::chrono::seconds>(clock.wall()); }
  Bytes release(const std::string& name, std::vector<plan::NotBefore> not_before = {}, std::chrono::hours approved = std::chrono::hours(240)) {
    plan::Release r;
    r.name = name, r.created = now(), r.category = "rapid";
    r.floor = {now() + approved, std::move(not_before)};
    return r.to_bytes();
  }
  // The next content metadata, with these releases.
  Bytes content(const std::vector<Bytes>& releases, std::optional<Bytes> previous = std::nullopt, trust::Signer* by = nullptr, std::chrono::hours valid = std::chrono::hours(24 * 90)) {
    std::vector<trust::TargetFile> targets;
    for (const Bytes& bytes : releases) targets.push_back({plan::Release::parse(bytes)->path(), bytes, std::nullopt});
    trust::Signer* const list[] = {by == nullptr ? &author : by};
    return *trust::sign_document(*trust::next_targets(previous ? std::optional<BytesView>(*previous) : std::nullopt, targets, {}, now() + valid), list);
  }
  plan::Plan plan(int64_t sequence, const Bytes& release_bytes, uint64_t go_below = plan::kEveryCohort, plan::RolloutState state = plan::RolloutState::kRolling) {
    plan::Plan p;
    p.sequence = sequence, p.issued = now();
    plan::Rollout r;
    r.release = plan::Release::parse(release_bytes)->name, r.release_digest = plan::release_digest(release_bytes), r.state = state, r.ids_before = WallTime(std::chrono::hours(24 * 365 * 50));
    r.stages = {{plan::Ring::kCanary, go_below, plan::kEveryCohort}};
    p.rollouts = {r};
    return p;
  }
  ErrorCode refusal(const Status& status, const std::string& says) {
    EXPECT_FALSE(status);
    if (status) return ErrorCode::kIo;
    EXPECT_NE(status.error().detail.find(says), std::string::npos) << status.error().detail;
    return status.error().code;
  }
  Status sign(const std::string& role, const Json& part) {
    const auto signature = signers->role(role).sign(*canonical_json(part));
    if (!signature) return fail(signature.error());
    EXPECT_TRUE(signers->role(role).public_key().verify(*canonical_json(part), *signature));
    return {};
  }
  Json rollout_targets(int64_t version, const Bytes& plan_bytes, const std::string& path = "rollout/plan.json") {
    Json targets = trust::make_targets(version, now() + std::chrono::hours(24), {});
    targets.set("targets", Json::object({{path, trust::target_entry({path, plan_bytes, std::nullopt})}}));
    return targets;
  }

  Folder folder;
  os::RealFileSystem files;
  os::RealRandom random;
  MovableClock clock;
  trust::KeyPair author;
  std::unique_ptr<LocalLink> link;
  std::unique_ptr<RemoteSigners> signers;
};

std::map<std::string, Bytes> of(const Bytes& content) { return {{"content", content}}; }

}  // namespace

TEST(Signer, SequencesOnlyGrow) {
  Ceremony c;
  const Bytes release = c.release("r-1");
  const Bytes content = c.content({release});
  EXPECT_TRUE(c.signers->approve_plan(c.plan(5, release), of(content), {release}));
  EXPECT_TRUE(c.signers->approve_plan(c.plan(5, release), of(content), {release}));  // the very same again: after a stop
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(5, release, 1), of(content), {release}), "sequence 5"), ErrorCode::kDenied);
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(4, release, 1), of(content), {release}), "sequence 4"), ErrorCode::kDenied);
  c.open();  // it remembers
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(4, release, 1), of(content), {release}), "sequence 4"), ErrorCode::kDenied);
}

TEST(Signer, ReleasesOnlyWhatPeopleSigned) {
  Ceremony c;
  const Bytes release = c.release("r-1");
  const Bytes other = c.release("r-2");
  const Bytes content = c.content({release});
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(1, other), of(content), {other}), "does not hold release"), ErrorCode::kDenied);
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(1, release), of(content), {}), "no release document"), ErrorCode::kDenied);
  EXPECT_FALSE(c.signers->approve_plan(c.plan(1, release), {}, {release}));
  auto stranger = trust::KeyPair::generate_ed25519();
  EXPECT_FALSE(c.signers->approve_plan(c.plan(1, release), of(c.content({release}, std::nullopt, &*stranger)), {release}));
  plan::Plan misnamed = c.plan(1, release);
  misnamed.rollouts[0].release = "r-2";
  EXPECT_EQ(c.refusal(c.signers->approve_plan(misnamed, of(content), {release}), "calls release"), ErrorCode::kDenied);
  EXPECT_TRUE(c.signers->approve_plan(c.plan(1, release), of(content), {release}));
}

TEST(Signer, NeverGoesBelowTheFloor) {
  Ceremony c;
  const WallTime later = c.now() + std::chrono::hours(2);
  const Bytes release = c.release("r-1", {{plan::Ring::kCanary, 500'000, later}, {plan::Ring::kGeneral, 0, later}});
  const Bytes content = c.content({release});
  const uint64_t half = plan::limit_of_share(500'000);
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(1, release, half + 1), of(content), {release}), "millionths of ring `canary`"), ErrorCode::kDenied);
  plan::Plan general = c.plan(1, release, half);
  general.rollouts[0].stages.push_back({plan::Ring::kGeneral, 1, plan::kEveryCohort});
  EXPECT_FALSE(c.signers->approve_plan(general, of(content), {release}));
  EXPECT_FALSE(c.signers->approve_plan(c.plan(1, release, half, plan::RolloutState::kComplete), of(content), {release}));
  EXPECT_TRUE(c.signers->approve_plan(c.plan(1, release, half), of(content), {release}));
  c.clock.set(later);
  EXPECT_TRUE(c.signers->approve_plan(c.plan(2, release, half + 1), of(content), {release}));
  const Bytes old = c.release("r-2", {}, std::chrono::hours(1));
  const Bytes next = c.content({old}, content);
  c.clock.advance(std::chrono::hours(1));
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(3, old), of(next), {old}), "was approved until"), ErrorCode::kDenied);
}

TEST(Signer, ContentDoesNotLiveForEver) {
  Ceremony c;
  const Bytes release = c.release("r-1");
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(1, release), of(c.content({release}, std::nullopt, nullptr, std::chrono::hours(24 * 400 + 1))), {release}), "more than 400 days"), ErrorCode::kDenied);
  EXPECT_TRUE(c.signers->approve_plan(c.plan(1, release), of(c.content({release}, std::nullopt, nullptr, std::chrono::hours(24 * 400))), {release}));
}

TEST(Signer, ContentVersionsNeverGoBack) {
  Ceremony c;
  const Bytes release = c.release("r-1");
  const Bytes first = c.content({release});
  const Bytes second = c.content({c.release("r-2")}, first);
  EXPECT_TRUE(c.signers->approve_plan(c.plan(1, release, 1), of(second), {release}));
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(2, release), of(first), {release}), "older than 2"), ErrorCode::kDenied);
}

TEST(Signer, AHaltNeedsNobodyAndIsLiftedByContentAlone) {
  Ceremony c;
  const Bytes release = c.release("r-1");
  const Bytes content = c.content({release});
  ASSERT_TRUE(c.signers->approve_plan(c.plan(1, release), of(content), {release}));
  c.clock.advance(std::chrono::hours(24 * 200));  // everything is expired: a halt passes all the same
  EXPECT_TRUE(c.signers->approve_plan(c.plan(2, release, plan::kEveryCohort, plan::RolloutState::kHalted), of(content), {}));
  c.clock.advance(-std::chrono::hours(24 * 200));
  c.open();
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(3, release), of(content), {release}), "was halted"), ErrorCode::kDenied);
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(3, release, 1, plan::RolloutState::kPaused), of(content), {release}), "was halted"), ErrorCode::kDenied);
  plan::Plan forgotten;
  forgotten.sequence = 3, forgotten.issued = c.now();
  EXPECT_TRUE(c.signers->approve_plan(forgotten, of(content), {}));
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(4, release), of(content), {release}), "was halted"), ErrorCode::kDenied);
  EXPECT_TRUE(c.signers->approve_plan(c.plan(4, release), of(c.content({c.release("r-2")}, content)), {release}));
}

TEST(Signer, SignsTheApprovedPlanAndNoOther) {
  Ceremony c;
  const Bytes release = c.release("r-1");
  const plan::Plan approved = c.plan(1, release);
  EXPECT_FALSE(c.sign("rollout", c.rollout_targets(1, approved.to_bytes())));  // not yet
  ASSERT_TRUE(c.signers->approve_plan(approved, of(c.content({release})), {release}));
  EXPECT_TRUE(c.sign("rollout", c.rollout_targets(1, approved.to_bytes())));
  EXPECT_EQ(c.refusal(c.sign("rollout", c.rollout_targets(2, c.plan(2, release).to_bytes())), "approved last"), ErrorCode::kDenied);
  EXPECT_EQ(c.refusal(c.sign("rollout", c.rollout_targets(2, approved.to_bytes(), "content/x/y")), "does not sign `content/x/y`"), ErrorCode::kDenied);
  EXPECT_EQ(c.refusal(c.sign("policy", c.rollout_targets(1, approved.to_bytes())), "does not sign `rollout/plan.json`"), ErrorCode::kDenied);
  EXPECT_EQ(c.refusal(c.sign("timestamp", c.rollout_targets(2, approved.to_bytes())), "does not sign `targets`"), ErrorCode::kDenied);
  const Json delegating = trust::make_targets(2, c.now() + std::chrono::hours(1), {{"evil", {{c.author.public_key()}, 1}, {"*"}, true}});
  EXPECT_EQ(c.refusal(c.sign("policy", delegating), "delegates to nobody"), ErrorCode::kDenied);
}

TEST(Signer, VersionsNeverGoBackNorLiveForEver) {
  Ceremony c;
  const auto timestamp = [&](int64_t version, std::chrono::hours life = std::chrono::hours(24)) { return trust::make_timestamp(version, c.now() + life, {1, std::nullopt, {}}); };
  EXPECT_TRUE(c.sign("timestamp", timestamp(7)));
  EXPECT_TRUE(c.sign("timestamp", timestamp(7)));
  EXPECT_EQ(c.refusal(c.sign("timestamp", timestamp(6)), "older than 7"), ErrorCode::kDenied);
  EXPECT_EQ(c.refusal(c.sign("timestamp", timestamp(8, std::chrono::hours(24 * 1000))), "400 days"), ErrorCode::kDenied);
  const auto snapshot = [&](int64_t version, int64_t content) { return trust::make_snapshot(version, c.now() + std::chrono::hours(24), {{"targets.json", {1, std::nullopt, {}}}, {"content.json", {content, std::nullopt, {}}}}); };
  EXPECT_TRUE(c.sign("snapshot", snapshot(5, 3)));
  EXPECT_EQ(c.refusal(c.sign("snapshot", snapshot(6, 2)), "takes `content.json` back"), ErrorCode::kDenied);
  c.open();
  EXPECT_EQ(c.refusal(c.sign("timestamp", timestamp(6)), "older than 7"), ErrorCode::kDenied);
}

TEST(Signer, GrantsOnlyWhatThePlanExposes) {
  Ceremony c;
  const Bytes release = c.release("r-1");
  plan::Grant grant{std::string(32, 'a'), std::string(32, 'b'), plan::release_digest(release), plan::Verdict::kGo, c.now() + std::chrono::minutes(10)};
  EXPECT_EQ(c.refusal(c.sign("rollout", grant.to_json()), "not in the plan"), ErrorCode::kDenied);
  const Bytes content = c.content({release});
  ASSERT_TRUE(c.signers->approve_plan(c.plan(1, release), of(content), {release}));
  EXPECT_TRUE(c.sign("rollout", grant.to_json()));
  EXPECT_FALSE(c.sign("policy", grant.to_json()));
  grant.expires = c.now() + std::chrono::hours(5);
  EXPECT_EQ(c.refusal(c.sign("rollout", grant.to_json()), "one hour"), ErrorCode::kDenied);
  grant.expires = c.now() + std::chrono::minutes(10);
  ASSERT_TRUE(c.signers->approve_plan(c.plan(2, release, 1, plan::RolloutState::kHalted), of(content), {}));
  EXPECT_EQ(c.refusal(c.sign("rollout", grant.to_json()), "is halted"), ErrorCode::kDenied);
}

TEST(Signer, AnswersNonsenseWithAReason) {
  Ceremony c;
  auto core = SignerCore::open(c.files, c.folder.path / "signer", c.clock);
  ASSERT_TRUE(core);
  for (const std::string request : {"", "{}", "[]", R"({"op":"dance"})", R"({"op":"sign","role":"root","message":""})", R"({"op":"sign","role":"timestamp","message":"e30="})", R"({"op":"plan","plan":"AA==","content":"","releases":[]})"}) {
    const auto answer = parse_json(core->handle(as_bytes(request)));
    ASSERT_TRUE(answer);
    EXPECT_NE(answer->find("error"), nullptr) << request;
  }
}

TEST(SignerProcess, RunsByItselfOnASocket) {
  World world;
  const std::filesystem::path socket = world.folder.path / "signer.sock";
  const std::string program = test::bin_dir().string() + "/creance-signer";
  const std::string data = (world.folder.path / "signer").string();
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(program.c_str(), program.c_str(), "--data", data.c_str(), "--socket", socket.c_str(), nullptr);
    ::_exit(127);
  }
  ASSERT_TRUE(world.wait([&] { return std::filesystem::exists(socket); }));
  Status started = fail(ErrorCode::kUnavailable, "");
  ASSERT_TRUE(world.wait([&] {  // between bind and listen it refuses
    started = world.start(make_socket_link(socket));
    return started || started.error().code != ErrorCode::kUnavailable;
  }));
  ASSERT_TRUE(started) << started.error().detail;
  world.push("r-1");
  EXPECT_EQ(world.operate("GET", "/api/v1/roles").integer("content_version"), 1);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ::waitpid(child, nullptr, 0);
  const Answer refused = world.operate("POST", "/api/v1/rollouts", Json::object({{"release", "r-1"}, {"stages", Json::array({World::stage("canary", 50, 1)})}}));
  EXPECT_TRUE(world.wait([&] { return world.call("GET", "/readyz").status == 503; })) << refused.text;
  EXPECT_EQ(world.call("GET", "/healthz").status, 200);
}

TEST(SignerProcess, IsStartedAgainAfterItDied) {
  World world;
  ASSERT_TRUE(world.start(make_process_link(test::bin_dir() / "creance-signer", world.folder.path / "signer")));
  world.push("r-1");
  // Its process id, from the children of this one.
  std::string pids;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream children(task.path() / "children");
    std::string pid;
    while (children >> pid) {
      std::ifstream comm("/proc/" + pid + "/comm");
      std::string name;
      std::getline(comm, name);
      if (name == "creance-signer") pids = pid;
    }
  }
  ASSERT_FALSE(pids.empty());
  ASSERT_EQ(::kill(std::stoi(pids), SIGKILL), 0);
  world.push("r-2");
  EXPECT_EQ(world.operate("GET", "/api/v1/roles").integer("content_version"), 2);
}

TEST(Signer, TenantsContentIsApprovedByItsOwnKeysAlone) {  // ADR 0099
  Ceremony c;
  trust::KeyPair acme = std::move(*trust::KeyPair::generate_ed25519());
  // The ceremony adds the role; the signer follows it.
  const auto before = *trust::Targets::parse(*c.files.read(c.folder.path / "signer/targets.json", 1u << 20));
  Json part = before.envelope.signed_part;
  Json delegations = *part.find("delegations");
  Json keys = *delegations.find("keys");
  keys.set(acme.public_key().id(), acme.public_key().json());
  Json roles = *delegations.find("roles");
  roles.push(Json::object({{"keyids", Json::array({Json(acme.public_key().id())})}, {"name", "content-acme"}, {"paths", Json::array({Json("content-acme/*/*")})}, {"terminating", true}, {"threshold", 1}}));
  delegations.set("keys", keys);
  delegations.set("roles", roles);
  part.set("delegations", delegations);
  part.set("version", before.version + 1);
  trust::KeyPair signing = std::move(*trust::load_key(c.files, c.folder.path / "offline-keys/targets.pem"));
  trust::Signer* const by_targets[] = {&signing};
  const Bytes own = c.release("acme/own-1");
  const Bytes own_content = c.content({own}, std::nullopt, &acme);
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(1, own), {{"content-acme", own_content}}, {own}), "nobody may sign content as `content-acme`"), ErrorCode::kDenied);
  ASSERT_TRUE(c.signers->renew_trust("targets", *trust::sign_document(part, by_targets)));
  c.open();  // it is kept
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(1, own), of(c.content({own})), {own}), "no signed metadata of the role `content-acme`"), ErrorCode::kDenied);  // everybody's signers do not approve a tenant's
  EXPECT_FALSE(c.signers->approve_plan(c.plan(1, own), {{"content-acme", c.content({own})}}, {own}));                                        // nor under its name
  const Bytes general = c.release("own-1");
  EXPECT_FALSE(c.signers->approve_plan(c.plan(1, general), {{"content-acme", own_content}}, {general}));  // and a tenant approves nothing for everybody
  EXPECT_TRUE(c.signers->approve_plan(c.plan(1, own), {{"content-acme", own_content}}, {own}));
  EXPECT_EQ(c.refusal(c.signers->approve_plan(c.plan(2, own, 1), {}, {own}), "content-acme version 0 is older than 1"), ErrorCode::kDenied);
}

}  // namespace creance::server::testing
