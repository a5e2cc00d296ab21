// creance-sensor enrol: has the updater speak with the server, as a user of its own and in a folder of its own, and then takes over what came of it: key, tenant's key, identity and root of
// trust, for whoever enrols alone (root). Parses none of it. Answers the exit code of the command; a folder that is enrolled already is left as it is (3).
#pragma once
#include <filesystem>
#include <string>

#include "base/seams/files.hpp"

namespace creance::sensor {

struct EnrolmentOptions {
  std::filesystem::path state, updater;   // the folder has `manifest.json`
  std::string server, token, hostname;
  std::filesystem::path root;             // of trust; empty: the server's first one is believed
};
Result<int> enrol(const EnrolmentOptions& options, FileSystem& files);

}  // namespace creance::sensor
