// What the owner of this host wants: /etc/creance/policy.yml, and STATE/local.json where a program writes it. Both can only be stricter than the server, and of both the
// stricter holds. A file that is there and cannot be read, or says what is not known, may have said "no": then nothing new is taken, and `complaint` says why. Pure but for the files.
#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "base/seams/files.hpp"
#include "plan/policy.hpp"

namespace creance::sensor {

struct OwnersWish {
  std::optional<plan::LocalPolicy> policy;  // nothing: there is no file
  std::string complaint;                    // file:line:column: what is wrong; empty: nothing is
};
// Of each: empty: there is none for certain; else what cannot be read there may have said "no", be it a file that the owner named, a link that leads nowhere or a folder that cannot be entered.
OwnersWish read_owners_wish(FileSystem& files, const std::filesystem::path& json, const std::filesystem::path& yaml);

}  // namespace creance::sensor
