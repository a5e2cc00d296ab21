// The machine goes down at some step of an activation: every process of the sensor is killed at once, and the next run has another boot id. Afterwards the host is on its last known
// good content before anyone opens the new one. What a power cut does to the disk itself is tried in the simulator (pretended disk) and in a virtual machine (scripts/vm-test).
// One seed replays the choices: CREANCE_SEED=N.
#include <cstdlib>
#include <random>

#include "sensor/processes.hpp"

namespace creance::sensor {
namespace {

constexpr const char* kSteps[] = {"announced", "marker", "rehearsed", "activated", "probation", "good"};

class Reboot : public Processes {
 protected:
  Set content(uint32_t seed) {
    return make_set(static_cast<uint8_t>(2 + seed % 250), {rule("01", kPipe, "PipeName|endswith: evil_pipe"), rule("02", kPipe, fmt::format("PipeName|contains: ['good_1', 'of_run_{}']", seed))});
  }
  bool reached(const std::string& step, const Set& next) const {
    if (step == "announced") return fs::exists(state_ / "sets" / to_hex(next) / "set.bin");
    if (step == "marker") return marked();
    if (step == "rehearsed") return count(state_ / "log", "rehearsed over") > 0;
    if (step == "good") return event("probation_passed", next);
    return event("activated", next);
  }
  // The whole tree at once, the supervisor first, so that it sees none of its children end.
  void kill_all() {
    std::vector<int> tree = {sensor_.pid()};
    ASSERT_EQ(::kill(tree[0], SIGSTOP), 0);
    for (size_t i = 0; i < tree.size(); ++i) {
      std::istringstream children(text_of(fmt::format("/proc/{0}/task/{0}/children", tree[i])));
      for (int pid = 0; children >> pid;) tree.push_back(pid);
    }
    EXPECT_GE(tree.size(), 3u) << "supervisor, updater and worker at least";
    for (const int pid : tree) ::kill(pid, SIGKILL);
    sensor_.wait();
  }
};

TEST_F(Reboot, AtAnyStepOfAnActivationLeavesTheHostOnGoodContent) {
  const char* wanted = std::getenv("CREANCE_SEED");
  const bool full = std::getenv("CREANCE_FULL") != nullptr;
  const uint32_t first = wanted != nullptr ? static_cast<uint32_t>(std::strtoul(wanted, nullptr, 10)) : 1;
  const uint32_t last = first + (wanted != nullptr ? 1 : full ? 240 : 12);
  Set good_set = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  good({good_set});
  int returned = 0, kept = 0, not_begun = 0;
  start("creance-sensor-worker", fmt::format("boot-{}", first), 300);
  for (uint32_t seed = first; seed < last; ++seed) {
    const std::string step = kSteps[seed % std::size(kSteps)];
    SCOPED_TRACE(fmt::format("step {}; replay: CREANCE_SEED={} creance_sensor_tests --gtest_filter='Reboot.*'", step, seed));
    std::mt19937 random(seed);
    ASSERT_TRUE(await([&] { return runs(good_set); })) << log();
    const Set next = content(seed);
    std::ofstream(state_ / "log", std::ios::trunc).flush();
    offer(next, "go");
    ASSERT_TRUE(await([&] { return reached(step, next); })) << log();
    if (step == "probation") ::poll(nullptr, 0, static_cast<int>(random() % 250));  // anywhere in it
    else if (random() % 2 == 0) ::poll(nullptr, 0, static_cast<int>(random() % 20));
    kill_all();

    const auto ladder = ipc::read_record<ipc::Ladder>(files_, state_ / "state/ladder.bin");
    ASSERT_TRUE(ladder);
    const bool marker = marked(), passed = ladder->sets[0] == next;
    offer(ipc::kNoSet, "go");
    const ipc::Descriptor reads(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    const fs::path folder = state_ / "sets" / to_hex(next);
    if (!passed && fs::exists(folder)) {
      ASSERT_GE(::inotify_add_watch(reads.get(), folder.c_str(), IN_OPEN | IN_ACCESS), 0);
    }
    std::ofstream(state_ / "pretend/report", std::ios::trunc).flush();
    start("creance-sensor-worker", fmt::format("boot-{}", seed + 1), 300);
    if (passed) {
      ASSERT_TRUE(await([&] { return runs(next) && !marked(); })) << log();
      EXPECT_FALSE(event("unclean_reboot", next)) << "its probation was over";
      good_set = next;
      ++kept;
    } else if (marker) {
      ASSERT_TRUE(await([&] { return event("unclean_reboot", next) && event("returned", next) && runs(good_set) && !marked(); })) << log();
      const auto refusals = ipc::read_record<ipc::Refusals>(files_, state_ / "state/refusals.bin");
      ASSERT_TRUE(refusals && refusals->contains(next));
      ++returned;
    } else {
      ASSERT_TRUE(await([&] { return runs(good_set); })) << log();
      EXPECT_FALSE(event("unclean_reboot", next)) << "nothing of it had been read";
      ++not_begun;
    }
    alignas(inotify_event) char buffer[4096];
    for (ssize_t n = 0; (n = ::read(reads.get(), buffer, sizeof buffer)) > 0;)
      for (ssize_t at = 0; at < n;) {
        const auto* seen = reinterpret_cast<const inotify_event*>(buffer + at);
        EXPECT_FALSE(seen->len > 0 && std::string_view(seen->name).ends_with(".channel")) << seen->name << " was opened or read after the reboot";
        at += static_cast<ssize_t>(sizeof *seen + seen->len);
      }
    const size_t before = detections(good_set);
    EXPECT_TRUE(await([&] { return detections(good_set) > before; })) << "and detects";
    if (HasFailure()) return;
  }
  fmt::print("{} reboots: {} returned, {} were good before, {} had not begun\n", last - first, returned, kept, not_begun);
  if (wanted == nullptr) {
    EXPECT_GE(returned, 6);
    EXPECT_GE(kept, 1);
  }
}

}  // namespace
}  // namespace creance::sensor
