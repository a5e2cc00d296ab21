// A Sigma correlation as written: typed, with spans; and the step that finds the rules that it names. Meaning is given by compiler and reference evaluator (D5).
// Source: Sigma Correlation Rules Specification 2.1.0; `value_median`, `percentile`, the units w, M and y, and conditions in words as pySigma takes them.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/decimal.hpp"
#include "sigma/codes.hpp"
#include "sigma/document.hpp"
#include "sigma/rule.hpp"

namespace creance::sigma {

enum class CorrelationKind : uint8_t { kEventCount, kValueCount, kTemporal, kTemporalOrdered, kValueSum, kValueMax, kValueMin, kValueAvg, kValuePercentile, kValueMedian };
std::string_view to_string(CorrelationKind kind);  // as written
constexpr bool is_temporal(CorrelationKind kind) { return kind == CorrelationKind::kTemporal || kind == CorrelationKind::kTemporalOrdered; }
constexpr bool counts(CorrelationKind kind) { return kind == CorrelationKind::kEventCount || kind == CorrelationKind::kValueCount || is_temporal(kind); }

enum class Comparison : uint8_t { kGreater, kGreaterOrEqual, kLess, kLessOrEqual, kEqual, kNotEqual };
struct Threshold {
  Comparison comparison = Comparison::kGreaterOrEqual;
  Int128 value = 0;  // in units of 10^-9 (base/decimal.hpp)
  Span span;
};

struct FieldAlias {
  struct Source {
    uint32_t rule = 0;  // index into Correlation::rules
    Name field;
  };
  Name name;
  std::vector<Source> sources;
};

struct Correlation : Metadata {
  Span correlation_span;
  CorrelationKind kind = CorrelationKind::kEventCount;
  std::vector<Name> rules;      // ids or names, as written; at least one
  std::vector<Name> group_by;   // fields or aliases; may be empty: one group
  std::vector<FieldAlias> aliases;
  int64_t timespan_us = 0;
  std::vector<Threshold> thresholds;      // all must hold; empty: `expression`, or all rules (temporal)
  std::vector<Name> fields;               // value_*: one; value_count: one or more
  std::optional<Int128> percentile;       // in units of 10^-9 percent
  std::vector<ConditionNode> expression;  // conditions in words: kSelection is an index into `rules`
  bool generate = false;
  bool refused = false;  // it had errors when it was read: it finds nothing, but what it names does not report in its stead
};

// The keys of the document are read already (`correlation` has its Metadata). False: there were errors; `rules` and `generate` are then as far as they could be read.
bool read_correlation(const YamlDocument& document, const YamlNode& root, std::string_view text, Correlation& correlation, Reporter& reporter);

struct Target {
  bool is_correlation = false;
  uint32_t index = 0;  // into the given rules or correlations
  friend auto operator<=>(const Target&, const Target&) = default;
};
struct LinkedCorrelation {
  uint32_t index = 0;           // into the given correlations
  std::vector<Target> targets;  // of each name in `rules`
};

// Finds what each correlation names (rule_index.hpp). Reports S120 to S123. The result holds the correlations without an
// error, referred ones before those that refer to them (then in the order given); one that refers to a refused correlation is refused, too. Of those that were refused
// when they were read nothing is reported again.
std::vector<LinkedCorrelation> link(std::span<const Correlation> correlations, std::span<const Rule> rules, Diagnostics& diagnostics);

// All that each correlation names, as far as it is there; of an ambiguous name all that have it. Refused correlations included.
std::vector<std::vector<Target>> references(std::span<const Correlation> correlations, std::span<const Rule> rules);

}  // namespace creance::sigma
