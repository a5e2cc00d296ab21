// The budget of detections: so many bytes in each second, all rules together. What is left out is counted by rule, and told: a storm is never silent. One thread.
#pragma once
#include <map>
#include <optional>
#include <string>

#include "base/ipc/messages.hpp"
#include "base/limits.hpp"
#include "base/seams/clock.hpp"

namespace creance::sensor {

class DetectionBudget {
 public:
  explicit DetectionBudget(size_t bytes_per_second = limits::kDetectionBytesPerSecondMax) : bytes_max_(bytes_per_second) {}
  // Whether there is room for so many bytes in this second; they are spent only then.
  bool spend(MonotonicTime now, size_t bytes);
  void left_out(std::string_view rule_id);
  uint64_t total() const { return total_; }                     // ever left out
  // What was left out since the last summary, the rules with the most first; at most one in a second, nothing if nothing was.
  std::optional<ipc::LeftOut> summary(MonotonicTime now);

 private:
  static constexpr size_t kRulesCounted = 256;                  // above: counted together
  size_t bytes_max_;
  MonotonicTime second_{0}, told_{0};
  size_t spent_ = 0;
  uint64_t total_ = 0, others_ = 0;
  std::map<std::string, uint64_t, std::less<>> rules_;
};

}  // namespace creance::sensor
