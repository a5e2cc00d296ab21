#include "server/signer/signer_core.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/digest.hpp"
#include "plan/grant.hpp"
#include "plan/release.hpp"
#include "plan/validity.hpp"
#include "trust/core/trusted_set.hpp"
#include "trust/keys/key_file.hpp"

namespace creance::server {
namespace {

Error denied(std::string detail) { return {ErrorCode::kDenied, "the signer refuses: " + std::move(detail)}; }

Result<Bytes> bytes_at(const JsonField& object, std::string_view name) {
  TRY(const auto text, object.text_at(name, 0, limits::kSignerMessageBytesMax));
  return from_base64(text);
}

bool ends_release(plan::RolloutState state) { return state == plan::RolloutState::kHalted || state == plan::RolloutState::kWithdrawn; }
bool exposes(plan::RolloutState state) { return state == plan::RolloutState::kRolling || state == plan::RolloutState::kComplete; }

// Nobody is told more by `next` than by `before`.
bool no_wider(const plan::Rollout& next, const plan::Rollout& before) {
  if (!exposes(before.state) || (next.state == plan::RolloutState::kComplete && before.state != plan::RolloutState::kComplete)) return false;
  if (next.salt != before.salt || next.ids_before != before.ids_before) return false;
  return std::ranges::all_of(next.stages, [&](const plan::Stage& stage) {
    const plan::Stage* old = before.stage(stage.ring);
    return old != nullptr && stage.go_below <= old->go_below && stage.enter_below <= old->enter_below;
  });
}

Status check_floor(const plan::Release& release, const plan::Rollout& rollout, WallTime now) {
  if (now >= release.floor.approved_until) return fail(denied(fmt::format("release `{}` was approved until {}", release.name, format_time(release.floor.approved_until))));
  for (const plan::NotBefore& entry : release.floor.not_before) {
    if (now >= entry.time) continue;
    const auto limit = entry.share == 0 ? 0 : plan::limit_of_share(entry.share);
    if (limit == plan::kEveryCohort) continue;
    const plan::Stage* stage = rollout.stage(entry.ring);
    const bool below = rollout.state == plan::RolloutState::kComplete || (stage != nullptr && stage->go_below > limit);
    if (below) return fail(denied(fmt::format("release `{}` may go beyond {} millionths of ring `{}` only from {}", release.name, entry.share, to_string(entry.ring), format_time(entry.time))));
  }
  return {};
}

const trust::SuccinctRoles& policy_bins() {
  static const trust::SuccinctRoles bins = [] {
    trust::SuccinctRoles made;
    made.name_prefix = "policy";
    made.bit_length = kPolicyBinBits;
    return made;
  }();
  return bins;
}

// Who may sign content: everybody's, and tenants' own.
Result<std::map<std::string, trust::RoleKeys>> content_keys_of(const trust::Targets& targets) {
  std::map<std::string, trust::RoleKeys> keys;
  for (const trust::Delegation& delegation : targets.delegations) {
    if (delegation.name == "content" || delegation.name.starts_with("content-")) keys.emplace(delegation.name, delegation.role);
  }
  if (!keys.contains("content")) return fail(ErrorCode::kInvalid, "it delegates to no role `content`");
  return keys;
}

int64_t version_of(const std::map<std::string, int64_t>& versions, const std::string& role) {
  const auto known = versions.find(role);
  return known == versions.end() ? 0 : known->second;
}

Json number_map(const std::map<std::string, int64_t>& map) {
  Json object = Json::object();
  for (const auto& [name, value] : map) object.set(name, value);
  return object;
}

Result<std::map<std::string, int64_t>> read_number_map(const JsonField& object, std::string_view name) {
  TRY(const auto field, object.at(name));
  TRY(const auto members, field.members());
  std::map<std::string, int64_t> map;
  for (const auto& [key, value] : members) {
    TRY(const auto number, value.integer());
    map[key] = number;
  }
  return map;
}

}  // namespace

Result<SignerCore> SignerCore::open(FileSystem& files, std::filesystem::path dir, const Clock& clock) {
  SignerCore core(files, std::move(dir), clock);
  TRY_VOID(core.load());
  return core;
}

Status SignerCore::load() {
  TRY(const auto root_bytes, files_->read(dir_ / "root.json", limits::kRootBytesMax));
  TRY(const auto root, trust::Root::parse(root_bytes));
  TRY_VOID(trust::check_signatures(root.envelope, root.roles.at("root"), "root"));
  TRY(const auto targets_bytes, files_->read(dir_ / "targets.json", limits::kTargetsBytesMax));
  TRY(const auto targets, trust::Targets::parse(targets_bytes));
  TRY_VOID(trust::check_signatures(targets.envelope, root.roles.at("targets"), "targets"));
  auto keys = content_keys_of(targets);
  if (!keys) return fail(keys.error().code, fmt::format("`{}`: {}", (dir_ / "targets.json").string(), keys.error().detail));
  content_keys_ = std::move(*keys);
  TRY(keys_, read_keys(root, targets));
  TRY_VOID(settle_keys());
  return load_state();
}

// Of each role the key that root or targets name: the next one, if they name it already.
Result<SignerCore::OwnKeys> SignerCore::read_keys(const trust::Root& root, const trust::Targets& targets) const {
  OwnKeys keys;
  for (const std::string_view role : kOnlineRoles) {
    const auto named = [&](const trust::KeyPair& key) {
      const trust::RoleKeys* who = nullptr;
      if (const auto top = root.roles.find(std::string(role)); top != root.roles.end()) who = &top->second;
      if (const auto below = std::ranges::find(targets.delegations, role, &trust::Delegation::name); who == nullptr && below != targets.delegations.end()) who = &below->role;
      return who == nullptr || std::ranges::any_of(who->keys, [&](const auto& entry) { return entry.second == key.public_key(); });
    };
    const std::filesystem::path now = dir_ / "keys" / fmt::format("{}.pem", role), next = dir_ / "keys" / fmt::format("{}.next.pem", role);
    if (files_->exists(next)) {
      TRY(auto key, trust::load_key(*files_, next));
      if (named(key)) {
        keys.emplace(role, std::make_unique<trust::KeyPair>(std::move(key)));
        continue;
      }
    }
    TRY(auto key, trust::load_key(*files_, now));
    if (!named(key)) return fail(denied(fmt::format("the role `{}` is given to a key that is not here; put its private half into `{}` first", role, next.string())));
    keys.emplace(role, std::make_unique<trust::KeyPair>(std::move(key)));
  }
  return keys;
}

// The next key that signs already takes the place of the one before it. A stop in between changes nothing: read_keys() finds it again.
Status SignerCore::settle_keys() {
  for (const auto& [role, key] : keys_) {
    const std::filesystem::path next = dir_ / "keys" / (role + ".next.pem");
    if (!files_->exists(next)) continue;
    TRY(const auto waiting, trust::load_key(*files_, next));
    if (waiting.public_key() != key->public_key()) continue;
    TRY(const Bytes bytes, files_->read(next, limits::kSignerMessageBytesMax));
    TRY_VOID(files_->write_atomic(dir_ / "keys" / (role + ".pem"), bytes, 0600));
    TRY_VOID(files_->remove(next));
  }
  return {};
}

Status SignerCore::load_state() {
  const auto path = dir_ / "state.json";
  if (!files_->exists(path)) return {};
  TRY(const auto bytes, files_->read(path, limits::kSignerMessageBytesMax));
  TRY(const Json value, parse_json(bytes, {.bytes_max = limits::kSignerMessageBytesMax}));
  const JsonField object(value, path.string());
  TRY(state_.versions, read_number_map(object, "versions"));
  TRY(state_.snapshot_meta, read_number_map(object, "snapshot_meta"));
  TRY(state_.halted, read_number_map(object, "halted"));
  TRY(state_.content_versions, read_number_map(object, "content_versions"));
  TRY(const auto plan_bytes, bytes_at(object, "plan"));
  if (plan_bytes.empty()) return {};
  TRY(state_.plan, plan::Plan::parse(plan_bytes));
  state_.plan_sha256 = sha256(plan_bytes).hex();
  return {};
}

Status SignerCore::save_state() {
  const std::string plan = state_.plan_sha256.empty() ? std::string() : to_base64(state_.plan.to_bytes());
  const Json value = Json::object({{"versions", number_map(state_.versions)}, {"snapshot_meta", number_map(state_.snapshot_meta)}, {"halted", number_map(state_.halted)},
                                   {"content_versions", number_map(state_.content_versions)}, {"plan", plan}});
  return files_->write_atomic(dir_ / "state.json", as_bytes(to_json(value)), 0600);
}

Bytes SignerCore::handle(BytesView request) {
  const State before = state_;
  auto result = answer(request);
  if (result && state_.plan_sha256 == before.plan_sha256 && state_.versions == before.versions && state_.snapshot_meta == before.snapshot_meta && state_.halted == before.halted &&
      state_.content_versions == before.content_versions) {
    const std::string text = to_json(*result);
    return Bytes(text.begin(), text.end());
  }
  if (result) {
    if (auto saved = save_state(); !saved) result = fail(saved.error());
  }
  if (!result) {
    state_ = before;
    result = Json::object({{"error", Json::object({{"code", static_cast<int>(result.error().code)}, {"detail", result.error().detail}})}});
  }
  const std::string text = to_json(*result);
  return Bytes(text.begin(), text.end());
}

Result<Json> SignerCore::answer(BytesView request) {
  TRY(const Json value, parse_json(request, {.bytes_max = limits::kSignerMessageBytesMax}));
  const JsonField object(value, "request");
  TRY(const auto op, object.text_at("op"));
  if (op == "plan") return approve(object);
  if (op == "sign") return sign(object);
  if (op == "trust") return renew_trust(object);
  if (op != "keys") return fail(ErrorCode::kInvalid, "request.op: must be `keys`, `plan`, `sign` or `trust`");
  Json keys = Json::object();
  for (const auto& [role, key] : keys_) keys.set(role, key->public_key().json());
  return Json::object({{"keys", keys}});
}

// One document at a time, each replaced in one step: after a stop the two on the disk still fit each other.
Result<Json> SignerCore::renew_trust(const JsonField& request) {
  TRY(const auto role, request.text_at("role"));
  TRY(const auto next, bytes_at(request, "metadata"));
  if (role != "root" && role != "targets") return fail(ErrorCode::kInvalid, "request.role: must be `root` or `targets`");
  const auto path = dir_ / (role + ".json");
  TRY(const auto root_bytes, files_->read(dir_ / "root.json", limits::kRootBytesMax));
  TRY(const auto targets_bytes, files_->read(dir_ / "targets.json", limits::kTargetsBytesMax));
  if (next == (role == "root" ? root_bytes : targets_bytes)) return Json::object();  // asked again after a stop
  TRY(const auto targets, trust::Targets::parse(role == "root" ? targets_bytes : next));
  TRY(const auto root, trust::Root::parse(role == "root" ? next : root_bytes));
  if (role == "root") {
    TRY(auto set, trust::TrustedSet::start(root_bytes, clock_->wall()));
    TRY_VOID(set.update_root(next));
    TRY_VOID(set.finish_root());
    if (auto fits = trust::check_signatures(targets.envelope, set.root().roles.at("targets"), "the targets metadata under the new root"); !fits) return fail(denied(fits.error().detail + "; publish targets signed by both keys first"));
  } else {
    TRY_VOID(trust::check_signatures(targets.envelope, root.roles.at("targets"), "targets"));
    TRY(const auto before, trust::Targets::parse(targets_bytes));
    if (targets.version <= before.version) return fail(denied(fmt::format("targets version {} does not follow {}", targets.version, before.version)));
    if (targets.expired(clock_->wall())) return fail(denied("the targets metadata has expired"));
  }
  auto keys = content_keys_of(targets);
  if (!keys) return fail(denied("the targets metadata: " + keys.error().detail));
  TRY(auto own, read_keys(root, targets));
  TRY_VOID(files_->write_atomic(path, next, 0644));
  content_keys_ = std::move(*keys);
  keys_ = std::move(own);
  TRY_VOID(settle_keys());
  return Json::object();
}

Result<Json> SignerCore::approve(const JsonField& request) {
  TRY(const auto plan_bytes, bytes_at(request, "plan"));
  TRY(const auto next, plan::Plan::parse(plan_bytes));
  if (next.to_bytes() != plan_bytes) return fail(denied("the plan is not in its canonical form"));
  const std::string digest = sha256(plan_bytes).hex();
  if (digest == state_.plan_sha256) return Json::object();  // asked again after a stop
  if (next.sequence <= state_.plan.sequence) return fail(denied(fmt::format("plan sequence {} does not follow {}", next.sequence, state_.plan.sequence)));

  TRY(const auto contents, read_contents(request));
  const auto content_of = [&](const plan::Rollout& rollout) -> const trust::Targets& {
    static const trust::Targets none;  // version 0: nothing was released yet
    const auto known = contents.find(plan::content_role(rollout.release));
    return known == contents.end() ? none : known->second;
  };
  std::map<std::string, Bytes> releases;
  TRY(const auto list, request.at("releases"));
  TRY(const auto elements, list.elements(limits::kRolloutsInPlanMax));
  for (const JsonField& element : elements) {
    TRY(const auto text, element.text(0, limits::kSignerMessageBytesMax));
    TRY(auto bytes, from_base64(text));
    releases[sha256(bytes).hex()] = std::move(bytes);
  }
  const WallTime now = clock_->wall();
  for (const plan::Rollout& rollout : next.rollouts) TRY_VOID(check_rollout(rollout, state_.plan, content_of(rollout), releases, now));
  for (const plan::Rollout& old : state_.plan.rollouts) {  // what was halted may not be forgotten and then come back
    if (ends_release(old.state)) state_.halted.try_emplace(old.release_digest.hex(), version_of(state_.content_versions, plan::content_role(old.release)));
  }
  for (const plan::Rollout& rollout : next.rollouts) {
    if (ends_release(rollout.state)) state_.halted.try_emplace(rollout.release_digest.hex(), content_of(rollout).version);
    else state_.halted.erase(rollout.release_digest.hex());
  }
  for (const auto& [role, content] : contents) state_.content_versions[role] = content.version;
  state_.plan = next;
  state_.plan_sha256 = digest;
  return Json::object();
}

// Each signed by its own role, none older than what was seen, and none that was seen left out.
Result<std::map<std::string, trust::Targets>> SignerCore::read_contents(const JsonField& request) const {
  TRY(const auto field, request.at("contents"));
  TRY(const auto members, field.members());
  std::map<std::string, trust::Targets> contents;
  for (const auto& [role, value] : members) {
    const auto keys = content_keys_.find(role);
    if (keys == content_keys_.end()) return fail(denied(fmt::format("nobody may sign content as `{}`", role.substr(0, 100))));
    TRY(const auto text, value.text(0, limits::kSignerMessageBytesMax));
    TRY(const auto bytes, from_base64(text));
    TRY(trust::Targets content, trust::Targets::parse(bytes));
    TRY_VOID(trust::check_signatures(content.envelope, keys->second, role));
    contents.emplace(role, std::move(content));
  }
  for (const auto& [role, version] : state_.content_versions) {
    const auto known = contents.find(role);
    const int64_t now = known == contents.end() ? 0 : known->second.version;
    if (now < version && content_keys_.contains(role)) return fail(denied(fmt::format("{} version {} is older than {}, which was seen before", role, now, version)));
  }
  return contents;
}

Status SignerCore::check_rollout(const plan::Rollout& next, const plan::Plan& before, const trust::Targets& content, const std::map<std::string, Bytes>& releases, WallTime now) const {
  if (ends_release(next.state)) return {};  // halting never needs approval
  const std::string digest = next.release_digest.hex();
  if (const auto halted = state_.halted.find(digest); halted != state_.halted.end() && content.version <= halted->second) {
    return fail(denied(fmt::format("release `{}` was halted under content version {}: only newer content metadata lifts that", next.release, halted->second)));
  }
  const plan::Rollout* old = before.find(next.release_digest);
  if (!exposes(next.state) || (old != nullptr && no_wider(next, *old))) return {};
  if (content.version == 0) return fail(denied(fmt::format("no signed metadata of the role `{}`, which must approve release `{}`", plan::content_role(next.release), next.release)));
  if (auto bounded = plan::check_days(content.expires, now, "content metadata would be valid"); !bounded) return fail(denied(bounded.error().detail));
  if (content.expired(now)) return fail(denied(fmt::format("content metadata expired at {}", format_time(content.expires))));
  const auto bytes = releases.find(digest);
  if (bytes == releases.end()) return fail(denied(fmt::format("no release document with digest {}", digest)));
  TRY(const auto release, plan::Release::parse(bytes->second));
  if (release.name != next.release) return fail(denied(fmt::format("the plan calls release `{}` `{}`", release.name, next.release)));
  const auto target = content.targets.find(release.path());
  if (target == content.targets.end()) return fail(denied(fmt::format("{} version {} does not hold release `{}`", plan::content_role(release.name), content.version, release.name)));
  TRY_VOID(trust::check_length_and_hashes(bytes->second, target->second.length, target->second.hashes, release.path()));
  return check_floor(release, next, now);
}

Result<Json> SignerCore::sign(const JsonField& request) {
  TRY(const auto role, request.text_at("role"));
  const auto key = keys_.find(policy_bins().has(role) ? "policy" : role);
  if (key == keys_.end()) return fail(denied(fmt::format("it holds no key for role `{}`", role)));
  TRY(const auto message, bytes_at(request, "message"));
  TRY(const Json value, parse_json(message, {.bytes_max = limits::kSignerMessageBytesMax}));
  TRY(const auto canonical, canonical_json(value));
  if (canonical != message) return fail(denied("the message is not canonical JSON"));
  TRY_VOID(check_message(role, value));
  TRY(const auto signature, key->second->sign(message));
  return Json::object({{"sig", to_hex(signature)}});
}

Status SignerCore::check_message(const std::string& role, const Json& message) {
  const JsonField object(message, "message");
  TRY(const auto type, object.text_at("_type"));
  if (role == "rollout" && type == "grant") return check_grant(message);
  const std::string expected = role == "rollout" || role == "policy" || policy_bins().has(role) ? "targets" : role;
  if (type != expected) return fail(denied(fmt::format("role `{}` does not sign `{}`", role, type)));
  TRY(const auto version, object.integer_at("version", 1));
  int64_t& last = state_.versions[role];
  if (version < last) return fail(denied(fmt::format("`{}` version {} is older than {}", role, version, last)));
  TRY(const auto expires, object.time_at("expires"));
  if (auto bounded = plan::check_days(expires, clock_->wall(), fmt::format("`{}` would be valid", role)); !bounded) return fail(denied(bounded.error().detail));
  TRY(const auto issued, object.find("issued"));
  if (issued) {  // hosts take it for the least that the time can be: a taken server must not drive their clocks on
    TRY(const auto said, object.time_at("issued"));
    if (said > clock_->wall() + std::chrono::minutes(1)) return fail(denied(fmt::format("`{}` would be issued at {}, which is not now", role, format_time(said))));
  }
  if (type == "targets") TRY_VOID(check_targets(role, message));
  if (role == "snapshot") TRY_VOID(check_snapshot(message));
  last = version;
  return {};
}

Status SignerCore::check_targets(const std::string& role, const Json& message) const {
  const JsonField object(message, "message");
  TRY(const auto delegations, object.find("delegations"));
  if (delegations) {
    TRY(const auto roles, delegations->find("roles"));
    TRY(const auto succinct, delegations->find("succinct_roles"));
    if (roles && !(roles->value().is_array() && roles->value().elements().empty())) return fail(denied(fmt::format("role `{}` delegates to nobody", role)));
    if (succinct) TRY_VOID(check_bins(role, *delegations));
  }
  TRY(const auto targets, object.at("targets"));
  TRY(const auto files, targets.members());
  for (const auto& [path, file] : files) {
    const bool in_bin = policy_bins().has(role);
    if (!trust::path_matches((in_bin ? "policy" : role) + "/*", path) || (in_bin && policy_bins().bin_of(path) != role)) return fail(denied(fmt::format("role `{}` does not sign `{}`", role, path)));
    if (role != "rollout") continue;
    TRY(const auto hashes, file.at("hashes"));
    TRY(const auto digest, hashes.text_at("sha256"));
    if (path != plan::Plan::kPath || digest != state_.plan_sha256) return fail(denied(fmt::format("`{}` is not the plan that was approved last", path)));
  }
  return {};
}

// Policy delegates to bins of its own key and to nobody else.
Status SignerCore::check_bins(const std::string& role, const JsonField& delegations) const {
  TRY(const auto keys, delegations.at("keys"));
  TRY(const auto listed, keys.members());
  TRY(const auto bins, delegations.at("succinct_roles"));
  TRY(const auto prefix, bins.text_at("name_prefix"));
  TRY(const auto bits, bins.integer_at("bit_length"));
  const trust::PublicKey& own = keys_.at("policy")->public_key();
  bool fits = role == "policy" && prefix == "policy" && bits == kPolicyBinBits && listed.size() == 1;
  if (fits) {
    TRY(const trust::PublicKey key, trust::PublicKey::from_json(listed[0].second));
    fits = key == own;
  }
  if (!fits) return fail(denied(fmt::format("role `{}` delegates to bins of its own key alone", role)));
  return {};
}

Status SignerCore::check_grant(const Json& message) const {
  TRY(const auto grant, plan::Grant::parse(message));
  const plan::Rollout* rollout = state_.plan.find(grant.release_digest);
  if (rollout == nullptr) return fail(denied("the grant names a release that is not in the plan"));
  if (!exposes(rollout->state)) return fail(denied(fmt::format("the rollout of `{}` is {}", rollout->release, to_string(rollout->state))));
  if (grant.expires > clock_->wall() + std::chrono::hours(1)) return fail(denied("a grant lives for one hour at most"));
  return {};
}

Status SignerCore::check_snapshot(const Json& message) {
  TRY(const auto meta, JsonField(message, "message").at("meta"));
  TRY(const auto files, meta.members());
  std::map<std::string, int64_t> now;
  for (const auto& [name, file] : files) {
    TRY(const auto version, file.integer_at("version", 1));
    now[name] = version;
  }
  for (const auto& [name, version] : state_.snapshot_meta) {
    const auto found = now.find(name);
    if (found == now.end() || found->second < version) return fail(denied(fmt::format("the snapshot takes `{}` back from version {}", name, version)));
  }
  state_.snapshot_meta = std::move(now);
  return {};
}

}  // namespace creance::server
