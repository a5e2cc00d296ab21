#include "compiler/compile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "channel/cost.hpp"
#include "channel/regex_facts.hpp"
#include "channel/writer.hpp"
#include "compiler/decisions.hpp"
#include "compiler/index_builder.hpp"
#include "compiler/rule.hpp"
#include "compiler/selectivity.hpp"
#include "compiler/wake_plan.hpp"

namespace creance::compiler {
namespace {

using channel::Draft;
using channel::ListRef;
using channel::PredicateKind;
using channel::PredicateRecord;

// ---- predicates into a draft

ListRef add_glob(Draft& draft, const Pattern& pattern) {
  const ListRef ref{static_cast<uint32_t>(draft.glob_tokens.size()), static_cast<uint32_t>(pattern.size())};
  for (const Token& token : pattern) draft.glob_tokens.push_back({token.kind, token.text.empty() ? channel::TextRef{0, 0} : draft.add_text(token.text)});
  return ref;
}

ListRef add_regex(Draft& draft, const RegexProgram& program) {
  const auto first_class = static_cast<uint32_t>(draft.classes.size());
  for (const RegexClass& set : program.classes) {
    draft.classes.push_back({set.ascii, {static_cast<uint32_t>(draft.ranges.size()), static_cast<uint32_t>(set.ranges.size())}});
    draft.ranges.insert(draft.ranges.end(), set.ranges.begin(), set.ranges.end());
  }
  channel::RegexRecord record{.first_instruction = static_cast<uint32_t>(draft.instructions.size()), .instruction_count = static_cast<uint32_t>(program.instructions.size())};
  for (channel::InstructionRecord instruction : program.instructions) {
    if (instruction.kind == channel::InstructionKind::kClass) instruction.operand += first_class;
    draft.instructions.push_back(instruction);
  }
  const channel::RegexFacts facts = channel::regex_facts(std::span(draft.instructions).subspan(record.first_instruction), draft.classes, draft.ranges);
  record.first_bytes = facts.first_bytes;
  record.flags = facts.flags();
  draft.regexes.push_back(record);
  return {static_cast<uint32_t>(draft.regexes.size() - 1), 1};
}

void add_predicate(Draft& draft, const PredicateSpec& spec) {
  PredicateRecord record{.kind = spec.kind, .flags = spec.cased ? channel::kCased : uint8_t{0}, .input = spec.input, .other = spec.other};
  switch (spec.kind) {
    case PredicateKind::kEquals:
    case PredicateKind::kStartsWith:
    case PredicateKind::kEndsWith:
    case PredicateKind::kContains:
    case PredicateKind::kCidr: {
      const channel::TextRef text = draft.add_text(spec.text);
      record.operand = {text.offset, text.size};
      break;
    }
    case PredicateKind::kGlob: record.operand = add_glob(draft, spec.glob); break;
    case PredicateKind::kRegex: record.operand = add_regex(draft, *spec.regex); break;
    case PredicateKind::kLess:
    case PredicateKind::kLessOrEqual:
    case PredicateKind::kGreater:
    case PredicateKind::kGreaterOrEqual: record.extra = std::bit_cast<ListRef>(spec.number); break;
    case PredicateKind::kTimePart: record.extra = {static_cast<uint32_t>(spec.number), 0}; break;
    default: break;
  }
  draft.predicates.push_back(record);
}

// What testing a predicate costs, roughly, for the order of tests.
double effort_of(const PredicateRecord& p, const Draft& draft) {
  if ((p.flags & channel::kIndexed) != 0) return 0.1;
  const double values = p.input == channel::kEveryValue ? 20 : 1;
  switch (p.kind) {
    case PredicateKind::kPresent: return 0.5 * values;
    case PredicateKind::kContains: return 8 * values;
    case PredicateKind::kCidr: return 4;
    case PredicateKind::kGlob: return 20 * values;
    case PredicateKind::kRegex: return (100 + draft.regexes[p.operand.first].instruction_count) * values;
    case PredicateKind::kFieldContains: return 10;
    default: return 1 * values;
  }
}

// A literal is looked up rather than searched for if its rules are awake in at least so many of the events, and so many times as often as it is found (finding it costs a comparison).
constexpr double kOftenTested = 0.1;
constexpr double kTestedOverFound = 4;

// ---- the channel

struct Instance {
  const sigma::Rule* rule;
  CompiledRule compiled;  // leaves: the channel's predicates
};

class Compiler {
 public:
  Compiler(const schema::TemplateType& type, Diagnostics& diagnostics, const Options& options) : type_(type), diagnostics_(diagnostics), options_(options) {
    draft_.fingerprint = type.fingerprint;
    draft_.type_version = type.version;
    draft_.input_count = static_cast<uint32_t>(type.inputs.size());
    draft_.type_id = draft_.add_text(type.id);
  }

  Result<Bytes> run(std::vector<BoundRule> rules) {
    std::ranges::stable_sort(rules, {}, [](const BoundRule& b) {
      return std::tie(b.rule->id, b.rule->file, b.rule->span.line, b.rule->title);
    });
    for (const BoundRule& bound : rules) add_rule(bound);
    if (instances_.size() > limits::kInstancesPerChannelMax) {
      return fail(ErrorCode::kTooLarge, fmt::format("{} would have {} instances, at most {} are allowed", type_.id, instances_.size(), limits::kInstancesPerChannelMax));
    }
    plan_wake_up();
    for (size_t i = 0; i < instances_.size(); ++i) write_instance(i);
    build_indexes(draft_, grams_);
    return finish();
  }

 private:
  void refuse(const sigma::Rule& rule, std::string_view code, std::string message, std::string help) {
    diagnostics_.push_back({rule.file, rule.span, Severity::kError, std::string(code), std::move(message), std::move(help)});
  }

  static bool can_be_indexed(const PredicateRecord& p, const Draft& draft) { return std::isfinite(wake_weight(p, literal_of(p, draft), 0)); }

  // The worst case of one rule alone, before it touches the channel; with its texts tested one by one, or all of them found through an index.
  uint64_t steps_of(const CompiledRule& compiled, bool indexed) const {
    Draft alone;
    std::set<std::string> seen;
    for (const PredicateSpec& spec : compiled.predicates) {
      if (!seen.insert(spec.key()).second) continue;
      add_predicate(alone, spec);
      if (indexed && can_be_indexed(alone.predicates.back(), alone)) alone.predicates.back().flags |= channel::kIndexed;
    }
    channel::Header header{};
    alone.input_count = draft_.input_count;
    build_indexes(alone);
    return channel::channel_cost(channel::view(alone, header)).bound;
  }

  void refuse_for_cost(const sigma::Rule& rule, const CompiledRule& compiled, uint64_t steps, uint64_t limit) {
    size_t tested = 0;
    for (const PredicateSpec& spec : compiled.predicates) tested += spec.cased || spec.kind < PredicateKind::kEquals || spec.kind > PredicateKind::kContains ? 1 : 0;
    refuse(rule, "C030", fmt::format("one event could cost this rule {} steps, at most {} are allowed; {} of its {} tests are regular expressions, have wildcards inside, are `cased` or compare numbers, and are made one by one", steps, limit, tested, compiled.predicates.size()),
           fmt::format("use fewer of these, shorter repeats in regular expressions, or split the rule into {} or more", steps / limit + 1));
  }

  void add_rule(const BoundRule& bound) {
    const sigma::Rule& rule = *bound.rule;
    std::optional<CompiledRule> compiled = compile_rule(type_, bound, diagnostics_);
    if (!compiled) return;
    const uint64_t limit = std::min(options_.instance_steps_max, limits::kInstanceStepsMax);
    uint64_t steps = steps_of(*compiled, false);
    const bool looked_up = steps > std::min(limit, limits::kScannedStepsMax);
    if (looked_up) steps = steps_of(*compiled, true);
    if (steps > limit) return refuse_for_cost(rule, *compiled, steps, limit);
    const std::vector<double> no_effort(compiled->predicates.size(), 1);
    if (!decide(compiled->expressions, compiled->root, no_effort, {}, limits::kInstanceNodesMax)) {
      return refuse(rule, "C011", fmt::format("the condition needs more than {} decisions", limits::kInstanceNodesMax), "name each selection once, or split the rule");
    }
    std::vector<uint32_t> ids;
    for (const PredicateSpec& spec : compiled->predicates) {
      ids.push_back(intern(spec));
      if (looked_up && can_be_indexed(draft_.predicates[ids.back()], draft_)) looked_up_[ids.back()] = true;
    }
    for (Expression& e : compiled->expressions) {
      if (e.kind == ExpressionKind::kLeaf) e.predicate = ids[e.predicate];
    }
    std::ranges::sort(ids);
    ids.erase(std::ranges::unique(ids).begin(), ids.end());
    for (const uint32_t id : ids) ++uses_[id];
    instances_.push_back({&rule, std::move(*compiled)});
  }

  uint32_t intern(const PredicateSpec& spec) {
    const auto [known, is_new] = known_.emplace(spec.key(), static_cast<uint32_t>(draft_.predicates.size()));
    if (is_new) {
      add_predicate(draft_, spec);
      uses_.push_back(0);
      looked_up_.push_back(false);
    }
    return known->second;
  }

  static std::string_view literal_of(const PredicateRecord& p, const Draft& draft) {
    const bool literal = p.kind >= PredicateKind::kEquals && p.kind <= PredicateKind::kContains;
    return literal ? std::string_view(draft.texts).substr(p.operand.first, p.operand.count) : std::string_view();
  }

  // Chooses each instance's clause; the clauses' predicates become indexed and get their wake lists.
  void plan_wake_up() {
    Sample sample = count_on(options_.sample, draft_);
    grams_ = std::move(sample.grams);
    draft_.sample_events = sample.events;
    for (size_t i = 0; i < draft_.predicates.size(); ++i) draft_.predicates[i].seen = sample.seen[i];
    std::vector<double> weights;
    for (size_t i = 0; i < draft_.predicates.size(); ++i) weights.push_back(counted_weight(draft_.predicates[i], literal_of(draft_.predicates[i], draft_), uses_[i], sample.events));
    std::vector<std::vector<uint32_t>> wakes(draft_.predicates.size());
    for (uint32_t i = 0; i < instances_.size(); ++i) {
      clauses_.push_back(choose_clause(instances_[i].compiled.expressions, instances_[i].compiled.root, weights));
      for (const uint32_t predicate : clauses_.back()) wakes[predicate].push_back(i);
    }
    look_up_what_is_often_tested(wakes);
    for (size_t i = 0; i < wakes.size(); ++i) {
      if (wakes[i].empty() && !looked_up_[i]) continue;
      draft_.predicates[i].flags |= channel::kIndexed;
      if (!wakes[i].empty()) draft_.predicates[i].extra = draft_.add_numbers(wakes[i]);
    }
    for (const PredicateRecord& p : draft_.predicates) effort_.push_back(effort_of(p, draft_));
    if (sample.events == 0) return;
    for (const PredicateRecord& p : draft_.predicates) chance_.push_back(literal_of(p, draft_).empty() ? 0.5 : (p.seen + 0.5) / (sample.events + 1.0));
  }

  // What an index has tables for: another literal of the same kind costs an event that does not hold it nothing.
  struct Shape {
    bool exact = false;
    bool far = false;
    size_t shortest_near = channel::kFarMin;
    std::set<size_t> suffix_sizes, prefix_lengths;

    static size_t suffix_size(size_t length) { return std::min<size_t>(8, length); }
    static int near_places(size_t length) { return length >= 6 ? 4 : length >= 4 ? 2 : 1; }  // as the interpreter looks for them
    void add(PredicateKind kind, size_t length) {
      if (kind == PredicateKind::kEquals) exact = true;
      else if (kind == PredicateKind::kEndsWith) suffix_sizes.insert(suffix_size(length));
      else if (kind == PredicateKind::kStartsWith) prefix_lengths.insert(length);
      else if (length >= channel::kFarMin) far = true;
      else shortest_near = std::min(shortest_near, length);
    }
    bool has(PredicateKind kind, size_t length) const {
      if (kind == PredicateKind::kEquals) return exact;
      if (kind == PredicateKind::kEndsWith) return suffix_sizes.contains(suffix_size(length));
      if (kind == PredicateKind::kStartsWith) return prefix_lengths.contains(length);
      if (length >= channel::kFarMin) return far;
      return shortest_near < channel::kFarMin && near_places(length) >= near_places(shortest_near);
    }
  };

  // Literals of instances that are often awake, as the sample says: where an index is asked anyway, it finds them for less than a search of their own (docs/adr/0191).
  void look_up_what_is_often_tested(const std::vector<std::vector<uint32_t>>& wakes) {
    if (draft_.sample_events == 0) return;
    const double events = draft_.sample_events;
    std::map<uint32_t, Shape> shapes;
    for (size_t i = 0; i < wakes.size(); ++i) {
      const PredicateRecord& p = draft_.predicates[i];
      if (!wakes[i].empty() || looked_up_[i]) shapes[p.input].add(p.kind, p.operand.count);
    }
    std::vector<double> tested(wakes.size(), 0);
    for (size_t i = 0; i < instances_.size(); ++i) {
      double awake = clauses_[i].empty() ? 1 : 0;
      for (const uint32_t predicate : clauses_[i]) awake += draft_.predicates[predicate].seen / events;
      std::set<uint32_t> asked;
      for (const Expression& e : instances_[i].compiled.expressions) {
        if (e.kind == ExpressionKind::kLeaf) asked.insert(e.predicate);
      }
      for (const uint32_t predicate : asked) tested[predicate] += std::min(1.0, awake);
    }
    for (size_t i = 0; i < wakes.size(); ++i) {
      const PredicateRecord& p = draft_.predicates[i];
      const auto shape = shapes.find(p.input);
      if (shape == shapes.end() || p.input == channel::kEveryValue || !can_be_indexed(p, draft_)) continue;
      if (tested[i] >= kOftenTested && tested[i] > kTestedOverFound * p.seen / events && shape->second.has(p.kind, p.operand.count)) looked_up_[i] = true;
    }
  }

  std::pair<std::vector<uint32_t>, bool> inputs_read(const std::vector<channel::NodeRecord>& nodes) const {
    std::set<uint32_t> inputs;
    bool every = false;
    for (const channel::NodeRecord& node : nodes) {
      const PredicateRecord& p = draft_.predicates[node.predicate];
      if (p.input == channel::kEveryValue) every = true;
      else inputs.insert(p.input);
      if (channel::reads_two_inputs(p.kind)) inputs.insert(p.other);
    }
    return {{inputs.begin(), inputs.end()}, every};
  }

  ListRef add_texts(const std::vector<std::string>& texts) {
    std::vector<channel::TextRef> refs;
    for (const std::string& text : texts) refs.push_back(draft_.add_text(text));
    return refs.empty() ? ListRef{0, 0} : draft_.add_text_refs(refs);
  }

  void write_instance(size_t i) {
    const Instance& instance = instances_[i];
    // Other efforts order the tests differently; shared nodes may then differ a little, so the limit is not asked again.
    auto nodes = *decide(instance.compiled.expressions, instance.compiled.root, effort_, chance_, SIZE_MAX);
    const auto first = static_cast<uint32_t>(draft_.nodes.size());
    const auto absolute = [&](uint32_t target) { return target >= channel::kReject ? target : target + first; };
    const auto [inputs, every] = inputs_read(nodes);
    for (const channel::NodeRecord& node : nodes) draft_.nodes.push_back({node.predicate, absolute(node.if_true), absolute(node.if_false)});
    draft_.entries.push_back({first, static_cast<uint32_t>(nodes.size())});
    const sigma::Rule& rule = *instance.rule;
    channel::InstanceRecord record{};
    record.rule_id = draft_.add_text(rule.id);
    record.title = draft_.add_text(rule.title);
    record.level = draft_.add_text(sigma::to_string(rule.level));
    record.author = draft_.add_text(rule.author);
    record.tags = add_texts(rule.tags);
    record.references = add_texts(rule.references);
    record.inputs = inputs.empty() ? ListRef{0, 0} : draft_.add_numbers(inputs);
    record.clause = clauses_[i].empty() ? ListRef{0, 0} : draft_.add_numbers(clauses_[i]);
    record.flags = every ? channel::kReadsEveryValue : 0;
    draft_.instances.push_back(record);
  }

  Result<Bytes> finish() {
    channel::Header header{};
    const channel::Cost cost = channel::channel_cost(channel::view(draft_, header));
    const uint64_t limit = std::min(options_.channel_steps_max, limits::kChannelStepsMax);
    if (cost.bound > limit) {
      return fail(ErrorCode::kTooLarge, fmt::format("one event could cost {} {} steps, at most {} are allowed; drop rules or simplify those with large regular expressions", type_.id, cost.bound, limit));
    }
    return channel::write(draft_);
  }

  const schema::TemplateType& type_;
  Diagnostics& diagnostics_;
  const Options& options_;
  Draft draft_;
  std::map<std::string, uint32_t> known_;
  std::vector<uint32_t> uses_;
  std::vector<bool> looked_up_;  // by predicate: some rule has too many texts to test them one by one
  std::vector<Instance> instances_;
  std::vector<std::vector<uint32_t>> clauses_;
  std::vector<double> effort_;
  std::vector<double> chance_;  // empty without a sample
  std::map<uint32_t, GramCounts> grams_;  // of the sample
};

}  // namespace

Result<Bytes> compile(const schema::TemplateType& type, std::span<const BoundRule> rules, Diagnostics& diagnostics, const Options& options) {
  return Compiler(type, diagnostics, options).run({rules.begin(), rules.end()});
}

}  // namespace creance::compiler
