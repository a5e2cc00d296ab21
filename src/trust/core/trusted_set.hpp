// The detailed client workflow of The Update Framework (specification section 5) as a pure state machine: bytes and `now` in, trusted metadata out. No input or output, no clock.
// Every update_… either makes the new metadata trusted and returns, or changes nothing and says why:
//   kInvalid not metadata of that role · kDenied signature, version, hash, length · kExpired its time is over · kTooLarge a limit.
// Order: the constructor's root, update_root*, finish_root, update_timestamp, update_snapshot, update_targets for "targets", then for delegated roles as the walk needs. Out of order is our bug (CHECK).
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "trust/core/metadata.hpp"

namespace creance::trust {

// Where bytes come from: what this client stored earlier (already trusted, perhaps expired or superseded: serves as the bar for rollbacks), or the repository.
enum class Source : uint8_t { kStored, kRepository };

class TrustedSet {
 public:
  // 5.1 and 5.2: `root` is the copy that was shipped or stored; `now` is fixed for the whole refresh.
  static Result<TrustedSet> start(BytesView root, WallTime now);

  // 5.3.3 to 5.3.7: exactly the next version, signed by the thresholds of the trusted root and of itself.
  Status update_root(BytesView bytes);
  // True once a key of the timestamp or snapshot role was taken away since start(): stored timestamp and snapshot must be forgotten (5.3.11).
  bool online_keys_rotated() const { return online_keys_rotated_; }
  // The time cannot be earlier than this (ADR 0097): now() rises to it and never falls. Before finish_root(); a new timestamp's `issued` does the same.
  void raise_floor(WallTime floor);
  // 5.3.10.
  Status finish_root();

  // 5.4. From kStored an expired one is kept as the bar for rollbacks. From the repository: kExists when its version equals the trusted one (discarded, no error in the caller's eyes).
  Status update_timestamp(BytesView bytes, Source source);
  Status finish_timestamp() const;  // kExpired unless the trusted timestamp is current; kNotFound without one
  // 5.5. From kStored: only the signature is checked and it becomes the bar; snapshot_is_current() then tells whether it is what the timestamp names.
  Status update_snapshot(BytesView bytes, Source source);
  bool snapshot_is_current() const;
  // 5.6.1 to 5.6.6, for "targets" and every delegated role: checked against the snapshot and against the keys of `delegator`, which must be trusted already.
  Status update_targets(BytesView bytes, const std::string& role, const std::string& delegator);

  const Root& root() const { return root_; }
  const Timestamp* timestamp() const { return timestamp_ ? &*timestamp_ : nullptr; }
  const Snapshot* snapshot() const { return snapshot_ ? &*snapshot_ : nullptr; }
  // As verified with the keys of this very delegator; nullptr: not loaded, or reached by another way (a role is never trusted by its name alone).
  const Targets* targets(const std::string& role, const std::string& delegator) const;
  const MetaFile* meta(const std::string& role) const;             // what the snapshot says about `role`; nullptr: not listed
  // The keys by which `delegator` lets `role` sign; nullptr: it does not delegate to it.
  const RoleKeys* role_keys(const std::string& role, const std::string& delegator) const;
  WallTime now() const { return now_; }                            // what expiry is judged by: the time of start(), or the floor if that is later
  std::optional<WallTime> floor() const { return floor_; }         // the least that signed metadata lets the time be; none: nothing signed says

 private:
  TrustedSet(Root root, WallTime now);
  Root root_;
  WallTime now_;
  std::optional<WallTime> floor_;
  bool online_keys_rotated_ = false;
  bool root_finished_ = false;
  bool snapshot_current_ = false;
  std::optional<Timestamp> timestamp_;
  std::optional<Snapshot> snapshot_;
  struct Loaded {
    Targets targets;
    std::string delegator;  // INVARIANT: whose keys verified it
  };
  std::map<std::string, Loaded> targets_;
};

}  // namespace creance::trust
