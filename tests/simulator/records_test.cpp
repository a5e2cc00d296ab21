// Every record of a host is damaged in every way, alone and with its copy. With one copy whole nothing changes; with both gone the host is careful, says so, and finds its way back
// by what the server remembers. And what else records must carry over a restart: what the owner lifted, until the server has it. One seed replays a run.
#include "simulator/host.hpp"

namespace creance::sensor::simulated {
namespace {

using Damage = Host::Damage;
constexpr const char* kRecords[] = {"session.bin", "refusals.bin", "lifted.bin", "ladder.bin", "held-back.bin", "pause.bin", "marker.bin"};
constexpr Damage kAll[] = {Damage::kBit, Damage::kTruncated, Damage::kZeroed, Damage::kMissing, Damage::kUnreadable};

// Two good releases, and one that crashed and was refused.
struct Past {
  Set base{}, refused{};
};
Past live(Host& host, bool network_at_refusal = true) {
  host.children_work(true);
  host.holds(0);
  host.run_for(2min);
  Past past;
  past.base = host.publish(Nature::kGood);
  host.run_for(4min);
  host.network(true);
  past.refused = host.publish(Nature::kCrashes);
  if (!network_at_refusal) {
    host.run_for(100s);
    host.network(false);
  }
  host.run_for(6min);
  EXPECT_TRUE(host.machine().refusals().contains(past.refused)) << host.story();
  EXPECT_EQ(host.running(), past.base) << host.story();
  return past;
}
void start_again(Host& host) {
  while (!host.up()) host.run_for(1s);
}
bool told(const Host& host, const std::string& what) {
  return std::ranges::any_of(host.damages(), [&](const std::string& text) { return text.find(what) != std::string::npos; });
}

TEST(Records, OneWholeCopyIsEnough) {
  uint64_t seed = 1;
  for (const char* name : kRecords) {
    for (const Damage how : kAll) {
      for (const bool copy : {false, true}) {
        SCOPED_TRACE(fmt::format("{}, damage {}, of the {}", name, static_cast<int>(how), copy ? "copy" : "file"));
        Host host(++seed);
        const Past past = live(host);
        const ipc::Ladder ladder = host.machine().ladder();
        host.kill_supervisor();
        host.damage_record(name, how, !copy, copy);
        host.server().plan.rollouts.erase(host.server().plan.rollouts.begin());  // nothing new comes
        ++host.server().plan.sequence;
        start_again(host);
        EXPECT_TRUE(host.machine().refusals().contains(past.refused)) << host.story();
        EXPECT_EQ(host.machine().ladder().sets, ladder.sets) << host.story();
        EXPECT_FALSE(host.machine().careful());
        EXPECT_EQ(told(host, std::string("restored from their copies: ") + name), !copy) << host.story();
        host.run_for(2min);
        EXPECT_EQ(host.running(), past.base) << host.story();
        EXPECT_EQ(host.machine().phase(), Phase::kSteady) << host.story();
        // And there are two again: the other one may go now.
        host.kill_supervisor();
        host.damage_record(name, Damage::kBit, copy, !copy);
        start_again(host);
        EXPECT_FALSE(told(host, "lost")) << host.story();
        EXPECT_TRUE(host.machine().refusals().contains(past.refused)) << host.story();
        if (testing::Test::HasFailure()) return;
      }
    }
  }
}

// Space that does not do what it should.
class Faulty final : public ReservedFiles {
 public:
  enum class How { kWorks, kFails, kStopsBeforeTheExchange, kLeavesNoCopy };
  explicit Faulty(fake::Disk& disk) : disk_(disk) {}
  Status reserve(const std::filesystem::path& path, BytesView blank) override { return disk_.reserve(path, blank); }
  Status write(const std::filesystem::path& path, BytesView bytes) override {
    if (how == How::kFails) return fail(ErrorCode::kIo, "the spare cannot be written");
    if (how == How::kStopsBeforeTheExchange) {
      disk_.put(spare_of(path), Bytes(bytes.begin(), bytes.end()));
      return fail(ErrorCode::kIo, "it cannot be exchanged");
    }
    auto written = disk_.write(path, bytes);
    if (how == How::kLeavesNoCopy) disk_.lose(spare_of(path));
    return written;
  }
  Status take_spare(const std::filesystem::path& path) override { return disk_.take_spare(path); }
  How how = How::kWorks;

 private:
  fake::Disk& disk_;
};
struct OnFaultySpace : testing::Test {
  fake::Disk disk;
  Faulty reserved{disk};
  Store store{disk, reserved, "/s/state"};
  ipc::Refusals refusals;
  ipc::Marker marker;
  void SetUp() override {
    (void)store.load({});
    ASSERT_TRUE(store.reserve());
    ipc::Session session;
    session.boot_id.assign("boot-1");
    ASSERT_TRUE(store.store(session));
    marker.release.fill(9);
    marker.arm = ipc::Arm::kGo;
    marker.boot_id.assign("boot-1");
    refuse(1);
  }
  void refuse(uint8_t what) {
    refusals.list[refusals.count].release.fill(what);
    refusals.list[refusals.count++].reason = ipc::Reason::kFault;
    store.store(refusals);
  }
};

TEST_F(OnFaultySpace, AnOlderSpareDoesNotCountWhenTheFileIsDamaged) {
  reserved.how = Faulty::How::kFails;
  refuse(2);
  EXPECT_FALSE(store.pending());
  EXPECT_FALSE(store.store(marker)) << "what is there once only is not enough to try content";
  disk.damage("/s/state/refusals.bin");
  const auto loaded = Store(disk, reserved, "/s/state").load({});
  EXPECT_TRUE(loaded.remembered.refusals_lost);
  EXPECT_EQ(loaded.restored.find("refusals"), std::string::npos) << loaded.restored;
}

TEST_F(OnFaultySpace, WithoutACopyNothingIsTried) {
  reserved.how = Faulty::How::kLeavesNoCopy;
  refuse(2);
  EXPECT_FALSE(store.store(marker));
  reserved.how = Faulty::How::kWorks;
  EXPECT_TRUE(store.store(marker));
}

TEST_F(OnFaultySpace, AMarkerWhoseWriteFailsAgainAndAgainIsNone) {
  reserved.how = Faulty::How::kStopsBeforeTheExchange;
  disk.fill(true);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(store.store(marker));
  EXPECT_FALSE(Store(disk, reserved, "/s/state").load({}).remembered.marker);
}

TEST(Records, AnOlderFileBesideANewerCopyIsOlder) {
  for (const char* name : kRecords) {
    SCOPED_TRACE(name);
    Host host(3);
    const std::filesystem::path file = std::string("/s/state/") + name;
    host.children_work(true);
    host.holds(0);
    host.run_for(2min);
    host.kill_supervisor();
    start_again(host);
    const Bytes old = *host.disk().read(file, 65'536);
    const Past past = live(host);
    const ipc::Ladder ladder = host.machine().ladder();
    host.kill_supervisor();
    host.disk().put(file, old);
    start_again(host);
    EXPECT_TRUE(host.machine().refusals().contains(past.refused)) << host.story();
    EXPECT_EQ(host.machine().ladder().sets, ladder.sets) << host.story();
    host.run_for(2min);
    EXPECT_EQ(host.running(), past.base) << host.story();
  }
}

TEST(Records, WithBothCopiesGoneTheHostIsCarefulAndComesBackByItself) {
  uint64_t seed = 100;
  for (const char* name : kRecords) {
    for (const Damage how : kAll) {
      SCOPED_TRACE(fmt::format("{}, damage {}", name, static_cast<int>(how)));
      Host host(++seed);
      const Past past = live(host);
      ASSERT_TRUE(host.remembered_by_server().contains(past.refused)) << host.story();
      host.kill_supervisor();
      host.damage_record(name, how, true, true);
      const auto sets = *host.disk().list("/s/sets");
      const bool careful = name == std::string("refusals.bin") || name == std::string("ladder.bin");
      host.network(false);
      start_again(host);
      EXPECT_TRUE(told(host, name)) << host.story();
      EXPECT_TRUE(told(host, "lost with their copies")) << host.story();
      EXPECT_EQ(host.machine().careful(), careful);
      for (int again = 0; again < 2; ++again) {  // and it stays so over the next start
        host.run_for(5min);
        EXPECT_EQ(host.running(), careful ? kNoSet : past.base) << host.story();
        EXPECT_TRUE(host.machine().state() == (careful ? ipc::SensorState::kSafeMode : ipc::SensorState::kSteady)) << host.story();
        if (careful) {
          EXPECT_TRUE(std::ranges::includes(*host.disk().list("/s/sets"), sets)) << "nothing is cleared away";
        }
        host.kill_supervisor();
        start_again(host);
        EXPECT_EQ(host.machine().careful(), careful) << host.story();
      }
      host.network(true);
      host.run_for(10min);  // what was refused is offered first, and the server says hold
      if (name == std::string("refusals.bin")) {
        EXPECT_FALSE(host.machine().refusals().contains(past.refused)) << "it is held back, which is no word of this host's\n" << host.story();
        EXPECT_NE(host.running(), past.refused) << host.story();
      }
      if (name == std::string("pause.bin")) host.order(ipc::Order::What::kResume);
      const Set next = host.publish(Nature::kGood);
      host.run_for(10min);
      EXPECT_EQ(host.running(), next) << host.story();
      EXPECT_EQ(host.machine().lkg(), next);
      EXPECT_FALSE(host.machine().careful());
      host.kill_supervisor();
      const size_t before = host.damages().size();
      start_again(host);
      EXPECT_EQ(host.damages().size(), before) << "it is over, and not told again";
      if (testing::Test::HasFailure()) return;
    }
  }
}

TEST(Records, TheOwnerMayTrustWhatIsKept) {
  for (const char* name : {"refusals.bin", "ladder.bin"}) {
    Host host(5);
    const Past past = live(host);
    host.network(false);
    host.kill_supervisor();
    host.damage_record(name, Damage::kZeroed, true, true);
    start_again(host);
    host.run_for(1min);
    EXPECT_EQ(host.running(), kNoSet);
    host.order(ipc::Order::What::kResume);
    host.run_for(1min);
    EXPECT_TRUE(host.machine().careful()) << "who ends a pause trusts nothing by that\n" << host.story();
    EXPECT_EQ(host.running(), kNoSet) << host.story();
    host.order(ipc::Order::What::kTrustKept);
    host.run_for(1min);
    EXPECT_FALSE(host.machine().careful());
    EXPECT_EQ(host.running(), name == std::string("refusals.bin") ? past.base : kNoSet) << host.story();
    EXPECT_NE(host.machine().state(), ipc::SensorState::kReturning) << host.story();
  }
}

// Whoever cannot be given all of what he wants is given none of it: the pause stays too.
TEST(Records, TrustThatCannotBeGivenNowChangesNothing) {
  Host host(8);
  live(host);
  host.network(false);
  host.kill_supervisor();
  host.damage_record("refusals.bin", Damage::kZeroed, true, true);
  start_again(host);
  host.run_for(1min);
  ASSERT_TRUE(host.machine().careful());
  host.starve_loads(20s);  // so that content is being tried for a while
  host.network(true);
  host.publish(Nature::kGood);
  for (int i = 0; i < 600 && host.machine().can_trust(); ++i) host.run_for(1s);
  ASSERT_FALSE(host.machine().can_trust()) << host.story();
  ASSERT_TRUE(host.machine().careful()) << host.story();
  host.pause(1h);
  EXPECT_TRUE(host.order(ipc::Order::What::kTrustKept) == ipc::OrderAnswer::What::kRefused);
  EXPECT_GT(host.paused_ms(), 0u);
  EXPECT_TRUE(host.machine().careful());
  EXPECT_TRUE(host.order(ipc::Order::What::kResume) == ipc::OrderAnswer::What::kDone) << "the pause alone can be ended";
  EXPECT_EQ(host.paused_ms(), 0u);
  EXPECT_TRUE(host.machine().careful());
}

TEST(Records, AllOfThemGoneAndContentThereIsNoNewHost) {
  Host host(6);
  const Past past = live(host);
  host.kill_supervisor();
  for (const char* name : kRecords) host.damage_record(name, Damage::kMissing, true, true);
  const auto sets = *host.disk().list("/s/sets");
  host.network(false);
  start_again(host);
  host.run_for(5min);
  EXPECT_TRUE(host.machine().careful());
  EXPECT_EQ(host.machine().state(), ipc::SensorState::kSafeMode) << "not steady";
  EXPECT_TRUE(std::ranges::includes(*host.disk().list("/s/sets"), sets));
  host.order(ipc::Order::What::kResume);  // of the pause that may have been there
  host.network(true);
  host.run_for(10min);
  const Set next = host.publish(Nature::kGood);
  host.run_for(10min);
  EXPECT_EQ(host.running(), next) << host.story();
  EXPECT_NE(past.refused, next);
}

TEST(Records, ALostMarkerRefusesWhatMayHaveBeenTried) {
  Host host(7);
  const Past past = live(host);
  const Set next = host.publish(Nature::kGood);
  while (host.machine().phase() != Phase::kProbation) host.run_for(100ms);
  host.power_loss();
  host.damage_record("marker.bin", Damage::kBit, true, true);
  start_again(host);
  EXPECT_TRUE(host.machine().refusals().contains(next)) << host.story();
  host.run_for(2min);
  EXPECT_EQ(host.running(), past.base) << host.story();
}

// The power goes at each file operation of a start that restores and records what was lost: nothing refused is read, whatever comes.
TEST(Records, APowerLossWhileTheyAreRestoredIsRecoveredFrom) {
  uint64_t losses = 0;
  for (const bool both : {false, true}) {
    for (const char* name : {"refusals.bin", "ladder.bin", "marker.bin", "session.bin"}) {
      for (uint64_t operation = 0;; ++operation) {
        SCOPED_TRACE(fmt::format("{}{}, power lost at file operation {}", name, both ? " and its copy" : "", operation));
        Host host(11 + operation);
        const Past past = live(host);
        host.kill_supervisor();
        host.damage_record(name, Damage::kBit, true, both);
        host.disk().power_off_at(operation);
        const uint64_t boots = host.boots();
        host.run_for(4min);
        start_again(host);
        const bool lost = host.boots() > boots + 1;
        losses += lost;
        host.disk().power_stays();
        if (!both) {
          EXPECT_TRUE(host.machine().refusals().contains(past.refused)) << host.story();
          EXPECT_EQ(host.machine().lkg(), past.base) << host.story();
        }
        const Set next = host.publish(Nature::kGood);
        host.run_for(10min);
        EXPECT_EQ(host.running(), next) << host.story();
        if (testing::Test::HasFailure()) return;
        if (!lost) break;
      }
    }
  }
  for (uint64_t operation = 0;; ++operation) {
    SCOPED_TRACE(fmt::format("all of them, power lost at file operation {}", operation));
    Host host(11 + operation);
    (void)live(host);
    host.kill_supervisor();
    for (const char* name : kRecords) host.damage_record(name, Damage::kMissing, true, true);
    const auto sets = *host.disk().list("/s/sets");
    host.network(false);
    host.disk().power_off_at(operation);
    const uint64_t boots = host.boots();
    host.run_for(4min);
    start_again(host);
    const bool lost = host.boots() > boots + 1;
    losses += lost;
    host.disk().power_stays();
    EXPECT_TRUE(host.machine().careful()) << host.story();
    host.run_for(2min);
    EXPECT_EQ(host.machine().state(), ipc::SensorState::kSafeMode) << host.story();
    EXPECT_TRUE(std::ranges::includes(*host.disk().list("/s/sets"), sets)) << "nothing is cleared away";
    if (testing::Test::HasFailure()) return;
    if (!lost) break;
  }
  fmt::print("{} power losses, all recovered\n", losses);
  EXPECT_GE(losses, 60u);
}

TEST(Owner, ALiftReachesAServerThatRemembersWhatThisHostHasForgotten) {
  for (const bool offline : {false, true}) {
    for (const bool forgotten : {false, true}) {
      SCOPED_TRACE(fmt::format("offline {}, forgotten {}", offline, forgotten));
      Host host(21);
      host.children_work(true);
      host.holds(0);
      host.run_for(3min);
      host.snapshot();
      const Set set = host.publish(Nature::kCrashes);
      host.run_for(6min);
      ASSERT_TRUE(host.remembered_by_server().contains(set)) << host.story();
      if (forgotten) {
        host.restore();
        start_again(host);
        ASSERT_FALSE(host.machine().refusals().contains(set));
      }
      host.network(!offline);
      host.mend(set);
      host.retry_by_owner(set);
      host.kill_supervisor();  // before any report
      start_again(host);
      EXPECT_TRUE(!offline || host.machine().lifted().contains(set)) << host.story();
      host.run_for(1min);
      host.network(true);
      host.run_for(8min);
      EXPECT_FALSE(host.machine().lifted().contains(set)) << "the server has it\n" << host.story();
      EXPECT_FALSE(host.remembered_by_server().contains(set)) << host.story();
      EXPECT_EQ(host.running(), set) << host.story();
    }
  }
}

TEST(Starved, LoadingAndRehearsalAreJudgedByTheTimeTheyHad) {
  for (const milliseconds each : {milliseconds(40s), milliseconds(3min), milliseconds(20min)}) {
    Host host(31);
    host.children_work(true);
    host.holds(0);
    host.run_for(3min);
    const Set base = host.running();
    host.starve_loads(each);
    for (int i = 0; i < 6; ++i) {
      host.kill_supervisor();
      start_again(host);
      host.run_for(2min);
    }
    host.run_for(each + 5min);
    EXPECT_EQ(host.machine().refusals().count, 0u) << host.story();
    EXPECT_EQ(host.running(), base) << host.story();
    const Set next = host.publish(Nature::kGood);
    host.run_for(3 * each + 10min);
    EXPECT_EQ(host.machine().refusals().count, 0u) << host.story();
    EXPECT_EQ(host.running(), next) << host.story();
    EXPECT_EQ(host.machine().lkg(), next);
  }
}

}  // namespace
}  // namespace creance::sensor::simulated
