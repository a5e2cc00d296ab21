// What the supervisor says: to people (status, why), to the server (reports), and about itself in detections of its own.
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "base/os/real.hpp"
#include "base/rfc3339.hpp"
#include "sensor/supervise/span_text.hpp"
#include "sensor/supervise/supervisor.hpp"

namespace creance::sensor {
namespace {

constexpr size_t kNotesMax = 64;

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

// --- for the server

void Supervisor::send_report(MonotonicTime now) {
  const Activation& activation = conductor_.activation();
  ipc::Report report;
  report.epoch = epoch_;
  report.state = activation.state();
  report.arm = activation.arm();
  report.running = activation.running();
  report.lkg = activation.lkg();
  report.arm_release = activation.arm_release();
  report.arm_age_ms = activation.arm_age(now).count();
  report.uptime_ms = static_cast<uint64_t>((now - started_).count());
  report.plan_sequence = conductor_.plan_sequence();
  const ipc::Health all = totals();
  report.events = all.events;
  report.matches = all.matches;
  report.faults = all.faults;
  report.lost_events = all.lost_events;
  report.lost_detections = all.lost_detections;
  report.clock_behind_ms = clock_behind_ms_;
  report.lost_correlated = all.lost_correlated;
  report.worker_rss_kib = worker_.process.resident_bytes().value_or(health_.rss_kib * 1024) / 1024;
  report.running_release = activation.name_of(report.running);
  report.vitals = vitals_.vitals();
  report.paused_ms = conductor_.pause().remaining_ms;
  report.pause_reason = conductor_.pause().reason;
  to_updater(ipc::encode(report, ipc::Process::kSupervisor));
}

// --- about itself

// As a detection of content has it (docs/reference/protocol.md), so that it reaches whoever reads those. If nobody takes it now, people still find it in `why`.
void Supervisor::detect(std::string_view what, std::string_view title, const std::string& detail) {
  const ipc::Text<512> plain(detail);
  note(fmt::format("{}: {}", title, plain.view()));
  const std::string line = fmt::format(
      "{{\"time\":\"{}\",\"rule_id\":\"creance.sensor.{}\",\"rule_title\":{},\"level\":\"high\",\"tags\":[],\"author\":\"creance-sensor\",\"references\":[],\"type\":\"creance.sensor\",\"release_digest\":\"{}\","
      "\"channel_sha256\":\"\",\"host\":{},\"inputs\":{{\"Detail\":{}}},\"matched\":[\"Detail\"]}}",
      rfc3339(clock_.wall()), what, json_text(title), hex_or_none(conductor_.activation().running()), json_text(ipc::Text<256>(options_.host).view()), json_text(plain.view()));
  if (options_.offline) return;
  if (::send(detections_out_.get(), line.data(), line.size(), MSG_DONTWAIT | MSG_NOSIGNAL) != static_cast<ssize_t>(line.size())) ++before_.lost_detections;
}

// Which rules stormed, as far as they were named: those with the most first.
void Supervisor::tell_storm(uint64_t dropped) {
  constexpr size_t kNamed = 3;
  std::vector<std::pair<uint64_t, std::string>> order;
  for (const auto& [rule, count] : left_out_) order.emplace_back(count, rule);
  std::ranges::sort(order, std::greater<>());
  std::string names;
  uint64_t named = 0;
  for (size_t i = 0; i < order.size() && i < kNamed; ++i) {
    names += fmt::format("{}{} of {}", names.empty() ? ": " : ", ", order[i].first, order[i].second);
    named += order[i].first;
  }
  if (dropped > named && named > 0) names += fmt::format(", {} of {}", dropped - named, order.size() > kNamed ? fmt::format("{} other rules", order.size() - kNamed + (left_out_unnamed_ > 0)) : "others");
  detect("storm", "Detections over the budget", fmt::format("{} detections were left out since the last look at it{}", dropped, names));
  left_out_.clear();
  left_out_unnamed_ = 0;
}

// How the host fares. Where content is the cause, only the comparison with hosts that hold can say so; told alike in both arms.
void Supervisor::measure(MonotonicTime now) {
  VitalsSample sample;
  sample.host = os::read_host_counters(files_, options_.state);
  if (crashed_ >= 0) sample.others_crashed = static_cast<uint64_t>(crashed_) - std::min(static_cast<uint64_t>(crashed_), own_crashes_);
  auto cpu = os::cpu_time_so_far();
  uint64_t resident = os::resident_bytes(files_, ::getpid()).value_or(0);
  for (const Child* child : {&worker_, &rehearsal_, &updater_, &admit_, &again_, &connector_}) {
    if (!*child) continue;
    cpu += child->process.cpu_time().value_or(std::chrono::nanoseconds(0));
    resident += os::resident_bytes(files_, child->process.pid()).value_or(0);
  }
  sample.sensor_cpu_ms = static_cast<uint64_t>(std::chrono::duration_cast<milliseconds>(cpu).count());
  sample.sensor_rss_kib = resident >> 10;
  for (const Crossing& crossing : vitals_.take(sample, now)) report({crossing.kind, conductor_.activation().running(), crossing.detail});
}

// What this process notices about its own sight, at most once a minute.
void Supervisor::watch_itself(MonotonicTime now) {
  const auto offset = clock_.wall().time_since_epoch() - now;
  if (const auto jump = offset - clock_offset_; std::chrono::abs(jump) > milliseconds(60'000)) {
    detect("clock-jump", "The clock of this host jumped", fmt::format("by {} s", jump.count() / 1000));
    clock_offset_ = offset;
  }
  if (now < watch_due_) return;
  watch_due_ = now + options_.watch_every;
  clock_offset_ = offset;  // slow drift is no jump
  const ipc::Health all = totals();
  const uint64_t lost = all.lost_events, dropped = all.lost_detections, seen = all.events;
  if (lost > lost_told_) detect("events-lost", "The sensor loses events", fmt::format("{} events were lost since the last look at it; collector {}", lost - lost_told_, collector_));
  if (dropped > dropped_told_) tell_storm(dropped - dropped_told_);
  lost_told_ = std::max(lost, lost_told_);
  dropped_told_ = std::max(dropped, dropped_told_);
  // This process starts programs itself; a collector that watches programs and has not seen one of several is blind.
  if (seen != seen_) started_unseen_ = 0;
  seen_ = seen;
  const bool watches = options_.input == Input::kLive || options_.input == Input::kConnector;
  if (watches && worker_ && started_unseen_ >= 3 && started_unseen_ < kBlindTold) {
    detect("blind", "The sensor sees nothing", fmt::format("{} programs were started by the sensor itself, and its collector ({}) saw none", started_unseen_, collector_));
    started_unseen_ = kBlindTold;
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
  const Activation& activation = conductor_.activation();
  const MonotonicTime now = clock_.monotonic();
  const ipc::Health all = totals();
  const auto name = [&](const Set& set) { return std::string(activation.name_of(set).view()); };
  std::string json = fmt::format("{{\"state\":\"{}\",\"phase\":\"{}\",\"running_release\":{},\"running_digest\":\"{}\",\"lkg_release\":{},\"lkg_digest\":\"{}\",\"arm\":\"{}\",\"arm_age_ms\":{},\"plan_sequence\":{},", to_string(activation.state()),
                                 to_string(activation.phase()), json_text(name(activation.running())), hex_or_none(activation.running()), json_text(name(activation.lkg())), hex_or_none(activation.lkg()),
                                 activation.arm() == Arm::kGo ? "go" : activation.arm() == Arm::kHold ? "hold" : "", activation.arm_age(now).count(), conductor_.plan_sequence());
  json += fmt::format("\"server_reached\":{},\"collector\":{},\"uptime_ms\":{},\"worker_pid\":{},\"worker_starts\":{},\"instances\":{},\"held_count\":{},\"events\":{},\"matches\":{},\"faults\":{},\"events_lost\":{},\"detections_lost\":{},\"worker_rss_kib\":{},\"clock_behind_ms\":{},\"paused_ms\":{},",
                      reached_ && updater_ && !updater_is_silent() ? "true" : "false", json_text(collector_), (now - started_).count(), worker_ ? worker_.process.pid() : 0, worker_starts_, instances_, held_count_, all.events,
                      all.matches, all.faults, all.lost_events, all.lost_detections, health_.rss_kib, clock_behind_ms_, conductor_.pause().remaining_ms);
  const ipc::Vitals& v = vitals_.vitals();
  const auto known = [](int64_t value) { return value < 0 ? std::string("null") : std::to_string(value); };
  json += fmt::format("\"vitals\":{{\"cpu_some\":{},\"memory_some\":{},\"memory_full\":{},\"io_full\":{},\"oom_kills\":{},\"disk_free_mib\":{},\"disk_mib\":{},\"others_crashed\":{},\"boots\":{},\"boot_ms\":{},\"sensor_cpu_ms\":{},\"sensor_rss_kib\":{}}},", known(v.cpu_some),
                      known(v.memory_some), known(v.memory_full), known(v.io_full), known(v.oom_kills), known(v.disk_free_mib), known(v.disk_mib), known(v.others_crashed), known(v.boots), known(v.boot_ms), known(v.sensor_cpu_ms), known(v.sensor_rss_kib));
  json += fmt::format("\"records\":{},\"careful\":{},", json_text(ipc::Text<1024>(conductor_.damage()).view()), activation.careful() ? "true" : "false");
  const ipc::Successor* successor = successors_.current();
  json += fmt::format("\"updater_silent_s\":{},\"successor_id\":\"{}\",", updater_ ? updater_quiet_.count() / 1'000 : 0, successor != nullptr ? to_hex(successor->sensor_id) : "");
  std::string refusals, held, suspended, notes, why;
  const bool silent = updater_ && updater_is_silent();
  const std::string silence = silent ? fmt::format("the updater has said nothing for {} s", updater_quiet_.count() / 1'000) : std::string();
  if (!conductor_.damage().empty()) why += fmt::format("records: {}\n", conductor_.damage());
  if (silent) why += silence + ": nothing new comes and nothing is reported\n";
  if (conductor_.pause().remaining_ms > 0) why += fmt::format("paused by the host's owner for another {}{}{}; `creance-sensor resume` ends it\n", span_text(conductor_.pause().remaining_ms), conductor_.pause().reason.view().empty() ? "" : ": ", conductor_.pause().reason.view());
  for (const Suspended& entry : suspended_) {
    suspended += fmt::format("{}{{\"at_ms\":{},\"rule_id\":{},\"reason\":\"{}\",\"detail\":{}}}", suspended.empty() ? "" : ",", entry.at.time_since_epoch().count(), json_text(entry.rule_id), to_string(entry.reason), json_text(entry.detail));
    why += fmt::format("suspended rule {}: {} ({}) at {}\n", entry.rule_id, to_string(entry.reason), entry.detail, rfc3339(entry.at));
  }
  for (size_t i = 0; i < activation.refusals().count; ++i) {
    const ipc::Refusal& entry = activation.refusals().list[i];
    refusals += fmt::format("{}{{\"release_digest\":\"{}\",\"reason\":\"{}\",\"detail\":{}}}", i > 0 ? "," : "", to_hex(entry.release), to_string(entry.reason), json_text(entry.detail.view()));
    why += fmt::format("refused {}: {} ({})\n", to_hex(entry.release).substr(0, 12), to_string(entry.reason), entry.detail.view());
  }
  for (const ipc::HeldInstance& entry : held_) {
    held += fmt::format("{}{{\"rule_id\":{},\"input\":{}}}", held.empty() ? "" : ",", json_text(entry.rule_id.view()), json_text(entry.input.view()));
    why += fmt::format("held rule {}: this host cannot say {}\n", entry.rule_id.view(), entry.input.view());
  }
  for (const Note& entry : notes_) {
    const std::string line = fmt::format("{} {}", rfc3339(entry.at), entry.text);
    notes += fmt::format("{}{{\"at_ms\":{},\"text\":{}}}", notes.empty() ? "" : ",", entry.at.time_since_epoch().count(), json_text(entry.text));
    why += line + "\n";
  }
  json += fmt::format("\"users\":{},\"limits\":{},\"lies\":{},", json_text(launcher_.users_text()), json_text(launcher_.limits_text()), lies_);
  json += fmt::format("\"admit\":{},\"refusals\":[{}],\"held\":[{}],\"suspended\":[{}],\"notes\":[{}]}}\n", json_text(conductor_.admit_detail()), refusals, held, suspended, notes);
  const std::string running = activation.running() == kNoSet ? "no content" : fmt::format("{} ({})", name(activation.running()), hex_or_none(activation.running()).substr(0, 12));
  std::string text = fmt::format("state      {}\nrunning    {}\nlast good  {}\ncollector  {}\nrules      {} ({} held: inputs that this host cannot say)\nevents     {} ({} lost), {} matches, {} faults\nserver     {}\nplan       {}{}\nprocesses  {}; limited by {}\n", to_string(activation.state()),
                                 running, activation.lkg() == kNoSet ? "none" : name(activation.lkg()), collector_, instances_, held_count_, all.events, all.lost_events,
                                 all.matches, all.faults, options_.offline ? "not asked (offline)" : silent ? "not known: " + silence : reached_ && updater_ ? "reached" : "not reached", conductor_.plan_sequence(), conductor_.admit_detail().empty() ? "" : ", " + conductor_.admit_detail(), launcher_.users_text(), launcher_.limits_text());
  const auto share = [](int64_t thousandths) { return thousandths < 0 ? std::string("?") : fmt::format("{}.{}", thousandths / 10, thousandths % 10); };
  const auto count = [](int64_t value) { return value < 0 ? std::string("?") : std::to_string(value); };
  text += fmt::format("host       waits of the last minute: cpu {} %, memory {} % (all tasks {} %), input and output {} %; {} OOM kills, {} MiB free, {} other processes crashed, boot {} took {} s\n", share(v.cpu_some), share(v.memory_some),
                      share(v.memory_full), share(v.io_full), count(v.oom_kills), count(v.disk_free_mib), count(v.others_crashed), count(v.boots), count(v.boot_ms < 0 ? v.boot_ms : v.boot_ms / 1'000));
  text += fmt::format("sensor     {} MiB resident, {} s of CPU time, all its processes\n", count(v.sensor_rss_kib < 0 ? v.sensor_rss_kib : v.sensor_rss_kib >> 10), count(v.sensor_cpu_ms < 0 ? v.sensor_cpu_ms : v.sensor_cpu_ms / 1'000));
  if (successor != nullptr) text += fmt::format("identity   {}, since it enrolled again at {}\n", to_hex(successor->sensor_id), rfc3339(WallTime(milliseconds(successor->enrolled_ms))));
  if (conductor_.pause().remaining_ms > 0) text += fmt::format("paused     by the host's owner, for another {}{}{}; `creance-sensor resume` ends it\n", span_text(conductor_.pause().remaining_ms), conductor_.pause().reason.view().empty() ? "" : ": ", conductor_.pause().reason.view());
  if (!conductor_.damage().empty()) text += fmt::format("records    {}\n", conductor_.damage());
  ipc::Sight sight;
  sight.unread.assign(conductor_.unread());
  sight.running = activation.running();
  sight.input.assign(input_name());
  sight.collector.assign(collector_);
  const std::string seen(as_text(ipc::to_record(sight)));
  for (const auto& [file, content] : {std::pair<const char*, const std::string&>{"state/status.json", json}, {"state/status.txt", text}, {"state/why.txt", why}, {"state/sight.bin", seen}}) {
    auto written = os::write_unsynced(options_.state / file, content, 0644);
    if (!written && written.error().code == ErrorCode::kNoSpace) {  // an old status would be a lie; what it took may be enough for the new one
      (void)files_.remove(options_.state / file).has_value();
      written = os::write_unsynced(options_.state / file, content, 0644);
    }
    if (!written) fmt::print(stderr, "creance-sensor: {}\n", written.error().detail);
  }
}

}  // namespace creance::sensor
