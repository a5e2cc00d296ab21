// The release document `content/<release>/release.json` and its floor (docs/reference/protocol.md). Signed by the `content` role as a target file; this only reads and writes it.
// A tenant's own release is named `<tenant>/<release>`, lies in `content-<tenant>/<release>/` and is signed by the role `content-<tenant>` (ADR 0099): the name says who approves it and whom it may reach.
// Every document here: parse() is strict about shape (kInvalid, "path: what"), ignores unknown members; to_bytes() is compact JSON with sorted members, so equal values are equal bytes.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "plan/ring.hpp"

namespace creance::plan {

inline constexpr uint32_t kShareWhole = 1'000'000;  // shares are millionths of a ring

struct CasesRef {  // events of the release's own cases, JSON Lines, for rehearsals
  std::string path;
  Digest sha256;
  int64_t length = 0;
  friend bool operator==(const CasesRef&, const CasesRef&) = default;
};

struct ChannelRef {
  std::string type;  // Template Type
  Digest fingerprint;
  std::string path;  // target path of the channel file
  Digest sha256;
  int64_t length = 0;
  int64_t instances = 0;
  std::optional<CasesRef> cases;
  friend bool operator==(const ChannelRef&, const ChannelRef&) = default;
};

struct NotBefore {
  Ring ring = Ring::kInternal;
  uint32_t share = 0;  // hosts of the ring beyond this share wait until `time`; 0 = the whole ring waits
  WallTime time{};
  friend bool operator==(const NotBefore&, const NotBefore&) = default;
};

struct Floor {
  WallTime approved_until{};
  std::vector<NotBefore> not_before;
  friend bool operator==(const Floor&, const Floor&) = default;
};

struct Release {
  std::string name;  // [<tenant>/][a-z0-9][a-z0-9._-]*, 64 characters at most
  WallTime created{};
  std::string notes;
  std::vector<ChannelRef> channels;
  std::optional<Digest> evidence;
  Floor floor;
  std::string category;  // "rapid"
  friend bool operator==(const Release&, const Release&) = default;

  static Result<Release> parse(BytesView bytes);
  Bytes to_bytes() const;
  std::string path() const;  // release_folder(name)/release.json
};

bool is_release_name(std::string_view name);
std::string_view tenant_of(std::string_view release_name);       // "": everybody's
std::string content_role(std::string_view release_name);         // "content", "content-acme": whose threshold approves it
std::string release_folder(std::string_view release_name);       // "content/r1", "content-acme/own-1": where its files lie in the tree
// The release digest: SHA-256 of the document's bytes.
Digest release_digest(BytesView document);

}  // namespace creance::plan
