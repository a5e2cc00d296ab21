// The parts of bench/sensor_bench.py that must be fast or must speak the sensor's own formats. Never part of the sensor.
//   set STATE FOLDER...      compiles the rules of the folders, and those that the loads below ask for, into two good sets of a sensor's state folder; prints one line of JSON
//   load KIND ...            exec, connect, mknod: so many a second, whatever each takes; prints one line of JSON
//   run --state STATE ...    as the sensor's updater: notes when each marked detection came, and what the supervisor reports
//   swaps FOLDER... --events FILE...   what a swap does to events, in this process (sensor_swap.hpp)
//   wake SECONDS RATE        what it takes this machine, in the same moments, to let an ordinary process run that waits in epoll for a timer; prints one line of JSON
//   floor                    a BPF program that only says that there was an event, and its reader
//   bpf                      processor time and runs of all loaded BPF programs by name, as JSON; until standard input ends they are counted
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "base/ipc/records.hpp"
#include "base/ipc/socket.hpp"
#include "base/os/real.hpp"
#include "compiler/build.hpp"
#include "creance_bench_floor_object.hpp"  // generated: kBpfObject
#include "sensor_swap.hpp"
#include "sigma/parser.hpp"
#include "streams.hpp"
#include "support/set_files.hpp"

extern char** environ;

namespace creance::bench {
namespace {
namespace fs = std::filesystem;

int64_t nanoseconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}
int complain(const std::string& what) {
  fmt::print(stderr, "creance_sensor_bench: {}\n", what);
  return 2;
}

// --- set

constexpr std::string_view kMark = "qzvx-mark-", kExact = "qzvx-exact-";  // share no part with what other events say

// Marked events come to the reader of detections, sixteen rules for each kind so that no rule has too many hits; exact ones are counted by their matches, with 256.
std::string own_rules() {
  std::string text;
  int id = 0;
  const auto add = [&](std::string_view category, std::string_view field, const std::string& literal) {
    text += fmt::format("---\ntitle: Bench {0}\nid: 00000000-0000-4000-9000-{0:012}\nstatus: test\nlevel: low\nauthor: Bench\nlogsource:\n    product: linux\n    category: {1}\ndetection:\n    sel:\n        {2}|contains: '{3}'\n    condition: sel\n", id++, category, field, literal);
  };
  for (const auto& [category, field] : {std::pair{"process_creation", "CommandLine"}, {"fifo_created", "Path"}, {"unix_socket", "SocketName"}}) {
    for (int i = 0; i < 16; ++i) add(category, field, fmt::format("{}{:x}-", kMark, i));
    for (int i = 0; i < 256; ++i) add(category, field, fmt::format("{}{:02x}-", kExact, i));
  }
  return text.substr(4);
}

int make_sets(const fs::path& state, const std::vector<std::string>& folders) {
  std::vector<sigma::Rule> rules;
  for (sigma::Rule& rule : read_rules(folders))
    if (rule.logsource.product == "linux") rules.push_back(std::move(rule));
  const size_t given = rules.size();
  auto own = sigma::parse(own_rules(), "bench.yml");
  for (sigma::Rule& rule : own.rules) rules.push_back(std::move(rule));
  Diagnostics diagnostics;
  const auto built = compiler::build(rules, schema::Catalog::embedded(), diagnostics);
  if (!built) return complain(built.error().detail);
  for (const char* folder : {"state", "sets", "pretend"}) fs::create_directories(state / folder);
  fs::permissions(state / "pretend", fs::perms::all);  // as root, both stand-ins are users of their own
  os::RealFileSystem files;
  ipc::Ladder ladder;
  std::string sets, channels;
  for (uint8_t tag = 1; tag <= 2; ++tag) {  // the same channels twice: what a swap costs, without a difference in what is evaluated
    const auto set = test::write_set(files, state / (tag == 1 ? "sets" : "waiting"), tag, *built);  // the second where admit's stand-in takes it from
    if (!set) return complain(set.error().detail);
    sets += fmt::format("{}\"{}\"", tag > 1 ? "," : "", to_hex(*set));
    if (tag > 1) continue;
    for (const auto& channel : built->channels) channels += fmt::format("{}\"{}\":{}", channels.empty() ? "" : ",", channel.type->id, channel.bytes.size());
    ladder.sets[ladder.count] = *set;
    ladder.names[ladder.count++] = ipc::Text<72>("bench");
  }
  if (const auto written = ipc::write_record(files, state / "state/ladder.bin", ladder); !written) return complain(written.error().detail);
  std::ofstream(state / "identity.json") << "{}";
  fmt::print("{{\"sets\":[{}],\"rules\":{},\"channels\":{{{}}}}}\n", sets, given, channels);
  return 0;
}

// --- load

struct Load {
  std::string kind, program = "/bin/true", folder = "/tmp";
  uint32_t rate = 1'000;
  double seconds = 1;
  uint32_t marked_each = 0;  // 0: none
  uint64_t first = 0;        // number of the first mark
  bool exact = false;
};

class Generator {
 public:
  explicit Generator(const Load& load) : load_(load) {}
  Status open();
  void close();
  bool one(uint64_t n);
  void reap(bool all) {
    while (children_ > 0 && ::waitpid(-1, nullptr, all ? 0 : WNOHANG) > 0) --children_;
  }
  uint64_t further = 0;  // events of the preparation that match, too

 private:
  static sockaddr_un abstract(const std::string& name, socklen_t& bytes) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    return address;
  }
  bool is_marked(uint64_t n) const { return !load_.exact && load_.marked_each != 0 && n % load_.marked_each == 0; }
  std::string mark(uint64_t n) const {  // without its time
    const uint64_t number = load_.first + n / load_.marked_each;
    return fmt::format("{}{:x}-{}-", kMark, number % 16, number);
  }
  std::string name_of(uint64_t n) const {
    if (load_.exact) return fmt::format("{}{:02x}-", kExact, n % 256);
    if (!is_marked(n)) return fmt::format("creance-bench-{}", n % 1'000);
    return fmt::format("{}{}.", mark(n), nanoseconds(CLOCK_MONOTONIC));
  }
  bool spawn(uint64_t n) {
    const bool marked = is_marked(n);  // it puts the time in itself
    const std::string name = marked ? "stamp:" + mark(n).substr(kMark.find("mark")) : name_of(n);  // not yet what the rules look for
    char* arguments[] = {const_cast<char*>("nothing"), const_cast<char*>(name.c_str()), marked ? load_.program.data() : nullptr, nullptr};
    pid_t pid = 0;
    if (marked) ++further;
    if (::posix_spawn(&pid, load_.program.c_str(), nullptr, nullptr, arguments, environ) != 0) return false;
    ++children_;
    reap(false);
    return true;
  }
  bool make_fifo(const std::string& name) {
    const std::string path = load_.folder + "/" + name;
    const bool made = ::mkfifo(path.c_str(), 0600) == 0;
    ::unlink(path.c_str());
    return made;
  }
  bool connect_to(uint64_t n) {
    if (is_marked(n)) {  // a fresh name needs an owner: this one is a bind
      const ipc::Descriptor fresh(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      socklen_t bytes = 0;
      const sockaddr_un address = abstract(name_of(n), bytes);
      return ::bind(fresh.get(), reinterpret_cast<const sockaddr*>(&address), bytes) == 0;
    }
    socklen_t bytes = 0;
    const sockaddr_un address = abstract(load_.exact ? name_of(n) : listening_, bytes);
    if (load_.exact) return ::connect(client_.get(), reinterpret_cast<const sockaddr*>(&address), bytes) == 0;
    const ipc::Descriptor client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    return ::connect(client.get(), reinterpret_cast<const sockaddr*>(&address), bytes) == 0;
  }

  Load load_;
  size_t children_ = 0;
  std::string listening_;
  ipc::Descriptor listener_, client_;
  std::vector<ipc::Descriptor> owners_;
  std::thread server_;
};

Status Generator::open() {
  if (load_.kind != "connect") return {};
  if (load_.exact) {  // datagram sockets: a connect alone, to 256 names
    for (uint64_t i = 0; i < 256; ++i) {
      owners_.emplace_back(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      socklen_t bytes = 0;
      const sockaddr_un address = abstract(name_of(i), bytes);
      if (::bind(owners_.back().get(), reinterpret_cast<const sockaddr*>(&address), bytes) != 0) return fail(os::errno_error(errno, "cannot bind", name_of(i)));
      ++further;
    }
    client_ = ipc::Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    return {};
  }
  listening_ = fmt::format("creance-bench-{}", ::getpid());
  listener_ = ipc::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  socklen_t bytes = 0;
  const sockaddr_un address = abstract(listening_, bytes);
  if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), bytes) != 0 || ::listen(listener_.get(), 4096) != 0) return fail(os::errno_error(errno, "cannot listen on", listening_));
  server_ = std::thread([fd = listener_.get()] {
    for (int client; (client = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) ::close(client);
  });
  return {};
}

void Generator::close() {
  reap(true);
  if (!server_.joinable()) return;
  ::shutdown(listener_.get(), SHUT_RDWR);
  server_.join();
}

bool Generator::one(uint64_t n) {
  if (load_.kind == "exec") return spawn(n);
  if (load_.kind == "mknod") return make_fifo(name_of(n));
  return connect_to(n);
}

double seconds_of(const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; }

// Open loop, a bunch each millisecond: what is late is made up for, so that the rate is kept whatever one takes. It sleeps between: a loop that spins would hide what watching costs.
int run_load(const Load& load) {
  Generator generator(load);
  if (const auto opened = generator.open(); !opened) return complain(opened.error().detail);
  const auto total = static_cast<uint64_t>(load.rate * load.seconds);
  uint64_t done = 0, failed = 0;
  int64_t latest = 0;
  const int64_t began = nanoseconds(CLOCK_MONOTONIC);
  for (uint64_t n = 0; n < total;) {
    const int64_t since = nanoseconds(CLOCK_MONOTONIC) - began;
    const uint64_t due = std::min(total, static_cast<uint64_t>(static_cast<double>(since) * load.rate / 1e9));
    for (; n < due; ++n) ++(generator.one(n) ? done : failed);
    const int64_t now = nanoseconds(CLOCK_MONOTONIC) - began;
    latest = std::max(latest, now - since);
    const int64_t next = (since / 1'000'000 + 1) * 1'000'000;
    if (n < total && next > now) {
      const timespec pause{0, next - now};
      ::nanosleep(&pause, nullptr);
    }
  }
  generator.close();
  const double elapsed = static_cast<double>(nanoseconds(CLOCK_MONOTONIC) - began) / 1e9;
  rusage self{}, children{};
  ::getrusage(RUSAGE_SELF, &self);
  ::getrusage(RUSAGE_CHILDREN, &children);
  fmt::print("{{\"done\":{},\"failed\":{},\"elapsed\":{:.6f},\"cpu\":{:.6f},\"late\":{:.6f},\"marks\":{}}}\n", done + generator.further, failed, elapsed,
             seconds_of(self.ru_utime) + seconds_of(self.ru_stime) + seconds_of(children.ru_utime) + seconds_of(children.ru_stime), static_cast<double>(latest) / 1e9,
             load.marked_each == 0 ? 0 : (total + load.marked_each - 1) / load.marked_each);
  return failed == 0 ? 0 : complain(fmt::format("{} of {} events failed", failed, total));
}

// --- run: the reader of detections

// One line a mark: its number, when it was made, when its detection came (nanoseconds of the monotonic clock).
int read_detections(const fs::path& state) {
  ipc::Socket supervisor{ipc::Descriptor(3), ipc::Process::kSupervisor};
  std::FILE* arrivals = std::fopen((state / "pretend/arrivals").c_str(), "a");
  if (arrivals == nullptr) return complain("cannot write arrivals");
  (void)supervisor.send(ipc::UpdaterReady{200}, ipc::Process::kUpdater).has_value();
  std::vector<char> line(65'536);
  for (;;) {
    pollfd waits[] = {{3, POLLIN, 0}, {4, POLLIN, 0}};
    if (::poll(waits, 2, 50) == 0) std::fflush(arrivals);
    for (ssize_t n; (n = ::recv(4, line.data(), line.size(), MSG_DONTWAIT)) > 0;) {
      const int64_t came = nanoseconds(CLOCK_MONOTONIC);
      const std::string_view text(line.data(), static_cast<size_t>(n));
      const size_t at = text.find(kMark);
      if (at == std::string_view::npos) continue;
      uint64_t number = 0;
      int64_t made = 0;
      const char* const end = text.data() + text.size();
      const auto first = std::from_chars(text.data() + at + kMark.size() + 2, end, number);
      if (first.ec == std::errc() && first.ptr != end) std::from_chars(first.ptr + 1, end, made);
      fmt::print(arrivals, "{} {} {}\n", number, made, came);
    }
    for (;;) {
      const auto frame = supervisor.receive();
      if (!frame && frame.error().code == ErrorCode::kUnavailable) break;
      if (!frame) return std::fclose(arrivals);
      if (!frame->is<ipc::Report>()) continue;
      std::fflush(arrivals);
      const auto report = frame->as<ipc::Report>();
      std::ofstream(state / "pretend/report.new") << to_string(report.state) << ' ' << to_hex(report.running) << ' ' << report.events << ' ' << report.matches << ' ' << report.lost_events << ' ' << report.lost_detections;
      fs::rename(state / "pretend/report.new", state / "pretend/report");
      std::ifstream offer(state / "pretend/offer");
      std::string wanted;
      offer >> wanted;
      if (!wanted.empty()) (void)supervisor.send(ipc::SpoolChanged{}, ipc::Process::kUpdater).has_value();  // admit's stand-in reads the offer, and later grants it
    }
  }
}

// --- wake

// A process that waits in epoll and does nothing else, woken by a timer: from an interrupt, as the worker is woken by the ring buffer.
int measure_wakes(double seconds, uint32_t rate) {
  const ipc::Descriptor timer(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)), waits(::epoll_create1(EPOLL_CLOEXEC));
  const int64_t each = 1'000'000'000 / rate, first = nanoseconds(CLOCK_MONOTONIC) + each;
  const auto spec = [](int64_t time) { return timespec{static_cast<time_t>(time / 1'000'000'000), static_cast<long>(time % 1'000'000'000)}; };
  const itimerspec times{spec(each), spec(first)};
  epoll_event event{.events = EPOLLIN, .data = {}};
  if (!timer || ::timerfd_settime(timer.get(), TFD_TIMER_ABSTIME, &times, nullptr) != 0 || ::epoll_ctl(waits.get(), EPOLL_CTL_ADD, timer.get(), &event) != 0) return complain("no timer");
  std::vector<int64_t> all;
  const auto total = static_cast<size_t>(seconds * rate);
  for (uint64_t due = 0; due < total;) {
    uint64_t times_due = 0;
    if (::epoll_wait(waits.get(), &event, 1, -1) < 0 || ::read(timer.get(), &times_due, sizeof times_due) != sizeof times_due) return complain("the timer is gone");
    const int64_t now = nanoseconds(CLOCK_MONOTONIC);
    for (; times_due > 0; --times_due) all.push_back(now - (first + static_cast<int64_t>(due++) * each));
  }
  std::ranges::sort(all);
  const auto at = [&](double share) { return all.empty() ? 0.0 : static_cast<double>(all[std::min(all.size() - 1, static_cast<size_t>(static_cast<double>(all.size()) * share))]) / 1e6; };
  fmt::print("{{\"count\":{},\"p50\":{:.4f},\"p99\":{:.4f},\"p999\":{:.4f}}}\n", all.size(), at(0.5), at(0.99), at(0.999));
  return 0;
}

// --- floor

int watch_floor() {
  if constexpr (sensor::kBpfObject.empty()) return complain("built without clang or libbpf");
  bpf_object* object = bpf_object__open_mem(sensor::kBpfObject.data(), sensor::kBpfObject.size(), nullptr);
  if (object == nullptr || bpf_object__load(object) != 0) return complain("the kernel refuses the programs");
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) if (bpf_program__attach(program) == nullptr) return complain("cannot attach");
  static uint64_t seen = 0;
  const auto count = [](void*, void*, size_t) {
    ++seen;
    return 0;
  };
  ring_buffer* ring = ring_buffer__new(bpf_map__fd(bpf_object__find_map_by_name(object, "events")), count, nullptr, nullptr);
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGTERM);
  ::sigprocmask(SIG_BLOCK, &ends, nullptr);
  const ipc::Descriptor signals(::signalfd(-1, &ends, SFD_CLOEXEC));
  fmt::print("ready\n");
  std::fflush(stdout);
  for (;;) {
    pollfd waits[] = {{signals.get(), POLLIN, 0}, {ring_buffer__epoll_fd(ring), POLLIN, 0}};
    ::poll(waits, 2, -1);
    ring_buffer__consume(ring);
    if (waits[0].revents != 0) break;
  }
  fmt::print("{}\n", seen);
  return 0;
}

// --- bpf

int print_bpf() {
  const int on = bpf_enable_stats(BPF_STATS_RUN_TIME);
  if (on < 0) return complain("cannot switch BPF statistics on");
  fmt::print("ready\n");
  std::fflush(stdout);
  char byte = 0;
  while (::read(0, &byte, 1) > 0) {
  }
  std::string text;
  for (uint32_t id = 0; bpf_prog_get_next_id(id, &id) == 0;) {
    const int fd = bpf_prog_get_fd_by_id(id);
    bpf_prog_info info{};
    uint32_t bytes = sizeof info;
    if (fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &bytes) == 0 && info.run_cnt > 0)
      text += fmt::format("{}\"{}\":{{\"runs\":{},\"ns\":{},\"missed\":{}}}", text.empty() ? "" : ",", info.name, info.run_cnt, info.run_time_ns, info.recursion_misses);
    if (fd >= 0) ::close(fd);
  }
  fmt::print("{{{}}}\n", text);
  return 0;
}

template <class T>
bool number(const std::string& text, T& out) {
  return std::from_chars(text.data(), text.data() + text.size(), out).ec == std::errc();
}

int usage() {
  fmt::print(stderr, "creance_sensor_bench is called by bench/sensor_bench.py\n");
  return 3;
}

int run(const std::vector<std::string>& given) {
  if (given.empty()) return usage();
  if (given[0] == "floor") return watch_floor();
  if (given[0] == "bpf") return print_bpf();
  if (given[0] == "wake" && given.size() == 3) {
    double seconds = 0;
    uint32_t rate = 0;
    return number(given[1], seconds) && number(given[2], rate) && rate > 0 ? measure_wakes(seconds, rate) : usage();
  }
  if (given[0] == "set" && given.size() >= 2) return make_sets(given[1], {given.begin() + 2, given.end()});
  if (given[0] == "run" && given.size() >= 3 && given[1] == "--state") return read_detections(given[2]);
  if (given[0] == "swaps") {
    const auto events = std::ranges::find(given, "--events");
    if (events == given.end()) return usage();
    return measure_swaps({given.begin() + 1, events}, {events + 1, given.end()}, 100);
  }
  if (given[0] != "load" || given.size() < 2) return usage();
  Load load;
  load.kind = given[1];
  for (size_t i = 2; i < given.size(); ++i) {
    if (given[i] == "--exact") {
      load.exact = true;
      continue;
    }
    if (i + 1 == given.size()) return usage();
    const std::string& option = given[i];
    const std::string& value = given[++i];
    bool right = true;
    if (option == "--rate") right = number(value, load.rate);
    else if (option == "--seconds") right = number(value, load.seconds);
    else if (option == "--marked-each") right = number(value, load.marked_each);
    else if (option == "--first") right = number(value, load.first);
    else if (option == "--program") load.program = value;
    else if (option == "--folder") load.folder = value;
    else return usage();
    if (!right) return usage();
  }
  return run_load(load);
}

}  // namespace
}  // namespace creance::bench

int main(int argc, char** argv) { return creance::bench::run({argv + 1, argv + argc}); }
