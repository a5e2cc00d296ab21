#include "server/control/voices.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace creance::server {
namespace {

constexpr size_t kEpochsRemembered = 8;
constexpr size_t kReportsRemembered = 4;  // a client sends one at a time: an echo is of the last few
// A report may be so old when it arrives; what is told apart by less is not told apart.
constexpr std::chrono::milliseconds kOnTheWayMax{60'000};

std::string key_of(const plan::Report& report, std::string_view about) { return fmt::format("{}:{}", report.boot_epoch, about); }

}  // namespace

Heard hear(const SensorRecord& sensor, const plan::Report& report, const std::string& digest, WallTime now) {
  if (!sensor.retired.empty()) return {Voice::kRetired, fmt::format("this identity is given up ({}): enrol again", sensor.retired)};
  if (report.machine_id != sensor.machine_id) return {Voice::kOtherMachine, "this identity was enrolled on another machine: enrol again"};
  if (report.boot_epoch == sensor.boot_epoch) {
    const bool known = std::ranges::find(sensor.recent, digest) != sensor.recent.end();
    if (report.sequence > sensor.sequence) return {Voice::kNext, {}};
    if (known) return {report.sequence == sensor.sequence ? Voice::kAgain : Voice::kLate, fmt::format("report {} was followed by {} already", report.sequence, sensor.sequence)};
    return {Voice::kWentBack, fmt::format("report {} comes after report {}: this sensor was restored to a time before, or two use its identity; begin a new epoch", report.sequence, sensor.sequence)};
  }
  if (std::ranges::find(sensor.past_epochs, report.boot_epoch) != sensor.past_epochs.end()) {
    const bool speaks_on = sensor.stray.starts_with(report.boot_epoch) && sensor.stray != key_of(report, digest);
    if (speaks_on) return {Voice::kClone, "two sensors use this identity: both enrol again"};
    return {Voice::kReplaced, "another start of this sensor has replaced this one"};
  }
  const bool was_alive = sensor.last_report && now >= *sensor.last_report /* else this server's clock went back */ && !sensor.boot_epoch.empty() && std::chrono::milliseconds(report.uptime_ms) > now - *sensor.last_report + kOnTheWayMax;
  if (was_alive) return {Voice::kClone, "two sensors use this identity, both alive for a while: both enrol again"};
  return {Voice::kNext, {}};
}

void remember(SensorRecord& sensor, const plan::Report& report, const std::string& digest, Voice voice, WallTime now) {
  switch (voice) {
    case Voice::kAgain: case Voice::kLate: case Voice::kRetired: case Voice::kWentBack: return;
    case Voice::kReplaced: sensor.stray = key_of(report, digest); return;
    case Voice::kOtherMachine:
      if (sensor.stray != key_of(report, report.machine_id)) ++sensor.clones;
      sensor.stray = key_of(report, report.machine_id);
      return;
    case Voice::kClone:
      ++sensor.clones;
      sensor.retired = "two sensors used it";
      return;
    case Voice::kNext: break;
  }
  if (report.boot_epoch != sensor.boot_epoch) {
    if (!sensor.boot_epoch.empty()) sensor.past_epochs.push_back(sensor.boot_epoch);
    if (sensor.past_epochs.size() > kEpochsRemembered) sensor.past_epochs.erase(sensor.past_epochs.begin());
    sensor.recent.clear();
  }
  sensor.boot_epoch = report.boot_epoch;
  sensor.sequence = report.sequence;
  sensor.recent.push_back(digest);
  if (sensor.recent.size() > kReportsRemembered) sensor.recent.erase(sensor.recent.begin());
  sensor.last_report = now;
}

}  // namespace creance::server
