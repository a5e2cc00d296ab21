#include "sensor/supervise/supervisor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/os/real.hpp"
#include "sensor/supervise/sets.hpp"

namespace creance::sensor {
namespace {

constexpr size_t kForUpdaterMax = 2'048;
constexpr size_t kNotesMax = 64;
constexpr milliseconds kAdmitEvery{60'000};
constexpr milliseconds kAdmitMax{60'000};
constexpr milliseconds kStatusEvery{2'000};
constexpr milliseconds kUpdaterDelayMax{30'000};
constexpr MonotonicTime kSetupMax{20'000};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr uint64_t kAddressSpace = 0;  // sanitizers reserve terabytes
#else
constexpr uint64_t kAddressSpace = uint64_t{2} << 30;
#endif
constexpr os::ProcessLimits kWorkerLimits{.address_space_bytes = kAddressSpace, .open_files = 64, .cpu_seconds = 0, .file_bytes = 0};
constexpr os::ProcessLimits kRehearsalLimits{.address_space_bytes = kAddressSpace, .open_files = 64, .cpu_seconds = 30, .file_bytes = 1};
constexpr os::ProcessLimits kAdmitLimits{.address_space_bytes = kAddressSpace, .open_files = 64, .cpu_seconds = 30, .file_bytes = 256u << 20};
constexpr os::ProcessLimits kUpdaterLimits{.address_space_bytes = kAddressSpace, .open_files = 128, .cpu_seconds = 0, .file_bytes = 256u << 20};

std::string hex_or_none(const Set& set) { return set == kNoSet ? std::string() : to_hex(set); }

std::string json_text(std::string_view text) {  // texts here are printable already (ipc::Text); only quotes and backslashes need care
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

}  // namespace

Supervisor::Supervisor(SupervisorOptions options, FileSystem& files, const Clock& clock, Random& random)
    : options_(std::move(options)), files_(files), clock_(clock), random_(random), store_(files, options_.state / "state"), stall_(options_.stall) {}

Supervisor::~Supervisor() = default;

// --- start

Status Supervisor::start() {
  for (const char* folder : {"state", "sets", "spool", "trusted"}) TRY_VOID(files_.make_directories(options_.state / folder));
  TRY(lock_, os::Lock::take(options_.state / "state/lock", os::Lock::Kind::kExclusive, fmt::format("a sensor already runs on `{}`", options_.state.string())));
  sets_ = ipc::Descriptor(::open((options_.state / "sets").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!sets_) return fail(os::errno_error(errno, "cannot open", options_.state / "sets"));
  memory_ = ipc::Descriptor(::open((options_.state / "state/memory.bin").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!memory_) return fail(os::errno_error(errno, "cannot open", options_.state / "state/memory.bin"));
  if (::posix_fallocate(memory_.get(), 0, ipc::kWorkerMemoryBytes) != 0) return fail(ErrorCode::kNoSpace, fmt::format("no space for the worker memory in `{}`", (options_.state / "state").string()));
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return fail(os::errno_error(errno, "cannot make", "the detections' socket pair"));
  detections_in_ = ipc::Descriptor(ends[0]);
  detections_out_ = ipc::Descriptor(ends[1]);
  const int buffer = 1 << 20;
  ::setsockopt(detections_out_.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  std::array<uint8_t, 16> epoch;
  random_.fill(epoch);
  epoch_ = to_hex(epoch);

  sigset_t handled;
  ::sigemptyset(&handled);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&handled, number);
  ::sigprocmask(SIG_BLOCK, &handled, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = ipc::Descriptor(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return fail(os::errno_error(errno, "cannot watch", "signals"));

  TRY_VOID(open_input());
  started_ = awake_ = clock_.monotonic();
  std::string complaints;
  Remembered remembered = store_.load(complaints);
  if (!complaints.empty()) note("damaged record: " + complaints);
  activation_.emplace(options_.activation, ipc::BootId(options_.boot_id), std::move(remembered));
  const Actions actions = activation_->begin(started_, clock_.wall());  // before anything of any content is read
  if (const auto stored = store_.store(ipc::Session{ipc::BootId(options_.boot_id), 0, {}}); !stored) note("cannot record this run: " + stored.error().detail);
  start_updater();
  carry_out(actions);
  if (!options_.offline) admit_wanted_ = true;
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
  auto child = launch(options_.collect_setup, options_.without_ebpf ? std::vector<std::string>{"--without-ebpf"} : std::vector<std::string>{}, ipc::Process::kCollectSetup, {}, {});
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
  lost_ = std::move(descriptors[1]);
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

Result<Supervisor::Child> Supervisor::launch(const std::filesystem::path& program, std::vector<std::string> arguments, ipc::Process kind, std::vector<std::pair<int, int>> descriptors, const os::ProcessLimits& limits) {
  TRY(auto pair, ipc::Socket::pair(ipc::Process::kSupervisor, kind));
  descriptors.emplace_back(pair.second.fd(), 3);
  os::Launch launch{program, std::move(arguments), std::move(descriptors), {}, limits};
  TRY(auto process, os::ChildProcess::start(launch));
  return Child{std::move(process), std::move(pair.first)};
}

Result<Supervisor::Child> Supervisor::launch_worker(const Set& set, bool rehearse) {
  std::vector<std::string> arguments = {"--host", options_.host};
  std::vector<std::pair<int, int>> descriptors = {{detections_out_.get(), 4}, {memory_.get(), 5}, {sets_.get(), 6}};
  if (input_) {
    descriptors.emplace_back(input_.get(), 7);
    if (options_.input == Input::kReplay) {
      arguments.insert(arguments.end(), {"--input", "replay", "--name", options_.events.string(), "--rate", std::to_string(options_.rate)});
      if (options_.loop) arguments.emplace_back("--loop");
    } else if (options_.input == Input::kConnector) {
      arguments.insert(arguments.end(), {"--input", "connector"});
      descriptors.emplace_back(lost_.get(), 8);
    } else {
      arguments.insert(arguments.end(), {"--input", "ebpf", "--ring-bytes", std::to_string(ring_bytes_)});
      descriptors.emplace_back(lost_.get(), 8);
    }
  }
  if (set != kNoSet || rehearse) arguments.insert(arguments.end(), {rehearse ? "--rehearse" : "--set", to_hex(set)});
  return launch(options_.worker, std::move(arguments), ipc::Process::kWorker, std::move(descriptors), rehearse ? kRehearsalLimits : kWorkerLimits);
}

void Supervisor::start_live_worker() {
  worker_due_.reset();
  auto child = launch_worker(worker_set_, false);
  if (!child) {
    note("cannot start the worker: " + child.error().detail);
    feed(WorkerDied{child.error().detail});
    return;
  }
  worker_ = std::move(*child);
  ++worker_starts_;
  stall_.alive(clock_.monotonic(), {});
}

void Supervisor::worker_gone(const std::string& how) {
  worker_ = Child{};
  before_.events += health_.events;
  before_.matches += health_.matches;
  before_.faults += health_.faults;
  before_.lost_detections += health_.lost_detections;
  before_.lost_correlated += health_.lost_correlated;
  if (options_.input != Input::kLive && options_.input != Input::kConnector) before_.lost_events += health_.lost_events;  // their counters outlive the worker
  health_ = {};
  feed(WorkerDied{how});
}

void Supervisor::start_rehearsal(const Set& set) {
  rehearsal_set_ = set;
  rehearsal_answered_ = false;
  auto child = launch_worker(set, true);
  if (child) rehearsal_ = std::move(*child);
  else feed(RehearsalEnded{set, false, Reason::kRehearsalFailed, child.error().detail});
}

void Supervisor::start_updater() {
  updater_due_.reset();
  if (options_.offline) return;
  auto child = launch(options_.updater, {"run", "--state", options_.state.string(), "--epoch", epoch_, "--boot-id", options_.boot_id}, ipc::Process::kUpdater, {{detections_in_.get(), 4}}, kUpdaterLimits);
  if (child) {
    updater_ = std::move(*child);
    if (announcing_ != kNoSet) to_updater(ipc::encode(ipc::Announce{announcing_, activation_ ? activation_->running() : kNoSet}, ipc::Process::kSupervisor));
    return;
  }
  note("cannot start the updater: " + child.error().detail);
  updater_delay_ = std::clamp(updater_delay_ * 2, milliseconds(500), kUpdaterDelayMax);
  updater_due_ = clock_.monotonic() + updater_delay_;
}

void Supervisor::run_admit() {
  if (options_.offline || admit_) {
    admit_wanted_ = !options_.offline;
    return;
  }
  admit_wanted_ = false;
  admit_due_ = clock_.monotonic() + kAdmitEvery;
  admit_running_ = activation_->running();
  admit_ladder_ = activation_->ladder();
  std::vector<std::string> arguments = {"--state", options_.state.string(), "--epoch", epoch_, "--boot-id", options_.boot_id};
  if (admit_running_ != kNoSet) arguments.insert(arguments.end(), {"--running", to_hex(admit_running_)});
  for (size_t i = 0; i < admit_ladder_.count; ++i) arguments.insert(arguments.end(), {"--rung", to_hex(admit_ladder_.sets[i])});
  if (const auto& held = activation_->held_back()) arguments.insert(arguments.end(), {"--held-back", to_hex(held->release)});
  if (announcing_ != kNoSet) arguments.insert(arguments.end(), {"--announced", to_hex(announcing_)});
  auto child = launch(options_.admit, std::move(arguments), ipc::Process::kAdmit, {}, kAdmitLimits);
  if (!child) {
    note("cannot start admit: " + child.error().detail);
    return;
  }
  admit_ = std::move(*child);
  admit_deadline_ = clock_.monotonic() + kAdmitMax;
}

// --- the state machine's driver

void Supervisor::feed(const Observation& observation) {
  carry_out(activation_->step(clock_.monotonic(), clock_.wall(), observation));
  if (activation_->phase() == last_phase_) return;
  last_phase_ = activation_->phase();
  status_due_ = clock_.monotonic();
  if (last_phase_ == Phase::kSteady || last_phase_ == Phase::kSafeMode) {
    admit_wanted_ = !options_.offline;
    sweep_wanted_ = true;
  }
}

void Supervisor::carry_out(const Actions& actions) {
  for (const Action& action : actions) std::visit([this](const auto& wanted) { perform(wanted); }, action);
}

void Supervisor::perform(const StartAnnouncing& wanted) {
  announcing_ = wanted.release;
  to_updater(ipc::encode(ipc::Announce{wanted.release, activation_->running()}, ipc::Process::kSupervisor));
}

void Supervisor::perform(const StopAnnouncing&) {
  announcing_ = kNoSet;
  to_updater(ipc::encode(ipc::Announce{}, ipc::Process::kSupervisor));
}

void Supervisor::perform(const StoreMarker& wanted) {  // the last of its batch: the answer goes back at once
  const auto stored = store_.store(wanted.marker);
  feed(MarkerStored{stored.has_value(), stored ? std::string() : stored.error().detail});
}

void Supervisor::perform(const StoreLadder& wanted) { store_.store(wanted.ladder); }
void Supervisor::perform(const StoreRefusals& wanted) { store_.store(wanted.refusals); }
void Supervisor::perform(const StoreHeldBack& wanted) { store_.store(wanted.held_back); }
void Supervisor::perform(const ClearMarker&) { store_.clear_marker(); }
void Supervisor::perform(const StartRehearsal& wanted) { start_rehearsal(wanted.set); }
void Supervisor::perform(const EndRehearsal&) { rehearsal_ = Child{}; }

void Supervisor::perform(const SwapTo& wanted) {
  worker_set_ = wanted.set;
  if (worker_ && !worker_.socket.send(ipc::Activate{wanted.set}, ipc::Process::kSupervisor)) worker_.process.signal(SIGKILL);  // it does not listen: the rest follows from its end
  else if (!worker_ && !worker_due_) worker_due_ = clock_.monotonic();
}

void Supervisor::perform(const StartWorker& wanted) {
  worker_ = Child{};
  worker_set_ = wanted.set;
  worker_due_ = clock_.monotonic() + wanted.delay;
}

void Supervisor::perform(const Emit& wanted) { emit(wanted); }

void Supervisor::emit(const Emit& event) {
  ipc::ReportEvent message;
  message.kind = event.kind;
  message.release = event.release;
  message.at_ms = static_cast<uint64_t>((clock_.monotonic() - started_).count());
  message.detail.assign(event.detail);
  to_updater(ipc::encode(message, ipc::Process::kSupervisor));
  const auto name = activation_->name_of(event.release);
  note(fmt::format("{} {}{}{}", to_string(event.kind), name.view().empty() ? hex_or_none(event.release).substr(0, 12) : std::string(name.view()), event.detail.empty() ? "" : ": ", message.detail.view()));
}

void Supervisor::sweep_sets() {
  const auto alone = os::Lock::take(options_.state / "sets", os::Lock::Kind::kExclusive, "admit fills a set");
  if (!alone) return;  // an admit is at work, maybe one of a supervisor that was killed: when it has ended
  sweep_wanted_ = false;
  if (const auto cleared = clear_sets(files_, options_.state / "sets", [this](const Set& set) { return activation_->retains(set); }); !cleared) note("old content stays on the disk: " + cleared.error().detail);
}

// --- words of children

void Supervisor::hear_worker() {
  while (worker_) {
    const auto frame = worker_.socket.receive();
    if (!frame && frame.error().code == ErrorCode::kUnavailable) return;
    if (!frame) {
      if (frame.error().code == ErrorCode::kInvalid) {
        ++lies_;
        note("the worker sent a malformed message and is ended: " + frame.error().detail);
      }
      worker_.process.signal(SIGKILL);  // how it ended is told by its pidfd
      worker_.socket.close();
      return;
    }
    stall_.alive(clock_.monotonic(), worker_.process.cpu_time().value_or(std::chrono::nanoseconds(0)));
    if (frame->is<ipc::WorkerReady>()) {
      collector_ = std::string(frame->as<ipc::WorkerReady>().collector.view());
      note(fmt::format("worker ready: collector {}, {} types, {} inputs written", collector_, frame->as<ipc::WorkerReady>().types, frame->as<ipc::WorkerReady>().inputs));
    } else if (frame->is<ipc::Health>()) {
      health_ = frame->as<ipc::Health>();
    } else if (frame->is<ipc::Activated>()) {
      const auto activated = frame->as<ipc::Activated>();
      instances_ = activated.instances;
      held_count_ = activated.held;
      held_.clear();
      if (activated.set == worker_set_) feed(WorkerActivated{activated.set});
    } else if (frame->is<ipc::ActivationFailed>()) {
      const auto failed = frame->as<ipc::ActivationFailed>();
      if (failed.set == worker_set_) feed(WorkerRefused{failed.set, failed.reason, std::string(failed.detail.view())});
    } else if (frame->is<ipc::HeldInstance>()) {
      ipc::HeldForServer held;
      static_cast<ipc::HeldInstance&>(held) = frame->as<ipc::HeldInstance>();
      if (held_.size() < limits::kHeldReportedMax) held_.push_back(held);
      to_updater(ipc::encode(held, ipc::Process::kSupervisor));
    } else if (frame->is<ipc::FaultSeen>()) {
      const auto seen = frame->as<ipc::FaultSeen>();
      emit({seen.reason == Reason::kHitsOverBudget ? EventKind::kHitsOverBudget : EventKind::kFault, seen.set, fmt::format("rule {}: {}", seen.rule_id.view(), seen.detail.view())});
    }
  }
}

void Supervisor::hear_rehearsal() {
  const auto frame = rehearsal_.socket.receive();
  if (!frame && frame.error().code == ErrorCode::kInvalid) ++lies_;
  if (!frame || !frame->is<ipc::Rehearsed>()) return;
  const auto answer = frame->as<ipc::Rehearsed>();
  if (answer.set != rehearsal_set_) {
    ++lies_;
    return;
  }
  rehearsal_answered_ = true;
  note(fmt::format("rehearsed over {} own events, {} of the release's cases and {} sample events, {} matches{}{}", answer.own_events, answer.case_events, answer.sample_events, answer.matches, answer.detail.view().empty() ? "" : ": ", answer.detail.view()));
  feed(RehearsalEnded{answer.set, answer.passed == 1, answer.passed == 1 ? Reason::kNone : answer.reason == Reason::kNone ? Reason::kRehearsalFailed : answer.reason, std::string(answer.detail.view())});
}

void Supervisor::hear_updater() {
  while (updater_) {
    const auto frame = updater_.socket.receive();
    if (!frame && frame.error().code == ErrorCode::kUnavailable) return;
    if (!frame) {
      if (frame.error().code == ErrorCode::kInvalid) ++lies_;
      updater_.process.signal(SIGKILL);
      updater_.socket.close();
      return;
    }
    if (frame->is<ipc::UpdaterReady>()) {
      report_interval_ = milliseconds(frame->as<ipc::UpdaterReady>().report_interval_ms);
      updater_delay_ = milliseconds(0);
    } else if (frame->is<ipc::ReportAnswered>()) {
      report_interval_ = milliseconds(frame->as<ipc::ReportAnswered>().report_interval_ms);
      reached_ = frame->as<ipc::ReportAnswered>().reached == 1;
    } else if (frame->is<ipc::SpoolChanged>()) {
      admit_wanted_ = true;
    } else if (frame->is<ipc::GrantFetched>()) {
      if (frame->as<ipc::GrantFetched>().release == announcing_) admit_wanted_ = true;
    }
  }
}

void Supervisor::hear_admit() {
  const auto frame = admit_.socket.receive();
  if (!frame && frame.error().code == ErrorCode::kInvalid) ++lies_;
  if (!frame || !frame->is<ipc::Admitted>()) return;
  const auto answer = frame->as<ipc::Admitted>();
  const std::string detail(answer.detail.view());
  if (detail != admit_detail_ && !detail.empty()) note("admit: " + detail);
  admit_detail_ = detail;
  constexpr uint64_t kClockNotedMs = 60'000;  // less is how clocks differ
  if (answer.clock_behind_ms >= kClockNotedMs && clock_behind_ms_ < kClockNotedMs)
    note(fmt::format("this host's clock is {} s behind what signed metadata says: expiry is judged by the latter, and nothing that runs stops; set the clock", answer.clock_behind_ms / 1000));
  if (answer.clock_behind_ms < kClockNotedMs && clock_behind_ms_ >= kClockNotedMs) note("this host's clock is right again");
  clock_behind_ms_ = answer.clock_behind_ms;
  const ipc::Ladder& ladder = activation_->ladder();
  if (admit_running_ != activation_->running() || admit_ladder_.count != ladder.count || admit_ladder_.sets != ladder.sets) {
    admit_wanted_ = true;  // the answer to a question that is no longer asked
    return;
  }
  if (answer.trusted == 1) plan_sequence_ = answer.plan_sequence;
  if (answer.recheck_ms > 0) admit_due_ = std::min(*admit_due_, clock_.monotonic() + milliseconds(static_cast<int64_t>(std::min<uint64_t>(answer.recheck_ms, 60'000))));
  feed(AdmitAnswered{answer});
}

void Supervisor::to_updater(const ipc::Frame& frame) {
  if (options_.offline) return;
  for_updater_.push_back(frame);
  if (for_updater_.size() > kForUpdaterMax) for_updater_.pop_front();
  while (updater_.socket && !for_updater_.empty()) {
    if (!updater_.socket.send_frame(for_updater_.front(), {})) return;
    for_updater_.pop_front();
  }
}

void Supervisor::send_report(MonotonicTime now) {
  ipc::Report report;
  report.state = activation_->state();
  report.arm = activation_->arm();
  report.running = activation_->running();
  report.lkg = activation_->lkg();
  report.arm_release = activation_->arm_release();
  report.arm_age_ms = activation_->arm_age(now).count();
  report.uptime_ms = static_cast<uint64_t>((now - started_).count());
  report.plan_sequence = plan_sequence_;
  report.events = before_.events + health_.events;
  report.matches = before_.matches + health_.matches;
  report.faults = before_.faults + health_.faults;
  report.lost_events = before_.lost_events + health_.lost_events;
  report.lost_detections = before_.lost_detections + health_.lost_detections;
  report.clock_behind_ms = clock_behind_ms_;
  report.lost_correlated = before_.lost_correlated + health_.lost_correlated;
  report.worker_rss_kib = health_.rss_kib;
  report.running_release = activation_->name_of(report.running);
  to_updater(ipc::encode(report, ipc::Process::kSupervisor));
}

// --- time

void Supervisor::timers(MonotonicTime now) {
  if (worker_due_ && now >= *worker_due_) start_live_worker();
  if (updater_due_ && now >= *updater_due_) start_updater();
  if (admit_deadline_ && now >= *admit_deadline_ && admit_) {
    note("admit did not answer in time and is ended");
    admit_ = Child{};
    admit_deadline_.reset();
  }
  if (admit_due_ && now >= *admit_due_) admit_wanted_ = true;
  if (sweep_wanted_ && !admit_) sweep_sets();
  if (admit_wanted_ && !admit_) run_admit();
  if (worker_) {
    const auto cpu = worker_.process.cpu_time();
    if (cpu && stall_.stalled(now, *cpu)) {
      note("the worker stands still and is ended");
      worker_ = Child{};
      before_.events += health_.events;
      before_.matches += health_.matches;
      health_ = {};
      feed(WorkerStalled{"no sign of life"});
    }
  }
  feed(Tick{});
  if (store_.pending() && now >= retry_due_) {
    retry_due_ = now + milliseconds(1000);
    store_.retry();
  }
  if (now >= report_due_) {
    report_due_ = now + report_interval_;
    send_report(now);
  }
  if (now >= status_due_) {
    status_due_ = now + kStatusEvery;
    write_status();
  }
}

MonotonicTime Supervisor::next_timer(MonotonicTime now) const {
  MonotonicTime next = std::min(status_due_, report_due_);
  for (const auto& due : {worker_due_, updater_due_, admit_due_, admit_ ? admit_deadline_ : std::nullopt, activation_->deadline(), store_.pending() ? std::optional(retry_due_) : std::nullopt})
    if (due) next = std::min(next, *due);
  if (admit_wanted_ && !admit_) next = now;
  return next;
}

// Waits and hears. Returns nothing but having heard: the loop goes on.
std::vector<int> Supervisor::wait(MonotonicTime until) {
  std::vector<pollfd> waits;
  const auto add = [&](int fd) {
    if (fd >= 0) waits.push_back({fd, POLLIN, 0});
  };
  add(signals_.get());
  if (connector_) add(connector_.process.pidfd());
  for (const Child* child : {&worker_, &rehearsal_, &updater_, &admit_}) {
    if (!*child) continue;
    add(child->socket.fd());
    add(child->process.pidfd());
  }
  const MonotonicTime now = clock_.monotonic();
  const int64_t span = std::clamp<int64_t>((until - now).count(), 0, 10'000);
  ::poll(waits.data(), waits.size(), static_cast<int>(span));
  const MonotonicTime late = clock_.monotonic() - now - milliseconds(span);
  if (late > milliseconds(200)) stall_.late(late);
  std::vector<int> ready;
  for (const pollfd& entry : waits)
    if (entry.revents != 0) ready.push_back(entry.fd);
  return ready;
}

int Supervisor::run() {
  note(fmt::format("running on `{}`", options_.state.string()));
  while (!stopping_) {
    timers(clock_.monotonic());
    const std::vector<int> ready = wait(next_timer(clock_.monotonic()));
    const auto is_ready = [&](int fd) { return fd >= 0 && std::ranges::find(ready, fd) != ready.end(); };
    if (is_ready(signals_.get())) {
      signalfd_siginfo info{};
      while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) stopping_ = stopping_ || info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT;
    }
    if (connector_ && is_ready(connector_.process.pidfd()))
      if (const auto status = connector_.process.exited()) {
        note("collect: the process connector's reader ended with " + status->text() + "; this host is not watched any more until the sensor is started again");
        connector_ = Child{};
      }
    // First the last words, then the end of whoever spoke them.
    if (worker_ && is_ready(worker_.socket.fd())) hear_worker();
    if (worker_ && is_ready(worker_.process.pidfd()))
      if (const auto status = worker_.process.exited()) {
        if (worker_.socket) hear_worker();
        worker_gone(status->text());
      }
    if (rehearsal_ && is_ready(rehearsal_.socket.fd())) hear_rehearsal();
    if (rehearsal_ && is_ready(rehearsal_.process.pidfd()))
      if (const auto status = rehearsal_.process.exited()) {
        if (!rehearsal_answered_) hear_rehearsal();
        const bool answered = rehearsal_answered_;
        const Set set = rehearsal_set_;
        rehearsal_ = Child{};
        if (!answered) feed(RehearsalEnded{set, false, Reason::kRehearsalFailed, "the rehearsal ended with " + status->text()});
      }
    if (updater_ && is_ready(updater_.socket.fd())) hear_updater();
    if (updater_ && is_ready(updater_.process.pidfd()))
      if (const auto status = updater_.process.exited()) {
        updater_ = Child{};
        updater_delay_ = std::clamp(updater_delay_ * 2, milliseconds(500), kUpdaterDelayMax);
        updater_due_ = clock_.monotonic() + updater_delay_;
        note(fmt::format("the updater ended with {}; again in {} ms", status->text(), updater_delay_.count()));
      }
    if (admit_ && is_ready(admit_.socket.fd())) hear_admit();
    if (admit_ && is_ready(admit_.process.pidfd()))
      if (const auto status = admit_.process.exited()) {
        if (!status->clean()) note("admit ended with " + status->text());
        admit_ = Child{};
        admit_deadline_.reset();
      }
  }
  shut_down();
  return 0;
}

void Supervisor::shut_down() {
  note("stopping");
  if (const auto stored = store_.store(ipc::Session{ipc::BootId(options_.boot_id), 1, {}}); !stored) note("cannot record the clean stop: " + stored.error().detail);
  send_report(clock_.monotonic());
  write_status();
  worker_ = Child{};
  rehearsal_ = Child{};
  admit_ = Child{};
  if (updater_) {  // it may still say goodbye; not for long
    updater_.socket.close();
    pollfd waiting{updater_.process.pidfd(), POLLIN, 0};
    ::poll(&waiting, 1, 1500);
    updater_ = Child{};
  }
}

// --- for people

void Supervisor::note(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  fmt::print(stderr, "creance-sensor: {}\n", text);
  notes_.push_back({clock_.wall(), std::move(text)});
  if (notes_.size() > kNotesMax) notes_.pop_front();
}

void Supervisor::write_status() {
  const MonotonicTime now = clock_.monotonic();
  const auto name = [&](const Set& set) { return std::string(activation_->name_of(set).view()); };
  std::string json = fmt::format("{{\"state\":\"{}\",\"phase\":\"{}\",\"running_release\":{},\"running_digest\":\"{}\",\"lkg_release\":{},\"lkg_digest\":\"{}\",\"arm\":\"{}\",\"arm_age_ms\":{},\"plan_sequence\":{},", to_string(activation_->state()),
                                 to_string(activation_->phase()), json_text(name(activation_->running())), hex_or_none(activation_->running()), json_text(name(activation_->lkg())), hex_or_none(activation_->lkg()),
                                 activation_->arm() == Arm::kGo ? "go" : activation_->arm() == Arm::kHold ? "hold" : "", activation_->arm_age(now).count(), plan_sequence_);
  json += fmt::format("\"server_reached\":{},\"collector\":{},\"uptime_ms\":{},\"worker_pid\":{},\"worker_starts\":{},\"instances\":{},\"held_count\":{},\"events\":{},\"matches\":{},\"faults\":{},\"events_lost\":{},\"detections_lost\":{},\"worker_rss_kib\":{},\"clock_behind_ms\":{},",
                      reached_ ? "true" : "false", json_text(collector_), (now - started_).count(), worker_ ? worker_.process.pid() : 0, worker_starts_, instances_, held_count_, before_.events + health_.events,
                      before_.matches + health_.matches, before_.faults + health_.faults, before_.lost_events + health_.lost_events, before_.lost_detections + health_.lost_detections, health_.rss_kib, clock_behind_ms_);
  std::string refusals, held, notes, why;
  for (size_t i = 0; i < activation_->refusals().count; ++i) {
    const ipc::Refusal& entry = activation_->refusals().list[i];
    refusals += fmt::format("{}{{\"release_digest\":\"{}\",\"reason\":\"{}\",\"detail\":{}}}", i > 0 ? "," : "", to_hex(entry.release), to_string(entry.reason), json_text(entry.detail.view()));
    why += fmt::format("refused {}: {} ({})\n", to_hex(entry.release).substr(0, 12), to_string(entry.reason), entry.detail.view());
  }
  for (const ipc::HeldInstance& entry : held_) {
    held += fmt::format("{}{{\"rule_id\":{},\"input\":{}}}", held.empty() ? "" : ",", json_text(entry.rule_id.view()), json_text(entry.input.view()));
    why += fmt::format("held rule {}: this host cannot say {}\n", entry.rule_id.view(), entry.input.view());
  }
  for (const Note& entry : notes_) {
    const std::string line = fmt::format("{} {}", entry.at.time_since_epoch().count(), entry.text);
    notes += fmt::format("{}{{\"at_ms\":{},\"text\":{}}}", notes.empty() ? "" : ",", entry.at.time_since_epoch().count(), json_text(entry.text));
    why += line + "\n";
  }
  json += fmt::format("\"admit\":{},\"refusals\":[{}],\"held\":[{}],\"notes\":[{}]}}\n", json_text(admit_detail_), refusals, held, notes);
  const std::string running = activation_->running() == kNoSet ? "no content" : fmt::format("{} ({})", name(activation_->running()), hex_or_none(activation_->running()).substr(0, 12));
  const std::string text = fmt::format("state      {}\nrunning    {}\nlast good  {}\ncollector  {}\nrules      {} ({} held: inputs that this host cannot say)\nevents     {} ({} lost), {} matches, {} faults\nserver     {}\nplan       {}{}\n", to_string(activation_->state()),
                                       running, activation_->lkg() == kNoSet ? "none" : name(activation_->lkg()), collector_, instances_, held_count_, before_.events + health_.events, before_.lost_events + health_.lost_events,
                                       before_.matches + health_.matches, before_.faults + health_.faults, options_.offline ? "not asked (offline)" : reached_ ? "reached" : "not reached", plan_sequence_, admit_detail_.empty() ? "" : ", " + admit_detail_);
  for (const auto& [file, content] : {std::pair<const char*, const std::string&>{"state/status.json", json}, {"state/status.txt", text}, {"state/why.txt", why}})
    if (const auto written = os::write_unsynced(options_.state / file, content, 0644); !written) fmt::print(stderr, "creance-sensor: {}\n", written.error().detail);
}

}  // namespace creance::sensor
