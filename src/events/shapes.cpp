#include "events/shapes.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <utility>

#include "base/text.hpp"

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
  Where where{};
  Part part = Part::kCount;
  Spelling spelling = Spelling::kAsItIs;
};

constexpr Row field(std::string_view path, std::string_view name, uint32_t shapes, uint32_t marks = 0) { return {path, Role::kField, name, shapes, marks}; }
constexpr Row fallback(std::string_view path, std::string_view name, uint32_t shapes, Where where = {}, Spelling spelling = Spelling::kAsItIs) { return {path, Role::kFallback, name, shapes, 0, where, Part::kCount, spelling}; }
constexpr Row part(std::string_view path, Part which) { return {path, Role::kPart, {}, kWin | kEcs, 0, {}, which}; }
constexpr Row holds(std::string_view path, Role role, uint32_t shapes) { return {path, role, {}, shapes}; }

constexpr Where in(uint8_t logs, std::string_view ids = {}) { return {logs, ids, false}; }
constexpr Where not_in(uint8_t logs, std::string_view ids) { return {logs, ids, true}; }
constexpr uint8_t kBothPowerShells = kPowerShell | kClassicPowerShell;

// Elastic Common Schema 8, Winlogbeat's exported fields and what its modules (Sysmon, Security, PowerShell) rename; the XML schema of Windows events; systemd.journal-fields(7).
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

    fallback("process.executable", "Image", kWin | kEcs, not_in(kRest, "8 10 20")),
    fallback("process.executable", "SourceImage", kWin, in(kRest, "8 10")),
    fallback("process.executable", "Destination", kWin, in(kRest, "20")),
    fallback("process.executable", "NewProcessName", kWin, in(kSecurity, "4688")),
    fallback("process.executable", "ProcessName", kWin, not_in(kSecurity, "4688")),
    fallback("process.command_line", "CommandLine", kWin | kEcs, in(kRest | kSecurity)),
    fallback("process.command_line", "HostApplication", kWin, in(kBothPowerShells)),
    fallback("process.working_directory", "CurrentDirectory", kWin | kEcs),
    fallback("process.title", "HostName", kWin, in(kBothPowerShells)),
    fallback("process.pid", "ProcessId", kWin | kEcs, not_in(kRest, "8 10")),
    fallback("process.pid", "SourceProcessId", kWin, in(kRest, "8 10")),
    fallback("process.pid", "NewProcessId", kWin, in(kSecurity, "4688"), Spelling::kHexadecimal),
    fallback("process.pid", "ProcessId", kWin, not_in(kSecurity, "4688"), Spelling::kHexadecimal),
    fallback("process.thread.id", "SourceThreadId", kWin, in(kRest, "8 10")),
    fallback("process.entity_id", "ProcessGuid", kWin | kEcs, not_in(kRest, "8 10")),
    fallback("process.entity_id", "SourceProcessGuid", kWin, in(kRest, "8")),
    fallback("process.entity_id", "SourceProcessGUID", kWin, in(kRest, "10")),
    fallback("process.entity_id", "HostId", kWin, in(kBothPowerShells)),
    fallback("process.parent.executable", "ParentImage", kWin | kEcs, in(kRest)),
    fallback("process.parent.executable", "ParentProcessName", kWin, in(kSecurity, "4688")),
    fallback("process.parent.command_line", "ParentCommandLine", kWin | kEcs),
    fallback("process.parent.pid", "ParentProcessId", kWin | kEcs, in(kRest)),
    fallback("process.parent.pid", "ProcessId", kWin, in(kSecurity, "4688"), Spelling::kHexadecimal),
    fallback("process.parent.entity_id", "ParentProcessGuid", kWin | kEcs, in(kRest)),
    fallback("rule.name", "RuleName", kWin, in(kRest)),
    fallback("file.path", "TargetFilename", kWin, not_in(kRest, "6 7 9 17 18")),
    fallback("file.path", "ImageLoaded", kWin, in(kRest, "6 7")),
    fallback("file.path", "Device", kWin, in(kRest, "9")),
    fallback("file.path", "Path", kWin, in(kPowerShell, "4104")),
    fallback("file.path", "ScriptName", kWin, in(kClassicPowerShell)),
    fallback("file.name", "PipeName", kWin, in(kRest, "17 18")),
    fallback("dll.path", "ImageLoaded", kWin, in(kRest, "6 7")),
    fallback("sysmon.file.is_executable", "IsExecutable", kWin),
    fallback("sysmon.file.archived", "Archived", kWin),
    fallback("sysmon.dns.status", "QueryStatus", kWin, {}, Spelling::kDnsStatus),
    fallback("error.code", "ID", kWin, in(kRest, "255")),
    fallback("registry.path", "TargetObject", kWin, in(kRest)),
    part("registry.hive", Part::kHive),
    part("registry.key", Part::kKey),
    part("registry.value", Part::kValue),
    part("registry.data.type", Part::kDataType),
    fallback("registry.data.strings", "Details", kWin, in(kRest), Spelling::kRegistryData),
    fallback("dns.question.name", "QueryName", kWin, in(kRest)),
    part("dns.answers", Part::kAnswer),
    part("dns.answers.data", Part::kAnswerData),
    part("dns.answers.type", Part::kAnswerType),
    part("dns.resolved_ip", Part::kResolved),
    fallback("source.ip", "SourceIp", kWin | kEcs, in(kRest)),
    fallback("source.ip", "ClientAddress", kWin, in(kSecurity, "4778 4779")),
    fallback("source.ip", "IpAddress", kWin, not_in(kSecurity, "4778 4779")),
    fallback("source.port", "SourcePort", kWin | kEcs, in(kRest)),
    fallback("source.port", "IpPort", kWin, in(kSecurity)),
    fallback("source.domain", "SourceHostname", kWin | kEcs, in(kRest)),
    fallback("source.domain", "ClientName", kWin, in(kSecurity, "4778 4779")),
    fallback("source.domain", "WorkstationName", kWin, not_in(kSecurity, "4778 4779")),
    fallback("destination.ip", "DestinationIp", kWin | kEcs, in(kRest)),
    fallback("destination.port", "DestinationPort", kWin | kEcs, in(kRest)),
    fallback("destination.domain", "DestinationHostname", kWin | kEcs, in(kRest)),
    fallback("network.transport", "Protocol", kWin | kEcs, in(kRest)),
    fallback("network.protocol", "DestinationPortName", kWin, in(kRest, "3")),
    fallback("network.direction", "Initiated", kWin, in(kRest, "3"), Spelling::kIsOutbound),
    fallback("network.type", "SourceIsIpv6", kWin, in(kRest, "3"), Spelling::kIsIpv6),
    fallback("network.type", "DestinationIsIpv6", kWin, in(kRest, "3"), Spelling::kIsIpv6),

    part("user.domain", Part::kUserDomain),
    part("user.name", Part::kUserName),
    fallback("user.id", "SubjectUserSid", kWin, in(kSecurity, kSubjectEvents)),
    fallback("user.name", "SubjectUserName", kWin, in(kSecurity, kSubjectEvents)),
    fallback("user.domain", "SubjectDomainName", kWin, in(kSecurity, kSubjectEvents)),
    fallback("user.id", "TargetUserSid", kWin, in(kSecurity, "4624 4625 4634 4647 4964")),
    fallback("user.id", "TargetSid", kWin, in(kSecurity, "4768 4771")),
    fallback("user.name", "TargetUserName", kWin, in(kSecurity, kLogonEvents)),
    fallback("user.domain", "TargetDomainName", kWin, in(kSecurity, kLogonEvents)),
    fallback("user.name", "AccountName", kWin, in(kSecurity, "4778 4779")),
    fallback("user.domain", "AccountDomain", kWin, in(kSecurity, "4778 4779")),
    fallback("user.target.id", "TargetSid", kWin, in(kSecurity, kTargetEvents)),
    fallback("user.target.name", "TargetUserName", kWin, in(kSecurity, kTargetEvents)),
    fallback("user.target.domain", "TargetDomainName", kWin, in(kSecurity, kTargetEvents)),
    fallback("user.target.name", "OldTargetUserName", kWin, in(kSecurity, "4781")),
    fallback("user.changes.name", "NewTargetUserName", kWin, in(kSecurity, "4781")),
    fallback("user.effective.id", "TargetUserSid", kWin, in(kSecurity, "4688")),
    fallback("user.effective.name", "TargetUserName", kWin, in(kSecurity, "4648 4688")),
    fallback("user.effective.domain", "TargetDomainName", kWin, in(kSecurity, "4648 4688")),
    fallback("group.id", "TargetSid", kWin, in(kSecurity, kGroupEvents)),
    fallback("group.name", "TargetUserName", kWin, in(kSecurity, kGroupEvents)),
    fallback("group.domain", "TargetDomainName", kWin, in(kSecurity, kGroupEvents)),
    fallback("winlog.computerObject.id", "TargetSid", kWin, in(kSecurity, "4741 4742 4743")),
    fallback("winlog.computerObject.name", "TargetUserName", kWin, in(kSecurity, "4741 4742 4743")),
    fallback("winlog.computerObject.domain", "TargetDomainName", kWin, in(kSecurity, "4741 4742 4743")),
    fallback("winlog.logon.id", "TargetLogonId", kWin, in(kSecurity, "4634 4647 4964")),
    fallback("winlog.logon.id", "LogonID", kWin, in(kSecurity, "4778 4779")),
    fallback("winlog.logon.id", "SubjectLogonId", kWin, in(kSecurity, kSubjectEvents)),

    fallback("powershell.file.script_block_text", "ScriptBlockText", kWin, in(kPowerShell)),
    fallback("powershell.file.script_block_id", "ScriptBlockId", kWin, in(kPowerShell)),
    fallback("powershell.sequence", "MessageNumber", kWin, in(kPowerShell, "4104")),
    fallback("powershell.total", "MessageTotal", kWin, in(kPowerShell, "4104")),
    fallback("powershell.sequence", "DetailSequence", kWin, in(kClassicPowerShell)),
    fallback("powershell.total", "DetailTotal", kWin, in(kClassicPowerShell)),
    fallback("powershell.engine.version", "EngineVersion", kWin, in(kBothPowerShells)),
    fallback("powershell.engine.new_state", "NewEngineState", kWin, in(kClassicPowerShell)),
    fallback("powershell.engine.previous_state", "PreviousEngineState", kWin, in(kClassicPowerShell)),
    fallback("powershell.provider.name", "ProviderName", kWin, in(kClassicPowerShell)),
    fallback("powershell.provider.new_state", "NewProviderState", kWin, in(kClassicPowerShell)),
    fallback("powershell.process.executable_version", "HostVersion", kWin, in(kBothPowerShells)),
    fallback("powershell.pipeline_id", "PipelineId", kWin, in(kBothPowerShells)),
    fallback("powershell.runspace_id", "RunspaceId", kWin, in(kBothPowerShells)),
    fallback("powershell.id", "ShellId", kWin, in(kPowerShell)),
    fallback("powershell.command.value", "CommandLine", kWin, in(kBothPowerShells)),
    fallback("powershell.command.path", "CommandPath", kWin, in(kBothPowerShells)),
    fallback("powershell.command.name", "CommandName", kWin, in(kBothPowerShells)),
    fallback("powershell.command.type", "CommandType", kWin, in(kBothPowerShells)),
    fallback("file.path", "ScriptName", kWin, in(kPowerShell, "4103")),
    fallback("event.sequence", "SequenceNumber", kWin, in(kBothPowerShells)),
    part("powershell.command.invocation_details", Part::kDetail),
    part("powershell.command.invocation_details.type", Part::kDetailType),
    part("powershell.command.invocation_details.related_command", Part::kDetailCommand),
    part("powershell.command.invocation_details.name", Part::kDetailName),
    part("powershell.command.invocation_details.value", Part::kDetailValue),

    part("event.category", Part::kCategory),
    part("event.type", Part::kType),
    part("host.os.type", Part::kSystem),

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

// The same rows below several names: Winlogbeat 6 had no `winlog`, an event's XML may lack its outer element, and what a file has, a process has too.
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
constexpr Row kOfFiles[] = {
    part("hash.md5", Part::kMd5),
    part("hash.sha1", Part::kSha1),
    part("hash.sha256", Part::kSha256),
    part("pe.imphash", Part::kImphash),
    fallback("pe.original_file_name", "OriginalFileName", kWin, in(kRest)),
    fallback("pe.company", "Company", kWin, in(kRest)),
    fallback("pe.description", "Description", kWin, in(kRest)),
    fallback("pe.product", "Product", kWin, in(kRest)),
    fallback("pe.file_version", "FileVersion", kWin, in(kRest)),
};
// What the shipper says of itself and of the host, of how it classified the event, and what Elasticsearch adds to a document.
constexpr std::string_view kOfShipper[] = {"agent", "ecs", "host", "log", "tags", "@metadata", "@version", "@timestamp", "input", "data_stream", "elastic_agent", "cloud", "fileset", "event.kind", "event.category", "event.type", "event.module", "event.dataset",
                                           "event.ingested", "event.created", "_index", "_id", "_score", "_version", "_seq_no", "_primary_term", "_ignored"};
struct Group {
  std::string_view below;  // names with a dot behind each
  std::span<const Row> rows;
  uint32_t shapes;         // 0: the row's own
};
constexpr Group kGroups[] = {{"", kRows, 0}, {"winlog.", kOfBeat, kWin}, {"", kOfBeat, kOld}, {"Event.", kOfXml, 0}, {"", kOfXml, 0}, {"process.", kOfFiles, 0}, {"file.", kOfFiles, 0}};

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
      node.spelling = row.spelling;
      node.shapes = group.shapes != 0 ? group.shapes : row.shapes;
      node.marks = row.marks;
    }
  }
  for (const std::string_view path : kOfShipper) nodes_[reach(kTop, path)].of_shipper = true;
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

Log log_of(std::string_view channel, std::string_view provider) {
  struct Named {
    std::string_view channel, provider;
    Log log;
  };
  constexpr Named kNamed[] = {{"Security", "Microsoft-Windows-Security-Auditing", kSecurity}, {"Microsoft-Windows-PowerShell/Operational", "Microsoft-Windows-PowerShell", kPowerShell}, {"PowerShellCore/Operational", "PowerShellCore", kPowerShell},
                              {"Windows PowerShell", "PowerShell", kClassicPowerShell}};
  const bool says_none = channel.empty() || equal_ignoring_ascii_case(channel, "ForwardedEvents");  // a collector's log
  for (const Named& each : kNamed) {
    if (says_none ? equal_ignoring_ascii_case(provider, each.provider) : equal_ignoring_ascii_case(channel, each.channel)) return each.log;
  }
  return kRest;
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
