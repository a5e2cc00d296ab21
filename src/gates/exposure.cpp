#include "gates/exposure.hpp"

#include <algorithm>
#include <cmath>

namespace creance::gates {
namespace {

// The number below which exactly `count` cohorts lie (fewer if equal numbers straddle it).
uint64_t below(const std::vector<uint64_t>& sorted, size_t count) { return count >= sorted.size() ? kEveryone : sorted[count]; }

}  // namespace

Cut cut(std::vector<uint64_t> cohorts, double share) {
  std::ranges::sort(cohorts);
  const double n = static_cast<double>(cohorts.size());
  Cut result;
  if (cohorts.empty()) {  // hosts that enrol later: the share itself, and no more
    const double bounded = std::clamp(share, 0.0, kShareMaxBeforeSoak);
    result.go_below = static_cast<uint64_t>(std::ldexp(bounded, 64));
    result.enter_below = bounded >= 0.5 ? kEveryone : static_cast<uint64_t>(std::ldexp(2 * bounded, 64));
    return result;
  }
  const double bounded = std::min(std::round(std::clamp(share, 0.0, 1.0) * n), std::floor(kShareMaxBeforeSoak * n + 1e-9));
  size_t go = static_cast<size_t>(bounded);
  if (share > 0) go = std::max<size_t>(go, 1);
  result.go_below = go == 0 ? 0 : below(cohorts, go);
  result.enter_below = go == 0 ? 0 : below(cohorts, 2 * go);
  const auto count = [&](uint64_t limit) {
    if (limit == kEveryone) return static_cast<uint32_t>(cohorts.size());
    return static_cast<uint32_t>(std::ranges::lower_bound(cohorts, limit) - cohorts.begin());
  };
  result.go = count(result.go_below);
  result.enter = count(result.enter_below);
  return result;
}

}  // namespace creance::gates
