#include <bit>
#include <charconv>
#include <compare>
#include <cmath>
#include <optional>

#include "channel/address.hpp"
#include "channel/cost.hpp"
#include "channel/time_text.hpp"
#include "interpreter/state.hpp"

namespace creance::interpreter {
namespace {

using channel::PredicateKind;
using channel::PredicateRecord;

// Calls `test(text, value)` for each value of an input (or of the whole event) until one holds: `text` is cut, and case-folded if `folded`; `value` is all of it as it stands. (What is cut is too long to be a number, a time or an address.)
template <class Test>
bool any_value(Context& c, uint32_t input, bool folded, size_t place, Test test) noexcept {
  const auto holds_for = [&](uint32_t i) { return test(folded ? c.folded(i) : c.raw(i), c.inputs.values[i].text()); };
  const auto holds_for_further = [&](std::string_view text) { return test(folded ? c.fold_further(cut(text), place) : cut(text), text); };
  const bool every = input == channel::kEveryValue;
  if (every) {
    for (uint32_t i = 0; i < c.inputs.values.size(); ++i) {
      ++c.steps;
      if (c.inputs.values[i].has_value() && holds_for(i)) return true;
    }
    for (size_t i = 0; i < c.others_count; ++i) {
      ++c.steps;
      if (holds_for_further(c.inputs.others[i])) return true;
    }
  } else {
    if (input >= c.inputs.values.size()) return c.fail(FaultCode::kPredicate);
    ++c.steps;
    if (c.inputs.values[input].has_value() && holds_for(input)) return true;
  }
  for (size_t i = 0; i < c.further_count; ++i) {
    ++c.steps;
    const schema::FurtherValue& further = c.inputs.further[i];
    if ((every || further.input == input) && holds_for_further(further.text)) return true;
  }
  return false;
}

// `goes_on`: the text is the beginning of a longer one.
bool compare(Context& c, PredicateKind kind, std::string_view text, bool goes_on, std::string_view literal) noexcept {
  switch (kind) {
    case PredicateKind::kEquals:
    case PredicateKind::kFieldEquals: c.steps += channel::chunks(literal.size()); return !goes_on && text == literal;
    case PredicateKind::kStartsWith:
    case PredicateKind::kFieldStartsWith: c.steps += channel::chunks(literal.size()); return text.size() >= literal.size() && same_bytes(text.data(), literal.data(), literal.size());
    case PredicateKind::kEndsWith:
    case PredicateKind::kFieldEndsWith: c.steps += channel::chunks(literal.size()); return !goes_on && text.size() >= literal.size() && same_bytes(text.data() + text.size() - literal.size(), literal.data(), literal.size());
    default: return find(c, text, literal) != std::string_view::npos;
  }
}

constexpr uint32_t kAskedOneByOne = 8;  // looking for all at once costs about as much a byte as a dozen searches
constexpr uint32_t kRegexesOneByOne = 4;
constexpr uint32_t kLateBytesMin = 512;  // of a value: in shorter ones no number of searches hurts

// Marks each late literal that stands in `text` (folded, with its margins).
void mark_late(Context& c, const LateLiterals& late, std::string_view text) noexcept {
  c.steps += 1 + text.size() / 4;
  if (text.size() < 3) return;
  each_hit(c.s.ways.find_hits, late.known(), text.data(), text.size() - 2, 1, [&](size_t at) {
    for (const LateLiterals::Entry& entry : late.proposed(channel::load_gram(text.data() + at))) {
      ++c.steps;
      uint32_t& memo = c.s.memo[entry.predicate];
      const PredicateRecord& p = c.l.predicates[entry.predicate];
      if (memo >> 1 == c.s.epoch || at < entry.offset || p.operand.count > text.size() - (at - entry.offset)) continue;
      c.steps += channel::chunks(p.operand.count) - 1;
      const std::string_view literal = c.l.texts.substr(p.operand.first, p.operand.count);
      if (same_bytes(text.data() + at - entry.offset, literal.data(), literal.size())) memo = c.s.epoch << 1 | 1;
    }
    return true;
  });
}

// True: what is late of the input was looked for in this event, and the memo has those that hold. `mark(value)` does that for one value.
template <class Mark>
bool looked_for_late(Context& c, uint32_t input, LateProgress& progress, uint32_t one_by_one, Mark mark) noexcept {
  if (c.inputs.values[input].size < kLateBytesMin && c.further_count == 0) return false;
  if (progress.epoch != c.s.epoch) progress = {c.s.epoch, 0, false};
  if (progress.looked) return true;
  if (++progress.asked <= one_by_one) return false;
  if (c.inputs.values[input].has_value()) mark(c.inputs.values[input].text(), true);
  for (size_t i = 0; i < c.further_count; ++i) {
    ++c.steps;
    if (c.inputs.further[i].input == input) mark(c.inputs.further[i].text, false);
  }
  return progress.looked = true;
}

// True: the memo says whether it holds.
bool is_found_late(Context& c, const PredicateRecord& p) noexcept {
  if (!is_late(p) || p.input >= c.s.late.size() || c.s.late[p.input].empty()) return false;
  return looked_for_late(c, p.input, c.s.late_progress[p.input], kAskedOneByOne, [&](std::string_view value, bool is_first) { mark_late(c, c.s.late[p.input], is_first ? c.folded(p.input) : c.fold_further(cut(value), 0)); });
}

bool says_memo(const Context& c, const PredicateRecord& p) noexcept { return c.s.memo[static_cast<size_t>(&p - c.l.predicates.data())] == (c.s.epoch << 1 | 1); }

bool test_literal(Context& c, const PredicateRecord& p) noexcept {
  if (uint64_t{p.operand.first} + p.operand.count > c.l.texts.size()) return c.fail(FaultCode::kPredicate);
  const std::string_view literal = c.l.texts.substr(p.operand.first, p.operand.count);
  const bool folded = (p.flags & channel::kCased) == 0;
  if (c.further_count == 0 && p.input < c.inputs.values.size()) [[likely]] {  // one value, as most inputs have
    const schema::InputValue& value = c.inputs.values[p.input];
    ++c.steps;
    if (!value.has_value()) return false;
    if (value.size < kLateBytesMin || !is_found_late(c, p)) return compare(c, p.kind, folded ? c.folded(p.input) : c.raw(p.input), is_cut(value.text()), literal);
  } else if (!is_found_late(c, p)) {
    return any_value(c, p.input, folded, 0, [&](std::string_view text, std::string_view value) { return compare(c, p.kind, text, is_cut(value), literal); });
  }
  return says_memo(c, p);
}

bool test_regex(Context& c, const PredicateRecord& p) noexcept {
  if (p.operand.first >= c.l.regexes.size()) return c.fail(FaultCode::kPredicate);
  const bool may_be_late = p.input < c.s.late_regexes.size() && !c.s.late_regexes[p.input].empty() && is_late_regex(c.l, c.s.regex_bits, p);
  const auto mark = [&](std::string_view value, bool) { mark_late_regexes(c, c.s.late_regexes[p.input], value); };
  if (may_be_late && looked_for_late(c, p.input, c.s.late_regex_progress[p.input], kRegexesOneByOne, mark)) return says_memo(c, p);
  const channel::RegexRecord& regex = c.l.regexes[p.operand.first];
  return any_value(c, p.input, false, 0, [&](std::string_view, std::string_view value) { return run_regex(c, regex, value); });
}

bool test_cidr(Context& c, const PredicateRecord& p) noexcept {
  const uint32_t family = p.other >> 8;
  const uint32_t bits = p.other & 0xff;
  if (uint64_t{p.operand.first} + 16 > c.l.texts.size() || bits > 128) return c.fail(FaultCode::kPredicate);
  const auto* const network = reinterpret_cast<const uint8_t*>(c.l.texts.data() + p.operand.first);
  return any_value(c, p.input, false, 0, [&](std::string_view text, std::string_view) {
    const auto address = channel::parse_address(text);
    return address && address->family == family && channel::in_network(address->bytes, network, bits);
  });
}

// Decimal numbers with optional sign, fraction and exponent; nothing around them.
std::optional<double> parse_number(std::string_view text) noexcept {
  if (text.empty() || text.size() > 64) return std::nullopt;
  const char first = text.front() == '-' && text.size() > 1 ? text[1] : text.front();
  if ((first < '0' || first > '9') && first != '.') return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The text's number against the limit. Whole numbers are compared as such, whatever their length; all else as doubles. Unordered: the text is no number.
std::partial_ordering compare_number(std::string_view text, bool is_whole, int64_t whole, double limit) noexcept {
  if (is_whole && text.size() <= 64) {
    int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (end == text.data() + text.size()) {
      if (error == std::errc()) return number <=> whole;
      if (error == std::errc::result_out_of_range) return text.front() == '-' ? std::partial_ordering::less : std::partial_ordering::greater;
    }
  }
  const auto value = parse_number(text);
  return value ? *value <=> limit : std::partial_ordering::unordered;
}

bool test_number(Context& c, const PredicateRecord& p) noexcept {
  const bool is_whole = p.other == static_cast<uint32_t>(channel::NumberForm::kWhole);
  const auto whole = std::bit_cast<int64_t>(p.extra);
  const double limit = is_whole ? static_cast<double>(whole) : std::bit_cast<double>(p.extra);
  return any_value(c, p.input, false, 0, [&](std::string_view text, std::string_view) {
    ++c.steps;
    const std::partial_ordering order = compare_number(text, is_whole, whole, limit);
    switch (p.kind) {
      case PredicateKind::kLess: return order < 0;
      case PredicateKind::kLessOrEqual: return order <= 0;
      case PredicateKind::kGreater: return order > 0;
      default: return order >= 0;
    }
  });
}

bool test_time_part(Context& c, const PredicateRecord& p) noexcept {
  const auto part = static_cast<channel::TimePart>(p.other >> 8);
  const auto test = static_cast<channel::NumberTest>(p.other & 0xff);
  const int64_t wanted = p.extra.first;
  return any_value(c, p.input, false, 0, [&](std::string_view text, std::string_view) {
    ++c.steps;
    const auto time = channel::parse_time(text);
    if (!time) return false;
    const int64_t number = channel::part_of(*time, part);
    switch (test) {
      case channel::NumberTest::kEqual: return number == wanted;
      case channel::NumberTest::kLess: return number < wanted;
      case channel::NumberTest::kLessOrEqual: return number <= wanted;
      case channel::NumberTest::kGreater: return number > wanted;
      case channel::NumberTest::kGreaterOrEqual: return number >= wanted;
    }
    return c.fail(FaultCode::kPredicate);
  });
}

bool test_field_pair(Context& c, const PredicateRecord& p) noexcept {
  const bool folded = (p.flags & channel::kCased) == 0;
  return any_value(c, p.other, folded, 1, [&](std::string_view literal, std::string_view of) {
    return !is_cut(of) && any_value(c, p.input, folded, 0, [&](std::string_view text, std::string_view value) { return compare(c, p.kind, text, is_cut(value), literal); });
  });
}

}  // namespace

bool test_predicate(Context& c, const PredicateRecord& p) noexcept {
  switch (p.kind) {
    case PredicateKind::kPresent: return any_value(c, p.input, false, 0, [](std::string_view, std::string_view) { return true; });
    case PredicateKind::kEquals:
    case PredicateKind::kStartsWith:
    case PredicateKind::kEndsWith:
    case PredicateKind::kContains: return test_literal(c, p);
    case PredicateKind::kGlob: {
      if (uint64_t{p.operand.first} + p.operand.count > c.l.glob_tokens.size()) return c.fail(FaultCode::kPredicate);
      const auto tokens = c.l.glob_tokens.subspan(p.operand.first, p.operand.count);
      return any_value(c, p.input, (p.flags & channel::kCased) == 0, 0, [&](std::string_view text, std::string_view value) { return run_glob(c, tokens, text, is_cut(value)); });
    }
    case PredicateKind::kRegex: return test_regex(c, p);
    case PredicateKind::kCidr: return test_cidr(c, p);
    case PredicateKind::kLess:
    case PredicateKind::kLessOrEqual:
    case PredicateKind::kGreater:
    case PredicateKind::kGreaterOrEqual: return test_number(c, p);
    case PredicateKind::kFieldEquals:
    case PredicateKind::kFieldStartsWith:
    case PredicateKind::kFieldEndsWith:
    case PredicateKind::kFieldContains: return test_field_pair(c, p);
    case PredicateKind::kTimePart: return test_time_part(c, p);
  }
  return c.fail(FaultCode::kPredicate);
}

}  // namespace creance::interpreter
