#include "plan/zone_files.hpp"

#include <fmt/format.h>

namespace creance::plan {

Result<Zone> read_zone(FileSystem& files, std::string_view name) {
  if (name == "UTC") return Zone::utc();
  if (!is_zone_name(name)) return fail(ErrorCode::kInvalid, fmt::format("`{}` is not the name of a time zone", name.substr(0, 64)));
  const std::filesystem::path path = std::filesystem::path(kZoneFolder) / name;
  const auto bytes = files.read(path, kZoneBytesMax);
  if (!bytes) return fail(ErrorCode::kNotFound, fmt::format("the time zone `{}` is not known here ({}): a name like Europe/Vienna, from the package tzdata", name, bytes.error().detail));
  auto zone = Zone::parse(name, *bytes);
  if (!zone) return fail(ErrorCode::kInvalid, fmt::format("the time zone `{}` is not known here: `{}`: {}", name, path.string(), zone.error().detail));
  return zone;
}

Status read_zones(FileSystem& files, const Windows& windows, Zones& zones) {
  Status first;
  for (const Window& window : windows) {
    if (zones.contains(window.zone)) continue;
    auto zone = read_zone(files, window.zone);
    if (zone) zones.emplace(window.zone, std::move(*zone));
    else if (first) first = fail(zone.error());
  }
  return first;
}

}  // namespace creance::plan
