#include "sensor/supervise/store.hpp"

namespace creance::sensor {
namespace {
constexpr const char* kMarkerFile = "marker.bin";
constexpr const char* kLadderFile = "ladder.bin";
constexpr const char* kRefusalsFile = "refusals.bin";
constexpr const char* kHeldBackFile = "held-back.bin";
constexpr const char* kSessionFile = "session.bin";

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
  remembered.ladder = read<ipc::Ladder>(files_, path(kLadderFile), complaints).value_or(ipc::Ladder{});
  remembered.refusals = read<ipc::Refusals>(files_, path(kRefusalsFile), complaints).value_or(ipc::Refusals{});
  remembered.marker = read<ipc::Marker>(files_, path(kMarkerFile), complaints);
  return remembered;
}

Status Store::store(const ipc::Marker& marker) {
  clear_marker_ = false;
  return ipc::write_record(files_, path(kMarkerFile), marker);
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
void Store::clear_marker() {
  clear_marker_ = true;
  retry();
}
Status Store::store(const ipc::Session& session) { return ipc::write_record(files_, path(kSessionFile), session); }

void Store::retry() {
  const auto written = [&](Status status) {
    if (!status) complaint_ = status.error().detail;
    return status.has_value();
  };
  if (refusals_ && written(ipc::write_record(files_, path(kRefusalsFile), *refusals_))) refusals_.reset();
  if (ladder_ && written(ipc::write_record(files_, path(kLadderFile), *ladder_))) ladder_.reset();
  if (held_back_ && written(ipc::write_record(files_, path(kHeldBackFile), *held_back_))) held_back_.reset();
  if (clear_marker_ && !refusals_ && !ladder_ && written(files_.remove(path(kMarkerFile)))) clear_marker_ = false;
}

}  // namespace creance::sensor
