#include "plan/zone.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace creance::plan {
namespace {

using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

constexpr size_t kHeadBytes = 44;
constexpr uint32_t kChangesMax = 16'384;
constexpr seconds kOffsetMax{26 * 3600};  // RFC 9636, 3.2: -25 to 26 hours
const WallTime kForever = WallTime::max();

std::unexpected<Error> wrong(std::string_view what) { return fail(ErrorCode::kInvalid, fmt::format("not a time zone file: {}", what)); }

int64_t big_endian(BytesView bytes) {
  uint64_t value = (bytes[0] & 0x80) != 0 ? ~uint64_t{0} : 0;
  for (const uint8_t byte : bytes) value = value << 8 | byte;
  return static_cast<int64_t>(value);
}

struct Counts {
  uint32_t utc_marks = 0, standard_marks = 0, leaps = 0, changes = 0, types = 0, name_bytes = 0;
  uint64_t bytes(unsigned time_bytes) const { return uint64_t{changes} * (time_bytes + 1) + uint64_t{types} * 6 + name_bytes + uint64_t{leaps} * (time_bytes + 4) + standard_marks + utc_marks; }
};

Result<Counts> read_head(BytesView file) {
  if (file.size() < kHeadBytes || as_text(file.first(4)) != "TZif") return wrong("it does not begin with `TZif`");
  if (file[4] < '2') return wrong("its version is 1, which ends in the year 2038");
  std::array<uint32_t, 6> numbers{};
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<uint32_t>(big_endian(file.subspan(20 + 4 * i, 4)));
  const Counts counts{numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5]};
  if (std::ranges::any_of(numbers, [](uint32_t n) { return n > kChangesMax; })) return wrong("a count is out of its range");
  return counts;
}

// First of `month` in `year`, whole days.
sys_days first_of(int year, unsigned month) { return sys_days(std::chrono::year(year) / std::chrono::month(month) / 1); }

}  // namespace

bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '/' || name.back() == '/' || name.starts_with("posix/") || name.starts_with("right/")) return false;
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '+' || c == '/'; };
  return std::ranges::all_of(name, plain) && name.find("//") == std::string_view::npos;
}

// The rule behind the last change, as POSIX writes it: `CET-1CEST,M3.5.0,M10.5.0/3`. Offsets count westwards.
class Zone::RuleReader {
 public:
  explicit RuleReader(std::string_view text) : rest_(text) {}
  std::optional<Rule> read() {
    Rule rule;
    seconds west{0};
    if (!name() || !time(west)) return std::nullopt;
    rule.standard = -west;
    if (rest_.empty()) return rule;
    Rule::Saving saving{rule.standard + seconds(3600), {}, {}};
    if (!name()) return std::nullopt;
    if (!rest_.empty() && rest_[0] != ',') {
      if (!time(west)) return std::nullopt;
      saving.offset = -west;
    }
    if (!day(saving.begin) || !day(saving.end) || !rest_.empty()) return std::nullopt;
    rule.saving = saving;
    return rule;
  }

 private:
  bool take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool name() {
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    size_t n = 0;
    if (take('<')) {
      n = rest_.find('>');
      if (n == std::string_view::npos) return false;
      rest_.remove_prefix(n + 1);
    } else {
      while (n < rest_.size() && letter(rest_[n])) ++n;
      rest_.remove_prefix(n);
    }
    return n >= 3;
  }
  bool number(int& out, int most) {
    size_t n = 0;
    for (out = 0; n < rest_.size() && n < 4 && rest_[n] >= '0' && rest_[n] <= '9'; ++n) out = out * 10 + (rest_[n] - '0');
    rest_.remove_prefix(n);
    return n > 0 && out <= most;
  }
  bool time(seconds& out) {  // [+-]hhh[:mm[:ss]]
    const bool negative = take('-');
    if (!negative) (void)take('+');
    int hours = 0, minutes = 0, rest = 0;
    if (!number(hours, 167)) return false;
    if (take(':') && !number(minutes, 59)) return false;
    if (take(':') && !number(rest, 59)) return false;
    out = seconds(hours * 3600 + minutes * 60 + rest) * (negative ? -1 : 1);
    return true;
  }
  bool day(Day& out) {
    if (!take(',')) return false;
    if (take('M')) {
      int month = 0, week = 0;
      if (!number(month, 12) || !take('.') || !number(week, 5) || !take('.') || !number(out.day, 6) || month == 0 || week == 0) return false;
      out.month = static_cast<unsigned>(month);
      out.week = static_cast<unsigned>(week);
    } else if (take('J')) {
      out.kind = Day::Kind::kJulian;
      if (!number(out.day, 365) || out.day == 0) return false;
    } else {
      out.kind = Day::Kind::kZeroBased;
      if (!number(out.day, 365)) return false;
    }
    out.time = seconds(2 * 3600);
    return !take('/') || time(out.time);
  }
  std::string_view rest_;
};

sys_seconds Zone::Day::in(int year) const {
  if (kind != Kind::kMonthWeekDay) {
    const bool leap = std::chrono::year(year).is_leap();
    const int index = kind == Kind::kZeroBased ? day : day - 1 + (leap && day >= 60 ? 1 : 0);
    return first_of(year, 1) + std::chrono::days(index) + time;
  }
  using namespace std::chrono;
  const year_month month_of{std::chrono::year(year), std::chrono::month(month)};
  const weekday wanted(static_cast<unsigned>(day));
  if (week == 5) return sys_days(month_of / wanted[last]) + time;
  return sys_days(month_of / wanted[week]) + time;
}

Zone::Span Zone::Rule::at(sys_seconds time) const {
  if (!saving) return {standard, kForever};
  const int year = static_cast<int>(std::chrono::year_month_day(std::chrono::floor<std::chrono::days>(time)).year());
  // Of equal times the begin comes last: who writes summer time from end to end of the year means it.
  struct At {
    sys_seconds from;
    bool begins;
    auto operator<=>(const At&) const = default;
  };
  std::vector<At> changes;
  for (int y = year - 1; y <= year + 1; ++y) {
    changes.push_back({saving->begin.in(y) - standard, true});
    changes.push_back({saving->end.in(y) - saving->offset, false});
  }
  std::ranges::sort(changes);
  const auto next = std::ranges::upper_bound(changes, time, {}, &At::from);
  const bool saves = next != changes.begin() && std::prev(next)->begins;
  return {saves ? saving->offset : standard, next == changes.end() ? kForever : WallTime(next->from)};
}

Zone Zone::utc() {
  Zone zone;
  zone.name_ = "UTC";
  return zone;
}

Result<Zone> Zone::parse(std::string_view name, BytesView file) {
  if (file.size() > kZoneBytesMax) return wrong("it is too large");
  TRY(const Counts old, read_head(file));
  if (file.size() - kHeadBytes < old.bytes(4)) return wrong("it is cut off");
  file = file.subspan(kHeadBytes + old.bytes(4));
  TRY(const Counts counts, read_head(file));
  if (counts.leaps != 0) return wrong("it counts leap seconds");
  if (counts.types == 0) return wrong("it has no kind of local time");
  file = file.subspan(kHeadBytes);
  if (file.size() < counts.bytes(8)) return wrong("it is cut off");
  const BytesView times = file.first(counts.changes * size_t{8}), kinds = file.subspan(times.size(), counts.changes), types = file.subspan(times.size() + kinds.size(), counts.types * size_t{6});
  const auto offset_of = [&](size_t type) { return seconds(big_endian(types.subspan(type * 6, 4))); };
  for (size_t i = 0; i < counts.types; ++i)
    if (std::chrono::abs(offset_of(i)) > kOffsetMax) return wrong("an offset is out of its range");

  Zone zone;
  zone.name_ = name;
  zone.first_ = offset_of(0);
  for (size_t i = 0; i < counts.changes; ++i) {
    if (kinds[i] >= counts.types) return wrong("a change names no kind of local time");
    const int64_t from = big_endian(times.subspan(i * 8, 8));
    if (from < -(int64_t{1} << 40) || from > (int64_t{1} << 40)) {  // "since ever", as some files begin; and what milliseconds can count
      if (i != 0) return wrong("a change is out of its range");
      zone.first_ = offset_of(kinds[i]);
      continue;
    }
    if (!zone.changes_.empty() && sys_seconds(seconds(from)) <= zone.changes_.back().from) return wrong("its changes are not in order");
    zone.changes_.push_back({sys_seconds(seconds(from)), offset_of(kinds[i])});
  }
  const std::string_view footer = as_text(file.subspan(counts.bytes(8)));
  if (footer.size() < 2 || footer.front() != '\n') return wrong("it is cut off");
  const size_t end = footer.find('\n', 1);
  if (end == std::string_view::npos) return wrong("it is cut off");
  if (end > 1) {
    zone.rule_ = RuleReader(footer.substr(1, end - 1)).read();
    if (!zone.rule_) return wrong(fmt::format("its rule for the time to come cannot be read: `{}`", footer.substr(1, std::min<size_t>(end - 1, 64))));
  }
  return zone;
}

Zone::Span Zone::at(WallTime wall) const {
  const auto time = std::chrono::floor<seconds>(wall);
  const auto next = std::ranges::upper_bound(changes_, time, {}, &Change::from);
  if (next == changes_.end() && rule_) return rule_->at(time);
  return {next == changes_.begin() ? first_ : std::prev(next)->offset, next == changes_.end() ? kForever : WallTime(next->from)};
}

}  // namespace creance::plan
