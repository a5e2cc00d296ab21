// Passphrases come from files, never from the command line, where every user of the machine could read them.
#pragma once
#include <string>

#include "base/result.hpp"
#include "base/seams/files.hpp"

namespace creance::cli {
// The file's text without its line end; "" for an empty path. kInvalid: an empty file.
Result<std::string> read_passphrase(FileSystem& files, const std::string& path);
}  // namespace creance::cli
