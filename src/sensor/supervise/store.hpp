// What the supervisor keeps on disk, and in which order: the marker goes only when everything that must be remembered before has been written. Space for every record is reserved
// before there is anything to record, so that a return and a refusal can be written on a full disk; without that no marker, and so no activation (ADR 0150). One thread.
// Failure: a store that fails is tried again with retry(), and keeps the marker.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "base/seams/reserved_files.hpp"
#include "sensor/supervise/activation.hpp"

namespace creance::sensor {

class Store {
 public:
  Store(FileSystem& files, ReservedFiles& reserved, std::filesystem::path folder) : files_(files), reserved_(reserved), folder_(std::move(folder)) {}

  // What the last run left. A record that is damaged counts as absent and is named in `complaints`. Without its marker a host starts with
  // its last known good all the same; only the word against the attempt is lost.
  Remembered load(std::string& complaints);
  Status reserve();                                 // of every record; what is there already stays. Cheap where nothing is missing
  Status store(const ipc::Marker& marker);          // durable when it returns, and so is all that was to be stored before, and space is reserved for what may follow: else an error
  void store(const ipc::Ladder& ladder);
  void store(const ipc::Refusals& refusals);
  void store(const ipc::HeldBack& held_back);
  void store(const ipc::Pause& pause);
  void clear_marker();
  Status store(const ipc::Session& session);        // tried again like the others if it fails
  void retry();
  bool pending() const { return session_ || ladder_ || refusals_ || held_back_ || pause_ || clear_marker_; }
  const std::string& complaint() const { return complaint_; }  // of the last failed write

 private:
  std::filesystem::path path(const char* name) const { return folder_ / name; }
  Status write(const char* name, const Bytes& record);
  FileSystem& files_;
  ReservedFiles& reserved_;
  std::filesystem::path folder_;
  std::optional<ipc::Session> session_;      // still to be written
  std::optional<ipc::Ladder> ladder_;
  std::optional<ipc::Refusals> refusals_;
  std::optional<ipc::HeldBack> held_back_;
  std::optional<ipc::Pause> pause_;
  bool clear_marker_ = false;
  std::string complaint_;
};

}  // namespace creance::sensor
