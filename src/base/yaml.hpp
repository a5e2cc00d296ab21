// YAML 1.2 text -> flat trees with spans: the one reader of rules, cases, pipelines and Template Types. Judges YAML only. Scalars are typed by the core schema; an alias is a
// node of its own at its place that shares the children of the anchor's. Strict and bounded (limits::kYaml…), no recursion of its own, no exceptions out.
// yaml-cpp's parser recurses with the nesting of its input; the event handler ends the parse at limits::kYamlDepthMax, before that can matter.
// In the library `creance_yaml`, apart from `creance_base`, since it needs yaml-cpp.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"

namespace creance::yaml {

enum class Kind : uint8_t { kScalar, kSequence, kMap };
enum class Scalar : uint8_t { kString, kInteger, kFloat, kBoolean, kNull };  // in quotes always kString

struct Node {
  Kind kind = Kind::kScalar;
  Scalar type = Scalar::kNull;  // scalars
  std::string text;             // scalars: after YAML's quotes and escapes; "" for null
  Span span;                    // of what has no value: its key, or the dash in front of it
  uint32_t offset = 0;             // byte offset of the span in the text, without a byte order mark
  std::vector<uint32_t> children;  // sequence: items; map: key, value, key, value, … Those of an anchor are children of its aliases, too
  bool is_null() const { return kind == Kind::kScalar && type == Scalar::kNull; }
};

struct Document {
  std::vector<Node> nodes;  // never empty; the root is nodes[0]
  const Node& root() const { return nodes.front(); }
  const Node& at(uint32_t index) const { return nodes[index]; }
  bool is_blank() const { return root().is_null(); }
  // Value of a key of a map; nullptr: not there, or not a map.
  const Node* find(const Node& map, std::string_view key) const;
};

enum class Problem : uint8_t { kNotText, kTab, kSyntax, kDepth, kSize, kRepeatedKey, kKey, kTag, kCircle, kMergeKey, kAlias };
struct Trouble {
  Problem problem = Problem::kSyntax;
  Span span;
  std::string message;
};

struct Options {
  bool aliases = true;  // else an alias is refused (kAlias)
};
struct Outcome {
  std::vector<Document> documents;  // before the trouble; all of them if there is none
  std::optional<Trouble> trouble;
};
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";  // taken away, and no part of offsets
Outcome read(std::string_view text, const Options& options);

// For our own documents: every document of the text, without aliases. Nothing if there was an error; it is in `diagnostics` with `code`.
std::optional<std::vector<Document>> parse(std::string_view text, const std::string& file, std::string_view code, Diagnostics& diagnostics);

// Type of a plain scalar by the core schema of YAML 1.2, section 10.3.2 (null, booleans, integers in three bases, floats; the rest is text).
Scalar plain_type(std::string_view text);

}  // namespace creance::yaml
