// From documents as written to the rules that run: filters, then mappings, then placeholders. The one place where these get their meaning; both judges start behind it.
// Pure; any number of threads.
#pragma once
#include <vector>

#include "sigma/correlation.hpp"
#include "sigma/filter.hpp"
#include "sigma/pipeline.hpp"
#include "sigma/rule.hpp"

namespace creance::sigma {

struct Resolved {
  // As they run, in the order given. Left out, each with at least one error: rules whose placeholders have no values (S049), whose taxonomy no mapping knows (S037), that
  // grow over a limit, or whose values do not fit their modifiers once they are known.
  std::vector<Rule> rules;
  bool filter_lost = false;  // apply_filters() lost one: what these rules find is not what was asked for, and nothing may run on it
};
[[nodiscard]] Resolved resolve(std::vector<Rule> rules, std::span<const Filter> filters, std::span<const Correlation> correlations, const Pipeline& pipeline, Diagnostics& diagnostics);

}  // namespace creance::sigma
