// Sensors: enrolment, who they are, what they report and detect. Threads: one at a time.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/seams/random.hpp"
#include "plan/messages.hpp"
#include "server/bus/bus.hpp"
#include "server/control/rollouts.hpp"
#include "server/control/voices.hpp"

namespace creance::server {

struct TokenRequest {
  std::string tenant;
  std::vector<std::string> tags;
  uint32_t count = 1;
  std::chrono::seconds expires{3600};
};

struct ReportAnswer {
  std::optional<plan::ReportResponse> taken;
  std::string_view problem = "about:blank";  // if it was not: what the sensor is to do (plan/messages.hpp)
  std::string words;
  std::string nonce;  // with kProblemNonce
};

class Fleet {
 public:
  Fleet(Store& store, Publisher& publisher, Rollouts& rollouts, Bus& bus, const Clock& clock, Random& random, std::chrono::milliseconds report_interval);

  // Tokens as text; only their digests are stored. The first of a tenant gives it a policy: a host tagged with a ring's name is in that ring, others in general.
  Result<std::vector<std::string>> make_tokens(const TokenRequest& request);
  Result<plan::EnrolResponse> enrol(const plan::EnrolRequest& request);
  // The sensor that signed this request with its own key; kDenied for an unknown one and for a wrong signature alike.
  Result<SensorRecord> authenticate(std::string_view sensor_id, std::string_view signature_hex, std::string_view method, std::string_view path, BytesView body);
  // `body`: the bytes of the report.
  Result<ReportAnswer> report(SensorRecord sensor, const plan::Report& report, BytesView body);
  // A new identity for a sensor that signs with one that is not its alone. kDenied: there is no cause for it, or it was used.
  Result<plan::EnrolResponse> enrol_again(SensorRecord old, const plan::EnrolAgain& message);
  Result<int64_t> detections(const SensorRecord& sensor, std::string_view json_lines);

  Result<Json> list(std::string_view ring, std::string_view state);
  Result<Json> list_detections(uint32_t count_max, int64_t after_id, int64_t before_id);

 private:
  // Why another identity may not leave this one without a token; "": it may.
  Result<std::string> why_no_successor(const SensorRecord& old, const std::vector<SuccessorRecord>& successors, WallTime now);
  static Status check_keys(const plan::EnrolRequest& request);
  SensorRecord new_sensor(const plan::EnrolRequest& request);
  Result<plan::EnrolResponse> welcome(const SensorRecord& sensor, const plan::EnrolRequest& request);
  Result<ReportAnswer> not_taken(SensorRecord sensor, const plan::Report& report, const std::string& digest, const Heard& heard, WallTime now);
  Status remember_over_budget(const SensorRecord& sensor, const plan::SensorEvent& event, WallTime at, WallTime now);
  Status remember_refusal(const SensorRecord& sensor, const plan::SensorEvent& event, WallTime at, bool& news);
  Status store_detections(const BusMessage& message);
  Store& store_;
  Publisher& publisher_;
  Rollouts& rollouts_;
  Bus& bus_;
  const Clock& clock_;
  Random& random_;
  Challenges challenges_;
  std::chrono::milliseconds report_interval_;
};

}  // namespace creance::server
