#include "base/os/durable.hpp"

#include <vector>

namespace creance::os {
namespace fs = std::filesystem;
namespace {

fs::path folder_of(const fs::path& path) { return path.has_parent_path() ? path.parent_path() : fs::path("."); }

Status write_and_sync(DiskCalls& calls, const fs::path& path, BytesView bytes, unsigned mode) {
  TRY(const int file, calls.create(path, mode));
  auto done = calls.write(file, bytes, path);
  if (done) done = calls.sync(file, path);
  calls.close(file);
  return done;
}

}  // namespace

Status write_atomic(DiskCalls& calls, const fs::path& path, const fs::path& staging, BytesView bytes, unsigned mode) {
  auto done = write_and_sync(calls, staging, bytes, mode);
  if (done) done = calls.rename(staging, path);
  if (!done) {
    (void)calls.unlink(staging).has_value();
    return done;
  }
  return calls.sync_folder(folder_of(path));
}

Status remove(DiskCalls& calls, const fs::path& path) {
  const auto removed = calls.unlink(path);
  if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
  // Also if it was gone already: an earlier removal may have got no further than here.
  auto synced = calls.sync_folder(folder_of(path));
  if (!synced && !removed && synced.error().code == ErrorCode::kNotFound) return {};  // without its folder it cannot come back
  return synced;
}

Status make_directories(DiskCalls& calls, const fs::path& path) {
  std::vector<fs::path> chain;  // innermost first
  for (fs::path at = path.lexically_normal(); !at.empty() && at != at.root_path() && at != "."; at = at.parent_path())
    if (at.has_filename()) chain.push_back(at);
  for (size_t i = 0; i < chain.size(); ++i) {  // most often all of it is there
    const auto made = calls.make_folder(chain[i]);
    if (made) {
      TRY_VOID(calls.sync_folder(folder_of(chain[i])));
    } else if (made.error().code == ErrorCode::kNotFound && i + 1 < chain.size()) {
      continue;
    } else if (made.error().code != ErrorCode::kExists) {
      return made;
    }
    while (i-- > 0) {
      if (const auto below = calls.make_folder(chain[i]); !below && below.error().code != ErrorCode::kExists) return below;
      TRY_VOID(calls.sync_folder(folder_of(chain[i])));
    }
    return {};
  }
  return {};
}

}  // namespace creance::os
