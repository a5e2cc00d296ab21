// The second judge of correlations (D5): keeps every match and looks at whole windows again for each event, slowly and obviously, straight from
// docs/adr/0040-meaning-of-correlations.md and the Sigma correlation specification 2.1.0. Not for production: its memory grows with the events.
// Shares nothing with compiler, channel and interpreter beyond the parsed rules and what they name (sigma::link).
#pragma once
#include <list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "schema/inputs.hpp"
#include "sigma/correlation.hpp"

namespace creance::reference {

struct SeenEvent {
  const schema::TemplateType* type = nullptr;
  schema::Inputs inputs;
  std::vector<uint32_t> rules;     // indices of the rules that match it
  std::optional<int64_t> time_us;  // nothing: as the event before
};
struct SeenHit {
  uint32_t correlation = 0;  // index into the given correlations
  uint32_t events = 0;       // as CorrelationHit::events
  std::vector<std::string> group;
  friend bool operator==(const SeenHit&, const SeenHit&) = default;
};

class CorrelationJudge {
 public:
  // What is given must outlive the judge; `linked` as sigma::link gave it for these.
  CorrelationJudge(std::span<const sigma::Correlation> correlations, std::span<const sigma::LinkedCorrelation> linked, std::span<const sigma::Rule> rules);

  // In the order of `linked`; several of one correlation in no order.
  std::vector<SeenHit> observe(const SeenEvent& event);

 private:
  struct Match {  // one event in one group of one correlation
    int64_t time = 0;
    std::vector<uint32_t> rules;      // of the correlation
    std::vector<std::string> values;  // of the condition's field
  };
  struct Strand {  // events of a group whose times are near each other
    std::vector<Match> matches;  // by time, then as they came
    bool holds = false;
    int64_t lag = 0;             // from the event that came last to the newest one
  };
  using Group = std::list<Strand>;  // the one that was used last is the last
  struct Arrival {  // the event, as one rule of a correlation, by one rule of the set
    uint32_t rule = 0;
    uint32_t leaf = 0;
  };

  std::vector<Arrival> arrivals(const sigma::LinkedCorrelation& linked, const SeenEvent& event, const std::map<uint32_t, std::vector<uint32_t>>& hits) const;
  std::optional<std::vector<std::string>> values(uint32_t correlation, const Arrival& arrival, std::span<const sigma::Name> names, const SeenEvent& event) const;
  struct Taken {
    std::vector<Group::iterator> by;      // the strands that take the event, in the order in which they are judged
    std::vector<Group::iterator> left;    // near it, and left as they are
  };
  static Taken strands_at(Group& group, int64_t time, int64_t timespan);
  static std::optional<int64_t> judge(const sigma::Correlation& correlation, Strand& strand, const Match& match, bool numeric);
  std::optional<uint32_t> first_rule_with(uint32_t correlation, uint32_t leaf) const;

  std::span<const sigma::Correlation> correlations_;
  std::span<const sigma::LinkedCorrelation> linked_;
  std::span<const sigma::Rule> rules_;
  std::vector<std::map<std::vector<std::string>, Group>> groups_;  // per linked
  int64_t clock_ = 0;
};

}  // namespace creance::reference
