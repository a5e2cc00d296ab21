#include "plan/cohort.hpp"

#include <fmt/format.h>

#include "base/digest.hpp"
#include "plan/release.hpp"

namespace creance::plan {

uint64_t cohort(const Salt& salt, std::string_view sensor_id) {
  Bytes input(salt.begin(), salt.end());
  input.insert(input.end(), sensor_id.begin(), sensor_id.end());
  const Digest digest = sha256(input);
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | digest.bytes[i];
  return value;
}

uint64_t limit_of_share(uint32_t share) {
  if (share >= kShareWhole) return kEveryCohort;
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>(((static_cast<Wide>(share) << 64) + kShareWhole - 1) / kShareWhole);
}

bool beyond_share(uint64_t host_cohort, uint32_t share) { return !below(host_cohort, limit_of_share(share)); }

std::string cohort_hex(uint64_t value) { return fmt::format("{:016x}", value); }

Result<uint64_t> parse_cohort(std::string_view hex) {
  const auto raw = from_hex(hex);
  if (!raw || raw->size() != 8) return fail(ErrorCode::kInvalid, "must be 16 hexadecimal digits");
  uint64_t value = 0;
  for (const uint8_t byte : *raw) value = value << 8 | byte;
  return value;
}

}  // namespace creance::plan
