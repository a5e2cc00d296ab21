// The live collector: kernel records from the ring buffer that collect-setup attached. Needs no privilege: two descriptors are all it has.
#pragma once
#include <memory>
#include <string>

#include "sensor/collect/collector.hpp"

namespace creance::sensor {

struct LiveOptions {
  bool connector = false;    // records from a socket (ring_descriptor) instead of a ring buffer: executed programs alone
  int ring_descriptor = -1;
  uint32_t ring_bytes = 0;
  int lost_descriptor = -1;  // array map, one 64-bit counter
  std::string host;
  std::string passwd;        // the text of /etc/passwd
};
Result<std::unique_ptr<Collector>> make_live_collector(const LiveOptions& options, const Clock& clock);

}  // namespace creance::sensor
