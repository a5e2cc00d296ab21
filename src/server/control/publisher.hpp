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
  Status push_content(Bytes metadata, std::vector<trust::TargetFile> files);
  // A release of the published content metadata, and its digest. kNotFound.
  struct Found {
    plan::Release release;
    Digest digest;
    Bytes bytes;
  };
  Result<Found> release(const std::string& name);
  // The tenant's policy; default rules without groups if there is none.
  const plan::Policy& policy(const std::string& tenant);
  Status put_policy(plan::Policy policy);  // its version becomes the next
  // Renews what is near its end: timestamp, snapshot, rollout, policy.
  Status renew();
  trust::Repository& repository() { return repository_; }
  Result<Bytes> sign_grant(const plan::Grant& grant);

 private:
  trust::OnlineSigners online();
  trust::Repository& repository_;
  RemoteSigners& signers_;
  Store& store_;
  const Clock& clock_;
  plan::Plan plan_;
  std::map<std::string, plan::Policy> policies_;
};

}  // namespace creance::server
