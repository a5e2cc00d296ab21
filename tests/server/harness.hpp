// A server in process on an ephemeral port, with a clock that the test moves, and sensors that are a key and a few numbers. Everything between goes over real HTTP on loopback.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <thread>

#include "base/http_client.hpp"
#include "base/os/real.hpp"
#include "plan/evidence.hpp"
#include "plan/messages.hpp"
#include "plan/policy.hpp"
#include "plan/release.hpp"
#include "server/api/server.hpp"
#include "server/control/ceremony.hpp"
#include "server/signer/link.hpp"
#include "trust/client/http_transport.hpp"
#include "trust/client/updater.hpp"
#include "trust/keys/key_file.hpp"
#include "trust/repository/builder.hpp"

namespace creance::server::testing {

class MovableClock final : public Clock {
 public:
  WallTime wall() const override { return WallTime(std::chrono::milliseconds(now_.load())); }
  MonotonicTime monotonic() const override { return MonotonicTime(now_.load()); }
  void advance(std::chrono::milliseconds by) { now_ += by.count(); }
  void set(WallTime to) { now_ = to.time_since_epoch().count(); }

 private:
  std::atomic<int64_t> now_{1'795'000'000'000};  // 2026-11-18
};

struct Folder {
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "creance-server-XXXXXX").string();
    EXPECT_NE(::mkdtemp(pattern.data()), nullptr);
    path = pattern;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

struct Answer {
  int status = 0;
  std::string text;
  Json body;  // null if it is not JSON
  int64_t integer(std::string_view name) const { return body.find(name) == nullptr ? -1 : body.find(name)->integer(); }
  std::string string(std::string_view name) const { return body.find(name) == nullptr ? "" : body.find(name)->string(); }
};

class World {
 public:
  World() : author(std::move(*trust::KeyPair::generate_ed25519())) {
    CeremonyRequest request{folder.path, {author.public_key()}, 1};
    const auto made = key_ceremony(request, files, random, clock);
    EXPECT_TRUE(made) << made.error().detail;
    token = as_text(*files.read(folder.path / "operator.token", 100)).substr(0, 64);
  }
  ~World() { stop(); }

  // Opens and serves; `link` empty: the signer in this process.
  Status start(std::unique_ptr<SignerLink> link = nullptr) {
    if (link == nullptr) {
      auto core = SignerCore::open(files, folder.path / "signer", clock);
      if (!core) return fail(core.error());
      link = std::make_unique<LocalLink>(std::move(*core));
    }
    ServerOptions options;
    options.data = folder.path;
    options.tick = std::chrono::milliseconds(5);
    options.renew_every = std::chrono::milliseconds(20);
    options.require_evidence = require_evidence;
    if (snapshots_kept > 0) options.snapshots_kept = snapshots_kept, options.garbage_every = std::chrono::milliseconds(20);
    options.log = [this](std::string_view line) { log += std::string(line) + "\n"; };
    TRY(server, Server::open(std::move(options), std::move(link), files, clock, random));
    thread = std::thread([this] { server->run(); });
    return {};
  }
  void stop() {
    if (!server) return;
    server->stop();
    thread.join();
    server.reset();
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server->port()); }

  Answer call(const std::string& method, const std::string& path, std::string body = "", std::vector<std::pair<std::string, std::string>> headers = {}) {
    creance::HttpRequest request;
    request.method = method;
    request.url = url() + path;
    request.body = std::move(body);
    request.headers = std::move(headers);
    request.answer_bytes_max = 16u << 20;
    const auto got = client.send(request);
    Answer answer;
    if (!got) {
      answer.text = got.error().detail;
      return answer;
    }
    answer.status = got->status;
    answer.text = got->body;
    if (auto parsed = parse_json(as_bytes(got->body), {.bytes_max = 16u << 20, .reals = true})) answer.body = std::move(*parsed);
    return answer;
  }
  Answer operate(const std::string& method, const std::string& path, const Json& body = Json()) {
    return call(method, path, body.kind() == Json::Kind::kNull ? "" : to_json(body), {{"Authorization", "Bearer " + token}});
  }
  std::vector<std::string> tokens(const std::string& tag, int count, const std::string& tenant = "demo") {
    const Answer made = operate("POST", "/api/v1/tokens", Json::object({{"tenant", tenant}, {"tags", Json::array({tag})}, {"count", count}}));
    EXPECT_EQ(made.status, 201) << made.text;
    std::vector<std::string> list;
    if (const Json* found = made.body.find("tokens")) {
      for (const Json& t : found->elements()) list.push_back(t.string());
    }
    return list;
  }
  // Signs and pushes a release of one small channel; gives its digest. `rules`: what its evidence names; none: it has no evidence.
  Digest push(const std::string& name, std::vector<plan::NotBefore> not_before = {}, std::vector<plan::Evidence::Source> rules = {}) {
    plan::Release release;
    release.name = name;
    release.created = std::chrono::floor<std::chrono::seconds>(clock.wall());
    release.category = "rapid";
    release.floor.approved_until = release.created + std::chrono::hours(24 * 90);
    release.floor.not_before = std::move(not_before);
    const Bytes channel = {1, 2, 3};
    plan::ChannelRef ref;
    ref.type = "windows.pipe_created", ref.path = "content/" + name + "/windows.pipe_created.channel", ref.sha256 = sha256(channel), ref.length = 3, ref.instances = 1;
    release.channels.push_back(ref);
    std::vector<trust::TargetFile> files_of = {{ref.path, channel, std::nullopt}};
    if (!rules.empty()) {
      plan::Evidence evidence;
      evidence.subjects = {{"windows.pipe_created.channel", ref.sha256}};
      evidence.sources = std::move(rules);
      evidence.passed = {"everything"};
      files_of.push_back({plan::Evidence::path(name), evidence.to_bytes(), std::nullopt});
      release.evidence = sha256(files_of.back().bytes);
    }
    const Bytes document = release.to_bytes();
    files_of.push_back({release.path(), document, std::nullopt});
    publish(files_of);
    return plan::release_digest(document);
  }
  void push_deny(const plan::DenyList& list) { publish({{std::string(plan::DenyList::kPath), list.to_bytes(), std::nullopt}}); }
  void publish(const std::vector<trust::TargetFile>& files_of) {
    const auto part = trust::next_targets(content ? std::optional<BytesView>(*content) : std::nullopt, files_of, {}, std::chrono::floor<std::chrono::seconds>(clock.wall()) + std::chrono::hours(24 * 90));
    EXPECT_TRUE(part);
    trust::Signer* const signers[] = {&author};
    content = *trust::sign_document(*part, signers);
    Json targets = Json::array();
    for (const trust::TargetFile& file : files_of) targets.push(Json::object({{"path", file.path}, {"data", to_base64(file.bytes)}}));
    const Answer pushed = operate("PUT", "/api/v1/content", Json::object({{"metadata", to_base64(*content)}, {"targets", targets}}));
    EXPECT_EQ(pushed.status, 201) << pushed.text;
  }
  static Json stage(const char* ring, int share_percent, double soak_s, int unknown_max = 100) {
    return Json::object({{"ring", ring}, {"share", share_percent * 10'000}, {"soak_s", soak_s}, {"unknown_max", unknown_max}});
  }
  std::string begin(const std::string& release, Json stages) {
    const Answer begun = operate("POST", "/api/v1/rollouts", Json::object({{"release", release}, {"stages", std::move(stages)}}));
    EXPECT_EQ(begun.status, 201) << begun.text;
    clock.advance(std::chrono::seconds(1));
    return begun.string("rollout");
  }
  int64_t ticks() {  // how often open rollouts were judged
    const std::string text = call("GET", "/metrics").text;
    const size_t at = text.find("\ncreance_ticks_total ");
    return at == std::string::npos ? -1 : std::stoll(text.substr(at + 21));
  }
  Answer status(const std::string& rollout) { return operate("GET", "/api/v1/rollouts/" + rollout); }
  // Polls, with a deadline for a run that hangs.
  bool wait(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }
  bool wait_state(const std::string& rollout, const std::string& state) {
    return wait([&] { return status(rollout).string("state") == state; });
  }
  // The published plan as a host gets it: through the whole client, over HTTP.
  Result<plan::Plan> plan() {
    Folder metadata;
    trust::HttpTransport transport({.base_url = url() + "/tuf/"});
    trust::Client updater(transport, files, metadata.path);
    TRY(const auto root, files.read(folder.path / "root.json", 1u << 20));
    TRY_VOID(updater.init(root));
    TRY_VOID(updater.refresh(clock.wall()));
    TRY(const auto info, updater.target(std::string(plan::Plan::kPath)));
    TRY(const auto bytes, updater.download(info));
    if (const trust::RoleKeys* keys = updater.role_keys("rollout")) rollout_keys = *keys;
    return plan::Plan::parse(bytes);
  }

  Folder folder;
  os::RealFileSystem files;
  os::RealRandom random;
  MovableClock clock;
  trust::KeyPair author;
  std::optional<Bytes> content;
  std::string token, log;
  bool require_evidence = false;
  uint32_t snapshots_kept = 0;  // above 0: garbage is collected all the time
  trust::RoleKeys rollout_keys;  // after plan()
  HttpClient client{"test"};
  std::unique_ptr<Server> server;
  std::thread thread;
};

class Sensor {
 public:
  Sensor(World& world, const std::string& token, const std::string& hostname) : world_(&world), key_(std::make_shared<trust::KeyPair>(std::move(*trust::KeyPair::generate_ed25519()))) {
    std::array<uint8_t, 16> noise{};
    world.random.fill(noise);
    machine_id = to_hex(noise);
    world.random.fill(noise);
    boot_epoch = to_hex(noise);
    plan::EnrolRequest request;
    request.token = token, request.public_key = key_->public_key().ed25519_hex(), request.hostname = hostname, request.machine_id = machine_id, request.platform = "linux";
    request.manifest.build = "0.1.0";
    request.seal_key = to_hex(sealed_to->public_key());
    enrolled = world.call("POST", "/api/v1/enrol", to_json(request.to_json()));
    id = enrolled.string("sensor_id");
  }
  Answer send(const std::string& path, const std::string& body) {
    const auto signature = key_->sign(plan::signed_message("POST", path, as_bytes(body)));
    return world_->call("POST", path, body, {{"Creance-Sensor", id}, {"Creance-Signature", to_hex(*signature)}});
  }
  Answer announce(const Digest& release) {
    plan::Announce message;
    message.sensor_id = id, message.boot_epoch = boot_epoch, message.release_digest = release;
    const Answer answer = send("/api/v1/announce", to_json(message.to_json()));
    if (answer.status == 200) {
      const auto part = trust::open_document(as_bytes(answer.text), world_->rollout_keys, "grant");
      EXPECT_TRUE(part) << part.error().detail;
      const auto grant = plan::Grant::parse(*part);
      EXPECT_TRUE(grant);
      const auto fits = grant->check(id, boot_epoch, release, world_->clock.wall());
      EXPECT_TRUE(fits) << fits.error().detail;
      arm = grant->verdict;
      reason = grant->reason;
      arm_release = release;
    }
    return answer;
  }
  plan::Report next_report(std::vector<plan::SensorEvent> events = {}) {
    plan::Report report;
    report.sensor_id = id, report.machine_id = machine_id, report.boot_id = "b", report.boot_epoch = boot_epoch, report.sequence = ++sequence;
    report.uptime_ms = 10'000, report.arm = arm, report.arm_digest = arm_release, report.running_digest = running, report.events = std::move(events);
    report.state = plan::SensorState::kProbation;
    return report;
  }
  Answer report(std::vector<plan::SensorEvent> events = {}) { return report(next_report(std::move(events))); }
  // As a sensor that lives: asked for a nonce, it says it again with that.
  Answer report(plan::Report said) {
    const Answer first = send("/api/v1/report", to_json(said.to_json()));
    if (first.status != 409 || first.string("type") != plan::kProblemNonce) return first;
    said.nonce = first.string("nonce");
    return send("/api/v1/report", to_json(said.to_json()));
  }
  // What a healthy host says after its grant.
  void settle() {
    if (arm == plan::Verdict::kGo) running = arm_release;
    const auto kind = arm == plan::Verdict::kGo ? plan::EventKind::kProbationPassed : plan::EventKind::kHeld;
    EXPECT_EQ(report({{kind, arm_release, 10'000, ""}}).status, 200);
  }
  void crash() {
    EXPECT_EQ(report({{plan::EventKind::kWorkerCrash, arm_release, 10'000, "signal 11"}, {plan::EventKind::kContentRefused, arm_release, 10'000, "worker_crash: signal 11"}, {plan::EventKind::kReturned, arm_release, 10'000, ""}}).status, 200);
  }
  // As it would after it was told so: a key of its own, signed with the one that it gives up. 201: it is that sensor from now on.
  Answer enrol_again(std::shared_ptr<trust::KeyPair> next = nullptr) {
    if (next == nullptr) next = std::make_shared<trust::KeyPair>(std::move(*trust::KeyPair::generate_ed25519()));
    plan::EnrolAgain message;
    message.sensor_id = id, message.boot_epoch = boot_epoch;
    message.request.public_key = next->public_key().ed25519_hex(), message.request.hostname = "again", message.request.machine_id = machine_id, message.request.platform = "linux";
    message.request.manifest.build = "0.1.0";
    message.request.seal_key = to_hex(sealed_to->public_key());
    const Answer answer = send("/api/v1/enrol-again", to_json(message.to_json()));
    if (answer.status == 201) enrolled = answer, id = answer.string("sensor_id"), key_ = next, arm.reset(), arm_release.reset();
    return answer;
  }
  void new_epoch(World& world) {
    std::array<uint8_t, 16> noise{};
    world.random.fill(noise);
    boot_epoch = to_hex(noise);
  }

  // The key of the sensor's tenant, as it came with the enrolment.
  Result<trust::SealKey> tenant_key() const {
    TRY(const auto response, plan::EnrolResponse::parse(as_bytes(enrolled.text)));
    if (!response.tenant_key) return fail(ErrorCode::kNotFound, "no tenant's key came");
    TRY(const Bytes sealed, canonical_json(*response.tenant_key));
    TRY(const auto opened, trust::open_document_sealed_as(plan::tenant_key_name(response.tenant, id), sealed, *sealed_to));
    return trust::SealKey::from_raw(opened.plain);
  }

  std::shared_ptr<trust::SealKey> sealed_to = std::make_shared<trust::SealKey>(trust::SealKey::generate());
  std::string reason;  // of the last grant
  std::string id, machine_id, boot_epoch;
  int64_t sequence = 0;
  std::optional<plan::Verdict> arm;
  std::optional<Digest> arm_release, running;
  Answer enrolled;

 private:
  World* world_;
  std::shared_ptr<trust::KeyPair> key_;  // a copy of a Sensor is a clone of it
};

inline std::vector<Sensor> enrol(World& world, const std::string& ring, int count, const std::string& tenant = "demo") {
  std::vector<Sensor> sensors;
  for (const std::string& token : world.tokens(ring, count, tenant)) {
    sensors.emplace_back(world, token, ring + std::to_string(sensors.size()));
    EXPECT_EQ(sensors.back().enrolled.status, 201) << sensors.back().enrolled.text;
    EXPECT_EQ(sensors.back().report().status, 200);
  }
  return sensors;
}

}  // namespace creance::server::testing
