#include "sensor/worker/recent_events.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/limits.hpp"
#include "base/os/real.hpp"

namespace creance::sensor {
namespace {

constexpr uint64_t kMagic = 0x33544e4543455243;  // "CRECENT3"
using Head = ipc::WorkerMemoryHead;
struct SlotHead {
  uint64_t sequence;  // 1-based; 0: never used
  uint32_t bytes;     // of the payload
  uint32_t checksum;
  schema::Fingerprint fingerprint;
  uint32_t inputs;    // of the Type
  uint32_t zero;
};
struct ValueHead {  // of an input that is not absent: wide Types have hundreds that are
  uint32_t size;
  uint16_t input;
  uint8_t presence;
  uint8_t zero;
};
constexpr size_t kPayloadMax = limits::kRecentEventBytesMax - sizeof(SlotHead);

uint32_t checksum(const uint8_t* at, size_t bytes, uint64_t sequence, uint32_t inputs) {
  uint64_t hash = 0xcbf29ce484222325 ^ sequence ^ uint64_t{inputs} << 48;
  for (size_t i = 0; i < bytes; ++i) hash = (hash ^ at[i]) * 0x100000001b3;
  return static_cast<uint32_t>(hash ^ (hash >> 32));
}

// Into event.values, which has as many places as the Type has inputs.
bool parse(RecentEvent& event) {
  size_t at = 0;
  const std::string& bytes = event.bytes;
  while (at < bytes.size()) {
    ValueHead head;
    if (bytes.size() - at < sizeof head) return false;
    std::memcpy(&head, bytes.data() + at, sizeof head);
    at += sizeof head;
    if (head.presence > static_cast<uint8_t>(schema::Presence::kValue) || head.size > bytes.size() - at || head.input >= event.values.size()) return false;
    schema::InputValue& value = event.values[head.input];
    if (static_cast<schema::Presence>(head.presence) == schema::Presence::kValue) value = schema::InputValue(std::string_view(bytes).substr(at, head.size));
    else value.presence = static_cast<schema::Presence>(head.presence);
    at += head.size;
  }
  return true;
}

}  // namespace

Result<RecentEvents> RecentEvents::map(int descriptor, bool writable) {
  struct stat info {};
  if (::fstat(descriptor, &info) != 0) return fail(os::errno_error(errno, "cannot read", "worker memory"));
  if (static_cast<size_t>(info.st_size) < ipc::kWorkerMemoryBytes) return fail(ErrorCode::kInvalid, "the worker memory file is too short");
  void* at = ::mmap(nullptr, ipc::kWorkerMemoryBytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, descriptor, 0);
  if (at == MAP_FAILED) return fail(os::errno_error(errno, "cannot map", "worker memory"));
  RecentEvents recent;
  recent.at_ = static_cast<uint8_t*>(at);
  recent.writable_ = writable;
  Head head;
  std::memcpy(&head, recent.at_, sizeof head);
  recent.right_ = head.magic == kMagic;
  if (writable && !recent.right_) {
    std::memset(recent.at_, 0, ipc::kWorkerMemoryBytes);
    reinterpret_cast<Head*>(recent.at_)->magic = kMagic;
    recent.right_ = true;
  }
  return recent;
}

RecentEvents::RecentEvents(RecentEvents&& other) noexcept : at_(std::exchange(other.at_, nullptr)), writable_(other.writable_), right_(other.right_) {}

RecentEvents::~RecentEvents() {
  if (at_ != nullptr) ::munmap(at_, ipc::kWorkerMemoryBytes);
}

void RecentEvents::evaluating(uint64_t file) {
  if (writable_) __atomic_store_n(&reinterpret_cast<Head*>(at_)->evaluating, file, __ATOMIC_RELAXED);  // the supervisor looks when this process is gone
}

uint64_t* RecentEvents::replay_position() { return &reinterpret_cast<Head*>(at_)->replay_position; }

void RecentEvents::remember(const schema::Fingerprint& fingerprint, const schema::Inputs& inputs) {
  size_t bytes = 0;
  for (const schema::InputValue& value : inputs.values) {
    if (value.presence != schema::Presence::kAbsent) bytes += sizeof(ValueHead) + (value.has_value() ? value.size : 0);
  }
  if (!writable_ || bytes > kPayloadMax) return;
  Head* head = reinterpret_cast<Head*>(at_);
  uint8_t* slot = at_ + limits::kRecentEventBytesMax * (1 + head->count % limits::kRecentEventsMax);
  SlotHead mark{};
  std::memcpy(slot, &mark, sizeof mark);  // nobody takes it while it is half old, half new
  uint8_t* to = slot + sizeof mark;
  for (size_t input = 0; input < inputs.values.size(); ++input) {
    const schema::InputValue& value = inputs.values[input];
    if (value.presence == schema::Presence::kAbsent) continue;
    const ValueHead value_head{value.has_value() ? value.size : 0, static_cast<uint16_t>(input), static_cast<uint8_t>(value.presence), 0};
    std::memcpy(to, &value_head, sizeof value_head);
    to += sizeof value_head;
    if (value_head.size > 0) std::memcpy(to, value.data, value_head.size);
    to += value_head.size;
  }
  const auto count = static_cast<uint32_t>(inputs.values.size());
  mark = {head->count + 1, static_cast<uint32_t>(bytes), checksum(slot + sizeof mark, bytes, head->count + 1, count), fingerprint, count, 0};
  std::memcpy(slot, &mark, sizeof mark);
  ++head->count;
}

std::vector<RecentEvent> RecentEvents::snapshot() const {
  std::vector<std::pair<uint64_t, RecentEvent>> found;
  for (size_t i = 0; right_ && i < limits::kRecentEventsMax; ++i) {
    const uint8_t* slot = at_ + limits::kRecentEventBytesMax * (1 + i);
    SlotHead head;
    std::memcpy(&head, slot, sizeof head);
    if (head.sequence == 0 || head.bytes > kPayloadMax || head.inputs > limits::kInputsPerTypeMax) continue;
    RecentEvent event;
    event.values.resize(head.inputs);
    event.fingerprint = head.fingerprint;
    event.bytes.assign(reinterpret_cast<const char*>(slot + sizeof head), head.bytes);
    if (checksum(reinterpret_cast<const uint8_t*>(event.bytes.data()), head.bytes, head.sequence, head.inputs) != head.checksum) continue;
    found.emplace_back(head.sequence, std::move(event));
  }
  std::ranges::sort(found, {}, [](const auto& entry) { return entry.first; });
  std::vector<RecentEvent> events;
  events.reserve(found.size());  // values point into their event: it must not move
  for (auto& [sequence, event] : found) {
    events.push_back(std::move(event));
    if (!parse(events.back())) events.pop_back();
  }
  return events;
}

}  // namespace creance::sensor
