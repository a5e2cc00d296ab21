#include "trust/repository/builder.hpp"

#include <fmt/format.h>

#include "base/digest.hpp"

namespace creance::trust {
namespace {

Json common(std::string_view type, int64_t version, WallTime expires) {
  return Json::object({{"_type", type}, {"expires", format_time(expires)}, {"spec_version", kSpecVersion}, {"version", version}});
}

// Key ids of the spec, keys added to `keys`.
Json role_json(const RoleSpec& spec, Json& keys) {
  Json keyids = Json::array();
  for (const PublicKey& key : spec.keys) {
    keyids.push(key.id());
    keys.set(key.id(), key.json());
  }
  return Json::object({{"keyids", std::move(keyids)}, {"threshold", spec.threshold}});
}

Json meta_json(const MetaFile& meta) {
  Json json = Json::object();
  if (!meta.hashes.empty()) {
    Json hashes = Json::object();
    for (const auto& [algorithm, hash] : meta.hashes) hashes.set(algorithm, hash);
    json.set("hashes", std::move(hashes));
  }
  if (meta.length) json.set("length", *meta.length);
  json.set("version", meta.version);
  return json;
}

}  // namespace

Json make_root(int64_t version, WallTime expires, const std::map<std::string, RoleSpec>& roles) {
  Json keys = Json::object();
  Json role_list = Json::object();
  for (const auto& [name, spec] : roles) role_list.set(name, role_json(spec, keys));
  Json root = common("root", version, expires);
  root.set("consistent_snapshot", true);
  root.set("keys", std::move(keys));
  root.set("roles", std::move(role_list));
  return root;
}

Json make_targets(int64_t version, WallTime expires, const std::vector<DelegationSpec>& delegations) {
  Json keys = Json::object();
  Json roles = Json::array();
  for (const DelegationSpec& delegation : delegations) {
    Json role = role_json(delegation.role, keys);
    role.set("name", delegation.name);
    Json paths = Json::array();
    for (const std::string& path : delegation.paths) paths.push(path);
    role.set("paths", std::move(paths));
    role.set("terminating", delegation.terminating);
    roles.push(std::move(role));
  }
  Json targets = common("targets", version, expires);
  targets.set("delegations", Json::object({{"keys", std::move(keys)}, {"roles", std::move(roles)}}));
  targets.set("targets", Json::object());
  return targets;
}

Json with_bins(Json part, std::string_view name_prefix, uint32_t bit_length, const RoleSpec& role) {
  Json keys = Json::object();
  Json bins = role_json(role, keys);
  bins.set("bit_length", bit_length);
  bins.set("name_prefix", name_prefix);
  part.set("delegations", Json::object({{"keys", std::move(keys)}, {"succinct_roles", std::move(bins)}}));
  return part;
}

Json make_snapshot(int64_t version, WallTime expires, const std::map<std::string, MetaFile>& meta) {
  Json::Object files;
  for (const auto& [name, file] : meta) files.emplace_back(name, meta_json(file));
  Json snapshot = common("snapshot", version, expires);
  snapshot.set("meta", Json(std::move(files)));
  return snapshot;
}

Json make_timestamp(int64_t version, WallTime expires, const MetaFile& snapshot, std::optional<WallTime> issued) {
  Json timestamp = common("timestamp", version, expires);
  if (issued) timestamp.set("issued", format_time(*issued));
  timestamp.set("meta", Json::object({{"snapshot.json", meta_json(snapshot)}}));
  return timestamp;
}

Json target_entry(const TargetFile& file) {
  Json entry = Json::object();
  if (file.custom) entry.set("custom", *file.custom);
  entry.set("hashes", Json::object({{"sha256", sha256(file.bytes).hex()}}));
  entry.set("length", file.bytes.size());
  return entry;
}

MetaFile meta_of(BytesView metadata, int64_t version) {
  return {version, static_cast<int64_t>(metadata.size()), {{"sha256", sha256(metadata).hex()}}};
}

Result<Json> next_targets(std::optional<BytesView> previous, const std::vector<TargetFile>& files, const std::vector<std::string>& removed, WallTime expires) {
  Json next;
  std::map<std::string, Json> targets;
  if (previous) {
    TRY(const Targets parsed, Targets::parse(*previous));
    next = parsed.envelope.signed_part;
    for (const Json::Member& member : next.find("targets")->members()) targets.insert(member);
    next.set("version", parsed.version + 1);
    next.set("expires", format_time(expires));
  } else {
    next = common("targets", 1, expires);
  }
  for (const std::string& path : removed) targets.erase(path);
  for (const TargetFile& file : files) {
    if (file.custom && !file.custom->is_object()) return fail(ErrorCode::kInvalid, fmt::format("target `{}`: custom must be an object", file.path));
    targets.insert_or_assign(file.path, target_entry(file));
  }
  next.set("targets", Json(Json::Object(std::make_move_iterator(targets.begin()), std::make_move_iterator(targets.end()))));
  return next;
}

}  // namespace creance::trust
