// A sensor that does not see says so: every row of that table in docs/reference/sensor.md.
#include "sensor/supervised.hpp"

namespace creance::sensor {
namespace {

using Sight = Supervised;

TEST_F(Sight, AClockThatJumpsIsToldEitherWay) {
  supervise();
  ASSERT_TRUE(steady()) << log();
  EXPECT_EQ(times("clock-jump"), 0u);
  moved_->wall_ms = 3'600'500;  // half a second for what lies between its looks at the two clocks
  ASSERT_TRUE(await([&] { return times("clock-jump") == 1; })) << log();
  EXPECT_NE(told("clock-jump").find("by 3600 s"), std::string::npos) << told("clock-jump");
  moved_->wall_ms = 0;
  ASSERT_TRUE(await([&] { return times("clock-jump") == 2; })) << log();
  EXPECT_NE(told("clock-jump").find("by -3600 s"), std::string::npos) << told("clock-jump");
  EXPECT_NE(told("clock-jump").find("\"type\":\"creance.sensor\""), std::string::npos);
  EXPECT_NE(told("clock-jump").find("\"level\":\"high\""), std::string::npos);
  moved_->monotonic_ms = 3'600'000;  // an hour passed (a suspended machine): both clocks agree
  ASSERT_TRUE(await([&] { return status_number("uptime_ms") > 3'600'000; })) << status();
  EXPECT_EQ(times("clock-jump"), 2u);
}

TEST_F(Sight, ASupervisorThatStoodStillSaysSo) {
  supervise();
  ASSERT_TRUE(steady()) << log();
  EXPECT_EQ(times("stopped"), 0u);
  moved_->monotonic_ms += 55'000;
  ASSERT_TRUE(await([&] { return !told("stopped").empty(); })) << log();
  EXPECT_NE(told("stopped").find("its supervisor did not go on for 5"), std::string::npos) << told("stopped");
}

TEST_F(Sight, AnUpdaterThatSaysNothingIsToldAndThenReplaced) {
  options_.updater_silent = milliseconds(300);
  options_.updater_silent_max = milliseconds(5'000);
  supervise();
  ASSERT_TRUE(steady()) << log();
  pid_t updater = 0;
  std::istringstream children(text_of(fmt::format("/proc/{0}/task/{0}/children", supervisor_)));
  for (pid_t pid = 0; children >> pid;)
    if (text_of(fmt::format("/proc/{}/cmdline", pid)).find(std::string("pretend\0run", 11)) != std::string::npos) updater = pid;
  ASSERT_NE(updater, 0);
  ASSERT_EQ(::kill(updater, SIGSTOP), 0);
  ASSERT_TRUE(await([&] { return text_of(state_ / "state/why.txt").find("the updater has said nothing for ") != std::string::npos; })) << log();
  EXPECT_NE(text_of(state_ / "state/status.txt").find("server     not known: the updater has said nothing for "), std::string::npos) << text_of(state_ / "state/status.txt");
  ASSERT_TRUE(await([&] { return log().find("and was ended; again in ") != std::string::npos; })) << log();
  EXPECT_TRUE(await([&] { return text_of(state_ / "state/why.txt").find("the updater ended with it has said nothing for ") != std::string::npos; })) << log();
  EXPECT_EQ(status_number("lies"), 0u) << "it said nothing, which is no lie";
  EXPECT_TRUE(await([&] { return status().find("\"updater_silent_s\":0") != std::string::npos; })) << "the next one speaks";
}

TEST_F(Sight, LostEventsAreToldWithTheirNumber) {
  supervise();
  ASSERT_TRUE(steady()) << log();
  health(10, 7);
  ASSERT_TRUE(await([&] { return times("events-lost") == 1; })) << log();
  EXPECT_NE(told("events-lost").find("7 events were lost"), std::string::npos) << told("events-lost");
  health(20, 12);
  ASSERT_TRUE(await([&] { return times("events-lost") == 2; })) << log();
  EXPECT_NE(told("events-lost").find("5 events were lost"), std::string::npos) << "since the last time: " << told("events-lost");
}

TEST_F(Sight, AStormIsToldWithTheRulesThatMadeIt) {
  supervise();
  ASSERT_TRUE(steady()) << log();
  std::ofstream(state_ / "pretend/left-out.new") << "rule-a 500\nrule-b 20\nrule-c 7\nrule-d 2\nrule-e 1\n";
  fs::rename(state_ / "pretend/left-out.new", state_ / "pretend/left-out");
  ASSERT_TRUE(await([&] { return !fs::exists(state_ / "pretend/left-out"); })) << log();
  health(10, 0, 530);
  ASSERT_TRUE(await([&] { return times("storm") == 1; })) << log();
  EXPECT_NE(told("storm").find("530 detections were left out since the last look at it: 500 of rule-a, 20 of rule-b, 7 of rule-c, 3 of 2 other rules"), std::string::npos) << told("storm");
  health(10, 0, 531);  // counted, and not named: told all the same
  ASSERT_TRUE(await([&] { return times("storm") == 2; })) << log();
  EXPECT_NE(told("storm").find("1 detections were left out since the last look at it\""), std::string::npos) << told("storm");
}

TEST_F(Sight, AFloodOfTheRealWorkerIsHeldToTheBudgetAndSummarised) {
  std::vector<std::string> rules;
  for (int i = 10; i < 40; ++i) rules.push_back(rule(std::to_string(i), kPipe, "PipeName|contains: a"));
  good({make_set(1, rules)});
  std::ofstream(state_ / "events.jsonl") << fmt::format(R"({{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":17,"PipeName":"\\{0}","Image":"C:\\{0}","User":"{0}","EventType":"{0}","RuleName":"{0}"}})" "\n", std::string(1'000, 'a'));
  options_.worker = kBin / "creance-sensor-worker";
  options_.input = Input::kReplay;
  options_.events = state_ / "events.jsonl";
  options_.loop = true;
  options_.rate = 200;
  const os::RealClock clock;
  const MonotonicTime begun = clock.monotonic();
  supervise();
  ASSERT_TRUE(await([&] { return times("storm") > 0; })) << log();
  EXPECT_NE(told("storm").find(" of 00000000-0000-4000-8000-0000000000"), std::string::npos) << told("storm");
  EXPECT_NE(told("storm").find(" other rules"), std::string::npos) << told("storm");
  EXPECT_TRUE(await([&] { return status_number("detections_lost") > 0; })) << status();
  stop();
  const auto seconds = static_cast<uint64_t>((clock.monotonic() - begun).count() / 1'000) + 2;
  EXPECT_LE(text_of(state_ / "pretend/detections").size(), seconds * limits::kDetectionBytesPerSecondMax);
  EXPECT_GT(text_of(state_ / "pretend/detections").size(), limits::kDetectionBytesPerSecondMax / 2) << "and not to nothing";
}

TEST_F(Sight, ACollectorThatEndsIsTold) {
  options_.input = Input::kLive;
  supervise();
  ASSERT_TRUE(steady()) << log();
  EXPECT_NE(log().find("collect: process connector"), std::string::npos) << log();
  EXPECT_EQ(times("collector-ended"), 0u);
  std::ofstream(state_ / "pretend/end-collector").flush();
  ASSERT_TRUE(await([&] { return times("collector-ended") == 1; })) << log();
  EXPECT_NE(told("collector-ended").find("exit code 3"), std::string::npos) << told("collector-ended");
}

TEST_F(Sight, ACollectorThatSeesNothingWhereProgramsStartIsToldOnce) {
  options_.input = Input::kLive;
  supervise();
  ASSERT_TRUE(await([&] { return times("blind") == 1; })) << log();  // the supervisor itself starts worker, updater and admit, again and again
  EXPECT_NE(told("blind").find("saw none"), std::string::npos) << told("blind");
  health(5);  // it sees again
  ASSERT_TRUE(await([&] { return status_number("events") == 5; })) << status();
  ASSERT_TRUE(await([&] { return times("blind") == 2; })) << "and then nothing any more\n" << log();
}

TEST_F(Sight, ACollectorThatSeesIsNotCalledBlind) {
  options_.input = Input::kLive;
  options_.watch_every = milliseconds(10'000);
  supervise();
  for (uint64_t look = 1; look <= 5; ++look) {  // something is seen before each look at it
    health(look);
    ASSERT_TRUE(await([&] { return status_number("events") == look; })) << status();
    moved_->monotonic_ms += 11'000;
    ASSERT_TRUE(await([&] { return status_number("uptime_ms") >= look * 11'000; })) << status();
  }
  EXPECT_EQ(times("blind"), 0u) << log();
}

TEST_F(Sight, AnUncleanStopIsToldAtTheNextStartAndACleanOneIsNot) {
  supervise();
  ASSERT_TRUE(steady()) << log();
  EXPECT_EQ(times("unclean-stop"), 0u);
  stop();
  supervise();
  ASSERT_TRUE(await([&] { return count(state_ / "log", "running on") == 2; })) << log();
  ::kill(supervisor_, SIGKILL);
  ::waitpid(supervisor_, nullptr, 0);
  EXPECT_EQ(times("unclean-stop"), 0u) << "the second start followed a clean stop";
  ASSERT_TRUE(await([&] { return os::Lock::take(state_ / "state/lock", os::Lock::Kind::kExclusive, "held").has_value(); })) << "by a child that was just being started";
  supervise();
  ASSERT_TRUE(await([&] { return times("unclean-stop") == 1; })) << log();
}

TEST_F(Sight, MemoryPressureIsReportedAndItsFirstCrossingIsAnEvent) {
  moved_->memory_stall_us = 1'000'000;
  supervise();
  ASSERT_TRUE(steady()) << log();
  for (uint64_t i = 1; i <= 8; ++i) {
    moved_->memory_stall_us += 5'000'000;
    moved_->monotonic_ms += 10'000;
    ASSERT_TRUE(await([&] { return status_number("uptime_ms") >= i * 10'000; })) << status();
  }
  ASSERT_TRUE(await([&] { return count(state_ / "pretend/events", "pressure ") == 1; })) << log();
  EXPECT_NE(text_of(state_ / "pretend/events").find("some task waited for memory"), std::string::npos) << text_of(state_ / "pretend/events");
  EXPECT_NE(log().find("creance-sensor: pressure: some task waited for memory"), std::string::npos) << "without content there is no name: " << log();
  EXPECT_TRUE(await([&] { return status_number("memory_some") >= 300; })) << status();
  EXPECT_NE(text_of(state_ / "state/status.txt").find("waits of the last minute"), std::string::npos);
}

// The kernel's own word on how processes end, through whichever way this host is watched.
TEST_F(Sight, CrashesOfOtherProcessesAreCountedAndOrdinaryEndsAreNot) {
  options_.input = Input::kLive;
  options_.worker = kBin / "creance-sensor-worker";
  options_.collect_setup = kBin / "creance-sensor-collect-setup";
  supervise();
  ASSERT_TRUE(await([&] { return log().find("worker ready") != std::string::npos; })) << log();
  if (log().find("cannot be watched live") != std::string::npos) GTEST_SKIP() << "neither eBPF nor the process connector here";
  ASSERT_TRUE(await([&] { return status().find("\"events\":0,") == std::string::npos || status().find("\"worker_pid\":0,") == std::string::npos; })) << status();
  const auto measured = [&] {  // after another look at the host
    const uint64_t uptime = status_number("uptime_ms");
    moved_->monotonic_ms += 10'000;
    return await([&] { return status_number("uptime_ms") >= uptime + 10'000 && status().find("\"others_crashed\":null") == std::string::npos; });
  };
  ASSERT_TRUE(measured()) << status();
  const uint64_t before = status_number("others_crashed");
  for (const char* end : {"kill -SEGV $$", "kill -ABRT $$", "kill -TERM $$", "kill -KILL $$", "exit 139"}) {
    auto child = os::ChildProcess::start({"/bin/sh", {"-c", end}, {}, {}, {}});
    ASSERT_TRUE(child);
    child->wait();
  }
  ASSERT_TRUE(await([&] { return measured() && status_number("others_crashed") >= before + 2; })) << status();
  EXPECT_LE(status_number("others_crashed"), before + 2 + 20) << "other tests crash processes meanwhile; but not each end is one";
}

TEST_F(Sight, VitalsBootsAndAPauseAreInTheReport) {
  supervise();
  ASSERT_TRUE(await([&] { return text_of(state_ / "pretend/report").find(" boots 1 ") != std::string::npos; })) << log();
  const std::string report = text_of(state_ / "pretend/report");
  EXPECT_EQ(report.find(" disk -1"), std::string::npos) << report;
  EXPECT_EQ(report.find(" rss 0"), std::string::npos) << report;
  EXPECT_NE(report.find(" paused 0 "), std::string::npos) << report;
  ipc::Order pause;
  pause.pause_ms = 7'200'000;
  pause.reason.assign("maintenance");
  ASSERT_TRUE(ipc::write_record(files_, state_ / "state/orders/1.bin", pause));
  ASSERT_TRUE(await([&] { return text_of(state_ / "pretend/report").find("maintenance") != std::string::npos; })) << log();
  EXPECT_EQ(text_of(state_ / "pretend/report").find(" paused 0 "), std::string::npos);
  stop();
  options_.boot_id = "boot-2";
  supervise();
  EXPECT_TRUE(await([&] { return text_of(state_ / "pretend/report").find(" boots 2 ") != std::string::npos; })) << log();
}

}  // namespace
}  // namespace creance::sensor
