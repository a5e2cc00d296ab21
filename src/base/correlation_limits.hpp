// Limits of correlations at work, apart from limits.hpp: a change to one of them builds what runs correlations and nothing else. Same rules.
#pragma once
#include <cstdint>

#include "base/limits.hpp"

namespace creance::limits {

inline constexpr uint32_t kCorrelationStrandsMax = 4;                    // of one group, times that are more than a timespan apart; above, the one that was used least recently leaves (ADR 0180)
inline constexpr uint32_t kCorrelationLagMax = 3'600'000'000;             // microseconds that an event is late in its strand, as far as they count for whether the next one leaps ahead; above: no more than that
inline constexpr uint64_t kCorrelationPushedOutBytesMax = 4u << 20;      // of the groups of others that one correlation pushed out of full memory within a minute; above, it is suspended until the next: half of all memory that a file usually has
static_assert(kCorrelationPushedOutBytesMax <= kCorrelationStateBytes);

}  // namespace creance::limits
