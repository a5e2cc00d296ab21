// The contract of Store, for every implementation.
#include "server/store/store.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "server/store/sqlite_store.hpp"

namespace creance::server {
namespace {

namespace fs = std::filesystem;

WallTime at(int64_t value) { return WallTime(std::chrono::milliseconds(value)); }

struct Maker {
  std::string name;
  bool on_disk;
};

class StoreContract : public ::testing::TestWithParam<Maker> {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "creance-store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    open();
  }
  void TearDown() override {
    store_.reset();
    fs::remove_all(folder_);
  }
  void open() {
    store_.reset();
    StoreLimits limits;
    limits.detections_max = limits.events_max = limits.decisions_max = 5;
    auto opened = open_sqlite_store(GetParam().on_disk ? folder_ / "server.db" : fs::path(":memory:"), limits);
    ASSERT_TRUE(opened) << opened.error().detail;
    store_ = std::move(*opened);
  }
  fs::path folder_;
  std::unique_ptr<Store> store_;
};

SensorRecord sensor(const std::string& id) {
  SensorRecord s;
  s.sensor_id = id, s.public_key = "ab", s.hostname = "h'ost\"", s.tenant = "demo", s.tags = {"canary", "a,b"}, s.enrolled = at(17);
  s.past_epochs = {"x"}, s.sequence = 5, s.manifest = "{}";
  return s;
}

SpellRecord spell(const std::string& id, gates::Arm arm, uint32_t number = 0) {
  SpellRecord s;
  s.rollout = "r1", s.sensor_id = id, s.tenant = "demo", s.number = number, s.arm = arm, s.entered = at(100);
  return s;
}

}  // namespace

TEST_P(StoreContract, TokenWorksOnceAndOnlyInTime) {
  ASSERT_TRUE(store_->add_token({"h1", "demo", {"canary"}, at(1000)}));
  ASSERT_TRUE(store_->add_token({"h2", "demo", {}, at(1000)}));
  EXPECT_EQ(store_->add_token({"h1", "demo", {}, at(1000)}).error().code, ErrorCode::kExists);
  const auto first = store_->use_token("h1", at(999));
  ASSERT_TRUE(first);
  EXPECT_EQ(first->tags, std::vector<std::string>{"canary"});
  EXPECT_EQ(store_->use_token("h1", at(999)).error().code, ErrorCode::kDenied);
  EXPECT_EQ(store_->use_token("h2", at(1000)).error().code, ErrorCode::kDenied);
  EXPECT_EQ(store_->use_token("h3", at(1)).error().code, ErrorCode::kDenied);
}

TEST_P(StoreContract, KeepsSensors) {
  EXPECT_EQ(store_->sensor("s1").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(store_->put_sensor(sensor("s2")));
  ASSERT_TRUE(store_->put_sensor(sensor("s1")));
  SensorRecord changed = sensor("s1");
  changed.last_report = at(99);
  changed.state = "steady";
  ASSERT_TRUE(store_->put_sensor(changed));
  const auto back = store_->sensor("s1");
  ASSERT_TRUE(back);
  EXPECT_EQ(back->hostname, "h'ost\"");
  EXPECT_EQ(back->tags, (std::vector<std::string>{"canary", "a,b"}));
  EXPECT_EQ(back->last_report, at(99));
  EXPECT_EQ(back->state, "steady");
  EXPECT_EQ(back->sequence, 5);
  const auto all = store_->sensors();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].sensor_id, "s1");
  EXPECT_EQ((*all)[1].last_report, std::nullopt);
}

TEST_P(StoreContract, KnowsUnderWhichContentARuleWasOverItsBudget) {
  ASSERT_TRUE(store_->put_over_budget({"s1", "aa", "x", "demo", false, at(1), at(50)}));
  ASSERT_TRUE(store_->put_over_budget({"s1", "aa", "x", "demo", false, at(1), at(100)}));
  ASSERT_TRUE(store_->put_over_budget({"s2", "bb", "x", "acme", false, at(1), at(100)}));
  ASSERT_TRUE(store_->put_over_budget({"s3", "cc", "x", "ops", true, at(1), at(100)}));
  ASSERT_TRUE(store_->put_over_budget({"s3", "cc", "y", "ops", true, at(1), at(100)}));
  ASSERT_TRUE(store_->put_over_budget({"s4", "", "", "demo", true, at(1), at(100)}));
  EXPECT_EQ(store_->over_budget("s1")->size(), 1u);
  EXPECT_EQ(store_->over_budget("s1")->front().last, at(100));
  using Digests = std::vector<std::string>;
  EXPECT_EQ(*store_->over_budget_elsewhere("x", "dd", "demo", at(100)), (Digests{"aa", "cc"}));
  EXPECT_EQ(*store_->over_budget_elsewhere("x", "aa", "demo", at(100)), Digests{"cc"});
  EXPECT_EQ(*store_->over_budget_elsewhere("x", "dd", "acme", at(100)), (Digests{"bb", "cc"}));
  EXPECT_EQ(*store_->over_budget_elsewhere("x", "dd", "demo", at(101)), Digests{});
  ASSERT_TRUE(store_->remove_over_budget("s3", "cc", "x"));
  ASSERT_TRUE(store_->remove_over_budget("s3", "cc", "x"));
  EXPECT_EQ(*store_->over_budget_elsewhere("x", "aa", "demo", at(100)), Digests{});
}

TEST_P(StoreContract, TransactionIsAllOrNothing) {
  EXPECT_FALSE(store_->transact([&]() -> Status {
    TRY_VOID(store_->set("a", "1"));
    return fail(ErrorCode::kIo, "stop");
  }));
  EXPECT_EQ(store_->get("a").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(store_->transact([&] { return store_->set("a", "2"); }));
  EXPECT_EQ(*store_->get("a"), "2");
}

TEST_P(StoreContract, DetectionsAreBoundedAndPaged) {
  for (int i = 1; i <= 7; ++i) ASSERT_TRUE(store_->add_detection({0, "s", "h", "demo", std::to_string(i), at(i)}));
  EXPECT_EQ(*store_->detections_stored(), 5);
  const auto page = store_->detections(2, 0);
  ASSERT_EQ(page->size(), 2u);
  EXPECT_EQ((*page)[0].body, "7");
  const auto next = store_->detections(10, (*page)[1].id);
  ASSERT_EQ(next->size(), 3u);
  EXPECT_EQ((*next)[0].body, "5");
  EXPECT_EQ((*next)[2].body, "3");
}

TEST_P(StoreContract, EventsAreBoundedAndNewestFirst) {
  for (int i = 1; i <= 6; ++i) ASSERT_TRUE(store_->add_event({0, i % 2 ? "odd" : "even", "worker_crash", "", "signal 11", at(i)}));
  const auto odd = store_->events("odd", 10);
  ASSERT_EQ(odd->size(), 2u);  // the first of the six is gone
  EXPECT_EQ((*odd)[0].at, at(5));
  EXPECT_EQ(store_->events("even", 1)->size(), 1u);
}

TEST_P(StoreContract, KeepsRolloutsNewestFirst) {
  RolloutRecord r;
  r.id = "r1", r.release = "starter-1", r.release_digest = "aa", r.salt = "bb", r.created = at(5), r.ids_before = at(6), r.state = "rolling", r.stages = "[]";
  ASSERT_TRUE(store_->put_rollout(r));
  RolloutRecord second = r;
  second.id = "r2";
  ASSERT_TRUE(store_->put_rollout(second));
  r.state = "halted", r.stage = 2, r.stage_opened = at(77), r.resumes = 1, r.approved = true, r.reason = "why", r.content_version_at_halt = 4;
  ASSERT_TRUE(store_->put_rollout(r));
  const auto all = store_->rollouts();
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[0].id, "r2");
  EXPECT_EQ((*all)[0].stage_opened, std::nullopt);
  const auto back = store_->rollout("r1");
  EXPECT_EQ(back->state, "halted");
  EXPECT_EQ(back->stage_opened, at(77));
  EXPECT_EQ(back->resumes, 1u);
  EXPECT_TRUE(back->approved && back->tripwire);
  EXPECT_EQ(back->content_version_at_halt, 4);
  EXPECT_EQ(store_->rollout("r3").error().code, ErrorCode::kNotFound);
}

TEST_P(StoreContract, KeepsSpellsAndCountsOpenOutcomes) {
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(store_->put_spell(spell("go" + std::to_string(i), gates::Arm::kGo)));
  ASSERT_TRUE(store_->put_spell(spell("hold", gates::Arm::kHold)));
  EXPECT_EQ(*store_->unknown_outcomes("r1", 0, {}, ""), 4u);
  SpellRecord s = spell("go0", gates::Arm::kGo);
  s.confirmed = at(200);
  ASSERT_TRUE(store_->put_spell(s));
  s = spell("go1", gates::Arm::kGo);
  s.first_event[static_cast<size_t>(gates::Metric::kCrash)] = at(300);
  ASSERT_TRUE(store_->put_spell(s));
  s = spell("go2", gates::Arm::kGo);
  s.first_event[static_cast<size_t>(gates::Metric::kSilence)] = at(300);
  ASSERT_TRUE(store_->put_spell(s));
  EXPECT_EQ(*store_->unknown_outcomes("r1", 0, {}, ""), 2u);  // the silent one is still open
  EXPECT_EQ(*store_->unknown_outcomes("r1", 0, {}, "nobody"), 0u);
  EXPECT_EQ(*store_->unknown_outcomes("r1", 0, {}, s.tenant), 2u);
  EXPECT_EQ(*store_->unknown_outcomes("r1", 1, {}, ""), 0u);
  EXPECT_EQ(*store_->unknown_outcomes("r1", 0, at(101), ""), 0u);
  ASSERT_TRUE(store_->put_spell(spell("go2", gates::Arm::kHold, 1)));
  const auto of_one = store_->spells("r1", "go2");
  ASSERT_EQ(of_one->size(), 2u);
  EXPECT_EQ((*of_one)[0].first_event[static_cast<size_t>(gates::Metric::kSilence)], at(300));
  EXPECT_EQ((*of_one)[0].first_event[static_cast<size_t>(gates::Metric::kCrash)], std::nullopt);
  EXPECT_EQ((*of_one)[1].arm, gates::Arm::kHold);
  EXPECT_EQ(store_->spells("r1")->size(), 6u);
  EXPECT_TRUE(store_->spells("r2")->empty());
}

TEST_P(StoreContract, KeepsWhatDecidedAndForgetsOldKeeps) {
  ASSERT_TRUE(store_->add_decision({0, "r1", "promote", "p", "{}", at(1)}));
  for (int i = 0; i < 9; ++i) ASSERT_TRUE(store_->add_decision({0, "r1", "keep", std::to_string(i), "", at(2 + i)}));
  const auto log = store_->decisions("r1", 100);
  ASSERT_EQ(log->size(), 6u);
  EXPECT_EQ(log->front().words, "8");
  EXPECT_EQ(log->back().verdict, "promote");
}

TEST_P(StoreContract, SurvivesReopening) {
  if (!GetParam().on_disk) GTEST_SKIP() << "nothing to reopen";
  ASSERT_TRUE(store_->put_sensor(sensor("s1")));
  ASSERT_TRUE(store_->set("k", "v"));
  open();
  EXPECT_TRUE(store_->sensor("s1"));
  EXPECT_EQ(*store_->get("k"), "v");
}

TEST_P(StoreContract, KeepsVitalsAndPauses) {
  SensorRecord s = sensor("s1");
  s.vitals = R"({"oom_kills":2})";
  s.paused_until = at(4711);
  s.pause_reason = "r";
  ASSERT_TRUE(store_->put_sensor(s));
  ASSERT_TRUE(store_->put_sensor(sensor("s2")));
  EXPECT_EQ(store_->sensor("s1")->vitals, s.vitals);
  EXPECT_EQ(store_->sensor("s1")->paused_until, at(4711));
  EXPECT_EQ(store_->sensor("s1")->pause_reason, "r");
  EXPECT_EQ(store_->sensor("s2")->paused_until, std::nullopt);
  SpellRecord spoken = spell("s1", gates::Arm::kGo);
  for (size_t m = 1; m < gates::kMetrics; ++m) spoken.first_event[m] = at(static_cast<int64_t>(1'000 + m));
  ASSERT_TRUE(store_->put_spell(spoken));
  EXPECT_EQ(store_->spells("r1", "s1")->at(0).first_event, spoken.first_event);
  SpellRecord pressed = spell("s2", gates::Arm::kGo);
  pressed.first_event[static_cast<size_t>(gates::Metric::kPressure)] = at(300);
  ASSERT_TRUE(store_->put_spell(pressed));
  EXPECT_EQ(*store_->unknown_outcomes("r1", 0, {}, ""), 1u) << "a host under pressure has not said how its probation ended";
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract, ::testing::Values(Maker{"memory", false}, Maker{"file", true}), [](const auto& maker) { return maker.param.name; });

TEST(SqliteStore, SaysThatItIsFullAndGoesOnWhenThereIsRoom) {
  StoreLimits limits;
  limits.pages_max = 64;
  limits.detections_max = 20;
  auto store = open_sqlite_store(":memory:", limits);
  ASSERT_TRUE(store);
  Status full;
  for (int i = 0; i < 40 && full; ++i) full = (*store)->set("big" + std::to_string(i), std::string(16'384, 'x'));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kNoSpace);
  EXPECT_FALSE((*store)->transact([&]() -> Status {
    TRY_VOID((*store)->set("big0", "small"));
    return (*store)->set("more", std::string(100'000, 'x'));
  }));
  EXPECT_EQ((*store)->get("big0")->size(), 16'384u);  // the whole transaction is gone
  EXPECT_TRUE((*store)->set("big0", "small"));
  EXPECT_TRUE((*store)->set("big1", "small"));
  EXPECT_TRUE((*store)->set("fits", std::string(8'000, 'x')));
}

TEST(SqliteStore, TakesADatabaseOfTheFirstVersion) {
  std::string pattern = (fs::temp_directory_path() / "creance-store-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const fs::path path = fs::path(pattern) / "server.db";
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, R"(
    CREATE TABLE sensors(id TEXT PRIMARY KEY, public_key TEXT NOT NULL, hostname TEXT NOT NULL, machine_id TEXT NOT NULL, platform TEXT NOT NULL, tenant TEXT NOT NULL,
      tags TEXT NOT NULL, enrolled INTEGER NOT NULL, last_report INTEGER, boot_epoch TEXT NOT NULL, boot_id TEXT NOT NULL, past_epochs TEXT NOT NULL, sequence INTEGER NOT NULL,
      state TEXT NOT NULL, running_release TEXT NOT NULL, running_digest TEXT NOT NULL, lkg_digest TEXT NOT NULL, plan_sequence INTEGER NOT NULL, clones INTEGER NOT NULL,
      arm TEXT NOT NULL, arm_digest TEXT NOT NULL, manifest TEXT NOT NULL, held TEXT NOT NULL, counters TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE spells(rollout TEXT NOT NULL, sensor TEXT NOT NULL, number INTEGER NOT NULL, tenant TEXT NOT NULL, stage INTEGER NOT NULL, generation INTEGER NOT NULL,
      internal INTEGER NOT NULL, arm INTEGER NOT NULL, entered INTEGER NOT NULL, left_at INTEGER, confirmed INTEGER,
      e1 INTEGER, e2 INTEGER, e3 INTEGER, e4 INTEGER, e5 INTEGER, e6 INTEGER, e7 INTEGER, PRIMARY KEY(rollout, sensor, number)) WITHOUT ROWID;
    INSERT INTO sensors VALUES('s1','ab','host','m','linux','demo','["canary"]',17,18,'e','b','["x"]',5,'steady','','','',3,0,'','','{}','[]','{}');
    INSERT INTO spells VALUES('r1','s1',0,'demo',0,0,0,1,100,NULL,NULL,NULL,NULL,200,NULL,NULL,NULL,NULL);
    PRAGMA user_version=1;)", nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
  sqlite3_close(db);
  for (int opened = 0; opened < 2; ++opened) {  // and again as it is now
    auto store = open_sqlite_store(path);
    ASSERT_TRUE(store) << store.error().detail;
    auto sensor = (*store)->sensor("s1");
    ASSERT_TRUE(sensor);
    EXPECT_EQ(sensor->counters, "{}");
    EXPECT_EQ(sensor->sequence, 5);
    ASSERT_TRUE((*store)->put_sensor(*sensor));
    const auto spells = (*store)->spells("r1");
    ASSERT_EQ(spells->size(), 1u);
    EXPECT_EQ((*spells)[0].first_event[static_cast<size_t>(gates::Metric::kReturn)], at(200));
    ASSERT_TRUE((*store)->put_spell((*spells)[0]));
  }
  fs::remove_all(pattern);
}

TEST(SqliteStore, SaysWhatIsWrongWithADamagedOrForeignFile) {
  std::string pattern = (fs::temp_directory_path() / "creance-store-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const fs::path path = fs::path(pattern) / "server.db";
  std::ofstream(path) << std::string(8192, 'x');
  const auto opened = open_sqlite_store(path);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kInvalid);
  EXPECT_NE(opened.error().detail.find("restore it from a backup"), std::string::npos) << opened.error().detail;
  EXPECT_EQ(open_sqlite_store(fs::path(pattern) / "no" / "such" / "folder.db").error().code, ErrorCode::kDenied);
  fs::remove_all(pattern);
}

}  // namespace creance::server
