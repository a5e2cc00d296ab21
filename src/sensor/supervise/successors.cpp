#include "sensor/supervise/successors.hpp"

#include <algorithm>

namespace creance::sensor {

Status Successors::load(MonotonicTime now) {
  seen_ = kept_ = now;
  const auto kept = ipc::read_record<ipc::Successors>(files_, path_);
  if (kept) record_ = *kept;
  else if (kept.error().code != ErrorCode::kNotFound) record_.wait_ms = limits::kEnrolAgainEveryMs;
  return kept || kept.error().code == ErrorCode::kNotFound ? Status() : fail(kept.error());
}

// The memory says what the disk says, but for the hour: that passes also where nothing can be written.
Status Successors::replace(const ipc::Successors& by) {
  record_.wait_ms = by.wait_ms;
  TRY_VOID(ipc::write_record(files_, path_, by));
  record_ = by;
  kept_ = seen_;
  return {};
}

void Successors::pass(MonotonicTime now) {
  const auto passed = static_cast<uint64_t>(std::max<int64_t>(0, (now - seen_).count()));
  seen_ = now;
  if (record_.wait_ms == 0) return;
  record_.wait_ms -= std::min(passed, record_.wait_ms);
  if (record_.wait_ms > 0 && now - kept_ < MonotonicTime(60'000)) return;
  kept_ = now;
  (void)ipc::write_record(files_, path_, record_).has_value();  // the next run waits longer then
}

Status Successors::ask(Random& random) {
  CHECK(record_.wait_ms == 0);
  ipc::Successors next = record_;
  next.wait_ms = limits::kEnrolAgainEveryMs;
  if (std::ranges::all_of(next.next_key, [](uint8_t byte) { return byte == 0; })) random.fill(next.next_key);
  return replace(next);
}

Status Successors::take(const ipc::SensorId& id, WallTime now) {
  ipc::Successors next = record_;
  if (next.count == next.list.size()) std::shift_left(next.list.begin(), next.list.end(), 1);
  else ++next.count;
  next.list[next.count - 1] = {id, next.next_key, std::max<int64_t>(0, now.time_since_epoch().count())};
  next.next_key = {};
  TRY_VOID(replace(next));
  unknown_ = 0;
  return {};
}

Result<bool> Successors::unknown() {
  if (record_.count == 0 || ++unknown_ < limits::kUnknownAnswersMax) return false;
  unknown_ = 0;
  ipc::Successors next = record_;
  next.list[--next.count] = {};
  next.next_key = {};
  next.wait_ms = limits::kEnrolAgainEveryMs;
  TRY_VOID(replace(next));
  return true;
}

}  // namespace creance::sensor
