// Which files `--events` names: files as they are, folders searched. Not a reader.
#pragma once
#include <string>
#include <vector>

#include "cli/terminal.hpp"

namespace creance::cli {

struct EventFiles {
  std::vector<std::string> files;
  bool complete = true;  // false: a folder, or something in it, could not be read, has no such file, or there are more than limits::kEventFilesMax; the terminal was told
};

// In the order given, each folder's files by path. A folder's files count if their names end as event files do (.jsonl .ndjson .json .evtx .log, each with .gz or .zst too); what
// is passed over is named on the terminal. Links are followed (file_search.hpp); a file that is named twice is read once.
EventFiles event_files(const std::vector<std::string>& given, const Terminal& terminal);

}  // namespace creance::cli
