// How often each literal of a draft holds on sample events: what wakes a rule should be rare. A statistic, not a judgement: a wrong number costs time, never a match.
// Deterministic. Without a sample every count is zero and the static guess decides (wake_plan.hpp).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "channel/writer.hpp"
#include "schema/inputs.hpp"

namespace creance::compiler {

struct Sample {
  uint32_t events = 0;         // that were counted: at most limits::kSampleEventsMax, evenly spread over what was given
  std::vector<uint32_t> seen;  // by predicate: events (at most `events`) in which it holds; zero for kinds that are not looked for
};

// Kinds kEquals to kContains, cased or not, are counted.
Sample count_on(std::span<const schema::Inputs> events, const channel::Draft& draft);

}  // namespace creance::compiler
