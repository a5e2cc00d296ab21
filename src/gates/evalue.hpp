// The evidence that a release does harm: the sequential log-rank test of the design, section 5, as an e-process.
// At the i-th event let theta be the share of treated hosts among those at risk in its ring and stratum just before it, x = 1 if its host was treated:
//     E = sum_k w_k prod_i r_k^x / (1 + theta (r_k - 1))
// Under "no worse" E is a non-negative supermartingale, so that P(E ever reaches 1/alpha) <= alpha (Ville), however the shares depended on the past.
// Pure and deterministic; all values are natural logarithms where the name says log_.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace creance::gates {

// What can go wrong on a host. kAny is the first of all others: it lets a small fleet speak, whatever the kind of harm.
// From kPressure on they are vitals of the whole host, which have causes of their own besides the sensor (comparison.hpp, `of_host`).
enum class Metric : uint8_t { kAny, kCrash, kFault, kReturn, kReboot, kOverBudget, kSilence, kRefused, kPressure, kOomKill, kDisk, kOthersCrashed, kSlowBoot };
inline constexpr size_t kMetrics = 13;
constexpr bool of_host(Metric metric) { return metric >= Metric::kPressure; }
std::string_view to_string(Metric metric);

// Weights of the metrics in the average of their E; they sum to 1 and are fixed before any data.
// INVARIANT: each kind together with kAny carries at least .54, so that 8 against 8 (E of 4037 at most) can reach 1/alpha = 2000.
inline constexpr std::array<double, kMetrics> kWeights = {0.5, 0.05, 0.04, 0.05, 0.04, 0.04, 0.04, 0.04, 0.04, 0.04, 0.04, 0.04, 0.04};

// The largest tenants stand for themselves in slots 0..7, all others share the last slot.
inline constexpr size_t kTenantsNamed = 8;
inline constexpr size_t kSlots = kTenantsNamed + 1;
using SlotMask = uint16_t;  // bit i: leave slot i out

struct Counts {
  uint32_t go = 0;
  uint32_t hold = 0;
  friend bool operator==(const Counts&, const Counts&) = default;
};

// One first event of one host in one metric, with who was at risk in its ring and stratum just before it (itself included).
struct RiskEvent {
  Metric metric = Metric::kAny;
  uint8_t slot = 0;
  bool treated = false;
  std::array<Counts, kSlots> at_risk{};
  friend bool operator==(const RiskEvent&, const RiskEvent&) = default;
};

inline constexpr std::array<double, 8> kRatios = {1.5, 2, 3, 5, 10, 30, 100, 1000};

// The running mixture. kHarm: null "no worse than g0 times"; kSafety, its mirror (ratios below 1): null "at least g0 times worse".
class Mixture {
 public:
  enum class Direction : uint8_t { kHarm, kSafety };
  explicit Mixture(Direction direction = Direction::kHarm, double g0 = 1) : direction_(direction), g0_(g0) {}
  void add(bool treated, double theta);  // theta in [0,1]
  double log_value() const;

 private:
  Direction direction_;
  double g0_;
  std::array<double, kRatios.size()> log_{};
};

// E of one metric, and the weighted average over the metrics, both without the hosts of the masked slots.
double log_e(std::span<const RiskEvent> events, Metric metric, SlotMask left_out = 0, double g0 = 1);
double log_e(std::span<const RiskEvent> events, SlotMask left_out = 0, double g0 = 1);
// E*: mean over k of the minimum over j != k of E without tenants j and k, for the first `tenants` slots (3..8); with fewer, E itself.
// No single tenant, lying in either direction, decides it.
double log_e_star(std::span<const RiskEvent> events, size_t tenants, double g0 = 1);
// The mirrored process over kAny: evidence against "at least `delta` times worse".
double log_e_safety(std::span<const RiskEvent> events, double delta);

// The most that one metric can reach with so many hosts: every treated host fails before any other. 3 against 3: 10.7; 8 against 8: 4037.
double log_e_max(uint32_t go, uint32_t hold);
// How many treated hosts must fail, none of the others doing so, until weight * E >= threshold; go + 1 if it cannot be.
uint32_t failures_to_halt(uint32_t go, uint32_t hold, double weight, double log_threshold);
// The smallest failure probability at which at least `failures` of `hosts` fail with probability `power`; 1 if there is none below.
double smallest_rate(uint32_t hosts, uint32_t failures, double power = 0.9);

}  // namespace creance::gates
