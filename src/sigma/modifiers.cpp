#include "sigma/modifiers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace creance::sigma {
namespace {

using enum Modifier;
struct Spelling {
  std::string_view text;
  Modifier modifier;
};
constexpr std::array kNames{
    Spelling{"contains", kContains}, Spelling{"startswith", kStartsWith}, Spelling{"endswith", kEndsWith}, Spelling{"all", kAll}, Spelling{"cased", kCased},
    Spelling{"re", kRegex}, Spelling{"i", kRegexIgnoreCase}, Spelling{"m", kRegexMultiLine}, Spelling{"s", kRegexDotAll}, Spelling{"cidr", kCidr},
    Spelling{"base64", kBase64}, Spelling{"base64offset", kBase64Offset}, Spelling{"utf16", kUtf16}, Spelling{"utf16le", kUtf16Le}, Spelling{"utf16be", kUtf16Be},
    Spelling{"wide", kWide}, Spelling{"windash", kWindash}, Spelling{"exists", kExists}, Spelling{"fieldref", kFieldRef}, Spelling{"expand", kExpand},
    Spelling{"lt", kLess}, Spelling{"lte", kLessOrEqual}, Spelling{"gt", kGreater}, Spelling{"gte", kGreaterOrEqual}, Spelling{"neq", kNotEqual},
    Spelling{"exact", kExact}, Spelling{"ignorecase", kRegexIgnoreCase}, Spelling{"multiline", kRegexMultiLine}, Spelling{"dotall", kRegexDotAll},  // pySigma's long names; `exact` says the default
    Spelling{"minute", kMinute}, Spelling{"hour", kHour}, Spelling{"day", kDay}, Spelling{"week", kWeek}, Spelling{"month", kMonth}, Spelling{"year", kYear},
};

// What a modifier does to the value; two of one group exclude each other, kText ones aside.
enum class Group : uint8_t { kFree, kPosition, kRegexFlag, kText, kUtf16Group, kBase64Group, kType, kTimePart };
Group group_of(Modifier modifier) {
  switch (modifier) {
    case kContains: case kStartsWith: case kEndsWith: case kExact: return Group::kPosition;
    case kRegexIgnoreCase: case kRegexMultiLine: case kRegexDotAll: return Group::kRegexFlag;
    case kCased: case kWindash: return Group::kText;
    case kUtf16: case kUtf16Le: case kUtf16Be: case kWide: return Group::kUtf16Group;
    case kBase64: case kBase64Offset: return Group::kBase64Group;
    case kRegex: case kCidr: case kExists: case kFieldRef: case kLess: case kLessOrEqual: case kGreater: case kGreaterOrEqual: return Group::kType;
    case kMinute: case kHour: case kDay: case kWeek: case kMonth: case kYear: return Group::kTimePart;
    case kAll: case kExpand: case kNotEqual: return Group::kFree;
  }
  return Group::kFree;
}
bool compares_numbers(Modifier m) { return m == kLess || m == kLessOrEqual || m == kGreater || m == kGreaterOrEqual; }

class Checker {
 public:
  Checker(const Item& item, Reporter& reporter) : item_(item), reporter_(reporter) {}
  void run() {
    combinations();
    if (has(kExpand)) return;  // its values are not known yet: they are looked at once they are (resolve.hpp)
    for (const Value& value : item_.values) this->value(value);
  }

 private:
  bool has(Modifier m) const { return std::ranges::find(item_.modifiers, m) != item_.modifiers.end(); }
  bool has(Group g) const { return std::ranges::any_of(item_.modifiers, [g](Modifier m) { return group_of(m) == g; }); }
  size_t at(Group g) const {
    return static_cast<size_t>(std::ranges::find_if(item_.modifiers, [g](Modifier m) { return group_of(m) == g; }) - item_.modifiers.begin());
  }
  size_t at(Modifier m) const { return static_cast<size_t>(std::ranges::find(item_.modifiers, m) - item_.modifiers.begin()); }
  std::optional<Modifier> first(Group g) const { return has(g) ? std::optional(item_.modifiers[at(g)]) : std::nullopt; }

  void clash(std::string message, std::string help = "") { reporter_.report("S047", item_.span, std::move(message), std::move(help)); }
  void clash(Modifier a, Modifier b, std::string help = "") { clash(fmt::format("`{}` and `{}` do not go together", to_string(a), to_string(b)), std::move(help)); }

  void combinations() {
    const auto& all = item_.modifiers;
    for (size_t i = 0; i < all.size(); ++i) {
      for (size_t j = i + 1; j < all.size(); ++j) pair(all[i], all[j]);
    }
    if (const auto flag = first(Group::kRegexFlag); flag && !(has(kRegex) && at(kRegex) < at(Group::kRegexFlag))) {
      clash(fmt::format("`{}` needs `re` before it", to_string(*flag)), "write `re|i`; the flags belong to regular expressions");
    }
    if (has(Group::kTimePart) && item_.is_keyword()) clash("a part of a date needs a field");
    if (item_.is_keyword() && (has(kExists) || has(kFieldRef) || has(kCidr) || has(kNotEqual) || has(kLess) || has(kLessOrEqual) || has(kGreater) || has(kGreaterOrEqual))) {
      clash("this modifier needs a field", "keywords look at the whole event; name a field before the modifiers");
    }
    if (item_.is_keyword() && (has(kStartsWith) || has(kEndsWith))) clash("a keyword is looked for anywhere", "leave `startswith` or `endswith` away, or name a field before the modifiers");
    if (has(kAll) && item_.values.size() == 1) reporter_.report("S050", item_.span, "`all` with a single value");
    if (has(kBase64Offset) && !has(kContains)) reporter_.report("S055", item_.span, "`base64offset` without `contains`");
  }

  // a stands before b
  void pair(Modifier a, Modifier b) {
    const Group ga = group_of(a);
    const Group gb = group_of(b);
    if (a == b) return clash(fmt::format("`{}` is written twice", to_string(a)));
    if (ga == gb && ga != Group::kFree && ga != Group::kText && ga != Group::kRegexFlag) return clash(a, b);
    if (type_pair(a, b) || type_pair(b, a)) return;
    const bool encodes_b = gb == Group::kUtf16Group || gb == Group::kBase64Group;
    if (encodes_b && ga == Group::kPosition) {
      return clash(fmt::format("`{}` stands before `{}`", to_string(a), to_string(b)), "modifiers work from left to right: encode first, then say where the value stands");
    }
    const bool changes_text = ga == Group::kBase64Group || ga == Group::kUtf16Group || a == kWindash;
    if (b == kExpand && changes_text) {
      return clash(fmt::format("`{}` stands before `{}`", to_string(a), to_string(b)), "modifiers work from left to right: write `expand` first");
    }
    if (ga == Group::kBase64Group && gb == Group::kUtf16Group) {
      return clash(fmt::format("`{}` stands before `{}`", to_string(a), to_string(b)), "modifiers work from left to right: write the UTF-16 form first");
    }
  }

  // True if a is a type modifier that refuses b.
  bool type_pair(Modifier a, Modifier b) {
    const Group gb = group_of(b);
    const bool textual = gb == Group::kPosition || gb == Group::kText || gb == Group::kUtf16Group || gb == Group::kBase64Group;
    if (a == kRegex && (textual || gb == Group::kTimePart)) {
      clash(a, b, gb == Group::kPosition ? "a regular expression matches anywhere; anchor it with ^ and $" : "regular expressions are case-sensitive and taken as written");
      return true;
    }
    if (a == kCidr && (textual || gb == Group::kTimePart)) return clash(a, b), true;
    if (a == kExists) return clash(a, b, "`exists` stands alone"), true;
    if (a == kFieldRef && (gb == Group::kUtf16Group || gb == Group::kBase64Group || b == kWindash || gb == Group::kTimePart)) return clash(a, b), true;
    if ((compares_numbers(a) || group_of(a) == Group::kTimePart) && (textual || b == kAll || b == kFieldRef || (compares_numbers(a) && b == kNotEqual))) return clash(a, b), true;
    return false;
  }

  void misfit(const Value& value, std::string_view what) {
    reporter_.report("S048", value.span, fmt::format("{} does not fit: {}", value.kind == ValueKind::kNull ? "`null`" : quote(value.text), what));
  }

  void value(const Value& v) {
    if (has(kExists)) {
      if (v.kind != ValueKind::kBoolean || item_.values.size() != 1) misfit(v, "`exists` takes one value, true or false");
      return;
    }
    const bool number = v.kind == ValueKind::kInteger || v.kind == ValueKind::kFloat;
    if (std::ranges::any_of(item_.modifiers, compares_numbers) || has(Group::kTimePart)) {
      if (!number) return misfit(v, "a number is needed here");
      return time_value(v);
    }
    if (has(kFieldRef) && (v.kind != ValueKind::kString || v.text.empty())) return misfit(v, "`fieldref` takes the name of a field");
    const bool needs_text = has(Group::kPosition) || has(Group::kText) || has(Group::kUtf16Group) || has(Group::kBase64Group) || has(kRegex) || has(kCidr);
    if (needs_text && v.kind == ValueKind::kNull) return misfit(v, "this modifier needs text");
    if (has(Group::kPosition) && !has(kExact) && !has(kFieldRef) && v.kind == ValueKind::kString && v.text.empty()) reporter_.report("S056", v.span, "an empty text matches every value with this modifier");
  }

  // Ranges: Sigma Modifiers 2.1.0, "Time Modifiers".
  void time_value(const Value& v) {
    const auto part = first(Group::kTimePart);
    if (!part) return;
    int low = 0;
    int high = 9999;
    switch (*part) {
      case kMinute: high = 59; break;
      case kHour: high = 23; break;
      case kDay: low = 1; high = 31; break;
      case kWeek: low = 1; high = 53; break;
      case kMonth: low = 1; high = 12; break;
      default: break;
    }
    const bool digits = !v.text.empty() && v.text.size() <= 4 && std::ranges::all_of(v.text, [](char c) { return c >= '0' && c <= '9'; });
    int number = 0;
    for (const char c : digits ? std::string_view(v.text) : std::string_view()) number = number * 10 + (c - '0');
    if (!digits || number < low || number > high) misfit(v, fmt::format("`{}` is a whole number from {} to {}", to_string(*part), low, high));
  }

  const Item& item_;
  Reporter& reporter_;
};

}  // namespace

std::string_view to_string(Modifier modifier) {
  const auto found = std::ranges::find(kNames, modifier, &Spelling::modifier);
  return found == kNames.end() ? "" : found->text;
}

std::optional<Modifier> modifier_named(std::string_view name) {
  const auto found = std::ranges::find_if(kNames, [&](const Spelling& n) { return equal_ignoring_ascii_case(n.text, name); });
  if (found == kNames.end()) return std::nullopt;
  return found->modifier;
}

std::vector<std::string_view> modifier_names() {
  std::vector<std::string_view> names(kNames.size());
  std::ranges::transform(kNames, names.begin(), &Spelling::text);
  return names;
}

std::optional<std::string_view> modifier_like(std::string_view name) { return nearest(name, modifier_names()); }

void check_modifiers(const Item& item, Reporter& reporter) { Checker(item, reporter).run(); }

}  // namespace creance::sigma
