// Enrolling again, by the real supervisor: stand-ins (doubles/pretend_main.cpp) say what a server, an updater and whoever took one over may say.
#include "sensor/supervised.hpp"

namespace creance::sensor {
namespace {

class EnrolAgain : public Supervised {
 protected:
  static constexpr const char* kIdentity = R"({"sensor_id":"of enrolment"})";

  void SetUp() override {
    Supervised::SetUp();
    std::ofstream(state_ / "identity.json") << kIdentity;
    std::ofstream(state_ / "sensor.key") << "key of enrolment";
  }
  void says(const std::string& what) { put("server-says", what); }
  void does(const std::string& what) { put("again", what); }
  void put(const std::string& name, const std::string& text) {
    std::ofstream(state_ / "pretend" / (name + ".new")) << text;
    fs::rename(state_ / "pretend" / (name + ".new"), state_ / "pretend" / name);
  }
  size_t enrolments() const { return count(state_ / "pretend/enrolments", "\n"); }
  bool asker_is_gone() const { return enrolments() > 0 && ::kill(std::stoi(text_of(state_ / "pretend/enrolments")), 0) != 0 && errno == ESRCH; }
  std::string id() { // in force by the record; empty: the one of enrolment
    const auto record = ipc::read_record<ipc::Successors>(files_, state_ / ipc::kSuccessorsFile);
    return record && record->current() != nullptr ? to_hex(record->current()->sensor_id) : "";
  }
  uint64_t wait_ms() {
    const auto record = ipc::read_record<ipc::Successors>(files_, state_ / ipc::kSuccessorsFile);
    return record ? record->wait_ms : 0;
  }
  // After this many further answers of the server were heard and acted upon: another updater, or the same one, hears a report that was written later.
  bool answered_again(size_t answers = 3) {
    const size_t before = count(state_ / "pretend/answers", "\n");
    return await([&] { return count(state_ / "pretend/answers", "\n") >= before + answers; });
  }
  // Nothing has come of it: who this sensor is stays as it was, an updater speaks, and the worker has not noticed.
  void expect_as_it_was() {
    EXPECT_TRUE(await([&] { return log().find("cannot enrol again (") != std::string::npos; })) << log();
    EXPECT_TRUE(asker_is_gone()) << log();
    EXPECT_TRUE(answered_again()) << log();
    EXPECT_EQ(id(), "");
    EXPECT_EQ(text_of(state_ / "identity.json"), kIdentity);
    EXPECT_EQ(text_of(state_ / "sensor.key"), "key of enrolment");
    EXPECT_EQ(enrolments(), 1u);
    EXPECT_EQ(status_number("worker_starts"), 1u);
  }

  const std::string first_ = std::string(32, '1'), second_ = std::string(32, '2');
};

TEST_F(EnrolAgain, TakesAnotherIdAndNothingElse) {
  does("answers " + first_);
  says("enrol-again");
  supervise();
  ASSERT_TRUE(await([&] { return id() == first_; })) << log();
  EXPECT_EQ(text_of(state_ / "identity.json"), kIdentity);
  EXPECT_EQ(text_of(state_ / "sensor.key"), "key of enrolment");
  EXPECT_TRUE(await([&] { return text_of(state_ / "pretend/sensor-id").starts_with(first_ + " "); })) << "admit judges as this sensor";
  EXPECT_TRUE(await([&] { return text_of(state_ / "pretend/speaks-as") == first_; })) << "and so the updater speaks, which asks no file who it is";
  EXPECT_TRUE(await([&] { return status().find("\"successor_id\":\"" + first_ + "\"") != std::string::npos; })) << status();
  EXPECT_TRUE(await([&] { return text_of(state_ / "state/status.txt").find("identity   " + first_ + ", since it enrolled again at ") != std::string::npos; }));
  ASSERT_TRUE(answered_again());
  const std::string answers = text_of(state_ / "pretend/answers");
  EXPECT_NE(answers.substr(answers.find(' ') + 1, 32), answers.substr(answers.rfind(' ') + 1, 32)) << "in a new epoch";
  EXPECT_EQ(status_number("worker_starts"), 1u) << "what it watches is not interrupted";
}

TEST_F(EnrolAgain, IsDoneOnceAnHourWhateverTheServerSaysAlsoOverARestart) {
  does("answers " + first_);
  says("enrol-again");
  supervise();
  ASSERT_TRUE(await([&] { return id() == first_; })) << log();
  does("answers " + second_);
  moved_->monotonic_ms += 3'500'000;
  ASSERT_TRUE(await([&] { return wait_ms() < 200'000; })) << log();
  ASSERT_TRUE(answered_again());
  EXPECT_EQ(enrolments(), 1u);
  EXPECT_EQ(count(state_ / "log", "the server wants this sensor to enrol again; it does so once an hour at most"), 1u) << "and it is said once: " << log();
  stop();
  supervise();
  ASSERT_TRUE(answered_again()) << log();
  EXPECT_EQ(id(), first_);
  EXPECT_EQ(enrolments(), 1u) << "a restart is no way round it";
  moved_->monotonic_ms += 200'000;
  ASSERT_TRUE(await([&] { return id() == second_; })) << log();
  EXPECT_EQ(enrolments(), 2u);
}

TEST_F(EnrolAgain, IsTakenBackWhenTheServerDoesNotKnowTheNewIdentity) {
  does("answers " + first_);
  says("enrol-again");
  supervise();
  ASSERT_TRUE(await([&] { return id() == first_; })) << log();
  says("known");
  ASSERT_TRUE(answered_again());
  moved_->monotonic_ms += 1'800'000;
  ASSERT_TRUE(await([&] { return wait_ms() < 1'900'000; })) << log();
  says("unknown");
  ASSERT_TRUE(await([&] { return id().empty(); })) << log();
  EXPECT_GT(wait_ms(), 3'500'000u) << "an hour begins";
  EXPECT_TRUE(await([&] { return times("identity-refused") == 1; })) << log();
  says("enrol-again");
  ASSERT_TRUE(answered_again()) << log();
  EXPECT_EQ(enrolments(), 1u) << log();
  EXPECT_EQ(text_of(state_ / "identity.json"), kIdentity);
  says("unknown");
  ASSERT_TRUE(answered_again(5));
  EXPECT_EQ(times("identity-refused"), 1u) << "below the identity of enrolment there is none to go back to";
  EXPECT_TRUE(await([&] { return status().find("\"successor_id\":\"\"") != std::string::npos; })) << status();
}

// Who said that it is unknown need not have been the server.
TEST_F(EnrolAgain, GoesOnceMoreByWhatItWasGivenBeforeItAsksForMore) {
  does("answers " + first_);
  says("enrol-again");
  supervise();
  ASSERT_TRUE(await([&] { return id() == first_; })) << log();
  says("unknown");
  ASSERT_TRUE(await([&] { return id().empty(); })) << log();
  EXPECT_TRUE(await([&] { return text_of(state_ / "pretend/speaks-as") == "of enrolment"; })) << log();
  does("answers " + second_);
  says("enrol-again");
  moved_->monotonic_ms += 3'601'000;
  ASSERT_TRUE(await([&] { return id() == first_; })) << log();
  EXPECT_TRUE(await([&] { return text_of(state_ / "pretend/speaks-as") == first_; })) << log();
  EXPECT_EQ(enrolments(), 1u);
  says("unknown");
  ASSERT_TRUE(await([&] { return id().empty(); })) << log();
  says("enrol-again");
  moved_->monotonic_ms += 3'601'000;
  ASSERT_TRUE(await([&] { return id() == second_; })) << log();
  EXPECT_EQ(enrolments(), 2u);
}

TEST_F(EnrolAgain, ThatDoesNotEndIsEnded) {
  does("hangs");
  says("enrol-again");
  supervise();
  ASSERT_TRUE(await([&] { return enrolments() == 1; })) << log();
  moved_->monotonic_ms += limits::kEnrolAgainMsMax + 1'000;
  expect_as_it_was();
  EXPECT_NE(log().find("cannot enrol again (it did not end within 60 s)"), std::string::npos) << log();
}

class EnrolAgainLies : public EnrolAgain, public testing::WithParamInterface<const char*> {};

TEST_P(EnrolAgainLies, ChangesNothing) {
  does(GetParam());
  says("enrol-again");
  supervise();
  expect_as_it_was();
  EXPECT_FALSE(fs::exists(state_ / "state/next-identity.bin"));
}
INSTANTIATE_TEST_SUITE_P(Of, EnrolAgainLies, testing::Values("refused", "closes", "garbage", "says-another-thing", "leaves-files", "leaves-links", "answers 1234", "answers 00000000000000000000000000000000"),
                         [](const auto& given) {
                           std::string name = given.param;
                           std::ranges::replace_if(name, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
                           return name;
                         });

// The updater that fetches and reports has no say in who this sensor is.
TEST_F(EnrolAgain, IsNotForTheUpdaterThatReports) {
  says("i-am " + first_);
  supervise();
  ASSERT_TRUE(await([&] { return log().find("the updater answers what it was not asked and is ended") != std::string::npos; })) << log();
  EXPECT_EQ(id(), "");
}

}  // namespace
}  // namespace creance::sensor
