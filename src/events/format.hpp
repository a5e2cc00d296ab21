// The forms in which events come in. How each one is laid out and mapped: docs/reference/events.md.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace creance::events {

enum class Format : uint8_t { kAuto, kJson, kEvtx, kAuditd, kSyslog };

std::string_view to_string(Format format);                       // as on the command line: auto, json, evtx, auditd, syslog
std::optional<Format> format_from(std::string_view name);

// What a text (not EVTX) is, by its first line that is not blank. JSON where nothing else fits: its messages then say what is wrong.
Format format_of_line(std::string_view line);

}  // namespace creance::events
