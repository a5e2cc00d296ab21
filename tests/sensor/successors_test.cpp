// Who a sensor is since it enrolled again, over a disk that forgets: one record, which is the old one or the new one whenever the power goes.
#include <gtest/gtest.h>

#include <optional>

#include "base/fake/disk.hpp"
#include "sensor/supervise/successors.hpp"

namespace creance::sensor {
namespace {

constexpr MonotonicTime kHour{3'600'000};
constexpr WallTime kNow{std::chrono::milliseconds(1'795'428'000'000)};
const std::filesystem::path kState = "/s";

class Counting final : public Random {
 public:
  void fill(std::span<uint8_t> out) override { std::ranges::fill(out, ++drawn); }
  uint8_t drawn = 0;
};

ipc::SensorId id(uint8_t n) {
  ipc::SensorId made{};
  made.fill(n);
  return made;
}

struct Host {
  fake::Disk disk;
  Counting random;
  MonotonicTime now{77};
  std::optional<Successors> run;  // of the supervisor
  Host() {
    EXPECT_TRUE(disk.make_directories(kState / "state"));
    EXPECT_TRUE(run.emplace(disk, kState).load(now));
  }
  uint8_t current() const { return run->current() == nullptr ? 0 : run->current()->sensor_id[0]; }
  void after(MonotonicTime time) {
    now += time;
    run->pass(now);
  }
  void enrol(uint8_t n) {
    if (run->wait_ms() > 0) after(kHour);
    ASSERT_TRUE(run->ask(random));
    ASSERT_TRUE(run->take(id(n), kNow));
  }
  void start_again(MonotonicTime from = MonotonicTime(5)) {  // with a clock of another boot
    disk.power_loss([](size_t) { return size_t{0}; });
    now = from;
    ASSERT_TRUE(run.emplace(disk, kState).load(now));
  }
};

TEST(Successors, ArePutInForceWithTheirKeyOrNotAtAllWheneverThePowerGoes) {
  size_t old = 0, fresh = 0;
  for (uint64_t operation = 0;; ++operation) {
    Host host;
    host.disk.power_off_at(operation);
    const bool asked = host.run->ask(host.random).has_value();
    const bool taken = asked && host.run->take(id(9), kNow).has_value();
    const bool lost = !host.disk.on();
    host.disk.power_stays();
    host.start_again();
    const ipc::Successor* now = host.run->current();
    if (taken) { EXPECT_NE(now, nullptr); }
    if (now != nullptr) {
      EXPECT_EQ(now->sensor_id, id(9));
      EXPECT_EQ(now->key[0], 1) << "the one that it was asked for with";
      EXPECT_EQ(now->enrolled_ms, kNow.time_since_epoch().count());
    }
    if (asked) { EXPECT_GT(host.run->wait_ms(), 0u) << "that it asked is not forgotten"; }
    (now == nullptr ? old : fresh) += 1;
    if (!lost) break;
    ASSERT_LT(operation, 100u);
  }
  EXPECT_GT(old, 2u);
  EXPECT_GT(fresh, 0u);
}

TEST(Successors, AreAskedForOnceAnHourAlsoOverARestart) {
  Host host;
  EXPECT_EQ(host.run->wait_ms(), 0u) << "at first at once";
  ASSERT_TRUE(host.run->ask(host.random));
  EXPECT_EQ(host.run->wait_ms(), 3'600'000u) << "whatever comes of it";
  for (int minute = 0; minute < 20; ++minute) host.after(std::chrono::minutes(1));
  EXPECT_EQ(host.run->wait_ms(), 2'400'000u);
  host.start_again();
  EXPECT_EQ(host.run->wait_ms(), 2'400'000u) << "of its own time; how long it was not there nobody knows";
  host.start_again(host.now - MonotonicTime(1'000'000));
  host.after(MonotonicTime(-1'000'000));
  EXPECT_EQ(host.run->wait_ms(), 2'400'000u) << "no clock makes it longer or shorter";
  host.after(MonotonicTime(2'399'999));
  EXPECT_EQ(host.run->wait_ms(), 1u);
  host.after(MonotonicTime(1));
  EXPECT_EQ(host.run->wait_ms(), 0u);
  host.start_again();
  EXPECT_EQ(host.run->wait_ms(), 0u);
}

TEST(Successors, AreAskedForWithTheSameKeyUntilThereIsAnAnswer) {
  Host host;
  ASSERT_TRUE(host.run->ask(host.random));
  host.start_again();
  host.after(kHour);
  ASSERT_TRUE(host.run->ask(host.random));
  EXPECT_EQ(host.random.drawn, 1) << "the answer may have been lost: for the same key the server gives it again";
  ASSERT_TRUE(host.run->take(id(9), kNow));
  EXPECT_EQ(host.run->current()->key[31], 1);
  host.after(kHour);
  ASSERT_TRUE(host.run->ask(host.random));
  EXPECT_EQ(host.random.drawn, 2) << "and no key serves two identities";
}

TEST(Successors, ThatTheServerDoesNotKnowAreLeftForTheOneBefore) {
  Host host;
  const auto unknown = [&] {
    const auto back = host.run->unknown();
    EXPECT_TRUE(back);
    return back && *back;
  };
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(unknown()) << "below the identity of enrolment there is none";
  host.enrol(1);
  host.enrol(2);
  host.after(kHour);
  EXPECT_FALSE(unknown());
  EXPECT_FALSE(unknown());
  host.run->known();
  EXPECT_FALSE(unknown()) << "three in a row";
  EXPECT_FALSE(unknown());
  EXPECT_EQ(host.current(), 2);
  EXPECT_TRUE(unknown());
  EXPECT_EQ(host.current(), 1);
  EXPECT_EQ(host.run->current()->key[0], 1);
  EXPECT_EQ(host.run->wait_ms(), 3'600'000u) << "and asks for no other one within an hour";
  host.start_again();
  EXPECT_EQ(host.current(), 1);
  EXPECT_EQ(host.run->wait_ms(), 3'600'000u);
  for (int i = 0; i < 3; ++i) (void)unknown();
  EXPECT_EQ(host.run->current(), nullptr) << "down to the one of enrolment";
}

TEST(Successors, AreKeptUpToALimitAndTheOldestLeaves) {
  Host host;
  for (uint8_t n = 1; n <= limits::kSuccessorsKeptMax + 1; ++n) host.enrol(n);
  for (uint8_t n = limits::kSuccessorsKeptMax + 1; n > 1; --n) {
    EXPECT_EQ(host.current(), n);
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(host.run->unknown());
  }
  EXPECT_EQ(host.run->current(), nullptr);
}

TEST(Successors, AreAsTheyWereWhereTheDiskTakesNothing) {
  Host host;
  host.enrol(1);
  host.after(kHour);
  host.disk.fill(true);
  EXPECT_FALSE(host.run->ask(host.random));
  EXPECT_EQ(host.run->wait_ms(), 3'600'000u) << "and it is tried again in an hour, not at once";
  host.disk.fill(false);
  host.after(kHour);
  ASSERT_TRUE(host.run->ask(host.random));
  host.disk.fill(true);
  EXPECT_FALSE(host.run->take(id(2), kNow));
  EXPECT_EQ(host.current(), 1);
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(host.run->unknown());
  EXPECT_FALSE(host.run->unknown()) << "it cannot go back";
  EXPECT_EQ(host.current(), 1) << "what is not on the disk is not in force";
  host.disk.fill(false);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(host.run->unknown());
  EXPECT_EQ(host.current(), 0);
}

TEST(Successors, OfADamagedRecordAreNoneAndAnHourPassesBeforeTheNext) {
  Host host;
  host.enrol(1);
  host.disk.damage(kState / ipc::kSuccessorsFile);
  const auto loaded = host.run.emplace(host.disk, kState).load(host.now);
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().detail.find("successors.bin"), std::string::npos);
  EXPECT_EQ(host.run->current(), nullptr);
  EXPECT_EQ(host.run->wait_ms(), 3'600'000u);
}

}  // namespace
}  // namespace creance::sensor
