// Grammar (precedence from low to high):
//   alternation := concatenation ("|" concatenation)*
//   concatenation := (atom quantifier?)*
//   quantifier := ("*" | "+" | "?" | "{n}" | "{n,}" | "{n,m}") "?"?
//   atom := "." | "^" | "$" | class | escape | "(" ("?:" | "?flags:" | "?P<name>" | "?<name>")? alternation ")" | "(?flags)" | "\Q" characters "\E" | character
// Laziness makes no difference to whether something matches, so both forms give the same program.
#include "compiler/regex.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "base/limits.hpp"
#include "channel/fold.hpp"
#include "channel/utf8.hpp"
#include "compiler/unicode_groups.hpp"

namespace creance::compiler {
namespace {

using channel::AssertKind;
using channel::InstructionKind;
using channel::InstructionRecord;

constexpr size_t kLiteralBytesMax = 256;   // of a required literal: more does not filter better
constexpr size_t kRequiredMax = 3;         // lists of required literals of one program
constexpr size_t kAlternativesMax = 24;    // literals of such a list
constexpr uint32_t kClassMembersMax = 4;  // of a class that is spelled out in them

using Ranges = std::vector<channel::RangeRecord>;  // of characters

void normalise(Ranges& ranges) {
  std::ranges::sort(ranges, {}, &channel::RangeRecord::low);
  Ranges merged;
  for (const auto& range : ranges) {
    if (!merged.empty() && range.low <= uint64_t{merged.back().high} + 1) merged.back().high = std::max(merged.back().high, range.high);
    else merged.push_back(range);
  }
  ranges = std::move(merged);
}

Ranges negated(const Ranges& ranges) {  // of normalised ranges
  Ranges out;
  uint32_t next = 0;
  for (const auto& range : ranges) {
    if (range.low > next) out.push_back({next, range.low - 1});
    next = range.high + 1;
  }
  if (next <= channel::kRuneMax) out.push_back({next, channel::kRuneMax});
  return out;
}

constexpr uint32_t kFoldableMax = 0x1e943;  // above, no letter has a case in Unicode 14
void add_case_variants(Ranges& ranges) {
  const Ranges given = ranges;
  for (const auto& range : given) {
    for (uint32_t rune = range.low; rune <= std::min(range.high, kFoldableMax); ++rune) {
      for (const uint32_t variant : channel::fold_orbit(rune)) {
        if (variant != rune) ranges.push_back({variant, variant});
      }
    }
  }
}

// A piece of program: control enters at its first instruction and leaves behind its last. Split targets are relative to the piece.
enum class Op : uint8_t { kRune, kClass, kAny, kAnyNotNewline, kAssert, kSplit, kJump };
struct Instruction {
  Op op;
  uint32_t a = 0;  // rune, class, assert kind, first target
  uint32_t b = 0;  // second target of a split
};

// Some texts; several of them, where a class or an alternative leaves the choice.
using Texts = std::vector<std::string>;

struct Fragment {
  std::vector<Instruction> code;
  // One of what every match of the piece begins and ends with, and of each of some lists it contains one; case-folded. With `exact`, the prefixes are the whole matches.
  bool exact = true;
  Texts prefixes{""};
  Texts suffixes{""};
  std::vector<Texts> required;  // the best first
};

size_t shortest(const Texts& texts) {
  size_t least = SIZE_MAX;
  for (const std::string& text : texts) least = std::min(least, text.size());
  return texts.empty() ? 0 : least;
}
void make_distinct(Texts& texts) {
  std::ranges::sort(texts);
  texts.erase(std::ranges::unique(texts).begin(), texts.end());
}

// Long literals say much, and few of them are soon looked for.
int64_t score(const Texts& texts) { return static_cast<int64_t>(shortest(texts)) * 16 - 6 * static_cast<int64_t>(texts.size()); }

// Whether a text that contains one of `left` contains one of `right`.
bool implies(const Texts& left, const Texts& right) {
  return std::ranges::all_of(left, [&](const std::string& text) { return std::ranges::any_of(right, [&](const std::string& part) { return text.find(part) != std::string::npos; }); });
}

// Keeps the best few, and of two of which one follows from the other the better one. Several single characters say too little.
void require(std::vector<Texts>& required, const Texts& texts) {
  if (shortest(texts) < (texts.size() > 2 ? 2u : 1u)) return;
  const auto akin = [&](const Texts& known) { return implies(known, texts) || implies(texts, known); };
  if (std::ranges::any_of(required, [&](const Texts& known) { return akin(known) && score(known) >= score(texts); })) return;
  std::erase_if(required, akin);
  required.insert(std::ranges::upper_bound(required, score(texts), std::greater<>(), score), texts);
  if (required.size() > kRequiredMax) required.pop_back();
}

// Each of `left` followed by each of `right`; nothing, if these were too many.
Texts product(const Texts& left, const Texts& right) {
  Texts out;
  if (left.size() * right.size() > kAlternativesMax) return out;
  for (const std::string& first : left) {
    for (const std::string& second : right) out.push_back(first + second);
  }
  make_distinct(out);
  return out;
}

void cut_literals(Fragment& f) {
  for (std::string& text : f.prefixes) {
    if (text.size() <= kLiteralBytesMax) continue;
    f.exact = false;
    text.resize(kLiteralBytesMax);
  }
  for (std::string& text : f.suffixes) {
    if (text.size() <= kLiteralBytesMax) continue;
    f.exact = false;
    text.erase(0, text.size() - kLiteralBytesMax);
  }
}

void append_code(std::vector<Instruction>& to, const std::vector<Instruction>& piece) {
  const auto shift = static_cast<uint32_t>(to.size());
  for (Instruction i : piece) {
    if (i.op == Op::kSplit || i.op == Op::kJump) {
      i.a += shift;
      i.b += shift;
    }
    to.push_back(i);
  }
}

void concatenate(Fragment& left, const Fragment& right) {
  append_code(left.code, right.code);
  Fragment joined;
  joined.exact = left.exact && right.exact;
  joined.required = std::move(left.required);
  for (const Texts& texts : right.required) require(joined.required, texts);
  require(joined.required, product(left.suffixes, right.prefixes));
  if (left.exact) joined.prefixes = product(left.prefixes, right.prefixes);
  if (!left.exact || joined.prefixes.empty()) joined.prefixes = left.prefixes;
  if (right.exact) joined.suffixes = product(left.suffixes, right.suffixes);
  if (!right.exact || joined.suffixes.empty()) joined.suffixes = right.suffixes;
  // Too many together: each side is still true for itself, but neither is the whole.
  if (joined.exact && left.prefixes.size() * right.prefixes.size() > kAlternativesMax) joined.exact = false;
  cut_literals(joined);
  require(joined.required, joined.prefixes);
  require(joined.required, joined.suffixes);
  joined.code = std::move(left.code);
  left = std::move(joined);
}

Fragment alternate(std::vector<Fragment> pieces) {
  if (pieces.size() == 1) return std::move(pieces.front());
  Fragment out;
  bool all_known = true;
  Texts required;
  out.prefixes.clear();
  out.suffixes.clear();
  for (const Fragment& piece : pieces) {
    all_known = all_known && !piece.required.empty();
    if (all_known) required.insert(required.end(), piece.required[0].begin(), piece.required[0].end());
    out.exact = out.exact && piece.exact;
    out.prefixes.insert(out.prefixes.end(), piece.prefixes.begin(), piece.prefixes.end());
    out.suffixes.insert(out.suffixes.end(), piece.suffixes.begin(), piece.suffixes.end());
  }
  for (Texts* const texts : {&required, &out.prefixes, &out.suffixes}) make_distinct(*texts);
  if (all_known && required.size() <= kAlternativesMax) require(out.required, required);
  if (out.prefixes.size() > kAlternativesMax || out.suffixes.size() > kAlternativesMax) {
    out.exact = false;
    out.prefixes = out.suffixes = {""};
  }
  // split L1, next; L1: piece; jump end; next: …
  std::vector<size_t> jumps;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const bool last = i + 1 == pieces.size();
    const size_t split = out.code.size();
    if (!last) out.code.push_back({Op::kSplit, static_cast<uint32_t>(split + 1), 0});
    append_code(out.code, pieces[i].code);
    if (last) break;
    jumps.push_back(out.code.size());
    out.code.push_back({Op::kJump});
    out.code[split].b = static_cast<uint32_t>(out.code.size());
  }
  for (const size_t jump : jumps) out.code[jump].a = static_cast<uint32_t>(out.code.size());
  return out;
}

constexpr uint32_t kNoLimit = 0xffffffff;

// least … most times; the caller has checked the size.
Fragment repeat(const Fragment& piece, uint32_t least, uint32_t most) {
  Fragment out;
  for (uint32_t i = 0; i < least; ++i) concatenate(out, piece);
  if (most == least) return out;
  const auto size = static_cast<uint32_t>(piece.code.size());
  Fragment rest;  // may match nothing
  rest.exact = false;
  if (most == kNoLimit) {
    rest.code.push_back({Op::kSplit, 1, size + 2});
    append_code(rest.code, piece.code);
    rest.code.push_back({Op::kJump, 0});
  } else {
    std::vector<size_t> splits;
    for (uint32_t i = least; i < most; ++i) {
      splits.push_back(rest.code.size());
      rest.code.push_back({Op::kSplit, static_cast<uint32_t>(rest.code.size() + 1), 0});
      append_code(rest.code, piece.code);
    }
    for (const size_t split : splits) rest.code[split].b = static_cast<uint32_t>(rest.code.size());
  }
  concatenate(out, rest);
  if (least > 0) {  // what every match of the piece ends with, every match of the whole ends with
    out.suffixes = piece.suffixes;
    require(out.required, out.suffixes);
  }
  return out;
}

struct NamedClass {
  std::string_view name;
  std::string_view members;  // pairs of low and high
};
constexpr NamedClass kPosixClasses[] = {
    {"alnum", "09AZaz"}, {"alpha", "AZaz"}, {"blank", "\t\t  "}, {"cntrl", std::string_view("\0\x1f\x7f\x7f", 4)}, {"digit", "09"}, {"graph", "!~"}, {"lower", "az"},
    {"print", " ~"}, {"punct", "!/:@[`{~"}, {"space", "\t\r  "}, {"upper", "AZ"}, {"word", "09AZaz__"}, {"xdigit", "09AFaf"}, {"ascii", std::string_view("\0\x7f", 2)}};
Ranges ranges_of(std::string_view pairs) {
  Ranges out;
  for (size_t i = 0; i + 1 < pairs.size(); i += 2) out.push_back({static_cast<uint8_t>(pairs[i]), static_cast<uint8_t>(pairs[i + 1])});
  normalise(out);
  return out;
}
// A named class: its members folded first, then negated, as RE2 does.
Ranges named_class(std::string_view pairs, bool negative, bool ignore_case) {
  Ranges out = ranges_of(pairs);
  if (ignore_case) add_case_variants(out);
  normalise(out);
  return negative ? negated(out) : out;
}
// \d \s \w and their negations; nothing for other letters.
std::optional<Ranges> perl_class(char letter, bool ignore_case) {
  switch (letter) {
    case 'd':
    case 'D': return named_class("09", letter == 'D', ignore_case);
    case 's':
    case 'S': return named_class("\t\n\f\r  ", letter == 'S', ignore_case);
    case 'w':
    case 'W': return named_class("09AZaz__", letter == 'W', ignore_case);
    default: return std::nullopt;
  }
}

class Parser {
 public:
  Parser(std::string_view pattern, RegexFlags flags) : pattern_(pattern) { groups_.push_back({.flags = flags}); }

  std::expected<RegexProgram, RegexProblem> run() {
    while (at_ < pattern_.size() && !problem_) step();
    if (!problem_ && groups_.size() > 1) fail("a group is not closed: `)` is missing");
    if (problem_) return std::unexpected(std::move(*problem_));
    return finish(close_group());
  }

 private:
  struct Group {
    RegexFlags flags;  // in force inside; `(?i)` changes them up to the group's end
    std::vector<Fragment> alternatives;
    Fragment done;
    std::optional<Fragment> last;  // the atom that a quantifier would apply to
  };

  void fail(std::string message, bool too_large = false) {
    if (!problem_) problem_ = RegexProblem{too_large, at_, std::move(message)};
  }
  Group& group() { return groups_.back(); }
  bool at_end() const { return at_ >= pattern_.size(); }
  char peek(size_t ahead = 0) const { return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0'; }
  bool take(std::string_view text) {
    if (!pattern_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  uint32_t take_rune() {
    const channel::Decoded decoded = channel::decode(pattern_.data() + at_, pattern_.data() + pattern_.size());
    if (decoded.rune == channel::kInvalidRune) fail("the pattern is not UTF-8 here");
    at_ += decoded.size;
    return decoded.rune;
  }

  void step() {
    switch (peek()) {
      case '(': return open_group();
      case ')': return end_group();
      case '|':
        ++at_;
        flush();
        group().alternatives.push_back(std::move(group().done));
        group().done = {};
        return;
      case '*': ++at_; return quantify(0, kNoLimit);
      case '+': ++at_; return quantify(1, kNoLimit);
      case '?': ++at_; return quantify(0, 1);
      case '{': return brace();
      case '.':
        ++at_;
        return put_instruction({group().flags.dot_all ? Op::kAny : Op::kAnyNotNewline}, false);
      case '^': ++at_; return put_assert(group().flags.multi_line ? AssertKind::kLineBegin : AssertKind::kTextBegin);
      case '$': ++at_; return put_assert(group().flags.multi_line ? AssertKind::kLineEnd : AssertKind::kTextEnd);
      case '[': return bracket();
      case '\\': return escape();
      default: return put_rune(take_rune());
    }
  }

  // ---- groups
  void open_group() {
    if (groups_.size() > limits::kRegexDepthMax) return fail(fmt::format("groups are nested deeper than {}", limits::kRegexDepthMax), true);
    RegexFlags flags = group().flags;
    const size_t start = at_++;
    if (take("?")) {
      for (const std::string_view ahead : {"=", "!", "<=", "<!"}) {
        if (pattern_.substr(at_).starts_with(ahead)) {
          at_ = start;
          return fail("look-ahead and look-behind are not supported; rewrite with `and`/`not` selections");
        }
      }
      if (peek() == '>' || peek() == '#' || peek() == '(' || peek() == '|' || peek() == '&') {
        at_ = start;
        return fail("this kind of group is not supported");
      }
      if (take("P<") || take("<")) {
        const size_t end = pattern_.find('>', at_);
        if (end == std::string_view::npos) return fail("a group's name is not closed: `>` is missing");
        const std::string_view name = pattern_.substr(at_, end - at_);
        if (name.empty() || !std::ranges::all_of(name, is_word)) return fail("a group's name has letters, digits and `_` only");
        at_ = end + 1;
      } else if (!group_flags(flags)) {
        return;
      }
    }
    flush();
    groups_.push_back({.flags = flags});
  }

  // After "(?": flags up to `:` (true: a group follows) or `)` (false: they hold from here on).
  bool group_flags(RegexFlags& flags) {
    bool value = true;
    for (; !at_end(); ++at_) {
      switch (peek()) {
        case 'i': flags.ignore_case = value; break;
        case 'm': flags.multi_line = value; break;
        case 's': flags.dot_all = value; break;
        case 'U': break;  // swaps lazy and greedy: no difference here
        case '-':
          if (!value) return fail("two `-` in a group's flags"), false;
          value = false;
          break;
        case ':': ++at_; return true;
        case ')':
          ++at_;
          flush();
          group().flags = flags;
          return false;
        default: return fail(fmt::format("`{}` is not a flag of a group", peek())), false;
      }
    }
    return fail("a group's flags are not closed"), false;
  }

  Fragment close_group() {
    flush();
    Group& g = group();
    g.alternatives.push_back(std::move(g.done));
    return alternate(std::move(g.alternatives));
  }
  void end_group() {
    if (groups_.size() == 1) return fail("`)` without `(`");
    ++at_;
    Fragment closed = close_group();
    groups_.pop_back();
    put(std::move(closed));
  }

  // ---- building
  void flush() {
    if (!group().last) return;
    concatenate(group().done, *group().last);
    group().last.reset();
  }
  void put(Fragment fragment) {
    flush();
    if (group().done.code.size() + fragment.code.size() > kInstructionsMax) return fail("the expression is too large", true);
    group().last = std::move(fragment);
    quantified_ = false;
  }
  void put_instruction(Instruction instruction, bool exact) {
    Fragment fragment;
    fragment.code.push_back(instruction);
    fragment.exact = exact;
    put(std::move(fragment));
  }
  void put_assert(AssertKind kind) { put_instruction({Op::kAssert, static_cast<uint32_t>(kind)}, true); }

  void put_rune(uint32_t rune) {
    if (problem_) return;
    Ranges ranges{{rune, rune}};
    if (group().flags.ignore_case) add_case_variants(ranges);
    put_class(std::move(ranges));
  }

  // What the members of a small class fold to, for the required literals; nothing: too many. Bytes that are no character are U+FFFD here, but not to the literals that are looked for.
  static Texts folded_members(const Ranges& ranges) {
    Texts out;
    uint32_t members = 0;
    for (const auto& range : ranges) {
      for (uint64_t rune = range.low; rune <= range.high; ++rune) {
        if (++members > kClassMembersMax) return {};
        char text[4];
        const uint32_t folded = channel::fold_rune(static_cast<uint32_t>(rune));
        if (folded == channel::kReplacementRune) return {};
        out.emplace_back(text, channel::encode(folded, text));
      }
    }
    make_distinct(out);
    return out;
  }

  void put_class(Ranges ranges) {
    normalise(ranges);
    Fragment fragment;
    fragment.exact = false;
    if (ranges.size() == 1 && ranges[0].low == ranges[0].high) fragment.code.push_back({Op::kRune, ranges[0].low});
    else if (ranges.size() == 1 && ranges[0].low == 0 && ranges[0].high == channel::kRuneMax) fragment.code.push_back({Op::kAny});
    else if (ranges.size() == 2 && ranges[0].low == 0 && ranges[0].high == '\n' - 1 && ranges[1].low == '\n' + 1 && ranges[1].high == channel::kRuneMax) fragment.code.push_back({Op::kAnyNotNewline});
    else fragment.code.push_back({Op::kClass, class_index(ranges)});
    if (Texts members = folded_members(ranges); !members.empty()) {
      fragment.prefixes = fragment.suffixes = std::move(members);
      fragment.exact = true;
      require(fragment.required, fragment.prefixes);
    }
    put(std::move(fragment));
  }

  uint32_t class_index(const Ranges& ranges) {
    RegexClass set;
    for (const auto& range : ranges) {
      for (uint32_t rune = range.low; rune <= range.high && rune < 128; ++rune) set.ascii[rune / 64] |= 1ull << (rune % 64);
      if (range.high >= 128) set.ranges.push_back({std::max(range.low, 128u), range.high});
    }
    for (uint32_t i = 0; i < classes_.size(); ++i) {
      if (classes_[i].ascii == set.ascii && std::ranges::equal(classes_[i].ranges, set.ranges, [](auto a, auto b) { return a.low == b.low && a.high == b.high; })) return i;
    }
    classes_.push_back(std::move(set));
    return static_cast<uint32_t>(classes_.size() - 1);
  }

  // ---- quantifiers
  void quantify(uint32_t least, uint32_t most) {
    if (!group().last) return fail("nothing to repeat here");
    if (quantified_) return fail("a quantifier behind a quantifier; put the first into a group");
    if (peek() == '?') ++at_;
    const uint64_t copies = most == kNoLimit ? uint64_t{least} + 1 : most;
    if (copies * (group().last->code.size() + 2) + group().done.code.size() > kInstructionsMax) return fail("the repeats make the expression too large", true);
    group().last = repeat(*group().last, least, most);
    quantified_ = true;
  }

  std::optional<uint32_t> number() {
    const size_t begin = at_;
    uint64_t value = 0;
    while (peek() >= '0' && peek() <= '9') {
      value = std::min<uint64_t>(value * 10 + static_cast<uint64_t>(peek() - '0'), 1u << 30);
      ++at_;
    }
    if (at_ == begin) return std::nullopt;
    return static_cast<uint32_t>(value);
  }

  // `{` begins a repeat only if it is one: {n} {n,} {n,m}; else it is a character.
  void brace() {
    const size_t start = at_++;
    const std::optional<uint32_t> least = number();
    std::optional<uint32_t> most = least;
    if (least && take(",")) {
      most = number();
      if (!most) most = kNoLimit;
    }
    if (!least || !take("}")) {
      at_ = start + 1;
      return put_rune('{');
    }
    const uint32_t largest = *most == kNoLimit ? *least : *most;
    if (largest > limits::kRegexRepeatMax) return fail(fmt::format("more than {} repeats", limits::kRegexRepeatMax), true);
    if (*most < *least) return fail("a repeat counts backwards");
    quantify(*least, *most);
  }

  // ---- escapes and classes
  static bool is_word(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
  static bool is_punctuation(char c) { return c > ' ' && c < 0x7f && !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')); }

  // A single character after the backslash, which is at `at_`; kNone if it is not one.
  static constexpr uint32_t kNone = 0xffffffff;
  uint32_t escaped_rune() {
    const char c = peek(1);
    const size_t start = at_;
    at_ += 2;
    switch (c) {
      case 'a': return 7;
      case 'f': return '\f';
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case 'v': return '\v';
      case '0': {
        uint32_t value = 0;
        for (int digits = 0; digits < 2 && peek() >= '0' && peek() <= '7'; ++digits) value = value * 8 + static_cast<uint32_t>(pattern_[at_++] - '0');
        return value;
      }
      case 'x': return hexadecimal(start);
      default: break;
    }
    if (is_punctuation(c) || c == ' ') return static_cast<uint8_t>(c);
    at_ = start;
    return kNone;
  }

  uint32_t hexadecimal(size_t start) {
    const bool braced = take("{");
    uint32_t value = 0;
    size_t digits = 0;
    const auto digit = [&]() -> int {
      const char c = peek();
      if (c >= '0' && c <= '9') return c - '0';
      if (c >= 'a' && c <= 'f') return c - 'a' + 10;
      if (c >= 'A' && c <= 'F') return c - 'A' + 10;
      return -1;
    };
    while (digits < (braced ? 6u : 2u) && digit() >= 0) {
      value = value * 16 + static_cast<uint32_t>(digit());
      ++digits;
      ++at_;
    }
    if (digits == 0 || (!braced && digits != 2) || (braced && !take("}")) || value > channel::kRuneMax) {
      at_ = start;
      fail("`\\x` needs two hexadecimal digits, or up to six in braces");
    }
    return value;
  }

  void escape() {
    const char c = peek(1);
    if (at_ + 1 >= pattern_.size()) return fail("a backslash at the end");
    if (auto set = perl_class(c, group().flags.ignore_case)) {
      at_ += 2;
      return put_class(std::move(*set));
    }
    if (c == 'Q') return quoted();
    if (c == 'p' || c == 'P') {
      if (auto set = unicode_class()) put_class(std::move(*set));
      return;
    }
    const auto assertion = [&](AssertKind kind) {
      at_ += 2;
      put_assert(kind);
    };
    switch (c) {
      case 'b': return assertion(AssertKind::kWordBoundary);
      case 'B': return assertion(AssertKind::kNotWordBoundary);
      case 'A': return assertion(AssertKind::kTextBegin);
      case 'z': return assertion(AssertKind::kTextEnd);
      default: break;
    }
    if (c >= '1' && c <= '9') return fail("back-references are not supported");
    const uint32_t rune = escaped_rune();
    if (rune == kNone) return fail(fmt::format("`\\{}` is not supported", printable(c)));
    put_rune(rune);
  }
  // `\Q`: up to `\E`, or to the end, every character stands for itself.
  void quoted() {
    at_ += 2;
    quantified_ = false;  // also by an empty one, as in RE2
    while (!at_end() && !problem_ && !take("\\E")) put_rune(take_rune());
  }

  // `\pL`, `\p{Greek}`, `\P{…}`, `\p{^…}` at `at_`: a general category or a script; nothing if it failed. Folded first, then negated, as RE2 does.
  std::optional<Ranges> unicode_class() {
    const size_t start = at_;
    bool negative = peek(1) == 'P';
    at_ += 2;
    std::string_view name = pattern_.substr(at_, 1);
    if (peek() == '{') {
      const size_t end = pattern_.find('}', at_);
      name = pattern_.substr(at_ + 1, end == std::string_view::npos ? 0 : end - at_ - 1);
      at_ = end == std::string_view::npos ? pattern_.size() : end + 1;
    } else {
      ++at_;
    }
    if (name.starts_with('^')) {
      negative = !negative;
      name.remove_prefix(1);
    }
    auto members = unicode_group(name);
    if (!members) {
      at_ = start;
      fail("`\\p` needs a general category or a script of Unicode, as in `\\pL` and `\\p{Greek}`");
      return std::nullopt;
    }
    if (group().flags.ignore_case) add_case_variants(*members);
    normalise(*members);
    return negative ? negated(*members) : std::move(*members);
  }

  static std::string printable(char c) { return c >= ' ' && c < 0x7f ? std::string(1, c) : fmt::format("byte {:#x}", static_cast<uint8_t>(c)); }

  // `[:name:]` inside a class, at `at_`.
  bool posix_class(Ranges& ranges) {
    const size_t end = pattern_.find(":]", at_);
    if (!pattern_.substr(at_).starts_with("[:") || end == std::string_view::npos) return false;
    std::string_view name = pattern_.substr(at_ + 2, end - at_ - 2);
    const bool negative = name.starts_with('^');
    if (negative) name.remove_prefix(1);
    const auto* const known = std::ranges::find(kPosixClasses, name, &NamedClass::name);
    if (known == std::end(kPosixClasses)) return fail("unknown class name in `[: :]`"), true;
    const Ranges members = named_class(known->members, negative, group().flags.ignore_case);
    ranges.insert(ranges.end(), members.begin(), members.end());
    at_ = end + 2;
    return true;
  }

  uint32_t class_rune() {
    if (peek() != '\\') return take_rune();
    const uint32_t rune = escaped_rune();
    if (rune == kNone) fail(fmt::format("`\\{}` is not supported in a class", printable(peek(1))));
    return rune;
  }

  void bracket() {
    const size_t start = at_++;
    const bool negative = take("^");
    Ranges ranges;
    for (bool first = true; !problem_; first = false) {
      if (at_end()) {
        at_ = start;
        return fail("a class is not closed: `]` is missing");
      }
      if (peek() == ']' && !first) break;
      if (peek() == '[' && peek(1) == ':' && posix_class(ranges)) continue;
      if (peek() == '\\') {
        if (auto set = perl_class(peek(1), group().flags.ignore_case)) {
          at_ += 2;
          ranges.insert(ranges.end(), set->begin(), set->end());
          continue;
        }
        if (peek(1) == 'p' || peek(1) == 'P') {
          const auto set = unicode_class();
          if (!set) return;
          ranges.insert(ranges.end(), set->begin(), set->end());
          continue;
        }
      }
      const uint32_t low = class_rune();
      if (problem_) return;
      uint32_t high = low;
      if (peek() == '-' && at_ + 1 < pattern_.size() && peek(1) != ']') {
        ++at_;
        high = class_rune();
        if (problem_) return;
        if (high < low) return fail("a range of a class counts backwards");
      }
      Ranges range{{low, high}};
      if (group().flags.ignore_case) add_case_variants(range);
      ranges.insert(ranges.end(), range.begin(), range.end());
    }
    if (problem_) return;
    ++at_;
    normalise(ranges);
    put_class(negative ? negated(ranges) : std::move(ranges));
  }

  // ---- the program
  std::expected<RegexProgram, RegexProblem> finish(Fragment whole) {
    std::vector<uint32_t> place(whole.code.size() + 1, 0);  // where an instruction lands once jumps are gone
    uint32_t next = 0;
    for (size_t i = 0; i < whole.code.size(); ++i) {
      place[i] = next;
      if (whole.code[i].op != Op::kJump) ++next;
    }
    place[whole.code.size()] = next;
    if (next + 1 > limits::kRegexStatesMax) return std::unexpected(RegexProblem{true, 0, fmt::format("the expression needs {} states, at most {} are allowed", next + 1, limits::kRegexStatesMax)});
    const auto target = [&](size_t i) {  // follows jumps; chains of jumps only lead on or to a split
      for (size_t hops = 0; i < whole.code.size() && whole.code[i].op == Op::kJump && hops <= whole.code.size(); ++hops) i = whole.code[i].a;
      return place[i];
    };
    RegexProgram program;
    program.classes = std::move(classes_);
    program.required = std::move(whole.required);
    for (size_t i = 0; i < whole.code.size(); ++i) {
      const Instruction& from = whole.code[i];
      const uint32_t out = target(i + 1);
      switch (from.op) {
        case Op::kRune: program.instructions.push_back({InstructionKind::kRune, 0, 0, out, from.a}); break;
        case Op::kClass: program.instructions.push_back({InstructionKind::kClass, 0, 0, out, from.a}); break;
        case Op::kAny: program.instructions.push_back({InstructionKind::kAny, 0, 0, out, 0}); break;
        case Op::kAnyNotNewline: program.instructions.push_back({InstructionKind::kAnyNotNewline, 0, 0, out, 0}); break;
        case Op::kAssert: program.instructions.push_back({InstructionKind::kAssert, static_cast<uint8_t>(from.a), 0, out, 0}); break;
        case Op::kSplit: program.instructions.push_back({InstructionKind::kSplit, 0, 0, target(from.a), target(from.b)}); break;
        case Op::kJump: break;
      }
    }
    program.instructions.push_back({InstructionKind::kMatch, 0, 0, 0, 0});
    return program;
  }

  static constexpr size_t kInstructionsMax = 4 * size_t{limits::kRegexStatesMax};

  std::string_view pattern_;
  size_t at_ = 0;
  bool quantified_ = false;  // the last atom has its quantifier already
  std::vector<Group> groups_;
  std::vector<RegexClass> classes_;
  std::optional<RegexProblem> problem_;
};

}  // namespace

std::expected<RegexProgram, RegexProblem> compile_regex(std::string_view pattern, RegexFlags flags) { return Parser(pattern, flags).run(); }

}  // namespace creance::compiler
