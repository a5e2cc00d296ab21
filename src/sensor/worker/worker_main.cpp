// creance-sensor-worker: started by creance-sensor, never by hand. Opens nothing of its own accord but what is named here, then gives up everything else.
//   descriptors  3 supervisor  4 detections  5 worker memory  6 folder of sets  7 event file or ring buffer  8 the collector's counters
//   exit codes   0 the supervisor is gone, or rehearsed   2 something that was handed over cannot be used   3 usage   4 the collector does not write what the manifest says
//                5 no memory left to it
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "base/os/privileges.hpp"
#include "base/os/real.hpp"
#include "base/os/sandbox.hpp"
#include "base/os/turns.hpp"
#include "sensor/collect/linux_inputs.hpp"
#include "sensor/collect/live.hpp"
#include "sensor/collect/replay.hpp"
#include "sensor/worker/fields.hpp"
#include "sensor/worker/worker.hpp"

namespace creance::sensor {
namespace {

constexpr std::chrono::microseconds kTurn{100};  // an event takes microseconds; the kernel's shortest (ADR 0181)

struct Arguments {
  std::string input = "none";
  std::string name;
  std::string host = "localhost";
  bool loop = false;
  bool without_sandbox = false;
  uint32_t rate = 0;
  uint32_t ring_bytes = 0;
  uint64_t rule_steps = limits::kInstanceStepsPerMinuteMax;
  ipc::Set set{};
  bool rehearse = false;
  std::vector<ipc::Set> without;
  std::optional<FieldsForm> fields;
};

template <class N>
bool number(std::string_view text, N& out) { return std::from_chars(text.data(), text.data() + text.size(), out).ec == std::errc(); }
bool digest(std::string_view text, ipc::Set& out) {
  const auto bytes = from_hex(text);
  if (!bytes || bytes->size() != out.size()) return false;
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return true;
}

constexpr std::pair<std::string_view, FieldsForm> kForms[] = {{"text", FieldsForm::kText}, {"colours", FieldsForm::kColours}, {"json", FieldsForm::kJson}};
bool parse(const std::vector<std::string>& given, Arguments& out) {
  for (size_t i = 0; i < given.size(); ++i) {
    const std::string& option = given[i];
    if (option == "--loop") { out.loop = true; continue; }
    if (option == "--without-sandbox") { out.without_sandbox = true; continue; }
    if (i + 1 == given.size()) return false;
    const std::string& value = given[++i];
    bool right = true;
    if (option == "--input") out.input = value;
    else if (option == "--name") out.name = value;
    else if (option == "--host") out.host = value;
    else if (option == "--rate") right = number(value, out.rate);
    else if (option == "--ring-bytes") right = number(value, out.ring_bytes);
    else if (option == "--rule-steps") right = number(value, out.rule_steps) && out.rule_steps <= limits::kInstanceStepsPerMinuteMax;
    else if (option == "--set") right = digest(value, out.set);
    else if (option == "--fields") {
      const auto form = std::ranges::find(kForms, value, &std::pair<std::string_view, FieldsForm>::first);
      right = form != std::end(kForms);
      if (right) out.fields = form->second;
    } else if (option == "--without") {
      ipc::Set refused{};
      right = digest(value, refused);
      out.without.push_back(refused);
    } else if (option == "--rehearse") right = out.rehearse = digest(value, out.set);
    else return false;
    if (!right) return false;
  }
  return true;
}

LiveOptions::From live_from(const Arguments& arguments) {
  using From = LiveOptions::From;
  return arguments.input == "ebpf" ? From::kRingBuffer : arguments.input == "connector" ? From::kConnector : From::kNothing;
}

Result<std::unique_ptr<Collector>> collector_for(const Arguments& arguments, RecentEvents& recent, os::RealClock& clock) {
  if (arguments.input == "replay") return make_replay_collector({7, arguments.name, arguments.loop, arguments.rate, arguments.rehearse ? nullptr : recent.replay_position()}, clock);
  const LiveOptions::From from = live_from(arguments);
  if (from == LiveOptions::From::kNothing && arguments.input != "none") return fail(ErrorCode::kInvalid, fmt::format("unknown input `{}`", arguments.input));
  os::RealFileSystem files;
  auto passwd = files.read("/etc/passwd", 4u << 20);
  return make_live_collector({from, arguments.rehearse ? -1 : 7, arguments.ring_bytes, 8, arguments.host, passwd ? std::string(as_text(*passwd)) : std::string()}, clock);
}

// Files and privileges first, as `start` may make the one other thread, which takes over what it finds; then the calls of both.
Status confine(const std::function<Status()>& start) {
  const std::filesystem::path sets[] = {"/proc/self/fd/6"};
  const os::Confinement confinement{.readable = sets, .writable = {}, .may_write_files = false};
  if (const auto done = os::confine_files(confinement); !done && done.error().code != ErrorCode::kUnsupported) return done;
  else if (!done) fmt::print(stderr, "creance-sensor-worker: {}\n", done.error().detail);
  TRY_VOID(os::keep_capabilities(0));
  TRY_VOID(start());
  return os::confine_calls(confinement);
}

int complain(const Error& error, int code) {
  fmt::print(stderr, "creance-sensor-worker: {}\n", error.detail);
  return code;
}

// The interface manifest of this build, as the server is told it, on descriptor 3.
int print_manifest(const std::string& input) {
  std::string text = fmt::format("{{\"build\":\"{}\",\"types\":[", CREANCE_VERSION);
  bool first = true;
  for (const schema::TemplateType& type : schema::Catalog::embedded().types()) {
    if (input == "live" && std::ranges::find(kLinuxTypeIds, type.id) == kLinuxTypeIds.end()) continue;
    text += fmt::format("{}{{\"type\":\"{}\",\"fingerprint\":\"{}\",\"inputs\":{}}}", first ? "" : ",", type.id, to_hex(type.fingerprint), type.inputs.size());
    first = false;
  }
  text += "]}\n";
  return ::write(3, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 2;
}

// What this host can say and what the set wants of it, on descriptor 3; `--name`: the collector's name.
int print_fields(const Arguments& arguments) {
  const os::RealClock clock;
  std::vector<Supplied> supplied;
  if (arguments.input != "replay") supplied = live_supplied(live_from(arguments), clock);
  else
    for (const schema::TemplateType& type : schema::Catalog::embedded().types()) supplied.push_back({&type, std::vector<bool>(type.inputs.size(), true)});  // a file of events may say anything
  if (const auto confined = confine([] { return Status(); }); !confined) return complain(confined.error(), 2);
  const auto fields = read_fields(6, arguments.set, arguments.name, supplied, arguments.without);
  if (!fields) return complain(fields.error(), 2);
  const std::string text = to_text(*fields, *arguments.fields);
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t n = ::write(3, rest.data(), rest.size());
    if (n <= 0) return 2;
    rest.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

int run(const std::vector<std::string>& given) {
  if (given.size() == 2 && given[0] == "--print-manifest") return print_manifest(given[1]);
  Arguments arguments;
  if (!parse(given, arguments)) {
    std::fputs("creance-sensor-worker is started by creance-sensor; see creance-sensor --help\n", stderr);
    return 3;
  }
  if (arguments.fields) return print_fields(arguments);
  os::RealClock clock;
  auto recent = RecentEvents::map(5, !arguments.rehearse);
  if (!recent) return complain(recent.error(), 2);
  auto collector = collector_for(arguments, *recent, clock);
  if (!collector) return complain(collector.error(), 2);
  if (const auto checked = check_written_inputs(**collector); !checked) return complain(checked.error(), 4);
  std::array<uint8_t, sizeof(interpreter::Hash128)> random{};
  os::RealRandom().fill(random);
  const auto load = [supplied = (*collector)->supplied(), hash_key = std::bit_cast<interpreter::Hash128>(random), without = arguments.without](const ipc::Set& set, ActiveSet::Cases cases) {
    return ActiveSet::load(6, set, supplied, cases, hash_key, without);
  };
  std::unique_ptr<Preparer> preparer;
  const auto start_preparer = [&]() -> Status {
    if (arguments.rehearse) return {};
    TRY(preparer, Preparer::start([load](const ipc::Set& set) { return load(set, ActiveSet::Cases::kNone); }));
    return {};
  };
  if (!arguments.rehearse) (void)os::ask_for_turns_of(kTurn);  // where the kernel knows it; before the filter of system calls, which does not
  const int statistics = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (const auto started = arguments.without_sandbox ? start_preparer() : confine(start_preparer); !started) return complain(started.error(), 2);
  const WorkerOptions options{arguments.host, CREANCE_VERSION, 4, statistics, arguments.set, {arguments.rule_steps}, std::bit_cast<interpreter::Hash128>(random)};
  Worker worker(options, ipc::Socket(ipc::Descriptor(3), ipc::Process::kSupervisor), std::move(*collector), std::move(*recent), clock);
  return arguments.rehearse ? worker.rehearse(arguments.set, load(arguments.set, ActiveSet::Cases::kRead)) : worker.run(std::move(preparer));
}

}  // namespace
}  // namespace creance::sensor

int main(int argc, char** argv) {
  std::set_new_handler([] { std::_Exit(creance::ipc::kExitNoMemory); });
  const int code = creance::sensor::run({argv + 1, argv + argc});
  std::fflush(stderr);
  std::_Exit(code);  // nothing is left to tidy, and the sandbox does not let everything be tidied
}
