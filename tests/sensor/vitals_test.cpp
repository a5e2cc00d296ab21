// How a host fares: what is read from the kernel's texts, hostile ones too, and which crossings are told. And the budget of detections.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "base/fake/files.hpp"
#include "base/os/real.hpp"
#include "sensor/supervise/vitals.hpp"
#include "sensor/worker/budget.hpp"

namespace creance::sensor {
namespace {

using ipc::EventKind;
constexpr std::string_view kPressure = "some avg10=0.83 avg60=0.39 avg300=0.46 total=3362305\nfull avg10=0.00 avg60=0.11 avg300=0.37 total=2808297\n";

TEST(HostCounters, AreReadAsTheKernelWritesThem) {
  const auto pressure = os::parse_pressure(kPressure);
  ASSERT_TRUE(pressure);
  EXPECT_EQ(pressure->some_us, 3'362'305u);
  EXPECT_EQ(pressure->full_us, 2'808'297u);
  EXPECT_EQ(os::parse_pressure("some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n")->full_us, std::nullopt) << "of cpu on older kernels";
  EXPECT_EQ(os::parse_counter("nr_free_pages 1\noom_kill 7\noom_kill_x 9\n", "oom_kill"), 7u);
  EXPECT_EQ(os::parse_counter("oom_kill 7", "oom_kill"), 7u);
  EXPECT_EQ(os::parse_resident_pages("1000 250 100 1 0 50 0\n"), 250u);
}

TEST(HostCounters, SayNothingWhereATextIsNotTheKernels) {
  for (const std::string_view text : {"", "\n", "some", "some ", "some total=", "some avg10=0 total=", "some avg10=0 total=x", "some avg10=0 total=12x", "some avg10=0 total=-1", "some avg10=0 total=99999999999999999999",
                                      "full avg10=0 total=1\n", "awesome avg10=0 total=1\n", "some avg10=0 total=1\r\n", "some avg10=0 total= 1\n"})
    EXPECT_FALSE(os::parse_pressure(text)) << text;
  for (const std::string_view text : {"", "oom_kill", "oom_kill ", "oom_kill x", "oom_kill -1", "oom_kill 1 2", "xoom_kill 1", "oom_kill 99999999999999999999"}) EXPECT_FALSE(os::parse_counter(text, "oom_kill")) << text;
  for (const std::string_view text : {"", "1", "1 ", "1 2", "1  2 ", "a b c", "1 -2 3", "1 99999999999999999999 3"}) EXPECT_FALSE(os::parse_resident_pages(text)) << text;
}

TEST(HostCounters, AnyBytesAreTakenWithoutHarm) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(kPressure);
    for (int k = 0; k < 4; ++k) {
      const size_t at = random() % text.size();
      if (random() % 2 == 0) text[at] = static_cast<char>(random());
      else text.erase(at, random() % 8);
      if (text.empty()) break;
    }
    if (const auto read = os::parse_pressure(text)) { EXPECT_NE(text.find(std::to_string(read->some_us)), std::string::npos) << text; }  // no number that does not stand there
    (void)os::parse_counter(text, "some");
    (void)os::parse_resident_pages(text);
  }
}

TEST(HostCounters, OfThisHostAreThereAndAFileThatIsTooLongIsNotRead) {
  os::RealFileSystem real;
  const auto here = os::read_host_counters(real, "/tmp");
  EXPECT_TRUE(here.disk_free_bytes && *here.disk_free_bytes <= *here.disk_bytes);
  EXPECT_GT(os::resident_bytes(real, ::getpid()).value_or(0), 1u << 20);
  EXPECT_GT(os::cpu_time_so_far().count(), 0);
  fake::MemoryFileSystem files;
  ASSERT_TRUE(files.write_atomic("/proc/pressure/memory", as_bytes(std::string(kPressure)), 0444));
  ASSERT_TRUE(files.write_atomic("/proc/pressure/cpu", as_bytes(std::string(kPressure) + std::string(5'000, ' ')), 0444));
  ASSERT_TRUE(files.write_atomic("/proc/vmstat", as_bytes("oom_kill 3\n"), 0444));
  const auto read = os::read_host_counters(files, "/nowhere/at/all");
  EXPECT_EQ(read.memory_some_us, 3'362'305u);
  EXPECT_EQ(read.memory_full_us, 2'808'297u);
  EXPECT_EQ(read.cpu_some_us, std::nullopt);
  EXPECT_EQ(read.io_full_us, std::nullopt);
  EXPECT_EQ(read.oom_kills, 3u);
  EXPECT_EQ(read.disk_free_bytes, std::nullopt);
}

// A host, ten seconds after the other.
struct Scene {
  VitalsWatch watch;
  VitalsSample sample;
  MonotonicTime now{1'000'000};
  std::vector<Crossing> told;
  Scene() {
    sample.host = {.cpu_some_us = 0, .memory_some_us = 0, .memory_full_us = 0, .io_full_us = 0, .oom_kills = 4, .disk_free_bytes = uint64_t{10} << 30, .disk_bytes = uint64_t{20} << 30};
    sample.others_crashed = 0;
    watch.take(sample, now);
  }
  // So many thousandths of the time stalled for memory, for so many seconds.
  void pass(int seconds, uint64_t memory_some = 0) {
    for (int i = 0; i < seconds; i += 10) {
      now += MonotonicTime(10'000);
      *sample.host.memory_some_us += memory_some * 10'000;
      for (Crossing& crossing : watch.take(sample, now)) told.push_back(std::move(crossing));
    }
  }
  size_t count(EventKind kind) const { return static_cast<size_t>(std::ranges::count(told, kind, &Crossing::kind)); }
};

TEST(VitalsWatch, TellsAPressureOnceWhenAMinuteOfItWasSeen) {
  Scene scene;
  scene.pass(50, 500);
  EXPECT_EQ(scene.told.size(), 0u) << "not a minute yet";
  EXPECT_EQ(scene.watch.vitals().memory_some, ipc::Vitals::kUnknown);
  scene.pass(10, 500);
  ASSERT_EQ(scene.count(EventKind::kPressure), 1u);
  EXPECT_EQ(scene.told[0].detail, "some task waited for memory 50 % of the last minute");
  EXPECT_EQ(scene.watch.vitals().memory_some, 500);
  scene.pass(600, 500);
  EXPECT_EQ(scene.told.size(), 1u);
  scene.pass(60, 150);
  scene.pass(120, 300);
  EXPECT_EQ(scene.told.size(), 1u) << "it was never calm in between";
  scene.pass(120);
  scene.pass(60, 300);
  EXPECT_EQ(scene.told.size(), 2u);
}

TEST(VitalsWatch, ThresholdsAreThresholds) {
  for (const auto& [share, crossings] : {std::pair(uint64_t{199}, 0u), std::pair(uint64_t{200}, 1u)}) {
    Scene scene;
    scene.pass(120, share);
    EXPECT_EQ(scene.told.size(), crossings) << share;
  }
}

TEST(VitalsWatch, TellsOomKillsFullDisksCrashesAndItsOwnHunger) {
  Scene scene;
  scene.pass(60);
  EXPECT_EQ(scene.told.size(), 0u) << "four OOM kills before it looked are not its time";
  scene.sample.host.oom_kills = 6;
  scene.sample.host.disk_free_bytes = (256u << 20) - 1;
  scene.sample.others_crashed = 3;
  scene.sample.sensor_cpu_ms = 50'000;
  scene.sample.sensor_rss_kib = (512u << 10) + 1;
  scene.pass(10);
  EXPECT_EQ(scene.count(EventKind::kOomKill), 1u);
  EXPECT_EQ(scene.count(EventKind::kDiskLow), 1u);
  EXPECT_EQ(scene.count(EventKind::kOthersCrashed), 1u);
  EXPECT_EQ(scene.count(EventKind::kCpuOverBudget), 1u);
  EXPECT_EQ(scene.count(EventKind::kMemoryOverBudget), 1u);
  EXPECT_EQ(scene.told.size(), 5u);
  scene.pass(300);
  EXPECT_EQ(scene.told.size(), 5u);
  scene.sample.host.oom_kills = 7;
  scene.pass(10);
  EXPECT_EQ(scene.count(EventKind::kOomKill), 2u) << "each is one";
}

TEST(VitalsWatch, AHostThatWasFullAlreadyOrCannotSayTellsNothing) {
  VitalsWatch watch;
  VitalsSample sample;
  sample.host.disk_free_bytes = 1;
  MonotonicTime now{0};
  for (int i = 0; i < 30; ++i) {
    EXPECT_TRUE(watch.take(sample, now).empty());
    now += MonotonicTime(10'000);
  }
  EXPECT_EQ(watch.vitals().memory_some, ipc::Vitals::kUnknown);
  EXPECT_EQ(watch.vitals().oom_kills, ipc::Vitals::kUnknown);
  EXPECT_EQ(watch.vitals().others_crashed, ipc::Vitals::kUnknown);
  EXPECT_TRUE(watch.vitals().valid());
}

TEST(VitalsWatch, CountersThatGoBackAreNotBelieved) {
  Scene scene;
  scene.pass(60, 500);
  scene.told.clear();
  scene.sample.host.memory_some_us = 0;
  scene.sample.host.oom_kills = 0;
  scene.sample.others_crashed = std::nullopt;
  scene.pass(10);
  EXPECT_TRUE(scene.told.empty());
  EXPECT_TRUE(scene.watch.vitals().valid());
}

TEST(VitalsWatch, CountsBootsAndTellsOneThatTookLong) {
  const auto start = [](const std::optional<ipc::Boots>& last, const char* boot, int uptime_s, size_t crossings) {
    VitalsWatch watch;
    const ipc::Boots boots = watch.start(last, ipc::BootId(boot), MonotonicTime(uptime_s * 1'000));
    EXPECT_TRUE(boots.valid());
    const auto told = watch.take({}, MonotonicTime(uptime_s * 1'000));
    EXPECT_EQ(told.size(), crossings) << boot << uptime_s;
    for (const Crossing& crossing : told) EXPECT_EQ(crossing.kind, EventKind::kSlowBoot);
    EXPECT_EQ(watch.vitals().boots, static_cast<int64_t>(boots.count));
    return boots;
  };
  ipc::Boots boots = start(std::nullopt, "a", 3'600, 0);  // installed an hour after the boot
  EXPECT_EQ(boots.count, 1u);
  boots = start(boots, "a", 7'200, 0);  // started again in the same boot
  EXPECT_EQ(boots.count, 1u);
  EXPECT_EQ(boots.boot_ms, 3'600'000u);
  boots = start(boots, "b", 20, 0);
  EXPECT_EQ(boots.count, 2u);
  boots = start(boots, "c", 49, 0);   // more than twice as long, but not half a minute more
  boots = start(boots, "d", 98, 1);
  boots = start(boots, "d", 500, 0);  // the same boot
  EXPECT_EQ(boots.boot_ms, 98'000u);
  EXPECT_EQ(start(boots, "e", 98, 0).count, 5u);
}

TEST(CrashSignals, AreTheOnesThatDumpCore) {
  for (const int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE, SIGSYS}) EXPECT_TRUE(os::dumps_core(signal));
  for (const int signal : {0, SIGKILL, SIGTERM, SIGPIPE, SIGINT}) EXPECT_FALSE(os::dumps_core(signal));
}

TEST(DetectionBudget, GivesEachSecondItsBytesAndNotOneMore) {
  DetectionBudget budget(1'000);
  MonotonicTime now{50'000};
  EXPECT_TRUE(budget.spend(now, 600));
  EXPECT_FALSE(budget.spend(now, 401)) << "one byte over";
  EXPECT_TRUE(budget.spend(now, 400)) << "what was left out spends nothing";
  EXPECT_FALSE(budget.spend(now + MonotonicTime(999), 1));
  EXPECT_TRUE(budget.spend(now + MonotonicTime(1'000), 1'000));
  EXPECT_FALSE(budget.spend(now + MonotonicTime(1'001), 1));
}

TEST(DetectionBudget, NoLoadGetsMoreThanTheBudgetThrough) {
  std::mt19937_64 random(3);
  DetectionBudget budget;
  MonotonicTime now{1'000};
  uint64_t through = 0, offered = 0, taken = 0, left = 0;
  for (int i = 0; i < 200'000; ++i) {
    now += MonotonicTime(static_cast<int64_t>(random() % 2));
    const size_t bytes = 200 + random() % 8'000;
    ++offered;
    if (budget.spend(now, bytes)) through += bytes, ++taken;
    else budget.left_out("r"), ++left;
  }
  const auto seconds = static_cast<uint64_t>((now.count() - 1'000) / 1'000) + 1;
  EXPECT_LE(through, seconds * limits::kDetectionBytesPerSecondMax);
  EXPECT_GT(left, 0u);
  EXPECT_EQ(taken + left, offered);
  EXPECT_EQ(budget.total(), left);
}

TEST(DetectionBudget, SaysWhichRulesAndHowManyWithoutLimitOfRules) {
  DetectionBudget budget(1);
  MonotonicTime now{10'000};
  EXPECT_FALSE(budget.summary(now)) << "nothing to say";
  for (int rule = 0; rule < 1'000; ++rule)
    for (int i = 0; i <= (rule < 12 ? 100 - rule : 0); ++i) budget.left_out(fmt::format("rule-{:04}", rule));
  const auto summary = budget.summary(now);
  ASSERT_TRUE(summary);
  EXPECT_TRUE(summary->valid());
  ASSERT_EQ(summary->rules, summary->list.size());
  uint64_t sum = summary->others;
  for (uint32_t i = 0; i < summary->rules; ++i) {
    EXPECT_EQ(summary->list[i].rule_id.view(), fmt::format("rule-{:04}", i));
    EXPECT_EQ(summary->list[i].count, 101u - i);
    sum += summary->list[i].count;
  }
  EXPECT_EQ(sum, budget.total()) << "all are in it";
  budget.left_out("rule-0001");
  EXPECT_FALSE(budget.summary(now + MonotonicTime(999))) << "once a second";
  EXPECT_EQ(budget.summary(now + MonotonicTime(1'000))->list[0].count, 1u) << "since the last one";
}

}  // namespace
}  // namespace creance::sensor
