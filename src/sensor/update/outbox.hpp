// Detections on their way to the server: batched, kept on disk while the server is away, never without limit; what does not fit is counted. One thread.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/limits.hpp"
#include "base/seams/files.hpp"

namespace creance::sensor {

class Outbox {
 public:
  Outbox(FileSystem& files, std::filesystem::path folder, size_t disk_bytes_max = limits::kDetectionSpoolBytesMax);
  void add(std::string_view line);             // one detection; over the limits, it is lost and counted
  bool empty() const { return batch_.empty() && parked_ == 0; }
  bool full() const;                           // a batch is worth sending now
  std::optional<std::string> next();           // JSON Lines, at most half of limits::kHttpBodyBytesMax; what is on disk comes first
  void sent();                                 // the server has what next() gave
  void park();                                 // nobody is there: what is in memory goes to disk
  uint64_t lost() const { return lost_; }

 private:
  FileSystem& files_;
  std::filesystem::path folder_;
  size_t disk_bytes_max_;
  std::string batch_;
  size_t lines_ = 0;
  std::optional<std::string> file_;            // the one that next() gave, if it came from disk
  bool from_memory_ = false;
  size_t given_bytes_ = 0;                     // of batch_, that next() gave
  size_t parked_ = 0, parked_bytes_ = 0;
  uint64_t counter_ = 0;
  uint64_t lost_ = 0;
};

}  // namespace creance::sensor
