// A span as people read it: "45 s", "119 min".
#pragma once
#include <fmt/format.h>

#include <cstdint>
#include <string>

namespace creance::sensor {

inline std::string span_text(uint64_t ms) { return ms < 120'000 ? fmt::format("{} s", (ms + 999) / 1'000) : fmt::format("{} min", ms / 60'000); }

}  // namespace creance::sensor
