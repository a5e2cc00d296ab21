// The sets on a host's disk: STATE/sets/<release digest>/, filled by admit, read by workers, cleared away by the supervisor when nothing needs them any more.
// INVARIANT: a set is whole where its record (set.bin) is there: admit writes the record last, and clearing removes it first, so that an end in the middle never leaves
// a record over missing files (which the next rehearsal would blame on the release, and remember).
#pragma once
#include <filesystem>
#include <functional>

#include "base/ipc/records.hpp"
#include "base/seams/files.hpp"

namespace creance::sensor {

ipc::Set set_of(const std::string& name);  // of an entry; kNoSet: it is none

// Removes every entry of `folder` but the sets that are `retained`. An entry that cannot be removed stays and is tried again by the next call; the first such error is the answer.
Status clear_sets(FileSystem& files, const std::filesystem::path& folder, const std::function<bool(const ipc::Set&)>& retained);

}  // namespace creance::sensor
