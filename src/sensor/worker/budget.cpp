#include "sensor/worker/budget.hpp"

#include <algorithm>
#include <vector>

namespace creance::sensor {

bool DetectionBudget::spend(MonotonicTime now, size_t bytes) {
  if (now - second_ >= MonotonicTime(1'000)) {
    second_ = now;
    spent_ = 0;
  }
  if (spent_ + bytes > bytes_max_) return false;
  spent_ += bytes;
  return true;
}

void DetectionBudget::left_out(std::string_view rule_id) {
  ++total_;
  if (const auto at = rules_.find(rule_id); at != rules_.end()) ++at->second;
  else if (rules_.size() < kRulesCounted) rules_.emplace(rule_id, 1);
  else ++others_;
}

std::optional<ipc::LeftOut> DetectionBudget::summary(MonotonicTime now) {
  if ((rules_.empty() && others_ == 0) || now - told_ < MonotonicTime(1'000)) return std::nullopt;
  told_ = now;
  std::vector<std::pair<uint64_t, std::string_view>> order;
  for (const auto& [rule, count] : rules_) order.emplace_back(count, rule);
  std::ranges::stable_sort(order, std::greater<>(), &std::pair<uint64_t, std::string_view>::first);
  ipc::LeftOut out;
  out.others = others_;
  for (const auto& [count, rule] : order) {
    if (out.rules == out.list.size()) {
      out.others += count;
      continue;
    }
    out.list[out.rules].rule_id.assign(rule);
    out.list[out.rules++].count = count;
  }
  rules_.clear();
  others_ = 0;
  return out;
}

}  // namespace creance::sensor
