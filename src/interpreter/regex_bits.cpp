#include "interpreter/regex_bits.hpp"

#include <vector>

#include "base/limits.hpp"

namespace creance::interpreter {
namespace {

using channel::InstructionKind;
using channel::InstructionRecord;

bool is_state(const InstructionRecord& i) { return i.kind != InstructionKind::kSplit; }

// Every reference inside `program` is in bounds and every kind is known.
bool makes_sense(const channel::Layout& l, std::span<const InstructionRecord> program) {
  for (const InstructionRecord& i : program) {
    if (i.kind < InstructionKind::kMatch || i.kind > InstructionKind::kAssert) return false;
    if (i.kind != InstructionKind::kMatch && i.out >= program.size()) return false;
    if (i.kind == InstructionKind::kSplit && i.operand >= program.size()) return false;
    if (i.kind != InstructionKind::kClass) continue;
    if (i.operand >= l.classes.size()) return false;
    const channel::ListRef ranges = l.classes[i.operand].ranges;
    if (uint64_t{ranges.first} + ranges.count > l.ranges.size()) return false;
  }
  return true;
}

class Maker {
 public:
  Maker(const channel::Layout& l, std::span<const InstructionRecord> program) : l_(l), program_(program), state_(program.size(), 0), seen_(program.size(), 0) {}

  std::unique_ptr<RegexBits> run() {
    auto bits = std::make_unique<RegexBits>();
    for (uint32_t at = 0; at < program_.size(); ++at) {
      if (!is_state(program_[at])) continue;
      if (bits->states == 64) return nullptr;
      state_[at] = bits->states;
      bits->instruction[bits->states++] = at;
    }
    bits->start = reached(0);
    for (uint32_t s = 0; s < bits->states; ++s) {
      const InstructionRecord& i = program_[bits->instruction[s]];
      const uint64_t bit = 1ull << s;
      if (i.kind == InstructionKind::kMatch) {
        bits->match |= bit;
        continue;
      }
      const uint64_t next = reached(i.out);
      bits->next[s] = next;
      if ((next & bit) != 0) bits->loops |= bit;
      if ((next & ~bit & bit << 1) != 0) bits->steps_on |= bit;
      if ((next & ~(bit | bit << 1)) != 0) bits->leads_elsewhere |= bit;
      if (i.kind == InstructionKind::kAssert) bits->asserts |= bit;
      else add_characters(*bits, i, bit);
    }
    add_second(*bits);
    add_prefix(*bits);
    return bits;
  }

 private:
  // States that are reached from `start` through splits alone.
  uint64_t reached(uint32_t start) {
    uint64_t out = 0;
    ++mark_;
    todo_.assign(1, start);
    while (!todo_.empty()) {
      const uint32_t at = todo_.back();
      todo_.pop_back();
      if (seen_[at] == mark_) continue;
      seen_[at] = mark_;
      if (is_state(program_[at])) {
        out |= 1ull << state_[at];
      } else {
        todo_.push_back(program_[at].out);
        todo_.push_back(program_[at].operand);
      }
    }
    return out;
  }

  static void add_second(RegexBits& bits) {
    uint64_t behind_first = 0;
    for (uint64_t todo = bits.start & ~bits.asserts; todo != 0; todo &= todo - 1) behind_first |= bits.next[static_cast<size_t>(__builtin_ctzll(todo))];
    const bool any = ((bits.start | behind_first) & (bits.asserts | bits.match)) != 0;
    for (uint32_t c = 0; c < 128; ++c) {
      if (any || (behind_first & bits.takes[c]) != 0) bits.second[c / 64] |= 1ull << (c % 64);
    }
  }

  void add_prefix(RegexBits& bits) const {
    for (uint32_t at = 0; bits.prefix_size < bits.prefix.size() && program_[at].kind == InstructionKind::kRune && program_[at].operand < 128; at = program_[at].out) {
      bits.prefix[bits.prefix_size++] = static_cast<char>(program_[at].operand);
    }
  }

  void add_characters(RegexBits& bits, const InstructionRecord& i, uint64_t bit) const {
    if (i.kind == InstructionKind::kRune) {
      if (i.operand < 128) bits.takes[i.operand] |= bit;
      return;
    }
    for (uint32_t c = 0; c < 128; ++c) {
      const bool takes = i.kind == InstructionKind::kAny || (i.kind == InstructionKind::kAnyNotNewline && c != '\n') ||
                         (i.kind == InstructionKind::kClass && (l_.classes[i.operand].ascii[c / 64] >> (c % 64) & 1) != 0);
      if (takes) bits.takes[c] |= bit;
    }
  }

  const channel::Layout& l_;
  std::span<const InstructionRecord> program_;
  std::vector<uint32_t> state_;
  std::vector<uint32_t> seen_;
  std::vector<uint32_t> todo_;
  uint32_t mark_ = 0;
};

}  // namespace

std::unique_ptr<RegexBits> make_regex_bits(const channel::Layout& l, const channel::RegexRecord& regex) {
  if (uint64_t{regex.first_instruction} + regex.instruction_count > l.instructions.size() || regex.instruction_count == 0 || regex.instruction_count > limits::kRegexStatesMax) return nullptr;
  const auto program = l.instructions.subspan(regex.first_instruction, regex.instruction_count);
  if (!makes_sense(l, program)) return nullptr;
  return Maker(l, program).run();
}

}  // namespace creance::interpreter
