#include "cli/event_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace creance::cli {
namespace {

namespace fs = std::filesystem;

constexpr size_t kSkippedListedMax = 20;

bool is_event_file(std::string_view name) {
  const std::string lower = to_ascii_lower(name);
  std::string_view plain = lower;
  for (const std::string_view packed : {".gz", ".zst"}) {
    if (plain.ends_with(packed)) plain.remove_suffix(packed.size());
  }
  constexpr std::array<std::string_view, 5> kEndings = {".jsonl", ".ndjson", ".json", ".evtx", ".log"};
  return std::any_of(kEndings.begin(), kEndings.end(), [&](std::string_view ending) { return plain.size() > ending.size() && plain.ends_with(ending); });
}

// The folder's event files; false: it cannot be read, or there are too many.
bool search(const std::string& folder, std::vector<std::string>& files, const Terminal& terminal) {
  std::vector<std::string> found, skipped;
  std::error_code error;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    std::error_code unknown;
    if (at->is_directory(unknown)) continue;
    const bool takes = at->is_regular_file(unknown) && is_event_file(at->path().filename().string());
    (takes ? found : skipped).push_back(at->path().string());
    if (files.size() + found.size() + skipped.size() > limits::kEventFilesMax) {
      terminal.error(fmt::format("`{}` holds more than {} files; name a smaller folder", folder, limits::kEventFilesMax));
      return false;
    }
  }
  if (error) {
    terminal.error(fmt::format("cannot search `{}`: {}", folder, error.message()));
    return false;
  }
  std::sort(found.begin(), found.end());
  std::sort(skipped.begin(), skipped.end());
  for (size_t i = 0; i < std::min(skipped.size(), kSkippedListedMax); ++i) terminal.warning(fmt::format("{}: skipped, its name does not end as event files do; name it to scan it", printable(skipped[i], 200)));
  if (skipped.size() > kSkippedListedMax) terminal.warning(fmt::format("{}: {} more files skipped", folder, skipped.size() - kSkippedListedMax));
  if (found.empty()) {
    terminal.error(fmt::format("`{}` has no file of events (.jsonl, .ndjson, .json, .evtx, .log, each with .gz or .zst too)", folder));
    return false;
  }
  files.insert(files.end(), found.begin(), found.end());
  return true;
}

}  // namespace

std::optional<std::vector<std::string>> event_files(const std::vector<std::string>& given, const Terminal& terminal) {
  std::vector<std::string> files;
  bool complete = true;
  for (const std::string& each : given) {
    std::error_code error;
    if (fs::is_directory(each, error)) complete = search(each, files, terminal) && complete;
    else files.push_back(each);
  }
  if (!complete) return std::nullopt;
  return files;
}

}  // namespace creance::cli
