// Chooses for each instance the cheapest set of literals one of which must hold if its condition holds (its clause). Not sound by trust: the verifier proves each clause again.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "channel/format.hpp"
#include "compiler/expression.hpp"

namespace creance::compiler {

// A guess of how often a literal holds (and so how much work waking by it makes); infinite if it cannot be indexed. `uses`: instances that ask for it.
double wake_weight(const channel::PredicateRecord& predicate, std::string_view text, uint32_t uses);

// The same out of a count: `predicate.seen` of `events` sample events. The guess stands in for what so few events cannot say; no events: the guess alone.
double counted_weight(const channel::PredicateRecord& predicate, std::string_view text, uint32_t uses, uint32_t events);

// The clause (predicates, ascending), or empty: no set of indexable literals is required, the instance is always awake.
// `weights` by predicate; leaves of `expressions` are the channel's predicates.
std::vector<uint32_t> choose_clause(std::span<const Expression> expressions, uint32_t root, std::span<const double> weights);

}  // namespace creance::compiler
