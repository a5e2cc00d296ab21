#include "events/auditd.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>

#include "base/text.hpp"
#include "events/stamp.hpp"

namespace creance::events {
namespace {

constexpr std::string_view kSerialBegin = "msg=audit(";
constexpr char kEnriched = '\x1d';

bool is_digits(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}
bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }
bool is_name(std::string_view text) {
  return !text.empty() && is_alnum(text.front()) && std::all_of(text.begin(), text.end(), [](char c) { return is_alnum(c) || c == '_' || c == '-' || c == '[' || c == ']'; });
}

// Names by which events of other logs say what they are (docs/reference/events.md): in a record they are words, so that no program's message sends its record elsewhere.
bool says_origin(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kNames = {"Channel", "EventID", "Provider_Name", "SourceName", "Payload"};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view each) { return equal_ignoring_ascii_case(name, each); });
}

// "a0", "a12", of system calls and EXECVE; without what stands in brackets.
bool is_argument(std::string_view name) { return name.size() > 1 && name[0] == 'a' && is_digits(name.substr(1, name.find('[') - 1)); }

// What may be a field's name behind a value that may hold blanks: of EXECVE nothing but arguments, so that `a1=x b=c` is one; of PROCTITLE nothing.
bool ends_value(std::string_view type, std::string_view name) {
  if (!is_name(name) || type == "PROCTITLE") return false;
  return type != "EXECVE" || is_argument(name.substr(0, name.find("_len"))) || name == "argc";
}

// Fields that the kernel or a daemon writes in hexadecimal when their bytes would break the record (audit field dictionary: "encoded").
bool may_be_encoded(std::string_view name, bool is_execve) {
  static constexpr std::array<std::string_view, 28> kNames = {"acct", "cmd", "comm", "cwd", "data", "device", "dir", "exe", "file", "grp", "key", "name", "new-disk", "ocomm", "old-disk", "path", "proctitle", "root_dir", "sw", "vm", "watch", "new-chardev", "old-chardev", "invalid_context", "profile", "srcname", "srawcon", "trawcon"};
  if (is_execve && is_argument(name)) return true;
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

// "2.8," and "success)": what older daemons wrote around their fields. "(none)" and "unknown(7)" stay.
std::string_view without_punctuation(std::string_view value) {
  auto unopened = std::count(value.begin(), value.end(), ')') - std::count(value.begin(), value.end(), '(');
  for (; value.ends_with(',') || (unopened > 0 && value.ends_with(')')); value.remove_suffix(1)) unopened -= value.back() == ')' ? 1 : 0;
  return value;
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

void AuditdReader::add(std::string_view name, std::string_view value, bool may_be_hex) {
  if (name == "saddr" && is_hex(value)) {
    add_plain(name, value);
    address_begin_ = fields_.size();
    add_address(value);
    address_end_ = fields_.size();
    return;
  }
  const bool is_execve = type_ == "EXECVE";
  const size_t bracket = name.find('[');
  const bool part = is_execve && bracket != std::string_view::npos;
  const std::string_view whole = part ? name.substr(0, bracket) : name;
  const bool goes_on = part && !fields_.empty() && fields_.back().name == whole;
  const size_t begin = text_.size();
  if (may_be_hex && is_hex(value) && may_be_encoded(whole, is_execve)) {
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

// Words outside of NAME=VALUE. Those of msg='…' are in `msg` already.
void AuditdReader::add_words(std::string_view words, bool nested) {
  if (words.starts_with("avc:")) add_access(words.substr(4));
  if (nested) return;
  if (!words_.empty()) words_.push_back(' ');
  words_.append(words);
}

// "denied  { read write } for": named as auparse names them, the permissions with commas between.
void AuditdReader::add_access(std::string_view words) {
  const auto next = [&] {
    words.remove_prefix(std::min(words.find_first_not_of(' '), words.size()));
    const std::string_view word = words.substr(0, words.find(' '));
    words.remove_prefix(word.size());
    return word;
  };
  const std::string_view result = next();
  if (next() != "{") return;
  add_plain("seresult", result);
  const size_t begin = text_.size();
  for (std::string_view word = next(); !word.empty() && word != "}"; word = next()) {
    if (text_.size() > begin) text_.push_back(',');
    text_.append(word);
  }
  fields_.push_back({"seperms", begin, text_.size()});
}

// SADDR={ saddr_fam=inet … }: a value, and fields of its own (no groups in it); not once more what was made of `saddr`.
void AuditdReader::add_group(std::string_view name, std::string_view group, bool nested) {
  add(name, group, false);
  const size_t first = fields_.size();
  in_group_ = true;
  fields_of(group.substr(1, group.size() - (group.ends_with('}') ? 2 : 1)), nested);
  in_group_ = false;
  const auto value = [&](const Field& field) { return std::string_view(text_).substr(field.begin, field.end - field.begin); };
  const auto known = [&](const Field& field) {
    return std::any_of(fields_.begin() + static_cast<std::ptrdiff_t>(address_begin_), fields_.begin() + static_cast<std::ptrdiff_t>(address_end_), [&](const Field& other) { return other.name == field.name && value(other) == value(field); });
  };
  fields_.erase(std::remove_if(fields_.begin() + static_cast<std::ptrdiff_t>(first), fields_.end(), known), fields_.end());
}

// What a program said, msg='…' or "…", is fields too where it stands between single quotes.
void AuditdReader::add_said(std::string_view said, bool has_fields) {
  if (said_.empty()) said_ = said;
  else add("msg", said, false);
  if (has_fields) fields_of(said, true);
}

// `nested`: inside msg='…'. In what ausearch -i wrote values may hold blanks: a value goes up to the next name.
void AuditdReader::fields_of(std::string_view text, bool nested) {
  constexpr size_t kNone = std::string_view::npos;
  size_t words_begin = kNone, words_end = 0;
  const auto end_words = [&] {
    if (words_begin != kNone) add_words(text.substr(words_begin, words_end - words_begin), nested);
    words_begin = kNone;
  };
  size_t at = 0;
  while (at < text.size()) {
    if (text[at] == ' ' || text[at] == ',') {
      ++at;
      continue;
    }
    const size_t name_at = at + (text[at] == '(' ? 1 : 0);  // "(hostname=?, addr=?)" of older daemons
    const size_t stop = std::min(text.find_first_of(" =", name_at), text.size());
    const std::string_view name = text.substr(name_at, stop - name_at);
    if (stop == text.size() || text[stop] == ' ' || !is_name(name) || says_origin(name)) {
      if (words_begin == kNone) words_begin = at;
      at = words_end = std::min(text.find(' ', at), text.size());
      continue;
    }
    end_words();
    at = stop + 1;
    const char first = at < text.size() ? text[at] : ' ';
    const bool is_said = name == "msg" && !nested;
    if (first == '{' && !in_group_ && text.substr(at + 1).starts_with(' ')) {
      const size_t close = std::min(text.find(" }", at), text.size());
      const size_t end = std::min(close + 2, text.size());
      add_group(name, text.substr(at, end - at), nested);
      at = end;
      continue;
    }
    if ((first == '"' && !interpreted_) || (first == '\'' && (!interpreted_ || is_said))) {
      size_t close = is_said && first == '\'' ? text.rfind(first) : text.find(first, at + 1);
      if (close == at || close == kNone) close = text.size();  // the record was cut
      const std::string_view inner = text.substr(at + 1, close - at - 1);
      at = std::min(close + 1, text.size());
      if (is_said) add_said(inner, first == '\'');
      else add(name, inner, false);
      continue;
    }
    size_t end = std::min(text.find(' ', at), text.size());
    while (interpreted_ && end < text.size()) {
      const size_t next = end + 1;
      const size_t next_stop = std::min(text.find_first_of(" =", next), text.size());
      const bool is_pair = next_stop < text.size() && text[next_stop] == '=';
      if (is_pair && ends_value(type_, text.substr(next, next_stop - next))) break;
      end = is_pair ? std::min(text.find(' ', next_stop), text.size()) : next_stop;
    }
    std::string_view value = text.substr(at, end - at);
    at = end;
    if (interpreted_) {
      while (value.ends_with(' ')) value.remove_suffix(1);
    }
    if (nested || !interpreted_) value = without_punctuation(value);
    if (is_said) add_said(value, false);
    else add(name, value, !interpreted_);
  }
  end_words();
}

// Several keys of one audit rule stand behind each other with a 1 between (AUDIT_KEY_SEPARATOR): a list.
void AuditdReader::write(const Field& field, ObjectWriter& object) {
  std::string_view value = std::string_view(text_).substr(field.begin, field.end - field.begin);
  constexpr char kSeparator = 1;
  if (field.name != "key" || value.find(kSeparator) == std::string_view::npos) return object.text(field.name, value);
  keys_.clear();
  for (size_t end = value.find(kSeparator); end != std::string_view::npos; end = value.find(kSeparator)) {
    keys_.push_back(value.substr(0, end));
    value.remove_prefix(end + 1);
  }
  keys_.push_back(value);
  object.texts(field.name, keys_);
}

LineOutcome AuditdReader::convert(std::string_view line, std::string& json, std::string& problem) {
  while (!line.empty() && line.back() == ' ') line.remove_suffix(1);
  if (line == "----" || line.starts_with("time->")) return LineOutcome::kNothing;  // of ausearch
  fields_.clear();
  text_.clear();
  words_.clear();
  said_ = type_ = {};
  address_begin_ = address_end_ = 0;
  std::string_view rest = line;
  std::string_view node;
  for (auto* each : {&node, &type_}) {
    const std::string_view prefix = each == &node ? "node=" : "type=";
    if (!rest.starts_with(prefix)) continue;
    const size_t end = std::min(rest.find(' '), rest.size());
    *each = rest.substr(prefix.size(), end - prefix.size());
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (type_.empty() || !rest.starts_with(kSerialBegin)) {
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
  const bool interpreted = rest.starts_with(" :");  // ausearch -i
  rest.remove_prefix(std::min(rest.find_first_not_of(" :"), rest.size()));
  const size_t split = std::min(rest.rfind(kEnriched), rest.size());
  interpreted_ = interpreted;
  fields_of(rest.substr(0, split), false);
  interpreted_ = false;
  if (split < rest.size()) fields_of(rest.substr(split + 1), false);
  ObjectWriter object(json);
  // The record's own words about itself win over fields of these names, and the last of equal names wins.
  const auto is_head = [](const Field& field) { return field.name == "type" || field.name == "time" || field.name == "serial" || field.name == "node"; };
  for (const Field& field : fields_) {
    if (is_head(field)) write(field, object);
  }
  object.text("_channel", "auditd");
  object.text("_provider", type_);
  object.text("type", type_);
  object.text("time", stamp_of(serial->time));
  object.text("serial", serial->serial);
  if (!node.empty()) object.text("node", node);
  object.text("msg", said_.empty() ? event_of : said_);
  for (const Field& field : fields_) {
    if (!is_head(field)) write(field, object);
  }
  if (!words_.empty()) object.text("words", words_);
  object.close();
  return LineOutcome::kEvent;
}

}  // namespace creance::events
