// What the server publishes into the TUF tree: content that people signed, plans, policies, renewals. Holds no keys (signer/link.hpp) and decides nothing.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/seams/clock.hpp"
#include "plan/grant.hpp"
#include "plan/plan.hpp"
#include "plan/policy.hpp"
#include "plan/release.hpp"
#include "server/signer/link.hpp"
#include "server/store/store.hpp"
#include "trust/keys/seal.hpp"
#include "trust/repository/repository.hpp"

namespace creance::server {

class Publisher {
 public:
  Publisher(trust::Repository& repository, RemoteSigners& signers, Store& store, const Clock& clock) : repository_(repository), signers_(signers), store_(store), clock_(clock) {}
  // Reads the published plan; publishes an empty one if there is none.
  Status start();

  const plan::Plan& plan() const { return plan_; }
  // Publishes these rollouts under the next sequence, unless they are what the published plan says. On an error the old plan stands; call again.
  Status publish_rollouts(std::vector<plan::Rollout> rollouts);
  // A delta from a published target file to one of `files`.
  struct Delta {
    std::string from_sha256, path;
    Bytes bytes;
  };
  // `role`: "content", or a tenant's "content-<tenant>". kInvalid: a delta that does not lead to its file. With `require_evidence`, kDenied for a release without it (plan/evidence.hpp).
  Status push_content(const std::string& role, Bytes metadata, std::vector<trust::TargetFile> files, std::vector<Delta> deltas = {});
  std::vector<std::string> content_roles() const;  // those that may be signed for: "content", and tenants'
  void require_evidence(bool required) { require_evidence_ = required; }
  // The next root or top-level targets, signed offline (`role`: "root", "targets"). The signer checks it first, for itself.
  Status publish_trust(const std::string& role, BytesView metadata);
  // A release of the published content metadata, and its digest. kNotFound.
  struct Found {
    plan::Release release;
    Digest digest;
    Bytes bytes;
  };
  Result<Found> release(const std::string& name);
  Result<plan::DenyList> deny_list();  // as the content signers published it; version 0: there is none
  // The tenant's policy; default rules without groups if there is none.
  const plan::Policy& policy(const std::string& tenant);
  Result<plan::Policy> published_policy(const std::string& tenant);  // kNotFound: none was ever put. Other errors: there is one, and it cannot be read
  Result<std::vector<std::string>> policy_tenants() const;           // that have one, sorted
  Status put_policy(plan::Policy policy);  // its version becomes the next; sealed to the tenant's key. Fails if there is one that cannot be read: hosts would not take a version that goes back
  // The key that opens the tenant's policies, made when it is first needed and kept in the store. Its hosts get it when they enrol.
  Result<trust::SealKey> tenant_key(const std::string& tenant);
  // Renews what is near its end: timestamp, snapshot, rollout, policy.
  Status renew();
  trust::Repository& repository() { return repository_; }
  Result<Bytes> sign_grant(const plan::Grant& grant);

 private:
  Status check_deltas(const std::string& role, const std::vector<trust::TargetFile>& files, const std::vector<Delta>& deltas);
  Status check_evidence(const std::vector<trust::TargetFile>& files) const;
  trust::OnlineSigners online();
  trust::Repository& repository_;
  RemoteSigners& signers_;
  Store& store_;
  const Clock& clock_;
  bool require_evidence_ = false;
  plan::Plan plan_;
  std::map<std::string, plan::Policy> policies_;
};

}  // namespace creance::server
