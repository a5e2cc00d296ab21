#include "sigma/condition.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace creance::sigma {
namespace {

constexpr std::array<std::string_view, 8> kWords{"and", "or", "not", "of", "them", "all", "any", "1"};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// `*` any characters. Linear in practice: on a mismatch only the last star moves on.
bool matches(std::string_view pattern, std::string_view name) {
  size_t p = 0;
  size_t n = 0;
  size_t star = std::string_view::npos;
  size_t resume = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

struct Token {
  std::string_view text;
  Span span;
  bool is(std::string_view word) const { return equal_ignoring_ascii_case(text, word); }
};

class Lexer {
 public:
  // `holds_pipe` says whether a word with a `|` in it is a name or a pattern of names; else the `|` stands for itself.
  Lexer(const ConditionText& condition, std::function<bool(std::string_view)> holds_pipe) : condition_(condition), holds_pipe_(std::move(holds_pipe)), column_(condition.span.column) {}
  // Empty text: the end.
  Token next() {
    while (at_ < condition_.text.size() && is_space(condition_.text[at_])) ++at_, ++column_;
    const Span span{condition_.span.line, condition_.verbatim ? column_ : condition_.span.column};
    const size_t begin = at_;
    if (at_ < condition_.text.size() && is_single(condition_.text[at_])) {
      ++at_, ++column_;
    } else {
      const size_t end = end_of_word(begin);
      while (at_ < end) {
        if ((static_cast<uint8_t>(condition_.text[at_]) & 0xC0) != 0x80) ++column_;
        ++at_;
      }
    }
    return {condition_.text.substr(begin, at_ - begin), span};
  }
  std::string_view rest() const { return condition_.text.substr(at_); }

 private:
  size_t end_of_word(size_t begin) const {
    const auto end_at = [&](std::string_view stops) { return std::min(condition_.text.find_first_of(stops, begin), condition_.text.size()); };
    const size_t pipe = end_at(" \t\n\r()|");
    if (pipe == condition_.text.size() || condition_.text[pipe] != '|') return pipe;
    const size_t whole = end_at(" \t\n\r()");
    return holds_pipe_(condition_.text.substr(begin, whole - begin)) ? whole : pipe;
  }
  static bool is_single(char c) { return c == '(' || c == ')' || c == '|'; }
  const ConditionText& condition_;
  std::function<bool(std::string_view)> holds_pipe_;
  size_t at_ = 0;
  uint32_t column_;
};

// A tree whose nodes may stand in any order; `emit` brings them into post-order.
struct Loose {
  NodeKind kind;
  uint32_t selection;
  std::vector<uint32_t> children;
};

class ConditionParser {
 public:
  ConditionParser(const std::vector<Selection>& selections, std::vector<bool>& used, Reporter& reporter) : selections_(selections), used_(used), reporter_(reporter) {
    for (uint32_t i = 0; i < selections.size(); ++i) by_name_.emplace(selections[i].name, i);
  }

  bool parse(const ConditionText& condition) {
    const bool names_with_pipes = std::ranges::any_of(selections_, [](const Selection& s) { return s.name.find('|') != std::string::npos; });
    Lexer lexer(condition, [&](std::string_view word) { return names_with_pipes && (by_name_.contains(word) || word.find('*') != std::string_view::npos); });
    bool operand_wanted = true;
    operators_.clear();
    operands_.clear();
    nesting_ = 0;
    Token previous;
    while (true) {
      const Token token = lexer.next();
      if (token.text.empty()) {
        if (operand_wanted) return syntax(token, previous.text.empty() ? "the condition is empty" : fmt::format("the condition ends after {} where a search identifier is needed", quote(previous.text)));
        break;
      }
      if (token.text == "|") return aggregation(token, lexer.rest());
      const bool good = operand_wanted ? operand(token, lexer, operand_wanted) : operation(token, operand_wanted);
      if (!good) return false;
      previous = token;
    }
    while (!operators_.empty()) {
      if (operators_.back().kind == Operator::kOpen) return syntax(operators_.back().token, "this `(` is never closed");
      if (!reduce()) return false;
    }
    roots_.push_back(operands_.back());
    return true;
  }

  std::vector<ConditionNode> finish() {
    uint32_t root = roots_.front();
    if (roots_.size() > 1) root = add({NodeKind::kOr, 0, roots_});
    return emit(root);
  }

 private:
  struct Operator {
    enum Kind : uint8_t { kOr, kAnd, kNot, kOpen } kind;  // in order of binding; kOpen is a bracket
    Token token;
  };

  bool syntax(const Token& token, std::string message, std::string help = "") {
    reporter_.report("S060", token.span, std::move(message), std::move(help));
    return false;
  }
  bool aggregation(const Token& token, std::string_view rest) {
    const size_t begin = std::min(rest.find_first_not_of(" \t\r\n"), rest.size());
    reporter_.report("S065", token.span, fmt::format("the old aggregation form {} is not Sigma 2", quote("| " + std::string(rest.substr(begin)))));
    return false;
  }
  bool too_large(const Token& token) {
    reporter_.report("S064", token.span, fmt::format("the condition has more than {} parts, patterns counted with what they name", limits::kConditionNodesMax));
    return false;
  }

  bool operand(const Token& token, Lexer& lexer, bool& wanted) {
    if (token.text == "(" || token.is("not")) {
      if (++nesting_ > limits::kConditionDepthMax) {
        reporter_.report("S064", token.span, fmt::format("the condition is nested deeper than {} levels", limits::kConditionDepthMax));
        return false;
      }
      operators_.push_back({token.text == "(" ? Operator::kOpen : Operator::kNot, token});
      return true;
    }
    if (token.text == ")") return syntax(token, "`)` where a search identifier is needed");
    if (token.is("and") || token.is("or")) return syntax(token, fmt::format("{} where a search identifier is needed", quote(token.text)));
    wanted = false;
    if (token.is("1") || token.is("any") || token.is("all")) return quantified(token, lexer);
    return identifier(token, lexer);
  }

  bool operation(const Token& token, bool& wanted) {
    if (token.text == ")") return close(token);
    if (!token.is("and") && !token.is("or")) {
      return syntax(token, fmt::format("{} where `and`, `or` or the end is needed", quote(token.text)));
    }
    const Operator::Kind kind = token.is("and") ? Operator::kAnd : Operator::kOr;
    while (!operators_.empty() && operators_.back().kind != Operator::kOpen && operators_.back().kind >= kind) {
      if (!reduce()) return false;
    }
    operators_.push_back({kind, token});
    wanted = true;
    return true;
  }

  bool close(const Token& token) {
    while (!operators_.empty() && operators_.back().kind != Operator::kOpen) {
      if (!reduce()) return false;
    }
    if (operators_.empty()) return syntax(token, "this `)` was never opened");
    operators_.pop_back();
    --nesting_;
    return true;
  }

  // Takes the last operator and its operands off the stacks.
  bool reduce() {
    const Operator op = operators_.back();
    operators_.pop_back();
    const uint32_t right = operands_.back();
    if (op.kind == Operator::kNot) {
      --nesting_;
      operands_.back() = add({NodeKind::kNot, 0, {right}});
      return ++edges_ <= limits::kConditionNodesMax || too_large(op.token);
    }
    operands_.pop_back();
    const uint32_t left = operands_.back();
    const NodeKind kind = op.kind == Operator::kAnd ? NodeKind::kAnd : NodeKind::kOr;
    if (loose_[left].kind == kind) {  // `a and b and c` is one node: the tree's depth follows the brackets, not the length
      loose_[left].children.push_back(right);
    } else {
      operands_.back() = add({kind, 0, {left, right}});
    }
    edges_ += 2;
    return edges_ <= limits::kConditionNodesMax || too_large(op.token);
  }

  bool identifier(const Token& token, Lexer& lexer) {
    const auto found = by_name_.find(token.text);
    if (found != by_name_.end()) {
      used_[found->second] = true;
      operands_.push_back(add({NodeKind::kSelection, found->second, {}}));
      return true;
    }
    if (token.is("them") || token.is("of")) return syntax(token, fmt::format("{} needs `1 of` or `all of` before it", quote(token.text)), "write `1 of them` or `all of them`");
    const bool digits = std::ranges::all_of(token.text, [](char c) { return c >= '0' && c <= '9'; });
    if (digits && lexer.next().is("of")) return syntax(token, fmt::format("{} is not supported", quote(std::string(token.text) + " of")), "only `1 of` (or `any of`) and `all of` exist");
    if (token.text.find('*') != std::string_view::npos) return syntax(token, fmt::format("the pattern {} needs `1 of` or `all of` before it", quote(token.text)), fmt::format("write `1 of {}` or `all of {}`", printable(token.text), printable(token.text)));
    reporter_.report("S061", token.span, fmt::format("the condition names {}, which is no search identifier", quote(token.text)), like(token.text));
    return false;
  }

  bool quantified(const Token& quantifier, Lexer& lexer) {
    const Token of = lexer.next();
    if (!of.is("of")) return syntax(quantifier, fmt::format("{} needs `of` and a pattern after it", quote(quantifier.text)), "write `1 of selection*`, `all of selection*` or `1 of them`");
    const Token pattern = lexer.next();
    if (pattern.text.empty() || pattern.text == "(" || pattern.text == ")" || pattern.text == "|") {
      return syntax(pattern, "`of` needs a pattern or `them` after it", "write `1 of selection*`, `all of selection*` or `1 of them`");
    }
    Loose node{quantifier.is("all") ? NodeKind::kAnd : NodeKind::kOr, 0, {}};
    const bool them = pattern.is("them");
    const auto stars = static_cast<uint64_t>(std::ranges::count(pattern.text, '*'));
    for (uint32_t i = 0; i < selections_.size(); ++i) {
      pattern_work_ += (1 + stars) * (1 + selections_[i].name.size());
      if (pattern_work_ > limits::kConditionPatternWorkMax) return too_large(pattern);
      if (them ? selections_[i].name.starts_with('_') : !matches(pattern.text, selections_[i].name)) continue;
      used_[i] = true;
      if (++edges_ > limits::kConditionNodesMax) return too_large(pattern);
      node.children.push_back(add({NodeKind::kSelection, i, {}}));
    }
    if (node.children.empty()) {
      reporter_.report("S062", pattern.span, them ? std::string("`them` names nothing: every search identifier begins with `_`") : fmt::format("{} matches no search identifier", quote(pattern.text)),
                       them ? "" : like(pattern.text));
      return false;
    }
    operands_.push_back(add(std::move(node)));
    return true;
  }

  std::string like(std::string_view text) const {
    if (reporter_.is_full()) return "";
    std::vector<std::string_view> names;
    for (const Selection& s : selections_) names.push_back(s.name);
    const auto name = nearest(text, names);
    return name ? fmt::format("did you mean {}?", quote(*name)) : "";
  }

  uint32_t add(Loose node) {
    loose_.push_back(std::move(node));
    return static_cast<uint32_t>(loose_.size() - 1);
  }

  std::vector<ConditionNode> emit(uint32_t root) const {
    struct Visit {
      uint32_t node;
      uint32_t next_child;
    };
    std::vector<ConditionNode> out;
    std::vector<uint32_t> place(loose_.size());
    std::vector<Visit> stack{{root, 0}};
    while (!stack.empty()) {
      Visit& top = stack.back();
      const Loose& node = loose_[top.node];
      if (top.next_child < node.children.size()) {
        const uint32_t child = node.children[top.next_child++];
        stack.push_back({child, 0});
        continue;
      }
      ConditionNode done{node.kind, node.selection, {}};
      for (const uint32_t child : node.children) done.children.push_back(place[child]);
      place[top.node] = static_cast<uint32_t>(out.size());
      out.push_back(std::move(done));
      stack.pop_back();
    }
    return out;
  }

  const std::vector<Selection>& selections_;
  std::vector<bool>& used_;
  Reporter& reporter_;
  std::unordered_map<std::string_view, uint32_t> by_name_;
  std::vector<Operator> operators_;
  std::vector<uint32_t> operands_;
  std::vector<uint32_t> roots_;
  std::vector<Loose> loose_;
  uint32_t nesting_ = 0;  // open brackets and pending `not`
  uint64_t edges_ = 0;
  uint64_t pattern_work_ = 0;
};

}  // namespace

bool is_condition_word(std::string_view name) {
  return std::ranges::any_of(kWords, [&](std::string_view word) { return equal_ignoring_ascii_case(word, name); });
}

std::vector<ConditionNode> parse_conditions(const std::vector<ConditionText>& conditions, const std::vector<Selection>& selections, std::vector<bool>& used, Reporter& reporter) {
  ConditionParser parser(selections, used, reporter);
  bool good = !conditions.empty();
  for (const ConditionText& condition : conditions) {
    good = parser.parse(condition) && good;
    if (reporter.is_full()) break;
  }
  return good ? parser.finish() : std::vector<ConditionNode>{};
}

}  // namespace creance::sigma
