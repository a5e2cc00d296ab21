#include "server/control/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "trust/core/key.hpp"

namespace creance::server {
namespace {

constexpr size_t kEpochsRemembered = 8;
constexpr uint32_t kEventsShown = 20;

std::string digest_text(const std::optional<Digest>& digest) { return digest ? digest->hex() : std::string(); }

Json held_json(const std::vector<plan::HeldInstance>& held) {
  Json list = Json::array();
  for (const plan::HeldInstance& h : held) list.push(Json::object({{"rule_id", h.rule_id}, {"input", h.input}}));
  return list;
}

Json counters_json(const plan::Counters& c) {
  Json counters = Json::object({{"events", c.events}, {"matches", c.matches}, {"faults", c.faults}, {"events_lost", c.events_lost}, {"worker_rss_kib", c.worker_rss_kib}});
  for (const auto& [name, value] : c.more) counters.set(name, value);
  return counters;
}

Json parsed(const std::string& text) {
  auto value = parse_json(as_bytes(text), {.reals = true});
  return value ? std::move(*value) : Json();
}

Json text_list(const std::vector<std::string>& list) {
  Json array = Json::array();
  for (const std::string& item : list) array.push(item);
  return array;
}

// Everything but the id, in the order of who wins when two processes share one identity.
enum class Order : uint8_t { kNext, kAgain, kOld, kClone };
Order order_of(const SensorRecord& sensor, const plan::Report& report) {
  if (report.boot_epoch == sensor.boot_epoch) {
    if (report.sequence == sensor.sequence) return Order::kAgain;
    return report.sequence > sensor.sequence ? Order::kNext : Order::kOld;
  }
  return std::ranges::find(sensor.past_epochs, report.boot_epoch) == sensor.past_epochs.end() ? Order::kNext : Order::kClone;
}

plan::Policy first_policy(const std::string& tenant) {
  plan::Policy policy;
  policy.tenant = tenant;
  for (const plan::Ring ring : plan::kRings) {
    plan::GroupRules rules;
    rules.ring = ring;
    policy.groups.push_back({std::string(plan::to_string(ring)), {std::string(plan::to_string(ring))}, rules});
  }
  return policy;
}

}  // namespace

Fleet::Fleet(Store& store, Publisher& publisher, Rollouts& rollouts, Bus& bus, const Clock& clock, Random& random, std::chrono::milliseconds report_interval)
    : store_(store), publisher_(publisher), rollouts_(rollouts), bus_(bus), clock_(clock), random_(random), report_interval_(report_interval) {
  bus_.subscribe("detections", [this](const BusMessage& message) { return store_detections(message); });
}

Result<std::vector<std::string>> Fleet::make_tokens(const TokenRequest& request) {
  if (!plan::is_tenant_name(request.tenant)) return fail(ErrorCode::kInvalid, fmt::format("`{}` is not a tenant name ([a-z0-9][a-z0-9_-]{{0,63}})", request.tenant.substr(0, 64)));
  if (request.count == 0 || request.count > limits::kTokensPerCallMax) return fail(ErrorCode::kInvalid, fmt::format("count: 1 to {}", limits::kTokensPerCallMax));
  if (publisher_.policy(request.tenant).version == 0) TRY_VOID(publisher_.put_policy(first_policy(request.tenant)));
  std::vector<std::string> tokens;
  const Status stored = store_.transact([&]() -> Status {
    for (uint32_t i = 0; i < request.count; ++i) {
      std::array<uint8_t, 24> secret{};
      random_.fill(secret);
      tokens.push_back(to_hex(secret));
      TRY_VOID(store_.add_token({sha256(as_bytes(tokens.back())).hex(), request.tenant, request.tags, clock_.wall() + request.expires}));
    }
    return {};
  });
  if (!stored) return fail(stored.error());
  return tokens;
}

Result<plan::EnrolResponse> Fleet::enrol(const plan::EnrolRequest& request) {
  TRY(const auto raw, from_hex(request.public_key));
  TRY([[maybe_unused]] const auto checked, trust::PublicKey::ed25519(raw));  // a key that verifies nothing must not use up a token
  if (!request.seal_key.empty()) {
    TRY(const Bytes recipient, from_hex(request.seal_key));
    TRY([[maybe_unused]] const auto tried, trust::seal_document("tried", 1, {}, recipient));  // nor one that nothing can be sealed to
  }
  std::array<uint8_t, 16> id{};
  random_.fill(id);
  SensorRecord sensor;
  sensor.sensor_id = to_hex(id);
  sensor.public_key = to_hex(raw);
  sensor.hostname = request.hostname;
  sensor.machine_id = request.machine_id;
  sensor.platform = request.platform;
  sensor.manifest = to_json(request.manifest.to_json());
  sensor.enrolled = clock_.wall();
  sensor.state = "waiting";
  const Status stored = store_.transact([&]() -> Status {
    TRY(const auto token, store_.use_token(sha256(as_bytes(request.token)).hex(), clock_.wall()));
    sensor.tenant = token.tenant;
    sensor.tags = token.tags;
    return store_.put_sensor(sensor);
  });
  if (!stored) return fail(stored.error());
  plan::EnrolResponse response;
  response.sensor_id = sensor.sensor_id;
  response.tenant = sensor.tenant;
  response.tags = sensor.tags;
  response.report_interval = report_interval_;
  if (!request.seal_key.empty()) {
    TRY(const trust::SealKey key, publisher_.tenant_key(sensor.tenant));
    TRY(const Bytes recipient, from_hex(request.seal_key));
    TRY(const Bytes sealed, trust::seal_document(plan::tenant_key_name(sensor.tenant, sensor.sensor_id), 1, key.raw(), recipient));
    TRY(response.tenant_key, parse_json(sealed));
  }
  return response;
}

Result<SensorRecord> Fleet::authenticate(std::string_view sensor_id, std::string_view signature_hex, std::string_view method, std::string_view path, BytesView body) {
  const auto refuse = [] { return fail(ErrorCode::kDenied, "no such sensor, or its signature does not fit this message"); };
  if (!plan::is_id(sensor_id)) return refuse();
  auto sensor = store_.sensor(std::string(sensor_id));
  if (!sensor && sensor.error().code == ErrorCode::kNotFound) return refuse();
  if (!sensor) return sensor;
  const auto raw = from_hex(sensor->public_key);
  const auto signature = from_hex(signature_hex);
  if (!raw || !signature) return refuse();
  const auto key = trust::PublicKey::ed25519(*raw);
  if (!key || !key->verify(plan::signed_message(method, path, body), *signature)) return refuse();
  return sensor;
}

Result<plan::ReportResponse> Fleet::report(SensorRecord sensor, const plan::Report& report) {
  plan::ReportResponse response;
  response.report_interval = report_interval_;
  const WallTime now = clock_.wall();
  switch (order_of(sensor, report)) {
    case Order::kAgain:  // our answer was lost
      response.accepted_sequence = sensor.sequence;
      return response;
    case Order::kOld: return fail(ErrorCode::kExists, fmt::format("report {} was followed by {} already", report.sequence, sensor.sequence));
    case Order::kClone: {
      ++sensor.clones;
      TRY_VOID(store_.put_sensor(sensor));
      return fail(ErrorCode::kExists, "two sensors use this identity: both must enrol again");
    }
    case Order::kNext: break;
  }
  if (report.machine_id != sensor.machine_id) ++sensor.clones;  // noted; who moved a disk may have good reasons
  if (report.boot_epoch != sensor.boot_epoch && !sensor.boot_epoch.empty()) {
    sensor.past_epochs.push_back(sensor.boot_epoch);
    if (sensor.past_epochs.size() > kEpochsRemembered) sensor.past_epochs.erase(sensor.past_epochs.begin());
  }
  const auto heard_before = sensor.last_report;
  sensor.last_report = now;
  sensor.boot_epoch = report.boot_epoch;
  sensor.boot_id = report.boot_id;
  sensor.sequence = report.sequence;
  sensor.state = plan::to_string(report.state);
  sensor.running_release = report.running_release;
  sensor.running_digest = digest_text(report.running_digest);
  sensor.lkg_digest = digest_text(report.lkg_digest);
  sensor.plan_sequence = report.plan_sequence;
  sensor.arm = report.arm ? std::string(plan::to_string(*report.arm)) : std::string();
  sensor.arm_digest = digest_text(report.arm_digest);
  if (report.manifest) sensor.manifest = to_json(report.manifest->to_json());
  sensor.held = to_json(held_json(report.held));
  sensor.counters = to_json(counters_json(report.counters));
  const Status stored = store_.transact([&]() -> Status {
    TRY_VOID(store_.put_sensor(sensor));
    for (const plan::SensorEvent& event : report.events) {
      const auto age = std::chrono::milliseconds(std::max<int64_t>(0, report.uptime_ms - event.at_ms));
      TRY_VOID(store_.add_event({0, sensor.sensor_id, std::string(plan::to_string(event.kind)), digest_text(event.release_digest), event.detail, now - age}));
    }
    return rollouts_.take_report(sensor, heard_before, report, now);
  });
  if (!stored) return fail(stored.error());
  response.accepted_sequence = report.sequence;
  return response;
}

Result<int64_t> Fleet::detections(const SensorRecord& sensor, std::string_view lines) {
  BusMessage message{"detections", sensor.sensor_id, {}};
  for (size_t number = 1; !lines.empty(); ++number) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    if (line.size() > limits::kDetectionBytesMax) return fail(ErrorCode::kTooLarge, fmt::format("line {}: a detection has {} bytes at most", number, limits::kDetectionBytesMax));
    const auto detection = plan::Detection::parse(as_bytes(line));
    if (!detection) return fail(detection.error().code, fmt::format("line {}: {}; nothing of this message was stored", number, detection.error().detail));
    message.records.push_back(to_json(detection->to_json()));
  }
  TRY_VOID(bus_.publish(message));
  return static_cast<int64_t>(message.records.size());
}

Status Fleet::store_detections(const BusMessage& message) {
  TRY(const auto sensor, store_.sensor(message.sender));
  const WallTime now = clock_.wall();
  return store_.transact([&]() -> Status {
    for (const std::string& body : message.records) TRY_VOID(store_.add_detection({0, sensor.sensor_id, sensor.hostname, sensor.tenant, body, now}));
    return {};
  });
}

Result<Json> Fleet::list(std::string_view ring, std::string_view state) {
  TRY(const auto sensors, store_.sensors());
  Json list = Json::array();
  for (const SensorRecord& s : sensors) {
    const std::string_view in = plan::to_string(rollouts_.ring_of(s));
    if ((!ring.empty() && ring != in) || (!state.empty() && state != s.state)) continue;
    TRY(const auto events, store_.events(s.sensor_id, kEventsShown));
    Json shown = Json::array();
    for (const EventRecord& e : events) {
      shown.push(Json::object({{"time", format_time(e.at)}, {"kind", e.kind}, {"release_digest", e.release_digest}, {"detail", e.detail}}));
    }
    list.push(Json::object({{"sensor_id", s.sensor_id}, {"hostname", s.hostname}, {"platform", s.platform}, {"tenant", s.tenant}, {"tags", text_list(s.tags)}, {"ring", in},
                            {"state", s.state}, {"running_release", s.running_release}, {"running_digest", s.running_digest}, {"lkg_digest", s.lkg_digest},
                            {"plan_sequence", s.plan_sequence}, {"enrolled", format_time(s.enrolled)}, {"last_report", s.last_report ? Json(format_time(*s.last_report)) : Json()},
                            {"arm", s.arm}, {"clones", s.clones}, {"counters", parsed(s.counters)}, {"held", parsed(s.held)}, {"events", std::move(shown)}}));
  }
  return Json::object({{"sensors", std::move(list)}});
}

Result<Json> Fleet::list_detections(uint32_t count_max, int64_t after_id, int64_t before_id) {
  TRY(const auto rows, store_.detections(count_max, before_id));
  Json list = Json::array();
  for (const DetectionRecord& row : rows) {
    if (row.id <= after_id) break;
    Json detection = parsed(row.body);
    detection.set("id", row.id);
    detection.set("sensor_id", row.sensor_id);
    detection.set("tenant", row.tenant);
    detection.set("received", format_time(row.received));
    list.push(std::move(detection));
  }
  return Json::object({{"detections", std::move(list)}});
}

}  // namespace creance::server
