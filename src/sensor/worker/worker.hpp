// The worker's loop: events from the collector through the active set, detections out, words with the supervisor. Everything it needs was opened before; it opens only
// the files of sets. Ends when the supervisor is gone. One thread.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/ipc/socket.hpp"
#include "sensor/worker/evaluation.hpp"
#include "sensor/worker/recent_events.hpp"
#include "sensor/worker/rehearsal.hpp"

namespace creance::sensor {

inline constexpr MonotonicTime kHealthInterval{500};

struct WorkerOptions {
  std::string host;
  std::string build;
  int sets_folder = -1;
  int detections = -1;       // datagram socket, one line each
  int memory_statistics = -1;  // /proc/self/statm, or -1
  ipc::Set first_set{};      // loaded at the start
  interpreter::Hash128 hash_key{};  // random, of this run
  std::vector<ipc::Set> without{};  // channel files that this host refuses
};

class Worker {
 public:
  Worker(const WorkerOptions& options, ipc::Socket supervisor, std::unique_ptr<Collector> collector, RecentEvents recent, const Clock& clock);
  int run();                 // exit code
  int rehearse(const ipc::Set& set);

 private:
  void start();
  void activate(const ipc::Set& set);
  bool listen();             // false: the supervisor is gone
  void tell_held();
  void send_health();
  void flush();
  template <class T>
  void say(const T& message) { outbox_.push_back(ipc::encode(message, ipc::Process::kWorker)); }
  bool work();               // a bounded number of events; false: nothing to do now
  void detect(std::string_view line);
  void fault_point();        // named ones, in the demonstration build alone: inside of an evaluation
  uint64_t resident_kib() const;

  WorkerOptions options_;
  ipc::Socket supervisor_;
  std::unique_ptr<Collector> collector_;
  RecentEvents recent_;
  const Clock& clock_;
  Evaluation evaluation_;
  std::deque<ipc::Frame> outbox_;
  MonotonicTime health_due_{0};
  MonotonicTime second_{0};
  uint64_t second_bytes_ = 0;
  uint64_t lost_detections_ = 0;
  uint64_t since_activation_ = 0;
  bool ended_ = false;
  bool live_ = false;        // not a rehearsal
};

}  // namespace creance::sensor
