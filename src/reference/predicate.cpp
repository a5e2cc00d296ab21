#include "reference/predicate.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace creance::reference {
namespace {

using enum sigma::Modifier;
using sigma::Modifier;
using sigma::ValueKind;

bool has(const sigma::Item& item, Modifier modifier) { return std::find(item.modifiers.begin(), item.modifiers.end(), modifier) != item.modifiers.end(); }

std::optional<std::string> parse_address(std::string_view text, int family) {
  std::string bytes(family == AF_INET ? 4 : 16, '\0');
  if (text.find('\0') != std::string_view::npos) return std::nullopt;
  if (inet_pton(family, std::string(text).c_str(), bytes.data()) != 1) return std::nullopt;
  return bytes;
}

Result<Network> parse_network(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  Network out;
  out.family = address.find(':') == std::string_view::npos ? AF_INET : AF_INET6;
  const auto bytes = parse_address(address, out.family);
  out.bits = out.family == AF_INET ? 32 : 128;
  if (!bytes) return fail(ErrorCode::kInvalid, fmt::format("`{}` is no network", text));
  out.address = *bytes;
  if (slash == std::string_view::npos) return out;
  const std::string_view digits = text.substr(slash + 1);
  size_t bits = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  if (parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() || bits > out.bits) return fail(ErrorCode::kInvalid, fmt::format("`{}` is no network", text));
  out.bits = bits;
  return out;
}

bool contains_address(const Network& network, std::string_view text) {
  const auto address = parse_address(text, network.family);
  if (!address) return false;
  for (size_t bit = 0; bit < network.bits; ++bit) {
    const auto bit_of = [bit](const std::string& bytes) { return static_cast<unsigned char>(bytes[bit / 8]) >> (7 - bit % 8) & 1; };
    if (bit_of(*address) != bit_of(network.address)) return false;
  }
  return true;
}

// -?(digits(.digits?)?|.digits)([eE][+-]?digits)?, at most 64 bytes
std::optional<double> parse_number(std::string_view text) {
  size_t at = 0;
  const auto digits = [&] {
    const size_t begin = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at > begin;
  };
  if (text.size() > 64) return std::nullopt;
  if (at < text.size() && text[at] == '-') ++at;
  const bool whole = digits();
  if (at < text.size() && text[at] == '.') {
    ++at;
    if (!digits() && !whole) return std::nullopt;
  } else if (!whole) {
    return std::nullopt;
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    if (!digits()) return std::nullopt;
  }
  if (at != text.size()) return std::nullopt;
  double number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc{}) return std::nullopt;
  return number;
}

// -?digits, at most 64 bytes -> the same without leading zeros and without the sign of zero; else empty.
std::string whole_digits(std::string_view text) {
  const bool negative = text.starts_with('-');
  std::string_view digits = text.substr(negative ? 1 : 0);
  if (text.size() > 64 || digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) return {};
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  return negative && digits != "0" ? "-" + std::string(digits) : std::string(digits);
}

// Whole numbers of any length, as whole_digits() gives them: < 0, 0, > 0.
int compare_whole(const std::string& a, const std::string& b) {
  const bool a_negative = a.starts_with('-'), b_negative = b.starts_with('-');
  if (a_negative != b_negative) return a_negative ? -1 : 1;
  const int magnitude = a.size() != b.size() ? (a.size() < b.size() ? -1 : 1) : a.compare(b);
  return a_negative ? -magnitude : magnitude;
}

bool has_64_bits(const std::string& whole) { return compare_whole(whole, "-9223372036854775808") >= 0 && compare_whole(whole, "9223372036854775807") <= 0; }

// The time that a text names, in UTC, to the minute. The form: docs/reference/channel-format.md, "Times".
std::optional<std::chrono::sys_time<std::chrono::minutes>> parse_time(std::string_view text) {
  static const re2::RE2 kForm(R"((\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(?:Z|([+-])(\d\d):?(\d\d))?)");
  int year = 0, month = 0, day = 0, hour = 0, minute = 0;
  std::string second, sign, offset_hours, offset_minutes;  // empty: not written
  if (text.size() > 64 || !re2::RE2::FullMatch(text, kForm, &year, &month, &day, &hour, &minute, &second, &sign, &offset_hours, &offset_minutes)) return std::nullopt;
  const auto number = [](const std::string& digits) { return digits.empty() ? 0 : std::stoi(digits); };
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)), std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || number(second) > 60 || number(offset_hours) > 23 || number(offset_minutes) > 59) return std::nullopt;
  const auto local = std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute);
  const auto offset = std::chrono::hours(number(offset_hours)) + std::chrono::minutes(number(offset_minutes));
  return sign == "-" ? local + offset : local - offset;
}

double part_of(std::chrono::sys_time<std::chrono::minutes> time, Modifier part) {
  using namespace std::chrono;
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  switch (part) {
    case kMinute: return static_cast<double>(clock.minutes().count());
    case kHour: return static_cast<double>(clock.hours().count());
    case kDay: return static_cast<unsigned>(date.day());
    case kMonth: return static_cast<unsigned>(date.month());
    case kYear: return static_cast<int>(date.year());
    default: break;
  }
  // Weeks of ISO 8601 begin on Monday; the first is the one that holds January 4th.
  const auto monday = [](sys_days of) { return of - (weekday(of) - Monday); };
  const auto first_week = [&](year of) { return monday(sys_days(of / January / 4)); };
  year of = date.year() + years(1);
  while (first_week(of) > day) of -= years(1);
  return static_cast<double>((monday(day) - first_week(of)).count() / 7 + 1);
}

// Bytes that are not UTF-8 become U+FFFD, so that `.` and `[^a]` see a character there.
std::string for_regex(std::string_view text) {
  std::string out;
  size_t at = 0;
  for (const char32_t c : characters_of(text)) {
    const size_t size = c >= kStrayByte || c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    if (c >= kStrayByte || surrogate) out += "\uFFFD"; else out += text.substr(at, size);
    at += size;
  }
  return out;
}

// The end of what stands at `at` and is not looked into: an escape, `\Q…\E`, a class in brackets; or just one byte.
size_t end_of_piece(std::string_view regex, size_t at) {
  const std::string_view rest = regex.substr(at);
  if (rest.starts_with("\\Q")) {
    const size_t end = regex.find("\\E", at + 2);
    return end == std::string_view::npos ? regex.size() : end + 2;
  }
  if (rest[0] == '\\') return std::min(at + 2, regex.size());
  if (rest[0] != '[') return at + 1;
  ++at;
  if (regex.substr(at).starts_with('^')) ++at;
  if (regex.substr(at).starts_with(']')) ++at;
  while (at < regex.size() && regex[at] != ']') {
    const size_t name_end = regex.substr(at).starts_with("[:") ? regex.find(":]", at) : std::string_view::npos;
    at = name_end != std::string_view::npos ? name_end + 2 : regex[at] == '\\' ? at + 2 : at + 1;
  }
  return std::min(at + 1, regex.size());
}

// This RE2 knows named groups as (?P<name>…) only; PCRE and newer ones write (?<name>…) too.
std::string with_named_groups(std::string_view regex) {
  std::string out;
  for (size_t at = 0; at < regex.size();) {
    const std::string_view rest = regex.substr(at);
    if (rest.starts_with("(?<") && rest.size() > 3 && rest[3] != '=' && rest[3] != '!') {
      out += "(?P";
      at += 2;
      continue;
    }
    const size_t end = end_of_piece(regex, at);
    out += regex.substr(at, end - at);
    at = end;
  }
  return out;
}

Result<std::shared_ptr<const re2::RE2>> make_regex(const sigma::Item& item, const std::string& given) {
  const std::string text = with_named_groups(given);
  std::string flags;
  if (has(item, kRegexIgnoreCase)) flags += 'i';
  if (has(item, kRegexMultiLine)) flags += 'm';
  if (has(item, kRegexDotAll)) flags += 's';
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(256 << 20);
  auto regex = std::make_shared<re2::RE2>(flags.empty() ? text : fmt::format("(?{}){}", flags, text), options);
  if (!regex->ok()) return fail(ErrorCode::kInvalid, fmt::format("bad regular expression: {}", regex->error()));
  return std::shared_ptr<const re2::RE2>(std::move(regex));
}

// The text modifiers in the order written.
Result<std::vector<Pattern>> make_patterns(const sigma::Item& item, const sigma::Value& value) {
  std::vector<Pattern> patterns = {value.kind == ValueKind::kString ? parse_pattern(value.text) : literal_pattern(value.text)};
  for (const Modifier modifier : item.modifiers) {
    std::vector<Pattern> changed;
    for (Pattern& pattern : patterns) {
      Result<std::vector<Pattern>> made = [&]() -> Result<std::vector<Pattern>> {
        switch (modifier) {
          case kContains: return std::vector<Pattern>{contains(std::move(pattern))};
          case kStartsWith: return std::vector<Pattern>{starts_with(std::move(pattern))};
          case kEndsWith: return std::vector<Pattern>{ends_with(std::move(pattern))};
          case kWindash: return std::vector<Pattern>{windash(pattern)};
          case kUtf16: return utf16(pattern, Utf16::kMarked);
          case kUtf16Le: case kWide: return utf16(pattern, Utf16::kLittle);
          case kUtf16Be: return utf16(pattern, Utf16::kBig);
          case kBase64: return base64(pattern);
          case kBase64Offset: return base64_offset(pattern);
          default: return std::vector<Pattern>{std::move(pattern)};
        }
      }();
      TRY(std::vector<Pattern> some, std::move(made));
      changed.insert(changed.end(), some.begin(), some.end());
    }
    patterns = std::move(changed);
  }
  if (item.is_keyword()) {
    for (Pattern& pattern : patterns) pattern = contains(std::move(pattern));
  }
  return patterns;
}

Result<Test> make_test(const sigma::Item& item, const sigma::Value& value, const schema::TemplateType& type) {
  using Kind = Test::Kind;
  constexpr std::pair<Modifier, Kind> kNumeric[] = {{kLess, Kind::kLess}, {kLessOrEqual, Kind::kLessOrEqual}, {kGreater, Kind::kGreater}, {kGreaterOrEqual, Kind::kGreaterOrEqual}};
  Test test;
  for (const Modifier part : {kMinute, kHour, kDay, kWeek, kMonth, kYear}) {
    if (!has(item, part)) continue;
    if (item.is_keyword() || value.text.empty() || value.text.size() > 4 || value.text.find_first_not_of("0123456789") != std::string::npos) {
      return fail(ErrorCode::kInvalid, fmt::format("`{}` is no part of a time", value.text));
    }
    test.part = part;
    test.kind = Kind::kEqual;
    test.number = std::stoi(value.text);
  }
  for (const auto& [modifier, kind] : kNumeric) {
    if (!has(item, modifier)) continue;
    const auto number = parse_number(value.text);
    if (!number) return fail(ErrorCode::kInvalid, fmt::format("`{}` is no number", value.text));
    test.kind = kind;
    test.number = *number;
    if (const std::string whole = whole_digits(value.text); !whole.empty() && has_64_bits(whole)) test.digits = whole;
    return test;
  }
  if (test.part) return test;
  if (has(item, kExists)) {
    if (value.kind != ValueKind::kBoolean) return fail(ErrorCode::kInvalid, "`exists` takes true or false");
    const std::string text = to_ascii_lower(value.text);
    const bool wanted = text == "true" || text == "yes" || text == "on";
    test.kind = wanted ? Kind::kPresent : Kind::kAbsent;
    return test;
  }
  if (has(item, kFieldRef)) {
    const auto other = type.input_index(value.text);
    if (!other) return fail(ErrorCode::kInvalid, fmt::format("`{}` has no input `{}`", type.id, value.text));
    test.kind = Kind::kField;
    test.other = *other;
    test.before = has(item, kContains) || has(item, kEndsWith);
    test.behind = has(item, kContains) || has(item, kStartsWith);
    return test;
  }
  if (has(item, kCidr)) {
    test.kind = Kind::kNetwork;
    TRY(test.network, parse_network(value.text));
    return test;
  }
  if (has(item, kRegex)) {
    test.kind = Kind::kRegex;
    TRY(test.regex, make_regex(item, value.text));
    return test;
  }
  if (value.kind == ValueKind::kNull) {
    if (item.is_keyword()) return fail(ErrorCode::kUnsupported, "`null` as a keyword");
    test.kind = Kind::kAbsent;
    return test;
  }
  TRY(test.patterns, make_patterns(item, value));
  return test;
}

// Every value of one input, not cut.
std::vector<std::string_view> values_of(const schema::Inputs& inputs, uint32_t input) {
  std::vector<std::string_view> out;
  if (inputs.values[input].has_value()) out.push_back(inputs.values[input].text());
  for (const schema::FurtherValue& more : inputs.further) {
    if (more.input == input) out.push_back(more.text);
  }
  return out;
}

std::vector<std::string_view> every_value(const schema::Inputs& inputs) {
  std::vector<std::string_view> out;
  for (const schema::InputValue& value : inputs.values) {
    if (value.has_value()) out.push_back(value.text());
  }
  for (const schema::FurtherValue& more : inputs.further) out.push_back(more.text);
  for (const std::string_view other : inputs.others) out.push_back(other);
  return out;
}

// Of a value that is too long nothing behind the limit is compared, and nothing holds that is said of its end or of all of it.
bool is_cut(std::string_view value) { return value.size() > limits::kInputBytesMax; }
std::string_view cut(std::string_view value) { return value.substr(0, limits::kInputBytesMax); }

bool holds_pattern(const Pattern& pattern, std::string_view value, bool cased) {
  const bool open = !pattern.empty() && pattern.back().kind == Token::Kind::kAnyRun;
  return (open || !is_cut(value)) && matches(pattern, cut(value), cased);
}

// `$`, `\b` and their like see the character behind the cut.
bool holds_regex(const re2::RE2& regex, std::string_view value) {
  const std::string text = for_regex(cut(value));
  const std::string with_next = text + for_regex(value.substr(cut(value).size(), 1));
  return regex.Match(with_next, 0, text.size(), re2::RE2::UNANCHORED, nullptr, 0);
}

}  // namespace

Result<Predicate> Predicate::make(const sigma::Item& item, const schema::TemplateType& type) {
  for (const Modifier refused : {kExpand}) {
    if (has(item, refused)) return fail(ErrorCode::kUnsupported, fmt::format("`{}` has a modifier that is not supported: a placeholder", item.field));
  }
  Predicate out;
  out.all_ = has(item, kAll);
  out.cased_ = has(item, kCased);
  out.negated_ = has(item, kNotEqual);
  if (!item.is_keyword()) {
    out.input_ = type.input_index(item.field);
    if (!out.input_) return fail(ErrorCode::kInvalid, fmt::format("`{}` has no input `{}`", type.id, item.field));
    out.reads_.push_back(*out.input_);
  }
  for (const sigma::Value& value : item.values) {
    TRY(Test test, make_test(item, value, type));
    if (test.kind == Test::Kind::kField) out.reads_.push_back(test.other);
    out.tests_.push_back(std::move(test));
  }
  return out;
}

bool Predicate::holds(const schema::Inputs& inputs) const {
  const auto one = [&](const Test& test) { return holds(test, inputs); };
  const bool plain = all_ ? std::all_of(tests_.begin(), tests_.end(), one) : std::any_of(tests_.begin(), tests_.end(), one);
  return plain != negated_;
}

bool Predicate::holds(const Test& test, const schema::Inputs& inputs) const {
  const std::vector<std::string_view> values = input_ ? values_of(inputs, *input_) : every_value(inputs);
  if (test.kind == Test::Kind::kAbsent) return values.empty();
  if (test.kind == Test::Kind::kPresent) return !values.empty();
  return std::any_of(values.begin(), values.end(), [&](std::string_view value) { return holds_for(test, value, inputs); });
}

bool Predicate::holds_for(const Test& test, std::string_view value, const schema::Inputs& inputs) const {
  using Kind = Test::Kind;
  switch (test.kind) {
    case Kind::kPattern: return std::any_of(test.patterns.begin(), test.patterns.end(), [&](const Pattern& pattern) { return holds_pattern(pattern, value, cased_); });
    case Kind::kRegex: return holds_regex(*test.regex, value);
    case Kind::kNetwork: return !is_cut(value) && contains_address(test.network, value);
    case Kind::kField: {
      const auto others = values_of(inputs, test.other);
      return std::any_of(others.begin(), others.end(), [&](std::string_view other) {
        if (is_cut(other)) return false;
        Pattern pattern = literal_pattern(other);
        if (test.before) pattern = ends_with(std::move(pattern));
        if (test.behind) pattern = starts_with(std::move(pattern));
        return holds_pattern(pattern, value, cased_);
      });
    }
    default: break;
  }
  if (is_cut(value)) return false;
  std::optional<double> number;
  double limit = test.number;
  if (const std::string whole = whole_digits(value); !test.part && !test.digits.empty() && !whole.empty()) {
    number = compare_whole(whole, test.digits);
    limit = 0;
  } else if (!test.part) {
    number = parse_number(value);
  } else if (const auto time = parse_time(value)) {
    number = part_of(*time, *test.part);
  }
  if (!number) return false;
  switch (test.kind) {
    case Kind::kEqual: return *number == limit;
    case Kind::kLess: return *number < limit;
    case Kind::kLessOrEqual: return *number <= limit;
    case Kind::kGreater: return *number > limit;
    case Kind::kGreaterOrEqual: return *number >= limit;
    default: return false;
  }
}

}  // namespace creance::reference
