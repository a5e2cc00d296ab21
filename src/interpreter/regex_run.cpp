// Runs a regular expression's program as a set of states, one character at a time: each instruction at most once a position, so work is linear in the text.
#include <algorithm>

#include "channel/utf8.hpp"
#include "interpreter/state.hpp"

namespace creance::interpreter {
namespace {

using channel::AssertKind;
using channel::InstructionKind;
using channel::InstructionRecord;

bool is_word(char c) noexcept { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

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

class Runner {
 public:
  Runner(Context& c, const channel::RegexRecord& regex, std::span<const InstructionRecord> program, std::string_view text)
      : c_(c), s_(c.s), regex_(regex), program_(program), text_(text), now_(c.s.threads_now.data()), next_(c.s.threads_next.data()) {}

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
      if ((!anchored || at == 0) && (can_be_empty || (at < text_.size() && can_begin(text_[at]))) && add(0, at)) return finish(!c_.broken);
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
  bool can_begin(char byte) const noexcept {
    const auto b = static_cast<uint8_t>(byte);
    return (regex_.first_bytes[b / 64] >> (b % 64) & 1) != 0;
  }
  size_t skip(size_t at) noexcept {
    const size_t from = at;
    while (at < text_.size() && !can_begin(text_[at])) ++at;
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
          if (assertion_holds(static_cast<AssertKind>(instruction.argument), text_, at)) stack[depth++] = instruction.out;
          break;
        default: now_[now_size_++] = i;
      }
    }
    return false;
  }

  bool in_class(uint32_t index, uint32_t rune) noexcept {
    if (index >= c_.l.classes.size()) return c_.fail(FaultCode::kProgram);
    const channel::ClassRecord& set = c_.l.classes[index];
    if (rune < 128) return (set.ascii[rune / 64] >> (rune % 64) & 1) != 0;
    if (set.ranges.count == 0) return false;
    if (uint64_t{set.ranges.first} + set.ranges.count > c_.l.ranges.size()) return c_.fail(FaultCode::kProgram);
    const auto ranges = c_.l.ranges.subspan(set.ranges.first, set.ranges.count);
    const auto it = std::ranges::lower_bound(ranges, rune, {}, &channel::RangeRecord::high);
    return it != ranges.end() && it->low <= rune;
  }

  bool accepts(const InstructionRecord& instruction, uint32_t rune) noexcept {
    switch (instruction.kind) {
      case InstructionKind::kRune: return rune == instruction.operand;
      case InstructionKind::kClass: return in_class(instruction.operand, rune);
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
  std::string_view text_;
  uint32_t* now_;
  uint32_t* next_;
  size_t now_size_ = 0;
  uint64_t steps_ = 0;
};

}  // namespace

bool run_regex(Context& c, const channel::RegexRecord& regex, std::string_view text) noexcept {
  const uint64_t end = uint64_t{regex.first_instruction} + regex.instruction_count;
  if (end > c.l.instructions.size() || regex.instruction_count > c.s.marks.size() || regex.instruction_count == 0) return c.fail(FaultCode::kProgram);
  return Runner(c, regex, c.l.instructions.subspan(regex.first_instruction, regex.instruction_count), text).run();
}

}  // namespace creance::interpreter
