#include "gates/evalue.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.hpp"

namespace creance::gates {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();

double log_add(double a, double b) {
  if (a < b) std::swap(a, b);
  return b == kNothing ? a : a + std::log1p(std::exp(b - a));
}

struct Theta {
  bool counts = false;
  double value = 0;
};

Theta theta_of(const RiskEvent& event, SlotMask left_out) {
  if ((left_out >> event.slot) & 1) return {};
  uint64_t go = 0;
  uint64_t hold = 0;
  for (size_t slot = 0; slot < kSlots; ++slot) {
    if ((left_out >> slot) & 1) continue;
    go += event.at_risk[slot].go;
    hold += event.at_risk[slot].hold;
  }
  CHECK(go + hold > 0);
  return {true, static_cast<double>(go) / static_cast<double>(go + hold)};
}

// P(Binomial(n, p) < m), summed in logarithms.
double below(uint32_t n, uint32_t m, double p) {
  if (p <= 0) return m > 0 ? 1 : 0;
  if (p >= 1) return n < m ? 1 : 0;
  double sum = kNothing;
  double log_choose = 0;
  for (uint32_t i = 0; i < m && i <= n; ++i) {
    sum = log_add(sum, log_choose + i * std::log(p) + (n - i) * std::log1p(-p));
    log_choose += std::log(static_cast<double>(n - i)) - std::log(i + 1.0);
  }
  return std::exp(sum);
}

}  // namespace

std::string_view to_string(Metric metric) {
  constexpr std::array<std::string_view, kMetrics> kNames = {"any", "crash", "fault", "return", "reboot", "over_budget", "silence", "refused", "pressure", "oom_kill", "disk", "others_crashed", "slow_boot"};
  return kNames[static_cast<size_t>(metric)];
}

void Mixture::add(bool treated, double theta) {
  const double shifted = g0_ * theta / (g0_ * theta + 1 - theta);
  for (size_t k = 0; k < kRatios.size(); ++k) {
    const double r = direction_ == Direction::kHarm ? kRatios[k] : 1 / kRatios[k];
    log_[k] += (treated ? std::log(r) : 0) - std::log1p(shifted * (r - 1));
  }
}

double Mixture::log_value() const {
  double sum = kNothing;
  for (const double value : log_) sum = log_add(sum, value);
  return sum - std::log(static_cast<double>(kRatios.size()));
}

double log_e(std::span<const RiskEvent> events, Metric metric, SlotMask left_out, double g0) {
  Mixture mixture(Mixture::Direction::kHarm, g0);
  for (const RiskEvent& event : events) {
    if (event.metric != metric) continue;
    if (const Theta theta = theta_of(event, left_out); theta.counts) mixture.add(event.treated, theta.value);
  }
  return mixture.log_value();
}

double log_e(std::span<const RiskEvent> events, SlotMask left_out, double g0) {
  std::array<Mixture, kMetrics> mixtures;
  mixtures.fill(Mixture(Mixture::Direction::kHarm, g0));
  for (const RiskEvent& event : events) {
    if (const Theta theta = theta_of(event, left_out); theta.counts) mixtures[static_cast<size_t>(event.metric)].add(event.treated, theta.value);
  }
  double sum = kNothing;
  for (size_t m = 0; m < kMetrics; ++m) sum = log_add(sum, std::log(kWeights[m]) + mixtures[m].log_value());
  return sum;
}

double log_e_star(std::span<const RiskEvent> events, size_t tenants, double g0) {
  tenants = std::min(tenants, kTenantsNamed);
  if (tenants < 3) return log_e(events, SlotMask{0}, g0);
  std::array<std::array<double, kTenantsNamed>, kTenantsNamed> without{};
  for (size_t j = 0; j < tenants; ++j) {
    for (size_t k = j + 1; k < tenants; ++k) without[j][k] = without[k][j] = log_e(events, static_cast<SlotMask>(1u << j | 1u << k), g0);
  }
  double sum = kNothing;
  for (size_t k = 0; k < tenants; ++k) {
    double least = std::numeric_limits<double>::infinity();
    for (size_t j = 0; j < tenants; ++j) {
      if (j != k) least = std::min(least, without[j][k]);
    }
    sum = log_add(sum, least);
  }
  return sum - std::log(static_cast<double>(tenants));
}

double log_e_safety(std::span<const RiskEvent> events, double delta) {
  Mixture mixture(Mixture::Direction::kSafety, delta);
  for (const RiskEvent& event : events) {
    if (event.metric == Metric::kAny) mixture.add(event.treated, theta_of(event, 0).value);
  }
  return mixture.log_value();
}

double log_e_max(uint32_t go, uint32_t hold) {
  Mixture mixture;
  for (uint32_t i = 0; i < go; ++i) mixture.add(true, static_cast<double>(go - i) / static_cast<double>(go - i + hold));
  return mixture.log_value();
}

uint32_t failures_to_halt(uint32_t go, uint32_t hold, double weight, double log_threshold) {
  Mixture mixture;
  for (uint32_t i = 0; i < go; ++i) {
    mixture.add(true, static_cast<double>(go - i) / static_cast<double>(go - i + hold));
    if (mixture.log_value() + std::log(weight) >= log_threshold) return i + 1;
  }
  return go + 1;
}

double smallest_rate(uint32_t hosts, uint32_t failures, double power) {
  if (hosts == 0 || failures > hosts) return 1;
  if (failures == 0) return 0;
  double low = 0;
  double high = 1;
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (1 - below(hosts, failures, middle) >= power ? high : low) = middle;
  }
  return high;
}

}  // namespace creance::gates
