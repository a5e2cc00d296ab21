// Our own YAML documents (Template Types, cases, configuration) as a flat tree with spans: strict, bounded, no recursion, no exceptions out.
// Refused, with a diagnostic: duplicate keys, keys that are no scalars, aliases, nesting deeper than limits::kYamlDepthMax, more than limits::kYamlNodesMax nodes, invalid UTF-8.
// In the library `creance_yaml`, apart from `creance_base`, since it needs yaml-cpp.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"

namespace creance::yaml {

enum class Kind : uint8_t { kNull, kScalar, kSequence, kMap };

struct Node {
  Kind kind = Kind::kNull;
  bool quoted = false;  // a scalar in quotes is text, whatever it looks like
  std::string text;
  Span span;
  std::vector<uint32_t> children;  // sequence: items; map: key, value, key, value, …
};

struct Document {
  std::vector<Node> nodes;  // the root is nodes[0]; a document without content is one kNull
  const Node& root() const { return nodes.front(); }
  const Node& at(uint32_t index) const { return nodes[index]; }
  // Value of a key of a map; nullptr: not there, or not a map.
  const Node* find(const Node& map, std::string_view key) const;
};

// Every document of the text. Nothing if there was an error; it is in `diagnostics` with `code`.
std::optional<std::vector<Document>> parse(std::string_view text, const std::string& file, std::string_view code, Diagnostics& diagnostics);

}  // namespace creance::yaml
