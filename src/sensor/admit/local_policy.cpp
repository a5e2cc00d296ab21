#include "sensor/admit/local_policy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "plan/policy_text.hpp"
#include "plan/zone_files.hpp"

namespace creance::sensor {
namespace {

constexpr size_t kPolicyBytesMax = 65'536;

// The stricter of both.
plan::LocalPolicy merged(const plan::LocalPolicy& a, const plan::LocalPolicy& b) {
  plan::LocalPolicy out = a;
  out.paused = a.paused || b.paused || (a.pin && b.pin && *a.pin != *b.pin);  // two pins that differ leave nothing
  if (b.pin) out.pin = b.pin;
  out.delay = std::max(a.delay, b.delay);
  if (b.ring) out.ring = a.ring ? std::max(*a.ring, *b.ring) : *b.ring;
  out.mutes.insert(out.mutes.end(), b.mutes.begin(), b.mutes.end());
  out.keep.insert(out.keep.end(), b.keep.begin(), b.keep.end());
  out.windows.insert(out.windows.end(), b.windows.begin(), b.windows.end());
  out.deny.insert(out.deny.end(), b.deny.begin(), b.deny.end());
  out.require_evidence = a.require_evidence || b.require_evidence;
  return out;
}

const char* why_unread(ErrorCode code) {
  if (code == ErrorCode::kNotFound) return " (the owner named it, or a link of that name leads nowhere: put the file there, or remove the link)";
  if (code == ErrorCode::kDenied) return " (whether the owner says something there cannot be seen: let the sensor enter its folder and read it)";
  return "";
}

}  // namespace

OwnersWish read_owners_wish(FileSystem& files, const std::filesystem::path& json, const std::filesystem::path& yaml) {
  OwnersWish out;
  const auto take = [&](Result<plan::LocalPolicy> read) {
    if (!read) {
      if (out.complaint.empty()) out.complaint = read.error().detail;
      read = plan::LocalPolicy{};
      read->paused = true;
    }
    out.policy = out.policy ? merged(*out.policy, *read) : std::move(*read);
  };
  const auto zone_known = [&](std::string_view zone) -> Status {
    TRY_VOID(plan::read_zone(files, zone));
    return {};
  };
  const auto with_known_zones = [&](Result<plan::LocalPolicy> read) -> Result<plan::LocalPolicy> {
    if (read)
      for (const plan::Windows& list : read->windows)
        for (const plan::Window& window : list)
          if (const auto known = zone_known(window.zone); !known) return fail(known.error().code, fmt::format("{}: windows: {}", json.string(), known.error().detail));
    return read;
  };
  const auto take_file = [&](const std::filesystem::path& file, const auto& parse) {
    if (file.empty()) return;
    if (const auto bytes = files.read(file, kPolicyBytesMax)) take(parse(*bytes));
    else take(fail(bytes.error().code, bytes.error().detail + why_unread(bytes.error().code)));
  };
  take_file(json, [&](const Bytes& bytes) -> Result<plan::LocalPolicy> {
    auto read = plan::LocalPolicy::parse(bytes);
    if (!read) return fail(read.error().code, fmt::format("{}: {}", json.string(), read.error().detail));
    return with_known_zones(std::move(read));
  });
  take_file(yaml, [&](const Bytes& bytes) { return plan::parse_local_policy(as_text(bytes), yaml.string(), zone_known); });
  return out;
}

}  // namespace creance::sensor
