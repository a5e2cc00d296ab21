#include "server/control/publisher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/digest.hpp"
#include "plan/evidence.hpp"
#include "plan/validity.hpp"
#include "trust/delta/delta.hpp"

namespace creance::server {
namespace {

constexpr const char* kSequenceKey = "plan_sequence";

int64_t number(const Result<std::string>& text) {
  int64_t value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

}  // namespace

trust::OnlineSigners Publisher::online() { return {signers_.role("snapshot"), signers_.role("timestamp")}; }

Status Publisher::start() {
  const auto bytes = repository_.target(std::string(plan::Plan::kPath));
  if (!bytes && bytes.error().code != ErrorCode::kNotFound) return fail(bytes.error());
  if (!bytes) return publish_rollouts({});
  TRY(plan_, plan::Plan::parse(*bytes));
  return {};
}

Status Publisher::publish_rollouts(std::vector<plan::Rollout> rollouts) {
  if (plan_.sequence > 0 && rollouts == plan_.rollouts) return {};
  plan::Plan next;
  next.sequence = std::max(plan_.sequence, number(store_.get(kSequenceKey))) + 1;
  next.issued = std::chrono::floor<std::chrono::seconds>(clock_.wall());
  next.rollouts = std::move(rollouts);
  TRY_VOID(store_.set(kSequenceKey, std::to_string(next.sequence)));  // a sequence is used once, also by an attempt that fails

  std::map<std::string, Bytes> contents;
  std::vector<Bytes> releases;
  for (const std::string& role : content_roles()) {
    if (auto metadata = repository_.metadata(role)) contents.emplace(role, std::move(*metadata));
  }
  for (const plan::Rollout& rollout : next.rollouts) {
    if (auto bytes = repository_.target(plan::release_folder(rollout.release) + "/release.json")) releases.push_back(std::move(*bytes));
  }
  TRY_VOID(signers_.approve_plan(next, contents, releases));
  TRY_VOID(repository_.publish_files("rollout", {{std::string(plan::Plan::kPath), next.to_bytes(), std::nullopt}}, {}, signers_.role("rollout"), online(), clock_.wall()));
  plan_ = std::move(next);
  return {};
}

// Every delta is tried before anything is written: what lies in the tree leads somewhere.
Status Publisher::check_deltas(const std::string& role, const std::vector<trust::TargetFile>& files, const std::vector<Delta>& deltas) {
  TRY(const Bytes content, repository_.metadata(role));
  TRY(const trust::Targets published, trust::Targets::parse(content));
  for (const Delta& delta : deltas) {
    const auto to = std::ranges::find(files, delta.path, &trust::TargetFile::path);
    const auto from = std::ranges::find_if(published.targets, [&](const auto& target) {
      const auto hash = target.second.hashes.find("sha256");
      return hash != target.second.hashes.end() && hash->second == delta.from_sha256;
    });
    if (to == files.end() || from == published.targets.end()) return fail(ErrorCode::kInvalid, fmt::format("the delta for `{}` does not lead from a published file to one that is pushed", delta.path));
    TRY(const Bytes base, repository_.target(from->first));
    const auto made = trust::apply_delta(base, delta.bytes, to->bytes.size());
    if (!made || *made != to->bytes) return fail(ErrorCode::kInvalid, fmt::format("the delta for `{}` does not make that file", delta.path));
  }
  return {};
}

Status Publisher::check_evidence(const std::vector<trust::TargetFile>& files) const {
  for (const trust::TargetFile& file : files) {
    if (!file.path.ends_with("/release.json")) continue;
    TRY(const plan::Release release, plan::Release::parse(file.bytes));
    const auto evidence = std::ranges::find(files, plan::Evidence::path(release.name), &trust::TargetFile::path);
    if (evidence == files.end()) return fail(ErrorCode::kDenied, fmt::format("release `{}` comes without evidence, which this server requires", release.name));
    TRY_VOID(plan::Evidence::check(evidence->bytes, release));
  }
  return {};
}

std::vector<std::string> Publisher::content_roles() const {
  std::vector<std::string> roles;
  const auto targets = repository_.metadata("targets");
  const auto parsed = targets ? trust::Targets::parse(*targets) : Result<trust::Targets>(fail(targets.error()));
  if (!parsed) return roles;
  for (const trust::Delegation& delegation : parsed->delegations) {
    if (delegation.name == "content" || delegation.name.starts_with("content-")) roles.push_back(delegation.name);
  }
  return roles;
}

Status Publisher::push_content(const std::string& role, Bytes metadata, std::vector<trust::TargetFile> files, std::vector<Delta> deltas) {
  const std::vector<std::string> roles = content_roles();
  if (std::ranges::find(roles, role) == roles.end()) return fail(ErrorCode::kDenied, fmt::format("nobody may sign content as `{}`; the ceremony adds it to the targets metadata: creance keys change --role {} --add …", role, role));
  TRY(const trust::Targets next, trust::Targets::parse(metadata));
  TRY_VOID(plan::check_days(next.expires, clock_.wall(), fmt::format("{}: the metadata would be valid", role)));
  if (require_evidence_) TRY_VOID(check_evidence(files));
  if (!deltas.empty()) TRY_VOID(check_deltas(role, files, deltas));
  // Before the metadata: whoever learns of a new file finds its deltas. Those of a push that fails afterwards are garbage.
  for (const Delta& delta : deltas) {
    const auto to = std::ranges::find(files, delta.path, &trust::TargetFile::path);
    TRY_VOID(repository_.put_delta(delta.from_sha256, sha256(to->bytes).hex(), delta.bytes));
  }
  std::vector<trust::RoleUpdate> updates;
  updates.push_back({role, std::move(metadata), std::move(files)});
  return repository_.publish(std::move(updates), online(), clock_.wall());
}

Status Publisher::publish_trust(const std::string& role, BytesView metadata) {
  TRY_VOID(signers_.renew_trust(role, metadata));
  if (role == "root") return repository_.publish_root(metadata, online(), clock_.wall());
  const auto signer_of = [this](const std::string& name) -> trust::Signer* {
    const bool is_online = name == "rollout" || name == "policy" || name.starts_with("policy-");
    return is_online ? &signers_.role(name) : nullptr;
  };
  return repository_.publish_targets(metadata, signer_of, online(), clock_.wall());
}

Result<Publisher::Found> Publisher::release(const std::string& name) {
  if (!plan::is_release_name(name)) return fail(ErrorCode::kInvalid, fmt::format("`{}` is not a release name", name.substr(0, 64)));
  auto bytes = repository_.target(plan::release_folder(name) + "/release.json");
  if (!bytes && bytes.error().code == ErrorCode::kNotFound) return fail(ErrorCode::kNotFound, fmt::format("there is no release `{}`; push it first", name));
  if (!bytes) return fail(bytes.error());
  Found found;
  TRY(found.release, plan::Release::parse(*bytes));
  found.digest = plan::release_digest(*bytes);
  found.bytes = std::move(*bytes);
  return found;
}

Result<plan::DenyList> Publisher::deny_list() {
  const auto bytes = repository_.target(std::string(plan::DenyList::kPath));
  if (!bytes && bytes.error().code == ErrorCode::kNotFound) return plan::DenyList{};
  if (!bytes) return fail(bytes.error());
  return plan::DenyList::parse(*bytes);
}

Result<plan::Policy> Publisher::published_policy(const std::string& tenant) {
  if (const auto known = policies_.find(tenant); known != policies_.end() && known->second.version > 0) return known->second;
  TRY(Bytes bytes, repository_.target(plan::Policy::path(tenant)));
  if (trust::is_sealed_document(bytes)) {
    TRY(const trust::SealKey key, tenant_key(tenant));
    TRY(trust::Opened opened, trust::open_document_sealed_as(plan::Policy::path(tenant), bytes, key));
    bytes = std::move(opened.plain);
  }
  return plan::Policy::parse(bytes);
}

const plan::Policy& Publisher::policy(const std::string& tenant) {
  if (const auto known = policies_.find(tenant); known != policies_.end()) return known->second;
  auto published = published_policy(tenant);
  plan::Policy& policy = policies_[tenant];
  policy.tenant = tenant;
  if (published) policy = std::move(*published);
  return policy;
}

Result<std::vector<std::string>> Publisher::policy_tenants() const {
  constexpr std::string_view kFolder = "policy/", kEnd = ".json";
  std::vector<std::string> tenants;
  std::vector<std::string> roles = repository_.bins("policy");
  roles.push_back("policy");
  for (const std::string& role : roles) {
    const auto metadata = repository_.metadata(role);
    if (!metadata && metadata.error().code == ErrorCode::kNotFound) continue;
    if (!metadata) return fail(metadata.error());
    TRY(const trust::Targets targets, trust::Targets::parse(*metadata));
    for (const auto& [path, info] : targets.targets) {
      if (path.starts_with(kFolder) && path.ends_with(kEnd)) tenants.push_back(path.substr(kFolder.size(), path.size() - kFolder.size() - kEnd.size()));
    }
  }
  std::ranges::sort(tenants);
  tenants.erase(std::ranges::unique(tenants).begin(), tenants.end());
  return tenants;
}

Result<trust::SealKey> Publisher::tenant_key(const std::string& tenant) {
  const std::string name = "tenant_key/" + tenant;
  const auto kept = store_.get(name);
  if (!kept && kept.error().code != ErrorCode::kNotFound) return fail(kept.error());
  if (!kept) {
    const trust::SealKey key = trust::SealKey::generate();
    TRY_VOID(store_.set(name, to_hex(key.raw())));
    return key;
  }
  TRY(const Bytes raw, from_hex(*kept));
  return trust::SealKey::from_raw(raw);
}

Status Publisher::put_policy(plan::Policy next) {
  const auto published = published_policy(next.tenant);
  if (!published && published.error().code != ErrorCode::kNotFound) return fail(published.error());
  next.version = published ? published->version + 1 : 1;
  const std::string path = plan::Policy::path(next.tenant);
  TRY(const trust::SealKey key, tenant_key(next.tenant));
  TRY(Bytes sealed, trust::seal_document(path, next.version, next.to_bytes(), key.public_key()));
  TRY_VOID(repository_.publish_binned("policy", kPolicyBinBits, {{path, std::move(sealed), std::nullopt}}, {}, [this](const std::string& role) -> trust::Signer& { return signers_.role(role); },
                                      online(), clock_.wall()));
  policies_[next.tenant] = std::move(next);
  return {};
}

Status Publisher::renew() {
  const WallTime now = clock_.wall();
  std::vector<std::string> roles = repository_.bins("policy");
  roles.insert(roles.end(), {"rollout", "policy"});
  std::erase_if(roles, [&](const std::string& role) {
    const auto expires = repository_.expires(role);
    return !expires || *expires > now + std::chrono::hours(24 * 15);
  });
  TRY_VOID(repository_.renew_roles(roles, [this](const std::string& role) -> trust::Signer& { return signers_.role(role); }, online(), now));
  TRY([[maybe_unused]] const bool written, repository_.renew(online(), now));
  return {};
}

Result<Bytes> Publisher::sign_grant(const plan::Grant& grant) {
  trust::Signer* const signers[] = {&signers_.role("rollout")};
  return trust::sign_document(grant.to_json(), signers);
}

}  // namespace creance::server
