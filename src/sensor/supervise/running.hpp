// Which sensor's folder has a supervisor: it holds a lock there until it ends, however it ends. Onlookers (status, doctor) try that lock and let go at once.
#pragma once
#include <filesystem>
#include <optional>

#include "base/os/lock.hpp"

namespace creance::sensor {

// For the supervisor itself, until the object goes. kExists: there is one already.
Result<os::Lock> lock_state(const std::filesystem::path& state);
// An error: it cannot be seen, for want of rights.
Result<bool> sensor_runs(const std::filesystem::path& state);

}  // namespace creance::sensor
