// The real Supervisor in a process of its own, over a clock and a /proc that the test moves; where it matters also its real worker, else stand-ins (doubles/).
#pragma once
#include <sys/wait.h>

#include <atomic>

#include "base/os/real_reserved_files.hpp"
#include "sensor/processes.hpp"
#include "sensor/supervise/supervisor.hpp"

namespace creance::sensor {

struct Moved {  // shared with the supervisor's process
  std::atomic<int64_t> wall_ms{0}, monotonic_ms{0}, memory_stall_us{-1};  // memory_stall_us -1: as this host says
};

class MovedClock final : public Clock {
 public:
  explicit MovedClock(const Moved& moved) : moved_(moved) {}
  WallTime wall() const override { return real_.wall() + milliseconds(moved_.wall_ms.load() + moved_.monotonic_ms.load()); }
  MonotonicTime monotonic() const override { return real_.monotonic() + MonotonicTime(moved_.monotonic_ms.load()); }

 private:
  const Moved& moved_;
  os::RealClock real_;
};

class MovedProc final : public FileSystem {
 public:
  MovedProc(FileSystem& real, const Moved& moved) : real_(real), moved_(moved) {}
  Result<Bytes> read(const fs::path& path, size_t bytes_max) override {
    const int64_t stall = moved_.memory_stall_us.load();
    if (path == "/proc/pressure/memory" && stall >= 0) {
      const std::string text = fmt::format("some avg10=0.00 avg60=0.00 avg300=0.00 total={}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n", stall);
      return Bytes(text.begin(), text.end());
    }
    return real_.read(path, bytes_max);
  }
  Status write_atomic(const fs::path& path, BytesView bytes, unsigned mode) override { return real_.write_atomic(path, bytes, mode); }
  Status write_many(std::span<const FileWrite> files) override { return real_.write_many(files); }
  Status make_directories(const fs::path& path) override { return real_.make_directories(path); }
  Status remove(const fs::path& path) override { return real_.remove(path); }
  Status remove_tree(const fs::path& path) override { return real_.remove_tree(path); }
  bool exists(const fs::path& path) override { return real_.exists(path); }
  Result<std::vector<std::string>> list(const fs::path& path) override { return real_.list(path); }

 private:
  FileSystem& real_;
  const Moved& moved_;
};

class Supervised : public Processes {
 protected:
  void SetUp() override {
    Processes::SetUp();
    moved_ = new (::mmap(nullptr, sizeof(Moved), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) Moved;
    for (const char* name : {"worker", "collect-setup"}) fs::create_symlink(kBin / "creance_sensor_pretend", state_ / "pretend" / name);
    options_.state = state_;
    options_.worker = state_ / "pretend/worker";
    options_.collect_setup = state_ / "pretend/collect-setup";
    options_.updater = options_.admit = kBin / "creance_sensor_pretend";
    options_.host = "h";
    options_.boot_id = "boot-1";
    options_.watch_every = milliseconds(300);
  }
  void TearDown() override {
    stop();
    ::munmap(moved_, sizeof(Moved));
    Processes::TearDown();
  }
  void supervise() {
    supervisor_ = ::fork();
    ASSERT_GE(supervisor_, 0);
    if (supervisor_ > 0) return;
    if (std::freopen((state_ / "log").c_str(), "a", stderr) == nullptr) ::_exit(8);
    std::setvbuf(stderr, nullptr, _IONBF, 0);
    os::RealFileSystem real;
    MovedProc files(real, *moved_);
    const MovedClock clock(*moved_);
    os::RealRandom random;
    os::RealReservedFiles reserved;
    Supervisor supervisor(options_, files, reserved, clock, random);
    if (const auto started = supervisor.start(); !started) {
      fmt::print(stderr, "{}\n", started.error().detail);
      ::_exit(9);
    }
    ::_exit(supervisor.run());
  }
  void stop() {
    if (supervisor_ <= 0) return;
    ::kill(supervisor_, SIGTERM);
    int status = 0;
    ::waitpid(supervisor_, &status, 0);
    EXPECT_EQ(status, 0) << log();
    supervisor_ = -1;
  }
  std::string told(const std::string& what) const {  // the last line about it; empty: none
    const std::string text = text_of(state_ / "pretend/detections");
    const size_t at = text.rfind("\"rule_id\":\"creance.sensor." + what + "\"");
    return at == std::string::npos ? "" : text.substr(text.rfind('\n', at) + 1, text.find('\n', at) - text.rfind('\n', at) - 1);
  }
  size_t times(const std::string& what) const { return count(state_ / "pretend/detections", "\"rule_id\":\"creance.sensor." + what + "\""); }
  bool steady() { return await([&] { return text_of(state_ / "pretend/report").starts_with("steady"); }); }
  void health(uint64_t events, uint64_t lost_events = 0, uint64_t lost_detections = 0) {
    std::ofstream(state_ / "pretend/health.new") << events << ' ' << lost_events << ' ' << lost_detections;
    fs::rename(state_ / "pretend/health.new", state_ / "pretend/health");
  }
  uint64_t status_number(const std::string& name) const {
    const std::string text = status();
    const size_t at = text.find("\"" + name + "\":");
    return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + name.size() + 3, nullptr, 10);
  }

  Moved* moved_ = nullptr;
  SupervisorOptions options_;
  pid_t supervisor_ = -1;
};

}  // namespace creance::sensor
