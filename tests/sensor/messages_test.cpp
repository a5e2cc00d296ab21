// Messages and records: what is not exactly right is refused.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ipc/messages.hpp"
#include "base/ipc/records.hpp"
#include "base/ipc/socket.hpp"
#include "base/os/real.hpp"

namespace creance::ipc {
namespace {

Bytes bytes_of(const Frame& frame) {
  Bytes bytes(sizeof frame);
  std::memcpy(bytes.data(), &frame, sizeof frame);
  return bytes;
}
Frame good() {
  Health health;
  health.set[0] = 7;
  health.events = 42;
  return encode(health, Process::kWorker);
}

TEST(Messages, ComeBackAsTheyWere) {
  const auto frame = decode(bytes_of(good()), Process::kWorker);
  ASSERT_TRUE(frame);
  ASSERT_TRUE(frame->is<Health>());
  EXPECT_EQ(frame->as<Health>().events, 42u);
}

TEST(Messages, AreRefusedWhenCutOrLonger) {
  const Bytes whole = bytes_of(good());
  for (size_t n = 0; n < whole.size(); ++n) ASSERT_FALSE(decode(BytesView(whole).first(n), Process::kWorker)) << n;
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_FALSE(decode(longer, Process::kWorker));
}

TEST(Messages, AreRefusedWithAnotherVersionMagicKindSenderOrTail) {
  const auto spoiled = [](auto change) {
    Frame frame = good();
    change(frame);
    return decode(bytes_of(frame), Process::kWorker).has_value();
  };
  EXPECT_TRUE(spoiled([](Frame&) {}));
  EXPECT_FALSE(spoiled([](Frame& f) { ++f.head.version; }));
  EXPECT_FALSE(spoiled([](Frame& f) { ++f.head.magic; }));
  EXPECT_FALSE(spoiled([](Frame& f) { f.head.kind = Kind::kAdmitted; })) << "not the worker's to send";
  EXPECT_FALSE(spoiled([](Frame& f) { f.head.kind = static_cast<Kind>(0x02ff); }));
  EXPECT_FALSE(spoiled([](Frame& f) { f.head.from = Process::kAdmit; }));
  EXPECT_FALSE(spoiled([](Frame& f) { f.head.padding[1] = 1; }));
  EXPECT_FALSE(spoiled([](Frame& f) { ++f.head.payload_bytes; }));
  EXPECT_FALSE(spoiled([](Frame& f) { f.head.payload_bytes = 0xffffffff; }));
  EXPECT_FALSE(spoiled([](Frame& f) { f.payload[sizeof(Health)] = 1; })) << "bytes behind the payload";
  EXPECT_FALSE(spoiled([](Frame& f) { f.payload.back() = 1; }));
}

TEST(Messages, AreRefusedWithFieldsOutOfRange) {
  const auto refused = [](auto message, Process from, auto change) {
    Frame frame = encode(message, from);
    change(message);
    std::memcpy(frame.payload.data(), &message, sizeof message);
    return !decode(bytes_of(frame), from);
  };
  EXPECT_FALSE(refused(Activated{}, Process::kWorker, [](Activated&) {}));
  EXPECT_TRUE(refused(Activated{}, Process::kWorker, [](Activated& m) { m.held = 1; })) << "more held than there are";
  EXPECT_TRUE(refused(Health{}, Process::kWorker, [](Health& m) { m.ended = 2; }));
  EXPECT_TRUE(refused(ActivationFailed{}, Process::kWorker, [](ActivationFailed& m) { m.reason = static_cast<Reason>(200); }));
  EXPECT_TRUE(refused(ActivationFailed{}, Process::kWorker, [](ActivationFailed& m) { m.detail.bytes.fill('a'); })) << "text without an end";
  EXPECT_TRUE(refused(ActivationFailed{}, Process::kWorker, [](ActivationFailed& m) { m.detail.bytes[0] = '\n'; }));
  EXPECT_TRUE(refused(ActivationFailed{}, Process::kWorker, [](ActivationFailed& m) { m.detail.bytes[100] = 'x'; })) << "bytes behind the end";
  EXPECT_TRUE(refused(Rehearsed{}, Process::kWorker, [](Rehearsed& m) { m.set[0] = 1; m.passed = 1; })) << "passed over nothing";
  EXPECT_TRUE(refused(Admitted{}, Process::kAdmit, [](Admitted& m) { m.offer[3] = 1; })) << "an offer from untrusted metadata";
  EXPECT_TRUE(refused(Admitted{}, Process::kAdmit, [](Admitted& m) { m.rung_standing[2] = static_cast<Standing>(3); }));
  EXPECT_TRUE(refused(ReportAnswered{}, Process::kUpdater, [](ReportAnswered& m) { m.report_interval_ms = 0; }));
  EXPECT_TRUE(refused(ReportAnswered{}, Process::kUpdater, [](ReportAnswered& m) { m.unknown = 1; })) << "of a server that was not reached";
  EXPECT_FALSE(refused(ReportAnswered{}, Process::kUpdater, [](ReportAnswered& m) { m.unknown = m.reached = 1; }));
  EXPECT_TRUE(refused(ReportAnswered{}, Process::kUpdater, [](ReportAnswered& m) { m.unknown = m.reached = 1, m.wants = Wants::kEnrolAgain; })) << "it cannot want it of one that it does not know";
  EnrolledAgain again;
  again.sensor_id[3] = 1;
  EXPECT_FALSE(refused(again, Process::kUpdater, [](EnrolledAgain&) {}));
  EXPECT_TRUE(refused(again, Process::kUpdater, [](EnrolledAgain& m) { m.sensor_id = kNoSensorId; }));
  EXPECT_TRUE(refused(CollectReady{}, Process::kCollectSetup, [](CollectReady& m) { m.attached = 1; }));
}

TEST(Messages, TextsAreCutAndCleaned) {
  const Text<8> text("ab\ncdefghij");
  EXPECT_EQ(text.view(), "ab?cdef");
  EXPECT_TRUE(text.valid());
}

TEST(Sockets, CarryMessagesAndDescriptorsAndSeeThePeerGo) {
  auto pair = Socket::pair(Process::kSupervisor, Process::kCollectSetup);
  ASSERT_TRUE(pair);
  auto& [ours, theirs] = *pair;
  EXPECT_EQ(ours.receive().error().code, ErrorCode::kUnavailable);
  const Descriptor file(::memfd_create("x", MFD_CLOEXEC));
  ASSERT_EQ(::write(file.get(), "hello", 5), 5);
  const int fds[] = {file.get()};
  ASSERT_TRUE(theirs.send_frame(encode(CollectReady{}, Process::kCollectSetup), fds));
  std::vector<Descriptor> came;
  const auto frame = ours.receive(&came);
  ASSERT_TRUE(frame) << frame.error().detail;
  ASSERT_EQ(came.size(), 1u);
  char text[5];
  EXPECT_EQ(::pread(came[0].get(), text, 5, 0), 5);
  EXPECT_EQ(std::string_view(text, 5), "hello");
  ASSERT_EQ(::write(theirs.fd(), "lies", 4), 4);
  EXPECT_EQ(ours.receive().error().code, ErrorCode::kInvalid);
  theirs.close();
  EXPECT_EQ(ours.receive().error().code, ErrorCode::kNotFound);
}

TEST(Records, AreRefusedWhenDamagedAtAnyByte) {
  Marker marker;
  marker.release[5] = 5;
  marker.arm = Arm::kGo;
  marker.boot_id = BootId("abc");
  const Bytes file = to_record(marker);
  ASSERT_TRUE(from_record<Marker>(file));
  EXPECT_EQ(from_record<Marker>(file)->release, marker.release);
  for (size_t i = 0; i < file.size(); ++i) {
    Bytes damaged = file;
    damaged[i] ^= 0x10;
    EXPECT_FALSE(from_record<Marker>(damaged)) << i;
    EXPECT_FALSE(from_record<Marker>(BytesView(file).first(i))) << i;
  }
  EXPECT_FALSE(from_record<HeldBack>(file));
}

TEST(Records, OfSuccessorsHaveAnIdForEachAndNoneBehind) {
  Successors record;
  EXPECT_TRUE(record.valid());
  record.count = 1;
  EXPECT_FALSE(record.valid());
  record.list[0].sensor_id[0] = 1;
  EXPECT_TRUE(record.valid());
  record.list[1].sensor_id[0] = 1;
  EXPECT_FALSE(record.valid());
  record.list[1] = {};
  record.wait_ms = limits::kEnrolAgainEveryMs;
  EXPECT_TRUE(record.valid());
  ++record.wait_ms;
  EXPECT_FALSE(record.valid()) << "no record makes it wait longer than that";
  record.wait_ms = 0;
  EXPECT_EQ(record.current(), &record.list[0]);
  record.struck = 1;
  EXPECT_TRUE(record.valid());
  EXPECT_EQ(record.current(), nullptr);
  record.struck = 2;
  EXPECT_FALSE(record.valid()) << "more than there are";
  record.struck = 0;
  record.count = static_cast<uint32_t>(record.list.size()) + 1;
  EXPECT_FALSE(record.valid());
}

TEST(Records, OfASetNameOnlyPlainFiles) {
  SetRecord set;
  set.release[0] = 1;
  set.count = 1;
  set.files[0].bytes = 10;
  for (const auto& [name, right] : std::initializer_list<std::pair<const char*, bool>>{{"windows.pipe_created.channel", true}, {"../secret", false}, {"a/b", false}, {".", false}, {"", false}, {"a b", false}}) {
    set.files[0].name.assign(name);
    EXPECT_EQ(set.valid(), right) << name;
  }
}

}  // namespace
}  // namespace creance::ipc
