#include "events/syslog.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "events/json_writer.hpp"

namespace creance::events {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Does `text` begin as the pattern says? `d` a digit, `_` a digit or a blank, anything else itself.
bool begins_like(std::string_view text, std::string_view pattern) {
  if (text.size() < pattern.size()) return false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char want = pattern[i];
    const bool fits = want == 'd' ? is_digit(text[i]) : want == '_' ? is_digit(text[i]) || text[i] == ' ' : text[i] == want;
    if (!fits) return false;
  }
  return true;
}

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Length of the time at the begin of the text, 0: there is none.
size_t stamp_length(std::string_view text) {
  if (begins_like(text, "dddd-dd-ddTdd:dd:dd") || begins_like(text, "dddd-dd-dd dd:dd:dd")) {
    return std::min(text.find(' ', 19), text.size());
  }
  if (text.size() < 15 || std::find(kMonths.begin(), kMonths.end(), text.substr(0, 3)) == kMonths.end()) return 0;
  if (begins_like(text.substr(3), " _d dd:dd:dd")) return text.size() > 15 && text[15] == '.' ? std::min(text.find(' ', 15), text.size()) : 15;
  if (begins_like(text.substr(3), " _d dddd dd:dd:dd")) return 20;
  return 0;
}

struct Priority {
  uint32_t value = 0;
  size_t length = 0;  // with its brackets
};
std::optional<Priority> priority_of(std::string_view text) {
  if (!text.starts_with('<')) return std::nullopt;
  const size_t close = text.substr(0, 6).find('>');
  if (close == std::string_view::npos || close < 2) return std::nullopt;
  Priority out{0, close + 1};
  const auto parsed = std::from_chars(text.data() + 1, text.data() + close, out.value);
  if (parsed.ptr != text.data() + close || parsed.ec != std::errc{} || out.value > 191) return std::nullopt;
  return out;
}

std::string_view take_word(std::string_view& rest) {
  const size_t end = std::min(rest.find(' '), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

struct Parts {
  std::optional<uint32_t> priority;
  std::string_view timestamp, hostname, program, pid, msgid, structured, message;
};

// "sshd[123]: text", "sudo:  text", "CRON[1]: (root) CMD (x)". What is no tag is message.
void read_tag(std::string_view rest, Parts& out) {
  const size_t stop = std::min(rest.find_first_of(":[ "), rest.size());
  out.message = rest;
  if (stop == 0 || stop == rest.size() || rest[stop] == ' ') return;
  size_t after = stop;
  std::string_view pid;
  if (rest[stop] == '[') {
    const size_t close = rest.find(']', stop);
    if (close == std::string_view::npos) return;
    pid = rest.substr(stop + 1, close - stop - 1);
    after = close + 1;
  }
  if (after >= rest.size() || rest[after] != ':') return;
  out.program = rest.substr(0, stop);
  out.pid = pid;
  ++after;
  if (after < rest.size() && rest[after] == ' ') ++after;
  out.message = rest.substr(after);
}

// The structured data at the begin of `rest`, taken off; "-" is none.
std::string_view take_structured(std::string_view& rest) {
  if (rest.starts_with("-")) {
    rest.remove_prefix(std::min<size_t>(2, rest.size()));
    return {};
  }
  if (!rest.starts_with('[')) return {};
  bool quoted = false;
  for (size_t i = 0; i < rest.size(); ++i) {
    const char c = rest[i];
    if (quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ']' && !quoted && (i + 1 == rest.size() || rest[i + 1] != '[')) {
      const std::string_view found = rest.substr(0, i + 1);
      rest.remove_prefix(std::min(i + 2, rest.size()));
      return found;
    }
  }
  return {};
}

Parts parts_of(std::string_view line) {
  Parts out;
  std::string_view rest = line;
  if (const auto priority = priority_of(rest)) {
    out.priority = priority->value;
    rest.remove_prefix(priority->length);
    if (rest.starts_with("1 ")) {  // RFC 5424: VERSION
      rest.remove_prefix(2);
      for (std::string_view* each : {&out.timestamp, &out.hostname, &out.program, &out.pid, &out.msgid}) {
        *each = take_word(rest);
        if (*each == "-") *each = {};
      }
      out.structured = take_structured(rest);
      constexpr std::string_view kMark = "\xEF\xBB\xBF";
      if (rest.starts_with(kMark)) rest.remove_prefix(kMark.size());
      out.message = rest;
      return out;
    }
  }
  const size_t stamp = stamp_length(rest);
  if (stamp == 0) {
    out.message = rest;
    return out;
  }
  out.timestamp = rest.substr(0, stamp);
  rest.remove_prefix(stamp);
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  if (rest.starts_with("last message repeated ")) {  // of the daemon itself, without a host
    out.message = rest;
    return out;
  }
  out.hostname = take_word(rest);
  if (out.hostname.ends_with(':')) {  // "Mmm dd hh:mm:ss TAG: text": some files leave the host out
    out.program = out.hostname.substr(0, out.hostname.size() - 1);
    out.hostname = {};
    out.message = rest;
    return out;
  }
  read_tag(rest, out);
  return out;
}

// NAME="VALUE" of each element; escapes are \" \\ \] (RFC 5424, section 6.3.3).
void write_structured(std::string_view text, ObjectWriter& object) {
  std::string value;
  size_t at = 0;
  while ((at = text.find("=\"", at)) != std::string_view::npos) {
    constexpr size_t kNameBytesMax = 32;  // RFC 5424, section 6: SD-NAME
    const size_t low = at > kNameBytesMax ? at - kNameBytesMax - 1 : 0;
    const size_t space = text.substr(low, at - low).rfind(' ');
    const std::string_view name = space == std::string_view::npos ? std::string_view() : text.substr(low + space + 1, at - low - space - 1);
    value.clear();
    for (at += 2; at < text.size() && text[at] != '"'; ++at) {
      if (text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '"' || text[at + 1] == '\\' || text[at + 1] == ']')) ++at;
      value.push_back(text[at]);
    }
    if (!name.empty()) object.text(name, value);
  }
}

// The audit record inside a message: "type=… msg=audit(…): …", or the kernel's own "audit: type=1400 audit(…): …" (its type is a number, its head lacks "msg=").
bool holds_audit_record(const Parts& parts) { return looks_like_auditd(parts.message); }

}  // namespace

std::string_view facility_name(uint32_t number) {
  constexpr std::array<std::string_view, 24> kNames = {"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "security", "console", "solaris-cron", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"};
  return number < kNames.size() ? kNames[number] : std::string_view();
}

std::string_view severity_name(uint32_t number) {
  constexpr std::array<std::string_view, 8> kNames = {"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"};
  return number < kNames.size() ? kNames[number] : std::string_view();
}

bool looks_like_syslog(std::string_view line) {
  const auto priority = priority_of(line);
  if (!priority) return stamp_length(line) > 0;
  const std::string_view rest = line.substr(priority->length);
  return rest.starts_with("1 ") || stamp_length(rest) > 0;
}

LineOutcome SyslogReader::convert(std::string_view line, std::string& json, std::string& problem) {
  const Parts parts = parts_of(line);
  if (holds_audit_record(parts)) {
    const LineOutcome outcome = audit_.convert(parts.message, json, problem);
    if (outcome == LineOutcome::kEvent) return outcome;
    json.clear();
    problem.clear();
  }
  ObjectWriter object(json);
  object.text("_channel", "syslog");
  if (!parts.program.empty()) object.text("_provider", parts.program);
  if (parts.priority) {
    object.text("facility", facility_name(*parts.priority / 8));
    object.text("severity", severity_name(*parts.priority % 8));
    object.number("priority", std::to_string(*parts.priority));
  }
  const auto write = [&](std::string_view name, std::string_view text) {
    if (!text.empty()) object.text(name, text);
  };
  write("time", parts.timestamp);
  write("host", parts.hostname);
  write("program", parts.program);
  write("pid", parts.pid);
  write("msgid", parts.msgid);
  write_structured(parts.structured, object);
  object.text("message", parts.message);
  object.close();
  return LineOutcome::kEvent;
}

}  // namespace creance::events
