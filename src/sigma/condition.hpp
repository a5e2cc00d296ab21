// The condition's text -> ConditionNode tree. Iterative (operator precedence with explicit stacks), bounded, never throws.
//
//   condition := or
//   or        := and ("or" and)*
//   and       := not ("and" not)*
//   not       := "not" not | primary
//   primary   := "(" or ")" | ("1" | "any" | "all") "of" ("them" | pattern) | identifier
//
// Words are compared without case, identifiers with it. `them` skips names that begin with `_`; `*` in a pattern stands for any characters. (Sigma specification 2.1.0, "Condition".)
#pragma once
#include <functional>
#include <string_view>
#include <vector>

#include "sigma/codes.hpp"
#include "sigma/rule.hpp"

namespace creance::sigma {

struct ConditionText {
  std::string_view text;
  Span span;       // of the scalar, for lack of a better place
  bool verbatim = false;  // the text stands in the file exactly as here, on one line, beginning at `span`: then each token has its own place
};

// A list of conditions is one OR. Reports S060–S065; the result is empty if there was an error. `used[i]` is set for each selection that a condition names.
std::vector<ConditionNode> parse_conditions(const std::vector<ConditionText>& conditions, const std::vector<Selection>& selections, std::vector<bool>& used, Reporter& reporter);

// A word that a search identifier cannot have as its name.
bool is_condition_word(std::string_view name);

}  // namespace creance::sigma
