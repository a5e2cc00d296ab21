#include "channel/regex_facts.hpp"

#include <algorithm>
#include <vector>

#include "channel/utf8.hpp"

namespace creance::channel {
namespace {

void add_bytes(RegexFacts& facts, uint32_t low, uint32_t high) {
  for (uint32_t b = low; b <= high; ++b) facts.first_bytes[b / 64] |= 1ull << (b % 64);
}

// Characters from 128 on begin with 0xc2 to 0xf4; a byte that is no character is taken as U+FFFD, and may be any from 0x80 on.
void add_beyond_ascii(RegexFacts& facts, bool with_replacement) {
  if (with_replacement) add_bytes(facts, 0x80, 0xff);
  else add_bytes(facts, 0xc2, 0xf4);
}

void add_first_bytes(RegexFacts& facts, const InstructionRecord& instruction, std::span<const ClassRecord> classes, std::span<const RangeRecord> ranges) {
  switch (instruction.kind) {
    case InstructionKind::kMatch:
      facts.can_be_empty = true;
      facts.first_bytes.fill(~0ull);
      break;
    case InstructionKind::kRune:
      if (instruction.operand < 0x80) add_bytes(facts, instruction.operand, instruction.operand);
      else add_beyond_ascii(facts, instruction.operand == kReplacementRune);
      break;
    case InstructionKind::kClass: {
      const ClassRecord& set = classes[instruction.operand];
      facts.first_bytes[0] |= set.ascii[0];
      facts.first_bytes[1] |= set.ascii[1];
      if (set.ranges.count == 0) break;
      const auto members = ranges.subspan(set.ranges.first, set.ranges.count);
      add_beyond_ascii(facts, std::ranges::any_of(members, [](const RangeRecord& r) { return r.low <= kReplacementRune && kReplacementRune <= r.high; }));
      break;
    }
    case InstructionKind::kAny: add_bytes(facts, 0, 0xff); break;
    case InstructionKind::kAnyNotNewline:
      add_bytes(facts, 0, '\n' - 1);
      add_bytes(facts, '\n' + 1, 0xff);
      break;
    case InstructionKind::kSplit:
    case InstructionKind::kAssert: break;
  }
}

bool is_text_begin(const InstructionRecord& i) {
  return i.kind == InstructionKind::kAssert && i.argument == static_cast<uint8_t>(AssertKind::kTextBegin);
}

// Visits what can be reached without consuming text; with `through_begin` false, paths end at kTextBegin.
template <class Visit>
void visit_closure(std::span<const InstructionRecord> program, bool through_begin, Visit visit) {
  std::vector<uint8_t> seen(program.size(), 0);
  std::vector<uint32_t> todo{0};
  while (!todo.empty()) {
    const uint32_t at = todo.back();
    todo.pop_back();
    if (seen[at] != 0) continue;
    seen[at] = 1;
    const InstructionRecord& instruction = program[at];
    visit(instruction);
    if (instruction.kind == InstructionKind::kSplit) todo.push_back(instruction.operand);
    if (instruction.kind == InstructionKind::kSplit || (instruction.kind == InstructionKind::kAssert && (through_begin || !is_text_begin(instruction)))) {
      todo.push_back(instruction.out);
    }
  }
}

}  // namespace

RegexFacts regex_facts(std::span<const InstructionRecord> program, std::span<const ClassRecord> classes, std::span<const RangeRecord> ranges) {
  RegexFacts facts;
  visit_closure(program, true, [&](const InstructionRecord& i) { add_first_bytes(facts, i, classes, ranges); });
  bool free_path = false;
  visit_closure(program, false, [&](const InstructionRecord& i) {
    free_path = free_path || (i.kind != InstructionKind::kSplit && i.kind != InstructionKind::kAssert);
  });
  facts.anchored_at_start = !free_path;
  return facts;
}

}  // namespace creance::channel
