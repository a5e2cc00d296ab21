// A record of the Linux audit log as text -> a flat JSON object. One event is one record, as Sigma's rules for auditd expect (`type: EXECVE`, `a0`, …);
// records of one system call share `serial`. Also the output of ausearch, with and without -i.
//
//     [node=HOST] type=TYPE msg=audit(SECONDS.MILLIS:SERIAL): NAME=VALUE … [0x1D NAME=VALUE …]
//
// Fields keep their names. Values that the kernel wrote in hexadecimal because of odd bytes (audit field dictionary, format "encoded") are decoded, the zeros between
// arguments become blanks; a long argument that came in parts (`a1[0]`, `a1[1]`, …) is one; fields inside msg='…' of user-space records are fields; a socket address becomes
// `saddr_fam`, `laddr`, `lport` or `path`; several keys of one rule are a list. What auditd adds when it enriches (behind 0x1D: `UID="root"`) are fields of their own, in capitals as written.
// Added: `time` (UTC, ISO 8601), `serial`, `msg` (what a program said in msg='…', else "audit(…)" as it stands), `_channel` "auditd", `_provider` the type.
// `words`: what stands outside of NAME=VALUE and msg='…', as it stands; of SELinux's "avc: denied { read write }" also `seresult` and `seperms` ("read,write"), as auparse names them.
// A name that begins with `_`, or by which other logs say what they are (`Channel`, …), is a word; `type`, `time`, `serial` and `node` of the record itself win over fields so named.
// Never throws; linear; no allocation in the steady state. One thread at a time.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "events/json_writer.hpp"
#include "events/line_outcome.hpp"

namespace creance::events {

bool looks_like_auditd(std::string_view line);

class AuditdReader {
 public:
  // Appends to `json` or to `problem`, both empty before.
  LineOutcome convert(std::string_view line, std::string& json, std::string& problem);

 private:
  struct Field {
    std::string_view name;
    size_t begin;  // of its value, in text_
    size_t end;
  };
  void fields_of(std::string_view text, bool nested);
  void add(std::string_view name, std::string_view value, bool may_be_hex);
  void add_words(std::string_view words, bool nested);
  void add_access(std::string_view words);
  void add_group(std::string_view name, std::string_view group, bool nested);
  void add_said(std::string_view said, bool has_fields);
  void add_address(std::string_view bytes);
  void add_plain(std::string_view name, std::string_view value);
  void write(const Field& field, ObjectWriter& object);

  std::vector<Field> fields_;
  std::string text_;       // values, decoded
  std::string words_;      // outside of fields
  std::vector<std::string_view> keys_;
  std::string_view said_;  // inside msg='…'
  std::string_view type_;
  bool in_group_ = false;     // inside { … }
  bool interpreted_ = false;  // by ausearch -i
  size_t address_begin_ = 0;  // in fields_: what add_address() made
  size_t address_end_ = 0;
};

}  // namespace creance::events
