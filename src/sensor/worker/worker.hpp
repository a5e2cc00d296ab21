// The worker's loop: events from the collector through the active set, detections out, words with the supervisor. Everything it needs was opened before; it opens only
// the files of sets. Ends when the supervisor is gone. One thread; new content is made ready in the one other (preparer.hpp) and handed over between two events.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/ipc/socket.hpp"
#include "sensor/worker/budget.hpp"
#include "sensor/worker/crowd.hpp"
#include "sensor/worker/evaluation.hpp"
#include "sensor/worker/preparer.hpp"
#include "sensor/worker/recent_events.hpp"
#include "sensor/worker/rehearsal.hpp"

namespace creance::sensor {

inline constexpr MonotonicTime kHealthInterval{500};

struct WorkerOptions {
  std::string host;
  std::string build;
  int detections = -1;       // datagram socket, one line each
  int memory_statistics = -1;  // /proc/self/statm, or -1
  ipc::Set first_set{};      // loaded at the start
  InstanceBudget budget{};
  interpreter::Hash128 hash_key{};  // secret and random
};

class Worker {
 public:
  Worker(const WorkerOptions& options, ipc::Socket supervisor, std::unique_ptr<Collector> collector, RecentEvents recent, const Clock& clock);
  int run(std::unique_ptr<Preparer> preparer);  // exit code
  int rehearse(const ipc::Set& set, Result<std::unique_ptr<ActiveSet>> loaded);

 private:
  void start();
  void activate(Preparer::Ready ready);
  bool listen();             // false: the supervisor is gone
  void tell_held();
  void send_health();
  void flush();
  void wait(bool more);
  template <class T>
  void say(const T& message) { outbox_.push_back(ipc::encode(message, ipc::Process::kWorker)); }
  bool work();               // a bounded number of events; false: no more now
  void remember(const Event& event, MonotonicTime now);
  void detect(std::string_view rule_id, std::string_view line);
  void fault_point();        // named ones, in the demonstration build alone: inside of an evaluation, or of a rehearsal's
  uint64_t resident_kib() const;

  WorkerOptions options_;
  ipc::Socket supervisor_;
  std::unique_ptr<Collector> collector_;
  RecentEvents recent_;
  const Clock& clock_;
  Evaluation evaluation_;
  std::deque<ipc::Frame> outbox_;
  uint32_t held_told_ = 0;   // of the active set
  Crowd crowd_;
  MonotonicTime health_due_{0};
  std::vector<uint32_t> remembered_;  // per Type, within the second
  MonotonicTime remembered_second_{-1'000};
  DetectionBudget budget_;
  uint64_t since_activation_ = 0;
  bool ended_ = false;
  bool live_ = false;        // not a rehearsal
  std::unique_ptr<Preparer> preparer_;  // of run(); goes first, since its thread reads what the collector supplies
};

}  // namespace creance::sensor
