// Clearing away what no one needs any more: never what is retained, and never half of a set that still looks whole.
#include "sensor/supervise/sets.hpp"

#include <gtest/gtest.h>

#include "base/fake/files.hpp"

namespace creance::sensor {
namespace {

const std::filesystem::path kFolder = "/state/sets";

ipc::Set set_of(uint8_t tag) {
  ipc::Set set{};
  set.fill(tag);
  return set;
}
std::filesystem::path of(uint8_t tag) { return kFolder / to_hex(set_of(tag)); }

void put(FileSystem& files, uint8_t tag) {
  for (const char* name : {"a.channel", "set.bin", "z.channel"}) ASSERT_TRUE(files.write_atomic(of(tag) / name, Bytes{1}, 0444));
}

TEST(Sets, WhatIsRetainedStaysAndTheRestGoes) {
  fake::MemoryFileSystem files;
  put(files, 1);
  put(files, 2);
  ASSERT_TRUE(files.write_atomic(kFolder / "no-set/file", Bytes{1}, 0444));
  ASSERT_TRUE(clear_sets(files, kFolder, [](const ipc::Set& set) { return set == set_of(1); }));
  EXPECT_EQ(*files.list(kFolder), std::vector<std::string>{to_hex(set_of(1))});
  EXPECT_EQ(files.list(of(1))->size(), 3u);
}

TEST(Sets, AnEndAtAnyMomentLeavesNoRecordOverMissingFiles) {
  for (uint64_t operation = 0; operation < 4; ++operation) {
    for (const fake::Fault fault : {fake::Fault::kFails, fake::Fault::kStopsBefore, fake::Fault::kStopsAfter}) {
      fake::MemoryFileSystem files;
      put(files, 1);
      put(files, 2);
      files.fault_at(operation, fault);
      const auto cleared = clear_sets(files, kFolder, [](const ipc::Set&) { return false; });
      EXPECT_FALSE(cleared) << "operation " << operation;
      files.restart();
      for (const uint8_t tag : {uint8_t{1}, uint8_t{2}}) {
        EXPECT_TRUE(!files.exists(of(tag) / "set.bin") || files.list(of(tag))->size() == 3) << "operation " << operation;
      }
      ASSERT_TRUE(clear_sets(files, kFolder, [](const ipc::Set&) { return false; })) << "the next call finishes it";
      EXPECT_TRUE(files.list(kFolder)->empty());
    }
  }
}

}  // namespace
}  // namespace creance::sensor
