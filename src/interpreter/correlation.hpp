// Finds in the matches of rules what correlations look for: counts, values and sequences of one group within a time. Not a verifier, and not the interpreter of rules.
// All memory is taken in the constructor (VerifiedCorrelations::state_bytes and a little for one event); observe() never allocates, never throws, never recurses, and its steps
// are within the file's declared bound. Time comes from the events alone. One thread. docs/adr/0040-meaning-of-correlations.md says what the words below mean.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/decimal.hpp"
#include "channel/verified_correlations.hpp"
#include "interpreter/siphash.hpp"
#include "schema/inputs.hpp"

namespace creance::interpreter {

// One event and the sources (rules over its Type) that matched it. Views; they need to live for the call only.
struct ObservedEvent {
  uint32_t type = 0;                  // of the file
  std::span<const uint32_t> sources;  // of the file, each of that Type
  schema::Inputs inputs;
  std::optional<int64_t> time_us;     // nothing: as the event before
};

struct CorrelationHit {
  uint32_t correlation = 0;
  uint32_t feed = 0;      // by which the last event came: VerifiedCorrelations::group_inputs(feed) are the group's values in its inputs
  uint32_t events = 0;    // kEvents and the values of numbers: events in the window; else what was counted
  int64_t first_us = 0;   // of the oldest event that still counted
  int64_t last_us = 0;
};

// What one correlation may use up within a period, and what it used. `pushed_out_bytes`: memory of other correlations' groups that still mattered and had to leave for its own.
struct CorrelationUse {
  uint64_t steps = 0;
  uint64_t pushed_out_bytes = 0;
};
inline constexpr CorrelationUse kNoCorrelationBudget{~uint64_t{0}, ~uint64_t{0}};

struct CorrelationOutcome {
  std::span<const CorrelationHit> hits;  // valid until the next call; one that others refer to comes before them
  std::span<const uint32_t> over_budget; // valid until the next call: correlations that this event took over their budget; they see nothing more until begin_period()
  uint64_t steps = 0;                    // in the unit of VerifiedCorrelations::cost_bound()
  uint32_t faults = 0;                   // run-time checks that failed: what they guarded was left out
};

struct CorrelationCounts {
  uint64_t observed = 0;
  uint64_t hits = 0;
  uint64_t untimed = 0;        // events without a readable time
  uint64_t without_group = 0;  // a field of group-by had no value: not counted by that correlation
  uint64_t without_value = 0;  // the field of the condition had no value, or no number where one is needed
  uint64_t went_back = 0;      // an event was older than the whole window of its group's newest strand, and began a strand of its own
  uint64_t evicted = 0;        // groups that left while they still mattered: memory was full, or their time went back too often
  uint64_t dropped = 0;        // events that left early, since their group was too large or alone filled the memory
  uint64_t faults = 0;
};

class CorrelationState {
 public:
  // `key`: for the hash tables; results do not depend on it. The file's bytes must outlive the state.
  CorrelationState(const channel::VerifiedCorrelations& file, Hash128 key);
  CorrelationState(CorrelationState&&) noexcept;
  CorrelationState& operator=(CorrelationState&&) noexcept;
  ~CorrelationState();

  void hold(uint32_t correlation);  // it sees nothing more: an input or a rule that it needs is not there
  void budget(const CorrelationUse& most);  // of each correlation, within a period
  void begin_period();              // nothing is used up, and who was over the budget sees again
  const CorrelationUse& used(uint32_t correlation) const;
  CorrelationOutcome observe(const ObservedEvent& event) noexcept;
  const CorrelationCounts& counts() const;

  // Takes over the groups of correlations with equal digests, after a swap of content; and the key. Into a fresh state only; `before` is empty of them afterwards.
  // No group is touched, however many there are: the memory changes hands as it is, and groups of correlations that are no more leave it with the next events, a few at each.
  // Gives the steps that it took, in the unit of observe(): two for each correlation, and one for each thousand cells.
  uint64_t inherit(CorrelationState& before);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace creance::interpreter
