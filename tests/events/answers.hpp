// Template Types made by hand, and what a Decoder answers as text. For tests of everything that decodes events.
#pragma once
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "events/decoder.hpp"

namespace creance::events {

inline schema::TemplateType make_type(std::string id, std::vector<schema::EventSource> sources, std::vector<std::string> inputs) {
  schema::TemplateType type;
  type.id = std::move(id);
  type.sources = std::move(sources);
  for (auto& name : inputs) type.inputs.push_back({std::move(name), schema::InputType::kString, ""});
  return type;
}

// Everything that a caller can see of an answer.
inline std::string told(const Result<std::span<const Decoded>>& answer) {
  if (!answer) return "refused: " + answer.error().detail;
  std::string out;
  for (const Decoded& each : *answer) {
    out += each.type->id;
    for (const schema::InputValue& value : each.inputs.values) out += value.has_value() ? "|" + std::string(value.text()) : "|-";
    for (const schema::FurtherValue& value : each.inputs.further) out += "|+" + std::to_string(value.input) + std::string(value.text);
    for (const std::string_view value : each.inputs.others) out += "|*" + std::string(value);
    out += '\n';
  }
  return out;
}

}  // namespace creance::events
