// Runs a set over events before it may run live: this host's own recent ones and, for Types with too few of them, a generic sample. Never over nothing.
#pragma once
#include <span>

#include "sensor/worker/evaluation.hpp"
#include "sensor/worker/recent_events.hpp"

namespace creance::sensor {

inline constexpr size_t kOwnEventsEnough = 32;      // of one Type; below, the generic sample is added
inline constexpr size_t kSampleEventsPerType = 64;
inline constexpr size_t kOwnEventsToJudgeHits = 100;

// The set must be in `evaluation` already. The answer is what the supervisor is told.
ipc::Rehearsed rehearse(Evaluation& evaluation, std::span<const Supplied> supplied, std::span<const RecentEvent> recent);

}  // namespace creance::sensor
