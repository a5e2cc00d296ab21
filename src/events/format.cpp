#include "events/format.hpp"

#include <array>
#include <utility>

#include "events/auditd.hpp"
#include "events/syslog.hpp"

namespace creance::events {
namespace {

constexpr std::array<std::pair<Format, std::string_view>, 5> kNames = {{{Format::kAuto, "auto"}, {Format::kJson, "json"}, {Format::kEvtx, "evtx"}, {Format::kAuditd, "auditd"}, {Format::kSyslog, "syslog"}}};

}  // namespace

std::string_view to_string(Format format) { return kNames[static_cast<size_t>(format)].second; }

std::optional<Format> format_from(std::string_view name) {
  for (const auto& [format, known] : kNames) {
    if (known == name) return format;
  }
  return std::nullopt;
}

Format format_of_line(std::string_view line) {
  if (line.starts_with('\x1E')) return Format::kJson;  // RFC 7464
  if (line.starts_with('{') || line.starts_with('[')) return Format::kJson;
  if (looks_like_auditd(line)) return Format::kAuditd;
  if (looks_like_syslog(line)) return Format::kSyslog;
  return Format::kJson;
}

}  // namespace creance::events
