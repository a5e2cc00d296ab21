// A Sigma rule as written: typed, with spans, before any meaning is given to modifiers. Compiler and reference evaluator each give it meaning on their own (D5).
// Source: Sigma specification 2.1.0, "Sigma Rules" and "Sigma Modifiers". A plain value: copy it, share it, no pointers inside.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/yaml.hpp"
#include "schema/type.hpp"

namespace creance::sigma {

using ValueKind = yaml::Scalar;
struct Value {
  ValueKind kind = ValueKind::kNull;
  std::string text;  // the scalar's text after YAML, before Sigma's escapes and wildcards; "" for null; numbers and booleans as written
  Span span;
};

enum class Modifier : uint8_t {
  kContains, kStartsWith, kEndsWith, kAll, kExact, kCased, kRegex, kRegexIgnoreCase, kRegexMultiLine, kRegexDotAll, kCidr,
  kBase64, kBase64Offset, kUtf16, kUtf16Le, kUtf16Be, kWide, kWindash, kExists, kFieldRef, kExpand,
  kLess, kLessOrEqual, kGreater, kGreaterOrEqual, kMinute, kHour, kDay, kWeek, kMonth, kYear, kNotEqual,
};
std::string_view to_string(Modifier modifier);  // as written: "contains", "re", "i", …

// One line of a map: field, modifiers, values. A keyword item has no field. Values are alternatives (OR), or all needed with kAll.
struct Item {
  std::string field;  // "" for keywords
  Span span;
  std::vector<Modifier> modifiers;  // in the order written
  std::vector<Value> values;        // never empty: an empty list is refused
  bool is_keyword() const { return field.empty(); }
};

// One search identifier. Alternatives (a list in YAML) are joined by OR, the items of one alternative by AND.
// A list of plain keywords is one alternative with one keyword item.
struct Alternative {
  std::vector<Item> items;
};
struct Selection {
  std::string name;
  Span span;
  std::vector<Alternative> alternatives;
  std::string origin;  // file that its spans are of, where that is not the rule's: a filter or a pipeline put it there
};

// A name as written: of a rule, a field, an alias.
struct Name {
  std::string text;
  Span span;
};

// The condition as a flat tree in post-order: children stand before their parent, the root is the last node.
enum class NodeKind : uint8_t { kSelection, kAnd, kOr, kNot };
struct ConditionNode {
  NodeKind kind = NodeKind::kSelection;
  uint32_t selection = 0;          // kSelection: index into Rule::selections
  std::vector<uint32_t> children;  // kAnd, kOr: one or more; kNot: exactly one. `1 of x*` is a kOr, `all of x*` a kAnd over the selections it names
};

enum class Level : uint8_t { kNone, kInformational, kLow, kMedium, kHigh, kCritical };
std::string_view to_string(Level level);  // "" for kNone

// What a document says about itself. Rules, correlations and filters share it.
struct Metadata {
  std::string file;  // as the user named it
  Span span;
  std::string id;     // a UUID in lower case, or another name (a warning), see limits::kRuleIdBytesMax; "" if there is none (a warning)
  std::string title;
  std::string name;
  std::string status;
  std::string description;
  std::string author;
  std::string license;
  std::string date;
  std::string modified;
  Level level = Level::kNone;
  std::vector<std::string> tags;
  std::vector<std::string> references;
  std::vector<std::string> false_positives;
  Name taxonomy;  // text "": `sigma`
};

struct Rule : Metadata {
  std::vector<std::string> fields;
  schema::LogSource logsource;  // lower case
  Span logsource_span;
  std::vector<Selection> selections;
  std::vector<ConditionNode> condition;  // a list of conditions is one kOr over them
  // Of rules that correlations name: what mappings made of names of fields, in lower case -> as the rule has them now. Empty: they are as written.
  std::map<std::string, std::string, std::less<>> field_names;
};

// A field of the rule as written, by the name that it has after the mappings.
std::string mapped_field(const Rule& rule, const std::string& written);

}  // namespace creance::sigma
