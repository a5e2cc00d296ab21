// A Sigma filter as written, and the step that puts filters into the rules that they are for.
// Source: Sigma Filters Specification 2.1.0; `rules: any` from 2.2.0. What the condition of a filter means is docs/adr/0050.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "sigma/correlation.hpp"
#include "sigma/detection.hpp"
#include "sigma/rule.hpp"

namespace creance::sigma {

struct Filter : Metadata {
  schema::LogSource logsource;  // each part that it names must be that of the rule
  Span logsource_span;
  bool any = false;             // for every rule whose log source agrees
  std::vector<Name> rules;      // ids or names
  Detection detection;
};

// `filter`: the value of the key of that name; everything else of the document is read already.
void read_filter(const YamlDocument& document, const YamlNode& key, const YamlNode& filter, std::string_view text, Filter& out, Reporter& reporter);

// Each rule that a filter is for matches only where the filter's condition holds, too. Reports S064 and S142 to S147. Correlations are named only to say that they take
// no filter. False: a filter was lost, wholly or for one of its rules (an error says which): the rules would find what it should leave out.
[[nodiscard]] bool apply_filters(std::span<Rule> rules, std::span<const Filter> filters, std::span<const Correlation> correlations, Diagnostics& diagnostics);

// Joins `more` to the rule: both must hold. The selections remember the file that they came from.
void join(Rule& rule, const Detection& more, const std::string& origin);

}  // namespace creance::sigma
