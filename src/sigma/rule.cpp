#include "sigma/rule.hpp"

#include "base/text.hpp"

namespace creance::sigma {

std::string_view to_string(Level level) {
  switch (level) {
    case Level::kNone: return "";
    case Level::kInformational: return "informational";
    case Level::kLow: return "low";
    case Level::kMedium: return "medium";
    case Level::kHigh: return "high";
    case Level::kCritical: return "critical";
  }
  return "";
}

std::string mapped_field(const Rule& rule, const std::string& written) {
  const auto found = rule.field_names.find(to_ascii_lower(written));
  return found == rule.field_names.end() ? written : found->second;
}

}  // namespace creance::sigma
