// creance-sensor run: the real hands of the conductor (conductor.hpp). Starts and hears the other processes, and holds what must outlive a worker: kernel descriptors,
// the detections' way to the updater, the worker memory. Parses nothing but fixed-size messages of its own children; links src/base alone. One thread.
#pragma once
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/sensor_limits.hpp"
#include "base/os/lock.hpp"
#include "base/seams/random.hpp"
#include "sensor/supervise/conductor.hpp"
#include "sensor/supervise/launcher.hpp"
#include "sensor/supervise/orders_left.hpp"
#include "sensor/supervise/successors.hpp"
#include "sensor/supervise/talk.hpp"
#include "sensor/supervise/vitals.hpp"

namespace creance::sensor {

enum class Input : uint8_t { kNone, kReplay, kLive, kConnector };

struct SupervisorOptions {
  std::filesystem::path state;
  std::filesystem::path worker, updater, admit, collect_setup;
  Input input = Input::kNone;
  std::filesystem::path events;   // kReplay; with kLive: replayed where the host cannot be watched
  bool loop = false;
  uint32_t rate = 0;
  std::string host;
  std::string boot_id;
  bool without_ebpf = false;      // kLive: the process connector instead
  std::filesystem::path policy;   // the host owner's file, read by admit
  bool policy_named = false;      // by the owner: nothing new is taken while it is not there
  uint64_t rule_steps = limits::kInstanceStepsPerMinuteMax;  // of one rule within a minute
  bool offline = false;           // neither updater nor admit: what is on the disk, and nothing else
  uint64_t memory_bytes_max = limits::kProcessMemoryBytesMax;  // of each child
  ActivationSettings activation;
  StallJudge::Settings stall;
  milliseconds watch_every{60'000};  // how often it looks at its own sight
  milliseconds updater_silent{60'000};       // without a word of the updater, and three report intervals: it is told
  milliseconds updater_silent_max{900'000};  // likewise: it is ended, and another one started
};

class Supervisor final : private Hands {
  static constexpr uint32_t kBlindTold = 1'000'000;

 public:
  Supervisor(SupervisorOptions options, FileSystem& files, ReservedFiles& reserved, const Clock& clock, Random& random);
  ~Supervisor() override;
  Status start();
  int run();  // until SIGTERM or SIGINT; exit code

 private:
  struct Suspended {
    WallTime at;
    std::string rule_id;
    Reason reason{};
    std::string detail;
  };
  struct Note {  // for status and why
    WallTime at;
    std::string text;
  };

  Status open_input();
  const char* input_name() const;         // as the worker is told it
  Status attach_kernel();
  Result<Child> launch(Role role, Program program);
  Result<Child> launch_worker(const Set& set, bool rehearse);

  // Hands
  Status start_worker(const Set& set) override;
  void end_worker() override;
  bool worker_lives() const override { return static_cast<bool>(worker_); }
  void tell_worker(const Set& set) override;
  std::chrono::nanoseconds worker_cpu() override;
  bool worker_stopped() override { return worker_.process.stopped(); }
  milliseconds worker_waited() override { return waited(worker_); }
  Set worker_channel() override;
  Status start_rehearsal(const Set& set) override;
  void end_rehearsal() override { rehearsal_ = Child{}; }
  bool rehearsal_stopped() override { return rehearsal_.process.stopped(); }
  milliseconds rehearsal_waited() override { return waited(rehearsal_); }
  Status ask_admit(const AdmitQuestion& question) override;
  void end_admit() override { admit_ = Child{}; }
  bool admit_lives() const override { return static_cast<bool>(admit_); }
  void announce(const Set& release, const Set& running) override;
  void report(const Emit& event) override;
  void note(std::string text) override;
  void damaged(const std::string& what) override;
  std::vector<Set> sets_there() override;
  bool clear_sets(const std::function<bool(const Set&)>& retained) override;
  void phase_changed() override { status_due_ = clock_.monotonic(); }

  std::vector<std::string> as_this_sensor(std::vector<std::string> arguments) const;  // with the identity in force, if it is not the one of enrolment
  void start_updater();
  std::optional<ipc::Frame> hear(Child& child, MessageBudget& budget);  // nullopt: nothing now, or it is ended
  void lied(Child& child, std::string_view what);                       // it is ended, counted and told
  struct Ended {
    std::string text;
    Reason reason = Reason::kWorkerCrash;
  };
  Ended how_ended(const Child& child, const os::ExitStatus& status) const;
  Cause why_worker_ended(const os::ExitStatus& status) const;
  void watch_memory();
  void watch_updater(MonotonicTime now);
  bool updater_is_silent() const { return updater_quiet_ > options_.updater_silent + 3 * report_interval_; }
  ipc::Health totals() const;             // of this worker and those before
  static milliseconds waited(const Child& child);
  void tell(const Emit& event);          // the server
  void tell_refusals();
  void begin_epoch();
  void speak_anew();
  void enrol_again();
  bool hear_again();
  void unknown_to_server();
  void hear_worker();
  bool hear_rehearsal();
  void hear_updater();
  bool hear_admit();
  void sum_up();                          // the counters of a worker that is gone
  void timers(MonotonicTime now);
  MonotonicTime next_timer() const;
  void send_report(MonotonicTime now);
  void to_updater(const ipc::Frame& frame);
  void detect(std::string_view what, std::string_view title, const std::string& detail);  // a detection of the sensor's own, about itself
  void watch_itself(MonotonicTime now);
  void tell_storm(uint64_t dropped);
  void measure(MonotonicTime now);        // the host's vitals
  void count_crash(const os::ExitStatus& status) { own_crashes_ += os::dumps_core(status.signal); }  // a child of ours; not "another process that crashed"
  void suspended(const ipc::FaultSeen& seen);
  void take_orders();
  void answer_order(const std::filesystem::path& order, const OrderOutcome& came);
  void write_status();
  std::vector<int> wait(MonotonicTime until);
  void shut_down();

  SupervisorOptions options_;
  FileSystem& files_;
  ReservedFiles& reserved_;
  const Clock& clock_;
  Random& random_;
  Conductor conductor_;
  Launcher launcher_;

  std::optional<os::Lock> lock_;
  ipc::Descriptor signals_, memory_, memory_to_read_, sets_, input_, counters_;
  std::vector<ipc::Descriptor> links_;  // keep the kernel programs attached; never looked into
  uint32_t ring_bytes_ = 0;
  ipc::Descriptor detections_in_, detections_out_;
  ipc::Epoch epoch_{};

  Child worker_, rehearsal_, updater_, admit_;
  Child again_;                          // an updater that enrols this sensor again
  MonotonicTime again_until_{0};         // longer, it hangs
  bool again_told_ = false;              // that the server wants it, and it is too early
  Successors successors_;
  Child connector_;                      // collect-setup, where it stays to give records
  Set rehearsal_set_{};
  std::optional<MonotonicTime> updater_due_;
  milliseconds updater_delay_{0};
  milliseconds report_interval_{1000};
  MonotonicTime started_{0}, report_due_{0}, status_due_{0};

  ipc::Health health_{};
  ipc::Health before_{};                 // sums of workers that are gone
  std::string collector_ = "none";
  uint32_t instances_ = 0, held_count_ = 0, worker_starts_ = 0;
  std::vector<ipc::HeldInstance> held_;
  uint64_t clock_behind_ms_ = 0;         // as admit said last
  std::deque<ipc::Frame> for_updater_;   // while it is not there or does not read
  std::deque<Note> notes_;
  WorkerTalk worker_talk_;               // of the live worker, or the last one
  MessageBudget worker_budget_, rehearsal_budget_, updater_budget_, admit_budget_, again_budget_;
  uint64_t events_told_ = 0;             // to this updater
  std::map<Set, uint64_t> lifts_told_;   // what the owner lifted, and which of those events said so
  bool updater_ready_ = false;
  std::optional<MonotonicTime> updater_deaf_;  // since then it takes no messages
  milliseconds updater_quiet_{0};        // so long it has said nothing; time in which this process did not run itself does not count
  MonotonicTime updater_seen_{0};        // when that was last looked at
  bool quiet_told_ = false;
  MonotonicTime turned_{0};              // when this process last went on
  uint64_t lies_ = 0;                    // children that were ended for what they said
  std::optional<MonotonicTime> lie_told_;
  MonotonicTime memory_due_{0};
  MonotonicTime faults_since_{0};
  uint32_t faults_told_ = 0;
  std::deque<Suspended> suspended_;      // of the present content, newest last
  ipc::Descriptor orders_;               // tells that something was put into state/orders
  bool orders_wait_ = false;             // more than one turn takes
  OrdersLeft orders_left_;
  std::chrono::milliseconds clock_offset_{0};  // wall clock less monotonic clock
  MonotonicTime watch_due_{0};
  uint64_t lost_told_ = 0, dropped_told_ = 0, seen_ = 0;
  std::map<std::string, uint64_t> left_out_;  // detections over the budget by rule, since the last word about it
  uint64_t left_out_unnamed_ = 0;
  VitalsWatch vitals_;
  MonotonicTime vitals_due_{0};
  uint64_t own_crashes_ = 0;
  int64_t crashed_ = -1;                 // as the worker said last; -1: never
  uint32_t started_unseen_ = 0;          // programs that were started since the collector last saw anything
  bool reached_ = false;
  bool stopping_ = false;
};

}  // namespace creance::sensor
