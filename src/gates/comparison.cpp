#include "gates/comparison.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "base/check.hpp"

namespace creance::gates {
namespace {

using Times = std::array<std::optional<WallTime>, kMetrics>;

void earlier(std::optional<WallTime>& at, const std::optional<WallTime>& other) {
  if (other && (!at || *other < *at)) at = other;
}

Times onsets(const HostHistory& host, const SilenceRule& rule, WallTime now) {
  Times times = host.first_event;
  earlier(times[static_cast<size_t>(Metric::kSilence)], silent_since(host, rule, now));
  auto& any = times[static_cast<size_t>(Metric::kAny)];
  any.reset();
  for (size_t m = 1; m < kMetrics; ++m) earlier(any, times[m]);
  return times;
}

struct Placed {
  const HostHistory* host;
  Times times;
  uint8_t slot;
};

struct Exit {
  WallTime at;
  const Placed* placed;
  bool event;
};

class Sweep {
 public:
  Sweep(const std::vector<Placed>& by_entry, uint32_t strata, WallTime horizon) : by_entry_(by_entry), strata_(strata), horizon_(horizon) {}

  void run(Metric metric, std::vector<std::pair<WallTime, RiskEvent>>& out) {
    const std::vector<Exit> exits = exits_of(metric);
    std::vector<std::array<Counts, kSlots>> at_risk(strata_);
    size_t entered = 0;
    for (const Exit& exit : exits) {
      for (; entered < by_entry_.size() && by_entry_[entered].host->entered <= exit.at; ++entered) {
        if (const Placed& placed = by_entry_[entered]; at_risk_at_all(placed, metric)) count(at_risk, placed) += 1;
      }
      const Placed& placed = *exit.placed;
      if (exit.event) out.push_back({exit.at, RiskEvent{metric, placed.slot, placed.host->arm == Arm::kGo, at_risk[placed.host->stage]}});
      uint32_t& n = count(at_risk, placed);
      CHECK(n > 0);
      n -= 1;
    }
  }

 private:
  static bool at_risk_at_all(const Placed& placed, Metric metric) {
    const auto& event = placed.times[static_cast<size_t>(metric)];
    return !event || *event >= placed.host->entered;
  }
  static uint32_t& count(std::vector<std::array<Counts, kSlots>>& at_risk, const Placed& placed) {
    Counts& counts = at_risk[placed.host->stage][placed.slot];
    return placed.host->arm == Arm::kGo ? counts.go : counts.hold;
  }
  std::vector<Exit> exits_of(Metric metric) const {
    std::vector<Exit> exits;
    for (const Placed& placed : by_entry_) {
      if (!at_risk_at_all(placed, metric)) continue;
      const auto event = placed.times[static_cast<size_t>(metric)];
      std::optional<WallTime> at = event;
      earlier(at, placed.host->left);
      const auto silence = placed.times[static_cast<size_t>(Metric::kSilence)];
      if (silence && *silence >= placed.host->entered) earlier(at, silence);
      if (!at || *at > horizon_) continue;
      const WallTime when = std::max(*at, placed.host->entered);
      exits.push_back({when, &placed, event && *event == *at});
    }
    std::ranges::sort(exits, [](const Exit& a, const Exit& b) {
      return std::tie(a.at, a.placed->host->sensor_id, a.placed->host->entered) < std::tie(b.at, b.placed->host->sensor_id, b.placed->host->entered);
    });
    return exits;
  }

  const std::vector<Placed>& by_entry_;
  uint32_t strata_;
  WallTime horizon_;
};

// Tenants by the number of their hosts, then by name: fixed by who was enrolled, not by what happened.
std::vector<std::string> largest_tenants(std::span<const HostHistory> hosts) {
  std::map<std::string, uint32_t> sizes;
  for (const HostHistory& host : hosts) ++sizes[host.tenant];
  std::vector<std::pair<uint32_t, std::string>> order;
  for (const auto& [name, size] : sizes) order.emplace_back(size, name);
  std::ranges::sort(order, [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  std::vector<std::string> names;
  for (size_t i = 0; i < order.size() && i < kTenantsNamed; ++i) names.push_back(order[i].second);
  return names;
}

}  // namespace

std::optional<WallTime> silent_since(const HostHistory& host, const SilenceRule& rule, WallTime now) {
  const WallTime heard = std::max({host.last_report, host.entered, rule.listening_since});
  if (host.left && *host.left <= heard + host.report_interval) return std::nullopt;
  if (now - heard < rule.after(host.report_interval)) return std::nullopt;
  return heard + host.report_interval;
}

Comparison compare(std::span<const HostHistory> hosts, const SilenceRule& rule, WallTime now) {
  Comparison result;
  result.tenants = largest_tenants(hosts);
  Milliseconds tau = rule.least;
  uint32_t strata = 0;
  for (const HostHistory& host : hosts) {
    tau = std::max(tau, rule.after(host.report_interval));
    strata = std::max(strata, host.stage + 1);
  }
  result.horizon = now - tau;

  std::vector<Placed> placed;
  std::vector<Counts> entered(strata);
  std::set<std::string> exposed;
  std::set<std::string> speaking;
  for (const HostHistory& host : hosts) {
    if (host.entered > result.horizon) continue;
    const auto slot = std::ranges::find(result.tenants, host.tenant) - result.tenants.begin();
    placed.push_back({&host, onsets(host, rule, now), static_cast<uint8_t>(slot)});
    (host.arm == Arm::kGo ? entered[host.stage].go : entered[host.stage].hold) += 1;
    if (host.arm != Arm::kGo) continue;
    exposed.insert(host.tenant);
    const auto any = placed.back().times[static_cast<size_t>(Metric::kAny)];
    if (any && *any >= host.entered && *any <= result.horizon) speaking.insert(host.tenant);
  }
  for (const Counts& counts : entered) {
    if (counts.go == 0 || counts.hold == 0) continue;
    result.entered.go += counts.go;
    result.entered.hold += counts.hold;
  }
  result.tenants_exposed = static_cast<uint32_t>(exposed.size());
  result.tenants_speaking = static_cast<uint32_t>(speaking.size());
  std::ranges::stable_sort(placed, [](const Placed& a, const Placed& b) { return a.host->entered < b.host->entered; });

  std::vector<std::pair<WallTime, RiskEvent>> events;
  Sweep sweep(placed, strata, result.horizon);
  for (size_t m = 0; m < kMetrics; ++m) sweep.run(static_cast<Metric>(m), events);
  std::ranges::stable_sort(events, [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& event : events) result.events.push_back(event.second);
  return result;
}

}  // namespace creance::gates
