// Whole files change so that a power loss at any call leaves the old or the new one; shown on a disk that forgets what was not synced, and once on the real one.
#include "base/fake/disk.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <random>

#include "base/os/real.hpp"

namespace creance {
namespace {

const Bytes kOld{1, 2, 3}, kNew{9, 8, 7, 6, 5, 4};

size_t nothing(size_t) { return 0; }

TEST(Disk, ForgetsWhatWasNotSynced) {
  fake::Disk disk;
  ASSERT_TRUE(disk.make_directories("/a/b"));
  ASSERT_TRUE(disk.write_atomic("/a/b/file", kOld, 0600));
  ASSERT_TRUE(disk.write_atomic("/a/b/other", kOld, 0600));
  ASSERT_TRUE(disk.remove_tree("/a/b/other"));  // the one call that does not sync
  EXPECT_FALSE(disk.exists("/a/b/other"));
  disk.power_loss(nothing);
  EXPECT_EQ(*disk.read("/a/b/file", 100), kOld);
  EXPECT_EQ(*disk.read("/a/b/other", 100), kOld) << "its removal was not synced";
}

TEST(Disk, APowerLossAtAnyCallLeavesTheOldOrTheNewFile) {
  for (uint64_t operation = 0;; ++operation) {
    bool reached = false;
    for (uint32_t seed = 0; seed < 20; ++seed) {
      std::mt19937 random(seed);
      fake::Disk disk;
      ASSERT_TRUE(disk.make_directories("/state"));
      ASSERT_TRUE(disk.write_atomic("/state/file", kOld, 0600));
      disk.power_off_at(operation);
      const auto written = disk.write_atomic("/state/file", kNew, 0600);
      reached = !written.has_value();
      disk.power_loss([&](size_t n) { return seed == 0 ? 0 : random() % n; });
      const auto found = disk.read("/state/file", 100);
      ASSERT_TRUE(found) << "operation " << operation << " seed " << seed;
      EXPECT_TRUE(*found == kNew || (*found == kOld && !written)) << "operation " << operation << " seed " << seed;
    }
    if (!reached) {
      EXPECT_EQ(operation, 5u) << "create, write, sync, rename, sync of the folder";
      return;
    }
  }
}

TEST(Disk, WhatWasMadeOrRemovedStaysSo) {
  for (uint64_t operation = 0; operation < 12; ++operation) {
    fake::Disk disk;
    disk.power_off_at(operation);
    const bool made = disk.make_directories("/a/b/c").has_value();
    const bool written = made && disk.write_atomic("/a/b/c/file", kOld, 0600).has_value();
    disk.power_loss(nothing);
    EXPECT_TRUE(!made || disk.exists("/a/b/c")) << operation;
    EXPECT_TRUE(!written || disk.exists("/a/b/c/file")) << operation;
    ASSERT_TRUE(disk.make_directories("/a/b/c"));
    ASSERT_TRUE(disk.write_atomic("/a/b/c/file", kOld, 0600));
    disk.power_off_at(operation % 3);
    const bool removed = disk.remove("/a/b/c/file").has_value();
    disk.power_loss(nothing);
    EXPECT_FALSE(removed && disk.exists("/a/b/c/file")) << operation;
  }
}

TEST(Disk, ARemovalWhoseSyncFailedIsSyncedByTheNext) {
  fake::Disk disk;
  ASSERT_TRUE(disk.make_directories("/state"));
  ASSERT_TRUE(disk.write_atomic("/state/marker", kOld, 0600));
  ASSERT_TRUE(disk.remove_tree("/state/marker"));  // as far as an interrupted removal gets
  ASSERT_TRUE(disk.remove("/state/marker"));
  disk.power_loss(nothing);
  EXPECT_FALSE(disk.exists("/state/marker"));
}

TEST(Disk, FullAndReadOnlyAreSaid) {
  fake::Disk disk;
  ASSERT_TRUE(disk.make_directories("/state"));
  ASSERT_TRUE(disk.write_atomic("/state/file", kOld, 0600));
  disk.fill(true);
  EXPECT_EQ(disk.write_atomic("/state/file", kNew, 0600).error().code, ErrorCode::kNoSpace);
  EXPECT_TRUE(disk.remove("/state/not-there")) << "removing needs no space";
  disk.fill(false);
  disk.make_read_only(true);
  EXPECT_EQ(disk.write_atomic("/state/file", kNew, 0600).error().code, ErrorCode::kDenied);
  EXPECT_EQ(*disk.read("/state/file", 100), kOld);
}

TEST(RealFiles, FoldersAreMadeWithTheirParentsAndFilesAreReplacedAndRemoved) {
  os::RealFileSystem files;
  const auto folder = std::filesystem::temp_directory_path() / ("creance-durable-" + std::to_string(::getpid()));
  ASSERT_TRUE(files.make_directories(folder / "a/b/c/"));
  ASSERT_TRUE(files.make_directories(folder / "a/b"));
  ASSERT_TRUE(files.write_atomic(folder / "a/b/file", kOld, 0600));
  ASSERT_TRUE(files.write_atomic(folder / "a/b/file", kNew, 0600));
  EXPECT_EQ(*files.read(folder / "a/b/file", 100), kNew);
  EXPECT_EQ(*files.list(folder / "a/b"), (std::vector<std::string>{"c", "file"})) << "no staging file stays";
  EXPECT_EQ(files.make_directories(folder / "a/b/file/d").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(files.make_directories(folder / "a/b/file"));
  ASSERT_TRUE(files.remove(folder / "a/b/file"));
  ASSERT_TRUE(files.remove(folder / "a/b/file"));
  ASSERT_TRUE(files.remove(folder / "nowhere/file"));
  EXPECT_FALSE(files.exists(folder / "a/b/file"));
  ASSERT_TRUE(files.remove_tree(folder));
}

}  // namespace
}  // namespace creance
