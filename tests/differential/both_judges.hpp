// The same rules given to both judges: compiled, verified and interpreted as one channel, and evaluated one by one by the reference.
#pragma once
#include <fmt/format.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "channel/verified_channel.hpp"
#include "compiler/compile.hpp"
#include "interpreter/interpreter.hpp"
#include "reference/judge.hpp"
#include "sigma/rule.hpp"

namespace creance::differential {

inline std::string describe(const sigma::Rule& rule) {
  std::string out;
  for (const sigma::Selection& selection : rule.selections) {
    out += selection.name + ":";
    for (const sigma::Alternative& alternative : selection.alternatives) {
      out += " {";
      for (const sigma::Item& item : alternative.items) {
        out += " " + item.field;
        for (const sigma::Modifier modifier : item.modifiers) out += "|" + std::string(sigma::to_string(modifier));
        out += "=[";
        for (const sigma::Value& value : item.values) out += value.kind == sigma::ValueKind::kNull ? "null," : value.kind == sigma::ValueKind::kString ? "'" + value.text + "'," : value.text + ",";
        out += "]";
      }
      out += " }";
    }
    out += "; ";
  }
  std::vector<std::string> nodes;
  for (const sigma::ConditionNode& node : rule.condition) {
    std::string text = node.kind == sigma::NodeKind::kSelection ? rule.selections[node.selection].name : node.kind == sigma::NodeKind::kAnd ? "and(" : node.kind == sigma::NodeKind::kOr ? "or(" : "not(";
    for (const uint32_t child : node.children) text += nodes[child] + " ";
    if (!node.children.empty()) text += ")";
    nodes.push_back(text);
  }
  return out + "condition: " + (nodes.empty() ? "" : nodes.back());
}

inline std::string describe(const schema::TemplateType& type, const schema::Inputs& inputs) {
  std::string out;
  for (size_t i = 0; i < inputs.values.size(); ++i) {
    const schema::InputValue& value = inputs.values[i];
    if (value.presence == schema::Presence::kUnavailable) out += type.inputs[i].name + " unavailable, ";
    if (value.has_value()) out += fmt::format("{}='{}', ", type.inputs[i].name, value.text());
  }
  for (const schema::FurtherValue& more : inputs.further) out += fmt::format("{}+='{}', ", type.inputs[more.input].name, more.text);
  for (const std::string_view other : inputs.others) out += fmt::format("other '{}', ", other);
  return out;
}

// The chains of modifiers in a rule, "|contains|all" and so on; "keyword" in front where there is no field.
inline std::set<std::string> chains_of(const sigma::Rule& rule) {
  std::set<std::string> out;
  for (const sigma::Selection& selection : rule.selections) {
    for (const sigma::Alternative& alternative : selection.alternatives) {
      for (const sigma::Item& item : alternative.items) {
        std::string chain = item.is_keyword() ? "keyword" : "";
        for (const sigma::Modifier modifier : item.modifiers) chain += "|" + std::string(sigma::to_string(modifier));
        out.insert(chain);
      }
    }
  }
  return out;
}

// How often rules with each chain of modifiers matched. A chain that never does was not compared at all.
class BothJudges;
class ChainTally {
 public:
  void add(const BothJudges& judges, const std::vector<uint64_t>& matched);
  std::string never() const {
    std::string out;
    for (const auto& [chain, count] : counts_) out += count == 0 ? "`" + chain + "` " : "";
    return out;
  }

 private:
  std::map<std::string, uint64_t> counts_;
};

class BothJudges {
 public:
  // Rules without bindings to catalogs: each runs over `type` with `logsource` (may be null). Rules get ids of their own.
  BothJudges(const schema::TemplateType& type, std::vector<sigma::Rule> rules, const std::vector<const schema::AnsweredLogSource*>& logsources = {}) : type_(&type), rules_(std::move(rules)) {
    std::vector<compiler::BoundRule> bound;
    for (size_t i = 0; i < rules_.size(); ++i) {
      rules_[i].id = fmt::format("{:08}", i);
      bound.push_back({&rules_[i], logsources.empty() ? nullptr : logsources[i]});
    }
    auto bytes = compiler::compile(type, bound, diagnostics_);
    if (!bytes) {
      error_ = bytes.error().detail;
      return;
    }
    bytes_ = std::move(*bytes);
    auto channel = channel::VerifiedChannel::verify(bytes_, {type.fingerprint, static_cast<uint32_t>(type.inputs.size())});
    if (!channel) {
      error_ = fmt::format("the verifier refuses what the compiler made: {} {}", channel.error().code, channel.error().detail);
      return;
    }
    channel_ = std::make_unique<channel::VerifiedChannel>(std::move(*channel));
    scratch_ = std::make_unique<interpreter::Scratch>(*channel_);
    compiled_.assign(rules_.size(), false);
    for (uint32_t i = 0; i < channel_->instance_count(); ++i) {
      const auto rule = static_cast<uint32_t>(std::stoul(std::string(channel_->instance(i).rule_id)));
      compiled_[rule] = true;
      rule_of_.push_back(rule);
    }
    for (size_t i = 0; i < rules_.size(); ++i) judges_.push_back(reference::Judge::make(rules_[i], {&type, logsources.empty() ? nullptr : logsources[i]}));
  }

  const std::string& error() const { return error_; }
  const std::vector<sigma::Rule>& rules() const { return rules_; }
  bool compiled(size_t rule) const { return compiled_[rule]; }
  bool judged(size_t rule) const { return judges_[rule].has_value(); }
  std::string reason(size_t rule) const {
    std::string out = judged(rule) ? "" : "reference: " + judges_[rule].error().detail + "; ";
    for (const Diagnostic& diagnostic : diagnostics_) out += diagnostic.message + "; ";
    return out;
  }

  // The rules that the interpreter lets match; `trouble` says what broke a law of the interpreter, if something did.
  std::vector<bool> interpret(const schema::Inputs& inputs, std::string& trouble) {
    std::vector<bool> out(rules_.size(), false);
    const interpreter::Outcome outcome = interpreter::evaluate(*channel_, inputs, *scratch_);
    for (const uint32_t instance : outcome.matches) out[rule_of_[instance]] = true;
    if (!outcome.faults.empty()) trouble = fmt::format("{} faults", outcome.faults.size());
    if (outcome.steps > channel_->cost_bound()) trouble = fmt::format("{} steps, more than the bound {}", outcome.steps, channel_->cost_bound());
    const interpreter::EventSize size = interpreter::measure(inputs);
    const uint64_t bound = channel_->cost_fixed() + channel_->cost_per_value() * size.values + channel_->cost_per_byte() * size.bytes;
    if (outcome.steps > bound) trouble = fmt::format("{} steps, more than {} for this event", outcome.steps, bound);
    return out;
  }
  std::optional<std::vector<uint32_t>> reads(size_t rule) const { return judges_[rule]->reads(); }  // what the reference looks at
  bool judge(size_t rule, const schema::Inputs& inputs) const { return judges_[rule]->matches(inputs); }

  // Empty: both agree on every rule that both take. `matched` counts the matches of each rule: agreement over what never matches says little.
  std::string disagreement(const schema::Inputs& inputs, uint64_t* matches = nullptr, std::vector<uint64_t>* matched = nullptr) {
    std::string trouble;
    const std::vector<bool> fast = interpret(inputs, trouble);
    if (!trouble.empty()) return trouble;
    for (size_t i = 0; i < rules_.size(); ++i) {
      if (!compiled_[i] || !judged(i)) continue;
      const bool slow = judge(i, inputs);
      if (matches != nullptr && slow) ++*matches;
      if (matched != nullptr && slow) ++matched->at(i);
      if (slow != fast[i]) return fmt::format("interpreter {}, reference {}\n  rule: {}\n  event: {}", fast[i] ? "matches" : "does not match", slow ? "matches" : "does not match", describe(rules_[i]), describe(*type_, inputs));
    }
    return "";
  }

 private:
  const schema::TemplateType* type_;
  std::vector<sigma::Rule> rules_;
  Diagnostics diagnostics_;
  std::string error_;
  Bytes bytes_;
  std::unique_ptr<channel::VerifiedChannel> channel_;
  std::unique_ptr<interpreter::Scratch> scratch_;
  std::vector<Result<reference::Judge>> judges_;
  std::vector<bool> compiled_;
  std::vector<uint32_t> rule_of_;  // instance -> rule
};

inline void ChainTally::add(const BothJudges& judges, const std::vector<uint64_t>& matched) {
  for (size_t i = 0; i < judges.rules().size(); ++i) {
    if (!judges.compiled(i)) continue;
    for (const std::string& chain : chains_of(judges.rules()[i])) counts_[chain] += matched[i];
  }
}

}  // namespace creance::differential
