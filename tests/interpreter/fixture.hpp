// A Template Type, rules written as Sigma, events written as maps: for tests of compiler, channel and interpreter together.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "channel/verified_channel.hpp"
#include "compiler/compile.hpp"
#include "interpreter/interpreter.hpp"
#include "sigma/parser.hpp"

namespace creance::test {

inline schema::TemplateType type_of(std::vector<std::string> inputs) {
  schema::TemplateType type{.id = "test.type", .version = 3, .title = "Test"};
  for (std::string& name : inputs) type.inputs.push_back({std::move(name), schema::InputType::kString, ""});
  type.fingerprint.fill(0x5a);
  return type;
}

// `detection`: the lines under `detection:`, condition included, not indented.
inline std::string rule_yaml(const std::string& detection, int number = 1, const std::string& extra = "") {
  char id[40];
  std::snprintf(id, sizeof id, "00000000-0000-4000-8000-%012d", number);
  std::string out = "title: Rule " + std::to_string(number) + "\nid: " + id + "\nstatus: test\nauthor: Ada\nlevel: high\n" + extra + "logsource:\n  product: windows\n  category: process_creation\ndetection:\n";
  size_t at = 0;
  while (at < detection.size()) {
    const size_t end = std::min(detection.find('\n', at), detection.size());
    out += "  " + detection.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

inline std::vector<sigma::Rule> parse_rules(const std::string& yaml) {
  sigma::ParseOutcome outcome = sigma::parse(yaml, "rule.yml");
  for (const Diagnostic& d : outcome.diagnostics) {
    if (d.severity == Severity::kError) ADD_FAILURE() << to_line(d) << "\n" << yaml;
  }
  return std::move(outcome.rules);
}

inline Bytes compile_rules(const schema::TemplateType& type, const std::vector<sigma::Rule>& rules, Diagnostics& diagnostics) {
  std::vector<compiler::BoundRule> bound;
  for (const sigma::Rule& rule : rules) bound.push_back({&rule, nullptr});
  auto bytes = compiler::compile(type, bound, diagnostics);
  EXPECT_TRUE(bytes) << bytes.error().detail;
  return bytes ? *bytes : Bytes{};
}

using Event = std::map<std::string, std::string>;

// One event laid out as inputs. A field that the type does not have goes to `others`; names in `unavailable` are unavailable.
struct EventInputs {
  std::vector<schema::InputValue> values;
  std::vector<schema::FurtherValue> further;
  std::vector<std::string_view> others;
  schema::Inputs inputs() const { return {values, further, others}; }
};
inline EventInputs lay_out(const schema::TemplateType& type, const Event& event, const std::vector<std::string>& unavailable = {}) {
  EventInputs out;
  out.values.resize(type.inputs.size());
  for (const auto& [name, text] : event) {
    if (const auto index = type.input_index(name)) out.values[*index] = schema::InputValue(text);
    else out.others.push_back(text);
  }
  for (const std::string& name : unavailable) out.values[*type.input_index(name)] = schema::InputValue::unavailable();
  return out;
}

// A verified channel with its bytes and scratch.
class Loaded {
 public:
  Loaded(const schema::TemplateType& type, Bytes bytes) : type_(type), bytes_(std::make_unique<Bytes>(std::move(bytes))) {
    auto verified = channel::VerifiedChannel::verify(*bytes_, {type.fingerprint, static_cast<uint32_t>(type.inputs.size())});
    EXPECT_TRUE(verified) << verified.error().code << " at " << verified.error().offset << ": " << verified.error().detail;
    if (!verified) return;
    channel_ = std::make_unique<channel::VerifiedChannel>(std::move(*verified));
    scratch_.emplace(*channel_);
  }
  const channel::VerifiedChannel& channel() const { return *channel_; }
  const Bytes& bytes() const { return *bytes_; }
  bool ready() const { return channel_ != nullptr; }
  interpreter::Scratch& scratch() { return *scratch_; }

  // Evaluates and checks what holds for every event: no fault, steps within the law.
  interpreter::Outcome run(const schema::Inputs& inputs) {
    const interpreter::Outcome outcome = interpreter::evaluate(*channel_, inputs, *scratch_);
    EXPECT_TRUE(outcome.faults.empty());
    const interpreter::EventSize size = interpreter::measure(inputs);
    EXPECT_LE(outcome.steps, channel_->cost_fixed() + channel_->cost_per_value() * size.values + channel_->cost_per_byte() * size.bytes);
    EXPECT_LE(outcome.steps, channel_->cost_bound());
    return outcome;
  }
  std::vector<uint32_t> matches(const Event& event, const std::vector<std::string>& unavailable = {}) {
    const EventInputs laid_out = lay_out(type_, event, unavailable);
    const interpreter::Outcome outcome = run(laid_out.inputs());
    return {outcome.matches.begin(), outcome.matches.end()};
  }

 private:
  schema::TemplateType type_;
  std::unique_ptr<Bytes> bytes_;
  std::unique_ptr<channel::VerifiedChannel> channel_;
  std::optional<interpreter::Scratch> scratch_;
};

inline Loaded load(const std::string& detection, std::vector<std::string> inputs = {"A", "B", "C"}) {
  const schema::TemplateType type = type_of(std::move(inputs));
  const std::vector<sigma::Rule> rules = parse_rules(rule_yaml(detection));
  Diagnostics diagnostics;
  Bytes bytes = compile_rules(type, rules, diagnostics);
  for (const Diagnostic& d : diagnostics) ADD_FAILURE() << to_line(d);
  return Loaded(type, std::move(bytes));
}

// Whether one rule with this detection matches the event.
inline bool matches(const std::string& detection, const Event& event, const std::vector<std::string>& unavailable = {}) {
  Loaded loaded = load(detection);
  return loaded.ready() && !loaded.matches(event, unavailable).empty();
}
// Whether `field: value` lines as one selection match.
inline bool selects(const std::string& lines, const Event& event) {
  std::string detection = "sel:\n";
  size_t at = 0;
  while (at < lines.size()) {
    const size_t end = std::min(lines.find('\n', at), lines.size());
    detection += "  " + lines.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return matches(detection + "condition: sel", event);
}

// The codes of the diagnostics that compiling one rule gives.
inline std::vector<std::string> refusals(const std::string& detection, std::vector<std::string> inputs = {"A", "B", "C"}) {
  const schema::TemplateType type = type_of(std::move(inputs));
  const std::vector<sigma::Rule> rules = parse_rules(rule_yaml(detection));
  Diagnostics diagnostics;
  const Bytes bytes = compile_rules(type, rules, diagnostics);
  Loaded loaded(type, bytes);
  EXPECT_EQ(loaded.channel().instance_count(), rules.size() - (diagnostics.empty() ? 0 : 1));
  std::vector<std::string> codes;
  for (const Diagnostic& d : diagnostics) {
    EXPECT_FALSE(d.help.empty());
    codes.push_back(d.code);
  }
  return codes;
}

}  // namespace creance::test
