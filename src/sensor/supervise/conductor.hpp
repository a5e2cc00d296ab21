// Drives the state machine: carries out its actions, keeps its records (Store), judges stalls, and knows when what must be asked, started, swept or written again. The same
// class in the supervisor, whose hands are real processes, and in the simulator, whose hands are pretended ones. One thread; time and files come from outside.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "sensor/supervise/activation.hpp"
#include "sensor/supervise/store.hpp"

namespace creance::sensor {

struct AdmitQuestion {
  Set running{};                            // kNoSet: nothing
  ipc::Ladder ladder;
  std::optional<ipc::HeldBack> held_back;
  Set announced{};                          // kNoSet: nothing
  bool paused = false;                      // by the host's owner
};

// What the conductor has done by others. A worker and a rehearsal are each there at most once.
class Hands {
 public:
  virtual ~Hands() = default;
  virtual Status start_worker(const Set& set) = 0;   // there is none now. Without the channel files that are refused
  virtual void end_worker() = 0;                     // at once; nothing is heard of it any more
  virtual bool worker_lives() const = 0;
  virtual void tell_worker(const Set& set) = 0;      // load this between two events; one that does not listen is ended, and that is heard
  virtual std::chrono::nanoseconds worker_cpu() = 0;
  virtual bool worker_stopped() = 0;                 // by a signal, and not continued
  virtual milliseconds worker_waited() = 0;          // for a processor, while it had work to do; since it was started
  virtual Set worker_channel() = 0;                  // that it is evaluating, or was when it ended; kNoSet: not known
  virtual Status start_rehearsal(const Set& set) = 0;
  virtual void end_rehearsal() = 0;
  virtual bool rehearsal_stopped() = 0;              // as of the worker
  virtual milliseconds rehearsal_waited() = 0;
  virtual Status ask_admit(const AdmitQuestion& question) = 0;  // there is none now
  virtual void end_admit() = 0;
  virtual bool admit_lives() const = 0;
  virtual void announce(const Set& release, const Set& running) = 0;  // kNoSet: stop
  virtual void report(const Emit& event) = 0;        // to the server, to people
  virtual void note(std::string text) = 0;           // to people
  virtual void damaged(const std::string& what) = 0; // records on the disk; to the server, to people, to whoever reads detections
  virtual std::vector<Set> sets_there() = 0;         // on the disk, whole or not
  virtual bool clear_sets(const std::function<bool(const Set&)>& retained) = 0;  // false: not now, ask again
  virtual void phase_changed() = 0;
};

struct ConductorSettings {
  ActivationSettings activation;
  StallJudge::Settings stall;
  bool offline = false;                              // admit is never asked
  milliseconds admit_every{60'000};
  milliseconds admit_max{60'000};                    // above: ended
  milliseconds admit_pause{200};                     // between two, however often the spool changes (or is said to)
  milliseconds store_retry{1'000};
  milliseconds reserve_every{60'000};                // while no space could be reserved for the records
  milliseconds pause_lost{24 * 3'600'000};           // of the owner, when its record was lost: as one that is not said how long
};

// What came of an order.
struct OrderOutcome {
  ipc::OrderAnswer::What what = ipc::OrderAnswer::What::kDone;
  std::string text;
};

class Conductor {
 public:
  Conductor(const ConductorSettings& settings, const std::filesystem::path& records, FileSystem& files, ReservedFiles& reserved, const Clock& clock, Hands& hands)
      : settings_(settings), clock_(clock), hands_(hands), store_(files, reserved, records), stall_(settings.stall) {}

  void start(const ipc::BootId& boot_id);            // before anything of any content is read
  Status stop();                                     // records that this was a clean stop

  // Words of children; those that fit nothing are ignored, since a child may lie.
  void worker_spoke();                               // any word: a sign of life
  void worker_activated(const Set& set);
  void worker_refused(const Set& set, Reason reason, const std::string& detail);
  void worker_ended(const std::string& how, Reason reason = Reason::kWorkerCrash, Cause cause = Cause::kItself);
  void rehearsal_ended(const Set& set, bool passed, Reason reason, const std::string& detail);
  void admit_answered(const ipc::Admitted& answer);
  void admit_ended();
  void spool_changed() { admit_wanted_ = !settings_.offline; }
  void grant_came(const Set& release);
  void late(milliseconds by) { late_ += by; }        // this process itself was woken so much too late
  void lift_told(const Set& refused) { feed(LiftTold{refused}); }  // the server has it
  OrderOutcome order(const ipc::Order& order);       // of the host's owner

  void timers();                                     // whatever is due now
  MonotonicTime next_timer() const;                  // when timers() must be called again at the latest

  const Activation& activation() const { return *activation_; }
  const Set& announcing() const { return announcing_; }
  const Set& worker_set() const { return worker_set_; }
  uint64_t plan_sequence() const { return plan_sequence_; }
  const std::string& admit_detail() const { return admit_detail_; }
  const std::string& unread() const { return unread_; }      // why a file of the owner cannot be read, as admit said last; empty: it can
  const std::string& damage() const { return damage_; }      // what this run found of its records; empty: nothing to be said
  const ipc::Pause& pause() const { return pause_; }
  bool last_stop_was_clean() const { return last_stop_was_clean_; }

 private:
  void feed(const Observation& observation);
  void carry_out(const Actions& actions);
  void perform(const StartAnnouncing& wanted);
  void perform(const StopAnnouncing& wanted);
  void perform(const StoreMarker& wanted);
  void perform(const StoreLadder& wanted) { store_.store(wanted.ladder); }
  void perform(const StoreRefusals& wanted) { store_.store(wanted.refusals); }
  void perform(const StoreHeldBack& wanted) { store_.store(wanted.held_back); }
  void perform(const StoreLifted& wanted) { store_.store(wanted.lifted); }
  void perform(const StoreLost& wanted);
  void perform(const ClearMarker&) { store_.clear_marker(); }
  void perform(const StartRehearsal& wanted);
  void perform(const EndRehearsal&) { hands_.end_rehearsal(); }
  void perform(const SwapTo& wanted);
  void perform(const StartWorker& wanted);
  void perform(const Emit& wanted) { hands_.report(wanted); }
  void start_worker();
  void ask_admit();
  void spend_pause(MonotonicTime now);
  void reserve();
  Status keep_session();
  struct Starved {
    milliseconds worker{0}, rehearsal{0};
  };
  Starved starved(MonotonicTime now);                // since it was asked last
  void tick(MonotonicTime now, const Starved& starved);

  ConductorSettings settings_;
  const Clock& clock_;
  Hands& hands_;
  Store store_;
  StallJudge stall_;
  std::optional<Activation> activation_;
  ipc::Session session_;
  Phase last_phase_ = Phase::kStarting;
  Set worker_set_{};                                 // what the live worker was last told to run
  Set announcing_{};
  std::optional<MonotonicTime> worker_due_, admit_due_, admit_deadline_;
  MonotonicTime retry_due_{0};
  MonotonicTime admit_earliest_{0};
  std::optional<MonotonicTime> reserve_due_;         // no space is reserved
  ipc::Pause pause_;                                 // remaining_ms 0: none
  MonotonicTime pause_seen_{0}, pause_kept_{0};
  bool last_stop_was_clean_ = true;
  bool admit_wanted_ = false, sweep_wanted_ = false;
  AdmitQuestion asked_;                              // what admit is answering
  uint64_t plan_sequence_ = 0;
  std::string admit_detail_, unread_, damage_;
  milliseconds late_{0}, worker_waited_{0}, rehearsal_waited_{0};
  MonotonicTime waited_seen_{0}, ticked_{0};
  milliseconds rehearsal_stopped_{0};                // for so long
};

}  // namespace creance::sensor
