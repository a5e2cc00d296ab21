#include "sensor/supervise/sets.hpp"

#include <algorithm>

namespace creance::sensor {

ipc::Set set_of(const std::string& name) {
  const auto bytes = from_hex(name);
  ipc::Set set{};
  if (bytes && bytes->size() == set.size()) std::copy(bytes->begin(), bytes->end(), set.begin());
  return set;
}

Status clear_sets(FileSystem& files, const std::filesystem::path& folder, const std::function<bool(const ipc::Set&)>& retained) {
  TRY(const auto names, files.list(folder));
  Status first;
  for (const std::string& name : names) {
    const ipc::Set set = set_of(name);
    if (set != ipc::kNoSet && retained(set)) continue;
    auto removed = files.remove(folder / name / ipc::kSetRecordName);
    if (!removed && removed.error().code == ErrorCode::kNotFound) removed = {};  // no folder
    if (removed) removed = files.remove_tree(folder / name);
    if (!removed && first) first = std::move(removed);
  }
  return first;
}

}  // namespace creance::sensor
