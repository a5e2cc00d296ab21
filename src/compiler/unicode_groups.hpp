// The character classes that Unicode names: general categories (`L`, `Lu`, …) and scripts (`Greek`, …), for `\p` in regular expressions.
// Source: Unicode 15.0, the version of RE2 in the reference judge (a test compares every character); unicode_groups.inc is made by make_unicode_groups.cpp.
#pragma once
#include <optional>
#include <string_view>
#include <vector>

#include "channel/format.hpp"

namespace creance::compiler {

// Ascending, apart. The name as RE2 takes it, with its case: a category of one or two letters, a script, or `Any`. Nothing: there is no such group.
std::optional<std::vector<channel::RangeRecord>> unicode_group(std::string_view name);

}  // namespace creance::compiler
