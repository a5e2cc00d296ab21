#include "sigma/resolve.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "sigma/modifiers.hpp"

namespace creance::sigma {
namespace {

bool has(const Item& item, Modifier modifier) { return std::ranges::find(item.modifiers, modifier) != item.modifiers.end(); }

// ---- mappings

bool is_for(const Mapping& mapping, const Rule& rule) {
  const auto part = [](const std::string& wanted, const std::string& is) { return wanted.empty() || wanted == is; };
  const schema::LogSource& wanted = mapping.logsource;
  return mapping.taxonomy == rule.taxonomy.text && part(wanted.product, rule.logsource.product) && part(wanted.category, rule.logsource.category) && part(wanted.service, rule.logsource.service);
}

void rename(const Mapping& mapping, std::string& field) {
  const std::string low = to_ascii_lower(field);
  const auto found = std::ranges::find(mapping.fields, low, &std::pair<std::string, std::string>::first);
  if (found != mapping.fields.end()) field = found->second;
}

// The correlations over a rule name its fields as it did: they need to know what became of them.
void remember(const Mapping& mapping, Rule& rule) {
  for (auto& [from, to] : rule.field_names) rename(mapping, to);
  rule.field_names.insert(mapping.fields.begin(), mapping.fields.end());  // names that an earlier mapping made something of are there already
}

void apply(const Mapping& mapping, Rule& rule) {
  for (Selection& selection : rule.selections) {
    for (Alternative& alternative : selection.alternatives) {
      for (Item& item : alternative.items) {
        if (!item.is_keyword()) rename(mapping, item.field);
        if (!has(item, Modifier::kFieldRef)) continue;
        for (Value& value : item.values) rename(mapping, value.text);
      }
    }
  }
  if (mapping.to) rule.logsource = *mapping.to;
  if (mapping.add.empty()) return;
  Detection more;
  more.selections.push_back({"", mapping.span, {{mapping.add}}, {}});
  more.condition.push_back({NodeKind::kSelection, 0, {}});
  join(rule, more, mapping.file);
}

// False: the rule is of a taxonomy that no mapping knows.
bool apply_mappings(Rule& rule, bool correlated, const Pipeline& pipeline, Reporter& reporter) {
  bool known = rule.taxonomy.text.empty();
  for (const Mapping& mapping : pipeline.mappings) {
    if (!is_for(mapping, rule)) continue;
    known = true;
    if (correlated) remember(mapping, rule);
    apply(mapping, rule);
  }
  if (!known) reporter.report("S037", rule.taxonomy.span, fmt::format("no mapping knows the taxonomy {}", quote(rule.taxonomy.text)));
  return known;
}

// ---- placeholders

// A value as texts and names of placeholders in turn, texts first and last.
struct Parts {
  std::vector<std::string> texts;
  std::vector<std::string> names;
};

// `%name%` is a placeholder, any other percent sign itself. A backslash in front of one is a backslash: `C:\\Users\\%user%` is what people write.
Parts split(std::string_view text) {
  Parts parts;
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    size_t end = i + 1;
    while (text[i] == '%' && end < text.size() && is_placeholder_character(text[end])) ++end;
    if (text[i] != '%' || end == i + 1 || end == text.size() || text[end] != '%') {
      plain += text[i];
      continue;
    }
    parts.texts.push_back(std::move(plain));
    plain.clear();
    parts.names.emplace_back(text.substr(i + 1, end - i - 1));
    i = end;
  }
  parts.texts.push_back(std::move(plain));
  return parts;
}

// Appends a part to a string value. A backslash that ends what stands there is itself, whatever begins behind it: written twice it cannot escape that.
void append_literally(std::string& to, std::string_view part) {
  const size_t backslashes = to.size() - (to.find_last_not_of('\\') + 1);  // npos + 1 is 0: nothing but backslashes
  const bool could_be_escaped = part.starts_with('*') || part.starts_with('?') || part.starts_with('\\');
  if (could_be_escaped && backslashes % 2 == 1) to += '\\';
  to += part;
}

class Expander {
 public:
  Expander(Rule& rule, const Pipeline& pipeline, Diagnostics& diagnostics) : rule_(rule), pipeline_(pipeline), diagnostics_(diagnostics) {}

  // False: there were errors.
  bool run() {
    for (Selection& selection : rule_.selections) {
      Reporter reporter(selection.origin.empty() ? rule_.file : selection.origin, diagnostics_);
      for (Alternative& alternative : selection.alternatives) expand(alternative, reporter);
      good_ = good_ && reporter.errors() == 0;
    }
    return good_;
  }

 private:
  void expand(Alternative& alternative, Reporter& reporter) {
    std::vector<Item> items;
    for (Item& item : alternative.items) {
      if (has(item, Modifier::kExpand)) expand(std::move(item), items, reporter);
      else items.push_back(std::move(item));
    }
    alternative.items = std::move(items);
  }

  // With `all` every value as written must hold, by any of the texts that it stands for: each becomes a line of its own.
  void expand(Item item, std::vector<Item>& out, Reporter& reporter) {
    std::erase(item.modifiers, Modifier::kExpand);
    const bool all = has(item, Modifier::kAll);
    const bool raw = has(item, Modifier::kRegex);  // a regular expression is put together as it is written
    if (all && has(item, Modifier::kNotEqual)) return reporter.report("S047", item.span, "`all`, `neq` and `expand` do not go together");
    std::vector<Value> values = std::move(item.values);
    item.values.clear();
    if (all) std::erase(item.modifiers, Modifier::kAll);
    for (const Value& value : values) {
      if (!expand(value, raw, item.values, reporter)) return;
      if (all) finish(std::exchange(item, Item{item.field, item.span, item.modifiers, {}}), out, reporter);
    }
    if (!all) finish(std::move(item), out, reporter);
  }

  void finish(Item item, std::vector<Item>& out, Reporter& reporter) {
    check_modifiers(item, reporter);
    out.push_back(std::move(item));
  }

  // Every combination of the values of the placeholders, in order.
  bool expand(const Value& value, bool raw, std::vector<Value>& out, Reporter& reporter) {
    const Parts parts = split(value.text);
    std::vector<const Placeholder*> found;
    uint64_t combinations = 1;
    for (const std::string& name : parts.names) {
      const auto at = pipeline_.placeholders.find(name);
      if (at == pipeline_.placeholders.end()) return reporter.report("S049", value.span, fmt::format("the placeholder {} has no values", quote(name))), false;
      found.push_back(&at->second);
      combinations *= at->second.values.size();
      if ((values_ + combinations) > limits::kValuesPerRuleMax) return reporter.report("S051", value.span, fmt::format("with its placeholders the rule has more than {} values", limits::kValuesPerRuleMax)), false;
    }
    if (found.empty()) reporter.report("S152", value.span, fmt::format("{} has no placeholder", quote(value.text)));
    values_ += combinations;
    for (uint64_t n = 0; n < combinations; ++n) {
      if (!append(parts, found, n, value, raw, out, reporter)) return false;
    }
    return true;
  }

  bool append(const Parts& parts, const std::vector<const Placeholder*>& found, uint64_t n, const Value& value, bool raw, std::vector<Value>& out, Reporter& reporter) {
    Value made{ValueKind::kString, parts.texts[0], value.span};
    std::vector<size_t> chosen(found.size());
    for (size_t i = found.size(); i-- > 0; n /= found[i]->values.size()) chosen[i] = n % found[i]->values.size();
    for (size_t i = 0; i < found.size(); ++i) {
      const Value& part = found[i]->values[chosen[i]];
      if (found.size() == 1 && parts.texts[0].empty() && parts.texts[1].empty()) made.kind = part.kind;  // the placeholder alone: a number stays one
      for (const std::string& next : {part.text, parts.texts[i + 1]}) raw ? (void)(made.text += next) : append_literally(made.text, next);
    }
    bytes_ += made.text.size();
    if (bytes_ > limits::kYamlExpandedBytesMax) return reporter.report("S051", value.span, fmt::format("with its placeholders the rule has more than {} bytes of values", limits::kYamlExpandedBytesMax)), false;
    out.push_back(std::move(made));
    return true;
  }

  Rule& rule_;
  const Pipeline& pipeline_;
  Diagnostics& diagnostics_;
  uint64_t values_ = 0;
  uint64_t bytes_ = 0;
  bool good_ = true;
};

// Which of the rules a correlation names.
std::vector<bool> referred(std::span<const Correlation> correlations, std::span<const Rule> rules) {
  std::vector<bool> out(rules.size());
  if (correlations.empty()) return out;
  for (const std::vector<Target>& targets : references(correlations, rules)) {
    for (const Target& target : targets) {
      if (!target.is_correlation) out[target.index] = true;
    }
  }
  return out;
}

}  // namespace

Resolved resolve(std::vector<Rule> rules, std::span<const Filter> filters, std::span<const Correlation> correlations, const Pipeline& pipeline, Diagnostics& diagnostics) {
  Resolved out;
  out.filter_lost = !apply_filters(rules, filters, correlations, diagnostics);
  const std::vector<bool> correlated = referred(correlations, rules);
  for (size_t i = 0; i < rules.size(); ++i) {
    Rule& rule = rules[i];
    Reporter reporter(rule.file, diagnostics);
    if (!apply_mappings(rule, correlated[i], pipeline, reporter) || !Expander(rule, pipeline, diagnostics).run()) continue;
    out.rules.push_back(std::move(rule));
  }
  return out;
}

}  // namespace creance::sigma
