// YAML text -> flat trees with spans, as Sigma rules need them: an alias is a node of its own at its place that shares the children of the anchor's, scalars are typed. Judges YAML only, knows nothing of rules.
// yaml-cpp's own parser recurses with the nesting of its input; the event handler ends the parse at limits::kYamlDepthMax, before that can matter. Never throws.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "sigma/codes.hpp"
#include "sigma/rule.hpp"

namespace creance::sigma {

enum class YamlKind : uint8_t { kScalar, kSequence, kMap };

struct YamlNode {
  YamlKind kind = YamlKind::kScalar;
  ValueKind type = ValueKind::kNull;  // scalars
  std::string text;                   // scalars: after YAML's quotes and escapes
  Span span;
  uint32_t offset = 0;             // byte offset of the span in the text
  std::vector<uint32_t> children;  // sequence: items; map: key, value, key, value, … Those of an anchor are children of its aliases, too.
};

struct YamlDocument {
  std::vector<YamlNode> nodes;  // never empty; the root is nodes[0]
  const YamlNode& root() const { return nodes.front(); }
  const YamlNode& at(uint32_t index) const { return nodes[index]; }
  bool is_blank() const { return nodes.front().kind == YamlKind::kScalar && nodes.front().type == ValueKind::kNull; }
};

// The documents before the first error, all of them if there is none (then `complete`).
struct YamlOutcome {
  std::vector<YamlDocument> documents;
  bool complete = false;
};
// What the node is, for messages: "a map", "an empty list", "nothing", "the number `5`", "the text `x`", …
std::string describe(const YamlNode& node);

// S038 where a scalar that is taken as text is a number or a truth value to YAML. `what` names the place.
void warn_of_number(const YamlNode& node, std::string_view what, Reporter& reporter);

YamlOutcome read_yaml(std::string_view text, Reporter& reporter);

// Type of a plain scalar by the core schema of YAML 1.2, section 10.3.2 (null, booleans, integers in three bases, floats; the rest is text).
ValueKind plain_type(std::string_view text);

}  // namespace creance::sigma
