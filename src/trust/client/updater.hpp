// The Update Framework client: drives TrustedSet over a Transport and keeps what it trusts in one folder (specification section 5).
// The folder holds the bytes as they were sent, under unversioned names (`root.json`, `timestamp.json`, `<stored_name(role)>.json`), each written atomically and only after it was
// verified; an interrupted refresh leaves a state from which the next one goes on. Requests: root N+1… → timestamp → snapshot → targets → delegations as a target needs them;
// what is stored and still what the snapshot names is not asked for again.
// Not thread-safe. Several processes that share a folder find whole files at any moment; that none puts back what another took forward is for their `main` to see to (os::FolderLock). References must outlive it. Time comes in with refresh() and stays fixed until the next.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "base/seams/clock.hpp"
#include "base/seams/files.hpp"
#include "base/seams/transport.hpp"
#include "trust/core/trusted_set.hpp"

namespace creance::trust {

struct ClientOptions {
  std::string metadata_prefix = "metadata/";  // before every metadata path that the transport is asked for
  std::string targets_prefix = "targets/";
  uint32_t root_rotations_max = limits::kRootRotationsMax;
  uint32_t delegations_max = limits::kDelegationsMax;  // roles visited for one target
};

struct TargetInfo {
  TargetFileInfo file;
  std::string role;     // which role vouches for it
  std::string fetched_as;  // the path for the transport (consistent snapshots: with the hash)
};

// How far this boot of the machine has come: time that nobody sets.
struct Uptime {
  std::string boot_id;
  MonotonicTime at{};
};

class Client {
 public:
  Client(Transport& transport, FileSystem& files, std::filesystem::path metadata_dir, ClientOptions options = {});
  ~Client();
  Client(Client&&) noexcept;

  // Puts the shipped root into the folder if none is there yet. Makes no request. kInvalid, kDenied: not a root signed by itself.
  Status init(BytesView shipped_root);

  // The whole workflow up to the top-level targets. Errors: kNotFound no root in the folder · kDenied, kInvalid refused · kExpired · kUnavailable (also: a file that the tree names is not there).
  // After an error the stored files are the old or newer verified ones, and target() works no more until a refresh() succeeds.
  // Expiry is judged by `now` or by the least that signed metadata lets the time be, whichever is later (trusted()->now(); ADR 0097). With `uptime`, that floor goes on with the machine's own
  // monotonic clock and is kept in the folder as `clock`, so that a clock that is set back, and stays back, holds nothing valid that has expired.
  Status refresh(WallTime now, const std::optional<Uptime>& uptime = std::nullopt);
  // What is stored, without any request and whatever its age: for a host that must know what it last trusted. Expired metadata is kExpired.
  Status refresh_offline(WallTime now);

  // 5.6.7: pre-order, depth-first; delegated metadata is fetched, verified and stored as needed. kNotFound: nobody who may says anything about this path,
  // as far as signed metadata tells; a role or file that is named and withheld is kUnavailable, so that "none" cannot be forged by leaving something out.
  Result<TargetInfo> target(const std::string& path);
  // 5.7: the file's bytes, length and hashes checked.
  Result<Bytes> download(const TargetInfo& info);

  // Fetches and verifies one role that `delegator` delegates to, and gives its metadata: for listing what a role offers.
  Result<const Targets*> load_role(const std::string& role, const std::string& delegator = "targets");

  // After a successful refresh(): who may sign for a role of the root, or for one that the top-level targets delegate to ("rollout"). nullptr: nobody.
  const RoleKeys* role_keys(const std::string& role) const;
  const TrustedSet* trusted() const;  // nullptr before a refresh
  // After refresh(), also one that failed: by how much the clock that it was given was behind that floor; 0: it was not.
  std::chrono::milliseconds clock_behind() const;
  // The stored bytes of a role, as sent; kNotFound.
  Result<Bytes> stored(const std::string& role) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Percent-encoding of RFC 3986 (unreserved characters stay). `keep_slash`: for target paths.
std::string percent_encode(std::string_view text, bool keep_slash);
// A role's metadata in the client's folder: `<percent-encoded role>.json`, or `sha256=<64 hexadecimal digits>.json` of the role's name where that is longer than a file name can be. Different roles
// have different names: no percent-encoded one has `=` in it.
std::string stored_name(std::string_view role);

}  // namespace creance::trust
