// Keeps processes apart by an advisory lock (flock) on a file or a folder; held until the object goes or the process ends, however it ends.
#pragma once
#include <filesystem>
#include <string_view>

#include "base/ipc/socket.hpp"

namespace creance::os {

class Lock {
 public:
  enum class Kind : uint8_t { kShared, kExclusive };
  // A folder must be there; a file is made. Never waits: kExists if another holds it, with `holder` as the message ("a sensor already runs on `x`").
  static Result<Lock> take(const std::filesystem::path& path, Kind kind, std::string_view holder);
  // Waits for the other to let go.
  static Result<Lock> wait(const std::filesystem::path& path, Kind kind);

 private:
  explicit Lock(ipc::Descriptor held) : held_(std::move(held)) {}
  ipc::Descriptor held_;
};

}  // namespace creance::os
