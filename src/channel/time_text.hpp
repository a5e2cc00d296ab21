// Times as text, for rules that ask for a part of one: ISO 8601 calendar dates with a time of day, in the forms that logs write. Never allocates.
//
//   YYYY-MM-DD, `T` or one space, hh:mm, then maybe :ss, then maybe `.` and digits, then maybe `Z` or an offset `+hh:mm`, `+hhmm`, `-hh:mm`, `-hhmm`
//
// A day that the (proleptic Gregorian) calendar has, hours to 23, minutes to 59, seconds to 60 (a leap second), offsets to 23:59; nothing around it, at most kTimeBytesMax bytes. With an offset
// it is converted to UTC; without one it is taken as UTC. Anything else is no time. docs/reference/channel-format.md says the same.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "channel/format.hpp"

namespace creance::channel {

inline constexpr size_t kTimeBytesMax = 64;

// Minutes since 1970-01-01 00:00 UTC; negative before. The seconds are checked and dropped: no part asks for them.
struct TimeInMinutes {
  int64_t minutes = 0;
};

std::optional<TimeInMinutes> parse_time(std::string_view text) noexcept;

// In UTC. A year may be -1 or 10000 where an offset leads out of the years that can be written. 0 for a part that is none.
int64_t part_of(TimeInMinutes time, TimePart part) noexcept;

}  // namespace creance::channel
