#pragma once
// Where a test finds what lies outside of it. The paths are compiled into places.cpp alone, so that a clone in another folder shares the compiler's cache.
#include <filesystem>

namespace creance::test {

std::filesystem::path source_dir();  // the project: rules/, types/, docs/
std::filesystem::path shared_dir();  // data that is not ours and may be absent
std::filesystem::path bin_dir();     // the programs of this build

}  // namespace creance::test
