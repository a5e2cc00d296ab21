#include "sensor/supervise/vitals.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace creance::sensor {
namespace {

using ipc::EventKind;
using Counter = std::optional<uint64_t>;

Counter grown(const Counter& before, const Counter& now) { return before && now && *now >= *before ? Counter(*now - *before) : std::nullopt; }

// Thousandths of the time between.
Counter share(const Counter& before_us, const Counter& now_us, MonotonicTime span) {
  const Counter stalled = grown(before_us, now_us);
  if (!stalled || span.count() <= 0) return std::nullopt;
  return std::min<uint64_t>(1'000, *stalled / static_cast<uint64_t>(span.count()));  // µs by ms
}

int64_t or_unknown(const Counter& value) { return value ? static_cast<int64_t>(std::min<uint64_t>(*value, INT64_MAX)) : ipc::Vitals::kUnknown; }
std::string percent(const Counter& thousandths) { return fmt::format("{} %", thousandths.value_or(0) / 10); }

}  // namespace

ipc::Boots VitalsWatch::start(const std::optional<ipc::Boots>& last, const ipc::BootId& boot_id, MonotonicTime uptime) {
  ipc::Boots boots = last.value_or(ipc::Boots{});
  if (boots.count == 0 || boots.boot_id != boot_id) {
    const uint64_t before = boots.boot_ms;
    boots.boot_id = boot_id;
    boots.boot_ms = static_cast<uint64_t>(std::max<int64_t>(0, uptime.count()));
    const bool slow = boots.count > 0 && boots.boot_ms >= 2 * before && boots.boot_ms >= before + static_cast<uint64_t>(thresholds_.slow_boot.count());
    if (slow) at_start_ = Crossing{EventKind::kSlowBoot, fmt::format("{} s until the sensor started, {} s in the boot before", boots.boot_ms / 1'000, before / 1'000)};
    ++boots.count;
  }
  vitals_.boots = static_cast<int64_t>(boots.count);
  vitals_.boot_ms = static_cast<int64_t>(boots.boot_ms);
  return boots;
}

bool VitalsWatch::crosses(Mark mark, bool over, bool calm) {
  const bool first = over && !over_[mark];
  if (over) over_[mark] = true;
  else if (calm) over_[mark] = false;
  return first;
}

std::vector<Crossing> VitalsWatch::take(const VitalsSample& sample, MonotonicTime now) {
  std::vector<Crossing> out;
  if (at_start_) out.push_back(*std::exchange(at_start_, std::nullopt));
  const os::HostCounters& host = sample.host;
  if (!seen_.empty()) {
    const Counter killed = grown(seen_.back().sample.host.oom_kills, host.oom_kills);
    if (killed && *killed > 0) out.push_back({EventKind::kOomKill, fmt::format("the kernel killed {} processes for want of memory", *killed)});
  }
  if (host.disk_free_bytes) {
    const bool low = *host.disk_free_bytes < thresholds_.disk_free_bytes;
    if (crosses(kDisk, low, *host.disk_free_bytes >= 2 * thresholds_.disk_free_bytes) && !seen_.empty()) out.push_back({EventKind::kDiskLow, fmt::format("{} MiB are free where the sensor keeps its state", *host.disk_free_bytes >> 20)});
  }
  if (crosses(kSensorMemory, sample.sensor_rss_kib > thresholds_.sensor_rss_kib, sample.sensor_rss_kib <= thresholds_.sensor_rss_kib / 2))
    out.push_back({EventKind::kMemoryOverBudget, fmt::format("the sensor's processes hold {} MiB", sample.sensor_rss_kib >> 10)});

  while (seen_.size() >= 2 && now - seen_[1].at >= kVitalsWindow) seen_.pop_front();
  const bool whole = !seen_.empty() && now - seen_.front().at >= kVitalsWindow;
  Counter cpu, memory_some, memory_full, io, crashed, sensor;
  if (whole) {
    const VitalsSample& before = seen_.front().sample;
    const MonotonicTime span = now - seen_.front().at;
    cpu = share(before.host.cpu_some_us, host.cpu_some_us, span);
    memory_some = share(before.host.memory_some_us, host.memory_some_us, span);
    memory_full = share(before.host.memory_full_us, host.memory_full_us, span);
    io = share(before.host.io_full_us, host.io_full_us, span);
    crashed = grown(before.others_crashed, sample.others_crashed);
    sensor = (sample.sensor_cpu_ms - std::min(before.sensor_cpu_ms, sample.sensor_cpu_ms)) * 1'000 / static_cast<uint64_t>(span.count());
    const auto look = [&](Mark mark, EventKind kind, const Counter& value, uint64_t threshold, const std::string& words) {
      if (value && crosses(mark, *value >= threshold, *value < threshold / 2)) out.push_back({kind, words});
    };
    look(kCpu, EventKind::kPressure, cpu, thresholds_.cpu_some, fmt::format("some task waited for a CPU {} of the last minute", percent(cpu)));
    look(kMemorySome, EventKind::kPressure, memory_some, thresholds_.memory_some, fmt::format("some task waited for memory {} of the last minute", percent(memory_some)));
    look(kMemoryFull, EventKind::kPressure, memory_full, thresholds_.memory_full, fmt::format("all tasks waited for memory {} of the last minute", percent(memory_full)));
    look(kIo, EventKind::kPressure, io, thresholds_.io_full, fmt::format("all tasks waited for input and output {} of the last minute", percent(io)));
    look(kCrashes, EventKind::kOthersCrashed, crashed, thresholds_.crashes, fmt::format("{} other processes crashed within the last minute", crashed.value_or(0)));
    look(kSensorCpu, EventKind::kCpuOverBudget, sensor, thresholds_.sensor_cpu, fmt::format("the sensor used {} of one CPU over the last minute", percent(sensor)));
  }
  seen_.push_back({now, sample});

  vitals_.cpu_some = or_unknown(cpu);
  vitals_.memory_some = or_unknown(memory_some);
  vitals_.memory_full = or_unknown(memory_full);
  vitals_.io_full = or_unknown(io);
  vitals_.oom_kills = or_unknown(host.oom_kills);
  vitals_.disk_free_mib = host.disk_free_bytes ? static_cast<int64_t>(*host.disk_free_bytes >> 20) : ipc::Vitals::kUnknown;
  vitals_.disk_mib = host.disk_bytes ? static_cast<int64_t>(*host.disk_bytes >> 20) : ipc::Vitals::kUnknown;
  vitals_.others_crashed = or_unknown(sample.others_crashed);
  vitals_.sensor_cpu_ms = static_cast<int64_t>(sample.sensor_cpu_ms);
  vitals_.sensor_rss_kib = static_cast<int64_t>(sample.sensor_rss_kib);
  return out;
}

}  // namespace creance::sensor
