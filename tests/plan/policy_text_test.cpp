// Policies as people write them: what they may say, and that each error has its place.
#include "plan/policy_text.hpp"

#include <gtest/gtest.h>

namespace creance::plan {
namespace {

Status vienna_alone(std::string_view zone) {
  if (zone == "Europe/Vienna") return {};
  return fail(ErrorCode::kNotFound, "the time zone `" + std::string(zone) + "` is not known here");
}
std::string error_of(std::string_view text) {
  const auto policy = parse_local_policy(text, "policy.yml", vienna_alone);
  return policy ? "" : policy.error().detail;
}

TEST(PolicyFile, SaysAllThatTheOwnerMayWant) {
  const auto policy = parse_local_policy("# ours\npaused: true\npin: \"r7\"\ndelay: 2d\nring: late\nmutes: [a, b]\nkeep: [c]\ndeny: [" + std::string(64, 'a') + "]\nwindows: [\"Mon-Fri 22:00-04:00 Europe/Vienna\"]\n", "policy.yml", vienna_alone);
  ASSERT_TRUE(policy) << policy.error().detail;
  EXPECT_TRUE(policy->paused);
  EXPECT_EQ(policy->pin, "r7");
  EXPECT_EQ(policy->delay, std::chrono::hours(48));
  EXPECT_EQ(policy->ring, Ring::kLate);
  EXPECT_EQ(policy->mutes, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(policy->keep, std::vector<std::string>{"c"});
  EXPECT_EQ(policy->deny.size(), 1u);
  ASSERT_EQ(policy->windows.size(), 1u);
  EXPECT_EQ(policy->windows[0].front().text(), "Mon,Tue,Wed,Thu,Fri 22:00-04:00 Europe/Vienna");
  EXPECT_TRUE(parse_local_policy("# nothing said\n", "policy.yml", vienna_alone));
}

TEST(PolicyFile, WhatIsWrongIsSaidWithItsPlace) {
  EXPECT_EQ(error_of("pased: true\n"), "policy.yml:1:1: `pased` is not known here: is `paused` meant? known are paused, pin, delay, ring, mutes, keep, deny, require_evidence, windows");
  EXPECT_EQ(error_of("\npaused: maybe\n"), "policy.yml:2:9: `paused` must be true or false");
  EXPECT_EQ(error_of("delay: 12\n"), "policy.yml:1:8: `delay` must be a number with s, m, h or d behind it, like 12h");
  EXPECT_EQ(error_of("deny: all\n"), "policy.yml:1:7: `deny` must be a list");
  EXPECT_EQ(error_of("[1]\n"), "policy.yml:1:1: must be `key: value` lines");
  EXPECT_EQ(error_of("\nring: sometimes\n"), "policy.yml:2:7: ring: must be one of internal, canary, early, general, late");
  EXPECT_EQ(error_of("deny:\n  - " + std::string(64, 'a') + "\n  - xyz\n"), "policy.yml:3:5: deny[1]: must be 64 hexadecimal digits");
  EXPECT_EQ(error_of("paused: true\npin: NOT A NAME\n"), "policy.yml:2:6: pin: is not a release name");
  EXPECT_EQ(error_of("pin: [a]\n"), "policy.yml:1:6: pin: must be text");
  EXPECT_EQ(error_of("pin:\n"), "policy.yml:1:1: `pin` must be a name");
  EXPECT_EQ(error_of("mutes: [a, \"\"]\n"), "policy.yml:1:12: mutes[1]: must not be empty");
  EXPECT_EQ(error_of("mutes: [a, [b]]\n"), "policy.yml:1:12: `mutes` must be a list of texts");
  EXPECT_EQ(error_of("keep: [{a: b}]\n"), "policy.yml:1:8: `keep` must be a list of texts");
  EXPECT_EQ(error_of("keep: [" + std::string(129, 'k') + "]\n"), "policy.yml:1:8: keep[0]: must have at most 128 bytes");
  EXPECT_EQ(error_of("require_evidence: 1\n"), "policy.yml:1:19: `require_evidence` must be true or false");
  for (const char* text : {"paused: true\npaused: false\n", "delay: 400d\n", "a: [\n", "delay_s: 5\n"}) EXPECT_TRUE(error_of(text).starts_with("policy.yml:")) << text << error_of(text);
}

TEST(PolicyFile, WhatIsWrongWithAWindowIsSaidWithItsPlace) {
  EXPECT_EQ(error_of("windows: []\n"), "policy.yml:1:10: `windows` is empty: nothing would ever be taken; leave it out, or write `paused: true`");
  EXPECT_EQ(error_of("windows:\n  - Mon 22:00-04:00 Europe/Vienna\n  - Mon 25:00-26:00 Europe/Vienna\n"),
            "policy.yml:3:5: windows[1]: `Mon 25:00-26:00 Europe/Vienna` is no window: `25:00-26:00` are not two times of a day (00:00 to 24:00); write it like `Mon-Fri 22:00-04:00 Europe/Vienna`");
  EXPECT_EQ(error_of("windows:\n  - Mon 22:00-04:00 Europe/Vienna\n  - daily 03:00-05:00 Europe/Vienna\n"),
            "policy.yml:3:5: windows[1]: `daily 03:00-05:00 Europe/Vienna` is no window: it overlaps with `Mon 22:00-04:00 Europe/Vienna`; write it like `Mon-Fri 22:00-04:00 Europe/Vienna`");
  EXPECT_EQ(error_of("windows: [Mon 22:00-04:00 Europe/Wien]\n"), "policy.yml:1:11: windows[0]: the time zone `Europe/Wien` is not known here");
  EXPECT_EQ(error_of("windows: Mon 22:00-04:00 Europe/Vienna\n"), "policy.yml:1:10: `windows` must be a list");
}

std::string tenant_error(std::string_view text) {
  const auto policy = parse_tenant_policy(text, "acme.yml", vienna_alone);
  return policy ? "" : policy.error().detail;
}

constexpr const char* kAcme = R"(# acme's
tenant: acme
version: 7
groups:
  - name: servers
    tags: [server, linux]
    ring: late
    delay: 2d
    pin: acme/own-1
    windows: [Mon-Fri 22:00-04:00 Europe/Vienna]
    mutes: [r1]
  - {name: "say \"hi\" — \u0001", tags: [], ring: canary, paused: true}
default: {ring: general}
)";

TEST(TenantPolicy, SaysAllThatATenantMayWantAndIsWrittenAsItIsRead) {
  const auto policy = parse_tenant_policy(kAcme, "acme.yml", vienna_alone);
  ASSERT_TRUE(policy) << policy.error().detail;
  EXPECT_EQ(policy->tenant, "acme");
  EXPECT_EQ(policy->version, 7);
  ASSERT_EQ(policy->groups.size(), 2u);
  EXPECT_EQ(policy->groups[0].rules.delay, std::chrono::hours(48));
  EXPECT_EQ(policy->groups[0].rules.pin, "acme/own-1");
  EXPECT_EQ(policy->groups[0].tags, (std::vector<std::string>{"server", "linux"}));
  EXPECT_TRUE(policy->groups[1].rules.paused);
  EXPECT_EQ(policy->fallback.ring, Ring::kGeneral);
  const auto again = parse_tenant_policy(to_yaml(*policy), "shown.yml", vienna_alone);
  ASSERT_TRUE(again) << again.error().detail << to_yaml(*policy);
  EXPECT_EQ(*again, *policy) << to_yaml(*policy);
  const auto json = parse_tenant_policy(as_text(policy->to_bytes()), "acme.json", vienna_alone);
  ASSERT_TRUE(json) << json.error().detail;
  EXPECT_EQ(*json, *policy);
}

TEST(TenantPolicy, NeedsNoVersionAndNoGroups) {
  const auto policy = parse_tenant_policy("tenant: acme\ndefault:\n  ring: late\n", "acme.yml", vienna_alone);
  ASSERT_TRUE(policy) << policy.error().detail;
  EXPECT_EQ(policy->version, 0);
  EXPECT_TRUE(policy->groups.empty());
  EXPECT_EQ(to_yaml(*policy), "tenant: acme\ngroups: []\ndefault:\n  ring: late\n");
}

TEST(TenantPolicy, WhatIsWrongIsSaidWithItsPlace) {
  const auto group = [](std::string_view line) { return "tenant: acme\ngroups:\n  - name: a\n    tags: [x]\n    ring: late\n    " + std::string(line) + "\ndefault: {ring: late}\n"; };
  EXPECT_EQ(tenant_error(""), "acme.yml:1:1: is empty; a policy has `tenant`, `groups` and `default`");
  EXPECT_EQ(tenant_error("tenant: acme\n"), "acme.yml:1:1: document: lacks `default`");
  EXPECT_EQ(tenant_error("tenant: ACME\ndefault: {ring: late}\n"), "acme.yml:1:9: tenant: is not a tenant name");
  EXPECT_EQ(tenant_error("tenant: acme\nversion: x\ndefault: {ring: late}\n"), "acme.yml:2:10: `version` must be a number");
  EXPECT_EQ(tenant_error("tenant: acme\nversion: 0\ndefault: {ring: late}\n"), "acme.yml:2:10: version: 0 is not between 1 and 9007199254740991");
  EXPECT_EQ(tenant_error("tenant: acme\ndefault: {ring: soon}\n"), "acme.yml:2:17: default.ring: must be one of internal, canary, early, general, late");
  EXPECT_EQ(tenant_error("tenant: acme\ndefault: late\n"), "acme.yml:2:10: `default` must be `key: value` lines: ring, …");
  EXPECT_EQ(tenant_error("tenant: acme\ngroups: [a]\ndefault: {ring: late}\n"), "acme.yml:2:10: a group must be `key: value` lines: name, tags, ring, …");
  EXPECT_EQ(tenant_error("tenant: acme\ngroups: {}\ndefault: {ring: late}\n"), "acme.yml:2:9: `groups` must be a list");
  EXPECT_EQ(tenant_error(group("puased: true")), "acme.yml:6:5: `puased` is not known here: is `paused` meant? known are name, tags, ring, paused, pin, delay, mutes, windows");
  EXPECT_EQ(tenant_error(group("delay: 2")), "acme.yml:6:12: `delay` must be a number with s, m, h or d behind it, like 12h");
  EXPECT_EQ(tenant_error(group("delay: 2d\n    delay_s: 3")), "acme.yml:6:5: `delay` and `delay_s` say the same: write one of them");
  EXPECT_EQ(tenant_error(group("windows: [Mon 22:00-04:00 Europe/Wien]")), "acme.yml:6:15: groups[0].windows[0]: the time zone `Europe/Wien` is not known here");
  EXPECT_EQ(tenant_error(group("pin: A B")), "acme.yml:6:10: groups[0].pin: is not a release name");
  EXPECT_EQ(tenant_error(group("mutes: [1, {}]")), "acme.yml:6:16: `mutes` must be a list of texts");
  EXPECT_EQ(tenant_error("tenant: acme\ngroups: [{name: a, tags: [], ring: late}, {name: a, tags: [], ring: late}]\ndefault: {ring: late}\n"), "acme.yml:2:43: groups[1]: a second group of the same name");
}

}  // namespace
}  // namespace creance::plan
