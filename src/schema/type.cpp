#include "schema/type.hpp"

#include "base/text.hpp"

namespace creance::schema {

std::string_view to_string(InputType type) {
  switch (type) {
    case InputType::kString: return "string";
    case InputType::kInteger: return "integer";
    case InputType::kBoolean: return "boolean";
    case InputType::kIp: return "ip";
    case InputType::kTime: return "time";
  }
  return "unknown";
}

std::optional<uint32_t> TemplateType::input_index(std::string_view name) const {
  std::optional<uint32_t> by_letters;
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    if (inputs[i].name == name) return i;
    if (!by_letters && equal_ignoring_ascii_case(inputs[i].name, name)) by_letters = i;
  }
  return by_letters;
}

}  // namespace creance::schema
