#include "reference/correlation.hpp"

#include <algorithm>
#include <set>

#include "base/check.hpp"
#include "base/correlation_limits.hpp"

namespace creance::reference {
namespace {

using sigma::CorrelationKind;

// A decimal number in units of 10^-9, by the words of docs/adr/0040, apart from base/decimal.hpp: at most 18 digits before the point, digits behind the ninth are cut.
std::optional<Int128> number_in(const std::string& text) {
  size_t at = 0;
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) at = 1;
  const size_t point = std::min(text.find('.', at), text.size());
  const std::string whole = text.substr(at, point - at);
  std::string fraction = point < text.size() ? text.substr(point + 1) : "0";
  const auto all_digits = [](const std::string& s) { return !s.empty() && s.find_first_not_of("0123456789") == std::string::npos; };
  if (!all_digits(whole) || !all_digits(fraction)) return std::nullopt;
  const size_t significant = whole.find_first_not_of('0');
  if (significant != std::string::npos && whole.size() - significant > 18) return std::nullopt;
  fraction.resize(9, '0');
  Int128 value = 0;
  for (const char c : whole + fraction) value = value * 10 + (c - '0');
  return negative ? -value : value;
}

// number / divisor against a threshold.
bool holds(const sigma::Threshold& threshold, Int128 number, Int128 divisor) {
  const Int128 other = threshold.value * divisor;
  switch (threshold.comparison) {
    case sigma::Comparison::kGreater: return number > other;
    case sigma::Comparison::kGreaterOrEqual: return number >= other;
    case sigma::Comparison::kLess: return number < other;
    case sigma::Comparison::kLessOrEqual: return number <= other;
    case sigma::Comparison::kEqual: return number == other;
    case sigma::Comparison::kNotEqual: return number != other;
  }
  return false;
}

using RuleSet = std::set<uint32_t>;

// The condition in words. `there`: rules whose plain mention holds; `anywhere`: rules that a `not` looks for.
bool words_hold(const std::vector<sigma::ConditionNode>& nodes, uint32_t at, bool negated, const RuleSet& there, const RuleSet& anywhere) {
  const sigma::ConditionNode& node = nodes[at];
  const auto child = [&](uint32_t index) { return words_hold(nodes, index, negated, there, anywhere); };
  switch (node.kind) {
    case sigma::NodeKind::kSelection: return (negated ? anywhere : there).contains(node.selection);
    case sigma::NodeKind::kAnd: return std::all_of(node.children.begin(), node.children.end(), child);
    case sigma::NodeKind::kOr: return std::any_of(node.children.begin(), node.children.end(), child);
    case sigma::NodeKind::kNot: return !words_hold(nodes, node.children.at(0), !negated, there, anywhere);
  }
  return false;
}

// Every set of rules that occurs as a chain in this order: later in the list, later in time, each link another event.
std::set<RuleSet> chains(const std::vector<RuleSet>& events) {
  std::set<RuleSet> known{{}};
  for (const RuleSet& event : events) {
    std::set<RuleSet> longer = known;
    for (const RuleSet& chain : known) {
      for (const uint32_t rule : event) {
        if (!chain.empty() && *chain.rbegin() >= rule) continue;
        RuleSet more = chain;
        more.insert(rule);
        longer.insert(std::move(more));
      }
    }
    known = std::move(longer);
  }
  return known;
}

}  // namespace

CorrelationJudge::CorrelationJudge(std::span<const sigma::Correlation> correlations, std::span<const sigma::LinkedCorrelation> linked, std::span<const sigma::Rule> rules)
    : correlations_(correlations), linked_(linked), rules_(rules), groups_(linked.size()) {}

// The first rule of a correlation that leads to a rule of the set, directly or through other correlations.
std::optional<uint32_t> CorrelationJudge::first_rule_with(uint32_t correlation, uint32_t leaf) const {
  const auto self = std::find_if(linked_.begin(), linked_.end(), [&](const auto& l) { return l.index == correlation; });
  CHECK(self != linked_.end());
  for (uint32_t rule = 0; rule < self->targets.size(); ++rule) {
    const sigma::Target& target = self->targets[rule];
    if (target.is_correlation ? first_rule_with(target.index, leaf).has_value() : target.index == leaf) return rule;
  }
  return std::nullopt;
}

// `hits`: correlation -> the leaves by which it was hit by this very event.
std::vector<CorrelationJudge::Arrival> CorrelationJudge::arrivals(const sigma::LinkedCorrelation& linked, const SeenEvent& event, const std::map<uint32_t, std::vector<uint32_t>>& hits) const {
  std::vector<Arrival> out;
  for (uint32_t rule = 0; rule < linked.targets.size(); ++rule) {
    const sigma::Target& target = linked.targets[rule];
    std::set<uint32_t> leaves;
    if (!target.is_correlation && std::ranges::find(event.rules, target.index) != event.rules.end()) leaves.insert(target.index);
    if (const auto found = hits.find(target.index); target.is_correlation && found != hits.end()) leaves.insert(found->second.begin(), found->second.end());
    std::vector<uint32_t> sorted(leaves.begin(), leaves.end());
    std::ranges::sort(sorted, {}, [&](uint32_t leaf) { return rules_[leaf].id; });
    for (const uint32_t leaf : sorted) out.push_back({rule, leaf});
  }
  return out;
}

// The event's values of fields or aliases; nothing if one of them has none.
std::optional<std::vector<std::string>> CorrelationJudge::values(uint32_t correlation, const Arrival& arrival, std::span<const sigma::Name> names, const SeenEvent& event) const {
  std::vector<std::string> out;
  for (const sigma::Name& name : names) {
    std::string field = name.text;
    uint32_t at = correlation;
    std::optional<uint32_t> rule = arrival.rule;
    while (true) {  // through the aliases of each correlation on the way to the rule
      const sigma::Correlation& c = correlations_[at];
      for (const sigma::FieldAlias& alias : c.aliases) {
        if (alias.name.text != field) continue;
        const auto source = std::ranges::find(alias.sources, *rule, &sigma::FieldAlias::Source::rule);
        if (source != alias.sources.end()) {
          field = source->field.text;
          break;
        }
      }
      const auto self = std::find_if(linked_.begin(), linked_.end(), [&](const auto& l) { return l.index == at; });
      const sigma::Target& target = self->targets[*rule];
      if (!target.is_correlation) break;
      at = target.index;
      rule = first_rule_with(at, arrival.leaf);
      CHECK(rule.has_value());
    }
    const auto input = event.type->input_index(sigma::mapped_field(rules_[arrival.leaf], field));
    if (!input || !event.inputs.values[*input].has_value()) return std::nullopt;
    out.emplace_back(event.inputs.values[*input].text().substr(0, limits::kInputBytesMax));
  }
  return out;
}

// docs/adr/0040-meaning-of-correlations.md, "Strands".
CorrelationJudge::Taken CorrelationJudge::strands_at(Group& group, int64_t time, int64_t timespan) {
  const auto newest = [](Group::iterator strand) { return strand->matches.back().time; };
  std::optional<Group::iterator> behind;  // the latest that it is not older than
  std::vector<Group::iterator> earlier;   // the others of those: what they saw of the same window, that one saw, too
  std::vector<Group::iterator> ahead;     // in which it is late
  for (auto strand = group.begin(); strand != group.end(); ++strand) {
    const int64_t n = newest(strand);
    if (time < n - timespan || time > n + timespan) continue;
    if (n > time) {
      ahead.push_back(strand);
    } else if (!behind || n > newest(*behind)) {
      if (behind) earlier.push_back(*behind);
      behind = strand;
    } else {
      earlier.push_back(strand);
    }
  }
  const auto use = [&](Group::iterator strand) { group.splice(group.end(), group, strand); };
  std::ranges::for_each(ahead, use);  // in the order of their use before
  std::ranges::sort(ahead, {}, newest);
  // Of those that do not take the event, and the one that it leaps from, the one that was used least recently.
  const auto oldest = [&] { return std::find_if(group.begin(), group.end(), [&](const Strand& strand) { return std::ranges::none_of(ahead, [&](Group::iterator each) { return &*each == &strand; }); }); };
  const bool full = group.size() == limits::kCorrelationStrandsMax;
  const auto begin_with = [&](Strand strand) {
    if (full) {
      const auto leaves = oldest();
      std::erase(earlier, leaves);
      group.erase(leaves);
    }
    return group.insert(group.end(), std::move(strand));
  };
  if (!behind && ahead.empty()) return {{begin_with({})}, {}};
  const int64_t step = behind ? time - newest(*behind) : 0;
  const bool leaps = step > 0 && step + std::min<int64_t>((*behind)->lag, limits::kCorrelationLagMax) > timespan / 2 && !(full && oldest() == *behind);
  Taken taken;
  if (leaps) {
    taken.by.push_back(begin_with(**behind));
    earlier.push_back(*behind);
  } else if (behind) {
    use(*behind);
    taken.by.push_back(*behind);
  }
  taken.by.insert(taken.by.end(), ahead.begin(), ahead.end());
  taken.left = std::move(earlier);
  return taken;
}

// The event comes to a strand of a group; what was counted, if that is a hit.
std::optional<int64_t> CorrelationJudge::judge(const sigma::Correlation& c, Strand& strand, const Match& match, bool numeric) {
  std::vector<Match>& all = strand.matches;
  const int64_t end = all.empty() ? match.time : std::max(match.time, all.back().time);
  std::erase_if(all, [&](const Match& m) { return m.time < end - c.timespan_us; });
  if (all.empty()) strand.holds = false;
  strand.lag = end - match.time;
  all.insert(std::upper_bound(all.begin(), all.end(), match.time, [](int64_t time, const Match& m) { return time < m.time; }), match);

  // What the condition looks at.
  const auto n = static_cast<int64_t>(all.size());
  std::set<std::vector<std::string>> different;
  std::vector<RuleSet> rules;
  RuleSet present;
  std::vector<Int128> numbers;
  for (const Match& m : all) {
    different.insert(m.values);
    rules.emplace_back(m.rules.begin(), m.rules.end());
    present.insert(m.rules.begin(), m.rules.end());
    if (numeric) numbers.push_back(*number_in(m.values.at(0)));
  }
  std::ranges::sort(numbers);
  Int128 sum = 0;
  for (const Int128 number : numbers) sum += number;
  constexpr Int128 kOne = 1'000'000'000;
  Int128 number = 0;
  Int128 divisor = 1;
  int64_t counted = n;
  switch (c.kind) {
    case CorrelationKind::kEventCount: number = n * kOne; break;
    case CorrelationKind::kValueCount: number = (counted = static_cast<int64_t>(different.size())) * kOne; break;
    case CorrelationKind::kTemporal: number = (counted = static_cast<int64_t>(present.size())) * kOne; break;
    case CorrelationKind::kTemporalOrdered: {
      size_t longest = 0;
      for (const RuleSet& chain : chains(rules)) longest = std::max(longest, chain.size());
      counted = static_cast<int64_t>(c.expression.empty() ? longest : present.size());
      number = counted * kOne;
      break;
    }
    case CorrelationKind::kValueSum: number = sum; break;
    case CorrelationKind::kValueAvg: number = sum, divisor = n; break;
    case CorrelationKind::kValueMax: number = numbers.back(); break;
    case CorrelationKind::kValueMin: number = numbers.front(); break;
    case CorrelationKind::kValueMedian:
    case CorrelationKind::kValuePercentile: {
      if (!numeric) {  // the share of the event's own value, in percent
        number = std::ranges::count(all, match.values, &Match::values) * 100 * kOne;
        divisor = n;
        break;
      }
      const Int128 percent = c.kind == CorrelationKind::kValueMedian ? 50 * kOne : *c.percentile;
      divisor = 100 * kOne;
      const Int128 place = percent * (n - 1);  // in units of 1/divisor
      const auto below = static_cast<size_t>(place / divisor);
      const size_t above = std::min<size_t>(below + 1, numbers.size() - 1);
      number = numbers[below] * (divisor - place % divisor) + numbers[above] * (place % divisor);
      break;
    }
  }
  bool condition = false;
  if (!c.expression.empty()) {
    const auto root = static_cast<uint32_t>(c.expression.size() - 1);
    if (c.kind == CorrelationKind::kTemporal) {
      condition = words_hold(c.expression, root, false, present, present);
    } else {
      const auto possible = chains(rules);
      condition = std::ranges::any_of(possible, [&](const RuleSet& chain) { return words_hold(c.expression, root, false, chain, present); });
    }
  } else if (c.thresholds.empty()) {
    condition = counted == static_cast<int64_t>(c.rules.size());
  } else {
    condition = std::ranges::all_of(c.thresholds, [&](const sigma::Threshold& t) { return holds(t, number, divisor); });
  }

  const bool uses_up = sigma::counts(c.kind) || c.kind == CorrelationKind::kValueSum;
  const bool each_time = c.kind == CorrelationKind::kValuePercentile && !numeric;
  const bool fires = condition && (uses_up || each_time || !strand.holds);
  strand.holds = condition;
  return fires ? std::optional(counted) : std::nullopt;
}

std::vector<SeenHit> CorrelationJudge::observe(const SeenEvent& event) {
  if (event.time_us) clock_ = *event.time_us;
  std::vector<SeenHit> out;
  std::map<uint32_t, std::vector<uint32_t>> leaves_of_hits;
  for (size_t position = 0; position < linked_.size(); ++position) {
    const sigma::LinkedCorrelation& linked = linked_[position];
    const sigma::Correlation& c = correlations_[linked.index];
    const bool numeric = !sigma::counts(c.kind) && !(c.kind == CorrelationKind::kValuePercentile && !c.percentile);
    // The event belongs to one group or, by aliases, to several; in each it counts once.
    struct Here {
      Match match;
      uint32_t leaf;
    };
    std::map<std::vector<std::string>, Here> here;
    for (const Arrival& arrival : arrivals(linked, event, leaves_of_hits)) {
      const auto group = values(linked.index, arrival, c.group_by, event);
      const auto fields = values(linked.index, arrival, c.fields, event);
      if (!group || !fields || (numeric && !number_in(fields->at(0)))) continue;
      auto [known, is_new] = here.try_emplace(*group, Here{{clock_, {}, *fields}, arrival.leaf});
      known->second.match.rules.push_back(arrival.rule);
    }
    for (const auto& [name, each] : here) {
      Group& group = groups_[position][name];
      const Taken taken = strands_at(group, clock_, c.timespan_us);
      std::optional<int64_t> hit;  // what was counted
      for (const Group::iterator strand : taken.by) {
        const auto counted = judge(c, *strand, each.match, numeric);
        if (!hit) hit = counted;
      }
      if (!hit) continue;
      out.push_back({linked.index, static_cast<uint32_t>(*hit), name});
      leaves_of_hits[linked.index].push_back(each.leaf);
      if (!(sigma::counts(c.kind) || c.kind == CorrelationKind::kValueSum)) continue;
      for (const Group::iterator strand : taken.by) group.erase(strand);
      for (const Group::iterator strand : taken.left) group.erase(strand);
    }
  }
  return out;
}

}  // namespace creance::reference
