#include "sensor/worker/rehearsal.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "base/limits.hpp"
#include "base/sensor_limits.hpp"
#include "events/decoder.hpp"
#include "schema/catalog.hpp"

namespace creance::sensor {
namespace {

// Values that detection content stumbles over: empty, long, paths of both worlds, numbers, odd bytes, half characters.
const std::vector<std::string>& sample_values() {
  static const std::vector<std::string> values = {
      "", "-", "0", "1", "4688", "-1", "18446744073709551616", "true", "a", "C:\\Windows\\System32\\cmd.exe", "\\\\.\\pipe\\x", "/usr/bin/bash", "/tmp/.x", "cmd.exe /c \"whoami\" & echo %TEMP%",
      "10.0.0.1", "fe80::1%eth0", "::ffff:192.0.2.1", "NT AUTHORITY\\SYSTEM", "SHA256=0000", "{00000000-0000-0000-0000-000000000000}", "2026-11-23 10:00:00.000",
      std::string(300, 'A'), std::string(4096, '\\'), std::string(limits::kInputBytesMax, 'x'), std::string(limits::kInputBytesMax + 1, 'y'), std::string("nul\0inside", 10), "\xff\xfe\xc3", "\xc3\xa9\xe2\x82\xac", "*?[](){}|^$.+", "'\"`;<>"};
  return values;
}

// The same sample on every host and every run.
class Sequence {
 public:
  size_t below(size_t n) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>((state_ >> 33) % n);
  }

 private:
  uint64_t state_ = 20240719;
};

// The release's own cases of one Type; what this host cannot say is unavailable here too. Lines that are no event of the Type are passed by.
uint32_t run_cases(Evaluation& evaluation, const LoadedChannel& loaded, const Supplied& type, events::Decoder& decoder) {
  uint32_t count = 0;
  std::vector<schema::InputValue> inputs;
  for (std::string_view rest = loaded.cases; !rest.empty() && count < limits::kRehearsalEventsMax;) {
    const size_t end = rest.find('\n');
    const auto decoded = decoder.decode(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (!decoded) continue;
    for (const events::Decoded& event : *decoded) {
      if (event.type->fingerprint != type.type->fingerprint) continue;
      inputs.assign(event.inputs.values.begin(), event.inputs.values.end());
      for (size_t i = 0; i < inputs.size(); ++i)
        if (!type.available[i]) inputs[i] = schema::InputValue::unavailable();
      evaluation.evaluate({loaded.type, {inputs, event.inputs.further, event.inputs.others}, WallTime{}}, MonotonicTime(0), false);
      ++count;
    }
  }
  return count;
}

}  // namespace

ipc::Rehearsed rehearse(Evaluation& evaluation, std::span<const Supplied> supplied, std::span<const RecentEvent> recent) {
  ipc::Rehearsed answer;
  answer.set = evaluation.active().set();
  for (LoadedChannel& loaded : evaluation.active().channels()) loaded.scratch.budget_steps(evaluation.budget().steps, true);
  std::vector<size_t> own(supplied.size(), 0);
  for (const RecentEvent& event : recent) {
    for (uint32_t type = 0; type < supplied.size(); ++type) {
      if (supplied[type].type->fingerprint != event.fingerprint || supplied[type].type->inputs.size() != event.values.size()) continue;
      evaluation.evaluate({type, {event.values, {}, {}}, WallTime{}}, MonotonicTime(0), false);
      ++own[type];
      ++answer.own_events;
    }
  }
  std::string greedy, dear;
  const uint64_t own_bytes = evaluation.totals().detection_bytes;
  for (const LoadedChannel& loaded : evaluation.active().channels()) {
    for (uint32_t i = 0; i < loaded.hits.size() && own[loaded.type] >= kOwnEventsToJudgeHits; ++i)
      if (loaded.hits[i] * 10 > own[loaded.type] * 9 && greedy.empty())
        greedy = fmt::format("rule {} matches {} of this host's last {} events of {}", loaded.channel.instance(i).rule_id, loaded.hits[i], own[loaded.type], supplied[loaded.type].type->id);
  }
  Sequence sequence;
  const auto& values = sample_values();
  events::Decoder decoder(schema::Catalog::embedded());
  for (const LoadedChannel& loaded : evaluation.active().channels()) {
    if (own[loaded.type] >= kOwnEventsEnough) continue;
    answer.case_events += run_cases(evaluation, loaded, supplied[loaded.type], decoder);
    const Supplied& type = supplied[loaded.type];
    std::vector<schema::InputValue> inputs(type.type->inputs.size());
    for (size_t n = 0; n < kSampleEventsPerType; ++n) {
      for (size_t i = 0; i < inputs.size(); ++i) {
        const size_t pick = sequence.below(values.size() + 4);
        if (!type.available[i]) inputs[i] = schema::InputValue::unavailable();
        else inputs[i] = n != 0 && pick < values.size() ? schema::InputValue(values[pick]) : schema::InputValue();  // the first: everything absent
      }
      evaluation.evaluate({loaded.type, {inputs, {}, {}}, WallTime{}}, MonotonicTime(0), false);
      ++answer.sample_events;
    }
  }
  for (const LoadedChannel& loaded : evaluation.active().channels()) {
    for (uint32_t i = 0; i < loaded.suspended.size() && dear.empty(); ++i)
      if (loaded.scratch.steps_of(i) > evaluation.budget().steps) dear = fmt::format("rule {} took {} steps of the {} that it may take within a minute", loaded.channel.instance(i).rule_id, loaded.scratch.steps_of(i), evaluation.budget().steps);
  }
  if (const LoadedCorrelations* correlations = evaluation.active().correlations()) {
    for (uint32_t i = 0; i < correlations->hits.size() && dear.empty(); ++i)
      if (const uint64_t steps = correlations->state.used(i).steps; steps > evaluation.budget().steps)
        dear = fmt::format("correlation {} took {} steps of the {} that it may take within a minute", correlations->file.correlation(i).rule_id, steps, evaluation.budget().steps);
  }
  const bool empty = evaluation.active().channels().empty();
  if (empty && answer.set != ipc::kNoSet && answer.own_events + answer.case_events + answer.sample_events == 0) {  // content for other kinds of hosts: show at least that the sample passes by
    std::vector<schema::InputValue> inputs(supplied.empty() ? 0 : supplied[0].type->inputs.size());
    if (!supplied.empty()) {
      evaluation.evaluate({0, {inputs, {}, {}}, WallTime{}}, MonotonicTime(0), false);
      ++answer.sample_events;
    }
  }
  answer.matches = static_cast<uint32_t>(std::min<uint64_t>(evaluation.totals().matches, 0xffffffff));
  answer.passed = 1;
  if (answer.set != ipc::kNoSet && answer.own_events + answer.case_events + answer.sample_events == 0) {
    answer.passed = 0;
    answer.reason = ipc::Reason::kRehearsalFailed;
    answer.detail.assign("this sensor has no collector: there is nothing to rehearse over");
  } else if (evaluation.totals().faults > 0) {
    answer.passed = 0;
    answer.reason = ipc::Reason::kFault;
    answer.detail.assign(fmt::format("{} run-time checks failed", evaluation.totals().faults));
  } else if (!greedy.empty()) {
    answer.passed = 0;
    answer.reason = ipc::Reason::kHitsOverBudget;
    answer.detail.assign(greedy);
  } else if (own_bytes > limits::kRehearsalDetectionBytesMax) {
    answer.passed = 0;
    answer.reason = ipc::Reason::kBytesOverBudget;
    answer.detail.assign(fmt::format("its detections over this host's last {} events have {} bytes; {} are allowed", answer.own_events, own_bytes, limits::kRehearsalDetectionBytesMax));
  } else if (!dear.empty()) {
    answer.passed = 0;
    answer.reason = ipc::Reason::kStepsOverBudget;
    answer.detail.assign(dear);
  }
  return answer;
}

}  // namespace creance::sensor
