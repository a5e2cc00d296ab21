// Which files `--events` names: files as they are, folders searched. Not a reader.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cli/terminal.hpp"

namespace creance::cli {

// In the order given, each folder's files by path. A folder's files count if their names end as event files do (.jsonl .ndjson .json .evtx .log, each with .gz or .zst too); what
// is passed over is named on the terminal. Nothing, after saying why: a folder cannot be read or has no such file, or there are more than limits::kEventFilesMax.
std::optional<std::vector<std::string>> event_files(const std::vector<std::string>& given, const Terminal& terminal);

}  // namespace creance::cli
