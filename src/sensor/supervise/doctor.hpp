// creance-sensor doctor: looks at a sensor's folder and at its host from outside, without the sensor and without a server; changes nothing.
// Prints one finding a line ("ok", "note", "wrong", and how to mend it), or a JSON array of them. Answers the exit code: 0 nothing is wrong; 2 something is, or could not be looked at for want of rights.
#pragma once
#include <filesystem>

#include "base/seams/files.hpp"

namespace creance::sensor {

struct DoctorOptions {
  std::filesystem::path state;
  std::filesystem::path policy;  // the host owner's file
  bool policy_named = false;     // by the owner: it must be there
  bool json = false;
};
int doctor(const DoctorOptions& options, FileSystem& files);

// Enrolled, and no supervisor has ever run on it.
bool never_started(const std::filesystem::path& state, FileSystem& files);

}  // namespace creance::sensor
