#include "compiler/correlations.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "base/text.hpp"
#include "channel/correlation_writer.hpp"
#include "compiler/fingerprint.hpp"
#include "schema/event_time.hpp"

namespace creance::compiler {
namespace {

using channel::CorrelationDraft;
using channel::CorrelationRecord;
using channel::FeedRecord;
using channel::MeasureKind;
using sigma::CorrelationKind;

channel::Wide wide(Int128 value) { return std::bit_cast<channel::Wide>(value); }

MeasureKind kind_of(const sigma::Correlation& c) {
  switch (c.kind) {
    case CorrelationKind::kEventCount: return MeasureKind::kEvents;
    case CorrelationKind::kValueCount: return MeasureKind::kValues;
    case CorrelationKind::kTemporal: return MeasureKind::kRules;
    case CorrelationKind::kTemporalOrdered: return MeasureKind::kRulesInOrder;
    case CorrelationKind::kValueSum: return MeasureKind::kSum;
    case CorrelationKind::kValueMax: return MeasureKind::kMax;
    case CorrelationKind::kValueMin: return MeasureKind::kMin;
    case CorrelationKind::kValueAvg: return MeasureKind::kAverage;
    case CorrelationKind::kValuePercentile: return c.percentile ? MeasureKind::kPercentile : MeasureKind::kShare;
    case CorrelationKind::kValueMedian: return MeasureKind::kPercentile;
  }
  return MeasureKind::kEvents;
}

// ---- conditions in words: the ways in which they hold, each as rules that are there and rules that are not

using Term = std::pair<uint32_t, uint32_t>;  // required, forbidden
using Terms = std::set<Term>;

// Without those that another one implies, and without those that contradict themselves.
Terms reduced(const Terms& terms) {
  Terms out;
  for (const Term& term : terms) {
    if ((term.first & term.second) != 0) continue;
    const auto implied = [&](const Term& other) { return other != term && (other.first & ~term.first) == 0 && (other.second & ~term.second) == 0; };
    if (std::ranges::none_of(terms, implied)) out.insert(term);
  }
  return out;
}

// Nothing: more than limits::kCorrelationTermsMax of them. Children stand before their parents, so no recursion is needed: each node, and its negation, in turn.
std::optional<Terms> terms_of(const std::vector<sigma::ConditionNode>& nodes) {
  std::vector<std::array<Terms, 2>> done;  // plain, negated
  for (const sigma::ConditionNode& node : nodes) {
    std::array<Terms, 2> both;
    if (node.kind == sigma::NodeKind::kSelection) {
      both = {Terms{{1u << node.selection, 0}}, Terms{{0, 1u << node.selection}}};
    } else if (node.kind == sigma::NodeKind::kNot) {
      both = {done[node.children[0]][1], done[node.children[0]][0]};
    } else {
      for (const size_t side : {0u, 1u}) {
        const bool all = (node.kind == sigma::NodeKind::kAnd) == (side == 0);
        Terms sum = all ? Terms{{0, 0}} : Terms{};
        for (const uint32_t child : node.children) {
          Terms next = all ? Terms{} : sum;
          if (!all) next.insert(done[child][side].begin(), done[child][side].end());
          for (const Term& a : all ? sum : Terms{}) {
            for (const Term& b : done[child][side]) next.insert({a.first | b.first, a.second | b.second});
          }
          sum = reduced(next);
          if (sum.size() > limits::kCorrelationTermsMax * 4) return std::nullopt;  // a larger middle may still shrink
        }
        both[side] = std::move(sum);
      }
    }
    done.push_back(std::move(both));
  }
  if (done.back()[0].size() > limits::kCorrelationTermsMax) return std::nullopt;
  return done.back()[0];
}

// ---- the file

class Builder {
 public:
  Builder(std::span<const sigma::Correlation> correlations, std::span<const sigma::Rule> rules, std::span<const std::vector<const schema::TemplateType*>> runs_over, Diagnostics& diagnostics, uint64_t state_bytes)
      : correlations_(correlations), rules_(rules), runs_over_(runs_over), diagnostics_(diagnostics), state_bytes_(state_bytes), references_(sigma::references(correlations, rules)) {}

  Result<CompiledCorrelations> run(std::span<const sigma::LinkedCorrelation> linked) {
    plans_.resize(correlations_.size());
    runs_.assign(correlations_.size(), false);
    for (const sigma::LinkedCorrelation& each : linked) {
      runs_[each.index] = plan(each);
      if (!runs_[each.index]) plans_[each.index].feeds.clear();  // so that none refers to it
    }
    CompiledCorrelations out;
    out.held = hold(linked);
    for (const sigma::LinkedCorrelation& each : linked) {
      if (runs_[each.index]) kept_.push_back(&each);
    }
    if (kept_.empty()) return out;
    for (size_t i = 0; i < kept_.size(); ++i) plans_[kept_[i]->index].position = static_cast<uint32_t>(i);
    add_sources();
    for (const sigma::LinkedCorrelation* each : kept_) add_correlation(*each);
    wire();
    draft_.state_bytes = state_bytes_;
    TRY(built_.bytes, channel::write(draft_));
    out.built = std::move(built_);
    return out;
  }

 private:
  struct Feed {
    uint32_t rule;
    uint32_t leaf;  // index of the rule
    const schema::TemplateType* type;
    std::optional<uint32_t> from;  // index of the correlation
    std::vector<uint32_t> columns;
  };
  struct Plan {
    const sigma::LinkedCorrelation* linked = nullptr;
    std::vector<Feed> feeds;
    Terms terms;
    uint32_t position = 0;  // in the file
  };

  bool refuse(const sigma::Correlation& c, std::string_view code, Span span, std::string message, std::string help) {
    diagnostics_.push_back({c.file, span, Severity::kError, std::string(code), std::move(message), std::move(help)});
    return false;
  }

  // The one that refers to `what`, does not run, and says why `what` must not report by itself; nothing: it may, or it is counted by one that runs.
  const sigma::Correlation* holder_of(const sigma::Target& what) const {
    const sigma::Correlation* holder = nullptr;
    for (uint32_t i = 0; i < correlations_.size(); ++i) {
      if (std::ranges::find(references_[i], what) == references_[i].end() || what == sigma::Target{true, i}) continue;
      if (correlations_[i].generate || runs_[i]) return nullptr;
      if (holder == nullptr) holder = &correlations_[i];
    }
    return holder;
  }

  void report_held(const sigma::Metadata& what, const sigma::Correlation& holder) {
    diagnostics_.push_back({what.file, what.span, Severity::kError, "C047", fmt::format("{} is held: it reports only through the correlation {} ({}:{}), which does not run", sigma::quote(what.title), sigma::quote(holder.title), holder.file, holder.span.line),
                            "correct the correlation, or give it `generate: true` if the rules that it names are findings by themselves"});
  }

  // Whatever only correlations that do not run refer to does not run either: first correlations, those that refer before those that they refer to, then rules.
  std::vector<uint32_t> hold(std::span<const sigma::LinkedCorrelation> linked) {
    for (size_t i = linked.size(); i-- > 0;) {
      const sigma::Correlation* holder = runs_[linked[i].index] ? holder_of({true, linked[i].index}) : nullptr;
      if (holder == nullptr) continue;
      runs_[linked[i].index] = false;
      report_held(correlations_[linked[i].index], *holder);
    }
    std::set<uint32_t> named;
    for (const auto& targets : references_) {
      for (const sigma::Target& target : targets) {
        if (!target.is_correlation) named.insert(target.index);
      }
    }
    std::vector<uint32_t> held;
    for (const uint32_t rule : named) {
      const sigma::Correlation* holder = holder_of({false, rule});
      if (holder == nullptr) continue;
      held.push_back(rule);
      if (!runs_over_[rule].empty()) report_held(rules_[rule], *holder);
    }
    return held;
  }

  // The first rule of a correlation by which a leaf comes; where it comes by several, the first one's aliases count.
  uint32_t rule_with(uint32_t correlation, uint32_t leaf) const {
    for (const Feed& feed : plans_[correlation].feeds) {
      if (feed.leaf == leaf) return feed.rule;
    }
    return 0;
  }

  // What a field or alias of a correlation is called in the events of a leaf.
  std::string field_name(uint32_t correlation, uint32_t rule, const std::string& name, uint32_t leaf) const {
    std::string field = name;
    while (true) {
      for (const sigma::FieldAlias& alias : correlations_[correlation].aliases) {
        if (alias.name.text != field) continue;
        const auto source = std::ranges::find(alias.sources, rule, &sigma::FieldAlias::Source::rule);
        if (source == alias.sources.end()) continue;
        field = source->field.text;
        break;
      }
      const sigma::Target& target = plans_[correlation].linked->targets[rule];
      if (!target.is_correlation) return sigma::mapped_field(rules_[leaf], field);
      correlation = target.index;
      rule = rule_with(correlation, leaf);
    }
  }

  // The feed of one leaf over one Type; nothing, with what is missing, if the Type does not have a field.
  std::optional<Feed> feed_of(const sigma::Correlation& c, uint32_t index, uint32_t rule, uint32_t leaf, const schema::TemplateType& type, std::string& missing) const {
    Feed feed{rule, leaf, &type, std::nullopt, {}};
    std::vector<sigma::Name> names = c.group_by;
    names.insert(names.end(), c.fields.begin(), c.fields.end());
    for (const sigma::Name& name : names) {
      const std::string field = field_name(index, rule, name.text, leaf);
      const auto input = type.input_index(field);
      if (!input) {
        missing = field;
        return std::nullopt;
      }
      feed.columns.push_back(*input);
    }
    return feed;
  }

  static std::string like(const schema::TemplateType& type, std::string_view field) {
    std::vector<std::string_view> names;
    for (const schema::InputDefinition& input : type.inputs) names.push_back(input.name);
    const auto found = nearest(field, names);
    return found ? fmt::format("did you mean `{}`? An alias gives a field another name for each rule", *found) : "use an input of the Type, or an alias that gives the field another name for each rule";
  }

  // Adds the feeds of one leaf; false: none of its Types has all the fields.
  bool add_leaf(const sigma::Correlation& c, uint32_t index, uint32_t rule, uint32_t leaf, const std::vector<const schema::TemplateType*>& types, std::optional<uint32_t> from) {
    std::vector<Diagnostic> lacking;
    bool any = false;
    for (const schema::TemplateType* type : types) {
      std::string missing;
      auto feed = feed_of(c, index, rule, leaf, *type, missing);
      if (feed) {
        feed->from = from;
        plans_[index].feeds.push_back(std::move(*feed));
        any = true;
        continue;
      }
      lacking.push_back({c.file, c.rules[rule].span, Severity::kError, "C042", fmt::format("{} is no input of {}, over which the rule {} runs", sigma::quote(missing), sigma::quote(type->id), sigma::quote(rules_[leaf].title)), like(*type, missing)});
    }
    for (Diagnostic& d : lacking) {
      if (any) {
        d.severity = Severity::kNote;
        d.code = "C043";
        d.help = "the correlation does not see the matches of the rule over this Type; nothing to do if this is meant";
      }
      diagnostics_.push_back(std::move(d));
    }
    return any;
  }

  bool plan(const sigma::LinkedCorrelation& linked) {
    const sigma::Correlation& c = correlations_[linked.index];
    Plan& plan = plans_[linked.index];
    plan.linked = &linked;
    for (uint32_t rule = 0; rule < linked.targets.size(); ++rule) {
      const sigma::Target& target = linked.targets[rule];
      if (!target.is_correlation) {
        const sigma::Rule& leaf = rules_[target.index];
        if (leaf.id.empty()) return refuse(c, "C041", c.rules[rule].span, fmt::format("the rule {} has no id", sigma::quote(leaf.title)), "give the rule a UUID; its matches are told apart by it");
        if (runs_over_[target.index].empty()) return refuse(c, "C041", c.rules[rule].span, fmt::format("the rule {} does not run", sigma::quote(leaf.title)), fmt::format("see the diagnostics of {}", leaf.file));
        if (!add_leaf(c, linked.index, rule, target.index, runs_over_[target.index], std::nullopt)) return false;
        continue;
      }
      const Plan& inner = plans_[target.index];
      if (inner.feeds.empty()) return refuse(c, "C041", c.rules[rule].span, fmt::format("the correlation {} does not run", sigma::quote(correlations_[target.index].title)), fmt::format("see the diagnostics of {}", correlations_[target.index].file));
      std::map<uint32_t, std::set<std::string_view>> leaves;  // of the inner correlation, with their Types
      std::map<std::string_view, const schema::TemplateType*> types;
      for (const Feed& feed : inner.feeds) {
        leaves[feed.leaf].insert(feed.type->id);
        types[feed.type->id] = feed.type;
      }
      for (const auto& [leaf, ids] : leaves) {
        std::vector<const schema::TemplateType*> over;
        for (const std::string_view id : ids) over.push_back(types[id]);
        if (!add_leaf(c, linked.index, rule, leaf, over, target.index)) return false;
      }
    }
    return plan_condition(c, plan);
  }

  bool plan_condition(const sigma::Correlation& c, Plan& plan) {
    const uint64_t room = std::min<uint64_t>(limits::kCorrelationEntriesMax, channel::state_cells(state_bytes_) / 2);
    for (const sigma::Threshold& t : c.thresholds) {
      if (sigma::counts(c.kind) && t.value > static_cast<Int128>(room) * kDecimalUnits) return refuse(c, "C044", t.span, fmt::format("the state can hold {} events of a group, not more", room), "lower the threshold, or shorten the timespan and chain correlations");
    }
    if (c.expression.empty()) return true;
    const auto terms = terms_of(c.expression);
    if (!terms) return refuse(c, "C045", c.correlation_span, fmt::format("the condition can hold in more than {} ways", limits::kCorrelationTermsMax), "write several correlations");
    plan.terms = *terms;
    const auto possible = [](const Term& term) { return term.first != 0; };  // an event of a rule that must not be there shows nothing
    if (std::ranges::none_of(plan.terms, possible)) return refuse(c, "C046", c.correlation_span, "the condition can never hold", "it must need the presence of at least one rule");
    return true;
  }

  void add_sources() {
    std::map<std::string_view, const schema::TemplateType*> types;
    std::map<std::pair<std::string_view, std::string_view>, BuiltCorrelations::Source> sources;
    for (const sigma::LinkedCorrelation* each : kept_) {
      for (const Feed& feed : plans_[each->index].feeds) {
        types[feed.type->id] = feed.type;
        sources[{feed.type->id, rules_[feed.leaf].id}] = {feed.type, feed.leaf};
      }
    }
    std::map<std::string_view, uint32_t> position;
    for (const auto& [id, type] : types) {
      position[id] = static_cast<uint32_t>(draft_.types.size());
      draft_.types.push_back({draft_.add_text(id), type->fingerprint, static_cast<uint32_t>(type->inputs.size()), 0, draft_.add_numbers(schema::time_inputs(*type))});
    }
    for (const auto& [key, source] : sources) {
      source_at_[{source.type, source.rule}] = static_cast<uint32_t>(built_.sources.size());
      built_.sources.push_back(source);
      draft_.sources.push_back({position[key.first], is_silent({false, source.rule}) ? channel::kSilent : 0, draft_.add_text(key.second), {0, 0}});
    }
  }

  // Referred to, and by nobody that asks for it to report by itself as well (`generate`).
  bool is_silent(const sigma::Target& what) const {
    bool referred = false;
    for (const sigma::LinkedCorrelation* each : kept_) {
      const bool refers = std::ranges::any_of(each->targets, [&](const sigma::Target& t) { return t.is_correlation == what.is_correlation && t.index == what.index; });
      if (refers && correlations_[each->index].generate) return false;
      referred = referred || refers;
    }
    return referred;
  }

  void add_bounds(const sigma::Correlation& c, CorrelationRecord& record) const {
    if (!c.expression.empty()) return;
    std::vector<sigma::Threshold> thresholds = c.thresholds;
    if (thresholds.empty()) thresholds.push_back({sigma::Comparison::kEqual, Int128{static_cast<int64_t>(c.rules.size())} * kDecimalUnits, {}});
    for (const sigma::Threshold& t : thresholds) {
      const auto low = [&](bool open) { record.low = wide(t.value), record.bounds |= channel::kHasLow | (open ? channel::kLowOpen : 0); };
      const auto high = [&](bool open) { record.high = wide(t.value), record.bounds |= channel::kHasHigh | (open ? channel::kHighOpen : 0); };
      switch (t.comparison) {
        case sigma::Comparison::kGreater: low(true); break;
        case sigma::Comparison::kGreaterOrEqual: low(false); break;
        case sigma::Comparison::kLess: high(true); break;
        case sigma::Comparison::kLessOrEqual: high(false); break;
        case sigma::Comparison::kEqual: low(false), high(false); break;
        case sigma::Comparison::kNotEqual: record.unequal = wide(t.value), record.bounds |= channel::kHasUnequal; break;
      }
    }
  }

  std::array<uint8_t, 32> digest_of(const sigma::Correlation& c, const Plan& plan) {
    Fingerprint print;
    print.add(static_cast<Int128>(kind_of(c)));
    print.add(c.timespan_us);
    print.add(c.percentile.value_or(0));
    for (const sigma::Threshold& t : c.thresholds) {
      print.add(static_cast<Int128>(t.comparison));
      print.add(t.value);
    }
    for (const sigma::ConditionNode& node : c.expression) print.add(node);
    print.add(static_cast<Int128>(c.group_by.size()));
    for (const Feed& feed : plan.feeds) {
      print.add(static_cast<Int128>(feed.rule));
      print.add(feed.type->id);
      for (const uint32_t column : feed.columns) print.add(feed.type->inputs[column].name);
      print.add(rules_[feed.leaf]);
      if (feed.from) print.add(as_text(digests_.at(*feed.from)));
    }
    return digests_[plan.linked->index] = print.digest();
  }

  void add_correlation(const sigma::LinkedCorrelation& linked) {
    const sigma::Correlation& c = correlations_[linked.index];
    Plan& plan = plans_[linked.index];
    CorrelationRecord record{};
    record.rule_id = draft_.add_text(c.id);
    record.title = draft_.add_text(c.title);
    record.level = draft_.add_text(sigma::to_string(c.level));
    record.author = draft_.add_text(c.author);
    record.tags = draft_.add_texts(c.tags);
    record.references = draft_.add_texts(c.references);
    std::vector<std::string> names;
    for (const sigma::Name& name : c.group_by) names.push_back(name.text);
    record.group_names = draft_.add_texts(names);
    record.kind = kind_of(c);
    record.rule_count = static_cast<uint8_t>(c.rules.size());
    record.value_count = static_cast<uint8_t>(c.fields.size());
    record.flags = is_silent({true, linked.index}) ? channel::kSilent : 0;
    record.timespan_us = c.timespan_us;
    add_bounds(c, record);
    if (record.kind == MeasureKind::kPercentile) record.percentile = static_cast<uint64_t>(c.percentile.value_or(Int128{50} * kDecimalUnits));
    if (!plan.terms.empty()) record.terms = {static_cast<uint32_t>(draft_.terms.size()), static_cast<uint32_t>(plan.terms.size())};
    for (const Term& term : plan.terms) draft_.terms.push_back({term.first, term.second});
    std::ranges::sort(plan.feeds, {}, [&](const Feed& feed) { return std::pair(feed.rule, source_at_.at({feed.type, feed.leaf})); });
    record.feeds = {static_cast<uint32_t>(draft_.feeds.size()), static_cast<uint32_t>(plan.feeds.size())};
    for (const Feed& feed : plan.feeds) {
      draft_.feeds.push_back({static_cast<uint32_t>(draft_.correlations.size()), feed.rule, source_at_.at({feed.type, feed.leaf}), feed.from ? plans_[*feed.from].position : channel::kFromSource, draft_.add_numbers(feed.columns)});
    }
    record.digest = digest_of(c, plan);
    draft_.correlations.push_back(record);
    built_.correlations.push_back(linked.index);
  }

  void wire() {
    std::vector<std::vector<uint32_t>> of_source(draft_.sources.size());
    std::vector<std::vector<uint32_t>> of_correlation(draft_.correlations.size());
    for (uint32_t i = 0; i < draft_.feeds.size(); ++i) {
      const FeedRecord& feed = draft_.feeds[i];
      (feed.from == channel::kFromSource ? of_source[feed.source] : of_correlation[feed.from]).push_back(i);
    }
    for (size_t i = 0; i < of_source.size(); ++i) draft_.sources[i].feeds = draft_.add_numbers(of_source[i]);
    for (size_t i = 0; i < of_correlation.size(); ++i) draft_.correlations[i].feeds_out = draft_.add_numbers(of_correlation[i]);
  }

  std::span<const sigma::Correlation> correlations_;
  std::span<const sigma::Rule> rules_;
  std::span<const std::vector<const schema::TemplateType*>> runs_over_;
  Diagnostics& diagnostics_;
  uint64_t state_bytes_;
  std::vector<std::vector<sigma::Target>> references_;  // by index of the correlation, refused ones too
  std::vector<Plan> plans_;  // by index of the correlation
  std::vector<bool> runs_;   // likewise
  std::vector<const sigma::LinkedCorrelation*> kept_;
  std::map<std::pair<const schema::TemplateType*, uint32_t>, uint32_t> source_at_;
  std::map<uint32_t, std::array<uint8_t, 32>> digests_;
  CorrelationDraft draft_;
  BuiltCorrelations built_;
};

}  // namespace

Result<CompiledCorrelations> compile_correlations(std::span<const sigma::Correlation> correlations, std::span<const sigma::Rule> rules,
                                                  std::span<const std::vector<const schema::TemplateType*>> runs_over, Diagnostics& diagnostics, uint64_t state_bytes) {
  if (correlations.empty()) return CompiledCorrelations{};
  // The order of the given ones must not show.
  std::vector<uint32_t> order(correlations.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::stable_sort(order, {}, [&](uint32_t i) { return std::tie(correlations[i].id, correlations[i].file, correlations[i].span.line); });
  std::vector<sigma::Correlation> sorted;
  for (const uint32_t i : order) sorted.push_back(correlations[i]);
  const std::vector<sigma::LinkedCorrelation> linked = sigma::link(sorted, rules, diagnostics);
  TRY(CompiledCorrelations compiled, Builder(sorted, rules, runs_over, diagnostics, state_bytes).run(linked));
  if (compiled.built) {
    for (uint32_t& index : compiled.built->correlations) index = order[index];
  }
  return compiled;
}

}  // namespace creance::compiler
