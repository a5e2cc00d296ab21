// Names, order and combinations of Sigma's value modifiers (Sigma Modifiers 2.1.0). Judges what is written; what a modifier does is for compiler and judges.
#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "sigma/codes.hpp"
#include "sigma/rule.hpp"

namespace creance::sigma {

// As written in a rule, without case; nothing: no such modifier in the specification.
std::optional<Modifier> modifier_named(std::string_view name);
std::vector<std::string_view> modifier_names();  // all, as in rules
std::optional<std::string_view> modifier_like(std::string_view name);

// Reports combinations (S047, S049, S050, S055) and values (S048, S056) that make no sense.
void check_modifiers(const Item& item, Reporter& reporter);

}  // namespace creance::sigma
