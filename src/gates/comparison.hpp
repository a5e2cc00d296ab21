// From host histories to a fair comparison: who was at risk when, in which arm, and which first events happened in order of onset.
// Not a judge (controller.hpp) and not a record of everything: repeated events of one host never count twice.
//
// A stratum is a ring and a stage: hosts that entered by the same door under the same share. Both arms enter at their grant, so that time since the swap
// cannot pass for harm. A host leaves a metric's risk set at its first event of it, and all of them when it falls silent or is told otherwise.
// Pure. Order of hosts in the input does not matter; simultaneous events stand in order of sensor id, which the server drew and no arm depends on.
#pragma once
#include <array>
#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/seams/clock.hpp"
#include "gates/evalue.hpp"

namespace creance::gates {

using Milliseconds = std::chrono::milliseconds;

enum class Arm : uint8_t { kGo, kHold };

// A rule that went over its budget on a host.
struct OverBudget {
  std::string rule;    // "": no rule, or one that the sensor did not name
  WallTime at{};       // onset within the stay
  bool storm = false;  // not the new content's doing: the host still ran other content, or the rule is as it was there and was over its budget there too
  friend bool operator==(const OverBudget&, const OverBudget&) = default;
};

// One stay of one host in one arm. A host that was held and later told go has two, the first of them with `left`.
struct HostHistory {
  std::string sensor_id;
  std::string tenant;
  uint32_t stage = 0;  // index of the stage whose grant it got
  bool internal = false;  // the operator's own
  Arm arm = Arm::kHold;
  WallTime entered{};                // when it was granted
  std::optional<WallTime> left;      // told otherwise
  // First onset of each metric, kAny left empty. Before `entered` means: this host is never at risk of it again (it has had its event).
  std::array<std::optional<WallTime>, kMetrics> first_event;
  std::vector<OverBudget> over_budget;  // what is known of the rules behind first_event[kOverBudget]; controller.cpp alone reads it, E does not
  std::optional<WallTime> confirmed;  // passed its probation (go), or re-activated its LKG (hold)
  WallTime last_report{};
  Milliseconds report_interval{1000};
};

struct SilenceRule {
  uint32_t reports_missed = 5;          // so many in a row are silence
  Milliseconds least{3000};             // but never sooner
  WallTime listening_since{};           // the server was not there before: nobody is blamed for that time
  Milliseconds after(Milliseconds report_interval) const { return std::max(least, report_interval * reports_missed); }
};
// Dated by the first missed report; empty while the host may only be late.
std::optional<WallTime> silent_since(const HostHistory& host, const SilenceRule& rule, WallTime now);

struct Comparison {
  std::vector<std::string> tenants;  // by slot, the largest first; at most kTenantsNamed
  uint32_t tenants_exposed = 0;      // tenants with a treated host, all of them
  uint32_t tenants_speaking = 0;     // tenants with an event on a treated host
  std::vector<RiskEvent> events;     // in order of onset
  Counts entered;                    // hosts in strata where both arms have hosts
  WallTime horizon{};                // now - tau: later onsets are not read, since one arm may know them sooner
};
Comparison compare(std::span<const HostHistory> hosts, const SilenceRule& rule, WallTime now);

}  // namespace creance::gates
