#include "sensor/supervise/store.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace creance::sensor {
namespace {

void add(std::string& list, const std::string& text) { list += (list.empty() ? "" : "; ") + text; }

}  // namespace

Store::Store(FileSystem& files, ReservedFiles& reserved, std::filesystem::path folder)
    : files_(files), reserved_(reserved), folder_(std::move(folder)),
      records_{blank<ipc::Session>("session.bin"), blank<ipc::Refusals>("refusals.bin"), blank<ipc::Lifted>("lifted.bin"), blank<ipc::Ladder>("ladder.bin"),
               blank<ipc::HeldBack>("held-back.bin"), blank<ipc::Pause>("pause.bin"), blank<ipc::Marker>("marker.bin")} {}

// `lost`: in, whether a record that is missing must have been lost; out, whether it was.
template <class T>
std::optional<T> Store::take(Slot slot, Loaded& loaded, bool& lost) {
  Record& record = records_[slot];
  auto kept = ipc::read_kept<T>(files_, path(record.name), slot == kMarker ? 1 : 0);  // of a marker that was not finished nothing was read
  record.generation = kept.generation.value_or(0);
  record.twice = kept.twice && record.generation > 0;
  record.spare_first = kept.from_spare;
  record.dirty = false;
  record.payload.assign(sizeof(T), 0);
  if (kept.value) std::ranges::copy(BytesView(reinterpret_cast<const uint8_t*>(&*kept.value), sizeof(T)), record.payload.begin());
  const bool expected = lost, broken = !kept.damage.empty() || (kept.missing && expected);
  // A file that is whole, and older than a write that was not finished: no damage. A spare of generation 0 is the state before the last write: used, and not believed to be all.
  lost = (broken || expected) && record.generation == 0;
  const std::string what = fmt::format("{} ({})", record.name, kept.damage.empty() ? kept.missing ? "missing" : "never written" : kept.damage);
  if (lost) add(loaded.lost, what);
  else if (broken) add(loaded.restored, what);
  return kept.value;
}

Store::Loaded Store::load(std::vector<Set> sets) {
  Loaded loaded;
  Remembered& out = loaded.remembered;
  // Records that nothing says have been there may never have been; but where there is content, or any record that is kept twice, there was a run before.
  // A blank record is none: it may have been reserved by a start that lost its power before it could say what it found.
  const auto made = [&](const Record& record, bool kept_twice) {
    for (const auto& file : {path(record.name), spare_of(path(record.name))}) {
      Bytes payload(record.payload.size());
      const auto bytes = files_.read(file, record.payload.size() + 256);
      const auto generation = bytes ? ipc::detail::open(*bytes, record.kind, payload) : Result<uint32_t>(fail(ErrorCode::kNotFound, ""));
      if (generation && (*generation > 0 || (!kept_twice && !ipc::detail::is_blank(payload)))) return true;
    }
    return false;
  };
  const bool ran = std::ranges::any_of(records_, [&](const Record& record) { return record.kind != ipc::RecordKind::kSession && made(record, true); });
  loaded.session_lost = ran;
  out.session = take<ipc::Session>(kSession, loaded, loaded.session_lost);
  const bool emptied = !sets.empty() && std::ranges::none_of(records_, [&](const Record& record) { return made(record, false); });
  kept_ = out.session && out.session->kept == 1;
  const bool expected = kept_ || (loaded.session_lost && ran) || emptied;
  bool lifted_lost = expected, held_back_lost = expected;
  out.refusals_lost = out.ladder_lost = out.marker_lost = loaded.pause_lost = expected;
  out.refusals = take<ipc::Refusals>(kRefusals, loaded, out.refusals_lost).value_or(ipc::Refusals{});
  out.lifted = take<ipc::Lifted>(kLifted, loaded, lifted_lost).value_or(ipc::Lifted{});
  out.ladder = take<ipc::Ladder>(kLadder, loaded, out.ladder_lost).value_or(ipc::Ladder{});
  out.held_back = take<ipc::HeldBack>(kHeldBack, loaded, held_back_lost);
  out.pause = take<ipc::Pause>(kPause, loaded, loaded.pause_lost);
  out.marker = take<ipc::Marker>(kMarker, loaded, out.marker_lost);
  if (out.session) {  // in a run before, and nothing has come since
    out.refusals_lost = out.refusals_lost || out.session->refusals_lost == 1;
    out.ladder_lost = out.ladder_lost || out.session->ladder_lost == 1;
  }
  out.sets = std::move(sets);
  lossy_ = !loaded.lost.empty();
  return loaded;
}

Status Store::reserve() {
  TRY_VOID(files_.make_directories(path(ipc::kReservedOrder).parent_path()));
  const auto hold = [&](const char* name, const Bytes& blank) -> Status {
    if (const auto held = reserved_.reserve(path(name), blank); !held) return fail(held.error().code, fmt::format("no space is reserved for the sensor's records ({})", held.error().detail));
    return {};
  };
  for (const Record& record : records_) TRY_VOID(hold(record.name, ipc::detail::seal(record.kind, Bytes(record.payload.size(), 0))));
  return hold(ipc::kReservedOrder, ipc::blank_record<ipc::Order>());
}

Status Store::write(Record& record) {
  const auto file = path(record.name);
  if (record.spare_first) {
    TRY_VOID(reserved_.take_spare(file));
    record.spare_first = false;
  }
  const Bytes bytes = ipc::detail::seal(record.kind, record.payload, ++record.generation);  // a write that fails half-way has its number, too
  record.twice = false;
  if (!reserved_.write(file, bytes)) {  // nothing is reserved yet, or the spare cannot be written
    if (auto written = files_.write_atomic(file, bytes, 0600); !written) {
      // Of a marker, whose spare does not count by being one ahead: however often it fails, it is not two.
      if (record.kind == ipc::RecordKind::kMarker) --record.generation;
      return written;
    }
    (void)files_.remove(spare_of(file)).has_value();  // an older state: it must not be what counts when the file is damaged. Reserved again before the next marker
  } else if (const auto copy = files_.read(spare_of(file), bytes.size() + 1)) {
    record.twice = *copy == bytes;  // where files cannot be exchanged there may be no room for it
  }
  record.dirty = false;
  return {};
}

Status Store::store(const ipc::Marker& marker) {
  TRY_VOID(reserve());
  // A refusal that is not on the disk, or the clean stop of an earlier run that still is, would make a lie of what the next start reads beside this marker.
  retry();
  for (const Slot slot : {kSession, kRefusals, kLadder})
    if (records_[slot].dirty || !records_[slot].twice) return fail(ErrorCode::kIo, records_[slot].dirty ? complaint_ : fmt::format("{} cannot be kept twice", records_[slot].name));
  const auto* bytes = reinterpret_cast<const uint8_t*>(&marker);
  Record& record = records_[kMarker];
  const Record before = record;
  record.payload.assign(bytes, bytes + sizeof marker);
  auto written = write(record);
  if (written && !record.twice) written = fail(ErrorCode::kIo, fmt::format("{} cannot be kept twice", record.name));
  if (!written) {  // whatever of it reached the disk is cleared: nothing of this content is read
    record.payload = before.payload;
    record.dirty = true;
  }
  return written;
}

void Store::clear_marker() {
  records_[kMarker].payload.assign(sizeof(ipc::Marker), 0);
  records_[kMarker].dirty = true;
  retry();
}

Status Store::store(ipc::Session session) {
  session.kept = kept_;
  put(kSession, session);
  if (records_[kSession].dirty) return fail(ErrorCode::kIo, complaint_);
  if (!kept_ && all_twice()) {
    session.kept = kept_ = true;
    put(kSession, session);
  }
  return {};
}

bool Store::all_twice() const {
  return std::ranges::all_of(records_, [](const Record& record) { return record.twice && !record.dirty; });
}
bool Store::pending() const {
  return std::ranges::any_of(records_, [](const Record& record) { return record.dirty; });
}

void Store::retry() {
  for (size_t slot = 0; slot < kSlots; ++slot) {
    Record& record = records_[slot];
    if (!record.dirty && (!said_ || record.twice)) continue;
    if (slot != kSession && lossy_ && !said_) continue;
    if (slot == kMarker && (records_[kRefusals].dirty || records_[kLadder].dirty)) continue;
    const auto written = write(record);
    if (!written) complaint_ = written.error().detail;
    else if (slot == kSession) said_ = true;
  }
}

}  // namespace creance::sensor
