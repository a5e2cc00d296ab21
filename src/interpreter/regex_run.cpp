// Runs a regular expression's program as a set of states, one character at a time: each instruction at most once a position, so work is linear in the text.
// Programs of few states run as bit sets (regex_bits.hpp), others state by state; both give the same answer, and a test says so.
#include <algorithm>
#include <array>
#include <cstring>

#include "channel/utf8.hpp"
#include "interpreter/state.hpp"

namespace creance::interpreter {
namespace {

using channel::AssertKind;
using channel::InstructionKind;
using channel::InstructionRecord;

bool is_word(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// `text`: the whole value, not cut.
bool assertion_holds(AssertKind kind, std::string_view text, size_t at) noexcept {
  const bool at_begin = at == 0;
  const bool at_end = at == text.size();
  switch (kind) {
    case AssertKind::kTextBegin: return at_begin;
    case AssertKind::kTextEnd: return at_end;
    case AssertKind::kLineBegin: return at_begin || text[at - 1] == '\n';
    case AssertKind::kLineEnd: return at_end || text[at] == '\n';
    case AssertKind::kWordBoundary:
    case AssertKind::kNotWordBoundary: {
      const bool before = !at_begin && is_word(text[at - 1]);
      const bool after = !at_end && is_word(text[at]);
      return (before != after) == (kind == AssertKind::kWordBoundary);
    }
  }
  return false;
}

bool in_class(const Layout& l, const channel::ClassRecord& set, uint32_t rune) noexcept {
  if (rune < 128) return (set.ascii[rune / 64] >> (rune % 64) & 1) != 0;
  const auto ranges = l.ranges.subspan(set.ranges.first, set.ranges.count);
  const auto it = std::ranges::lower_bound(ranges, rune, {}, &channel::RangeRecord::high);
  return it != ranges.end() && it->low <= rune;
}

bool has_byte(const channel::RegexRecord& regex, char byte) noexcept {
  const auto b = static_cast<uint8_t>(byte);
  return (regex.first_bytes[b / 64] >> (b % 64) & 1) != 0;
}

// One word holds all states that wait at a position.
class BitRunner {
 public:
  BitRunner(Context& c, const channel::RegexRecord& regex, const RegexBits& bits, std::string_view value) : c_(c), regex_(regex), bits_(bits), value_(value), text_(cut(value)) {}

  bool run() noexcept {
    const bool anchored = (regex_.flags & channel::kAnchoredAtStart) != 0;
    const bool can_be_empty = (regex_.flags & channel::kCanBeEmpty) != 0;
    uint64_t waiting = 0;
    size_t at = 0;
    while (true) {
      if (waiting == 0) {
        if (anchored && at > 0) return finish(false);
        if (!anchored && !can_be_empty) at = next_begin(at);
        if (at == text_.size() && !can_be_empty) return finish(false);
      }
      ++steps_;
      if ((!anchored || at == 0) && (can_be_empty || (at < text_.size() && can_begin(at)))) waiting |= bits_.start;
      if ((waiting & bits_.asserts) != 0) waiting = resolved(waiting, at);
      if ((waiting & bits_.match) != 0) return finish(true);
      if (at == text_.size()) return finish(false);
      at = advance(waiting, at);
    }
  }

  // From a place where a match can begin, as far as that leads; `at` becomes the first place at which nothing is under way any more.
  bool run_from(size_t& at) noexcept {
    uint64_t waiting = 0;
    do {
      ++steps_;
      if (at < text_.size() && can_begin(at)) waiting |= bits_.start;
      if ((waiting & bits_.asserts) != 0) waiting = resolved(waiting, at);
      if ((waiting & bits_.match) != 0) return finish(true);
      if (at == text_.size()) break;
      at = advance(waiting, at);
    } while (waiting != 0);
    return finish(false);
  }

 private:
  bool finish(bool result) noexcept {
    c_.steps += steps_;
    return result;
  }

  // The first place from `at` on where a match can begin, or the end.
  size_t next_begin(size_t at) noexcept {
    if (bits_.prefix_size > 1) {
      const size_t place = find(c_, text_.substr(at), std::string_view(bits_.prefix.data(), bits_.prefix_size));
      return place == std::string_view::npos ? text_.size() : at + place;
    }
    const size_t from = at;
    while (at < text_.size() && !can_begin(at)) ++at;
    steps_ += 1 + (at - from) / 16;
    return at;
  }

  // Whether a match can begin at `at`, by its first byte, and by the second where both are ASCII.
  bool can_begin(size_t at) const noexcept {
    if (!has_byte(regex_, text_[at])) return false;
    const auto first = static_cast<uint8_t>(text_[at]);
    const auto second = at + 1 < text_.size() ? static_cast<uint8_t>(text_[at + 1]) : uint8_t{0};
    if (first >= 128 || second >= 128) return true;
    if (at + 1 == text_.size()) return bits_.second[0] == ~0ull && bits_.second[1] == ~0ull;
    return (bits_.second[second / 64] >> (second % 64) & 1) != 0;
  }

  // What assertions that hold here lead to.
  uint64_t resolved(uint64_t waiting, size_t at) noexcept {
    uint64_t todo = waiting & bits_.asserts;
    while (todo != 0) {
      const auto s = static_cast<size_t>(__builtin_ctzll(todo));
      todo &= todo - 1;
      ++steps_;
      const auto kind = static_cast<AssertKind>(c_.l.instructions[regex_.first_instruction + bits_.instruction[s]].argument);
      if (!assertion_holds(kind, value_, at)) continue;
      const uint64_t fresh = bits_.next[s] & ~waiting;
      waiting |= fresh;
      todo |= fresh & bits_.asserts;
    }
    return waiting;
  }

  // Over the character at `at`; the position behind it.
  size_t advance(uint64_t& waiting, size_t at) noexcept {
    const auto byte = static_cast<uint8_t>(text_[at]);
    uint64_t taking;
    size_t size = 1;
    if (byte < 128) {
      taking = waiting & bits_.takes[byte];
    } else {
      const channel::Decoded decoded = channel::decode(text_.data() + at, text_.data() + text_.size());
      size = decoded.size;
      taking = beyond_ascii(waiting & ~bits_.asserts, channel::rune_for_regex(decoded.rune));
    }
    uint64_t next = (taking & bits_.loops) | (taking & bits_.steps_on) << 1;
    for (taking &= bits_.leads_elsewhere; taking != 0; taking &= taking - 1) {
      next |= bits_.next[static_cast<size_t>(__builtin_ctzll(taking))];
      ++steps_;
    }
    waiting = next;
    return at + size;
  }

  uint64_t beyond_ascii(uint64_t waiting, uint32_t rune) noexcept {
    uint64_t taking = 0;
    for (uint64_t todo = waiting; todo != 0; todo &= todo - 1) {
      const auto s = static_cast<size_t>(__builtin_ctzll(todo));
      const InstructionRecord& i = c_.l.instructions[regex_.first_instruction + bits_.instruction[s]];
      ++steps_;
      const bool takes = i.kind == InstructionKind::kRune ? i.operand == rune : i.kind == InstructionKind::kClass ? in_class(c_.l, c_.l.classes[i.operand], rune) : i.kind == InstructionKind::kAny || i.kind == InstructionKind::kAnyNotNewline;
      if (takes) taking |= todo & -todo;
    }
    return taking;
  }

  Context& c_;
  const channel::RegexRecord& regex_;
  const RegexBits& bits_;
  std::string_view value_;  // for assertions
  std::string_view text_;   // cut: what characters are taken from
  uint64_t steps_ = 0;
};

class Runner {
 public:
  Runner(Context& c, const channel::RegexRecord& regex, std::span<const InstructionRecord> program, std::string_view value)
      : c_(c), s_(c.s), regex_(regex), program_(program), value_(value), text_(cut(value)), now_(c.s.threads_now.data()), next_(c.s.threads_next.data()) {}

  bool run() noexcept {
    const bool anchored = (regex_.flags & channel::kAnchoredAtStart) != 0;
    const bool can_be_empty = (regex_.flags & channel::kCanBeEmpty) != 0;
    size_t at = 0;
    begin_position();
    while (true) {
      if (now_size_ == 0) {
        if (anchored && at > 0) return finish(false);
        if (!anchored && !can_be_empty) at = skip(at);
        if (at == text_.size() && !can_be_empty) return finish(false);
      }
      if ((!anchored || at == 0) && (can_be_empty || (at < text_.size() && has_byte(regex_, text_[at]))) && add(0, at)) return finish(!c_.broken);
      if (at == text_.size()) return finish(false);
      const channel::Decoded decoded = channel::decode(text_.data() + at, text_.data() + text_.size());
      at += decoded.size;
      if (advance(channel::rune_for_regex(decoded.rune), at)) return finish(!c_.broken);
    }
  }

 private:
  bool finish(bool result) noexcept {
    c_.steps += steps_;
    return result;
  }
  size_t skip(size_t at) noexcept {
    const size_t from = at;
    while (at < text_.size() && !has_byte(regex_, text_[at])) ++at;
    if (at != from) begin_position();
    steps_ += 1 + (at - from) / 16;
    return at;
  }
  void begin_position() noexcept {
    if (++s_.mark == 0) {
      std::ranges::fill(s_.marks, 0u);
      s_.mark = 1;
    }
  }

  // Follows splits and assertions from `start`; threads that wait for a character join the list that is being filled. True: a match, or a broken program.
  bool add(uint32_t start, size_t at) noexcept {
    uint32_t* const stack = s_.stack.data();
    size_t depth = 0;
    stack[depth++] = start;
    while (depth > 0) {
      const uint32_t i = stack[--depth];
      ++steps_;
      if (i >= program_.size()) return c_.fail(FaultCode::kProgram), true;
      if (s_.marks[i] == s_.mark) continue;
      s_.marks[i] = s_.mark;
      const InstructionRecord& instruction = program_[i];
      switch (instruction.kind) {
        case InstructionKind::kMatch: return true;
        case InstructionKind::kSplit:
          stack[depth++] = instruction.operand;
          stack[depth++] = instruction.out;
          break;
        case InstructionKind::kAssert:
          if (assertion_holds(static_cast<AssertKind>(instruction.argument), value_, at)) stack[depth++] = instruction.out;
          break;
        default: now_[now_size_++] = i;
      }
    }
    return false;
  }

  bool in_class_checked(uint32_t index, uint32_t rune) noexcept {
    if (index >= c_.l.classes.size()) return c_.fail(FaultCode::kProgram);
    const channel::ClassRecord& set = c_.l.classes[index];
    if (uint64_t{set.ranges.first} + set.ranges.count > c_.l.ranges.size()) return c_.fail(FaultCode::kProgram);
    return in_class(c_.l, set, rune);
  }

  bool accepts(const InstructionRecord& instruction, uint32_t rune) noexcept {
    switch (instruction.kind) {
      case InstructionKind::kRune: return rune == instruction.operand;
      case InstructionKind::kClass: return in_class_checked(instruction.operand, rune);
      case InstructionKind::kAny: return true;
      case InstructionKind::kAnyNotNewline: return rune != '\n';
      default: return c_.fail(FaultCode::kProgram);
    }
  }

  // Moves every thread over `rune`; `at` is the position behind it. True: a match, or a broken program.
  bool advance(uint32_t rune, size_t at) noexcept {
    std::swap(now_, next_);  // threads waiting are in next_, now_ is filled
    const size_t waiting = now_size_;
    now_size_ = 0;
    begin_position();
    for (size_t t = 0; t < waiting; ++t) {
      const InstructionRecord& instruction = program_[next_[t]];
      ++steps_;
      if (accepts(instruction, rune) && add(instruction.out, at)) return true;
      if (c_.broken) return true;
    }
    return false;
  }

  Context& c_;
  Scratch::State& s_;
  const channel::RegexRecord& regex_;
  std::span<const InstructionRecord> program_;
  std::string_view value_;
  std::string_view text_;
  uint32_t* now_;
  uint32_t* next_;
  size_t now_size_ = 0;
  uint64_t steps_ = 0;
};

}  // namespace

bool run_regex(Context& c, const channel::RegexRecord& regex, std::string_view value) noexcept {
  const uint64_t end = uint64_t{regex.first_instruction} + regex.instruction_count;
  if (end > c.l.instructions.size() || regex.instruction_count > c.s.marks.size() || regex.instruction_count == 0) return c.fail(FaultCode::kProgram);
  const auto number = static_cast<size_t>(&regex - c.l.regexes.data());
  if (number < c.s.regex_bits.size() && c.s.regex_bits[number] != nullptr) return BitRunner(c, regex, *c.s.regex_bits[number], value).run();
  return Runner(c, regex, c.l.instructions.subspan(regex.first_instruction, regex.instruction_count), value).run();
}

void mark_late_regexes(Context& c, const LateLiterals& late, std::string_view value) noexcept {
  const std::string_view text = cut(value);
  const uint64_t number = ++c.s.late_value;
  c.steps += 1 + text.size() / 4;
  const auto try_at = [&](size_t at) {
    for (const LateLiterals::Entry& entry : late.proposed(channel::load_gram(text.data() + at, 3))) {
      ++c.steps;
      uint32_t& memo = c.s.memo[entry.predicate];
      if (memo == (c.s.epoch << 1 | 1) || at < entry.offset) continue;
      const uint32_t program = c.l.predicates[entry.predicate].operand.first;
      const RegexBits& bits = *c.s.regex_bits[program];
      size_t begin = at - entry.offset;
      Scratch::State::RanTo& ran_to = c.s.regex_ran_to[program];
      if (bits.prefix_size > text.size() - begin || !same_bytes(text.data() + begin, bits.prefix.data(), bits.prefix_size) || (ran_to.value == number && begin < ran_to.place)) continue;
      if (BitRunner(c, c.l.regexes[program], bits, value).run_from(begin)) memo = c.s.epoch << 1 | 1;
      ran_to = {number, begin};
    }
    return true;
  };
  if (text.size() < 3) return;
  // A value has no room behind it: its last places are looked at in a copy.
  const size_t places = text.size() - 2;
  const size_t by_far = text.size() > kGramReach ? std::min(places, text.size() - kGramReach) : 0;
  each_hit(c.s.ways.find_hits, late.known(), text.data(), by_far, 1, try_at);
  std::array<char, 2 * kGramReach + 3> last{};
  std::memcpy(last.data(), text.data() + by_far, text.size() - by_far);
  each_hit(c.s.ways.find_hits, late.known(), last.data(), places - by_far, 1, [&](size_t at) { return try_at(by_far + at); });
}

}  // namespace creance::interpreter
