// TUF metadata as typed values (specification section 4). Parsing checks shape and limits only; who signed it and whether it is current is trusted_set.hpp's business.
// Unknown members are kept in `envelope.signed_part` and are covered by the signature. Values; any number of threads.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "trust/core/key.hpp"

namespace creance::trust {

struct Signature {
  std::string keyid;
  Bytes sig;  // empty: was not hexadecimal; verifies nothing
};

// {"signed": …, "signatures": […]}: what is signed, in the form that is signed.
struct Envelope {
  Json signed_part;
  Bytes canonical;                    // canonical JSON of signed_part: the bytes that signatures cover
  std::vector<Signature> signatures;  // INVARIANT: no keyid twice (section 4.2)

  static Result<Envelope> parse(BytesView bytes, size_t bytes_max);
  static Result<Envelope> of(Json signed_part);  // without signatures yet
  Bytes to_bytes() const;                        // JSON text, stable
};

using Keys = std::map<std::string, PublicKey>;  // by keyid, as the metadata names them

// Who may sign: the keys of one role and how many different ones must.
struct RoleKeys {
  std::vector<std::string> keyids;  // INVARIANT: no keyid twice
  uint32_t threshold = 0;           // INVARIANT: at least 1 once parsed
  Keys keys;                        // those of `keyids` that exist
};
// How many different keys of the role signed (by key material, not by name).
uint32_t count_valid_signatures(const Envelope& envelope, const RoleKeys& role);
// kDenied unless at least `threshold` different keys signed; `what` names the document in the message.
Status check_signatures(const Envelope& envelope, const RoleKeys& role, std::string_view what);

struct Common {
  Envelope envelope;
  int64_t version = 0;  // INVARIANT: at least 1
  WallTime expires{};
  bool expired(WallTime now) const { return now >= expires; }
};

struct Root : Common {
  bool consistent_snapshot = false;
  Keys keys;
  std::map<std::string, RoleKeys> roles;  // INVARIANT: has root, timestamp, snapshot, targets
  static Result<Root> parse(BytesView bytes);
};

using Hashes = std::map<std::string, std::string>;  // algorithm → lower-case hexadecimal
struct MetaFile {
  int64_t version = 0;
  std::optional<int64_t> length;
  Hashes hashes;  // may be empty
};

struct Timestamp : Common {
  MetaFile snapshot;
  std::optional<WallTime> issued;  // a member of ours (ADR 0097): when it was signed. Other trees have none; one that is no time before `expires` is as if it were not there
  static Result<Timestamp> parse(BytesView bytes);
};

struct Snapshot : Common {
  std::map<std::string, MetaFile> meta;  // "targets.json", "<role>.json"
  static Result<Snapshot> parse(BytesView bytes);
};

struct TargetFileInfo {
  std::string path;
  int64_t length = 0;
  Hashes hashes;  // INVARIANT: not empty
  std::optional<Json> custom;
};

struct Delegation {
  std::string name;
  RoleKeys role;
  bool terminating = false;
  std::vector<std::string> paths;               // shell patterns; exactly one of the two lists is used
  std::vector<std::string> path_hash_prefixes;  // lower-case hexadecimal prefixes of SHA-256(path)
  bool covers(std::string_view target_path) const;
};

// TAP 15: 2^bit_length bins named "<prefix>-<hex>", chosen by the first bits of SHA-256(path).
struct SuccinctRoles {
  std::string name_prefix;
  uint32_t bit_length = 0;  // 1 to 32
  RoleKeys role;
  std::string bin_of(std::string_view target_path) const;
  bool has(std::string_view role_name) const;
};

struct Targets : Common {
  std::map<std::string, TargetFileInfo> targets;
  std::vector<Delegation> delegations;  // in order of trust; INVARIANT: no name twice
  std::optional<SuccinctRoles> succinct;
  static Result<Targets> parse(BytesView bytes);
};

// Shell pattern over a path: `*` and `?` do not match `/`, `[…]` is a set (with `!` or `^` negated, ranges). Characters are those of UTF-8; a byte that is
// none is a character by itself. No recursion; work at most |pattern| · |path|.
bool path_matches(std::string_view pattern, std::string_view path);

// kDenied with what differs, unless the bytes have that length and all hashes known to us (sha256, sha512); kInvalid if none of the hashes is known.
Status check_length_and_hashes(BytesView bytes, std::optional<int64_t> length, const Hashes& hashes, std::string_view what);

}  // namespace creance::trust
