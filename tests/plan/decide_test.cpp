#include <gtest/gtest.h>

#include "plan/decide.hpp"

namespace creance::plan {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

Digest digest(uint8_t n) {
  Digest d;
  d.bytes.fill(n);
  return d;
}
const Digest kOld = digest(1);   // complete, runs, is the LKG
const Digest kNew = digest(2);   // rolling
const Digest kOlder = digest(3);
const Digest kNewChannel = digest(22);

struct Case {
  WallTime now = *parse_time("2026-11-23T10:00:00Z");
  Plan plan;
  Policy policy;
  std::optional<LocalPolicy> local;
  DenyList deny;
  std::map<Digest, Release> releases;
  Host host{std::string(32, 'a'), now - hours(48), {"canary"}};
  HostState state;

  Case() {
    const auto release = [&](const Digest& digest_of, std::string name, Digest channel) {
      Release r;
      r.name = std::move(name);
      r.created = now - hours(1);
      r.channels = {{"t", digest(50), "content/" + r.name + "/t.channel", channel, 1, 1}};
      r.floor.approved_until = now + hours(100);
      r.category = "rapid";
      releases[digest_of] = r;
    };
    release(kOld, "old", digest(21));
    release(kNew, "new", kNewChannel);
    release(kOlder, "older", digest(23));
    plan.sequence = 7;
    plan.issued = now;
    plan.rollouts = {{"new", kNew, {}, RolloutState::kRolling, now - hours(1), {{Ring::kCanary, kEveryCohort, kEveryCohort}}},
                     {"old", kOld, {}, RolloutState::kComplete, now - hours(20), {}}};
    policy.tenant = "demo";
    policy.version = 1;
    policy.groups = {{"canaries", {"canary"}, {Ring::kCanary, false, {}, {}, {}}}};
    state.running = kOld;
    state.retained = {kOld};
    state.plan_sequence = 7;
    state.boot_epoch = std::string(32, 'e');
  }
  GroupRules& rules() { return policy.groups[0].rules; }
  Rollout& rolling() { return plan.rollouts[0]; }
  Decision decide() {
    Documents documents;
    documents.plan = &plan;
    documents.policy = &policy;
    documents.local = local ? &*local : nullptr;
    documents.deny = &deny;
    documents.release = [this](const Digest& d) {
      const auto it = releases.find(d);
      return it == releases.end() ? nullptr : &it->second;
    };
    return plan::decide(documents, host, state, now);
  }
  void grant(Verdict verdict) { state.grant = Grant{host.sensor_id, state.boot_epoch, kNew, verdict, now + hours(1)}; }
};

#define EXPECT_DECISION(decision, wanted_action, wanted_reason)                                                          \
  do {                                                                                                                    \
    const Decision d_ = (decision);                                                                                       \
    EXPECT_EQ(to_string(d_.action), to_string(wanted_action)) << d_.detail;                                               \
    EXPECT_EQ(to_string(d_.reason), to_string(wanted_reason)) << d_.detail;                                               \
  } while (false)

TEST(Decide, AnnouncesThenFollowsTheGrant) {
  Case c;
  const Decision first = c.decide();
  EXPECT_DECISION(first, Action::kAnnounce, Reason::kGrantNeeded);
  EXPECT_EQ(first.release, kNew);
  EXPECT_EQ(first.release_name, "new");
  c.grant(Verdict::kGo);
  EXPECT_DECISION(c.decide(), Action::kTake, Reason::kGrantedGo);
  c.state.running = kNew;
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kUpToDate);
}

TEST(Decide, AHeldHostWaitsUntilItsCohortIsPromoted) {
  Case c;
  c.rolling().stages[0].go_below = 0;
  c.grant(Verdict::kHold);
  EXPECT_DECISION(c.decide(), Action::kHold, Reason::kGrantedHold);
  c.state.arm_release = kNew;
  c.state.arm = Verdict::kHold;
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kHeldArm);
  c.state.grant.reset();
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kHeldArm);
  c.rolling().stages[0].go_below = kEveryCohort;
  EXPECT_DECISION(c.decide(), Action::kAnnounce, Reason::kGrantNeeded);
  c.rolling().stages[0].go_below = 0;
  c.rolling().state = RolloutState::kComplete;
  EXPECT_DECISION(c.decide(), Action::kAnnounce, Reason::kGrantNeeded);
}

TEST(Decide, AGrantForAnotherStartHostReleaseOrTimeIsNone) {
  Case c;
  c.grant(Verdict::kGo);
  c.state.boot_epoch = std::string(32, 'f');
  EXPECT_DECISION(c.decide(), Action::kAnnounce, Reason::kGrantNeeded);
  c.grant(Verdict::kGo);
  c.state.grant->release_digest = kOld;
  EXPECT_DECISION(c.decide(), Action::kAnnounce, Reason::kGrantNeeded);
  c.grant(Verdict::kGo);
  c.state.grant->expires = c.now;
  EXPECT_DECISION(c.decide(), Action::kAnnounce, Reason::kGrantNeeded);
}

TEST(Decide, TakesNoPlanOlderThanItsNewest) {
  Case c;
  c.plan.sequence = 6;
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kPlanOld);
  c.plan.sequence = 8;
  EXPECT_DECISION(c.decide(), Action::kAnnounce, Reason::kGrantNeeded);
}

TEST(Decide, SaysWhyNot) {
  Case c;
  c.rolling().stages[0].ring = Ring::kEarly;
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kRingNotOpen);
  c.rolling().stages = {{Ring::kCanary, 0, 0}};
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kNotInShare);
  c.rolling().stages = {{Ring::kCanary, kEveryCohort, kEveryCohort}};
  c.host.enrolled = c.rolling().ids_before;
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kEnrolledLater);
  c.host.enrolled -= hours(1);
  c.rolling().state = RolloutState::kPaused;
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kRolloutPaused);
  c.rolling().state = RolloutState::kRolling;
  c.releases.erase(kNew);
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kReleaseUnknown);
  EXPECT_DECISION(plan::decide({}, c.host, c.state, c.now), Action::kStay, Reason::kNoPlan);
}

TEST(Decide, TheFloorHoldsWhateverThePlanSays) {
  Case c;
  Floor& floor = c.releases[kNew].floor;
  floor.not_before = {{Ring::kCanary, 0, c.now + hours(2)}};
  const Decision waiting = c.decide();
  EXPECT_DECISION(waiting, Action::kStay, Reason::kFloorNotReached);
  EXPECT_EQ(waiting.not_before, c.now + hours(2));
  c.grant(Verdict::kGo);
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kFloorNotReached);
  floor.not_before = {{Ring::kCanary, 1'000'000, c.now + hours(2)}, {Ring::kGeneral, 0, c.now + hours(9)}};
  EXPECT_DECISION(c.decide(), Action::kTake, Reason::kGrantedGo);
  floor.not_before = {{Ring::kCanary, 0, c.now}};
  EXPECT_DECISION(c.decide(), Action::kTake, Reason::kGrantedGo);
  floor.approved_until = c.now;
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kApprovalExpired);
}

TEST(Decide, AnExpiredApprovalLeavesWhatRuns) {
  Case c;
  c.state.running = kNew;
  c.releases[kNew].floor.approved_until = c.now - hours(1);
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kUpToDate);
}

TEST(Decide, RefusesWhatHurtItByReleaseOrChannelUntilARetryNamesIt) {
  Case c;
  c.state.refused[kNewChannel] = "worker died";
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kRefused);
  c.deny.retry = {kNewChannel};
  EXPECT_DECISION(c.decide(), Action::kAnnounce, Reason::kGrantNeeded);
  c.deny.retry = {};
  c.state.refused = {{kNew, "worker died"}};
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kRefused);
}

TEST(Decide, HaltedAndWithdrawnReleasesSendExposedHostsBackToTheLkg) {
  for (const RolloutState state : {RolloutState::kHalted, RolloutState::kWithdrawn}) {
    Case c;
    c.state.running = kNew;
    c.rolling().state = state;
    const Decision d = c.decide();
    EXPECT_DECISION(d, Action::kReturn, state == RolloutState::kHalted ? Reason::kHalted : Reason::kWithdrawn);
    EXPECT_EQ(d.release, kOld);
    EXPECT_EQ(d.release_name, "old");
    // also when it has become the LKG of this host meanwhile
    c.state.retained = {kNew, kOld};
    EXPECT_EQ(c.decide().release, kOld);
    // and nobody new takes it
    c.state.running = kOld;
    EXPECT_EQ(c.decide().action, Action::kStay);
  }
}

TEST(Decide, APausedRolloutLeavesExposedHosts) {
  Case c;
  c.state.running = kNew;
  c.rolling().state = RolloutState::kPaused;
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kUpToDate);
}

TEST(Decide, NeitherHaltNorWithdrawEmptiesAHost) {  // D6
  Case c;
  c.plan.rollouts.pop_back();
  c.state.running = kNew;
  c.rolling().state = RolloutState::kWithdrawn;
  c.state.retained = {kNew};
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kNothingElse);
  c.state.retained = {};  // in its first probation: nothing good is known
  const Decision d = c.decide();
  EXPECT_DECISION(d, Action::kReturn, Reason::kWithdrawn);
  EXPECT_FALSE(d.release);
}

TEST(Decide, AHaltedRetainedReleaseIsBetterThanSafeMode) {
  Case c;
  c.state.running = kNew;
  c.rolling().state = RolloutState::kHalted;
  c.plan.rollouts[1].state = RolloutState::kHalted;
  EXPECT_EQ(c.decide().release, kOld);
  c.plan.rollouts.push_back({"older", kOlder, {}, RolloutState::kComplete, c.now - hours(30), {}});
  c.state.retained = {kOld, kOlder};
  EXPECT_EQ(c.decide().release, kOlder);
}

TEST(Decide, DenyReachesWhatRunsAlsoTheLkg) {
  Case c;
  c.deny.denied = {{kOld, "bad"}};
  c.state.retained = {kOld, kOlder};
  const Decision d = c.decide();
  EXPECT_DECISION(d, Action::kReturn, Reason::kDenied);
  EXPECT_EQ(d.release, kOlder);
  c.deny.denied.push_back({digest(23), "its channel too"});
  EXPECT_FALSE(c.decide().release);  // safe mode
  EXPECT_EQ(c.decide().action, Action::kReturn);
}

TEST(Decide, TakesTheOlderOneWhereTheNewestIsNotForIt) {
  Case c;
  c.state.running.reset();
  c.state.retained = {};
  c.rolling().stages = {};
  const Decision d = c.decide();
  EXPECT_DECISION(d, Action::kAnnounce, Reason::kGrantNeeded);
  EXPECT_EQ(d.release, kOld);
}

TEST(Decide, NeverGoesBackBecauseAnOlderOneIsListedBelow) {
  Case c;
  c.state.running = kNew;
  c.rolling().stages = {};  // its own ring was closed after it took it
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kUpToDate);
}

TEST(Decide, DelayCountsFromTheBeginOfTheRollout) {
  Case c;
  c.rules().delay = seconds(2 * 3600);
  const Decision d = c.decide();
  EXPECT_DECISION(d, Action::kStay, Reason::kDelay);
  EXPECT_EQ(d.not_before, c.now + hours(1));
  c.now += hours(1);
  EXPECT_DECISION(c.decide(), Action::kAnnounce, Reason::kGrantNeeded);
}

TEST(Decide, APinGoesBackAlongTheSamePath) {
  Case c;
  c.state.running = kNew;
  c.rules().pin = "old";
  const Decision d = c.decide();
  EXPECT_DECISION(d, Action::kAnnounce, Reason::kGrantNeeded);
  EXPECT_EQ(d.release, kOld);
}

// --- precedence: deny > local file > mute > pin and pause > plan, one test a pair

TEST(Precedence, DenyOverLocalFile) {
  Case c;
  c.local = LocalPolicy{};
  c.local->pin = "new";
  c.local->paused = true;
  c.state.running = kNew;
  c.deny.denied = {{kNew, ""}};
  EXPECT_DECISION(c.decide(), Action::kReturn, Reason::kDenied);
}
TEST(Precedence, DenyOverMute) {  // muting a rule of a denied channel does not make it acceptable
  Case c;
  c.rules().mutes = {"rule"};
  c.deny.denied = {{kNewChannel, ""}};
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kDenied);
}
TEST(Precedence, DenyOverPinAndPause) {
  Case c;
  c.rules().pin = "new";
  c.rules().paused = true;
  c.state.running = kNew;
  c.deny.denied = {{kNew, ""}};
  EXPECT_DECISION(c.decide(), Action::kReturn, Reason::kDenied);
}
TEST(Precedence, DenyOverPlan) {
  Case c;
  c.deny.denied = {{kNew, ""}};
  c.grant(Verdict::kGo);
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kDenied);
}
TEST(Precedence, LocalFileOverMute) {
  Case c;
  c.rules().mutes = {"a", "b"};
  c.local = LocalPolicy{};
  c.local->keep = {"a"};
  c.local->mutes = {"c"};
  EXPECT_EQ(c.decide().mutes, (std::set<std::string>{"b", "c"}));
}
TEST(Precedence, LocalFileOverPinAndPause) {
  Case c;
  c.local = LocalPolicy{};
  c.local->pin = "old";
  c.rules().pin = "new";
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kLocalPin);  // two pins cannot both hold: nothing is taken
  c.local->pin.reset();
  c.local->paused = true;
  c.rules().paused = true;
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kLocalPause);
  c.local->paused = false;
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kPaused);  // the owner cannot lift the tenant's pause
}
TEST(Precedence, LocalFileOverPlan) {
  Case c;
  c.grant(Verdict::kGo);
  c.local = LocalPolicy{};
  c.local->paused = true;
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kLocalPause);
  c.local->paused = false;
  c.local->delay = seconds(2 * 3600);
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kLocalDelay);
  c.local->delay = seconds(0);
  c.local->deny = {kNewChannel};
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kLocalDeny);
  c.local->deny = {};
  c.local->ring = Ring::kLate;
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kRingNotOpen);
  c.local->ring = Ring::kInternal;  // earlier than the tenant's: no effect
  EXPECT_DECISION(c.decide(), Action::kTake, Reason::kGrantedGo);
}
TEST(Precedence, LocalLaterRingDoesNotEscapeTheTenantsFloor) {
  Case c;
  c.local = LocalPolicy{};
  c.local->ring = Ring::kLate;
  c.rolling().stages.push_back({Ring::kLate, kEveryCohort, kEveryCohort});
  c.releases[kNew].floor.not_before = {{Ring::kCanary, 0, c.now + hours(2)}};
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kFloorNotReached);
}
TEST(Precedence, MuteOverPinAndPause) {
  Case c;
  c.rules().mutes = {"rule"};
  c.rules().pin = "new";
  EXPECT_EQ(c.decide().mutes, (std::set<std::string>{"rule"}));
  c.rules().paused = true;
  EXPECT_EQ(c.decide().mutes, (std::set<std::string>{"rule"}));
}
TEST(Precedence, MuteOverPlan) {
  Case c;
  c.rules().mutes = {"rule"};
  c.grant(Verdict::kGo);
  const Decision d = c.decide();
  EXPECT_DECISION(d, Action::kTake, Reason::kGrantedGo);
  EXPECT_EQ(d.mutes, (std::set<std::string>{"rule"}));
}
TEST(Precedence, PauseAndPinOverPlan) {
  Case c;
  c.grant(Verdict::kGo);
  c.rules().paused = true;
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kPaused);
  c.rules().paused = false;
  c.rules().pin = "old";
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kPinned);
  // what did well here and is pinned stays, also when its rollout is withdrawn; a pin opens nothing that the plan keeps shut
  c.rules().pin = "new";
  c.state.running = kNew;
  c.state.retained = {kNew, kOld};
  c.rolling().state = RolloutState::kWithdrawn;
  EXPECT_EQ(c.decide().action, Action::kStay);
  c.state.retained = {kOld};  // in probation nothing keeps it
  EXPECT_DECISION(c.decide(), Action::kReturn, Reason::kWithdrawn);
  c.state.running = kOld;
  c.rolling().state = RolloutState::kRolling;
  c.rolling().stages = {};
  EXPECT_DECISION(c.decide(), Action::kStay, Reason::kRingNotOpen);
}
TEST(Precedence, APauseDoesNotKeepAHostOnAHaltedRelease) {
  Case c;
  c.rules().paused = true;
  c.state.running = kNew;
  c.rolling().state = RolloutState::kHalted;
  EXPECT_DECISION(c.decide(), Action::kReturn, Reason::kHalted);
}

// --- tenants' own releases (ADR 0099)

struct OwnRelease : Case {
  const Digest own = digest(9);
  OwnRelease() {
    Release r;
    r.name = "demo/own-1";
    r.created = now - hours(1);
    r.channels = {{"t", digest(50), "content-demo/own-1/t.channel", digest(29), 1, 1}};
    r.floor.approved_until = now + hours(100);
    r.category = "rapid";
    releases[own] = r;
    host.tenant = "demo";
    plan.rollouts.push_back({"demo/own-1", own, {}, RolloutState::kComplete, now - hours(30), {}});  // the oldest of all
  }
};

TEST(OwnReleases, ComeBeforeEverybodysForTheirTenant) {
  OwnRelease c;
  const Decision decision = c.decide();
  EXPECT_EQ(decision.action, Action::kAnnounce) << decision.detail;
  EXPECT_EQ(decision.release, c.own);
  c.state.running = c.own;
  c.state.retained = {c.own, kOld};
  EXPECT_EQ(c.decide().reason, Reason::kUpToDate);  // what rolls out for everybody does not push it aside
}

TEST(OwnReleases, ReachNoOtherTenant) {
  OwnRelease c;
  c.host.tenant = "globex";
  EXPECT_EQ(c.decide().release, kNew);
  c.plan.rollouts.erase(c.plan.rollouts.begin());  // nothing new for everybody
  EXPECT_EQ(c.decide().reason, Reason::kUpToDate);
  c.host.tenant.clear();
  EXPECT_EQ(c.decide().reason, Reason::kUpToDate);
}

TEST(OwnReleases, LeaveTheHostToEverybodysWhenTheyAreTakenBack) {
  OwnRelease c;
  c.state.running = c.own;
  c.state.retained = {c.own, kOld};
  c.plan.rollouts.back().state = RolloutState::kWithdrawn;
  const Decision back = c.decide();
  EXPECT_EQ(back.action, Action::kReturn);
  EXPECT_EQ(back.release, kOld);
  c.state.running = kOld;
  EXPECT_EQ(c.decide().release, kNew);  // and goes on from there
}

TEST(OwnReleases, CanBePinnedAndDeniedLikeOthers) {
  OwnRelease c;
  c.rules().pin = "new";
  EXPECT_EQ(c.decide().release, kNew);
  c.rules().pin = "demo/own-1";
  EXPECT_EQ(c.decide().release, c.own);
  c.deny.version = 1;
  c.deny.denied = {{c.own, "bad"}};
  EXPECT_NE(c.decide().release, c.own);
}

}  // namespace
}  // namespace creance::plan
