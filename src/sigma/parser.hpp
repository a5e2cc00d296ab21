// Sigma YAML -> rules and diagnostics. Judges the document alone (structure, modifiers, condition, conventions); what filters, pipelines and placeholders make of the
// rules is resolve.hpp, whether the fields exist in a Template Type is binder.hpp.
// Never throws, never recurses on outside data, bounded by base/limits.hpp. Any number of threads.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "sigma/correlation.hpp"
#include "sigma/filter.hpp"
#include "sigma/rule.hpp"

namespace creance::sigma {

struct ParseOutcome {
  std::vector<Rule> rules;   // only those without an error; each document of the file gives at most one rule, correlation or filter
  std::vector<Correlation> correlations;
  std::vector<Filter> filters;
  uint32_t refused_filters = 0;  // those with an error: what they leave out would be found without them
  Diagnostics diagnostics;   // of all documents, sorted
  uint32_t documents = 0;    // documents seen
};

ParseOutcome parse(std::string_view yaml, const std::string& file);

}  // namespace creance::sigma
