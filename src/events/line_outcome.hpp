// What became of one line of a text format.
#pragma once
#include <cstdint>

namespace creance::events {

enum class LineOutcome : uint8_t {
  kEvent,     // it is a JSON object now
  kNothing,   // a separator: no event, and none is missing
  kProblem,   // not what the format has; the reason was given
};

}  // namespace creance::events
