#include "base/os/durable.hpp"

#include <vector>

#include "base/seams/reserved_files.hpp"

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

// A file that holds a place: not of zeros, which some file systems do not store.
Status hold_place(DiskCalls& calls, const fs::path& path, size_t bytes) {
  auto done = write_and_sync(calls, path, Bytes(bytes, 0xff), 0600);
  if (!done) (void)calls.unlink(path).has_value();
  return done;
}

// `exchanged`: false where the spare took the file's place and nothing is left as a spare: not on this file system, or there was no file.
Status change_places(DiskCalls& calls, const fs::path& spare, const fs::path& path, bool& exchanged) {
  auto changed = calls.exchange(spare, path);
  exchanged = changed.has_value();
  if (!changed && (changed.error().code == ErrorCode::kUnsupported || changed.error().code == ErrorCode::kNotFound)) changed = calls.rename(spare, path);
  return changed;
}

Status overwrite_and_sync(DiskCalls& calls, const fs::path& path, BytesView bytes) {
  TRY(const int file, calls.open_to_overwrite(path));
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

Status reserve(DiskCalls& calls, const fs::path& path, BytesView blank) {
  const fs::path spare = spare_of(path);
  const auto held = calls.size(spare);
  if (!held && held.error().code != ErrorCode::kNotFound) return fail(held.error());
  const auto own = calls.size(path);
  if (!own && own.error().code != ErrorCode::kNotFound) return fail(own.error());
  if (held && *held == blank.size() && own) return {};
  if (!held || *held != blank.size()) {
    TRY_VOID(hold_place(calls, spare, blank.size()));
    if (!own) TRY_VOID(overwrite_and_sync(calls, spare, blank));
  }
  if (!own) {  // under a name of its own first, so that it is there whole or not at all
    fs::path staging = path;
    staging += ".new";
    return write_atomic(calls, path, staging, blank, 0600);
  }
  return calls.sync_folder(folder_of(path));
}

Status write_reserved(DiskCalls& calls, const fs::path& path, BytesView bytes) {
  const fs::path spare = spare_of(path);
  TRY(const uint64_t held, calls.size(spare));
  if (held != bytes.size()) return fail(ErrorCode::kNotFound, "nothing of this size is reserved: " + spare.string());
  TRY_VOID(overwrite_and_sync(calls, spare, bytes));
  bool exchanged = true;
  TRY_VOID(change_places(calls, spare, path, exchanged));
  TRY_VOID(calls.sync_folder(folder_of(path)));
  if (exchanged) return overwrite_and_sync(calls, spare, bytes);
  // What was freed is the place of the copy, and of the next write, if nobody else takes it.
  if (hold_place(calls, spare, bytes.size()) && overwrite_and_sync(calls, spare, bytes)) return calls.sync_folder(folder_of(path));
  return {};
}

Status hand_over(DiskCalls& calls, const fs::path& path, BytesView bytes) {
  const fs::path spare = spare_of(path);
  const auto held = calls.size(spare);
  if (!held && held.error().code != ErrorCode::kNotFound) return fail(held.error());
  if (!held || *held != bytes.size()) TRY_VOID(hold_place(calls, spare, bytes.size()));  // it became the file, where files cannot be exchanged
  TRY_VOID(overwrite_and_sync(calls, spare, bytes));
  bool exchanged = true;
  TRY_VOID(change_places(calls, spare, path, exchanged));
  return calls.sync_folder(folder_of(path));  // and nothing else: from here on the spare belongs to the other side
}

Status take_spare(DiskCalls& calls, const fs::path& path) {
  bool exchanged = true;
  TRY_VOID(change_places(calls, spare_of(path), path, exchanged));
  return calls.sync_folder(folder_of(path));
}

}  // namespace creance::os
