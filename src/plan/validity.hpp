// How long what people and online keys sign may hold: nothing that is meant to hold for ever is signed, published or followed.
#pragma once
#include <fmt/format.h>

#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace creance::plan {

inline constexpr uint32_t kSignedDaysMax = 400;  // above: an approval that nobody looks at again

// kDenied if `until` lies more than kSignedDaysMax days after `now`. `what`: "content would be valid".
inline Status check_days(WallTime until, WallTime now, std::string_view what) {
  if (until <= now + std::chrono::hours(24) * kSignedDaysMax) return {};
  return fail(ErrorCode::kDenied, fmt::format("{} until {}, more than {} days from now", what, format_time(until), kSignedDaysMax));
}

}  // namespace creance::plan
