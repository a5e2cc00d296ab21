#include "server/control/fleet.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "base/sensor_limits.hpp"
#include "trust/core/key.hpp"

namespace creance::server {
namespace {

constexpr uint32_t kEventsShown = 20;
constexpr size_t kDescendantsAliveMax = 32;  // sensors without a token of their own, of one that had one; above: tokens, or somebody plays with a stolen key
constexpr std::chrono::milliseconds kSuccessorEvery{3'600'000};  // of an identity that itself came without a token
constexpr std::chrono::hours kAliveWithin{24};  // heard or made; above: whoever got 32 once denies everybody more for good. One host makes one an hour, so fewer in that time
constexpr std::chrono::hours kOverBudgetKept{48};  // longer than what excuses
constexpr std::chrono::milliseconds kMovedAfter{60'000};  // not heard for so long, and another machine speaks: it was moved, not copied

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

Json vitals_json(const std::map<std::string, int64_t>& vitals) {
  Json json = Json::object({});
  for (const auto& [name, value] : vitals) json.set(name, value);
  return json;
}

Json paused_json(const SensorRecord& sensor) {
  return sensor.paused_until ? Json::object({{"until", format_time(*sensor.paused_until)}, {"reason", sensor.pause_reason}}) : Json();
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
    : store_(store), publisher_(publisher), rollouts_(rollouts), bus_(bus), clock_(clock), random_(random), challenges_(random), report_interval_(report_interval) {
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

Status Fleet::check_keys(const plan::EnrolRequest& request) {
  TRY(const auto raw, from_hex(request.public_key));
  TRY([[maybe_unused]] const auto checked, trust::PublicKey::ed25519(raw));  // a key that verifies nothing must not use up a token
  if (!request.seal_key.empty()) {
    TRY(const Bytes recipient, from_hex(request.seal_key));
    TRY([[maybe_unused]] const auto tried, trust::seal_document("tried", 1, {}, recipient));  // nor one that nothing can be sealed to
  }
  return {};
}

SensorRecord Fleet::new_sensor(const plan::EnrolRequest& request) {
  std::array<uint8_t, 16> id{};
  random_.fill(id);
  SensorRecord sensor;
  sensor.sensor_id = to_hex(id);
  sensor.public_key = request.public_key;
  sensor.hostname = request.hostname;
  sensor.machine_id = request.machine_id;
  sensor.platform = request.platform;
  sensor.manifest = to_json(request.manifest.to_json());
  sensor.enrolled = clock_.wall();
  sensor.state = "waiting";
  return sensor;
}

Result<plan::EnrolResponse> Fleet::enrol(const plan::EnrolRequest& request) {
  TRY_VOID(check_keys(request));
  SensorRecord sensor = new_sensor(request);
  const Status stored = store_.transact([&]() -> Status {
    TRY(const auto token, store_.use_token(sha256(as_bytes(request.token)).hex(), clock_.wall()));
    sensor.tenant = token.tenant;
    sensor.tags = token.tags;
    return store_.put_sensor(sensor);
  });
  if (!stored) return fail(stored.error());
  return welcome(sensor, request);
}

// Each sensor that used an identity gets one of its own: the old one's tenant, tags and refusals, and an id that the server draws. What allows it is that the old identity is given up, or is used on
// another machine than its own; each machine's start gets it once, and asked again with the same key it is the same answer.
Result<plan::EnrolResponse> Fleet::enrol_again(SensorRecord old, const plan::EnrolAgain& message) {
  const plan::EnrolRequest& request = message.request;
  TRY_VOID(check_keys(request));
  const WallTime now = clock_.wall();
  const bool moved = request.machine_id != old.machine_id;
  if (old.retired.empty() && !moved) return fail(ErrorCode::kDenied, "this identity is this sensor's alone; to enrol anew, use a token");
  TRY(const auto successors, store_.successors(old.sensor_id));
  for (const SuccessorRecord& known : successors) {
    if (known.public_key == request.public_key) {  // our answer was lost
      TRY(const auto sensor, store_.sensor(known.new_id));
      return welcome(sensor, request);
    }
    if (known.machine_id == request.machine_id && known.boot_epoch == message.boot_epoch) return fail(ErrorCode::kDenied, "this start of the sensor has enrolled again already");
  }
  TRY(const std::string too_many, why_no_successor(old, successors, now));
  if (!too_many.empty()) {
    // Told where the fleet is looked at, once an hour: it can be asked as often as one likes.
    TRY(const auto told, store_.events(old.sensor_id, kEventsShown));
    const bool known = std::ranges::any_of(told, [&](const EventRecord& e) { return e.kind == "enrol_again_refused" && now - e.at < kSuccessorEvery; });
    if (!known) TRY_VOID(store_.add_event({0, old.sensor_id, "enrol_again_refused", "", too_many, now}));
    return fail(ErrorCode::kDenied, too_many + ": enrol with a token");
  }
  SensorRecord sensor = new_sensor(request);
  sensor.tenant = old.tenant;
  sensor.tags = old.tags;
  sensor.from_sensor = old.sensor_id;
  const Status stored = store_.transact([&]() -> Status {
    TRY_VOID(store_.put_sensor(sensor));
    TRY_VOID(store_.add_successor({old.sensor_id, request.machine_id, message.boot_epoch, request.public_key, sensor.sensor_id, now}));
    TRY(const auto refusals, store_.refusals(old.sensor_id));
    for (RefusalRecord refusal : refusals) {
      refusal.sensor_id = sensor.sensor_id;
      TRY_VOID(store_.put_refusal(refusal));
    }
    TRY_VOID(store_.add_event({0, sensor.sensor_id, "enrolled_again", "", fmt::format("was {}", old.sensor_id), now}));
    TRY_VOID(store_.add_event({0, old.sensor_id, "enrolled_again", "", fmt::format("is {} on `{}`", sensor.sensor_id, request.hostname), now}));
    if (!moved || !old.retired.empty() || (old.last_report && now - *old.last_report < kMovedAfter)) return {};
    old.retired = "it moved to another machine";
    TRY_VOID(store_.put_sensor(old));
    return rollouts_.leave(old, now);
  });
  if (!stored) return fail(stored.error());
  return welcome(sensor, request);
}

// Along `from_sensor` to the sensor that enrolled with a token, and from there to all that came of it: a chain is no way round the limit.
Result<std::string> Fleet::why_no_successor(const SensorRecord& old, const std::vector<SuccessorRecord>& successors, WallTime now) {
  if (!old.from_sensor.empty()) {
    if (!old.last_report) return std::string("this identity came without a token and was never heard");
    if (old.retired.empty() && !successors.empty() && now - successors.back().at < kSuccessorEvery) return std::string("this identity came without a token, and another one left it within the hour");
  }
  if (successors.size() >= limits::kSuccessorsMax) return fmt::format("{} sensors have left this identity already", successors.size());
  TRY(const auto sensors, store_.sensors());
  std::map<std::string_view, const SensorRecord*> by_id;
  for (const SensorRecord& sensor : sensors) by_id[sensor.sensor_id] = &sensor;
  // The root of each, remembered: every link is followed once.
  std::map<std::string_view, std::string_view> root_of;
  const auto root = [&](std::string_view id) {
    std::vector<std::string_view> path;
    while (!root_of.contains(id)) {
      path.push_back(id);
      const auto at = by_id.find(id);
      if (at == by_id.end() || at->second->from_sensor.empty()) break;
      id = at->second->from_sensor;
    }
    const std::string_view found = root_of.contains(id) ? root_of[id] : id;
    for (const std::string_view step : path) root_of[step] = found;
    return found;
  };
  const std::string_view origin = root(old.sensor_id);
  const auto alive = std::ranges::count_if(sensors, [&](const SensorRecord& s) {
    return !s.from_sensor.empty() && s.retired.empty() && now - std::max(s.enrolled, s.last_report.value_or(s.enrolled)) < kAliveWithin && root(s.sensor_id) == origin;
  });
  if (static_cast<size_t>(alive) >= kDescendantsAliveMax) return fmt::format("{} sensors without a token of their own come from `{}` already", alive, origin);
  return std::string();
}

Result<plan::EnrolResponse> Fleet::welcome(const SensorRecord& sensor, const plan::EnrolRequest& request) {
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

// Of an identity that is not one host's: told once in the events, and answered with what the sensor is to do.
Result<ReportAnswer> Fleet::not_taken(SensorRecord sensor, const plan::Report& report, const std::string& digest, const Heard& heard, WallTime now) {
  ReportAnswer answer;
  answer.words = heard.words;
  if (heard.voice == Voice::kChallenge) {
    answer.problem = plan::kProblemNonce;
    answer.nonce = challenges_.nonce(sensor, report, now);
    return answer;
  }
  const SensorRecord before = sensor;
  remember(sensor, report, digest, heard.voice, now);
  std::string_view event;
  switch (heard.voice) {
    case Voice::kWentBack: answer.problem = plan::kProblemNewEpoch, event = sensor.stray != before.stray ? "went_back" : ""; break;
    case Voice::kClone: answer.problem = plan::kProblemEnrolAgain, event = "cloned"; break;
    case Voice::kOtherMachine: answer.problem = plan::kProblemEnrolAgain, event = sensor.clones > before.clones ? "other_machine" : ""; break;
    case Voice::kRetired: answer.problem = plan::kProblemEnrolAgain; break;
    default: break;
  }
  const Status stored = store_.transact([&]() -> Status {
    if (sensor.stray != before.stray || sensor.clones != before.clones) TRY_VOID(store_.put_sensor(sensor));
    if (!event.empty()) TRY_VOID(store_.add_event({0, sensor.sensor_id, std::string(event), "", heard.words, now}));
    return heard.voice == Voice::kClone ? rollouts_.leave(sensor, now) : Status{};
  });
  if (!stored) return fail(stored.error());
  return answer;
}

// What it takes no more is remembered here too: its disk may be restored to a time before.
Status Fleet::remember_refusal(const SensorRecord& sensor, const plan::SensorEvent& event, WallTime at, bool& news) {
  if (!event.release_digest) return {};
  const std::string digest = event.release_digest->hex();
  TRY(const auto known, store_.refusals(sensor.sensor_id));
  const bool there = std::ranges::find(known, digest, &RefusalRecord::digest) != known.end();
  news = there == (event.kind == plan::EventKind::kRefusalLifted);
  if (event.kind == plan::EventKind::kRefusalLifted) return store_.remove_refusal(sensor.sensor_id, digest);
  if (!there && known.size() >= limits::kRefusalsRememberedMax) TRY_VOID(store_.remove_refusal(sensor.sensor_id, std::ranges::min_element(known, {}, &RefusalRecord::at)->digest));
  TRY(const auto deny, publisher_.deny_list());
  return store_.put_refusal({sensor.sensor_id, digest, event.detail, at, deny.version});
}

// Which rule, under which content: what excuses a flood of a rule that was flooded before (docs/concepts/gates.md). Nothing that counts against a release that is judged is forgotten: where the
// memory is full, what comes goes without the rule's name, and then counts.
Status Fleet::remember_over_budget(const SensorRecord& sensor, const plan::SensorEvent& event, WallTime at, WallTime now) {
  TRY(const auto known, store_.over_budget(sensor.sensor_id));
  OverBudgetRecord record{sensor.sensor_id, "", "", sensor.tenant, rollouts_.ring_of(sensor) == plan::Ring::kInternal, at, at, event.kind == plan::EventKind::kCpuOverBudget};
  if (!event.rule_id.empty() && event.release_digest) record.release_digest = event.release_digest->hex(), record.rule_id = event.rule_id;
  const auto find = [&] { return std::ranges::find_if(known, [&](const OverBudgetRecord& k) { return k.release_digest == record.release_digest && k.rule_id == record.rule_id && k.steps == record.steps; }); };
  auto same = find();
  if (same == known.end() && !record.rule_id.empty() && known.size() >= limits::kOverBudgetRememberedMax) {
    const auto oldest = std::ranges::min_element(known, {}, &OverBudgetRecord::last);
    if (now - oldest->last > kOverBudgetKept && !rollouts_.judges(oldest->release_digest)) {
      TRY_VOID(store_.remove_over_budget(sensor.sensor_id, oldest->release_digest, oldest->rule_id));
    } else {
      record.release_digest.clear(), record.rule_id.clear();
      same = find();
    }
  }
  if (same != known.end()) record.first = std::min(same->first, at), record.last = std::max(same->last, at);
  return store_.put_over_budget(record);
}

Result<ReportAnswer> Fleet::report(SensorRecord sensor, const plan::Report& report, BytesView body) {
  const WallTime now = clock_.wall();
  const std::string digest = sha256(body).hex();
  const Heard heard = hear(sensor, report, digest, challenges_.answers(sensor, report, now), now);
  ReportAnswer answer;
  if (heard.voice == Voice::kNext || heard.voice == Voice::kAgain) answer.taken = plan::ReportResponse{report_interval_, sensor.sequence};
  if (heard.voice == Voice::kAgain) return answer;
  if (heard.voice != Voice::kNext) return not_taken(std::move(sensor), report, digest, heard, now);
  const auto heard_before = sensor.last_report;
  remember(sensor, report, digest, heard.voice, now);
  sensor.boot_id = report.boot_id;
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
  sensor.vitals = to_json(vitals_json(report.vitals));
  sensor.paused_until = report.pause ? std::optional(now + report.pause->remaining) : std::nullopt;
  sensor.pause_reason = report.pause ? report.pause->reason : std::string();
  const Status stored = store_.transact([&]() -> Status {
    TRY_VOID(store_.put_sensor(sensor));
    for (const plan::SensorEvent& event : report.events) {
      const auto age = std::chrono::milliseconds(std::max<int64_t>(0, report.uptime_ms - event.at_ms));
      bool news = true;
      if (is_over_budget(event.kind)) TRY_VOID(remember_over_budget(sensor, event, std::clamp(now - age, std::min(heard_before.value_or(sensor.enrolled), now), now), now));
      if (event.kind == plan::EventKind::kContentRefused || event.kind == plan::EventKind::kRefusalLifted) TRY_VOID(remember_refusal(sensor, event, now - age, news));
      if (!news) continue;
      TRY_VOID(store_.add_event({0, sensor.sensor_id, std::string(plan::to_string(event.kind)), digest_text(event.release_digest), event.detail, now - age}));
    }
    return rollouts_.take_report(sensor, heard_before, report, now);
  });
  if (!stored) return fail(stored.error());
  answer.taken->accepted_sequence = report.sequence;
  return answer;
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
    TRY(const auto refusals, store_.refusals(s.sensor_id));
    Json refused = Json::array();
    for (const RefusalRecord& r : refusals) refused.push(Json::object({{"digest", r.digest}, {"reason", r.reason}, {"time", format_time(r.at)}}));
    list.push(Json::object({{"sensor_id", s.sensor_id}, {"hostname", s.hostname}, {"platform", s.platform}, {"tenant", s.tenant}, {"tags", text_list(s.tags)}, {"ring", in},
                            {"state", s.state}, {"running_release", s.running_release}, {"running_digest", s.running_digest}, {"lkg_digest", s.lkg_digest},
                            {"plan_sequence", s.plan_sequence}, {"enrolled", format_time(s.enrolled)}, {"last_report", s.last_report ? Json(format_time(*s.last_report)) : Json()},
                            {"arm", s.arm}, {"clones", s.clones}, {"counters", parsed(s.counters)}, {"held", parsed(s.held)}, {"vitals", parsed(s.vitals)}, {"paused", paused_json(s)}, {"refused", std::move(refused)},
                            {"retired", s.retired}, {"from_sensor", s.from_sensor}, {"events", std::move(shown)}}));
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
