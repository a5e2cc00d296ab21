// creance-sensor doctor: looks at a sensor's folder and at its host from outside, without the sensor and without a server; changes nothing.
// Prints one line a finding ("ok", "note", "wrong", and how to mend it). Answers the exit code: 0 nothing is wrong, 2 something is.
#pragma once
#include <filesystem>

#include "base/seams/files.hpp"

namespace creance::sensor {

struct DoctorOptions {
  std::filesystem::path state;
  std::filesystem::path policy;  // the host owner's file
};
int doctor(const DoctorOptions& options, FileSystem& files);

}  // namespace creance::sensor
