// Files that can be written when the disk is full: on a pretended disk at every stop, and on a real file system that is full.
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <utility>

#include "base/fake/disk.hpp"
#include "base/os/durable.hpp"
#include "base/os/real.hpp"
#include "base/os/real_reserved_files.hpp"

namespace creance {
namespace {
namespace fs = std::filesystem;

const Bytes kBlank(6, 1), kOld{1, 2, 3, 4, 5, 6}, kNew{9, 8, 7, 6, 5, 4}, kLonger(7, 2);

fake::Disk reserved_disk() {
  fake::Disk disk;
  EXPECT_TRUE(disk.make_directories("/state"));
  EXPECT_TRUE(disk.reserve("/state/record", kBlank));
  return disk;
}

TEST(ReservedFiles, AreWrittenAgainAndAgainWhereNothingElseIs) {
  fake::Disk disk = reserved_disk();
  EXPECT_EQ(*disk.read("/state/record", 100), kBlank);
  disk.fill(true);
  ASSERT_FALSE(disk.write_atomic("/state/other", kOld, 0600));
  ASSERT_FALSE(disk.write_atomic("/state/record", kOld, 0600)) << "as any other file it could not be written";
  for (uint8_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(disk.write("/state/record", Bytes(6, i)));
    EXPECT_EQ(*disk.read("/state/record", 100), Bytes(6, i));
    EXPECT_TRUE(disk.durable("/state/record"));
  }
  EXPECT_TRUE(disk.reserve("/state/record", kBlank)) << "nothing is missing";
  EXPECT_EQ(disk.reserve("/state/second", kBlank).error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(disk.write("/state/second", kNew).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(disk.write("/state/record", kLonger).error().code, ErrorCode::kNotFound) << "reserved is a size, not a file";
  EXPECT_EQ(*disk.list("/state"), (std::vector<std::string>{"record", "record.spare"}));
}

// One gives, the other takes, each with a few calls that may fall between any two of the other's.
class Calls final : public os::DiskCalls {
 public:
  Result<int> create(const fs::path& path, unsigned) override {
    files[path].clear();
    return open_to_overwrite(path);
  }
  Result<int> open_to_overwrite(const fs::path& path) override {
    if (!files.contains(path)) return fail(ErrorCode::kNotFound, path.string());
    open.push_back(path);
    return static_cast<int>(open.size()) - 1;
  }
  Status write(int file, BytesView bytes, const fs::path&) override {
    files[open[static_cast<size_t>(file)]].assign(bytes.begin(), bytes.end());
    return {};
  }
  Status sync(int, const fs::path&) override { return {}; }
  void close(int) override {}
  Status rename(const fs::path& from, const fs::path& to) override {
    files[to] = files[from];
    files.erase(from);
    if (seen) std::exchange(seen, nullptr)();
    return {};
  }
  Status unlink(const fs::path& path) override {
    files.erase(path);
    return {};
  }
  Status make_folder(const fs::path&) override { return {}; }
  Status sync_folder(const fs::path&) override { return {}; }
  Result<uint64_t> size(const fs::path& path) override {
    if (!files.contains(path)) return fail(ErrorCode::kNotFound, path.string());
    return files[path].size();
  }
  Status exchange(const fs::path& a, const fs::path& b) override {
    if (!can_exchange) return fail(ErrorCode::kUnsupported, a.string());
    std::swap(files[a], files[b]);
    if (seen) std::exchange(seen, nullptr)();
    return {};
  }

  std::map<fs::path, Bytes> files;
  std::vector<fs::path> open;
  std::function<void()> seen;  // once, as soon as the file has changed
  bool can_exchange = true;
};

TEST(ReservedFiles, WhatIsHandedOverIsTakenOnceWhateverFallsBetween) {
  for (const bool can_exchange : {true, false}) {
    Calls calls;
    calls.can_exchange = can_exchange;
    ASSERT_TRUE(os::reserve(calls, "/state/order", kBlank));
    calls.seen = [&] {  // the taker has read it, and is half-way through blanking it when the giver goes on
      if (!can_exchange) calls.files["/state/order.spare"] = kBlank;
      EXPECT_EQ(calls.files["/state/order"], kNew);
      const int file = *calls.open_to_overwrite("/state/order.spare");
      EXPECT_TRUE(calls.write(file, kBlank, "/state/order.spare"));
    };
    ASSERT_TRUE(os::hand_over(calls, "/state/order", kNew));
    ASSERT_TRUE(can_exchange ? calls.exchange("/state/order.spare", "/state/order") : calls.rename("/state/order.spare", "/state/order"));
    EXPECT_EQ(calls.files["/state/order"], kBlank) << "and not once more what was taken";
    for (const Bytes& bytes : {kOld, kBlank, kNew, kBlank}) {
      ASSERT_TRUE(os::hand_over(calls, "/state/order", bytes));
      EXPECT_EQ(calls.files["/state/order"], bytes);
    }
  }
}

TEST(ReservedFiles, KeepWhatIsThereAndMendASpareOfAnotherSize) {
  fake::Disk disk;
  ASSERT_TRUE(disk.make_directories("/state"));
  ASSERT_TRUE(disk.write_atomic("/state/record", kOld, 0600));
  ASSERT_TRUE(disk.write_atomic("/state/record.spare", kLonger, 0600));
  ASSERT_TRUE(disk.reserve("/state/record", kBlank));
  EXPECT_EQ(*disk.read("/state/record", 100), kOld);
  disk.fill(true);
  ASSERT_TRUE(disk.write("/state/record", kNew));
  EXPECT_EQ(*disk.read("/state/record", 100), kNew);
}

TEST(ReservedFiles, APowerLossAtAnyCallLeavesTheOldOrTheNewFile) {
  for (const bool can_exchange : {true, false}) {
    for (uint64_t operation = 0;; ++operation) {
      bool reached = false;
      for (uint32_t seed = 0; seed < 20; ++seed) {
        SCOPED_TRACE(testing::Message() << "operation " << operation << " seed " << seed << " exchange " << can_exchange);
        std::mt19937 random(seed);
        fake::Disk disk = reserved_disk();
        if (!can_exchange) disk.make_unable_to_exchange();
        ASSERT_TRUE(disk.write("/state/record", kOld));
        disk.power_off_at(operation);
        const auto written = disk.write("/state/record", kNew);
        reached = reached || !disk.on() || !written;
        disk.power_loss([&](size_t n) { return seed == 0 ? 0 : random() % n; });
        const auto found = disk.read("/state/record", 100);
        ASSERT_TRUE(found);
        EXPECT_TRUE(*found == kNew || (*found == kOld && !written));
        ASSERT_TRUE(disk.reserve("/state/record", kBlank)) << "what is missing is made anew";
        disk.fill(true);
        ASSERT_TRUE(disk.write("/state/record", kBlank));
        EXPECT_EQ(*disk.read("/state/record", 100), kBlank);
      }
      if (!reached) {
        EXPECT_EQ(operation, can_exchange ? 6u : 10u) << "write, sync, exchange, sync of the folder, write and sync of the copy; else also a new spare";
        break;
      }
    }
  }
}

TEST(ReservedFiles, WhatWasWrittenIsThereTwice) {
  for (const bool can_exchange : {true, false}) {
    fake::Disk disk = reserved_disk();
    EXPECT_EQ(*disk.read("/state/record.spare", 100), kBlank);
    if (!can_exchange) disk.make_unable_to_exchange();
    ASSERT_TRUE(disk.write("/state/record", kOld));
    ASSERT_TRUE(disk.write("/state/record", kNew));
    disk.power_loss([](size_t) { return size_t{0}; });
    EXPECT_EQ(*disk.read("/state/record", 100), kNew);
    EXPECT_EQ(*disk.read("/state/record.spare", 100), kNew);
  }
}

TEST(ReservedFiles, TheSpareTakesThePlaceOfADamagedOrMissingFile) {
  for (const bool missing : {false, true}) {
    fake::Disk disk = reserved_disk();
    ASSERT_TRUE(disk.write("/state/record", kNew));
    if (missing) disk.lose("/state/record");
    else disk.damage("/state/record");
    ASSERT_TRUE(disk.take_spare("/state/record"));
    disk.power_loss([](size_t) { return size_t{0}; });
    EXPECT_EQ(*disk.read("/state/record", 100), kNew);
    ASSERT_TRUE(disk.reserve("/state/record", kBlank));
    ASSERT_TRUE(disk.write("/state/record", kOld));
    EXPECT_EQ(*disk.read("/state/record.spare", 100), kOld);
  }
  fake::Disk none;
  EXPECT_EQ(none.take_spare("/state/record").error().code, ErrorCode::kNotFound);
}

TEST(ReservedFiles, APowerLossWhileReservingIsMended) {
  for (uint64_t operation = 0; operation < 12; ++operation) {
    fake::Disk disk;
    ASSERT_TRUE(disk.make_directories("/state"));
    disk.power_off_at(operation);
    (void)disk.reserve("/state/record", kBlank).has_value();
    disk.power_loss([](size_t n) { return n / 2; });
    ASSERT_TRUE(disk.reserve("/state/record", kBlank)) << operation;
    disk.fill(true);
    ASSERT_TRUE(disk.write("/state/record", kNew)) << operation;
    EXPECT_EQ(*disk.read("/state/record", 100), kNew) << operation;
  }
}

// A file system of 64 KiB, filled by somebody else to the last byte and the last inode.
TEST(ReservedFiles, AreWrittenOnARealFullFileSystem) {
  const fs::path folder = fs::temp_directory_path() / ("creance-full-" + std::to_string(::getpid()));
  fs::create_directories(folder);
  if (::mount("creance", folder.c_str(), "tmpfs", 0, "size=65536,nr_inodes=32") != 0) {
    fs::remove(folder);
    GTEST_SKIP() << "mounting a small file system needs root";
  }
  struct Unmount {
    fs::path folder;
    ~Unmount() {
      ::umount2(folder.c_str(), MNT_DETACH);
      fs::remove(folder);
    }
  } unmount{folder};
  os::RealFileSystem files;
  os::RealReservedFiles reserved;
  const Bytes blank(10'000, 0), first(10'000, 7), second(10'000, 8);
  ASSERT_TRUE(reserved.reserve(folder / "record", blank));
  int inode = 0;
  for (std::ofstream hog(folder / "hog", std::ios::binary); hog.write("................", 16).flush();) {
  }
  while (std::ofstream(folder / ("f" + std::to_string(inode))).good() && inode < 64) ++inode;
  ASSERT_LT(inode, 64) << "no inode is left";
  ASSERT_EQ(files.write_atomic(folder / "record", first, 0600).error().code, ErrorCode::kNoSpace);
  struct stat before {}, after {};
  ASSERT_EQ(::stat((folder / "record.spare").c_str(), &before), 0);
  for (const Bytes* bytes : {&first, &second, &first}) {
    const auto written = reserved.write(folder / "record", *bytes);
    ASSERT_TRUE(written) << written.error().detail;
    EXPECT_EQ(*files.read(folder / "record", 20'000), *bytes);
  }
  ASSERT_EQ(::stat((folder / "record").c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino) << "three exchanges: the same two files, neither made nor freed";
  EXPECT_EQ(reserved.reserve(folder / "another", blank).error().code, ErrorCode::kNoSpace);
  EXPECT_FALSE(files.exists(folder / "another.spare")) << "half a reserve is none";
}

TEST(ReservedFiles, FollowNoLinkAndTakeNoFolder) {
  const fs::path folder = fs::temp_directory_path() / ("creance-reserved-" + std::to_string(::getpid()));
  fs::create_directories(folder / "record.spare");
  os::RealReservedFiles reserved;
  EXPECT_EQ(reserved.reserve(folder / "record", kBlank).error().code, ErrorCode::kInvalid);
  fs::remove(folder / "record.spare");
  std::ofstream(folder / "victim") << "123456";
  fs::create_symlink(folder / "victim", folder / "record.spare");
  EXPECT_FALSE(reserved.write(folder / "record", kNew));
  EXPECT_FALSE(reserved.reserve(folder / "record", kBlank));
  std::string kept;
  std::ifstream(folder / "victim") >> kept;
  EXPECT_EQ(kept, "123456");
  fs::remove_all(folder);
}

}  // namespace
}  // namespace creance
