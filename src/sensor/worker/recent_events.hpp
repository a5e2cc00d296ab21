// The sensor's own recent events, for rehearsals, in a file that outlives the worker: one slot an event, the oldest is overwritten. Also where a replay stands.
// Written by the live worker while a rehearsal reads: each slot carries a checksum, and a torn one is passed over. What a dying worker left behind is not believed.
// Kept are the inputs, without further values and without what is no input. One writer.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/ipc/records.hpp"
#include "schema/inputs.hpp"
#include "schema/type.hpp"

namespace creance::sensor {

struct RecentEvent {
  schema::Fingerprint fingerprint{};
  std::string bytes;                        // what the values point into
  std::vector<schema::InputValue> values;
};

class RecentEvents {
 public:
  // The file must have ipc::kWorkerMemoryBytes. A foreign or damaged head is made anew if `writable`, and means no events otherwise.
  static Result<RecentEvents> map(int descriptor, bool writable);
  RecentEvents(RecentEvents&& other) noexcept;
  RecentEvents& operator=(RecentEvents&&) = delete;
  ~RecentEvents();

  void remember(const schema::Fingerprint& fingerprint, const schema::Inputs& inputs);  // too large: not kept
  std::vector<RecentEvent> snapshot() const;                                            // oldest first
  uint64_t* replay_position();
  void evaluating(uint64_t file);  // ipc::WorkerMemoryHead

 private:
  RecentEvents() = default;
  uint8_t* at_ = nullptr;
  bool writable_ = false;
  bool right_ = false;
};

}  // namespace creance::sensor
