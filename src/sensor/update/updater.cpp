#include "sensor/update/updater.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>

#include "base/sensor_limits.hpp"
#include "plan/evidence.hpp"
#include "plan/plan.hpp"
#include "plan/policy.hpp"
#include "plan/release.hpp"

namespace creance::sensor {
namespace {

constexpr size_t kEventsMax = 512;
constexpr MonotonicTime kDeliverEvery{400};
constexpr std::chrono::milliseconds kAwayMax{30'000};
constexpr MonotonicTime kFetchRetry{2'000};
constexpr MonotonicTime kPruneAfter{120'000};

std::optional<Digest> digest_of(const ipc::Set& set) {
  if (set == ipc::kNoSet) return std::nullopt;
  return Digest{set};
}

std::map<std::string, int64_t> vitals_of(const ipc::Vitals& v) {
  std::map<std::string, int64_t> out = {{"cpu_some", v.cpu_some},           {"memory_some", v.memory_some}, {"memory_full", v.memory_full},       {"io_full", v.io_full},
                                        {"oom_kills", v.oom_kills},         {"disk_free_mib", v.disk_free_mib}, {"disk_mib", v.disk_mib},         {"others_crashed", v.others_crashed},
                                        {"boots", v.boots},                 {"boot_ms", v.boot_ms},         {"sensor_cpu_ms", v.sensor_cpu_ms},   {"sensor_rss_kib", v.sensor_rss_kib}};
  std::erase_if(out, [](const auto& entry) { return entry.second == ipc::Vitals::kUnknown; });
  return out;
}

trust::HttpOptions tree_options(const std::string& server) {
  trust::HttpOptions options;
  options.base_url = server + "/tuf/";
  return options;
}

}  // namespace

Updater::Updater(UpdaterOptions options, Identity identity, trust::KeyPair& key, ipc::Socket supervisor, FileSystem& files, const Clock& clock)
    : options_(std::move(options)), identity_(std::move(identity)), api_(identity_.server, identity_.sensor_id, key), supervisor_(std::move(supervisor)), files_(files), clock_(clock),
      http_(tree_options(identity_.server)), deltas_(http_, files, options_.state / "spool"), recorder_(deltas_, files, options_.state / "spool"), client_(recorder_, files, options_.state / "spool/.seen"), outbox_(files, options_.state / "outbox"),
      interval_(identity_.report_interval_ms) {}

Status Updater::start(BytesView root) {
  TRY_VOID(files_.make_directories(options_.state / "spool/.seen"));
  TRY_VOID(client_.init(root));
  sequence_ = clock_.monotonic().count();  // grows over restarts of this process within one epoch of the supervisor too
  if (const auto bytes = files_.read(options_.state / "manifest.json", limits::kHttpBodyBytesMax))
    if (const auto json = parse_json(*bytes))
      if (auto manifest = plan::Manifest::parse(JsonField(*json))) manifest_ = std::move(*manifest);
  say(ipc::UpdaterReady{static_cast<uint32_t>(interval_.count())});
  return {};
}

void Updater::complain(const std::string& text) {
  if (text != last_complaint_) fmt::print(stderr, "creance-sensor-updater: {}\n", text);
  last_complaint_ = text;
}

// --- words of the supervisor, detections of the worker

bool Updater::listen() {
  for (;;) {
    const auto frame = supervisor_.receive();
    if (!frame && frame.error().code == ErrorCode::kUnavailable) return true;
    if (!frame) return false;
    if (frame->is<ipc::Announce>()) {
      const auto wanted = frame->as<ipc::Announce>();
      announcement_ = wanted.release == ipc::kNoSet ? std::nullopt : std::optional(wanted);
      announce_due_ = MonotonicTime(0);
    } else if (frame->is<ipc::Report>()) {
      latest_ = frame->as<ipc::Report>();
      options_.boot_epoch = to_hex(latest_->epoch);
    } else if (frame->is<ipc::ReportEvent>()) {
      const auto seen = frame->as<ipc::ReportEvent>();
      plan::SensorEvent event;
      if (const auto kind = plan::parse_event_kind(to_string(seen.kind))) event.kind = *kind;
      event.release_digest = digest_of(seen.release);
      event.at_ms = static_cast<int64_t>(seen.at_ms);
      event.detail = std::string(seen.detail.view());
      event.rule_id = std::string(seen.rule_id.view());
      events_.push_back(std::move(event));
      if (events_.size() > kEventsMax) {
        events_.pop_front();
        events_let_go_ = true;
        if (unanswered_events_ > 0) --unanswered_events_;
      }
    } else if (frame->is<ipc::HeldForServer>()) {
      const auto seen = frame->as<ipc::HeldForServer>();
      if (seen.index == 0) held_.clear();
      held_.push_back({std::string(seen.rule_id.view()), std::string(seen.input.view())});
      held_changed_ = true;
    }
  }
}

void Updater::gather() {
  std::string line(limits::kDetectionBytesMax + 1, '\0');
  for (int i = 0; i < 1024; ++i) {
    const ssize_t n = ::recv(options_.detections, line.data(), line.size(), MSG_DONTWAIT);
    if (n <= 0) return;
    std::string_view text(line.data(), static_cast<size_t>(n));
    if (text.find('\n') != std::string_view::npos) text = {};  // one line is one detection; anything else is counted as lost
    outbox_.add(text);
  }
}

// --- the tree

void Updater::fetch() {
  fetch_due_ = clock_.monotonic() + interval_;
  auto bytes = http_.fetch("metadata/timestamp.json", limits::kTimestampBytesMax);
  if (!bytes) {
    fetch_due_ += kFetchRetry;
    return complain(fmt::format("cannot fetch the tree: {}", bytes.error().detail));
  }
  if (as_text(*bytes) == timestamp_) {
    // Long enough unchanged for admit to have read what is there: what it will not ask for again goes.
    if (changed_ && clock_.monotonic() - *changed_ > kPruneAfter && client_.trusted() != nullptr) {
      changed_.reset();
      if (const auto pruned = recorder_.prune(*client_.trusted()); !pruned) complain(pruned.error().detail);
    }
    return;
  }
  changed_ = clock_.monotonic();
  if (const auto done = fetch_all(); !done) {
    fetch_due_ += kFetchRetry;
    complain(fmt::format("cannot follow the tree: {}", done.error().detail));
    say(ipc::SpoolChanged{++generation_});  // what is there may be enough, and admit says why if not
    return;
  }
  timestamp_ = std::string(as_text(*bytes));
  say(ipc::SpoolChanged{++generation_});
}

// Between two files, each of which may take minutes over a slow line: the supervisor is heard and reports go on, by which it knows that this process lives.
Status Updater::meanwhile() {
  if (!listen()) return fail(ErrorCode::kUnavailable, "the supervisor is gone");
  gather();
  if ((latest_ || unanswered_) && clock_.monotonic() >= report_due_) report();
  return {};
}

// Everything that the newest plan may want of this host. What is wrong here is admit's to judge; what is missing is fetched next time.
Status Updater::fetch_all() {
  TRY_VOID(client_.refresh(clock_.wall()));
  const auto spool = [&](const std::string& path) -> Result<std::optional<Bytes>> {
    auto info = client_.target(path);
    if (!info && info.error().code == ErrorCode::kNotFound) return std::optional<Bytes>();
    if (!info) return fail(info.error());
    const std::filesystem::path file = options_.state / "spool" / info->fetched_as;
    if (spooled_.contains(info->fetched_as) && files_.exists(file)) {
      TRY(Bytes kept, files_.read(file, limits::kTargetBytesMax));
      return std::optional<Bytes>(std::move(kept));
    }
    TRY_VOID(meanwhile());
    TRY(Bytes fetched, client_.download(*info));
    spooled_.insert(info->fetched_as);
    return std::optional<Bytes>(std::move(fetched));
  };
  for (const std::string& path : {plan::Policy::path(identity_.tenant), std::string(plan::DenyList::kPath)}) {
    TRY(const auto document, spool(path));
    (void)document;
  }
  TRY(const auto plan_bytes, spool(std::string(plan::Plan::kPath)));
  if (!plan_bytes) return {};
  TRY(const plan::Plan plan, plan::Plan::parse(*plan_bytes));
  std::set<std::string> complete;
  for (const plan::Rollout& rollout : plan.rollouts) {
    if (rollout.state == plan::RolloutState::kHalted || rollout.state == plan::RolloutState::kWithdrawn) continue;
    const std::string tenant(plan::tenant_of(rollout.release));
    if ((!tenant.empty() && tenant != identity_.tenant) || complete.contains(tenant)) continue;  // of each kind, nothing older than what is complete can be wanted any more
    TRY(const auto document, spool(plan::release_folder(rollout.release) + "/release.json"));
    if (!document) continue;
    TRY(const plan::Release release, plan::Release::parse(*document));
    for (const plan::ChannelRef& channel : release.channels) {
      TRY(const auto file, spool(channel.path));
      (void)file;
      if (!channel.cases) continue;
      TRY(const auto cases, spool(channel.cases->path));
      (void)cases;
    }
    if (release.evidence) {  // wherever there is one: whether it is required stands in the owner's file, which this process may not read
      TRY(const auto evidence, spool(plan::Evidence::path(release.name)));
      (void)evidence;
    }
    if (rollout.state == plan::RolloutState::kComplete) complete.insert(tenant);
  }
  return {};
}

// --- the server

void Updater::announce() {
  if (!announcement_) return;
  plan::Announce message;
  message.sensor_id = identity_.sensor_id;
  message.boot_epoch = options_.boot_epoch;
  message.release_digest = *digest_of(announcement_->release);
  message.running_digest = digest_of(announcement_->running);
  announce_due_ = clock_.monotonic() + MonotonicTime(2'000);
  const auto answer = api_.post("announce", to_json(message.to_json()));
  if (!answer) return complain(fmt::format("cannot announce: {}", answer.error().detail));
  if (answer->status == 202) {
    const auto wait = plan::Wait::parse(as_bytes(answer->body));
    announce_due_ = clock_.monotonic() + std::clamp(wait ? wait->wait : interval_, std::chrono::milliseconds(200), std::chrono::milliseconds(60'000));
    return;
  }
  if (answer->status != 200) return complain(fmt::format("the server does not take the announcement: {}", problem_of(*answer)));
  if (const auto written = files_.write_atomic(options_.state / "spool/grant.json", as_bytes(answer->body), 0644); !written) return complain(written.error().detail);
  say(ipc::GrantFetched{announcement_->release});
  announce_due_ = clock_.monotonic() + MonotonicTime(10'000);  // again only if admit did not like it
}

void Updater::answered(bool reached, ipc::Wants wants, bool unknown) { say(ipc::ReportAnswered{static_cast<uint32_t>(interval_.count()), reached, wants, unknown, 0, events_taken_}); }

void Updater::report(bool last_words) {
  if (!unanswered_) {
    if (!latest_) return;
    plan::Report report;
    report.sensor_id = identity_.sensor_id;
    report.machine_id = identity_.machine_id;
    report.boot_id = options_.boot_id;
    report.boot_epoch = options_.boot_epoch;
    report.sequence = ++sequence_;
    if (const auto state = plan::parse_sensor_state(to_string(latest_->state))) report.state = *state;
    report.running_digest = digest_of(latest_->running);
    report.lkg_digest = digest_of(latest_->lkg);
    report.running_release = std::string(latest_->running_release.view());
    report.plan_sequence = static_cast<int64_t>(latest_->plan_sequence);
    report.uptime_ms = static_cast<int64_t>(latest_->uptime_ms);
    if (latest_->arm != ipc::Arm::kNone) report.arm = latest_->arm == ipc::Arm::kGo ? plan::Verdict::kGo : plan::Verdict::kHold;
    report.arm_digest = digest_of(latest_->arm_release);
    report.arm_age_ms = latest_->arm_age_ms;
    report.events.assign(events_.begin(), events_.end());
    report.counters.events = static_cast<int64_t>(latest_->events);
    report.counters.matches = static_cast<int64_t>(latest_->matches);
    report.counters.faults = static_cast<int64_t>(latest_->faults);
    report.counters.events_lost = static_cast<int64_t>(latest_->lost_events);
    report.counters.worker_rss_kib = static_cast<int64_t>(latest_->worker_rss_kib);
    report.counters.more["clock_behind_ms"] = static_cast<int64_t>(latest_->clock_behind_ms);
    report.counters.more["correlated_lost"] = static_cast<int64_t>(latest_->lost_correlated);
    report.counters.more["detections_lost"] = static_cast<int64_t>(latest_->lost_detections + outbox_.lost());
    report.vitals = vitals_of(latest_->vitals);
    if (latest_->paused_ms > 0) report.pause = plan::LocalPause{std::chrono::milliseconds(static_cast<int64_t>(std::min<uint64_t>(latest_->paused_ms, limits::kPauseMsMax))), std::string(latest_->pause_reason.view())};
    report.manifest = manifest_;
    if (held_changed_) report.held = held_;
    unanswered_events_ = events_.size();
    unanswered_manifest_ = manifest_.has_value();
    unanswered_held_ = held_changed_;
    unanswered_ = std::move(report);
    latest_.reset();
  }
  auto answer = api_.post("report", to_json(unanswered_->to_json()));
  // After a start the server asks whether this is said now. Last words are no sign of life: they are not said again.
  for (int asked = 0; asked < 2 && !last_words && answer && answer->status == 409; ++asked) {
    const auto problem = plan::Problem::parse(as_bytes(answer->body));
    if (!problem || problem->type != plan::kProblemNonce || problem->nonce.empty()) break;
    unanswered_->nonce = problem->nonce;
    answer = api_.post("report", to_json(unanswered_->to_json()));
  }
  if (!answer || answer->status >= 500) {
    away_ = std::clamp(away_ * 2, interval_, kAwayMax);
    report_due_ = clock_.monotonic() + away_;
    complain(fmt::format("cannot report: {}", answer ? problem_of(*answer) : answer.error().detail));
    answered(false);
    return;
  }
  away_ = std::chrono::milliseconds(0);
  // 200: the server has it. Anything else: said again in the next report, but a report that is refused three times is let go.
  refusals_ = answer->status == 200 ? 0 : refusals_ + 1;
  if (refusals_ == 0 || refusals_ >= 3) {
    events_let_go_ = events_let_go_ || refusals_ > 0;
    if (!events_let_go_) events_taken_ += std::min(unanswered_events_, events_.size());
    refusals_ = 0;
    events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(std::min(unanswered_events_, events_.size())));
    if (unanswered_manifest_) manifest_.reset();
    if (unanswered_held_) held_changed_ = false;
  }
  unanswered_.reset();
  if (answer->status != 200) {
    auto wants = ipc::Wants::kNothing;
    if (answer->status == 409)
      if (const auto problem = plan::Problem::parse(as_bytes(answer->body))) wants = problem->type == plan::kProblemNewEpoch ? ipc::Wants::kNewEpoch : problem->type == plan::kProblemEnrolAgain ? ipc::Wants::kEnrolAgain : wants;
    const bool unknown = answer->status == 401;
    if (unknown) interval_ = std::chrono::milliseconds(identity_.report_interval_ms);  // who does not know this sensor has no say in its rhythm
    answered(true, wants, unknown);
    return complain(fmt::format("the server does not take the report: {}", problem_of(*answer)));
  }
  if (const auto response = plan::ReportResponse::parse(as_bytes(answer->body))) interval_ = std::clamp(response->report_interval, std::chrono::milliseconds(100), std::chrono::milliseconds(86'400'000));
  last_complaint_.clear();
  answered(true);
}

void Updater::deliver() {
  deliver_due_ = clock_.monotonic() + kDeliverEvery;
  for (int i = 0; i < 4; ++i) {
    const auto batch = outbox_.next();
    if (!batch) return;
    const auto answer = api_.post("detections", *batch, "application/x-ndjson");
    if (!answer || answer->status >= 500 || answer->status == 429 || answer->status == 401) {  // 401: whose they are may yet be put right
      outbox_.park();
      deliver_due_ = clock_.monotonic() + std::max<MonotonicTime>(away_, MonotonicTime(2'000));
      return complain(fmt::format("cannot deliver detections: {}", answer ? problem_of(*answer) : answer.error().detail));
    }
    if (answer->status != 200) complain(fmt::format("the server does not take these detections: {}", problem_of(*answer)));
    outbox_.sent();
  }
}

int Updater::run() {
  for (;;) {
    if (!listen()) {
      report(true);  // its last words, if they can still be said
      return 0;
    }
    gather();
    MonotonicTime now = clock_.monotonic();
    if (announcement_ && now >= announce_due_) announce();
    if ((latest_ || unanswered_) && now >= report_due_) report();
    if ((!outbox_.empty() && now >= deliver_due_) || outbox_.full()) deliver();
    if (now >= fetch_due_) {
      fetch();
      if (options_.outdated && options_.outdated()) return 0;
    }
    now = clock_.monotonic();
    MonotonicTime next = fetch_due_;
    if (announcement_) next = std::min(next, announce_due_);
    if (latest_ || unanswered_) next = std::min(next, report_due_);
    if (!outbox_.empty()) next = std::min(next, deliver_due_);
    pollfd waits[] = {{supervisor_.fd(), POLLIN, 0}, {options_.detections, POLLIN, 0}};
    // Detections wait for their batch: only the supervisor's words wake at once.
    ::poll(waits, outbox_.empty() ? 2 : 1, static_cast<int>(std::clamp<int64_t>((next - now).count(), 0, 60'000)));
  }
}

void Updater::stop() {
  gather();
  outbox_.park();
}

}  // namespace creance::sensor
