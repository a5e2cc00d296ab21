// What creance-signer does with a request: checks it against what it has signed before, signs or refuses with the reason. It holds the online keys rollout, policy, snapshot,
// timestamp, and trusts the server with nothing: a taken server cannot go back, go below a floor, release what `content` did not sign, or lift a halt.
//
// Requests and answers are JSON (bytes in base64):
//   {"op":"keys"}                                                      -> {"keys":{"rollout":KEY,…}}
//   {"op":"plan","plan":B,"contents":{"content":B,"content-<tenant>":B},"releases":[B,…]} -> {}   this plan may be signed next
//   {"op":"sign","role":"timestamp","message":B (canonical JSON)}      -> {"sig":"<hex>"}      role: also a bin of policy, "policy-3f"
//   {"op":"trust","role":"root"|"targets","metadata":B}                -> {}          the next root or targets, signed offline: followed from now on, also to a new key of the signer's own
//   any                                                                -> {"error":{"code":"kDenied","detail":"…"}}
//
// INVARIANTS (each has a test): versions of a role never go back · plan sequences only grow · a plan that widens anything names a release of the current content metadata, not below
// its floor · a halted or withdrawn release rolls again only under newer content metadata · a rollout's targets hold exactly the plan approved last · a grant names a release of it.
// State is on disk before an answer leaves. Threads: one at a time.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/json.hpp"
#include "base/seams/clock.hpp"
#include "base/seams/files.hpp"
#include "plan/plan.hpp"
#include "trust/keys/signer.hpp"

namespace creance::server {

inline constexpr uint32_t kPolicyBinBits = 7;  // 128 bins: of 10,000 tenants each has 80, and one change rewrites 20 kB of policies and 20 kB of snapshot
inline constexpr std::array<std::string_view, 4> kOnlineRoles = {"rollout", "policy", "snapshot", "timestamp"};

class SignerCore {
 public:
  // `dir`: root.json, targets.json (who may sign content), keys/<role>.pem, state.json (made at the first signature). A key that is to replace one lies in keys/<role>.next.pem, until root or
  // targets name it: from then on it signs, and takes the other's place on disk.
  static Result<SignerCore> open(FileSystem& files, std::filesystem::path dir, const Clock& clock);
  Bytes handle(BytesView request);

 private:
  SignerCore(FileSystem& files, std::filesystem::path dir, const Clock& clock) : files_(&files), dir_(std::move(dir)), clock_(&clock) {}
  Status load();
  Status load_state();
  Status save_state();
  Result<Json> answer(BytesView request);
  Result<Json> approve(const JsonField& request);
  Result<Json> sign(const JsonField& request);
  Result<Json> renew_trust(const JsonField& request);
  using OwnKeys = std::map<std::string, std::unique_ptr<trust::KeyPair>, std::less<>>;
  Result<OwnKeys> read_keys(const trust::Root& root, const trust::Targets& targets) const;
  Status settle_keys();
  Result<std::map<std::string, trust::Targets>> read_contents(const JsonField& request) const;
  Status check_rollout(const plan::Rollout& next, const plan::Plan& before, const trust::Targets& content, const std::map<std::string, Bytes>& releases, WallTime now) const;
  Status check_message(const std::string& role, const Json& message);
  Status check_targets(const std::string& role, const Json& message) const;
  Status check_bins(const std::string& role, const JsonField& delegations) const;
  Status check_grant(const Json& message) const;
  Status check_snapshot(const Json& message);

  FileSystem* files_;
  std::filesystem::path dir_;
  const Clock* clock_;
  std::map<std::string, trust::RoleKeys> content_keys_;  // "content", "content-<tenant>"
  OwnKeys keys_;
  struct State {
    std::map<std::string, int64_t> versions;       // by role: newest signed
    std::map<std::string, int64_t> snapshot_meta;  // by file: newest named by a snapshot
    std::map<std::string, int64_t> content_versions;  // by role: newest seen
    plan::Plan plan;
    std::string plan_sha256;
    std::map<std::string, int64_t> halted;         // release digest -> content version then
  } state_;
};

}  // namespace creance::server
