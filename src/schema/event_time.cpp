#include "schema/event_time.hpp"

#include <array>
#include <chrono>

#include "base/text.hpp"

namespace creance::schema {
namespace {

constexpr std::array<std::string_view, 5> kNames{"UtcTime", "TimeCreated_SystemTime", "@timestamp", "Timestamp", "EventTime"};
constexpr int64_t kSecond = 1'000'000;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes from the front of a text; a failed step makes all later ones fail.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}
  int64_t digits(size_t count) {
    int64_t value = 0;
    for (size_t i = 0; i < count; ++i) {
      if (rest_.empty() || !is_digit(rest_[0])) return good_ = false, 0;
      value = value * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
    }
    return value;
  }
  bool take(std::string_view any) {
    if (rest_.empty() || any.find(rest_[0]) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void need(std::string_view any) { good_ = take(any) && good_; }
  int64_t fraction() {  // in microseconds
    if (rest_.empty() || !is_digit(rest_[0])) return good_ = false, 0;
    int64_t value = 0;
    int64_t unit = kSecond / 10;
    for (; !rest_.empty() && is_digit(rest_[0]); rest_.remove_prefix(1)) {
      value += (rest_[0] - '0') * unit;
      unit /= 10;
    }
    return value;
  }
  bool ends_with_zone() { return rest_.empty() || rest_ == "Z" || rest_ == "z" || rest_ == " UTC" || rest_ == "UTC"; }
  bool at_end() const { return rest_.empty(); }
  bool good() const { return good_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

std::optional<int64_t> parse_calendar(std::string_view text) noexcept {
  Reader r(text);
  const auto year = static_cast<int>(r.digits(4));
  r.need("-");
  const auto month = static_cast<unsigned>(r.digits(2));
  r.need("-");
  const auto day = static_cast<unsigned>(r.digits(2));
  r.need("T t");
  const int64_t hour = r.digits(2);
  r.need(":");
  const int64_t minute = r.digits(2);
  r.need(":");
  const int64_t second = r.digits(2);
  const int64_t fraction = r.take(".,") ? r.fraction() : 0;
  int64_t zone = 0;  // minutes east of UTC
  if (!r.ends_with_zone()) {
    const bool west = r.take("-");
    if (!west) r.need("+");
    zone = r.digits(2) * 60;
    (void)r.take(":");
    zone += r.digits(2);
    if (west) zone = -zone;
    if (!r.at_end()) return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(day)};
  if (!r.good() || !date.ok() || year < 1601 || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return (((days * 24 + hour) * 60 + minute - zone) * 60 + second) * kSecond + fraction;
}

std::optional<int64_t> parse_epoch(std::string_view text) noexcept {
  const size_t dot = text.find('.');
  const std::string_view whole = text.substr(0, dot);
  if (whole.empty() || whole.size() > 19) return std::nullopt;
  Reader r(text);
  uint64_t value = 0;
  for (size_t i = 0; i < whole.size(); ++i) value = value * 10 + static_cast<uint64_t>(r.digits(1));
  int64_t fraction = 0;
  if (dot != std::string_view::npos) {
    r.need(".");
    fraction = r.fraction();
  }
  if (!r.good() || !r.at_end()) return std::nullopt;
  if (value < 100'000'000'000) return static_cast<int64_t>(value) * kSecond + fraction;  // up to the year 5138
  if (value < 100'000'000'000'000) return static_cast<int64_t>(value) * 1'000;
  if (value < 100'000'000'000'000'000) return static_cast<int64_t>(value);
  return static_cast<int64_t>(value / 1'000);
}

}  // namespace

std::optional<int64_t> parse_time(std::string_view text) noexcept {
  if (text.size() > 64) return std::nullopt;
  return text.size() > 4 && text[4] == '-' ? parse_calendar(text) : parse_epoch(text);
}

std::vector<uint32_t> time_inputs(const TemplateType& type) {
  std::vector<uint32_t> out;
  for (const std::string_view name : kNames) {
    const auto index = type.input_index(name);
    if (index && type.inputs[*index].type == InputType::kTime) out.push_back(*index);
  }
  for (uint32_t i = 0; i < type.inputs.size() && out.empty(); ++i) {
    if (type.inputs[i].type == InputType::kTime) out.push_back(i);
  }
  return out;
}

std::optional<int64_t> event_time(std::span<const uint32_t> inputs, std::span<const InputValue> values) noexcept {
  for (const uint32_t input : inputs) {
    if (input >= values.size() || !values[input].has_value()) continue;
    if (const auto time = parse_time(values[input].text())) return time;
  }
  return std::nullopt;
}

}  // namespace creance::schema
