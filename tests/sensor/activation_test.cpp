// The state machine of activation, probation and return: each way through it, each failure at each step, and random walks with the invariants checked at every step.
#include "sensor/supervise/activation.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace creance::sensor {
namespace {

using namespace std::chrono_literals;

Set set_of(uint8_t tag) {
  Set set{};
  set.fill(tag);
  return set;
}
const Set kOld = set_of(1), kNew = set_of(2), kOlder = set_of(3), kOldest = set_of(4);

template <class T>
const T* find(const Actions& actions) {
  for (const Action& action : actions)
    if (const T* found = std::get_if<T>(&action)) return found;
  return nullptr;
}
bool emits(const Actions& actions, EventKind kind, const Set& release) {
  return std::ranges::any_of(actions, [&](const Action& a) { return std::holds_alternative<Emit>(a) && std::get<Emit>(a).kind == kind && std::get<Emit>(a).release == release; });
}
size_t index_of_clear(const Actions& actions) {
  for (size_t i = 0; i < actions.size(); ++i)
    if (std::holds_alternative<ClearMarker>(actions[i])) return i;
  return actions.size();
}

ipc::Admitted offer(const Set& set, ipc::GrantVerdict verdict = ipc::GrantVerdict::kNone) {
  ipc::Admitted answer;
  answer.trusted = 1;
  answer.offer = set;
  if (set != kNoSet) answer.offer_release.assign("release-" + std::to_string(set[0]));
  answer.grant = verdict;
  if (verdict != ipc::GrantVerdict::kNone) answer.grant_release = set;
  return answer;
}

Remembered with_ladder(std::initializer_list<Set> sets) {
  Remembered remembered;
  for (const Set& set : sets) {
    remembered.ladder.sets[remembered.ladder.count] = set;
    remembered.ladder.names[remembered.ladder.count++].assign("release-" + std::to_string(set[0]));
  }
  return remembered;
}

class Driven {
 public:
  explicit Driven(Remembered remembered = with_ladder({kOld, kOlder, kOldest}), const char* boot = "boot-1") : machine(ActivationSettings{}, ipc::BootId(boot), std::move(remembered)) {
    last = machine.begin(now, WallTime(now));
  }
  const Actions& step(const Observation& seen) { return last = machine.step(now, WallTime(now), seen); }
  const Actions& after(milliseconds time, const Observation& seen = Tick{}) {
    now += time;
    return step(seen);
  }
  void start() { step(WorkerActivated{machine.lkg()}); }
  void announce(const Set& set = kNew) { step(AdmitAnswered{offer(set)}); }
  void grant(Arm arm, const Set& set = kNew) { step(AdmitAnswered{offer(set, arm == Arm::kGo ? ipc::GrantVerdict::kGo : ipc::GrantVerdict::kHold)}); }
  void rehearse(Arm arm) {
    start();
    announce();
    grant(arm);
    step(MarkerStored{true, {}});
  }
  void swap(Arm arm) {
    rehearse(arm);
    step(RehearsalEnded{arm == Arm::kGo ? kNew : machine.lkg(), true, Reason::kNone, {}});
  }
  void probation(Arm arm) {
    swap(arm);
    step(WorkerActivated{arm == Arm::kGo ? kNew : machine.lkg()});
  }

  MonotonicTime now{1000};
  Activation machine;
  Actions last;
};

TEST(Activation, GoesTheWholeWayToANewLastKnownGood) {
  Driven d;
  ASSERT_TRUE(find<StartWorker>(d.last));
  EXPECT_EQ(find<StartWorker>(d.last)->set, kOld);
  d.start();
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  d.announce();
  ASSERT_TRUE(find<StartAnnouncing>(d.last));
  EXPECT_EQ(find<StartAnnouncing>(d.last)->release, kNew);
  d.grant(Arm::kGo);
  ASSERT_TRUE(find<StoreMarker>(d.last));
  EXPECT_FALSE(find<StartRehearsal>(d.last)) << "nothing may be read before the marker is on disk";
  d.step(MarkerStored{true, {}});
  ASSERT_TRUE(find<StartRehearsal>(d.last));
  EXPECT_EQ(find<StartRehearsal>(d.last)->set, kNew);
  d.step(RehearsalEnded{kNew, true, Reason::kNone, {}});
  ASSERT_TRUE(find<SwapTo>(d.last));
  d.step(WorkerActivated{kNew});
  EXPECT_EQ(d.machine.state(), ipc::SensorState::kProbation);
  EXPECT_TRUE(emits(d.last, EventKind::kActivated, kNew));
  EXPECT_EQ(d.machine.lkg(), kOld) << "not good before probation has passed";
  d.after(19'999ms);
  EXPECT_EQ(d.machine.phase(), Phase::kProbation);
  d.after(1ms);
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  EXPECT_TRUE(emits(d.last, EventKind::kProbationPassed, kNew));
  EXPECT_EQ(d.machine.lkg(), kNew);
  EXPECT_EQ(d.machine.ladder().count, 3u);
  EXPECT_EQ(d.machine.ladder().sets[1], kOld);
  EXPECT_EQ(d.machine.ladder().sets[2], kOlder);
  EXPECT_FALSE(d.machine.retains(kOldest));
  EXPECT_EQ(d.machine.arm(), Arm::kGo);
  EXPECT_EQ(d.machine.arm_age(d.now), 20'000ms);
  // The new ladder is stored before the marker goes.
  const auto ladder = std::ranges::find_if(d.last, [](const Action& a) { return std::holds_alternative<StoreLadder>(a); });
  EXPECT_LT(static_cast<size_t>(ladder - d.last.begin()), index_of_clear(d.last));
  // And the server is told only then.
  const auto told = std::ranges::find_if(d.last, [](const Action& a) { return std::holds_alternative<Emit>(a); });
  EXPECT_GT(static_cast<size_t>(told - d.last.begin()), index_of_clear(d.last));
}

TEST(Activation, AHoldTakesTheSamePathWithTheLastKnownGood) {
  Driven d;
  d.rehearse(Arm::kHold);
  ASSERT_TRUE(find<StoreHeldBack>(d.last));
  EXPECT_EQ(find<StartRehearsal>(d.last)->set, kOld);
  d.step(RehearsalEnded{kOld, true, Reason::kNone, {}});
  EXPECT_EQ(find<SwapTo>(d.last)->set, kOld);
  d.step(WorkerActivated{kOld});
  EXPECT_TRUE(emits(d.last, EventKind::kHeld, kNew));
  d.after(20'000ms);
  EXPECT_TRUE(emits(d.last, EventKind::kProbationPassed, kNew));
  EXPECT_FALSE(find<StoreLadder>(d.last));
  EXPECT_EQ(d.machine.lkg(), kOld);
  EXPECT_EQ(d.machine.arm(), Arm::kHold);
}

TEST(Activation, AHoldOnAHostWithoutContentReactivatesNothing) {
  Driven d(Remembered{});
  d.start();
  EXPECT_EQ(d.machine.state(), ipc::SensorState::kSteady);
  d.announce();
  d.grant(Arm::kHold);
  d.step(MarkerStored{true, {}});
  EXPECT_EQ(find<StartRehearsal>(d.last)->set, kNoSet);
  d.step(RehearsalEnded{kNoSet, true, Reason::kNone, {}});
  d.step(WorkerActivated{kNoSet});
  d.after(20'000ms);
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  EXPECT_EQ(d.machine.running(), kNoSet);
}

TEST(Activation, WithoutADurableMarkerNothingIsActivated) {
  Driven d;
  d.start();
  d.announce();
  d.grant(Arm::kGo);
  d.step(MarkerStored{false, "no space left"});
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  EXPECT_FALSE(find<StartRehearsal>(d.last));
  EXPECT_FALSE(find<SwapTo>(d.last));
  EXPECT_TRUE(emits(d.last, EventKind::kRefused, kNew));
  EXPECT_FALSE(d.machine.refusals().contains(kNew)) << "a full disk says nothing about the content";
  EXPECT_EQ(d.machine.arm(), Arm::kNone);
  d.announce();
  EXPECT_EQ(d.machine.phase(), Phase::kSteady) << "not at once again";
  d.now += 60'000ms;
  d.announce();
  EXPECT_EQ(d.machine.phase(), Phase::kAnnouncing);
}

TEST(Activation, ACrashInProbationReturnsAndIsRemembered) {
  Driven d;
  d.probation(Arm::kGo);
  d.after(3000ms, WorkerDied{"signal 11"});
  EXPECT_EQ(d.machine.phase(), Phase::kReturning);
  EXPECT_TRUE(emits(d.last, EventKind::kWorkerCrash, kNew));
  ASSERT_TRUE(find<StoreRefusals>(d.last));
  EXPECT_TRUE(find<StoreRefusals>(d.last)->refusals.contains(kNew));
  ASSERT_TRUE(find<StartWorker>(d.last));
  EXPECT_EQ(find<StartWorker>(d.last)->set, kOld);
  EXPECT_EQ(find<StartWorker>(d.last)->delay, 0ms);
  // The refusal is stored before the marker goes, so that no crash in between forgets it.
  const auto refusals = std::ranges::find_if(d.last, [](const Action& a) { return std::holds_alternative<StoreRefusals>(a); });
  EXPECT_LT(static_cast<size_t>(refusals - d.last.begin()), index_of_clear(d.last));
  d.after(500ms, WorkerActivated{kOld});
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  EXPECT_TRUE(emits(d.last, EventKind::kReturned, kNew));
  EXPECT_EQ(d.machine.running(), kOld);
  EXPECT_EQ(d.machine.arm(), Arm::kGo);
  EXPECT_EQ(d.machine.arm_age(d.now), 3500ms) << "counted from the grant on, also after the return";
  d.announce();
  EXPECT_EQ(d.machine.phase(), Phase::kSteady) << "refused content is not taken again";
}

TEST(Activation, AStallInProbationReturns) {
  Driven d;
  d.probation(Arm::kGo);
  d.step(WorkerStalled{"5 s of CPU without a sign of life"});
  EXPECT_TRUE(emits(d.last, EventKind::kWorkerStall, kNew));
  EXPECT_EQ(d.machine.refusals().list[0].reason, Reason::kWorkerStall);
  EXPECT_EQ(find<StartWorker>(d.last)->set, kOld);
}

TEST(Activation, ADeathWhileHeldBlamesNobodyAndGoesOn) {
  Driven d;
  d.probation(Arm::kHold);
  d.step(WorkerDied{"signal 9"});
  EXPECT_TRUE(emits(d.last, EventKind::kWorkerCrash, kOld));
  EXPECT_EQ(d.machine.phase(), Phase::kProbation);
  EXPECT_EQ(find<StartWorker>(d.last)->set, kOld);
  EXPECT_EQ(d.machine.refusals().count, 0u);
  d.step(WorkerActivated{kOld});
  EXPECT_EQ(d.machine.running(), kOld);
}

TEST(Activation, AFailedRehearsalLeavesEverythingAsItWas) {
  Driven d;
  d.rehearse(Arm::kGo);
  d.step(RehearsalEnded{kNew, false, Reason::kVerifyFailed, "V012"});
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  EXPECT_TRUE(emits(d.last, EventKind::kVerifyFailed, kNew));
  EXPECT_TRUE(d.machine.refusals().contains(kNew));
  EXPECT_FALSE(find<StartWorker>(d.last)) << "the live worker was never touched";
  EXPECT_EQ(d.machine.running(), kOld);
  EXPECT_TRUE(find<ClearMarker>(d.last));
}

TEST(Activation, ARehearsalThatDoesNotEndIsEnded) {
  Driven d;
  d.rehearse(Arm::kGo);
  d.after(60'000ms);
  EXPECT_TRUE(find<EndRehearsal>(d.last));
  EXPECT_TRUE(emits(d.last, EventKind::kRehearsalFailed, kNew));
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
}

TEST(Activation, AWorkerThatRefusesTheSwapGoesOnWithTheOld) {
  Driven d;
  d.swap(Arm::kGo);
  d.step(WorkerRefused{kNew, Reason::kVerifyFailed, "V003"});
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  EXPECT_TRUE(d.machine.refusals().contains(kNew));
  EXPECT_EQ(d.machine.running(), kOld);
}

TEST(Activation, AWorkerThatHangsInTheSwapIsReplaced) {
  Driven d;
  d.swap(Arm::kGo);
  d.after(30'000ms);
  EXPECT_EQ(d.machine.phase(), Phase::kReturning);
  EXPECT_EQ(find<StartWorker>(d.last)->set, kOld);
  EXPECT_TRUE(d.machine.refusals().contains(kNew));
}

TEST(Activation, AnUncleanRebootInProbationReturnsBeforeAnythingIsRead) {
  Remembered remembered = with_ladder({kOld, kOlder});
  remembered.marker = ipc::Marker{};
  remembered.marker->release = kNew;
  remembered.marker->arm = Arm::kGo;
  remembered.marker->boot_id = ipc::BootId("boot-1");
  remembered.session = ipc::Session{.boot_id = ipc::BootId("boot-1"), .clean_stop = 0};
  Driven d(remembered, "boot-2");
  EXPECT_TRUE(emits(d.last, EventKind::kUncleanReboot, kNew));
  EXPECT_TRUE(d.machine.refusals().contains(kNew));
  EXPECT_EQ(d.machine.refusals().list[0].reason, Reason::kUncleanReboot);
  EXPECT_EQ(find<StartWorker>(d.last)->set, kOld);
  EXPECT_TRUE(find<ClearMarker>(d.last));
  d.start();
  EXPECT_TRUE(emits(d.last, EventKind::kReturned, kNew));
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
}

TEST(Activation, ACleanRebootInProbationRefusesNothing) {
  Remembered remembered = with_ladder({kOld});
  remembered.marker = ipc::Marker{};
  remembered.marker->release = kNew;
  remembered.marker->arm = Arm::kGo;
  remembered.marker->boot_id = ipc::BootId("boot-1");
  remembered.session = ipc::Session{.boot_id = ipc::BootId("boot-1"), .clean_stop = 1};
  Driven d(remembered, "boot-2");
  EXPECT_EQ(d.machine.refusals().count, 0u);
  EXPECT_EQ(find<StartWorker>(d.last)->set, kOld) << "its probation had not passed";
  d.start();
  d.announce();
  EXPECT_EQ(d.machine.phase(), Phase::kAnnouncing);
}

TEST(Activation, ASupervisorThatWasKilledInProbationReturnsWithoutRefusing) {
  Remembered remembered = with_ladder({kOld});
  remembered.marker = ipc::Marker{};
  remembered.marker->release = kNew;
  remembered.marker->arm = Arm::kGo;
  remembered.marker->boot_id = ipc::BootId("boot-1");
  Driven d(remembered, "boot-1");
  EXPECT_EQ(d.machine.refusals().count, 0u);
  EXPECT_EQ(d.machine.state(), ipc::SensorState::kReturning);
  d.start();
  EXPECT_TRUE(emits(d.last, EventKind::kReturned, kNew));
}

TEST(Activation, RepeatedDeathsGoDownTheLadderToSafeMode) {
  Driven d;
  d.start();
  for (const Set& rung : {kOld, kOlder, kOldest}) {
    EXPECT_EQ(d.machine.running(), rung);
    for (int i = 0; i < 5; ++i) {
      d.after(1000ms, WorkerDied{"signal 11"});
      if (i < 4) {
        EXPECT_EQ(find<StartWorker>(d.last)->set, rung);
        d.step(WorkerActivated{rung});
      }
    }
    EXPECT_TRUE(d.machine.refusals().contains(rung));
    d.step(WorkerActivated{d.machine.lkg()});
    EXPECT_TRUE(emits(d.last, EventKind::kReturned, rung));
  }
  EXPECT_EQ(d.machine.phase(), Phase::kSafeMode);
  EXPECT_EQ(d.machine.state(), ipc::SensorState::kSafeMode);
  EXPECT_TRUE(emits(d.last, EventKind::kSafeMode, kOldest));
  d.step(WorkerDied{"signal 9"});
  EXPECT_EQ(find<StartWorker>(d.last)->set, kNoSet) << "the heartbeat's worker is started again";
  d.announce();
  EXPECT_EQ(d.machine.phase(), Phase::kAnnouncing) << "new content is a way out";
}

TEST(Activation, DeathsFromOutsideCostNoContentThatPassedProbationAndTheNextStartWaits) {
  for (const Cause cause : {Cause::kKilled, Cause::kNotStarted}) {
    Driven d;
    d.start();
    milliseconds longest{0};
    for (int i = 0; i < 200; ++i) {
      d.after(300ms, WorkerDied{"signal 9", cause == Cause::kKilled ? set_of(77) : kNoSet, Reason::kWorkerCrash, cause});
      ASSERT_TRUE(find<StartWorker>(d.last));
      EXPECT_EQ(find<StartWorker>(d.last)->set, kOld);
      longest = std::max(longest, find<StartWorker>(d.last)->delay);
      EXPECT_TRUE(emits(d.last, EventKind::kWorkerCrash, kNoSet)) << "told, of no content";
      d.step(WorkerStalled{"stopped by a signal", kNoSet, cause});
    }
    EXPECT_EQ(longest, 10'000ms);
    EXPECT_EQ(d.machine.refusals().count, 0u);
    EXPECT_EQ(d.machine.ladder().count, 3u);
    d.step(WorkerActivated{kOld});
    EXPECT_EQ(d.machine.phase(), Phase::kSteady);
    for (int i = 0; i < 4; ++i) d.after(100ms, WorkerDied{"signal 11"});
    EXPECT_EQ(d.machine.phase(), Phase::kSteady) << "they do not make four deaths five";
    d.after(100ms, WorkerDied{"signal 11"});
    EXPECT_TRUE(d.machine.refusals().contains(kOld));
  }
}

TEST(Activation, AKillInProbationIsEvidenceWhereContentWasBeingLoadedOrEvaluated) {
  const auto killed = [](const Set& channel) { return WorkerDied{"signal 9", channel, Reason::kWorkerCrash, Cause::kKilled}; };
  Driven loading;
  loading.swap(Arm::kGo);
  loading.step(killed(kNoSet));
  EXPECT_TRUE(loading.machine.refusals().contains(kNew));
  Driven evaluating;
  evaluating.probation(Arm::kGo);
  evaluating.step(killed(set_of(77)));
  EXPECT_TRUE(evaluating.machine.refusals().contains(kNew));
  Driven memory;
  memory.probation(Arm::kGo);
  memory.step(WorkerDied{"ended by the kernel over its 512 MiB (cgroup)", kNoSet, Reason::kMemoryOverBudget});
  EXPECT_TRUE(memory.machine.refusals().contains(kNew));
  Driven idle;
  idle.probation(Arm::kGo);
  idle.after(15'000ms, killed(kNoSet));
  EXPECT_EQ(idle.machine.refusals().count, 0u);
  EXPECT_EQ(find<StartWorker>(idle.last)->set, kNew) << "its probation begins anew";
  idle.after(10'000ms);
  EXPECT_EQ(idle.machine.phase(), Phase::kProbation) << "no time counts without a worker";
  idle.step(WorkerActivated{kNew});
  idle.after(19'999ms);
  EXPECT_EQ(idle.machine.phase(), Phase::kProbation);
  idle.after(1ms);
  EXPECT_EQ(idle.machine.lkg(), kNew);
  Driven again;
  again.probation(Arm::kGo);
  again.step(killed(kNoSet));
  again.step(killed(kNoSet));
  EXPECT_TRUE(again.machine.refusals().contains(kNew)) << "the second one had not confirmed the new content yet";
  EXPECT_EQ(find<StartWorker>(again.last)->set, kOld);
}

TEST(Activation, AWorkerThatCannotBeStartedInProbationIsStartedUntilItCan) {
  for (const bool swapped : {false, true}) {
    Driven d;
    d.swap(Arm::kGo);
    if (swapped) d.step(WorkerActivated{kNew});
    for (int i = 0; i < 50; ++i) {
      d.after(5'000ms, WorkerDied{"exit code 127", kNoSet, Reason::kWorkerCrash, Cause::kNotStarted});
      EXPECT_EQ(find<StartWorker>(d.last)->set, kNew);
    }
    EXPECT_EQ(d.machine.refusals().count, 0u);
    d.step(WorkerActivated{kNew});
    d.after(20'000ms);
    EXPECT_EQ(d.machine.lkg(), kNew);
  }
}

TEST(Activation, AWorkerThatIsStartedAgainMustLoadItsContentInTime) {
  Driven d;
  d.start();
  d.after(1'000ms, WorkerDied{"signal 11"});
  ASSERT_TRUE(d.machine.deadline());
  EXPECT_EQ(*d.machine.deadline(), d.now + 30'000ms);
  d.after(30'000ms);
  EXPECT_TRUE(emits(d.last, EventKind::kWorkerStall, kOld));
  ASSERT_TRUE(find<StartWorker>(d.last));
  d.step(WorkerActivated{kOld});
  EXPECT_FALSE(d.machine.deadline());
}

TEST(Activation, DeathsFarApartKeepTheContent) {
  Driven d;
  d.start();
  for (int i = 0; i < 50; ++i) {
    d.after(20'000ms);
    d.step(WorkerDied{"signal 9"});
    d.step(WorkerActivated{kOld});
  }
  EXPECT_EQ(d.machine.running(), kOld);
  EXPECT_EQ(d.machine.refusals().count, 0u);
}

TEST(Activation, StallsThatTakeAMinuteEachGoDownTheLadderToo) {
  Driven d;
  d.start();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(d.machine.running(), kOld);
    d.after(70'000ms, WorkerStalled{"no sign of life"});
    if (i < 2) d.step(WorkerActivated{kOld});
  }
  EXPECT_TRUE(d.machine.refusals().contains(kOld));
  EXPECT_EQ(find<StartWorker>(d.last)->set, kOlder);
}

TEST(Activation, ProbationDoesNotEndWhileTheWorkerIsSilent) {
  Driven d;
  d.probation(Arm::kGo);
  d.after(20'000ms, Tick{false});
  EXPECT_EQ(d.machine.phase(), Phase::kProbation);
  d.after(500ms, Tick{true});
  EXPECT_EQ(d.machine.phase(), Phase::kProbation) << "asked again in a second";
  d.after(500ms, Tick{false});
  d.after(39'000ms, WorkerStalled{"no sign of life"});
  EXPECT_TRUE(d.machine.refusals().contains(kNew));
  Driven other;
  other.probation(Arm::kGo);
  other.after(20'000ms, Tick{false});
  other.after(1'000ms, Tick{true});
  EXPECT_EQ(other.machine.phase(), Phase::kSteady);
  EXPECT_EQ(other.machine.lkg(), kNew);
}

TEST(Activation, DamagedContentOfARungIsSkipped) {
  Driven d;
  d.step(WorkerRefused{kOld, Reason::kVerifyFailed, "digest differs"});
  EXPECT_EQ(find<SwapTo>(d.last)->set, kOlder);
  d.step(WorkerActivated{kOlder});
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  EXPECT_EQ(d.machine.lkg(), kOlder);
  EXPECT_FALSE(d.machine.refusals().contains(kOld)) << "it was good; its files on this disk are not";
  d.announce(kOld);
  EXPECT_EQ(d.machine.phase(), Phase::kAnnouncing) << "and may come again, whole";
}

TEST(Activation, FilesThatAreDamagedBeforeTheRehearsalAreNotHeldAgainstTheRelease) {
  Driven d;
  d.rehearse(Arm::kGo);
  d.step(RehearsalEnded{kNew, false, Reason::kDamaged, "its bytes are not the ones that were signed"});
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  EXPECT_FALSE(d.machine.refusals().contains(kNew));
  d.announce();
  EXPECT_EQ(d.machine.phase(), Phase::kSteady) << "not at once again";
  d.now += 60'000ms;
  d.announce();
  EXPECT_EQ(d.machine.phase(), Phase::kAnnouncing);
}

Remembered in_probation(const char* session_boot, uint8_t clean) {
  Remembered remembered = with_ladder({kOld, kOlder});
  remembered.marker = ipc::Marker{};
  remembered.marker->release = kNew;
  remembered.marker->arm = Arm::kGo;
  remembered.marker->boot_id = ipc::BootId("boot-1");
  remembered.session = ipc::Session{.boot_id = ipc::BootId(session_boot), .clean_stop = clean};
  return remembered;
}

TEST(Activation, ACleanStopOfAnOlderBootSaysNothingAboutThisOne) {
  Driven d(in_probation("boot-0", 1), "boot-2");
  EXPECT_TRUE(emits(d.last, EventKind::kUncleanReboot, kNew)) << "the record of boot-1 could not be written; that of boot-0 is older than the marker";
  EXPECT_TRUE(d.machine.refusals().contains(kNew));
}

TEST(Activation, AMarkerThatCouldNotBeRemovedIsNotHeldAgainstWhatPassed) {
  Remembered remembered = in_probation("boot-1", 0);
  remembered.marker->release = kOld;  // the ladder was written, then the disk took nothing any more
  Driven d(remembered, "boot-2");
  EXPECT_FALSE(d.machine.refusals().contains(kOld));
  EXPECT_EQ(find<StartWorker>(d.last)->set, kOld);
  EXPECT_TRUE(find<ClearMarker>(d.last));
}

TEST(Activation, ADeathInSwapIsNotHeldAgainstAChannelThatMayBeTheLastKnownGoods) {
  const Set channel = set_of(77);
  for (const bool activated : {false, true}) {
    Driven d;
    d.swap(Arm::kGo);
    if (activated) d.step(WorkerActivated{kNew});
    d.step(WorkerStalled{"no sign of life", channel});
    EXPECT_TRUE(d.machine.refusals().contains(kNew));
    EXPECT_EQ(d.machine.refusals().contains(channel), activated) << "before it has said that it runs the new content, the worker evaluates the old";
    EXPECT_EQ(find<StartWorker>(d.last)->set, kOld);
  }
}

TEST(Activation, DeathsInOneChannelSuspendThatChannelBeforeTheWholeContent) {
  const Set channel = set_of(77);
  Driven d;
  d.start();
  for (int i = 0; i < 5; ++i) {
    d.after(1000ms, WorkerDied{"signal 11", channel});
    if (i < 4) d.step(WorkerActivated{kOld});
  }
  EXPECT_TRUE(d.machine.refusals().contains(channel));
  EXPECT_FALSE(d.machine.refusals().contains(kOld));
  EXPECT_TRUE(emits(d.last, EventKind::kFault, kOld)) << "reported";
  ASSERT_TRUE(find<StartWorker>(d.last));
  EXPECT_EQ(find<StartWorker>(d.last)->set, kOld) << "the rest goes on";
  d.step(WorkerActivated{kOld});
  for (int i = 0; i < 5; ++i) {  // it did not help: next rung
    d.after(1000ms, WorkerDied{"signal 11", channel});
    if (i < 4) d.step(WorkerActivated{kOld});
  }
  EXPECT_TRUE(d.machine.refusals().contains(kOld));
  EXPECT_EQ(find<StartWorker>(d.last)->set, kOlder);
}

TEST(Activation, DeathsInDifferentChannelsBlameNone) {
  Driven d;
  d.start();
  for (uint8_t i = 0; i < 5; ++i) {
    d.after(1000ms, WorkerDied{"signal 11", set_of(static_cast<uint8_t>(70 + i % 2))});
    if (i < 4) d.step(WorkerActivated{kOld});
  }
  EXPECT_TRUE(d.machine.refusals().contains(kOld));
  EXPECT_EQ(d.machine.refusals().count, 1u);
}

TEST(Activation, ACrashInProbationRefusesTheChannelInOtherReleasesToo) {
  Driven d;
  d.probation(Arm::kGo);
  d.step(WorkerDied{"signal 11", set_of(77)});
  EXPECT_TRUE(d.machine.refusals().contains(kNew));
  EXPECT_TRUE(d.machine.refusals().contains(set_of(77)));
}

TEST(Activation, ASignedRetryLiftsWhatWasRefusedUnderAnOlderListAndNothingElse) {
  Driven d;
  d.probation(Arm::kGo);
  d.step(WorkerDied{"signal 11"});
  d.step(WorkerActivated{kOld});
  ipc::Admitted again = offer(kNew);
  again.deny_version = 5;
  again.lifted_count = 1;
  again.lifted[0] = kNew;
  d.step(AdmitAnswered{again});
  EXPECT_FALSE(d.machine.refusals().contains(kNew));
  EXPECT_EQ(d.machine.refusals().deny_version, 5u);
  EXPECT_EQ(d.machine.phase(), Phase::kAnnouncing);
  d.grant(Arm::kGo);
  d.step(MarkerStored{true, {}});
  d.step(RehearsalEnded{kNew, true, Reason::kNone, {}});
  d.step(WorkerActivated{kNew});
  d.step(WorkerDied{"signal 11"});
  d.step(WorkerActivated{kOld});
  d.step(AdmitAnswered{again});
  EXPECT_TRUE(d.machine.refusals().contains(kNew)) << "it hurt again under the very list that let it";
  again.deny_version = 6;
  d.step(AdmitAnswered{again});
  EXPECT_FALSE(d.machine.refusals().contains(kNew));
}

TEST(Activation, TheOwnerGoesBackAndForgivesWithoutAServer) {
  Driven d;
  d.start();
  d.step(OwnerReturns{"the host's owner"});
  EXPECT_EQ(find<SwapTo>(d.last)->set, kOlder);
  EXPECT_EQ(d.machine.refusals().list[0].reason, Reason::kOwner);
  d.step(WorkerActivated{kOlder});
  EXPECT_TRUE(emits(d.last, EventKind::kReturned, kOld));
  d.announce(kOld);
  EXPECT_EQ(d.machine.phase(), Phase::kSteady) << "it stays away";
  d.step(OwnerRetries{kOld});
  d.announce(kOld);
  EXPECT_EQ(d.machine.phase(), Phase::kAnnouncing);
  d.grant(Arm::kGo, kOld);
  d.step(MarkerStored{true, {}});
  d.step(OwnerReturns{"the host's owner"});
  EXPECT_TRUE(find<EndRehearsal>(d.last));
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  EXPECT_EQ(d.machine.running(), kOlder);
  d.step(OwnerReturns{"the host's owner"});
  d.step(WorkerActivated{kOldest});
  EXPECT_FALSE(d.machine.can_return()) << "nobody empties a host by this";
  d.step(OwnerReturns{"the host's owner"});
  EXPECT_TRUE(d.last.empty());
  EXPECT_EQ(d.machine.running(), kOldest);
}

TEST(Activation, WhatTheOwnerLiftsIsToldAlsoIfItIsNotRefusedHere) {
  Driven d;
  d.start();
  d.step(OwnerRetries{kNew});
  EXPECT_TRUE(emits(d.last, EventKind::kRefusalLifted, kNew)) << "the server may remember it";
  ASSERT_TRUE(find<StoreLifted>(d.last));
  EXPECT_TRUE(find<StoreLifted>(d.last)->lifted.contains(kNew)) << "until it has it";
  EXPECT_FALSE(find<StoreRefusals>(d.last));
  // A hold that the server gave before it heard of it is no answer.
  d.announce();
  ipc::Admitted held = offer(kNew, ipc::GrantVerdict::kHold);
  held.remembered = 1;
  d.step(AdmitAnswered{held});
  EXPECT_EQ(d.machine.phase(), Phase::kAnnouncing);
  EXPECT_EQ(d.machine.refusals().count, 0u);
  d.step(LiftTold{kNew});
  ASSERT_TRUE(find<StoreLifted>(d.last));
  EXPECT_EQ(find<StoreLifted>(d.last)->lifted.count, 0u);
  d.step(LiftTold{kNew});
  EXPECT_TRUE(d.last.empty());
  d.grant(Arm::kGo);
  EXPECT_EQ(d.machine.phase(), Phase::kMarking);
}

TEST(Activation, WhatHurtsAgainIsNotToldAsLifted) {
  Driven d;
  d.start();
  d.step(OwnerRetries{kNew});
  d.announce();
  d.grant(Arm::kGo);
  d.step(MarkerStored{true, {}});
  d.step(RehearsalEnded{kNew, true, Reason::kNone, {}});
  d.step(WorkerActivated{kNew});
  d.step(WorkerDied{"signal 11"});
  EXPECT_TRUE(d.machine.refusals().contains(kNew));
  EXPECT_EQ(d.machine.lifted().count, 0u);
}

TEST(Activation, LiftsAreBoundedAndTheOldestLeaves) {
  Driven d;
  d.start();
  for (size_t i = 0; i <= ipc::kRefusalsMax; ++i) {
    Set set{};
    set[0] = 9;
    set[1] = static_cast<uint8_t>(i + 1);
    d.step(OwnerRetries{set});
    ASSERT_TRUE(d.machine.lifted().valid());
  }
  EXPECT_EQ(d.machine.lifted().count, ipc::kRefusalsMax);
  EXPECT_EQ(d.machine.lifted().list[0][1], 2);
}

// The key of grants is an online one, and can hold back; it cannot deny (D6). A later go of it is followed.
TEST(Activation, AHoldOfAServerThatRemembersIsAHoldAndNoRefusalOfThisHost) {
  for (const bool lost : {false, true}) {
    Remembered remembered = with_ladder({kOld, kNew});
    remembered.refusals_lost = lost;
    remembered.refusals.count = ipc::kRefusalsMax;
    for (size_t i = 0; i < ipc::kRefusalsMax; ++i) remembered.refusals.list[i].release = set_of(static_cast<uint8_t>(100 + i));
    Driven d(remembered);
    if (lost) d.step(WorkerActivated{kNoSet});
    else d.start();
    d.announce();
    ipc::Admitted held = offer(kNew, ipc::GrantVerdict::kHold);
    held.remembered = 1;
    held.detail.assign("this sensor refused it at 2026-01-01T00:00:00Z: worker_crash: signal 11");
    d.step(AdmitAnswered{held});
    EXPECT_EQ(d.machine.phase(), Phase::kMarking) << "the placebo is taken as any other";
    EXPECT_FALSE(d.machine.refusals().contains(kNew));
    EXPECT_TRUE(d.machine.refusals().contains(set_of(100))) << "and no other left for it";
    EXPECT_EQ(d.machine.ladder().count, 2u);
    EXPECT_FALSE(emits(d.last, EventKind::kContentRefused, kNew));
  }
}

TEST(Activation, AHoldThatAServerRemembersIsAskedAgainOnlyWhileItsOwnLiftIsUnderWay) {
  for (const Set& lifted : {kNew, kOldest}) {
    Driven d(with_ladder({kOld}));
    d.start();
    d.step(OwnerRetries{lifted});
    d.announce();
    ipc::Admitted held = offer(kNew, ipc::GrantVerdict::kHold);
    held.remembered = 1;
    d.step(AdmitAnswered{held});
    EXPECT_EQ(d.machine.phase(), lifted == kNew ? Phase::kAnnouncing : Phase::kMarking);
  }
}

TEST(Activation, AnOwnersRetryEndsTheHoldThatKeptItAway) {
  Remembered remembered = with_ladder({kOld});
  remembered.held_back = ipc::HeldBack{kNew};
  Driven d(remembered);
  d.start();
  d.step(OwnerRetries{kNew});
  EXPECT_FALSE(d.machine.held_back());
  ASSERT_TRUE(find<StoreHeldBack>(d.last));
}

TEST(Activation, WithoutItsRefusalsOrItsLadderAHostRunsNothingThatItKeepsUntilNewContentPassed) {
  for (const bool refusals : {true, false}) {
    Remembered remembered = refusals ? with_ladder({kOld, kOlder}) : Remembered{};
    (refusals ? remembered.refusals_lost : remembered.ladder_lost) = true;
    remembered.sets = {kOld, kOlder};
    Driven d(remembered);
    EXPECT_EQ(find<StartWorker>(d.last)->set, kNoSet);
    d.step(WorkerActivated{kNoSet});
    EXPECT_EQ(d.machine.state(), ipc::SensorState::kSafeMode);
    EXPECT_TRUE(d.machine.retains(kOldest)) << "nothing is swept";
    d.announce(kOld);
    d.grant(Arm::kGo, kOld);
    d.step(MarkerStored{true, {}});
    d.step(RehearsalEnded{kOld, true, Reason::kNone, {}});
    d.step(WorkerActivated{kOld});
    d.after(20'000ms);
    ASSERT_TRUE(find<StoreLost>(d.last));
    EXPECT_FALSE(d.machine.careful());
    EXPECT_EQ(d.machine.lkg(), kOld);
    EXPECT_EQ(d.machine.ladder().count, 1u) << "an older rung may be what was refused";
    EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  }
}

TEST(Activation, TheOwnerTrustsWhatIsKept) {
  Remembered remembered = with_ladder({kOld, kOlder});
  remembered.refusals_lost = true;
  Driven d(remembered);
  EXPECT_FALSE(d.machine.can_trust()) << "it starts";
  d.step(OwnerTrusts{});
  EXPECT_TRUE(d.last.empty());
  d.step(WorkerActivated{kNoSet});
  d.announce(kNew);
  d.step(OwnerTrusts{});
  EXPECT_TRUE(find<StopAnnouncing>(d.last));
  ASSERT_TRUE(find<SwapTo>(d.last));
  EXPECT_EQ(find<SwapTo>(d.last)->set, kOld);
  d.step(WorkerActivated{kOld});
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  EXPECT_FALSE(emits(d.last, EventKind::kReturned, kNoSet)) << "no content was left";
  EXPECT_EQ(d.machine.ladder().count, 2u);
}

TEST(Activation, ALostMarkerRefusesWhatMayHaveBeenTriedUnlessTheStopWasClean) {
  for (const bool clean : {false, true}) {
    Remembered remembered = with_ladder({kOld});
    remembered.marker_lost = true;
    remembered.sets = {kOld, kNew};
    remembered.session = ipc::Session{.boot_id = ipc::BootId("boot-1"), .clean_stop = clean};
    Driven d(remembered, "boot-2");
    EXPECT_EQ(d.machine.refusals().contains(kNew), !clean);
    EXPECT_FALSE(d.machine.refusals().contains(kOld));
    EXPECT_EQ(find<StartWorker>(d.last)->set, kOld);
  }
}

TEST(Activation, TimeThatAProcessDidNotHaveIsNotHeldAgainstContent) {
  const auto pass = [](Driven& d, Phase phase, milliseconds limit) {
    for (milliseconds at(0); at < 10 * limit; at += 500ms) {
      d.after(500ms, Tick{true, 500ms});
      ASSERT_EQ(d.machine.phase(), phase);
    }
    for (milliseconds at(0); at < limit - 500ms; at += 500ms) d.after(500ms, Tick{true, 250ms});
    EXPECT_EQ(d.machine.phase(), phase) << "half of it";
    EXPECT_EQ(d.machine.refusals().count, 0u);
  };
  Driven rehearsing;
  rehearsing.rehearse(Arm::kGo);
  pass(rehearsing, Phase::kRehearsing, 60s);
  Driven swapping;
  swapping.swap(Arm::kGo);
  pass(swapping, Phase::kSwapping, 30s);
  Driven starting;
  pass(starting, Phase::kStarting, 30s);
  Driven again;
  again.start();
  again.step(WorkerDied{"signal 11"});
  pass(again, Phase::kSteady, 30s);
  again.after(60s, Tick{true, 0ms});
  EXPECT_TRUE(emits(again.last, EventKind::kWorkerStall, kOld)) << "time that it had is";
}

TEST(Activation, AWorkerThatSomebodyStoppedIsNoWordAgainstContentThatIsTried) {
  for (const bool activated : {false, true}) {
    Driven d;
    d.swap(Arm::kGo);
    if (activated) d.step(WorkerActivated{kNew});
    d.step(WorkerStalled{"stopped by a signal", set_of(77), Cause::kKilled});
    EXPECT_EQ(d.machine.refusals().count, 0u);
    EXPECT_EQ(find<StartWorker>(d.last)->set, kNew);
  }
}

TEST(Activation, ARehearsalThatSomebodyStoppedIsTriedAgainLater) {
  Driven d;
  d.rehearse(Arm::kGo);
  d.step(RehearsalEnded{kNew, false, Reason::kInterrupted, "stopped by a signal"});
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  EXPECT_EQ(d.machine.refusals().count, 0u);
  d.announce();
  EXPECT_EQ(d.machine.phase(), Phase::kSteady) << "not at once";
}

ipc::Admitted standing(ipc::Standing running, std::array<ipc::Standing, 3> rungs) {
  ipc::Admitted answer;
  answer.trusted = 1;
  answer.running_standing = running;
  answer.rung_standing = rungs;
  return answer;
}
constexpr auto kAllowed = ipc::Standing::kAllowed, kReturnIt = ipc::Standing::kReturn, kDeniedIt = ipc::Standing::kDenied;

TEST(Activation, AHaltedRolloutTakesTheHostBackInAndAfterProbation) {
  Driven d;
  d.probation(Arm::kGo);
  d.step(AdmitAnswered{standing(kReturnIt, {kAllowed, kAllowed, kAllowed})});
  EXPECT_EQ(d.machine.phase(), Phase::kReturning);
  EXPECT_EQ(find<SwapTo>(d.last)->set, kOld) << "the worker lives: swap between two events, lose none";
  EXPECT_FALSE(d.machine.refusals().contains(kNew)) << "a halt may be lifted";
  d.step(WorkerActivated{kOld});
  EXPECT_TRUE(emits(d.last, EventKind::kReturned, kNew));
  d.step(AdmitAnswered{standing(kReturnIt, {kReturnIt, kAllowed, kAllowed})});
  EXPECT_EQ(find<SwapTo>(d.last)->set, kOlder);
  EXPECT_EQ(d.machine.ladder().count, 2u);
}

TEST(Activation, NobodyCanEmptyAHostByHaltingOnlyByDenying) {
  Driven d(with_ladder({kOld}));
  d.start();
  d.step(AdmitAnswered{standing(kReturnIt, {kReturnIt, kAllowed, kAllowed})});
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  EXPECT_EQ(d.machine.running(), kOld);
  EXPECT_EQ(d.machine.lkg(), kOld);
  d.step(AdmitAnswered{standing(kDeniedIt, {kDeniedIt, kAllowed, kAllowed})});
  EXPECT_EQ(find<SwapTo>(d.last)->set, kNoSet);
  d.step(WorkerActivated{kNoSet});
  EXPECT_EQ(d.machine.phase(), Phase::kSafeMode);
}

TEST(Activation, UntrustedAnswersChangeNothing) {
  Driven d;
  d.start();
  ipc::Admitted answer;
  answer.detail.assign("timestamp expired");
  d.step(AdmitAnswered{answer});
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  EXPECT_TRUE(d.last.empty());
}

TEST(Activation, AnOfferThatGoesAwayEndsTheAnnouncement) {
  Driven d;
  d.start();
  d.announce();
  d.step(AdmitAnswered{offer(kNoSet)});
  EXPECT_TRUE(find<StopAnnouncing>(d.last));
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
}

TEST(Activation, LateOrInventedWordsOfChildrenChangeNothing) {
  Driven d;
  d.start();
  d.step(RehearsalEnded{kNew, true, Reason::kNone, {}});
  d.step(WorkerActivated{kNew});
  EXPECT_EQ(d.machine.running(), kOld);
  EXPECT_EQ(d.machine.phase(), Phase::kSteady);
  d.rehearse(Arm::kGo);
  d.step(RehearsalEnded{kOlder, true, Reason::kNone, {}});
  EXPECT_EQ(d.machine.phase(), Phase::kRehearsing);
  d.step(WorkerActivated{kNew});
  EXPECT_NE(d.machine.running(), kNew);
}

TEST(Activation, OldestRefusalLeavesWhenTheListIsFull) {
  Remembered remembered = with_ladder({kOld});
  for (size_t i = 0; i < ipc::kRefusalsMax; ++i) {
    Set set{};
    set[0] = 9;
    set[1] = static_cast<uint8_t>(i + 1);
    remembered.refusals.list[i].release = set;
    remembered.refusals.list[i].reason = Reason::kWorkerCrash;
  }
  remembered.refusals.count = ipc::kRefusalsMax;
  const Set first = remembered.refusals.list[0].release, second = remembered.refusals.list[1].release;
  Driven d(remembered);
  d.probation(Arm::kGo);
  d.step(WorkerDied{"signal 11"});
  EXPECT_EQ(d.machine.refusals().count, ipc::kRefusalsMax);
  EXPECT_FALSE(d.machine.refusals().contains(first));
  EXPECT_TRUE(d.machine.refusals().contains(second));
  EXPECT_TRUE(d.machine.refusals().contains(kNew));
}

TEST(ActivationDeathTest, IllegalTransitionsAndForeignAnswersAreBugs) {
  Driven d;
  d.start();
  EXPECT_DEATH(d.step(MarkerStored{true, {}}), "CHECK");
  EXPECT_DEATH(d.machine.begin(d.now, WallTime(d.now)), "CHECK");
}

TEST(Activation, LegalTransitionsAreExactlyTheTableOfTheHeader) {
  const std::vector<std::pair<Phase, std::vector<Phase>>> table = {
      {Phase::kStarting, {Phase::kStarting, Phase::kSteady, Phase::kSafeMode}},
      {Phase::kSteady, {Phase::kAnnouncing, Phase::kReturning, Phase::kSafeMode}},
      {Phase::kAnnouncing, {Phase::kSteady, Phase::kMarking, Phase::kReturning, Phase::kSafeMode}},
      {Phase::kMarking, {Phase::kSteady, Phase::kRehearsing, Phase::kReturning, Phase::kSafeMode}},
      {Phase::kRehearsing, {Phase::kSteady, Phase::kSwapping, Phase::kReturning, Phase::kSafeMode}},
      {Phase::kSwapping, {Phase::kSteady, Phase::kProbation, Phase::kReturning, Phase::kSafeMode}},
      {Phase::kProbation, {Phase::kSteady, Phase::kReturning, Phase::kSafeMode}},
      {Phase::kReturning, {Phase::kSteady, Phase::kReturning, Phase::kSafeMode}},
      {Phase::kSafeMode, {Phase::kAnnouncing, Phase::kReturning}},
  };
  size_t checked = 0;
  for (const auto& [from, targets] : table)
    for (size_t to = 0; to < kPhases; ++to, ++checked)
      EXPECT_EQ(legal(from, static_cast<Phase>(to)), std::ranges::find(targets, static_cast<Phase>(to)) != targets.end()) << to_string(from) << " -> " << to_string(static_cast<Phase>(to));
  EXPECT_EQ(checked, kPhases * kPhases);
}

// Random worlds: any observation at any time, also invented ones. From any state, when faults stop, the host reaches rest on allowed content.
TEST(Activation, RandomWalksKeepTheInvariants) {
  for (uint32_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    std::mt19937 random(seed);
    const auto pick = [&](uint32_t n) { return random() % n; };
    Driven d(pick(2) ? with_ladder({kOld, kOlder}) : Remembered{});
    Set worker = kNoSet;   // what the pretended live worker was told
    bool marked = false;   // a marker is on the pretended disk
    const auto obey = [&] {
      for (int round = 0; round < 4; ++round) {
        std::optional<MarkerStored> answer;
        for (const Action& action : Actions(d.last)) {
          if (const auto* start = std::get_if<StartWorker>(&action)) worker = start->set;
          if (const auto* swap = std::get_if<SwapTo>(&action)) worker = swap->set;
          if (std::holds_alternative<ClearMarker>(action)) marked = false;
          if (std::holds_alternative<StoreMarker>(action)) {
            answer = MarkerStored{pick(5) != 0, "no space left"};
            marked = answer->stored;
          }
          if (const auto* rehearsal = std::get_if<StartRehearsal>(&action)) {
            EXPECT_TRUE(marked);
            EXPECT_FALSE(d.machine.refusals().contains(rehearsal->set));
          }
          if (const auto* swap = std::get_if<SwapTo>(&action)) {
            EXPECT_FALSE(d.machine.refusals().contains(swap->set));
          }
        }
        if (!answer) return;
        d.step(*answer);
      }
    };
    obey();
    for (int i = 0; i < 400; ++i) {
      d.now += milliseconds(pick(4000));
      const Set any = set_of(static_cast<uint8_t>(pick(6)));
      switch (pick(12)) {
        case 0: case 1: d.step(AdmitAnswered{offer(any)}); break;
        case 2: case 3: d.step(AdmitAnswered{offer(d.machine.candidate(), d.machine.candidate() == kNoSet ? ipc::GrantVerdict::kNone : pick(2) ? ipc::GrantVerdict::kGo : ipc::GrantVerdict::kHold)}); break;
        case 4: d.step(RehearsalEnded{d.machine.arm() == Arm::kGo ? d.machine.candidate() : d.machine.lkg(), pick(4) != 0, Reason::kRehearsalFailed, "x"}); break;
        case 5: case 6: d.step(WorkerActivated{worker}); break;
        case 7: d.step(WorkerActivated{any}); break;
        case 8: d.step(WorkerRefused{worker, Reason::kVerifyFailed, "x"}); break;
        case 9: if (pick(4) == 0) d.step(WorkerDied{"signal 9"}); break;
        case 10: d.step(AdmitAnswered{standing(pick(3) ? kAllowed : kReturnIt, {pick(3) ? kAllowed : kReturnIt, kAllowed, kDeniedIt})}); break;
        default: d.step(Tick{}); break;
      }
      obey();
      ASSERT_TRUE(d.machine.ladder().valid());
      ASSERT_TRUE(d.machine.refusals().valid());
      for (size_t k = 0; k < d.machine.ladder().count; ++k) ASSERT_FALSE(d.machine.refusals().contains(d.machine.ladder().sets[k])) << "refused content on the ladder";
      const Phase phase = d.machine.phase();
      if (phase == Phase::kRehearsing || phase == Phase::kSwapping || phase == Phase::kProbation) {
        ASSERT_TRUE(marked) << "no durable marker, no activation";
      }
      if (phase == Phase::kSteady || phase == Phase::kSafeMode) {
        ASSERT_FALSE(marked);
      }
    }
    for (int i = 0; i < 40; ++i) {  // faults stop
      const Phase phase = d.machine.phase();
      if (phase == Phase::kAnnouncing) d.step(AdmitAnswered{offer(kNoSet)});
      else if (phase == Phase::kRehearsing) d.step(RehearsalEnded{d.machine.arm() == Arm::kGo ? d.machine.candidate() : d.machine.lkg(), true, Reason::kNone, {}});
      else if (phase == Phase::kProbation) d.after(20'000ms);
      else d.step(WorkerActivated{worker});
      obey();
    }
    EXPECT_TRUE(d.machine.phase() == Phase::kSteady || d.machine.phase() == Phase::kSafeMode) << to_string(d.machine.phase());
  }
}

TEST(StallJudge, BlamesBusyWorkersAndNotStarvedMachines) {
  StallJudge judge({5000ms, 60'000ms});
  judge.alive(MonotonicTime(0), 0ns);
  EXPECT_FALSE(judge.stalled(MonotonicTime(50'000), 4s)) << "little CPU: the machine is busy with others";
  EXPECT_TRUE(judge.stalled(MonotonicTime(6000), 5s));
  EXPECT_TRUE(judge.stalled(MonotonicTime(60'000), 0s)) << "stuck without CPU while others run";
  judge.starved(30'000ms);
  EXPECT_FALSE(judge.stalled(MonotonicTime(60'000), 0s)) << "this process was starved too";
  judge.alive(MonotonicTime(60'000), 5s);
  EXPECT_FALSE(judge.stalled(MonotonicTime(61'000), 6s));
}

}  // namespace
}  // namespace creance::sensor
