// Sections are those of The Update Framework specification 1.0.34; a test without one checks what the specification leaves to the implementation.
#include "trust/client/transports.hpp"

#include "trust/tree.hpp"

namespace creance::trust::testing {
namespace {

TEST(SafeRelativePath, LetsNothingOut) {
  using namespace std::string_view_literals;
  EXPECT_EQ(*safe_relative_path("metadata/1.%2E%2E%2Fx.json"), std::filesystem::path("metadata/1.%2E%2E%2Fx.json"));
  for (const std::string_view path : {""sv, "/etc/passwd"sv, "a/"sv, "/"sv, "a//b"sv, "../a"sv, "a/../b"sv, "a/.."sv, "./a"sv, "a/."sv, "a\\..\\b"sv, "a\0b"sv}) EXPECT_FALSE(safe_relative_path(path)) << path;
  EXPECT_FALSE(safe_relative_path(std::string(256, 'a')));
  EXPECT_TRUE(safe_relative_path(std::string(255, 'a')));
}

// Specification 3.1.2, 6.2.
TEST(VersionedName, IsAVersionAndARole) {
  EXPECT_EQ(parse_versioned_name("12.rollout.json")->version, 12);
  EXPECT_EQ(parse_versioned_name("12.roll.out.json")->role, "roll.out");
  for (const char* name : {"timestamp.json", "12.json", "x.rollout.json", "12.rollout", "0.rollout.json", "-1.rollout.json", "12rollout.json", ".rollout.json", "99999999999999999999.a.json", "12..json", ""}) {
    EXPECT_FALSE(parse_versioned_name(name)) << name;
  }
}

// Specification 5.3.3.
TEST(DirectoryTransport, ReadsBelowItsFolderOnlyAndUpToTheCap) {
  fake::MemoryFileSystem files;
  ASSERT_TRUE(files.write_atomic("/tree/metadata/a.json", as_bytes("12345"), 0644));
  ASSERT_TRUE(files.write_atomic("/secret", as_bytes("1"), 0644));
  DirectoryTransport folder(files, "/tree");
  EXPECT_EQ(as_text(*folder.fetch("metadata/a.json", 5)), "12345");
  EXPECT_EQ(folder.fetch("metadata/a.json", 4).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(folder.fetch("metadata/b.json", 4).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(folder.fetch("../secret", 4).error().code, ErrorCode::kInvalid);
}

TEST(RecordingTransport, AFullDiskIsAnErrorOfTheFetch) {
  Tree t;
  RecordingTransport recording(t.transport, t.host, "/mirror");
  t.host.fault_at(1, fake::Fault::kFails);  // 0 makes the folder
  EXPECT_EQ(recording.fetch("metadata/timestamp.json", 1u << 14).error().code, ErrorCode::kNoSpace);
  EXPECT_FALSE(t.host.exists("/mirror/metadata/timestamp.json"));
  EXPECT_TRUE(recording.fetch("metadata/timestamp.json", 1u << 14));
  EXPECT_TRUE(t.host.exists("/mirror/metadata/timestamp.json"));
  EXPECT_EQ(recording.fetch("metadata/9.root.json", 100).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(t.host.exists("/mirror/metadata/9.root.json"));
}

TEST(FilesBelow, FindsThemAllInOrder) {
  fake::MemoryFileSystem files;
  for (const char* name : {"/r/b", "/r/a/x", "/r/a/y/z"}) ASSERT_TRUE(files.write_atomic(name, as_bytes("1"), 0644));
  EXPECT_EQ(*files_below(files, "/r"), (std::vector<std::filesystem::path>{"a/x", "a/y/z", "b"}));
}

}  // namespace
}  // namespace creance::trust::testing
