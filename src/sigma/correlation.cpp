#include "sigma/correlation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "sigma/condition.hpp"

namespace creance::sigma {
namespace {

constexpr std::array<std::string_view, 10> kKinds{"event_count", "value_count", "temporal", "temporal_ordered", "value_sum", "value_max", "value_min", "value_avg", "value_percentile", "value_median"};
constexpr std::array<std::string_view, 7> kKeys{"type", "rules", "group-by", "timespan", "condition", "aliases", "generate"};
constexpr std::array<std::string_view, 6> kComparisons{"gt", "gte", "lt", "lte", "eq", "neq"};  // in the order of Comparison
constexpr std::array<std::string_view, 8> kConditionKeys{"gt", "gte", "lt", "lte", "eq", "neq", "field", "percentile"};

struct Unit {
  char letter;
  int64_t seconds;
  bool specified;
};
constexpr std::array<Unit, 7> kUnits{Unit{'s', 1, true},        Unit{'m', 60, true},           Unit{'h', 3'600, true},         Unit{'d', 86'400, true},
                                     Unit{'w', 604'800, false}, Unit{'M', 2'629'746, false}, Unit{'y', 31'556'952, false}};  // mean Gregorian month and year

class CorrelationReader {
 public:
  CorrelationReader(const YamlDocument& document, std::string_view text, Correlation& out, Reporter& reporter) : document_(document), text_(text), out_(out), reporter_(reporter) {}

  bool read(const YamlNode& root) {
    const uint32_t errors = reporter_.errors();
    for (const std::string_view key : {"detection", "logsource"}) {
      if (const Entry entry = find(root, key); entry.key != nullptr) reporter_.report("S117", entry.key->span, fmt::format("a correlation has no `{}`", key));
    }
    const Entry entry = find(root, "correlation");
    out_.correlation_span = entry.key->span;
    if (entry.value->kind != YamlKind::kMap) return wrong_kind(place(entry), fmt::format("`correlation` must be a map, not {}", describe(*entry.value))), false;
    map_ = entry.value;
    known_keys(*map_, kKeys, "a correlation");
    type();
    rules();
    condition();
    fields_of("group-by", out_.group_by);
    if (out_.group_by.empty() && find(*map_, "group-by").key == nullptr) reporter_.report("S108", out_.correlation_span, "the correlation has no `group-by`: all events are one group");
    timespan();
    aliases();
    generate(root);
    if (reporter_.errors() != errors) return false;
    use_of_aliases();
    first_event();
    return reporter_.errors() == errors;
  }

 private:
  struct Entry {
    const YamlNode* key = nullptr;
    const YamlNode* value = nullptr;
  };
  Entry find(const YamlNode& map, std::string_view name) const {
    for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
      if (document_.at(map.children[i]).text == name) return {&document_.at(map.children[i]), &document_.at(map.children[i + 1])};
    }
    return {};
  }
  // Of a value; where there is nothing, of its key.
  static Span place(const Entry& entry) { return entry.value->kind == YamlKind::kScalar && entry.value->type == ValueKind::kNull ? entry.key->span : entry.value->span; }
  static bool is_text(const YamlNode& node) { return node.kind == YamlKind::kScalar && node.type != ValueKind::kNull && !node.text.empty(); }
  void wrong_kind(Span span, std::string message) { reporter_.report("S101", span, std::move(message)); }
  void missing(std::string message) { missing(out_.correlation_span, std::move(message)); }
  void missing(Span span, std::string message) { reporter_.report("S100", span, std::move(message)); }

  void known_keys(const YamlNode& map, std::span<const std::string_view> known, std::string_view what) {
    for (size_t i = 0; i + 1 < map.children.size() && !reporter_.is_full(); i += 2) {
      const YamlNode& key = document_.at(map.children[i]);
      if (std::ranges::find(known, key.text) != known.end()) continue;
      const auto like = nearest(key.text, known);
      reporter_.report("S102", key.span, fmt::format("{} has no key {}", what, quote(key.text)), like ? fmt::format("did you mean `{}`?", *like) : "");
    }
  }

  void type() {
    const Entry entry = find(*map_, "type");
    if (entry.key == nullptr) return missing("the correlation has no `type`");
    if (!is_text(*entry.value)) return wrong_kind(place(entry), fmt::format("`type` must be text, not {}", describe(*entry.value)));
    const auto kind = std::ranges::find(kKinds, entry.value->text);
    if (kind == kKinds.end()) {
      const auto like = nearest(entry.value->text, kKinds);
      return reporter_.report("S103", entry.value->span, fmt::format("the correlation type {} does not exist", quote(entry.value->text)), like ? fmt::format("did you mean `{}`?", *like) : "");
    }
    out_.kind = static_cast<CorrelationKind>(kind - kKinds.begin());
    has_kind_ = true;
  }

  // One text or a list of texts, without repeats.
  void names(const Entry& entry, std::string_view key, uint32_t count_max, std::vector<Name>& to) {
    std::vector<const YamlNode*> nodes;
    if (is_text(*entry.value)) nodes.push_back(entry.value);
    else if (entry.value->kind != YamlKind::kSequence || entry.value->children.empty()) return wrong_kind(place(entry), fmt::format("`{}` must be a list of texts with at least one entry, not {}", key, describe(*entry.value)));
    else for (const uint32_t child : entry.value->children) nodes.push_back(&document_.at(child));
    if (nodes.size() > count_max) reporter_.report("S115", entry.key->span, fmt::format("`{}` has {} entries, at most {} are allowed", key, nodes.size(), count_max));
    std::set<std::string_view> seen;
    for (const YamlNode* node : nodes) {
      if (!is_text(*node)) wrong_kind(node->span, fmt::format("an entry of `{}` must be text, not {}", key, describe(*node)));
      else if (!seen.insert(node->text).second) reporter_.report("S110", node->span, fmt::format("{} occurs twice in `{}`", quote(node->text), key));
      else warn_of_number(*node, fmt::format("an entry of `{}`", key), reporter_), to.push_back({node->text, node->span});
    }
  }

  void rules() {
    const Entry entry = find(*map_, "rules");
    if (entry.key != nullptr) {
      names(entry, "rules", limits::kCorrelationRulesMax, out_.rules);
      return;
    }
    const Entry condition = find(*map_, "condition");
    if (!has_kind_ || !is_temporal(out_.kind) || condition.key == nullptr || !is_text(*condition.value)) return missing("the correlation has no `rules`");
    names_of_condition(*condition.value);  // conditions in words may stand alone; the order is that of first mention
  }

  void names_of_condition(const YamlNode& node) {
    constexpr std::string_view kBreaks = " \t\r\n()";
    const std::string_view text = node.text;
    for (size_t at = 0; at < text.size();) {
      const size_t begin = text.find_first_not_of(kBreaks, at);
      if (begin == std::string_view::npos) break;
      at = std::min(text.find_first_of(kBreaks, begin), text.size());
      const std::string_view word = text.substr(begin, at - begin);
      if (is_condition_word(word) || std::ranges::find(out_.rules, word, &Name::text) != out_.rules.end()) continue;
      out_.rules.push_back({std::string(word), node.span});
    }
    if (out_.rules.size() > limits::kCorrelationRulesMax) reporter_.report("S115", node.span, fmt::format("the condition names {} rules, at most {} are allowed", out_.rules.size(), limits::kCorrelationRulesMax));
    else if (out_.rules.empty()) missing("the correlation names no rule");
  }

  void fields_of(std::string_view key, std::vector<Name>& to) {
    const Entry entry = find(*map_, key);
    if (entry.key != nullptr) names(entry, key, limits::kCorrelationFieldsMax, to);
  }

  void timespan() {
    const Entry entry = find(*map_, "timespan");
    if (entry.key == nullptr) return missing("the correlation has no `timespan`");
    const std::string_view text = entry.value->text;
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool one_letter = error == std::errc() && end + 1 == text.data() + text.size();
    const auto unit = one_letter ? std::ranges::find(kUnits, *end, &Unit::letter) : kUnits.end();
    if (!is_text(*entry.value) || unit == kUnits.end() || number < 1 || number > limits::kTimespanSecondsMax / unit->seconds) {
      return reporter_.report("S104", place(entry), fmt::format("`timespan` must be a number and a unit such as `5m`, not {}", describe(*entry.value)));
    }
    if (!unit->specified) reporter_.report("S116", entry.value->span, fmt::format("the unit `{}` is not in the specification", unit->letter), fmt::format("other tools may refuse it; here one `{}` is {} seconds", unit->letter, unit->seconds));
    out_.timespan_us = number * unit->seconds * 1'000'000;
  }

  void condition() {
    const Entry entry = find(*map_, "condition");
    if (!has_kind_) return;
    const bool wants_field = !counts(out_.kind) || out_.kind == CorrelationKind::kValueCount;
    if (entry.key == nullptr) {
      if (!is_temporal(out_.kind)) missing(fmt::format("{} needs a `condition`", to_string(out_.kind)));
      return;
    }
    if (is_text(*entry.value)) return words(entry);
    if (entry.value->kind != YamlKind::kMap) return wrong_kind(place(entry), fmt::format("`condition` must be a map, or text for the temporal types, not {}", describe(*entry.value)));
    known_keys(*entry.value, kConditionKeys, "the condition of a correlation");
    for (size_t i = 0; i < kComparisons.size(); ++i) threshold(find(*entry.value, kComparisons[i]), static_cast<Comparison>(i));
    percentile(find(*entry.value, "percentile"));
    const Entry field = find(*entry.value, "field");
    if (field.key != nullptr && !wants_field) reporter_.report("S107", field.key->span, fmt::format("{} takes no `field`", to_string(out_.kind)));
    else if (field.key != nullptr) names(field, "field", out_.kind == CorrelationKind::kValueCount ? limits::kCorrelationFieldsMax : 1, out_.fields);
    else if (wants_field) missing(entry.key->span, fmt::format("{} needs `field` in the condition", to_string(out_.kind)));
    if (out_.thresholds.empty() && !bad_threshold_) missing(entry.key->span, "the condition has none of gt, gte, lt, lte, eq and neq");
    else if (!bad_threshold_) check_range(entry.key->span);
  }

  void threshold(const Entry& entry, Comparison comparison) {
    if (entry.key == nullptr) return;
    const auto value = is_text(*entry.value) ? parse_decimal(entry.value->text) : std::nullopt;
    const bool whole = value && *value >= 0 && *value % kDecimalUnits == 0;
    if (value && (whole || !counts(out_.kind))) return out_.thresholds.push_back({comparison, *value, entry.value->span});
    bad_threshold_ = true;
    reporter_.report("S105", place(entry), fmt::format("`{}` must be a {}, not {}", entry.key->text, counts(out_.kind) ? "whole number of zero or more" : "decimal number", describe(*entry.value)));
  }

  void percentile(const Entry& entry) {
    if (entry.key == nullptr) return;
    if (out_.kind != CorrelationKind::kValuePercentile) return reporter_.report("S107", entry.key->span, fmt::format("{} takes no `percentile`", to_string(out_.kind)));
    const auto value = is_text(*entry.value) ? parse_decimal(entry.value->text) : std::nullopt;
    if (!value || *value < 0 || *value > Int128{100} * kDecimalUnits) return reporter_.report("S105", place(entry), fmt::format("`percentile` must be a number from 0 to 100, not {}", describe(*entry.value)));
    out_.percentile = value;
  }

  // At most one lower and one upper bound, or one `eq`; besides, one `neq`; and some number between them.
  void check_range(Span span) {
    const auto find_one = [&](Comparison comparison) -> const Threshold* {
      const auto found = std::ranges::find(out_.thresholds, comparison, &Threshold::comparison);
      return found == out_.thresholds.end() ? nullptr : &*found;
    };
    const Threshold* gt = find_one(Comparison::kGreater);
    const Threshold* gte = find_one(Comparison::kGreaterOrEqual);
    const Threshold* lt = find_one(Comparison::kLess);
    const Threshold* lte = find_one(Comparison::kLessOrEqual);
    const Threshold* eq = find_one(Comparison::kEqual);
    if ((gt && gte) || (lt && lte) || (eq && out_.thresholds.size() > 1)) return reporter_.report("S105", span, "the condition gives two bounds where one belongs");
    const Threshold* low = gt ? gt : gte;
    const Threshold* high = lt ? lt : lte;
    bool empty = low && high && (low->value > high->value || (low->value == high->value && (gt || lt)));
    if (counts(out_.kind)) {
      const Int128 least = gt ? gt->value + kDecimalUnits : gte ? gte->value : eq ? eq->value : 0;
      const Int128 most = lt ? lt->value - kDecimalUnits : lte ? lte->value : eq ? eq->value : least + kDecimalUnits;
      empty = empty || least > most || most < kDecimalUnits;  // a count is looked at when an event comes, so it is at least one
      if (is_temporal(out_.kind)) empty = empty || least > Int128{static_cast<int64_t>(out_.rules.size())} * kDecimalUnits;
    }
    if (empty) reporter_.report("S105", span, "no number can satisfy this condition");
  }

  void words(const Entry& entry) {
    if (!is_temporal(out_.kind)) return reporter_.report("S107", entry.key->span, fmt::format("{} takes no condition in words, and this is {}", to_string(out_.kind), describe(*entry.value)), "write a map such as `gte: 10`");
    std::vector<Selection> names;
    for (const Name& rule : out_.rules) names.push_back({rule.text, rule.span, {}});
    std::vector<bool> used(names.size(), false);
    const YamlNode& node = *entry.value;
    const bool verbatim = text_.substr(std::min<size_t>(node.offset, text_.size()), node.text.size()) == node.text;
    Diagnostics found;  // the same grammar as in rules, in other words
    Reporter inner("", found);
    out_.expression = parse_conditions({{node.text, node.span, verbatim}}, names, used, inner);
    for (const Diagnostic& d : found) {
      std::string message = d.message;
      for (const std::string_view from : {"search identifier"}) {
        for (size_t at = message.find(from); at != std::string::npos; at = message.find(from, at)) message.replace(at, from.size(), "rule of this correlation");
      }
      reporter_.report("S106", d.span, message, d.code == "S061" ? d.help : "");
    }
    for (size_t i = 0; i < used.size() && found.empty(); ++i) {
      if (!used[i]) reporter_.report("S113", out_.rules[i].span, fmt::format("the rule {} does not occur in the condition", quote(out_.rules[i].text)));
    }
  }

  void aliases() {
    const Entry entry = find(*map_, "aliases");
    if (entry.key == nullptr) return;
    if (entry.value->kind != YamlKind::kMap || entry.value->children.empty()) return wrong_kind(place(entry), fmt::format("`aliases` must be a map from aliases to rules and fields, not {}", describe(*entry.value)));
    const YamlNode& map = *entry.value;
    if (map.children.size() / 2 > limits::kCorrelationFieldsMax * 2) return reporter_.report("S115", entry.key->span, fmt::format("{} aliases are too many", map.children.size() / 2));
    std::vector<std::string_view> known;
    for (const Name& rule : out_.rules) known.push_back(rule.text);
    for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
      const YamlNode& key = document_.at(map.children[i]);
      const YamlNode& value = document_.at(map.children[i + 1]);
      FieldAlias alias{{key.text, key.span}, {}};
      if (value.kind != YamlKind::kMap || value.children.empty()) {
        wrong_kind(place({&key, &value}), fmt::format("the alias {} must be a map from rules to fields, not {}", quote(key.text), describe(value)));
        continue;
      }
      for (size_t j = 0; j + 1 < value.children.size(); j += 2) {
        const YamlNode& rule = document_.at(value.children[j]);
        const YamlNode& field = document_.at(value.children[j + 1]);
        const auto at = std::ranges::find(out_.rules, rule.text, &Name::text);
        if (at == out_.rules.end()) {
          const auto like = nearest(rule.text, known);
          reporter_.report("S109", rule.span, fmt::format("the alias {} names {}, which is not in `rules`", quote(key.text), quote(rule.text)), like ? fmt::format("did you mean {}?", quote(*like)) : "");
        } else if (!is_text(field)) {
          wrong_kind(place({&rule, &field}), fmt::format("the field of an alias must be text, not {}", describe(field)));
        } else {
          warn_of_number(field, "the field of an alias", reporter_);
          alias.sources.push_back({static_cast<uint32_t>(at - out_.rules.begin()), {field.text, field.span}});
        }
      }
      out_.aliases.push_back(std::move(alias));
    }
  }

  void use_of_aliases() {
    for (const FieldAlias& alias : out_.aliases) {
      const auto names_it = [&](const Name& field) { return field.text == alias.name.text; };
      if (std::ranges::none_of(out_.group_by, names_it) && std::ranges::none_of(out_.fields, names_it)) {
        reporter_.report("S111", alias.name.span, fmt::format("the alias {} is not used", quote(alias.name.text)));
        continue;
      }
      for (uint32_t rule = 0; rule < out_.rules.size(); ++rule) {
        if (std::ranges::find(alias.sources, rule, &FieldAlias::Source::rule) != alias.sources.end()) continue;
        reporter_.report("S112", alias.name.span, fmt::format("the alias {} has no field for the rule {}", quote(alias.name.text), quote(out_.rules[rule].text)));
      }
    }
  }

  void generate(const YamlNode& root) {
    const Entry inner = find(*map_, "generate");
    const Entry outer = find(root, "generate");
    const Entry entry = inner.key != nullptr ? inner : outer;  // 2.1.0 lists it beside `level`, tools read it inside
    if (entry.key == nullptr) return;
    if (entry.value->kind != YamlKind::kScalar || entry.value->type != ValueKind::kBoolean) return wrong_kind(place(entry), fmt::format("`generate` must be true or false, not {}", describe(*entry.value)));
    out_.generate = to_ascii_lower(entry.value->text) == "true";
    if (inner.key != nullptr && outer.key != nullptr && inner.value->text != outer.value->text) wrong_kind(outer.key->span, "`generate` is given twice, with different values");
  }

  void first_event() {
    if (!counts(out_.kind) || out_.thresholds.empty()) return;
    const bool holds = std::ranges::all_of(out_.thresholds, [](const Threshold& t) {
      const Int128 one = kDecimalUnits;
      switch (t.comparison) {
        case Comparison::kGreater: return one > t.value;
        case Comparison::kGreaterOrEqual: return one >= t.value;
        case Comparison::kLess: return one < t.value;
        case Comparison::kLessOrEqual: return one <= t.value;
        case Comparison::kEqual: return one == t.value;
        case Comparison::kNotEqual: return one != t.value;
      }
      return false;
    });
    if (holds) reporter_.report("S114", out_.thresholds.front().span, "the condition holds with the first event already");
  }

  const YamlDocument& document_;
  std::string_view text_;
  Correlation& out_;
  Reporter& reporter_;
  const YamlNode* map_ = nullptr;
  bool has_kind_ = false;
  bool bad_threshold_ = false;
};

}  // namespace

std::string_view to_string(CorrelationKind kind) { return kKinds[static_cast<size_t>(kind)]; }

bool read_correlation(const YamlDocument& document, const YamlNode& root, std::string_view text, Correlation& correlation, Reporter& reporter) {
  return CorrelationReader(document, text, correlation, reporter).read(root);
}

}  // namespace creance::sigma
