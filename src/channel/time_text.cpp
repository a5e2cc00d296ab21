#include "channel/time_text.hpp"

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

class Reader {
 public:
  explicit Reader(std::string_view text) noexcept : text_(text) {}

  bool take(char c) noexcept {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  // Exactly `size` digits, at most `max`.
  bool number(size_t size, int64_t max, int64_t& out) noexcept {
    out = 0;
    for (size_t i = 0; i < size; ++i, ++at_) {
      if (at_ >= text_.size() || !is_digit(text_[at_])) return false;
      out = out * 10 + (text_[at_] - '0');
    }
    return out <= max;
  }
  bool digits() noexcept {
    const size_t begin = at_;
    while (at_ < text_.size() && is_digit(text_[at_])) ++at_;
    return at_ > begin;
  }
  bool at_end() const noexcept { return at_ == text_.size(); }

 private:
  static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

std::optional<TimeInMinutes> parse_time(std::string_view text) noexcept {
  if (text.size() > kTimeBytesMax) return std::nullopt;
  Reader reader(text);
  int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!reader.number(4, 9999, year) || !reader.take('-') || !reader.number(2, 12, month) || !reader.take('-') || !reader.number(2, 31, day)) return std::nullopt;
  if (month < 1 || day < 1 || day > days_of_month(year, month)) return std::nullopt;
  if (!reader.take('T') && !reader.take(' ')) return std::nullopt;
  if (!reader.number(2, 23, hour) || !reader.take(':') || !reader.number(2, 59, minute)) return std::nullopt;
  if (reader.take(':')) {
    if (!reader.number(2, 60, second)) return std::nullopt;
    if (reader.take('.') && !reader.digits()) return std::nullopt;
  }
  int64_t offset = 0;
  if (!reader.take('Z')) {
    const int64_t sign = reader.take('+') ? 1 : reader.take('-') ? -1 : 0;
    int64_t hours = 0, minutes = 0;
    if (sign != 0) {
      if (!reader.number(2, 23, hours)) return std::nullopt;
      reader.take(':');
      if (!reader.number(2, 59, minutes)) return std::nullopt;
    }
    offset = sign * (hours * 60 + minutes);
  }
  if (!reader.at_end()) return std::nullopt;
  int64_t days = days_before_year(year) - kEpoch + day - 1;
  for (int64_t m = 1; m < month; ++m) days += days_of_month(year, m);
  return TimeInMinutes{days * kMinutesOfDay + hour * 60 + minute - offset};
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
