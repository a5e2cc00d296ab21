#include "events/stamp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace creance::events {

std::string iso_stamp(int64_t seconds, uint32_t fraction, int digits) {
  using namespace std::chrono;
  constexpr int64_t kFirst = -62'167'219'200, kLast = 253'402'300'799;  // years 0 to 9999
  const sys_seconds time{std::chrono::seconds(std::clamp(seconds, kFirst, kLast))};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:0{}}Z", static_cast<int>(date.year()), static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(), clock.minutes().count(), clock.seconds().count(), fraction,
                     digits);
}

std::string ipv6_text(std::span<const unsigned char, 16> bytes) {
  uint32_t groups[8];
  for (size_t i = 0; i < 8; ++i) groups[i] = static_cast<uint32_t>(bytes[2 * i]) << 8 | bytes[2 * i + 1];
  size_t best = 8, best_length = 1;  // the longest run of at least two zero groups is left out
  for (size_t i = 0; i < 8;) {
    size_t end = i;
    while (end < 8 && groups[end] == 0) ++end;
    if (end - i > best_length) best = i, best_length = end - i;
    i = std::max(end, i + 1);
  }
  std::string out;
  for (size_t i = 0; i < 8; ++i) {
    if (i == best) {
      out += "::";
      i += best_length - 1;
      continue;
    }
    if (!out.empty() && out.back() != ':') out += ':';
    out += fmt::format("{:x}", groups[i]);
  }
  return out;
}

}  // namespace creance::events
