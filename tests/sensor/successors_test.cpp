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
  host.after(kHour);
  ASSERT_TRUE(host.run->ask(host.random));
  EXPECT_EQ(host.random.drawn, 1) << "the answer may have been lost: for the same key the server gives it again";
  ASSERT_TRUE(host.run->take(id(9), kNow));
  EXPECT_EQ(host.run->current()->key[31], 1);
  host.after(kHour);
  ASSERT_TRUE(host.run->ask(host.random));
  EXPECT_EQ(host.random.drawn, 2) << "and no key serves two identities";
}

TEST(Successors, OfADiskThatWasCopiedBetweenQuestionAndAnswerHaveKeysOfTheirOwn) {
  Host host;
  ASSERT_TRUE(host.run->ask(host.random));
  ASSERT_TRUE(host.run->take(id(8), kNow));
  host.after(kHour);
  ASSERT_TRUE(host.run->ask(host.random));
  ASSERT_EQ(host.random.drawn, 2);
  fake::Disk copied = host.disk.image();
  Successors copy(copied, kState);
  ASSERT_TRUE(copy.load(host.now));
  ASSERT_NE(copy.current(), nullptr);
  copy.pass(host.now + kHour);
  ASSERT_TRUE(copy.ask(host.random));
  ASSERT_TRUE(copy.take(id(7), kNow));
  ASSERT_TRUE(host.run->take(id(9), kNow));
  EXPECT_EQ(host.run->current()->key[0], 2);
  EXPECT_EQ(copy.current()->key[0], 3) << "a start that did not ask does not know to whom else the key went";
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
  host.run->known(true);
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

// A disk that cannot be read for a while.
class Unreadable final : public FileSystem {
 public:
  explicit Unreadable(fake::Disk& disk) : disk_(disk) {}
  Result<Bytes> read(const std::filesystem::path& path, size_t bytes_max) override {
    if (!broken) return disk_.read(path, bytes_max);
    return fail(ErrorCode::kIo, "cannot read `" + path.string() + "`: too many open files");
  }
  Status write_atomic(const std::filesystem::path& path, BytesView bytes, unsigned mode) override { return disk_.write_atomic(path, bytes, mode); }
  Status write_many(std::span<const FileWrite> files) override { return disk_.write_many(files); }
  Status make_directories(const std::filesystem::path& path) override { return disk_.make_directories(path); }
  Status remove(const std::filesystem::path& path) override { return disk_.remove(path); }
  Status remove_tree(const std::filesystem::path& path) override { return disk_.remove_tree(path); }
  bool exists(const std::filesystem::path& path) override { return disk_.exists(path); }
  Result<std::vector<std::string>> list(const std::filesystem::path& directory) override { return disk_.list(directory); }
  bool broken = true;

 private:
  fake::Disk& disk_;
};

TEST(Successors, ThatCannotBeReadAreNotWrittenOverAndReadAgain) {
  Host host;
  host.enrol(1);
  host.after(kHour);
  const Bytes before = *host.disk.read(kState / ipc::kSuccessorsFile, 4'096);
  Unreadable files(host.disk);
  Successors run(files, kState);
  const auto loaded = run.load(host.now);
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().detail.find("nothing is written over it"), std::string::npos) << loaded.error().detail;
  EXPECT_EQ(run.current(), nullptr);
  EXPECT_EQ(run.wait_ms(), 3'600'000u);
  for (int minute = 0; minute < 90; ++minute) {
    host.now += std::chrono::minutes(1);
    run.pass(host.now);
  }
  ASSERT_EQ(run.wait_ms(), 0u);
  EXPECT_FALSE(run.ask(host.random)) << "nothing could be kept of it";
  EXPECT_EQ(run.wait_ms(), 3'600'000u);
  EXPECT_EQ(*host.disk.read(kState / ipc::kSuccessorsFile, 4'096), before);
  files.broken = false;
  host.now += std::chrono::minutes(1);
  run.pass(host.now);
  ASSERT_NE(run.current(), nullptr);
  EXPECT_EQ(run.current()->sensor_id, id(1));
}

TEST(Successors, OfADamagedRecordAreNoneAndItIsSetAsideAndAnHourPassesBeforeTheNext) {
  Host host;
  host.enrol(1);
  host.disk.damage(kState / ipc::kSuccessorsFile);
  const Bytes damaged = *host.disk.read(kState / ipc::kSuccessorsFile, 4'096);
  const std::filesystem::path aside = kState / "state/successors.bin.damaged";
  host.disk.fill(true);
  ASSERT_FALSE(host.run.emplace(host.disk, kState).load(host.now));
  host.disk.fill(false);
  EXPECT_EQ(*host.disk.read(kState / ipc::kSuccessorsFile, 4'096), damaged) << "without a place for it nothing is written over it";
  const auto loaded = host.run.emplace(host.disk, kState).load(host.now);
  ASSERT_FALSE(loaded);
  EXPECT_NE(loaded.error().detail.find("successors.bin"), std::string::npos);
  EXPECT_EQ(host.run->current(), nullptr);
  EXPECT_EQ(host.run->wait_ms(), 3'600'000u);
  host.after(kHour);
  ASSERT_TRUE(host.run->ask(host.random));
  ASSERT_TRUE(host.run->take(id(2), kNow));
  const auto kept = host.disk.read(aside, 4'096);
  ASSERT_TRUE(kept);
  EXPECT_EQ(*kept, damaged) << "for a person, who may find a key in it";
  EXPECT_TRUE(host.disk.durable(aside));
  host.start_again();
  EXPECT_EQ(host.current(), 2);
}

TEST(Successors, ThatWereLeftAreTriedOnceMoreBeforeAnotherOneIsAskedFor) {
  Host host;
  const auto strike = [&] {
    for (int i = 0; i < 2; ++i) EXPECT_FALSE(*host.run->unknown());
    EXPECT_TRUE(*host.run->unknown());
  };
  host.enrol(1);
  host.enrol(2);
  EXPECT_FALSE(host.run->may_try_again());
  strike();
  strike();
  ASSERT_EQ(host.current(), 0);
  host.start_again();
  ASSERT_EQ(host.current(), 0) << "also over a restart";
  host.after(kHour);
  ASSERT_TRUE(host.run->may_try_again());
  ASSERT_TRUE(host.run->try_again());
  EXPECT_EQ(host.current(), 2) << "their keys were not destroyed";
  EXPECT_EQ(host.run->current()->key[0], 2);
  EXPECT_EQ(host.run->wait_ms(), 3'600'000u) << "one step an hour, whatever is said";
  host.start_again();
  strike();
  host.run->known(true);
  EXPECT_EQ(host.current(), 1) << "this one is known, and in force";
  host.after(kHour);
  EXPECT_FALSE(host.run->may_try_again()) << "2 had its turn, 1 is in force";
  host.enrol(3);
  EXPECT_EQ(host.current(), 3);
  strike();
  EXPECT_EQ(host.current(), 1) << "the last one that was known comes before those that were not";
  strike();
  EXPECT_EQ(host.current(), 2);
  strike();
  EXPECT_EQ(host.current(), 0);
}

TEST(Successors, ThatWereFoundAgainHaveAnotherTurnWhenTheyAreLeftAgain) {
  Host host;
  host.enrol(1);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(host.run->unknown());
    ASSERT_EQ(host.current(), 0);
    host.after(kHour);
    ASSERT_TRUE(host.run->may_try_again()) << round;
    ASSERT_TRUE(host.run->try_again());
    ASSERT_EQ(host.current(), 1);
    host.run->known(true);
  }
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(host.run->unknown());
  host.after(kHour);
  ASSERT_TRUE(host.run->try_again());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(host.run->unknown());
  host.run->known(true);
  host.after(kHour);
  EXPECT_FALSE(host.run->may_try_again()) << "and none without end";
}

}  // namespace
}  // namespace creance::sensor
