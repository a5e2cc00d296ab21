#include "sensor/update/enrol.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "plan/messages.hpp"
#include "sensor/admit/identity.hpp"
#include "sensor/update/api.hpp"
#include "trust/client/http_transport.hpp"
#include "trust/core/metadata.hpp"
#include "trust/keys/key_file.hpp"
#include "trust/keys/seal.hpp"

namespace creance::sensor {
namespace {

Result<Bytes> root_of_trust(const Enrolment& enrolment, const std::string& server, FileSystem& files, std::string& said) {
  Bytes bytes;
  if (!enrolment.root.empty()) {
    TRY(bytes, files.read(enrolment.root, limits::kRootBytesMax));
  } else {
    trust::HttpOptions options;
    options.base_url = server + "/tuf/";
    options.total_max = std::chrono::milliseconds(30'000);
    trust::HttpTransport transport(options);
    TRY(bytes, transport.fetch("metadata/1.root.json", limits::kRootBytesMax));
    said = fmt::format("root of trust taken from the server; compare its fingerprint: {}", sha256(bytes).hex());
  }
  TRY_VOID(trust::Root::parse(bytes));
  return bytes;
}

plan::EnrolRequest request_of(const trust::KeyPair& key, const plan::Manifest& manifest, const trust::SealKey& seal_key) {
  plan::EnrolRequest request;
  request.public_key = key.public_key().ed25519_hex();
  request.platform = "linux";
  request.manifest = manifest;
  request.seal_key = to_hex(seal_key.public_key());
  return request;
}

Result<plan::EnrolResponse> enrolled(const HttpAnswer& answer) {
  if (answer.status != 201) return fail(answer.status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kDenied, fmt::format("the server does not enrol this sensor: {}", problem_of(answer)));
  return plan::EnrolResponse::parse(as_bytes(answer.body));
}

}  // namespace

Result<plan::Manifest> manifest_in(FileSystem& files, const std::filesystem::path& state) {
  TRY(const Bytes text, files.read(state / "manifest.json", limits::kHttpBodyBytesMax));
  TRY(const Json json, parse_json(text));
  return plan::Manifest::parse(JsonField(json));
}

std::string machine_id(FileSystem& files, const std::string& otherwise) {
  if (const auto bytes = files.read("/etc/machine-id", 64); bytes && bytes->size() >= 32) {
    const std::string id(as_text(*bytes).substr(0, 32));
    if (plan::is_id(id)) return id;
  }
  return otherwise;
}

Result<std::string> enrol(const Enrolment& enrolment, FileSystem& files, Random& random, WallTime now) {
  if (files.exists(enrolment.state / "identity.json")) return fail(ErrorCode::kExists, fmt::format("`{}` is enrolled already; another sensor needs another folder", enrolment.state.string()));
  TRY(const std::string server, server_url(enrolment.server));
  std::string said;
  TRY(const Bytes root, root_of_trust(enrolment, server, files, said));
  TRY(const plan::Manifest manifest, manifest_in(files, enrolment.state));
  TRY_VOID(files.remove(enrolment.state / "sensor.key"));  // of an enrolment that did not end
  TRY(trust::KeyPair key, trust::KeyPair::generate_ed25519());
  TRY_VOID(trust::save_key(files, enrolment.state / "sensor.key", key));

  std::array<uint8_t, 16> drawn;
  random.fill(drawn);
  const trust::SealKey seal_key = trust::SealKey::generate();
  plan::EnrolRequest request = request_of(key, manifest, seal_key);
  request.token = enrolment.token;
  request.hostname = enrolment.hostname;
  request.machine_id = machine_id(files, to_hex(drawn));
  HttpClient http("creance-sensor");
  HttpRequest post;
  post.method = "POST";
  post.url = server + "/api/v1/enrol";
  post.body = to_json(request.to_json());
  TRY(const HttpAnswer answer, http.send(post));
  TRY(const plan::EnrolResponse response, enrolled(answer));

  if (response.tenant_key) {
    TRY(const Bytes sealed, canonical_json(*response.tenant_key));
    auto opened = trust::open_document_sealed_as(plan::tenant_key_name(response.tenant, response.sensor_id), sealed, seal_key);
    if (!opened) return fail(opened.error().code, fmt::format("the server's answer does not open: {}", opened.error().detail));
    TRY_VOID(trust::SealKey::from_raw(opened->plain));
    TRY_VOID(files.write_atomic(enrolment.state / "tenant.key", as_bytes(to_hex(opened->plain) + "\n"), 0600));
  }

  Identity identity;
  identity.sensor_id = response.sensor_id;
  identity.tenant = response.tenant;
  identity.tags = response.tags;
  identity.enrolled = now;
  identity.report_interval_ms = std::clamp<int64_t>(response.report_interval.count(), 100, 86'400'000);
  identity.server = server;
  identity.hostname = enrolment.hostname;
  identity.machine_id = request.machine_id;
  TRY_VOID(files.write_atomic(enrolment.state / "root.json", root, 0644));
  TRY_VOID(identity.write(files, enrolment.state));  // last: now the folder is enrolled
  return fmt::format("{}{}enrolled as {} (tenant {})", said, said.empty() ? "" : "\n", identity.sensor_id, identity.tenant);
}

Result<ipc::SensorId> enrol_again(const EnrolmentAgain& again) {
  const trust::SealKey seal_key = trust::SealKey::generate();
  plan::EnrolAgain message;
  message.sensor_id = again.identity.sensor_id;
  message.boot_epoch = again.boot_epoch;
  message.request = request_of(again.next_key, again.manifest, seal_key);
  message.request.machine_id = again.machine_id;
  message.request.hostname = again.machine_id == again.identity.machine_id || again.hostname.empty() ? again.identity.hostname : again.hostname;
  Api api(again.identity.server, again.identity.sensor_id, again.key);
  TRY(const HttpAnswer answer, api.post("enrol-again", to_json(message.to_json())));
  TRY(const plan::EnrolResponse response, enrolled(answer));
  if (response.tenant != again.identity.tenant) return fail(ErrorCode::kDenied, fmt::format("the server answers with another tenant, `{}`", response.tenant));  // its key is the one that is here
  TRY(const Bytes raw, from_hex(response.sensor_id));
  ipc::SensorId id{};
  if (raw.size() == id.size()) std::ranges::copy(raw, id.begin());
  if (id == ipc::kNoSensorId || response.sensor_id == again.identity.sensor_id) return fail(ErrorCode::kDenied, "the server answers with no other id");
  return id;
}

}  // namespace creance::sensor
