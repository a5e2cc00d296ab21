// How often each literal of a draft holds on sample events: what wakes a rule should be rare. A statistic, not a judgement: a wrong number costs time, never a match.
// Deterministic. Without a sample every count is zero and the static guess decides (wake_plan.hpp).
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "channel/writer.hpp"
#include "schema/inputs.hpp"

namespace creance::compiler {

// How often grams stand in the folded values of one input, by the hash that bitmaps use: what the scan will meet.
struct GramCounts {
  static constexpr uint32_t kLog2 = 15;
  std::vector<uint32_t> threes = std::vector<uint32_t>(1u << kLog2);
  std::vector<uint32_t> fours = std::vector<uint32_t>(1u << kLog2);
};

struct Sample {
  uint32_t events = 0;         // that were counted: at most limits::kSampleEventsMax, evenly spread over what was given
  std::map<uint32_t, GramCounts> grams;  // by input, of those that some predicate asks for folded
  std::vector<uint32_t> seen;  // by predicate: events (at most `events`) in which it holds; zero for kinds that are not looked for
};

// Kinds kEquals to kContains, cased or not, are counted.
Sample count_on(std::span<const schema::Inputs> events, const channel::Draft& draft);

}  // namespace creance::compiler
