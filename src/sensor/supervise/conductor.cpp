#include "sensor/supervise/conductor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sensor/supervise/span_text.hpp"

namespace creance::sensor {

void Conductor::start(const ipc::BootId& boot_id) {
  session_ = {.boot_id = boot_id};
  Store::Loaded loaded = store_.load(hands_.sets_there());
  Remembered& remembered = loaded.remembered;
  last_stop_was_clean_ = !loaded.session_lost && (!remembered.session || remembered.session->clean_stop == 1);
  pause_ = remembered.pause.value_or(ipc::Pause{});
  pause_seen_ = pause_kept_ = waited_seen_ = ticked_ = clock_.monotonic();
  const auto found = [this](const std::string& text) { damage_ += (damage_.empty() ? "" : "; ") + text; };
  if (!loaded.lost.empty()) found("lost with their copies: " + loaded.lost);
  if (remembered.refusals_lost) found("what this host refused is not known");
  if (remembered.ladder_lost) found("which content passed its probation here is not known");
  if (remembered.refusals_lost || remembered.ladder_lost) found("nothing that is kept runs, and nothing is cleared away, until content that the server grants has passed its probation, or `creance-sensor resume --trust-kept`");
  activation_.emplace(settings_.activation, boot_id, std::move(remembered));
  session_.refusals_lost = activation_->refusals_lost();
  session_.ladder_lost = activation_->ladder_lost();
  const Actions actions = activation_->begin(clock_.monotonic(), clock_.wall());
  reserve();
  if (const auto stored = keep_session(); !stored) hands_.note("cannot record this run: " + stored.error().detail);
  if (loaded.pause_lost) {  // the owner may have wanted nothing new
    pause_.remaining_ms = static_cast<uint64_t>(settings_.pause_lost.count());
    pause_.reason.assign("its record was lost; `creance-sensor resume` ends it");
    store_.store(pause_);
    found(fmt::format("nothing new is taken for {}, in case that the owner had paused this host", span_text(pause_.remaining_ms)));
  }
  if (!loaded.restored.empty()) found("restored from their copies: " + loaded.restored);
  if (!damage_.empty()) hands_.damaged(damage_);
  carry_out(actions);
  admit_wanted_ = !settings_.offline;
}

Status Conductor::keep_session() { return store_.store(session_); }

Status Conductor::stop() {
  session_.clean_stop = 1;
  return keep_session();
}

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

void Conductor::perform(const StoreLost& wanted) {
  session_.refusals_lost = wanted.refusals;
  session_.ladder_lost = wanted.ladder;
  (void)keep_session().has_value();  // tried again
  if (!wanted.refusals && !wanted.ladder) {
    damage_.clear();
    hands_.note("content runs here that was granted after the records were lost, or that the owner trusts: what is lost is not needed any more");
  }
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
  if (reason == Reason::kInterrupted) reason = Reason::kNone;  // not its own to say
  feed(RehearsalEnded{set, passed, passed ? Reason::kNone : reason == Reason::kNone ? Reason::kRehearsalFailed : reason, detail});
}

void Conductor::admit_answered(const ipc::Admitted& answer) {
  const std::string detail(answer.detail.view());
  if (detail != admit_detail_ && !detail.empty()) hands_.note("admit: " + detail);
  admit_detail_ = detail;
  unread_ = std::string(answer.unread.view());
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

OrderOutcome Conductor::order(const ipc::Order& order) {
  using What = ipc::Order::What;
  using Came = ipc::OrderAnswer::What;
  const std::string reason = order.reason.view().empty() ? std::string("the host's owner") : "the host's owner: " + std::string(order.reason.view());
  switch (order.what) {
    case What::kPause:
      pause_.remaining_ms = order.pause_ms;
      pause_.reason = order.reason;
      pause_seen_ = pause_kept_ = clock_.monotonic();
      store_.store(pause_);
      spool_changed();
      return {Came::kDone, fmt::format("new content is paused for {} ({})", span_text(order.pause_ms), reason)};
    case What::kResume:
    case What::kTrustKept: {
      const bool paused = pause_.remaining_ms > 0, careful = activation_->careful(), trusts = careful && order.what == What::kTrustKept;
      if (trusts && !activation_->can_trust()) return {Came::kRefused, "nothing was changed: records were lost, and the sensor starts or tries content just now; say it again when that is over (creance-sensor status)"};
      const std::string_view rest = trusts ? "; what is kept is trusted although records were lost" : careful ? "; records were lost, and nothing that is kept runs: `creance-sensor resume --trust-kept` lets it run" : order.what == What::kTrustKept ? "; no records are lost, and there is nothing to trust" : "";
      if (paused) {
        pause_ = {};
        store_.store(pause_);
      }
      if (trusts) feed(OwnerTrusts{});
      if (paused || trusts) spool_changed();
      if (!paused && !trusts) return {Came::kNothingToDo, fmt::format("not paused by `creance-sensor pause`: there is nothing to resume{}", rest)};
      return {Came::kDone, fmt::format("{}{} ({})", paused ? "the pause is over" : "there was no pause to end", rest, reason)};
    }
    case What::kReturn:
      if (!activation_->can_return()) {
        if (activation_->ladder().count < 2) return {Came::kNothingToDo, "there is no older good content to return to"};
        return {Came::kRefused, fmt::format("nothing is returned from while the sensor is {}: say it again when it is steady (creance-sensor status)", to_string(activation_->phase()))};
      }
      feed(OwnerReturns{reason});
      return {Came::kDone, fmt::format("returns to older content ({})", reason)};
    case What::kRetry: {
      const bool known = activation_->refusals().contains(order.release);
      const std::string digest = to_hex(order.release).substr(0, 12);
      feed(OwnerRetries{order.release});
      spool_changed();
      const std::string_view told = settings_.offline ? "" : "; the server is told, which may remember a refusal";
      if (known) return {Came::kDone, fmt::format("{} is not refused any more ({}){}", digest, reason, told)};
      return {Came::kNothingToDo, fmt::format("{} is not refused here: nothing to lift{}", digest, told)};
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
  if (held && reserve_due_) {
    hands_.note("space is reserved for the sensor's records again");
    (void)keep_session().has_value();  // and what was written without it is there twice again
  }
  reserve_due_.reset();
  if (!held) reserve_due_ = clock_.monotonic() + settings_.reserve_every;
}

// --- time

// For a processor, as the kernel counts it; and this process itself, where the whole machine had none. Looked at now and then: each look costs some system calls.
Conductor::Starved Conductor::starved(MonotonicTime now) {
  constexpr MonotonicTime kEvery{250};
  const milliseconds passed = now - waited_seen_;
  if (passed < kEvery) return {};
  waited_seen_ = now;
  const milliseconds late = std::exchange(late_, milliseconds(0));
  const auto of = [&](milliseconds waited, milliseconds& before) {
    const milliseconds grown = waited - std::exchange(before, waited);
    return std::min(passed, std::max(late, grown < milliseconds(0) ? waited : grown));  // less than before: another process
  };
  return {hands_.worker_lives() ? of(hands_.worker_waited(), worker_waited_) : late, activation_->phase() == Phase::kRehearsing ? of(hands_.rehearsal_waited(), rehearsal_waited_) : late};
}

// To the state machine, and what is stopped cannot work either. For how long it may be, the judge of stalls says of a worker; of a rehearsal its own limit.
void Conductor::tick(MonotonicTime now, const Starved& starved) {
  const milliseconds passed = now - std::exchange(ticked_, now);
  const bool rehearses = activation_->phase() == Phase::kRehearsing, stopped = rehearses ? hands_.rehearsal_stopped() : hands_.worker_lives() && hands_.worker_stopped();
  feed(Tick{!hands_.worker_lives() || stall_.lively(now), stopped ? passed : rehearses ? starved.rehearsal : starved.worker});
  rehearsal_stopped_ = rehearses && stopped ? rehearsal_stopped_ + passed : milliseconds(0);
  if (rehearsal_stopped_ <= settings_.activation.rehearsal_max) return;
  rehearsal_stopped_ = milliseconds(0);
  feed(RehearsalEnded{activation_->rehearsed(), false, Reason::kInterrupted, "stopped by a signal"});
}

void Conductor::timers() {
  const MonotonicTime now = clock_.monotonic();
  const Starved starved = this->starved(now);
  stall_.starved(starved.worker);
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
  tick(now, starved);
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
