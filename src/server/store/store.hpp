// The server's records: sensors, tokens, rollouts, who was told what, what happened, decisions, detections. One interface, one contract suite (tests/server/store_test.cpp).
// Not a cache and no judge. Each call is durable in itself; transact() makes several one. Threads: one at a time.
// Errors: kNotFound · kExists (a key that must be new) · kNoSpace · kInvalid (the database is damaged) · kIo.
#pragma once
#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/seams/clock.hpp"
#include "gates/comparison.hpp"

namespace creance::server {

struct SensorRecord {
  std::string sensor_id, public_key /* hex */, hostname, machine_id, platform, tenant;
  std::vector<std::string> tags;
  WallTime enrolled{};
  std::optional<WallTime> last_report;
  std::string boot_epoch, boot_id;
  std::vector<std::string> past_epochs;  // the newest 8 that were replaced
  int64_t sequence = 0;
  std::string state, running_release, running_digest, lkg_digest;  // digests: hex or ""
  int64_t plan_sequence = 0;
  int64_t clones = 0;      // times that a second host with this identity was found
  std::vector<std::string> recent;  // SHA-256 of the last reports that were taken in this epoch, hex, newest last (control/voices.hpp)
  std::string stray;       // of the last voice that was not this sensor's: epoch and SHA-256 of its report, or epoch and machine
  std::string retired;     // why this identity is given up; "": it is not
  std::string from_sensor; // the identity that this one was before it enrolled again; ""
  std::string arm, arm_digest;
  std::string manifest, held, counters, vitals;  // JSON as reported last
  std::optional<WallTime> paused_until;  // by the host's owner, as reported last
  std::string pause_reason;
};

struct TokenRecord {
  std::string hash;  // SHA-256 of the token, hex: tokens themselves are not stored
  std::string tenant;
  std::vector<std::string> tags;
  WallTime expires{};
};

// What a sensor may never be told to take again, until a signed retry or its owner lifts it.
struct RefusalRecord {
  std::string sensor_id, digest /* hex, of a release or a channel file */, reason;
  WallTime at{};
  int64_t deny_version = 0;  // of the deny list that was published then: only a newer one may lift it
};

// A rule that went over its budget on a sensor, under one content. `rule_id` and `release_digest` "": something that no rule was named for.
struct OverBudgetRecord {
  std::string sensor_id, release_digest /* hex */, rule_id, tenant;
  bool internal = false;  // the sensor was in the operator's own ring when it said so last
  WallTime first{}, last{};
  bool steps = false;  // by what it computed; else by its hits or their bytes
};

// An identity that took the place of another.
struct SuccessorRecord {
  std::string old_id, machine_id, boot_epoch, public_key /* hex */, new_id;
  WallTime at{};
};

struct EventRecord {
  int64_t id = 0;
  std::string sensor_id, kind, release_digest, detail;
  WallTime at{};
};

struct DetectionRecord {
  int64_t id = 0;
  std::string sensor_id, hostname, tenant, body;  // body: the detection as JSON
  WallTime received{};
};

struct RolloutRecord {
  std::string id, release, release_digest /* hex */, salt /* hex */;
  WallTime created{}, ids_before{};
  std::string state;                // gates::to_string(RolloutState)
  uint32_t stage = 0;
  std::optional<WallTime> stage_opened;  // empty: it waits to be opened (floor)
  uint32_t resumes = 0;
  bool tripwire = true, approved = false;
  int64_t content_version_at_halt = 0;
  std::string stages;               // JSON
  std::string reason;               // of its state, for people
};

// One stay of one sensor in one arm of one rollout. `number` counts a sensor's stays.
struct SpellRecord {
  std::string rollout, sensor_id, tenant;
  uint32_t number = 0, stage = 0, generation = 0;
  bool internal = false;
  gates::Arm arm = gates::Arm::kHold;
  WallTime entered{};
  std::optional<WallTime> left, confirmed;
  std::array<std::optional<WallTime>, gates::kMetrics> first_event;
};

struct DecisionRecord {
  int64_t id = 0;
  std::string rollout, verdict, words, record;  // record: gates::to_json, "" for a person's
  WallTime at{};
};

class Store {
 public:
  virtual ~Store() = default;
  // All calls inside are kept, or none if it returns an error. Does not nest.
  virtual Status transact(const std::function<Status()>& work) = 0;

  virtual Status add_token(const TokenRecord& token) = 0;
  // Takes the token away: it works once, whoever races. kDenied: unknown, used or expired (the same for all three).
  virtual Result<TokenRecord> use_token(const std::string& hash, WallTime now) = 0;

  virtual Status put_sensor(const SensorRecord& sensor) = 0;  // adds or replaces
  virtual Result<SensorRecord> sensor(const std::string& id) = 0;
  virtual Result<std::vector<SensorRecord>> sensors() = 0;  // by id

  virtual Status put_refusal(const RefusalRecord& refusal) = 0;  // adds or replaces
  virtual Status remove_refusal(const std::string& sensor_id, const std::string& digest) = 0;  // absent is fine
  virtual Result<std::vector<RefusalRecord>> refusals(const std::string& sensor_id) = 0;  // by digest
  virtual Status add_successor(const SuccessorRecord& successor) = 0;
  virtual Result<std::vector<SuccessorRecord>> successors(const std::string& old_id) = 0;

  virtual Status put_over_budget(const OverBudgetRecord& record) = 0;  // adds or replaces
  virtual Status remove_over_budget(const std::string& sensor_id, const std::string& release_digest, const std::string& rule_id) = 0;  // absent is fine
  virtual Result<std::vector<OverBudgetRecord>> over_budget(const std::string& sensor_id) = 0;  // by digest, rule
  // Digests of the other content under which this rule was over its budget of hits or bytes at `since` or later, on a host of this tenant or an internal one; each once, sorted.
  virtual Result<std::vector<std::string>> over_budget_elsewhere(const std::string& rule_id, const std::string& not_digest, const std::string& tenant, WallTime since) = 0;

  virtual Status add_event(const EventRecord& event) = 0;  // the oldest go beyond the limit
  virtual Result<std::vector<EventRecord>> events(const std::string& sensor_id, uint32_t count_max) = 0;  // newest first

  virtual Status add_detection(const DetectionRecord& detection) = 0;  // the oldest go beyond the limit
  virtual Result<std::vector<DetectionRecord>> detections(uint32_t count_max, int64_t before_id) = 0;  // newest first; before_id 0: from the newest
  virtual Result<int64_t> detections_stored() = 0;

  virtual Status put_rollout(const RolloutRecord& rollout) = 0;
  virtual Result<RolloutRecord> rollout(const std::string& id) = 0;
  virtual Result<std::vector<RolloutRecord>> rollouts() = 0;  // newest first

  virtual Status put_spell(const SpellRecord& spell) = 0;
  virtual Result<std::vector<SpellRecord>> spells(const std::string& rollout) = 0;                          // by sensor, number
  virtual Result<std::vector<SpellRecord>> spells(const std::string& rollout, const std::string& sensor_id) = 0;  // by number
  // Treated hosts of a stage whose outcome is open: neither confirmed nor failed in a way that they told (silence keeps a host open). Those granted before `entered_from` are left out. `tenant`: of its hosts alone; "": of all.
  virtual Result<uint32_t> unknown_outcomes(const std::string& rollout, uint32_t stage, WallTime entered_from, const std::string& tenant) = 0;

  virtual Status add_decision(const DecisionRecord& decision) = 0;
  virtual Result<std::vector<DecisionRecord>> decisions(const std::string& rollout, uint32_t count_max) = 0;  // newest first

  virtual Status set(const std::string& key, const std::string& value) = 0;
  virtual Result<std::string> get(const std::string& key) = 0;
};

}  // namespace creance::server
