#include "sensor/supervise/running.hpp"

#include <fmt/format.h>
#include <poll.h>

namespace creance::sensor {

Result<os::Lock> lock_state(const std::filesystem::path& state) {
  constexpr int kTries = 10;  // an onlooker has it for a moment only
  for (int i = 1;; ++i) {
    auto lock = os::Lock::take(state / "state/lock", os::Lock::Kind::kExclusive, fmt::format("a sensor already runs on `{}`", state.string()));
    if (lock || lock.error().code != ErrorCode::kExists || i == kTries) return lock;
    ::poll(nullptr, 0, 10);
  }
}

Result<bool> sensor_runs(const std::filesystem::path& state) {
  const auto lock = os::Lock::take(state / "state/lock", os::Lock::Kind::kShared, "runs");  // shared: two onlookers do not take each other for a sensor
  if (lock) return false;
  if (lock.error().code == ErrorCode::kExists) return true;
  return fail(lock.error());
}

}  // namespace creance::sensor
