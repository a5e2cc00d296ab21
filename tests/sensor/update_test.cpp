// The updater's parts without a network: detections that wait for a server, identity, server addresses.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>

#include "base/limits.hpp"
#include "base/os/real.hpp"
#include "sensor/admit/identity.hpp"
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

// A disk that is full from some moment on.
class FullDisk final : public FileSystem {
 public:
  bool full = false;
  Result<Bytes> read(const fs::path& path, size_t) override {
    const auto found = kept.find(path.string());
    if (found == kept.end()) return fail(ErrorCode::kNotFound, "not there");
    return found->second;
  }
  Status write_atomic(const fs::path& path, BytesView bytes, unsigned) override {
    if (full) return fail(ErrorCode::kNoSpace, "cannot write `" + path.string() + "`: No space left on device");
    kept[path.string()] = Bytes(bytes.begin(), bytes.end());
    return {};
  }
  Status write_many(std::span<const FileWrite> list) override {
    for (const FileWrite& file : list) TRY_VOID(write_atomic(file.path, file.bytes, file.mode));
    return {};
  }
  Status make_directories(const fs::path&) override { return {}; }
  Status remove(const fs::path& path) override {
    kept.erase(path.string());
    return {};
  }
  Status remove_tree(const fs::path&) override { return {}; }
  bool exists(const fs::path& path) override { return kept.contains(path.string()); }
  Result<std::vector<std::string>> list(const fs::path&) override { return std::vector<std::string>(); }
  std::map<std::string, Bytes> kept;
};

ipc::Marker marker() {
  ipc::Marker marker;
  marker.release[0] = 1;
  marker.arm = ipc::Arm::kGo;
  marker.boot_id = ipc::BootId("b");
  return marker;
}

TEST(Store, SaysThatAMarkerCouldNotBeWritten) {
  FullDisk disk;
  Store store(disk, "/s");
  disk.full = true;
  const auto stored = store.store(marker());
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().code, ErrorCode::kNoSpace);
  std::string complaints;
  EXPECT_FALSE(store.load(complaints).marker);
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

TEST(Store, KeepsTheMarkerUntilWhatMustBeRememberedIsWritten) {
  FullDisk disk;
  Store store(disk, "/s");
  ASSERT_TRUE(store.store(marker()));
  disk.full = true;
  ipc::Refusals refusals;
  refusals.count = 1;
  refusals.list[0].release[0] = 1;
  store.store(refusals);
  store.clear_marker();
  std::string complaints;
  EXPECT_TRUE(store.load(complaints).marker) << "a crash now must still lead back";
  EXPECT_TRUE(store.pending());
  disk.full = false;
  store.retry();
  EXPECT_FALSE(store.pending());
  const Remembered after = store.load(complaints);
  EXPECT_FALSE(after.marker);
  EXPECT_TRUE(after.refusals.contains(refusals.list[0].release));
  EXPECT_EQ(complaints, "");
}

TEST(Store, NamesDamagedRecordsAndGoesOnWithoutThem) {
  FullDisk disk;
  Store store(disk, "/s");
  disk.kept["/s/ladder.bin"] = Bytes(100, 7);
  std::string complaints;
  EXPECT_EQ(store.load(complaints).ladder.count, 0u);
  EXPECT_NE(complaints.find("ladder.bin"), std::string::npos);
}

}  // namespace
}  // namespace creance::sensor
