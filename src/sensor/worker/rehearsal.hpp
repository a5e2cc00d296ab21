// Runs a set over events before it may run live: this host's own recent ones and, for Types with too few of them, the release's own cases and a generic sample. Never over
// nothing. Whether the cases match is no question here (the validator has judged them): what counts is that nothing faults, hangs or dies on them.
// Over the host's own events also how much would be detected: no rule at nearly each of them, and no more bytes than limits::kRehearsalDetectionBytesMax.
#pragma once
#include <span>

#include "sensor/worker/evaluation.hpp"
#include "sensor/worker/recent_events.hpp"

namespace creance::sensor {

inline constexpr size_t kOwnEventsEnough = 32;      // of one Type; below, the release's cases and the generic sample are added
inline constexpr size_t kSampleEventsPerType = 64;
inline constexpr size_t kOwnEventsToJudgeHits = 100;

// The set must be in `evaluation` already. The answer is what the supervisor is told.
ipc::Rehearsed rehearse(Evaluation& evaluation, std::span<const Supplied> supplied, std::span<const RecentEvent> recent);

}  // namespace creance::sensor
