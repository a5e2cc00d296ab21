// The ladder, for real: content and outside forces hurt the sensor's processes at each step of an activation and at random; afterwards the host is on allowed content, its base
// detections go on, nothing refused runs, and the report arrives. One seed replays a run: CREANCE_SEED=N.
#include <algorithm>
#include <cstdlib>
#include <random>

#include "sensor/processes.hpp"

namespace creance::sensor {
namespace {

const std::vector<std::string> kQuickStalls = {"--stall-busy-ms", "700", "--stall-silent-ms", "1000"};

class Ladder : public Processes {
 protected:
  // `own`: makes channel files of their own, since a channel that was refused is left out in whatever release it comes.
  Set content(uint8_t tag, const std::string& harm = "", uint32_t own = 0) {
    std::vector<std::string> rules = {rule("01", kPipe, "PipeName|endswith: evil_pipe"),
                                      rule("02", kPipe, fmt::format("PipeName|contains: ['good_{}', 'of_run_{}']", tag % 40 + 1, own), harm.empty() ? "" : "creance.fault-point.worker-" + harm)};
    return make_set(tag, rules);
  }
  size_t base_detections() const { return count(state_ / "pretend/detections", "\"rule_title\":\"Rule 01\""); }
  bool refused(const Set& set) {
    const auto refusals = ipc::read_record<ipc::Refusals>(files_, state_ / "state/refusals.bin");
    return refusals && refusals->contains(set);
  }
  // Until the next detection of the base rule, less the time in which this machine did not let this test run.
  int64_t gap_ms() {
    const os::RealClock clock;
    const size_t before = base_detections();
    const MonotonicTime from = clock.monotonic();
    MonotonicTime starved{0};
    while (base_detections() == before && clock.monotonic() - from < MonotonicTime(30'000)) {
      const MonotonicTime asleep = clock.monotonic();
      ::poll(nullptr, 0, 20);
      starved += std::max(MonotonicTime(0), clock.monotonic() - asleep - MonotonicTime(25));
    }
    return (clock.monotonic() - from - starved).count();
  }
};

struct Harm {
  const char* name;
  const char* event;
};

// Growth is harm because it meets a limit, and sanitizers reserve terabytes of address space (launcher.cpp).
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryIsLimited = false;
#else
constexpr bool kMemoryIsLimited = true;
#endif

class LadderOf : public Ladder, public testing::WithParamInterface<Harm> {};

TEST_P(LadderOf, HarmfulContentIsReturnedFromReportedAndRefused) {
  if (!kMemoryIsLimited && GetParam().name == std::string_view("grow")) GTEST_SKIP() << "under a sanitizer the supervisor cannot limit address space";
  const Set base = content(1), harmful = content(2, GetParam().name);
  good({base});
  start("creance-sensor-worker-demo", "boot-1", 60'000, kQuickStalls);
  ASSERT_TRUE(await([&] { return runs(base) && base_detections() > 0; })) << log();
  offer(harmful, "go");
  ASSERT_TRUE(await([&] { return event("activated", harmful); }, 40)) << log();
  ASSERT_TRUE(await([&] { return event(GetParam().event, harmful); }, 40)) << log();
  ASSERT_TRUE(await([&] { return event("returned", harmful) && runs(base); }, 40)) << log();
  EXPECT_LE(gap_ms(), 2000);
  EXPECT_TRUE(refused(harmful));
  const auto record = ipc::read_record<ipc::SetRecord>(files_, state_ / "waiting" / to_hex(harmful) / "set.bin");
  ASSERT_TRUE(record);
  EXPECT_TRUE(refused(record->files[0].sha256)) << "the channel that was evaluated is refused too, in whatever release it comes";
  EXPECT_EQ(count(state_ / "pretend/events", "activated " + to_hex(harmful)), 1u);
}

INSTANTIATE_TEST_SUITE_P(Worker, LadderOf, testing::Values(Harm{"abort", "worker_crash"}, Harm{"hang", "worker_stall"}, Harm{"spin", "worker_stall"}, Harm{"grow", "memory_over_budget"}),
                         [](const auto& given) { return std::string(given.param.name); });

TEST_F(Ladder, AFloodOfDetectionsSuspendsOneRuleAndTheOthersGoOn) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe"), rule("02", kPipe, "PipeName|contains: p")});
  std::string events;
  for (int i = 0; i < 50; ++i) events += fmt::format(R"({{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":17,"PipeName":"\\{}","Image":"C:\\x.exe"}})" "\n", i % 25 == 0 ? "evil_pipe" : "p");
  std::ofstream(state_ / "events.jsonl") << events;
  good({base});
  start("creance-sensor-worker", "boot-1", 1500, {"--rate", "1000"});
  ASSERT_TRUE(await([&] { return count(state_ / "pretend/events", "hits_over_budget") > 0; }, 60)) << log();
  EXPECT_NE(text_of(state_ / "pretend/events").find("rule 00000000-0000-4000-8000-000000000002: hits_over_budget: more than 6000 hits within a minute"), std::string::npos) << text_of(state_ / "pretend/events");
  ASSERT_TRUE(await([&] { return status().find(R"("suspended":[{"at_ms":)") != std::string::npos; })) << status();
  EXPECT_NE(status().find(R"("rule_id":"00000000-0000-4000-8000-000000000002","reason":"hits_over_budget")"), std::string::npos) << status();
  EXPECT_LE(gap_ms(), 2000) << "the rule beside it goes on";
  EXPECT_TRUE(runs(base));
  EXPECT_FALSE(event("worker_crash", base));
}

TEST_F(Ladder, DeathsInOneChannelOfGoodContentSuspendThatChannelAlone) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe"), rule("03", kLinux, "Image|endswith: /x", "creance.fault-point.worker-abort")});
  good({base});
  std::string events = text_of(state_ / "events.jsonl");
  for (int i = 0; i < 50; ++i) events += R"({"_type":"linux.process_creation","Image":"/bin/x"})" "\n";
  std::ofstream(state_ / "events.jsonl") << events;
  start("creance-sensor-worker-demo", "boot-1", 1500, {"--rate", "1000"});
  // The fault point is in whichever channel is evaluated third: five deaths, one channel after the other, until both are out or the content is. What must hold: it ends, and says why.
  ASSERT_TRUE(await([&] { return count(state_ / "pretend/events", "fault " + to_hex(base) + " channel ") > 0 || event("returned", base); }, 60)) << log();
  EXPECT_TRUE(await([&] { return status().find("\"state\":\"steady\"") != std::string::npos || status().find("\"state\":\"safe_mode\"") != std::string::npos; })) << status();
}

TEST_F(Ladder, TheOwnerPausesReturnsAndRetriesWithoutAServer) {
  const Set older = content(1), base = content(2);
  good({base, older});
  start();
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  const auto command = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin() + 1, {"--state", state_.string()});
    auto child = os::ChildProcess::start({kBin / "creance-sensor", arguments, {}, state_ / "command-log", {}});
    return child ? child->wait().code : -1;
  };
  EXPECT_EQ(command({"pause", "--for", "soon"}), 3);
  ASSERT_EQ(command({"pause", "--for", "2h", "--reason", "maintenance"}), 0) << text_of(state_ / "command-log");
  ASSERT_TRUE(await([&] { return text_of(state_ / "state/why.txt").find("paused by the host's owner for another 1") != std::string::npos; })) << log();
  EXPECT_TRUE(await([&] { return text_of(state_ / "pretend/asked").find("--paused yes") != std::string::npos; })) << "admit is told";
  ASSERT_EQ(command({"resume"}), 0);
  ASSERT_TRUE(await([&] { return status().find("\"paused_ms\":0,") != std::string::npos; })) << status();
  ASSERT_EQ(command({"return", "--reason", "it is slow"}), 0);
  ASSERT_TRUE(await([&] { return event("returned", base) && runs(older); })) << log();
  EXPECT_TRUE(refused(base));
  EXPECT_NE(text_of(state_ / "pretend/events").find("owner: the host's owner: it is slow"), std::string::npos) << text_of(state_ / "pretend/events");
  ASSERT_EQ(command({"retry", "--digest", to_hex(base)}), 0);
  ASSERT_TRUE(await([&] { return !refused(base); })) << log();
  EXPECT_EQ(command({"retry", "--digest", "12"}), 3);
  EXPECT_EQ(command({"doctor"}), 0) << text_of(state_ / "command-log");
  EXPECT_NE(text_of(state_ / "command-log").find("a sensor runs on this folder"), std::string::npos);
  EXPECT_NE(text_of(state_ / "command-log").find(::geteuid() == 0 ? "each process is a user of its own" : "all processes of the sensor are one user"), std::string::npos) << text_of(state_ / "command-log");
  // A sensor that does not run finds the order when it starts.
  sensor_.signal(SIGTERM);
  ASSERT_EQ(sensor_.wait().code, 0);
  EXPECT_EQ(command({"doctor"}), 2) << "nobody watches this host";
  ipc::Order pause;
  pause.pause_ms = 3'600'000;
  ASSERT_TRUE(ipc::write_record(files_, state_ / "state/orders/1.bin", pause));
  std::ofstream(state_ / "state/orders/2.bin") << "damaged";
  start();
  ASSERT_TRUE(await([&] { return status().find("\"paused_ms\":35") != std::string::npos; })) << status();
  EXPECT_EQ(*files_.list(state_ / "state/orders"), (std::vector<std::string>{"reserved.bin", "reserved.bin.spare"})) << "each is carried out once; what is left is the place of one on a full disk";
}

TEST_F(Ladder, AMissingProgramAndKillsFromOutsideCostNoContent) {
  const Set base = content(1);
  good({base});
  const fs::path program = state_ / "the-worker", away = state_ / "the-worker.away";
  fs::copy_file(kBin / "creance-sensor-worker", program);
  start(program.string());
  ASSERT_TRUE(await([&] { return runs(base) && base_detections() > 0; })) << log();
  const auto kill_children = [&] {
    std::istringstream children(text_of(fmt::format("/proc/{0}/task/{0}/children", sensor_.pid())));
    for (int pid = 0; children >> pid;) ::kill(pid, SIGKILL);
  };
  const auto nothing_lost = [&] {
    const auto ladder = ipc::read_record<ipc::Ladder>(files_, state_ / "state/ladder.bin");
    const auto refusals = ipc::read_record<ipc::Refusals>(files_, state_ / "state/refusals.bin");
    return ladder && ladder->count == 1 && ladder->sets[0] == base && (!refusals || refusals->count == 0) && !event("safe_mode", base) && !event("returned", base);
  };
  fs::rename(program, away);  // as while a package is being replaced
  kill_children();
  ASSERT_TRUE(await([&] { return count(state_ / "log", "exit code 127; before it read any content, and held against none") >= 3; }, 40)) << log();
  fs::rename(away, program);
  ASSERT_TRUE(await([&] { return count(state_ / "log", "worker ready") >= 2; }, 40)) << log();
  EXPECT_LE(gap_ms(), 4000) << log();
  EXPECT_TRUE(nothing_lost()) << log();
  const size_t before = count(state_ / "log", "held against");
  ASSERT_TRUE(await([&] {
    kill_children();
    return count(state_ / "log", "held against") >= before + 4;
  }, 60)) << log();
  ASSERT_TRUE(await([&] { return runs(base); }, 40)) << log();
  EXPECT_LE(gap_ms(), 15'000) << log();
  EXPECT_TRUE(nothing_lost()) << log();
  EXPECT_FALSE(event("worker_crash", ipc::kNoSet)) << "the server would count it against what rolls out";
}

TEST_F(Ladder, AnUncleanStopIsADetectionOfTheSensorsOwn) {
  good({content(1)});
  start();
  ASSERT_TRUE(await([&] { return base_detections() > 0; })) << log();
  EXPECT_EQ(count(state_ / "pretend/detections", "creance.sensor.unclean-stop"), 0u);
  sensor_.signal(SIGKILL);
  sensor_.wait();
  start();
  EXPECT_TRUE(await([&] { return count(state_ / "pretend/detections", "\"rule_id\":\"creance.sensor.unclean-stop\"") == 1; })) << log();
  sensor_.signal(SIGTERM);
  ASSERT_EQ(sensor_.wait().code, 0);
  start();
  ASSERT_TRUE(await([&] { return worker_pid() > 0; })) << log();
  EXPECT_EQ(count(state_ / "pretend/detections", "creance.sensor.unclean-stop"), 1u);
}

// Whatever happens at whatever moment.
TEST_F(Ladder, RandomHarmAtRandomMomentsLeavesAllowedContentAndGoesOnDetecting) {
  const char* wanted = std::getenv("CREANCE_SEED");
  const uint32_t first = wanted != nullptr ? static_cast<uint32_t>(std::strtoul(wanted, nullptr, 10)) : 1;
  const bool full = std::getenv("CREANCE_FULL") != nullptr;
  const uint32_t runs_wanted = wanted != nullptr ? 1 : full ? 500 : 40;
  Set lkg = content(1);
  good({lkg});
  std::vector<Set> passed = {lkg};  // what was last known good once
  int boot = 1;
  const auto launch = [&] { start("creance-sensor-worker-demo", fmt::format("boot-{}", boot), full ? 4000 : 250, kQuickStalls); };
  launch();
  ASSERT_TRUE(await([&] { return runs(lkg) && base_detections() > 0; })) << log();
  int64_t longest = 0;
  for (uint32_t seed = first; seed < first + runs_wanted; ++seed) {
    SCOPED_TRACE(fmt::format("replay: CREANCE_SEED={} creance_sensor_tests --gtest_filter='Ladder.Random*'", seed));
    std::mt19937 random(seed);
    constexpr const char* kHarms[] = {"", "", "abort", "grow", "spin", "hang"};
    std::string harm = kHarms[random() % (full ? 6 : 4)];  // the last two need a probation that is longer than what makes a stall
    if (!kMemoryIsLimited && harm == "grow") harm = "abort";
    const auto tag = static_cast<uint8_t>(2 + seed % 250);
    const Set next = content(tag, harm, seed);
    const auto refusals = ipc::read_record<ipc::Refusals>(files_, state_ / "state/refusals.bin");
    ASSERT_FALSE(refusals && refusals->contains(next)) << "each run has content of its own";
    const size_t activated_before = count(state_ / "pretend/events", "activated " + to_hex(next));
    offer(next, random() % 6 == 0 ? "hold" : "go");
    const auto stage = random() % 5;  // when the other force strikes
    const auto force = random() % 5;
    if (stage == 1) await([&] { return marked(); }, 3);
    if (stage == 2) await([&] { return event("activated", next) || event("held", next); }, 3);
    if (stage == 3) await([&] { return event("probation_passed", next) || event("returned", next); }, 3);
    if (stage == 4) ::poll(nullptr, 0, static_cast<int>(random() % 300));
    switch (force) {
      case 0: if (const int pid = worker_pid(); pid > 0) ::kill(pid, SIGKILL); break;
      case 1: if (const int pid = worker_pid(); pid > 0) ::kill(pid, SIGSTOP); break;
      case 2:
        sensor_.signal(SIGKILL);
        sensor_.wait();
        boot += static_cast<int>(random() % 2);
        launch();
        break;
      case 3:
        sensor_.signal(SIGTERM);
        sensor_.wait();
        launch();
        break;
      default: break;
    }
    offer(ipc::kNoSet, "go");
    const auto at_rest = [&] {
      const std::string report = text_of(state_ / "pretend/report");
      const auto ladder = ipc::read_record<ipc::Ladder>(files_, state_ / "state/ladder.bin");
      if (!ladder || ladder->count == 0 || marked() || !report.starts_with("steady " + to_hex(ladder->sets[0]) + " ")) return false;
      // An older rung where the forces of several runs fell together: five deaths within a minute, whatever they are of.
      return ladder->sets[0] == lkg || ladder->sets[0] == next || (refused(lkg) && std::ranges::find(passed, ladder->sets[0]) != passed.end());
    };
    ASSERT_TRUE(await(at_rest, 60)) << text_of(state_ / "pretend/report") << "\n" << log();
    longest = std::max(longest, gap_ms());
    EXPECT_LE(longest, 2000) << log();
    const auto ladder = ipc::read_record<ipc::Ladder>(files_, state_ / "state/ladder.bin");
    const auto after = ipc::read_record<ipc::Refusals>(files_, state_ / "state/refusals.bin");
    EXPECT_FALSE(after && after->contains(ladder->sets[0])) << "refused content runs";
    EXPECT_LE(count(state_ / "pretend/events", "activated " + to_hex(next)), activated_before + 1);
    EXPECT_TRUE(harm.empty() || ladder->sets[0] != next) << "harmful content became the last known good";
    lkg = ladder->sets[0];
    passed.push_back(lkg);
    if (testing::Test::HasFailure()) return;
  }
  fmt::print("{} runs, the longest gap between detections {} ms\n", runs_wanted, longest);
}

}  // namespace
}  // namespace creance::sensor
