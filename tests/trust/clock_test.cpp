// What a client does with a clock that went back, or was wrong and is put right (ADR 0097). The specification (5.1) fixes the time of a refresh at its begin and says nothing about clocks that err.
// Sections are those of The Update Framework specification 1.0.34; a test without one checks what the specification leaves to the implementation.
#include "trust/tree.hpp"

namespace creance::trust::testing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

struct Clocked : Tree {
  Uptime uptime{"boot-1", MonotonicTime(1'000'000)};
  void pass(std::chrono::milliseconds time) { uptime.at += time; }
  Status refresh(WallTime wall) { return client.refresh(wall, uptime); }
  // A freeze: the mirror goes on serving what it has; nobody signs anew.
};

// Specification 5.1.
TEST(Clock, SetBackBeforeTheSignedTimeIsNoticedAndNotBelieved) {
  Clocked t;
  ASSERT_TRUE(t.refresh(t.now));
  EXPECT_EQ(t.client.clock_behind().count(), 0);
  ASSERT_TRUE(t.refresh(t.now - hours(24 * 365)));  // what is current stays current: the host is not locked out
  EXPECT_EQ(t.client.clock_behind(), hours(24 * 365));
  EXPECT_EQ(t.client.trusted()->now(), t.now);
}

TEST(Clock, OfAFirstRefreshMayStandAtItsFactorySetting) {
  Clocked t;
  ASSERT_TRUE(t.refresh(at("1970-01-01T00:00:10Z")));
  EXPECT_GT(t.client.clock_behind(), hours(24 * 365 * 50));
  EXPECT_EQ(t.client.trusted()->now(), t.now);  // from the timestamp on
}

TEST(Clock, SetBackDoesNotKeepExpiredMetadataValid) {  // 5.4.4: a freeze with a false time server
  Clocked t;
  ASSERT_TRUE(t.refresh(t.now));
  t.pass(hours(23));
  ASSERT_TRUE(t.refresh(t.now));  // the wall clock is held where it was
  EXPECT_EQ(t.client.clock_behind(), hours(23));
  t.pass(hours(2));
  const Status frozen = t.refresh(t.now);
  ASSERT_FALSE(frozen);
  EXPECT_EQ(frozen.error().code, ErrorCode::kExpired);
  EXPECT_EQ(t.client.clock_behind(), hours(25));
  EXPECT_EQ(t.stored_version("timestamp"), t.repository.version("timestamp"));  // nothing that was there is lost
}

TEST(Clock, StaysWhereItWasOverAReboot) {
  Clocked t;
  ASSERT_TRUE(t.refresh(t.now));
  t.pass(hours(20));
  ASSERT_TRUE(t.refresh(t.now));
  t.uptime = {"boot-2", MonotonicTime(5'000)};
  ASSERT_TRUE(t.refresh(t.now));
  EXPECT_EQ(t.client.clock_behind(), hours(20));
  t.pass(hours(5));
  EXPECT_EQ(t.refresh(t.now).error().code, ErrorCode::kExpired);
}

// Specification 5.1.
TEST(Clock, ThatOnceWasFarAheadLocksNobodyOutWhenItIsPutRight) {
  Clocked t;
  ASSERT_TRUE(t.refresh(t.now));
  EXPECT_EQ(t.refresh(t.now + hours(24 * 3650)).error().code, ErrorCode::kExpired);
  EXPECT_EQ(t.refresh(t.now + hours(24 * 3650)).error().code, ErrorCode::kExpired);
  t.pass(minutes(1));
  ASSERT_TRUE(t.refresh(t.now + minutes(1)));
  EXPECT_EQ(t.client.clock_behind().count(), 0);
}

TEST(Clock, RisesWithNewMetadataAndNeverFallsByOlderRecords) {
  Clocked t;
  ASSERT_TRUE(t.refresh(t.now));
  const WallTime first = t.now;
  t.now += hours(6);
  ASSERT_TRUE(t.publish_rollout("plan"));
  ASSERT_TRUE(t.refresh(first));
  EXPECT_EQ(t.client.trusted()->now(), first + hours(6));
  ASSERT_TRUE(t.host.write_atomic("/cache/clock", bytes(R"({"boot":"boot-1","monotonic_ms":0,"time":"2000-01-01T00:00:00Z"})"), 0644));
  ASSERT_TRUE(t.refresh(first));
  EXPECT_EQ(t.client.trusted()->now(), first + hours(6));
  for (const char* broken : {"", "{", R"({"boot":1})", R"({"boot":"b","monotonic_ms":-1,"time":"x"})"}) {
    ASSERT_TRUE(t.host.write_atomic("/cache/clock", bytes(broken), 0644));
    EXPECT_TRUE(t.refresh(first)) << broken;
  }
}

TEST(Clock, DrivenOnByATakenTimestampKeyIsForgottenWithTheKey) {  // 5.3.11
  Clocked t;
  ASSERT_TRUE(t.refresh(t.now));
  const WallTime far = t.now + hours(24 * 3650);
  const MetaFile snapshot = Timestamp::parse(*t.server.read("/tree/metadata/timestamp.json", 1u << 20))->snapshot;
  t.put("timestamp", t.signed_by(make_timestamp(99, far + hours(24), snapshot, far), {&t.timestamp}));
  EXPECT_EQ(t.refresh(t.now).error().code, ErrorCode::kExpired);  // everything else has expired by then
  EXPECT_EQ(t.refresh(t.now).error().code, ErrorCode::kExpired);
  KeyPair fresh = key(77);
  auto roles = t.roles({t.root1.public_key(), t.root2.public_key()}, 2);
  roles["timestamp"] = {{fresh.public_key()}, 1};
  t.put("2.root", t.signed_by(make_root(2, t.now + hours(24 * 365), roles), {&t.root1, &t.root2}));
  t.put("timestamp", t.signed_by(make_timestamp(100, t.now + hours(24), snapshot, t.now), {&fresh}));
  ASSERT_TRUE(t.refresh(t.now));
  EXPECT_EQ(t.client.clock_behind().count(), 0);
}

TEST(Clock, WithoutASignedTimeIsTheGivenOne) {  // trees of others
  Clocked t;
  const MetaFile snapshot = Timestamp::parse(*t.server.read("/tree/metadata/timestamp.json", 1u << 20))->snapshot;
  t.put("timestamp", t.signed_by(make_timestamp(9, t.now + hours(24), snapshot), {&t.timestamp}));
  ASSERT_TRUE(t.refresh(t.now));
  t.pass(hours(48));
  ASSERT_TRUE(t.refresh(t.now - hours(1)));
  EXPECT_EQ(t.client.trusted()->now(), t.now - hours(1));
  EXPECT_FALSE(t.host.exists("/cache/clock"));
  EXPECT_FALSE(t.client.trusted()->floor());
}

TEST(Clock, AnIssueDateThatCannotBeIsAsIfItWereNotThere) {
  Clocked t;
  const MetaFile snapshot = Timestamp::parse(*t.server.read("/tree/metadata/timestamp.json", 1u << 20))->snapshot;
  for (const Json& odd : {Json("yesterday"), Json(7), Json(format_time(t.now + hours(48)))}) {
    Json part = make_timestamp(9, t.now + hours(24), snapshot);
    part.set("issued", odd);
    EXPECT_FALSE(Timestamp::parse(t.signed_by(part, {&t.timestamp}))->issued);
  }
}

TEST(Clock, IsKeptWithFewWrites) {
  Clocked t;
  ASSERT_TRUE(t.refresh(t.now));
  const uint64_t before = t.host.operations();
  for (int i = 0; i < 9; ++i) {
    t.pass(minutes(1));
    ASSERT_TRUE(t.refresh(t.now + minutes(i)));
  }
  EXPECT_EQ(t.host.operations(), before);
  t.pass(minutes(2));
  ASSERT_TRUE(t.refresh(t.now + minutes(11)));
  EXPECT_EQ(t.host.operations(), before + 1);
}

TEST(Clock, ARefreshThatStopsAnywhereLeavesAClockThatCanBeRead) {
  for (const fake::Fault fault : {fake::Fault::kFails, fake::Fault::kStopsBefore, fake::Fault::kStopsAfter}) {
    for (uint64_t k = 0; k < 6; ++k) {
      Clocked t;
      t.host.fault_at(k, fault);
      (void)t.refresh(t.now).has_value();
      t.host.restart();
      ASSERT_TRUE(t.refresh(t.now)) << k;
      t.pass(hours(25));
      EXPECT_EQ(t.refresh(t.now).error().code, ErrorCode::kExpired) << k;
    }
  }
}

}  // namespace
}  // namespace creance::trust::testing
