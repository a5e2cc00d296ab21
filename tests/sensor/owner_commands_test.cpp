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
    ASSERT_EQ(pause.code, 1) << pause.text;
    EXPECT_TRUE(pause.says("when one starts")) << pause.text;
  }
  const auto last = on({"pause", "--for", "90s", "--reason", "short"});
  ASSERT_EQ(last.code, 1);
  EXPECT_TRUE(last.says("what waits, in this order:\n  pause for 60 min\n  pause for 120 min\n")) << last.text;
  EXPECT_TRUE(last.says("\n  pause for 90 s (short)\n")) << last.text;
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
  ipc::Sight sight;
  sight.unread.assign(policy + ":1:1: `pased` is not known here");
  ASSERT_TRUE(ipc::write_record(files_, state_ / "state/sight.bin", sight));
  const auto judged = on({"doctor", "--policy", policy});
  EXPECT_EQ(judged.code, 2);
  EXPECT_TRUE(judged.says("wrong  policy     " + policy + ":1:1: `pased` is not known here; nothing new is taken until that is mended (admit's last answer, of before the sensor ended)\n")) << judged.text;
}

TEST_F(OwnerCommands, ALocalFileThatIsALinkToNowhereIsNotTakenForNone) {
  good({make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")})});
  start();
  ASSERT_TRUE(await([&] { return text_of(state_ / "pretend/local") == "none"; })) << log();
  fs::create_symlink("nowhere.json", state_ / "local.json");
  EXPECT_TRUE(await([&] { return text_of(state_ / "pretend/local") == "./local.json"; })) << "admit is told that it must be there";
  const auto doctor = on({"doctor"});
  EXPECT_EQ(doctor.code, 2);
  EXPECT_TRUE(doctor.says("nothing new is taken while it may say no and cannot be read")) << doctor.text;
}

TEST_F(OwnerCommands, AnOrderSaysWhatCameOfIt) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")}), older = make_set(2, {rule("01", kPipe, "PipeName|endswith: good_3")});
  good({base, older});
  start();
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  const auto expect = [&](std::vector<std::string> order, int code, std::string_view text) {
    const auto came = on(std::move(order));
    EXPECT_EQ(came.code, code) << came.text;
    EXPECT_TRUE(came.says(text)) << came.text;
  };
  expect({"resume"}, 4, "not paused by `creance-sensor pause`: there is nothing to resume\n");
  expect({"resume", "--trust-kept"}, 4, "there is nothing to resume; no records are lost, and there is nothing to trust\n");
  expect({"pause", "--for", "90s", "--reason", "lunch"}, 0, "new content is paused for 90 s (the host's owner: lunch)\n");
  expect({"resume"}, 0, "the pause is over (the host's owner)\n");
  expect({"retry", "--digest", std::string(64, 'a')}, 4, "aaaaaaaaaaaa is not refused here: nothing to lift; the server is told, which may remember a refusal\n");
  expect({"return", "--reason", "it is slow"}, 0, "returns to older content (the host's owner: it is slow)\n");
  ASSERT_TRUE(await([&] { return runs(older); })) << log();
  expect({"return"}, 4, "there is no older good content to return to\n");
  expect({"retry", "--digest", to_hex(base)}, 0, " is not refused any more (the host's owner); the server is told");
  for (const auto& entry : fs::directory_iterator(state_ / "state/orders")) EXPECT_FALSE(entry.path().string().ends_with(".answer")) << "taken by whoever asked";
}

TEST_F(OwnerCommands, MoreOrdersThanOneTurnTakesAreAllCarriedOut) {
  enrolled();
  fs::create_directories(state_ / "state/orders");
  constexpr int kMany = 3 * limits::kOrdersMax;
  for (int i = 0; i < kMany; ++i) {
    ipc::Order order;
    order.pause_ms = 1'000'000 + static_cast<uint64_t>(i) * 1'000;
    ASSERT_TRUE(ipc::write_record(files_, state_ / "state/orders" / fmt::format("{:015}-x.bin", i), order));
  }
  start();
  const auto waiting = [&] {
    size_t n = 0;
    for (const auto& entry : fs::directory_iterator(state_ / "state/orders")) n += entry.path().filename().string().ends_with("-x.bin");
    return n;
  };
  ASSERT_TRUE(await([&] { return fs::exists(state_ / "state/status.json") && waiting() == 0; })) << waiting() << " wait\n" << log();
  EXPECT_TRUE(await([&] { return ipc::read_record<ipc::Pause>(files_, state_ / "state/pause.bin")->remaining_ms > 1'000'000 + (kMany - 10) * 1'000; })) << "the last one is the one that holds";
}

TEST_F(OwnerCommands, WhatTheOwnerLiftsIsToldUntilTheServerHasIt) {
  good({make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")})});
  start();
  const Set gone = [] {
    Set set;
    set.fill(0xaa);
    return set;
  }();
  ASSERT_TRUE(await([&] { return fs::exists(state_ / "state/status.json"); })) << log();
  EXPECT_EQ(on({"retry", "--digest", to_hex(gone)}).code, 4);
  const auto lifted = [&] { return ipc::read_record<ipc::Lifted>(files_, state_ / "state/lifted.bin")->count; };
  ASSERT_TRUE(await([&] { return event("refusal_lifted", gone) && lifted() == 1; })) << log();
  sensor_ = {};  // killed: nobody knows what of it arrived
  std::ofstream(state_ / "pretend/events", std::ios::trunc).flush();
  start();
  ASSERT_TRUE(await([&] { return event("refusal_lifted", gone); })) << log();
  EXPECT_EQ(lifted(), 1u);
  std::ofstream(state_ / "pretend/server-says") << "known";
  ASSERT_TRUE(await([&] { return lifted() == 0; })) << log();
  stop();
  std::ofstream(state_ / "pretend/events", std::ios::trunc).flush();
  std::ofstream(state_ / "pretend/report", std::ios::trunc).flush();
  start();
  ASSERT_TRUE(await([&] { return text_of(state_ / "pretend/report").starts_with("steady"); })) << log();
  EXPECT_FALSE(event("refusal_lifted", gone));
}

TEST_F(OwnerCommands, DamagedRecordsAreRestoredOrSaidToBeLost) {
  const Set base = make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")});
  good({base});
  start();
  ASSERT_TRUE(await([&] { return runs(base) && ipc::read_record<ipc::Session>(files_, state_ / "state/session.bin")->kept == 1; })) << log();
  stop();
  const auto spoil = [&](const fs::path& file) { std::ofstream(file, std::ios::binary | std::ios::trunc) << std::string(100, 'x'); };
  const auto fresh = [&] {
    for (const char* file : {"report", "events", "detections"}) std::ofstream(state_ / "pretend" / file, std::ios::trunc).flush();
  };
  fresh();
  spoil(state_ / "state/ladder.bin");
  EXPECT_TRUE(on({"doctor"}).says("ladder.bin: record of 100 bytes where 344 belong; its copy is whole")) << on({"doctor"}).text;
  start();
  ASSERT_TRUE(await([&] { return runs(base); })) << log();
  EXPECT_TRUE(await([&] { return count(state_ / "pretend/detections", "creance.sensor.records-damaged") == 1 && count(state_ / "pretend/events", "records_damaged  restored from their copies: ladder.bin") == 0; })) << log();
  EXPECT_EQ(count(state_ / "pretend/events", "records_damaged"), 1u) << text_of(state_ / "pretend/events");
  EXPECT_NE(status().find("\"records\":\"restored from their copies: ladder.bin"), std::string::npos) << status();
  stop();
  fresh();
  spoil(state_ / "state/ladder.bin");
  spoil(state_ / "state/ladder.bin.spare");
  start();
  ASSERT_TRUE(await([&] { return text_of(state_ / "pretend/report").starts_with("safe_mode"); })) << log();
  EXPECT_TRUE(await([&] { return count(state_ / "pretend/detections", "lost with their copies: ladder.bin") == 1 && count(state_ / "pretend/events", "records_damaged") == 1; })) << log();
  ASSERT_TRUE(await([&] { return status().find("\"careful\":true") != std::string::npos; })) << status();
  EXPECT_TRUE(fs::exists(state_ / "sets" / to_hex(base) / "set.bin")) << "nothing is swept";
  const auto doctor = on({"doctor"});
  EXPECT_EQ(doctor.code, 2);
  EXPECT_TRUE(doctor.says("lost: which content is good;")) << doctor.text;
  offer(base, "go");
  ASSERT_TRUE(await([&] { return runs(base) && event("probation_passed", base); })) << log();
  EXPECT_TRUE(await([&] { return status().find("\"careful\":false") != std::string::npos; })) << status();
  EXPECT_EQ(on({"doctor"}).code, 0) << on({"doctor"}).text;
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
