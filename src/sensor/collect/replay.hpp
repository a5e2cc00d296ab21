// Events from a file in any form that events/records.hpp reads, packed or not, paced and, if wanted, for ever. Stands in for a Windows host's log. Every Type of the build is supplied, every input can be said.
// Malformed ones are counted as lost and passed over. Where it stands is kept in `position`, which outlives the worker.
#pragma once
#include <memory>
#include <string>

#include "sensor/collect/collector.hpp"

namespace creance::sensor {

struct ReplayOptions {
  int descriptor = -1;            // the open file; read from its start
  std::string name;               // for messages
  bool loop = false;
  uint32_t rate_per_s = 0;        // 0: as fast as it goes
  uint64_t* position = nullptr;   // events consumed in this round; nullptr: starts at the first one
};
Result<std::unique_ptr<Collector>> make_replay_collector(const ReplayOptions& options, const Clock& clock);

}  // namespace creance::sensor
