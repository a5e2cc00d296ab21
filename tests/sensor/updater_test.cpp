// The updater over a server of a few lines: what it says to whom, in which order, and what it believes of an answer.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/socket.h>

#include "base/ipc/socket.hpp"
#include "base/os/real.hpp"
#include "plan/plan.hpp"
#include "plan/policy.hpp"
#include "sensor/update/enrol.hpp"
#include "sensor/update/updater.hpp"
#include "trust/tiny_server.hpp"
#include "trust/tree.hpp"

namespace creance::sensor {
namespace {

using trust::testing::TinyServer;

std::string http(int status, const std::string& body) { return fmt::format("HTTP/1.0 {} X\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body); }

Identity identity_at(const std::string& url) {
  Identity identity;
  identity.sensor_id = std::string(32, 'a'), identity.tenant = "acme", identity.hostname = "h", identity.machine_id = std::string(32, 'b'), identity.report_interval_ms = 1'000;
  identity.server = url.substr(0, url.size() - 1);
  return identity;
}

// An updater with its supervisor, which is this test, and a server whose tree has a policy and a plan. `on_request` is the server's turn: everything in it happens while the updater waits for the answer.
class UpdaterSpeaks : public testing::Test {
 protected:
  void SetUp() override {
    const auto one = [](const trust::KeyPair& key) { return trust::RoleSpec{{key.public_key()}, 1}; };
    trust::Signer* const by_root[] = {&root_};
    trust::Signer* const by_targets[] = {&targets_};
    const WallTime now = clock_.wall(), year = now + std::chrono::hours(24 * 365);
    first_root_ = *trust::sign_document(trust::make_root(1, year, {{"root", one(root_)}, {"targets", one(targets_)}, {"snapshot", one(snapshot_)}, {"timestamp", one(timestamp_)}}), by_root);
    const Bytes top = *trust::sign_document(trust::make_targets(1, year, {{"rollout", one(rollout_), {"rollout/*"}, true}, {"policy", one(policy_), {"policy/*"}, true}}), by_targets);
    trust::Repository repository(tree_, "/tuf");
    ASSERT_TRUE(repository.create(first_root_, top, {snapshot_, timestamp_}, now));
    plan::Plan plan;
    plan.sequence = 7;
    plan.issued = now;
    ASSERT_TRUE(repository.publish_files("rollout", {{std::string(plan::Plan::kPath), plan.to_bytes(), std::nullopt}}, {}, rollout_, {snapshot_, timestamp_}, now));
    ASSERT_TRUE(repository.publish_files("policy", {{plan::Policy::path("acme"), to_bytes("sealed"), std::nullopt}}, {}, policy_, {snapshot_, timestamp_}, now));
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    detections_ = ipc::Descriptor(ends[0]);
    worker_ = ipc::Descriptor(ends[1]);
    auto pair = ipc::Socket::pair(ipc::Process::kSupervisor, ipc::Process::kUpdater);
    ASSERT_TRUE(pair);
    supervisor_ = std::move(pair->first);
    updater_socket_ = std::move(pair->second);
  }
  static Bytes to_bytes(std::string_view text) { return Bytes(text.begin(), text.end()); }
  std::string of_tree(const std::string& path) {
    const auto bytes = tree_.read(path, 1u << 20);
    return bytes ? http(200, std::string(as_text(*bytes))) : http(404, "none");
  }
  // Until the supervisor is gone, which `on_request` must see to. It answers a path of the API; "" for a file of the tree: that one is served.
  void run(const std::function<std::string(const std::string& path)>& on_request) {
    TinyServer server([&](const std::string& path) {
      while (supervisor_) {
        const auto frame = supervisor_.receive();
        if (!frame) break;
        if (frame->is<ipc::ReportAnswered>()) answered_.push_back(frame->as<ipc::ReportAnswered>());
      }
      const std::string answer = on_request(path);
      return TinyServer::Answer{answer.empty() ? of_tree(path) : answer};
    });
    UpdaterOptions options;
    options.state = "/state";
    options.boot_epoch = std::string(32, 'e');
    options.detections = detections_.get();
    Updater updater(options, identity_at(server.url()), key_, std::move(updater_socket_), files_, clock_);
    ASSERT_TRUE(updater.start(first_root_));
    EXPECT_EQ(updater.run(), 0);
    updater.stop();
    for (const std::string& path : server.paths)
      if (path.starts_with("/api/") || path.find("/targets/") != std::string::npos) asked_.push_back(path.substr(path.rfind('/') + 1));
  }
  void report() { ASSERT_TRUE(supervisor_.send(ipc::Report{}, ipc::Process::kSupervisor)); }

  os::RealClock clock_;
  fake::MemoryFileSystem tree_, files_;
  trust::KeyPair root_ = trust::testing::key(1), targets_ = trust::testing::key(2), snapshot_ = trust::testing::key(3), timestamp_ = trust::testing::key(4), rollout_ = trust::testing::key(6), policy_ = trust::testing::key(7), key_ = trust::testing::key(9);
  Bytes first_root_;
  ipc::Descriptor detections_, worker_;
  ipc::Socket supervisor_, updater_socket_;
  std::vector<ipc::ReportAnswered> answered_;
  std::vector<std::string> asked_;  // calls, and targets by what follows the last slash
};

bool is_policy(const std::string& path) { return path.ends_with(".acme.json"); }
bool is_plan(const std::string& path) { return path.find("/targets/") != std::string::npos && !is_policy(path); }

TEST_F(UpdaterSpeaks, BetweenTwoFilesItHearsItsSupervisorReportsAndTakesDetections) {
  run([&](const std::string& path) -> std::string {
    if (is_policy(path)) {  // what comes while a file is fetched
      report();
      EXPECT_EQ(::send(worker_.get(), "a detection", 11, 0), 11);
    }
    if (path.ends_with("/report")) return http(200, R"({"report_interval_ms":1000,"accepted_sequence":1})");
    if (is_plan(path)) supervisor_.close();
    return "";
  });
  ASSERT_EQ(asked_.size(), 3u) << fmt::format("{}", fmt::join(asked_, " "));
  EXPECT_TRUE(is_policy("/" + asked_[0])) << asked_[0];
  EXPECT_EQ(asked_[1], "report") << "before the next file, however long that takes";
  ASSERT_EQ(answered_.size(), 1u) << "and says so, by which the supervisor knows that it lives";
  EXPECT_EQ(answered_[0].reached, 1);
  EXPECT_EQ(Outbox(files_, "/state/outbox").next(), "a detection\n");
}

TEST_F(UpdaterSpeaks, BetweenTwoFilesItEndsWithItsSupervisor) {
  run([&](const std::string& path) {
    if (is_policy(path)) supervisor_.close();
    return std::string();
  });
  ASSERT_EQ(asked_.size(), 1u) << fmt::format("{}", fmt::join(asked_, " "));
}

TEST_F(UpdaterSpeaks, TellsThatTheServerDoesNotKnowThisSensorAndLosesNoDetections) {
  int reports = 0;
  bool refused = false;
  run([&](const std::string& path) -> std::string {
    if (path.ends_with("/metadata/timestamp.json") && reports == 0) report();
    if (path.ends_with("/detections")) {
      refused = true;
      if (reports >= 4) supervisor_.close();
      return http(401, "{}");
    }
    if (!path.ends_with("/report")) return "";
    ++reports;
    if (reports < 4) report();
    if (reports == 1) return http(200, R"({"report_interval_ms":86400000,"accepted_sequence":1})");
    if (reports == 4) { EXPECT_EQ(::send(worker_.get(), "a detection", 11, 0), 11); }
    return http(401, "{}");
  });
  EXPECT_EQ(reports, 4);
  EXPECT_TRUE(refused);
  ASSERT_GE(answered_.size(), 4u);
  EXPECT_EQ(answered_[0].unknown, 0);
  EXPECT_EQ(answered_[0].report_interval_ms, 86'400'000u);
  for (size_t i = 1; i < 4; ++i) {
    EXPECT_EQ(answered_[i].unknown, 1) << i;
    EXPECT_EQ(answered_[i].reached, 1) << i;
    EXPECT_EQ(answered_[i].report_interval_ms, 1'000u) << "who does not know it has no say in its rhythm";
  }
  EXPECT_EQ(Outbox(files_, "/state/outbox").next(), "a detection\n") << "they wait until it is known again";
}

TEST(EnrolAgainCall, TakesTheIdAloneOfAnAnswer) {
  std::string id = std::string(32, 'c'), tenant = "acme";
  TinyServer server([&](const std::string&) {
    return TinyServer::Answer{http(201, fmt::format(R"({{"sensor_id":"{}","tenant":"{}","tags":["evil"],"report_interval_ms":86400000,"server":"http://evil"}})", id, tenant))};
  });
  trust::KeyPair key = trust::testing::key(9), next = trust::testing::key(10);
  const auto ask = [&] { return enrol_again({std::string(32, 'e'), std::string(32, 'b'), "h", identity_at(server.url()), key, next, {}}); };
  const auto taken = ask();
  ASSERT_TRUE(taken) << taken.error().detail;
  EXPECT_EQ(to_hex(*taken), id);
  EXPECT_NE(server.requests.at(0).find(next.public_key().ed25519_hex()), std::string::npos) << "for the key that it was given";
  EXPECT_NE(server.requests.at(0).find("Creance-Sensor: " + std::string(32, 'a')), std::string::npos);
  for (const auto& [wrong_id, wrong_tenant, why] : {std::tuple{std::string(32, 'c'), "globex", "another tenant"}, {std::string(32, 'a'), "acme", "no other id"}, {std::string(32, '0'), "acme", "no other id"}}) {
    id = wrong_id;
    tenant = wrong_tenant;
    const auto refused = ask();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kDenied);
    EXPECT_NE(refused.error().detail.find(why), std::string::npos) << refused.error().detail;
  }
}

}  // namespace
}  // namespace creance::sensor
