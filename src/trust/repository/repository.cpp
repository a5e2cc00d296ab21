#include "trust/repository/repository.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/check.hpp"
#include "base/digest.hpp"
#include "trust/client/transports.hpp"
#include "trust/client/updater.hpp"
#include "trust/core/trusted_set.hpp"

namespace creance::trust {
namespace {

struct Published {
  Bytes bytes;
  Targets parsed;
};

// "content/r/x" → "targets/content/r/<sha256>.x"
Result<std::filesystem::path> target_file_path(const std::string& path, const std::string& sha256_hex) {
  TRY(const std::filesystem::path relative, safe_relative_path(path));
  return std::filesystem::path("targets") / relative.parent_path() / (sha256_hex + "." + relative.filename().string());
}

Result<std::string> sha256_of(const TargetFileInfo& info) {
  const auto it = info.hashes.find("sha256");
  if (it == info.hashes.end() || it->second.size() != 64) return fail(ErrorCode::kInvalid, fmt::format("target `{}`: a sha256 hash is needed", info.path));
  return it->second;
}

RoleSpec spec_of(const RoleKeys& keys) {
  RoleSpec spec;
  spec.threshold = keys.threshold;
  for (const auto& [id, key] : keys.keys) spec.keys.push_back(key);
  return spec;
}

Result<Bytes> sign_document(const Json& part, Signer& signer) {
  Signer* const signers[] = {&signer};
  return sign_document(part, signers);
}

}  // namespace

struct Repository::State {
  Root root;
  Bytes root_bytes;
  std::optional<Snapshot> snapshot;
  std::optional<Timestamp> timestamp;
  std::map<std::string, Published> roles;  // "targets" and delegated ones

  const RoleKeys* keys(const std::string& role) const {
    if (const auto top = root.roles.find(role); top != root.roles.end()) return &top->second;
    if (const Delegation* delegation = this->delegation(role)) return &delegation->role;
    const Targets* parent = bin_parent(role);
    return parent == nullptr ? nullptr : &parent->succinct->role;
  }
  // The role that delegates to `role` as one of its bins.
  const Targets* bin_parent(const std::string& role) const {
    for (const auto& [name, published] : roles) {
      if (published.parsed.succinct && published.parsed.succinct->has(role) && role.starts_with(name + "-")) return &published.parsed;
    }
    return nullptr;
  }
  // Whether `role` may say anything about `path`.
  bool may(const std::string& role, const std::string& path) const {
    if (const Delegation* own = delegation(role)) return own->covers(path);
    const Targets* parent = bin_parent(role);
    if (parent == nullptr) return false;
    const Delegation* above = delegation(role.substr(0, role.rfind('-')));
    return above != nullptr && above->covers(path) && parent->succinct->bin_of(path) == role;
  }
  // From here on `update` is what its role says.
  Status take(const RoleUpdate& update) {
    TRY(Targets parsed, Targets::parse(update.metadata));
    roles.insert_or_assign(update.role, Published{update.metadata, std::move(parsed)});
    return {};
  }
  const Delegation* delegation(const std::string& role) const {
    const auto targets = roles.find("targets");
    if (targets == roles.end()) return nullptr;
    const auto& list = targets->second.parsed.delegations;
    const auto it = std::ranges::find(list, role, &Delegation::name);
    return it == list.end() ? nullptr : &*it;
  }
};

Repository::Repository(FileSystem& files, std::filesystem::path dir, Lifetimes lifetimes) : files_(files), dir_(std::move(dir)), lifetimes_(lifetimes) {}
Repository::~Repository() = default;
Repository::Repository(Repository&&) noexcept = default;

std::filesystem::path Repository::metadata_path(const std::string& name) const { return dir_ / "metadata" / (name + ".json"); }

bool Repository::exists() const { return files_.exists(metadata_path("timestamp")); }

Status Repository::create(BytesView root, BytesView targets, OnlineSigners online, WallTime now) {
  if (exists()) return fail(ErrorCode::kExists, fmt::format("`{}` holds a published tree already", dir_.string()));
  State state;
  TRY(const TrustedSet checked, TrustedSet::start(root, WallTime{}));
  state.root = checked.root();
  state.root_bytes.assign(root.begin(), root.end());
  if (state.root.version != 1 || !state.root.consistent_snapshot) return fail(ErrorCode::kInvalid, "the first root has version 1 and consistent snapshots");
  TRY_VOID(files_.make_directories(dir_ / "metadata"));
  TRY_VOID(files_.make_directories(dir_ / "targets"));
  RoleUpdate first{"targets", Bytes(targets.begin(), targets.end()), {}};
  TRY_VOID(check_update(state, first, now));
  return commit(std::move(state), {first}, true, online, now);
}

Status Repository::load() {
  State state;
  TRY(Bytes bytes, files_.read(metadata_path("1.root"), limits::kRootBytesMax));
  TRY(TrustedSet set, TrustedSet::start(bytes, WallTime{}));  // the epoch as `now`: expired metadata is renewed, not refused
  std::optional<TrustedSet> before;                           // one root earlier
  for (;;) {
    auto next = files_.read(metadata_path(fmt::format("{}.root", set.root().version + 1)), limits::kRootBytesMax);
    if (!next && next.error().code == ErrorCode::kNotFound) break;
    if (!next) return fail(next.error());
    before = set;
    TRY_VOID(set.update_root(*next));
    bytes = *next;
  }
  state.root = set.root();
  state.root_bytes = bytes;
  // A stop between a new root and its timestamp leaves a timestamp by the earlier keys; it still says what was published.
  TRY(const Bytes timestamp, files_.read(metadata_path("timestamp"), limits::kTimestampBytesMax));
  TRY_VOID(set.finish_root());
  if (!set.update_timestamp(timestamp, Source::kRepository) && before) {
    set = *before;
    TRY_VOID(set.finish_root());
  }
  if (set.timestamp() == nullptr) TRY_VOID(set.update_timestamp(timestamp, Source::kRepository));
  state.timestamp = *set.timestamp();
  TRY(const Bytes snapshot, files_.read(metadata_path(fmt::format("{}.snapshot", state.timestamp->snapshot.version)), limits::kSnapshotBytesMax));
  TRY_VOID(set.update_snapshot(snapshot, Source::kRepository));
  state.snapshot = *set.snapshot();
  for (const auto& [file, meta] : state.snapshot->meta) {
    const std::string role = file.substr(0, file.size() - std::min<size_t>(file.size(), 5));
    TRY(Bytes role_bytes, files_.read(metadata_path(fmt::format("{}.{}", meta.version, percent_encode(role, false))), limits::kTargetsBytesMax));
    // The signed snapshot vouches for these bytes; whether today's delegation still does is the clients' question and a reason to sign anew, not to stop.
    TRY_VOID(check_length_and_hashes(role_bytes, meta.length, meta.hashes, role));
    TRY(Targets parsed, Targets::parse(role_bytes));
    state.roles.insert_or_assign(role, Published{std::move(role_bytes), std::move(parsed)});
  }
  state_ = std::make_unique<State>(std::move(state));
  return {};
}

Status Repository::check_update(const State& state, const RoleUpdate& update, WallTime now) const {
  const std::string& role = update.role;
  const RoleKeys* keys = state.keys(role);
  if (keys == nullptr) return fail(ErrorCode::kDenied, fmt::format("nobody delegates to the role `{}`", role));
  auto parsed = Targets::parse(update.metadata);
  if (!parsed) return fail(parsed.error().code, fmt::format("{}: {}", role, parsed.error().detail));
  TRY_VOID(check_signatures(parsed->envelope, *keys, role));
  const auto published = state.roles.find(role);
  const int64_t before = published == state.roles.end() ? 0 : published->second.parsed.version;
  if (parsed->version <= before) return fail(ErrorCode::kDenied, fmt::format("{}: version {} is published already; sign version {}", role, before, before + 1));
  if (parsed->expired(now)) return fail(ErrorCode::kExpired, fmt::format("{}: expired at {}", role, format_time(parsed->expires)));
  std::map<std::string, const TargetFile*> given;
  for (const TargetFile& file : update.files) given.emplace(file.path, &file);
  for (const auto& [path, info] : parsed->targets) {
    if (role != "targets" && !state.may(role, path)) return fail(ErrorCode::kDenied, fmt::format("{}: may not say anything about `{}`", role, path));
    TRY(const std::string sha256_hex, sha256_of(info));
    TRY(const std::filesystem::path place, target_file_path(path, sha256_hex));
    if (const auto file = given.find(path); file != given.end()) {
      TRY_VOID(check_length_and_hashes(file->second->bytes, info.length, info.hashes, fmt::format("target `{}`", path)));
      given.erase(file);
    } else if (!files_.exists(dir_ / place)) {
      return fail(ErrorCode::kInvalid, fmt::format("{}: the file of target `{}` is missing", role, path));
    }
  }
  if (!given.empty()) return fail(ErrorCode::kInvalid, fmt::format("{}: the file `{}` is not among the signed targets", role, given.begin()->first));
  return {};
}

// Target files, role metadata and snapshot, then a new root, then the timestamp, which makes a reader look at them. `next` becomes the state only when all of it is on the disk.
Status Repository::commit(State next, const std::vector<RoleUpdate>& updates, bool new_root, OnlineSigners online, WallTime now) {
  for (const RoleUpdate& update : updates) TRY_VOID(next.take(update));
  std::map<std::string, MetaFile> meta;
  for (const auto& [role, published] : next.roles) meta.emplace(role + ".json", meta_of(published.bytes, published.parsed.version));
  const int64_t snapshot_version = next.snapshot ? next.snapshot->version + 1 : 1;
  TRY(const Bytes snapshot, sign_document(make_snapshot(snapshot_version, now + lifetimes_.snapshot, meta), online.snapshot));
  TRY(next.snapshot, Snapshot::parse(snapshot));
  TRY_VOID(check_signatures(next.snapshot->envelope, next.root.roles.at("snapshot"), "snapshot"));
  const int64_t timestamp_version = next.timestamp ? next.timestamp->version + 1 : 1;
  TRY(const Bytes timestamp, sign_document(make_timestamp(timestamp_version, now + lifetimes_.timestamp, meta_of(snapshot, snapshot_version), now), online.timestamp));
  TRY(next.timestamp, Timestamp::parse(timestamp));
  TRY_VOID(check_signatures(next.timestamp->envelope, next.root.roles.at("timestamp"), "timestamp"));

  std::vector<FileWrite> unnamed;  // what nothing names before the timestamp does
  for (const RoleUpdate& update : updates) {
    for (const TargetFile& file : update.files) {
      TRY(const std::filesystem::path relative, target_file_path(file.path, sha256(file.bytes).hex()));
      unnamed.push_back({dir_ / relative, file.bytes});
    }
    unnamed.push_back({metadata_path(fmt::format("{}.{}", next.roles.at(update.role).parsed.version, percent_encode(update.role, false))), update.metadata});
  }
  unnamed.push_back({metadata_path(fmt::format("{}.snapshot", snapshot_version)), snapshot});
  TRY_VOID(files_.write_many(unnamed));
  if (new_root) TRY_VOID(files_.write_atomic(metadata_path(fmt::format("{}.root", next.root.version)), next.root_bytes));
  TRY_VOID(files_.write_atomic(metadata_path("timestamp"), timestamp));
  state_ = std::make_unique<State>(std::move(next));
  return {};
}

Status Repository::publish(std::vector<RoleUpdate> updates, OnlineSigners online, WallTime now) {
  CHECK(state_ != nullptr);
  for (const RoleUpdate& update : updates) TRY_VOID(check_update(*state_, update, now));
  return commit(*state_, updates, false, online, now);
}

Status Repository::publish_files(const std::string& role, const std::vector<TargetFile>& files, const std::vector<std::string>& removed, Signer& role_signer, OnlineSigners online, WallTime now) {
  CHECK(state_ != nullptr);
  const auto published = state_->roles.find(role);
  std::optional<BytesView> previous;
  if (published != state_->roles.end()) previous = published->second.bytes;
  TRY(const Json next, next_targets(previous, files, removed, now + lifetimes_.online_role));
  TRY(Bytes metadata, sign_document(next, role_signer));
  return publish({RoleUpdate{role, std::move(metadata), files}}, online, now);
}

Status Repository::publish_binned(const std::string& role, uint32_t bit_length, const std::vector<TargetFile>& files, const std::vector<std::string>& removed,
                                  const std::function<Signer&(const std::string&)>& signer_of, OnlineSigners online, WallTime now) {
  CHECK(state_ != nullptr);
  const RoleKeys* keys = role_keys(role);
  if (keys == nullptr) return fail(ErrorCode::kDenied, fmt::format("nobody delegates to the role `{}`", role));
  const WallTime expires = now + lifetimes_.online_role;
  std::vector<TargetFile> all = files;
  State next = *state_;
  std::vector<RoleUpdate> updates;
  const auto published = state_->roles.find(role);
  if (published == state_->roles.end() || !published->second.parsed.succinct || published->second.parsed.succinct->bit_length != bit_length) {
    std::vector<std::string> moved;
    if (published != state_->roles.end()) {
      for (const auto& [path, info] : published->second.parsed.targets) {
        moved.push_back(path);
        const bool anew = std::ranges::any_of(files, [&](const TargetFile& file) { return file.path == path; }) || std::ranges::find(removed, path) != removed.end();
        if (anew) continue;
        TRY(Bytes bytes, target(path));
        all.push_back({path, std::move(bytes), info.custom});
      }
    }
    TRY(Json part, next_targets(published == state_->roles.end() ? std::nullopt : std::optional<BytesView>(published->second.bytes), {}, moved, expires));
    part = with_bins(std::move(part), role, bit_length, spec_of(*keys));
    TRY(Bytes metadata, sign_document(part, signer_of(role)));
    RoleUpdate update{role, std::move(metadata), {}};
    TRY_VOID(check_update(next, update, now));
    TRY_VOID(next.take(update));
    updates.push_back(std::move(update));
  }
  const SuccinctRoles& bins = *next.roles.at(role).parsed.succinct;
  struct Change {
    std::vector<TargetFile> files;
    std::vector<std::string> removed;
  };
  std::map<std::string, Change> changes;
  for (TargetFile& file : all) {
    const std::string bin = bins.bin_of(file.path);
    changes[bin].files.push_back(std::move(file));
  }
  for (const std::string& path : removed) changes[bins.bin_of(path)].removed.push_back(path);
  for (auto& [bin, change] : changes) {
    const auto before = next.roles.find(bin);
    TRY(const Json part, next_targets(before == next.roles.end() ? std::nullopt : std::optional<BytesView>(before->second.bytes), change.files, change.removed, expires));
    TRY(Bytes metadata, sign_document(part, signer_of(bin)));
    RoleUpdate update{bin, std::move(metadata), std::move(change.files)};
    TRY_VOID(check_update(next, update, now));
    updates.push_back(std::move(update));
  }
  return commit(*state_, updates, false, online, now);
}

Status Repository::renew_roles(const std::vector<std::string>& roles, const std::function<Signer&(const std::string&)>& signer_of, OnlineSigners online, WallTime now) {
  CHECK(state_ != nullptr);
  std::vector<RoleUpdate> updates;
  for (const std::string& role : roles) {
    const auto published = state_->roles.find(role);
    if (published == state_->roles.end()) return fail(ErrorCode::kNotFound, fmt::format("the role `{}` has not published anything yet", role));
    TRY(const Json next, next_targets(published->second.bytes, {}, {}, now + lifetimes_.online_role));
    TRY(Bytes metadata, sign_document(next, signer_of(role)));
    updates.push_back({role, std::move(metadata), {}});
  }
  return updates.empty() ? Status() : publish(std::move(updates), online, now);
}

std::vector<std::string> Repository::bins(const std::string& role) const {
  std::vector<std::string> names;
  if (!state_) return names;
  const auto parent = state_->roles.find(role);
  if (parent == state_->roles.end() || !parent->second.parsed.succinct) return names;
  for (const auto& [name, published] : state_->roles) {
    if (parent->second.parsed.succinct->has(name)) names.push_back(name);
  }
  return names;
}

Status Repository::publish_root(BytesView root, OnlineSigners online, WallTime now) {
  CHECK(state_ != nullptr);
  TRY(TrustedSet set, TrustedSet::start(state_->root_bytes, now));
  TRY_VOID(set.update_root(root));
  TRY_VOID(set.finish_root());
  if (!set.root().consistent_snapshot) return fail(ErrorCode::kInvalid, "this tree needs consistent snapshots");
  TRY_VOID(check_signatures(state_->roles.at("targets").parsed.envelope, set.root().roles.at("targets"), "the published targets metadata under the new root; publish targets by both keys first"));
  State next = *state_;
  next.root = set.root();
  next.root_bytes.assign(root.begin(), root.end());
  return commit(std::move(next), {}, true, online, now);
}

Status Repository::publish_targets(BytesView targets, const std::function<Signer*(const std::string&)>& signer_of, OnlineSigners online, WallTime now) {
  CHECK(state_ != nullptr);
  std::vector<RoleUpdate> updates{{"targets", Bytes(targets.begin(), targets.end()), {}}};
  TRY_VOID(check_update(*state_, updates[0], now));
  State next = *state_;
  TRY_VOID(next.take(updates[0]));
  for (const auto& [role, published] : state_->roles) {  // in the order of names: a role comes before its bins, which its new version delegates to
    const RoleKeys* keys = role == "targets" ? nullptr : next.keys(role);
    Signer* const signer = keys == nullptr ? nullptr : signer_of(role);
    if (signer == nullptr || check_signatures(published.parsed.envelope, *keys, role)) continue;
    TRY(Json part, next_targets(published.bytes, {}, {}, now + lifetimes_.online_role));
    if (const auto& bins = published.parsed.succinct) part = with_bins(std::move(part), bins->name_prefix, bins->bit_length, spec_of(*keys));
    TRY(Bytes metadata, sign_document(part, *signer));
    RoleUpdate update{role, std::move(metadata), {}};
    TRY_VOID(check_update(next, update, now));
    TRY_VOID(next.take(update));
    updates.push_back(std::move(update));
  }
  return commit(*state_, updates, false, online, now);
}

Result<bool> Repository::renew(OnlineSigners online, WallTime now) {
  CHECK(state_ != nullptr);
  const bool snapshot_due = state_->snapshot->expires - now < lifetimes_.snapshot / 2;
  const bool timestamp_due = state_->timestamp->expires - now < lifetimes_.timestamp / 2;
  if (snapshot_due) {
    TRY_VOID(commit(*state_, {}, false, online, now));
    return true;
  }
  if (!timestamp_due) return false;
  State next = *state_;
  TRY(const Bytes timestamp, sign_document(make_timestamp(next.timestamp->version + 1, now + lifetimes_.timestamp, next.timestamp->snapshot, now), online.timestamp));
  TRY(next.timestamp, Timestamp::parse(timestamp));
  TRY_VOID(check_signatures(next.timestamp->envelope, next.root.roles.at("timestamp"), "timestamp"));
  TRY_VOID(files_.write_atomic(metadata_path("timestamp"), timestamp));
  state_ = std::make_unique<State>(std::move(next));
  return true;
}

Status Repository::put_delta(const std::string& from_sha256, const std::string& to_sha256, BytesView delta) {
  TRY(const std::filesystem::path relative, safe_relative_path(delta_path(from_sha256, to_sha256)));
  TRY_VOID(files_.make_directories((dir_ / relative).parent_path()));
  return files_.write_atomic(dir_ / relative, delta, 0644);
}

Result<uint64_t> Repository::collect_garbage(uint32_t snapshots_kept) {
  CHECK(state_ != nullptr);
  const int64_t oldest = state_->snapshot->version - std::max<int64_t>(snapshots_kept, 1) + 1;
  TRY(const auto names, files_.list(dir_ / "metadata"));
  std::set<std::string> kept_metadata;
  for (const std::string& file : names) {
    const auto name = parse_versioned_name(file);
    if (!name || name->role != "snapshot" || name->version < oldest) continue;
    TRY(const Bytes bytes, files_.read(dir_ / "metadata" / file, limits::kSnapshotBytesMax));
    TRY(const Snapshot snapshot, Snapshot::parse(bytes));
    kept_metadata.insert(file);
    for (const auto& [role, meta] : snapshot.meta) kept_metadata.insert(fmt::format("{}.{}.json", meta.version, percent_encode(role.substr(0, role.size() - std::min<size_t>(role.size(), 5)), false)));
  }
  std::set<std::filesystem::path> kept_targets;
  std::set<std::string> kept_digests;
  for (const std::string& file : kept_metadata) {
    if (parse_versioned_name(file)->role == "snapshot") continue;
    auto bytes = files_.read(dir_ / "metadata" / file, limits::kTargetsBytesMax);
    if (!bytes && bytes.error().code == ErrorCode::kNotFound) continue;  // an older run was stopped here
    if (!bytes) return fail(bytes.error());
    TRY(const Targets role, Targets::parse(*bytes));
    for (const auto& [path, info] : role.targets) {
      TRY(const std::string sha256_hex, sha256_of(info));
      TRY(std::filesystem::path place, target_file_path(path, sha256_hex));
      kept_targets.insert(std::move(place));
      kept_digests.insert(sha256_hex);
    }
  }
  uint64_t removed = 0;
  for (const std::string& file : names) {
    const auto name = parse_versioned_name(file);
    if (!name || name->role == "root" || kept_metadata.contains(file)) continue;
    TRY_VOID(files_.remove(dir_ / "metadata" / file));
    ++removed;
  }
  if (files_.exists(dir_ / "deltas")) {
    TRY(const auto deltas, files_below(files_, dir_ / "deltas"));
    for (const std::filesystem::path& file : deltas) {
      if (file.extension() != ".zst" || kept_digests.contains(file.stem().string())) continue;
      TRY_VOID(files_.remove(dir_ / "deltas" / file));
      ++removed;
    }
  }
  if (!files_.exists(dir_ / "targets")) return removed;
  TRY(const auto targets, files_below(files_, dir_ / "targets"));
  for (const std::filesystem::path& file : targets) {
    if (kept_targets.contains("targets" / file) || file.filename().string().find('.') != 64) continue;  // only what publish wrote
    TRY_VOID(files_.remove(dir_ / "targets" / file));
    ++removed;
  }
  return removed;
}

Result<Bytes> Repository::metadata(const std::string& role) const {
  if (!state_) return fail(ErrorCode::kNotFound, "no tree is loaded");
  if (role == "root") return state_->root_bytes;
  if (role == "snapshot") return state_->snapshot->envelope.to_bytes();
  if (role == "timestamp") return state_->timestamp->envelope.to_bytes();
  const auto it = state_->roles.find(role);
  if (it == state_->roles.end()) return fail(ErrorCode::kNotFound, fmt::format("the role `{}` has not published anything yet", role));
  return it->second.bytes;
}

int64_t Repository::version(const std::string& role) const {
  if (!state_) return 0;
  if (role == "root") return state_->root.version;
  if (role == "snapshot") return state_->snapshot->version;
  if (role == "timestamp") return state_->timestamp->version;
  const auto it = state_->roles.find(role);
  return it == state_->roles.end() ? 0 : it->second.parsed.version;
}

const RoleKeys* Repository::role_keys(const std::string& role) const { return state_ ? state_->keys(role) : nullptr; }

Result<Bytes> Repository::target(const std::string& path) const {
  if (!state_) return fail(ErrorCode::kNotFound, "no tree is loaded");
  for (const auto& [role, published] : state_->roles) {
    const auto it = published.parsed.targets.find(path);
    if (it == published.parsed.targets.end()) continue;
    TRY(const std::string sha256_hex, sha256_of(it->second));
    TRY(const std::filesystem::path place, target_file_path(path, sha256_hex));
    TRY(Bytes bytes, files_.read(dir_ / place, limits::kTargetBytesMax));
    TRY_VOID(check_length_and_hashes(bytes, it->second.length, it->second.hashes, path));
    return bytes;
  }
  return fail(ErrorCode::kNotFound, fmt::format("no published role lists the target `{}`", path));
}

std::optional<WallTime> Repository::expires(const std::string& role) const {
  if (!state_) return std::nullopt;
  if (role == "root") return state_->root.expires;
  if (role == "snapshot") return state_->snapshot->expires;
  if (role == "timestamp") return state_->timestamp->expires;
  const auto it = state_->roles.find(role);
  if (it == state_->roles.end()) return std::nullopt;
  return it->second.parsed.expires;
}

}  // namespace creance::trust
