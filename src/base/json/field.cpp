#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"

namespace creance {
namespace {
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 64)) out += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return out;
}
}  // namespace

Error JsonField::error(std::string_view what) const { return {ErrorCode::kInvalid, fmt::format("{}: {}", path_.empty() ? "document" : path_, what)}; }

Result<std::optional<JsonField>> JsonField::find(std::string_view name) const {
  if (!value_->is_object()) return fail(error("must be an object"));
  const Json* value = value_->find(name);
  if (value == nullptr) return std::optional<JsonField>();
  return std::optional<JsonField>(JsonField(*value, path_.empty() ? shown(name) : path_ + "." + shown(name)));
}

Result<JsonField> JsonField::at(std::string_view name) const {
  TRY(auto found, find(name));
  if (!found) return fail(error(fmt::format("lacks `{}`", name)));
  return *found;
}

Result<std::string> JsonField::text(size_t bytes_min, size_t bytes_max) const {
  if (!value_->is_string()) return fail(error("must be text"));
  const std::string& value = value_->string();
  if (value.size() < bytes_min) return fail(error(bytes_min == 1 ? "must not be empty" : fmt::format("must have at least {} bytes", bytes_min)));
  if (value.size() > bytes_max) return fail(error(fmt::format("must have at most {} bytes", bytes_max)));
  return value;
}

Result<int64_t> JsonField::integer(int64_t min, int64_t max) const {
  if (!value_->is_integer()) return fail(error("must be an integer"));
  const int64_t value = value_->integer();
  if (value < min || value > max) return fail(error(fmt::format("{} is not between {} and {}", value, min, max)));
  return value;
}

Result<bool> JsonField::boolean() const {
  if (!value_->is_boolean()) return fail(error("must be true or false"));
  return value_->boolean();
}

Result<WallTime> JsonField::time() const {
  TRY(const std::string value, text(1, 64));
  auto parsed = parse_time(value);
  if (!parsed) return fail(error(parsed.error().detail));
  return *parsed;
}

Result<std::vector<JsonField>> JsonField::elements(size_t count_max) const {
  if (!value_->is_array()) return fail(error("must be a list"));
  const Json::Array& values = value_->elements();
  if (values.size() > count_max) return fail(error(fmt::format("has more than {} entries", count_max)));
  std::vector<JsonField> out;
  out.reserve(values.size());
  for (size_t i = 0; i < values.size(); ++i) out.emplace_back(values[i], fmt::format("{}[{}]", path_, i));
  return out;
}

Result<std::vector<std::pair<std::string, JsonField>>> JsonField::members(size_t count_max) const {
  if (!value_->is_object()) return fail(error("must be an object"));
  if (value_->members().size() > count_max) return fail(error(fmt::format("has more than {} members", count_max)));
  std::vector<std::pair<std::string, JsonField>> out;
  out.reserve(value_->members().size());
  for (const Json::Member& member : value_->members()) {
    out.emplace_back(member.first, JsonField(member.second, path_.empty() ? shown(member.first) : path_ + "." + shown(member.first)));
  }
  return out;
}

Result<std::string> JsonField::text_at(std::string_view name, size_t bytes_min, size_t bytes_max) const {
  TRY(const JsonField field, at(name));
  return field.text(bytes_min, bytes_max);
}
Result<int64_t> JsonField::integer_at(std::string_view name, int64_t min, int64_t max) const {
  TRY(const JsonField field, at(name));
  return field.integer(min, max);
}
Result<bool> JsonField::boolean_at(std::string_view name) const {
  TRY(const JsonField field, at(name));
  return field.boolean();
}
Result<WallTime> JsonField::time_at(std::string_view name) const {
  TRY(const JsonField field, at(name));
  return field.time();
}

// 20 characters: "2026-11-23T10:00:00Z".
Result<WallTime> parse_time(std::string_view text) {
  constexpr std::string_view shape = "dddd-dd-ddTdd:dd:ddZ";
  const auto wrong = [&] { return fail(ErrorCode::kInvalid, fmt::format("`{}` is not a time such as 2026-11-23T10:00:00Z", shown(text))); };
  if (text.size() != shape.size()) return wrong();
  int numbers[6] = {};
  size_t field = 0;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] == 'd') {
      if (text[i] < '0' || text[i] > '9') return wrong();
      numbers[field] = numbers[field] * 10 + (text[i] - '0');
    } else {
      if (text[i] != shape[i]) return wrong();
      ++field;
    }
  }
  const std::chrono::year_month_day day{std::chrono::year(numbers[0]), std::chrono::month(static_cast<unsigned>(numbers[1])), std::chrono::day(static_cast<unsigned>(numbers[2]))};
  if (!day.ok() || numbers[3] > 23 || numbers[4] > 59 || numbers[5] > 59) return wrong();
  return WallTime(std::chrono::sys_days(day)) + std::chrono::hours(numbers[3]) + std::chrono::minutes(numbers[4]) + std::chrono::seconds(numbers[5]);
}

std::string format_time(WallTime time) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  const auto midnight = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day day{midnight};
  const std::chrono::hh_mm_ss clock{seconds - midnight};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(day.year()), static_cast<unsigned>(day.month()), static_cast<unsigned>(day.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count());
}

}  // namespace creance
