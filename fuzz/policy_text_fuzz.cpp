// Policies as people write them. Laws: a refusal has its place; what is accepted is written and read back as the same value, as YAML and as the JSON that hosts get.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.hpp"
#include "plan/policy_text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace creance;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto any_zone = [](std::string_view) { return Status{}; };
  const auto owners = plan::parse_local_policy(text, "p", any_zone);
  CHECK(owners || owners.error().detail.starts_with("p:"));
  const auto policy = plan::parse_tenant_policy(text, "p", any_zone);
  CHECK(policy || policy.error().detail.starts_with("p:"));
  if (!policy) return 0;
  const auto again = plan::parse_tenant_policy(plan::to_yaml(*policy), "y", any_zone);
  CHECK(again && *again == *policy);
  plan::Policy numbered = *policy;
  if (numbered.version == 0) numbered.version = 1;
  const auto json = plan::parse_tenant_policy(as_text(numbered.to_bytes()), "j", any_zone);
  CHECK(json && *json == numbered);
  return 0;
}
