// The `detection` part of a rule: search identifiers, items, values, modifiers, and then the condition over them.
#pragma once
#include <string_view>

#include "sigma/codes.hpp"
#include "sigma/document.hpp"
#include "sigma/rule.hpp"

namespace creance::sigma {

// Fills `rule.selections` and `rule.condition`. `text`: the file without a byte order mark, for the places inside the condition.
void read_detection(const YamlDocument& document, const YamlNode& detection, std::string_view text, Rule& rule, Reporter& reporter);

}  // namespace creance::sigma
