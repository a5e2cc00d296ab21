// Real children that lie to a real supervisor (doubles/liar_main.cpp): each is ended or not believed, counted and told, and the host goes on with its content and detects.
#include <algorithm>

#include "sensor/processes.hpp"
#include "sensor/supervise/talk.hpp"

namespace creance::sensor {
namespace {

struct Lie {
  const char* role;
  const char* lie;
  const char* told;  // what the supervisor says of it; empty: it says no more than that it ended
};

class Lies : public Processes, public testing::WithParamInterface<Lie> {
 protected:
  void start_with_liar(const Lie& lie) {
    std::ofstream(state_ / "pretend/lie") << lie.role << ' ' << lie.lie;
    const std::string liar = (kBin / "creance_sensor_liar").string();
    start("creance_sensor_liar", "boot-1", 800, {"--updater", liar, "--admit", liar});
  }
  int liar_pid() const {
    std::error_code absent;
    const std::string text = fs::read_symlink(state_ / "pretend/liar", absent);
    return text.empty() ? 0 : std::stoi(text);
  }
  bool liar_is_gone() const { return liar_pid() > 0 && ::kill(liar_pid(), 0) != 0 && errno == ESRCH; }
};

TEST_P(Lies, EndTheLiarAreToldAndTheHostGoesOn) {
  const Lie lie = GetParam();
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  const Set next = make_set(2, {rule("01", kPipe, "PipeName|endswith: evil_pipe"), rule("02", kPipe, "PipeName|contains: good_1")});
  good({base});
  start_with_liar(lie);
  const bool in_rehearsal = std::string_view(lie.role) == "rehearsal";
  if (in_rehearsal) {
    ASSERT_TRUE(await([&] { return runs(base); })) << log();
    offer(next, "go");
  }
  ASSERT_TRUE(await([&] { return liar_is_gone(); })) << lie.lie << " lives on\n" << log();
  if (*lie.told != '\0') {
    EXPECT_TRUE(await([&] { return status().find("\"lies\":1,") != std::string::npos; })) << status();
    EXPECT_NE(log().find(fmt::format("the {} {}", lie.role, lie.told)), std::string::npos) << log();
    EXPECT_TRUE(await([&] { return count(state_ / "pretend/detections", "creance.sensor.process-lied") == 1; })) << log();
  }
  if (in_rehearsal) {
    EXPECT_TRUE(await([&] { return event("rehearsal_failed", next); })) << log();
    EXPECT_FALSE(event("activated", next)) << "what was not rehearsed does not run";
  }
  const size_t before = detections(base);
  EXPECT_TRUE(await([&] { return runs(base) && detections(base) > before + 2; })) << log();
  const auto ladder = ipc::read_record<ipc::Ladder>(files_, state_ / "state/ladder.bin");
  ASSERT_TRUE(ladder);
  EXPECT_EQ(ladder->sets[0], base);
  if (in_rehearsal || std::string_view(lie.role) == "worker") return;
  // And takes new content, through the honest ones.
  offer(next, "go");
  EXPECT_TRUE(await([&] { return event("probation_passed", next) && runs(next); })) << log();
  sensor_.signal(SIGTERM);
  EXPECT_EQ(sensor_.wait().code, 0);
}

constexpr const char* kNoMessage = "sends what is no message of its";
constexpr Lie kLies[] = {
    {"worker", "magic", kNoMessage}, {"worker", "version", kNoMessage}, {"worker", "kind", kNoMessage}, {"worker", "direction", kNoMessage}, {"worker", "sender", kNoMessage},
    {"worker", "another-process", kNoMessage}, {"worker", "length", kNoMessage}, {"worker", "padding", kNoMessage}, {"worker", "tail", kNoMessage}, {"worker", "short", kNoMessage}, {"worker", "long", kNoMessage},
    {"worker", "empty", ""}, {"worker", "descriptors", kNoMessage}, {"worker", "closes", ""}, {"worker", "flood", "floods the supervisor"}, {"worker", "ready-twice", "says twice"},
    {"worker", "before-ready", "speaks before"}, {"worker", "unasked", "answers what it was not asked"}, {"worker", "replayed", "says twice"}, {"worker", "answers-twice", "answers what it was not asked"},
    {"worker", "refuses-unasked", "answers what it was not asked"}, {"worker", "more-held-than-there-are", kNoMessage}, {"worker", "held", "names held instances"}, {"worker", "fault-elsewhere", "names faults"},
    {"worker", "backwards", "counts backwards"}, {"worker", "huge", kNoMessage}, {"worker", "rehearsed", "says what only a rehearsal says"},
    {"rehearsal", "padding", kNoMessage}, {"rehearsal", "another-set", "answers what it was not asked"}, {"rehearsal", "over-nothing", kNoMessage}, {"rehearsal", "as-the-worker", "answers what it was not asked"}, {"rehearsal", "closes", ""},
    {"updater", "magic", kNoMessage}, {"updater", "another-process", kNoMessage}, {"updater", "descriptors", kNoMessage}, {"updater", "closes", ""}, {"updater", "flood", "floods the supervisor"},
    {"updater", "ready-twice", "says twice"}, {"updater", "unready-updater", "speaks before"},
    {"admit", "version", kNoMessage}, {"admit", "another-process", kNoMessage}, {"admit", "descriptors", kNoMessage}, {"admit", "closes", ""}, {"admit", "flood", ""}, {"admit", "untrusted-offer", kNoMessage},
    {"admit", "untrusted-denial", kNoMessage}, {"admit", "grant-of-another", kNoMessage}, {"admit", "offer-while-taken-back", kNoMessage}, {"admit", "lifts-nothing", kNoMessage},
};
INSTANTIATE_TEST_SUITE_P(Of, Lies, testing::ValuesIn(kLies), [](const auto& given) {
  std::string name = fmt::format("{}_{}", given.param.role, given.param.lie);
  std::ranges::replace(name, '-', '_');
  return name;
});

// A liar that is started again and again leaves nothing behind in the supervisor.
TEST_F(Processes, AWorkerThatAlwaysLiesIsStartedLaterAndLaterAndLeavesNoDescriptors) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  good({base});
  std::ofstream(state_ / "pretend/lie") << "worker descriptors always";
  start("creance_sensor_liar");
  ASSERT_TRUE(await([&] { return count(state_ / "log", "descriptors beside a message where none belong") >= 16; }, 60)) << log();  // two a start: why, and how it ended
  EXPECT_NE(log().find("worker_crash set-1: it sends what is no message of its"), std::string::npos) << log();
  EXPECT_TRUE(await([&] {  // and is no reason to run without content for ever: it is refused here, and a retry lifts that
    const auto refusals = ipc::read_record<ipc::Refusals>(files_, state_ / "state/refusals.bin");
    return refusals && refusals->contains(base);
  })) << log();
  const auto open = [&] { return std::distance(fs::directory_iterator(fmt::format("/proc/{}/fd", sensor_.pid())), {}); };
  EXPECT_LE(open(), 40) << "of the supervisor";
  sensor_.signal(SIGTERM);
  EXPECT_EQ(sensor_.wait().code, 0);
}

TEST(MessageBudget, LetsABurstThroughAndThenSoManyASecond) {
  MessageBudget budget;
  MonotonicTime now{5'000'000};
  for (uint32_t i = 0; i < MessageBudget::kBurst; ++i) ASSERT_TRUE(budget.take(now)) << i;
  EXPECT_FALSE(budget.take(now));
  now += MonotonicTime(1000);
  for (uint32_t i = 0; i < MessageBudget::kPerSecond; ++i) ASSERT_TRUE(budget.take(now)) << i;
  EXPECT_FALSE(budget.take(now));
  now -= MonotonicTime(10'000);
  EXPECT_FALSE(budget.take(now)) << "a clock that goes back gives nothing";
  now += MonotonicTime(3'600'000);
  for (uint32_t i = 0; i < MessageBudget::kBurst; ++i) ASSERT_TRUE(budget.take(now)) << i;
  EXPECT_FALSE(budget.take(now)) << "an hour of silence is no larger burst";
}

}  // namespace
}  // namespace creance::sensor
