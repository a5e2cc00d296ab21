#include "compiler/build.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "channel/verified_channel.hpp"
#include "compiler/compile.hpp"
#include "sigma/binder.hpp"

namespace creance::compiler {
namespace {

struct Bound {
  std::vector<BoundRule> rules;
  std::vector<uint32_t> indices;
};

// Which of the bound rules became instances: the compiler leaves out those that it refuses, so the file itself is asked.
Result<std::vector<uint32_t>> instances_of(BytesView bytes, const schema::TemplateType& type, const Bound& bound, std::span<const sigma::Rule> rules) {
  const auto channel = channel::VerifiedChannel::verify(bytes, {type.fingerprint, static_cast<uint32_t>(type.inputs.size())});
  if (!channel) return fail(ErrorCode::kInvalid, fmt::format("the verifier refuses what the compiler made for {}: {} {}; please report it", type.id, channel.error().code, channel.error().detail));
  std::map<std::string_view, uint32_t> in_channel;
  for (uint32_t i = 0; i < channel->instance_count(); ++i) ++in_channel[channel->instance(i).rule_id];
  std::vector<uint32_t> indices;
  for (const uint32_t index : bound.indices) {
    const auto found = in_channel.find(rules[index].id);
    if (found == in_channel.end() || found->second == 0) continue;
    if (!rules[index].id.empty()) --found->second;
    indices.push_back(index);
  }
  return indices;
}

// Rules whose id another rule has already.
std::vector<bool> duplicates(std::span<const sigma::Rule> rules, Diagnostics& diagnostics) {
  std::vector<bool> is_duplicate(rules.size());
  std::map<std::string_view, const sigma::Rule*> first;
  for (size_t i = 0; i < rules.size(); ++i) {
    if (rules[i].id.empty()) continue;
    const auto [known, is_new] = first.emplace(rules[i].id, &rules[i]);
    if (is_new) continue;
    is_duplicate[i] = true;
    diagnostics.push_back({rules[i].file, rules[i].span, Severity::kError, "C001", fmt::format("the id `{}` belongs to another rule already, in {}:{}", rules[i].id, known->second->file, known->second->span.line),
                           "give this rule an id of its own (a new UUID)"});
  }
  return is_duplicate;
}

}  // namespace

Result<Build> build(std::span<const sigma::Rule> rules, const schema::Catalog& catalog, Diagnostics& diagnostics, const Samples& samples) {
  std::map<std::string_view, std::pair<const schema::TemplateType*, Bound>> by_type;
  const std::vector<bool> is_duplicate = duplicates(rules, diagnostics);
  for (uint32_t i = 0; i < rules.size(); ++i) {
    if (is_duplicate[i]) continue;
    for (const sigma::Binding& binding : sigma::bind(rules[i], catalog, diagnostics)) {
      auto& [type, bound] = by_type[binding.type->id];
      type = binding.type;
      bound.rules.push_back({&rules[i], binding.logsource});
      bound.indices.push_back(i);
    }
  }
  Build built;
  std::vector<bool> runs(rules.size());
  for (auto& [id, entry] : by_type) {
    auto& [type, bound] = entry;
    Options options;
    if (const auto sample = samples.find(type); sample != samples.end()) options.sample = sample->second;
    TRY(Bytes bytes, compile(*type, bound.rules, diagnostics, options));
    TRY(std::vector<uint32_t> indices, instances_of(bytes, *type, bound, rules));
    for (const uint32_t index : indices) runs[index] = true;
    if (!indices.empty()) built.channels.push_back({type, std::move(bytes), std::move(indices)});
  }
  for (uint32_t i = 0; i < rules.size(); ++i) {
    if (!runs[i]) built.refused.push_back(i);
  }
  sort(diagnostics);
  return built;
}

}  // namespace creance::compiler
