// Rollouts: who is told what (announce), what reports mean for them, and the gate's verdicts carried out (tick). The Store is the truth; a restart goes on where it was.
// Decisions themselves are gates::decide; the plan itself is the Publisher's. Threads: one at a time.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/seams/random.hpp"
#include "gates/controller.hpp"
#include "gates/exposure.hpp"
#include "plan/messages.hpp"
#include "server/control/publisher.hpp"

namespace creance::server {

struct RolloutOptions {
  gates::SilenceRule silence;                     // listening_since: set by the server, start + restart_grace
  gates::Settings settings;
  std::chrono::milliseconds report_interval{1000};  // what sensors are told
  std::chrono::milliseconds wait{1000};           // before an announcement is tried again
  std::chrono::milliseconds grant_life{900'000};
  std::chrono::milliseconds restart_grace{60'000};   // after a start nobody is silent so long: sensors that met a dead server try again at growing intervals
  std::chrono::milliseconds present_within{60'000};  // a sensor heard so lately counts as there
};

struct StageRequest {
  plan::Ring ring = plan::Ring::kInternal;
  uint32_t share = plan::kShareWhole;  // millionths
  std::chrono::milliseconds soak{0};
  uint32_t unknown_max = 10;
};

enum class OperatorAction : uint8_t { kApprove, kPause, kResume, kHalt, kWithdraw };  // kWithdraw: as kHalt, and never resumed

bool is_over_budget(plan::EventKind kind);  // of the kinds that the gates count as over_budget

class Rollouts {
 public:
  Rollouts(Store& store, Publisher& publisher, const Clock& clock, Random& random, RolloutOptions options)
      : store_(store), publisher_(publisher), clock_(clock), random_(random), options_(options) {}
  Status start();

  // kNotFound no such release · kExists another rollout is open, or this release is released already · kInvalid · kDenied halted before, and not lifted by content.
  Result<std::string> begin(const std::string& release, const std::vector<StageRequest>& stages, bool tripwire);
  Status act(const std::string& id, OperatorAction action, const std::string& reason);
  // A signed grant, or how long to wait. kNotFound: no rollout of this release.
  Result<std::variant<Bytes, plan::Wait>> announce(const SensorRecord& sensor, const plan::Announce& message);
  // What this report says about the sensor's stays. `heard_before`: when it was heard last. Call inside the transaction that stores the report.
  Status take_report(const SensorRecord& sensor, std::optional<WallTime> heard_before, const plan::Report& report, WallTime now);
  Status leave(const SensorRecord& sensor, WallTime now);  // this identity is given up: its stays end, and nobody is blamed for its silence
  // Judges every open rollout, carries out verdicts, publishes what the plan should say. Called by a timer; an error is retried at the next call.
  Status tick();

  Result<Json> status(const std::string& id);
  Json list();
  std::map<std::string, int> states() const;  // how many rollouts are in each state
  plan::Ring ring_of(const SensorRecord& sensor);
  bool judges(const std::string& release_digest) const;  // an open rollout of it is being judged

 private:
  struct StageState {
    StageRequest asked;
    uint64_t go_below = 0, enter_below = 0;
    bool opened = false;
  };
  struct Live {
    RolloutRecord record;
    gates::RolloutState state = gates::RolloutState::kRolling;
    std::vector<StageState> stages;
    plan::Salt salt{};
    Digest digest;
    std::optional<gates::Decision> last;  // of this run of the server
    WallTime kept_at{};                   // when a "keep" was logged last
    std::optional<size_t> tenants;        // whose hosts are asked by it; empty: not counted yet
    std::map<std::string, uint32_t> silent_places;  // by tenant: places under the stage's cap whose hosts have been silent for longer than the soak
    std::set<std::string> told_silent;    // tenants whose share of the cap was told to be filled so
    std::set<std::string> told_storms;    // rules that were told to be over their budget by no fault of this release
  };
  // Whether a sensor may take this release at all: a tenant's own reaches its hosts alone.
  static bool concerns(const Live& live, const SensorRecord& sensor);
  // …and will ask for it: hosts that run a release of their tenant's own do not take everybody's (plan/decide.hpp).
  static bool expects(const Live& live, const SensorRecord& sensor);
  Result<Live> load(const RolloutRecord& record) const;
  Status save(Live& live);
  Status open_stage(Live& live, WallTime now);
  Status judge(Live& live, WallTime now);
  Status publish();
  Result<std::string> refused(const Live& live, const SensorRecord& sensor);  // why this host must not be told to take it; "": it may be
  std::vector<plan::Rollout> wanted() const;
  Result<gates::Summary> summarise(Live& live, WallTime now);
  struct RuleText {
    Digest file, runs_as;
    friend bool operator==(const RuleText&, const RuleText&) = default;
  };
  Result<std::vector<gates::OverBudget>> over_budget_of(const Live& live, const SpellRecord& spell, WallTime first);  // first: the first event of that kind within the spell
  bool passed(const std::string& release_digest) const;
  bool same_rule(const std::string& release_digest, const std::string& other_digest, const std::string& rule_id);
  const std::map<std::string, RuleText>* rules_of(const std::string& release_digest);
  Status tell_storms(Live& live, const gates::Summary& summary, WallTime now);
  static uint32_t tenants_share(const Live& live, uint32_t cap);  // how much of a cap of unknown outcomes the hosts of one tenant may hold (ADR 0171)
  void count_tenants(Live& live, const std::vector<SensorRecord>& sensors);
  Status judge_places(Live& live, WallTime now);
  gates::Rollout rollout_of(const Live& live) const;
  Status set_state(Live& live, gates::RolloutState state, std::string reason);
  Status resume(Live& live, std::string reason, WallTime now);
  Live* find(const std::string& id);
  Json status_of(Live& live);

  Store& store_;
  Publisher& publisher_;
  const Clock& clock_;
  Random& random_;
  RolloutOptions options_;
  std::vector<Live> rollouts_;  // newest first
  std::map<std::string, std::map<std::string, RuleText>> rules_;  // by release digest: rules that its evidence names, by id; of those that were asked for
};

}  // namespace creance::server
