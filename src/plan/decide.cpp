#include "plan/decide.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "plan/forbidden.hpp"

namespace creance::plan {
namespace {

constexpr std::string_view kActions[] = {"stay", "announce", "take", "hold", "return"};
constexpr std::string_view kReasons[] = {
    "up_to_date", "no_plan", "plan_old", "nothing_eligible", "release_unknown", "denied", "local_deny", "local_pause", "local_pin", "local_delay", "local_window", "paused", "pinned", "delay", "window",
    "refused", "approval_expired", "floor_not_reached", "halted", "withdrawn", "rollout_paused", "ring_not_open", "not_in_share", "enrolled_later", "grant_needed", "granted_go",
    "granted_hold", "held_arm", "nothing_else"};
static_assert(std::size(kReasons) == static_cast<size_t>(Reason::kNothingElse) + 1);
static_assert(std::size(kActions) == static_cast<size_t>(Action::kReturn) + 1);

// Why a release may not be taken now.
struct Block {
  Reason reason;
  std::string detail;
  std::optional<WallTime> not_before;
};

class Decider {
 public:
  Decider(const Documents& documents, const Host& host, const HostState& state, WallTime now) : documents_(documents), host_(host), state_(state), now_(now) {
    static const LocalPolicy none;
    local_ = documents.local != nullptr ? documents.local : &none;
    rules_ = documents.policy != nullptr ? documents.policy->rules_for(host.tags) : GroupRules{};
    ring_ = local_->ring ? std::max(rules_.ring, *local_->ring) : rules_.ring;  // the owner can only be later
    mutes_.insert(rules_.mutes.begin(), rules_.mutes.end());
    for (const std::string& rule : local_->keep) mutes_.erase(rule);
    mutes_.insert(local_->mutes.begin(), local_->mutes.end());
  }

  Decision run() const {
    if (state_.running) {
      if (const auto block = forbidden(*state_.running)) return go_back(*block, false);
    }
    const Plan* plan = documents_.plan;
    if (plan == nullptr) return stay(Reason::kNoPlan, "there is no plan");
    if (plan->sequence < state_.plan_sequence) {
      return stay(Reason::kPlanOld, fmt::format("plan {} is older than {}, which this host took already", plan->sequence, state_.plan_sequence));
    }
    std::optional<Decision> kept;  // it should go back, and there is nothing to go back to: then forwards, if there is something
    const Rollout* running = state_.running ? plan->find(*state_.running) : nullptr;
    if (running != nullptr && (running->state == RolloutState::kHalted || running->state == RolloutState::kWithdrawn)) {
      const bool halted = running->state == RolloutState::kHalted;
      // Whoever pinned a release that did well on this host keeps it (pin > plan); in probation nothing keeps it.
      const bool pinned_here = survived(*state_.running) && pinned_to(running->release);
      if (!pinned_here) kept = go_back({halted ? Reason::kHalted : Reason::kWithdrawn, fmt::format("release `{}` was {}", running->release, to_string(running->state)), {}}, true);
      if (kept && kept->action == Action::kReturn) return *kept;
    }
    if (local_->paused) return kept ? *kept : stay(Reason::kLocalPause, "the local file pauses updates");
    if (rules_.paused) return kept ? *kept : stay(Reason::kPaused, "the policy pauses updates for this group");
    const Decision chosen = choose(*plan);
    return kept && chosen.action == Action::kStay ? *kept : chosen;
  }

  bool forbids(const Digest& release) const { return forbidden(release).has_value(); }

 private:
  Decision decision(Action action, Reason reason, std::string detail) const {
    Decision out;
    out.action = action;
    out.reason = reason;
    out.detail = std::move(detail);
    out.mutes = mutes_;
    return out;
  }
  Decision stay(Reason reason, std::string detail) const { return decision(Action::kStay, reason, std::move(detail)); }
  Decision about(Action action, Reason reason, const Rollout& rollout, std::string detail) const {
    Decision out = decision(action, reason, std::move(detail));
    out.release = rollout.release_digest;
    out.release_name = rollout.release;
    return out;
  }

  const Release* document(const Digest& digest) const { return documents_.release ? documents_.release(digest) : nullptr; }
  bool survived(const Digest& digest) const { return std::ranges::find(state_.retained, digest) != state_.retained.end(); }
  bool pinned_to(const std::string& name) const { return (local_->pin || rules_.pin) && local_->pin.value_or(name) == name && rules_.pin.value_or(name) == name; }

  // The release itself and its channel files, as far as they are known.
  template <class Test>
  bool any_digest(const Digest& release, const Test& test) const {
    if (test(release)) return true;
    const Release* known = document(release);
    return known != nullptr && std::ranges::any_of(known->channels, [&](const ChannelRef& channel) { return test(channel.sha256); });
  }

  // Deny first, then the owner: the two that also reach what runs.
  std::optional<Block> forbidden(const Digest& release) const {
    std::string why;
    const auto denied = [&](const Digest& digest) {
      const DenyList::Entry* entry = documents_.deny != nullptr ? documents_.deny->find(digest) : nullptr;
      if (entry != nullptr) why = entry->reason;
      return entry != nullptr;
    };
    if (any_digest(release, denied)) return Block{Reason::kDenied, why.empty() ? "denied" : "denied: " + why, {}};
    const auto unwanted = [&](const Digest& digest) { return std::ranges::find(local_->deny, digest) != local_->deny.end(); };
    if (any_digest(release, unwanted)) return Block{Reason::kLocalDeny, "the local file denies it", {}};
    return std::nullopt;
  }

  std::optional<Block> refused(const Digest& release) const {
    std::string why;
    const auto hurt = [&](const Digest& digest) {
      const auto it = state_.refused.find(digest);
      if (it == state_.refused.end()) return false;
      const bool lifted = documents_.deny != nullptr && std::ranges::find(documents_.deny->retry, digest) != documents_.deny->retry.end();
      if (!lifted) why = it->second;
      return !lifted;
    };
    if (any_digest(release, hurt)) return Block{Reason::kRefused, "this host refuses it: " + why, {}};
    return std::nullopt;
  }

  // `keep_if_good`: with nothing to go back to, what survived probation here is kept (D6: neither key can empty a host).
  Decision go_back(const Block& block, bool keep_if_good) const {
    const auto allowed = [&](const Digest& digest) { return digest != *state_.running && !forbidden(digest) && !refused(digest); };
    const auto still_good = [&](const Digest& digest) {
      const Rollout* rollout = documents_.plan != nullptr ? documents_.plan->find(digest) : nullptr;
      return allowed(digest) && (rollout == nullptr || (rollout->state != RolloutState::kHalted && rollout->state != RolloutState::kWithdrawn));
    };
    auto it = std::ranges::find_if(state_.retained, still_good);
    if (it == state_.retained.end()) {
      if (keep_if_good && survived(*state_.running)) return stay(Reason::kNothingElse, block.detail + "; nothing else is retained, so it is kept");
      it = std::ranges::find_if(state_.retained, allowed);
    }
    Decision out = decision(Action::kReturn, block.reason, block.detail);
    if (it == state_.retained.end()) return out;  // safe mode
    out.release = *it;
    if (const Release* known = document(*it)) out.release_name = known->name;
    return out;
  }

  // The tenant's own releases before everybody's; other tenants' not at all.
  std::vector<const Rollout*> for_this_tenant(const Plan& plan) const {
    std::vector<const Rollout*> own, all;
    for (const Rollout& rollout : plan.rollouts) {
      const std::string_view tenant = tenant_of(rollout.release);
      if (tenant.empty()) all.push_back(&rollout);
      else if (tenant == host_.tenant) own.push_back(&rollout);
    }
    own.insert(own.end(), all.begin(), all.end());
    return own;
  }

  Decision choose(const Plan& plan) const {
    std::optional<Block> first;  // why the newest one is not taken: the answer to "why"
    std::string first_name;
    for (const Rollout* candidate : for_this_tenant(plan)) {
      const Rollout& rollout = *candidate;
      const auto block = blocked(rollout);
      const bool runs = state_.running == rollout.release_digest;
      const bool wrong_pin = block && (block->reason == Reason::kPinned || block->reason == Reason::kLocalPin);
      if (runs && !wrong_pin) break;  // never back to an older one because it stands below
      if (!block) return act(rollout);
      if (!first) {
        first = block;
        first_name = rollout.release;
      }
    }
    if (!first) return stay(state_.running ? Reason::kUpToDate : Reason::kNothingEligible, state_.running ? "runs what the plan says" : "the plan has nothing for this host");
    Decision out = stay(first->reason, fmt::format("{}: {}", first_name, first->detail));
    out.release_name = first_name;
    out.not_before = first->not_before;
    return out;
  }

  // In the order of precedence: the first that applies is the reason.
  std::optional<Block> blocked(const Rollout& rollout) const {
    if (const auto block = forbidden(rollout.release_digest)) return block;
    if (local_->pin && *local_->pin != rollout.release) return Block{Reason::kLocalPin, fmt::format("the local file pins `{}`", *local_->pin), {}};
    if (rules_.pin && *rules_.pin != rollout.release) return Block{Reason::kPinned, fmt::format("the policy pins `{}`", *rules_.pin), {}};
    if (const auto block = refused(rollout.release_digest)) return block;
    if (const auto block = not_planned(rollout)) return block;
    const Release* release = document(rollout.release_digest);
    if (release == nullptr) return Block{Reason::kReleaseUnknown, "its signed release document is not here", {}};
    if (const auto block = below_floor(rollout, release->floor)) return block;
    const WallTime local_after = rollout.ids_before + local_->delay;
    if (now_ < local_after && local_->delay >= rules_.delay) return Block{Reason::kLocalDelay, fmt::format("the local file delays it until {}", format_time(local_after)), local_after};
    const WallTime after = rollout.ids_before + rules_.delay;
    if (now_ < after) return Block{Reason::kDelay, fmt::format("the policy delays it until {}", format_time(after)), after};
    return outside_windows();
  }

  // The last question: everybody else allows it.
  std::optional<Block> outside_windows() const {
    std::vector<const Windows*> lists;
    for (const Windows& list : local_->windows) lists.push_back(&list);
    if (!rules_.windows.empty()) lists.push_back(&rules_.windows);
    if (lists.empty()) return std::nullopt;
    const auto reason_of = [&](size_t list) { return list < local_->windows.size() ? Reason::kLocalWindow : Reason::kWindow; };
    for (size_t i = 0; i < lists.size(); ++i)
      for (const Window& window : *lists[i])
        if (documents_.zones == nullptr || !documents_.zones->contains(window.zone)) return Block{reason_of(i), fmt::format("no maintenance window can be judged: the time zone `{}` is not known on this host (package tzdata)", window.zone), {}};
    // A time that is only known to be later than another opens no window.
    if (!state_.clock_right) return Block{reason_of(0), "no maintenance window can be judged: this host's clock is behind what signed metadata says; set the clock", {}};
    size_t closed = 0;
    while (closed < lists.size() && next_open(std::span(lists).subspan(closed, 1), *documents_.zones, now_) == now_) ++closed;
    if (closed == lists.size()) return std::nullopt;
    const auto opens = next_open(lists, *documents_.zones, now_);
    if (!opens) return Block{reason_of(closed), "outside the maintenance windows, which are not open together within four weeks", {}};
    const std::string& zone = lists[closed]->front().zone;
    const std::string there = format_time(*opens + documents_.zones->find(zone)->second.at(*opens).offset);
    return Block{reason_of(closed), fmt::format("outside the maintenance windows{}; the next opens at {} {} {} ({})", closed < local_->windows.size() ? " of the local file" : "", there.substr(0, 10), there.substr(11, 5), zone, format_time(*opens)), *opens};
  }

  std::optional<Block> not_planned(const Rollout& rollout) const {
    switch (rollout.state) {
      case RolloutState::kHalted: return Block{Reason::kHalted, "its rollout was halted", {}};
      case RolloutState::kWithdrawn: return Block{Reason::kWithdrawn, "it was withdrawn", {}};
      case RolloutState::kPaused: return Block{Reason::kRolloutPaused, "its rollout is paused", {}};
      case RolloutState::kComplete: return std::nullopt;
      case RolloutState::kRolling: break;
    }
    const Stage* stage = rollout.stage(ring_);
    if (stage == nullptr) return Block{Reason::kRingNotOpen, fmt::format("ring {} is not open", to_string(ring_)), {}};
    if (!below(cohort(rollout.salt, host_.sensor_id), stage->enter_below)) return Block{Reason::kNotInShare, fmt::format("not in the open share of ring {}", to_string(ring_)), {}};
    if (host_.enrolled >= rollout.ids_before) return Block{Reason::kEnrolledLater, "this sensor was enrolled after the rollout began", {}};
    return std::nullopt;
  }

  std::optional<Block> below_floor(const Rollout& rollout, const Floor& floor) const {
    if (now_ >= floor.approved_until) return Block{Reason::kApprovalExpired, fmt::format("its approval ended at {}", format_time(floor.approved_until)), {}};
    const uint64_t mine = cohort(rollout.salt, host_.sensor_id);
    std::optional<WallTime> wait;
    for (const NotBefore& bound : floor.not_before) {
      // The owner's later ring must not escape the floor of the tenant's.
      if ((bound.ring == ring_ || bound.ring == rules_.ring) && beyond_share(mine, bound.share) && now_ < bound.time) wait = wait ? std::max(*wait, bound.time) : bound.time;
    }
    if (!wait) return std::nullopt;
    return Block{Reason::kFloorNotReached, fmt::format("its authors allow it here from {}", format_time(*wait)), wait};
  }

  Decision act(const Rollout& rollout) const {
    const bool granted = state_.grant && state_.grant->check(host_.sensor_id, state_.boot_epoch, rollout.release_digest, now_).has_value();
    const bool go = granted && state_.grant->verdict == Verdict::kGo;
    if (go) return about(Action::kTake, Reason::kGrantedGo, rollout, "the server said go");
    if (state_.arm_release == rollout.release_digest && state_.arm == Verdict::kHold) {
      const Stage* stage = rollout.stage(ring_);
      const bool promoted = rollout.state == RolloutState::kComplete || (stage != nullptr && below(cohort(rollout.salt, host_.sensor_id), stage->go_below));
      if (!promoted) {
        Decision out = stay(Reason::kHeldArm, fmt::format("{}: holds, for comparison", rollout.release));
        out.release_name = rollout.release;
        return out;
      }
    } else if (granted) {
      return about(Action::kHold, Reason::kGrantedHold, rollout, state_.grant->reason.empty() ? std::string("the server said hold") : "the server said hold: " + state_.grant->reason);
    }
    return about(Action::kAnnounce, Reason::kGrantNeeded, rollout, "would take it now; asks the server");
  }

  const Documents& documents_;
  const Host& host_;
  const HostState& state_;
  WallTime now_;
  const LocalPolicy* local_ = nullptr;
  GroupRules rules_;
  Ring ring_ = Ring::kGeneral;
  std::set<std::string> mutes_;
};

}  // namespace

std::string_view to_string(Action action) { return kActions[static_cast<size_t>(action)]; }
std::string_view to_string(Reason reason) { return kReasons[static_cast<size_t>(reason)]; }

Decision decide(const Documents& documents, const Host& host, const HostState& state, WallTime now) { return Decider(documents, host, state, now).run(); }
bool forbidden(const Documents& documents, const Digest& release) { return Decider(documents, {}, {}, {}).forbids(release); }

}  // namespace creance::plan
