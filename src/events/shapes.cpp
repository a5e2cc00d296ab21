#include "events/shapes.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <utility>

namespace creance::events {
namespace {

constexpr uint32_t kWin = bit(Shape::kWinlog);
constexpr uint32_t kOld = bit(Shape::kWinlogOld);
constexpr uint32_t kXml = bit(Shape::kXml);
constexpr uint32_t kEcs = bit(Shape::kEcs);
constexpr uint32_t kJournal = bit(Shape::kJournal);

struct Row {
  std::string_view path;
  Role role;
  std::string_view field;
  uint32_t shapes;
  uint32_t marks = 0;
  Where where = Where::kAny;
  Part part = Part::kCount;
};

constexpr Row field(std::string_view path, std::string_view name, uint32_t shapes, uint32_t marks = 0) { return {path, Role::kField, name, shapes, marks, Where::kAny, Part::kCount}; }
constexpr Row fallback(std::string_view path, std::string_view name, uint32_t shapes, Where where = Where::kAny) { return {path, Role::kFallback, name, shapes, 0, where, Part::kCount}; }
constexpr Row part(std::string_view path, Part which) { return {path, Role::kPart, {}, kWin | kEcs, 0, Where::kAny, which}; }
constexpr Row holds(std::string_view path, Role role, uint32_t shapes) { return {path, role, {}, shapes, 0, Where::kAny, Part::kCount}; }

// Elastic Common Schema 8 and Winlogbeat's exported fields; the XML schema of Windows events; systemd.journal-fields(7).
constexpr Row kRows[] = {
    field("winlog.channel", "Channel", kWin, kWin),
    field("winlog.event_id", "EventID", kWin, kWin),
    field("winlog.provider_name", "Provider_Name", kWin, kWin),
    field("winlog.record_id", "EventRecordID", kWin),
    field("winlog.process.pid", "Execution_ProcessID", kWin),
    field("winlog.process.thread.id", "Execution_ThreadID", kWin),
    field("winlog.time_created", "TimeCreated_SystemTime", kWin),
    fallback("winlog.source_name", "Provider_Name", kWin),
    fallback("winlog.record_number", "EventRecordID", kWin),
    fallback("event.code", "EventID", kWin),
    fallback("event.provider", "Provider_Name", kWin),
    fallback("host.name", "Computer", kWin | kEcs),
    fallback("@timestamp", "TimeCreated_SystemTime", kWin | kOld),
    fallback("@timestamp", "UtcTime", kEcs),
    field("message", "Message", kWin | kOld),

    field("log_name", "Channel", kOld, kOld),
    field("event_id", "EventID", kOld),
    field("source_name", "Provider_Name", kOld),
    field("record_number", "EventRecordID", kOld),
    field("process_id", "Execution_ProcessID", kOld),
    field("thread_id", "Execution_ThreadID", kOld),

    fallback("process.executable", "Image", kWin | kEcs, Where::kNotSecurity),
    fallback("process.executable", "SourceImage", kWin, Where::kSource),
    fallback("process.executable", "NewProcessName", kWin, Where::kSecurity4688),
    fallback("process.executable", "ProcessName", kWin, Where::kSecurityOther),
    fallback("process.command_line", "CommandLine", kWin | kEcs),
    fallback("process.working_directory", "CurrentDirectory", kWin | kEcs),
    fallback("process.pid", "ProcessId", kWin | kEcs, Where::kNotSecurity),
    fallback("process.entity_id", "ProcessGuid", kWin | kEcs, Where::kNotSecurity),
    fallback("process.parent.executable", "ParentImage", kWin | kEcs, Where::kNotSecurity),
    fallback("process.parent.executable", "ParentProcessName", kWin, Where::kSecurity4688),
    fallback("process.parent.command_line", "ParentCommandLine", kWin | kEcs),
    fallback("process.parent.pid", "ParentProcessId", kWin | kEcs, Where::kNotSecurity),
    fallback("process.parent.entity_id", "ParentProcessGuid", kWin | kEcs, Where::kNotSecurity),
    fallback("process.pe.original_file_name", "OriginalFileName", kWin),
    fallback("process.pe.company", "Company", kWin),
    fallback("process.pe.description", "Description", kWin),
    fallback("process.pe.product", "Product", kWin),
    fallback("process.pe.file_version", "FileVersion", kWin),
    fallback("file.path", "TargetFilename", kWin, Where::kFile),
    fallback("file.path", "ImageLoaded", kWin, Where::kImage),
    fallback("file.name", "PipeName", kWin, Where::kPipe),
    fallback("dll.path", "ImageLoaded", kWin, Where::kImage),
    fallback("registry.path", "TargetObject", kWin, Where::kNotSecurity),
    fallback("registry.data.strings", "Details", kWin, Where::kNotSecurity),
    fallback("dns.question.name", "QueryName", kWin, Where::kNotSecurity),
    fallback("source.ip", "SourceIp", kWin | kEcs, Where::kNotSecurity),
    fallback("source.port", "SourcePort", kWin | kEcs, Where::kNotSecurity),
    fallback("source.domain", "SourceHostname", kWin | kEcs, Where::kNotSecurity),
    fallback("destination.ip", "DestinationIp", kWin | kEcs, Where::kNotSecurity),
    fallback("destination.port", "DestinationPort", kWin | kEcs, Where::kNotSecurity),
    fallback("destination.domain", "DestinationHostname", kWin | kEcs, Where::kNotSecurity),
    fallback("network.transport", "Protocol", kWin | kEcs, Where::kNotSecurity),
    part("event.category", Part::kCategory),
    part("event.type", Part::kType),
    part("host.os.type", Part::kSystem),
    part("user.domain", Part::kUserDomain),
    part("user.name", Part::kUserName),

    field("MESSAGE", "message", kJournal),
    field("__REALTIME_TIMESTAMP", "time", kJournal, kJournal),
    field("SYSLOG_IDENTIFIER", "program", kJournal),
    fallback("_COMM", "program", kJournal),
    field("_HOSTNAME", "host", kJournal),
    fallback("SYSLOG_PID", "pid", kJournal),
    field("_PID", "pid", kJournal),
    field("PRIORITY", "severity", kJournal),
    field("SYSLOG_FACILITY", "facility", kJournal),
    field("_SYSTEMD_UNIT", "unit", kJournal),
    field("_UID", "uid", kJournal),
};

// The same rows below several names: Winlogbeat 6 had no `winlog`, an event's XML may lack its outer element, and files have hashes as processes have.
constexpr Row kOfBeat[] = {
    field("provider_guid", "Provider_Guid", 0),
    field("computer_name", "Computer", 0),
    field("version", "Version", 0),
    field("activity_id", "Correlation_ActivityID", 0),
    field("user.identifier", "Security_UserID", 0),
    holds("event_data", Role::kNames, 0),
    holds("user_data", Role::kElements, 0),
    holds("user_data.xml_name", Role::kDropped, 0),
};
constexpr Row kOfXml[] = {
    holds("System", Role::kSystem, kXml),
    holds("EventData", Role::kEventData, kXml),
    holds("UserData", Role::kElements, kXml),
    field("RenderingInfo.Message", "Message", kXml),
    field("Message", "Message", kXml),
};
constexpr Row kOfHashes[] = {
    part("hash.md5", Part::kMd5),
    part("hash.sha1", Part::kSha1),
    part("hash.sha256", Part::kSha256),
    part("pe.imphash", Part::kImphash),
};
struct Group {
  std::string_view below;  // names with a dot behind each
  std::span<const Row> rows;
  uint32_t shapes;         // 0: the row's own
};
constexpr Group kGroups[] = {{"", kRows, 0}, {"winlog.", kOfBeat, kWin}, {"", kOfBeat, kOld}, {"Event.", kOfXml, 0}, {"", kOfXml, 0}, {"process.", kOfHashes, 0}, {"file.", kOfHashes, 0}};

// An Elasticsearch export holds the event in `_source`.
constexpr std::string_view kWrapper = "_source";

}  // namespace

ShapeTree::ShapeTree() {
  nodes_.resize(2);  // nowhere, top
  for (const Group& group : kGroups) {
    for (const Row& row : group.rows) {
      uint16_t place = reach(reach(kTop, group.below), row.path);
      if (nodes_[place].role != Role::kInner) {  // a further meaning of the same place
        nodes_.emplace_back();
        while (nodes_[place].next_same != 0) place = nodes_[place].next_same;
        nodes_[place].next_same = static_cast<uint16_t>(nodes_.size() - 1);
        place = nodes_[place].next_same;
      }
      Node& node = nodes_[place];
      node.role = row.role;
      node.field = row.field;
      node.part = row.part;
      node.where = row.where;
      node.shapes = group.shapes != 0 ? group.shapes : row.shapes;
      node.marks = row.marks;
    }
  }
}

uint16_t ShapeTree::reach(uint16_t place, std::string_view path) {
  while (!path.empty()) {
    const size_t end = std::min(path.find('.'), path.size());
    const std::string_view name = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    const uint16_t child = step(place, name);
    place = child == kNowhere ? add(place, name) : child;
  }
  return place;
}

const ShapeTree& ShapeTree::get() {
  static const ShapeTree tree;
  return tree;
}

uint16_t ShapeTree::add(uint16_t parent, std::string_view name) {
  const auto place = static_cast<uint16_t>(nodes_.size());
  Node& made = nodes_.emplace_back();
  made.name = name;
  made.next_sibling = nodes_[parent].first_child;
  nodes_[parent].first_child = place;
  return place;
}

uint16_t ShapeTree::step(uint16_t place, std::string_view name) const {
  if (place == kNowhere) return kNowhere;
  if (place == kTop && name == kWrapper) return kTop;
  for (uint16_t child = nodes_[place].first_child; child != 0; child = nodes_[child].next_sibling) {
    if (nodes_[child].name == name) return child;
  }
  return kNowhere;
}

namespace {

using Pair = std::pair<std::string_view, std::string_view>;
constexpr std::string_view kSystemFields[][3] = {
    {"Provider", "Name", "Provider_Name"}, {"Provider", "Guid", "Provider_Guid"}, {"TimeCreated", "SystemTime", "TimeCreated_SystemTime"}, {"Correlation", "ActivityID", "Correlation_ActivityID"},
    {"Execution", "ProcessID", "Execution_ProcessID"}, {"Execution", "ThreadID", "Execution_ThreadID"}, {"Security", "UserID", "Security_UserID"},
    // as their own text
    {"EventID", "", "EventID"}, {"Version", "", "Version"}, {"Level", "", "Level"}, {"Task", "", "Task"}, {"Opcode", "", "Opcode"}, {"Keywords", "", "Keywords"}, {"EventRecordID", "", "EventRecordID"},
    {"Channel", "", "Channel"}, {"Computer", "", "Computer"}, {"TimeCreated", "", "TimeCreated_SystemTime"}, {"Provider", "", "Provider_Name"},
};

constexpr Pair kNxlog[] = {
    {"SourceName", "Provider_Name"}, {"ProviderGuid", "Provider_Guid"}, {"Hostname", "Computer"}, {"RecordNumber", "EventRecordID"}, {"ExecutionProcessID", "Execution_ProcessID"}, {"ProcessID", "Execution_ProcessID"},
    {"ThreadID", "Execution_ThreadID"}, {"ExecutionThreadID", "Execution_ThreadID"}, {"ActivityID", "Correlation_ActivityID"}, {"UserID", "Security_UserID"}, {"EventTime", "TimeCreated_SystemTime"}, {"TaskValue", "Task"},
    {"OpcodeValue", "Opcode"},
};

constexpr std::string_view kWithAttributes[] = {"Provider", "EventID", "TimeCreated", "Correlation", "Execution", "Security"};

// Level and Keywords are words there, which Windows' numbers are not.
constexpr Pair kEvtxEcmd[] = {
    {"Provider", "Provider_Name"}, {"UserId", "Security_UserID"}, {"ProcessId", "Execution_ProcessID"}, {"ThreadId", "Execution_ThreadID"}, {"TimeCreated", "TimeCreated_SystemTime"}, {"EventId", "EventID"}, {"EventRecordId", "EventRecordID"},
    {"Payload", ""}, {"PayloadData1", ""}, {"PayloadData2", ""}, {"PayloadData3", ""}, {"PayloadData4", ""}, {"PayloadData5", ""}, {"PayloadData6", ""}, {"MapDescription", ""}, {"UserName", ""}, {"RemoteHost", ""}, {"ExecutableInfo", ""},
    {"SourceFile", ""}, {"ChunkNumber", ""}, {"ExtraDataOffset", ""}, {"HiddenRecord", ""}, {"RecordNumber", ""}, {"Level", ""}, {"Keywords", ""},
};

// Windows' System fields, and what a datum of the same name is called beside them.
struct SystemName {
  std::string_view name, datum;
};
constexpr SystemName kSystemNames[] = {
    {"Provider_Name", "EventData_Provider_Name"}, {"Provider_Guid", "EventData_Provider_Guid"}, {"EventID", "EventData_EventID"}, {"Version", "EventData_Version"}, {"Level", "EventData_Level"},
    {"Task", "EventData_Task"}, {"Opcode", "EventData_Opcode"}, {"Keywords", "EventData_Keywords"}, {"TimeCreated_SystemTime", "EventData_TimeCreated_SystemTime"}, {"EventRecordID", "EventData_EventRecordID"},
    {"Correlation_ActivityID", "EventData_Correlation_ActivityID"}, {"Execution_ProcessID", "EventData_Execution_ProcessID"}, {"Execution_ThreadID", "EventData_Execution_ThreadID"}, {"Channel", "EventData_Channel"},
    {"Computer", "EventData_Computer"}, {"Security_UserID", "EventData_Security_UserID"},
};

}  // namespace

int32_t system_index(std::string_view name) {
  for (size_t i = 0; i < std::size(kSystemNames); ++i) {
    if (kSystemNames[i].name == name) return static_cast<int32_t>(i);
  }
  return -1;
}

std::string_view data_beside_system(int32_t index) { return kSystemNames[index].datum; }

std::string_view system_field(std::string_view element, std::string_view attribute) {
  for (const auto& row : kSystemFields) {
    if (row[0] == element && row[1] == attribute) return row[2];
  }
  return {};
}

std::string_view bare_name(std::string_view name) {
  if (name.size() > 1 && (name[0] == '@' || name[0] == '-' || name[0] == '_')) name.remove_prefix(1);
  constexpr std::string_view kApart = "_attributes";
  if (name.size() > kApart.size() && name.ends_with(kApart)) name.remove_suffix(kApart.size());
  return name;
}

bool is_attributes(std::string_view name) { return name == "#attributes" || name == "@attributes" || name == "attributes" || name == "$" || name == "_attributes"; }
bool is_text(std::string_view name) { return name == "#text" || name == "Value" || name == "value" || name == "_" || name == "$t" || name == "text" || name == "_text" || name == "content" || name == "#content"; }

bool has_system_attributes(std::string_view element) { return std::ranges::find(kWithAttributes, element) != std::end(kWithAttributes); }

std::optional<std::string_view> evtx_ecmd_field(std::string_view name) {
  for (const auto& [from, to] : kEvtxEcmd) {
    if (from == name) return to;
  }
  return std::nullopt;
}

std::string_view nxlog_field(std::string_view name) {
  for (const auto& [from, to] : kNxlog) {
    if (from == name) return to;
  }
  return {};
}

bool is_nxlog_severity(std::string_view value) {
  constexpr std::array<std::string_view, 8> kNames = {"INFO", "WARNING", "ERROR", "CRITICAL", "DEBUG", "VERBOSE", "AUDIT_SUCCESS", "AUDIT_FAILURE"};
  return std::find(kNames.begin(), kNames.end(), value) != kNames.end();
}

}  // namespace creance::events
