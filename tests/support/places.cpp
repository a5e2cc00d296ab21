#include "support/places.hpp"

namespace creance::test {

std::filesystem::path source_dir() { return CREANCE_SOURCE_DIR; }
std::filesystem::path shared_dir() { return std::filesystem::path(CREANCE_SOURCE_DIR) / ".." / "shared"; }
std::filesystem::path bin_dir() { return CREANCE_BIN_DIR; }

}  // namespace creance::test
