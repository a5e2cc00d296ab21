// Many files at once, on a real disk (base/seams/files.hpp).
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "base/limits.hpp"
#include "base/os/real.hpp"

namespace creance {
namespace {
namespace fs = std::filesystem;

struct Many : ::testing::TestWithParam<int> {  // few files are synced one by one, many together
  fs::path dir = fs::path(::testing::TempDir()) / ("creance-many-" + std::to_string(::getpid()) + "-" + std::to_string(GetParam()));
  os::RealFileSystem files;
  std::vector<Bytes> contents;
  std::vector<FileWrite> list;
  void SetUp() override {
    fs::remove_all(dir);
    for (int i = 0; i < GetParam(); ++i) contents.push_back(Bytes(static_cast<size_t>(i), static_cast<uint8_t>(i)));
    for (int i = 0; i < GetParam(); ++i) list.push_back({dir / ("f" + std::to_string(i % 3)) / std::to_string(i), contents[static_cast<size_t>(i)], i == 0 ? 0600u : 0644u});
  }
  void TearDown() override { fs::remove_all(dir); }
  size_t count() const { return static_cast<size_t>(std::ranges::count_if(fs::recursive_directory_iterator(dir), [](const auto& entry) { return entry.is_regular_file(); })); }
};
INSTANTIATE_TEST_SUITE_P(Files, Many, ::testing::Values(1, 8, 9, 300));

TEST_P(Many, AreThereWholeInFoldersThatAreMade) {
  ASSERT_TRUE(files.write_many(list));
  for (const FileWrite& file : list) EXPECT_EQ(*files.read(file.path, 1u << 20), Bytes(file.bytes.begin(), file.bytes.end()));
  EXPECT_EQ(count(), list.size());
  struct stat info {};
  ASSERT_EQ(::stat(list[0].path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_P(Many, OneThatCannotBeLeavesNothingBesideTheOthers) {
  fs::create_directories(list.back().path / "in the way");
  const Status written = files.write_many(list);
  ASSERT_FALSE(written);
  EXPECT_NE(written.error().detail.find(list.back().path.string()), std::string::npos) << written.error().detail;
  EXPECT_EQ(count(), list.size() - 1);  // those before it, whole; no staging file
}

TEST(Abandoned, StagingFilesOfProcessesThatAreNoMoreGo) {
  const fs::path dir = fs::path(::testing::TempDir()) / ("creance-abandoned-" + std::to_string(::getpid()));
  fs::remove_all(dir);
  os::RealFileSystem files;
  ASSERT_TRUE(files.make_directories(dir));
  const int dead = ::fork();
  if (dead == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(dead, nullptr, 0), dead);
  const std::string of_dead = ".tmp-" + std::to_string(dead);
  for (const std::string& name : {of_dead + "-0", of_dead + "-17", ".tmp-" + std::to_string(::getpid()) + "-99999", std::string(".tmp-1-0"), of_dead, of_dead + "-x", std::string(".tmp-"), std::string(".tmp-x-1"), std::string("file")}) {
    ASSERT_TRUE(files.write_atomic(dir / name, as_bytes("x"), 0644)) << name;
  }
  ASSERT_TRUE(os::remove_abandoned(dir));
  std::vector<std::string> left{of_dead, of_dead + "-x", ".tmp-", ".tmp-x-1", ".tmp-1-0", "file"};
  std::ranges::sort(left);
  EXPECT_EQ(*files.list(dir), left);  // what lives, and what no write of ours is called
  EXPECT_FALSE(os::remove_abandoned(dir / "none"));
  fs::remove_all(dir);
}

TEST(AtomicWrite, TakesNamesAsLongAsAFileSystemDoes) {
  const fs::path file = fs::path(::testing::TempDir()) / std::string(limits::kFileNameBytesMax, 'n');
  os::RealFileSystem files;
  EXPECT_TRUE(files.write_atomic(file, as_bytes("x"), 0644));
  EXPECT_TRUE(files.remove(file));
}

TEST(ManyFiles, NoneIsFine) { EXPECT_TRUE(os::RealFileSystem().write_many({})); }

}  // namespace
}  // namespace creance
