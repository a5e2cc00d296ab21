// What can be said about a regular expression's program without running it. The compiler writes it, the verifier recomputes it, the interpreter skips text by it.
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "channel/format.hpp"

namespace creance::channel {

struct RegexFacts {
  std::array<uint64_t, 4> first_bytes{};  // all ones if a match can be empty
  bool anchored_at_start = false;
  bool can_be_empty = false;
  uint32_t flags() const { return (anchored_at_start ? kAnchoredAtStart : 0) | (can_be_empty ? kCanBeEmpty : 0); }
  friend bool operator==(const RegexFacts&, const RegexFacts&) = default;
};

// INVARIANT of the callers: every target, class and range is in bounds; the program is not empty.
RegexFacts regex_facts(std::span<const InstructionRecord> program, std::span<const ClassRecord> classes, std::span<const RangeRecord> ranges);

}  // namespace creance::channel
