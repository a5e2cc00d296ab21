// How the host fares while content runs on it, told alike by hosts that took a release and by hosts that were told to hold: numbers for the report, and the first time that one of them
// crosses its threshold, as an event for the gates (DESIGN section 5). Pure: counters and `now` in. Not a judge of content: what a crossing means is found by comparison on the server.
// A crossing is told once, and again only after the number was below half of its threshold. Shares are of the last minute, and say nothing before a minute was seen. One thread.
#pragma once
#include <array>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/ipc/records.hpp"
#include "base/os/vitals.hpp"
#include "base/seams/clock.hpp"

namespace creance::sensor {

inline constexpr MonotonicTime kVitalsEvery{10'000};
inline constexpr MonotonicTime kVitalsWindow{60'000};

struct VitalsThresholds {  // of the last minute; why these: ADR 0145
  uint32_t cpu_some = 950;             // thousandths of the time in which some task waited for a CPU
  uint32_t memory_some = 200, memory_full = 100;
  uint32_t io_full = 500;
  uint64_t disk_free_bytes = 256u << 20;  // below it; new content may find no room
  uint32_t crashes = 3;                // of other processes
  uint32_t sensor_cpu = 750;           // thousandths of one CPU, all processes of the sensor
  uint64_t sensor_rss_kib = 512u << 10;
  MonotonicTime slow_boot{30'000};     // longer than the boot before it, and twice as long
};

struct VitalsSample {
  os::HostCounters host;
  std::optional<uint64_t> others_crashed;  // processes that ended by a signal that dumps core, the sensor's own left out; since the collector was attached
  uint64_t sensor_cpu_ms = 0;              // of all its processes, those that have ended too
  uint64_t sensor_rss_kib = 0;             // of all that live
};

struct Crossing {
  ipc::EventKind kind{};
  std::string detail;
};

class VitalsWatch {
 public:
  explicit VitalsWatch(const VitalsThresholds& thresholds = {}) : thresholds_(thresholds) {}
  // At the start of this process, `uptime` after the machine's: the record to keep. A boot that took long until the sensor's first start in it is a crossing of the first take().
  ipc::Boots start(const std::optional<ipc::Boots>& last, const ipc::BootId& boot_id, MonotonicTime uptime);
  std::vector<Crossing> take(const VitalsSample& sample, MonotonicTime now);
  const ipc::Vitals& vitals() const { return vitals_; }

 private:
  struct Seen {
    MonotonicTime at;
    VitalsSample sample;
  };
  enum Mark : uint8_t { kCpu, kMemorySome, kMemoryFull, kIo, kDisk, kCrashes, kSensorCpu, kSensorMemory, kMarks };
  bool crosses(Mark mark, bool over, bool calm);  // once, until it was calm again

  VitalsThresholds thresholds_;
  ipc::Vitals vitals_;
  std::deque<Seen> seen_;
  std::array<bool, kMarks> over_{};
  std::optional<Crossing> at_start_;
};

}  // namespace creance::sensor
