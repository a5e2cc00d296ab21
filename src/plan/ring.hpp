// Rings: how early a host wants content. A closed set; the order is the order of release.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "base/json.hpp"

namespace creance::plan {

enum class Ring : uint8_t { kInternal, kCanary, kEarly, kGeneral, kLate };
inline constexpr std::array kRings{Ring::kInternal, Ring::kCanary, Ring::kEarly, Ring::kGeneral, Ring::kLate};
std::string_view to_string(Ring ring);  // "internal", "canary", "early", "general", "late"
Result<Ring> parse_ring(std::string_view text);
Result<Ring> ring_at(const JsonField& object, std::string_view name);

}  // namespace creance::plan
