// How a sensor comes from one set of content to another and back: the explicit state machine of DESIGN section 4 and D9. Pure: no clock, no file, no process.
// The driver (Supervisor, or a simulator) feeds observations with `now` and carries out the actions, in order. Not a judge of content or plans: those answers come in.
// One thread. Never fails; an observation that cannot be (the driver's bug) ends the process by CHECK, one that a child could invent is ignored and counted.
//
//   phase         leaves to
//   kStarting     kSteady, kSafeMode, kStarting (next rung)     the worker starts with the LKG
//   kSteady       kAnnouncing, kReturning, kSafeMode
//   kAnnouncing   kSteady, kMarking, kReturning, kSafeMode
//   kMarking      kRehearsing, kSteady, kReturning, kSafeMode   no durable marker, no activation
//   kRehearsing   kSwapping, kSteady, kReturning, kSafeMode
//   kSwapping     kProbation, kSteady, kReturning, kSafeMode
//   kProbation    kSteady, kReturning, kSafeMode
//   kReturning    kSteady, kSafeMode, kReturning (next rung)
//   kSafeMode     kAnnouncing, kReturning                       no content; still takes what is offered, or (the owner says so) what is kept
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ipc/records.hpp"
#include "base/seams/clock.hpp"

namespace creance::sensor {

using ipc::Arm;
using ipc::EventKind;
using ipc::kNoSet;
using ipc::Reason;
using ipc::Set;
using std::chrono::milliseconds;

enum class Phase : uint8_t { kStarting, kSteady, kAnnouncing, kMarking, kRehearsing, kSwapping, kProbation, kReturning, kSafeMode };
inline constexpr size_t kPhases = 9;
std::string_view to_string(Phase phase);
bool legal(Phase from, Phase to);

struct ActivationSettings {
  milliseconds probation{20'000};
  milliseconds rehearsal_max{60'000};
  milliseconds swap_max{30'000};
  uint32_t deaths_max = 5;                  // of the worker outside probation, within deaths_window: one rung down. All in one channel: that channel goes first
  milliseconds deaths_window{60'000};
  uint32_t stalls_max = 3;                  // likewise; each takes a minute to be sure of
  milliseconds stalls_window{600'000};
  milliseconds restart_delay_max{10'000};
  milliseconds marker_retry{60'000};        // after the marker could not be written
};

// What the last run left on disk.
struct Remembered {
  std::optional<ipc::Marker> marker;
  std::optional<ipc::Session> session;
  std::optional<ipc::HeldBack> held_back;
  std::optional<ipc::Pause> pause;
  ipc::Ladder ladder;
  ipc::Refusals refusals;
  ipc::Lifted lifted;
  // Both copies of the record were damaged or are missing, now or in a run before, and nothing has come since that tells what stood there.
  bool refusals_lost = false, ladder_lost = false;
  bool marker_lost = false;                                                       // now
  std::vector<Set> sets;                                                          // that lie on the disk
};

// --- what happened

// `lively` false: the worker has given no sign of life lately, without being a stall yet. `starved`: of the time since the last one, how much the process that is waited for wanted to
// work and could not: it got no processor, was stopped, or this process itself was not woken. That is not held against content.
struct Tick {
  bool lively = true;
  milliseconds starved{0};
};
struct AdmitAnswered { ipc::Admitted answer; };
struct MarkerStored { bool stored = false; std::string detail; };                 // answers StoreMarker
struct RehearsalEnded { Set set{}; bool passed = false; Reason reason = Reason::kNone; std::string detail; };
struct WorkerActivated { Set set{}; };                                            // the live worker runs this now
struct WorkerRefused { Set set{}; Reason reason = Reason::kVerifyFailed; std::string detail; };
// Why a worker ended. Content can be at the bottom of kItself alone; of kKilled while it is not yet known as good (a machine that runs out of memory ends whom it likes).
enum class Cause : uint8_t {
  kItself,      // a crash, an exit, a lie, a limit of its own
  kKilled,      // by a signal that it does not send itself, or stopped by one: an administrator, the kernel out of memory
  kNotStarted,  // before it read any content: its program is missing or broken, a limit is too low, the sandbox cannot be set up
};
// `channel`: digest of the channel file that it was evaluating; kNoSet: not known. `reason`: kWorkerCrash, or kMemoryOverBudget where it was ended for its memory.
struct WorkerDied { std::string detail; Set channel{}; Reason reason = Reason::kWorkerCrash; Cause cause = Cause::kItself; };
struct WorkerStalled { std::string detail; Set channel{}; Cause cause = Cause::kItself; };
struct OwnerReturns { std::string detail; };                                      // the host's owner wants back to the good set before this one
struct OwnerRetries { Set refused{}; };                                           // and forgets a refusal, here and at the server
struct OwnerTrusts {};                                                            // what is kept may run although records were lost
struct LiftTold { Set refused{}; };                                               // the server has it
using Observation = std::variant<Tick, AdmitAnswered, MarkerStored, RehearsalEnded, WorkerActivated, WorkerRefused, WorkerDied, WorkerStalled, OwnerReturns, OwnerRetries, OwnerTrusts, LiftTold>;

// --- what to do

struct StartAnnouncing { Set release{}; };
struct StopAnnouncing {};
struct StoreMarker { ipc::Marker marker; };
struct StoreLadder { ipc::Ladder ladder; };
struct StoreRefusals { ipc::Refusals refusals; };
struct StoreHeldBack { ipc::HeldBack held_back; };       // of no release: none is
struct StoreLifted { ipc::Lifted lifted; };
struct StoreLost { bool refusals = false, ladder = false; };
struct ClearMarker {};                                   // only when every store before it has succeeded
struct StartRehearsal { Set set{}; };
struct EndRehearsal {};                                  // kill what is left of it
struct SwapTo { Set set{}; };                            // message to the live worker
struct StartWorker { Set set{}; milliseconds delay{0}; };  // ends the present one, starts anew with this set
struct Emit { EventKind kind{}; Set release{}; std::string detail; std::string rule_id{}; };
using Action = std::variant<StartAnnouncing, StopAnnouncing, StoreMarker, StoreLadder, StoreRefusals, StoreHeldBack, StoreLifted, StoreLost, ClearMarker, StartRehearsal, EndRehearsal, SwapTo, StartWorker, Emit>;
using Actions = std::vector<Action>;

class Activation {
 public:
  Activation(const ActivationSettings& settings, const ipc::BootId& boot_id, Remembered remembered);

  // Call once, before any step: decides what may be started, before one byte of content is read.
  Actions begin(MonotonicTime now, WallTime wall);
  Actions step(MonotonicTime now, WallTime wall, const Observation& observation);

  Phase phase() const { return phase_; }
  ipc::SensorState state() const;                        // as reports name it
  const Set& running() const { return running_; }        // what the live worker said that it runs
  const Set& lkg() const { return ladder_.sets[0]; }     // kNoSet: none
  const Set& candidate() const { return candidate_; }
  Set rehearsed() const { return target(); }             // while it rehearses
  Arm arm() const { return arm_; }                       // of the last grant that was acted on, also after its end
  const Set& arm_release() const { return arm_release_; }
  milliseconds arm_age(MonotonicTime now) const;
  const ipc::Ladder& ladder() const { return ladder_; }
  const ipc::Refusals& refusals() const { return refusals_; }
  const std::optional<ipc::HeldBack>& held_back() const { return held_back_; }
  ipc::Text<72> name_of(const Set& set) const;
  bool retains(const Set& set) const;                    // its files must stay on disk
  bool can_return() const;                               // OwnerReturns would do something
  bool can_trust() const;                                // OwnerTrusts would, now
  const ipc::Lifted& lifted() const { return lifted_; }
  bool refusals_lost() const { return refusals_lost_; }
  bool ladder_lost() const { return ladder_lost_; }
  bool careful() const { return refusals_lost_ || ladder_lost_; }  // nothing that is kept is run or swept
  // When step() must be called again at the latest, even if nothing happens.
  std::optional<MonotonicTime> deadline() const { return !loaded_by_ || (deadline_ && *deadline_ < *loaded_by_) ? deadline_ : loaded_by_; }

 private:
  struct Turn;  // one call of step
  void on(Turn& turn, const Tick& seen);
  void on(Turn& turn, const AdmitAnswered& seen);
  void on(Turn& turn, const MarkerStored& seen);
  void on(Turn& turn, const RehearsalEnded& seen);
  void on(Turn& turn, const WorkerActivated& seen);
  void on(Turn& turn, const WorkerRefused& seen);
  void on(Turn& turn, const WorkerDied& seen);
  void on(Turn& turn, const WorkerStalled& seen);
  void on(Turn& turn, const OwnerReturns& seen);
  void on(Turn& turn, const OwnerRetries& seen);
  void on(Turn& turn, const OwnerTrusts& seen);
  void on(Turn& turn, const LiftTold& seen);

  void enter(Phase phase);
  void settle();                                                                // steady, or safe mode without content
  void take_grant(Turn& turn, const ipc::Admitted& answer);
  void refuse(Turn& turn, const Set& set, Reason reason, std::string_view detail);
  void give_up(Turn& turn, Reason reason, EventKind kind, const std::string& detail, bool remember);  // the attempt ends where it began: nothing new was run
  void go_back(Turn& turn, Reason reason, std::string_view detail, bool worker_lives);
  void pass_probation(Turn& turn);
  void trouble(Turn& turn, EventKind kind, Reason reason, const std::string& detail, const Set& channel = kNoSet, Cause cause = Cause::kItself);  // the worker died or stands still
  void restart(Turn& turn);
  void drop_from_ladder(Turn& turn, const Set& set);
  void apply_standing(Turn& turn, const ipc::Admitted& answer);
  void lift(Turn& turn, const ipc::Admitted& answer);
  void forget_lift(Turn& turn, const Set& set);
  void found_again(Turn& turn);                                                 // what records that were lost would have told is known again
  Set rung() const { return careful() ? kNoSet : ladder_.sets[0]; }             // where a return leads
  Set target() const { return arm_ == Arm::kGo ? candidate_ : base_; }

  ActivationSettings settings_;
  ipc::BootId boot_id_;
  std::optional<ipc::Marker> marker_;
  std::optional<ipc::Session> session_;
  std::optional<ipc::HeldBack> held_back_;
  ipc::Ladder ladder_;
  ipc::Refusals refusals_;
  ipc::Lifted lifted_;
  bool refusals_lost_, ladder_lost_, marker_lost_;
  std::vector<Set> sets_;            // on the disk when this run began

  Phase phase_ = Phase::kStarting;
  bool begun_ = false;
  Set running_{};
  Set base_{};                       // what the host runs when no attempt is under way; kNoSet: nothing
  Set candidate_{};
  ipc::Text<72> candidate_name_;
  Arm arm_ = Arm::kNone;
  Set arm_release_{};
  MonotonicTime arm_since_{};
  bool attempt_ = false;             // INVARIANT: phase_ is kMarking … kProbation
  std::string return_detail_;        // not empty: a return is under way and will be reported
  Set returning_from_{};
  std::optional<MonotonicTime> deadline_;
  std::optional<MonotonicTime> loaded_by_;  // the worker was started again outside of kStarting, kSwapping and kReturning, whose deadline_ it is
  MonotonicTime no_marker_until_{};
  struct Death {
    MonotonicTime at{};
    Set channel{};
    bool stall = false;
    bool counts = true;              // against the content; else only for how long the next start waits
  };
  std::vector<Death> deaths_that_count(MonotonicTime now, bool stalls) const;
  std::deque<Death> deaths_;
};

// Is the worker stuck? Judged by its own CPU time, the time for which it got none, and its progress, so that a starved machine does not refuse good content.
class StallJudge {
 public:
  struct Settings {
    milliseconds busy_max{5'000};     // CPU time spent since its last sign of life
    milliseconds silent_max{60'000};  // without a sign of life, less the time for which it was starved
    milliseconds lively_max{5'000};   // silent no longer than this: nothing to wait for
  };
  explicit StallJudge(Settings settings) : settings_(settings) {}
  void alive(MonotonicTime now, std::chrono::nanoseconds cpu);  // a sign of life came
  void starved(milliseconds by) { starved_ += by; }             // as Tick has it
  bool stalled(MonotonicTime now, std::chrono::nanoseconds cpu) const;
  bool lively(MonotonicTime now) const { return now - seen_ - starved_ < settings_.lively_max; }

 private:
  Settings settings_;
  MonotonicTime seen_{};
  std::chrono::nanoseconds cpu_{};
  milliseconds starved_{};
};

}  // namespace creance::sensor
