#include "plan/window.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/check.hpp"

namespace creance::plan {
namespace {

using std::chrono::milliseconds;
constexpr std::array<std::string_view, 7> kDays = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
constexpr int kDayMin = 24 * 60, kWeekMin = 7 * kDayMin;
constexpr milliseconds kMinute{60'000}, kWeek = kMinute * kWeekMin, kSearch = 4 * kWeek;

std::unexpected<Error> wrong(std::string_view text, const std::string& what) {
  return fail(ErrorCode::kInvalid, fmt::format("`{}` is no window: {}; write it like `Mon-Fri 22:00-04:00 Europe/Vienna`", text.substr(0, 128), what));
}

std::optional<unsigned> day_of(std::string_view text) {
  const auto it = std::ranges::find(kDays, text);
  return it == kDays.end() ? std::nullopt : std::optional(static_cast<unsigned>(it - kDays.begin()));
}

// `Mon,Wed-Fri` as bits; nothing: it is not.
std::optional<uint8_t> days_of(std::string_view text) {
  if (text == "daily") return uint8_t{0x7f};
  unsigned days = 0;
  for (bool more = true; more;) {
    const size_t comma = text.find(',');
    more = comma != std::string_view::npos;
    const std::string_view range = text.substr(0, comma);
    text.remove_prefix(more ? comma + 1 : text.size());
    const size_t dash = range.find('-');
    const auto first = day_of(range.substr(0, dash)), last = dash == std::string_view::npos ? first : day_of(range.substr(dash + 1));
    if (!first || !last) return std::nullopt;
    for (unsigned day = *first;; day = (day + 1) % 7) {  // over the end of the week, too
      if ((days & 1u << day) != 0) return std::nullopt;  // twice
      days |= 1u << day;
      if (day == *last) break;
    }
  }
  return static_cast<uint8_t>(days);
}

// `HH:MM` in minutes of the day, 24:00 the most.
std::optional<int> minute_of(std::string_view text) {
  const auto digit = [&](size_t i) { return text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : 100; };
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const int hours = digit(0) * 10 + digit(1), minutes = digit(3) * 10 + digit(4);
  if (hours > 24 || minutes > 59 || (hours == 24 && minutes != 0)) return std::nullopt;
  return hours * 60 + minutes;
}

// Time since Monday, 00:00, as a clock with this offset shows it.
milliseconds of_week(WallTime time, std::chrono::seconds offset) {
  const auto since = time.time_since_epoch() + offset - std::chrono::days(4);  // 1970-01-05 was a Monday
  return ((since % kWeek) + kWeek) % kWeek;
}

// How long until the window opens, if clocks go on as they do; zero: it is open.
milliseconds until_open(const Window& window, milliseconds at) {
  milliseconds soonest = kWeek;
  for (int day = 0; day < 7; ++day) {
    if ((window.days & 1u << day) == 0) continue;
    const milliseconds begins = kMinute * (day * kDayMin + window.begin_min);
    if (((at - begins) % kWeek + kWeek) % kWeek < kMinute * window.length_min) return milliseconds(0);
    soonest = std::min(soonest, ((begins - at) % kWeek + kWeek) % kWeek);
  }
  return soonest;
}

std::optional<WallTime> next_open(const Window& window, const Zone& zone, WallTime now) {
  for (WallTime at = now; at < now + kSearch;) {
    const Zone::Span span = zone.at(at);
    const milliseconds wait = until_open(window, of_week(at, span.offset));
    if (at + wait < span.until) return at + wait;
    at = span.until;  // clocks are put forward or back before that
  }
  return std::nullopt;
}

std::optional<WallTime> next_open(const Windows& list, const Zones& zones, WallTime now) {
  if (list.empty()) return now;
  std::optional<WallTime> soonest;
  for (const Window& window : list) {
    const auto zone = zones.find(window.zone);
    CHECK(zone != zones.end());
    const auto opens = next_open(window, zone->second, now);
    if (opens && (!soonest || *opens < *soonest)) soonest = opens;
  }
  return soonest;
}

bool overlap(const Window& a, const Window& b) {
  for (int days = 0; days < 49; ++days) {
    const int one = days % 7, other = days / 7;
    if ((a.days & 1u << one) == 0 || (b.days & 1u << other) == 0) continue;
    const int later = ((other - one) * kDayMin + b.begin_min - a.begin_min + kWeekMin) % kWeekMin;  // b begins so long after a
    if (later < a.length_min || kWeekMin - later < b.length_min) return true;
  }
  return false;
}

}  // namespace

Result<Window> Window::parse(std::string_view text) {
  std::array<std::string_view, 3> words;
  size_t count = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = text.find_first_not_of(' ', at);
    if (begin == std::string_view::npos) break;
    at = std::min(text.find(' ', begin), text.size());
    if (count == words.size()) return wrong(text, "it has more than days, times and a time zone");
    words[count++] = text.substr(begin, at - begin);
  }
  if (count < words.size()) return wrong(text, "it needs days, times and a time zone");
  const auto days = days_of(words[0]);
  if (!days) return wrong(text, fmt::format("`{}` are not days (Mon Tue Wed Thu Fri Sat Sun, with `,` and `-`, each once; or daily)", words[0].substr(0, 64)));
  const size_t dash = words[1].find('-');
  const auto begin = minute_of(words[1].substr(0, dash)), end = dash == std::string_view::npos ? std::nullopt : minute_of(words[1].substr(dash + 1));
  if (!begin || !end || *begin == kDayMin) return wrong(text, fmt::format("`{}` are not two times of a day (00:00 to 24:00)", words[1].substr(0, 64)));
  if (*begin == *end) return wrong(text, "it ends when it begins; the whole day is 00:00-24:00");
  if (!is_zone_name(words[2])) return wrong(text, fmt::format("`{}` is not the name of a time zone", words[2].substr(0, 64)));
  return Window{*days, static_cast<uint16_t>(*begin), static_cast<uint16_t>(*end > *begin ? *end - *begin : *end + kDayMin - *begin), std::string(words[2])};
}

std::string Window::text() const {
  std::string names;
  for (size_t day = 0; day < kDays.size(); ++day)
    if ((days & 1u << day) != 0) names += (names.empty() ? "" : ",") + std::string(kDays[day]);
  const int end = (begin_min + length_min) % kDayMin;
  const bool at_midnight = end == 0 && begin_min + length_min == kDayMin;
  return fmt::format("{} {:02}:{:02}-{:02}:{:02} {}", names, begin_min / 60, begin_min % 60, at_midnight ? 24 : end / 60, end % 60, zone);
}

Status add_window(Windows& list, std::string_view text) {
  TRY(Window window, Window::parse(text));
  if (list.size() == kWindowsMax) return wrong(text, fmt::format("there are {} of them already", kWindowsMax));
  for (const Window& other : list)
    if (other.zone == window.zone && overlap(other, window)) return wrong(text, fmt::format("it overlaps with `{}`", other.text()));
  list.push_back(std::move(window));
  return {};
}

std::optional<WallTime> next_open(std::span<const Windows* const> lists, const Zones& zones, WallTime now) {
  for (WallTime at = now; at < now + kSearch;) {
    WallTime latest = at;
    for (const Windows* list : lists) {
      const auto opens = next_open(*list, zones, at);
      if (!opens) return std::nullopt;
      latest = std::max(latest, *opens);
    }
    if (latest == at) return at;  // each is open
    at = latest;
  }
  return std::nullopt;
}

}  // namespace creance::plan
