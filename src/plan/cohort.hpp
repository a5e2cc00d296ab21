// Cohorts: where a host stands in the hash order of a rollout. SHA-256(salt bytes ‖ sensor id text), first 8 bytes, big-endian. Pure.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace creance::plan {

using Salt = std::array<uint8_t, 16>;
inline constexpr uint64_t kEveryCohort = ~uint64_t{0};

uint64_t cohort(const Salt& salt, std::string_view sensor_id);
inline bool below(uint64_t host_cohort, uint64_t limit) { return limit == kEveryCohort || host_cohort < limit; }
// The limit that takes `share` millionths of all hosts: 0 → 0, 1,000,000 → kEveryCohort.
uint64_t limit_of_share(uint32_t share);
// Is the host beyond the first `share` millionths? Never for 1,000,000.
bool beyond_share(uint64_t host_cohort, uint32_t share);
std::string cohort_hex(uint64_t value);             // 16 digits
Result<uint64_t> parse_cohort(std::string_view hex);  // 16 hexadecimal digits

}  // namespace creance::plan
