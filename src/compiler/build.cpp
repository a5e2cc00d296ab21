#include "compiler/build.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>

#include "base/check.hpp"
#include "base/digest.hpp"
#include "channel/verified_channel.hpp"
#include "channel/verified_correlations.hpp"
#include "compiler/compile.hpp"
#include "compiler/fingerprint.hpp"
#include "sigma/binder.hpp"

namespace creance::compiler {
namespace {

struct Bound {
  std::vector<BoundRule> rules;
  std::vector<uint32_t> indices;
};

// The self-check: what the compiler made goes through the verifier once, here. The file itself also says which of the bound rules became instances: the compiler
// leaves out those that it refuses.
Result<BuiltChannel> checked(Bytes bytes, const schema::TemplateType& type, const Bound& bound, std::span<const sigma::Rule> rules) {
  const auto channel = channel::VerifiedChannel::verify(bytes, {type.fingerprint, static_cast<uint32_t>(type.inputs.size())});
  if (!channel) return fail(ErrorCode::kInvalid, fmt::format("the verifier refuses what the compiler made for {}: {} {}; please report it", type.id, channel.error().code, channel.error().detail));
  std::map<std::string_view, uint32_t> by_id;
  for (const uint32_t index : bound.indices) by_id.emplace(rules[index].id, index);
  BuiltChannel built{&type, {}, {}, channel->cost_bound()};
  for (uint32_t i = 0; i < channel->instance_count(); ++i) {
    const auto rule = by_id.find(channel->instance(i).rule_id);
    CHECK(rule != by_id.end());
    built.rules.push_back(rule->second);
  }
  built.bytes = std::move(bytes);
  return built;
}

// Instances and sources of correlations are told apart by ids. The same rule has the same one in every file and order; `#` is in no UUID.
std::vector<sigma::Rule> with_ids(std::span<const sigma::Rule> rules) {
  std::vector<sigma::Rule> out(rules.begin(), rules.end());
  std::map<std::string, uint32_t> twins;
  for (sigma::Rule& rule : out) {
    if (!rule.id.empty()) continue;
    Fingerprint print;
    print.add(rule.title);
    print.add(rule);
    const auto digest = print.digest();
    rule.id = "#" + to_hex(std::span(digest).first(8));
    if (const uint32_t n = ++twins[rule.id]; n > 1) rule.id += fmt::format("-{}", n);
  }
  return out;
}

// Ids may occur once over rules and correlations.
class Ids {
 public:
  // Those whose id an earlier one has already.
  template <class What>
  std::vector<bool> repeated(std::span<const What> all, Diagnostics& diagnostics) {
    std::vector<bool> out(all.size());
    for (size_t i = 0; i < all.size(); ++i) {
      if (all[i].id.empty() || is_refused(all[i])) continue;
      const auto [known, is_new] = first_.emplace(all[i].id, &all[i]);
      if (is_new) continue;
      out[i] = true;
      diagnostics.push_back({all[i].file, all[i].span, Severity::kError, "C001", fmt::format("the id `{}` belongs to another rule already, in {}:{}", all[i].id, known->second->file, known->second->span.line),
                             "give this rule an id of its own (a new UUID)"});
    }
    return out;
  }

 private:
  static bool is_refused(const sigma::Rule&) { return false; }
  static bool is_refused(const sigma::Correlation& correlation) { return correlation.refused; }

  std::map<std::string_view, const sigma::Metadata*> first_;
};

}  // namespace

Result<Build> build(std::span<const sigma::Rule> given, const schema::Catalog& catalog, Diagnostics& diagnostics, std::span<const sigma::Correlation> correlations, const Samples& samples) {
  std::map<std::string_view, std::pair<const schema::TemplateType*, Bound>> by_type;
  const std::vector<sigma::Rule> rules = with_ids(given);
  Ids ids;
  const std::vector<bool> is_duplicate = ids.repeated(std::span<const sigma::Rule>(rules), diagnostics);
  const std::vector<bool> is_duplicate_correlation = ids.repeated(correlations, diagnostics);
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
  std::vector<std::vector<const schema::TemplateType*>> runs_over(rules.size());
  std::vector<BuiltChannel> channels;
  const auto make = [&](const schema::TemplateType& type, const Bound& bound, Diagnostics& found) -> Result<BuiltChannel> {
    Options options;
    if (const auto sample = samples.find(&type); sample != samples.end()) options.sample = sample->second;
    TRY(Bytes bytes, compile(type, bound.rules, found, options));
    return checked(std::move(bytes), type, bound, rules);
  };
  for (const auto& [id, entry] : by_type) {
    TRY(BuiltChannel channel, make(*entry.first, entry.second, diagnostics));
    for (const uint32_t index : channel.rules) {
      if (std::ranges::find(runs_over[index], entry.first) == runs_over[index].end()) runs_over[index].push_back(entry.first);
    }
    channels.push_back(std::move(channel));
  }
  std::vector<sigma::Correlation> usable(correlations.begin(), correlations.end());
  for (uint32_t i = 0; i < correlations.size(); ++i) usable[i].refused = usable[i].refused || is_duplicate_correlation[i];
  TRY(CompiledCorrelations correlated, compile_correlations(usable, rules, runs_over, diagnostics));
  built.correlations = std::move(correlated.built);
  for (BuiltChannel& channel : channels) {  // once more without the rules that are held: what does not run is in no channel
    const auto is_held = [&](uint32_t index) { return std::ranges::binary_search(correlated.held, index); };
    if (std::ranges::any_of(channel.rules, is_held)) {
      const Bound& whole = by_type.at(channel.type->id).second;
      Bound rest;
      for (size_t i = 0; i < whole.indices.size(); ++i) {
        if (is_held(whole.indices[i])) continue;
        rest.rules.push_back(whole.rules[i]);
        rest.indices.push_back(whole.indices[i]);
      }
      Diagnostics told_already;
      TRY(channel, make(*channel.type, rest, told_already));
    }
    if (!channel.rules.empty()) built.channels.push_back(std::move(channel));
  }
  for (uint32_t i = 0; i < rules.size(); ++i) {
    if (runs_over[i].empty() || std::ranges::binary_search(correlated.held, i)) built.refused.push_back(i);
  }
  std::vector<bool> runs(correlations.size());
  if (built.correlations) {
    const auto verified = channel::VerifiedCorrelations::verify(built.correlations->bytes);
    if (!verified) return fail(ErrorCode::kInvalid, fmt::format("the verifier refuses what the compiler made of the correlations: {} {}; please report it", verified.error().code, verified.error().detail));
    built.correlations->cost_bound = verified->cost_bound();
    for (const uint32_t index : built.correlations->correlations) runs[index] = true;
  }
  for (uint32_t i = 0; i < correlations.size(); ++i) {
    if (!runs[i]) built.refused_correlations.push_back(i);
  }
  sort(diagnostics);
  return built;
}

}  // namespace creance::compiler
