// What the host's owner says to creance-sensor and hears from it, before the first start, between starts and after a bad end.
#include "sensor/processes.hpp"

namespace creance::sensor {
namespace {

class OwnerCommands : public Processes {
 protected:
  struct Outcome {
    int code = -1;
    std::string text;
    bool says(std::string_view what) const { return text.find(what) != std::string::npos; }
  };
  Outcome command(const std::vector<std::string>& arguments) {
    fs::remove(state_ / "command-log");
    auto child = os::ChildProcess::start({kBin / "creance-sensor", arguments, {}, state_ / "command-log", {}});
    if (!child) return {};
    const int code = child->wait().code;
    return {code, text_of(state_ / "command-log")};
  }
  Outcome on(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin() + 1, {"--state", state_.string()});
    return command(arguments);
  }
  void enrolled() {
    fs::remove_all(state_ / "state");
    std::ofstream(state_ / "identity.json") << "{}";
  }
  void stop() {
    sensor_.signal(SIGTERM);
    ASSERT_EQ(sensor_.wait().code, 0);
  }
};

TEST_F(OwnerCommands, AFolderThatIsEnrolledAndWasNeverStartedSaysSo) {
  EXPECT_EQ(command({"doctor", "--state", (state_ / "elsewhere").string()}).code, 2);
  enrolled();
  const auto doctor = on({"doctor"});
  EXPECT_EQ(doctor.code, 2);
  EXPECT_TRUE(doctor.says("never started")) << doctor.text;
  EXPECT_FALSE(doctor.says("is no sensor's folder")) << doctor.text;
  const auto status = on({"status"});
  EXPECT_EQ(status.code, 1);
  EXPECT_TRUE(status.says("never started; `creance-sensor run")) << status.text;
  EXPECT_EQ(on({"status", "--json"}).text, "{\"state\":\"never_started\",\"running\":false}\n");
}

TEST_F(OwnerCommands, OrdersThatWaitAreCarriedOutAsTheyWereGiven) {
  enrolled();
  for (const char* span : {"1h", "2h", "3h", "4h", "5h", "6h", "7h"}) {
    const auto pause = on({"pause", "--for", span});
    ASSERT_EQ(pause.code, 0) << pause.text;
    EXPECT_TRUE(pause.says("when one starts")) << pause.text;
  }
  ASSERT_EQ(on({"pause", "--for", "90s", "--reason", "short"}).code, 0);
  EXPECT_TRUE(on({"doctor"}).says("8 wait for the sensor to start"));
  start();
  for (const fs::path watched = state_ / "state"; !sensor_.exited() && !fs::exists(watched / "why.txt");) ::poll(nullptr, 0, 20);
  ASSERT_GE(::inotify_add_watch(watch_.get(), (state_ / "state").c_str(), IN_MOVED_TO | IN_MODIFY), 0);
  ASSERT_TRUE(await([&] { return text_of(state_ / "state/why.txt").find("order: new content is paused for 90 s (the host's owner: short)") != std::string::npos; })) << log();
  const std::string why = text_of(state_ / "state/why.txt");
  size_t before = 0;
  for (const char* span : {"60 min", "120 min", "180 min", "240 min", "300 min", "360 min", "420 min", "90 s"}) {
    const size_t at = why.find(fmt::format("order: new content is paused for {} ", span));
    ASSERT_NE(at, std::string::npos) << why;
    EXPECT_GT(at, before) << why;
    before = at;
  }
  const auto shown = on({"why"});
  EXPECT_TRUE(shown.says("paused by the host's owner for another")) << shown.text;
  const size_t line = shown.text.find(" order: ");
  ASSERT_NE(line, std::string::npos);
  EXPECT_EQ(shown.text.substr(line - 24, 2), "20") << "times are RFC 3339: " << shown.text;
  EXPECT_EQ(shown.text[line - 1], 'Z') << shown.text;
}

TEST_F(OwnerCommands, APolicyThatTheOwnerNamedMustBeThere) {
  const std::string policy = (state_ / "policy.yml").string();
  enrolled();
  const auto refused = on({"run", "--live", "--policy", policy});
  EXPECT_EQ(refused.code, 3);
  EXPECT_TRUE(refused.says("policy.yml` (--policy) is not there")) << refused.text;
  EXPECT_FALSE(fs::exists(state_ / "state/session.bin"));
  EXPECT_TRUE(on({"doctor", "--policy", policy}).says("policy.yml` is not there"));
  fs::create_directories(state_ / "state");
  std::ofstream(policy) << "pased: true\n";
  const auto unjudged = on({"doctor", "--policy", policy});
  EXPECT_TRUE(unjudged.says("note   policy")) << unjudged.text;
  std::ofstream(state_ / "state/status.txt") << "plan       4, nothing new is taken: " << policy << ":1:1: `pased` is not known here\nprocesses  x\n";
  const auto judged = on({"doctor", "--policy", policy});
  EXPECT_EQ(judged.code, 2);
  EXPECT_TRUE(judged.says("wrong  policy     nothing new is taken: " + policy + ":1:1: `pased` is not known here (admit's last answer)\n")) << judged.text;
}

TEST_F(OwnerCommands, DoctorTellsABadEndFromAGoodOneAndSpeaksJson) {
  ipc::Session session;
  session.clean_stop = 0;
  ASSERT_TRUE(ipc::write_record(files_, state_ / "state/session.bin", session));
  EXPECT_TRUE(on({"doctor"}).says("the last stop was not a clean one"));
  session.clean_stop = 1;
  ASSERT_TRUE(ipc::write_record(files_, state_ / "state/session.bin", session));
  EXPECT_TRUE(on({"doctor"}).says("the last stop was a clean one"));
  const auto json = on({"doctor", "--json"});
  EXPECT_EQ(json.code, 2) << "nothing runs here";
  EXPECT_TRUE(json.text.starts_with("[{\"verdict\":\"")) << json.text;
  EXPECT_TRUE(json.text.ends_with("\"}]\n")) << json.text;
}

TEST_F(OwnerCommands, DoctorAsAnotherUserJudgesNothingThatItCannotRead) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to be another user";
  ASSERT_TRUE(ipc::write_record(files_, state_ / "state/session.bin", ipc::Session{}));
  fs::permissions(state_ / "state/session.bin", fs::perms::owner_read);
  fs::permissions(kBin / "creance-sensor", fs::perms::others_exec, fs::perm_options::add);
  os::Launch launch{kBin / "creance-sensor", {"doctor", "--state", state_.string()}, {}, state_ / "command-log", {}};
  launch.user = os::User{65'532, 65'532};
  auto child = os::ChildProcess::start(launch);
  if (!child) GTEST_SKIP() << child.error().detail;
  EXPECT_EQ(child->wait().code, 2);
  const std::string text = text_of(state_ / "command-log");
  EXPECT_TRUE(text.starts_with("note   rights     run this as root")) << text;
  EXPECT_EQ(text.find("wrong"), std::string::npos) << text;
  EXPECT_EQ(text.find("no content"), std::string::npos) << text;
}

}  // namespace
}  // namespace creance::sensor
