// Makes the signed parts of TUF metadata (specification section 4). Pure: gives JSON to be signed, signs and stores nothing.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "trust/core/metadata.hpp"

namespace creance::trust {

inline constexpr std::string_view kSpecVersion = "1.0.34";

struct RoleSpec {
  std::vector<PublicKey> keys;
  uint32_t threshold = 1;
};
struct DelegationSpec {
  std::string name;
  RoleSpec role;
  std::vector<std::string> paths;
  bool terminating = true;
};
struct TargetFile {
  std::string path;  // relative, no "." or ".." segments
  Bytes bytes;
  std::optional<Json> custom;
};

// `roles` needs root, targets, snapshot, timestamp.
Json make_root(int64_t version, WallTime expires, const std::map<std::string, RoleSpec>& roles);
Json make_targets(int64_t version, WallTime expires, const std::vector<DelegationSpec>& delegations);  // without targets of its own
// `part` (targets metadata) with a delegation to 2^bit_length bins in place of any other (TAP 15): "<name_prefix>-<hex>", each signed by `role`.
Json with_bins(Json part, std::string_view name_prefix, uint32_t bit_length, const RoleSpec& role);
Json make_snapshot(int64_t version, WallTime expires, const std::map<std::string, MetaFile>& meta);
// `issued`: now, by which hosts notice that their clock went back.
Json make_timestamp(int64_t version, WallTime expires, const MetaFile& snapshot, std::optional<WallTime> issued = std::nullopt);
Json target_entry(const TargetFile& file);  // length, sha256, custom
MetaFile meta_of(BytesView metadata, int64_t version);

// The next version of a delegated role: `previous` (envelope bytes; none: version 1) with `files` added or replaced and `removed` paths gone. Other members are kept.
// This is what `creance sign` signs: Result<Json> → sign_document(…) → add_signature(…) by the second person.
Result<Json> next_targets(std::optional<BytesView> previous, const std::vector<TargetFile>& files, const std::vector<std::string>& removed, WallTime expires);

}  // namespace creance::trust
