#include "plan/messages.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "plan/documents.hpp"

namespace creance::plan {
namespace {

constexpr std::string_view kSensorStates[] = {"steady", "announcing", "rehearsing", "probation", "returning", "safe_mode", "waiting"};
constexpr std::string_view kEventKinds[] = {"activated", "held", "probation_passed", "worker_crash", "worker_stall", "fault", "returned", "unclean_reboot",
                                            "rehearsal_failed", "verify_failed", "refused", "hits_over_budget", "memory_over_budget", "safe_mode",
                                            "cpu_over_budget", "pressure", "oom_kill", "disk_low", "others_crashed", "slow_boot",
                                            "content_refused", "refusal_lifted", "records_damaged"};
constexpr size_t kEventsPerReportMax = 512;
constexpr size_t kHeldMax = 65'536;
constexpr int64_t kIntervalMax = 24LL * 3600 * 1000;

template <class Enum, size_t N>
Result<Enum> parse_enum(const std::string_view (&names)[N], std::string_view text) {
  const auto it = std::ranges::find(names, text);
  if (it == std::end(names)) return fail(ErrorCode::kInvalid, "is not a value that is known here");
  return static_cast<Enum>(it - std::begin(names));
}

Result<Json> read_body(BytesView body, size_t bytes_max = limits::kHttpBodyBytesMax) { return parse_json(body, {.bytes_max = bytes_max}); }

Result<std::chrono::milliseconds> interval_at(const JsonField& object, std::string_view name) {
  TRY(const int64_t value, object.integer_at(name, 0, kIntervalMax));
  return std::chrono::milliseconds(value);
}

// Absent counts as 0 or "".
Result<int64_t> count_at(const JsonField& object, std::string_view name) {
  TRY(const auto field, object.find(name));
  if (!field) return int64_t{0};
  return field->integer();
}
Result<std::string> optional_text_at(const JsonField& object, std::string_view name, size_t bytes_max) {
  TRY(const auto field, object.find(name));
  if (!field) return std::string();
  return field->text(0, bytes_max);
}

Result<std::string> optional_id_at(const JsonField& object, std::string_view name) {
  TRY(const auto field, object.find(name));
  if (!field) return std::string();
  return detail::id_at(object, name);
}

Result<SensorEvent> parse_event(const JsonField& field) {
  SensorEvent event;
  TRY(const JsonField kind, field.at("kind"));
  TRY(const std::string text, kind.text(1, 64));
  const auto parsed = parse_event_kind(text);
  if (!parsed) return fail(kind.error(parsed.error().detail));
  event.kind = *parsed;
  TRY(event.release_digest, detail::digest_or_empty_at(field, "release_digest"));
  TRY(event.at_ms, count_at(field, "at_ms"));
  TRY(event.detail, optional_text_at(field, "detail", 512));
  TRY(event.rule_id, optional_text_at(field, "rule_id", limits::kRuleIdBytesMax));
  return event;
}

Result<Counters> parse_counters(const JsonField& field) {
  Counters counters;
  TRY(const auto members, field.members(256));
  for (const auto& [name, value] : members) {
    TRY(const int64_t count, value.integer());
    if (name == "events") {
      counters.events = count;
    } else if (name == "matches") {
      counters.matches = count;
    } else if (name == "faults") {
      counters.faults = count;
    } else if (name == "events_lost") {
      counters.events_lost = count;
    } else if (name == "worker_rss_kib") {
      counters.worker_rss_kib = count;
    } else {
      if (name.size() > 128) return fail(field.error("a counter's name is too long"));
      counters.more.emplace(name, count);
    }
  }
  return counters;
}

Result<std::map<std::string, int64_t>> parse_vitals(const JsonField& document) {
  std::map<std::string, int64_t> vitals;
  TRY(const auto field, document.find("vitals"));
  if (!field) return vitals;
  TRY(const auto members, field->members(64));
  for (const auto& [name, value] : members) {
    if (name.empty() || name.size() > 64) return fail(field->error("a name has 1 to 64 bytes"));
    TRY(const int64_t count, value.integer());
    vitals.emplace(name, count);
  }
  return vitals;
}

Json counters_json(const Counters& counters) {
  Json json = Json::object({{"events", counters.events}, {"matches", counters.matches}, {"faults", counters.faults}, {"events_lost", counters.events_lost}, {"worker_rss_kib", counters.worker_rss_kib}});
  for (const auto& [name, count] : counters.more) json.set(name, count);
  return json;
}

// Values of inputs travel as text; a number or a truth value from another writer is taken as its text.
Result<std::string> input_text(const JsonField& field) {
  switch (field.value().kind()) {
    case Json::Kind::kInteger: return fmt::format("{}", field.value().integer());
    case Json::Kind::kBoolean: return std::string(field.value().boolean() ? "true" : "false");
    default: return field.text(0, limits::kDetectionBytesMax);
  }
}

}  // namespace

std::string_view to_string(SensorState state) { return kSensorStates[static_cast<size_t>(state)]; }
std::string_view to_string(EventKind kind) { return kEventKinds[static_cast<size_t>(kind)]; }
Result<SensorState> parse_sensor_state(std::string_view text) { return parse_enum<SensorState>(kSensorStates, text); }
Result<EventKind> parse_event_kind(std::string_view text) { return parse_enum<EventKind>(kEventKinds, text); }

bool is_id(std::string_view text) {
  return text.size() == 32 && std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

Result<Manifest> Manifest::parse(const JsonField& field) {
  Manifest manifest;
  TRY(manifest.build, field.text_at("build", 1, 128));
  TRY(const JsonField list, field.at("types"));
  TRY(const auto types, list.elements(4'096));
  for (const JsonField& entry : types) {
    ManifestType type;
    TRY(type.type, entry.text_at("type", 1, 128));
    TRY(type.fingerprint, detail::digest_at(entry, "fingerprint"));
    TRY(type.inputs, entry.integer_at("inputs", 0, limits::kInputsPerTypeMax));
    manifest.types.push_back(std::move(type));
  }
  return manifest;
}
Json Manifest::to_json() const {
  Json list = Json::array();
  for (const ManifestType& type : types) list.push(Json::object({{"type", type.type}, {"fingerprint", type.fingerprint.hex()}, {"inputs", type.inputs}}));
  return Json::object({{"build", build}, {"types", std::move(list)}});
}

namespace {

Result<EnrolRequest> enrol_request_at(const JsonField& document) {
  EnrolRequest request;
  TRY(const Digest public_key, detail::digest_at(document, "public_key"));  // the same shape: 64 hexadecimal digits
  request.public_key = public_key.hex();
  TRY(request.hostname, document.text_at("hostname", 0, 255));
  TRY(request.machine_id, detail::id_at(document, "machine_id"));
  TRY(request.platform, document.text_at("platform", 1, 64));
  TRY(const auto seal_key, document.find("seal_key"));
  if (seal_key) {
    TRY(const Digest raw, detail::digest_at(document, "seal_key"));
    request.seal_key = raw.hex();
  }
  TRY(const JsonField manifest, document.at("manifest"));
  TRY(request.manifest, Manifest::parse(manifest));
  return request;
}

}  // namespace

Result<EnrolRequest> EnrolRequest::parse(BytesView body) {
  TRY(const Json json, read_body(body));
  const JsonField document(json);
  TRY(EnrolRequest request, enrol_request_at(document));
  TRY(request.token, document.text_at("token", 1, 256));
  return request;
}

Result<EnrolAgain> EnrolAgain::parse(BytesView body) {
  TRY(const Json json, read_body(body));
  const JsonField document(json);
  EnrolAgain again;
  TRY_VOID(detail::read_start(document, again));
  TRY(again.request, enrol_request_at(document));
  return again;
}
Json EnrolAgain::to_json() const {
  Json json = request.to_json();
  json.set("sensor_id", sensor_id);
  json.set("boot_epoch", boot_epoch);
  return json;
}

Json EnrolRequest::to_json() const {
  Json json = Json::object({{"public_key", public_key}, {"hostname", hostname}, {"machine_id", machine_id}, {"platform", platform}, {"manifest", manifest.to_json()}});
  if (!token.empty()) json.set("token", token);
  if (!seal_key.empty()) json.set("seal_key", seal_key);
  return json;
}

Result<EnrolResponse> EnrolResponse::parse(BytesView body) {
  TRY(const Json json, read_body(body));
  const JsonField document(json);
  EnrolResponse response;
  TRY(response.sensor_id, detail::id_at(document, "sensor_id"));
  TRY(response.tenant, document.text_at("tenant", 1, 64));
  TRY(response.tags, detail::texts_at(document, "tags", 64, 128));
  TRY(response.report_interval, interval_at(document, "report_interval_ms"));
  TRY(const auto tenant_key, document.find("tenant_key"));
  if (tenant_key) response.tenant_key = tenant_key->value();
  return response;
}
std::string tenant_key_name(std::string_view tenant, std::string_view sensor_id) { return fmt::format("tenant-key/{}/{}", tenant, sensor_id); }
Json EnrolResponse::to_json() const {
  Json json = Json::object({{"sensor_id", sensor_id}, {"tenant", tenant}, {"tags", detail::texts(tags)}, {"report_interval_ms", report_interval.count()}});
  if (tenant_key) json.set("tenant_key", *tenant_key);
  return json;
}

Result<Announce> Announce::parse(BytesView body) {
  TRY(const Json json, read_body(body));
  const JsonField document(json);
  Announce announce;
  TRY_VOID(detail::read_start(document, announce));
  TRY(announce.release_digest, detail::digest_at(document, "release_digest"));
  TRY(announce.running_digest, detail::digest_or_empty_at(document, "running_digest"));
  return announce;
}
Json Announce::to_json() const {
  return Json::object({{"sensor_id", sensor_id}, {"boot_epoch", boot_epoch}, {"release_digest", release_digest.hex()}, {"running_digest", detail::digest_or_empty(running_digest)}});
}

Result<Wait> Wait::parse(BytesView body) {
  TRY(const Json json, read_body(body));
  Wait answer;
  TRY(answer.wait, interval_at(JsonField(json), "wait_ms"));
  return answer;
}
Json Wait::to_json() const { return Json::object({{"wait_ms", wait.count()}}); }

Result<Report> Report::parse(BytesView body) {
  TRY(const Json json, read_body(body));
  const JsonField document(json);
  Report report;
  TRY_VOID(detail::read_start(document, report));
  TRY(report.machine_id, detail::id_at(document, "machine_id"));
  TRY(report.boot_id, document.text_at("boot_id", 0, 64));
  TRY(report.nonce, optional_id_at(document, "nonce"));
  TRY(report.sequence, document.integer_at("sequence"));
  TRY(const JsonField state, document.at("state"));
  TRY(const std::string state_text, state.text(1, 64));
  const auto parsed = parse_sensor_state(state_text);
  if (!parsed) return fail(state.error(parsed.error().detail));
  report.state = *parsed;
  TRY(report.running_digest, detail::digest_or_empty_at(document, "running_digest"));
  TRY(report.running_release, optional_text_at(document, "running_release", 64));
  TRY(report.lkg_digest, detail::digest_or_empty_at(document, "lkg_digest"));
  TRY(report.plan_sequence, count_at(document, "plan_sequence"));
  TRY(report.uptime_ms, count_at(document, "uptime_ms"));
  TRY(const std::string arm, optional_text_at(document, "arm", 16));
  if (arm == "go") report.arm = Verdict::kGo;
  if (arm == "hold") report.arm = Verdict::kHold;
  if (!report.arm && !arm.empty()) return fail(document.error("arm must be go, hold or empty"));
  TRY(report.arm_digest, detail::digest_or_empty_at(document, "arm_digest"));
  TRY(report.arm_age_ms, count_at(document, "arm_age_ms"));
  TRY(const auto events, document.find("events"));
  if (events) {
    TRY(const auto entries, events->elements(kEventsPerReportMax));
    for (const JsonField& entry : entries) {
      TRY(SensorEvent event, parse_event(entry));
      report.events.push_back(std::move(event));
    }
  }
  TRY(const auto counters, document.find("counters"));
  if (counters) {
    TRY(report.counters, parse_counters(*counters));
  }
  TRY(report.vitals, parse_vitals(document));
  TRY(const auto pause, document.find("pause"));
  if (pause) {
    LocalPause value;
    TRY(const int64_t remaining, pause->integer_at("remaining_ms", 1, int64_t{366} * 24 * 3600 * 1000));
    value.remaining = std::chrono::milliseconds(remaining);
    TRY(value.reason, optional_text_at(*pause, "reason", 512));
    report.pause = std::move(value);
  }
  TRY(const auto manifest, document.find("manifest"));
  if (manifest) {
    TRY(Manifest value, Manifest::parse(*manifest));
    report.manifest = std::move(value);
  }
  TRY(const auto held, document.find("held"));
  if (held) {
    TRY(const auto entries, held->elements(kHeldMax));
    for (const JsonField& entry : entries) {
      HeldInstance instance;
      TRY(instance.rule_id, entry.text_at("rule_id", 1, 128));
      TRY(instance.input, entry.text_at("input", 0, 128));
      report.held.push_back(std::move(instance));
    }
  }
  return report;
}

Json Report::to_json() const {
  Json event_list = Json::array();
  for (const SensorEvent& event : events) {
    Json entry = Json::object({{"kind", to_string(event.kind)}, {"release_digest", detail::digest_or_empty(event.release_digest)}, {"at_ms", event.at_ms}, {"detail", event.detail}});
    if (!event.rule_id.empty()) entry.set("rule_id", event.rule_id);
    event_list.push(std::move(entry));
  }
  Json json = Json::object({{"sensor_id", sensor_id},
                            {"machine_id", machine_id},
                            {"boot_id", boot_id},
                            {"boot_epoch", boot_epoch},
                            {"sequence", sequence},
                            {"state", to_string(state)},
                            {"running_digest", detail::digest_or_empty(running_digest)},
                            {"running_release", running_release},
                            {"lkg_digest", detail::digest_or_empty(lkg_digest)},
                            {"plan_sequence", plan_sequence},
                            {"uptime_ms", uptime_ms},
                            {"arm", arm ? to_string(*arm) : std::string_view()},
                            {"arm_digest", detail::digest_or_empty(arm_digest)},
                            {"arm_age_ms", arm_age_ms},
                            {"events", std::move(event_list)},
                            {"counters", counters_json(counters)}});
  if (!vitals.empty()) {
    Json values = Json::object();
    for (const auto& [name, value] : vitals) values.set(name, value);
    json.set("vitals", std::move(values));
  }
  if (!nonce.empty()) json.set("nonce", nonce);
  if (pause) json.set("pause", Json::object({{"remaining_ms", pause->remaining.count()}, {"reason", pause->reason}}));
  if (manifest) json.set("manifest", manifest->to_json());
  if (!held.empty()) {
    Json list = Json::array();
    for (const HeldInstance& instance : held) list.push(Json::object({{"rule_id", instance.rule_id}, {"input", instance.input}}));
    json.set("held", std::move(list));
  }
  return json;
}

Result<ReportResponse> ReportResponse::parse(BytesView body) {
  TRY(const Json json, read_body(body));
  const JsonField document(json);
  ReportResponse response;
  TRY(response.report_interval, interval_at(document, "report_interval_ms"));
  TRY(response.accepted_sequence, document.integer_at("accepted_sequence"));
  return response;
}
Json ReportResponse::to_json() const { return Json::object({{"report_interval_ms", report_interval.count()}, {"accepted_sequence", accepted_sequence}}); }

Result<Detection> Detection::parse(BytesView line) {
  TRY(const Json json, read_body(line, limits::kDetectionBytesMax));
  const JsonField document(json);
  Detection detection;
  TRY(detection.time, document.text_at("time", 1, 64));
  TRY(detection.rule_id, document.text_at("rule_id", 1, 128));
  TRY(detection.rule_title, document.text_at("rule_title", 0, 1'024));
  TRY(detection.level, optional_text_at(document, "level", 32));
  TRY(detection.tags, detail::texts_at(document, "tags", 256, 256));
  TRY(detection.author, optional_text_at(document, "author", 1'024));
  TRY(detection.references, detail::texts_at(document, "references", 256, 1'024));
  TRY(detection.type, document.text_at("type", 1, 128));
  TRY(detection.release_digest, detail::digest_or_empty_at(document, "release_digest"));
  TRY(detection.channel_sha256, detail::digest_or_empty_at(document, "channel_sha256"));
  TRY(detection.host, document.text_at("host", 0, 255));
  TRY(const JsonField inputs, document.at("inputs"));
  TRY(const auto members, inputs.members(limits::kInputsPerTypeMax));
  for (const auto& [name, value] : members) {
    TRY(std::string text, input_text(value));
    detection.inputs.emplace_back(name, std::move(text));
  }
  TRY(detection.matched, detail::texts_at(document, "matched", limits::kInputsPerTypeMax, 256));
  return detection;
}

Json Detection::to_json() const {
  Json values = Json::object();
  for (const auto& [name, value] : inputs) values.set(name, value);
  return Json::object({{"time", time},
                       {"rule_id", rule_id},
                       {"rule_title", rule_title},
                       {"level", level},
                       {"tags", detail::texts(tags)},
                       {"author", author},
                       {"references", detail::texts(references)},
                       {"type", type},
                       {"release_digest", detail::digest_or_empty(release_digest)},
                       {"channel_sha256", detail::digest_or_empty(channel_sha256)},
                       {"host", host},
                       {"inputs", std::move(values)},
                       {"matched", detail::texts(matched)}});
}

Result<DetectionsResponse> DetectionsResponse::parse(BytesView body) {
  TRY(const Json json, read_body(body));
  DetectionsResponse response;
  TRY(response.stored, JsonField(json).integer_at("stored"));
  return response;
}
Json DetectionsResponse::to_json() const { return Json::object({{"stored", stored}}); }

Result<Problem> Problem::parse(BytesView body) {
  TRY(const Json json, read_body(body));
  const JsonField document(json);
  Problem problem;
  TRY(const auto type, document.find("type"));
  if (type) {
    TRY(problem.type, type->text(0, 1'024));
  }
  TRY(problem.title, optional_text_at(document, "title", 1'024));
  TRY(problem.detail, optional_text_at(document, "detail", 8'192));
  TRY(const auto status, document.find("status"));
  if (status) {
    TRY(const int64_t value, status->integer(100, 599));
    problem.status = static_cast<int>(value);
  }
  TRY(problem.nonce, optional_id_at(document, "nonce"));
  return problem;
}
Json Problem::to_json() const {
  Json json = Json::object({{"type", type}, {"title", title}, {"status", status}, {"detail", detail}});
  if (!nonce.empty()) json.set("nonce", nonce);
  return json;
}

Bytes signed_message(std::string_view method, std::string_view path, BytesView body) {
  const std::string head = fmt::format("{} {}\n", method, path);
  Bytes out(head.begin(), head.end());
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

}  // namespace creance::plan
