// Orders of the host's owner that could not be removed, and so are not carried out: each is tried again after a minute.
#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/seams/clock.hpp"

namespace creance::sensor {

class OrdersLeft {
 public:
  static constexpr MonotonicTime kAgain{60'000};
  bool rests(const std::string& name, MonotonicTime now) const {
    const auto left = left_.find(name);
    return left != left_.end() && now < left->second;
  }
  bool leave(const std::string& name, MonotonicTime now) { return left_.insert_or_assign(name, now + kAgain).second; }  // true: for the first time
  void removed(const std::string& name) { left_.erase(name); }
  void keep_of(const std::vector<std::string>& there) {
    std::erase_if(left_, [&](const auto& left) { return std::ranges::find(there, left.first) == there.end(); });
  }
  std::optional<MonotonicTime> due() const {
    std::optional<MonotonicTime> first;
    for (const auto& [name, at] : left_)
      if (!first || at < *first) first = at;
    return first;
  }

 private:
  std::map<std::string, MonotonicTime> left_;
};

}  // namespace creance::sensor
