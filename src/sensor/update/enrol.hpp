// Enrolment: a key of this sensor's own, an id drawn by the server, and the root of trust. All or nothing: a folder is enrolled when identity.json is there.
#pragma once
#include <filesystem>
#include <string>

#include "base/result.hpp"
#include "base/seams/clock.hpp"
#include "base/seams/files.hpp"
#include "base/seams/random.hpp"

namespace creance::sensor {

struct Enrolment {
  std::filesystem::path state;
  std::string server, token, hostname;
  std::filesystem::path root;  // empty: the server's first root is believed, and its fingerprint is shown
};
// The text tells people what was agreed. kExists: enrolled already.
Result<std::string> enrol(const Enrolment& enrolment, FileSystem& files, Random& random, WallTime now);

}  // namespace creance::sensor
