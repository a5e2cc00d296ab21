// How the whole host fares, as the kernel counts it: stalls (PSI), OOM kills, free disk, what processes use. A few numbers and no parser: each text is read up to a bound, looked for one
// name, and the digits behind it are taken; a text that is not as the kernel writes it says nothing (nullopt), never a wrong number. Source: Documentation/accounting/psi.rst, proc(5).
// Threads: any number. Nothing here fails: a host that does not say something leaves it out.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include "base/seams/files.hpp"

namespace creance::os {

struct Stalls {  // microseconds since boot in which some or all tasks waited for it
  uint64_t some_us = 0;
  std::optional<uint64_t> full_us;  // of cpu older kernels have none
};
std::optional<Stalls> parse_pressure(std::string_view text);                              // /proc/pressure/*
std::optional<uint64_t> parse_counter(std::string_view text, std::string_view name);      // a line `name value`, as of /proc/vmstat
std::optional<uint64_t> parse_resident_pages(std::string_view text);                      // /proc/PID/statm

struct HostCounters {  // each grows since boot, but the disk's; absent: this host does not say
  std::optional<uint64_t> cpu_some_us, memory_some_us, memory_full_us, io_full_us, oom_kills, disk_free_bytes, disk_bytes;
};
HostCounters read_host_counters(FileSystem& files, const std::filesystem::path& folder);  // `folder`: of whose file system the disk's numbers are
std::optional<uint64_t> resident_bytes(FileSystem& files, int pid);
std::chrono::nanoseconds cpu_time_so_far();                                               // of this process and of its children that have ended and were reaped
bool dumps_core(int signal);                                                              // by default: who ends by it has crashed

}  // namespace creance::os
