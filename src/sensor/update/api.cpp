#include "sensor/update/api.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "plan/messages.hpp"

namespace creance::sensor {

Api::Api(std::string server, std::string sensor_id, trust::KeyPair& key) : http_("creance-sensor"), server_(std::move(server)), sensor_id_(std::move(sensor_id)), key_(key) {}

Result<HttpAnswer> Api::post(const std::string& call, std::string body, const std::string& content_type) {
  const std::string path = "/api/v1/" + call;
  HttpRequest request;
  request.method = "POST";
  request.url = server_ + path;
  TRY(const Bytes signature, key_.sign(plan::signed_message("POST", path, as_bytes(body))));
  request.headers = {{"Creance-Sensor", sensor_id_}, {"Creance-Signature", to_hex(signature)}};
  request.body = std::move(body);
  request.content_type = content_type;
  return http_.send(request);
}

Result<std::string> server_url(std::string_view given) {
  while (given.ends_with('/')) given.remove_suffix(1);
  if (!given.starts_with("http://") && !given.starts_with("https://")) return fail(ErrorCode::kInvalid, fmt::format("`{}` is no server: an address that begins with http:// or https:// is needed", printable(given)));
  return std::string(given);
}

std::string problem_of(const HttpAnswer& answer) {
  if (const auto problem = plan::Problem::parse(as_bytes(answer.body))) return fmt::format("{} {}", answer.status, printable(problem->detail.empty() ? problem->title : problem->detail, 300));
  return fmt::format("status {}", answer.status);
}

}  // namespace creance::sensor
