// What ids and names mean, over all rules and correlations of a set. The one rule by which correlations and filters find what they refer to: by id, else by `name`;
// what stands in the same file wins over what stands in others. Source: Sigma Correlation Rules Specification 2.1.0, "rules"; Sigma Filters Specification, "rules".
#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sigma/correlation.hpp"
#include "sigma/rule.hpp"

namespace creance::sigma {

// Views what it is given, which must stay where it is and keep its ids, names and files.
class RuleIndex {
 public:
  RuleIndex(std::span<const Rule> rules, std::span<const Correlation> correlations);

  // Nothing: there is none. Several: the name is ambiguous. Ids are compared without case.
  std::vector<Target> find(std::string_view name, std::string_view from_file) const;
  const Metadata& what(const Target& target) const;
  std::vector<std::string_view> names() const;

 private:
  using Index = std::multimap<std::string, Target, std::less<>>;
  void add(const Metadata& what, const Target& target);

  std::span<const Rule> rules_;
  std::span<const Correlation> correlations_;
  Index by_id_;
  Index by_name_;
};

}  // namespace creance::sigma
