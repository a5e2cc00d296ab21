// A new identity and its key come into force together, or not at all, whenever the power goes.
#include <gtest/gtest.h>

#include "base/fake/disk.hpp"
#include "base/limits.hpp"
#include "sensor/supervise/next_identity.hpp"

namespace creance::sensor {
namespace {

void write(FileSystem& files, const char* path, std::string_view text) { ASSERT_TRUE(files.write_atomic(path, as_bytes(text), 0600)) << path; }
std::string read(FileSystem& files, const char* path) {
  const auto bytes = files.read(path, 65'536);
  return bytes ? std::string(as_text(*bytes)) : bytes.error().code == ErrorCode::kNotFound ? "" : "?";
}
void prepare(fake::Disk& disk) {
  for (const char* folder : {"/s/state", "/s/spool/again"}) ASSERT_TRUE(disk.make_directories(folder));
  write(disk, "/s/identity.json", "old id");
  write(disk, "/s/sensor.key", "old key");
  write(disk, "/s/spool/again/identity.json", "new id");
  write(disk, "/s/spool/again/sensor.key", "new key");
}

TEST(NextIdentity, ComesIntoForceWithItsKeyWheneverThePowerGoes) {
  uint64_t old = 0, fresh = 0;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    for (uint64_t operation = 0;; ++operation) {
      SCOPED_TRACE(operation);
      fake::Disk disk;
      prepare(disk);
      uint64_t turn = seed;
      disk.power_off_at(operation);
      const auto taken = take_next_identity(disk, "/s");
      const bool lost = !disk.on();
      disk.power_loss([&](size_t n) { return (turn = turn * 6'364'136'223'846'793'005u + 1'442'695'040'888'963'407u) >> 33 << 1 >> 1 ? (turn >> 33) % n : 0; });
      ASSERT_TRUE(finish_next_identity(disk, "/s"));  // the next start
      const std::string id = read(disk, "/s/identity.json"), key = read(disk, "/s/sensor.key");
      EXPECT_TRUE((id == "old id" && key == "old key") || (id == "new id" && key == "new key")) << id << " with " << key;
      EXPECT_FALSE(disk.exists("/s/state/next-identity.bin"));
      if (taken) { EXPECT_EQ(id, "new id"); }
      (id == "old id" ? old : fresh) += 1;
      if (!lost) {
        EXPECT_GE(operation, 9u) << "there are more file operations than that";
        break;
      }
    }
  }
  EXPECT_GT(old, 0u);
  EXPECT_GT(fresh, 0u);
}

TEST(NextIdentity, WithoutOneTheOldOneStays) {
  fake::Disk disk;
  prepare(disk);
  ASSERT_TRUE(disk.remove("/s/spool/again/identity.json"));
  EXPECT_FALSE(take_next_identity(disk, "/s"));
  write(disk, "/s/spool/again/identity.json", "");
  EXPECT_FALSE(take_next_identity(disk, "/s"));
  write(disk, "/s/spool/again/identity.json", std::string(40'000, 'x'));
  EXPECT_FALSE(take_next_identity(disk, "/s")) << "longer than any";
  EXPECT_EQ(read(disk, "/s/identity.json"), "old id");
  EXPECT_EQ(read(disk, "/s/sensor.key"), "old key");
  EXPECT_TRUE(finish_next_identity(disk, "/s"));
  write(disk, "/s/state/next-identity.bin", "nonsense");
  EXPECT_FALSE(finish_next_identity(disk, "/s")) << "said, and nothing overwritten";
  EXPECT_EQ(read(disk, "/s/sensor.key"), "old key");
}

}  // namespace
}  // namespace creance::sensor
