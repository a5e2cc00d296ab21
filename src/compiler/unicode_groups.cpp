#include "compiler/unicode_groups.hpp"

#include <span>

#include "channel/utf8.hpp"

namespace creance::compiler {
namespace {

struct GroupRun {
  uint32_t first;  // up to the next run's first
  uint32_t name;
};
#include "compiler/unicode_groups.inc"

constexpr std::string_view kUnassigned = "Cn";
constexpr std::string_view kUnknown = "Unknown";

template <class Belongs>
std::vector<channel::RangeRecord> members(std::span<const GroupRun> runs, Belongs belongs) {
  std::vector<channel::RangeRecord> out;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (!belongs(runs[i].name)) continue;
    const uint32_t last = i + 1 < runs.size() ? runs[i + 1].first - 1 : channel::kRuneMax;
    if (!out.empty() && out.back().high + 1 == runs[i].first) out.back().high = last;
    else out.push_back({runs[i].first, last});
  }
  return out;
}

}  // namespace

std::optional<std::vector<channel::RangeRecord>> unicode_group(std::string_view name) {
  if (name == "Any") return std::vector<channel::RangeRecord>{{0, channel::kRuneMax}};
  if (name.empty() || name == kUnassigned || name == kUnknown) return std::nullopt;
  auto found = members(kCategoryRuns, [&](uint32_t index) { return kCategoryNames[index] != kUnassigned && name.size() <= 2 && kCategoryNames[index].starts_with(name); });
  if (found.empty()) found = members(kScriptRuns, [&](uint32_t index) { return kScriptNames[index] == name; });
  if (found.empty()) return std::nullopt;
  return found;
}

}  // namespace creance::compiler
