// Times as text, for rules that ask for a part of one: what schema/calendar.hpp takes as ISO 8601 has it. Anything else is no time. docs/reference/channel-format.md says the same.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "channel/format.hpp"

namespace creance::channel {

// Minutes since 1970-01-01 00:00 UTC; negative before. The seconds are checked and dropped: no part asks for them.
struct TimeInMinutes {
  int64_t minutes = 0;
};

std::optional<TimeInMinutes> parse_time(std::string_view text) noexcept;

// In UTC. A year may be -1 or 10000 where an offset leads out of the years that can be written. 0 for a part that is none.
int64_t part_of(TimeInMinutes time, TimePart part) noexcept;

}  // namespace creance::channel
