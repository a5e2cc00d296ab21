// Who this sensor is: what enrolment left in its folder, and since it enrolled again another id. Read by updater and admit, written by `creance-sensor enrol` alone.
#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "base/ipc/messages.hpp"
#include "base/result.hpp"
#include "base/seams/clock.hpp"
#include "base/seams/files.hpp"

namespace creance::sensor {

struct Identity {
  std::string sensor_id;  // 32 hexadecimal digits, drawn by the server
  std::string tenant;
  std::vector<std::string> tags;
  std::string server;     // base URL without a slash at the end
  std::string hostname;
  std::string machine_id;
  WallTime enrolled{};
  int64_t report_interval_ms = 1000;

  static Result<Identity> read(FileSystem& files, const std::filesystem::path& state);
  // The id that the server drew when this sensor enrolled again, and when that was: ids that are younger than a plan do not count in it. Nothing else changes.
  void succeed(const ipc::SensorId& id, WallTime when) { sensor_id = to_hex(id), enrolled = when; }
  Status write(FileSystem& files, const std::filesystem::path& state) const;
};

}  // namespace creance::sensor
