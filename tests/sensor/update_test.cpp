// The updater's parts without a network: detections that wait for a server, identity, server addresses.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "base/limits.hpp"
#include "base/os/real.hpp"
#include "sensor/admit/identity.hpp"
#include "base/fake/disk.hpp"
#include "sensor/supervise/store.hpp"
#include "sensor/update/api.hpp"
#include "sensor/update/outbox.hpp"

namespace creance::sensor {
namespace {
namespace fs = std::filesystem;

class OnDisk : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("creance-update-{}", ::getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
  os::RealFileSystem files_;
};

TEST_F(OnDisk, DetectionsWaitOnDiskInOrderAndSurviveARestart) {
  {
    Outbox outbox(files_, folder_ / "outbox");
    outbox.add("one");
    outbox.park();
    outbox.add("two");
    outbox.park();
    outbox.add("three");
    outbox.park();
    EXPECT_EQ(outbox.lost(), 0u);
  }
  Outbox outbox(files_, folder_ / "outbox");
  EXPECT_FALSE(outbox.empty());
  outbox.add("four");
  for (const char* expected : {"one\n", "two\n", "three\n", "four\n"}) {
    EXPECT_EQ(outbox.next(), expected);
    EXPECT_EQ(outbox.next(), expected) << "given again until it was sent";
    outbox.sent();
  }
  EXPECT_EQ(outbox.next(), std::nullopt);
  EXPECT_TRUE(outbox.empty());
}

TEST_F(OnDisk, WhatComesWhileABatchIsSentIsNotForgotten) {
  Outbox outbox(files_, folder_ / "outbox");
  outbox.add("one");
  ASSERT_EQ(outbox.next(), "one\n");
  outbox.add("two");
  outbox.sent();
  EXPECT_EQ(outbox.next(), "two\n");
}

TEST_F(OnDisk, OverTheLimitsDetectionsAreCountedAsLost) {
  Outbox outbox(files_, folder_ / "outbox", 10);
  outbox.add("12345");
  outbox.park();
  outbox.add("12345");
  outbox.park();
  EXPECT_EQ(outbox.lost(), 1u) << "6 bytes a line: the second does not fit";
  outbox.add(std::string(limits::kDetectionBytesMax, 'x'));
  EXPECT_EQ(outbox.lost(), 1u);
  outbox.add(std::string(limits::kDetectionBytesMax + 1, 'x'));
  outbox.add("");
  EXPECT_EQ(outbox.lost(), 3u);
}

TEST_F(OnDisk, AnIdentityComesBackAndADamagedOneIsRefused) {
  Identity identity;
  identity.sensor_id = std::string(32, 'a');
  identity.tenant = "demo";
  identity.tags = {"canary", "linux"};
  identity.server = "http://127.0.0.1:1";
  identity.hostname = "h";
  identity.machine_id = std::string(32, 'b');
  identity.enrolled = WallTime(std::chrono::milliseconds(1795428000000));
  ASSERT_TRUE(identity.write(files_, folder_));
  const auto read = Identity::read(files_, folder_);
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read->tags, identity.tags);
  EXPECT_EQ(read->enrolled, identity.enrolled);
  for (const char* bad : {"", "{", "[]", R"({"sensor_id":"x"})"}) {
    ASSERT_TRUE(files_.write_atomic(folder_ / "identity.json", as_bytes(bad), 0644));
    EXPECT_FALSE(Identity::read(files_, folder_)) << bad;
  }
}

TEST(ServerAddress, IsHttpOrHttpsWithoutASlashAtTheEnd) {
  EXPECT_EQ(*server_url("http://a:1//"), "http://a:1");
  for (const char* bad : {"", "a:1", "ftp://a", "file:///etc/passwd"}) EXPECT_FALSE(server_url(bad)) << bad;
}

fake::Disk disk_with_folder() {
  fake::Disk disk;
  EXPECT_TRUE(disk.make_directories("/s"));
  return disk;
}

ipc::Marker marker() {
  ipc::Marker marker;
  marker.release[0] = 1;
  marker.arm = ipc::Arm::kGo;
  marker.boot_id = ipc::BootId("b");
  return marker;
}

TEST(Store, SaysThatAMarkerCouldNotBeWritten) {
  fake::Disk disk = disk_with_folder();
  Store store(disk, disk, "/s");
  disk.fill(true);
  const auto stored = store.store(marker());
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, ErrorCode::kNoSpace);
  EXPECT_FALSE(store.load({}).remembered.marker);
  // The state machine, told so, activates nothing.
  Activation machine({}, ipc::BootId("b"), {});
  machine.begin(MonotonicTime(0), {});
  machine.step(MonotonicTime(0), {}, WorkerActivated{});
  ipc::Admitted answer;
  answer.trusted = 1;
  answer.offer[0] = 1;
  answer.offer_release.assign("r");
  machine.step(MonotonicTime(0), {}, AdmitAnswered{answer});
  answer.grant = ipc::GrantVerdict::kGo;
  answer.grant_release = answer.offer;
  machine.step(MonotonicTime(0), {}, AdmitAnswered{answer});
  for (const Action& action : machine.step(MonotonicTime(0), {}, MarkerStored{stored.has_value(), stored.error().detail}))
    EXPECT_FALSE(std::holds_alternative<StartRehearsal>(action) || std::holds_alternative<SwapTo>(action) || std::holds_alternative<StartWorker>(action));
}

ipc::Refusals one_refusal() {
  ipc::Refusals refusals;
  refusals.count = 1;
  refusals.list[0].release[0] = 1;
  return refusals;
}

TEST(Store, AFullDiskKeepsNoReturnFromBeingRecorded) {
  fake::Disk disk = disk_with_folder();
  Store store(disk, disk, "/s");
  ASSERT_TRUE(store.reserve());
  ASSERT_TRUE(store.store(ipc::Session{.boot_id = ipc::BootId("b")})) << "as a start does; before that nothing is kept twice";
  disk.fill(true);
  ASSERT_TRUE(store.store(marker())) << "what is reserved is enough for an attempt";
  for (int attempt = 0; attempt < 3; ++attempt) {
    store.store(one_refusal());
    store.store(ipc::Ladder{});
    store.store(ipc::HeldBack{marker().release});
    ipc::Pause pause;
    pause.remaining_ms = 5;
    store.store(pause);
    EXPECT_TRUE(store.store(ipc::Session{.boot_id = ipc::BootId("b"), .clean_stop = 1}));
    store.clear_marker();
    EXPECT_FALSE(store.pending()) << store.complaint();
    disk.power_loss([](size_t) { return size_t{0}; });
    const Store::Loaded loaded = store.load({});
    const Remembered& kept = loaded.remembered;
    EXPECT_EQ(loaded.lost + loaded.restored, "");
    EXPECT_FALSE(kept.marker);
    EXPECT_TRUE(kept.refusals.contains(marker().release));
    EXPECT_EQ(kept.held_back->release, marker().release);
    EXPECT_EQ(kept.pause->remaining_ms, 5u);
    EXPECT_EQ(kept.session->clean_stop, 1);
    ASSERT_TRUE(store.store(marker()));
  }
}

TEST(Store, WithoutAReserveThereIsNoMarkerThoughItWouldFit) {
  fake::Disk disk = disk_with_folder();
  Store store(disk, disk, "/s");
  ASSERT_TRUE(store.reserve());
  ASSERT_TRUE(store.store(ipc::Session{.boot_id = ipc::BootId("b")}));
  ASSERT_TRUE(disk.remove("/s/refusals.bin.spare"));
  disk.fill(true);
  const auto stored = store.store(marker());
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, ErrorCode::kNoSpace);
  EXPECT_NE(stored.error().detail.find("no space is reserved for the sensor's records"), std::string::npos);
  disk.fill(false);
  EXPECT_TRUE(store.store(marker()));
}

TEST(Store, KeepsTheMarkerUntilWhatMustBeRememberedIsWritten) {
  fake::Disk disk = disk_with_folder();
  Store store(disk, disk, "/s");
  ASSERT_TRUE(store.reserve());
  ASSERT_TRUE(store.store(ipc::Session{.boot_id = ipc::BootId("b")}));
  ASSERT_TRUE(store.store(marker()));
  disk.make_read_only(true);
  const ipc::Refusals refusals = one_refusal();
  store.store(refusals);
  store.clear_marker();
  Store next(disk, disk, "/s");
  EXPECT_TRUE(next.load({}).remembered.marker) << "a crash now must still lead back";
  EXPECT_TRUE(store.pending());
  disk.make_read_only(false);
  store.retry();
  EXPECT_FALSE(store.pending());
  const Store::Loaded after = store.load({});
  EXPECT_FALSE(after.remembered.marker);
  EXPECT_TRUE(after.remembered.refusals.contains(refusals.list[0].release));
  EXPECT_EQ(after.lost + after.restored, "");
}

TEST(Store, NamesDamagedRecordsAndGoesOnWithoutThem) {
  fake::Disk disk = disk_with_folder();
  Store store(disk, disk, "/s");
  ASSERT_TRUE(disk.write_atomic("/s/ladder.bin", Bytes(100, 7), 0600));
  const Store::Loaded loaded = store.load({});
  EXPECT_EQ(loaded.remembered.ladder.count, 0u);
  EXPECT_TRUE(loaded.remembered.ladder_lost);
  EXPECT_FALSE(loaded.remembered.refusals_lost) << "it never was";
  EXPECT_TRUE(loaded.lost.starts_with("ladder.bin (")) << loaded.lost;
}

TEST(Store, WhatWasWrittenIsThereTwiceAndIsOfAnOlderVersionToo) {
  fake::Disk disk = disk_with_folder();
  {  // as a version wrote them that kept one copy
    ASSERT_TRUE(disk.write_atomic("/s/refusals.bin", ipc::to_record(one_refusal()), 0600));
    ASSERT_TRUE(disk.write_atomic("/s/session.bin", ipc::to_record(ipc::Session{.boot_id = ipc::BootId("b"), .clean_stop = 1}), 0600));
  }
  Store store(disk, disk, "/s");
  const Store::Loaded loaded = store.load({});
  EXPECT_EQ(loaded.lost + loaded.restored, "");
  EXPECT_TRUE(loaded.remembered.refusals.contains(one_refusal().list[0].release));
  ASSERT_TRUE(store.reserve());
  ASSERT_TRUE(store.store(ipc::Session{.boot_id = ipc::BootId("c")}));
  EXPECT_EQ(*disk.read("/s/refusals.bin", 65'536), *disk.read("/s/refusals.bin.spare", 65'536));
  EXPECT_TRUE(disk.durable("/s/refusals.bin.spare"));
  EXPECT_EQ(ipc::read_record<ipc::Session>(disk, "/s/session.bin")->kept, 1);
}

TEST(Store, NothingIsWrittenOverWhatWasLostBeforeThatIsSaid) {
  fake::Disk disk = disk_with_folder();
  Store first(disk, disk, "/s");
  (void)first.load({});
  ASSERT_TRUE(first.reserve());
  ASSERT_TRUE(first.store(ipc::Session{.boot_id = ipc::BootId("b")}));
  first.store(one_refusal());
  disk.damage("/s/refusals.bin");
  disk.damage("/s/refusals.bin.spare");
  Store second(disk, disk, "/s");
  EXPECT_TRUE(second.load({}).remembered.refusals_lost);
  second.store(ipc::Refusals{});
  Store third(disk, disk, "/s");
  EXPECT_TRUE(third.load({}).remembered.refusals_lost) << "still";
  ASSERT_TRUE(third.store(ipc::Session{.boot_id = ipc::BootId("b"), .refusals_lost = 1}));
  Store fourth(disk, disk, "/s");
  const Store::Loaded loaded = fourth.load({});
  EXPECT_EQ(loaded.lost, "") << "not anew";
  EXPECT_TRUE(loaded.remembered.refusals_lost) << "and not forgotten";
}

}  // namespace
}  // namespace creance::sensor
