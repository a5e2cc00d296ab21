#include "schema/calendar.hpp"

#include <chrono>

namespace creance::schema {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes from the front of a text; a failed step makes all later ones fail.
class Reader {
 public:
  explicit Reader(std::string_view text) noexcept : rest_(text) {}
  // Exactly `count` digits, at most `max`.
  int64_t number(size_t count, int64_t max) noexcept {
    int64_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      if (rest_.empty() || !is_digit(rest_[0])) return good_ = false, 0;
      value = value * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
    }
    good_ = good_ && value <= max;
    return value;
  }
  // Nothing, or the character of `any` that stood there.
  char take(std::string_view any) noexcept {
    if (rest_.empty() || any.find(rest_[0]) == std::string_view::npos) return 0;
    const char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }
  char need(std::string_view any) noexcept {
    const char c = take(any);
    good_ = good_ && c != 0;
    return c;
  }
  int64_t fraction_us() noexcept {
    if (rest_.empty() || !is_digit(rest_[0])) return good_ = false, 0;
    int64_t value = 0;
    int64_t unit = 100'000;
    for (; !rest_.empty() && is_digit(rest_[0]); rest_.remove_prefix(1)) {
      value += (rest_[0] - '0') * unit;
      unit /= 10;
    }
    return value;
  }
  bool is(std::string_view text) const noexcept { return rest_ == text; }
  bool good() const noexcept { return good_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace

std::optional<CalendarTime> parse_calendar(std::string_view text) noexcept {
  if (text.size() > kCalendarBytesMax) return std::nullopt;
  Reader r(text);
  CalendarTime out;
  out.year = r.number(4, 9999);
  r.need("-");
  const auto month = static_cast<unsigned>(r.number(2, 12));
  r.need("-");
  const auto day = static_cast<unsigned>(r.number(2, 31));
  out.is_strict = r.need("T t") != 't';
  const int64_t hour = r.number(2, 23);
  r.need(":");
  const int64_t minute = r.number(2, 59);
  if (r.take(":") != 0) {
    out.has_seconds = true;
    out.second = r.number(2, 60);
    if (const char point = r.take(".,"); point != 0) {
      out.fraction_us = r.fraction_us();
      out.is_strict = out.is_strict && point == '.';
    }
  }
  int64_t offset = 0;  // minutes east of UTC
  if (r.is("z") || r.is("UTC") || r.is(" UTC")) {
    out.is_strict = false;
  } else if (!r.is("") && !r.is("Z")) {
    const char sign = r.need("+-");
    const int64_t hours = r.number(2, 23);
    r.take(":");
    offset = (hours * 60 + r.number(2, 59)) * (sign == '-' ? -1 : 1);
    if (!r.is("")) return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(out.year)), std::chrono::month(month), std::chrono::day(day)};
  if (!r.good() || !date.ok()) return std::nullopt;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  out.minutes = (days * 24 + hour) * 60 + minute - offset;
  return out;
}

}  // namespace creance::schema
