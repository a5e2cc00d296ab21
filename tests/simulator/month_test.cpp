// A month of a host's life in seconds, with faults of every kind from a seed; and the power lost at every single file operation of an activation.
// One seed replays a run: creance_simulator_tests --gtest_filter='Month.*' with CREANCE_SEED=N.
#include <cstdlib>

#include "simulator/host.hpp"

namespace creance::sensor::simulated {
namespace {

constexpr auto kDay = std::chrono::hours(24);

void random_fault(Host& host) {
  if (!host.up()) return;
  switch (host.below(31)) {
    case 0: case 1: host.kill_worker(); break;
    case 2: host.silence_worker(); break;
    case 3: host.power_loss(); break;
    case 4: case 5: host.disk().power_off_at(host.below(40)); break;
    case 6: host.disk().fill(true); break;
    case 7: host.disk().make_read_only(true); break;
    case 8: case 9: case 10: host.disk().fill(false), host.disk().make_read_only(false); break;
    case 11: host.clock().jump(milliseconds(static_cast<int64_t>(host.below(60ull * 24 * 3600 * 1000)) - 30ll * 24 * 3600 * 1000)); break;
    case 12: host.network(false); break;
    case 13: case 14: host.network(true); break;
    case 15: host.forge(host.chance(2)); break;
    case 16: host.offer_old_plan(host.chance(2)); break;
    case 17: host.kill_supervisor(); break;
    case 18: host.stop(host.chance(2)); break;
    case 19: host.chance(3) ? host.damage_a_set() : host.lie(); break;
    case 20: host.chance(4) ? host.snapshot() : host.lie(); break;
    case 21: host.chance(20) ? host.restore() : host.lie(); break;
    case 27: host.kill_children(milliseconds(host.below(30'000))); break;
    case 28: host.program_missing(milliseconds(host.below(300'000))); break;
    case 29: host.stop_worker(); break;
    case 26: host.chance(10) ? host.clone() : host.lie(); break;
    case 23: host.chance(3) ? host.damage_record_of_then() : host.lie(); break;
    case 22: host.order(static_cast<ipc::Order::What>(host.below(5))); break;
    default: host.lie(); break;
  }
}

void server_acts(Host& host) {
  switch (host.below(12)) {
    case 0: case 1: case 2: case 3: case 4: host.publish(static_cast<Nature>(host.below(kNatures))); break;
    case 5: case 6: host.publish(Nature::kGood); break;
    case 7: host.deny(host.random_set()); break;
    case 8: host.retry(host.random_set()); break;
    default: {
      auto& rollouts = host.server().plan.rollouts;
      rollouts[host.below(rollouts.size())].state = static_cast<plan::RolloutState>(host.below(5));
      ++host.server().plan.sequence;
    }
  }
}

// Faults stop: the host comes to rest by itself, on good content that is allowed.
void rest(Host& host, milliseconds time = 15min) {
  host.disk().power_stays();
  host.disk().fill(false);
  host.disk().make_read_only(false);
  host.network(true);
  host.forge(false);
  host.offer_old_plan(false);
  host.children_work(true);
  host.holds(0);
  host.run_for(3min);  // until it is up again
  ASSERT_TRUE(host.up());
  host.order(ipc::Order::What::kResume);
  const Set good = host.publish(Nature::kGood);
  host.server().plan.rollouts[0].state = plan::RolloutState::kComplete;
  host.run_for(time);
  ASSERT_TRUE(host.up()) << host.story();
  EXPECT_TRUE(host.machine().phase() == Phase::kSteady) << to_string(host.machine().phase()) << "\n" << host.story();
  EXPECT_EQ(host.running(), good) << host.content(good).document.name << " is good, allowed and offered\n" << host.story();
  EXPECT_EQ(host.machine().lkg(), good) << host.story();
  EXPECT_FALSE(ipc::read_record<ipc::Marker>(host.disk(), "/s/state/marker.bin")) << host.story();
  host.children_work(false);
  host.holds(3);
}

TEST(Month, OfRandomFaultsKeepsTheInvariantsAndEndsAtRest) {
  const char* wanted = std::getenv("CREANCE_SEED");
  const uint64_t first = wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : 1;
  const uint64_t count = wanted != nullptr ? 1 : std::getenv("CREANCE_FULL") != nullptr ? 200 : 3;
  uint64_t steps = 0, activations = 0, returns = 0, boots = 0, clones = 0;
  for (uint64_t seed = first; seed < first + count && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(fmt::format("replay: CREANCE_SEED={} creance_simulator_tests --gtest_filter='Month.*'", seed));
    Host host(seed);
    for (int day = 0; day < 30 && !testing::Test::HasFailure(); ++day) {
      const MonotonicTime end = host.clock().monotonic() + kDay;
      while (host.clock().monotonic() < end && !testing::Test::HasFailure()) {
        host.run_for(milliseconds(host.below(20 * 60'000)));
        if (host.chance(6)) server_acts(host);
        random_fault(host);
      }
      rest(host);
    }
    steps += host.steps();
    activations += host.activations();
    returns += host.returns();
    boots += host.boots();
    clones += host.clones();
  }
  fmt::print("{} months: {} steps, {} activations, {} returns, {} starts, {} clones\n", count, steps, activations, returns, boots, clones);
  EXPECT_GE(clones, count);
  EXPECT_GE(activations, 30 * count);
  EXPECT_GE(returns, 10 * count) << "faults that do nothing show nothing";
}

// One activation, and the power goes at each of its file operations in turn: whatever it was, the host comes up on allowed content and takes what comes next.
TEST(PowerLoss, AtEveryFileOperationOfAnActivationIsRecoveredFrom) {
  uint64_t losses = 0, refused = 0;
  for (const Nature nature : {Nature::kGood, Nature::kCrashes, Nature::kHangs, Nature::kDoesNotVerify}) {
    for (const bool hold : {false, true}) {
      for (uint64_t operation = 0;; ++operation) {
        SCOPED_TRACE(fmt::format("nature {}, {}, power lost at file operation {}", static_cast<int>(nature), hold ? "hold" : "go", operation));
        Host host(1 + operation);
        host.children_work(true);
        host.holds(hold ? 1 : 0);
        host.run_for(2min);
        const uint64_t boots = host.boots();
        host.publish(nature);
        host.disk().power_off_at(operation);
        host.run_for(4min);
        const bool lost = host.boots() > boots;
        losses += lost;
        refused += host.machine().refusals().count;
        rest(host, 3min);
        if (testing::Test::HasFailure()) return;
        if (!lost) {
          EXPECT_GE(operation, hold ? 8u : 15u) << "an activation has more file operations than that";
          break;
        }
      }
    }
  }
  fmt::print("{} power losses, {} refusals, all recovered\n", losses, refused);
}

// Faults that say nothing about content, alone and for a week: what passed probation is neither refused nor left, and the host comes back to it within a minute.
TEST(Outside, NothingThatContentDidNotDoCostsContentThatPassedProbation) {
  for (uint64_t seed = 1; seed <= (std::getenv("CREANCE_FULL") != nullptr ? 100 : 5); ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Host host(seed);
    host.children_work(true);
    host.holds(0);
    host.run_for(5min);
    for (int i = 0; i < 300; ++i) {
      const ipc::Ladder ladder = host.machine().ladder();
      ASSERT_GT(ladder.count, 0u) << host.story();
      if (host.chance(10)) host.publish(Nature::kGood);  // an attempt is under way
      host.run_for(milliseconds(host.below(90'000)));
      switch (host.below(5)) {
        case 0: host.kill_worker(); break;
        case 1: host.kill_children(milliseconds(host.below(60'000))); break;
        case 2: host.program_missing(milliseconds(host.below(600'000))); break;
        case 3: host.stop_worker(); break;
        default: host.program_missing(milliseconds(9'000)), host.kill_children(milliseconds(20'000)); break;
      }
      host.run_for(milliseconds(host.below(12 * 60'000)));
      for (size_t rung = 0; rung < ladder.count; ++rung) ASSERT_FALSE(host.machine().refusals().contains(ladder.sets[rung])) << host.story();
      ASSERT_NE(host.machine().phase(), Phase::kSafeMode) << host.story();
      ASSERT_GE(host.machine().ladder().count, ladder.count) << "lost, and not for newer content\n" << host.story();
    }
    host.run_for(12min);
    EXPECT_NE(host.running(), kNoSet) << host.story();
    EXPECT_EQ(host.running(), host.machine().lkg()) << host.story();
  }
}

TEST(Owner, NoClockEndsAPauseEarlyNorDoesAReboot) {
  Host host(11);
  host.children_work(true);
  host.holds(0);
  host.run_for(2min);
  host.pause(6h);
  const size_t before = host.activated().size();
  const Set next = host.publish(Nature::kGood);
  host.server().plan.rollouts[0].state = plan::RolloutState::kComplete;
  for (const milliseconds jump : {milliseconds(24h * 30), milliseconds(-24h * 60), milliseconds(24h * 365)}) {
    host.clock().jump(jump);
    host.run_for(30min);
    host.stop(true);
    host.run_for(30min);
  }
  EXPECT_EQ(host.activated().size(), before) << host.story();
  EXPECT_NE(host.running(), next);
  host.run_for(4h);
  EXPECT_EQ(host.running(), next) << "and by its own time it is over\n" << host.story();
}

TEST(Owner, WindowsHoldNewContentAndNothingElse) {
  Host host(12);
  host.children_work(true);
  host.holds(0);
  host.run_for(10min);
  plan::Windows windows;
  ASSERT_TRUE(plan::add_window(windows, "daily 02:00-02:30 UTC"));
  host.owner().windows = {windows};
  const size_t before = host.activated().size();
  for (int day = 0; day < 20; ++day) {
    host.publish(Nature::kGood);
    host.server().plan.rollouts[0].state = plan::RolloutState::kComplete;
    host.run_for(24h);
  }
  ASSERT_GE(host.activated().size(), before + 19) << host.story();
  for (size_t i = before; i < host.activated().size(); ++i) {
    const auto of_day = host.activated()[i] - std::chrono::floor<std::chrono::days>(host.activated()[i]);
    EXPECT_TRUE(of_day >= 2h && of_day < 2h + 31min) << format_time(host.activated()[i]);
  }
  // What is denied is left at once, in the middle of the day.
  const auto of_day = host.clock().wall() - std::chrono::floor<std::chrono::days>(host.clock().wall());
  host.run_for(std::chrono::duration_cast<milliseconds>(of_day < 12h ? 12h - of_day : 36h - of_day));
  const Set denied = host.running();
  host.deny(denied);
  host.run_for(5min);
  EXPECT_NE(host.running(), denied) << host.story();
  EXPECT_NE(host.running(), kNoSet) << "back to the good one before it";
}

TEST(Month, OneSeedIsOneStory) {
  std::string stories[2];
  for (std::string& story : stories) {
    Host host(7);
    for (int i = 0; i < 100; ++i) {
      host.run_for(milliseconds(host.below(600'000)));
      server_acts(host);
      random_fault(host);
    }
    story = host.story();
  }
  EXPECT_EQ(stories[0], stories[1]);
  EXPECT_FALSE(stories[0].empty());
}

}  // namespace
}  // namespace creance::sensor::simulated
