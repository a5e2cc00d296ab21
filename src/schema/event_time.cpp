#include "schema/event_time.hpp"

#include <array>

#include "schema/calendar.hpp"

namespace creance::schema {
namespace {

constexpr std::array<std::string_view, 5> kNames{"UtcTime", "TimeCreated_SystemTime", "@timestamp", "Timestamp", "EventTime"};
constexpr int64_t kSecond = 1'000'000;

std::optional<int64_t> parse_calendar_us(std::string_view text) noexcept {
  const auto time = parse_calendar(text);
  if (!time || !time->has_seconds || time->year < 1601) return std::nullopt;
  return (time->minutes * 60 + time->second) * kSecond + time->fraction_us;
}

bool all_digits(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos; }

std::optional<int64_t> parse_epoch(std::string_view text) noexcept {
  const size_t dot = text.find('.');
  const std::string_view whole = text.substr(0, dot);
  if (!all_digits(whole) || whole.size() > 19) return std::nullopt;
  uint64_t value = 0;
  for (const char c : whole) value = value * 10 + static_cast<uint64_t>(c - '0');
  int64_t fraction = 0;
  if (dot != std::string_view::npos) {
    if (!all_digits(text.substr(dot + 1))) return std::nullopt;
    int64_t unit = kSecond / 10;
    for (const char c : text.substr(dot + 1)) {
      fraction += (c - '0') * unit;
      unit /= 10;
    }
  }
  if (value < 100'000'000'000) return static_cast<int64_t>(value) * kSecond + fraction;  // up to the year 5138
  if (value < 100'000'000'000'000) return static_cast<int64_t>(value) * 1'000;
  if (value < 100'000'000'000'000'000) return static_cast<int64_t>(value);
  return static_cast<int64_t>(value / 1'000);
}

}  // namespace

std::optional<int64_t> parse_time(std::string_view text) noexcept {
  if (text.size() > 64) return std::nullopt;
  return text.size() > 4 && text[4] == '-' ? parse_calendar_us(text) : parse_epoch(text);
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
