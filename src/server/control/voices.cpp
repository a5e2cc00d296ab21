#include "server/control/voices.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"

namespace creance::server {
namespace {

constexpr size_t kEpochsRemembered = 8;
constexpr size_t kReportsRemembered = 4;  // a client sends one at a time: an echo is of the last few
// A report may be so old when it arrives; what is told apart by less is not told apart.
constexpr std::chrono::milliseconds kOnTheWayMax{60'000};
constexpr std::chrono::milliseconds kWindow{60'000};  // a nonce is good in the one that it was drawn in, and the next

std::string key_of(const plan::Report& report, std::string_view about) { return fmt::format("{}:{}", report.boot_epoch, about); }

}  // namespace

Heard hear(const SensorRecord& sensor, const plan::Report& report, const std::string& digest, bool answers, WallTime now) {
  if (!sensor.retired.empty()) return {Voice::kRetired, fmt::format("this identity is given up ({}): enrol again", sensor.retired)};
  const bool at_home = report.machine_id == sensor.machine_id;
  const bool goes_on = report.boot_epoch == sensor.boot_epoch && at_home;
  if (goes_on && report.sequence > sensor.sequence) return {Voice::kNext, {}};
  if (goes_on && std::ranges::find(sensor.recent, digest) != sensor.recent.end()) {
    return {report.sequence == sensor.sequence ? Voice::kAgain : Voice::kLate, fmt::format("report {} was followed by {} already", report.sequence, sensor.sequence)};
  }
  if (at_home && sensor.boot_epoch.empty()) return {Voice::kNext, {}};  // the first word of an identity: there is nothing yet that it could replace
  if (!answers) return {Voice::kChallenge, "say it again with this nonce: a report alone does not tell when it was written"};
  if (!at_home) return {Voice::kOtherMachine, "this identity was enrolled on another machine: enrol again"};
  if (goes_on) return {Voice::kWentBack, fmt::format("report {} comes after report {}: this sensor was restored to a time before, or two use its identity; begin a new epoch", report.sequence, sensor.sequence)};
  if (std::ranges::find(sensor.past_epochs, report.boot_epoch) != sensor.past_epochs.end()) {
    const bool speaks_on = sensor.stray.starts_with(report.boot_epoch) && sensor.stray != key_of(report, digest);
    if (speaks_on) return {Voice::kClone, "two sensors use this identity: both enrol again"};
    return {Voice::kReplaced, "another start of this sensor has replaced this one"};
  }
  // With more copies than epochs are remembered: this one was alive, by its own uptime, when the present one answered. Only of its first report is it known when it was written; if the present one has
  // spoken on and still lives, it comes back as a replaced epoch.
  const bool proven_then = sensor.recent.size() == 1 && !sensor.past_epochs.empty();
  const bool was_alive = proven_then && sensor.last_report && now >= *sensor.last_report /* else this server's clock went back */ && std::chrono::milliseconds(report.uptime_ms) > now - *sensor.last_report + kOnTheWayMax;
  if (was_alive) return {Voice::kClone, "two sensors use this identity, both alive for a while: both enrol again"};
  return {Voice::kNext, {}};
}

void remember(SensorRecord& sensor, const plan::Report& report, const std::string& digest, Voice voice, WallTime now) {
  switch (voice) {
    case Voice::kAgain: case Voice::kLate: case Voice::kChallenge: case Voice::kRetired: return;
    case Voice::kWentBack: sensor.stray = "back:" + report.boot_epoch; return;
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

std::string Challenges::of(const SensorRecord& sensor, const plan::Report& report, int64_t window) const {
  // Whatever an answer can change is in it: the present epoch, the count of copies, the last stray voice. A present epoch that left does not become the present one again while a window lasts.
  const std::string text = fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", to_hex(secret_), sensor.sensor_id, report.boot_epoch, report.machine_id, sensor.boot_epoch, sensor.clones, sensor.stray, window);
  return sha256(as_bytes(text)).hex().substr(0, 32);
}

std::string Challenges::nonce(const SensorRecord& sensor, const plan::Report& report, WallTime now) const { return of(sensor, report, now.time_since_epoch() / kWindow); }

bool Challenges::answers(const SensorRecord& sensor, const plan::Report& report, WallTime now) const {
  if (report.nonce.empty()) return false;
  const int64_t window = now.time_since_epoch() / kWindow;
  return report.nonce == of(sensor, report, window) || report.nonce == of(sensor, report, window - 1);
}

}  // namespace creance::server
