// Regular expressions -> Thompson programs over code points (channel/format.hpp). The syntax is RE2's without \C, and `(?<name>…)` beside `(?P<name>…)`: no look-around, no back-references;
// what is outside it is a problem that names the place. No recursion: nesting lives on an explicit, bounded stack.
#pragma once
#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "channel/format.hpp"

namespace creance::compiler {

struct RegexFlags {
  bool ignore_case = false;
  bool multi_line = false;  // ^ and $ also at line breaks
  bool dot_all = false;     // . also takes a line break
};

struct RegexClass {
  std::array<uint64_t, 2> ascii{};
  std::vector<channel::RangeRecord> ranges;  // from 128 on
};

struct RegexProgram {
  std::vector<channel::InstructionRecord> instructions;
  std::vector<RegexClass> classes;    // kClass operands index these
  // Every text that matches contains one of each of these lists, compared case-folded (they are folded). Empty: nothing is known.
  std::vector<std::vector<std::string>> required;
};

struct RegexProblem {
  bool too_large = false;  // else: syntax
  size_t position = 0;     // byte in the pattern
  std::string message;
};

std::expected<RegexProgram, RegexProblem> compile_regex(std::string_view pattern, RegexFlags flags);

}  // namespace creance::compiler
