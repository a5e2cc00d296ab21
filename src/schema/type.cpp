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
  for (uint32_t i = 0; i < inputs.size(); ++i) {
    if (equal_ignoring_ascii_case(inputs[i].name, name)) return i;
  }
  return std::nullopt;
}

}  // namespace creance::schema
