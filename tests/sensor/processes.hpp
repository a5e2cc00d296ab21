// A real supervisor with real workers over real compiled channels and replayed events; updater and admit are stand-ins (doubles/) that keep what they hear.
#pragma once
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "base/ipc/records.hpp"
#include "base/os/lock.hpp"
#include "base/os/process.hpp"
#include "base/os/real.hpp"
#include "compiler/build.hpp"
#include "schema/catalog.hpp"
#include "sigma/parser.hpp"
#include "support/places.hpp"
#include "support/set_files.hpp"

namespace creance::sensor {
namespace fs = std::filesystem;
using ipc::Set;

inline const fs::path kBin = test::bin_dir();

inline std::string rule(const std::string& id, const std::string& logsource, const std::string& detection, const std::string& tags = "") {
  return fmt::format("title: Rule {0}\nid: 00000000-0000-4000-8000-0000000000{0}\nstatus: test\nlevel: high\nauthor: Tester\nlogsource:\n{1}{3}detection:\n    sel:\n        {2}\n    condition: sel\n", id, logsource, detection,
                     tags.empty() ? "" : "tags:\n    - " + tags + "\n");
}
inline const std::string kPipe = "    product: windows\n    category: pipe_created\n";
inline const std::string kLinux = "    product: linux\n    category: process_creation\n";

inline std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class Processes : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    std::ranges::replace(name, '/', '-');
    state_ = fs::temp_directory_path() / fmt::format("creance-sensor-{}-{}", ::getpid(), name);
    fs::remove_all(state_);
    for (const char* folder : {"state", "sets", "waiting", "pretend"}) fs::create_directories(state_ / folder);
    fs::permissions(state_ / "pretend", fs::perms::all);  // both doubles keep what they hear there, and as root they are two users
    std::string events;
    for (int i = 0; i < 50; ++i) events += fmt::format(R"({{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":17,"PipeName":"\\{}","Image":"C:\\x.exe"}})" "\n", i % 5 == 0 ? "evil_pipe" : fmt::format("good_{}", i));
    std::ofstream(state_ / "events.jsonl") << events;
    watch_ = ipc::Descriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    for (const char* folder : {"state", "pretend"}) ASSERT_GE(::inotify_add_watch(watch_.get(), (state_ / folder).c_str(), IN_MOVED_TO | IN_MODIFY | IN_CREATE | IN_DELETE), 0);
  }
  void TearDown() override {
    sensor_ = {};
    if (!HasFailure()) fs::remove_all(state_);
  }

  // Compiles rules into a set on this host's disk, as admit would have put it there.
  Set make_set(uint8_t tag, const std::vector<std::string>& rules, const std::function<void(ipc::SetRecord&, const fs::path&)>& spoil = {}) {
    std::vector<sigma::Rule> parsed;
    for (const std::string& text : rules) {
      auto outcome = sigma::parse(text, "test.yml");
      for (const Diagnostic& d : outcome.diagnostics) EXPECT_NE(d.severity, Severity::kError) << to_line(d);
      for (auto& r : outcome.rules) parsed.push_back(std::move(r));
    }
    Diagnostics diagnostics;
    const auto built = compiler::build(parsed, schema::Catalog::embedded(), diagnostics);
    EXPECT_TRUE(built);
    const auto set = test::write_set(files_, state_ / "waiting", tag, *built, spoil);
    EXPECT_TRUE(set) << set.error().detail;
    return *set;
  }
  void put(const Set& set) {
    fs::remove_all(state_ / "sets" / to_hex(set));
    fs::copy(state_ / "waiting" / to_hex(set), state_ / "sets" / to_hex(set), fs::copy_options::recursive);
  }
  void good(std::initializer_list<Set> sets) {
    ipc::Ladder ladder;
    for (const Set& set : sets) {
      put(set);
      ladder.sets[ladder.count] = set;
      ladder.names[ladder.count++].assign(fmt::format("set-{}", set[0]));
    }
    ASSERT_TRUE(ipc::write_record(files_, state_ / "state/ladder.bin", ladder));
  }
  void start(const std::string& worker = "creance-sensor-worker", const std::string& boot = "boot-1", int probation_ms = 1500, std::vector<std::string> more = {}) {
    os::Launch launch;
    launch.program = kBin / "creance-sensor";
    const std::string pretend = (kBin / "creance_sensor_pretend").string();
    launch.arguments = {"run", "--state", state_.string(), "--events", (state_ / "events.jsonl").string(), "--loop", "--rate", "100", "--worker", (kBin / worker).string(), "--updater", pretend, "--admit", pretend,
                        "--boot-id", boot, "--probation-ms", std::to_string(probation_ms)};
    launch.arguments.insert(launch.arguments.end(), more.begin(), more.end());
    launch.log = state_ / "log";
    launch.cgroup = cgroup_.get();
    if (!fs::exists(state_ / "identity.json")) std::ofstream(state_ / "identity.json") << "{}";
    auto child = os::ChildProcess::start(launch);
    ASSERT_TRUE(child) << child.error().detail;
    sensor_ = std::move(*child);
  }
  void offer(const Set& set, const std::string& verdict) {
    std::ofstream(state_ / "pretend/offer.new") << to_hex(set) << ' ' << verdict << '\n';
    fs::rename(state_ / "pretend/offer.new", state_ / "pretend/offer");
  }

  // Until the condition holds; asked again whenever a file of the sensor changes.
  bool await(const std::function<bool()>& holds, int seconds = 20) {
    const os::RealClock clock;
    for (const MonotonicTime until = clock.monotonic() + MonotonicTime(seconds * 1000); clock.monotonic() < until;) {
      if (holds()) return true;
      pollfd waits[] = {{watch_.get(), POLLIN, 0}, {sensor_.pidfd(), POLLIN, 0}};
      ::poll(waits, sensor_ ? 2 : 1, 500);
      char buffer[8192];
      while (::read(watch_.get(), buffer, sizeof buffer) > 0) {
      }
      if (sensor_ && sensor_.exited()) return holds();
    }
    return holds();
  }
  std::string status() const { return text_of(state_ / "state/status.json"); }
  std::string log() const { return text_of(state_ / "log"); }
  bool runs(const Set& set, const std::string& sensor_state = "steady") const {
    const std::string report = text_of(state_ / "pretend/report");
    return report.starts_with(sensor_state + " " + to_hex(set));
  }
  size_t count(const fs::path& file, const std::string& what) const {
    const std::string text = text_of(file);
    size_t n = 0;
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
  }
  size_t detections(const Set& set) const { return count(state_ / "pretend/detections", "\"release_digest\":\"" + to_hex(set)); }
  bool event(const std::string& kind, const Set& set) const { return count(state_ / "pretend/events", kind + " " + to_hex(set)) > 0; }
  int worker_pid() const {
    const std::string text = status();
    const size_t at = text.find("\"worker_pid\":");
    return at == std::string::npos ? 0 : std::stoi(text.substr(at + 13));
  }
  bool marked() const {  // an attempt is under way
    os::RealFileSystem files;
    return ipc::read_record<ipc::Marker>(files, state_ / "state/marker.bin").has_value();
  }

  fs::path state_;
  os::RealFileSystem files_;
  ipc::Descriptor watch_;
  ipc::Descriptor cgroup_;  // cgroup.procs of the control group that start() puts the sensor in; none: this process's
  os::ChildProcess sensor_;
};

}  // namespace creance::sensor
