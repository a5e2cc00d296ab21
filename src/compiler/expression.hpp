// A rule's condition between Sigma and the channel file: predicates by value, joined by and, or, not. Children stand before their parents.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "channel/format.hpp"
#include "compiler/pattern.hpp"
#include "compiler/regex.hpp"

namespace creance::compiler {

// A predicate by value. Equal keys are equal predicates: evaluated once an event, whoever asks.
struct PredicateSpec {
  channel::PredicateKind kind = channel::PredicateKind::kPresent;
  bool cased = false;
  uint32_t input = 0;
  uint32_t other = 0;
  uint64_t number = 0;        // comparisons: bits of the form that `other` says; kTimePart: the number itself
  std::string text;           // literal (folded unless cased), address, or the source of the regular expression with its flags
  Pattern glob;               // texts folded unless cased
  std::shared_ptr<const RegexProgram> regex;

  std::string key() const;
};

enum class ExpressionKind : uint8_t { kLeaf, kAnd, kOr, kNot };
struct Expression {
  ExpressionKind kind = ExpressionKind::kLeaf;
  uint32_t predicate = 0;          // kLeaf: index into CompiledRule::predicates, later into the channel's
  std::vector<uint32_t> children;  // kAnd, kOr: any number (none: true, false); kNot: one
};

struct CompiledRule {
  std::vector<PredicateSpec> predicates;
  std::vector<Expression> expressions;
  uint32_t root = 0;
};

}  // namespace creance::compiler
