#include "interpreter/interpreter.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"
#include "interpreter/state.hpp"

namespace creance::interpreter {
namespace {

static_assert((static_cast<int>(schema::Presence::kUnavailable) & (static_cast<int>(schema::Presence::kAbsent) | static_cast<int>(schema::Presence::kValue))) == 0);  // a bit of its own

using channel::PredicateKind;
using channel::PredicateRecord;

bool folds(const PredicateRecord& p) {
  const bool by_text = (p.kind >= PredicateKind::kEquals && p.kind <= PredicateKind::kGlob) || channel::reads_two_inputs(p.kind);
  return by_text && (p.flags & channel::kCased) == 0;
}

// How many inputs may have to be folded in one event.
size_t folded_inputs(const Layout& l) {
  std::vector<bool> needed(l.header->input_count, false);
  for (const PredicateRecord& p : l.predicates) {
    if (!folds(p)) continue;
    if (p.input == channel::kEveryValue) return l.header->input_count;
    if (p.input < needed.size()) needed[p.input] = true;
    if (channel::reads_two_inputs(p.kind) && p.other < needed.size()) needed[p.other] = true;
  }
  return static_cast<size_t>(std::ranges::count(needed, true));
}

uint32_t largest_program(const Layout& l) {
  uint32_t most = 0;
  for (const channel::RegexRecord& regex : l.regexes) most = std::max(most, regex.instruction_count);
  return std::min(most, limits::kRegexStatesMax);
}

// Folds into `to`, margins zeroed.
std::string_view fold_into(Context& c, std::string_view text, char* to) noexcept {
  std::memset(to, 0, kFoldMargin);
  const size_t size = channel::fold_ascii(text.data(), text.size(), to + kFoldMargin) ? text.size() : channel::fold(text, to + kFoldMargin);
  std::memset(to + kFoldMargin + size, 0, kFoldMargin);
  c.steps += 1 + text.size() / 16;
  return {to + kFoldMargin, size};
}

// How many of the further and other values are looked at; the rest is left out.
struct Looked {
  size_t further = 0;
  size_t others = 0;
  uint64_t bytes = 0;
};
Looked looked_at(const schema::Inputs& inputs, bool with_others) noexcept {
  Looked looked;
  const auto fits = [&](std::string_view text) {
    const uint64_t with = looked.bytes + text.size();
    if (with > limits::kFurtherBytesMax || looked.further + looked.others >= limits::kFurtherValuesMax) return false;
    looked.bytes = with;
    return true;
  };
  while (looked.further < inputs.further.size() && fits(inputs.further[looked.further].text)) ++looked.further;
  if (looked.further < inputs.further.size() || !with_others) return looked;
  while (looked.others < inputs.others.size() && fits(inputs.others[looked.others])) ++looked.others;
  return looked;
}

enum class Verdict : uint8_t { kNoMatch, kMatch, kBroken };

// Tests a predicate that no index finds, and remembers what came out.
bool test_now(Context& c, uint32_t predicate) noexcept {
  const bool result = test_predicate(c, c.l.predicates[predicate]);
  if (!c.broken) c.s.memo[predicate] = c.s.epoch << 1 | (result ? 1u : 0u);
  return result;
}

template <bool kCounted>  // a copy for each loop that calls it, so that it becomes part of that
Verdict walk(Context& c, uint32_t instance) noexcept {
  const channel::EntryRecord& entry = c.l.entries[instance];
  const channel::NodeRecord* const nodes = c.l.nodes.data();
  const uint32_t* const memo = c.s.memo.data();
  const uint64_t* const indexed = c.s.indexed.data();
  const size_t predicates = c.s.memo.size();
  const uint32_t epoch = c.s.epoch;
  const uint64_t end = uint64_t{entry.first_node} + entry.node_count;
  uint32_t at = entry.first_node;
  if (end > c.l.nodes.size() || entry.node_count == 0) return c.fail(FaultCode::kNode), Verdict::kBroken;
  while (true) {
    ++c.steps;
    const channel::NodeRecord& node = nodes[at];
    const uint32_t predicate = node.predicate;
    if (predicate >= predicates) return c.fail(FaultCode::kPredicate), Verdict::kBroken;
    const uint32_t said = memo[predicate];
    bool yes = false;
    if (said >> 1 == epoch) {
      yes = (said & 1) != 0;
    } else if ((indexed[predicate / 64] >> (predicate % 64) & 1) == 0) {  // every value was looked up in the index already: what was not found there does not hold
      yes = test_now(c, predicate);
      if (c.broken) return Verdict::kBroken;
    }
    const uint32_t next = yes ? node.if_true : node.if_false;
    if (next >= channel::kReject) return next == channel::kAccept ? Verdict::kMatch : Verdict::kNoMatch;
    if (next <= at || next >= end) return c.fail(FaultCode::kNode), Verdict::kBroken;
    at = next;
  }
}

// D1: what this host cannot say must not let an instance match, under `not` either.
bool is_held(Context& c, uint32_t instance) noexcept {
  if (instance >= c.l.instances.size()) return true;
  const channel::InstanceRecord& record = c.l.instances[instance];
  if ((record.flags & channel::kReadsEveryValue) != 0) return true;
  if (uint64_t{record.inputs.first} + record.inputs.count > c.l.numbers.size()) return true;
  return std::ranges::any_of(c.l.numbers.subspan(record.inputs.first, record.inputs.count), [&](uint32_t input) {
    ++c.steps;
    return input >= c.inputs.values.size() || c.inputs.values[input].presence == schema::Presence::kUnavailable;
  });
}

struct Progress {
  size_t matches = 0;
  size_t faults = 0;
};

void note_fault(Context& c, Progress& progress, uint32_t instance) noexcept {
  if (progress.faults < c.s.faults.size()) c.s.faults[progress.faults++] = {instance, c.broken_code};
  c.broken = false;
}

// Lists the instances that are awake, ascending. Their decisions lie far apart: they are fetched before the first is looked at.
std::span<const uint32_t> list_awake(const Context& c) noexcept {
  uint32_t* const list = c.s.awake_list.data();  // has room for all of them
  const uint64_t* const awake = c.s.awake.data();
  const channel::EntryRecord* const entries = c.l.entries.data();
  const channel::NodeRecord* const nodes = c.l.nodes.data();
  const size_t node_count = c.l.nodes.size();
  size_t count = 0;
  for (size_t word = 0; word < c.s.awake.size(); ++word) {
    for (uint64_t bits = awake[word]; bits != 0; bits &= bits - 1) {
      const auto instance = static_cast<uint32_t>(word * 64 + static_cast<size_t>(__builtin_ctzll(bits)));
      list[count++] = instance;
      const uint32_t first = entries[instance].first_node;
      if (first < node_count) __builtin_prefetch(&nodes[first]);
    }
  }
  return {list, count};
}

void charge(Context& c, uint32_t instance, uint64_t steps) noexcept {
  c.s.spent[instance] += c.s.every_one() ? steps : steps * kCountedOneIn;
  if (c.s.spent[instance] > c.s.budget) c.s.over_budget[c.s.over_budget_count++] = instance;
}

template <bool kCounted>
void run(Context& c, std::span<const uint32_t> instances, bool any_unavailable, Progress& progress) noexcept {
  for (const uint32_t instance : instances) {
    [[maybe_unused]] const uint64_t before = c.steps;
    const Verdict verdict = walk<kCounted>(c, instance);
    if constexpr (kCounted) charge(c, instance, c.steps - before);
    if (verdict == Verdict::kMatch && !(any_unavailable && is_held(c, instance))) c.s.matches[progress.matches++] = instance;  // few match, so that is asked last
    if (verdict == Verdict::kBroken) note_fault(c, progress, instance);
  }
}

}  // namespace

Scratch::State::State(const Layout& l) : layout(l) {
  memo.assign(l.predicates.size(), 0);
  awake.assign((l.entries.size() + 63) / 64, 0);
  awake_list.assign(l.entries.size(), 0);
  always.assign(awake.size(), 0);
  indexed.assign((l.predicates.size() + 63) / 64, 0);
  for (size_t i = 0; i < l.predicates.size(); ++i) {
    if ((l.predicates[i].flags & channel::kIndexed) != 0) indexed[i / 64] |= 1ull << (i % 64);
  }
  for (size_t i = 0; i < l.entries.size() && i < l.instances.size(); ++i) {
    if (l.instances[i].clause.count == 0) always[i / 64] |= 1ull << (i % 64);
  }
  indexes = make_index_plans(l);
  late = make_late_literals(l);
  late_progress.assign(late.size(), {});
  reads_every_value = std::ranges::any_of(l.predicates, [](const PredicateRecord& p) { return p.input == channel::kEveryValue; });
  folded.assign(l.header->input_count, {});
  // Wide Types have hundreds of inputs, but no event fills them all: its values together are no longer than the longest event.
  const size_t inputs = folded_inputs(l);
  arena_bytes = std::min(inputs * kFoldedValueBytes, channel::folded_bytes_max(limits::kEventLineBytesMax) + inputs * 2 * kFoldMargin);
  arena = std::make_unique_for_overwrite<char[]>(arena_bytes + kGramReach);
  for (auto& place : further_folded) place = std::make_unique_for_overwrite<char[]>(kFoldedValueBytes);
  matches.assign(l.entries.size(), 0);
  spent.assign(l.entries.size(), 0);
  over_budget.assign(l.entries.size(), 0);
  suspended.assign(awake.size(), 0);
  for (const channel::RegexRecord& regex : l.regexes) regex_bits.push_back(make_regex_bits(l, regex));
  late_regexes = make_late_regexes(l, regex_bits);
  late_regex_progress.assign(late_regexes.size(), {});
  regex_ran_to.assign(l.regexes.size(), {});
  const uint32_t states = largest_program(l);
  threads_now.assign(states, 0);
  threads_next.assign(states, 0);
  marks.assign(states, 0);
  stack.assign(2 * size_t{states} + 2, 0);
}

void Scratch::State::begin_event() {
  epoch = (epoch + 1) & 0x7fffffff;
  if (epoch == 0) {
    std::ranges::fill(memo, 0u);
    std::ranges::fill(folded, FoldedValue{});
    std::ranges::fill(late_progress, LateProgress{});
    std::ranges::fill(late_regex_progress, LateProgress{});
    epoch = 1;
  }
  arena_used = 0;
  std::ranges::copy(always, awake.begin());
}

Scratch::Scratch(const channel::VerifiedChannel& channel) : state_(std::make_unique<State>(channel.layout())) {}
Scratch::Scratch(Scratch&&) noexcept = default;
Scratch& Scratch::operator=(Scratch&&) noexcept = default;
Scratch::~Scratch() = default;

void Scratch::budget_steps(uint64_t steps, bool every) {
  state_->budget = steps;
  state_->count_every = every;
  state_->choose();
}
void Scratch::begin_period() { std::ranges::fill(state_->spent, 0u); }
uint64_t Scratch::steps_of(uint32_t instance) const { return instance < state_->spent.size() ? state_->spent[instance] : 0; }
void Scratch::suspend(uint32_t instance, bool yes) {
  if (instance >= state_->spent.size()) return;
  uint64_t& word = state_->suspended[instance / 64];
  const uint64_t bit = 1ull << (instance % 64);
  word = yes ? word | bit : word & ~bit;
  state_->any_suspended = std::ranges::any_of(state_->suspended, [](uint64_t bits) { return bits != 0; });
  state_->choose();
}

std::string_view Context::fold_now(uint32_t input) noexcept {
  const std::string_view text = raw(input);
  const size_t room = channel::folded_bytes_max(text.size()) + 2 * kFoldMargin;
  if (s.arena_used + room > s.arena_bytes) return fail(FaultCode::kPredicate), std::string_view();
  const std::string_view result = fold_into(*this, text, s.arena.get() + s.arena_used);
  s.arena_used += result.size() + 2 * kFoldMargin;
  s.folded[input] = {result.data(), static_cast<uint32_t>(result.size()), s.epoch};
  return result;
}

std::string_view Context::fold_further(std::string_view text, size_t which) noexcept { return fold_into(*this, text, s.further_folded[which].get()); }

EventSize measure(const schema::Inputs& inputs) noexcept {
  const Looked looked = looked_at(inputs, true);
  EventSize size{looked.further + looked.others, looked.bytes};
  for (const schema::InputValue& value : inputs.values) {
    if (!value.has_value()) continue;
    ++size.values;
    size.bytes += std::min<uint64_t>(value.size, limits::kInputBytesMax);
  }
  return size;
}

namespace {

template <bool kCounted>
Outcome evaluate_with(Scratch::State& s, const schema::Inputs& inputs) noexcept {
  Context c{.l = s.layout, .inputs = inputs, .s = s};
  Progress progress;
  Outcome outcome;
  s.over_budget_count = 0;
  s.begin_event();
  const Looked looked = looked_at(inputs, s.reads_every_value);
  c.further_count = looked.further;
  c.others_count = looked.others;
  outcome.values_left_out = static_cast<uint32_t>(inputs.further.size() - looked.further + (s.reads_every_value ? inputs.others.size() - looked.others : 0));
  uint32_t presences = 0;
  uint32_t longest = 0;
  for (const schema::InputValue& value : inputs.values) {
    presences |= static_cast<uint32_t>(value.presence);
    longest = std::max(longest, value.size);
  }
  const bool any_unavailable = (presences & static_cast<uint32_t>(schema::Presence::kUnavailable)) != 0;
  if (longest > limits::kInputBytesMax) outcome.values_cut = static_cast<uint32_t>(std::ranges::count_if(inputs.values, [](const schema::InputValue& value) { return value.has_value() && is_cut(value.text()); }));
  c.steps = 1 + inputs.values.size();
  if (inputs.values.size() != s.layout.header->input_count) {
    c.fail(FaultCode::kInputCount);
    note_fault(c, progress, kEveryInstance);
  } else if (!wake(c)) {
    note_fault(c, progress, kEveryInstance);
  } else {
    if constexpr (kCounted) {
      for (size_t word = 0; word < s.awake.size(); ++word) s.awake[word] &= ~s.suspended[word];
    }
    run<kCounted>(c, list_awake(c), any_unavailable, progress);
  }
  outcome.matches = {s.matches.data(), progress.matches};
  outcome.faults = {s.faults.data(), progress.faults};
  if constexpr (kCounted) outcome.over_budget = {s.over_budget.data(), s.over_budget_count};
  outcome.steps = c.steps;
  return outcome;
}

}  // namespace

Outcome evaluate(const channel::VerifiedChannel& channel, const schema::Inputs& inputs, Scratch& scratch) noexcept {
  Scratch::State& s = scratch.state();
  CHECK(s.layout.header == channel.layout().header);  // a scratch belongs to one channel
  s.dice = s.dice * 1'664'525u + 1'013'904'223u;
  if (s.dice <= s.counted_up_to) [[unlikely]] return evaluate_with<true>(s, inputs);
  return evaluate_with<false>(s, inputs);
}

}  // namespace creance::interpreter
