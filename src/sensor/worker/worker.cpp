#include "sensor/worker/worker.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "base/limits.hpp"
#ifdef CREANCE_FAULT_POINTS
#include <atomic>
#include <csignal>
#endif

namespace creance::sensor {
namespace {
constexpr int kEventsPerTurn = 128;      // then the supervisor is listened to again
constexpr uint32_t kRememberedPerSecond = 64;  // events of one Type, for rehearsals
constexpr int kFramesPerTurn = 16;       // of words for the supervisor: hundreds of held instances must not keep an event waiting
constexpr size_t kOutboxMax = 4'096;     // above, health and notes are dropped: the supervisor does not read
}  // namespace

Worker::Worker(const WorkerOptions& options, ipc::Socket supervisor, std::unique_ptr<Collector> collector, RecentEvents recent, const Clock& clock)
    : options_(options), supervisor_(std::move(supervisor)), collector_(std::move(collector)), recent_(std::move(recent)), clock_(clock),
      evaluation_(collector_->supplied(), options.host,
                  {[this](std::string_view rule_id, std::string_view line) { detect(rule_id, line); },
                   [this](const Suspension& suspension) {
                     ipc::FaultSeen seen;
                     seen.set = evaluation_.active().set();
                     seen.reason = suspension.reason;
                     seen.rule_id.assign(suspension.rule_id);
                     seen.detail.assign(suspension.detail);
                     if (outbox_.size() < kOutboxMax) say(seen);
                   },
                   [this](std::string_view rule_id) { budget_.left_out(rule_id); },
                   [this](uint64_t file) {
                     recent_.evaluating(file);
                     if (file != 0) fault_point();
                   }}, options.budget, options.hash_key) {}

void Worker::start() {
  recent_.evaluating(0);
  ipc::WorkerReady ready;
  for (const Supplied& supplied : collector_->supplied()) ready.inputs += static_cast<uint32_t>(supplied.type->inputs.size());
  ready.types = static_cast<uint32_t>(collector_->supplied().size());
  ready.build.assign(options_.build);
  ready.collector.assign(collector_->name());
  say(ready);
  // Before the first event: what a worker that died left unread is for this content.
  preparer_->want(options_.first_set);
  activate(preparer_->wait());
}

void Worker::activate(Preparer::Ready ready) {
  if (!ready.content) {
    ipc::ActivationFailed failed;
    failed.set = ready.set;
    failed.reason = ipc::Reason::kVerifyFailed;
    failed.detail.assign(ready.content.error().detail);
    say(failed);
    return;
  }
  preparer_->give_back(evaluation_.swap(std::move(*ready.content)));
  collector_->wants([this](uint32_t type) { return evaluation_.active().of_type(type) != nullptr; });
  since_activation_ = 0;
  held_told_ = 0;
  ipc::Activated activated;
  activated.set = ready.set;
  activated.channels = static_cast<uint32_t>(evaluation_.active().channels().size());
  activated.instances = evaluation_.active().instances();
  activated.held = static_cast<uint32_t>(evaluation_.active().held().size());
  say(activated);
}

// A few at a time, as the supervisor takes them.
void Worker::tell_held() {
  const auto held = evaluation_.active().held();
  for (; outbox_.size() < kFramesPerTurn && held_told_ < held.size() && held_told_ < limits::kHeldReportedMax; ++held_told_) {
    ipc::HeldInstance message;
    message.set = evaluation_.active().set();
    message.index = held_told_;
    message.total = static_cast<uint32_t>(held.size());
    message.rule_id.assign(held[held_told_].rule_id);
    message.input.assign(held[held_told_].input);
    say(message);
  }
}

bool Worker::listen() {
  while (!preparer_->full()) {  // else the questions wait in the socket
    const auto frame = supervisor_.receive();
    if (!frame && frame.error().code == ErrorCode::kUnavailable) return true;
    if (!frame) return false;  // gone, or not the supervisor that this worker was built with
    if (frame->is<ipc::Activate>()) preparer_->want(frame->as<ipc::Activate>().set);
  }
  return true;
}

void Worker::flush() {
  for (int i = 0; i < kFramesPerTurn && !outbox_.empty(); ++i) {
    if (const auto sent = supervisor_.send_frame(outbox_.front(), {}); !sent) return;
    outbox_.pop_front();
  }
}

uint64_t Worker::resident_kib() const {
  std::array<char, 128> text{};
  const ssize_t n = options_.memory_statistics < 0 ? 0 : ::pread(options_.memory_statistics, text.data(), text.size(), 0);
  const std::string_view line(text.data(), n > 0 ? static_cast<size_t>(n) : 0);
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return 0;
  uint64_t pages = 0;
  std::from_chars(line.data() + space + 1, line.data() + line.size(), pages);
  return pages * 4;
}

void Worker::send_health() {
  if (outbox_.size() >= kOutboxMax) return;
  if (const auto left_out = budget_.summary(clock_.monotonic())) say(*left_out);
  ipc::Health health;
  health.set = evaluation_.active().set();
  health.events = evaluation_.totals().events;
  health.matches = evaluation_.totals().matches;
  health.faults = evaluation_.totals().faults;
  health.lost_events = collector_->lost();
  health.lost_detections = budget_.total();
  health.lost_correlated = evaluation_.totals().lost_correlated;
  health.rss_kib = resident_kib();
  if (const auto crashed = collector_->crashed()) health.crashed = static_cast<int64_t>(std::min<uint64_t>(*crashed, INT64_MAX));
  health.ended = ended_ ? 1 : 0;
  say(health);
}

void Worker::detect(std::string_view rule_id, std::string_view line) {
  iovec part{const_cast<char*>(line.data()), line.size()};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;  // sendmsg, since the sandbox knows no other way to send
  if (!budget_.spend(clock_.monotonic(), line.size()) || ::sendmsg(options_.detections, &header, MSG_DONTWAIT | MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) budget_.left_out(rule_id);
}

void Worker::fault_point() {
#ifdef CREANCE_FAULT_POINTS
  // By a tag of any rule of the content.
  static std::vector<std::unique_ptr<char[]>> leaked;
  const auto leak = [] {
    leaked.push_back(std::make_unique<char[]>(8u << 20));
    std::fill_n(leaked.back().get(), 8u << 20, '\1');  // used, so that it is resident
  };
  if (!live_) {
    if (!evaluation_.active().has_tag("creance.fault-point.rehearsal-leak")) return;
    while (leaked.size() < 80) leak();
    for (;;) ::poll(nullptr, 0, -1);
  }
  ++since_activation_;
  if (evaluation_.active().has_tag("creance.fault-point.worker-leak")) leak();  // in every event a little
  if (since_activation_ != 3) return;
  if (evaluation_.active().has_tag("creance.fault-point.worker-abort")) {
    ::signal(SIGSEGV, SIG_DFL);  // a death by the signal, under a sanitizer too
    ::raise(SIGSEGV);
  }
  if (evaluation_.active().has_tag("creance.fault-point.worker-hang"))
    for (;;) ::poll(nullptr, 0, -1);
  if (evaluation_.active().has_tag("creance.fault-point.worker-spin"))
    for (;;) std::atomic_signal_fence(std::memory_order_seq_cst);  // something, so that the loop may not be taken away
  if (evaluation_.active().has_tag("creance.fault-point.worker-grow")) {
    std::vector<std::unique_ptr<char[]>> memory;
    for (;;) memory.push_back(std::make_unique_for_overwrite<char[]>(16u << 20));  // until its limit
  }
#endif
}

// A storm of one Type neither costs the copying of each event nor drives all else out of the few hundred that are kept.
void Worker::remember(const Event& event, MonotonicTime now) {
  if (now - remembered_second_ >= MonotonicTime(1'000)) {
    remembered_second_ = now;
    remembered_.assign(collector_->supplied().size(), 0);
  }
  if (remembered_[event.type]++ < kRememberedPerSecond) recent_.remember(collector_->supplied()[event.type].type->fingerprint, event.inputs);
}

bool Worker::work() {
  for (int i = 0; i < kEventsPerTurn; ++i) {
    const MonotonicTime now = clock_.monotonic();
    Event event;
    const Next next = collector_->next(now, event);
    ended_ = next == Next::kEnded;
    if (next != Next::kEvent) return next == Next::kNothing && collector_->due() && *collector_->due() <= now;
    crowd_.event(now);
    remember(event, now);
    evaluation_.evaluate(event, now, true);
    collector_->consumed();
  }
  return true;
}

// Until there is something to do, and not beyond the next health message. While events come one upon the other, they are fetched together and not one by one (crowd.hpp).
void Worker::wait(bool more) {
  if (more && outbox_.size() <= 64) return;
  MonotonicTime until = health_due_;
  if (const auto due = collector_->due()) until = std::min(until, *due);
  const MonotonicTime now = clock_.monotonic();
  int64_t wait_ms = more ? 0 : std::clamp<int64_t>((until - now).count(), 0, kHealthInterval.count());
  const bool gathers = collector_->descriptor() >= 0 && crowd_.dense(now);
  if (gathers) wait_ms = std::min(wait_ms, Crowd::kGather.count());
  std::array<pollfd, 3> waits = {pollfd{preparer_->full() ? -1 : supervisor_.fd(), static_cast<short>(outbox_.empty() ? POLLIN : POLLIN | POLLOUT), 0}, pollfd{preparer_->descriptor(), POLLIN, 0},
                                 pollfd{gathers ? -1 : collector_->descriptor(), POLLIN, 0}};
  ::poll(waits.data(), waits.size(), static_cast<int>(wait_ms));
}

int Worker::run(std::unique_ptr<Preparer> preparer) {
  live_ = true;
  preparer_ = std::move(preparer);
  start();
  for (;;) {
    if (!listen()) return 0;
    while (auto ready = preparer_->take()) activate(std::move(*ready));
    const bool more = work();
    const MonotonicTime now = clock_.monotonic();
    if (now >= health_due_) {
      health_due_ = now + kHealthInterval;
      send_health();
    }
    tell_held();
    flush();
    wait(more);
  }
}

int Worker::rehearse(const ipc::Set& set, Result<std::unique_ptr<ActiveSet>> loaded) {
  ipc::Rehearsed answer;
  answer.set = set;
  if (!loaded) {
    answer.reason = ipc::Reason::kVerifyFailed;
    answer.detail.assign(loaded.error().detail);
  } else {
    (void)evaluation_.swap(std::move(*loaded));
    answer = sensor::rehearse(evaluation_, collector_->supplied(), recent_.snapshot());
  }
  say(answer);
  flush();
  return outbox_.empty() ? 0 : 2;
}

}  // namespace creance::sensor
