// The server's calls as a sensor makes them: signed with the sensor's own key. Says nothing about trust in the answers. One thread.
#pragma once
#include <string>

#include "base/http_client.hpp"
#include "trust/keys/signer.hpp"

namespace creance::sensor {

class Api {
 public:
  Api(std::string server, std::string sensor_id, trust::KeyPair& key);
  // POST /api/v1/<call>. Any status is an answer; kUnavailable: not reached.
  Result<HttpAnswer> post(const std::string& call, std::string body, const std::string& content_type = "application/json");

 private:
  HttpClient http_;
  std::string server_, sensor_id_;
  trust::KeyPair& key_;
};

// "https://host:port/base" without a slash at the end; kInvalid for anything that is not http or https.
Result<std::string> server_url(std::string_view given);
// What a problem document or any other error answer says, in one line.
std::string problem_of(const HttpAnswer& answer);

}  // namespace creance::sensor
