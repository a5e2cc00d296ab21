#include "sensor/worker/evaluation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "sensor/worker/detection.hpp"

namespace creance::sensor {
namespace {
constexpr uint8_t kByFault = 1, kByHits = 2;
}

void Evaluation::new_minute() {
  for (LoadedChannel& loaded : active_.channels()) {
    std::ranges::fill(loaded.hits, 0u);
    for (uint8_t& mark : loaded.suspended) mark = mark == kByHits ? 0 : mark;
  }
}

void Evaluation::evaluate(const Event& event, MonotonicTime now, bool report) {
  ++totals_.events;
  if (now - minute_ >= MonotonicTime(60'000)) {
    minute_ = now;
    new_minute();
  }
  LoadedChannel* loaded = active_.of_type(event.type);
  if (loaded == nullptr) return;
  const interpreter::Outcome outcome = interpreter::evaluate(loaded->channel, event.inputs, loaded->scratch);
  for (const interpreter::Fault& fault : outcome.faults) {
    ++totals_.faults;
    const bool one = fault.instance < loaded->suspended.size();
    if (one && loaded->suspended[fault.instance] == kByFault) continue;
    if (one) loaded->suspended[fault.instance] = kByFault;
    if (report) sinks_.suspension({ipc::Reason::kFault, one ? std::string(loaded->channel.instance(fault.instance).rule_id) : "*", fmt::format("run-time check {} failed on an event of {}", static_cast<int>(fault.code), supplied_[event.type].type->id)});
  }
  for (const uint32_t instance : outcome.matches) {
    if (loaded->suspended[instance] != 0) continue;
    ++totals_.matches;
    ++loaded->hits[instance];
    const channel::InstanceInfo info = loaded->channel.instance(instance);
    if (report && loaded->hits[instance] > limits::kHitsPerMinuteMax) {
      loaded->suspended[instance] = kByHits;
      sinks_.suspension({ipc::Reason::kHitsOverBudget, std::string(info.rule_id), fmt::format("more than {} hits within a minute; suspended until the next", limits::kHitsPerMinuteMax)});
      continue;
    }
    if (!report) continue;
    write_detection({info, *supplied_[event.type].type, event.inputs, active_.hex(), loaded->sha256, host_, event.time}, line_);
    sinks_.detection(line_);
  }
}

}  // namespace creance::sensor
