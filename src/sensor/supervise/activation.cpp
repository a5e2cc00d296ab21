#include "sensor/supervise/activation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "base/check.hpp"

namespace creance::sensor {
namespace {

constexpr uint16_t bit(Phase phase) { return static_cast<uint16_t>(1u << static_cast<unsigned>(phase)); }
template <class... P>
constexpr uint16_t set_of(P... phases) { return static_cast<uint16_t>((0u | ... | bit(phases))); }

constexpr std::array<uint16_t, kPhases> kLegal = {
    /* kStarting   */ set_of(Phase::kSteady, Phase::kSafeMode, Phase::kStarting),
    /* kSteady     */ set_of(Phase::kAnnouncing, Phase::kReturning, Phase::kSafeMode),
    /* kAnnouncing */ set_of(Phase::kSteady, Phase::kMarking, Phase::kReturning, Phase::kSafeMode),
    /* kMarking    */ set_of(Phase::kRehearsing, Phase::kSteady, Phase::kReturning, Phase::kSafeMode),
    /* kRehearsing */ set_of(Phase::kSwapping, Phase::kSteady, Phase::kReturning, Phase::kSafeMode),
    /* kSwapping   */ set_of(Phase::kProbation, Phase::kSteady, Phase::kReturning, Phase::kSafeMode),
    /* kProbation  */ set_of(Phase::kSteady, Phase::kReturning, Phase::kSafeMode),
    /* kReturning  */ set_of(Phase::kSteady, Phase::kSafeMode, Phase::kReturning),
    /* kSafeMode   */ set_of(Phase::kAnnouncing, Phase::kReturning),
};

EventKind kind_of(Reason reason) {
  switch (reason) {
    case Reason::kVerifyFailed: return EventKind::kVerifyFailed;
    case Reason::kWorkerStall: return EventKind::kWorkerStall;
    case Reason::kHitsOverBudget: case Reason::kBytesOverBudget: return EventKind::kHitsOverBudget;
    case Reason::kStepsOverBudget: return EventKind::kCpuOverBudget;
    case Reason::kMemoryOverBudget: return EventKind::kMemoryOverBudget;
    case Reason::kFault: return EventKind::kFault;
    case Reason::kWorkerCrash: return EventKind::kWorkerCrash;
    default: return EventKind::kRehearsalFailed;
  }
}

std::string with_reason(Reason reason, std::string_view detail) { return detail.empty() ? std::string(to_string(reason)) : fmt::format("{}: {}", to_string(reason), detail); }

}  // namespace

struct Activation::Turn {
  MonotonicTime now;
  WallTime wall;
  Actions actions;
};

std::string_view to_string(Phase phase) {
  constexpr std::array<std::string_view, kPhases> kNames = {"starting", "steady", "announcing", "marking", "rehearsing", "swapping", "probation", "returning", "safe_mode"};
  return kNames[static_cast<size_t>(phase)];
}

bool legal(Phase from, Phase to) { return (kLegal[static_cast<size_t>(from)] & bit(to)) != 0; }

Activation::Activation(const ActivationSettings& settings, const ipc::BootId& boot_id, Remembered remembered)
    : settings_(settings), boot_id_(boot_id), marker_(std::move(remembered.marker)), session_(std::move(remembered.session)), held_back_(remembered.held_back),
      ladder_(remembered.ladder), refusals_(remembered.refusals), lifted_(remembered.lifted), refusals_lost_(remembered.refusals_lost), ladder_lost_(remembered.ladder_lost), marker_lost_(remembered.marker_lost),
      sets_(std::move(remembered.sets)) {}

void Activation::enter(Phase phase) {
  CHECK(legal(phase_, phase));
  phase_ = phase;
  deadline_.reset();
  if (phase == Phase::kStarting || phase == Phase::kSwapping || phase == Phase::kReturning) loaded_by_.reset();
  attempt_ = phase == Phase::kMarking || phase == Phase::kRehearsing || phase == Phase::kSwapping || phase == Phase::kProbation;
}

Actions Activation::begin(MonotonicTime now, WallTime wall) {
  CHECK(!begun_);
  begun_ = true;
  Turn turn{now, wall, {}};
  if (marker_) {  // the last run ended in the middle of an attempt
    const Set release = marker_->release;
    const bool other_boot = boot_id_ != marker_->boot_id;
    const bool clean = session_ && session_->clean_stop == 1 && session_->boot_id == marker_->boot_id;  // of an older boot: the record of this one is missing
    const bool passed = ladder_.count > 0 && ladder_.sets[0] == release;  // its probation had ended, and only the marker could not be removed any more
    if (passed) {
    } else if (marker_->arm == Arm::kGo && other_boot && !clean) {
      turn.actions.push_back(Emit{EventKind::kUncleanReboot, release, "the machine went down during probation"});
      refuse(turn, release, Reason::kUncleanReboot, "the machine went down during probation");
      return_detail_ = "unclean_reboot";
      returning_from_ = release;
    } else if (marker_->arm == Arm::kGo && !clean) {
      return_detail_ = "interrupted: the supervisor ended during probation";
      returning_from_ = release;
    } else if (marker_->arm == Arm::kHold && other_boot && !clean) {
      turn.actions.push_back(Emit{EventKind::kUncleanReboot, ladder_.sets[0], "the machine went down during a hold's probation"});
    }
    turn.actions.push_back(ClearMarker{});
    marker_.reset();
  }
  if (marker_lost_ && !ladder_lost_ && !(session_ && session_->clean_stop == 1)) {  // an attempt may have been under way, of any of them; what it did may be why the record is damaged
    for (const Set& set : sets_)
      if (std::find(ladder_.sets.begin(), ladder_.sets.begin() + ladder_.count, set) == ladder_.sets.begin() + ladder_.count && !refusals_.contains(set)) refuse(turn, set, Reason::kRecordsLost, "the record of an attempt was lost, and the last stop was not a clean one");
  }
  for (size_t i = ladder_.count; i-- > 0;)
    if (refusals_.contains(ladder_.sets[i])) drop_from_ladder(turn, ladder_.sets[i]);
  base_ = rung();
  turn.actions.push_back(StartWorker{base_, milliseconds(0)});
  deadline_ = now + settings_.swap_max;
  return std::move(turn.actions);
}

Actions Activation::step(MonotonicTime now, WallTime wall, const Observation& observation) {
  CHECK(begun_);
  Turn turn{now, wall, {}};
  std::visit([&](const auto& seen) { on(turn, seen); }, observation);
  return std::move(turn.actions);
}

ipc::SensorState Activation::state() const {
  switch (phase_) {
    case Phase::kStarting: return return_detail_.empty() ? ipc::SensorState::kSteady : ipc::SensorState::kReturning;
    case Phase::kSteady: return ipc::SensorState::kSteady;
    case Phase::kAnnouncing: return careful() ? ipc::SensorState::kSafeMode : ipc::SensorState::kAnnouncing;
    case Phase::kMarking: case Phase::kRehearsing: case Phase::kSwapping: return ipc::SensorState::kRehearsing;
    case Phase::kProbation: return ipc::SensorState::kProbation;
    case Phase::kReturning: return ipc::SensorState::kReturning;
    case Phase::kSafeMode: return ipc::SensorState::kSafeMode;
  }
  return ipc::SensorState::kSteady;
}

milliseconds Activation::arm_age(MonotonicTime now) const { return arm_ == Arm::kNone ? milliseconds(0) : now - arm_since_; }

ipc::Text<72> Activation::name_of(const Set& set) const {
  if (set == kNoSet) return {};
  for (size_t i = 0; i < ladder_.count; ++i)
    if (ladder_.sets[i] == set) return ladder_.names[i];
  return set == candidate_ ? candidate_name_ : ipc::Text<72>{};
}

bool Activation::retains(const Set& set) const {
  if (set == running_ || set == base_ || set == candidate_ || careful()) return true;
  return std::find(ladder_.sets.begin(), ladder_.sets.begin() + ladder_.count, set) != ladder_.sets.begin() + ladder_.count;
}

// --- plan and grants

void Activation::on(Turn& turn, const AdmitAnswered& seen) {
  const ipc::Admitted& answer = seen.answer;
  CHECK(answer.valid());
  if (answer.trusted == 0) return;  // nothing new is believed; what runs goes on
  lift(turn, answer);
  apply_standing(turn, answer);
  if (phase_ == Phase::kAnnouncing) {
    if (answer.offer != candidate_ && answer.grant_release != candidate_) {  // the plan changed its mind
      candidate_ = kNoSet;
      turn.actions.push_back(StopAnnouncing{});
      settle();
    } else if (answer.remembered == 1 && lifted_.contains(candidate_)) {  // it has not heard yet what the owner lifted: this is asked again
    } else if (answer.grant_release == candidate_ && (answer.grant == ipc::GrantVerdict::kGo || answer.grant == ipc::GrantVerdict::kHold)) {
      take_grant(turn, answer);
    }
  }
  const bool free = phase_ == Phase::kSteady || phase_ == Phase::kSafeMode;
  if (!free || answer.offer == kNoSet || answer.offer == base_ || refusals_.contains(answer.offer) || turn.now < no_marker_until_) return;
  candidate_ = answer.offer;
  candidate_name_ = answer.offer_release;
  enter(Phase::kAnnouncing);
  turn.actions.push_back(StartAnnouncing{candidate_});
}

void Activation::take_grant(Turn& turn, const ipc::Admitted& answer) {
  arm_ = answer.grant == ipc::GrantVerdict::kGo ? Arm::kGo : Arm::kHold;
  arm_release_ = candidate_;
  arm_since_ = turn.now;
  turn.actions.push_back(StopAnnouncing{});
  ipc::Marker marker;
  marker.release = candidate_;
  marker.arm = arm_;
  marker.boot_id = boot_id_;
  marker_ = marker;
  enter(Phase::kMarking);
  turn.actions.push_back(StoreMarker{marker});
}

void Activation::on(Turn& turn, const MarkerStored& seen) {
  CHECK(phase_ == Phase::kMarking);
  if (!seen.stored) {
    no_marker_until_ = turn.now + settings_.marker_retry;
    arm_ = Arm::kNone;
    give_up(turn, Reason::kNoMarker, EventKind::kRefused, seen.detail, false);
    return;
  }
  if (arm_ == Arm::kHold) {
    held_back_ = ipc::HeldBack{candidate_};
    turn.actions.push_back(StoreHeldBack{*held_back_});
  }
  enter(Phase::kRehearsing);
  deadline_ = turn.now + settings_.rehearsal_max;
  turn.actions.push_back(StartRehearsal{target()});
}

// --- rehearsal, swap, probation

void Activation::on(Turn& turn, const RehearsalEnded& seen) {
  if (phase_ != Phase::kRehearsing || seen.set != target()) return;  // of an attempt that is over
  if (!seen.passed && (seen.reason == Reason::kDamaged || seen.reason == Reason::kInterrupted)) {  // no word against it; not at once again, and admit puts damaged files anew
    no_marker_until_ = turn.now + settings_.marker_retry;
    return give_up(turn, seen.reason, seen.reason == Reason::kInterrupted ? EventKind::kRefused : kind_of(seen.reason), seen.detail, false);
  }
  if (!seen.passed) return give_up(turn, seen.reason, kind_of(seen.reason), seen.detail, true);
  enter(Phase::kSwapping);
  deadline_ = turn.now + settings_.swap_max;
  turn.actions.push_back(SwapTo{target()});
}

void Activation::on(Turn& turn, const WorkerActivated& seen) {
  switch (phase_) {
    case Phase::kSwapping:
      if (seen.set != target()) return;
      running_ = seen.set;
      enter(Phase::kProbation);
      deadline_ = turn.now + settings_.probation;
      turn.actions.push_back(Emit{arm_ == Arm::kGo ? EventKind::kActivated : EventKind::kHeld, arm_release_, {}});
      return;
    case Phase::kStarting: case Phase::kReturning:
      if (seen.set != base_) return;
      running_ = seen.set;
      if (!return_detail_.empty()) {
        turn.actions.push_back(Emit{EventKind::kReturned, returning_from_, return_detail_});
        if (base_ == kNoSet) turn.actions.push_back(Emit{EventKind::kSafeMode, returning_from_, "no good content is left"});
      }
      settle();
      return_detail_.clear();
      return;
    default:  // a worker that was restarted with what the host runs anyway
      if (seen.set != (phase_ == Phase::kProbation ? target() : base_)) return;
      running_ = seen.set;
      loaded_by_.reset();
      if (phase_ == Phase::kProbation && !deadline_) deadline_ = turn.now + settings_.probation;  // anew: what was interrupted from outside shows nothing
      return;
  }
}

void Activation::on(Turn& turn, const WorkerRefused& seen) {
  if (phase_ == Phase::kSwapping && seen.set == target()) {
    give_up(turn, seen.reason, kind_of(seen.reason), seen.detail, seen.reason != Reason::kDamaged);
    return;
  }
  if (seen.set != base_ || base_ == kNoSet) return;
  // It passed probation here, so it is its files that are damaged: next rung, and no word against the release, which admit may fetch anew.
  turn.actions.push_back(Emit{EventKind::kVerifyFailed, seen.set, seen.detail});
  drop_from_ladder(turn, seen.set);
  go_back(turn, seen.reason, seen.detail, true);
}

void Activation::pass_probation(Turn& turn) {
  if (arm_ == Arm::kGo) {
    ipc::Ladder ladder;
    ladder.sets[0] = candidate_;
    ladder.names[0] = candidate_name_;
    ladder.count = 1;
    for (size_t i = 0; i < ladder_.count && ladder.count < ipc::kRungsMax; ++i) {
      if (ladder_.sets[i] == candidate_ || careful()) continue;  // what may have been refused is no place to return to
      ladder.sets[ladder.count] = ladder_.sets[i];
      ladder.names[ladder.count++] = ladder_.names[i];
    }
    ladder_ = ladder;
    base_ = candidate_;
    turn.actions.push_back(StoreLadder{ladder_});
    found_again(turn);
  }
  turn.actions.push_back(ClearMarker{});
  turn.actions.push_back(Emit{EventKind::kProbationPassed, arm_release_, {}});  // not before the disk knows: a reboot between the two would return from what the server counts as good
  marker_.reset();
  candidate_ = kNoSet;
  settle();
}

void Activation::on(Turn& turn, const Tick& seen) {
  while (!deaths_.empty() && turn.now - deaths_.front().at > std::max(settings_.deaths_window, settings_.stalls_window)) deaths_.pop_front();
  // How long content takes to load or to rehearse is the time that the process for it had.
  if (loaded_by_) *loaded_by_ += seen.starved;
  if (deadline_ && phase_ != Phase::kProbation) *deadline_ += seen.starved;
  if (loaded_by_ && turn.now >= *loaded_by_) return trouble(turn, EventKind::kWorkerStall, Reason::kWorkerStall, "the worker did not load the content in time");
  if (!deadline_ || turn.now < *deadline_) return;
  switch (phase_) {
    case Phase::kProbation:
      // Content under which the worker fell silent has not passed only because silence takes longer to judge than probation lasts.
      if (!seen.lively) deadline_ = turn.now + milliseconds(1'000);
      else pass_probation(turn);
      return;
    case Phase::kRehearsing: return give_up(turn, Reason::kTimeout, EventKind::kRehearsalFailed, "the rehearsal did not end in time", true);
    case Phase::kSwapping: case Phase::kStarting: case Phase::kReturning: return trouble(turn, EventKind::kWorkerStall, Reason::kWorkerStall, "the worker did not load the content in time");
    default: deadline_.reset(); return;
  }
}

// --- trouble and the way back

void Activation::on(Turn& turn, const WorkerDied& seen) { trouble(turn, kind_of(seen.reason), seen.reason, seen.detail, seen.channel, seen.cause); }
void Activation::on(Turn& turn, const WorkerStalled& seen) { trouble(turn, EventKind::kWorkerStall, Reason::kWorkerStall, seen.detail, seen.channel, seen.cause); }

std::vector<Activation::Death> Activation::deaths_that_count(MonotonicTime now, bool stalls) const {
  std::vector<Death> out;
  for (const Death& death : deaths_)
    if (death.counts && now - death.at <= (stalls ? settings_.stalls_window : settings_.deaths_window) && (death.stall || !stalls)) out.push_back(death);
  return out;
}

void Activation::trouble(Turn& turn, EventKind kind, Reason reason, const std::string& detail, const Set& channel, Cause cause) {
  const bool of_candidate = arm_ == Arm::kGo && (phase_ == Phase::kSwapping || phase_ == Phase::kProbation);
  const Set blamed = of_candidate ? candidate_ : base_;
  // Killed: held against content that is being tried, if it was being loaded or evaluated; never against what passed probation.
  const bool stopped = kind == EventKind::kWorkerStall;  // by somebody: no content does that
  const bool shown = cause == Cause::kItself || (cause == Cause::kKilled && of_candidate && !stopped && (running_ != candidate_ || channel != kNoSet));
  running_ = kNoSet;
  loaded_by_.reset();
  if (!shown) {
    turn.actions.push_back(Emit{kind, kNoSet, detail + (cause == Cause::kKilled ? "; from outside, and held against no content" : "; before it read any content, and held against none")});
    deaths_.push_back({.at = turn.now, .counts = false});
    if (phase_ == Phase::kProbation) deadline_.reset();
    return restart(turn);
  }
  turn.actions.push_back(Emit{kind, blamed, detail});
  if (of_candidate) {
    // In another release too; but until the worker has said that it runs the candidate, what it evaluates may still be the last known good.
    if (phase_ == Phase::kProbation) refuse(turn, channel, reason, detail);
    refuse(turn, candidate_, reason, detail);
    go_back(turn, reason, detail, false);
    return;
  }
  deaths_.push_back({.at = turn.now, .channel = channel, .stall = kind == EventKind::kWorkerStall});
  std::vector<Death> counted = deaths_that_count(turn.now, false);
  uint32_t most = settings_.deaths_max;
  milliseconds window = settings_.deaths_window;
  if (counted.size() < most) {
    counted = deaths_that_count(turn.now, true);
    most = settings_.stalls_max;
    window = settings_.stalls_window;
  }
  if (counted.size() >= most && base_ != kNoSet) {
    const bool same = std::ranges::all_of(counted, [&](const Death& death) { return death.channel == counted[0].channel; });
    const Set guilty = same && !refusals_.contains(counted[0].channel) ? counted[0].channel : kNoSet;
    deaths_.clear();
    if (guilty != kNoSet) {  // the rest of the content goes on without it
      const std::string why = fmt::format("channel {} suspended after {} deaths within {} s, the last: {}", to_hex(guilty).substr(0, 12), most, window.count() / 1000, detail);
      refuse(turn, guilty, Reason::kRepeatedDeaths, why);
      turn.actions.push_back(Emit{EventKind::kFault, base_, why});
      return restart(turn);
    }
    const std::string text = fmt::format("{} deaths within {} s, the last: {}", most, window.count() / 1000, detail);
    refuse(turn, base_, Reason::kRepeatedDeaths, text);
    go_back(turn, Reason::kRepeatedDeaths, text, false);
    return;
  }
  restart(turn);
}

bool Activation::can_return() const {
  const bool trying = arm_ == Arm::kGo && attempt_;
  return trying || ((phase_ == Phase::kSteady || phase_ == Phase::kAnnouncing || attempt_) && ladder_.count >= 2);
}

void Activation::on(Turn& turn, const OwnerReturns& seen) {
  if (!can_return()) return;
  const bool trying = arm_ == Arm::kGo && attempt_;
  const Set unwanted = trying ? candidate_ : base_;
  if (trying && phase_ == Phase::kRehearsing) return give_up(turn, Reason::kOwner, EventKind::kRefused, seen.detail, true);
  refuse(turn, unwanted, Reason::kOwner, seen.detail);
  go_back(turn, Reason::kOwner, seen.detail, true);
}

void Activation::on(Turn& turn, const OwnerRetries& seen) {
  if (seen.refused == kNoSet) return;
  // The server remembers what was refused here, and holds it back for a host that has forgotten it: it is told in any case, and until it has it.
  ipc::Lifted lifted;
  const size_t first = lifted_.contains(seen.refused) || lifted_.count < ipc::kRefusalsMax ? 0 : 1;
  for (size_t i = first; i < lifted_.count; ++i)
    if (lifted_.list[i] != seen.refused) lifted.list[lifted.count++] = lifted_.list[i];
  lifted.list[lifted.count++] = seen.refused;
  lifted_ = lifted;
  turn.actions.push_back(StoreLifted{lifted_});  // first: one that is told twice does no harm, one that is not told at all does
  ipc::Refusals next;
  next.deny_version = refusals_.deny_version;
  for (size_t i = 0; i < refusals_.count; ++i)
    if (refusals_.list[i].release != seen.refused) next.list[next.count++] = refusals_.list[i];
  if (next.count != refusals_.count) {
    refusals_ = next;
    turn.actions.push_back(StoreRefusals{refusals_});
  }
  if (held_back_) {  // maybe only because the server remembered it; if not, it says hold once more
    held_back_.reset();
    turn.actions.push_back(StoreHeldBack{});
  }
  turn.actions.push_back(Emit{EventKind::kRefusalLifted, seen.refused, "the host's owner"});
}

void Activation::on(Turn& turn, const LiftTold& seen) { forget_lift(turn, seen.refused); }

void Activation::forget_lift(Turn& turn, const Set& set) {
  ipc::Lifted next;
  for (size_t i = 0; i < lifted_.count; ++i)
    if (lifted_.list[i] != set) next.list[next.count++] = lifted_.list[i];
  if (next.count == lifted_.count) return;
  lifted_ = next;
  turn.actions.push_back(StoreLifted{lifted_});
}

bool Activation::can_trust() const { return careful() && (phase_ == Phase::kSafeMode || phase_ == Phase::kAnnouncing || phase_ == Phase::kSteady); }

void Activation::on(Turn& turn, const OwnerTrusts&) {
  if (!can_trust()) return;
  found_again(turn);
  if (ladder_.count == 0) return;
  if (phase_ == Phase::kAnnouncing) turn.actions.push_back(StopAnnouncing{});
  candidate_ = kNoSet;
  base_ = rung();
  enter(Phase::kReturning);
  deadline_ = turn.now + settings_.swap_max;
  turn.actions.push_back(SwapTo{base_});
}

void Activation::found_again(Turn& turn) {
  if (!careful()) return;
  refusals_lost_ = ladder_lost_ = false;
  turn.actions.push_back(StoreLost{});
}

void Activation::restart(Turn& turn) {
  milliseconds delay(0);
  const auto lately = std::ranges::count_if(deaths_, [&](const Death& death) { return turn.now - death.at <= settings_.deaths_window; });
  for (auto i = 1; i < lately && delay < settings_.restart_delay_max; ++i) delay = delay == milliseconds(0) ? milliseconds(200) : delay * 2;
  delay = std::min(delay, settings_.restart_delay_max);
  // kSwapping: the fresh worker loads what was to be swapped to.
  const bool loading = phase_ == Phase::kStarting || phase_ == Phase::kReturning || phase_ == Phase::kSwapping;
  (loading ? deadline_ : loaded_by_) = turn.now + delay + settings_.swap_max;
  turn.actions.push_back(StartWorker{phase_ == Phase::kSwapping || phase_ == Phase::kProbation ? target() : base_, delay});
}

void Activation::refuse(Turn& turn, const Set& set, Reason reason, std::string_view detail) {
  if (set == kNoSet) return;
  ipc::Refusals next;
  next.deny_version = refusals_.deny_version;
  for (size_t i = 0; i < refusals_.count; ++i)
    if (refusals_.list[i].release != set) next.list[next.count++] = refusals_.list[i];
  if (next.count == ipc::kRefusalsMax) {
    std::move(next.list.begin() + 1, next.list.end(), next.list.begin());
    --next.count;
  }
  ipc::Refusal& entry = next.list[next.count++];
  entry = {};
  entry.release = set;
  entry.reason = reason;
  entry.wall_ms = turn.wall.time_since_epoch().count();
  entry.deny_version = refusals_.deny_version;
  entry.detail.assign(detail);
  refusals_ = next;
  turn.actions.push_back(StoreRefusals{refusals_});
  forget_lift(turn, set);
  turn.actions.push_back(Emit{EventKind::kContentRefused, set, with_reason(reason, detail)});
  drop_from_ladder(turn, set);
}

// What was refused while an older deny list was known, and a newer one says may be tried again. What hurts again under that list stays refused.
void Activation::lift(Turn& turn, const ipc::Admitted& answer) {
  const auto version = static_cast<uint32_t>(std::min<uint64_t>(answer.deny_version, 0xffffffff));
  const std::span<const Set> lifted = std::span(answer.lifted).first(answer.lifted_count);
  ipc::Refusals next;
  next.deny_version = std::max(refusals_.deny_version, version);
  for (size_t i = 0; i < refusals_.count; ++i) {
    const ipc::Refusal& entry = refusals_.list[i];
    if (entry.deny_version < version && std::ranges::find(lifted, entry.release) != lifted.end()) {
      turn.actions.push_back(Emit{EventKind::kRefusalLifted, entry.release, "a signed retry"});
      continue;
    }
    next.list[next.count++] = entry;
  }
  if (next.count == refusals_.count && next.deny_version == refusals_.deny_version) return;
  refusals_ = next;
  turn.actions.push_back(StoreRefusals{refusals_});
}

void Activation::drop_from_ladder(Turn& turn, const Set& set) {
  ipc::Ladder next;
  for (size_t i = 0; i < ladder_.count; ++i) {
    if (ladder_.sets[i] == set) continue;
    next.sets[next.count] = ladder_.sets[i];
    next.names[next.count++] = ladder_.names[i];
  }
  if (next.count == ladder_.count) return;
  ladder_ = next;
  turn.actions.push_back(StoreLadder{ladder_});
}

void Activation::give_up(Turn& turn, Reason reason, EventKind kind, const std::string& detail, bool remember) {
  turn.actions.push_back(EndRehearsal{});
  turn.actions.push_back(Emit{kind, arm_ == Arm::kHold ? base_ : candidate_, with_reason(reason, detail)});
  if (remember && arm_ == Arm::kGo) refuse(turn, candidate_, reason, detail);
  turn.actions.push_back(ClearMarker{});
  marker_.reset();
  candidate_ = kNoSet;
  settle();  // the worker goes on with what it had
}

void Activation::go_back(Turn& turn, Reason reason, std::string_view detail, bool worker_lives) {
  if (attempt_) {
    turn.actions.push_back(EndRehearsal{});
    turn.actions.push_back(ClearMarker{});
    marker_.reset();
  }
  if (phase_ == Phase::kAnnouncing) turn.actions.push_back(StopAnnouncing{});
  returning_from_ = phase_ == Phase::kProbation || phase_ == Phase::kSwapping ? target() : base_;
  base_ = rung();
  candidate_ = kNoSet;
  return_detail_ = with_reason(reason, detail);
  enter(phase_ == Phase::kStarting ? Phase::kStarting : Phase::kReturning);
  deadline_ = turn.now + settings_.swap_max;
  if (worker_lives) turn.actions.push_back(SwapTo{base_});
  else turn.actions.push_back(StartWorker{base_, milliseconds(0)});
}

void Activation::settle() {
  // Without content a host that never had any is merely new; one that lost it says so.
  const bool empty = base_ == kNoSet && (refusals_.count > 0 || !return_detail_.empty() || phase_ == Phase::kSafeMode || careful());
  if (empty && phase_ != Phase::kSafeMode) enter(Phase::kSafeMode);
  else if (!empty) enter(Phase::kSteady);
}

void Activation::apply_standing(Turn& turn, const ipc::Admitted& answer) {
  using ipc::Standing;
  if (phase_ == Phase::kStarting || phase_ == Phase::kReturning || phase_ == Phase::kSafeMode) return;
  // INVARIANT: admit was asked about running_ and ladder_ as they are; the driver drops answers to older questions.
  const bool trying = arm_ == Arm::kGo && (phase_ == Phase::kSwapping || phase_ == Phase::kProbation);
  ipc::Ladder good;
  for (size_t i = 0; i < ladder_.count; ++i) {
    if (answer.rung_standing[i] != Standing::kAllowed) continue;
    good.sets[good.count] = ladder_.sets[i];
    good.names[good.count++] = ladder_.names[i];
  }
  const auto adopt = [&] {
    if (good.count == ladder_.count) return;
    ladder_ = good;
    turn.actions.push_back(StoreLadder{ladder_});
  };
  if (answer.running_standing == Standing::kAllowed) {
    // The worker may be down just now, and what it is to be started with again may be what is taken back.
    const auto rungs = ladder_.sets.begin() + ladder_.count, base = std::find(ladder_.sets.begin(), rungs, base_);
    const Standing standing = base == rungs ? Standing::kAllowed : answer.rung_standing[static_cast<size_t>(base - ladder_.sets.begin())];
    if (trying || standing == Standing::kAllowed) return adopt();
    if (good.count == 0 && standing != Standing::kDenied) return;  // D6, as below
    adopt();
    return go_back(turn, standing == Standing::kDenied ? Reason::kDenied : Reason::kHalted, answer.detail.view(), true);
  }
  const Reason reason = answer.running_standing == Standing::kDenied ? Reason::kDenied : Reason::kHalted;
  if (trying) {  // back to what it was, be it nothing
    adopt();
    return go_back(turn, reason, answer.detail.view(), true);
  }
  // D6: nobody can empty a host. With no other good content it keeps what it has, unless that is denied.
  if (good.count == 0 && answer.running_standing != Standing::kDenied) return;
  adopt();
  go_back(turn, reason, answer.detail.view(), true);
}

// --- stalls

void StallJudge::alive(MonotonicTime now, std::chrono::nanoseconds cpu) {
  seen_ = now;
  cpu_ = cpu;
  starved_ = milliseconds(0);
}

bool StallJudge::stalled(MonotonicTime now, std::chrono::nanoseconds cpu) const {
  if (cpu - cpu_ >= settings_.busy_max) return true;
  return now - seen_ - starved_ >= settings_.silent_max;
}

}  // namespace creance::sensor
