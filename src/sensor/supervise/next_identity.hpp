// A new identity for this host, when the old one is not its alone any more: what `creance-sensor-updater enrol-again` left in spool/again becomes identity.json and sensor.key, both or neither,
// whenever the power goes. Moves bytes and parses none: who reads them is the updater and admit. One thread.
#pragma once
#include <filesystem>

#include "base/seams/files.hpp"

namespace creance::sensor {

// kNotFound, kTooLarge: nothing there that could be one; the old identity stays.
Status take_next_identity(FileSystem& files, const std::filesystem::path& state);
// What was begun is ended; before anything reads who this sensor is. Nothing begun is fine.
Status finish_next_identity(FileSystem& files, const std::filesystem::path& state);

}  // namespace creance::sensor
