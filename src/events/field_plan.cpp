#include "events/field_plan.hpp"

#include <array>
#include <optional>
#include <string_view>

namespace creance::events {
namespace {

constexpr uint32_t kNobody = 0xffffffff;

// Names that say something about the event and are no value of it.
bool is_reserved(std::string_view key) { return key == "_source" || key == "_type" || key == "_channel" || key == "_provider"; }

// `Threat Name` is the input ThreatName (Sigma specification, rules, "Field Usage": blanks are left out).
std::optional<FieldTable::Found> find_without_blanks(const FieldTable& table, std::string_view key) {
  std::array<char, 256> name;
  size_t size = 0;
  for (const char c : key) {
    if (c == ' ') continue;
    if (size == name.size()) return std::nullopt;
    name[size++] = c;
  }
  return table.find(std::string_view(name.data(), size));
}

}  // namespace

void FieldPlanner::plan(const Route& route, std::span<const Field> fields, FieldPlan& out) {
  const size_t inputs = route.type->inputs.size();
  winners_.assign(inputs, kNobody);
  exact_.assign(inputs, false);
  out.winners.clear();
  out.losers.clear();
  out.duplicates = 0;
  const auto lose = [&](uint32_t field) {
    if (route.wanted.others) out.losers.push_back(field);
  };
  for (uint32_t i = 0; i < fields.size(); ++i) {
    const std::string_view key = fields[i].key;
    if (key.starts_with('_') && is_reserved(key)) continue;
    auto found = route.fields.find(key);
    if (!found && key.find(' ') != std::string_view::npos) found = find_without_blanks(route.fields, key);
    if (!found) {
      lose(i);
      continue;
    }
    uint32_t& winner = winners_[found->input];
    if (winner == kNobody) {
      winner = i;
      exact_[found->input] = found->exact;
      continue;
    }
    ++out.duplicates;
    if (exact_[found->input] && !found->exact) {
      lose(i);
    } else {
      lose(winner);
      winner = i;
      exact_[found->input] = found->exact;
    }
  }
  for (uint32_t input = 0; input < inputs; ++input) {
    if (winners_[input] != kNobody && route.wanted.wants(input)) out.winners.push_back({input, winners_[input], route.type->inputs[input].type == schema::InputType::kInteger, {}});
  }
  for (const HashInput& hash : route.hashes) {  // an event that has such a field says it itself
    if (winners_[hash.input] == kNobody && winners_[hash.from] != kNobody) out.winners.push_back({hash.input, winners_[hash.from], false, hash.algorithm});
  }
}

}  // namespace creance::events
