// A Template Type: the versioned schema of one kind of event, and who supplies it. Written once in types/<id>.yml (D1), read at build time by the
// generator and, through the catalog that is built into every program, by the tools. Immutable after loading; any number of threads.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace creance::schema {

enum class InputType : uint8_t { kString = 0, kInteger = 1, kBoolean = 2, kIp = 3, kTime = 4 };
std::string_view to_string(InputType type);

struct InputDefinition {
  std::string name;  // as rules write it; compared without case, but an exact name wins where two differ in case alone (auditd's `syscall` and `SYSCALL`)
  InputType type = InputType::kString;
  std::string description;
};

// A Sigma log source that this Type answers. Empty = the rule does not say.
struct LogSource {
  std::string product;
  std::string category;
  std::string service;
  friend bool operator==(const LogSource&, const LogSource&) = default;
};

// `input` has one of `values` (compared without case). Used where one Type answers a log source with only a part of its events.
struct Restriction {
  std::string input;
  std::vector<std::string> values;
};
struct AnsweredLogSource {
  LogSource logsource;
  std::vector<Restriction> when;  // all must hold; the compiler puts them in front of the rule's condition
};

// Which events of a log become events of this Type. Every list that is not empty must contain the event's value (compared without case), `writers` aside.
struct EventSource {
  std::vector<std::string> channels;    // `Channel`
  std::vector<std::string> providers;   // `Provider_Name`
  std::vector<uint32_t> event_ids;      // `EventID`
  std::vector<std::pair<std::string, std::string>> rename;  // input name <- the event's field name, where they differ
  bool unclaimed = false;  // only events with an `EventID` and a `Channel` or `Provider_Name` that no source without this mark takes
  std::vector<std::string> writers;  // providers that write into `channels`: they stand in where an event names no channel
};

// SHA-256 over id, version, and each input's name and type in order (see schema/fingerprint.hpp): the interface, not the texts.
using Fingerprint = std::array<uint8_t, 32>;

struct TemplateType {
  std::string id;  // "windows.pipe_created"
  uint32_t version = 1;
  std::string title;
  std::string description;
  std::string platform;  // "windows", "linux", "macos", "any"
  bool collected = false;  // a collector of ours fills it: it has a generated inputs struct, and without this mark no collector can name one (D1)
  std::vector<InputDefinition> inputs;
  std::vector<AnsweredLogSource> logsources;
  std::vector<EventSource> sources;
  Fingerprint fingerprint{};

  // Index of the input with this name, else of the first one that differs from it in ASCII case alone; nothing if there is none.
  std::optional<uint32_t> input_index(std::string_view name) const;
};

}  // namespace creance::schema
