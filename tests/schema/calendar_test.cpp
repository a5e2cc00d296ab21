// The one parser of calendar times: what each of its two users takes of it is in their tests.
#include "schema/calendar.hpp"

#include <gtest/gtest.h>

namespace creance::schema {
namespace {

std::optional<int64_t> minutes(std::string_view text) {
  const auto time = parse_calendar(text);
  return time ? std::optional(time->minutes) : std::nullopt;
}

TEST(Calendar, TakesWhatLogsWrite) {
  EXPECT_EQ(minutes("1970-01-01 00:00"), 0);
  EXPECT_EQ(minutes("1970-01-01T00:01:60Z"), 1);       // a leap second belongs to its minute
  EXPECT_EQ(minutes("1970-01-02 00:00:00+01:30"), 24 * 60 - 90);
  EXPECT_EQ(minutes("1969-12-31 23:59:00-0001"), 0);
  EXPECT_EQ(minutes("2024-02-29t12:00:00,5z"), minutes("2024-02-29 12:00 UTC"));
  EXPECT_EQ(minutes("0000-03-01 00:00"), -719'468 * 24 * 60);
}

TEST(Calendar, RefusesDaysThatAreNotThereAndAnythingAround) {
  for (const char* text : {"", "2023-02-29 00:00", "2024-13-01 00:00", "2024-00-01 00:00", "2024-01-00 00:00", "2024-01-01", "2024-01-01 24:00", "2024-01-01 00:60", "2024-01-01 00:00:61", "2024-01-01 00:00.5", " 2024-01-01 00:00",
                           "2024-01-01 00:00 ", "2024-01-01 00:00:00.", "2024-01-01 00:00:00+24:00", "2024-01-01 00:00:00+01:60", "2024-01-01 00:00:00+1", "2024-01-01  00:00", "2024-1-1 00:00", "+024-01-01 00:00"}) {
    EXPECT_FALSE(parse_calendar(text)) << text;
  }
  EXPECT_TRUE(parse_calendar("2024-01-01 00:00:00." + std::string(kCalendarBytesMax - 20, '1')));
  EXPECT_FALSE(parse_calendar("2024-01-01 00:00:00." + std::string(kCalendarBytesMax - 19, '1')));
}

TEST(Calendar, SaysInWhatFormItWas) {
  for (const char* strict : {"2024-01-01 00:00", "2024-01-01T00:00:00.1Z", "2024-01-01T00:00:00+01:00"}) EXPECT_TRUE(parse_calendar(strict)->is_strict) << strict;
  for (const char* loose : {"2024-01-01t00:00", "2024-01-01 00:00:00,1", "2024-01-01 00:00:00z", "2024-01-01 00:00 UTC", "2024-01-01 00:00:00UTC"}) EXPECT_FALSE(parse_calendar(loose)->is_strict) << loose;
  EXPECT_FALSE(parse_calendar("2024-01-01 00:00")->has_seconds);
  EXPECT_EQ(parse_calendar("2024-01-01 00:00:07.1234567")->fraction_us, 123'456);
}

}  // namespace
}  // namespace creance::schema
