#include "gates/controller.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.hpp"

namespace creance::gates {
namespace {

constexpr size_t kNamedMax = 8;

std::string number(double log_value) {
  const double value = std::exp(std::min(log_value, 700.0));
  return value < 100 ? fmt::format("{:.3g}", value) : fmt::format("{:.0f}", value);
}

using MetricMask = uint32_t;
static_assert(kMetrics <= 32);
constexpr MetricMask bit(Metric metric) { return MetricMask{1} << static_cast<unsigned>(metric); }
constexpr MetricMask kVitals = (bit(static_cast<Metric>(kMetrics - 1)) << 1) - bit(Metric::kPressure);

// What has causes besides the content: vitals of the host, and rules over their budget, which whoever may make events on a host can flood. Counts once the other arm has had the time to say the same.
constexpr bool may_be_excused(Metric metric) { return of_host(metric) || metric == Metric::kOverBudget; }
constexpr Milliseconds kExcuseGrace{30'000};

// When a rule of this host first went over its budget in a way that may be the new content's doing. Where nothing is known of the rules, as of old sensors, the first event stands.
std::optional<WallTime> over_budget_of_content(const HostHistory& host) {
  const auto first = host.first_event[static_cast<size_t>(Metric::kOverBudget)];
  if (!first || host.over_budget.empty() || std::ranges::min(host.over_budget, {}, &OverBudget::at).at > *first) return first;
  std::optional<WallTime> counts;
  for (const OverBudget& seen : host.over_budget) {
    if (!seen.storm && (!counts || seen.at < *counts)) counts = seen.at;
  }
  return counts;
}

// Where the treated arm alone is looked at.
std::optional<WallTime> onset_of(const HostHistory& host, Metric metric) {
  return metric == Metric::kOverBudget ? over_budget_of_content(host) : host.first_event[static_cast<size_t>(metric)];
}

// A rule that is named and no storm is judged by itself: a held host cannot have what is new in it.
bool names_a_rule(const HostHistory& host, Metric metric) {
  return metric == Metric::kOverBudget && std::ranges::any_of(host.over_budget, [](const OverBudget& seen) { return !seen.storm && !seen.rule.empty(); });
}

// Without the metrics in `excused`.
std::optional<std::pair<Metric, WallTime>> first_of(const HostHistory& host, const SilenceRule& rule, WallTime now, MetricMask excused) {
  std::optional<std::pair<Metric, WallTime>> first;
  for (size_t m = 1; m < kMetrics; ++m) {
    const Metric metric = static_cast<Metric>(m);
    auto at = onset_of(host, metric);
    if (metric == Metric::kSilence && !at) at = silent_since(host, rule, now);
    if (!at || *at < host.entered || (excused & bit(metric)) != 0) continue;
    if (may_be_excused(metric) && now - *at < kExcuseGrace) continue;
    if (!first || *at < first->second) first = {metric, *at};
  }
  return first;
}

bool has(const HostHistory& host, Metric metric) {
  const auto at = onset_of(host, metric);
  return at && *at >= host.entered;
}

// What does not count yet, and may in a moment: nobody is promoted over it.
bool may_yet_count(const HostHistory& host, WallTime now, MetricMask excused) {
  for (size_t m = 1; m < kMetrics; ++m) {
    const Metric metric = static_cast<Metric>(m);
    if (may_be_excused(metric) && has(host, metric) && (excused & bit(metric)) == 0 && now - *onset_of(host, metric) < kExcuseGrace) return true;
  }
  return false;
}

// What presses on both arms is not the content: such an event of a treated host is excused while the held hosts of its stratum had the same, in proportion to their number. In order of onset, so that
// what the treated have on top of it counts. E itself needs no excuse, it compares. By host of `hosts`.
std::vector<MetricMask> excused_metrics(std::span<const HostHistory> hosts, size_t stages) {
  std::vector<MetricMask> excused(hosts.size());
  for (size_t m = 1; m < kMetrics; ++m) {
    const Metric metric = static_cast<Metric>(m);
    if (!may_be_excused(metric)) continue;
    std::vector<Counts> all(stages), had(stages);
    std::vector<std::pair<WallTime, size_t>> treated;
    for (size_t i = 0; i < hosts.size(); ++i) {
      const bool go = hosts[i].arm == Arm::kGo;
      (go ? all[hosts[i].stage].go : all[hosts[i].stage].hold) += 1;
      if (!has(hosts[i], metric) || (go && names_a_rule(hosts[i], metric))) continue;
      if (go) treated.emplace_back(*onset_of(hosts[i], metric), i);
      else ++had[hosts[i].stage].hold;
    }
    std::ranges::sort(treated);
    for (const auto& [onset, i] : treated) {
      const Counts& of = all[hosts[i].stage];
      Counts& so_far = had[hosts[i].stage];
      if (uint64_t{so_far.go} * of.hold >= uint64_t{so_far.hold} * of.go) continue;
      ++so_far.go;
      excused[i] |= bit(metric);
    }
  }
  return excused;
}

void add(StageCounts& counts, const HostHistory& host, const std::optional<std::pair<Metric, WallTime>>& first, bool pending, Milliseconds soak, const SilenceRule& rule,
         WallTime now, WallTime horizon) {
  if (host.arm == Arm::kHold) {
    counts.held += !host.left;
    return;
  }
  ++counts.exposed;
  counts.crashed += has(host, Metric::kCrash);
  counts.returned += has(host, Metric::kReturn);
  const bool silent = silent_since(host, rule, now).has_value();
  counts.silent += silent;
  const bool failed_and_told = first_of(host, rule, now, kVitals) && !silent;  // how the host fares says nothing of how its probation ends
  counts.confirmed += host.confirmed && !first;
  counts.unknown += !host.confirmed && !failed_and_told;
  counts.soaked += host.confirmed && !first && !pending && horizon - host.entered >= soak;
}

// What the test can do with the hosts that there are or will be.
struct Power {
  Counts hosts;
  uint32_t failures = 0;  // treated hosts that must fail until it halts
  bool statistical = false;
};

Power power_of(const Rollout& rollout, const Summary& summary, double log_threshold) {
  Counts expected;
  for (size_t i = 0; i <= rollout.stage && i < summary.present.size(); ++i) {
    const Presence& present = summary.present[i];
    if (present.go == 0 || present.hold == 0) continue;
    expected.go += present.go;
    expected.hold += present.hold;
  }
  Power power;
  power.hosts = {std::max(expected.go, summary.comparison.entered.go), std::max(expected.hold, summary.comparison.entered.hold)};
  power.failures = failures_to_halt(power.hosts.go, power.hosts.hold, kWeights[0], log_threshold);
  power.statistical = power.hosts.go + power.hosts.hold >= rollout.settings.small_fleet_below && power.failures <= power.hosts.go;
  return power;
}

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
  return text;
}

std::string would_have_seen(double rate) {
  return rate >= 1 ? std::string("No failure rate would have halted it by statistics") : fmt::format("A failure rate of {:.1f} % would have been seen with 90 %", rate * 100);
}

Decision judge_promotion(const Rollout& rollout, const Summary& summary, const Power& power, WallTime now, Decision decision) {
  const Stage& stage = rollout.stages[rollout.stage];
  const StageCounts& counts = summary.stages[rollout.stage];
  const Presence present = rollout.stage < summary.present.size() ? summary.present[rollout.stage] : Presence{};
  const double needed = std::ceil(std::log(1 / rollout.settings.promote_miss) / rollout.settings.failure_rate_max);
  const uint32_t there = std::max(present.go, counts.exposed);
  decision.required = static_cast<uint32_t>(std::min(needed, static_cast<double>(there)));
  const auto open_for = std::chrono::duration_cast<Milliseconds>(summary.comparison.horizon - rollout.stage_opened);
  decision.soak_left = std::max(Milliseconds(0), stage.soak - open_for);
  const bool last = rollout.stage + 1 == rollout.stages.size();
  const auto promote = [&](std::string words) {
    decision.verdict = last ? Verdict::kComplete : Verdict::kPromote;
    decision.smallest_rate = smallest_rate(counts.soaked, 1);
    decision.words = fmt::format("{} {}. {}.", words, last ? "Every ring may take it now, the hold-back too" : fmt::format("Next: `{}`", rollout.stages[rollout.stage + 1].ring),
                                 would_have_seen(decision.smallest_rate));
    return decision;
  };
  const std::string gate = power.statistical ? fmt::format("E {} of {}", number(decision.log_e_star), number(decision.log_e_halt))
                                             : fmt::format("no statistical gate, only {} hosts in the comparison", power.hosts.go + power.hosts.hold);
  if (rollout.approved && decision.soak_left == Milliseconds(0)) {
    return promote(fmt::format("`{}`: a person approved it; {} exposed, {} stood the soak, {} failed; {}.", stage.ring, counts.exposed, counts.soaked, summary.failed, gate));
  }
  if (decision.required == 0) {
    decision.words = fmt::format("`{}`: no host of this ring is there. No data never promotes; approve to go on without.", stage.ring);
    return decision;
  }
  if (counts.soaked < decision.required) {
    decision.words = fmt::format("`{}`: {} of {} hosts stood the soak ({} exposed, {} held, {} unknown, {} failed); {}. {}.", stage.ring, counts.soaked, decision.required,
                                 counts.exposed, counts.held, counts.unknown, summary.failed, gate, would_have_seen(decision.smallest_rate));
    return decision;
  }
  const bool safe = decision.log_e_safety >= std::log(1 / rollout.settings.promote_miss);
  if (summary.failed == 0) return promote(fmt::format("`{}`: {} hosts stood the soak without any event; {}.", stage.ring, counts.soaked, gate));
  if (power.statistical && safe) {
    return promote(fmt::format("`{}`: {} hosts stood the soak; {} failed, and \"{} times worse\" is refuted ({} against {}); {}.", stage.ring, counts.soaked, summary.failed,
                               rollout.settings.promote_ratio, number(decision.log_e_safety), number(std::log(1 / rollout.settings.promote_miss)), gate));
  }
  decision.words = fmt::format("`{}`: the soak is over, but {} treated hosts failed and that is inconclusive (safety {} of {}; {}). Approve to go on, or halt. {}.", stage.ring,
                               summary.failed, number(decision.log_e_safety), number(std::log(1 / rollout.settings.promote_miss)), gate, would_have_seen(decision.smallest_rate));
  (void)now;
  return decision;
}

// The verdict and its words, but for what was left out of it.
Decision judge(const Rollout& rollout, const Summary& summary, WallTime now) {
  Decision decision;
  if (rollout.state != RolloutState::kRolling || rollout.stage >= rollout.stages.size()) {
    decision.words = fmt::format("The rollout is {}.", to_string(rollout.state));
    return decision;
  }
  const Comparison& comparison = summary.comparison;
  decision.log_e_halt = log_halt_threshold(rollout.settings, rollout.resumes);
  decision.log_e = log_e(comparison.events, SlotMask{0}, rollout.settings.tolerated_ratio);
  decision.log_e_star = log_e_star(comparison.events, comparison.tenants.size(), rollout.settings.tolerated_ratio);
  decision.log_e_safety = log_e_safety(comparison.events, rollout.settings.promote_ratio);
  const Power power = power_of(rollout, summary, decision.log_e_halt);
  decision.statistical = power.statistical;
  decision.smallest_rate = power.statistical ? smallest_rate(power.hosts.go, power.failures) : smallest_rate(std::max(power.hosts.go, summary.stages[rollout.stage].exposed), 1);
  const std::string& ring = rollout.stages[rollout.stage].ring;

  if (rollout.tripwire && !summary.tripped.empty()) {
    decision.verdict = Verdict::kHalt;
    decision.words = fmt::format("`{}`: tripwire: event on an internal host ({}).", ring, join(summary.tripped));
    return decision;
  }
  const bool loud = decision.log_e >= decision.log_e_halt;
  const bool agreed = decision.log_e_star >= decision.log_e_halt;
  const bool alone = comparison.tenants_exposed >= 2 && comparison.tenants_speaking < 2;
  if (loud || agreed) {
    const bool call = alone || !agreed;
    decision.verdict = call ? Verdict::kHoldAndCall : Verdict::kHalt;
    decision.words = call ? fmt::format("`{}`: E {} passed {}, but only one of {} exposed tenants speaks for it (E without any two: {}): held, a person must look.", ring,
                                        number(decision.log_e), number(decision.log_e_halt), comparison.tenants_exposed, number(decision.log_e_star))
                          : fmt::format("`{}`: E {} passed {}: {} treated hosts failed among {} go and {} hold. {}.", ring, number(decision.log_e_star),
                                        number(decision.log_e_halt), summary.failed, comparison.entered.go, comparison.entered.hold, would_have_seen(decision.smallest_rate));
    return decision;
  }
  if (!power.statistical && summary.failed > 0) {
    decision.verdict = Verdict::kHalt;
    decision.words = fmt::format("`{}`: only {} hosts in the comparison, too few for a statistical gate: halted on the first failure ({}). {}.", ring,
                                 power.hosts.go + power.hosts.hold, join(summary.failures), would_have_seen(decision.smallest_rate));
    return decision;
  }
  return judge_promotion(rollout, summary, power, now, std::move(decision));
}

}  // namespace

std::string_view to_string(RolloutState state) {
  constexpr std::array<std::string_view, 6> kNames = {"rolling", "paused", "called", "halted", "withdrawn", "complete"};
  return kNames[static_cast<size_t>(state)];
}

std::string_view to_string(Verdict verdict) {
  constexpr std::array<std::string_view, 5> kNames = {"keep", "promote", "complete", "halt", "hold-and-call"};
  return kNames[static_cast<size_t>(verdict)];
}

double log_halt_threshold(const Settings& settings, uint32_t resumes) {
  return std::log(2 / settings.alpha) + resumes * std::log(2.0);  // 1 / (alpha / 2 / 2^k)
}

Summary summarise(const Rollout& rollout, std::span<const HostHistory> hosts, std::vector<Presence> present, const SilenceRule& rule, WallTime now) {
  Summary summary;
  summary.stages.resize(rollout.stages.size());
  summary.present = std::move(present);
  summary.comparison = compare(hosts, rule, now);
  for (const HostHistory& host : hosts) CHECK(host.stage < rollout.stages.size());
  const std::vector<MetricMask> excused = excused_metrics(hosts, rollout.stages.size());
  for (size_t i = 0; i < hosts.size(); ++i) {
    const HostHistory& host = hosts[i];
    const auto first = first_of(host, rule, now, excused[i]);
    add(summary.stages[host.stage], host, first, may_yet_count(host, now, excused[i]), rollout.stages[host.stage].soak, rule, now, summary.comparison.horizon);
    if (host.arm != Arm::kGo) continue;
    for (const OverBudget& seen : host.over_budget) {
      if (seen.storm && !seen.rule.empty() && seen.at >= host.entered && summary.storms.size() < kNamedMax) summary.storms.push_back(fmt::format("{}: {}", host.sensor_id, seen.rule));
    }
    if (!first) continue;
    const std::string named = fmt::format("{}: {}", host.sensor_id, to_string(first->first));
    ++summary.failed;
    if (summary.failures.size() < kNamedMax) summary.failures.push_back(named);
    if (host.internal && summary.tripped.size() < kNamedMax) summary.tripped.push_back(named);
  }
  return summary;
}

Decision decide(const Rollout& rollout, const Summary& summary, WallTime now) {
  Decision decision = judge(rollout, summary, now);
  if (!summary.storms.empty()) decision.words += fmt::format(" Over their budget, but not by this release, and not counted: {}.", join(summary.storms));
  return decision;
}

}  // namespace creance::gates
