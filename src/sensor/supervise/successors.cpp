#include "sensor/supervise/successors.hpp"

#include <algorithm>
#include <utility>

namespace creance::sensor {

Status Successors::load(MonotonicTime now) {
  seen_ = tried_ = now;
  const Status done = read();
  if (!done) record_.wait_ms = limits::kEnrolAgainEveryMs;
  return done;
}

// The key that was asked for with is not taken over from another run: the disk may have been copied since, and then each copy would hold it.
Status Successors::read() {
  const auto kept = ipc::read_record<ipc::Successors>(files_, path_);
  if (kept) record_ = *kept, record_.next_key = {};
  unread_ = !kept && kept.error().code != ErrorCode::kNotFound;
  if (!unread_) return {};
  if (kept.error().code != ErrorCode::kInvalid) return fail(kept.error().code, kept.error().detail + "; nothing is written over it, and it is read again every minute");
  std::filesystem::path aside = path_;
  aside += ".damaged";
  const Status set_aside = [&]() -> Status {
    TRY(const Bytes bytes, files_.read(path_, ipc::detail::kHeadBytes + sizeof(ipc::Successors) + 64));
    return files_.write_atomic(aside, bytes, 0600);
  }();
  unread_ = !set_aside;
  return fail(kept.error().code, set_aside ? kept.error().detail + "; it is kept as `" + aside.string() + "`" : kept.error().detail + "; it cannot be set aside (" + set_aside.error().detail + "), so nothing is written over it");
}

// The memory says what the disk says, but for the hour: that passes also where nothing can be written.
Status Successors::replace(const ipc::Successors& by) {
  record_.wait_ms = by.wait_ms;
  if (unread_) return fail(ErrorCode::kUnavailable, "`" + path_.string() + "` could not be read, and nothing is written over it");
  TRY_VOID(ipc::write_record(files_, path_, by));
  record_ = by;
  tried_ = seen_;
  return {};
}

bool Successors::pass(MonotonicTime now) {
  const auto passed = static_cast<uint64_t>(std::max<int64_t>(0, (now - seen_).count()));
  seen_ = now;
  const bool waited = record_.wait_ms > 0;
  record_.wait_ms -= std::min(passed, record_.wait_ms);
  const bool due = now - tried_ >= MonotonicTime(60'000);
  if (unread_) {
    if (!due) return false;
    tried_ = now;
    return read().has_value() && current() != nullptr;
  }
  if (!waited || (record_.wait_ms > 0 && !due)) return false;
  tried_ = now;
  (void)ipc::write_record(files_, path_, record_).has_value();  // the next run waits longer then
  return false;
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
  const auto list = next.list.begin();
  std::rotate(list, list + (next.count - next.struck), list + next.count);  // those that were left lie below those that were not
  if (next.count == next.list.size()) std::shift_left(next.list.begin(), next.list.end(), 1);
  else ++next.count;
  next.list[next.count - 1] = {id, next.next_key, std::max<int64_t>(0, now.time_since_epoch().count())};
  next.next_key = {};
  next.struck = next.tried = 0;
  TRY_VOID(replace(next));
  unknown_ = 0;
  return {};
}

Result<bool> Successors::unknown() {
  if (record_.current() == nullptr || ++unknown_ < limits::kUnknownAnswersMax) return false;
  unknown_ = 0;
  ipc::Successors next = record_;
  ++next.struck;
  next.next_key = {};
  next.wait_ms = limits::kEnrolAgainEveryMs;
  TRY_VOID(replace(next));
  return true;
}

void Successors::known(bool wants_nothing) {
  unknown_ = 0;
  if (!wants_nothing || record_.struck > 0 || record_.tried == 0) return;
  ipc::Successors next = record_;
  next.tried = 0;
  (void)replace(next).has_value();  // said again with the next answer
}

Status Successors::try_again() {
  CHECK(may_try_again());
  ipc::Successors next = record_;
  next.tried = std::exchange(next.struck, uint16_t{0});
  next.wait_ms = limits::kEnrolAgainEveryMs;
  TRY_VOID(replace(next));
  unknown_ = 0;
  return {};
}

}  // namespace creance::sensor
