// Runs one verified channel over one event. Not a verifier: bad bytes cannot get here.
// Any number of threads, each with its own Scratch. Never allocates, never throws, never recurses; steps are within the channel's declared bound.
// A run-time check that fails all the same is a Fault: that instance does not match, which is a verdict about content and not an Error.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "channel/verified_channel.hpp"
#include "schema/inputs.hpp"

namespace creance::interpreter {

enum class FaultCode : uint8_t {
  kInputCount,  // the event has another number of inputs than the channel: nothing was evaluated; instance is kEveryInstance
  kNode,        // a condition pointed outside its table
  kPredicate,   // a predicate pointed outside its table, or is of an unknown kind
  kProgram,     // a regular expression or pattern pointed outside its table
  kIndex,       // a wake-up table pointed outside its table; instance is kEveryInstance
};
inline constexpr uint32_t kEveryInstance = 0xffffffff;

struct Fault {
  uint32_t instance = kEveryInstance;
  FaultCode code = FaultCode::kNode;
};

inline constexpr uint64_t kNoStepBudget = ~uint64_t{0};
inline constexpr uint64_t kCountedOneIn = 128;  // events of which it is counted which instance takes how many steps; the others are taken to be like them

// All memory of one thread for one channel, allocated once. Movable. The channel must outlive it.
class Scratch {
 public:
  explicit Scratch(const channel::VerifiedChannel& channel);
  Scratch(Scratch&&) noexcept;
  Scratch& operator=(Scratch&&) noexcept;
  ~Scratch();

  // Steps that each instance may take in a period of the caller's. Whoever takes more is named in Outcome::over_budget; what is done then is the caller's business. Counted at one event of
  // kCountedOneIn, at random (the same for each Scratch) and for all of them, or at `every` one, which slows evaluation down by some 5 %. What several instances share (folding a value, a
  // predicate of theirs) counts for the first of them that needs it in an event, and what wakes instances for none.
  void budget_steps(uint64_t steps, bool every = false);
  void begin_period();                            // what was taken so far is forgotten
  uint64_t steps_of(uint32_t instance) const;     // in the present period
  void suspend(uint32_t instance, bool yes);      // it is not evaluated, costs nothing and does not match until this is taken back

  struct State;
  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

// Views into the Scratch, valid until its next use.
struct Outcome {
  std::span<const uint32_t> matches;  // instance indices, ascending
  std::span<const Fault> faults;      // at most limits::kFaultsPerEventMax, the first ones
  std::span<const uint32_t> over_budget = {};  // instances, ascending: counted in this event, and took more in this period than they may
  uint64_t steps = 0;                 // work done, in the unit of VerifiedChannel::cost_bound()
  uint32_t values_cut = 0;            // values that are longer than limits::kInputBytesMax
  uint32_t values_left_out = 0;       // further and other values behind limits::kFurtherValuesMax or kFurtherBytesMax (others only if some instance has keywords)
};

// `inputs.values` must be in the order of the channel's Template Type. An instance that reads an unavailable input does not match, under `not` either.
// Values longer than limits::kInputBytesMax are cut to that many bytes, and nothing that is said of their end or of all of them holds; `further` and `others` are read up to limits::kFurtherBytesMax bytes in total (and as many values as kFurtherValuesMax).
Outcome evaluate(const channel::VerifiedChannel& channel, const schema::Inputs& inputs, Scratch& scratch) noexcept;

// The size of an event as the cost law counts it: the values that are looked at, and their bytes after cutting.
struct EventSize {
  uint64_t values = 0;
  uint64_t bytes = 0;
};
EventSize measure(const schema::Inputs& inputs) noexcept;

}  // namespace creance::interpreter
