// creance-sensor run: starts the other processes, carries out what the state machine (activation.hpp) decides, and holds what must outlive a worker: kernel descriptors,
// the detections' way to the updater, the worker memory. Parses nothing but fixed-size messages of its own children; links src/base alone. One thread.
#pragma once
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/os/lock.hpp"
#include "base/os/process.hpp"
#include "base/seams/random.hpp"
#include "sensor/supervise/activation.hpp"
#include "sensor/supervise/store.hpp"

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
  bool offline = false;           // neither updater nor admit: what is on the disk, and nothing else
  ActivationSettings activation;
  StallJudge::Settings stall;
};

class Supervisor {
 public:
  Supervisor(SupervisorOptions options, FileSystem& files, const Clock& clock, Random& random);
  ~Supervisor();
  Status start();
  int run();  // until SIGTERM or SIGINT; exit code

 private:
  struct Child {
    os::ChildProcess process;
    ipc::Socket socket;
    explicit operator bool() const { return static_cast<bool>(process); }
  };
  struct Note {  // for status and why
    WallTime at;
    std::string text;
  };

  Status open_input();
  Status attach_kernel();
  Result<Child> launch(const std::filesystem::path& program, std::vector<std::string> arguments, ipc::Process kind, std::vector<std::pair<int, int>> descriptors, const os::ProcessLimits& limits);
  Result<Child> launch_worker(const Set& set, bool rehearse);

  void feed(const Observation& observation);
  void carry_out(const Actions& actions);
  void perform(const StartAnnouncing& wanted);
  void perform(const StopAnnouncing& wanted);
  void perform(const StoreMarker& wanted);
  void perform(const StoreLadder& wanted);
  void perform(const StoreRefusals& wanted);
  void perform(const StoreHeldBack& wanted);
  void perform(const ClearMarker& wanted);
  void perform(const StartRehearsal& wanted);
  void perform(const EndRehearsal& wanted);
  void perform(const SwapTo& wanted);
  void perform(const StartWorker& wanted);
  void perform(const Emit& wanted);
  void emit(const Emit& event);
  void start_live_worker();
  void start_rehearsal(const Set& set);
  void run_admit();
  void start_updater();
  void sweep_sets();

  void hear_worker();
  void hear_rehearsal();
  void hear_updater();
  void hear_admit();
  void worker_gone(const std::string& how);
  void timers(MonotonicTime now);
  MonotonicTime next_timer(MonotonicTime now) const;
  void send_report(MonotonicTime now);
  void to_updater(const ipc::Frame& frame);
  void write_status();
  void note(std::string text);
  std::vector<int> wait(MonotonicTime until);
  void shut_down();

  SupervisorOptions options_;
  FileSystem& files_;
  const Clock& clock_;
  Random& random_;
  Store store_;
  std::optional<Activation> activation_;
  StallJudge stall_;

  std::optional<os::Lock> lock_;
  ipc::Descriptor signals_, memory_, sets_, input_, lost_;
  std::vector<ipc::Descriptor> links_;  // keep the kernel programs attached; never looked into
  uint32_t ring_bytes_ = 0;
  ipc::Descriptor detections_in_, detections_out_;
  std::string epoch_;

  Child worker_, rehearsal_, updater_, admit_;
  Child connector_;                      // collect-setup, where it stays to give records
  Set worker_set_{};                     // what the live worker was last told to run
  Set rehearsal_set_{};
  bool rehearsal_answered_ = false;
  std::optional<MonotonicTime> worker_due_, updater_due_, admit_due_, admit_deadline_;
  bool admit_wanted_ = false;
  bool sweep_wanted_ = false;
  Set admit_running_{};                  // the question that admit is answering
  ipc::Ladder admit_ladder_{};
  milliseconds updater_delay_{0};
  milliseconds report_interval_{1000};
  MonotonicTime started_{0}, report_due_{0}, status_due_{0}, retry_due_{0}, awake_{0};
  Set announcing_{};
  Phase last_phase_ = Phase::kStarting;

  ipc::Health health_{};
  ipc::Health before_{};                 // sums of workers that are gone
  std::string collector_ = "none";
  uint32_t instances_ = 0, held_count_ = 0, worker_starts_ = 0;
  std::vector<ipc::HeldInstance> held_;
  uint64_t plan_sequence_ = 0;
  uint64_t clock_behind_ms_ = 0;  // as admit said last
  std::string admit_detail_;
  std::deque<ipc::Frame> for_updater_;   // while it is not there or does not read
  std::deque<Note> notes_;
  uint64_t lies_ = 0;                    // malformed words of children
  bool reached_ = false;
  bool stopping_ = false;
};

}  // namespace creance::sensor
