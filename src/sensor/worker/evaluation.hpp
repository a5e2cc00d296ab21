// Runs events through the active set and says what came of them. Knows nothing of processes or files. The ladder's first rung is here: an instance that faults, hits
// without end, writes or computes over its budget is suspended with a reason, and nothing else is; so is a correlation. Over its hits or bytes a rule still tells samples of what is new (trickle.hpp). One thread.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "base/sensor_limits.hpp"
#include "sensor/worker/active_set.hpp"
#include "sensor/worker/trickle.hpp"

namespace creance::sensor {

struct Totals {
  uint64_t events = 0;
  uint64_t matches = 0;
  uint64_t faults = 0;
  uint64_t detection_bytes = 0;  // of what was reported, and in a rehearsal of what would have been
  uint64_t lost_correlated = 0;  // groups and events that left the memory of correlations before their time was over
};

// What one instance, rule or correlation, may do within a minute.
struct InstanceBudget {
  uint64_t steps = limits::kInstanceStepsPerMinuteMax;
};

struct Suspension {
  ipc::Reason reason = ipc::Reason::kFault;
  std::string rule_id;
  std::string detail;
};

class Evaluation {
 public:
  struct Sinks {
    std::function<void(std::string_view rule_id, std::string_view line)> detection;
    std::function<void(const Suspension&)> suspension;
    std::function<void(std::string_view rule_id)> left_out = {};         // a hit of what is suspended for its hits or bytes
    std::function<void(uint64_t file)> evaluating = {};  // 1 + the file of the set whose channel is evaluated now; 0: none
  };
  Evaluation(std::span<const Supplied> supplied, std::string host, Sinks sinks, InstanceBudget budget = {}, interpreter::Hash128 hash_key = {})
      : supplied_(supplied), host_(std::move(host)), sinks_(std::move(sinks)), budget_(budget), hash_key_(hash_key) {}

  // Correlations that stay the same keep their state. Gives back what ran: to free it takes longer than an event may wait.
  [[nodiscard]] std::unique_ptr<ActiveSet> swap(std::unique_ptr<ActiveSet> next);
  ActiveSet& active() { return *active_; }
  // Rehearsals count, and report nothing.
  void evaluate(const Event& event, MonotonicTime now, bool report);
  Totals totals() const;
  const InstanceBudget& budget() const { return budget_; }

 private:
  void new_minute();
  void leave_out(std::string_view rule_id);
  bool is_new(const LoadedChannel& loaded, uint32_t instance, const Event& event, MonotonicTime now);  // of a suspended rule: this hit is told all the same
  void correlate(const LoadedChannel& loaded, const Event& event, bool report);
  std::span<const Supplied> supplied_;
  std::string host_;
  Sinks sinks_;
  InstanceBudget budget_;
  interpreter::Hash128 hash_key_;   // secret and random
  struct Suspect {
    const LoadedChannel* channel;
    uint32_t instance;
    Trickle trickle;
  };
  std::vector<Suspect> suspects_;   // of this minute and this set
  std::string hashed_;
  std::unique_ptr<ActiveSet> active_ = std::make_unique<ActiveSet>();
  Totals totals_;
  MonotonicTime minute_{0};
  std::string line_;
  std::vector<uint32_t> sources_;   // that the present event matches
  std::vector<uint32_t> group_;
  std::string members_;
  uint64_t lost_before_ = 0;        // by sets that went
};

}  // namespace creance::sensor
