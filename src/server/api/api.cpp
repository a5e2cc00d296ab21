#include "server/api/api.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/digest.hpp"
#include "base/http_client.hpp"
#include "plan/zone_files.hpp"
#include "trust/client/transports.hpp"

namespace creance::server {
namespace {

constexpr std::string_view kApi = "/api/v1/";

int status_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid: return 400;
    case ErrorCode::kDenied: case ErrorCode::kExpired: return 403;
    case ErrorCode::kNotFound: return 404;
    case ErrorCode::kExists: return 409;
    case ErrorCode::kTooLarge: return 413;
    case ErrorCode::kUnsupported: return 501;
    case ErrorCode::kUnavailable: return 503;
    case ErrorCode::kNoSpace: return 507;
    case ErrorCode::kIo: return 500;
  }
  return 500;
}

HttpResponse problem_of(const Error& error) {
  const int status = status_of(error.code);
  return problem(status, status == 400 ? "Not understood" : status >= 500 ? "The server cannot do this now" : "Refused", error.detail);
}

HttpResponse json(int status, const Json& body) { return {status, "application/json", to_json(body), {}}; }

template <class T>
HttpResponse answer(int status, const Result<T>& result) {
  return result ? json(status, *result) : problem_of(result.error());
}

HttpResponse not_found() { return problem(404, "Not found", "there is nothing under this path; see docs/reference/api.md"); }
HttpResponse not_allowed() { return problem(405, "Method not allowed", "this path does not take this method; see docs/reference/api.md"); }

// The value of `name` in a query, percent-decoding not needed by any of our values.
std::string_view parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=') return pair.substr(name.size() + 1);
  }
  return {};
}

int64_t number(std::string_view text, int64_t otherwise, int64_t least, int64_t most) {
  int64_t value = otherwise;
  if (text.empty() || std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return otherwise;
  return std::clamp(value, least, most);
}

Result<Json> body_of(const HttpRequest& request, size_t bytes_max = limits::kHttpBodyBytesMax) {
  return parse_json(as_bytes(request.body), {.bytes_max = bytes_max, .reals = true});
}

Result<double> real_at(const JsonField& object, std::string_view name, double otherwise, double most) {
  TRY(const auto field, object.find(name));
  if (!field) return otherwise;
  const Json& value = field->value();
  if (!value.is_integer() && value.kind() != Json::Kind::kReal) return fail(field->error("must be a number"));
  if (!(value.real() >= 0 && value.real() <= most)) return fail(field->error(fmt::format("must be from 0 to {}", most)));
  return value.real();
}

Result<StageRequest> stage_of(const JsonField& field) {
  StageRequest stage;
  TRY(stage.ring, plan::ring_at(field, "ring"));
  TRY(const double share, real_at(field, "share", plan::kShareWhole, plan::kShareWhole));
  if (share != std::floor(share) || share < 1) return fail(field.error("share: millionths of the ring, an integer from 1 to 1000000"));
  stage.share = static_cast<uint32_t>(share);
  TRY(const double soak, real_at(field, "soak_s", 0, 366.0 * 86'400));
  stage.soak = std::chrono::milliseconds(static_cast<int64_t>(std::llround(soak * 1000)));
  TRY(const double unknown, real_at(field, "unknown_max", 10, 1e9));
  if (unknown < 1) return fail(field.error("unknown_max: at least 1"));
  stage.unknown_max = static_cast<uint32_t>(unknown);
  return stage;
}

Result<std::vector<std::string>> tags_of(const JsonField& object) {
  std::vector<std::string> tags;
  TRY(const auto field, object.find("tags"));
  if (!field) return tags;
  TRY(const auto elements, field->elements(limits::kTagsMax));
  for (const JsonField& element : elements) {
    TRY(auto tag, element.text(1, 64));
    tags.push_back(std::move(tag));
  }
  return tags;
}

// Of what it says, so that a server that was restored from a backup does not take another version of the same number for this one.
std::string entity_tag(const plan::Policy& policy) { return fmt::format("\"{}-{}\"", policy.version, sha256(policy.to_bytes()).hex().substr(0, 16)); }

// Whether a list of entity tags (RFC 9110, If-Match) names this one; weak ones never do.
bool names_tag(std::string_view list, std::string_view tag) {
  while (!list.empty()) {
    const size_t end = std::min(list.find(','), list.size());
    std::string_view one = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) one.remove_prefix(1);
    while (!one.empty() && (one.back() == ' ' || one.back() == '\t')) one.remove_suffix(1);
    if (one == "*" || one == tag) return true;
  }
  return false;
}

}  // namespace

size_t Api::body_bytes_max(const HttpRequest& head) const {
  if (head.method == "PUT" && head.path == "/api/v1/content" && is_operator(head)) return limits::kContentPushBytesMax;
  return limits::kHttpBodyBytesMax;
}

bool Api::is_operator(const HttpRequest& request) const {
  const std::string_view header = request.header("authorization");
  if (!header.starts_with("Bearer ")) return false;
  const auto expected = store_.get("operator_token_sha256");
  return expected && sha256(as_bytes(header.substr(7))).hex() == *expected;  // of digests: time tells nothing
}

HttpResponse Api::handle(const HttpRequest& request) {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (request.path.starts_with("/tuf/")) return reads ? tree_file(request) : not_allowed();
  if (request.path == "/healthz") return {200, "text/plain", "ok\n", {}};
  if (request.path == "/readyz") return ready();
  if (request.path == "/metrics") return metrics();
  if (!request.path.starts_with(kApi)) return not_found();
  for (const std::string_view call : {"enrol", "enrol-again", "announce", "report"}) {
    if (request.path.substr(kApi.size()) == call) return request.method == "POST" ? sensor_call(request) : not_allowed();
  }
  if (request.path == "/api/v1/detections" && request.method == "POST") return sensor_call(request);
  if (!is_operator(request)) {
    HttpResponse refused = problem(401, "Unauthorized", "give the operator's token: Authorization: Bearer <token>");
    refused.headers.emplace_back("WWW-Authenticate", "Bearer");
    return refused;
  }
  return operator_call(request);
}

HttpResponse Api::sensor_call(const HttpRequest& request) {
  const std::string_view call = std::string_view(request.path).substr(kApi.size());
  if (call == "enrol") return enrol(request);
  auto sensor = fleet_.authenticate(request.header("creance-sensor"), request.header("creance-signature"), request.method, request.path, as_bytes(request.body));
  if (!sensor && sensor.error().code == ErrorCode::kDenied) {
    ++counters_.signatures_refused;
    return problem(401, "Unauthorized", sensor.error().detail);
  }
  if (!sensor) return problem_of(sensor.error());
  if (call == "enrol-again") return enrol_again(request, std::move(*sensor));
  if (call == "announce") return announce(request, *sensor);
  if (call == "report") return report(request, std::move(*sensor));
  const auto stored = fleet_.detections(*sensor, request.body);
  if (!stored) return problem_of(stored.error());
  counters_.detections += static_cast<uint64_t>(*stored);
  return json(200, plan::DetectionsResponse{*stored}.to_json());
}

HttpResponse Api::enrol(const HttpRequest& request) {
  const auto message = plan::EnrolRequest::parse(as_bytes(request.body));
  if (!message) return problem_of(message.error());
  const auto enrolled = fleet_.enrol(*message);
  if (!enrolled) return problem_of(enrolled.error());
  ++counters_.enrolled;
  return json(201, enrolled->to_json());
}

HttpResponse Api::enrol_again(const HttpRequest& request, SensorRecord sensor) {
  const auto message = plan::EnrolAgain::parse(as_bytes(request.body));
  if (!message) return problem_of(message.error());
  if (message->sensor_id != sensor.sensor_id) return problem(403, "Refused", "sensor_id is not the one that signed");
  const auto enrolled = fleet_.enrol_again(std::move(sensor), *message);
  if (!enrolled) return problem_of(enrolled.error());
  ++counters_.enrolled_again;
  return json(201, enrolled->to_json());
}

HttpResponse Api::announce(const HttpRequest& request, const SensorRecord& sensor) {
  const auto message = plan::Announce::parse(as_bytes(request.body));
  if (!message) return problem_of(message.error());
  if (message->sensor_id != sensor.sensor_id) return problem(403, "Refused", "sensor_id is not the one that signed");
  if (!sensor.retired.empty()) return problem(409, "Refused", fmt::format("this identity is given up ({}): enrol again", sensor.retired), plan::kProblemEnrolAgain);
  const auto told = rollouts_.announce(sensor, *message);
  if (!told) return problem_of(told.error());
  ++counters_.announcements;
  if (const auto* wait = std::get_if<plan::Wait>(&*told)) {
    ++counters_.waits;
    return json(202, wait->to_json());
  }
  const Bytes& grant = std::get<Bytes>(*told);
  return {200, "application/json", std::string(as_text(grant)), {}};
}

HttpResponse Api::report(const HttpRequest& request, SensorRecord sensor) {
  const auto message = plan::Report::parse(as_bytes(request.body));
  if (!message) return problem_of(message.error());
  if (message->sensor_id != sensor.sensor_id) return problem(403, "Refused", "sensor_id is not the one that signed");
  const auto answer = fleet_.report(std::move(sensor), *message, as_bytes(request.body));
  if (!answer) return problem_of(answer.error());
  if (!answer->taken) {
    ++(answer->nonce.empty() ? counters_.reports_refused : counters_.challenges);
    return {409, "application/problem+json", to_json(plan::Problem{std::string(answer->problem), "Refused", answer->words, 409, answer->nonce}.to_json()), {}};
  }
  ++counters_.reports;
  return json(200, answer->taken->to_json());
}

HttpResponse Api::operator_call(const HttpRequest& request) {
  const std::string_view call = std::string_view(request.path).substr(kApi.size());
  const bool get = request.method == "GET";
  const bool post = request.method == "POST";
  const bool put = request.method == "PUT";
  if (call == "tokens") return post ? make_tokens(request) : not_allowed();
  if (call == "sensors") return get ? answer(200, fleet_.list(parameter(request.query, "ring"), parameter(request.query, "state"))) : not_allowed();
  if (call == "roles") return get ? roles() : not_allowed();
  if (call == "content") return put ? push_content(request) : not_allowed();
  if (call == "root" || call == "targets") return put ? put_trust(request, std::string(call)) : not_allowed();
  if (call == "detections") {
    if (!get) return not_allowed();
    const auto limit = static_cast<uint32_t>(number(parameter(request.query, "limit"), 100, 1, 10'000));
    return answer(200, fleet_.list_detections(limit, number(parameter(request.query, "after"), 0, 0, INT64_MAX), number(parameter(request.query, "before"), 0, 0, INT64_MAX)));
  }
  if (call == "rollouts") return get ? json(200, rollouts_.list()) : post ? begin_rollout(request) : not_allowed();
  if (call.starts_with("rollouts/")) return rollout_call(request);
  if (call == "policies") return get ? answer(200, list_policies()) : not_allowed();
  if (call.starts_with("policies/")) return get ? get_policy(request) : put ? put_policy(request) : not_allowed();
  return not_found();
}

HttpResponse Api::make_tokens(const HttpRequest& request) {
  const auto made = [&]() -> Result<Json> {
    TRY(const Json body, body_of(request));
    const JsonField object(body);
    TokenRequest tokens;
    TRY(tokens.tenant, object.text_at("tenant", 1, 64));
    TRY(tokens.tags, tags_of(object));
    TRY(const double count, real_at(object, "count", 1, limits::kTokensPerCallMax));
    TRY(const double expires, real_at(object, "expires_s", 3600, 366.0 * 86'400));
    tokens.count = static_cast<uint32_t>(count);
    tokens.expires = std::chrono::seconds(static_cast<int64_t>(expires));
    TRY(const auto texts, fleet_.make_tokens(tokens));
    Json list = Json::array();
    for (const std::string& text : texts) list.push(text);
    return Json::object({{"tokens", std::move(list)}});
  }();
  return answer(201, made);
}

HttpResponse Api::roles() const {
  const trust::Repository& repository = publisher_.repository();
  Json body = Json::object({{"root_version", repository.version("root")}, {"content_version", repository.version("content")}});
  Json versions = Json::object();
  for (const std::string& role : publisher_.content_roles()) versions.set(role, repository.version(role));
  body.set("content_versions", std::move(versions));
  for (const char* role : {"rollout", "content"}) {
    Json ids = Json::array();
    const trust::RoleKeys* keys = repository.role_keys(role);
    if (keys != nullptr) {
      for (const std::string& id : keys->keyids) ids.push(id);
    }
    body.set(fmt::format("{}_keyids", role), std::move(ids));
    body.set(fmt::format("{}_threshold", role), keys == nullptr ? 0u : keys->threshold);
  }
  return json(200, body);
}

HttpResponse Api::put_trust(const HttpRequest& request, const std::string& role) {
  const auto published = [&]() -> Result<Json> {
    TRY(const Json body, body_of(request, limits::kHttpBodyBytesMax));
    TRY(const auto text, JsonField(body).text_at("metadata", 1, limits::kHttpBodyBytesMax));
    TRY(const auto metadata, from_base64(text));
    TRY_VOID(publisher_.publish_trust(role, metadata));
    return Json::object({{"version", publisher_.repository().version(role)}});
  }();
  return answer(201, published);
}

HttpResponse Api::push_content(const HttpRequest& request) {
  const auto pushed = [&]() -> Result<Json> {
    TRY(const Json body, body_of(request, limits::kContentPushBytesMax));
    const JsonField object(body);
    TRY(const auto text, object.text_at("metadata", 1, limits::kContentPushBytesMax));
    TRY(auto metadata, from_base64(text));
    TRY(const auto list, object.at("targets"));
    TRY(const auto elements, list.elements());
    std::vector<trust::TargetFile> files;
    for (const JsonField& element : elements) {
      trust::TargetFile file;
      TRY(file.path, element.text_at("path", 1, 1024));
      TRY(const auto data, element.text_at("data", 0, limits::kContentPushBytesMax));
      TRY(file.bytes, from_base64(data));
      files.push_back(std::move(file));
    }
    std::vector<Publisher::Delta> deltas;
    TRY(const auto given, object.find("deltas"));
    if (given) {
      TRY(const auto entries, given->elements());
      for (const JsonField& entry : entries) {
        Publisher::Delta delta;
        TRY(delta.path, entry.text_at("path", 1, 1024));
        TRY(delta.from_sha256, entry.text_at("from", 64, 64));
        TRY(const auto data, entry.text_at("data", 0, limits::kContentPushBytesMax));
        TRY(delta.bytes, from_base64(data));
        deltas.push_back(std::move(delta));
      }
    }
    TRY(const auto tenant, object.find("tenant"));
    std::string role = "content";
    if (tenant) {
      TRY(const auto name, tenant->text(1, 64));
      if (!plan::is_tenant_name(name)) return fail(tenant->error("is not a tenant name"));
      role += "-" + name;
    }
    TRY_VOID(publisher_.push_content(role, std::move(metadata), std::move(files), std::move(deltas)));
    return Json::object({{"content_version", publisher_.repository().version(role)}});
  }();
  return answer(201, pushed);
}

HttpResponse Api::begin_rollout(const HttpRequest& request) {
  const auto begun = [&]() -> Result<Json> {
    TRY(const Json body, body_of(request));
    const JsonField object(body);
    TRY(const auto release, object.text_at("release", 1, 64));
    TRY(const auto list, object.at("stages"));
    TRY(const auto elements, list.elements(limits::kStagesMax));
    std::vector<StageRequest> stages;
    for (const JsonField& element : elements) {
      TRY(const auto stage, stage_of(element));
      stages.push_back(stage);
    }
    TRY(const auto tripwire, object.find("tripwire"));
    bool on = true;
    if (tripwire) {
      TRY(on, tripwire->boolean());
    }
    TRY(const auto id, rollouts_.begin(release, stages, on));
    return Json::object({{"rollout", id}});
  }();
  return answer(201, begun);
}

HttpResponse Api::rollout_call(const HttpRequest& request) {
  std::string_view rest = std::string_view(request.path).substr(kApi.size() + std::string_view("rollouts/").size());
  const size_t slash = rest.find('/');
  const std::string id(rest.substr(0, slash));
  if (slash == std::string_view::npos) return request.method == "GET" ? answer(200, rollouts_.status(id)) : not_allowed();
  const std::string_view verb = rest.substr(slash + 1);
  constexpr std::array kVerbs = {std::pair{std::string_view("approve"), OperatorAction::kApprove}, std::pair{std::string_view("pause"), OperatorAction::kPause},
                                 std::pair{std::string_view("resume"), OperatorAction::kResume}, std::pair{std::string_view("halt"), OperatorAction::kHalt},
                                 std::pair{std::string_view("withdraw"), OperatorAction::kWithdraw}};
  const auto known = std::ranges::find(kVerbs, verb, &std::pair<std::string_view, OperatorAction>::first);
  if (known == kVerbs.end()) return not_found();
  if (request.method != "POST") return not_allowed();
  const auto done = [&]() -> Result<Json> {
    std::string reason;
    if (!request.body.empty()) {
      TRY(const Json body, body_of(request));
      TRY(const auto field, JsonField(body).find("reason"));
      if (field) {
        TRY(reason, field->text(0, 2000));
      }
    }
    TRY_VOID(rollouts_.act(id, known->second, reason));
    return rollouts_.status(id);
  }();
  return answer(200, done);
}

Result<std::string> Api::tenant_of_path(const HttpRequest& request) {
  std::string tenant = request.path.substr(kApi.size() + std::string_view("policies/").size());
  if (!plan::is_tenant_name(tenant)) return fail(ErrorCode::kInvalid, "the path does not end with a tenant's name");
  return tenant;
}

Result<Json> Api::list_policies() {
  TRY(const auto tenants, publisher_.policy_tenants());
  Json list = Json::array();
  for (const std::string& tenant : tenants) {
    const auto policy = publisher_.published_policy(tenant);
    if (!policy) return fail(ErrorCode::kIo, fmt::format("the policy of `{}`: {}", tenant, policy.error().detail));
    list.push(Json::object({{"tenant", tenant}, {"version", policy->version}, {"groups", policy->groups.size()}, {"etag", entity_tag(*policy)}}));
  }
  return Json::object({{"policies", std::move(list)}});
}

HttpResponse Api::get_policy(const HttpRequest& request) {
  const auto tenant = tenant_of_path(request);
  if (!tenant) return problem_of(tenant.error());
  const auto policy = publisher_.published_policy(*tenant);
  if (!policy && policy.error().code == ErrorCode::kNotFound) return problem(404, "Not found", fmt::format("tenant `{}` has no policy yet", *tenant));
  if (!policy) return problem_of({ErrorCode::kIo, policy.error().detail});
  HttpResponse response{200, "application/json", std::string(as_text(policy->to_bytes())), {}};
  response.headers = {{"ETag", entity_tag(*policy)}, {kCreanceTag, entity_tag(*policy)}, {"Cache-Control", "no-cache"}};
  if (names_tag(request.header("if-none-match"), entity_tag(*policy))) response.status = 304, response.body.clear();
  return response;
}

// With If-Match, or If-None-Match: *, only over what its author has seen: of two who change one policy at a time, the second is told.
HttpResponse Api::put_policy(const HttpRequest& request) {
  const auto tenant = tenant_of_path(request);
  if (!tenant) return problem_of(tenant.error());
  const auto now = publisher_.published_policy(*tenant);
  if (!now && now.error().code != ErrorCode::kNotFound) return problem_of({ErrorCode::kIo, now.error().detail});
  const std::string_view match = request.header("if-match"), none_match = request.header("if-none-match");
  const bool fits = (match.empty() || (now && names_tag(match, entity_tag(*now)))) && (none_match.empty() || !now || !names_tag(none_match, entity_tag(*now)));
  if (!fits) {
    return problem(412, "Changed meanwhile", now ? fmt::format("tenant `{}` has version {} of its policy now: read it again, and put your change into that", *tenant, now->version) : fmt::format("tenant `{}` has no policy yet", *tenant));
  }
  const auto put = [&]() -> Result<Json> {
    TRY(auto policy, plan::Policy::parse(as_bytes(request.body), plan::UnknownMember::kRefused));
    if (policy.tenant != *tenant) return fail(ErrorCode::kInvalid, fmt::format("tenant: is `{}`, the path says `{}`", policy.tenant, *tenant));
    plan::Zones zones;  // one that is not known here is misspelled
    auto known = plan::read_zones(files_, policy.fallback.windows, zones);
    for (const plan::Group& group : policy.groups)
      if (known) known = plan::read_zones(files_, group.rules.windows, zones);
    if (!known) return fail(ErrorCode::kInvalid, "windows: " + known.error().detail);
    TRY_VOID(publisher_.put_policy(std::move(policy)));
    return Json::object({{"version", publisher_.policy(*tenant).version}});
  }();
  HttpResponse response = answer(200, put);
  if (put) response.headers.emplace_back("ETag", entity_tag(publisher_.policy(*tenant)));
  return response;
}

HttpResponse Api::tree_file(const HttpRequest& request) {
  const auto relative = trust::safe_relative_path(std::string_view(request.path).substr(std::string_view("/tuf/").size()));
  if (!relative) return not_found();
  auto bytes = files_.read(tree_ / *relative, limits::kTargetBytesMax);
  if (!bytes) return bytes.error().code == ErrorCode::kNotFound || bytes.error().code == ErrorCode::kIo ? not_found() : problem_of(bytes.error());
  HttpResponse response{200, relative->extension() == ".json" ? "application/json" : "application/octet-stream", std::string(as_text(*bytes)), {}};
  const bool changes = relative->filename() == "timestamp.json";  // all else never changes under its name
  response.headers.emplace_back("Cache-Control", changes ? "no-cache" : "public, max-age=31536000, immutable");
  return response;
}

HttpResponse Api::ready() const {
  const auto expires = publisher_.repository().expires("timestamp");
  if (!expires || *expires <= clock_.wall()) return problem(503, "Not ready", "the timestamp metadata is expired: sensors take nothing new");
  if (!counters_.tick_error.empty()) return problem(503, "Not ready", counters_.tick_error);
  return {200, "text/plain", "ready\n", {}};
}

HttpResponse Api::metrics() const {
  std::string text;
  const auto metric = [&](std::string_view name, std::string_view type, std::string_view help, double value) {
    text += fmt::format("# HELP creance_{0} {1}\n# TYPE creance_{0} {2}\ncreance_{0} {3}\n", name, help, type, value);
  };
  const auto counter = [&](std::string_view name, std::string_view help, uint64_t value) { metric(name, "counter", help, static_cast<double>(value)); };
  counter("enrolments_total", "Sensors enrolled since start.", counters_.enrolled);
  counter("enrolments_again_total", "Sensors that gave up an identity that was not theirs alone.", counters_.enrolled_again);
  counter("announcements_total", "Announcements answered since start.", counters_.announcements);
  counter("announcements_waiting_total", "Announcements told to wait.", counters_.waits);
  counter("reports_total", "Reports taken since start.", counters_.reports);
  counter("detections_total", "Detections stored since start.", counters_.detections);
  counter("signatures_refused_total", "Messages whose signature did not fit.", counters_.signatures_refused);
  counter("reports_challenged_total", "Reports asked to be said again with a nonce: starts of sensors, copies, and echoes.", counters_.challenges);
  counter("reports_refused_total", "Reports not taken otherwise: echoes, copies, identities given up.", counters_.reports_refused);
  counter("ticks_total", "Judgements of all open rollouts.", counters_.ticks);
  counter("tick_errors_total", "Judgements that failed and are tried again.", counters_.tick_errors);
  metric("tick_seconds", "gauge", "Time of the last judgement.", counters_.tick_seconds);
  if (http_ != nullptr) {
    const HttpCounters http = http_->counters();
    counter("http_requests_total", "Requests since start.", http.requests);
    counter("http_refused_total", "Requests answered with 4xx or 5xx.", http.refused);
    counter("http_connections_refused_total", "Connections above the limit.", http.connections_refused);
    metric("http_connections_open", "gauge", "Connections open now.", static_cast<double>(http.connections_open));
  }
  if (const auto stored = store_.detections_stored()) metric("detections_stored", "gauge", "Detections kept.", static_cast<double>(*stored));
  if (const auto expires = publisher_.repository().expires("timestamp")) {
    metric("timestamp_valid_seconds", "gauge", "Time until the timestamp metadata expires.", static_cast<double>((*expires - clock_.wall()).count()) / 1000);
  }
  metric("plan_sequence", "gauge", "Sequence of the published plan.", static_cast<double>(publisher_.plan().sequence));
  text += "# HELP creance_rollouts Rollouts by state.\n# TYPE creance_rollouts gauge\n";
  for (const auto& [state, count] : rollouts_.states()) text += fmt::format("creance_rollouts{{state=\"{}\"}} {}\n", state, count);
  return {200, "text/plain; version=0.0.4", text, {}};
}

}  // namespace creance::server
