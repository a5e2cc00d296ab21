// Judges what the updater brought: verifies the spool again with keys and memory of its own, asks plan, policy, floor, refusals and grant, and puts a release's files where
// the worker may read them. Trusts nobody: not the updater, not the mirror. No network; files through the seam. Pure but for those.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/ipc/records.hpp"
#include "base/seams/clock.hpp"
#include "base/seams/files.hpp"
#include "trust/client/updater.hpp"

namespace creance::sensor {

struct Question {
  std::filesystem::path state;
  std::string boot_epoch;
  std::optional<trust::Uptime> uptime;
  std::optional<ipc::Set> running;
  std::vector<ipc::Set> rungs;            // newest first
  std::optional<ipc::Set> held_back;
  std::optional<ipc::Set> announced;      // a grant for it may lie in the spool
  bool paused = false;                    // by the host's owner
  std::optional<ipc::SensorId> sensor_id; // since it enrolled again, and
  WallTime enrolled{};                    // when that was
  std::filesystem::path policy;           // the owner's file; empty: there is none for certain
  std::filesystem::path local;            // local.json, likewise
};

// Never fails: what went wrong is in `trusted` and `detail`.
ipc::Admitted admit(const Question& question, FileSystem& files, WallTime now);

}  // namespace creance::sensor
