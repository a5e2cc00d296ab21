// What the sensor's processes say to each other: one fixed size, one version, checked on both sides. Not a serialiser: each message is a plain struct whose
// bytes travel as they are between processes of one build. Nothing here is trusted: `decode` proves length, magic, version, kind, direction, zero padding and
// every field (enumerators in range, texts printable and ended, counts within their bounds) before anyone sees a value.
// Failure: kInvalid with what was wrong. Threads: any number.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

#include "base/bytes.hpp"
#include "base/check.hpp"
#include "base/digest.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"

namespace creance::ipc {

inline constexpr uint32_t kMessageMagic = 0x53435243;  // "CRCS"
inline constexpr uint16_t kMessageVersion = 1;
inline constexpr size_t kMessageBytes = 1024;
inline constexpr size_t kPayloadBytesMax = kMessageBytes - 16;
inline constexpr size_t kRungsMax = 3;  // LKG and two older good sets
inline constexpr uint64_t kCounterMax = (uint64_t{1} << 53) - 1;  // of anything that is counted: what JSON can say exactly; above: a lie
inline constexpr int kExitNoMemory = 5;                          // how a process ends that is given no more memory

// Text of at most N-1 bytes, then zeros. Printable: no control characters, so that it may go into a log or a JSON string as it is (quotes escaped).
template <size_t N>
struct Text {
  std::array<char, N> bytes{};
  Text() = default;
  explicit Text(std::string_view text) { assign(text); }
  void assign(std::string_view text) {  // cut to fit; control characters become `?`
    bytes.fill(0);
    for (size_t i = 0; i < text.size() && i + 1 < N; ++i) bytes[i] = static_cast<unsigned char>(text[i]) < 0x20 || text[i] == 0x7f ? '?' : text[i];
  }
  std::string_view view() const { return {bytes.data(), ::strnlen(bytes.data(), N)}; }
  bool valid() const {
    const std::string_view text = view();
    if (text.size() >= N) return false;
    for (const char c : text)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
    for (size_t i = text.size(); i < N; ++i)
      if (bytes[i] != 0) return false;
    return true;
  }
  friend bool operator==(const Text&, const Text&) = default;
};

using Set = std::array<uint8_t, 32>;  // a release digest; all zero: no content
inline constexpr Set kNoSet{};

enum class Process : uint8_t { kSupervisor = 1, kWorker = 2, kUpdater = 3, kAdmit = 4, kCollectSetup = 5 };

enum class Kind : uint16_t {
  kActivate = 0x0101,          // supervisor -> worker
  kWorkerReady = 0x0201,       // worker -> supervisor
  kActivated = 0x0202,
  kActivationFailed = 0x0203,
  kHealth = 0x0204,
  kHeldInstance = 0x0205,
  kFaultSeen = 0x0206,
  kRehearsed = 0x0207,
  kLeftOut = 0x0208,
  kAnnounce = 0x0102,          // supervisor -> updater
  kReport = 0x0103,
  kReportEvent = 0x0104,
  kHeldForServer = 0x0105,
  kUpdaterReady = 0x0301,      // updater -> supervisor
  kSpoolChanged = 0x0302,
  kGrantFetched = 0x0303,
  kReportAnswered = 0x0304,
  kEnrolledAgain = 0x0305,
  kAdmitted = 0x0401,          // admit -> supervisor
  kCollectReady = 0x0501,      // collect-setup -> supervisor
};

// Why something was refused or given up. Order is part of the format of messages and records.
enum class Reason : uint8_t {
  kNone = 0, kWorkerCrash, kWorkerStall, kUncleanReboot, kRehearsalFailed, kVerifyFailed, kRepeatedDeaths, kNoMarker, kHalted, kDenied, kTimeout,
  kInterrupted, kHitsOverBudget, kMemoryOverBudget, kFault, kDamaged /* its files on this disk: no word against the content */,
  kBytesOverBudget, kOwner /* of the host: asked for it */, kStepsOverBudget,
  kRemembered /* by the server, which said so in a signed hold */, kRecordsLost /* of the attempt under which the machine went down */, kLast = kRecordsLost
};
std::string_view to_string(Reason reason);  // "worker_crash"

enum class SensorState : uint8_t { kSteady = 0, kAnnouncing, kRehearsing, kProbation, kReturning, kSafeMode, kWaiting, kLast = kWaiting };
std::string_view to_string(SensorState state);  // as docs/reference/protocol.md writes it

enum class Arm : uint8_t { kNone = 0, kGo = 1, kHold = 2, kLast = kHold };

enum class EventKind : uint8_t {
  kActivated = 0, kHeld, kProbationPassed, kWorkerCrash, kWorkerStall, kFault, kReturned, kUncleanReboot, kRehearsalFailed, kVerifyFailed, kRefused,
  kHitsOverBudget, kMemoryOverBudget, kSafeMode, kCpuOverBudget, kPressure, kOomKill, kDiskLow, kOthersCrashed, kSlowBoot,
  kContentRefused /* a digest went into this host's memory of what it takes no more */, kRefusalLifted /* or out of it */,
  kRecordsDamaged /* on this disk: what was restored, what was lost and what follows */, kLast = kRecordsDamaged
};
std::string_view to_string(EventKind kind);  // as docs/reference/protocol.md writes it

template <class E>
constexpr bool in_range(E value) { return value <= E::kLast; }
constexpr bool is_bool(uint8_t value) { return value <= 1; }

// --- supervisor -> worker

struct Activate {  // load this set, swap to it between two events, answer kActivated or kActivationFailed
  static constexpr Kind kKind = Kind::kActivate;
  Set set{};
  bool valid() const { return true; }
};

// --- worker -> supervisor

struct WorkerReady {  // its collectors work and have written as many inputs as the manifest says
  static constexpr Kind kKind = Kind::kWorkerReady;
  uint32_t types = 0;
  uint32_t inputs = 0;
  Text<32> build;
  Text<64> collector;  // "ebpf", "process connector", "replay of `x`", "none"
  bool valid() const { return types <= 4096 && inputs <= 1u << 20 && build.valid() && collector.valid(); }
};

struct Activated {
  static constexpr Kind kKind = Kind::kActivated;
  Set set{};
  uint32_t channels = 0;
  uint32_t instances = 0;
  uint32_t held = 0;  // instances that read an unavailable input
  bool valid() const { return channels <= 4096 && held <= instances; }
};

struct ActivationFailed {  // the worker goes on with what it had
  static constexpr Kind kKind = Kind::kActivationFailed;
  Set set{};
  Reason reason = Reason::kVerifyFailed;
  Text<200> detail;
  bool valid() const { return in_range(reason) && detail.valid(); }
};

struct Health {  // at least every kHealthIntervalMs while the worker's loop turns
  static constexpr Kind kKind = Kind::kHealth;
  Set set{};
  uint64_t events = 0;   // evaluated since the worker started; never goes back
  uint64_t matches = 0;
  uint64_t faults = 0;
  uint64_t lost_events = 0;
  uint64_t lost_detections = 0;
  uint64_t lost_correlated = 0;  // groups and events that left the memory of correlations early
  uint64_t rss_kib = 0;
  int64_t crashed = -1;  // processes of this host that ended by a signal that dumps core, since the collector was attached; -1: the collector cannot say
  uint8_t ended = 0;     // the input has no more events
  uint8_t padding[7]{};
  bool valid() const {
    for (const uint64_t counter : {events, matches, faults, lost_events, lost_detections, lost_correlated, rss_kib})
      if (counter > kCounterMax) return false;
    return is_bool(ended) && crashed >= -1 && crashed <= static_cast<int64_t>(kCounterMax);
  }
};

struct LeftOut {  // detections over the budget, since the last message of this kind
  static constexpr Kind kKind = Kind::kLeftOut;
  struct Rule {
    Text<96> rule_id;
    uint64_t count = 0;
  };
  uint32_t rules = 0;    // named, those with the most first
  uint32_t padding = 0;
  uint64_t others = 0;   // of rules that are not named
  std::array<Rule, 9> list{};
  bool valid() const {
    if (rules > list.size() || others > kCounterMax) return false;
    for (size_t i = 0; i < rules; ++i)
      if (!list[i].rule_id.valid() || list[i].count == 0 || list[i].count > kCounterMax) return false;
    return true;
  }
};

struct HeldInstance {
  static constexpr Kind kKind = Kind::kHeldInstance;
  Set set{};
  uint32_t index = 0;  // of `total`
  uint32_t total = 0;
  Text<128> rule_id;
  Text<128> input;
  bool valid() const { return index < total && rule_id.valid() && input.valid(); }
};

struct FaultSeen {
  static constexpr Kind kKind = Kind::kFaultSeen;
  Set set{};
  Reason reason = Reason::kFault;
  Text<128> rule_id;
  Text<128> detail;
  bool valid() const { return in_range(reason) && rule_id.valid() && detail.valid(); }
};

struct Rehearsed {
  static constexpr Kind kKind = Kind::kRehearsed;
  Set set{};
  uint8_t passed = 0;
  Reason reason = Reason::kNone;
  uint32_t own_events = 0;     // of this host
  uint32_t case_events = 0;    // of the release's own cases
  uint32_t sample_events = 0;  // generic ones
  uint32_t matches = 0;
  Text<200> detail;
  bool valid() const { return is_bool(passed) && in_range(reason) && detail.valid() && (passed == 0 || own_events + case_events + sample_events > 0 || set == kNoSet); }
};

// How the host fares (sensor/supervise/vitals.hpp). kUnknown: this host cannot say, or not yet.
struct Vitals {
  static constexpr int64_t kUnknown = -1;
  int64_t cpu_some = kUnknown, memory_some = kUnknown, memory_full = kUnknown, io_full = kUnknown;  // thousandths of the last minute in which tasks waited for it (PSI)
  int64_t oom_kills = kUnknown;      // since boot
  int64_t disk_free_mib = kUnknown, disk_mib = kUnknown;  // of the file system of the sensor's state
  int64_t others_crashed = kUnknown; // other processes that ended by a signal that dumps core, since the collector was attached
  int64_t boots = kUnknown;          // in which this sensor has started
  int64_t boot_ms = kUnknown;        // from this boot's begin to the sensor's first start in it
  int64_t sensor_cpu_ms = kUnknown, sensor_rss_kib = kUnknown;  // of all processes of the sensor
  bool valid() const {
    for (const int64_t share : {cpu_some, memory_some, memory_full, io_full})
      if (share > 1'000) return false;
    for (const int64_t value : {cpu_some, memory_some, memory_full, io_full, oom_kills, disk_free_mib, disk_mib, others_crashed, boots, boot_ms, sensor_cpu_ms, sensor_rss_kib})
      if (value < kUnknown) return false;
    return true;
  }
};

// --- supervisor -> updater

struct Announce {  // kNoSet: stop announcing
  static constexpr Kind kKind = Kind::kAnnounce;
  Set release{};
  Set running{};
  bool valid() const { return true; }
};

using Epoch = std::array<uint8_t, 16>;  // random, of one start of the supervisor; or of its life since the server asked for a new one

struct Report {  // what the next report to the server says; the updater adds identity and sequence
  static constexpr Kind kKind = Kind::kReport;
  Epoch epoch{};
  SensorState state = SensorState::kSteady;
  Arm arm = Arm::kNone;
  Set running{};
  Set lkg{};
  Set arm_release{};
  int64_t arm_age_ms = 0;
  uint64_t uptime_ms = 0;
  uint64_t plan_sequence = 0;
  uint64_t events = 0;
  uint64_t matches = 0;
  uint64_t faults = 0;
  uint64_t lost_events = 0;
  uint64_t lost_detections = 0;
  uint64_t lost_correlated = 0;
  uint64_t clock_behind_ms = 0;
  uint64_t worker_rss_kib = 0;
  uint64_t paused_ms = 0;            // for so long the host's owner wants nothing new; 0: not paused
  Vitals vitals;
  Text<72> running_release;
  Text<160> pause_reason;
  bool valid() const { return in_range(state) && in_range(arm) && arm_age_ms >= 0 && vitals.valid() && running_release.valid() && pause_reason.valid(); }
};

struct ReportEvent {
  static constexpr Kind kKind = Kind::kReportEvent;
  EventKind kind = EventKind::kActivated;
  Set release{};
  uint64_t at_ms = 0;  // since the supervisor started
  Text<200> detail;
  Text<limits::kRuleIdBytesMax + 1> rule_id;  // the rule that it is about; empty: none
  uint8_t padding[7]{};
  bool valid() const { return in_range(kind) && detail.valid() && rule_id.valid(); }
};

struct HeldForServer : HeldInstance {  // passed on from the worker as it is
  static constexpr Kind kKind = Kind::kHeldForServer;
};

// --- updater -> supervisor

struct UpdaterReady {
  static constexpr Kind kKind = Kind::kUpdaterReady;
  uint32_t report_interval_ms = 1000;
  bool valid() const { return report_interval_ms >= 100 && report_interval_ms <= 86'400'000; }
};

struct SpoolChanged {  // there may be something new for admit
  static constexpr Kind kKind = Kind::kSpoolChanged;
  uint64_t generation = 0;
  bool valid() const { return true; }
};

struct GrantFetched {  // its bytes lie in the spool; admit judges them
  static constexpr Kind kKind = Kind::kGrantFetched;
  Set release{};
  bool valid() const { return release != kNoSet; }
};

// What the server wants of a sensor whose voice it cannot tell from another one's.
enum class Wants : uint8_t { kNothing = 0, kNewEpoch, kEnrolAgain, kLast = kEnrolAgain };

struct ReportAnswered {
  static constexpr Kind kKind = Kind::kReportAnswered;
  uint32_t report_interval_ms = 1000;
  uint8_t reached = 0;  // the server answered
  Wants wants = Wants::kNothing;
  uint8_t unknown = 0;  // the server knows no such sensor, or not by this key
  uint8_t padding = 0;
  uint64_t events = 0;  // so many ReportEvents, the first that this updater heard, are the server's for certain
  bool valid() const { return report_interval_ms >= 100 && report_interval_ms <= 86'400'000 && is_bool(reached) && in_range(wants) && is_bool(unknown) && (unknown == 0 || (reached == 1 && wants == Wants::kNothing)) && events <= kCounterMax; }
};

using SensorId = std::array<uint8_t, 16>;  // drawn by the server
inline constexpr SensorId kNoSensorId{};

struct EnrolledAgain {  // the only answer of an updater that was started to enrol again: nothing but this sensor's id may become another one
  static constexpr Kind kKind = Kind::kEnrolledAgain;
  SensorId sensor_id{};
  bool valid() const { return sensor_id != kNoSensorId; }
};

// --- admit -> supervisor

enum class Standing : uint8_t { kAllowed = 0, kReturn = 1, kDenied = 2, kLast = kDenied };  // what signed data says about content that a host has
enum class GrantVerdict : uint8_t { kNone = 0, kGo = 1, kHold = 2, kInvalid = 3, kLast = kInvalid };

struct Admitted {
  static constexpr Kind kKind = Kind::kAdmitted;
  uint8_t trusted = 0;           // metadata and plan were right; otherwise only `detail` says something
  Standing running_standing = Standing::kAllowed;
  std::array<Standing, kRungsMax> rung_standing{};
  GrantVerdict grant = GrantVerdict::kNone;
  uint8_t lifted_count = 0;
  uint8_t remembered = 0;        // the grant is a hold because this host refused the content once, says the server
  uint64_t plan_sequence = 0;
  uint64_t deny_version = 0;     // of the signed deny list; 0: there is none
  std::array<Set, 8> lifted{};   // refusals of this host that a signed retry lifts; more: with the next answer
  Set offer{};                   // kNoSet: nothing for this host now. Its files stand ready in sets/
  Set grant_release{};
  uint64_t recheck_ms = 0;       // ask again after this time; 0: when the spool changes
  uint64_t clock_behind_ms = 0;  // the host's clock is so far behind what signed metadata says, and was not believed
  Text<72> offer_release;
  Text<240> detail;              // why there is no offer, or what was wrong
  Text<240> unread;              // why a file of the host's owner cannot be read; nothing new is taken meanwhile
  bool valid() const {
    bool taken_back = !in_range(running_standing) || running_standing != Standing::kAllowed;
    bool judged = taken_back;
    for (const Standing standing : rung_standing) {
      if (!in_range(standing)) return false;
      judged = judged || standing != Standing::kAllowed;
    }
    if (!is_bool(trusted) || !in_range(running_standing) || !in_range(grant) || lifted_count > lifted.size() || !offer_release.valid() || !detail.valid() || !unread.valid() || !is_bool(remembered)) return false;
    if (plan_sequence > kCounterMax || deny_version > kCounterMax || clock_behind_ms > kCounterMax) return false;
    for (size_t i = 0; i < lifted.size(); ++i)
      if ((lifted[i] != kNoSet) != (i < lifted_count)) return false;
    const bool granted = grant == GrantVerdict::kGo || grant == GrantVerdict::kHold;
    if (granted != (grant_release != kNoSet) || (granted && grant_release != offer) || (remembered == 1 && grant != GrantVerdict::kHold)) return false;    // a grant is for what is offered
    if ((offer == kNoSet) != offer_release.view().empty() || (offer != kNoSet && taken_back)) return false;  // and nothing is offered while what runs is taken back
    return trusted == 1 || (!judged && offer == kNoSet && grant == GrantVerdict::kNone && lifted_count == 0 && plan_sequence == 0 && deny_version == 0);
  }
};

// --- collect-setup -> supervisor, with descriptors beside it: ring buffer, counters (ce_shared), then the links that keep the programs attached

struct CollectReady {
  static constexpr Kind kKind = Kind::kCollectReady;
  uint32_t ring_bytes = 0;
  uint32_t descriptors = 0;
  uint8_t attached = 0;  // 0: cannot watch; `detail` says why
  uint8_t connector = 0; // 1: no kernel programs, but a socket on which the sender goes on giving records of executed programs, and the page with its counters
  uint8_t padding[2]{};
  Text<200> detail;
  bool valid() const {
    const bool ring = descriptors >= 3 && ring_bytes >= 4096 && (ring_bytes & (ring_bytes - 1)) == 0;
    return is_bool(attached) && is_bool(connector) && descriptors <= 32 && (attached == 0 || (connector == 1 ? descriptors == 2 : ring)) && detail.valid();
  }
};

// One datagram.
struct Frame {
  struct Head {
    uint32_t magic = kMessageMagic;
    uint16_t version = kMessageVersion;
    Kind kind{};
    uint32_t payload_bytes = 0;
    Process from{};
    uint8_t padding[3]{};
  } head;
  std::array<uint8_t, kPayloadBytesMax> payload{};

  template <class T>
  bool is() const { return head.kind == T::kKind; }
  template <class T>
  T as() const {  // only after decode(): is<T>() holds
    CHECK(is<T>());
    T value;
    std::memcpy(&value, payload.data(), sizeof value);
    return value;
  }
};
static_assert(sizeof(Frame) == kMessageBytes && std::is_trivially_copyable_v<Frame>);

template <class T>
Frame encode(const T& message, Process from) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= kPayloadBytesMax);
  CHECK(message.valid());
  Frame frame;
  frame.head.kind = T::kKind;
  frame.head.payload_bytes = sizeof(T);
  frame.head.from = from;
  std::memcpy(frame.payload.data(), &message, sizeof(T));
  return frame;
}

// `from`: who is at the other end of the socket; a kind that this process may not send is refused.
Result<Frame> decode(BytesView datagram, Process from);

}  // namespace creance::ipc
