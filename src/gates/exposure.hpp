// Who is told go: the cut through a ring's cohort numbers. Pure. The plan carries the numbers, hosts evaluate them (plan, D7).
#pragma once
#include <cstdint>
#include <vector>

namespace creance::gates {

inline constexpr uint64_t kEveryone = ~uint64_t{0};
inline constexpr double kShareMaxBeforeSoak = 0.9;  // no ring passes it before the release's whole soak is over

struct Cut {
  uint64_t go_below = 0;
  uint64_t enter_below = 0;
  uint32_t go = 0;     // hosts below go_below
  uint32_t enter = 0;  // hosts below enter_below, those included
};

// The exact quantile of the cohort numbers of a ring's hosts: 20 hosts and share .5 make exactly 10. At most 90 % go, at least one host if share > 0.
// The control is as large as the treated arm, or what is left.
Cut cut(std::vector<uint64_t> cohorts, double share);

}  // namespace creance::gates
