// The live collector: kernel records from the ring buffer that collect-setup attached. Needs no privilege: two descriptors are all it has.
// It supplies every Linux Type of the build, however it watches: inputs that the host's way of watching cannot say are unavailable, and so the rules that read them are held and named.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "sensor/collect/collector.hpp"

namespace creance::sensor {

struct LiveOptions {
  enum class From : uint8_t { kRingBuffer, kConnector /* a socket (ring_descriptor); executed programs alone */, kNothing /* this host cannot be watched */ };
  From from = From::kRingBuffer;
  int ring_descriptor = -1;    // -1: supplies what `from` supplies, and gives no event (a rehearsal)
  uint32_t ring_bytes = 0;
  int shared_descriptor = -1;  // a page: ce_shared of ebpf/kernel_event.h
  std::string host;
  std::string passwd;        // the text of /etc/passwd
};
// What a collector that watches this way supplies, without watching.
std::vector<Supplied> live_supplied(LiveOptions::From from, const Clock& clock);
Result<std::unique_ptr<Collector>> make_live_collector(const LiveOptions& options, const Clock& clock);

}  // namespace creance::sensor
