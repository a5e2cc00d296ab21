#include "scan/ruleset.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.hpp"
#include "compiler/build.hpp"

namespace creance::scan {
namespace {

Result<LoadedChannel> load(compiler::BuiltChannel built) {
  auto verified = channel::VerifiedChannel::verify(built.bytes, {built.type->fingerprint, static_cast<uint32_t>(built.type->inputs.size())});
  if (!verified) return fail(ErrorCode::kInvalid, fmt::format("the verifier refuses the channel of {}: {} {}; please report it", built.type->id, verified.error().code, verified.error().detail));
  LoadedChannel out{.type = built.type, .bytes = std::move(built.bytes), .channel = std::move(*verified)};  // moving a vector leaves its bytes where they are
  CHECK(built.rules.size() == out.channel.instance_count());
  out.rules = std::move(built.rules);
  for (uint32_t i = 0; i < out.channel.instance_count(); ++i) {
    out.reads_every_value = out.reads_every_value || out.channel.instance(i).reads_every_value;
  }
  return out;
}

// Tells each channel which of its matches the correlations want to see, and what of the events.
Result<LoadedCorrelations> load(compiler::BuiltCorrelations built, Ruleset::State& state) {
  auto verified = channel::VerifiedCorrelations::verify(built.bytes);
  if (!verified) return fail(ErrorCode::kInvalid, fmt::format("the verifier refuses the correlations: {} {}; please report it", verified.error().code, verified.error().detail));
  const channel::CorrelationLayout& layout = verified->layout();
  for (uint32_t source = 0; source < built.sources.size(); ++source) {
    const auto& [type, rule] = built.sources[source];
    state.silent[rule] = verified->source(source).silent;
    for (LoadedChannel& channel : state.channels) {
      if (channel.type != type) continue;
      channel.sources.resize(channel.rules.size(), kNoSource);
      for (size_t instance = 0; instance < channel.rules.size(); ++instance) {  // one for each log source by which the Type answers
        if (channel.rules[instance] == rule) channel.sources[instance] = source;
      }
      channel.observed_type = layout.sources[source].type;
      const auto times = verified->type(channel.observed_type).times;
      channel.times.assign(times.begin(), times.end());
      for (const channel::FeedRecord& feed : layout.feeds) {
        if (feed.source != source) continue;
        const auto columns = layout.numbers.subspan(feed.columns.first, feed.columns.count);
        channel.wanted.insert(channel.wanted.end(), columns.begin(), columns.end());
      }
      std::ranges::sort(channel.wanted);
      channel.wanted.erase(std::ranges::unique(channel.wanted).begin(), channel.wanted.end());
    }
  }
  return LoadedCorrelations{std::move(built.bytes), std::move(*verified), std::move(built.correlations)};
}

}  // namespace

const LoadedChannel* Ruleset::State::channel_for(const schema::TemplateType& type) const {
  const auto position = static_cast<size_t>(&type - catalog->types().data());
  const int32_t index = channel_of_type[position];
  return index < 0 ? nullptr : &channels[static_cast<size_t>(index)];
}

Ruleset::Ruleset(std::unique_ptr<State> state) : state_(std::move(state)) {}
Ruleset::Ruleset(Ruleset&&) noexcept = default;
Ruleset& Ruleset::operator=(Ruleset&&) noexcept = default;
Ruleset::~Ruleset() = default;

Result<Ruleset> Ruleset::prepare(std::vector<sigma::Rule> rules, const schema::Catalog& catalog, Diagnostics& diagnostics, std::vector<sigma::Correlation> correlations, const compiler::Samples& samples) {
  auto state = std::make_unique<State>();
  state->catalog = &catalog;
  state->channel_of_type.assign(catalog.types().size(), -1);
  TRY(compiler::Build built, compiler::build(rules, catalog, diagnostics, correlations, samples));
  state->rules = std::move(rules);
  state->silent.assign(state->rules.size(), false);
  state->correlations = std::move(correlations);
  std::vector<bool> is_refused(state->rules.size());
  for (const uint32_t index : built.refused) is_refused[index] = true;
  for (size_t i = 0; i < state->rules.size(); ++i) (is_refused[i] ? state->refused : state->running).push_back(&state->rules[i]);
  for (compiler::BuiltChannel& each : built.channels) {
    TRY(LoadedChannel loaded, load(std::move(each)));
    state->channel_of_type[static_cast<size_t>(loaded.type - catalog.types().data())] = static_cast<int32_t>(state->channels.size());
    state->channels.push_back(std::move(loaded));
  }
  if (built.correlations) {
    for (const uint32_t index : built.correlations->correlations) state->running_correlations.push_back(&state->correlations[index]);
    TRY(state->correlated, load(std::move(*built.correlations), *state));
  }
  return Ruleset(std::move(state));
}

std::span<const sigma::Rule> Ruleset::rules() const { return state_->rules; }
std::span<const sigma::Rule* const> Ruleset::running() const { return state_->running; }
std::span<const sigma::Correlation* const> Ruleset::running_correlations() const { return state_->running_correlations; }
std::span<const sigma::Rule* const> Ruleset::refused() const { return state_->refused; }

std::vector<Ruleset::ChannelSummary> Ruleset::channels() const {
  std::vector<ChannelSummary> out;
  for (const LoadedChannel& each : state_->channels) out.push_back({each.type, each.channel.instance_count(), each.bytes.size()});
  return out;
}

}  // namespace creance::scan
