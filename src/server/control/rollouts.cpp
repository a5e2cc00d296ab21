#include "server/control/rollouts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/check.hpp"
#include "gates/record.hpp"
#include "plan/evidence.hpp"

namespace creance::server {
namespace {

using gates::Metric;
using gates::RolloutState;
using std::chrono::milliseconds;

constexpr milliseconds kKeepLoggedEvery{60'000};
constexpr milliseconds kSilentPlaceLeast{60'000};  // a host that is restarted meanwhile fills no place for good
// Told by a host, these end its outcome's being unknown; silence does not.
constexpr Metric kEndsOutcome[] = {Metric::kCrash, Metric::kFault, Metric::kReturn, Metric::kReboot, Metric::kRefused, Metric::kOverBudget};
constexpr size_t kEndedFollowed = 4;  // ended rollouts whose hosts are still followed: how they returned
constexpr size_t kListed = 100;
constexpr size_t kTenantsSharing = 4;  // among so many at most a cap is divided
constexpr size_t kRulesKept = 32;   // releases whose rules are kept read
constexpr size_t kStormsTold = 64;  // rules, of one rollout

std::optional<RolloutState> parse_state(std::string_view text) {
  for (int i = 0; i <= static_cast<int>(RolloutState::kComplete); ++i) {
    if (const auto state = static_cast<RolloutState>(i); to_string(state) == text) return state;
  }
  return std::nullopt;
}

bool open(RolloutState state) { return state == RolloutState::kRolling || state == RolloutState::kPaused || state == RolloutState::kCalled; }

plan::RolloutState in_plan(RolloutState state) {
  switch (state) {
    case RolloutState::kRolling: return plan::RolloutState::kRolling;
    case RolloutState::kPaused: case RolloutState::kCalled: return plan::RolloutState::kPaused;
    case RolloutState::kHalted: return plan::RolloutState::kHalted;
    case RolloutState::kWithdrawn: return plan::RolloutState::kWithdrawn;
    case RolloutState::kComplete: return plan::RolloutState::kComplete;
  }
  return plan::RolloutState::kPaused;
}

std::optional<Metric> metric_of(plan::EventKind kind) {
  using plan::EventKind;
  switch (kind) {
    case EventKind::kWorkerCrash: case EventKind::kWorkerStall: return Metric::kCrash;
    case EventKind::kFault: return Metric::kFault;
    case EventKind::kReturned: case EventKind::kSafeMode: return Metric::kReturn;
    case EventKind::kUncleanReboot: return Metric::kReboot;
    case EventKind::kHitsOverBudget: case EventKind::kMemoryOverBudget: case EventKind::kCpuOverBudget: return Metric::kOverBudget;
    case EventKind::kPressure: return Metric::kPressure;
    case EventKind::kOomKill: return Metric::kOomKill;
    case EventKind::kDiskLow: return Metric::kDisk;
    case EventKind::kOthersCrashed: return Metric::kOthersCrashed;
    case EventKind::kSlowBoot: return Metric::kSlowBoot;
    case EventKind::kRehearsalFailed: case EventKind::kVerifyFailed: return Metric::kRefused;
    case EventKind::kActivated: case EventKind::kHeld: case EventKind::kProbationPassed: case EventKind::kRefused: case EventKind::kContentRefused: case EventKind::kRefusalLifted: case EventKind::kRecordsDamaged: return std::nullopt;
  }
  return std::nullopt;
}

constexpr std::chrono::hours kStormBefore{24};  // so long before its flood on a treated host must a rule have been flooded under other content

gates::HostHistory history_of(const SpellRecord& spell, const SensorRecord* sensor, milliseconds interval) {
  gates::HostHistory host;
  host.sensor_id = spell.sensor_id;
  host.tenant = spell.tenant;
  host.stage = spell.stage;
  host.internal = spell.internal;
  host.arm = spell.arm;
  host.entered = spell.entered;
  host.left = spell.left;
  host.first_event = spell.first_event;
  host.confirmed = spell.confirmed;
  host.last_report = sensor != nullptr && sensor->last_report ? *sensor->last_report : spell.entered;
  host.report_interval = interval;
  return host;
}

// As Store::unknown_outcomes counts.
bool holds_place(const SpellRecord& spell) {
  if (spell.arm != gates::Arm::kGo || spell.left || spell.confirmed) return false;
  for (const Metric metric : kEndsOutcome) {
    const auto& at = spell.first_event[static_cast<size_t>(metric)];
    if (at && *at >= spell.entered) return false;
  }
  return true;
}

double e_value(double log_value) { return std::exp(std::min(log_value, 600.0)); }

}  // namespace

bool is_over_budget(plan::EventKind kind) { return metric_of(kind) == Metric::kOverBudget; }

Result<Rollouts::Live> Rollouts::load(const RolloutRecord& record) const {
  Live live;
  live.record = record;
  const auto state = parse_state(record.state);
  if (!state) return fail(ErrorCode::kInvalid, fmt::format("rollout `{}` has the unknown state `{}`", record.id, record.state));
  live.state = *state;
  TRY(live.digest, Digest::parse(record.release_digest));
  TRY(const auto salt, from_hex(record.salt));
  if (salt.size() != live.salt.size()) return fail(ErrorCode::kInvalid, fmt::format("rollout `{}` has a salt of {} bytes", record.id, salt.size()));
  std::ranges::copy(salt, live.salt.begin());
  TRY(const Json value, parse_json(as_bytes(record.stages)));
  TRY(const auto elements, JsonField(value, "stages").elements(limits::kStagesMax));
  for (const JsonField& element : elements) {
    StageState stage;
    TRY(stage.asked.ring, plan::ring_at(element, "ring"));
    TRY(const int64_t share, element.integer_at("share", 0, plan::kShareWhole));
    TRY(const int64_t soak, element.integer_at("soak_ms"));
    TRY(const int64_t unknown, element.integer_at("unknown_max", 1, INT32_MAX));
    stage.asked.share = static_cast<uint32_t>(share);
    stage.asked.soak = milliseconds(soak);
    stage.asked.unknown_max = static_cast<uint32_t>(unknown);
    TRY(const auto go, element.text_at("go_below"));
    TRY(const auto enter, element.text_at("enter_below"));
    TRY(stage.go_below, plan::parse_cohort(go));
    TRY(stage.enter_below, plan::parse_cohort(enter));
    TRY(stage.opened, element.boolean_at("opened"));
    live.stages.push_back(stage);
  }
  if (live.stages.empty() || live.record.stage >= live.stages.size()) return fail(ErrorCode::kInvalid, fmt::format("rollout `{}` has no stage {}", record.id, record.stage));
  return live;
}

Status Rollouts::save(Live& live) {
  Json stages = Json::array();
  for (const StageState& s : live.stages) {
    stages.push(Json::object({{"ring", to_string(s.asked.ring)}, {"share", s.asked.share}, {"soak_ms", s.asked.soak.count()}, {"unknown_max", s.asked.unknown_max},
                              {"go_below", plan::cohort_hex(s.go_below)}, {"enter_below", plan::cohort_hex(s.enter_below)}, {"opened", s.opened}}));
  }
  live.record.stages = to_json(stages);
  live.record.state = to_string(live.state);
  return store_.put_rollout(live.record);
}

Status Rollouts::start() {
  TRY(const auto records, store_.rollouts());
  for (const RolloutRecord& record : records) {
    TRY(auto live, load(record));
    rollouts_.push_back(std::move(live));
  }
  return publish();
}

Rollouts::Live* Rollouts::find(const std::string& id) {
  const auto at = std::ranges::find(rollouts_, id, [](const Live& live) { return live.record.id; });
  return at == rollouts_.end() ? nullptr : &*at;
}

bool Rollouts::concerns(const Live& live, const SensorRecord& sensor) {
  const std::string_view tenant = plan::tenant_of(live.record.release);
  return tenant.empty() || tenant == sensor.tenant;
}

bool Rollouts::expects(const Live& live, const SensorRecord& sensor) {
  return concerns(live, sensor) && (!plan::tenant_of(live.record.release).empty() || plan::tenant_of(sensor.running_release).empty());
}

plan::Ring Rollouts::ring_of(const SensorRecord& sensor) { return publisher_.policy(sensor.tenant).rules_for(sensor.tags).ring; }

Result<std::string> Rollouts::begin(const std::string& release, const std::vector<StageRequest>& stages, bool tripwire) {
  TRY(const auto found, publisher_.release(release));
  if (stages.empty() || stages.size() > limits::kStagesMax) return fail(ErrorCode::kInvalid, fmt::format("a rollout has 1 to {} stages", limits::kStagesMax));
  for (const Live& other : rollouts_) {
    if (open(other.state) && plan::tenant_of(other.record.release) == plan::tenant_of(release)) return fail(ErrorCode::kExists, fmt::format("rollout `{}` of `{}` is {}: let it end, or halt it", other.record.id, other.record.release, to_string(other.state)));
    if (other.digest != found.digest) continue;
    if (other.state == RolloutState::kComplete) return fail(ErrorCode::kExists, fmt::format("release `{}` is on every ring already (rollout `{}`)", release, other.record.id));
    if (publisher_.repository().version(plan::content_role(release)) <= other.record.content_version_at_halt) {
      return fail(ErrorCode::kDenied, fmt::format("release `{}` was halted (rollout `{}`): only newer signed content metadata lifts that", release, other.record.id));
    }
    break;
  }
  const WallTime now = clock_.wall();
  Live live;
  std::array<uint8_t, 8> id{};
  random_.fill(id);
  random_.fill(live.salt);
  live.digest = found.digest;
  live.record.id = to_hex(id);
  live.record.release = release;
  live.record.release_digest = found.digest.hex();
  live.record.salt = to_hex(live.salt);
  live.record.created = now;
  live.record.ids_before = std::chrono::floor<std::chrono::seconds>(now) + std::chrono::seconds(1);  // the plan has whole seconds
  live.record.tripwire = tripwire;
  for (const StageRequest& stage : stages) live.stages.push_back({stage, 0, 0, false});
  TRY_VOID(save(live));
  rollouts_.insert(rollouts_.begin(), live);
  TRY_VOID(store_.add_decision({0, live.record.id, "begin", fmt::format("release `{}`, {} stages", release, stages.size()), "", now}));
  const std::string id_text = live.record.id;
  if (const auto ticked = tick(); !ticked && ticked.error().code == ErrorCode::kDenied) {  // the signer says no: nothing may stay half begun
    Live& begun = rollouts_.front();
    TRY_VOID(set_state(begun, RolloutState::kWithdrawn, ticked.error().detail));
    return fail(ticked.error());
  }
  return id_text;
}

// Opens the current stage if the floor lets it; else it is tried again at each tick.
Status Rollouts::open_stage(Live& live, WallTime now) {
  StageState& stage = live.stages[live.record.stage];
  TRY(const auto found, publisher_.release(live.record.release));
  uint64_t limit = plan::kEveryCohort;
  for (const plan::NotBefore& entry : found.release.floor.not_before) {
    if (entry.ring != stage.asked.ring || now >= entry.time) continue;
    limit = std::min(limit, entry.share == 0 ? 0 : plan::limit_of_share(entry.share));
    live.record.reason = fmt::format("ring `{}` waits for the floor: not before {}", to_string(entry.ring), format_time(entry.time));
  }
  if (limit == 0) return {};
  TRY(const auto sensors, store_.sensors());
  std::vector<uint64_t> cohorts;
  for (const SensorRecord& sensor : sensors) {
    const plan::GroupRules& rules = publisher_.policy(sensor.tenant).rules_for(sensor.tags);
    if (!sensor.retired.empty() || !expects(live, sensor) || rules.ring != stage.asked.ring || rules.paused || (rules.pin && *rules.pin != live.record.release) || sensor.enrolled >= live.record.ids_before) continue;
    cohorts.push_back(plan::cohort(live.salt, sensor.sensor_id));
  }
  const gates::Cut cut = gates::cut(std::move(cohorts), static_cast<double>(stage.asked.share) / plan::kShareWhole);
  stage.go_below = std::min(cut.go_below, limit);
  stage.enter_below = cut.enter_below;
  stage.opened = true;
  live.record.stage_opened = now;
  live.record.reason.clear();
  live.record.approved = false;
  live.last.reset();
  return store_.transact([&]() -> Status {
    TRY_VOID(save(live));
    return store_.add_decision({0, live.record.id, "open", fmt::format("`{}`: {} hosts, {} told go, {} told hold", to_string(stage.asked.ring), cut.enter, cut.go, cut.enter - cut.go), "", now});
  });
}

gates::Rollout Rollouts::rollout_of(const Live& live) const {
  gates::Rollout rollout;
  for (const StageState& s : live.stages) {
    rollout.stages.push_back({std::string(to_string(s.asked.ring)), static_cast<double>(s.asked.share) / plan::kShareWhole, s.asked.soak, s.asked.unknown_max});
  }
  rollout.stage = live.record.stage;
  rollout.state = live.state;
  rollout.stage_opened = live.record.stage_opened.value_or(clock_.wall());
  rollout.resumes = live.record.resumes;
  rollout.tripwire = live.record.tripwire;
  rollout.approved = live.record.approved;
  rollout.settings = options_.settings;
  return rollout;
}

// Of all hosts that may ask, heard or not: who waits until others have filled the cap must not find it filled.
void Rollouts::count_tenants(Live& live, const std::vector<SensorRecord>& sensors) {
  std::set<std::string_view> tenants;
  for (const SensorRecord& sensor : sensors) {
    if (!sensor.retired.empty() || !concerns(live, sensor) || tenants.contains(sensor.tenant)) continue;
    const plan::Ring ring = ring_of(sensor);
    if (std::ranges::any_of(live.stages, [&](const StageState& stage) { return stage.asked.ring == ring; })) tenants.insert(sensor.tenant);
  }
  live.tenants = tenants.size();
}

uint32_t Rollouts::tenants_share(const Live& live, uint32_t cap) {
  return std::max(uint32_t{1}, cap / static_cast<uint32_t>(std::clamp(live.tenants.value_or(1), size_t{1}, kTenantsSharing)));
}

bool Rollouts::judges(const std::string& release_digest) const {
  return std::ranges::any_of(rollouts_, [&](const Live& live) { return open(live.state) && live.record.release_digest == release_digest; });
}

// From the evidence that was signed with the release. Nothing: it has none, or it cannot be read now.
const std::map<std::string, Rollouts::RuleText>* Rollouts::rules_of(const std::string& release_digest) {
  if (const auto known = rules_.find(release_digest); known != rules_.end()) return &known->second;
  const auto named = std::ranges::find(rollouts_, release_digest, [](const Live& live) -> const std::string& { return live.record.release_digest; });
  if (named == rollouts_.end()) return nullptr;
  const auto found = publisher_.release(named->record.release);
  if (!found || found->digest != named->digest) return nullptr;
  const auto bytes = publisher_.repository().target(plan::Evidence::path(named->record.release));
  if (!bytes || !plan::Evidence::check(*bytes, found->release)) return nullptr;
  const auto evidence = plan::Evidence::parse(*bytes);
  if (!evidence) return nullptr;
  std::map<std::string, RuleText> rules;
  std::set<std::string> twice;
  for (const plan::Evidence::Source& source : evidence->sources) {
    if (source.id.empty() || !source.runs_as) continue;
    if (!rules.emplace(source.id, RuleText{source.sha256, *source.runs_as}).second) twice.insert(source.id);
  }
  for (const std::string& id : twice) rules.erase(id);
  if (rules_.size() >= kRulesKept) rules_.clear();
  return &rules_.emplace(release_digest, std::move(rules)).first->second;
}

bool Rollouts::same_rule(const std::string& release_digest, const std::string& other_digest, const std::string& rule_id) {
  const auto text_of = [&](const std::string& digest) -> std::optional<RuleText> {
    const auto* rules = rules_of(digest);
    const auto at = rules == nullptr ? std::map<std::string, RuleText>::const_iterator() : rules->find(rule_id);
    return rules == nullptr || at == rules->end() ? std::nullopt : std::optional(at->second);
  };
  const auto text = text_of(release_digest);
  return text && text == text_of(other_digest);
}

// What was itself stopped, or is still judged, vouches for nothing.
bool Rollouts::passed(const std::string& release_digest) const {
  return std::ranges::any_of(rollouts_, [&](const Live& live) { return live.state == RolloutState::kComplete && live.record.release_digest == release_digest; });
}

// What a treated host's rules say of this release. A rule that is as it was cannot be made to hit more by it: where it was over its budget under the content before too, within the day, on a host that nobody
// else speaks for (this one, its tenant's, the operator's own), that is a storm. What it computes is no matter of its text alone, so steps count whatever was flooded. What cannot be told apart counts.
Result<std::vector<gates::OverBudget>> Rollouts::over_budget_of(const Live& live, const SpellRecord& spell, WallTime first) {
  TRY(const auto records, store_.over_budget(spell.sensor_id));
  std::vector<gates::OverBudget> seen;
  for (const OverBudgetRecord& record : records) {
    if (record.last < spell.entered) continue;
    gates::OverBudget over{record.rule_id, std::max(record.first, spell.entered), false};
    if (record.rule_id.empty() && record.first < spell.entered) over.at = std::max(over.at, first);  // one row for all of that kind: it began in an earlier stay
    if (!record.rule_id.empty() && record.release_digest != live.record.release_digest) {
      over.storm = true;  // it has not taken it yet, or has left it
      const auto* rules = rules_of(record.release_digest);
      if (rules == nullptr || !rules->contains(record.rule_id)) over.rule.clear();  // a host's own words are no name
    } else if (!record.rule_id.empty() && !record.steps) {
      TRY(const auto others, store_.over_budget_elsewhere(record.rule_id, record.release_digest, spell.tenant, over.at - kStormBefore));
      over.storm = std::ranges::any_of(others, [&](const std::string& other) { return passed(other) && same_rule(record.release_digest, other, record.rule_id); });
    }
    seen.push_back(std::move(over));
  }
  return seen;
}

// Once a rule: what is not counted is said.
Status Rollouts::tell_storms(Live& live, const gates::Summary& summary, WallTime now) {
  for (const std::string& storm : summary.storms) {
    const std::string rule = storm.substr(storm.find(": ") + 2);
    if (live.told_storms.contains(rule) || live.told_storms.size() >= kStormsTold) continue;
    TRY_VOID(store_.add_decision({0, live.record.id, "storm", fmt::format("rule `{}` is over its budget on the treated host {}, as the same rule is under other content: a flood, not counted against this release. Look at what makes these events.", rule, storm.substr(0, storm.find(": "))), "", now}));
    live.told_storms.insert(rule);
  }
  return {};
}

Result<gates::Summary> Rollouts::summarise(Live& live, WallTime now) {
  TRY(const auto sensors, store_.sensors());
  TRY(const auto spells, store_.spells(live.record.id));
  const auto sensor_of = [&](const std::string& id) -> const SensorRecord* {
    const auto at = std::ranges::lower_bound(sensors, id, {}, &SensorRecord::sensor_id);
    return at == sensors.end() || at->sensor_id != id ? nullptr : &*at;
  };
  count_tenants(live, sensors);
  live.silent_places.clear();
  const milliseconds patience = std::max(live.stages[live.record.stage].asked.soak, kSilentPlaceLeast);
  std::vector<gates::HostHistory> hosts;
  std::map<std::string_view, const SpellRecord*> latest;
  for (const SpellRecord& spell : spells) {
    if (spell.generation != live.record.resumes) continue;
    hosts.push_back(history_of(spell, sensor_of(spell.sensor_id), options_.report_interval));
    latest[spell.sensor_id] = &spell;
    if (const auto& over = spell.first_event[static_cast<size_t>(Metric::kOverBudget)]; spell.arm == gates::Arm::kGo && over && *over >= spell.entered) {
      TRY(hosts.back().over_budget, over_budget_of(live, spell, *over));
    }
    if (spell.stage != live.record.stage || !holds_place(spell)) continue;
    if (const auto silent = gates::silent_since(hosts.back(), options_.silence, now); silent && now - *silent > patience) ++live.silent_places[spell.tenant];
  }
  std::vector<gates::Presence> present(live.stages.size());
  for (const SensorRecord& sensor : sensors) {
    const bool entered = latest.contains(sensor.sensor_id);
    const bool heard = sensor.last_report && now - *sensor.last_report <= options_.present_within;
    if (!sensor.retired.empty() || (!entered && !heard) || sensor.enrolled >= live.record.ids_before || !concerns(live, sensor)) continue;
    if (!entered && !expects(live, sensor)) continue;
    const plan::GroupRules& rules = publisher_.policy(sensor.tenant).rules_for(sensor.tags);
    if (!entered && (rules.paused || (rules.pin && *rules.pin != live.record.release))) continue;
    const uint64_t cohort = plan::cohort(live.salt, sensor.sensor_id);
    for (size_t i = 0; i < live.stages.size(); ++i) {
      const StageState& stage = live.stages[i];
      if (!stage.opened || stage.asked.ring != rules.ring || !plan::below(cohort, stage.enter_below)) continue;
      (plan::below(cohort, stage.go_below) ? present[i].go : present[i].hold) += 1;
    }
  }
  return gates::summarise(rollout_of(live), hosts, std::move(present), options_.silence, now);
}

Status Rollouts::judge(Live& live, WallTime now) {
  if (!live.stages[live.record.stage].opened) return open_stage(live, now);
  TRY(auto summary, summarise(live, now));
  TRY_VOID(tell_storms(live, summary, now));
  gates::Record record{now, rollout_of(live), std::move(summary), {}};
  record.decision = gates::decide(record.rollout, record.summary, now);
  live.last = record.decision;
  const gates::Decision& decision = record.decision;
  if (decision.verdict == gates::Verdict::kKeep) {
    TRY_VOID(judge_places(live, now));
    if (live.state != RolloutState::kRolling || now - live.kept_at < kKeepLoggedEvery) return {};
    live.kept_at = now;
    return store_.add_decision({0, live.record.id, "keep", decision.words, gates::to_json(record), now});
  }
  switch (decision.verdict) {
    case gates::Verdict::kHalt:
      live.state = RolloutState::kHalted;
      live.record.content_version_at_halt = publisher_.repository().version(plan::content_role(live.record.release));
      break;
    case gates::Verdict::kHoldAndCall: live.state = RolloutState::kCalled; break;
    case gates::Verdict::kComplete: live.state = RolloutState::kComplete; break;
    case gates::Verdict::kPromote:
      ++live.record.stage;
      live.record.stage_opened.reset();
      live.record.approved = false;
      break;
    case gates::Verdict::kKeep: break;
  }
  live.record.reason = decision.words;
  const Status stored = store_.transact([&]() -> Status {
    TRY_VOID(save(live));
    return store_.add_decision({0, live.record.id, std::string(to_string(decision.verdict)), decision.words, gates::to_json(record), now});
  });
  if (!stored) return fail(stored.error());
  return decision.verdict == gates::Verdict::kPromote ? open_stage(live, now) : Status{};
}

// A cap that is full of hosts that nobody hears any more lets nobody in and never ends by itself: that is for a person. No verdict of the gate, so its records stay what decide() makes of them.
Status Rollouts::judge_places(Live& live, WallTime now) {
  const StageState& stage = live.stages[live.record.stage];
  const std::string_view ring = to_string(stage.asked.ring);
  uint32_t all = 0;
  std::string who;
  for (const auto& [tenant, count] : live.silent_places) {
    all += count;
    who += fmt::format("{}`{}`: {}", who.empty() ? "" : ", ", tenant, count);
  }
  if (all >= stage.asked.unknown_max) {
    std::string words = fmt::format("`{}`: all {} places of hosts with unknown outcome are taken by hosts that fell silent ({}): nobody else can be told anything. Look at these hosts; then resume (their places become free), or halt.", ring, stage.asked.unknown_max, who);
    TRY_VOID(store_.add_decision({0, live.record.id, std::string(to_string(gates::Verdict::kHoldAndCall)), words, "", now}));
    return set_state(live, RolloutState::kCalled, std::move(words));
  }
  if (stage.asked.unknown_max < 2 || live.tenants.value_or(0) < 2) return {};
  for (const auto& [tenant, count] : live.silent_places) {
    if (count < tenants_share(live, stage.asked.unknown_max) || live.told_silent.contains(tenant)) continue;
    TRY_VOID(store_.add_decision({0, live.record.id, "silent_places", fmt::format("`{}`: tenant `{}` has its share of the cap, {} places, filled with hosts that fell silent: its others wait, those of other tenants go on.", ring, tenant, count), "", now}));
    live.told_silent.insert(tenant);
  }
  return {};
}

Status Rollouts::tick() {
  const WallTime now = clock_.wall();
  for (Live& live : rollouts_) {
    if (live.state != RolloutState::kRolling) continue;
    const Live before = live;
    if (auto judged = judge(live, now); !judged) {
      live = before;  // what could not be stored did not happen
      return judged;
    }
  }
  return publish();
}

// Newest first; of finished releases the newest alone, of halted ones all that fit: a host that comes back after weeks must still read that it has to return.
std::vector<plan::Rollout> Rollouts::wanted() const {
  std::vector<plan::Rollout> plan;
  std::vector<Digest> seen;
  std::set<std::string_view> complete;  // tenants ("": everybody's) whose newest finished release is in
  for (const Live& live : rollouts_) {
    if (plan.size() >= limits::kRolloutsInPlanMax) break;
    if (std::ranges::find(seen, live.digest) != seen.end()) continue;
    if (live.state == RolloutState::kWithdrawn && !live.stages.front().opened) continue;  // never began
    if (live.state == RolloutState::kComplete && !complete.insert(plan::tenant_of(live.record.release)).second) continue;
    seen.push_back(live.digest);
    plan::Rollout rollout;
    rollout.release = live.record.release;
    rollout.release_digest = live.digest;
    rollout.salt = live.salt;
    rollout.state = in_plan(live.state);
    rollout.ids_before = live.record.ids_before;
    for (const StageState& stage : live.stages) {
      if (!stage.opened) continue;
      const plan::Stage opened{stage.asked.ring, stage.go_below, stage.enter_below};
      const auto same = std::ranges::find(rollout.stages, stage.asked.ring, &plan::Stage::ring);
      if (same == rollout.stages.end()) rollout.stages.push_back(opened);
      else *same = opened;  // a later stage of the same ring is wider
    }
    plan.push_back(std::move(rollout));
  }
  return plan;
}

Status Rollouts::publish() { return publisher_.publish_rollouts(wanted()); }

Status Rollouts::set_state(Live& live, RolloutState state, std::string reason) {
  Live next = live;
  next.state = state;
  next.record.reason = std::move(reason);
  TRY_VOID(save(next));
  live = std::move(next);
  return {};
}

// A new comparison under a smaller alpha: who was told something before is out of it, whoever announces from now on is in it.
Status Rollouts::resume(Live& live, std::string reason, WallTime now) {
  Live next = live;
  ++next.record.resumes;
  next.state = RolloutState::kRolling;
  next.record.reason = std::move(reason);
  TRY(auto spells, store_.spells(live.record.id));
  const Status stored = store_.transact([&]() -> Status {
    for (SpellRecord& spell : spells) {
      if (spell.left) continue;
      spell.left = now;
      TRY_VOID(store_.put_spell(spell));
    }
    return save(next);
  });
  if (!stored) return fail(stored.error());
  live = std::move(next);
  return {};
}

Status Rollouts::act(const std::string& id, OperatorAction action, const std::string& reason) {
  Live* live = find(id);
  if (live == nullptr) return fail(ErrorCode::kNotFound, fmt::format("there is no rollout `{}`", id.substr(0, 64)));
  const WallTime now = clock_.wall();
  const std::string said = reason.empty() ? "operator" : fmt::format("operator: {}", reason.substr(0, 500));
  const auto refuse = [&](std::string_view why) { return fail(ErrorCode::kExists, fmt::format("rollout `{}` is {}: {}", id, to_string(live->state), why)); };
  std::string name;
  switch (action) {
    case OperatorAction::kApprove: {
      if (live->state != RolloutState::kRolling && live->state != RolloutState::kCalled) return refuse("there is nothing to approve");
      if (live->state == RolloutState::kCalled) TRY_VOID(resume(*live, said, now));
      Live next = *live;
      next.record.approved = true;
      TRY_VOID(save(next));
      *live = std::move(next);
      name = "approve";
      break;
    }
    case OperatorAction::kPause:
      if (live->state != RolloutState::kRolling) return refuse("only a rolling one can be paused");
      TRY_VOID(set_state(*live, RolloutState::kPaused, said));
      name = "pause";
      break;
    case OperatorAction::kResume:
      if (live->state == RolloutState::kPaused) {
        TRY_VOID(set_state(*live, RolloutState::kRolling, said));
      } else if (live->state == RolloutState::kCalled || (live->state == RolloutState::kHalted && publisher_.repository().version(plan::content_role(live->record.release)) > live->record.content_version_at_halt)) {
        TRY_VOID(resume(*live, said, now));
      } else {
        return refuse(live->state == RolloutState::kHalted ? "a halt is lifted by the content signers alone; push newer signed content metadata first" : "there is nothing to resume");
      }
      name = "resume";
      break;
    case OperatorAction::kHalt:
    case OperatorAction::kWithdraw: {
      const bool withdraw = action == OperatorAction::kWithdraw;
      if (!open(live->state) && !(withdraw && live->state == RolloutState::kHalted)) {
        return refuse(live->state == RolloutState::kComplete ? "what is complete is taken back by the content signers (deny)" : "it has ended already");
      }
      Live next = *live;
      next.record.content_version_at_halt = publisher_.repository().version(plan::content_role(next.record.release));
      next.state = withdraw ? RolloutState::kWithdrawn : RolloutState::kHalted;
      next.record.reason = said;
      TRY_VOID(save(next));
      *live = std::move(next);
      name = withdraw ? "withdraw" : "halt";
      break;
    }
  }
  TRY_VOID(store_.add_decision({0, id, name, said, "", now}));
  return publish();
}

Result<std::variant<Bytes, plan::Wait>> Rollouts::announce(const SensorRecord& sensor, const plan::Announce& message) {
  const auto at = std::ranges::find(rollouts_, message.release_digest, &Live::digest);  // newest first
  if (at == rollouts_.end() || !concerns(*at, sensor)) return fail(ErrorCode::kNotFound, "no rollout of this release");
  Live& live = *at;
  const plan::Wait wait{options_.wait};
  if (message.boot_epoch != sensor.boot_epoch) return wait;  // whose voice this is, its report says first
  // What hosts can read of it decides: nothing is granted before its plan is published.
  const plan::Rollout* published = publisher_.plan().find(live.digest);
  const bool complete = live.state == RolloutState::kComplete;
  if ((live.state != RolloutState::kRolling && !complete) || published == nullptr || published->state != in_plan(live.state)) return wait;

  const plan::GroupRules& rules = publisher_.policy(sensor.tenant).rules_for(sensor.tags);
  const uint64_t cohort = plan::cohort(live.salt, sensor.sensor_id);
  std::optional<uint32_t> stage;
  for (uint32_t i = 0; i < live.stages.size(); ++i) {
    if (live.stages[i].opened && live.stages[i].asked.ring == rules.ring) stage = i;
  }
  if (complete) stage = static_cast<uint32_t>(live.stages.size()) - 1;
  if (!stage || rules.paused || (!complete && (sensor.enrolled >= live.record.ids_before || !plan::below(cohort, live.stages[*stage].enter_below)))) return wait;

  const WallTime now = clock_.wall();
  const bool go = complete || plan::below(cohort, live.stages[*stage].go_below);
  TRY(auto spells, store_.spells(live.record.id, sensor.sensor_id));
  SpellRecord* last = spells.empty() ? nullptr : &spells.back();
  // What this identity refused stays away from it, also when its machine was restored to a time before.
  TRY(const std::string why_not, refused(live, sensor));
  const bool hurt = !why_not.empty();
  const gates::Arm arm = go && !hurt ? gates::Arm::kGo : gates::Arm::kHold;
  const bool stays = last != nullptr && !last->left && last->generation == live.record.resumes && (last->stage == *stage || complete) && (last->arm == arm || hurt);
  if (!stays) {
    // While it is judged, a host that never said how it went keeps its place under the cap for good. Later only the pace matters, and a dead host must not stop the living.
    const WallTime from = complete ? now - options_.grant_life : WallTime{};
    TRY(const uint32_t unknown, store_.unknown_outcomes(live.record.id, *stage, from, ""));
    const uint32_t cap = live.stages[*stage].asked.unknown_max;
    if (unknown >= cap) return wait;  // both arms wait alike: one door
    if (!live.tenants) {
      TRY(const auto sensors, store_.sensors());
      count_tenants(live, sensors);
    }
    if (*live.tenants > 1 && cap >= 2) {  // no tenant's hosts keep those of all others out; within a tenant both arms wait alike
      TRY(const uint32_t of_tenant, store_.unknown_outcomes(live.record.id, *stage, from, sensor.tenant));
      if (of_tenant >= tenants_share(live, cap)) return wait;
    }
    SpellRecord spell;
    spell.rollout = live.record.id;
    spell.sensor_id = sensor.sensor_id;
    spell.tenant = sensor.tenant;
    spell.number = last == nullptr ? 0 : last->number + 1;
    spell.stage = *stage;
    spell.generation = live.record.resumes;
    spell.internal = rules.ring == plan::Ring::kInternal;
    spell.arm = arm;
    spell.entered = now;
    if (last != nullptr) spell.first_event = last->first_event;  // had its event in another stratum: never at risk of it again
    const Status stored = store_.transact([&]() -> Status {
      if (last != nullptr && !last->left) {
        last->left = now;
        TRY_VOID(store_.put_spell(*last));
      }
      return store_.put_spell(spell);
    });
    if (!stored) return fail(stored.error());
  }
  plan::Grant grant;
  grant.sensor_id = sensor.sensor_id;
  grant.boot_epoch = message.boot_epoch;
  grant.release_digest = live.digest;
  grant.verdict = arm == gates::Arm::kGo ? plan::Verdict::kGo : plan::Verdict::kHold;
  if (hurt) grant.reason = why_not;
  grant.expires = std::chrono::floor<std::chrono::seconds>(now + options_.grant_life);
  TRY(auto bytes, publisher_.sign_grant(grant));
  return bytes;
}

Result<std::string> Rollouts::refused(const Live& live, const SensorRecord& sensor) {
  TRY(const auto refusals, store_.refusals(sensor.sensor_id));
  if (refusals.empty()) return std::string();
  TRY(const auto found, publisher_.release(live.record.release));
  TRY(const auto deny, publisher_.deny_list());
  for (const RefusalRecord& refusal : refusals) {
    const bool of_this = refusal.digest == live.record.release_digest || std::ranges::any_of(found.release.channels, [&](const plan::ChannelRef& channel) { return channel.sha256.hex() == refusal.digest; });
    const bool lifted = deny.version > refusal.deny_version && std::ranges::any_of(deny.retry, [&](const Digest& digest) { return digest.hex() == refusal.digest; });
    if (of_this && !lifted) return fmt::format("this sensor refused it at {}: {}", format_time(refusal.at), refusal.reason).substr(0, 256);
  }
  return std::string();
}

Status Rollouts::leave(const SensorRecord& sensor, WallTime now) {
  for (const Live& live : rollouts_) {
    TRY(auto spells, store_.spells(live.record.id, sensor.sensor_id));
    if (spells.empty() || spells.back().left) continue;
    spells.back().left = now;
    TRY_VOID(store_.put_spell(spells.back()));
  }
  return {};
}

Status Rollouts::take_report(const SensorRecord& sensor, std::optional<WallTime> heard_before, const plan::Report& report, WallTime now) {
  size_t looked_at = 0;
  for (const Live& live : rollouts_) {
    if (!open(live.state) && ++looked_at > kEndedFollowed) continue;
    TRY(auto spells, store_.spells(live.record.id, sensor.sensor_id));
    if (spells.empty() || spells.back().left) continue;
    SpellRecord& spell = spells.back();
    const SpellRecord before = spell;
    const auto note = [&](Metric metric, WallTime at) {
      auto& first = spell.first_event[static_cast<size_t>(metric)];
      if (!first) first = std::max(at, spell.entered);
    };
    gates::HostHistory host = history_of(spell, &sensor, options_.report_interval);
    host.last_report = heard_before.value_or(spell.entered);
    if (const auto silent = gates::silent_since(host, options_.silence, now)) note(Metric::kSilence, *silent);
    const WallTime earliest = std::max(spell.entered, heard_before.value_or(spell.entered));
    for (const plan::SensorEvent& event : report.events) {
      const WallTime onset = std::clamp(now - milliseconds(std::max<int64_t>(0, report.uptime_ms - event.at_ms)), std::min(earliest, now), now);
      if (const auto metric = metric_of(event.kind)) note(*metric, onset);
      const bool of_this = event.release_digest == live.digest;
      if (event.kind == plan::EventKind::kProbationPassed && of_this && spell.arm == gates::Arm::kGo && !spell.confirmed) spell.confirmed = now;
      if (event.kind == plan::EventKind::kHeld && of_this && spell.arm == gates::Arm::kHold && !spell.confirmed) spell.confirmed = now;
    }
    const bool in_arm = report.arm_digest == live.digest && report.state == plan::SensorState::kSteady;
    if (!spell.confirmed && in_arm && spell.arm == gates::Arm::kHold && report.arm == plan::Verdict::kHold) spell.confirmed = now;
    if (!spell.confirmed && in_arm && spell.arm == gates::Arm::kGo && report.arm == plan::Verdict::kGo && report.running_digest == live.digest) spell.confirmed = now;
    // It was restarted between passing probation and telling it: what is its last known good has passed there.
    const bool good_there = report.state == plan::SensorState::kSteady && report.running_digest == live.digest && report.lkg_digest == live.digest;
    if (!spell.confirmed && good_there && spell.arm == gates::Arm::kGo) spell.confirmed = now;
    if (spell.first_event != before.first_event || spell.confirmed != before.confirmed) TRY_VOID(store_.put_spell(spell));
  }
  return {};
}

Json Rollouts::status_of(Live& live) {
  Json status = Json::object({{"rollout", live.record.id}, {"release", live.record.release}, {"release_digest", live.record.release_digest}, {"state", to_string(live.state)},
                              {"stage", live.record.stage}, {"created", format_time(live.record.created)}, {"resumes", live.record.resumes}, {"tripwire", live.record.tripwire},
                              {"reason", live.state == RolloutState::kRolling && live.last ? live.last->words : live.record.reason}});
  const auto summary = summarise(live, clock_.wall());
  const auto log = store_.decisions(live.record.id, 500);
  std::map<uint32_t, gates::Decision> decisions;  // the last of each stage
  if (live.state == RolloutState::kRolling && live.last) decisions[live.record.stage] = *live.last;
  Json entries = Json::array();
  if (log) {
    for (const DecisionRecord& entry : *log) {
      if (entry.record.empty()) continue;
      if (const auto record = gates::parse_record(entry.record)) decisions.try_emplace(record->rollout.stage, record->decision);
    }
    for (auto entry = log->rbegin(); entry != log->rend(); ++entry) {
      if (entry->verdict == "keep") continue;
      entries.push(Json::object({{"time", format_time(entry->at)}, {"decision", entry->verdict}, {"reason", entry->words}}));
    }
  }
  Json stages = Json::array();
  for (uint32_t i = 0; i < live.stages.size(); ++i) {
    const StageState& stage = live.stages[i];
    Json row = Json::object({{"ring", to_string(stage.asked.ring)}, {"share", stage.asked.share}, {"soak_s", static_cast<double>(stage.asked.soak.count()) / 1000},
                             {"unknown_max", stage.asked.unknown_max}, {"opened", stage.opened}});
    const gates::StageCounts counts = summary ? summary->stages[i] : gates::StageCounts{};
    for (const auto& [name, value] : {std::pair{"exposed", counts.exposed}, {"held", counts.held}, {"confirmed", counts.confirmed}, {"unknown", counts.unknown},
                                      {"returned", counts.returned}, {"crashed", counts.crashed}, {"silent", counts.silent}, {"soaked", counts.soaked}}) {
      row.set(name, value);
    }
    if (i == live.record.stage) {
      Json silent = Json::object();
      for (const auto& [tenant, count] : live.silent_places) silent.set(tenant, count);
      row.set("silent_places", std::move(silent));
    }
    if (const auto found = decisions.find(i); found != decisions.end()) {
      const gates::Decision& d = found->second;
      row.set("e", e_value(d.log_e_star));
      row.set("e_halt", e_value(d.log_e_halt));
      row.set("statistical", d.statistical);
      row.set("verdict", to_string(d.verdict));
      row.set("smallest_rate", d.smallest_rate);
      row.set("required", d.required);
      row.set("soak_left_s", static_cast<double>(d.soak_left.count()) / 1000);
    }
    stages.push(std::move(row));
  }
  status.set("stages", std::move(stages));
  Json storms = Json::array();
  if (summary) {
    for (const std::string& storm : summary->storms) storms.push(Json::object({{"sensor_id", storm.substr(0, storm.find(": "))}, {"rule_id", storm.substr(storm.find(": ") + 2)}}));
  }
  status.set("storms", std::move(storms));
  status.set("log", std::move(entries));
  return status;
}

Result<Json> Rollouts::status(const std::string& id) {
  Live* live = find(id);
  if (live == nullptr) return fail(ErrorCode::kNotFound, fmt::format("there is no rollout `{}`", id.substr(0, 64)));
  return status_of(*live);
}

Json Rollouts::list() {
  Json all = Json::array();
  for (size_t i = 0; i < rollouts_.size() && i < kListed; ++i) all.push(status_of(rollouts_[i]));
  return Json::object({{"rollouts", std::move(all)}});
}

std::map<std::string, int> Rollouts::states() const {
  std::map<std::string, int> states;
  for (const Live& live : rollouts_) ++states[std::string(to_string(live.state))];
  return states;
}

}  // namespace creance::server
