// What the owner of a host says in policy.yml and local.json: read strictly, merged to the stricter, and never ignored where it cannot be read. And what admit makes of it and of refusals.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/fake/files.hpp"
#include "base/os/real.hpp"
#include "sensor/admit/judge.hpp"
#include "sensor/admit/local_policy.hpp"
#include "sensor/supervise/launcher.hpp"
#include "sensor/supervise/orders_left.hpp"

namespace creance::sensor {
namespace {

TEST(OwnersWish, WindowsOfBothFilesMustBeOpenAndTheirZonesKnown) {
  fake::MemoryFileSystem files;
  ASSERT_TRUE(files.write_atomic("/s/local.json", as_bytes(R"({"_type":"local","windows":["Sat 10:00-12:00 UTC"]})"), 0600));
  ASSERT_TRUE(files.write_atomic("/etc/policy.yml", as_bytes("windows: [daily 11:00-13:00 UTC]\n"), 0600));
  const auto both = read_owners_wish(files, "/s/local.json", "/etc/policy.yml");
  EXPECT_EQ(both.complaint, "");
  EXPECT_EQ(both.policy->windows.size(), 2u);
  ASSERT_TRUE(files.write_atomic("/etc/policy.yml", as_bytes("windows: [daily 11:00-13:00 Europe/Vienna]\n"), 0600));
  const auto unknown = read_owners_wish(files, "/s/local.json", "/etc/policy.yml");
  EXPECT_TRUE(unknown.policy->paused) << "this machine, of these files, has no time zones";
  EXPECT_TRUE(unknown.complaint.starts_with("/etc/policy.yml:1:11: windows[0]: the time zone `Europe/Vienna` is not known here")) << unknown.complaint;
  ASSERT_TRUE(files.write_atomic("/s/local.json", as_bytes(R"({"_type":"local","windows":["Sat 10:00-12:00 Europe/Vienna"]})"), 0600));
  EXPECT_TRUE(read_owners_wish(files, "/s/local.json", "").complaint.starts_with("/s/local.json: windows: the time zone")) << "likewise";
}

TEST(OrdersLeft, RestAMinuteEachAndAreToldOnce) {
  OrdersLeft left;
  EXPECT_FALSE(left.due());
  EXPECT_TRUE(left.leave("1.bin", MonotonicTime(0)));
  EXPECT_TRUE(left.leave("2.bin", MonotonicTime(5'000)));
  EXPECT_TRUE(left.rests("1.bin", MonotonicTime(59'999)));
  EXPECT_EQ(left.due(), MonotonicTime(60'000));
  EXPECT_FALSE(left.rests("1.bin", MonotonicTime(60'000)));
  EXPECT_FALSE(left.leave("1.bin", MonotonicTime(60'000))) << "said already";
  EXPECT_EQ(left.due(), MonotonicTime(65'000));
  left.removed("2.bin");
  EXPECT_FALSE(left.rests("2.bin", MonotonicTime(5'001)));
  left.keep_of({"3.bin"});
  EXPECT_FALSE(left.due()) << "somebody else removed it";
}

TEST(OwnersWish, TheStricterOfBothFilesHolds) {
  fake::MemoryFileSystem files;
  const auto wish = [&](std::string_view json, std::string_view yaml) {
    EXPECT_TRUE(json.empty() || files.write_atomic("/s/local.json", as_bytes(json), 0600));
    EXPECT_TRUE(yaml.empty() || files.write_atomic("/etc/policy.yml", as_bytes(yaml), 0600));
    return read_owners_wish(files, files.exists("/s/local.json") ? "/s/local.json" : "", yaml.empty() ? "" : "/etc/policy.yml");
  };
  EXPECT_FALSE(wish("", "").policy);
  const auto both = wish(R"({"_type":"local","delay_s":3600,"ring":"early"})", "delay: 30m\nring: late\npaused: false\n");
  ASSERT_TRUE(both.policy);
  EXPECT_EQ(both.policy->delay, std::chrono::hours(1));
  EXPECT_EQ(both.policy->ring, plan::Ring::kLate);
  EXPECT_FALSE(both.policy->paused);
  EXPECT_TRUE(both.complaint.empty());
  EXPECT_TRUE(wish(R"({"_type":"local","pin":"a"})", "pin: b\n").policy->paused) << "two pins that differ leave nothing";
}

TEST(OwnersWish, AFileThatCannotBeReadMayHaveSaidNo) {
  fake::MemoryFileSystem files;
  ASSERT_TRUE(files.write_atomic("/etc/policy.yml", as_bytes("paussed: true\n"), 0600));
  const auto wish = read_owners_wish(files, "", "/etc/policy.yml");
  ASSERT_TRUE(wish.policy);
  EXPECT_TRUE(wish.policy->paused);
  EXPECT_TRUE(wish.complaint.starts_with("/etc/policy.yml:1:1: `paussed` is not known here: is `paused` meant?")) << wish.complaint;
}

TEST(OwnersWish, AFileThatTheOwnerNamedMustBeThere) {
  fake::MemoryFileSystem files;
  EXPECT_FALSE(read_owners_wish(files, "", "").policy);
  const auto wish = read_owners_wish(files, "", "/etc/policy.yml");
  ASSERT_TRUE(wish.policy);
  EXPECT_TRUE(wish.policy->paused);
  EXPECT_NE(wish.complaint.find("/etc/policy.yml"), std::string::npos) << wish.complaint;
}

TEST(OwnersWish, WhatMayBeThereAndCannotBeReadHoldsNewContent) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("creance-wish-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder / "etc");
  const std::filesystem::path file = folder / "etc/policy.yml";
  EXPECT_TRUE(is_absent(file));
  EXPECT_TRUE(is_absent(folder / "not/made/policy.yml"));
  std::filesystem::create_symlink("nowhere.yml", file);
  EXPECT_FALSE(is_absent(file)) << "a link that leads nowhere";
  os::RealFileSystem files;
  const auto wish = read_owners_wish(files, "", file);
  ASSERT_TRUE(wish.policy);
  EXPECT_TRUE(wish.policy->paused);
  EXPECT_NE(wish.complaint.find("etc/policy.yml`: No such file or directory (the owner named it, or a link of that name leads nowhere"), std::string::npos) << wish.complaint;
  std::filesystem::create_symlink("nowhere.json", folder / "local.json");
  EXPECT_FALSE(is_absent(folder / "local.json")) << "of the other file alike";
  const auto local = read_owners_wish(files, folder / "local.json", "");
  ASSERT_TRUE(local.policy);
  EXPECT_TRUE(local.policy->paused);
  EXPECT_NE(local.complaint.find("local.json"), std::string::npos) << local.complaint;
  std::filesystem::create_symlink("nowhere", folder / "link");
  EXPECT_FALSE(is_absent(folder / "link/policy.yml")) << "so does the one on the way to it";
  std::filesystem::remove(file);
  std::filesystem::remove(folder / "link");
  std::filesystem::create_directories(folder / "nowhere");
  std::filesystem::create_symlink("nowhere", folder / "link");
  EXPECT_TRUE(is_absent(folder / "link/policy.yml"));
  if (::geteuid() != 0) {
    std::filesystem::permissions(folder / "etc", std::filesystem::perms::none);
    EXPECT_FALSE(is_absent(file)) << "cannot be seen";
    EXPECT_NE(read_owners_wish(files, "", file).complaint.find("Permission denied (whether the owner says something there cannot be seen"), std::string::npos);
    std::filesystem::permissions(folder / "etc", std::filesystem::perms::owner_all);
  }
  std::filesystem::remove_all(folder);
}

Digest digest_of(uint8_t tag) {
  Digest digest;
  digest.bytes.fill(tag);
  return digest;
}

TEST(Judge, ADeniedRungLeavesTheLadderBeforeItIsNeeded) {
  Question question;
  question.running = digest_of(1).bytes;
  question.rungs = {digest_of(1).bytes, digest_of(2).bytes, digest_of(3).bytes};
  plan::DenyList deny;
  deny.version = 4;
  deny.denied.push_back({digest_of(2), "hurts"});
  plan::Documents documents;
  documents.deny = &deny;
  const auto answer = judge(question, documents, {}, {}, WallTime{}).answer;
  EXPECT_EQ(answer.running_standing, ipc::Standing::kAllowed);
  EXPECT_EQ(answer.rung_standing, (std::array{ipc::Standing::kAllowed, ipc::Standing::kDenied, ipc::Standing::kAllowed}));
  EXPECT_EQ(answer.deny_version, 4u);
  EXPECT_TRUE(answer.valid());
}

TEST(Judge, ARetryLiftsOnlyWhatWasRefusedUnderAnOlderList) {
  HostMemory memory;
  memory.refusals.count = 2;
  memory.refusals.list[0].release = digest_of(1).bytes;
  memory.refusals.list[0].deny_version = 4;
  memory.refusals.list[1].release = digest_of(2).bytes;
  memory.refusals.list[1].deny_version = 5;
  plan::DenyList deny;
  deny.version = 5;
  deny.retry = {digest_of(1), digest_of(2)};
  plan::Documents documents;
  documents.deny = &deny;
  const auto answer = judge({}, documents, {}, memory, WallTime{}).answer;
  ASSERT_EQ(answer.lifted_count, 1u);
  EXPECT_EQ(answer.lifted[0], digest_of(1).bytes);
}

TEST(Judge, WhatWasWithdrawnAndIsKeptForWantOfAnythingElseGivesWayToWhatIsNew) {
  Question question;
  question.running = digest_of(1).bytes;
  question.rungs = {digest_of(1).bytes};
  plan::Plan plan;
  plan.sequence = 2;
  plan::Rollout old;
  old.release = "old";
  old.release_digest = digest_of(1);
  old.state = plan::RolloutState::kWithdrawn;
  plan.rollouts.push_back(old);
  plan::Release document;
  document.floor.approved_until = WallTime(std::chrono::hours(1));
  plan::Documents documents;
  documents.plan = &plan;
  documents.release = [&](const Digest&) { return &document; };
  EXPECT_EQ(judge(question, documents, {}, {}, WallTime{}).decision.reason, plan::Reason::kNothingElse);
  plan::Rollout fresh = old;
  fresh.release = "new";
  fresh.release_digest = digest_of(2);
  fresh.state = plan::RolloutState::kComplete;
  plan.rollouts.insert(plan.rollouts.begin(), fresh);
  const auto decision = judge(question, documents, {}, {}, WallTime{}).decision;
  EXPECT_EQ(decision.action, plan::Action::kAnnounce) << decision.detail;
  EXPECT_EQ(decision.release_name, "new");
  question.paused = true;
  EXPECT_EQ(judge(question, documents, {}, {}, WallTime{}).decision.action, plan::Action::kStay);
}

TEST(Judge, APauseOfTheOwnerHoldsWhatIsNewAndNotWhatIsDenied) {
  Question question;
  question.paused = true;
  question.running = digest_of(1).bytes;
  plan::Plan plan;
  plan.sequence = 1;
  plan::Documents documents;
  documents.plan = &plan;
  EXPECT_EQ(judge(question, documents, {}, {}, WallTime{}).answer.detail.view(), "local_pause: paused on this host by `creance-sensor pause`; `creance-sensor resume` ends it");
  plan::LocalPolicy file;
  file.paused = true;
  documents.local = &file;
  EXPECT_EQ(judge(question, documents, {}, {}, WallTime{}).answer.detail.view(), "local_pause: the local file pauses updates") << "which would go on after `resume`";
  documents.local = nullptr;
  plan::DenyList deny;
  deny.version = 1;
  deny.denied.push_back({digest_of(1), "hurts"});
  documents.deny = &deny;
  EXPECT_EQ(judge(question, documents, {}, {}, WallTime{}).answer.running_standing, ipc::Standing::kDenied);
}

}  // namespace
}  // namespace creance::sensor
