// The `detection` part of a rule: search identifiers, items, values, modifiers, and then the condition over them.
#pragma once
#include <string_view>

#include "sigma/codes.hpp"
#include "sigma/document.hpp"
#include "sigma/rule.hpp"

namespace creance::sigma {

// What a detection, or the like part of a filter, says.
struct Detection {
  std::vector<Selection> selections;
  std::vector<ConditionNode> condition;
};

// `text`: the file without a byte order mark, for the places inside the condition. `own_key` is the caller's and no search identifier.
Detection read_detection(const YamlDocument& document, const YamlNode& detection, std::string_view text, Reporter& reporter, std::string_view own_key = "");

// The lines of a map, all of which must hold, as in a search identifier.
std::vector<Item> read_items(const YamlDocument& document, const YamlNode& map, Reporter& reporter);

}  // namespace creance::sigma
