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

std::string machine_id(FileSystem& files, Random& random) {
  if (const auto bytes = files.read("/etc/machine-id", 64); bytes && bytes->size() >= 32) {
    const std::string id(as_text(*bytes).substr(0, 32));
    if (plan::is_id(id)) return id;
  }
  std::array<uint8_t, 16> drawn;
  random.fill(drawn);
  return to_hex(drawn);
}

}  // namespace

Result<std::string> enrol(const Enrolment& enrolment, FileSystem& files, Random& random, WallTime now) {
  if (files.exists(enrolment.state / "identity.json")) return fail(ErrorCode::kExists, fmt::format("`{}` is enrolled already; another sensor needs another folder", enrolment.state.string()));
  TRY(const std::string server, server_url(enrolment.server));
  std::string said;
  TRY(const Bytes root, root_of_trust(enrolment, server, files, said));
  TRY(const Bytes manifest_text, files.read(enrolment.state / "manifest.json", limits::kHttpBodyBytesMax));
  TRY(const Json manifest_json, parse_json(manifest_text));
  TRY(const plan::Manifest manifest, plan::Manifest::parse(JsonField(manifest_json)));
  TRY_VOID(files.remove(enrolment.state / "sensor.key"));  // of an enrolment that did not end
  TRY(trust::KeyPair key, trust::KeyPair::generate_ed25519());
  TRY_VOID(trust::save_key(files, enrolment.state / "sensor.key", key));

  plan::EnrolRequest request;
  request.token = enrolment.token;
  request.public_key = key.public_key().ed25519_hex();
  request.hostname = enrolment.hostname;
  request.machine_id = machine_id(files, random);
  request.platform = "linux";
  request.manifest = manifest;
  const trust::SealKey seal_key = trust::SealKey::generate();
  request.seal_key = to_hex(seal_key.public_key());
  HttpClient http("creance-sensor");
  HttpRequest post;
  post.method = "POST";
  post.url = server + "/api/v1/enrol";
  post.body = to_json(request.to_json());
  TRY(const HttpAnswer answer, http.send(post));
  if (answer.status != 201) return fail(answer.status >= 500 ? ErrorCode::kUnavailable : ErrorCode::kDenied, fmt::format("the server does not enrol this sensor: {}", problem_of(answer)));
  TRY(const plan::EnrolResponse response, plan::EnrolResponse::parse(as_bytes(answer.body)));

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
  identity.server = server;
  identity.hostname = enrolment.hostname;
  identity.machine_id = request.machine_id;
  identity.enrolled = now;
  identity.report_interval_ms = std::clamp<int64_t>(response.report_interval.count(), 100, 86'400'000);
  TRY_VOID(files.write_atomic(enrolment.state / "root.json", root, 0644));
  TRY_VOID(identity.write(files, enrolment.state));  // last: now the folder is enrolled
  return fmt::format("{}{}enrolled as {} (tenant {})", said, said.empty() ? "" : "\n", identity.sensor_id, identity.tenant);
}

}  // namespace creance::sensor
