#include "cli/event_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "cli/file_search.hpp"

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

// The folder's event files; false: something of it cannot be read, or it has none.
bool search(const std::string& folder, SeenFiles& seen, std::vector<std::string>& files, const Terminal& terminal) {
  const FoundFiles found = search_files(folder, {.takes = is_event_file, .files_max = limits::kEventFilesMax - std::min(files.size(), limits::kEventFilesMax)}, seen);
  if (found.too_many) {
    terminal.error(fmt::format("`{}` holds more than {} files; name a smaller folder", folder, limits::kEventFilesMax));
    return false;
  }
  for (const std::string& problem : found.problems) terminal.error("cannot read events: " + problem);
  for (const auto& [path, first] : found.same) terminal.warning(fmt::format("{}: the same file as {}, read once", printable(path, 200), printable(first, 200)));
  const auto& skipped = found.passed_over;
  for (size_t i = 0; i < std::min(skipped.size(), kSkippedListedMax); ++i) terminal.warning(fmt::format("{}: skipped, its name does not end as event files do; name it to scan it", printable(skipped[i], 200)));
  if (skipped.size() > kSkippedListedMax) terminal.warning(fmt::format("{}: {} more files skipped", folder, skipped.size() - kSkippedListedMax));
  if (found.files.empty() && found.same.empty() && found.problems.empty()) {
    terminal.error(fmt::format("`{}` has no file of events (.jsonl, .ndjson, .json, .evtx, .log, each with .gz or .zst too)", folder));
    return false;
  }
  files.insert(files.end(), found.files.begin(), found.files.end());
  return found.problems.empty();
}

}  // namespace

EventFiles event_files(const std::vector<std::string>& given, const Terminal& terminal) {
  EventFiles out;
  SeenFiles seen;
  for (const std::string& each : given) {
    std::error_code error;
    const std::string* const first = each == "-" ? nullptr : seen.add(each);
    if (first != nullptr) terminal.warning(fmt::format("{}: the same as {}, read once", printable(each, 200), printable(*first, 200)));
    else if (fs::is_directory(each, error)) out.complete = search(each, seen, out.files, terminal) && out.complete;
    else out.files.push_back(each);
  }
  return out;
}

}  // namespace creance::cli
