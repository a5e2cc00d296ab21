// The plan `rollout/plan.json`: which releases are rolling out, to whom (docs/reference/protocol.md). Signed by the `rollout` role as a target file.
#pragma once
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "plan/cohort.hpp"
#include "plan/ring.hpp"

namespace creance::plan {

enum class RolloutState : uint8_t { kRolling, kComplete, kHalted, kWithdrawn, kPaused };
std::string_view to_string(RolloutState state);  // "rolling", …
Result<RolloutState> parse_rollout_state(std::string_view text);

struct Stage {
  Ring ring = Ring::kInternal;
  uint64_t go_below = 0;     // cohorts below it are told "go", the other eligible ones "hold"; kEveryCohort includes all
  uint64_t enter_below = 0;  // cohorts below it are eligible; INVARIANT: go_below <= enter_below
  friend bool operator==(const Stage&, const Stage&) = default;
};

struct Rollout {
  std::string release;
  Digest release_digest;
  Salt salt{};
  RolloutState state = RolloutState::kRolling;
  WallTime ids_before{};      // sensors enrolled at or after this time are not in it until it is complete
  std::vector<Stage> stages;  // open ones; INVARIANT: no ring twice
  const Stage* stage(Ring ring) const;
  friend bool operator==(const Rollout&, const Rollout&) = default;
};

struct Plan {
  int64_t sequence = 0;           // only grows
  WallTime issued{};
  std::vector<Rollout> rollouts;  // newest first; INVARIANT: no release digest twice
  const Rollout* find(const Digest& release_digest) const;
  friend bool operator==(const Plan&, const Plan&) = default;

  static Result<Plan> parse(BytesView bytes);
  Bytes to_bytes() const;
  static constexpr std::string_view kPath = "rollout/plan.json";
};

}  // namespace creance::plan
