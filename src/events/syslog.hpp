// A line of syslog text -> a flat JSON object. Takes what daemons write into /var/log and send over the network:
//
//     [<PRI>] Mmm dd [yyyy] hh:mm:ss HOST TAG[PID]: TEXT           RFC 3164, section 4.1 (the year, where it stands, is older than the RFC's own form)
//     [<PRI>] yyyy-mm-ddThh:mm:ss[.frac][zone] HOST TAG[PID]: TEXT what rsyslog and journalctl write with precise times
//     <PRI>1 STAMP HOST APP PROCID MSGID [SD] TEXT                  RFC 5424, section 6
//
// Fields: `time` (as it stands; without a year where the line has none), `host`, `program`, `pid`, `message`; where there is a PRI `facility` and `severity` by name and `priority`;
// `msgid`, and each parameter of structured data under its name. Added: `_channel` "syslog", `_provider` the program. A line without such a head is a message alone (RFC 3164,
// section 4.3.3). A message that is an audit record (of audispd's syslog plug-in or the kernel) is read as one.
// Never throws; linear; no allocation in the steady state. One thread at a time.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "events/auditd.hpp"
#include "events/line_outcome.hpp"

namespace creance::events {

bool looks_like_syslog(std::string_view line);
std::string_view facility_name(uint32_t number);  // RFC 5424, table 1, in the short form of syslog.conf(5); empty: there is none
std::string_view severity_name(uint32_t number);  // table 2

class SyslogReader {
 public:
  LineOutcome convert(std::string_view line, std::string& json, std::string& problem);  // as AuditdReader::convert

 private:
  AuditdReader audit_;
};

}  // namespace creance::events
