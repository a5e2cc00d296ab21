// Maintenance windows: at what times of a week new content may be taken, by the clocks of a named time zone: `Mon-Fri 22:00-04:00 Europe/Vienna`. Pure.
//   window := days begin-end zone      days: `Mon`, `Sat,Sun`, `Mon-Fri`, `Fri-Mon`, `Mon,Wed-Fri`, or `daily`      begin, end: `HH:MM`, the end up to 24:00
// A window whose end is not after its begin ends on the next day; its days are those on which it begins. What counts is what a clock on the wall shows: where clocks are put forward over a
// window, it is not open on that day; where they are put back, what they show twice is open twice.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plan/zone.hpp"

namespace creance::plan {

struct Window {
  uint8_t days = 0;          // bit 0 is Monday
  uint16_t begin_min = 0;    // of the day
  uint16_t length_min = 0;   // INVARIANT: 1 to 1,440
  std::string zone;
  friend bool operator==(const Window&, const Window&) = default;

  static Result<Window> parse(std::string_view text);  // kInvalid: what is wrong with it, and how to write it
  std::string text() const;
};
using Windows = std::vector<Window>;
inline constexpr size_t kWindowsMax = 64;  // of one list

// Parses one and puts it to the others of its list. kInvalid also where it overlaps with one of the same zone, or where there are too many.
Status add_window(Windows& list, std::string_view text);

// The first moment from `now` on at which each of these lists has an open window; `now` itself if it is such a one. An empty list is always open. Nothing: not within four weeks.
// Every zone that they name must be in `zones`.
std::optional<WallTime> next_open(std::span<const Windows* const> lists, const Zones& zones, WallTime now);

}  // namespace creance::plan
