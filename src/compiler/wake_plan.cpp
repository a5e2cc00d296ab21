#include "compiler/wake_plan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/limits.hpp"

namespace creance::compiler {
namespace {

using channel::PredicateKind;
constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr size_t kClauseMax = limits::kValuesPerRuleMax;

struct Clause {
  double weight = kNever;
  std::vector<uint32_t> predicates;
  bool exists() const { return weight < kNever; }
};

// Implied by the expression being true, and by its being false.
struct Implied {
  Clause when_true;
  Clause when_false;
};

// One of several clauses that all hold: the cheapest.
Clause cheapest(std::span<const Implied> implied, std::span<const uint32_t> children, Clause Implied::*side) {
  const Clause* best = nullptr;
  for (const uint32_t child : children) {
    const Clause& clause = implied[child].*side;
    if (clause.exists() && (best == nullptr || clause.weight < best->weight)) best = &clause;
  }
  return best == nullptr ? Clause{} : *best;
}

// At least one of several holds: the union, if each is known.
Clause together(std::span<const Implied> implied, std::span<const uint32_t> children, Clause Implied::*side) {
  Clause out{0, {}};
  for (const uint32_t child : children) {
    const Clause& clause = implied[child].*side;
    if (!clause.exists() || out.predicates.size() + clause.predicates.size() > kClauseMax) return {};
    out.weight += clause.weight;
    out.predicates.insert(out.predicates.end(), clause.predicates.begin(), clause.predicates.end());
  }
  std::ranges::sort(out.predicates);
  out.predicates.erase(std::ranges::unique(out.predicates).begin(), out.predicates.end());
  return out;
}

}  // namespace

double wake_weight(const channel::PredicateRecord& p, std::string_view text, uint32_t uses) {
  if ((p.flags & channel::kCased) != 0) return kNever;
  const auto length = static_cast<double>(text.size());
  const double often = (1.0 + uses) * (p.input == channel::kEveryValue ? 20 : 1);
  const bool folder = text.size() >= 2 && text.front() == '\\' && text.back() == '\\';
  switch (p.kind) {
    case PredicateKind::kEquals: return often * std::max(1e-4, 0.3 * std::pow(0.75, length));
    case PredicateKind::kEndsWith: return often * std::max(1e-3, 0.3 * std::pow(0.75, length));
    case PredicateKind::kStartsWith: return often * std::max(5e-3, 0.5 * std::pow(0.9, length));
    case PredicateKind::kContains: return text.size() < channel::kNearMin ? kNever : often * (folder ? 4 : 1) * std::max(1e-3, 0.6 * std::pow(0.8, length));
    default: return kNever;
  }
}

double counted_weight(const channel::PredicateRecord& p, std::string_view text, uint32_t uses, uint32_t events) {
  const double guess = wake_weight(p, text, uses);
  if (events == 0 || guess == kNever) return guess;
  constexpr double kGuessEvents = 2;  // how many events the guess is worth
  const double alone = std::min(1.0, wake_weight(p, text, 0));
  const double often = (p.seen + kGuessEvents * alone) / (events + kGuessEvents);
  // What looking for it costs every event, beside what finding it costs: short grams are looked for at every place.
  const bool near = p.kind == PredicateKind::kContains && text.size() < channel::kFarMin;
  const double search = near ? 2e-3 : p.kind == PredicateKind::kContains ? 5e-4 : 1e-4;
  return often + search;
}

std::vector<uint32_t> choose_clause(std::span<const Expression> expressions, uint32_t root, std::span<const double> weights) {
  std::vector<Implied> implied(expressions.size());
  for (size_t i = 0; i < expressions.size(); ++i) {
    const Expression& e = expressions[i];
    Implied& at = implied[i];
    switch (e.kind) {
      case ExpressionKind::kLeaf:
        if (weights[e.predicate] < kNever) at.when_true = {weights[e.predicate], {e.predicate}};
        break;
      case ExpressionKind::kNot:
        at.when_true = implied[e.children[0]].when_false;
        at.when_false = implied[e.children[0]].when_true;
        break;
      case ExpressionKind::kAnd:
        at.when_true = cheapest(implied, e.children, &Implied::when_true);
        at.when_false = together(implied, e.children, &Implied::when_false);
        break;
      case ExpressionKind::kOr:
        at.when_true = together(implied, e.children, &Implied::when_true);
        at.when_false = cheapest(implied, e.children, &Implied::when_false);
        break;
    }
  }
  return implied[root].when_true.predicates;
}

}  // namespace creance::compiler
