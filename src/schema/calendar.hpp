// Calendar dates with a time of day, as logs write them: the one parser of them. Pure; never allocates, never throws.
//
//   YYYY-MM-DD, `T`, `t` or one space, hh:mm, then maybe :ss, then maybe `.` or `,` and digits, then maybe `Z`, `z`, `UTC`, ` UTC` or an offset `+hh:mm`, `+hhmm`, `-hh:mm`, `-hhmm`
//
// A day that the (proleptic Gregorian) calendar has, hours to 23, minutes to 59, seconds to 60 (a leap second), offsets to 23:59; nothing around it. With an offset it is converted to UTC; without
// one it is taken as UTC.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace creance::schema {

inline constexpr size_t kCalendarBytesMax = 64;

struct CalendarTime {
  int64_t minutes = 0;      // since 1970-01-01 00:00 UTC; negative before
  int64_t second = 0;
  int64_t fraction_us = 0;  // digits behind the sixth are cut
  int64_t year = 0;         // as written
  bool has_seconds = false;
  bool is_strict = true;    // as ISO 8601 has it: `T` or a space, `.`, `Z` or an offset
};

std::optional<CalendarTime> parse_calendar(std::string_view text) noexcept;

}  // namespace creance::schema
