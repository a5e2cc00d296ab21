#include "sensor/supervise/conductor.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sensor/supervise/span_text.hpp"

namespace creance::sensor {

void Conductor::start(const ipc::BootId& boot_id) {
  boot_id_ = boot_id;
  std::string complaints;
  Remembered remembered = store_.load(complaints);
  last_stop_was_clean_ = !remembered.session || remembered.session->clean_stop == 1;
  pause_ = remembered.pause.value_or(ipc::Pause{});
  pause_seen_ = pause_kept_ = clock_.monotonic();
  if (!complaints.empty()) hands_.note("damaged record: " + complaints);
  activation_.emplace(settings_.activation, boot_id_, std::move(remembered));
  const Actions actions = activation_->begin(clock_.monotonic(), clock_.wall());
  reserve();
  if (const auto stored = store_.store(ipc::Session{boot_id_, 0, {}}); !stored) hands_.note("cannot record this run: " + stored.error().detail);
  carry_out(actions);
  admit_wanted_ = !settings_.offline;
}

Status Conductor::stop() { return store_.store(ipc::Session{boot_id_, 1, {}}); }

// --- the state machine's actions

void Conductor::feed(const Observation& observation) {
  carry_out(activation_->step(clock_.monotonic(), clock_.wall(), observation));
  if (activation_->phase() == last_phase_) return;
  last_phase_ = activation_->phase();
  hands_.phase_changed();
  if (last_phase_ == Phase::kSteady || last_phase_ == Phase::kSafeMode) {
    admit_wanted_ = !settings_.offline;
    sweep_wanted_ = true;
  }
}

void Conductor::carry_out(const Actions& actions) {
  for (const Action& action : actions) std::visit([this](const auto& wanted) { perform(wanted); }, action);
}

void Conductor::perform(const StartAnnouncing& wanted) {
  announcing_ = wanted.release;
  hands_.announce(announcing_, activation_->running());
}

void Conductor::perform(const StopAnnouncing&) {
  announcing_ = kNoSet;
  hands_.announce(kNoSet, activation_->running());
}

void Conductor::perform(const StoreMarker& wanted) {  // the last of its batch: the answer goes back at once
  const auto stored = store_.store(wanted.marker);
  feed(MarkerStored{stored.has_value(), stored ? std::string() : stored.error().detail});
}

void Conductor::perform(const StartRehearsal& wanted) {
  if (const auto started = hands_.start_rehearsal(wanted.set); !started) feed(RehearsalEnded{wanted.set, false, Reason::kRehearsalFailed, started.error().detail});
}

void Conductor::perform(const SwapTo& wanted) {
  worker_set_ = wanted.set;
  if (hands_.worker_lives()) hands_.tell_worker(wanted.set);
  else if (!worker_due_) worker_due_ = clock_.monotonic();
}

void Conductor::perform(const StartWorker& wanted) {
  hands_.end_worker();
  worker_set_ = wanted.set;
  worker_due_ = clock_.monotonic() + wanted.delay;
}

void Conductor::start_worker() {
  worker_due_.reset();
  if (const auto started = hands_.start_worker(worker_set_); !started) {
    hands_.note("cannot start the worker: " + started.error().detail);
    feed(WorkerDied{started.error().detail, kNoSet, Reason::kWorkerCrash, Cause::kNotStarted});
    return;
  }
  stall_.alive(clock_.monotonic(), {});
}

// --- words of children

void Conductor::worker_spoke() { stall_.alive(clock_.monotonic(), hands_.worker_cpu()); }

void Conductor::worker_activated(const Set& set) {
  if (set == worker_set_) feed(WorkerActivated{set});
}

void Conductor::worker_refused(const Set& set, Reason reason, const std::string& detail) {
  if (set == worker_set_) feed(WorkerRefused{set, reason, detail});
}

void Conductor::worker_ended(const std::string& how, Reason reason, Cause cause) { feed(WorkerDied{how, hands_.worker_channel(), reason, cause}); }

void Conductor::rehearsal_ended(const Set& set, bool passed, Reason reason, const std::string& detail) {
  feed(RehearsalEnded{set, passed, passed ? Reason::kNone : reason == Reason::kNone ? Reason::kRehearsalFailed : reason, detail});
}

void Conductor::admit_answered(const ipc::Admitted& answer) {
  const std::string detail(answer.detail.view());
  if (detail != admit_detail_ && !detail.empty()) hands_.note("admit: " + detail);
  admit_detail_ = detail;
  const ipc::Ladder& ladder = activation_->ladder();
  if (asked_.running != activation_->running() || asked_.ladder.count != ladder.count || asked_.ladder.sets != ladder.sets) {
    admit_wanted_ = true;  // the answer to a question that is no longer asked
    return;
  }
  if (answer.trusted == 1) plan_sequence_ = answer.plan_sequence;
  if (answer.recheck_ms > 0) admit_due_ = std::min(admit_due_.value_or(MonotonicTime::max()), clock_.monotonic() + milliseconds(static_cast<int64_t>(std::min<uint64_t>(answer.recheck_ms, 60'000))));
  feed(AdmitAnswered{answer});
}

void Conductor::admit_ended() { admit_deadline_.reset(); }

void Conductor::grant_came(const Set& release) {
  if (release == announcing_) spool_changed();
}

std::string Conductor::order(const ipc::Order& order) {
  using What = ipc::Order::What;
  const std::string reason = order.reason.view().empty() ? std::string("the host's owner") : "the host's owner: " + std::string(order.reason.view());
  switch (order.what) {
    case What::kPause:
      pause_.remaining_ms = order.pause_ms;
      pause_.reason = order.reason;
      pause_seen_ = pause_kept_ = clock_.monotonic();
      store_.store(pause_);
      spool_changed();
      return fmt::format("new content is paused for {} ({})", span_text(order.pause_ms), reason);
    case What::kResume:
      pause_ = {};
      store_.store(pause_);
      spool_changed();
      return fmt::format("the pause is over ({})", reason);
    case What::kReturn:
      if (!activation_->can_return()) return "there is no older good content to return to";
      feed(OwnerReturns{reason});
      return fmt::format("returns to older content ({})", reason);
    case What::kRetry: {
      const bool known = activation_->refusals().contains(order.release);
      feed(OwnerRetries{order.release});
      if (known) spool_changed();
      return fmt::format("{} {}", to_hex(order.release).substr(0, 12), known ? "is not refused any more (" + reason + ")" : std::string("is not refused here"));
    }
  }
  return {};
}

// By this process's own time, kept on the disk once a minute: what it was off does not count.
void Conductor::spend_pause(MonotonicTime now) {
  const auto passed = static_cast<uint64_t>(std::max<int64_t>(0, (now - pause_seen_).count()));
  pause_seen_ = now;
  if (pause_.remaining_ms == 0) return;
  pause_.remaining_ms -= std::min(passed, pause_.remaining_ms);
  if (pause_.remaining_ms > 0 && now - pause_kept_ < MonotonicTime(60'000)) return;
  pause_kept_ = now;
  store_.store(pause_);
  if (pause_.remaining_ms > 0) return;
  hands_.note("the pause by the host's owner is over");
  spool_changed();
}

void Conductor::ask_admit() {
  admit_wanted_ = false;
  admit_due_ = clock_.monotonic() + settings_.admit_every;
  admit_earliest_ = clock_.monotonic() + settings_.admit_pause;
  asked_ = {activation_->running(), activation_->ladder(), activation_->held_back(), announcing_, pause_.remaining_ms > 0};
  if (const auto asked = hands_.ask_admit(asked_); !asked) {
    hands_.note("cannot start admit: " + asked.error().detail);
    return;
  }
  admit_deadline_ = clock_.monotonic() + settings_.admit_max;
}

void Conductor::reserve() {
  const auto held = store_.reserve();
  if (!held && !reserve_due_) hands_.note(held.error().detail + ": nothing new is activated until it is");
  if (held && reserve_due_) hands_.note("space is reserved for the sensor's records again");
  reserve_due_.reset();
  if (!held) reserve_due_ = clock_.monotonic() + settings_.reserve_every;
}

// --- time

void Conductor::timers() {
  const MonotonicTime now = clock_.monotonic();
  if (worker_due_ && now >= *worker_due_) start_worker();
  if (admit_deadline_ && now >= *admit_deadline_ && hands_.admit_lives()) {
    hands_.note("admit did not answer in time and is ended");
    hands_.end_admit();
    admit_deadline_.reset();
  }
  if (admit_due_ && now >= *admit_due_) {
    admit_due_.reset();
    admit_wanted_ = !settings_.offline;
  }
  // What the ladder on the disk still names stays, until the new one is written.
  if (sweep_wanted_ && !hands_.admit_lives() && !store_.pending()) sweep_wanted_ = !hands_.clear_sets([this](const Set& set) { return activation_->retains(set); });
  if (admit_wanted_ && !hands_.admit_lives() && now >= admit_earliest_) ask_admit();
  if (hands_.worker_lives() && stall_.stalled(now, hands_.worker_cpu())) {
    hands_.note("the worker stands still and is ended");
    const Cause cause = hands_.worker_stopped() ? Cause::kKilled : Cause::kItself;
    hands_.end_worker();
    feed(WorkerStalled{cause == Cause::kKilled ? "stopped by a signal" : "no sign of life", hands_.worker_channel(), cause});
  }
  feed(Tick{!hands_.worker_lives() || stall_.lively(now)});
  spend_pause(now);
  if (reserve_due_ && now >= *reserve_due_) reserve();
  if (store_.pending() && now >= retry_due_) {
    retry_due_ = now + settings_.store_retry;
    store_.retry();
  }
}

MonotonicTime Conductor::next_timer() const {
  const MonotonicTime now = clock_.monotonic();
  MonotonicTime next = now + milliseconds(10'000);
  if (admit_wanted_ && !hands_.admit_lives()) next = std::clamp(admit_earliest_, now, next);
  for (const auto& due : {worker_due_, admit_due_, hands_.admit_lives() ? admit_deadline_ : std::nullopt, activation_->deadline(), reserve_due_, store_.pending() ? std::optional(retry_due_) : std::nullopt})
    if (due) next = std::min(next, *due);
  return next;
}

}  // namespace creance::sensor
