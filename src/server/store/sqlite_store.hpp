// Store on SQLite 3 in WAL mode: one file, survives a kill at any moment. ":memory:" for tests.
#pragma once
#include <filesystem>
#include <memory>

#include "server/store/store.hpp"

namespace creance::server {

struct StoreLimits {
  uint32_t detections_max, events_max, decisions_max;
  uint32_t pages_max = 0;  // of the database, 4 KiB each; beyond: kNoSpace. 0: as the disk has room
  StoreLimits();  // those of base/limits.hpp
};

// Opens or makes the database. kInvalid: it is damaged, or from a newer version; kDenied, kNoSpace, kIo.
Result<std::unique_ptr<Store>> open_sqlite_store(const std::filesystem::path& path, const StoreLimits& limits = {});

}  // namespace creance::server
