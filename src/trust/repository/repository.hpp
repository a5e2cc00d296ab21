// The TUF tree that the control plane publishes: static files under one folder, laid out as docs/reference/protocol.md says, consistent snapshots on.
// A reader sees a whole state at any moment: target files, N.<role>.json and N.snapshot.json first, in one batch, and timestamp.json last, each written atomically (specification 6.2.1).
// A stop at any point leaves the old state; the next publication goes on from there. One writer at a time (the server); not thread-safe.
// It holds no keys: what it publishes is signed outside (content, root, targets) or by Signers that may live in another process (snapshot, timestamp, rollout, policy).
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/seams/clock.hpp"
#include "base/seams/files.hpp"
#include "trust/keys/signer.hpp"
#include "trust/repository/builder.hpp"

namespace creance::trust {

struct Lifetimes {
  std::chrono::hours snapshot{24 * 7};
  std::chrono::hours timestamp{24};
  std::chrono::hours online_role{24 * 30};  // rollout, policy
};

struct OnlineSigners {
  Signer& snapshot;
  Signer& timestamp;
};

// A new version of one delegated role (signed envelope) and the files that its targets name and the tree does not have yet.
struct RoleUpdate {
  std::string role;
  Bytes metadata;
  std::vector<TargetFile> files;
};

class Repository {
 public:
  Repository(FileSystem& files, std::filesystem::path dir, Lifetimes lifetimes = {});

  ~Repository();
  Repository(Repository&&) noexcept;

  bool exists() const;  // a tree was published here
  // First publication: signed root (version 1) and signed top-level targets (version 1, delegations only). kExists if there is a tree.
  Status create(BytesView root, BytesView targets, OnlineSigners online, WallTime now);
  // Reads the tree and checks it against its own root chain. Call once before anything below. Expired metadata is no error (the server renews it).
  Status load();

  // Checks each update as a client will (threshold of the role's keys, version above the published one, not expired, paths inside the delegation, hashes of every file that is new), then
  // publishes all of them in one snapshot. kDenied, kInvalid, kExpired: nothing was published. Disk errors: the old state stands.
  Status publish(std::vector<RoleUpdate> updates, OnlineSigners online, WallTime now);
  // Makes, signs and publishes the next version of an online role.
  Status publish_files(const std::string& role, const std::vector<TargetFile>& files, const std::vector<std::string>& removed, Signer& role_signer, OnlineSigners online, WallTime now);
  // The same for a role whose files are many and change one by one (policies): they stand in 2^bit_length bins of `role`, named "<role>-<hex>" (TAP 15), and only the bins of these files are
  // written anew. Bins are made when something is first put into them; files that `role` named itself move into theirs. `signer_of` gives the signer of `role` and of each bin (one key). ADR 0096.
  Status publish_binned(const std::string& role, uint32_t bit_length, const std::vector<TargetFile>& files, const std::vector<std::string>& removed,
                        const std::function<Signer&(const std::string&)>& signer_of, OnlineSigners online, WallTime now);
  std::vector<std::string> bins(const std::string& role) const;  // those that are published
  // The next versions of these roles, with nothing changed but when they expire, in one publication: bins that were made together also grow old together.
  Status renew_roles(const std::vector<std::string>& roles, const std::function<Signer&(const std::string&)>& signer_of, OnlineSigners online, WallTime now);
  // A new root (version + 1, signed by old and new) and, if delegations changed, new top-level targets.
  Status publish_root(BytesView root, OnlineSigners online, WallTime now);
  // What was published by delegated roles whose keys the new targets replace is signed anew in the same publication, where `signer_of` gives a signer of the role (or of a bin); nullptr: none is
  // at hand, and nobody follows that role until its persons sign again.
  Status publish_targets(BytesView targets, const std::function<Signer*(const std::string&)>& signer_of, OnlineSigners online, WallTime now);
  // Renews what has less than half of its life left: timestamp, snapshot. Returns whether something was written. Online delegated roles: renew_roles().
  Result<bool> renew(OnlineSigners online, WallTime now);

  // Puts a delta (delta/delta.hpp) between two published target files into the tree: an unsigned hint, checked by the caller. Never named by metadata.
  Status put_delta(const std::string& from_sha256, const std::string& to_sha256, BytesView delta);

  // Removes metadata, target files and deltas that none of the newest `snapshots_kept` snapshots names, directly or through its roles (deltas: leads to); roots stay for ever. A client in the middle of a refresh needs
  // the snapshot of the timestamp that it read: keep more than are published during one refresh. Returns how many files went.
  Result<uint64_t> collect_garbage(uint32_t snapshots_kept = 64);

  // Immutable files make a mirror by plain copying work: targets first, then N.*.json, then timestamp.json.
  // Read access, after load(), create() or a publication.
  Result<Bytes> metadata(const std::string& role) const;  // current envelope bytes of "root", "targets", "content", …; kNotFound: not published yet
  int64_t version(const std::string& role) const;         // 0: not published yet
  const RoleKeys* role_keys(const std::string& role) const;
  Result<Bytes> target(const std::string& path) const;    // a published target file, hash checked
  std::optional<WallTime> expires(const std::string& role) const;

 private:
  struct State;
  std::filesystem::path metadata_path(const std::string& name) const;
  Status check_update(const State& state, const RoleUpdate& update, WallTime now) const;
  Status commit(State next, const std::vector<RoleUpdate>& updates, bool new_root, OnlineSigners online, WallTime now);

  FileSystem& files_;
  std::filesystem::path dir_;
  Lifetimes lifetimes_;
  std::unique_ptr<State> state_;  // what is published; null before load() or create()
};

}  // namespace creance::trust
