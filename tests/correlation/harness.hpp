// Correlations over a small Type, run by both judges on one sequence of events: for tests.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "channel/verified_correlations.hpp"
#include "correlation/samples.hpp"
#include "reference/correlation.hpp"

namespace creance::test {

struct TestEvent {
  std::optional<int64_t> time;  // seconds
  std::string rules;            // "ac": rules a and c match; all of one Type
  std::string host = "h";
  std::optional<std::string> user = "u";
  std::string value = "1";
};

inline std::string show(const TestEvent& e) { return (e.time ? std::to_string(*e.time) : "-") + ":" + e.rules + "(" + e.host + "," + e.user.value_or("-") + "," + e.value + ")"; }
inline std::string show(const std::vector<TestEvent>& events) {
  std::string out;
  for (const TestEvent& e : events) out += show(e) + " ";
  return out;
}

class Pair {
 public:
  explicit Pair(const std::vector<std::string>& bodies, uint64_t state_bytes = 1u << 20) {
    std::string yaml;
    for (size_t i = 0; i < bodies.size(); ++i) yaml += correlation_document(static_cast<int>(i), bodies[i]);
    auto parsed = sigma::parse(yaml + rule_documents(), "c.yml");
    rules_ = std::move(parsed.rules);
    correlations_ = std::move(parsed.correlations);
    diagnostics_ = std::move(parsed.diagnostics);
    auto built = compiler::compile_correlations(correlations_, rules_, types_of(rules_), diagnostics_, state_bytes);
    EXPECT_TRUE(built);
    if (!built || !built->built) return;
    built_ = std::move(*built->built);
    auto verified = channel::VerifiedCorrelations::verify(built_.bytes);
    EXPECT_TRUE(verified) << verified.error().code << " at " << verified.error().offset << ": " << verified.error().detail;
    if (!verified) return;
    file_ = std::make_unique<channel::VerifiedCorrelations>(std::move(*verified));
    Diagnostics again;
    linked_ = sigma::link(correlations_, rules_, again);
    reset();
  }
  void reset() {
    state_ = std::make_unique<interpreter::CorrelationState>(*file_, kKey);
    judge_ = std::make_unique<reference::CorrelationJudge>(correlations_, linked_, rules_);
  }

  bool ready() const { return file_ != nullptr; }
  const Diagnostics& diagnostics() const { return diagnostics_; }
  const channel::VerifiedCorrelations& file() const { return *file_; }
  const Bytes& bytes() const { return built_.bytes; }
  interpreter::CorrelationState& state() { return *state_; }

  // "c0[u]:3" for a hit of correlation 0 with group u and 3 events, sorted.
  std::vector<std::string> fast(const TestEvent& e) {
    const Laid laid = lay_out(e);
    std::vector<uint32_t> sources;
    for (uint32_t i = 0; i < built_.sources.size(); ++i) {
      if (built_.sources[i].type == laid.type && e.rules.find(rules_[built_.sources[i].rule].name) != std::string::npos) sources.push_back(i);
    }
    std::vector<std::string> out;
    if (sources.empty()) return out;
    const auto file_type = [&] {
      for (uint32_t i = 0; i < file_->type_count(); ++i)
        if (file_->type(i).id == laid.type->id) return i;
      return 0u;
    }();
    const auto outcome = state_->observe({file_type, sources, {laid.values, {}, {}}, laid.time});
    EXPECT_EQ(outcome.faults, 0u);
    EXPECT_LE(outcome.steps, file_->cost_bound());
    steps_most_ = std::max(steps_most_, outcome.steps);
    for (const auto& hit : outcome.hits) {
      std::vector<std::string> group;
      for (const uint32_t input : file_->group_inputs(hit.feed)) group.emplace_back(laid.values[input].text());
      out.push_back(name(built_.correlations[hit.correlation], hit.events, group));
    }
    std::ranges::sort(out);
    return out;
  }
  std::vector<std::string> slow(const TestEvent& e) {
    const Laid laid = lay_out(e);
    reference::SeenEvent seen{laid.type, {laid.values, {}, {}}, {}, laid.time};
    for (uint32_t i = 0; i < rules_.size(); ++i) {
      if (e.rules.find(rules_[i].name) != std::string::npos && (rules_[i].name >= "e") == (laid.type == &types()[1])) seen.rules.push_back(i);
    }
    std::vector<std::string> out;
    if (!std::ranges::any_of(built_.sources, [&](const auto& s) { return s.type == laid.type && std::ranges::find(seen.rules, s.rule) != seen.rules.end(); })) return out;
    for (const auto& hit : judge_->observe(seen)) out.push_back(name(hit.correlation, hit.events, hit.group));
    std::ranges::sort(out);
    return out;
  }

  // What both say, event by event; a difference fails. "" where they agree, else where they differ.
  std::string difference(const std::vector<TestEvent>& events) {
    for (size_t i = 0; i < events.size(); ++i) {
      const auto a = fast(events[i]);
      const auto b = slow(events[i]);
      if (a != b) return "event " + std::to_string(i) + " of " + show(events) + ": interpreter {" + join(a) + "} reference {" + join(b) + "}";
    }
    return "";
  }
  // One entry an event, hits joined.
  std::vector<std::string> hits(const std::vector<TestEvent>& events) {
    std::vector<std::string> out;
    for (const TestEvent& e : events) {
      const auto a = fast(e);
      EXPECT_EQ(a, slow(e)) << show(events);
      out.push_back(join(a));
    }
    return out;
  }
  uint64_t steps_most() const { return steps_most_; }

 private:
  struct Laid {
    const schema::TemplateType* type;
    std::vector<schema::InputValue> values;
    std::optional<int64_t> time;
  };
  static Laid lay_out(const TestEvent& e) {
    Laid out{&types()[e.rules.find_first_of("ef") != std::string::npos ? 1 : 0], std::vector<schema::InputValue>(4), e.time ? std::optional(*e.time * kSecond) : std::nullopt};
    out.values[1] = schema::InputValue(e.host);
    if (e.user) out.values[2] = schema::InputValue(*e.user);
    out.values[3] = schema::InputValue(e.value);
    return out;
  }
  static std::string join(const std::vector<std::string>& parts) {
    std::string out;
    for (const std::string& part : parts) out += (out.empty() ? "" : " ") + part;
    return out;
  }
  std::string name(uint32_t correlation, uint32_t events, const std::vector<std::string>& group) const {
    std::string out = correlations_[correlation].name + "[";
    for (size_t i = 0; i < group.size(); ++i) out += (i == 0 ? "" : ",") + group[i];
    return out + "]:" + std::to_string(events);
  }

  std::vector<sigma::Rule> rules_;
  std::vector<sigma::Correlation> correlations_;
  std::vector<sigma::LinkedCorrelation> linked_;
  Diagnostics diagnostics_;
  compiler::BuiltCorrelations built_;
  std::unique_ptr<channel::VerifiedCorrelations> file_;
  std::unique_ptr<interpreter::CorrelationState> state_;
  std::unique_ptr<reference::CorrelationJudge> judge_;
  uint64_t steps_most_ = 0;
};

}  // namespace creance::test
