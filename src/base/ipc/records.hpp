// The few facts that a sensor must find again after any crash, each one fixed-size file: magic, version, kind, payload, checksum. Written whole or not at
// all (FileSystem::write_atomic, or into space that was reserved: ReservedFiles). The supervisor writes them; admit reads the refusals. Failure: kNotFound, also for a blank
// record, which holds a place and says nothing; kInvalid for a file that is not exactly this. What the supervisor must not forget is kept twice (Kept, ADR 0165).
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <type_traits>

#include "base/ipc/messages.hpp"
#include "base/limits.hpp"
#include "base/sensor_limits.hpp"
#include "base/seams/files.hpp"
#include "base/seams/reserved_files.hpp"

namespace creance::ipc {

inline constexpr uint32_t kRecordMagic = 0x52435243;  // "CRCR"
inline constexpr uint16_t kRecordVersion = 1;
inline constexpr size_t kRefusalsMax = 64;            // the oldest leave first
inline constexpr size_t kChannelsPerSetMax = 256;           // one a Template Type; above: nobody supplies so many kinds of event

enum class RecordKind : uint16_t { kMarker = 1, kLadder = 2, kRefusals = 3, kSession = 4, kHeldBack = 5, kSet = 6, kPlanSeen = 7, kPause = 8, kOrder = 9, kPolicySeen = 10, kBoots = 11, /* 12 was an identity as a file of the updater's */ kSight = 13, kSuccessors = 14, kLifted = 15, kOrderAnswer = 16 };

using BootId = Text<40>;

struct Marker {  // on disk before anything of new content is read; gone when probation has ended, either way
  static constexpr RecordKind kKind = RecordKind::kMarker;
  Set release{};
  Arm arm = Arm::kNone;
  uint8_t padding[7]{};
  BootId boot_id;
  bool valid() const { return release != kNoSet && (arm == Arm::kGo || arm == Arm::kHold) && boot_id.valid(); }
};

struct Ladder {  // good sets, newest first: the LKG and two older ones
  static constexpr RecordKind kKind = RecordKind::kLadder;
  uint32_t count = 0;
  uint32_t padding = 0;
  std::array<Set, kRungsMax> sets{};
  std::array<Text<72>, kRungsMax> names{};
  bool valid() const {
    if (count > kRungsMax) return false;
    for (size_t i = 0; i < kRungsMax; ++i)
      if ((sets[i] == kNoSet) == (i < count) || !names[i].valid()) return false;
    return true;
  }
};

struct Refusal {
  Set release{};
  Reason reason = Reason::kNone;
  uint8_t padding[3]{};
  uint32_t deny_version = 0;  // the deny list that was known when this was refused: only a newer one may lift it
  int64_t wall_ms = 0;
  Text<112> detail;
};
struct Refusals {
  static constexpr RecordKind kKind = RecordKind::kRefusals;
  uint32_t count = 0;
  uint32_t deny_version = 0;  // newest signed deny list that was known
  std::array<Refusal, kRefusalsMax> list{};  // oldest first
  bool valid() const {
    if (count > kRefusalsMax) return false;
    for (size_t i = 0; i < count; ++i)
      if (list[i].release == kNoSet || !in_range(list[i].reason) || !list[i].detail.valid()) return false;
    return true;
  }
  bool contains(const Set& release) const {
    for (size_t i = 0; i < count; ++i)
      if (list[i].release == release) return true;
    return false;
  }
};

struct Lifted {  // what the host's owner lifted, and the server has not heard yet
  static constexpr RecordKind kKind = RecordKind::kLifted;
  uint32_t count = 0;
  uint32_t padding = 0;
  std::array<Set, kRefusalsMax> list{};  // oldest first
  bool valid() const {
    if (count > kRefusalsMax) return false;
    for (size_t i = 0; i < kRefusalsMax; ++i)
      if ((list[i] == kNoSet) == (i < count)) return false;
    return true;
  }
  bool contains(const Set& set) const {
    for (size_t i = 0; i < count; ++i)
      if (list[i] == set) return true;
    return false;
  }
};

struct Session {  // the supervisor's last run
  static constexpr RecordKind kKind = RecordKind::kSession;
  BootId boot_id;
  uint8_t clean_stop = 0;
  uint8_t kept = 0;            // since a run before this one all records are there, twice: one that is missing was lost
  uint8_t refusals_lost = 0;   // and nothing that came after tells what was refused
  uint8_t ladder_lost = 0;     // likewise which content is good
  uint8_t padding[4]{};
  bool valid() const { return boot_id.valid() && is_bool(clean_stop) && is_bool(kept) && is_bool(refusals_lost) && is_bool(ladder_lost); }
};

struct Boots {  // of the machine, as far as this sensor has started in them
  static constexpr RecordKind kKind = RecordKind::kBoots;
  BootId boot_id;         // the last one
  uint64_t count = 0;
  uint64_t boot_ms = 0;   // from its begin to the sensor's first start in it
  bool valid() const { return boot_id.valid() && count < (uint64_t{1} << 53) && boot_ms < (uint64_t{1} << 53); }
};

// Who this sensor is since it enrolled again (sensor/supervise/successors.hpp): all that an identity may change in. Server, tenant, tags and root of trust stay as enrolment left them.
struct Successor {
  SensorId sensor_id{};
  std::array<uint8_t, 32> key{};  // seed of an Ed25519 key pair, drawn on this host
  int64_t enrolled_ms = 0;        // by this host's clock
};
struct Successors {
  static constexpr RecordKind kKind = RecordKind::kSuccessors;
  uint32_t count = 0;
  uint16_t struck = 0;  // of the last of them, that the server did not know; kept, since that need not have been the server (older builds go by all)
  uint16_t tried = 0;   // of these, that had their second turn
  std::array<Successor, limits::kSuccessorsKeptMax> list{};  // oldest first; the last that is not struck is in force, and below the first lies the identity of enrolment
  std::array<uint8_t, 32> next_key{};                        // of the one that is asked for, the same until an answer came; all zero: none is
  uint64_t wait_ms = 0;                                      // for so much of the supervisor's own time no other one is asked for
  bool valid() const {
    if (count > list.size() || struck > count || tried > count || wait_ms > limits::kEnrolAgainEveryMs) return false;
    for (size_t i = 0; i < list.size(); ++i)
      if ((list[i].sensor_id == kNoSensorId) == (i < count) || list[i].enrolled_ms < 0) return false;
    return true;
  }
  const Successor* current() const { return count == struck ? nullptr : &list[count - struck - 1]; }  // in force; nullptr: the identity of enrolment is
};
inline constexpr const char* kSuccessorsFile = "state/successors.bin";  // below the sensor's folder; given to the updater, whose key stands in it

struct Pause {  // nothing new is taken, says the host's owner: for so much of the supervisor's own time, so that no clock ends it early
  static constexpr RecordKind kKind = RecordKind::kPause;
  uint64_t remaining_ms = 0;
  Text<160> reason;
  bool valid() const { return remaining_ms <= limits::kPauseMsMax && reason.valid(); }
};

// What the host's owner wants of the running sensor: state/orders/<any name>.bin, written by `creance-sensor pause|resume|return|retry`, carried out once and removed.
struct Order {
  static constexpr RecordKind kKind = RecordKind::kOrder;
  enum class What : uint8_t { kPause = 0, kResume, kReturn, kRetry, kTrustKept, kLast = kTrustKept };  // kTrustKept: kResume, and what is kept may run although records were lost
  What what = What::kPause;
  uint8_t padding[7]{};
  Set release{};            // kRetry: of a release or of a channel file
  uint64_t pause_ms = 0;    // kPause
  Text<160> reason;
  bool valid() const { return in_range(what) && pause_ms <= limits::kPauseMsMax && (pause_ms > 0) == (what == What::kPause) && reason.valid(); }
};
// What came of an order: its path with kAnswerSuffix, not synced; removed by whoever gave the order, or when there are many.
struct OrderAnswer {
  static constexpr RecordKind kKind = RecordKind::kOrderAnswer;
  enum class What : uint8_t { kDone = 1, kNothingToDo, kRefused, kLast = kRefused };
  What what = What::kDone;
  uint8_t padding[7]{};
  Text<320> text;
  bool valid() const { return what >= What::kDone && in_range(what) && text.valid(); }
};
inline constexpr std::string_view kAnswerSuffix = ".answer";

// What the running sensor sees with, runs and was told, for `creance-sensor status --fields` and `doctor`: state/sight.bin, not synced.
struct Sight {
  static constexpr RecordKind kKind = RecordKind::kSight;
  Set running{};
  Text<16> input;      // as the worker is told it: "ebpf", "connector", "replay", "none"
  Text<64> collector;  // as the worker says it
  Text<240> unread;    // why a file of the host's owner cannot be read, as admit said last; empty: it can
  bool valid() const { return input.valid() && collector.valid() && unread.valid(); }
};

// Where an order goes when there is no space for another file; always there, and blank while there is none.
inline constexpr const char* kReservedOrder = "orders/reserved.bin";

struct HeldBack {  // the placebo for this release was taken; not again before the plan lets this host go
  static constexpr RecordKind kKind = RecordKind::kHeldBack;
  Set release{};
  bool valid() const { return release != kNoSet; }
};

// sets/<release digest>/set.bin, written by admit: which files belong to the set. The worker opens nothing else.
struct SetFile {
  Text<96> name;  // in the set's folder; letters, digits, `.`, `_`, `-`
  std::array<uint8_t, 32> sha256{};
  std::array<uint8_t, 32> fingerprint{};
  uint64_t bytes = 0;
  std::array<uint8_t, 32> cases_sha256{};
  uint64_t cases_bytes = 0;  // 0: the release has no cases for it; else they lie in `name` + kSetCasesSuffix
  bool valid() const {
    const auto text = name.view();
    if (cases_bytes > limits::kRehearsalBytesMax) return false;
    if (!name.valid() || text.empty() || text.front() == '.') return false;
    for (const char c : text)
      if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-')) return false;
    return bytes > 0;
  }
};
struct SetRecord {
  static constexpr RecordKind kKind = RecordKind::kSet;
  Set release{};
  Text<72> name;
  uint32_t count = 0;
  uint32_t padding = 0;
  std::array<SetFile, kChannelsPerSetMax> files{};
  bool valid() const {
    if (count > kChannelsPerSetMax || release == kNoSet || !name.valid()) return false;
    for (size_t i = 0; i < count; ++i)
      if (!files[i].valid()) return false;
    return true;
  }
};
struct PlanSeen {  // kept by admit: the newest plan that this host ever believed
  static constexpr RecordKind kKind = RecordKind::kPlanSeen;
  uint64_t sequence = 0;
  bool valid() const { return sequence < (uint64_t{1} << 53); }
};
struct PolicySeen {  // kept by admit: the newest policy that this host ever followed
  static constexpr RecordKind kKind = RecordKind::kPolicySeen;
  Set of{};  // SHA-256 over tenant, tenant's key and ids of the policy role's keys: only what these say is compared
  uint64_t version = 0;
  bool valid() const { return version < (uint64_t{1} << 53); }
};
inline constexpr std::string_view kSetRecordName = "set.bin";
inline constexpr std::string_view kSetCasesSuffix = ".cases";

// The file that a worker and its successors share: where a replay stands, and the recent events (sensor/worker/recent_events.hpp).
struct WorkerMemoryHead {  // in the first of its slots
  uint64_t magic = 0;
  uint64_t count = 0;            // events ever remembered
  uint64_t replay_position = 0;
  uint64_t evaluating = 0;       // 1 + the file (of set.bin) whose channel is evaluated at this moment; 0: none. What a dying worker leaves is a hint about whom to blame, no more
};
inline constexpr size_t kWorkerMemoryBytes = (limits::kRecentEventsMax + 1) * limits::kRecentEventBytesMax;

namespace detail {
inline constexpr size_t kHeadBytes = 24;
bool is_blank(BytesView payload);
Bytes seal(RecordKind kind, BytesView payload, uint32_t generation = 0);
Result<uint32_t> open(BytesView file, RecordKind kind, std::span<uint8_t> payload);  // the generation
}  // namespace detail

template <class T>
Bytes to_record(const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  CHECK(value.valid());
  return detail::seal(T::kKind, {reinterpret_cast<const uint8_t*>(&value), sizeof value});
}
template <class T>
Result<T> from_record(BytesView file) {
  T value;
  TRY(const uint32_t generation, detail::open(file, T::kKind, {reinterpret_cast<uint8_t*>(&value), sizeof value}));
  (void)generation;
  if (value.valid()) return value;
  if (detail::is_blank({reinterpret_cast<const uint8_t*>(&value), sizeof value})) return fail(ErrorCode::kNotFound, "nothing was written to this record yet");
  return fail(ErrorCode::kInvalid, "a field of the record is out of its range");
}
// What a record that says nothing holds: of most kinds a valid empty one.
template <class T>
Bytes blank_record() { return detail::seal(T::kKind, Bytes(sizeof(T), 0)); }
template <class T>
Status write_record(FileSystem& files, const std::filesystem::path& path, const T& value) {
  return files.write_atomic(path, to_record(value), 0600);
}
template <class T>
Result<T> read_record(FileSystem& files, const std::filesystem::path& path) {
  const auto read = [&]() -> Result<T> {
    TRY(const Bytes bytes, files.read(path, detail::kHeadBytes + sizeof(T) + 64));
    return from_record<T>(bytes);
  };
  auto value = read();
  for (int again = 0; again < 3 && !value && value.error().code == ErrorCode::kInvalid; ++again) value = read();  // what was opened may have become the copy of the next write meanwhile
  if (!value && value.error().code == ErrorCode::kInvalid) return fail(value.error().code, "`" + path.string() + "`: " + value.error().detail);
  return value;
}

// A record that is kept twice, in its file and in the spare of its space, each with the number of the write that made it: the newest that is whole counts.
template <class T>
struct Kept {
  std::optional<T> value;             // nullopt: neither is whole, or it is blank and that says nothing
  std::optional<uint32_t> generation; // nullopt: neither is whole. 0: written by nothing that keeps records twice
  bool from_spare = false;            // the file is damaged, missing or older
  bool twice = false;                 // both are whole and the same
  std::string damage;                 // of the file: what is wrong; empty: nothing, or it is missing
  std::string spare_damage;           // likewise
  bool missing = false;               // the file
};
// `unfinished`: by so many writes the spare may be ahead and the file counts all the same: the last one did not come to its end.
template <class T>
Kept<T> read_kept(FileSystem& files, const std::filesystem::path& path, uint32_t unfinished = 0) {
  struct Copy {
    T value;
    std::optional<uint32_t> generation;
    Bytes bytes;
    std::string damage;
    bool missing = false;
  };
  const auto copy = [&](const std::filesystem::path& of) {
    Copy out;
    auto bytes = files.read(of, detail::kHeadBytes + sizeof(T) + 64);
    if (!bytes) {
      out.missing = bytes.error().code == ErrorCode::kNotFound;
      if (!out.missing) out.damage = bytes.error().detail;
      return out;
    }
    const auto generation = detail::open(*bytes, T::kKind, {reinterpret_cast<uint8_t*>(&out.value), sizeof(T)});
    if (!generation) out.damage = generation.error().detail;
    else if (!out.value.valid() && !detail::is_blank({reinterpret_cast<const uint8_t*>(&out.value), sizeof(T)})) out.damage = "a field of the record is out of its range";
    else out.generation = *generation;
    out.bytes = std::move(*bytes);
    return out;
  };
  const Copy file = copy(path), spare = copy(spare_of(path));
  Kept<T> out;
  out.from_spare = spare.generation && (!file.generation || *spare.generation > *file.generation + unfinished);
  out.twice = file.generation && spare.generation && file.bytes == spare.bytes;
  out.damage = file.damage;
  out.spare_damage = spare.damage;
  out.missing = file.missing;
  const Copy& best = out.from_spare ? spare : file;
  out.generation = best.generation;
  if (best.generation && best.value.valid()) out.value = best.value;
  return out;
}

}  // namespace creance::ipc
