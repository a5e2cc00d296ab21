#include "trust/core/trusted_set.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"

namespace creance::trust {
namespace {

Status check_version(int64_t found, int64_t needed, std::string_view what) {
  if (found == needed) return {};
  return fail(ErrorCode::kDenied, fmt::format("{}: version {} where {} is needed", what, found, needed));
}

Status check_expiry(const Common& metadata, WallTime now, std::string_view what) {
  if (!metadata.expired(now)) return {};
  return fail(ErrorCode::kExpired, fmt::format("{} expired at {} (it is {})", what, format_time(metadata.expires), format_time(now)));
}

bool lost_a_key(const RoleKeys& before, const RoleKeys& after) {
  return std::ranges::any_of(before.keys, [&](const auto& old) { return std::ranges::none_of(after.keys, [&](const auto& now) { return now.second == old.second; }); });
}

}  // namespace

TrustedSet::TrustedSet(Root root, WallTime now) : root_(std::move(root)), now_(now) {}

Result<TrustedSet> TrustedSet::start(BytesView bytes, WallTime now) {
  TRY(Root root, Root::parse(bytes));
  TRY_VOID(check_signatures(root.envelope, root.roles.at("root"), "the trusted root"));
  return TrustedSet(std::move(root), now);
}

Status TrustedSet::update_root(BytesView bytes) {
  CHECK(!root_finished_);
  TRY(Root next, Root::parse(bytes));
  const std::string what = fmt::format("root {}", root_.version + 1);
  TRY_VOID(check_signatures(next.envelope, root_.roles.at("root"), what + " by the keys of its predecessor"));
  TRY_VOID(check_signatures(next.envelope, next.roles.at("root"), what + " by its own keys"));
  TRY_VOID(check_version(next.version, root_.version + 1, what));
  for (const char* role : {"timestamp", "snapshot"}) {
    if (lost_a_key(root_.roles.at(role), next.roles.at(role))) online_keys_rotated_ = true;
  }
  root_ = std::move(next);
  return {};
}

void TrustedSet::raise_floor(WallTime floor) {
  floor_ = floor_ ? std::max(*floor_, floor) : floor;
  now_ = std::max(now_, *floor_);
}

Status TrustedSet::finish_root() {
  TRY_VOID(check_expiry(root_, now_, "root"));
  root_finished_ = true;
  return {};
}

Status TrustedSet::update_timestamp(BytesView bytes, Source source) {
  CHECK(root_finished_ && !snapshot_);
  TRY(Timestamp next, Timestamp::parse(bytes));
  TRY_VOID(check_signatures(next.envelope, root_.roles.at("timestamp"), "timestamp"));
  if (timestamp_) {
    if (next.version < timestamp_->version) {
      return fail(ErrorCode::kDenied, fmt::format("timestamp: version {} is older than {}, which is trusted already", next.version, timestamp_->version));
    }
    if (next.version == timestamp_->version) return fail(ErrorCode::kExists, "timestamp: nothing new");
    if (next.snapshot.version < timestamp_->snapshot.version) {
      return fail(ErrorCode::kDenied, fmt::format("timestamp: names snapshot {}, older than {}, which is trusted already", next.snapshot.version, timestamp_->snapshot.version));
    }
  }
  if (source == Source::kRepository) TRY_VOID(check_expiry(next, now_, "timestamp"));
  timestamp_ = std::move(next);
  if (timestamp_->issued) raise_floor(*timestamp_->issued);
  return {};
}

Status TrustedSet::finish_timestamp() const {
  if (!timestamp_) return fail(ErrorCode::kNotFound, "there is no trusted timestamp");
  return check_expiry(*timestamp_, now_, "timestamp");
}

Status TrustedSet::update_snapshot(BytesView bytes, Source source) {
  CHECK(timestamp_ && targets_.empty());
  const MetaFile& named = timestamp_->snapshot;
  const Status as_named = check_length_and_hashes(bytes, named.length, named.hashes, "snapshot");
  if (source == Source::kRepository && !as_named) return as_named;
  TRY(Snapshot next, Snapshot::parse(bytes));
  TRY_VOID(check_signatures(next.envelope, root_.roles.at("snapshot"), "snapshot"));
  if (source == Source::kStored) {
    snapshot_current_ = as_named.has_value() && next.version == named.version && !next.expired(now_);
    snapshot_ = std::move(next);
    return {};
  }
  TRY_VOID(check_version(next.version, named.version, "snapshot"));
  if (snapshot_) {
    for (const auto& [name, before] : snapshot_->meta) {
      const auto after = next.meta.find(name);
      if (after == next.meta.end()) return fail(ErrorCode::kDenied, fmt::format("snapshot: `{}` was listed before and is not any more", name));
      if (after->second.version < before.version) {
        return fail(ErrorCode::kDenied, fmt::format("snapshot: `{}` goes back from version {} to {}", name, before.version, after->second.version));
      }
    }
  }
  TRY_VOID(check_expiry(next, now_, "snapshot"));
  snapshot_ = std::move(next);
  snapshot_current_ = true;
  return {};
}

bool TrustedSet::snapshot_is_current() const { return snapshot_current_; }

Status TrustedSet::update_targets(BytesView bytes, const std::string& role, const std::string& delegator) {
  CHECK(snapshot_current_ && finish_timestamp());
  const RoleKeys* keys = role_keys(role, delegator);
  if (keys == nullptr) return fail(ErrorCode::kDenied, fmt::format("`{}` does not delegate to `{}`", delegator, role));
  const MetaFile* named = meta(role);
  if (named == nullptr) return fail(ErrorCode::kNotFound, fmt::format("the snapshot does not list the role `{}`", role));
  TRY_VOID(check_length_and_hashes(bytes, named->length, named->hashes, role));
  TRY(Targets next, Targets::parse(bytes));
  TRY_VOID(check_signatures(next.envelope, *keys, role));
  TRY_VOID(check_version(next.version, named->version, role));
  TRY_VOID(check_expiry(next, now_, role));
  targets_.insert_or_assign(role, Loaded{std::move(next), delegator});
  return {};
}

const Targets* TrustedSet::targets(const std::string& role, const std::string& delegator) const {
  const auto it = targets_.find(role);
  return it != targets_.end() && it->second.delegator == delegator ? &it->second.targets : nullptr;
}

const MetaFile* TrustedSet::meta(const std::string& role) const {
  if (!snapshot_) return nullptr;
  const auto it = snapshot_->meta.find(role + ".json");
  return it == snapshot_->meta.end() ? nullptr : &it->second;
}

const RoleKeys* TrustedSet::role_keys(const std::string& role, const std::string& delegator) const {
  if (delegator == "root") {
    const auto it = root_.roles.find(role);
    return it == root_.roles.end() ? nullptr : &it->second;
  }
  const auto it = targets_.find(delegator);
  if (it == targets_.end()) return nullptr;
  const Targets& parent = it->second.targets;
  if (parent.succinct) return parent.succinct->has(role) ? &parent.succinct->role : nullptr;
  const auto found = std::ranges::find(parent.delegations, role, &Delegation::name);
  return found == parent.delegations.end() ? nullptr : &found->role;
}

}  // namespace creance::trust
