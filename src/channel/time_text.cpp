#include "channel/time_text.hpp"

#include "schema/calendar.hpp"

namespace creance::channel {
namespace {

constexpr int64_t kMinutesOfDay = 24 * 60;

int64_t floor_divide(int64_t a, int64_t b) noexcept { return a / b - (a % b < 0 ? 1 : 0); }
bool is_leap(int64_t year) noexcept { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int64_t days_of_month(int64_t year, int64_t month) noexcept {
  constexpr uint8_t kDays[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return kDays[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
}

// Days from 0000-01-01 to the first of January of `year`.
int64_t days_before_year(int64_t year) noexcept {
  const int64_t last = year - 1;
  return 366 + 365 * last + floor_divide(last, 4) - floor_divide(last, 100) + floor_divide(last, 400);
}
constexpr int64_t kEpoch = 719'528;  // days_before_year(1970)

struct Date {
  int64_t year, month, day, day_of_year;  // the last from 0
};
Date date_of(int64_t days) noexcept {
  const int64_t since = days + kEpoch;
  int64_t year = floor_divide(since * 400, 146'097);  // off by one at most
  while (days_before_year(year) > since) --year;
  while (days_before_year(year + 1) <= since) ++year;
  Date date{year, 1, 0, since - days_before_year(year)};
  int64_t left = date.day_of_year;
  while (left >= days_of_month(year, date.month)) left -= days_of_month(year, date.month++);
  date.day = left + 1;
  return date;
}

// The week of ISO 8601 is that of its Thursday; 1970-01-01 was one.
int64_t week_of(int64_t days) noexcept {
  const int64_t monday = floor_divide(days + 3, 7) * 7 - 3;
  return date_of(monday + 3).day_of_year / 7 + 1;
}

}  // namespace

std::optional<TimeInMinutes> parse_time(std::string_view text) noexcept {
  const auto time = schema::parse_calendar(text);
  if (!time || !time->is_strict) return std::nullopt;
  return TimeInMinutes{time->minutes};
}

int64_t part_of(TimeInMinutes time, TimePart part) noexcept {
  const int64_t days = floor_divide(time.minutes, kMinutesOfDay);
  const int64_t of_day = time.minutes - days * kMinutesOfDay;
  switch (part) {
    case TimePart::kMinute: return of_day % 60;
    case TimePart::kHour: return of_day / 60;
    case TimePart::kDay: return date_of(days).day;
    case TimePart::kWeek: return week_of(days);
    case TimePart::kMonth: return date_of(days).month;
    case TimePart::kYear: return date_of(days).year;
  }
  return 0;
}

}  // namespace creance::channel
