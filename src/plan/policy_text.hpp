// Policies as people write them: YAML, and so JSON too. A host owner's policy.yml, and a tenant's policy as `creance policy` takes it. Every error has file:line:column (kInvalid).
// In the library `creance_plan_text`, apart from `creance_plan`, since it needs yaml-cpp. Pure; any number of threads.
#pragma once
#include <functional>
#include <string>
#include <string_view>

#include "plan/policy.hpp"

namespace creance::plan {

// Whether a time zone can be judged by, else what is to be said.
using ZoneCheck = std::function<Status(std::string_view zone)>;

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
Result<LocalPolicy> parse_local_policy(std::string_view text, const std::string& file, const ZoneCheck& zone_known);

// A tenant's:
//   tenant: demo
//   version: 3              of the policy that this was made from; 0 in the value: it does not say
//   groups:                 the first whose tags a host has applies
//     - name: servers
//       tags: [server]
//       ring: late          and paused, pin, delay, windows, mutes
//   default: {ring: general}
// Also what Policy::to_bytes() writes.
Result<Policy> parse_tenant_policy(std::string_view text, const std::string& file, const ZoneCheck& zone_known);
// Which parse_tenant_policy reads back as the same value.
std::string to_yaml(const Policy& policy);

}  // namespace creance::plan
