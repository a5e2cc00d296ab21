// Typed Sigma rules -> the bytes of one channel file. Not a parser, not a judge: what it cannot express it refuses with a diagnostic (codes C…), never drops silently.
// Deterministic: the same set of rules in any order gives the same bytes (rules are sorted by id, then file, then position). Pure; any number of threads.
#pragma once
#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "base/diagnostic.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "schema/inputs.hpp"
#include "schema/type.hpp"
#include "sigma/rule.hpp"

namespace creance::compiler {

// A rule and the log source of the Template Type that answers it; the restrictions of the log source are put in front of the rule's condition.
// `logsource` may be null: no restrictions. Both must outlive the call.
struct BoundRule {
  const sigma::Rule* rule = nullptr;
  const schema::AnsweredLogSource* logsource = nullptr;
};

struct Options {
  uint64_t channel_steps_max = limits::kChannelStepsMax;    // worst-case steps of one event over the whole channel; only lower values have an effect
  uint64_t instance_steps_max = limits::kInstanceStepsMax;  // the same for one instance alone: a rule above it is refused (C030)
  std::span<const schema::Inputs> sample;                   // events of the Type on which the choice of what wakes a rule is counted; empty: a static guess. Part of the sources of a channel
};

// The channel file for one Template Type. Rules that cannot be compiled are left out; each has at least one error in `diagnostics` with file, span and help.
// kTooLarge: the file would pass a limit or the cost budget as a whole. An empty set of rules gives a valid channel without instances.
Result<Bytes> compile(const schema::TemplateType& type, std::span<const BoundRule> rules, Diagnostics& diagnostics, const Options& options = {});

}  // namespace creance::compiler
