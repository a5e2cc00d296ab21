#include "sigma/filter.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "sigma/rule_index.hpp"

namespace creance::sigma {
namespace {

bool agrees(const schema::LogSource& filter, const schema::LogSource& rule) {
  const auto part = [](const std::string& wanted, const std::string& has) { return wanted.empty() || wanted == has; };
  return part(filter.product, rule.product) && part(filter.category, rule.category) && part(filter.service, rule.service);
}

// The filter's one purpose is to leave events out; without any `not` it leaves out all that it describes badly.
bool has_not(const std::vector<ConditionNode>& condition) { return std::ranges::any_of(condition, [](const ConditionNode& node) { return node.kind == NodeKind::kNot; }); }

void read_rules(const YamlDocument& document, const YamlNode& key, const YamlNode& value, Filter& out, Reporter& reporter) {
  const auto name = [&](const YamlNode& node) {
    if (node.kind != YamlKind::kScalar || node.type == ValueKind::kNull || node.text.empty()) return reporter.report("S141", node.span, fmt::format("an entry of `rules` must be an id or a name of a rule, not {}", describe(node)));
    if (std::ranges::find(out.rules, node.text, &Name::text) != out.rules.end()) return reporter.report("S141", node.span, fmt::format("`rules` names {} twice", quote(node.text)));
    warn_of_number(node, "an entry of `rules`", reporter);
    out.rules.push_back({node.text, node.span});
  };
  if (value.kind == YamlKind::kScalar && equal_ignoring_ascii_case(value.text, "any")) {
    out.any = true;
  } else if (value.kind == YamlKind::kScalar && value.type != ValueKind::kNull) {
    name(value);
  } else if (value.kind == YamlKind::kSequence && !value.children.empty()) {
    for (const uint32_t child : value.children) name(document.at(child));
  } else {
    reporter.report("S141", value.kind == YamlKind::kScalar ? key.span : value.span, fmt::format("`rules` must be a list of ids and names, or `any`, not {}", describe(value)));
  }
}

class Applier {
 public:
  Applier(std::span<Rule> rules, std::span<const Correlation> correlations, Diagnostics& diagnostics) : rules_(rules), diagnostics_(diagnostics), index_(rules, correlations) {}

  // False: it could not be put into all the rules that it is for.
  bool apply(const Filter& filter) {
    Reporter reporter(filter.file, diagnostics_);
    put(filter, reporter);
    return reporter.errors() == 0;
  }

 private:
  void put(const Filter& filter, Reporter& reporter) {
    if (!has_not(filter.detection.condition)) {
      reporter.report("S146", filter.span, "the filter keeps only the events that it describes: its condition has no `not`");
    }
    if (filter.any) return apply_to_all(filter, reporter);
    for (const Name& name : filter.rules) apply_to(filter, name, reporter);
  }

  void apply_to_all(const Filter& filter, Reporter& reporter) {
    bool used = false;
    for (Rule& rule : rules_) {
      if (!agrees(filter.logsource, rule.logsource)) continue;
      used = true;
      add(filter, rule, reporter);
    }
    if (!used) reporter.report("S144", filter.logsource_span, "no rule has the log source of this filter");
  }

  void apply_to(const Filter& filter, const Name& name, Reporter& reporter) {
    const std::vector<Target> found = index_.find(name.text, filter.file);
    if (found.empty()) return reporter.report("S142", name.span, fmt::format("no rule has the id or name {}", quote(name.text)));
    if (found.size() > 1) return reporter.report("S147", name.span, fmt::format("{} rules have the name {}, as in {}:{} and {}:{}", found.size(), quote(name.text), index_.what(found[0]).file, index_.what(found[0]).span.line, index_.what(found[1]).file, index_.what(found[1]).span.line));
    if (found.front().is_correlation) return reporter.report("S145", name.span, fmt::format("{} is a correlation", quote(name.text)));
    Rule& rule = rules_[found.front().index];
    if (!agrees(filter.logsource, rule.logsource)) return reporter.report("S143", name.span, fmt::format("the rule {} has another log source than the filter", quote(rule.title)));
    add(filter, rule, reporter);
  }

  void add(const Filter& filter, Rule& rule, Reporter& reporter) {
    if (rule.condition.size() + filter.detection.condition.size() >= limits::kConditionNodesMax) {
      return reporter.report("S064", filter.span, fmt::format("with this filter the condition of the rule {} has too many parts", quote(rule.title)));
    }
    join(rule, filter.detection, filter.file == rule.file ? "" : filter.file);
  }

  std::span<Rule> rules_;
  Diagnostics& diagnostics_;
  RuleIndex index_;
};

}  // namespace

void read_filter(const YamlDocument& document, const YamlNode& key, const YamlNode& filter, std::string_view text, Filter& out, Reporter& reporter) {
  if (filter.kind != YamlKind::kMap) return reporter.report("S140", filter.kind == YamlKind::kScalar && filter.type == ValueKind::kNull ? key.span : filter.span, fmt::format("`filter` must be a map of rules, selections and a condition, not {}", describe(filter)));
  const YamlNode* rules = nullptr;
  for (size_t i = 0; i + 1 < filter.children.size(); i += 2) {
    if (document.at(filter.children[i]).text != "rules") continue;
    rules = &document.at(filter.children[i + 1]);
    read_rules(document, document.at(filter.children[i]), *rules, out, reporter);
  }
  if (rules == nullptr) reporter.report("S140", key.span, "the filter does not say for which `rules` it is");
  out.detection = read_detection(document, filter, text, reporter, "rules");
}

bool apply_filters(std::span<Rule> rules, std::span<const Filter> filters, std::span<const Correlation> correlations, Diagnostics& diagnostics) {
  if (filters.empty()) return true;
  Applier applier(rules, correlations, diagnostics);
  bool all = true;
  for (const Filter& filter : filters) all = applier.apply(filter) && all;
  return all;
}

void join(Rule& rule, const Detection& more, const std::string& origin) {
  const auto selections = static_cast<uint32_t>(rule.selections.size());
  const auto nodes = static_cast<uint32_t>(rule.condition.size());
  for (const Selection& selection : more.selections) {
    rule.selections.push_back(selection);
    if (rule.selections.back().origin.empty()) rule.selections.back().origin = origin;
  }
  for (ConditionNode node : more.condition) {
    node.selection += node.kind == NodeKind::kSelection ? selections : 0;
    for (uint32_t& child : node.children) child += nodes;
    rule.condition.push_back(std::move(node));
  }
  rule.condition.push_back({NodeKind::kAnd, 0, {nodes - 1, static_cast<uint32_t>(rule.condition.size()) - 1}});
}

}  // namespace creance::sigma
