#include "sensor/supervise/supervisor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <span>
#include <utility>

#include "base/os/real.hpp"
#include "base/os/real_reserved_files.hpp"
#include "sensor/supervise/running.hpp"
#include "sensor/supervise/sets.hpp"
#include "sensor/supervise/span_text.hpp"

namespace creance::sensor {
namespace {

constexpr size_t kForUpdaterMax = 2'048;
constexpr milliseconds kUpdaterDelayMax{30'000};
constexpr MonotonicTime kSetupMax{20'000};
constexpr int kMessagesPerTurn = 256;            // of one child; then the others, the timers and the signals have their turn
constexpr MonotonicTime kMemoryEvery{250};
constexpr MonotonicTime kDeafMax{1'800'000};     // over a slow line, an updater fetches all that a plan names before it listens again
constexpr MonotonicTime kMinute{60'000};
constexpr MonotonicTime kStoppedMin{5'000};      // a turn that took so much longer than it should is told
constexpr milliseconds kTurnMax{1'000};          // what a turn counts for at most in the updater's silence

void add(uint64_t& to, uint64_t more) { to = std::min(to + more, ipc::kCounterMax); }  // both are at most that

}  // namespace

Supervisor::Supervisor(SupervisorOptions options, FileSystem& files, ReservedFiles& reserved, const Clock& clock, Random& random)
    : options_(std::move(options)), files_(files), reserved_(reserved), clock_(clock), random_(random),
      conductor_({.activation = options_.activation, .stall = options_.stall, .offline = options_.offline}, options_.state / "state", files, reserved, clock, *this),
      launcher_(options_.state, options_.memory_bytes_max), successors_(files, options_.state) {}

Supervisor::~Supervisor() = default;

// --- start

Status Supervisor::start() {
  for (const char* folder : {"state", "state/orders", "sets", "spool", "outbox", "trusted"}) TRY_VOID(files_.make_directories(options_.state / folder));
  TRY(lock_, lock_state(options_.state));
  TRY_VOID(launcher_.prepare(files_));
  sets_ = ipc::Descriptor(::open((options_.state / "sets").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!sets_) return fail(os::errno_error(errno, "cannot open", options_.state / "sets"));
  memory_ = ipc::Descriptor(::open((options_.state / "state/memory.bin").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!memory_) return fail(os::errno_error(errno, "cannot open", options_.state / "state/memory.bin"));
  memory_to_read_ = ipc::Descriptor(::open((options_.state / "state/memory.bin").c_str(), O_RDONLY | O_CLOEXEC));
  if (!memory_to_read_) return fail(os::errno_error(errno, "cannot open", options_.state / "state/memory.bin"));
  if (::posix_fallocate(memory_.get(), 0, ipc::kWorkerMemoryBytes) != 0) return fail(ErrorCode::kNoSpace, fmt::format("no space for the worker memory in `{}`", (options_.state / "state").string()));
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return fail(os::errno_error(errno, "cannot make", "the detections' socket pair"));
  detections_in_ = ipc::Descriptor(ends[0]);
  detections_out_ = ipc::Descriptor(ends[1]);
  const int buffer = 1 << 20;
  ::setsockopt(detections_out_.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  if (const auto loaded = successors_.load(clock_.monotonic()); !loaded) note("this sensor goes by the identity of its enrolment: " + loaded.error().detail);
  random_.fill(epoch_);

  sigset_t handled;
  ::sigemptyset(&handled);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&handled, number);
  ::sigprocmask(SIG_BLOCK, &handled, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = ipc::Descriptor(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return fail(os::errno_error(errno, "cannot watch", "signals"));

  TRY_VOID(open_input());
  TRY_VOID(launcher_.give_up_rest());
  orders_ = ipc::Descriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!orders_ || ::inotify_add_watch(orders_.get(), (options_.state / "state/orders").c_str(), IN_MOVED_TO) < 0) return fail(os::errno_error(errno, "cannot watch", options_.state / "state/orders"));
  started_ = clock_.monotonic();
  clock_offset_ = clock_.wall().time_since_epoch() - started_;
  watch_due_ = started_ + options_.watch_every;
  const std::filesystem::path boots = options_.state / "state/boots.bin";
  const auto last_boot = ipc::read_record<ipc::Boots>(files_, boots);
  if (const auto kept = ipc::write_record(files_, boots, vitals_.start(last_boot ? std::optional(*last_boot) : std::nullopt, ipc::BootId(options_.boot_id), started_)); !kept) note("cannot record this boot: " + kept.error().detail);
  conductor_.start(ipc::BootId(options_.boot_id));
  if (!conductor_.last_stop_was_clean()) detect("unclean-stop", "The sensor was not stopped cleanly", "it was killed, or the machine went down under it; what happened meanwhile was not seen");
  take_orders();
  start_updater();
  return {};
}

Status Supervisor::open_input() {
  switch (options_.input) {
    case Input::kNone: case Input::kConnector: return {};
    case Input::kReplay:
      input_ = ipc::Descriptor(::open(options_.events.c_str(), O_RDONLY | O_CLOEXEC));
      if (!input_) return fail(os::errno_error(errno, "cannot open events", options_.events));
      note(fmt::format("collect: replay of `{}`{}{}", options_.events.string(), options_.loop ? ", again and again" : "", options_.rate > 0 ? fmt::format(", {} events a second", options_.rate) : ""));
      return {};
    case Input::kLive: return attach_kernel();
  }
  return {};
}

Status Supervisor::attach_kernel() {
  auto child = launch(Role::kCollectSetup, {options_.collect_setup, options_.without_ebpf ? std::vector<std::string>{"--without-ebpf"} : std::vector<std::string>{}, {}, {}});
  if (!child) return fail(child.error());
  std::vector<ipc::Descriptor> descriptors;
  ipc::CollectReady ready;
  ready.detail.assign("creance-sensor-collect-setup did not answer");
  for (const MonotonicTime until = clock_.monotonic() + kSetupMax; clock_.monotonic() < until;) {
    pollfd waiting{child->socket.fd(), POLLIN, 0};
    ::poll(&waiting, 1, static_cast<int>(std::max<int64_t>(1, (until - clock_.monotonic()).count())));
    const auto frame = child->socket.receive(&descriptors);
    if (!frame && frame.error().code == ErrorCode::kUnavailable) continue;
    if (frame) ready = frame->as<ipc::CollectReady>();
    else ready.detail.assign("creance-sensor-collect-setup ended: " + frame.error().detail);
    break;
  }
  if (ready.attached == 1 && (descriptors.size() != ready.descriptors || descriptors.size() < 2)) {
    ready.attached = 0;
    ready.detail.assign("creance-sensor-collect-setup sent fewer descriptors than it said");
  }
  if (ready.attached == 0) {
    note(fmt::format("collect: this host cannot be watched live: {}", ready.detail.view()));
    options_.input = options_.events.empty() ? Input::kNone : Input::kReplay;
    return open_input();
  }
  input_ = std::move(descriptors[0]);
  counters_ = std::move(descriptors[1]);
  if (ready.connector == 1) {
    options_.input = Input::kConnector;
    connector_ = std::move(*child);
    note(fmt::format("collect: process connector: {}", ready.detail.view()));
    return {};
  }
  for (size_t i = 2; i < descriptors.size(); ++i) links_.push_back(std::move(descriptors[i]));
  ring_bytes_ = ready.ring_bytes;
  note(fmt::format("collect: live through eBPF: {}", ready.detail.view()));
  return {};
}

// --- children

Result<Child> Supervisor::launch(Role role, Program program) {
  auto child = launcher_.start(role, std::move(program));
  if (child && started_unseen_ < kBlindTold) ++started_unseen_;
  return child;
}

const char* Supervisor::input_name() const {
  if (!input_) return "none";
  return options_.input == Input::kReplay ? "replay" : options_.input == Input::kConnector ? "connector" : "ebpf";
}

Result<Child> Supervisor::launch_worker(const Set& set, bool rehearse) {
  std::vector<std::string> arguments = {"--host", options_.host, "--rule-steps", std::to_string(options_.rule_steps)};
  // A rehearsal changes nothing of what the live worker sees, and nobody reads its detections.
  std::vector<std::pair<int, int>> descriptors = {{sets_.get(), 6}};
  if (rehearse) descriptors.emplace_back(memory_to_read_.get(), 5);
  else descriptors.insert(descriptors.end(), {{detections_out_.get(), 4}, {memory_.get(), 5}});
  arguments.insert(arguments.end(), {"--input", input_name()});
  if (input_ && options_.input == Input::kReplay) {
    descriptors.emplace_back(input_.get(), 7);
    arguments.insert(arguments.end(), {"--name", options_.events.string(), "--rate", std::to_string(options_.rate)});
    if (options_.loop) arguments.emplace_back("--loop");
  } else if (input_) {
    if (options_.input == Input::kLive) arguments.insert(arguments.end(), {"--ring-bytes", std::to_string(ring_bytes_)});
    if (!rehearse) descriptors.insert(descriptors.end(), {{input_.get(), 7}, {counters_.get(), 8}});
  }
  if (set != kNoSet || rehearse) arguments.insert(arguments.end(), {rehearse ? "--rehearse" : "--set", to_hex(set)});
  const ipc::Refusals& refusals = conductor_.activation().refusals();  // of channel files; those of releases match none
  for (size_t i = 0; i < refusals.count; ++i) arguments.insert(arguments.end(), {"--without", to_hex(refusals.list[i].release)});
  return launch(rehearse ? Role::kRehearsal : Role::kWorker, {options_.worker, std::move(arguments), std::move(descriptors), {}});
}

Status Supervisor::start_worker(const Set& set) {
  TRY(worker_, launch_worker(set, false));
  worker_talk_ = {};
  worker_talk_.asked(set);
  worker_budget_ = {};
  ++worker_starts_;
  return {};
}

void Supervisor::end_worker() {
  worker_ = Child{};
  sum_up();
}

void Supervisor::sum_up() {
  const bool outlives = options_.input == Input::kLive || options_.input == Input::kConnector;  // the collector's own count of lost events
  const uint64_t lost = before_.lost_events;
  before_ = totals();
  if (outlives) before_.lost_events = lost;
  health_ = {};
}

ipc::Health Supervisor::totals() const {
  ipc::Health sum = before_;
  add(sum.events, health_.events);
  add(sum.matches, health_.matches);
  add(sum.faults, health_.faults);
  add(sum.lost_events, health_.lost_events);
  add(sum.lost_detections, health_.lost_detections);
  add(sum.lost_correlated, health_.lost_correlated);
  sum.rss_kib = health_.rss_kib;
  return sum;
}

void Supervisor::tell_worker(const Set& set) {
  worker_talk_.asked(set);
  if (!worker_.socket.send(ipc::Activate{set}, ipc::Process::kSupervisor)) worker_.process.signal(SIGKILL);  // it does not listen: the rest follows from its end
}

std::chrono::nanoseconds Supervisor::worker_cpu() { return worker_.process.cpu_time().value_or(std::chrono::nanoseconds(0)); }

// The mark that the worker left in the memory which it shares with its successors: a number that only chooses among the files of the set, whatever it is.
Set Supervisor::worker_channel() {
  ipc::WorkerMemoryHead head;
  if (::pread(memory_.get(), &head, sizeof head, 0) != static_cast<ssize_t>(sizeof head) || head.evaluating == 0 || worker_talk_.active() == kNoSet) return kNoSet;
  const auto record = ipc::read_record<ipc::SetRecord>(files_, options_.state / "sets" / to_hex(worker_talk_.active()) / ipc::kSetRecordName);
  return record && head.evaluating <= record->count ? record->files[head.evaluating - 1].sha256 : kNoSet;
}

Status Supervisor::start_rehearsal(const Set& set) {
  rehearsal_set_ = set;
  TRY(rehearsal_, launch_worker(set, true));
  rehearsal_budget_ = {};
  return {};
}

// Who this sensor is says the supervisor alone: a child that found it out by itself could find another one than its sibling does.
std::vector<std::string> Supervisor::as_this_sensor(std::vector<std::string> arguments) const {
  if (const ipc::Successor* successor = successors_.current()) arguments.insert(arguments.end(), {"--sensor-id", to_hex(successor->sensor_id), "--enrolled-ms", std::to_string(successor->enrolled_ms)});
  return arguments;
}

void Supervisor::start_updater() {
  updater_due_.reset();
  if (options_.offline) return;
  auto child = launch(Role::kUpdater, {options_.updater, as_this_sensor({"run", "--state", ".", "--epoch", to_hex(epoch_), "--boot-id", options_.boot_id}), {{detections_in_.get(), 4}}, {"identity.json", "sensor.key", ipc::kSuccessorsFile, "root.json", "manifest.json"}});
  if (child) {
    updater_ = std::move(*child);
    updater_budget_ = {};
    updater_ready_ = false;
    updater_deaf_.reset();
    updater_quiet_ = milliseconds(0);
    quiet_told_ = reached_ = false;
    events_told_ = static_cast<uint64_t>(std::ranges::count_if(for_updater_, [](const ipc::Frame& frame) { return frame.is<ipc::ReportEvent>(); }));
    lifts_told_.clear();
    tell_refusals();
    if (conductor_.announcing() != kNoSet) announce(conductor_.announcing(), conductor_.activation().running());
    return;
  }
  note("cannot start the updater: " + child.error().detail);
  updater_delay_ = std::clamp(updater_delay_ * 2, milliseconds(500), kUpdaterDelayMax);
  updater_due_ = clock_.monotonic() + updater_delay_;
}

void Supervisor::tell(const Emit& event) {
  ipc::ReportEvent message;
  message.kind = event.kind;
  message.release = event.release;
  message.at_ms = static_cast<uint64_t>((clock_.monotonic() - started_).count());
  message.detail.assign(event.detail);
  message.rule_id.assign(event.rule_id);
  ++events_told_;
  if (event.kind == EventKind::kRefusalLifted && conductor_.activation().lifted().contains(event.release)) lifts_told_[event.release] = events_told_;
  to_updater(ipc::encode(message, ipc::Process::kSupervisor));
}

// The server remembers them for a host whose disk forgets: told with each updater, since one that ended may not have got them through. What the owner lifted comes first: it was refused before.
void Supervisor::tell_refusals() {
  const ipc::Lifted& lifted = conductor_.activation().lifted();
  for (size_t i = 0; i < lifted.count; ++i) tell({EventKind::kRefusalLifted, lifted.list[i], "the host's owner"});
  const ipc::Refusals& refusals = conductor_.activation().refusals();
  for (size_t i = 0; i < refusals.count; ++i) tell({EventKind::kContentRefused, refusals.list[i].release, fmt::format("{}: {}", to_string(refusals.list[i].reason), refusals.list[i].detail.view())});
}

// The server cannot tell this sensor's voice from another one's: as after a snapshot that was restored with its memory.
void Supervisor::begin_epoch() {
  random_.fill(epoch_);
  successors_.new_epoch();
  started_ = clock_.monotonic();  // what a report calls uptime is this epoch's
}

// This identity is used elsewhere too, says the server, or whoever answers in its place. The updater makes room for a process of its kind that asks for another id, and goes on under it.
// What runs here goes on meanwhile.
void Supervisor::enrol_again() {
  if (again_) return;
  if (successors_.wait_ms() > 0) {
    if (!std::exchange(again_told_, true)) note(fmt::format("the server wants this sensor to enrol again; it does so once an hour at most, and not within the next {}", span_text(successors_.wait_ms())));
    return;
  }
  again_told_ = false;
  if (successors_.may_try_again()) {
    if (const auto tried = successors_.try_again(); !tried) return note("cannot go by an identity that it left: " + tried.error().detail);
    note("the server wants this sensor to enrol again; before that it goes once more by what it was given before, which was said to be unknown");
    return speak_anew();
  }
  if (const auto asked = successors_.ask(random_); !asked) return note("cannot enrol again: " + asked.error().detail);
  updater_ = Child{};
  auto child = launch(Role::kUpdater, {options_.updater, as_this_sensor({"enrol-again", "--state", ".", "--epoch", to_hex(epoch_)}), {}, {"identity.json", "sensor.key", ipc::kSuccessorsFile, "manifest.json"}});
  if (!child) {
    note("cannot enrol again: " + child.error().detail);
    return start_updater();
  }
  again_ = std::move(*child);
  again_budget_ = {};
  again_until_ = clock_.monotonic() + milliseconds(limits::kEnrolAgainMsMax);
}

// The server does not know who this sensor says it is. Said of an identity that the server, or another in its place, gave it later, that was none.
void Supervisor::unknown_to_server() {
  const auto back = successors_.unknown();
  if (!back) return note("cannot go back to the identity before: " + back.error().detail);
  if (!*back) return;
  detect("identity-refused", "The server does not know the identity that this sensor was given", "it was given when the sensor enrolled again, maybe by another one in the server's place; the sensor has gone back to its identity before and asks for no other one within an hour");
  speak_anew();
}

// Another identity is in force.
void Supervisor::speak_anew() {
  begin_epoch();
  updater_ = Child{};
  start_updater();
}

Status Supervisor::ask_admit(const AdmitQuestion& question) {
  std::vector<std::string> arguments = as_this_sensor({"--state", ".", "--epoch", to_hex(epoch_), "--boot-id", options_.boot_id});
  if (question.running != kNoSet) arguments.insert(arguments.end(), {"--running", to_hex(question.running)});
  for (size_t i = 0; i < question.ladder.count; ++i) arguments.insert(arguments.end(), {"--rung", to_hex(question.ladder.sets[i])});
  if (question.held_back) arguments.insert(arguments.end(), {"--held-back", to_hex(question.held_back->release)});
  if (question.announced != kNoSet) arguments.insert(arguments.end(), {"--announced", to_hex(question.announced)});
  if (question.paused) arguments.insert(arguments.end(), {"--paused", "yes"});
  std::vector<std::filesystem::path> given = {"identity.json", "root.json", "tenant.key", "state/refusals.bin"};
  if (!is_absent(options_.state / "local.json")) {
    given.emplace_back("local.json");
    arguments.insert(arguments.end(), {"--local", "./local.json"});
  }
  if (!options_.policy.empty() && (options_.policy_named || !is_absent(options_.policy))) {
    given.push_back(std::filesystem::absolute(options_.policy));
    arguments.insert(arguments.end(), {"--policy", given.back().string()});
  }
  TRY(admit_, launch(Role::kAdmit, {options_.admit, std::move(arguments), {}, std::move(given)}));
  admit_budget_ = {};
  return {};
}

void Supervisor::announce(const Set& release, const Set& running) { to_updater(ipc::encode(release == kNoSet ? ipc::Announce{} : ipc::Announce{release, running}, ipc::Process::kSupervisor)); }

void Supervisor::report(const Emit& event) {
  // Deaths that are held against no content are for people: the server would count them against what rolls out.
  if (event.release != kNoSet || (event.kind != EventKind::kWorkerCrash && event.kind != EventKind::kWorkerStall)) tell(event);
  std::string about(conductor_.activation().name_of(event.release).view());
  if (about.empty() && event.release != kNoSet) about = to_hex(event.release).substr(0, 12);
  note(fmt::format("{}{}{}{}{}", to_string(event.kind), about.empty() ? "" : " ", about, event.detail.empty() ? "" : ": ", ipc::Text<200>(event.detail).view()));
}

void Supervisor::damaged(const std::string& what) {
  detect("records-damaged", "Records of the sensor were damaged or missing", what);
  tell({EventKind::kRecordsDamaged, kNoSet, what});
}

std::vector<Set> Supervisor::sets_there() {
  std::vector<Set> sets;
  for (const std::string& name : files_.list(options_.state / "sets").value_or(std::vector<std::string>()))
    if (const Set set = set_of(name); set != kNoSet) sets.push_back(set);
  return sets;
}

milliseconds Supervisor::waited(const Child& child) { return std::chrono::duration_cast<milliseconds>(child.process.waited().value_or(std::chrono::nanoseconds(0))); }

bool Supervisor::clear_sets(const std::function<bool(const Set&)>& retained) {
  const auto alone = os::Lock::take(options_.state / "sets", os::Lock::Kind::kExclusive, "admit fills a set");
  if (!alone) return false;  // an admit is at work, maybe one of a supervisor that was killed: when it has ended
  if (const auto cleared = sensor::clear_sets(files_, options_.state / "sets", retained); !cleared) note("old content stays on the disk: " + cleared.error().detail);
  return true;
}

// --- words of children

std::optional<ipc::Frame> Supervisor::hear(Child& child, MessageBudget& budget) {
  if (!child.socket) return std::nullopt;
  auto frame = child.socket.receive();
  if (!frame && frame.error().code == ErrorCode::kUnavailable) return std::nullopt;
  if (!frame && frame.error().code == ErrorCode::kInvalid) lied(child, "sends what is no message of its (" + frame.error().detail + ")");
  else if (frame && !budget.take(clock_.monotonic())) lied(child, "floods the supervisor with messages");
  else if (frame) return *frame;
  // It has ended, or has closed its socket and lives on; how it ended is told by its pidfd.
  child.process.signal(SIGKILL);
  child.socket.close();
  return std::nullopt;
}

void Supervisor::lied(Child& child, std::string_view what) {
  ++lies_;
  child.lie = what;
  child.process.signal(SIGKILL);
  child.socket.close();
  const std::string text = fmt::format("the {} {} and is ended", to_string(child.role), what);
  const MonotonicTime now = clock_.monotonic();
  if (lie_told_ && now - *lie_told_ < kMinute) return note(text);  // the detection at most once a minute; `lies` in the status counts all
  lie_told_ = now;
  detect("process-lied", "A process of the sensor says what it cannot mean", text);
}

Supervisor::Ended Supervisor::how_ended(const Child& child, const os::ExitStatus& status) const {
  std::string memory = child.over.empty() ? launcher_.ended_for_memory(child) : child.over;
  if (memory.empty() && status.signal == 0 && status.code == ipc::kExitNoMemory) memory = "its address space is used up";
  if (!memory.empty()) return {std::move(memory), Reason::kMemoryOverBudget};
  if (!child.lie.empty()) return {"it " + child.lie, Reason::kWorkerCrash};
  return {status.text(), Reason::kWorkerCrash};
}

// Its memory apart. A worker says that it is ready before it reads content; this process ends it by SIGKILL for its memory and for lies alone.
Cause Supervisor::why_worker_ended(const os::ExitStatus& status) const {
  if (!worker_.lie.empty()) return Cause::kItself;
  if (!worker_talk_.ready()) return Cause::kNotStarted;
  constexpr int kOfOthers[] = {SIGKILL, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM};
  return std::ranges::find(kOfOthers, status.signal) != std::end(kOfOthers) ? Cause::kKilled : Cause::kItself;
}

void Supervisor::watch_memory() {
  for (Child* const child : {&worker_, &rehearsal_, &updater_, &admit_, &again_, &connector_}) {
    if (!*child || !child->over.empty()) continue;
    child->over = launcher_.over_memory(*child);
    if (child->over.empty()) continue;
    note(fmt::format("the {} is ended: {}", to_string(child->role), child->over));
    child->process.signal(SIGKILL);
  }
}

// It answers each report, reached or not, and between two files that it fetches: one that lives and says nothing hangs, or is stopped.
void Supervisor::watch_updater(MonotonicTime now) {
  updater_quiet_ += std::clamp<milliseconds>(now - updater_seen_, milliseconds(0), kTurnMax);
  updater_seen_ = now;
  if (!updater_ || !updater_is_silent()) return;
  if (!std::exchange(quiet_told_, true)) {
    status_due_ = now;
    note(fmt::format("the updater has said nothing for {} s: it is stopped, hangs, or fetches over a very slow line; nothing new comes and nothing is reported meanwhile", updater_quiet_.count() / 1'000));
  }
  if (updater_quiet_ <= options_.updater_silent_max + 3 * report_interval_ || !updater_.lie.empty()) return;
  updater_.lie = fmt::format("has said nothing for {} s and was ended", updater_quiet_.count() / 1'000);
  updater_.process.signal(SIGKILL);
}

void Supervisor::hear_worker() {
  for (int i = 0; i < kMessagesPerTurn; ++i) {
    const auto frame = hear(worker_, worker_budget_);
    if (!frame) return;
    if (const auto wrong = worker_talk_.judge(*frame); !wrong.empty()) return lied(worker_, wrong);
    conductor_.worker_spoke();
    if (frame->is<ipc::WorkerReady>()) {
      collector_ = std::string(frame->as<ipc::WorkerReady>().collector.view());
      note(fmt::format("worker ready: collector {}, {} types, {} inputs written", collector_, frame->as<ipc::WorkerReady>().types, frame->as<ipc::WorkerReady>().inputs));
    } else if (frame->is<ipc::Health>()) {
      health_ = frame->as<ipc::Health>();
      if (health_.crashed >= 0) crashed_ = health_.crashed;
    } else if (frame->is<ipc::LeftOut>()) {
      const auto left_out = frame->as<ipc::LeftOut>();
      left_out_unnamed_ += left_out.others;
      for (const ipc::LeftOut::Rule& named : std::span(left_out.list).first(left_out.rules)) {
        const std::string rule(named.rule_id.view());
        if (left_out_.size() < limits::kStormRulesMax || left_out_.contains(rule)) left_out_[rule] += named.count;
        else left_out_unnamed_ += named.count;
      }
    } else if (frame->is<ipc::Activated>()) {
      const auto activated = frame->as<ipc::Activated>();
      instances_ = activated.instances;
      held_count_ = activated.held;
      held_.clear();
      suspended_.clear();
      conductor_.worker_activated(activated.set);
    } else if (frame->is<ipc::ActivationFailed>()) {
      const auto failed = frame->as<ipc::ActivationFailed>();
      conductor_.worker_refused(failed.set, failed.reason, std::string(failed.detail.view()));
    } else if (frame->is<ipc::HeldInstance>()) {
      ipc::HeldForServer held;
      static_cast<ipc::HeldInstance&>(held) = frame->as<ipc::HeldInstance>();
      held_.push_back(held);
      to_updater(ipc::encode(held, ipc::Process::kSupervisor));
    } else if (frame->is<ipc::FaultSeen>()) {
      suspended(frame->as<ipc::FaultSeen>());
    }
  }
}

// The ladder's first rung: the worker has suspended one instance. Told to the server, and listed.
void Supervisor::suspended(const ipc::FaultSeen& seen) {
  if (const MonotonicTime now = clock_.monotonic(); now - faults_since_ > kMinute) {
    faults_since_ = now;
    faults_told_ = 0;
  }
  if (++faults_told_ > limits::kHeldReportedMax) return;  // within a minute; the counters have all of them, and other messages their place on the way to the server
  const bool flooded = seen.reason == Reason::kHitsOverBudget || seen.reason == Reason::kBytesOverBudget;
  const EventKind kind = flooded ? EventKind::kHitsOverBudget : seen.reason == Reason::kStepsOverBudget ? EventKind::kCpuOverBudget : EventKind::kFault;
  const std::string rule(seen.rule_id.view()), detail(seen.detail.view());
  report({kind, seen.set, fmt::format("rule {}: {}: {}", rule, to_string(seen.reason), detail), rule == "*" ? std::string() : rule});
  std::erase_if(suspended_, [&](const Suspended& entry) { return entry.rule_id == rule; });
  suspended_.push_back({clock_.wall(), rule, seen.reason, detail});
  if (suspended_.size() > limits::kHeldReportedMax) suspended_.pop_front();
}

void Supervisor::take_orders() {
  char buffer[4096];
  while (::read(orders_.get(), buffer, sizeof buffer) > 0) {
  }
  orders_wait_ = false;
  const std::filesystem::path folder = options_.state / "state/orders";
  const auto names = files_.list(folder);
  if (!names) {
    orders_left_.keep_of({});
    return note("cannot read orders: " + names.error().detail);
  }
  orders_left_.keep_of(*names);
  size_t taken = 0;
  std::vector<std::string> answers;  // oldest first, as their names are
  for (const std::string& name : *names) {
    if (name.ends_with(ipc::kAnswerSuffix)) answers.push_back(name);
    if (!name.ends_with(".bin") || orders_left_.rests(name, clock_.monotonic())) continue;
    if (taken >= limits::kOrdersMax) {  // the others have their turn first; each that is not removed rests then, so that this ends
      orders_wait_ = true;
      break;
    }
    const auto order = ipc::read_record<ipc::Order>(files_, folder / name);
    const bool reserved = options_.state / "state" / ipc::kReservedOrder == folder / name;
    if (reserved && !order && order.error().code == ErrorCode::kNotFound) {
      orders_left_.removed(name);
      continue;
    }
    ++taken;
    // Gone first: what cannot be removed would be carried out again and again.
    if (const auto removed = reserved ? os::hand_over(folder / name, ipc::blank_record<ipc::Order>()) : files_.remove(folder / name); !removed) {
      if (orders_left_.leave(name, clock_.monotonic())) note("an order is left alone, and tried again each minute: " + removed.error().detail);
      continue;
    }
    orders_left_.removed(name);
    const OrderOutcome came = order ? conductor_.order(*order) : OrderOutcome{ipc::OrderAnswer::What::kRefused, order.error().detail};
    note("order: " + came.text);
    if (turned_ > MonotonicTime(0)) answer_order(folder / name, came);  // of those that waited for the start nobody asks any more
  }
  for (size_t i = 0; i + limits::kOrdersMax < answers.size(); ++i) (void)files_.remove(folder / answers[i]).has_value();  // nobody waits for them any more
  if (taken > 0) status_due_ = clock_.monotonic();
}

// For whoever gave it. On a full disk there may be none; `why` says it all the same.
void Supervisor::answer_order(const std::filesystem::path& order, const OrderOutcome& came) {
  ipc::OrderAnswer answer;
  answer.what = came.what;
  answer.text.assign(came.text);
  (void)os::write_unsynced(std::filesystem::path(order) += ipc::kAnswerSuffix, as_text(ipc::to_record(answer)), 0600).has_value();
}

// One answer, then its work is done. False: it has not come.
bool Supervisor::hear_rehearsal() {
  const auto frame = hear(rehearsal_, rehearsal_budget_);
  if (!frame) return false;
  if (!frame->is<ipc::Rehearsed>() || frame->as<ipc::Rehearsed>().set != rehearsal_set_) {
    lied(rehearsal_, "answers what it was not asked");
    return false;
  }
  const auto answer = frame->as<ipc::Rehearsed>();
  rehearsal_ = Child{};
  note(fmt::format("rehearsed over {} own events, {} of the release's cases and {} sample events, {} matches{}{}", answer.own_events, answer.case_events, answer.sample_events, answer.matches, answer.detail.view().empty() ? "" : ": ", answer.detail.view()));
  conductor_.rehearsal_ended(answer.set, answer.passed == 1, answer.reason, std::string(answer.detail.view()));
  return true;
}

void Supervisor::hear_updater() {
  for (int i = 0; i < kMessagesPerTurn; ++i) {
    const auto frame = hear(updater_, updater_budget_);
    if (!frame) return;
    updater_quiet_ = milliseconds(0);
    if (std::exchange(quiet_told_, false)) note("the updater speaks again");
    if (frame->is<ipc::UpdaterReady>()) {
      if (updater_ready_) return lied(updater_, "says twice that it is ready");
      updater_ready_ = true;
      report_interval_ = milliseconds(frame->as<ipc::UpdaterReady>().report_interval_ms);
      updater_delay_ = milliseconds(0);
    } else if (!updater_ready_) {
      return lied(updater_, "speaks before it says that it is ready");
    } else if (frame->is<ipc::ReportAnswered>()) {
      const auto answered = frame->as<ipc::ReportAnswered>();
      report_interval_ = milliseconds(answered.report_interval_ms);
      reached_ = answered.reached == 1;
      if (answered.events > events_told_) return lied(updater_, "says that more was heard than it was told");
      for (auto it = lifts_told_.begin(); it != lifts_told_.end();) {
        const auto told = it++;
        if (told->second > answered.events) continue;
        const Set lifted = told->first;
        lifts_told_.erase(told);
        conductor_.lift_told(lifted);
      }
      if (answered.unknown == 1) return unknown_to_server();
      if (reached_) successors_.known(answered.wants == ipc::Wants::kNothing);
      if (answered.wants == ipc::Wants::kNewEpoch) begin_epoch();
      if (answered.wants == ipc::Wants::kEnrolAgain) return enrol_again();
    } else if (frame->is<ipc::SpoolChanged>()) {
      conductor_.spool_changed();
    } else if (frame->is<ipc::GrantFetched>()) {
      conductor_.grant_came(frame->as<ipc::GrantFetched>().release);
    } else {
      return lied(updater_, "answers what it was not asked");
    }
  }
}

// One answer, then its work is done. False: it has not come.
bool Supervisor::hear_again() {
  const auto frame = hear(again_, again_budget_);
  if (!frame) return false;
  if (!frame->is<ipc::EnrolledAgain>()) {
    lied(again_, "answers what it was not asked");
    return false;
  }
  again_ = Child{};
  if (const auto taken = successors_.take(frame->as<ipc::EnrolledAgain>().sensor_id, clock_.wall()); taken) {
    note("this sensor's identity was used by another one too: it has a new one from the server");
    begin_epoch();
  } else {
    note("cannot enrol again: " + taken.error().detail);
  }
  start_updater();
  return true;
}

// Likewise.
bool Supervisor::hear_admit() {
  const auto frame = hear(admit_, admit_budget_);
  if (!frame) return false;
  admit_ = Child{};
  conductor_.admit_ended();
  const auto answer = frame->as<ipc::Admitted>();  // the one kind that it may send
  constexpr uint64_t kClockNotedMs = 60'000;  // less is how clocks differ
  if (answer.clock_behind_ms >= kClockNotedMs && clock_behind_ms_ < kClockNotedMs)
    note(fmt::format("this host's clock is {} s behind what signed metadata says: expiry is judged by the latter, and nothing that runs stops; set the clock", answer.clock_behind_ms / 1000));
  if (answer.clock_behind_ms < kClockNotedMs && clock_behind_ms_ >= kClockNotedMs) note("this host's clock is right again");
  clock_behind_ms_ = answer.clock_behind_ms;
  conductor_.admit_answered(answer);
  return true;
}

void Supervisor::to_updater(const ipc::Frame& frame) {
  if (options_.offline) return;
  for_updater_.push_back(frame);
  if (for_updater_.size() > kForUpdaterMax) for_updater_.pop_front();
  while (updater_.socket && !for_updater_.empty()) {
    if (!updater_.socket.send_frame(for_updater_.front(), {})) {
      if (!updater_deaf_) updater_deaf_ = clock_.monotonic();
      return;
    }
    updater_deaf_.reset();
    for_updater_.pop_front();
  }
}

// --- time

void Supervisor::timers(MonotonicTime now) {
  if (updater_due_ && now >= *updater_due_) start_updater();
  if (now >= memory_due_) {
    memory_due_ = now + kMemoryEvery;
    watch_memory();
  }
  watch_updater(now);
  if (successors_.pass(now)) {
    note("the record of this sensor's identity can be read again, and it goes by it");
    speak_anew();
  }
  if (again_ && again_.lie.empty() && now >= again_until_) {
    again_.lie = fmt::format("did not end within {} s", limits::kEnrolAgainMsMax / 1'000);
    again_.process.signal(SIGKILL);
  }
  if (updater_.socket && updater_deaf_ && now - *updater_deaf_ > kDeafMax) lied(updater_, "takes no messages any more");
  conductor_.timers();
  watch_itself(now);
  if (now >= vitals_due_) {
    vitals_due_ = now + kVitalsEvery;
    measure(now);
  }
  if (now >= report_due_) {
    report_due_ = now + report_interval_;
    send_report(now);
  }
  if (now >= status_due_) {
    status_due_ = now + milliseconds(2'000);
    write_status();
  }
}

MonotonicTime Supervisor::next_timer() const {
  MonotonicTime next = std::min({status_due_, report_due_, memory_due_, vitals_due_, watch_due_, conductor_.next_timer()});
  if (updater_due_) next = std::min(next, *updater_due_);
  if (again_ && again_.lie.empty()) next = std::min(next, again_until_);
  if (orders_wait_) next = MonotonicTime(0);
  else if (const auto due = orders_left_.due()) next = std::min(next, *due);
  return next;
}

// Waits and hears. Returns nothing but having heard: the loop goes on.
std::vector<int> Supervisor::wait(MonotonicTime until) {
  std::vector<pollfd> waits;
  const auto add = [&](int fd) {
    if (fd >= 0) waits.push_back({fd, POLLIN, 0});
  };
  add(signals_.get());
  add(orders_.get());
  if (connector_) add(connector_.process.pidfd());
  for (const Child* child : {&worker_, &rehearsal_, &updater_, &admit_, &again_}) {
    if (!*child) continue;
    add(child->socket.fd());
    add(child->process.pidfd());
  }
  const MonotonicTime now = clock_.monotonic();
  const int64_t span = std::clamp<int64_t>((until - now).count(), 0, 10'000);
  ::poll(waits.data(), waits.size(), static_cast<int>(span));
  const MonotonicTime late = clock_.monotonic() - now - milliseconds(span);
  if (late > milliseconds(200)) conductor_.late(late);
  const MonotonicTime turned = clock_.monotonic(), lost = turned - turned_ - milliseconds(span);
  turned_ = turned;
  if (lost > kStoppedMin) detect("stopped", "The sensor stood still", fmt::format("its supervisor did not go on for {} s: it was stopped, or waited for the machine; what was due meanwhile is done now", lost.count() / 1'000));
  std::vector<int> ready;
  for (const pollfd& entry : waits)
    if (entry.revents != 0) ready.push_back(entry.fd);
  return ready;
}

int Supervisor::run() {
  note(fmt::format("running on `{}`", options_.state.string()));
  turned_ = updater_seen_ = clock_.monotonic();
  while (!stopping_) {
    timers(clock_.monotonic());
    const std::vector<int> ready = wait(next_timer());
    const auto is_ready = [&](int fd) { return fd >= 0 && std::ranges::find(ready, fd) != ready.end(); };
    if (is_ready(signals_.get())) {
      signalfd_siginfo info{};
      while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) stopping_ = stopping_ || info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
    }
    if (is_ready(orders_.get()) || orders_wait_ || orders_left_.due().value_or(MonotonicTime::max()) <= clock_.monotonic()) take_orders();
    if (connector_ && is_ready(connector_.process.pidfd()))
      if (const auto status = connector_.process.exited()) {
        detect("collector-ended", "The sensor's collector ended", "the process connector's reader ended with " + how_ended(connector_, *status).text + "; this host is not watched any more until the sensor is started again");
        connector_ = Child{};
      }
    // First the last words, then the end of whoever spoke them.
    if (worker_ && is_ready(worker_.socket.fd())) hear_worker();
    if (worker_ && is_ready(worker_.process.pidfd()))
      if (const auto status = worker_.process.exited()) {
        hear_worker();
        const Ended ended = how_ended(worker_, *status);
        const Cause cause = ended.reason == Reason::kMemoryOverBudget ? Cause::kItself : why_worker_ended(*status);
        count_crash(*status);
        worker_ = Child{};
        sum_up();
        conductor_.worker_ended(ended.text, ended.reason, cause);
      }
    if (rehearsal_ && is_ready(rehearsal_.socket.fd())) hear_rehearsal();
    if (rehearsal_ && is_ready(rehearsal_.process.pidfd()))
      if (const auto status = rehearsal_.process.exited()) {
        const Ended ended = how_ended(rehearsal_, *status);
        count_crash(*status);
        if (!hear_rehearsal()) {
          const Set set = rehearsal_set_;
          rehearsal_ = Child{};
          conductor_.rehearsal_ended(set, false, ended.reason == Reason::kMemoryOverBudget ? ended.reason : Reason::kRehearsalFailed, "the rehearsal ended with " + ended.text);
        }
      }
    if (updater_ && is_ready(updater_.socket.fd())) hear_updater();
    if (updater_ && is_ready(updater_.process.pidfd()))
      if (const auto status = updater_.process.exited()) {
        const std::string ended = how_ended(updater_, *status).text;
        count_crash(*status);
        updater_ = Child{};
        updater_delay_ = std::clamp(updater_delay_ * 2, milliseconds(500), kUpdaterDelayMax);
        updater_due_ = clock_.monotonic() + updater_delay_;
        note(fmt::format("the updater ended with {}; again in {} ms", ended, updater_delay_.count()));
      }
    if (again_ && is_ready(again_.socket.fd())) hear_again();
    if (again_ && is_ready(again_.process.pidfd()))
      if (const auto status = again_.process.exited()) {
        const Ended ended = how_ended(again_, *status);
        count_crash(*status);
        if (!hear_again()) {
          again_ = Child{};
          note(fmt::format("cannot enrol again ({}): the identity stays as it is", ended.text));
          start_updater();
        }
      }
    if (admit_ && is_ready(admit_.socket.fd())) hear_admit();
    if (admit_ && is_ready(admit_.process.pidfd()))
      if (const auto status = admit_.process.exited()) {
        count_crash(*status);
        if (!status->clean()) note("admit ended with " + how_ended(admit_, *status).text);
        if (!hear_admit()) {
          admit_ = Child{};
          conductor_.admit_ended();
        }
      }
  }
  shut_down();
  return 0;
}

void Supervisor::shut_down() {
  note("stopping");
  if (const auto stored = conductor_.stop(); !stored) note("cannot record the clean stop: " + stored.error().detail);
  send_report(clock_.monotonic());
  write_status();
  worker_ = Child{};
  rehearsal_ = Child{};
  admit_ = Child{};
  again_ = Child{};
  if (updater_) {  // it may still say goodbye; not for long
    updater_.socket.close();
    pollfd waiting{updater_.process.pidfd(), POLLIN, 0};
    ::poll(&waiting, 1, 1500);
    updater_ = Child{};
  }
}

}  // namespace creance::sensor
