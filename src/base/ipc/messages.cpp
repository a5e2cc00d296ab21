#include "base/ipc/messages.hpp"

#include <fmt/format.h>

namespace creance::ipc {
namespace {

template <class T>
Status prove(const Frame& frame) {
  if (frame.head.payload_bytes != sizeof(T)) return fail(ErrorCode::kInvalid, fmt::format("message 0x{:04x}: {} payload bytes where {} belong", static_cast<unsigned>(T::kKind), frame.head.payload_bytes, sizeof(T)));
  T value;
  std::memcpy(&value, frame.payload.data(), sizeof value);
  if (!value.valid()) return fail(ErrorCode::kInvalid, fmt::format("message 0x{:04x}: a field is out of its range", static_cast<unsigned>(T::kKind)));
  return {};
}

Status prove_kind(const Frame& frame) {
  switch (frame.head.kind) {
    case Kind::kActivate: return prove<Activate>(frame);
    case Kind::kWorkerReady: return prove<WorkerReady>(frame);
    case Kind::kActivated: return prove<Activated>(frame);
    case Kind::kActivationFailed: return prove<ActivationFailed>(frame);
    case Kind::kHealth: return prove<Health>(frame);
    case Kind::kHeldInstance: return prove<HeldInstance>(frame);
    case Kind::kFaultSeen: return prove<FaultSeen>(frame);
    case Kind::kRehearsed: return prove<Rehearsed>(frame);
    case Kind::kLeftOut: return prove<LeftOut>(frame);
    case Kind::kAnnounce: return prove<Announce>(frame);
    case Kind::kReport: return prove<Report>(frame);
    case Kind::kReportEvent: return prove<ReportEvent>(frame);
    case Kind::kHeldForServer: return prove<HeldForServer>(frame);
    case Kind::kUpdaterReady: return prove<UpdaterReady>(frame);
    case Kind::kSpoolChanged: return prove<SpoolChanged>(frame);
    case Kind::kGrantFetched: return prove<GrantFetched>(frame);
    case Kind::kReportAnswered: return prove<ReportAnswered>(frame);
    case Kind::kEnrolledAgain: return prove<EnrolledAgain>(frame);
    case Kind::kAdmitted: return prove<Admitted>(frame);
    case Kind::kCollectReady: return prove<CollectReady>(frame);
  }
  return fail(ErrorCode::kInvalid, fmt::format("message of unknown kind 0x{:04x}", static_cast<unsigned>(frame.head.kind)));
}

}  // namespace

Result<Frame> decode(BytesView datagram, Process from) {
  if (datagram.size() != kMessageBytes) return fail(ErrorCode::kInvalid, fmt::format("message of {} bytes where {} belong", datagram.size(), kMessageBytes));
  Frame frame;
  std::memcpy(&frame, datagram.data(), sizeof frame);
  if (frame.head.magic != kMessageMagic) return fail(ErrorCode::kInvalid, "message without the magic number");
  if (frame.head.version != kMessageVersion) return fail(ErrorCode::kInvalid, fmt::format("message of version {} where {} is spoken", frame.head.version, kMessageVersion));
  if (frame.head.from != from || static_cast<unsigned>(frame.head.kind) >> 8 != static_cast<unsigned>(from))
    return fail(ErrorCode::kInvalid, fmt::format("message 0x{:04x} is not for process {} to send", static_cast<unsigned>(frame.head.kind), static_cast<unsigned>(from)));
  for (const uint8_t byte : frame.head.padding)
    if (byte != 0) return fail(ErrorCode::kInvalid, "message head with padding that is not zero");
  if (frame.head.payload_bytes > kPayloadBytesMax) return fail(ErrorCode::kInvalid, "message payload longer than a message");
  for (size_t i = frame.head.payload_bytes; i < kPayloadBytesMax; ++i)
    if (frame.payload[i] != 0) return fail(ErrorCode::kInvalid, "message with bytes behind its payload");
  TRY_VOID(prove_kind(frame));
  return frame;
}

std::string_view to_string(Reason reason) {
  switch (reason) {
    case Reason::kNone: return "none";
    case Reason::kWorkerCrash: return "worker_crash";
    case Reason::kWorkerStall: return "worker_stall";
    case Reason::kUncleanReboot: return "unclean_reboot";
    case Reason::kRehearsalFailed: return "rehearsal_failed";
    case Reason::kVerifyFailed: return "verify_failed";
    case Reason::kRepeatedDeaths: return "repeated_deaths";
    case Reason::kNoMarker: return "no_marker";
    case Reason::kHalted: return "halted";
    case Reason::kDenied: return "denied";
    case Reason::kTimeout: return "timeout";
    case Reason::kInterrupted: return "interrupted";
    case Reason::kHitsOverBudget: return "hits_over_budget";
    case Reason::kMemoryOverBudget: return "memory_over_budget";
    case Reason::kFault: return "fault";
    case Reason::kDamaged: return "damaged";
    case Reason::kBytesOverBudget: return "bytes_over_budget";
    case Reason::kOwner: return "owner";
    case Reason::kStepsOverBudget: return "steps_over_budget";
    case Reason::kRemembered: return "remembered";
    case Reason::kRecordsLost: return "records_lost";
  }
  return "unknown";
}

std::string_view to_string(SensorState state) {
  switch (state) {
    case SensorState::kSteady: return "steady";
    case SensorState::kAnnouncing: return "announcing";
    case SensorState::kRehearsing: return "rehearsing";
    case SensorState::kProbation: return "probation";
    case SensorState::kReturning: return "returning";
    case SensorState::kSafeMode: return "safe_mode";
    case SensorState::kWaiting: return "waiting";
  }
  return "unknown";
}

std::string_view to_string(EventKind kind) {
  switch (kind) {
    case EventKind::kActivated: return "activated";
    case EventKind::kHeld: return "held";
    case EventKind::kProbationPassed: return "probation_passed";
    case EventKind::kWorkerCrash: return "worker_crash";
    case EventKind::kWorkerStall: return "worker_stall";
    case EventKind::kFault: return "fault";
    case EventKind::kReturned: return "returned";
    case EventKind::kUncleanReboot: return "unclean_reboot";
    case EventKind::kRehearsalFailed: return "rehearsal_failed";
    case EventKind::kVerifyFailed: return "verify_failed";
    case EventKind::kRefused: return "refused";
    case EventKind::kHitsOverBudget: return "hits_over_budget";
    case EventKind::kMemoryOverBudget: return "memory_over_budget";
    case EventKind::kSafeMode: return "safe_mode";
    case EventKind::kCpuOverBudget: return "cpu_over_budget";
    case EventKind::kPressure: return "pressure";
    case EventKind::kOomKill: return "oom_kill";
    case EventKind::kDiskLow: return "disk_low";
    case EventKind::kOthersCrashed: return "others_crashed";
    case EventKind::kSlowBoot: return "slow_boot";
    case EventKind::kContentRefused: return "content_refused";
    case EventKind::kRefusalLifted: return "refusal_lifted";
    case EventKind::kRecordsDamaged: return "records_damaged";
  }
  return "unknown";
}

}  // namespace creance::ipc
