#include "server/control/publisher.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/digest.hpp"

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

  Bytes content;
  std::vector<Bytes> releases;
  if (auto metadata = repository_.metadata("content")) {
    content = std::move(*metadata);
    for (const plan::Rollout& rollout : next.rollouts) {
      if (auto bytes = repository_.target("content/" + rollout.release + "/release.json")) releases.push_back(std::move(*bytes));
    }
  }
  TRY_VOID(signers_.approve_plan(next, content, releases));
  TRY_VOID(repository_.publish_files("rollout", {{std::string(plan::Plan::kPath), next.to_bytes(), std::nullopt}}, {}, signers_.role("rollout"), online(), clock_.wall()));
  plan_ = std::move(next);
  return {};
}

Status Publisher::push_content(Bytes metadata, std::vector<trust::TargetFile> files) {
  std::vector<trust::RoleUpdate> updates;
  updates.push_back({"content", std::move(metadata), std::move(files)});
  return repository_.publish(std::move(updates), online(), clock_.wall());
}

Result<Publisher::Found> Publisher::release(const std::string& name) {
  if (!plan::is_release_name(name)) return fail(ErrorCode::kInvalid, fmt::format("`{}` is not a release name", name.substr(0, 64)));
  auto bytes = repository_.target("content/" + name + "/release.json");
  if (!bytes && bytes.error().code == ErrorCode::kNotFound) return fail(ErrorCode::kNotFound, fmt::format("there is no release `{}`; push it first", name));
  if (!bytes) return fail(bytes.error());
  Found found;
  TRY(found.release, plan::Release::parse(*bytes));
  found.digest = plan::release_digest(*bytes);
  found.bytes = std::move(*bytes);
  return found;
}

const plan::Policy& Publisher::policy(const std::string& tenant) {
  if (const auto known = policies_.find(tenant); known != policies_.end()) return known->second;
  plan::Policy& policy = policies_[tenant];
  policy.tenant = tenant;
  if (const auto bytes = repository_.target(plan::Policy::path(tenant))) {
    if (auto parsed = plan::Policy::parse(*bytes)) policy = std::move(*parsed);
  }
  return policy;
}

Status Publisher::put_policy(plan::Policy next) {
  next.version = policy(next.tenant).version + 1;
  TRY_VOID(repository_.publish_files("policy", {{plan::Policy::path(next.tenant), next.to_bytes(), std::nullopt}}, {}, signers_.role("policy"), online(), clock_.wall()));
  policies_[next.tenant] = std::move(next);
  return {};
}

Status Publisher::renew() {
  const WallTime now = clock_.wall();
  for (const char* role : {"rollout", "policy"}) {
    const auto expires = repository_.expires(role);
    if (!expires || *expires > now + std::chrono::hours(24 * 15)) continue;
    TRY_VOID(repository_.publish_files(role, {}, {}, signers_.role(role), online(), now));
  }
  TRY([[maybe_unused]] const bool written, repository_.renew(online(), now));
  return {};
}

Result<Bytes> Publisher::sign_grant(const plan::Grant& grant) {
  trust::Signer* const signers[] = {&signers_.role("rollout")};
  return trust::sign_document(grant.to_json(), signers);
}

}  // namespace creance::server
