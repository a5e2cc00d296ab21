// Who a process is and what it may: users and capabilities (credentials(7), capabilities(7)). Not a sandbox (sandbox.hpp): what a user may do is left to it.
// Failure: kDenied and what the operating system says. Threads: of the calling one alone; call it while there is only one.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace creance::os {

struct User {
  uint32_t uid = 0;
  uint32_t gid = 0;
  friend bool operator==(const User&, const User&) = default;
};

// A user by its name, from the text of passwd(5). Nothing else is asked: what is looked up elsewhere (LDAP) needs libraries that do not belong into a process with privileges.
std::optional<User> find_user(std::string_view passwd, std::string_view name);
std::optional<User> parse_user(std::string_view text);  // "65522:65522"
// The first name that has this number there; empty: none has.
std::string_view name_of_user(std::string_view passwd, uint32_t uid);

// Capabilities as a set of bits, by the numbers of linux/capability.h.
using Capabilities = uint64_t;
constexpr Capabilities capabilities(std::initializer_list<int> numbers) {
  Capabilities set = 0;
  for (const int number : numbers) set |= Capabilities{1} << number;
  return set;
}

// From now on at most these, for good, and for every program that is started: permitted, effective and bounding set are reduced, ambient and inheritable set emptied, no_new_privs set.
// Without CAP_SETPCAP the bounding set stays: with no_new_privs nothing in it can be gained.
Status keep_capabilities(Capabilities kept);
Capabilities effective_capabilities();

// Gives a folder and all that lies below it to its owner, without following a link anywhere and without touching a file that has a second name (it may lie elsewhere). Only what has
// another owner gets the modes; so it costs a look at each file when nothing is to be done. kInvalid: `folder` is a link or no folder, or is nested too deeply.
struct Owner {
  User user;
  unsigned folder_mode = 0700;
  unsigned file_mode = 0600;
};
Status give_folder(const std::filesystem::path& folder, const Owner& owner);

// For a child between fork and exec, safe there: ends in this user, without other groups, and with no capability but `kept` in its bounding set. False: errno says why.
bool become_user(const User& user, Capabilities kept);
bool reduce_bounding_set(Capabilities kept);
// This process itself becomes this user for good, and keeps at most these of its capabilities. It is ended with its parent as before.
Status become_user_keeping(const User& user, Capabilities kept);

// Whether this process can start others as `users`: tried by a child for each. Without the capabilities, or in a user namespace that does not have these numbers, it cannot.
Status can_become(std::initializer_list<User> users);

}  // namespace creance::os
