// A time as text, to the millisecond: "2026-11-23T10:00:00.000Z" (RFC 3339, 5.6).
#pragma once
#include <fmt/format.h>

#include <chrono>
#include <string>

#include "base/seams/clock.hpp"

namespace creance {

inline std::string rfc3339(WallTime time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(),
                     clock.seconds().count(), clock.subseconds().count());
}

}  // namespace creance
