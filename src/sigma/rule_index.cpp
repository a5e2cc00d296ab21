#include "sigma/rule_index.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>

#include "base/text.hpp"

namespace creance::sigma {

RuleIndex::RuleIndex(std::span<const Rule> rules, std::span<const Correlation> correlations) : rules_(rules), correlations_(correlations) {
  for (uint32_t i = 0; i < rules.size(); ++i) add(rules[i], {false, i});
  for (uint32_t i = 0; i < correlations.size(); ++i) add(correlations[i], {true, i});
}

void RuleIndex::add(const Metadata& what, const Target& target) {
  if (!what.id.empty()) by_id_.emplace(what.id, target);
  if (!what.name.empty()) by_name_.emplace(what.name, target);
}

const Metadata& RuleIndex::what(const Target& target) const {
  if (target.is_correlation) return correlations_[target.index];
  return rules_[target.index];
}

std::vector<Target> RuleIndex::find(std::string_view name, std::string_view from_file) const {
  auto [begin, end] = by_id_.equal_range(to_ascii_lower(name));
  if (begin == end) std::tie(begin, end) = by_name_.equal_range(name);
  std::vector<Target> all;
  std::vector<Target> beside;
  for (auto it = begin; it != end; ++it) {
    all.push_back(it->second);
    if (what(it->second).file == from_file) beside.push_back(it->second);
  }
  return beside.empty() ? all : beside;
}

std::vector<std::string_view> RuleIndex::names() const {
  std::vector<std::string_view> out;
  std::ranges::transform(by_name_, std::back_inserter(out), [](const auto& entry) { return std::string_view(entry.first); });
  return out;
}

}  // namespace creance::sigma
