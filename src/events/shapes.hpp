// The nested forms in which tools write Windows events as JSON, as a tree of names: where in an event a value stands -> which flat field it is. Pure tables; decoder.cpp walks.
// Dotted names (`winlog.event_data`) and nested objects are the same way through the tree. The forms and their mapping: docs/reference/events.md.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "events/ecs_values.hpp"

namespace creance::events {

// What stands at a place of the tree.
enum class Role : uint8_t {
  kInner,         // nothing of its own: a name on the way
  kField,         // a value: the flat field `field`
  kFallback,      // likewise, where the event has no such field otherwise
  kPart,          // a value that is joined with others to one field (see Part)
  kNames,         // an object: each member is the field of its name (winlog.event_data)
  kElements,      // an object tree: each leaf is the field of its element's name (UserData)
  kSystem,        // the System element of an event's XML as JSON
  kEventData,     // the EventData element of an event's XML as JSON
  kDropped,       // told about, but no value of the event
};

// kCategory, kType, kSystem say of an ECS event without `winlog` what it is. An answer of DNS and a detail of a pipeline are objects of a list: kAnswer and kDetail stand for where one begins.
enum class Part : uint8_t {
  kUserDomain, kUserName, kMd5, kSha1, kSha256, kImphash, kCategory, kType, kSystem, kHive, kKey, kValue, kDataType,
  kAnswer, kAnswerData, kAnswerType, kResolved, kDetail, kDetailType, kDetailCommand, kDetailName, kDetailValue, kCount,
};

// The logs whose names for one ECS field differ, as bits. kRest is Sysmon's, and those of all others.
enum Log : uint8_t { kRest = 1, kSecurity = 2, kPowerShell = 4, kClassicPowerShell = 8, kAnyLog = 15 };

// Where a fallback holds: in which logs, and there for which events (empty: all).
struct Where {
  uint8_t logs = kAnyLog;
  std::string_view ids;   // separated by blanks
  bool but_these = false; // for all but these
};
Log log_of(std::string_view channel, std::string_view provider);

// The form of one event. An event has one; kFlat where none of the others is recognised.
enum class Shape : uint8_t { kFlat = 0, kWinlog, kWinlogOld, kXml, kEcs, kJournal, kNxlog };
constexpr uint32_t bit(Shape shape) { return 1u << static_cast<uint32_t>(shape); }

struct Node {
  std::string_view name;       // of its last component, compared as it is
  Role role = Role::kInner;
  std::string_view field;      // kField, kFallback
  Part part = Part::kCount;    // kPart
  Where where;
  Spelling spelling = Spelling::kAsItIs;
  bool of_shipper = false;     // what is here and below is said by the shipper, of itself or of the host
  uint32_t shapes = 0;         // in which forms it is looked at (bits)
  uint32_t marks = 0;          // the form that an event has if it has a value here (bit; 0: none)
  uint16_t next_same = 0;      // a further fallback for the same place; 0: none
  uint16_t first_child = 0;    // 0: none
  uint16_t next_sibling = 0;   // 0: none
};

// Place 0 is none of the tree; kTop is the event itself.
class ShapeTree {
 public:
  static constexpr uint16_t kNowhere = 0;
  static constexpr uint16_t kTop = 1;
  static const ShapeTree& get();

  uint16_t step(uint16_t place, std::string_view name) const;         // one component
  const Node& at(uint16_t place) const { return nodes_[place]; }
  size_t size() const { return nodes_.size(); }

 private:
  ShapeTree();
  uint16_t add(uint16_t parent, std::string_view name);
  uint16_t reach(uint16_t place, std::string_view path);  // makes what is missing on the way
  std::vector<Node> nodes_;
};

// "Provider" and "Name" -> "Provider_Name", for the attributes that Windows has; empty: none of them.
std::string_view system_field(std::string_view element, std::string_view attribute);

// Windows' System fields, numbered; -1: none of them. What a datum of the same name is called beside it (`EventData_Level`).
int32_t system_index(std::string_view name);
std::string_view data_beside_system(int32_t index);

// Without what marks an attribute (`@Name`, `-Name`, `_Name`) or a separate object of attributes (`Provider_attributes`).
std::string_view bare_name(std::string_view name);
bool is_attributes(std::string_view name);  // an object of attributes: `#attributes`, `@attributes`, `$`, …
bool is_text(std::string_view name);        // an element's own text beside its attributes: `#text`, `Value`, …

// The elements of System that have attributes: `Provider`, `TimeCreated`, …
bool has_system_attributes(std::string_view element);

// What EvtxECmd calls fields of System; empty: a field of its own, which is no value of the event. Nothing: as it is.
std::optional<std::string_view> evtx_ecmd_field(std::string_view name);

// nxlog's names for what Windows calls otherwise; empty: as it is. `EventType` is told apart by the caller.
std::string_view nxlog_field(std::string_view name);
bool is_nxlog_severity(std::string_view value);  // what nxlog puts into EventType over the event's own

}  // namespace creance::events
