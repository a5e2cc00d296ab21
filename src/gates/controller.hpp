// The rollout's state machine: one call, one decision. Pure: rollout, facts and `now` in, verdict and words out; whoever calls carries it out and logs it
// (record.hpp). Halting needs nobody; going on needs data. It never reads a clock and never remembers.
//
// Order of judgement: tripwire on internal hosts (read now) · E* against 1/alpha (read at now - tau) · small fleets by the first failure · soak and safety.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "gates/comparison.hpp"

namespace creance::gates {

struct Stage {
  std::string ring;
  double share = 1;           // of the ring's hosts
  Milliseconds soak{0};       // observation time of each host that counts
  uint32_t unknown_max = 10;  // treated hosts whose outcome is open, at most
  friend bool operator==(const Stage&, const Stage&) = default;
};

enum class RolloutState : uint8_t { kRolling, kPaused, kCalled, kHalted, kWithdrawn, kComplete };  // kCalled: held by the gate, a person is asked
std::string_view to_string(RolloutState state);

struct Settings {
  double alpha = 0.001;         // false halts of one release; half of it is for E, half for averages
  double tolerated_ratio = 1;   // g0
  double promote_ratio = 3;     // Delta: promotion needs evidence against "so many times worse"
  double promote_miss = 0.1;    // beta: of the promotion test
  double failure_rate_max = 0.01;  // p_max: a ring with enough hosts shows that the failure rate is below it
  uint32_t small_fleet_below = 16;
  friend bool operator==(const Settings&, const Settings&) = default;
};

struct Rollout {
  std::vector<Stage> stages;
  uint32_t stage = 0;  // the open one
  RolloutState state = RolloutState::kRolling;
  WallTime stage_opened{};
  uint32_t resumes = 0;    // the k-th resume gets alpha / 2^k
  bool tripwire = true;    // any event on an internal host halts at once
  bool approved = false;   // a person took inconclusive data upon themselves, for this stage
  Settings settings;
};

struct StageCounts {
  uint32_t exposed = 0, held = 0, confirmed = 0, unknown = 0, returned = 0, crashed = 0, silent = 0;
  uint32_t soaked = 0;   // confirmed, without any event, and at risk for the whole soak
  friend bool operator==(const StageCounts&, const StageCounts&) = default;
};

// How many enrolled hosts that speak (or were exposed) the open cut of a stage's ring would tell go and hold.
using Presence = Counts;

struct Summary {
  std::vector<StageCounts> stages;
  std::vector<Presence> present;
  Comparison comparison;
  std::vector<std::string> tripped;     // internal treated hosts with an event, read now: "sensor id: metric"
  std::vector<std::string> failures;    // treated hosts with an event, read now: "sensor id: metric", at most 8 named
  uint32_t failed = 0;                  // treated hosts with an event, read now
  std::vector<std::string> storms;      // of treated hosts, not counted: "sensor id: rule", at most 8 named
};
Summary summarise(const Rollout& rollout, std::span<const HostHistory> hosts, std::vector<Presence> present, const SilenceRule& rule, WallTime now);

enum class Verdict : uint8_t { kKeep, kPromote, kComplete, kHalt, kHoldAndCall };  // kComplete: the last stage is promoted, the hold-back goes too
std::string_view to_string(Verdict verdict);

struct Decision {
  Verdict verdict = Verdict::kKeep;
  std::string words;            // what it saw, and what it could have seen
  double log_e = 0, log_e_star = 0, log_e_halt = 0, log_e_safety = 0;
  bool statistical = false;     // false: too few hosts for E to halt
  double smallest_rate = 1;     // failure rate that this verdict would have caught with 90 %
  uint32_t required = 0;        // treated hosts that must stand the soak; 0 with nobody there
  Milliseconds soak_left{0};
  friend bool operator==(const Decision&, const Decision&) = default;
};
Decision decide(const Rollout& rollout, const Summary& summary, WallTime now);

// ln of 1/alpha as it stands after so many resumes.
double log_halt_threshold(const Settings& settings, uint32_t resumes);

}  // namespace creance::gates
