#include "sigma/rule.hpp"

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

}  // namespace creance::sigma
