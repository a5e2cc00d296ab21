// The command line of creance-sensor as one table: what is parsed, what --help, the completion scripts and the manual page say. Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/sensor_limits.hpp"

namespace creance::sensor {

struct CommandLine {
  std::string command, shell, state, server, token, root, hostname, events, worker, updater, admit, boot_id, policy, pause = "24h", reason, digest;
  bool live = false, without_ebpf = false, loop = false, json = false, fields = false, offline = false, trust_kept = false, help = false;
  uint32_t rate = 0;
  uint32_t probation_ms = 20'000;
  uint64_t rule_steps = limits::kInstanceStepsPerMinuteMax;
  uint32_t stall_busy_ms = 5'000, stall_silent_ms = 60'000;
  uint32_t memory_mib = static_cast<uint32_t>(limits::kProcessMemoryBytesMax >> 20);
};

// `--option value` and `--option=value`. kInvalid: what is wrong, and what is known there. `help` comes before all that is missing or wrong behind it; a command may then be empty.
Result<CommandLine> parse_command_line(const std::vector<std::string>& arguments);

std::string help_text(std::string_view command);     // of all, if it is empty
std::string completion_text(std::string_view shell);  // empty: bash, zsh and fish are known, and it is neither
std::string man_page(std::string_view version);       // man(7)

}  // namespace creance::sensor
