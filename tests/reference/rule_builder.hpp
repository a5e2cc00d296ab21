// Rules by hand for tests of the judges: no parser between the test and what it says.
#pragma once
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schema/inputs.hpp"
#include "schema/type.hpp"
#include "sigma/rule.hpp"

namespace creance::testing_rules {

struct Null {};
struct Number { std::string text; };
struct Flag { bool value; };

struct V {
  sigma::Value value;
  V(const char* given) : value{sigma::ValueKind::kString, given, {}} {}               // NOLINT(google-explicit-constructor)
  V(std::string given) : value{sigma::ValueKind::kString, std::move(given), {}} {}    // NOLINT(google-explicit-constructor)
  V(int given) : value{sigma::ValueKind::kInteger, std::to_string(given), {}} {}      // NOLINT(google-explicit-constructor)
  V(Number given) : value{given.text.find('.') == std::string::npos ? sigma::ValueKind::kInteger : sigma::ValueKind::kFloat, given.text, {}} {}  // NOLINT
  V(Flag given) : value{sigma::ValueKind::kBoolean, given.value ? "true" : "false", {}} {}  // NOLINT(google-explicit-constructor)
  V(Null) : value{sigma::ValueKind::kNull, "", {}} {}                                 // NOLINT(google-explicit-constructor)
};

// "Image|endswith" or "|all"; "" for keywords
inline sigma::Item item(std::string_view field, std::vector<V> values) {
  using enum sigma::Modifier;
  static const std::map<std::string_view, sigma::Modifier> kNames = {
      {"contains", kContains}, {"startswith", kStartsWith}, {"endswith", kEndsWith}, {"all", kAll}, {"cased", kCased}, {"re", kRegex}, {"i", kRegexIgnoreCase},
      {"m", kRegexMultiLine}, {"s", kRegexDotAll}, {"cidr", kCidr}, {"base64", kBase64}, {"base64offset", kBase64Offset}, {"utf16", kUtf16}, {"utf16le", kUtf16Le},
      {"utf16be", kUtf16Be}, {"wide", kWide}, {"windash", kWindash}, {"exists", kExists}, {"fieldref", kFieldRef}, {"expand", kExpand}, {"lt", kLess},
      {"lte", kLessOrEqual}, {"gt", kGreater}, {"gte", kGreaterOrEqual}, {"neq", kNotEqual}, {"minute", kMinute}, {"hour", kHour}, {"day", kDay}, {"week", kWeek}, {"month", kMonth}, {"year", kYear}};
  sigma::Item out;
  size_t at = field.find('|');
  out.field = field.substr(0, at);
  while (at != std::string_view::npos) {
    const size_t next = field.find('|', at + 1);
    out.modifiers.push_back(kNames.at(field.substr(at + 1, next == std::string_view::npos ? next : next - at - 1)));
    at = next;
  }
  for (V& each : values) out.values.push_back(std::move(each.value));
  return out;
}

using Items = std::vector<sigma::Item>;
inline sigma::Selection selection(std::string name, std::vector<Items> alternatives) {
  sigma::Selection out;
  out.name = std::move(name);
  for (Items& items : alternatives) out.alternatives.push_back({std::move(items)});
  return out;
}

inline sigma::ConditionNode leaf(uint32_t index) { return {sigma::NodeKind::kSelection, index, {}}; }
inline sigma::ConditionNode both(std::vector<uint32_t> children) { return {sigma::NodeKind::kAnd, 0, std::move(children)}; }
inline sigma::ConditionNode either(std::vector<uint32_t> children) { return {sigma::NodeKind::kOr, 0, std::move(children)}; }
inline sigma::ConditionNode negated(uint32_t child) { return {sigma::NodeKind::kNot, 0, {child}}; }

inline sigma::Rule rule(std::vector<sigma::Selection> selections, std::vector<sigma::ConditionNode> condition) {
  sigma::Rule out;
  out.file = "test.yml";
  out.id = "00000000-0000-4000-8000-000000000001";
  out.title = "test";
  out.level = sigma::Level::kHigh;
  out.selections = std::move(selections);
  out.condition = std::move(condition);
  return out;
}
inline sigma::Rule rule_of(sigma::Item only) { return rule({selection("selection", {{std::move(only)}})}, {leaf(0)}); }

inline schema::TemplateType type_of(std::vector<std::string> inputs) {
  schema::TemplateType type;
  type.id = "test.type";
  type.platform = "windows";
  for (auto& name : inputs) type.inputs.push_back({std::move(name), schema::InputType::kString, ""});
  return type;
}

// One event of a Type; owns its texts.
class Event {
 public:
  explicit Event(const schema::TemplateType& type) : type_(&type), values_(type.inputs.size()) {}
  Event& set(std::string_view input, std::string text) {
    texts_.push_back(std::make_unique<std::string>(std::move(text)));
    values_.at(*type_->input_index(input)) = schema::InputValue(*texts_.back());
    return *this;
  }
  Event& unavailable(std::string_view input) {
    values_.at(*type_->input_index(input)) = schema::InputValue::unavailable();
    return *this;
  }
  Event& add(std::string_view input, std::string text) {
    texts_.push_back(std::make_unique<std::string>(std::move(text)));
    further_.push_back({*type_->input_index(input), *texts_.back()});
    return *this;
  }
  Event& other(std::string text) {
    texts_.push_back(std::make_unique<std::string>(std::move(text)));
    others_.push_back(*texts_.back());
    return *this;
  }
  schema::Inputs inputs() const { return {values_, further_, others_}; }

 private:
  const schema::TemplateType* type_;
  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<schema::InputValue> values_;
  std::vector<schema::FurtherValue> further_;
  std::vector<std::string_view> others_;
};

}  // namespace creance::testing_rules
