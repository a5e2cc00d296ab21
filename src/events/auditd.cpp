#include "events/auditd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>

#include "events/json_writer.hpp"
#include "events/stamp.hpp"

namespace creance::events {
namespace {

constexpr std::string_view kSerialBegin = "msg=audit(";
constexpr char kEnriched = '\x1d';

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}
bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '[' || c == ']'; });
}

// Fields that the kernel or a daemon writes in hexadecimal when their bytes would break the record (audit field dictionary: "encoded").
bool may_be_encoded(std::string_view name, bool is_execve) {
  static constexpr std::array<std::string_view, 24> kNames = {"acct", "cmd", "comm", "cwd", "data", "device", "dir", "exe", "file", "grp", "key", "name", "new-disk", "ocomm", "old-disk", "path", "proctitle", "root_dir", "sw", "vm", "watch", "new-chardev", "old-chardev", "invalid_context"};
  if (is_execve && name.size() > 1 && name[0] == 'a' && is_digits(name.substr(1, name.find('[') - 1))) return true;
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1; }
bool is_hex(std::string_view text) {
  return text.size() >= 2 && text.size() % 2 == 0 && std::all_of(text.begin(), text.end(), [](char c) { return hex_digit(c) >= 0; });
}
char hex_byte(std::string_view text, size_t at) { return static_cast<char>(hex_digit(text[at]) * 16 + hex_digit(text[at + 1])); }

// "1364481363.243:24287" -> time and serial.
struct Serial {
  std::string_view time;
  std::string_view serial;
};
std::optional<Serial> serial_of(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !is_digits(text.substr(colon + 1))) return std::nullopt;
  return Serial{text.substr(0, colon), text.substr(colon + 1)};
}

std::string stamp_of(std::string_view time) {
  const size_t dot = time.find('.');
  int64_t seconds = 0;
  uint32_t millis = 0;
  const std::string_view whole = time.substr(0, dot);
  const std::string_view part = dot == std::string_view::npos ? std::string_view("0") : time.substr(dot + 1);
  if (!is_digits(whole) || whole.size() > 12 || !is_digits(part) || part.size() > 3) return std::string(time);  // ausearch -i writes local time as the locale has it
  std::from_chars(whole.data(), whole.data() + whole.size(), seconds);
  std::from_chars(part.data(), part.data() + part.size(), millis);
  return iso_stamp(seconds, millis, 3);
}

}  // namespace

bool looks_like_auditd(std::string_view line) {
  if (line == "----" || line.starts_with("time->")) return true;
  if (!line.starts_with("type=") && !line.starts_with("node=")) return false;
  return line.find(kSerialBegin) != std::string_view::npos;
}

void AuditdReader::add_plain(std::string_view name, std::string_view value) {
  const size_t begin = text_.size();
  text_.append(value);
  fields_.push_back({name, begin, text_.size()});
}

// struct sockaddr as the kernel's memory has it, family in the byte order of the host (little-endian hosts alone are decoded).
void AuditdReader::add_address(std::string_view hex) {
  std::array<unsigned char, 128> bytes{};
  const size_t size = std::min(bytes.size(), hex.size() / 2);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(hex_byte(hex, 2 * i));
  if (size < 3 || bytes[1] != 0) return;
  const auto port = [&] { return fmt::format("{}", bytes[2] * 256 + bytes[3]); };
  if (bytes[0] == 1) {
    add_plain("saddr_fam", "local");
    const bool abstract = bytes[2] == 0;
    const auto begin = bytes.begin() + 2 + (abstract ? 1 : 0);
    const auto end = std::find(begin, bytes.begin() + static_cast<std::ptrdiff_t>(size), 0);
    add_plain("path", (abstract ? "@" : "") + std::string(begin, end));
  } else if (bytes[0] == 2 && size >= 8) {
    add_plain("saddr_fam", "inet");
    add_plain("laddr", fmt::format("{}.{}.{}.{}", bytes[4], bytes[5], bytes[6], bytes[7]));
    add_plain("lport", port());
  } else if (bytes[0] == 10 && size >= 24) {
    add_plain("saddr_fam", "inet6");
    add_plain("laddr", ipv6_text(std::span(bytes).subspan<8, 16>()));
    add_plain("lport", port());
  }
}

void AuditdReader::add(std::string_view name, std::string_view value, bool quoted, bool is_execve) {
  if (name == "saddr" && is_hex(value)) {
    add_plain(name, value);
    add_address(value);
    return;
  }
  const size_t bracket = name.find('[');
  const bool part = is_execve && bracket != std::string_view::npos;
  const std::string_view whole = part ? name.substr(0, bracket) : name;
  const bool goes_on = part && !fields_.empty() && fields_.back().name == whole;
  const size_t begin = text_.size();
  if (!quoted && is_hex(value) && may_be_encoded(whole, is_execve)) {
    for (size_t i = 0; i < value.size(); i += 2) text_.push_back(hex_byte(value, i));
    if (name == "proctitle" || name == "data") {
      while (text_.size() > begin && text_.back() == '\0') text_.pop_back();
      std::replace(text_.begin() + static_cast<std::ptrdiff_t>(begin), text_.end(), '\0', ' ');
    }
  } else {
    text_.append(value);
  }
  if (goes_on) fields_.back().end = text_.size();
  else fields_.push_back({whole, begin, text_.size()});
}

// `interpreted`: ausearch -i, whose values may hold blanks: a value goes up to the next name.
void AuditdReader::fields_of(std::string_view text, bool interpreted, bool is_execve, bool nested) {
  size_t at = 0;
  while (at < text.size()) {
    if (text[at] == ' ' || text[at] == ',' || text[at] == '(' || text[at] == kEnriched) {
      ++at;
      continue;
    }
    const size_t stop = std::min(text.find_first_of(" =", at), text.size());
    const std::string_view name = text.substr(at, stop - at);
    if (stop == text.size() || text[stop] == ' ' || !is_name(name)) {  // a word of prose ("avc: denied { read } for")
      at = std::max(stop, at + 1);
      if (stop < text.size() && text[stop] == '=') ++at;
      continue;
    }
    at = stop + 1;
    if (at >= text.size()) {
      add(name, {}, false, is_execve);
      break;
    }
    const char quote = text[at];
    if (quote == '{') {  // SADDR={ saddr_fam=inet … }: the fields inside are fields
      ++at;
      continue;
    }
    if ((quote == '"' || quote == '\'') && !interpreted) {
      const size_t close = std::min(quote == '\'' ? text.rfind('\'') : text.find(quote, at + 1), text.size());
      const std::string_view inner = close > at ? text.substr(at + 1, close - at - 1) : text.substr(at + 1);
      if (quote == '\'' && !nested) said_ = inner, fields_of(inner, interpreted, is_execve, true);
      else add(name, inner, true, is_execve);
      at = std::max(close, at) + 1;
      continue;
    }
    size_t end = std::min(text.find(' ', at), text.size());
    if (interpreted && quote == '\'' && !nested) {
      const size_t close = text.rfind('\'');
      said_ = text.substr(at + 1, close > at ? close - at - 1 : std::string_view::npos);
      fields_of(text.substr(at + 1, close > at ? close - at - 1 : std::string_view::npos), interpreted, is_execve, true);
      at = close > at ? close + 1 : text.size();
      continue;
    }
    while (interpreted && end < text.size()) {
      const size_t next = end + 1;
      const size_t next_stop = std::min(text.find_first_of(" =", next), text.size());
      if (next_stop < text.size() && text[next_stop] == '=' && is_name(text.substr(next, next_stop - next))) break;
      end = next_stop < text.size() && text[next_stop] == '=' ? std::min(text.find(' ', next_stop), text.size()) : next_stop;
    }
    std::string_view value = text.substr(at, end - at);
    while (nested && (value.ends_with(',') || value.ends_with(')')) && value != "(null)") value.remove_suffix(1);  // "(hostname=?, addr=?)" of older daemons
    add(name, value, false, is_execve);
    at = end;
  }
}

LineOutcome AuditdReader::convert(std::string_view line, std::string& json, std::string& problem) {
  while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
  if (line == "----" || line.starts_with("time->")) return LineOutcome::kNothing;  // of ausearch
  fields_.clear();
  text_.clear();
  said_ = {};
  std::string_view rest = line;
  std::string_view node, type;
  for (auto* each : {&node, &type}) {
    const std::string_view prefix = each == &node ? "node=" : "type=";
    if (!rest.starts_with(prefix)) continue;
    const size_t end = std::min(rest.find(' '), rest.size());
    *each = rest.substr(prefix.size(), end - prefix.size());
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (type.empty() || !rest.starts_with(kSerialBegin)) {
    problem = "not an audit record: it does not begin with `type=… msg=audit(…)`";
    return LineOutcome::kProblem;
  }
  const std::string_view event_of = rest.substr(4, std::min(rest.find(')'), rest.size() - 1) + 1 - 4);  // "audit(…)"
  rest.remove_prefix(kSerialBegin.size());
  const size_t close = rest.find(')');
  const auto serial = close == std::string_view::npos ? std::nullopt : serial_of(rest.substr(0, close));
  if (!serial) {
    problem = "not an audit record: `msg=audit(…)` holds no time and serial number";
    return LineOutcome::kProblem;
  }
  rest.remove_prefix(close + 1);
  const bool interpreted = rest.starts_with(" :");
  rest.remove_prefix(std::min(rest.find_first_not_of(" :"), rest.size()));
  const size_t split = std::min(rest.find(kEnriched), rest.size());
  const bool is_execve = type == "EXECVE";
  fields_of(rest.substr(0, split), interpreted, is_execve, false);
  if (split < rest.size()) fields_of(rest.substr(split + 1), false, false, false);
  const auto value = [&](const Field& field) { return std::string_view(text_).substr(field.begin, field.end - field.begin); };
  ObjectWriter object(json);
  object.text("_channel", "auditd");
  object.text("_provider", type);
  object.text("type", type);
  object.text("time", stamp_of(serial->time));
  object.text("serial", serial->serial);
  if (!node.empty()) object.text("node", node);
  object.text("msg", said_.empty() ? event_of : said_);
  for (const Field& field : fields_) object.text(field.name, value(field));
  object.close();
  return LineOutcome::kEvent;
}

}  // namespace creance::events
