// Time zones from this machine's own database (package tzdata), through the seam. Not part of any decision: hosts and the server read with it what decisions take as values.
#pragma once
#include <span>

#include "base/seams/files.hpp"
#include "plan/window.hpp"
#include "plan/zone.hpp"

namespace creance::plan {

// "UTC" needs no file. kNotFound: this machine does not know the zone, with what to do; kInvalid: its file is no zone.
Result<Zone> read_zone(FileSystem& files, std::string_view name);
// Adds the zones of these windows to `zones`; of those that cannot be read the first error.
Status read_zones(FileSystem& files, const Windows& windows, Zones& zones);

}  // namespace creance::plan
