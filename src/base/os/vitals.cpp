#include "base/os/vitals.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <charconv>

namespace creance::os {
namespace {

constexpr size_t kPressureBytesMax = 4'096;
constexpr size_t kVmstatBytesMax = 65'536;
constexpr size_t kStatmBytesMax = 256;

// All of `digits`, and nothing else.
std::optional<uint64_t> number(std::string_view digits) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

// The line that begins so, without that beginning and its end.
std::optional<std::string_view> line_of(std::string_view text, std::string_view beginning) {
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (line.starts_with(beginning)) return line.substr(beginning.size());
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return std::nullopt;
}

std::optional<uint64_t> total_of(std::string_view text, std::string_view beginning) {
  constexpr std::string_view kTotal = " total=";
  const auto line = line_of(text, beginning);
  const size_t at = line ? line->rfind(kTotal) : std::string_view::npos;
  return at == std::string_view::npos ? std::nullopt : number(line->substr(at + kTotal.size()));
}

template <class Parse>
auto read(FileSystem& files, const std::filesystem::path& path, size_t bytes_max, Parse parse) -> decltype(parse(std::string_view())) {
  const auto bytes = files.read(path, bytes_max);
  if (!bytes) return std::nullopt;
  return parse(as_text(*bytes));
}

std::chrono::nanoseconds spent(int who) {
  rusage usage{};
  if (::getrusage(who, &usage) != 0) return {};
  return std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + std::chrono::microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

}  // namespace

std::optional<Stalls> parse_pressure(std::string_view text) {
  const auto some = total_of(text, "some ");
  if (!some) return std::nullopt;
  return Stalls{*some, total_of(text, "full ")};
}

std::optional<uint64_t> parse_counter(std::string_view text, std::string_view name) {
  const auto line = line_of(text, fmt::format("{} ", name));
  return line ? number(*line) : std::nullopt;
}

std::optional<uint64_t> parse_resident_pages(std::string_view text) {
  const size_t first = text.find(' ');
  if (first == std::string_view::npos) return std::nullopt;
  const size_t second = text.find(' ', first + 1);
  return second == std::string_view::npos ? std::nullopt : number(text.substr(first + 1, second - first - 1));
}

HostCounters read_host_counters(FileSystem& files, const std::filesystem::path& folder) {
  HostCounters counters;
  if (const auto cpu = read(files, "/proc/pressure/cpu", kPressureBytesMax, parse_pressure)) counters.cpu_some_us = cpu->some_us;
  if (const auto memory = read(files, "/proc/pressure/memory", kPressureBytesMax, parse_pressure)) {
    counters.memory_some_us = memory->some_us;
    counters.memory_full_us = memory->full_us;
  }
  if (const auto io = read(files, "/proc/pressure/io", kPressureBytesMax, parse_pressure)) counters.io_full_us = io->full_us;
  counters.oom_kills = read(files, "/proc/vmstat", kVmstatBytesMax, [](std::string_view text) { return parse_counter(text, "oom_kill"); });
  struct statvfs space {};
  if (::statvfs(folder.c_str(), &space) == 0) {
    counters.disk_free_bytes = uint64_t{space.f_bavail} * space.f_frsize;
    counters.disk_bytes = uint64_t{space.f_blocks} * space.f_frsize;
  }
  return counters;
}

std::optional<uint64_t> resident_bytes(FileSystem& files, int pid) {
  const auto pages = read(files, fmt::format("/proc/{}/statm", pid), kStatmBytesMax, parse_resident_pages);
  const uint64_t page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  return pages && *pages < (uint64_t{1} << 52) / page ? std::optional(*pages * page) : std::nullopt;
}

std::chrono::nanoseconds cpu_time_so_far() { return spent(RUSAGE_SELF) + spent(RUSAGE_CHILDREN); }

bool dumps_core(int signal) {
  switch (signal) {
    case SIGQUIT: case SIGILL: case SIGTRAP: case SIGABRT: case SIGBUS: case SIGFPE: case SIGSEGV: case SIGXCPU: case SIGXFSZ: case SIGSYS: return true;
    default: return false;
  }
}

}  // namespace creance::os
