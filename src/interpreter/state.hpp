// The inside of a Scratch, and the view of one event that all parts of the interpreter share. Not public.
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/limits.hpp"
#include "channel/fold.hpp"
#include "interpreter/index_plan.hpp"
#include "interpreter/interpreter.hpp"
#include "interpreter/late_literals.hpp"
#include "interpreter/regex_bits.hpp"
#include "interpreter/wide.hpp"

namespace creance::interpreter {

using channel::Layout;

// Room in front of and behind each folded value, so that 8 bytes may be loaded at either end.
inline constexpr size_t kFoldMargin = 16;
inline constexpr size_t kFoldedValueBytes = channel::folded_bytes_max(limits::kInputBytesMax) + 2 * kFoldMargin + kGramReach;  // behind the last value of an arena, too

struct FoldedValue {
  const char* data = nullptr;
  uint32_t size = 0;
  uint32_t epoch = 0;  // of the event that it belongs to
};

// How far one input's late literals, or its late regular expressions, are in this event.
struct LateProgress {
  uint32_t epoch = 0;
  uint32_t asked = 0;     // looked for one by one
  bool looked = false;    // all were looked for: those that were found say so in the memo
};

struct Scratch::State {
  explicit State(const Layout& layout);

  Layout layout;
  uint32_t epoch = 0;            // of the event; memo entries of other epochs are void
  std::vector<uint32_t> memo;    // per predicate: epoch << 1 | holds
  std::vector<uint64_t> indexed; // bit set of predicates: those that an index finds
  std::vector<uint64_t> awake;   // bit set of instances
  std::vector<uint32_t> awake_list;
  std::vector<uint64_t> always;  // instances without a clause
  Ways ways = best_ways();
  std::vector<IndexPlan> indexes;
  std::vector<LateLiterals> late;            // by input
  std::vector<LateProgress> late_progress;   // by input
  std::vector<LateLiterals> late_regexes;    // by input
  std::vector<LateProgress> late_regex_progress;
  struct RanTo {
    uint64_t value = 0;  // late_value when it ran
    size_t place = 0;    // it would begin anew here
  };
  std::vector<RanTo> regex_ran_to;           // by program
  uint64_t late_value = 0;                   // values in which late regular expressions were looked for together, up to now
  bool reads_every_value = false;  // some predicate looks at all values of an event
  std::vector<FoldedValue> folded;  // per input
  std::unique_ptr<char[]> arena;    // folded values of one event, one behind the other
  size_t arena_bytes = 0;
  size_t arena_used = 0;
  std::array<std::unique_ptr<char[]>, 2> further_folded;  // one further value each, for the moment of a test
  std::vector<uint32_t> matches;
  std::array<Fault, limits::kFaultsPerEventMax> faults{};

  std::vector<std::unique_ptr<RegexBits>> regex_bits;  // by program; null: too large for it, or broken
  // Larger regular expressions: two state lists, what is marked in the current position, and the closure's stack.
  std::vector<uint32_t> threads_now;
  std::vector<uint32_t> threads_next;
  std::vector<uint32_t> marks;
  std::vector<uint32_t> stack;
  uint32_t mark = 0;

  // What each instance costs.
  std::vector<uint64_t> spent;      // per instance: steps in the present period, estimated
  uint64_t budget = kNoStepBudget;  // of each instance
  bool count_every = false;
  uint32_t dice = 0;                // an event is counted if it falls no higher than:
  uint32_t counted_up_to = 0xffff'ffff / kCountedOneIn;
  std::vector<uint32_t> over_budget;
  size_t over_budget_count = 0;     // in the present event
  std::vector<uint64_t> suspended;  // bit set of instances
  bool any_suspended = false;
  // While something is left out, each event goes the way that knows how to.
  bool every_one() const { return count_every || any_suspended; }
  void choose() { counted_up_to = every_one() ? 0xffff'ffff : 0xffff'ffff / kCountedOneIn; }

  void begin_event();
};

// A longer value is looked at up to here. Nothing that is said of its end, or of all of it, holds (docs/reference/channel-format.md, Limits).
inline bool is_cut(std::string_view value) noexcept { return value.size() > limits::kInputBytesMax; }
inline std::string_view cut(std::string_view value) noexcept { return value.substr(0, limits::kInputBytesMax); }

// One event on its way through the interpreter. Failed run-time checks set `broken` and make the test false.
struct Context {
  const Layout& l;
  const schema::Inputs& inputs;
  Scratch::State& s;
  size_t further_count = 0;  // of inputs.further that are looked at
  size_t others_count = 0;
  uint64_t steps = 0;
  bool broken = false;
  FaultCode broken_code = FaultCode::kPredicate;

  bool fail(FaultCode code) noexcept {
    broken = true;
    broken_code = code;
    return false;
  }
  std::string_view raw(uint32_t input) const noexcept { return cut(inputs.values[input].text()); }
  // The folded text of an input with a value, cut; folded once an event.
  std::string_view folded(uint32_t input) noexcept {
    const FoldedValue& value = s.folded[input];
    return value.epoch == s.epoch ? std::string_view(value.data, value.size) : fold_now(input);
  }
  std::string_view fold_now(uint32_t input) noexcept;
  // Folds a further value into temporary place `which`; valid until the next call with the same `which`.
  std::string_view fold_further(std::string_view text, size_t which) noexcept;
};

// Whether a predicate holds; not memoised (but for others that were found beside it). predicates.cpp
bool test_predicate(Context& c, const channel::PredicateRecord& predicate) noexcept;

// `a` and `b` have `size` bytes each.
inline bool same_bytes(const char* a, const char* b, size_t size) noexcept {
  const auto word = [](const char* at) {
    uint64_t value;
    std::memcpy(&value, at, 8);
    return value;
  };
  if (size < 8) {
    for (size_t i = 0; i < size; ++i) {
      if (a[i] != b[i]) return false;
    }
    return true;
  }
  if (word(a) != word(b) || word(a + size - 8) != word(b + size - 8)) return false;
  return size <= 16 || std::memcmp(a + 8, b + 8, size - 16) == 0;
}

// Whether a program matches somewhere in the first limits::kInputBytesMax bytes of `value`; its assertions see what stands behind them. regex_run.cpp
bool run_regex(Context& c, const channel::RegexRecord& regex, std::string_view value) noexcept;

// Puts into the memo which of an input's late regular expressions match in `value`: they run where what they begin with stands, all in one pass. regex_run.cpp
void mark_late_regexes(Context& c, const LateLiterals& late, std::string_view value) noexcept;

// Whether `tokens` match the whole of a value that begins with `text` and, if it is `cut`, goes on. glob_run.cpp
bool run_glob(Context& c, std::span<const channel::GlobToken> tokens, std::string_view text, bool cut) noexcept;

// Marks the indexed predicates that hold and wakes their instances. False: an index is broken. wake.cpp
bool wake(Context& c) noexcept;

// First place of `needle` in `text`, or npos; counts its steps. search.cpp
size_t find(Context& c, std::string_view text, std::string_view needle) noexcept;

}  // namespace creance::interpreter
