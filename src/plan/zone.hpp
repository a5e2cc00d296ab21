// A time zone's rules as a value: how far its clocks are from UTC, and until when. Read from the bytes of a TZif file (RFC 9636, versions 2 to 4), its rule for the time after the last listed
// change included. Pure: who has files reads them (/usr/share/zoneinfo). Files with leap seconds ("right/…") are refused. Failure: kInvalid.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/seams/clock.hpp"

namespace creance::plan {

inline constexpr size_t kZoneBytesMax = 65'536;  // of a TZif file; the largest has some 4 KiB
inline constexpr std::string_view kZoneFolder = "/usr/share/zoneinfo";

// A name of the IANA database ("Europe/Vienna", "UTC", "Etc/GMT+5"): a relative path without `.` and `..`, and none of the database's own second trees.
bool is_zone_name(std::string_view name);

class Zone {
 public:
  static Zone utc();
  static Result<Zone> parse(std::string_view name, BytesView tzif);

  const std::string& name() const { return name_; }
  struct Span {
    std::chrono::seconds offset{0};  // local time = UTC + offset
    WallTime until{};                // holds before this
  };
  Span at(WallTime time) const;

 private:
  struct Day {  // of a year, and a time on it
    enum class Kind : uint8_t { kJulian, kZeroBased, kMonthWeekDay } kind = Kind::kMonthWeekDay;
    int day = 0;                     // 1 to 365 without 29 February; 0 to 365; 0 to 6 from Sunday
    unsigned month = 0, week = 0;    // week 5: the last
    std::chrono::seconds time{0};    // of the local clock
    std::chrono::sys_seconds in(int year) const;
  };
  struct Rule {  // the TZ string of POSIX
    std::chrono::seconds standard{0};
    struct Saving {
      std::chrono::seconds offset{0};
      Day begin, end;
    };
    std::optional<Saving> saving;
    Span at(std::chrono::sys_seconds time) const;
  };
  struct Change {
    std::chrono::sys_seconds from{};
    std::chrono::seconds offset{0};
  };
  class RuleReader;

  std::string name_;
  std::chrono::seconds first_{0};  // before all changes
  std::vector<Change> changes_;    // ascending
  std::optional<Rule> rule_;       // after the last one
};
using Zones = std::map<std::string, Zone, std::less<>>;

}  // namespace creance::plan
