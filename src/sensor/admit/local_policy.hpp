// What the owner of this host wants: /etc/creance/policy.yml, and STATE/local.json where a program writes it. Both can only be stricter than the server, and of both the
// stricter holds. A file that is there and cannot be read, or says what is not known, may have said "no": then nothing new is taken, and `complaint` says why. Pure but for the files.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/seams/files.hpp"
#include "plan/policy.hpp"

namespace creance::sensor {

struct OwnersWish {
  std::optional<plan::LocalPolicy> policy;  // nothing: there is no file
  std::string complaint;                    // file:line:column: what is wrong; empty: nothing is
};
// `json` may be absent. `yaml`: empty: there is none for certain; else what cannot be read there may have said "no", be it a file that the owner named, a link that leads nowhere or a folder that cannot be entered.
OwnersWish read_owners_wish(FileSystem& files, const std::filesystem::path& json, const std::filesystem::path& yaml);

// policy.yml:
//   paused: true            nothing new
//   pin: "release-7"        this one alone
//   delay: 2d               after a rollout began; s, m, h, d
//   ring: late              only a later one than the server's counts
//   windows: ["Mon-Fri 22:00-04:00 Europe/Vienna"]   when new content may be taken (plan/window.hpp); the server's must be open too
//   mutes: ["<rule id>"]    matches that are not reported
//   keep: ["<rule id>"]     rules that the server's mutes do not reach
//   deny: ["<64 digits>"]   releases or channel files never taken
//   require_evidence: true  nothing new without evidence that was signed with it
// kInvalid with file:line:column. `zone_known`: whether a time zone can be judged by, else what is to be said.
using ZoneCheck = std::function<Status(std::string_view zone)>;
Result<plan::LocalPolicy> parse_policy_yaml(std::string_view text, const std::string& file, const ZoneCheck& zone_known);

}  // namespace creance::sensor
