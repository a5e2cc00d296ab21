#include "sensor/worker/evaluation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/correlation_limits.hpp"
#include "base/limits.hpp"
#include "base/sensor_limits.hpp"
#include "schema/event_time.hpp"
#include "sensor/worker/detection.hpp"

namespace creance::sensor {
namespace {
constexpr uint8_t kByFault = 1, kUntilNextMinute = 2, kBySteps = 3 /* until then, and not evaluated either */;
constexpr size_t kSuspectsMax = 256;  // rules that still tell samples, some 300 bytes each; above: a storm of everything, which has told enough
constexpr std::string_view kActor[] = {"Image", "ParentImage", "SourceImage", "User", "SubjectUserName"};
}

std::unique_ptr<ActiveSet> Evaluation::swap(std::unique_ptr<ActiveSet> next) {
  CHECK(next != nullptr);
  lost_before_ = totals().lost_correlated;
  next->inherit(*active_);
  std::swap(active_, next);
  suspects_.clear();
  for (LoadedChannel& loaded : active_->channels()) loaded.scratch.budget_steps(budget_.steps);
  if (LoadedCorrelations* correlations = active_->correlations()) correlations->state.budget({budget_.steps, limits::kCorrelationPushedOutBytesMax});
  return next;
}

Totals Evaluation::totals() const {
  Totals out = totals_;
  out.lost_correlated = lost_before_;
  if (const LoadedCorrelations* correlations = std::as_const(*active_).correlations()) out.lost_correlated += correlations->state.counts().evicted + correlations->state.counts().dropped;
  return out;
}

void Evaluation::new_minute() {
  suspects_.clear();
  if (LoadedCorrelations* correlations = active_->correlations()) {
    std::ranges::fill(correlations->hits, 0u);
    std::ranges::fill(correlations->bytes, 0u);
    correlations->state.begin_period();
    std::ranges::fill(correlations->suspended, uint8_t{0});
  }
  for (LoadedChannel& loaded : active_->channels()) {
    std::ranges::fill(loaded.hits, 0u);
    std::ranges::fill(loaded.bytes, 0u);
    loaded.scratch.begin_period();
    for (uint32_t i = 0; i < loaded.suspended.size(); ++i) {
      if (loaded.suspended[i] == kBySteps) loaded.scratch.suspend(i, false);
      if (loaded.suspended[i] != kByFault) loaded.suspended[i] = 0;
    }
  }
}

void Evaluation::leave_out(std::string_view rule_id) {
  if (sinks_.left_out) sinks_.left_out(rule_id);
}

bool Evaluation::is_new(const LoadedChannel& loaded, uint32_t instance, const Event& event, MonotonicTime now) {
  auto suspect = std::ranges::find_if(suspects_, [&](const Suspect& known) { return known.channel == &loaded && known.instance == instance; });
  if (suspect == suspects_.end()) {
    if (suspects_.size() == kSuspectsMax) return false;
    suspect = suspects_.insert(suspects_.end(), {&loaded, instance, {}});
  }
  if (suspect->trickle.full()) return false;
  const auto add = [&](uint32_t input) {
    const schema::InputValue& value = event.inputs.values[input];
    const std::string_view text = value.has_value() ? value.text() : std::string_view();
    hashed_ += fmt::format("{}:{}:", input, text.size());
    hashed_ += text;
  };
  const auto hash = [&] { return interpreter::siphash(hash_key_, hashed_).low; };
  hashed_.clear();
  for (const std::string_view name : kActor)
    if (const auto input = supplied_[event.type].type->input_index(name)) add(*input);
  const uint64_t actor = hash();
  hashed_.clear();
  for (const uint32_t input : loaded.channel.instance(instance).inputs) add(input);
  return suspect->trickle.take(actor, hash(), now);
}

void Evaluation::evaluate(const Event& event, MonotonicTime now, bool report) {
  ++totals_.events;
  if (now - minute_ >= MonotonicTime(60'000)) {
    minute_ = now;
    new_minute();
  }
  LoadedChannel* loaded = active_->of_type(event.type);
  if (loaded == nullptr) return;
  if (sinks_.evaluating) sinks_.evaluating(uint64_t{loaded->file_index} + 1);
  const interpreter::Outcome outcome = interpreter::evaluate(loaded->channel, event.inputs, loaded->scratch);
  if (sinks_.evaluating) sinks_.evaluating(0);
  for (const interpreter::Fault& fault : outcome.faults) {
    ++totals_.faults;
    const bool one = fault.instance < loaded->suspended.size();
    if (one && loaded->suspended[fault.instance] == kByFault) continue;
    if (one) loaded->suspended[fault.instance] = kByFault;
    if (report) sinks_.suspension({ipc::Reason::kFault, one ? std::string(loaded->channel.instance(fault.instance).rule_id) : "*", fmt::format("run-time check {} failed on an event of {}", static_cast<int>(fault.code), supplied_[event.type].type->id)});
  }
  for (const uint32_t instance : outcome.over_budget) {
    if (loaded->suspended[instance] == kByFault) continue;  // it may not match, but what it is asked still costs
    loaded->suspended[instance] = kBySteps;
    loaded->scratch.suspend(instance, true);
    if (report) sinks_.suspension({ipc::Reason::kStepsOverBudget, std::string(loaded->channel.instance(instance).rule_id), fmt::format("more than {} steps within a minute; suspended until the next", budget_.steps)});
  }
  sources_.clear();
  for (const uint32_t instance : outcome.matches) {
    if (loaded->suspended[instance] != 0) {
      if (!report || loaded->suspended[instance] != kUntilNextMinute) continue;
      const channel::InstanceInfo info = loaded->channel.instance(instance);
      if (!is_new(*loaded, instance, event, now)) {
        leave_out(info.rule_id);
        continue;
      }
      ++totals_.matches;
      write_detection({info, *supplied_[event.type].type, event.inputs, active_->hex(), loaded->sha256, host_, event.time}, line_);
      totals_.detection_bytes += line_.size();
      sinks_.detection(info.rule_id, line_);
      continue;
    }
    if (!loaded->sources.empty() && loaded->sources[instance] != kNoSource) {
      if (std::ranges::find(sources_, loaded->sources[instance]) == sources_.end()) sources_.push_back(loaded->sources[instance]);
      if (loaded->silent[instance] != 0) continue;  // there for correlations alone: it may match as often as it likes
    }
    ++totals_.matches;
    ++loaded->hits[instance];
    const channel::InstanceInfo info = loaded->channel.instance(instance);
    if (report && loaded->hits[instance] > limits::kHitsPerMinuteMax) {
      loaded->suspended[instance] = kUntilNextMinute;
      sinks_.suspension({ipc::Reason::kHitsOverBudget, std::string(info.rule_id), fmt::format("more than {} hits within a minute; suspended until the next, but for samples of what is new", limits::kHitsPerMinuteMax)});
      leave_out(info.rule_id);
      continue;
    }
    write_detection({info, *supplied_[event.type].type, event.inputs, active_->hex(), loaded->sha256, host_, event.time}, line_);
    totals_.detection_bytes += line_.size();
    loaded->bytes[instance] += static_cast<uint32_t>(line_.size());
    if (!report) continue;
    if (loaded->bytes[instance] > limits::kInstanceBytesPerMinuteMax) {
      loaded->suspended[instance] = kUntilNextMinute;
      sinks_.suspension({ipc::Reason::kBytesOverBudget, std::string(info.rule_id), fmt::format("more than {} bytes of detections within a minute; suspended until the next, but for samples of what is new", limits::kInstanceBytesPerMinuteMax)});
      leave_out(info.rule_id);
      continue;
    }
    sinks_.detection(info.rule_id, line_);
  }
  if (!sources_.empty()) correlate(*loaded, event, report);
}

void Evaluation::correlate(const LoadedChannel& loaded, const Event& event, bool report) {
  LoadedCorrelations& correlations = *active_->correlations();
  auto time = schema::event_time(loaded.times, event.inputs.values);
  if (!time && event.time != WallTime{}) time = std::chrono::duration_cast<std::chrono::microseconds>(event.time.time_since_epoch()).count();
  const interpreter::CorrelationOutcome outcome = correlations.state.observe({loaded.observed_type, sources_, event.inputs, time});
  if (outcome.faults > 0) {
    totals_.faults += outcome.faults;
    if (report) sinks_.suspension({ipc::Reason::kFault, "*", fmt::format("{} run-time checks of correlations failed on an event of {}", outcome.faults, supplied_[event.type].type->id)});
  }
  for (const uint32_t over : outcome.over_budget) {
    const bool steps = correlations.state.used(over).steps > budget_.steps;
    if (report)
      sinks_.suspension({steps ? ipc::Reason::kStepsOverBudget : ipc::Reason::kBytesOverBudget, std::string(correlations.file.correlation(over).rule_id),
                         steps ? fmt::format("more than {} steps within a minute; suspended until the next", budget_.steps)
                               : fmt::format("pushed more than {} bytes of what other correlations count out of their memory within a minute; suspended until the next", limits::kCorrelationPushedOutBytesMax)});
  }
  for (const interpreter::CorrelationHit& hit : outcome.hits) {
    const channel::CorrelationInfo info = correlations.file.correlation(hit.correlation);
    if (info.silent) continue;
    if (correlations.suspended[hit.correlation] != 0) {
      if (report) leave_out(info.rule_id);
      continue;
    }
    ++totals_.matches;
    if (report && ++correlations.hits[hit.correlation] > limits::kHitsPerMinuteMax) {
      correlations.suspended[hit.correlation] = kUntilNextMinute;
      sinks_.suspension({ipc::Reason::kHitsOverBudget, std::string(info.rule_id), fmt::format("more than {} hits within a minute; suspended until the next", limits::kHitsPerMinuteMax)});
      leave_out(info.rule_id);
      continue;
    }
    const auto inputs = correlations.file.group_inputs(hit.feed);
    members_.clear();
    append_correlation(hit.events, info.group_names, inputs, event.inputs, members_);
    group_.assign(inputs.begin(), inputs.end());
    std::ranges::sort(group_);
    group_.erase(std::ranges::unique(group_).begin(), group_.end());
    const channel::InstanceInfo as_rule{.rule_id = info.rule_id, .title = info.title, .level = info.level, .author = info.author, .tags = info.tags, .references = info.references, .inputs = group_};
    write_detection({as_rule, *supplied_[event.type].type, event.inputs, active_->hex(), correlations.sha256, host_, event.time, members_}, line_);
    totals_.detection_bytes += line_.size();
    correlations.bytes[hit.correlation] += static_cast<uint32_t>(line_.size());
    if (!report) continue;
    if (correlations.bytes[hit.correlation] > limits::kInstanceBytesPerMinuteMax) {
      correlations.suspended[hit.correlation] = kUntilNextMinute;
      sinks_.suspension({ipc::Reason::kBytesOverBudget, std::string(info.rule_id), fmt::format("more than {} bytes of detections within a minute; suspended until the next", limits::kInstanceBytesPerMinuteMax)});
      leave_out(info.rule_id);
      continue;
    }
    sinks_.detection(info.rule_id, line_);
  }
}

}  // namespace creance::sensor
