#include "sensor/supervise/talk.hpp"

#include <algorithm>

#include "base/limits.hpp"

namespace creance::sensor {

bool MessageBudget::take(MonotonicTime now) {
  const auto fresh = static_cast<uint64_t>(std::clamp<int64_t>((now - filled_).count(), 0, 60'000)) * kPerSecond / 1000;
  if (fresh > 0) {
    left_ = static_cast<uint32_t>(std::min<uint64_t>(kBurst, left_ + fresh));
    filled_ = now;
  }
  if (left_ == 0) return false;
  --left_;
  return true;
}

std::string_view WorkerTalk::judge(const ipc::Frame& frame) {
  if (frame.is<ipc::WorkerReady>()) {
    if (ready_) return "says twice that it is ready";
    ready_ = true;
    return {};
  }
  if (!ready_) return "speaks before it says that it is ready";
  if (frame.is<ipc::Activated>() || frame.is<ipc::ActivationFailed>()) {
    const ipc::Set set = frame.is<ipc::Activated>() ? frame.as<ipc::Activated>().set : frame.as<ipc::ActivationFailed>().set;
    if (asked_.empty() || asked_.front() != set) return "answers what it was not asked";
    asked_.pop_front();
    if (frame.is<ipc::ActivationFailed>()) return {};
    active_ = set;
    held_ = frame.as<ipc::Activated>().held;
    held_said_ = 0;
    return {};
  }
  if (frame.is<ipc::HeldInstance>()) {
    const auto held = frame.as<ipc::HeldInstance>();
    if (held.set != active_ || held.total != held_ || held.index != held_said_ || held_said_ >= limits::kHeldReportedMax) return "names held instances that do not fit its content";
    ++held_said_;
    return {};
  }
  if (frame.is<ipc::Health>()) {
    const auto health = frame.as<ipc::Health>();
    const auto back = [&](uint64_t ipc::Health::* counter) { return health.*counter < health_.*counter; };
    if (back(&ipc::Health::events) || back(&ipc::Health::matches) || back(&ipc::Health::faults) || back(&ipc::Health::lost_events) || back(&ipc::Health::lost_detections) || back(&ipc::Health::lost_correlated))
      return "counts backwards";
    health_ = health;
    return {};
  }
  if (frame.is<ipc::LeftOut>()) return {};
  if (frame.is<ipc::FaultSeen>()) return frame.as<ipc::FaultSeen>().set == active_ ? std::string_view() : "names faults of content that it does not run";
  return "says what only a rehearsal says";
}

}  // namespace creance::sensor
