// The programs from outside: messages and exit codes.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "harness.hpp"
#include "support/places.hpp"

namespace creance::server::testing {
namespace {

namespace fs = std::filesystem;

struct Ended {
  int code = -1;
  std::string text;
};

pid_t start(const std::vector<std::string>& arguments, const fs::path& output) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  if (::freopen(output.c_str(), "w", stderr) == nullptr) ::_exit(126);
  std::vector<char*> list;
  for (const std::string& a : arguments) list.push_back(const_cast<char*>(a.c_str()));
  list.push_back(nullptr);
  ::execv(list[0], list.data());
  ::_exit(127);
}

std::string text_of(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

Ended end(pid_t child, const fs::path& output) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status), text_of(output)};
}

struct Program {
  Program() : key(std::move(*trust::KeyPair::generate_ed25519())) { EXPECT_TRUE(trust::save_public_key(files, folder.path / "author.pub", key.public_key())); }
  Ended run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), test::bin_dir().string() + "/creance-server");
    return end(start(arguments, folder.path / "log"), folder.path / "log");
  }
  Ended init(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"init", "--data", data(), "--content-key", (folder.path / "author.pub").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  std::string data() const { return (folder.path / "data").string(); }
  Folder folder;
  os::RealFileSystem files;
  trust::KeyPair key;
};

}  // namespace

TEST(Programs, InitRunAndStopOnSigterm) {
  Program p;
  const Ended made = p.init();
  ASSERT_EQ(made.code, 0) << made.text;
  EXPECT_NE(made.text.find("move them away"), std::string::npos);
  EXPECT_EQ(fs::status(p.data() + "/operator.token").permissions(), fs::perms::owner_read | fs::perms::owner_write);
  const fs::path port_file = p.folder.path / "port";
  const pid_t server = start({test::bin_dir().string() + "/creance-server", "run", "--data", p.data(), "--listen", "127.0.0.1:0", "--port-file", port_file.string()}, p.folder.path / "server.log");
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!fs::exists(port_file) && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  std::string port = text_of(port_file);
  port.erase(port.find_last_not_of('\n') + 1);
  HttpClient client("test");
  creance::HttpRequest request;
  request.url = "http://127.0.0.1:" + port + "/readyz";
  const auto ready = client.send(request);
  ASSERT_TRUE(ready) << ready.error().detail << text_of(p.folder.path / "server.log");
  EXPECT_EQ(ready->status, 200);

  const Ended second = p.run({"run", "--data", p.data(), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(second.code, 3);
  EXPECT_NE(second.text.find("another creance-server runs"), std::string::npos) << second.text;
  Program other;
  ASSERT_EQ(other.init().code, 0);
  const Ended taken = other.run({"run", "--data", other.data(), "--listen", "127.0.0.1:" + port});
  EXPECT_EQ(taken.code, 3);
  EXPECT_NE(taken.text.find("another server runs there"), std::string::npos) << taken.text;

  ASSERT_EQ(::kill(server, SIGTERM), 0);
  const Ended ended = end(server, p.folder.path / "server.log");
  EXPECT_EQ(ended.code, 0) << ended.text;
  EXPECT_FALSE(fs::exists(port_file));
  EXPECT_NE(ended.text.find("stopped"), std::string::npos);
}

TEST(Programs, SayWhatIsWrong) {
  Program p;
  EXPECT_EQ(p.run({}).code, 3);
  EXPECT_EQ(p.run({"dance"}).code, 3);
  EXPECT_EQ(p.run({"run"}).code, 3);
  const Ended missing = p.run({"run", "--data", p.data()});
  EXPECT_EQ(missing.code, 3);
  EXPECT_NE(missing.text.find("creance-server init"), std::string::npos) << missing.text;
  EXPECT_EQ(p.run({"init", "--data", p.data(), "--content-key", "/nowhere"}).code, 2);
  const Ended threshold = p.init({"--content-threshold", "2"});
  EXPECT_EQ(threshold.code, 3);
  EXPECT_NE(threshold.text.find("different --content-key"), std::string::npos) << threshold.text;
  EXPECT_EQ(p.init().code, 0);
  const Ended again = p.init();
  EXPECT_EQ(again.code, 3);
  EXPECT_NE(again.text.find("there already"), std::string::npos) << again.text;
  EXPECT_EQ(p.run({"run", "--data", p.data(), "--listen", "8420"}).code, 3);
  EXPECT_EQ(p.run({"run", "--data", p.data(), "--listen", "nowhere:1"}).code, 2);
  std::ofstream(p.data() + "/server.db") << std::string(4096, 'x');
  const Ended damaged = p.run({"run", "--data", p.data(), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(damaged.code, 2);
  EXPECT_NE(damaged.text.find("restore it from a backup"), std::string::npos) << damaged.text;
}

TEST(Programs, FailedInitLeavesNothing) {
  Program p;
  fs::create_directories(p.data());
  std::ofstream(p.data() + "/signer") << "a file where a folder must be";
  EXPECT_EQ(p.init().code, 3);
  EXPECT_FALSE(fs::exists(p.data() + "/offline-keys"));
}

TEST(Server, RefusesAClockThatWentBackByAYearOrFarAhead) {
  World world;
  ASSERT_TRUE(world.start());
  world.stop();
  world.clock.advance(-std::chrono::hours(24 * 365));
  const auto back = world.start();
  ASSERT_FALSE(back);
  EXPECT_NE(back.error().detail.find("set the clock right"), std::string::npos) << back.error().detail;
  world.clock.advance(std::chrono::hours(24 * 365 * 3));
  const auto ahead = world.start();
  ASSERT_FALSE(ahead);
  EXPECT_EQ(ahead.error().code, ErrorCode::kExpired);
}

}  // namespace creance::server::testing
