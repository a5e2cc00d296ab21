#include "compiler/decisions.hpp"

#include <algorithm>
#include <map>
#include <tuple>

namespace creance::compiler {
namespace {

using channel::kAccept;
using channel::kReject;
using channel::NodeRecord;

// What evaluating each expression costs, roughly: the sum of its tests.
std::vector<double> efforts(std::span<const Expression> expressions, std::span<const double> effort) {
  std::vector<double> out(expressions.size(), 0);
  for (size_t i = 0; i < expressions.size(); ++i) {
    const Expression& e = expressions[i];
    if (e.kind == ExpressionKind::kLeaf) out[i] = effort[e.predicate];
    for (const uint32_t child : e.children) out[i] += out[child];
  }
  return out;
}

// How often each expression holds, as far as its parts are independent; 0.5 throughout if nothing is known, so that effort alone decides.
std::vector<double> chances(std::span<const Expression> expressions, std::span<const double> chance) {
  std::vector<double> out(expressions.size(), 0.5);
  if (chance.empty()) return out;
  for (size_t i = 0; i < expressions.size(); ++i) {
    const Expression& e = expressions[i];
    switch (e.kind) {
      case ExpressionKind::kLeaf: out[i] = chance[e.predicate]; break;
      case ExpressionKind::kNot: out[i] = 1 - out[e.children[0]]; break;
      case ExpressionKind::kAnd:
        out[i] = 1;
        for (const uint32_t child : e.children) out[i] *= out[child];
        break;
      case ExpressionKind::kOr: {
        double none = 1;
        for (const uint32_t child : e.children) none *= 1 - out[child];
        out[i] = 1 - none;
        break;
      }
    }
  }
  return out;
}

// Built from the end to the beginning: a node's targets are there before it. `index` counts from the end until finish() turns it round.
class Builder {
 public:
  Builder(std::span<const Expression> expressions, std::span<const double> effort, std::span<const double> chance, size_t nodes_max)
      : expressions_(expressions), effort_(efforts(expressions, effort)), chance_(chances(expressions, chance)), nodes_max_(nodes_max) {}

  std::optional<std::vector<NodeRecord>> run(uint32_t root) {
    uint32_t entry = kReject;
    stack_.push_back(frame(root, kAccept, kReject));
    while (!stack_.empty()) {
      if (nodes_.size() > nodes_max_) return std::nullopt;
      entry = step(entry);
    }
    return finish(entry);
  }

 private:
  struct Frame {
    uint32_t expression;
    uint32_t if_true;
    uint32_t if_false;
    std::vector<uint32_t> todo;  // children still to place; the last of the order is placed first, so it stands at the back
    bool started = false;
  };

  Frame frame(uint32_t expression, uint32_t if_true, uint32_t if_false) {
    Frame f{expression, if_true, if_false, expressions_[expression].children};
    // What decides most for its effort comes first: in an `and` what is likely false, in an `or` what is likely true.
    const ExpressionKind kind = expressions_[expression].kind;
    const auto price = [&](uint32_t child) { return effort_[child] / std::max(1e-6, kind == ExpressionKind::kAnd ? 1 - chance_[child] : chance_[child]); };
    if (kind != ExpressionKind::kNot) std::ranges::stable_sort(f.todo, {}, price);
    return f;
  }

  // `entry`: where the expression finished last begins.
  uint32_t step(uint32_t entry) {
    Frame& f = stack_.back();
    const Expression& e = expressions_[f.expression];
    if (e.kind == ExpressionKind::kLeaf) {
      const uint32_t begin = node(e.predicate, f.if_true, f.if_false);
      stack_.pop_back();
      return begin;
    }
    const bool is_and = e.kind == ExpressionKind::kAnd;
    // What follows the child to be placed: at first the whole's own targets, then the child placed before.
    if (f.started) (is_and ? f.if_true : f.if_false) = entry;
    if (e.kind == ExpressionKind::kNot && f.started) {
      stack_.pop_back();
      return entry;
    }
    if (f.todo.empty()) {  // nothing (more) to ask: an empty `and` is true, an empty `or` false
      const uint32_t begin = f.started ? entry : is_and ? f.if_true : f.if_false;
      stack_.pop_back();
      return begin;
    }
    f.started = true;
    const uint32_t child = f.todo.back();
    f.todo.pop_back();
    const bool is_not = e.kind == ExpressionKind::kNot;
    Frame next = frame(child, is_not ? f.if_false : f.if_true, is_not ? f.if_true : f.if_false);
    stack_.push_back(std::move(next));
    return entry;
  }

  uint32_t node(uint32_t predicate, uint32_t if_true, uint32_t if_false) {
    if (if_true == if_false) return if_true;
    const auto [known, is_new] = known_.emplace(std::tuple(predicate, if_true, if_false), static_cast<uint32_t>(nodes_.size()));
    if (is_new) nodes_.push_back({predicate, if_true, if_false});
    return known->second;
  }

  std::vector<NodeRecord> finish(uint32_t entry) {
    if (entry >= kReject) {  // always the same: ask anything
      uint32_t predicate = 0;
      for (const Expression& e : expressions_) {
        if (e.kind == ExpressionKind::kLeaf) predicate = e.predicate;
      }
      return {{predicate, entry, entry}};
    }
    // Nodes made after the entry are not reached; the entry becomes the first.
    const auto turned = [&](uint32_t target) { return target >= kReject ? target : entry - target; };
    std::vector<NodeRecord> out;
    for (uint32_t i = entry + 1; i-- > 0;) out.push_back({nodes_[i].predicate, turned(nodes_[i].if_true), turned(nodes_[i].if_false)});
    return out;
  }

  std::span<const Expression> expressions_;
  std::vector<double> effort_;
  std::vector<double> chance_;
  size_t nodes_max_;
  std::vector<Frame> stack_;
  std::vector<NodeRecord> nodes_;
  std::map<std::tuple<uint32_t, uint32_t, uint32_t>, uint32_t> known_;
};

}  // namespace

std::optional<std::vector<NodeRecord>> decide(std::span<const Expression> expressions, uint32_t root, std::span<const double> effort, std::span<const double> chance, size_t nodes_max) {
  return Builder(expressions, effort, chance, nodes_max).run(root);
}

}  // namespace creance::compiler
