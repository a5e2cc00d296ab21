// What one event can cost at most, computed from the tables alone. The compiler declares it, the verifier recomputes it, the interpreter counts against it.
// Unit: one step = one table entry visited or up to 16 bytes of text looked at. All sums saturate.
#pragma once
#include <cstdint>
#include <vector>

#include "channel/format.hpp"

namespace creance::channel {

constexpr uint64_t chunks(uint64_t bytes) noexcept { return 1 + bytes / 16; }

// Of one predicate or index over the values that it looks at: per_value * values + per_byte * bytes.
struct ValueCost {
  uint64_t per_value = 0;
  uint64_t per_byte = 0;
};

struct Cost {
  uint64_t fixed = 0;
  uint64_t per_value = 0;
  uint64_t per_byte = 0;
  uint64_t bound = 0;  // over the largest event that base/limits.hpp admits
};

// INVARIANT of the callers: every reference inside `layout` is in bounds. The cost of a predicate is that of testing it; an indexed one is never tested.
ValueCost predicate_cost(const Layout& layout, const PredicateRecord& predicate);
Cost channel_cost(const Layout& layout);

}  // namespace creance::channel
