// The host's decision: from signed documents, the host's own state and `now`, what to do next. Pure; the same in production, in tests and in the simulator.
// Precedence, once: deny > local file > mute > pin and pause > plan > window (DESIGN section 6). The owner can be stricter than the server, never laxer.
// A window says when what all the others allow may be taken: it holds new content and nothing else, no denial, no return, no halt.
// Nothing here can empty a host: with nothing allowed left it keeps the newest retained content that is not denied (D6).
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "plan/grant.hpp"
#include "plan/plan.hpp"
#include "plan/policy.hpp"
#include "plan/release.hpp"

namespace creance::plan {

struct Host {
  std::string sensor_id;
  WallTime enrolled{};
  std::vector<std::string> tags;
  std::string tenant{};
};

struct HostState {
  std::optional<Digest> running;             // release that runs now; none: no content
  std::vector<Digest> retained;              // releases that survived probation here, newest first; the first is the LKG
  std::map<Digest, std::string> refused;     // release or channel digest → why this host refuses it
  int64_t plan_sequence = 0;                 // newest plan that this host ever took
  std::string boot_epoch;
  std::optional<Grant> grant;                // opened and verified by the caller; checked here for host, epoch, release and time
  std::optional<Digest> arm_release;         // the release for which this host acted on a grant last…
  Verdict arm = Verdict::kHold;              // …and on which verdict
  bool clock_right = true;                   // false: the host's clock is behind what signed metadata says, so that `now` is no more than "not before"
};

struct Documents {
  const Plan* plan = nullptr;                // nullptr: there is none
  const Policy* policy = nullptr;            // nullptr: default rules
  const LocalPolicy* local = nullptr;        // nullptr: no local file
  const DenyList* deny = nullptr;            // nullptr: nothing denied
  const Zones* zones = nullptr;              // of all windows that are said; a zone that is missing is never open
  // Signed release documents by digest; only those that a plan, `running` or `retained` name are asked for. nullptr: not here (yet).
  std::function<const Release*(const Digest&)> release;
};

enum class Action : uint8_t {
  kStay,      // keep what runs
  kAnnounce,  // tell the server that `release` would be taken now
  kTake,      // activate `release` (verdict go)
  kHold,      // verdict hold: re-activate the LKG by the same path, `release` names what is held
  kReturn,    // go back to `release`; none: nothing good is left, safe mode
};
enum class Reason : uint8_t {
  kUpToDate, kNoPlan, kPlanOld, kNothingEligible, kReleaseUnknown,   // nothing to do, or not yet
  kDenied, kLocalDeny, kLocalPause, kLocalPin, kLocalDelay, kLocalWindow,  // deny, owner
  kPaused, kPinned, kDelay, kWindow,                                 // tenant
  kRefused, kApprovalExpired, kFloorNotReached,                      // host's memory, floor
  kHalted, kWithdrawn, kRolloutPaused, kRingNotOpen, kNotInShare, kEnrolledLater,  // plan
  kGrantNeeded, kGrantedGo, kGrantedHold, kHeldArm,                  // grant
  kNothingElse,                                                      // should go back, but nothing allowed is retained: keeps what runs
};
std::string_view to_string(Action action);
std::string_view to_string(Reason reason);  // "floor_not_reached", …: what `why` prints and reports carry

struct Decision {
  Action action = Action::kStay;
  Reason reason = Reason::kUpToDate;
  std::optional<Digest> release;
  std::string release_name;   // "" if unknown
  std::string detail;         // one line for people: which rule, until when
  std::set<std::string> mutes;  // rule ids whose matches are not reported on this host
  std::optional<WallTime> not_before;  // when the same question may get another answer, if a time decides
};

Decision decide(const Documents& documents, const Host& host, const HostState& state, WallTime now);

}  // namespace creance::plan
