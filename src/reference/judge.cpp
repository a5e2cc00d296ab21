#include "reference/judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/check.hpp"
#include "reference/predicate.hpp"

namespace creance::reference {

struct Judge::Compiled {
  using All = std::vector<Predicate>;
  const schema::TemplateType* type = nullptr;
  All restrictions;                         // of the log source: all hold
  std::vector<std::vector<All>> selections; // any alternative, all its lines
  std::vector<sigma::ConditionNode> condition;
  std::set<uint32_t> reads;                 // inputs
  bool reads_everything = false;

  void note(const Predicate& predicate) {
    reads.insert(predicate.reads().begin(), predicate.reads().end());
    if (predicate.is_keyword()) reads_everything = true;
  }
};

namespace {

bool all_hold(const std::vector<Predicate>& predicates, const schema::Inputs& inputs) {
  return std::all_of(predicates.begin(), predicates.end(), [&](const Predicate& each) { return each.holds(inputs); });
}

sigma::Item restriction_item(const schema::Restriction& restriction) {
  sigma::Item item;
  item.field = restriction.input;
  for (const std::string& text : restriction.values) item.values.push_back({sigma::ValueKind::kInteger, text, {}});  // taken literally, no wildcards
  return item;
}

}  // namespace

Judge::Judge(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Judge::Judge(Judge&&) noexcept = default;
Judge& Judge::operator=(Judge&&) noexcept = default;
Judge::~Judge() = default;

Result<Judge> Judge::make(const sigma::Rule& rule, const sigma::Binding& binding) {
  CHECK(binding.type != nullptr);
  auto out = std::make_unique<Compiled>();
  out->type = binding.type;
  out->condition = rule.condition;
  if (rule.condition.empty()) return fail(ErrorCode::kInvalid, "the rule has no condition");
  std::set<uint32_t> used;
  for (const sigma::ConditionNode& node : rule.condition) {
    if (node.kind == sigma::NodeKind::kSelection) used.insert(node.selection);
  }
  out->selections.resize(rule.selections.size());
  for (const uint32_t index : used) {
    CHECK(index < rule.selections.size());
    for (const sigma::Alternative& alternative : rule.selections[index].alternatives) {
      Compiled::All all;
      for (const sigma::Item& item : alternative.items) {
        TRY(Predicate predicate, Predicate::make(item, *binding.type));
        out->note(predicate);
        all.push_back(std::move(predicate));
      }
      out->selections[index].push_back(std::move(all));
    }
  }
  if (binding.logsource != nullptr) {
    for (const schema::Restriction& restriction : binding.logsource->when) {
      TRY(Predicate predicate, Predicate::make(restriction_item(restriction), *binding.type));
      out->note(predicate);
      out->restrictions.push_back(std::move(predicate));
    }
  }
  return Judge(std::move(out));
}

std::optional<std::vector<uint32_t>> Judge::reads() const {
  if (compiled_->reads_everything) return std::nullopt;
  return std::vector<uint32_t>(compiled_->reads.begin(), compiled_->reads.end());
}

bool Judge::matches(const schema::Inputs& inputs) const {
  const Compiled& c = *compiled_;
  CHECK(inputs.values.size() == c.type->inputs.size());
  for (uint32_t input = 0; input < inputs.values.size(); ++input) {
    const bool read = c.reads_everything || c.reads.contains(input);
    if (read && inputs.values[input].presence == schema::Presence::kUnavailable) return false;
  }
  if (!all_hold(c.restrictions, inputs)) return false;
  std::vector<bool> verdict;  // of each node; children stand before their parent
  for (const sigma::ConditionNode& node : c.condition) {
    const auto child = [&](uint32_t index) -> bool { return verdict[index]; };
    switch (node.kind) {
      case sigma::NodeKind::kSelection: {
        const auto& alternatives = c.selections[node.selection];
        verdict.push_back(std::any_of(alternatives.begin(), alternatives.end(), [&](const auto& all) { return all_hold(all, inputs); }));
        break;
      }
      case sigma::NodeKind::kAnd: verdict.push_back(std::all_of(node.children.begin(), node.children.end(), child)); break;
      case sigma::NodeKind::kOr: verdict.push_back(std::any_of(node.children.begin(), node.children.end(), child)); break;
      case sigma::NodeKind::kNot: verdict.push_back(!child(node.children.at(0))); break;
    }
  }
  return verdict.back();
}

}  // namespace creance::reference
