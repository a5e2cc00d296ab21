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
  std::vector<Correlation> correlations;  // those with an error, too, as `refused`: what they name must not report in their stead
  std::vector<Filter> filters;
  uint32_t refused_filters = 0;  // those with an error: what they leave out would be found without them
  Diagnostics diagnostics;   // of all documents, sorted
  // Seen, those with errors too. A document that is no YAML counts as one, and the file ends with it; where one of its lines begins with `filter:` it is a refused filter.
  uint32_t documents = 0;
};

ParseOutcome parse(std::string_view text, const std::string& file);

}  // namespace creance::sigma
