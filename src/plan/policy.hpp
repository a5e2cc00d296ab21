// What a tenant, and the owner of one host, wants: rings, delays, pauses, pins, mutes (docs/reference/protocol.md, DESIGN section 6).
// The tenant's policy is `policy/<tenant>.json`, signed by the `policy` role. The owner's is a local file: it can only be stricter. The deny list is signed by `content`.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "plan/ring.hpp"
#include "plan/window.hpp"

namespace creance::plan {

struct GroupRules {
  Ring ring = Ring::kGeneral;
  bool paused = false;
  std::optional<std::string> pin;  // the only release that the group takes
  std::chrono::seconds delay{0};   // after the release's rollout began
  std::vector<std::string> mutes;  // rule ids whose matches are not reported
  Windows windows;                 // when new content may be taken; empty: at any time
  friend bool operator==(const GroupRules&, const GroupRules&) = default;
};

struct Group {
  std::string name;
  std::vector<std::string> tags;  // a host belongs if it has all of them
  GroupRules rules;
  friend bool operator==(const Group&, const Group&) = default;
};

// What to do with a member that this build does not know: it may be newer than a host; where it is written, it is misspelled.
enum class UnknownMember : uint8_t { kIgnored, kRefused };

struct Policy {
  std::string tenant;
  int64_t version = 0;
  std::vector<Group> groups;  // the first that fits applies
  GroupRules fallback;        // "default" in the document
  friend bool operator==(const Policy&, const Policy&) = default;

  const GroupRules& rules_for(std::span<const std::string> tags) const;
  static Result<Policy> parse(BytesView bytes, UnknownMember unknown = UnknownMember::kIgnored);
  Bytes to_bytes() const;
  static std::string path(std::string_view tenant) { return "policy/" + std::string(tenant) + ".json"; }
};
bool is_tenant_name(std::string_view name);  // [a-z0-9][a-z0-9_-]{0,63}

// {"_type": "local", "paused": true, "pin": "r1", "delay_s": 60, "ring": "late", "windows": [...], "mutes": [...], "keep": [...], "deny": ["<digest>"]}: the host owner's own file, all optional.
struct LocalPolicy {
  bool paused = false;
  std::optional<std::string> pin;
  std::chrono::seconds delay{0};       // the longer of both applies
  std::optional<Ring> ring;            // only a later one than the tenant's counts
  std::vector<std::string> mutes;      // in addition to the tenant's
  std::vector<Windows> windows;        // of each file that says any; all must be open, and the tenant's too
  std::vector<std::string> keep;       // rules that the tenant's mutes do not reach on this host
  std::vector<Digest> deny;            // release or channel digests never taken here
  bool require_evidence = false;       // nothing new without evidence that was signed with it (evidence.hpp)
  static Result<LocalPolicy> parse(BytesView bytes);
};

// `content/deny/deny.json`, role content: {"_type": "deny", "version": 1, "denied": [{"digest","reason"}], "retry": ["<digest>"]}
struct DenyList {
  struct Entry {
    Digest digest;  // of a release or of a channel file
    std::string reason;
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  int64_t version = 0;
  std::vector<Entry> denied;
  std::vector<Digest> retry;  // lifts hosts' own refusals of these
  friend bool operator==(const DenyList&, const DenyList&) = default;
  const Entry* find(const Digest& digest) const;
  static Result<DenyList> parse(BytesView bytes);
  Bytes to_bytes() const;
  static constexpr std::string_view kPath = "content/deny/deny.json";
};

}  // namespace creance::plan
