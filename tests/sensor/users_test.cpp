// Each process of the sensor as a user of its own: what that alone keeps from them, tried from inside (doubles/intruder_main.cpp); and how a folder comes to its owners.
#include <sys/stat.h>

#include <cerrno>
#include <map>
#include <set>

#include "base/os/given_files.hpp"
#include "base/os/privileges.hpp"
#include "sensor/processes.hpp"
#include "sensor/supervise/launcher.hpp"

namespace creance::sensor {
namespace {

using testing::TempDir;

std::string line_of(int pid, const std::string& name) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(name + ":")) return line.substr(name.size() + 1);
  return "?";
}

class Users : public Processes {
 protected:
  void SetUp() override {
    Processes::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "not root: all processes are one user";
    const ProcessUsers users = *process_users("");
    if (!os::can_become({users.of[0], users.of[1], users.of[2], users.of[3]})) GTEST_SKIP() << "other users cannot be had here";
    for (const char* file : {"sensor.key", "tenant.key", "identity.json"}) std::ofstream(state_ / file) << "{}";
    good({make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")})});
  }
  // What an intruder in this role could do, but for its first line (its uid) and the last.
  std::string findings(const std::string& role, uint32_t& uid) {
    std::string text;
    EXPECT_TRUE(await([&] { return (text = text_of(state_ / "pretend" / ("intruder-" + role))).ends_with("end\n"); })) << role << "\n" << log();
    if (!text.starts_with("uid ")) return text;
    uid = static_cast<uint32_t>(std::stoul(text.substr(4)));
    const size_t first = text.find('\n') + 1;
    return text.substr(first, text.size() - first - 4);
  }
};

TEST_F(Users, KeepThemFromEachOtherAndFromAllThatIsNotTheirs) {
  const std::string intruder = (kBin / "creance_sensor_intruder").string();
  start("creance_sensor_intruder", "boot-1", 1500, {"--updater", intruder, "--admit", intruder});
  const std::map<std::string, std::string> own = {
      {"worker", "list sets\n"},
      {"updater", "write in spool\nwrite in outbox\nlist spool\nlist outbox\n"},
      {"admit", "write in trusted\nwrite in sets\nlist spool\nlist trusted\nlist sets\n"},
  };
  std::set<uint32_t> uids;
  for (const auto& [role, may] : own) {
    uint32_t uid = 0;
    EXPECT_EQ(findings(role, uid), may) << role;
    uids.insert(uid);
  }
  EXPECT_EQ(uids.size(), 3u) << "each its own";
  EXPECT_FALSE(uids.contains(0));
}

TEST_F(Users, OfTheShippedWorkerAndTheSupervisorHaveOnlyWhatTheyNeed) {
  start();
  ASSERT_TRUE(await([&] { return runs(make_set(1, {rule("01", kPipe, "PipeName|endswith: evil_pipe")})) && worker_pid() > 0; })) << log();
  const int worker = worker_pid();
  for (const char* set : {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"}) EXPECT_EQ(line_of(worker, set), "\t0000000000000000") << set;
  EXPECT_EQ(line_of(worker, "Groups").find_first_not_of("\t "), std::string::npos);
  EXPECT_EQ(line_of(worker, "NoNewPrivs"), "\t1");
  EXPECT_EQ(line_of(worker, "Seccomp"), "\t2");
  EXPECT_EQ(line_of(worker, "Uid").find("\t0\t"), std::string::npos);
  // Of 41 capabilities five: become others, end them, clear their files away.
  const std::string kept = fmt::format("\t{:016x}", os::capabilities({/*DAC_OVERRIDE*/ 1, /*KILL*/ 5, /*SETGID*/ 6, /*SETUID*/ 7, /*SETPCAP*/ 8}));
  for (const char* set : {"CapPrm", "CapEff", "CapBnd"}) EXPECT_EQ(line_of(sensor_.pid(), set), kept) << set;
  EXPECT_EQ(line_of(sensor_.pid(), "NoNewPrivs"), "\t1");
  EXPECT_NE(status().find("\"users\":\"separate users "), std::string::npos) << status();
  // And with its parent it ends, though it is another's.
  sensor_.signal(SIGKILL);
  sensor_.wait();
  EXPECT_TRUE(await([&] { return ::kill(worker, 0) != 0; })) << "the worker outlives its supervisor";
}

TEST_F(Users, OfAnOlderFolderAreMadeItsOwnersWithoutFollowingLinks) {
  for (const char* folder : {"spool/metadata", "outbox", "trusted/metadata", "sets/x", "elsewhere"}) fs::create_directories(state_ / folder);
  for (const char* file : {"spool/metadata/root.json", "outbox/1.jsonl", "trusted/plan.bin", "sets/x/set.bin", "elsewhere/secret"}) {
    std::ofstream(state_ / file) << "x";
    fs::permissions(state_ / file, fs::perms::owner_read | fs::perms::owner_write);
  }
  fs::create_symlink(state_ / "elsewhere", state_ / "spool/link");
  fs::create_symlink(state_ / "elsewhere/secret", state_ / "spool/link-to-file");
  fs::create_hard_link(state_ / "elsewhere/secret", state_ / "spool/second-name");
  fs::permissions(state_, fs::perms::owner_all);
  const ProcessUsers users = *process_users("");
  ASSERT_TRUE(give_state(state_, users));
  const auto owner = [&](const char* file) {
    struct stat info {};
    EXPECT_EQ(::lstat((state_ / file).c_str(), &info), 0) << file;
    return fmt::format("{}:{} {:o}", info.st_uid, info.st_gid, info.st_mode & 07777);
  };
  EXPECT_EQ(owner("spool"), "65520:65521 2750");
  EXPECT_EQ(owner("spool/metadata"), "65520:65521 2750");
  EXPECT_EQ(owner("spool/metadata/root.json"), "65520:65521 640");
  EXPECT_EQ(owner("outbox"), "65520:65520 700");
  EXPECT_EQ(owner("outbox/1.jsonl"), "65520:65520 600");
  EXPECT_EQ(owner("trusted/plan.bin"), "65521:65521 600");
  EXPECT_EQ(owner("sets"), "65521:65522 2750");
  EXPECT_EQ(owner("sets/x/set.bin"), "65521:65522 440");
  EXPECT_EQ(owner("elsewhere"), "0:0 755");
  EXPECT_EQ(owner("elsewhere/secret"), "0:0 600") << "neither through a link nor by a second name";
  EXPECT_EQ(owner("sensor.key"), "0:0 600");
  EXPECT_EQ(owner("identity.json"), "0:0 600");
  EXPECT_EQ(owner(""), "0:0 711") << "the sensor's users may go through, and see no names";
  ASSERT_TRUE(give_state(state_, users)) << "and again";

  fs::remove_all(state_ / "trusted");
  fs::create_symlink("/etc", state_ / "trusted");
  const auto refused = give_state(state_, users);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().detail.find("is a link or no folder"), std::string::npos) << refused.error().detail;
  struct stat info {};
  ASSERT_EQ(::stat("/etc", &info), 0);
  EXPECT_EQ(info.st_uid, 0u);
}

// What the process that spoke with the server wrote is taken over by whoever enrols; never what it points to.
TEST_F(Processes, AnEnrolmentIsTakenOverForItsOwnerAloneAndNeverThroughLinks) {
  fs::remove(state_ / "identity.json");
  const auto enrol = [&](const std::string& token) {
    auto child = os::ChildProcess::start({kBin / "creance-sensor", {"enrol", "--state", state_.string(), "--server", "http://127.0.0.1:1", "--token", token, "--updater", (kBin / "creance_sensor_liar").string()}, {}, state_ / "command-log", {}});
    return child ? child->wait().code : -1;
  };
  const bool apart = ::geteuid() == 0 && os::can_become({process_users("")->of[0]}).has_value();
  std::ofstream(state_ / "pretend/foreign") << "of whoever runs this test, in a folder that all may write to";
  for (const char* token : apart ? std::vector{"link", "name", "foreign"} : std::vector{"link", "name"}) {
    EXPECT_EQ(enrol(token), token == std::string_view("link") ? 2 : 3) << token << ": " << text_of(state_ / "command-log");
    EXPECT_FALSE(fs::exists(fs::symlink_status(state_ / "identity.json"))) << "the folder is not enrolled";
  }
  ASSERT_EQ(enrol("right"), 0) << text_of(state_ / "command-log");
  EXPECT_EQ(text_of(state_ / "identity.json"), "identity");
  EXPECT_EQ(text_of(state_ / "root.json"), "root");
  for (const char* name : {"identity.json", "sensor.key"}) {
    struct stat info {};
    ASSERT_EQ(::stat((state_ / name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_uid, ::geteuid()) << name;
    EXPECT_EQ(info.st_mode & 07777, 0600u) << name;
  }
  EXPECT_EQ(text_of(state_ / "sensor.key"), fmt::format("key of {}", apart ? 65520u : ::geteuid())) << "by a user of its own, where there are any";
  EXPECT_FALSE(fs::exists(state_ / "enrolment"));
  EXPECT_EQ(enrol("right"), 3);
  EXPECT_NE(text_of(state_ / "command-log").find("is enrolled already"), std::string::npos);
}

TEST(ProcessUsers, AreTakenFromPasswdByNameElseByNumber) {
  const auto users = process_users("root:x:0:0:root:/root:/bin/bash\n\nbroken\ncreance-worker:x:987:986::/nonexistent:/usr/sbin/nologin\ncreance-updater:x:990:990:");
  ASSERT_TRUE(users);
  const auto of = [&](Role role) { return users->of[static_cast<size_t>(role)]; };
  EXPECT_EQ(of(Role::kWorker), (os::User{987, 986}));
  EXPECT_EQ(of(Role::kUpdater), (os::User{990, 990}));
  EXPECT_EQ(of(Role::kAdmit), (os::User{65521, 65521}));
  EXPECT_EQ(of(Role::kRehearsal), (os::User{65523, 986})) << "of the group that reads content";
  EXPECT_EQ(users->names[static_cast<size_t>(Role::kWorker)], "creance-worker");
  const auto error = [](std::string_view passwd) {
    const auto refused = process_users(passwd);
    return refused ? std::string() : refused.error().detail;
  };
  EXPECT_EQ(error("creance-admit:x:0:0::/:\n"), "`creance-admit` in /etc/passwd is root; it must be a user of its own");
  EXPECT_EQ(error("creance-admit:x:5:5::/:\ncreance-updater:x:5:5::/:\n"), "`creance-updater` and `creance-admit` are one user (uid 5); each must have one of its own");
  EXPECT_EQ(error("mallory:x:65522:100::/:\n"), "the number 65522 belongs to `mallory` here: make a system user `creance-worker`");
}

TEST(GivenFiles, AreReadWithoutAnyRightToThem) {
  const fs::path folder = fs::path(TempDir()) / fmt::format("creance-given-{}", ::getpid());
  fs::create_directories(folder);
  std::ofstream(folder / "secret") << "the secret";
  os::RealFileSystem disk;
  os::GivenFiles files(disk);
  const int fd = ::open((folder / "secret").c_str(), O_RDONLY);
  ASSERT_GE(fd, 3);
  ASSERT_TRUE(files.take(fmt::format("{}:./secret", fd)));
  for (const char* wrong : {"", "x:./a", "12", "12:", "-1:./a", "1:./a", "12.5:./a"}) EXPECT_FALSE(files.take(wrong)) << wrong;
  for (int i = 0; i < 2; ++i) {
    const auto bytes = files.read("./secret", 100);
    ASSERT_TRUE(bytes) << bytes.error().detail;
    EXPECT_EQ(as_text(*bytes), "the secret");
  }
  EXPECT_EQ(files.read("./secret", 9).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(files.read("./secret", 10));
  EXPECT_TRUE(files.exists("./secret"));
  EXPECT_EQ(as_text(*files.read(folder / "secret", 100)), "the secret") << "all others come from the disk";
  files.close("./secret");
  EXPECT_FALSE(files.exists("./secret"));
  EXPECT_LT(::fcntl(fd, F_GETFD), 0);
  fs::remove_all(folder);
}

}  // namespace
}  // namespace creance::sensor
