#include "base/result.hpp"

namespace creance {
std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid: return "invalid";
    case ErrorCode::kNotFound: return "not found";
    case ErrorCode::kTooLarge: return "too large";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kDenied: return "denied";
    case ErrorCode::kExpired: return "expired";
    case ErrorCode::kNoSpace: return "no space";
    case ErrorCode::kExists: return "exists";
    case ErrorCode::kUnsupported: return "unsupported";
    case ErrorCode::kIo: return "input/output error";
  }
  return "unknown";
}
}  // namespace creance
