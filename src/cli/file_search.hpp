// Files below a folder, for rules and for events alike. Not a reader: what is in them is the caller's business.
// Links are followed, to files and to folders. A file or folder counts by what it is and not by its name: what was found already under another name adds nothing, so that a loop of
// links ends. What cannot be looked at is a problem in words, never passed over in silence.
#pragma once
#include <sys/types.h>

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace creance::cli {

class SeenFiles {
 public:
  // Null: new, and from now on seen, or it cannot be looked at (opening it will say so). Else the name under which it was seen first, valid as long as this is.
  const std::string* add(const std::string& path);

 private:
  std::map<std::pair<dev_t, ino_t>, std::string> seen_;
};

struct FileSearch {
  std::function<bool(std::string_view name)> takes;   // files of this name are wanted
  bool hidden_folders = true;                         // whether folders whose name begins with a dot are searched
  size_t files_max = SIZE_MAX;                        // found and passed over together
};

struct FoundFiles {
  std::vector<std::string> files;                                // each list in the order of paths
  std::vector<std::string> passed_over;                          // files of other names
  std::vector<std::pair<std::string, std::string>> same;         // and the name under which it was found before
  std::vector<std::string> problems;                             // what could not be looked at, and why: one line each
  bool too_many = false;                                         // more than files_max: the search ended early
};

FoundFiles search_files(const std::string& folder, const FileSearch& search, SeenFiles& seen);

}  // namespace creance::cli
