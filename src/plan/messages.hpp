// Messages between sensor and server (docs/reference/protocol.md): typed structs ↔ JSON. parse() refuses wrong shapes (kInvalid, "path: what"), ignores unknown members.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "plan/grant.hpp"

namespace creance::plan {

struct ManifestType {
  std::string type;
  Digest fingerprint;
  int64_t inputs = 0;
  friend bool operator==(const ManifestType&, const ManifestType&) = default;
};
struct Manifest {
  std::string build;
  std::vector<ManifestType> types;
  friend bool operator==(const Manifest&, const Manifest&) = default;
  static Result<Manifest> parse(const JsonField& field);
  Json to_json() const;
};

struct EnrolRequest {
  std::string token, public_key /* 64 hex */, hostname, machine_id /* 32 hex */, platform;
  Manifest manifest;
  std::string seal_key;  // 64 hex, X25519, for this enrolment alone: what the tenant's key is sealed to; "": the sensor wants none
  static Result<EnrolRequest> parse(BytesView body);
  Json to_json() const;
};
// Of a sensor whose identity two use, or that runs on another machine than the one that enrolled: no token, but the signature of the identity that it gives up (docs/reference/protocol.md).
struct EnrolAgain {
  std::string sensor_id, boot_epoch;
  EnrolRequest request;  // without a token
  static Result<EnrolAgain> parse(BytesView body);
  Json to_json() const;
};
std::string tenant_key_name(std::string_view tenant, std::string_view sensor_id);
struct EnrolResponse {
  std::string sensor_id, tenant;
  std::vector<std::string> tags;
  std::chrono::milliseconds report_interval{1000};
  std::optional<Json> tenant_key;  // a sealed document (trust/keys/seal.hpp) named tenant_key_name(): the key that opens the tenant's policies
  static Result<EnrolResponse> parse(BytesView body);
  Json to_json() const;
};

struct Announce {
  std::string sensor_id, boot_epoch;
  Digest release_digest;
  std::optional<Digest> running_digest;
  static Result<Announce> parse(BytesView body);
  Json to_json() const;
};
struct Wait {  // 202
  std::chrono::milliseconds wait{1000};
  static Result<Wait> parse(BytesView body);
  Json to_json() const;
};

enum class SensorState : uint8_t { kSteady, kAnnouncing, kRehearsing, kProbation, kReturning, kSafeMode, kWaiting };
enum class EventKind : uint8_t {
  kActivated, kHeld, kProbationPassed, kWorkerCrash, kWorkerStall, kFault, kReturned, kUncleanReboot,
  kRehearsalFailed, kVerifyFailed, kRefused, kHitsOverBudget, kMemoryOverBudget, kSafeMode,
  kCpuOverBudget, kPressure, kOomKill, kDiskLow, kOthersCrashed, kSlowBoot,
  kContentRefused, kRefusalLifted,  // a digest went into this host's memory of what it takes no more, or out of it
  kRecordsDamaged,                  // on its disk: what was restored, what was lost and what follows
};
std::string_view to_string(SensorState state);
std::string_view to_string(EventKind kind);
Result<SensorState> parse_sensor_state(std::string_view text);
Result<EventKind> parse_event_kind(std::string_view text);

struct SensorEvent {
  EventKind kind = EventKind::kActivated;
  std::optional<Digest> release_digest;
  int64_t at_ms = 0;    // uptime of the sensor when it happened
  std::string detail;   // at most 512 bytes
  std::string rule_id{};  // the rule that it is about; "": none, or the sensor does not say
  friend bool operator==(const SensorEvent&, const SensorEvent&) = default;
};
struct Counters {
  int64_t events = 0, matches = 0, faults = 0, events_lost = 0, worker_rss_kib = 0;
  std::map<std::string, int64_t> more;  // other non-negative integers, kept
  friend bool operator==(const Counters&, const Counters&) = default;
};
struct HeldInstance {
  std::string rule_id, input;
  friend bool operator==(const HeldInstance&, const HeldInstance&) = default;
};
struct LocalPause {  // the host's owner wants nothing new
  std::chrono::milliseconds remaining{0};
  std::string reason;
  friend bool operator==(const LocalPause&, const LocalPause&) = default;
};
struct Report {
  std::string sensor_id, machine_id, boot_id, boot_epoch;
  std::string nonce;  // of the server's challenge that this report answers (kProblemNonce); "": none
  int64_t sequence = 0;
  SensorState state = SensorState::kSteady;
  std::optional<Digest> running_digest, lkg_digest;
  std::string running_release;
  int64_t plan_sequence = 0;
  int64_t uptime_ms = 0;
  std::optional<Verdict> arm;
  std::optional<Digest> arm_digest;
  int64_t arm_age_ms = 0;
  std::vector<SensorEvent> events;
  Counters counters;
  std::map<std::string, int64_t> vitals;  // how the host fares (docs/reference/sensor.md); what it cannot say is not there
  std::optional<LocalPause> pause;
  std::optional<Manifest> manifest;
  std::vector<HeldInstance> held;
  static Result<Report> parse(BytesView body);
  Json to_json() const;
};
struct ReportResponse {
  std::chrono::milliseconds report_interval{1000};
  int64_t accepted_sequence = 0;
  static Result<ReportResponse> parse(BytesView body);
  Json to_json() const;
};

struct Detection {
  std::string time;  // RFC 3339, may carry fractions of a second: the event's own
  std::string rule_id, rule_title, level;
  std::vector<std::string> tags;
  std::string author, type;
  std::vector<std::string> references;
  std::optional<Digest> release_digest, channel_sha256;
  std::string host;
  std::vector<std::pair<std::string, std::string>> inputs;  // name, value as text
  std::vector<std::string> matched;
  friend bool operator==(const Detection&, const Detection&) = default;
  static Result<Detection> parse(BytesView line);
  Json to_json() const;
};
struct DetectionsResponse {
  int64_t stored = 0;
  static Result<DetectionsResponse> parse(BytesView body);
  Json to_json() const;
};

// Types of problems to which a sensor has an answer of its own.
inline constexpr std::string_view kProblemNewEpoch = "urn:creance:problem:new-epoch";      // begin a new boot epoch and go on
inline constexpr std::string_view kProblemNonce = "urn:creance:problem:nonce";            // say this report again, with the nonce: that it is said now and is no echo
inline constexpr std::string_view kProblemEnrolAgain = "urn:creance:problem:enrol-again";  // this identity is not yours alone: EnrolAgain

// RFC 9457 problem document.
struct Problem {
  std::string type = "about:blank", title, detail;
  int status = 500;
  std::string nonce;  // 32 hex, with kProblemNonce
  static Result<Problem> parse(BytesView body);
  Json to_json() const;
};

// What `Creance-Signature` covers: METHOD SP PATH LF, then the body's bytes.
Bytes signed_message(std::string_view method, std::string_view path, BytesView body);

bool is_id(std::string_view text);  // 32 lower-case hexadecimal digits: sensor id, machine id, boot epoch

}  // namespace creance::plan
