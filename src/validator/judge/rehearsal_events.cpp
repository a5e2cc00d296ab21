#include "validator/judge/rehearsal_events.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "base/limits.hpp"

namespace creance::validator {
namespace {

// Round by round over the rules, until nothing fits any more.
RehearsalEvents choose(const std::map<std::string, std::vector<std::string_view>>& by_rule) {
  RehearsalEvents chosen;
  std::set<std::string_view> seen;
  size_t longest = 0;
  for (const auto& [rule, events] : by_rule) longest = std::max(longest, events.size());
  for (size_t round = 0; round < longest; ++round) {
    for (const auto& [rule, events] : by_rule) {
      if (round >= events.size() || chosen.count >= limits::kRehearsalEventsMax) continue;
      const std::string_view event = events[round];
      if (chosen.lines.size() + event.size() + 1 > limits::kRehearsalBytesMax || !seen.insert(event).second) continue;
      chosen.lines.append(event).push_back('\n');
      ++chosen.count;
    }
  }
  return chosen;
}

}  // namespace

std::map<std::string, RehearsalEvents> rehearsal_events(std::span<const CaseResult> results) {
  std::map<std::string, std::map<std::string, std::vector<std::string_view>>> by_type;
  for (const CaseResult& result : results) {
    if (!result.passed) continue;
    for (const std::string& type : result.types) by_type[type][result.rule_id].push_back(result.event_json);
  }
  std::map<std::string, RehearsalEvents> out;
  for (const auto& [type, by_rule] : by_type) {
    if (RehearsalEvents chosen = choose(by_rule); chosen.count > 0) out.emplace(type, std::move(chosen));
  }
  return out;
}

}  // namespace creance::validator
