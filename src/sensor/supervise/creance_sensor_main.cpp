// creance-sensor: enrol, run, status, why, doctor, and the orders of the host's owner. Exit codes: 0 ok, 1 what status or why shows is old (nothing runs there, or nothing is written any more) or an order waits, 2 something cannot be read or reached,
// 3 usage or configuration, 4 an order found nothing to do, 5 the sensor does not carry it out now.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string>
#include <vector>

#include "base/os/privileges.hpp"
#include "base/os/real.hpp"
#include "base/os/real_reserved_files.hpp"
#include "base/rfc3339.hpp"
#include "sensor/supervise/command_line.hpp"
#include "sensor/supervise/doctor.hpp"
#include "sensor/supervise/launcher.hpp"
#include "sensor/supervise/enrolment.hpp"
#include "sensor/supervise/running.hpp"
#include "sensor/supervise/span_text.hpp"
#include "sensor/supervise/supervisor.hpp"

namespace creance::sensor {
namespace {

constexpr const char* kDefaultPolicy = "/etc/creance/policy.yml";

int usage(const std::string& what) {
  fmt::print(stderr, "creance-sensor: {}; see creance-sensor --help\n", what);
  return 3;
}
int complain(const Error& error) {
  fmt::print(stderr, "creance-sensor: {}\n", error.detail);
  return error.code == ErrorCode::kInvalid ? 3 : 2;
}
std::filesystem::path beside(const char* program) { return os::own_program().parent_path() / program; }

std::string host_name(FileSystem& files, const std::filesystem::path& state) {
  std::string name;
  if (auto kept = files.read(state / "hostname", 256)) name = std::string(as_text(*kept));
  if (name.empty()) {
    char buffer[256] = {};
    if (::gethostname(buffer, sizeof buffer - 1) == 0) name = buffer;
  }
  return std::string(ipc::Text<256>(name.empty() ? "localhost" : name).view());
}

// The worker of this build says what it supplies; the updater sends it.
Status write_manifest(const CommandLine& given, const std::filesystem::path& worker) {
  const std::filesystem::path path = std::filesystem::path(given.state) / "manifest.json";
  const ipc::Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return fail(os::errno_error(errno, "cannot create", path));
  TRY(auto child, os::ChildProcess::start({worker, {"--print-manifest", given.live && given.events.empty() ? "live" : "replay"}, {{file.get(), 3}}, {}, {}}));
  if (const auto ended = child.wait(); !ended.clean()) return fail(ErrorCode::kIo, fmt::format("`{}` cannot say what it supplies: {}", worker.string(), ended.text()));
  return {};
}

int enrol_folder(const CommandLine& given, FileSystem& files) {
  if (const auto made = files.make_directories(given.state); !made) return complain(made.error());
  const std::string host = given.hostname.empty() ? host_name(files, given.state) : given.hostname;
  if (const auto kept = files.write_atomic(std::filesystem::path(given.state) / "hostname", as_bytes(host), 0644); !kept) return complain(kept.error());
  if (const auto written = write_manifest(given, given.worker.empty() ? beside("creance-sensor-worker") : std::filesystem::path(given.worker)); !written) return complain(written.error());
  const auto done = sensor::enrol({given.state, given.updater.empty() ? beside("creance-sensor-updater") : std::filesystem::path(given.updater), given.server, given.token, host, given.root}, files);
  return done ? *done : complain(done.error());
}

int run(const CommandLine& given, FileSystem& files) {
  if (!given.live && given.events.empty()) return usage("run needs --live, --events FILE, or both (replays FILE where this host cannot be watched)");
  const std::filesystem::path state = given.state;
  if (!given.offline && !files.exists(state / "identity.json")) return usage(fmt::format("`{}` is not enrolled (creance-sensor enrol), and --offline was not given", given.state));
  SupervisorOptions options;
  options.state = state;
  options.worker = given.worker.empty() ? beside("creance-sensor-worker") : std::filesystem::path(given.worker);
  options.updater = given.updater.empty() ? beside("creance-sensor-updater") : std::filesystem::path(given.updater);
  options.admit = given.admit.empty() ? beside("creance-sensor-admit") : std::filesystem::path(given.admit);
  options.collect_setup = beside("creance-sensor-collect-setup");
  options.input = given.live ? Input::kLive : Input::kReplay;
  options.events = given.events;
  options.loop = given.loop;
  options.rate = given.rate;
  options.host = host_name(files, state);
  options.boot_id = given.boot_id.empty() ? os::boot_id() : given.boot_id;
  options.offline = given.offline;
  options.rule_steps = given.rule_steps;
  options.policy = given.policy.empty() ? kDefaultPolicy : given.policy;
  options.policy_named = !given.policy.empty();
  if (options.policy_named && !files.exists(options.policy)) return usage(fmt::format("`{}` (--policy) is not there; write it, or leave --policy out: then {} counts, if it is there", given.policy, kDefaultPolicy));
  options.without_ebpf = given.without_ebpf;
  options.activation.probation = milliseconds(given.probation_ms);
  constexpr uint64_t kMiB = 1u << 20;
  if (given.memory_mib == 0 || given.memory_mib > limits::kProcessMemoryBytesMax / kMiB) return usage(fmt::format("--memory-mib must be 1 to {}", limits::kProcessMemoryBytesMax / kMiB));
  options.memory_bytes_max = given.memory_mib * kMiB;
  options.stall = {milliseconds(given.stall_busy_ms), milliseconds(given.stall_silent_ms)};
  if (!given.offline)
    if (const auto written = write_manifest(given, options.worker); !written) return complain(written.error());
  os::RealClock clock;
  os::RealRandom random;
  os::RealReservedFiles reserved;
  Supervisor supervisor(std::move(options), files, reserved, clock, random);
  if (const auto started = supervisor.start(); !started) return complain(started.error());
  return supervisor.run();
}

// What the supervisor wrote last, and before it what only an onlooker knows: how old that is, and whether a supervisor is there at all.
int show(const CommandLine& given, FileSystem& files, const char* file) {
  const std::filesystem::path path = std::filesystem::path(given.state) / "state" / file;
  struct stat info {};
  const auto text = files.read(path, 4u << 20);
  if (!text) return complain({text.error().code, fmt::format("no status: {} (is the sensor running on this folder?)", text.error().detail)});
  if (::stat(path.c_str(), &info) != 0) return complain(os::errno_error(errno, "cannot look at", path));
  constexpr int64_t kOldMs = 30'000;  // it is written every two seconds
  const WallTime written{milliseconds(info.st_mtim.tv_sec * 1'000 + info.st_mtim.tv_nsec / 1'000'000)};
  const int64_t age_ms = std::max<int64_t>(0, (os::RealClock().wall() - written).count());
  const auto runs = sensor_runs(given.state);
  const bool current = (!runs || *runs) && age_ms <= kOldMs;
  std::string_view rest = as_text(*text);
  if (given.json && rest.starts_with('{')) {
    rest.remove_prefix(1);
    fmt::print("{{\"written_at\":\"{}\",\"age_s\":{},\"running\":{},", rfc3339(written), age_ms / 1'000, runs ? (*runs ? "true" : "false") : "null");
  } else {
    const char* words = !runs ? "whether a sensor runs cannot be seen with this user's rights" : !*runs ? "NO SENSOR RUNS on this folder; what follows is what the last one wrote" : current ? "by the sensor that runs" : "a sensor runs, but WRITES NOTHING any more: it is stopped or hangs, and what follows is old";
    fmt::print("written    {} s ago ({}): {}\n", age_ms / 1'000, rfc3339(written), words);
  }
  std::fwrite(rest.data(), 1, rest.size(), stdout);
  return current ? 0 : 1;
}

// The worker's program knows Types and content; this one does not.
int show_fields(const CommandLine& given, FileSystem& files) {
  const std::filesystem::path state = given.state;
  const auto sight = ipc::read_record<ipc::Sight>(files, state / "state/sight.bin");
  if (!sight) return complain({sight.error().code, fmt::format("no status: {} (is the sensor running on this folder?)", sight.error().detail)});
  const char* form = given.json ? "json" : ::isatty(STDOUT_FILENO) == 1 && ::getenv("NO_COLOR") == nullptr ? "colours" : "text";
  std::vector<std::string> arguments = {"--fields", form, "--input", std::string(sight->input.view()), "--name", std::string(sight->collector.view()), "--set", to_hex(sight->running)};
  if (const auto refusals = ipc::read_kept<ipc::Refusals>(files, state / "state/refusals.bin").value)
    for (size_t i = 0; i < refusals->count; ++i) arguments.insert(arguments.end(), {"--without", to_hex(refusals->list[i].release)});
  const ipc::Descriptor sets(::open((state / "sets").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!sets) return complain(os::errno_error(errno, "cannot open", state / "sets"));
  os::Launch launch{given.worker.empty() ? beside("creance-sensor-worker") : std::filesystem::path(given.worker), arguments, {{STDOUT_FILENO, 3}, {sets.get(), 6}}, {}, {}};
  if (::geteuid() == 0) {  // as the worker, who may read sets, where the sensor's processes are users of their own
    const auto passwd = files.read("/etc/passwd", 4u << 20);
    const auto users = process_users(passwd ? as_text(*passwd) : std::string_view());
    const auto worker = static_cast<size_t>(Role::kWorker);
    if (users && os::can_become({users->of[worker]})) launch.user = users->of[worker];
  }
  auto child = os::ChildProcess::start(launch);
  if (!child) return complain(child.error());
  return child->wait().code;
}

// "90s", "15m", "12h", "2d"
std::optional<uint64_t> milliseconds_of(std::string_view text) {
  uint64_t count = 0;
  const uint64_t unit = text.ends_with('s') ? 1'000 : text.ends_with('m') ? 60'000 : text.ends_with('h') ? 3'600'000 : text.ends_with('d') ? 86'400'000 : 0;
  if (unit == 0) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size() - 1, count);
  if (error != std::errc() || end != text.data() + text.size() - 1 || count == 0 || count > limits::kPauseMsMax / unit) return std::nullopt;
  return count * unit;
}

// Orders are carried out by name, so a name says when: wall clock in milliseconds, and behind each that waits already, whatever became of the clock meanwhile.
std::string order_name(const std::vector<std::string>& waiting) {
  uint64_t number = static_cast<uint64_t>(std::max<int64_t>(0, os::RealClock().wall().time_since_epoch().count()));
  for (const std::string& name : waiting) {
    uint64_t other = 0;
    if (const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), other); error == std::errc() && end == name.data() + 15 && other < 999'999'999'999'999) number = std::max(number, other + 1);
  }
  std::array<uint8_t, 8> random;
  os::RealRandom().fill(random);
  return fmt::format("{:015}-{}.bin", number, to_hex(random));
}

void print_waiting(FileSystem& files, const std::filesystem::path& orders) {
  constexpr size_t kShown = 16;
  size_t waiting = 0;
  for (const std::string& name : files.list(orders).value_or(std::vector<std::string>())) {
    const auto order = name.ends_with(".bin") ? ipc::read_record<ipc::Order>(files, orders / name) : Result<ipc::Order>(fail(ErrorCode::kNotFound, ""));
    if (!order || ++waiting > kShown) continue;
    using What = ipc::Order::What;
    const std::string_view reason = order->reason.view();
    const std::string what = order->what == What::kPause ? "pause for " + span_text(order->pause_ms) : order->what == What::kResume ? "resume" : order->what == What::kTrustKept ? "resume --trust-kept" : order->what == What::kReturn ? "return" : "retry " + to_hex(order->release).substr(0, 12);
    fmt::print("  {}{}{}{}\n", what, reason.empty() ? "" : " (", reason, reason.empty() ? "" : ")");
  }
  if (waiting > kShown) fmt::print("  and {} more\n", waiting - kShown);
}

int order(const CommandLine& given, FileSystem& files, ipc::Order::What what) {
  ipc::Order order;
  order.what = what;
  order.reason.assign(given.reason);
  if (what == ipc::Order::What::kPause) {
    const auto span = milliseconds_of(given.pause);
    if (!span) return usage(fmt::format("--for must be a number with s, m, h or d behind it, at most 366d; `{}` is not", given.pause));
    order.pause_ms = *span;
  }
  if (what == ipc::Order::What::kRetry) {
    const auto bytes = from_hex(given.digest);
    if (!bytes || bytes->size() != order.release.size()) return usage("retry needs --digest with the 64 digits of a refusal (creance-sensor status --json)");
    std::copy(bytes->begin(), bytes->end(), order.release.begin());
  }
  const std::filesystem::path orders = std::filesystem::path(given.state) / "state/orders", reserved = std::filesystem::path(given.state) / "state" / ipc::kReservedOrder;
  if (!files.exists(std::filesystem::path(given.state) / "state") && !files.exists(std::filesystem::path(given.state) / "identity.json")) return complain({ErrorCode::kNotFound, fmt::format("`{}` is no sensor's folder; creance-sensor enrol makes one", given.state)});
  if (const auto made = files.make_directories(orders); !made) return complain(made.error());
  std::filesystem::path path = orders / order_name(files.list(orders).value_or(std::vector<std::string>()));
  const auto waits = [&] { return files.exists(path) && ipc::read_record<ipc::Order>(files, path).has_value(); };
  if (const auto written = ipc::write_record(files, path, order); !written) {
    if (written.error().code != ErrorCode::kNoSpace) return complain(written.error());
    path = reserved;  // the disk is full: into the place that is kept for one order
    // One gives an order there at a time, and only while none lies there; the supervisor waits for nobody, and takes it only when one does.
    const ipc::Descriptor turn(::open(orders.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!turn || ::flock(turn.get(), LOCK_EX | LOCK_NB) != 0) return complain({ErrorCode::kNoSpace, fmt::format("{}; and another order is being given just now: say it again", written.error().detail)});
    if (waits()) return complain({ErrorCode::kNoSpace, fmt::format("{}; and the one order that there is room for was not carried out yet", written.error().detail)});
    (void)files.remove(std::filesystem::path(path) += ipc::kAnswerSuffix).has_value();  // to an earlier one, for which nobody waited
    if (!os::hand_over(path, ipc::to_record(order))) return complain(written.error());
  }
  // What came of it lies beside where it lay.
  const std::filesystem::path beside_it = std::filesystem::path(path) += ipc::kAnswerSuffix;
  const auto runs = sensor_runs(given.state);
  const bool none_runs = runs && !*runs;
  for (int i = 0; !none_runs && i < 50; ++i) {
    if (const auto answer = ipc::read_record<ipc::OrderAnswer>(files, beside_it)) {
      (void)files.remove(beside_it).has_value();
      fmt::print("{}\n", answer->text.view());
      using Came = ipc::OrderAnswer::What;
      return answer->what == Came::kDone ? 0 : answer->what == Came::kNothingToDo ? 4 : 5;
    }
    ::poll(nullptr, 0, 100);
  }
  if (!none_runs && !waits()) {
    fmt::print("taken, and what came of it could not be written (is the disk full?): creance-sensor why says it\n");
    return 0;
  }
  fmt::print("{}; what waits, in this order:\n", none_runs ? "no sensor runs on this folder: it is carried out when one starts" : "the sensor has not taken it yet; it is carried out when it does");
  print_waiting(files, orders);
  return 1;
}

int print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  return 0;
}

int main_of(const std::vector<std::string>& arguments) {
  const auto parsed = parse_command_line(arguments);
  if (!parsed) return usage(parsed.error().detail);
  const CommandLine& given = *parsed;
  if (given.help) return print(help_text(given.command));
  if (given.command == "--version") return print("creance-sensor " CREANCE_VERSION "\n");
  if (given.command == "completion") return print(completion_text(given.shell));
  if (given.command == "man") return print(man_page(CREANCE_VERSION));
  os::RealFileSystem files;
  if (given.command == "enrol") return enrol_folder(given, files);
  if (given.command == "run") return run(given, files);
  if ((given.command == "status" || given.command == "why") && never_started(given.state, files)) {
    if (given.json) fmt::print("{{\"state\":\"never_started\",\"running\":false}}\n");
    else fmt::print("never started; `creance-sensor run --state {} --live` starts it\n", given.state);
    return 1;
  }
  if (given.command == "status" && given.fields) return show_fields(given, files);
  if (given.command == "status") return show(given, files, given.json ? "status.json" : "status.txt");
  if (given.command == "why") return show(given, files, given.json ? "status.json" : "why.txt");
  if (given.command == "doctor") return doctor({given.state, given.policy.empty() ? kDefaultPolicy : given.policy, !given.policy.empty(), given.json}, files);
  using What = ipc::Order::What;
  return order(given, files, given.command == "pause" ? What::kPause : given.command == "resume" ? (given.trust_kept ? What::kTrustKept : What::kResume) : given.command == "return" ? What::kReturn : What::kRetry);
}

}  // namespace
}  // namespace creance::sensor

int main(int argc, char** argv) { return creance::sensor::main_of({argv + 1, argv + argc}); }
