// Sequences of events through correlations, by both judges: compiled, verified and run, and by the reference evaluator. For cases.cpp.
#pragma once
#include <memory>
#include <span>

#include "schema/catalog.hpp"
#include "sigma/correlation.hpp"
#include "validator/judge/cases.hpp"

namespace creance::validator {

class CorrelationJudges {
 public:
  // Everything given must outlive it.
  CorrelationJudges(std::span<const sigma::Rule> rules, std::span<const sigma::Correlation> correlations, const schema::Catalog& catalog);
  CorrelationJudges(CorrelationJudges&&) noexcept;
  ~CorrelationJudges();

  void judge(const sigma::Correlation& correlation, const RuleCases& cases, CaseReport& report);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace creance::validator
