#include "sensor/supervise/store.hpp"

#include <fmt/format.h>

namespace creance::sensor {
namespace {
constexpr const char* kMarkerFile = "marker.bin";
constexpr const char* kLadderFile = "ladder.bin";
constexpr const char* kRefusalsFile = "refusals.bin";
constexpr const char* kHeldBackFile = "held-back.bin";
constexpr const char* kSessionFile = "session.bin";
constexpr const char* kPauseFile = "pause.bin";

template <class T>
std::optional<T> read(FileSystem& files, const std::filesystem::path& path, std::string& complaints) {
  auto value = ipc::read_record<T>(files, path);
  if (value) return *value;
  if (value.error().code != ErrorCode::kNotFound) complaints += (complaints.empty() ? "" : "; ") + value.error().detail;
  return std::nullopt;
}
}  // namespace

Remembered Store::load(std::string& complaints) {
  Remembered remembered;
  remembered.session = read<ipc::Session>(files_, path(kSessionFile), complaints);
  remembered.held_back = read<ipc::HeldBack>(files_, path(kHeldBackFile), complaints);
  remembered.pause = read<ipc::Pause>(files_, path(kPauseFile), complaints);
  remembered.ladder = read<ipc::Ladder>(files_, path(kLadderFile), complaints).value_or(ipc::Ladder{});
  remembered.refusals = read<ipc::Refusals>(files_, path(kRefusalsFile), complaints).value_or(ipc::Refusals{});
  remembered.marker = read<ipc::Marker>(files_, path(kMarkerFile), complaints);
  return remembered;
}

Status Store::reserve() {
  TRY_VOID(files_.make_directories(path(ipc::kReservedOrder).parent_path()));
  const std::pair<const char*, Bytes> records[] = {{kMarkerFile, ipc::blank_record<ipc::Marker>()}, {kLadderFile, ipc::blank_record<ipc::Ladder>()}, {kRefusalsFile, ipc::blank_record<ipc::Refusals>()},
                                                   {kSessionFile, ipc::blank_record<ipc::Session>()}, {kHeldBackFile, ipc::blank_record<ipc::HeldBack>()}, {kPauseFile, ipc::blank_record<ipc::Pause>()},
                                                   {ipc::kReservedOrder, ipc::blank_record<ipc::Order>()}};
  for (const auto& [name, blank] : records)
    if (const auto held = reserved_.reserve(path(name), blank); !held) return fail(held.error().code, fmt::format("no space is reserved for the sensor's records ({})", held.error().detail));
  return {};
}

Status Store::write(const char* name, const Bytes& record) {
  if (reserved_.write(path(name), record)) return {};
  return files_.write_atomic(path(name), record, 0600);  // nothing is reserved yet
}

Status Store::store(const ipc::Marker& marker) {
  TRY_VOID(reserve());
  // A refusal that is not on the disk, or the clean stop of an earlier run that still is, would make a lie of what the next start reads beside this marker.
  retry();
  if (session_ || ladder_ || refusals_) return fail(ErrorCode::kIo, complaint_);
  TRY_VOID(write(kMarkerFile, ipc::to_record(marker)));
  clear_marker_ = false;
  return {};
}

void Store::store(const ipc::Ladder& ladder) {
  ladder_ = ladder;
  retry();
}
void Store::store(const ipc::Refusals& refusals) {
  refusals_ = refusals;
  retry();
}
void Store::store(const ipc::HeldBack& held_back) {
  held_back_ = held_back;
  retry();
}
void Store::store(const ipc::Pause& pause) {
  pause_ = pause;
  retry();
}
void Store::clear_marker() {
  clear_marker_ = true;
  retry();
}
Status Store::store(const ipc::Session& session) {
  session_ = session;
  retry();
  return session_ ? Status(fail(ErrorCode::kIo, complaint_)) : Status();
}

void Store::retry() {
  const auto written = [&](Status status) {
    if (!status) complaint_ = status.error().detail;
    return status.has_value();
  };
  if (session_ && written(write(kSessionFile, ipc::to_record(*session_)))) session_.reset();
  if (refusals_ && written(write(kRefusalsFile, ipc::to_record(*refusals_)))) refusals_.reset();
  if (ladder_ && written(write(kLadderFile, ipc::to_record(*ladder_)))) ladder_.reset();
  if (held_back_ && written(write(kHeldBackFile, ipc::to_record(*held_back_)))) held_back_.reset();
  if (pause_ && written(write(kPauseFile, ipc::to_record(*pause_)))) pause_.reset();
  if (!clear_marker_ || refusals_ || ladder_) return;
  if (reserved_.write(path(kMarkerFile), ipc::blank_record<ipc::Marker>()) || written(files_.remove(path(kMarkerFile)))) clear_marker_ = false;
}

}  // namespace creance::sensor
