#include "gates/record.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace creance::gates {
namespace {

using nlohmann::json;

int64_t ms(WallTime time) { return time.time_since_epoch().count(); }
WallTime wall(const json& value) { return WallTime(Milliseconds(value.get<int64_t>())); }

json write(const Counts& c) { return json::array({c.go, c.hold}); }
Counts read_counts(const json& v) { return {v.at(0).get<uint32_t>(), v.at(1).get<uint32_t>()}; }

json write(const RiskEvent& event) {
  json at_risk = json::array();
  for (size_t slot = 0; slot < kSlots; ++slot) {
    if (event.at_risk[slot] != Counts{}) at_risk.push_back({slot, event.at_risk[slot].go, event.at_risk[slot].hold});
  }
  return json::array({static_cast<int>(event.metric), event.slot, event.treated ? 1 : 0, at_risk});
}

RiskEvent read_event(const json& v) {
  RiskEvent event;
  const auto metric = v.at(0).get<unsigned>();
  event.slot = v.at(1).get<uint8_t>();
  event.treated = v.at(2).get<int>() != 0;
  if (metric >= kMetrics || event.slot >= kSlots) throw std::out_of_range("metric or slot");
  event.metric = static_cast<Metric>(metric);
  uint64_t own = 0;
  for (const json& row : v.at(3)) {
    const auto slot = row.at(0).get<size_t>();
    event.at_risk.at(slot) = {row.at(1).get<uint32_t>(), row.at(2).get<uint32_t>()};
    if (slot == event.slot) own = event.treated ? event.at_risk[slot].go : event.at_risk[slot].hold;
  }
  if (own == 0) throw std::out_of_range("event without its own host at risk");
  return event;
}

json write(const Rollout& rollout) {
  json stages = json::array();
  for (const Stage& s : rollout.stages) stages.push_back({{"ring", s.ring}, {"share", s.share}, {"soak_ms", s.soak.count()}, {"unknown_max", s.unknown_max}});
  const Settings& t = rollout.settings;
  return {{"stages", stages}, {"stage", rollout.stage}, {"state", static_cast<int>(rollout.state)}, {"stage_opened", ms(rollout.stage_opened)},
          {"resumes", rollout.resumes}, {"tripwire", rollout.tripwire}, {"approved", rollout.approved},
          {"settings", json::array({t.alpha, t.tolerated_ratio, t.promote_ratio, t.promote_miss, t.failure_rate_max, t.small_fleet_below})}};
}

Rollout read_rollout(const json& v) {
  Rollout rollout;
  for (const json& s : v.at("stages")) {
    rollout.stages.push_back({s.at("ring").get<std::string>(), s.at("share").get<double>(), Milliseconds(s.at("soak_ms").get<int64_t>()), s.at("unknown_max").get<uint32_t>()});
  }
  rollout.stage = v.at("stage").get<uint32_t>();
  const auto state = v.at("state").get<unsigned>();
  if (state > static_cast<unsigned>(RolloutState::kComplete)) throw std::out_of_range("state");
  rollout.state = static_cast<RolloutState>(state);
  rollout.stage_opened = wall(v.at("stage_opened"));
  rollout.resumes = v.at("resumes").get<uint32_t>();
  rollout.tripwire = v.at("tripwire").get<bool>();
  rollout.approved = v.at("approved").get<bool>();
  const json& t = v.at("settings");
  rollout.settings = {t.at(0).get<double>(), t.at(1).get<double>(), t.at(2).get<double>(), t.at(3).get<double>(), t.at(4).get<double>(), t.at(5).get<uint32_t>()};
  return rollout;
}

json write(const Summary& summary) {
  json stages = json::array();
  for (const StageCounts& c : summary.stages) stages.push_back({c.exposed, c.held, c.confirmed, c.unknown, c.returned, c.crashed, c.silent, c.soaked});
  json present = json::array();
  for (const Presence& p : summary.present) present.push_back(write(p));
  json events = json::array();
  for (const RiskEvent& e : summary.comparison.events) events.push_back(write(e));
  const Comparison& c = summary.comparison;
  return {{"stages", stages}, {"present", present}, {"tripped", summary.tripped}, {"failures", summary.failures}, {"failed", summary.failed}, {"storms", summary.storms}, {"events", events},
          {"tenants", c.tenants}, {"tenants_exposed", c.tenants_exposed}, {"tenants_speaking", c.tenants_speaking}, {"entered", write(c.entered)}, {"horizon", ms(c.horizon)}};
}

Summary read_summary(const json& v) {
  Summary summary;
  for (const json& c : v.at("stages")) {
    const auto n = c.get<std::array<uint32_t, 8>>();
    summary.stages.push_back({n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7]});
  }
  for (const json& p : v.at("present")) summary.present.push_back(read_counts(p));
  summary.tripped = v.at("tripped").get<std::vector<std::string>>();
  summary.failures = v.at("failures").get<std::vector<std::string>>();
  summary.failed = v.at("failed").get<uint32_t>();
  summary.storms = v.value("storms", std::vector<std::string>());  // older records have none
  Comparison& c = summary.comparison;
  for (const json& e : v.at("events")) c.events.push_back(read_event(e));
  c.tenants = v.at("tenants").get<std::vector<std::string>>();
  c.tenants_exposed = v.at("tenants_exposed").get<uint32_t>();
  c.tenants_speaking = v.at("tenants_speaking").get<uint32_t>();
  c.entered = read_counts(v.at("entered"));
  c.horizon = wall(v.at("horizon"));
  return summary;
}

json write(const Decision& d) {
  return {{"verdict", static_cast<int>(d.verdict)}, {"words", d.words}, {"log_e", d.log_e}, {"log_e_star", d.log_e_star}, {"log_e_halt", d.log_e_halt},
          {"log_e_safety", d.log_e_safety}, {"statistical", d.statistical}, {"smallest_rate", d.smallest_rate}, {"required", d.required}, {"soak_left_ms", d.soak_left.count()}};
}

Decision read_decision(const json& v) {
  Decision d;
  const auto verdict = v.at("verdict").get<unsigned>();
  if (verdict > static_cast<unsigned>(Verdict::kHoldAndCall)) throw std::out_of_range("verdict");
  d.verdict = static_cast<Verdict>(verdict);
  d.words = v.at("words").get<std::string>();
  d.log_e = v.at("log_e").get<double>();
  d.log_e_star = v.at("log_e_star").get<double>();
  d.log_e_halt = v.at("log_e_halt").get<double>();
  d.log_e_safety = v.at("log_e_safety").get<double>();
  d.statistical = v.at("statistical").get<bool>();
  d.smallest_rate = v.at("smallest_rate").get<double>();
  d.required = v.at("required").get<uint32_t>();
  d.soak_left = Milliseconds(v.at("soak_left_ms").get<int64_t>());
  return d;
}

}  // namespace

std::string to_json(const Record& record) {
  const json value = {{"now", ms(record.now)}, {"rollout", write(record.rollout)}, {"summary", write(record.summary)}, {"decision", write(record.decision)}};
  return value.dump();
}

Result<Record> parse_record(std::string_view text) {
  try {
    const json value = json::parse(text);
    Record record{wall(value.at("now")), read_rollout(value.at("rollout")), read_summary(value.at("summary")), read_decision(value.at("decision"))};
    if (record.summary.stages.size() != record.rollout.stages.size()) return fail(ErrorCode::kInvalid, "decision record: stages of summary and rollout differ in number");
    return record;
  } catch (const std::exception& e) {
    return fail(ErrorCode::kInvalid, fmt::format("decision record: {}", e.what()).substr(0, 200));
  }
}

}  // namespace creance::gates
