// What rules, correlations, filters and pipelines need of YAML beside its reader (base/yaml.hpp): the codes of its troubles, and words for nodes. Never throws.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.hpp"
#include "sigma/codes.hpp"
#include "sigma/rule.hpp"

namespace creance::sigma {

using YamlKind = yaml::Kind;
using YamlNode = yaml::Node;
using YamlDocument = yaml::Document;

// What the node is, for messages: "a map", "an empty list", "nothing", "the number `5`", "the text `x`", …
std::string describe(const YamlNode& node);

// S038 where a scalar that is taken as text is a number or a truth value to YAML. `what` names the place.
void warn_of_number(const YamlNode& node, std::string_view what, Reporter& reporter);

// The documents before the first error, all of them if there is none (then `complete`).
struct YamlOutcome {
  std::vector<YamlDocument> documents;
  bool complete = false;
};
YamlOutcome read_yaml(std::string_view text, Reporter& reporter);

}  // namespace creance::sigma
