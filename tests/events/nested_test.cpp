// One event in every form in which tools write it as JSON: always the inputs of its flat form.
#include <gtest/gtest.h>

#include <algorithm>

#include "events/answers.hpp"
#include "events/decoder.hpp"

namespace creance::events {
namespace {

using schema::Catalog;
using schema::TemplateType;

const std::vector<std::string> kSystem = {"Provider_Name", "Provider_Guid", "EventID", "Version", "TimeCreated_SystemTime", "EventRecordID", "Execution_ProcessID", "Execution_ThreadID", "Channel", "Computer", "Security_UserID"};

const Catalog& catalog() {
  static const Catalog made([] {
    const auto with = [](std::vector<std::string> more) {
      std::vector<std::string> out = kSystem;
      out.insert(out.end(), more.begin(), more.end());
      return out;
    };
    std::vector<TemplateType> types;
    types.push_back(make_type("t.sysmon", {{{"Microsoft-Windows-Sysmon/Operational"}, {}, {}, {}}}, with({"Image", "CommandLine", "ParentImage", "User", "Hashes", "EventType", "ProcessId", "TargetObject", "Details", "ThreatName", "Level", "EventData_Level"})));
    types.push_back(make_type("t.security", {{{"Security"}, {}, {}, {}}}, with({"NewProcessName", "ParentProcessName", "ProcessName", "SubjectUserName", "CommandLine", "Keywords"})));
    types.push_back(make_type("t.application", {{{"Application"}, {}, {}, {}}}, with({"Data", "Message", "Param1", "Kept"})));
    types.push_back(make_type("t.linux", {{{"Linux-Sysmon/Operational"}, {}, {1}, {}}}, {"Image", "CommandLine", "ParentImage", "User", "ProcessId"}));
    types.push_back(make_type("t.sshd", {{{"syslog"}, {"sshd"}, {}, {}}}, {"message", "program", "pid", "host", "time", "severity"}));
    types.push_back(make_type("t.execve", {{{"auditd"}, {"EXECVE"}, {}, {}}}, {"type", "a0"}));
    return types;
  }());
  return made;
}

// "Type Input=value … +further … | others", inputs in their order.
std::string inputs_of(std::string_view json) {
  static Decoder decoder(catalog());
  const auto decoded = decoder.decode(json);
  if (!decoded) return "refused: " + decoded.error().detail;
  std::string out;
  for (const Decoded& each : *decoded) {
    out += each.type->id;
    for (size_t i = 0; i < each.inputs.values.size(); ++i) {
      if (each.inputs.values[i].has_value()) out += " " + each.type->inputs[i].name + "=" + std::string(each.inputs.values[i].text());
    }
    for (const auto& more : each.inputs.further) out += " +" + each.type->inputs[more.input].name + "=" + std::string(more.text);
    std::vector<std::string> others(each.inputs.others.begin(), each.inputs.others.end());
    std::sort(others.begin(), others.end());
    if (!others.empty()) out += " |";
    for (const auto& other : others) out += " " + other;
  }
  return out;
}

TEST(NestedEvents, OneSysmonEventInAllForms) {
  const std::string flat = inputs_of(R"({"Provider_Name":"Microsoft-Windows-Sysmon","Provider_Guid":"{G}","EventID":1,"Version":5,"TimeCreated_SystemTime":"2024-01-02T03:04:05.6Z","EventRecordID":77,"Execution_ProcessID":4,"Execution_ThreadID":9,
      "Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"W1","Security_UserID":"S-1-5-18","Image":"C:\\a.exe","CommandLine":"a \"b\"","Empty":"","ThreatName":"t"})");
  EXPECT_EQ(flat, R"(t.sysmon Provider_Name=Microsoft-Windows-Sysmon Provider_Guid={G} EventID=1 Version=5 TimeCreated_SystemTime=2024-01-02T03:04:05.6Z EventRecordID=77 Execution_ProcessID=4 Execution_ThreadID=9 Channel=Microsoft-Windows-Sysmon/Operational Computer=W1 Security_UserID=S-1-5-18 Image=C:\a.exe CommandLine=a "b" ThreatName=t | )");
  const std::pair<const char*, const char*> forms[] = {
      {"Winlogbeat", R"({"@timestamp":"2024-01-02T03:04:05.6Z","agent":{"type":"winlogbeat","name":"W1"},"ecs":{"version":"8.0.0"},"event":{"code":"1","provider":"Microsoft-Windows-Sysmon","kind":"event"},"host":{"name":"other"},
          "winlog":{"channel":"Microsoft-Windows-Sysmon/Operational","event_id":1,"provider_name":"Microsoft-Windows-Sysmon","provider_guid":"{G}","computer_name":"W1","record_id":"77","version":5,"process":{"pid":4,"thread":{"id":9}},
          "user":{"identifier":"S-1-5-18"},"event_data":{"Image":"C:\\a.exe","CommandLine":"a \"b\"","Empty":"","Threat Name":"t"}}})"},
      {"Winlogbeat, dotted", R"({"@timestamp":"2024-01-02T03:04:05.6Z","winlog.channel":"Microsoft-Windows-Sysmon/Operational","winlog.event_id":"1","winlog.provider_name":"Microsoft-Windows-Sysmon","winlog.provider_guid":"{G}","winlog.computer_name":"W1",
          "winlog.record_id":77,"winlog.version":"5","winlog.process.pid":"4","winlog.process.thread.id":9,"winlog.user.identifier":"S-1-5-18","winlog.event_data.Image":"C:\\a.exe","winlog.event_data.CommandLine":"a \"b\"","winlog.event_data.Empty":"",
          "winlog.event_data.ThreatName":"t","event.code":1})"},
      {"Winlogbeat, half dotted, as exported by Elasticsearch", R"({"_index":"i","_source":{"@timestamp":"2024-01-02T03:04:05.6Z","winlog":{"channel":"Microsoft-Windows-Sysmon/Operational","provider_name":"Microsoft-Windows-Sysmon","provider_guid":"{G}",
          "computer_name":"W1","record_id":77,"version":5,"process.pid":4,"process.thread.id":9,"user.identifier":"S-1-5-18","event_data.Image":"C:\\a.exe","event_data":{"CommandLine":"a \"b\"","Empty":"","ThreatName":"t"}},"event":{"code":"1"}}})"},
      {"Winlogbeat with fields moved to ECS", R"({"@timestamp":"2024-01-02T03:04:05.6Z","process":{"executable":"C:\\a.exe","command_line":"a \"b\""},"winlog":{"channel":"Microsoft-Windows-Sysmon/Operational","event_id":1,"provider_name":"Microsoft-Windows-Sysmon",
          "provider_guid":"{G}","computer_name":"W1","record_id":77,"version":5,"process":{"pid":4,"thread":{"id":9}},"user":{"identifier":"S-1-5-18"},"event_data":{"ThreatName":"t","Empty":""}}})"},
      {"Winlogbeat 6", R"({"@timestamp":"2024-01-02T03:04:05.6Z","log_name":"Microsoft-Windows-Sysmon/Operational","event_id":1,"source_name":"Microsoft-Windows-Sysmon","provider_guid":"{G}","computer_name":"W1","record_number":"77","version":5,"process_id":4,
          "thread_id":9,"user":{"identifier":"S-1-5-18"},"event_data":{"Image":"C:\\a.exe","CommandLine":"a \"b\"","Empty":"","ThreatName":"t"}})"},
      {"evtx_dump", R"({"Event":{"#attributes":{"xmlns":"http://schemas.microsoft.com/win/2004/08/events/event"},"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Sysmon","Guid":"{G}"}},"EventID":1,"Version":5,
          "TimeCreated":{"#attributes":{"SystemTime":"2024-01-02T03:04:05.6Z"}},"EventRecordID":77,"Correlation":null,"Execution":{"#attributes":{"ProcessID":4,"ThreadID":9}},"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"W1",
          "Security":{"#attributes":{"UserID":"S-1-5-18"}}},"EventData":{"Image":"C:\\a.exe","CommandLine":"a \"b\"","Empty":null,"Threat Name":"t"}}})"},
      {"evtx_dump, attributes apart", R"({"Event_attributes":{"xmlns":"x"},"Event":{"System":{"Provider_attributes":{"Name":"Microsoft-Windows-Sysmon","Guid":"{G}"},"EventID":1,"Version":5,"TimeCreated_attributes":{"SystemTime":"2024-01-02T03:04:05.6Z"},"EventRecordID":77,
          "Execution_attributes":{"ProcessID":4,"ThreadID":9},"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"W1","Security_attributes":{"UserID":"S-1-5-18"}},"EventData":{"Image":"C:\\a.exe","CommandLine":"a \"b\"","Empty":"","ThreatName":"t"}}})"},
      {"XML turned into JSON", R"({"Event":{"@xmlns":"x","System":{"Provider":{"@Name":"Microsoft-Windows-Sysmon","@Guid":"{G}"},"EventID":{"@Qualifiers":"","#text":"1"},"Version":"5","TimeCreated":{"@SystemTime":"2024-01-02T03:04:05.6Z"},"EventRecordID":"77",
          "Execution":{"@ProcessID":"4","@ThreadID":"9"},"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"W1","Security":{"@UserID":"S-1-5-18"}},"EventData":{"Data":[{"@Name":"Image","#text":"C:\\a.exe"},{"@Name":"CommandLine","#text":"a \"b\""},
          {"@Name":"Empty"},{"@Name":"Threat Name","#text":"t"}]}}})"},
      {"data as objects with attributes", R"({"Event":{"System":{"Provider":{"Name":"Microsoft-Windows-Sysmon","Guid":"{G}"},"EventID":{"#text":1,"#attributes":{"Qualifiers":""}},"Version":5,"TimeCreated":{"SystemTime":"2024-01-02T03:04:05.6Z"},"EventRecordID":77,
          "Execution":{"ProcessID":4,"ThreadID":9},"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"W1","Security":{"UserID":"S-1-5-18"}},"EventData":{"Data":[{"#attributes":{"Name":"Image"},"#text":"C:\\a.exe"},{"#text":"a \"b\"","#attributes":{"Name":"CommandLine"}},
          {"#attributes":{"Name":"Empty"},"#text":null},{"Name":"Threat Name","Value":"t"}]}}})"},
      {"without the outer element", R"({"System":{"Provider":{"Name":"Microsoft-Windows-Sysmon","Guid":"{G}"},"EventID":{"Value":1},"Version":5,"TimeCreated":{"SystemTime":"2024-01-02T03:04:05.6Z"},"EventRecordID":77,"Execution":{"ProcessID":4,"ThreadID":9},
          "Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"W1","Security":{"UserID":"S-1-5-18"}},"EventData":[{"Name":"Image","Value":"C:\\a.exe"},{"Name":"CommandLine","Value":"a \"b\""},{"Name":"Empty","Value":""},{"Name":"ThreatName","Value":"t"}]})"},
      {"dotted XML", R"({"Event.System.Provider.Name":"Microsoft-Windows-Sysmon","Event.System.Provider.Guid":"{G}","Event.System.EventID":1,"Event.System.Version":5,"Event.System.TimeCreated.SystemTime":"2024-01-02T03:04:05.6Z","Event.System.EventRecordID":77,
          "Event.System.Execution.#attributes.ProcessID":4,"Event.System.Execution.ThreadID":9,"Event.System.Channel":"Microsoft-Windows-Sysmon/Operational","Event.System.Computer":"W1","Event.System.Security.UserID":"S-1-5-18","Event.EventData.Image":"C:\\a.exe",
          "Event.EventData.CommandLine":"a \"b\"","Event.EventData.Empty":"","Event.EventData.ThreatName":"t"})"},
      {"nxlog", R"({"EventTime":"2024-01-02T03:04:05.6Z","Hostname":"W1","SeverityValue":2,"Severity":"INFO","EventID":1,"SourceName":"Microsoft-Windows-Sysmon","ProviderGuid":"{G}","Version":5,"RecordNumber":77,"ExecutionProcessID":4,"ThreadID":9,
          "Channel":"Microsoft-Windows-Sysmon/Operational","UserID":"S-1-5-18","EventType":"INFO","SourceModuleName":"in","SourceModuleType":"im_msvistalog","EventReceivedTime":"x","Image":"C:\\a.exe","CommandLine":"a \"b\"","Empty":"","ThreatName":"t"})"},
  };
  for (const auto& [name, json] : forms) EXPECT_EQ(inputs_of(json), flat) << name;
}

TEST(NestedEvents, DataInsideObjectsBesideSystemFieldsAtTheTop) {
  const std::string head = R"({"Provider_Name":"Microsoft-Windows-Sysmon","EventID":1,"TimeCreated_SystemTime":"t","EventRecordID":7,"Execution_ProcessID":4,"Execution_ThreadID":9,"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"W1","Security_UserID":"S-1-5-18",)";
  const std::string flat = inputs_of(head + R"("Image":"C:\\a.exe","CommandLine":"a","ProcessId":12})");
  ASSERT_NE(flat.find("t.sysmon"), std::string::npos);
  const std::string forms[] = {
      head + R"("EventData":{"Image":"C:\\a.exe","CommandLine":"a","ProcessId":"12"}})",
      head + R"("Event":{"EventData":{"Image":"C:\\a.exe","CommandLine":"a","ProcessId":"12"}}})",
      head + R"("EventData":{"Data":[{"@Name":"Image","#text":"C:\\a.exe"},{"@Name":"CommandLine","#text":"a"},{"@Name":"ProcessId","#text":"12"}]}})",
      head + R"("EventData":[{"Name":"Image","Value":"C:\\a.exe"},{"Name":"CommandLine","Value":"a"},{"Name":"ProcessId","Value":12}]})",
      head + R"("EventData.Image":"C:\\a.exe","EventData.CommandLine":"a","EventData.ProcessId":12})",
      head + R"("UserData":{"EventXML":{"Image":"C:\\a.exe","CommandLine":"a","ProcessId":"12"}}})",
      head + R"("winlog":{"event_data":{"Image":"C:\\a.exe","CommandLine":"a","ProcessId":"12"}}})",
      R"({"Provider":"Microsoft-Windows-Sysmon","EventID":{"#text":"1","@Qualifiers":"0"},"TimeCreated":"t","EventRecordID":7,"Execution":{"ProcessID":4,"ThreadID":9},"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"W1","Security":{"@UserID":"S-1-5-18"},
          "EventData":{"Image":"C:\\a.exe","CommandLine":"a","ProcessId":"12"}})",
      R"({"Provider":{"#attributes":{"Name":"Microsoft-Windows-Sysmon"}},"EventID":1,"TimeCreated":{"#attributes":{"SystemTime":"t"}},"EventRecordID":7,"Execution":{"#attributes":{"ProcessID":4,"ThreadID":9}},"Channel":"Microsoft-Windows-Sysmon/Operational","Computer":"W1",
          "Security":{"UserID":"S-1-5-18"},"EventData":{"Image":"C:\\a.exe","CommandLine":"a","ProcessId":"12"}})",
      R"({"PayloadData1":"no value","MapDescription":"Process creation","UserName":"NT\\S","ExecutableInfo":"a","ChunkNumber":0,"Computer":"W1","Payload":"{\"EventData\":{\"Data\":[{\"@Name\":\"Image\",\"#text\":\"C:\\\\a.exe\"},{\"@Name\":\"CommandLine\",\"#text\":\"a\"},{\"@Name\":\"ProcessId\",\"#text\":\"12\"}]}}",
          "UserId":"S-1-5-18","Channel":"Microsoft-Windows-Sysmon/Operational","Provider":"Microsoft-Windows-Sysmon","EventId":1,"EventRecordId":"7","ProcessId":4,"ThreadId":9,"Level":"Info","Keywords":"Classic","SourceFile":"x.evtx","ExtraDataOffset":0,"HiddenRecord":false,"TimeCreated":"t","RecordNumber":1})",
  };
  for (const std::string& json : forms) EXPECT_EQ(inputs_of(json), flat) << json;
  EXPECT_EQ(inputs_of(R"({"Provider":{"Name":"App"},"EventID":{"Value":3},"EventData":{"Kept":"k"},"Channel":"Application"})"), inputs_of(R"({"Provider_Name":"App","EventID":3,"Kept":"k","Channel":"Application"})"));
  EXPECT_EQ(inputs_of(R"({"Provider":{"Name":"App"},"EventID":{"Value":3},"Channel":"Application"})"), inputs_of(R"({"Provider_Name":"App","EventID":3,"Channel":"Application"})")) << "an event without data";
  const std::string both = inputs_of(head + R"("Image":"top","EventData":{"Image":"part"}})");
  EXPECT_NE(both.find("Image=part"), std::string::npos) << both;
  EXPECT_TRUE(both.ends_with("| top")) << both << ": keywords see both";
  EXPECT_EQ(inputs_of(R"({"Channel":"Application","EventID":1,"Level":4,"EventData":{"Level":"mine","Kept":null},"Provider_Name":"P"})"), inputs_of(R"({"Channel":"Application","EventID":1,"Level":4,"EventData_Level":"mine","Kept":"","Provider_Name":"P"})"));
  const std::string broken = R"({"Channel":"Application","EventId":1,"Payload":"{\"EventData\":{\"Data\":\"x\"}},\"Channel\":\"Security\"}"})";
  EXPECT_EQ(inputs_of(broken), R"(t.application EventID=1 Channel=Application | {"EventData":{"Data":"x"}},"Channel":"Security"})") << "no JSON of its own: a text";
  EXPECT_EQ(inputs_of(R"({"Channel":"Application","EventID":1,"Security":{"level":"x"},"Provider":{"Region":"eu"},"Message":"m","message2":"n"})"), "t.application EventID=1 Channel=Application Message=m | eu n x") << "objects that only look so";
  EXPECT_EQ(inputs_of(R"({"Provider":{"Name":"cloud"},"a":"b"})"), "");
}

TEST(NestedEvents, UnnamedDataAndNamesThatSystemHasToo) {
  const std::string flat = inputs_of(R"({"Channel":"Application","EventID":1000,"Provider_Name":"App","Data":"one\n\nthree"})");
  EXPECT_EQ(inputs_of(R"({"Event":{"System":{"Channel":"Application","EventID":{"#text":1000,"#attributes":{"Qualifiers":0}},"Provider":{"#attributes":{"Name":"App"}}},"EventData":{"Data":["one","","three"]}}})"), flat);
  EXPECT_EQ(inputs_of(R"({"Event":{"System":{"Channel":"Application","EventID":1000,"Provider":{"#attributes":{"Name":"App"}}},"EventData":{"Data":{"#text":["one",null,"three"]}}}})"), flat);
  EXPECT_EQ(inputs_of(R"({"Event":{"System":{"Channel":"Application","EventID":1000,"Provider":{"@Name":"App"}},"EventData":{"Data":[{"#text":"one"},{},"three"]}}})").find("Data=one"), flat.find("Data=one"));
  EXPECT_EQ(inputs_of(R"({"Event":{"System":{"Channel":"Application","EventID":1000,"Provider":{"@Name":"App"}},"EventData":{"Data":"one\n\nthree"}}})"), flat);
  const std::string beat = inputs_of(R"({"winlog":{"channel":"Application","event_id":1000,"provider_name":"App","event_data":{"param1":"one","param2":"","param3":"three"}}})");
  EXPECT_EQ(beat.substr(0, flat.size()), flat) << "Winlogbeat's names for data without a name are others, beside Data";
  const std::string level = inputs_of(R"({"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Provider_Name":"P","Level":4,"EventData_Level":"mine"})");
  EXPECT_EQ(inputs_of(R"({"Event":{"System":{"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Provider":{"@Name":"P"},"Level":4},"EventData":{"Level":"mine"}}})"), level);
}

TEST(NestedEvents, UserDataGivesItsLeaves) {
  const std::string flat = inputs_of(R"({"Channel":"Application","EventID":1,"Provider_Name":"P","Param1":"a","Kept":""})");
  EXPECT_EQ(inputs_of(R"({"Event":{"System":{"Channel":"Application","EventID":1,"Provider":{"@Name":"P"}},"UserData":{"EventXML":{"#attributes":{"xmlns":"urn:x"},"Param1":"a","Kept":null}}}})"), flat);
  EXPECT_EQ(inputs_of(R"({"Event":{"System":{"Channel":"Application","EventID":1,"Provider":{"@Name":"P"}},"UserData":{"@xmlns":"y","X":{"Param1":{"#text":"a"},"Kept":""}}}})"), flat);
  EXPECT_EQ(inputs_of(R"({"winlog":{"channel":"Application","event_id":1,"provider_name":"P","user_data":{"xml_name":"EventXML","Param1":"a","Kept":""}}})"), flat);
}

TEST(NestedEvents, ElasticFieldsStandInWhereEventDataLacksThem) {
  EXPECT_EQ(inputs_of(R"({"process":{"executable":"C:\\e.exe","pid":7,"parent":{"executable":"C:\\p.exe"},"hash":{"md5":"aa","sha1":"bb"},"pe":{"imphash":"cc"}},"user":{"domain":"D","name":"u"},"event":{"code":"1"},
      "winlog":{"channel":"Microsoft-Windows-Sysmon/Operational","event_data":{"CommandLine":"c"}}})"),
            "t.sysmon EventID=1 Channel=Microsoft-Windows-Sysmon/Operational Image=C:\\e.exe CommandLine=c ParentImage=C:\\p.exe User=D\\u Hashes=SHA1=BB,MD5=AA,IMPHASH=CC ProcessId=7");
  EXPECT_EQ(inputs_of(R"({"process":{"executable":"C:\\e.exe","parent":{"executable":"C:\\p.exe"}},"user":{"name":"u"},"winlog":{"channel":"Security","event_id":4688,"event_data":{"SubjectUserName":"s"}}})"),
            "t.security EventID=4688 Channel=Security NewProcessName=C:\\e.exe ParentProcessName=C:\\p.exe SubjectUserName=s | u");
  EXPECT_EQ(inputs_of(R"({"process":{"executable":"C:\\e.exe"},"winlog":{"channel":"Security","event_id":4624}})"), "t.security EventID=4624 Channel=Security ProcessName=C:\\e.exe");
  EXPECT_EQ(inputs_of(R"({"registry":{"path":"HKLM\\x","data":{"strings":["1","2"]}},"winlog":{"channel":"Microsoft-Windows-Sysmon/Operational","event_id":13,"event_data":{"TargetObject":"HKLM\\y"}}})"),
            "t.sysmon EventID=13 Channel=Microsoft-Windows-Sysmon/Operational TargetObject=HKLM\\y Details=1 +Details=2 | HKLM\\x");
}

// The names of the inputs that have a value in any Type that takes the event, each once, and their values.
std::string embedded_inputs(std::string_view json, std::initializer_list<std::string_view> names) {
  static Decoder decoder(Catalog::embedded());
  const auto decoded = decoder.decode(json);
  if (!decoded) return "refused: " + decoded.error().detail;
  std::string out;
  for (const std::string_view name : names) {
    for (const Decoded& each : *decoded) {
      const auto index = each.type->input_index(name);
      if (!index || !each.inputs.values[*index].has_value()) continue;
      out += (out.empty() ? "" : "|") + std::string(name) + "=" + std::string(each.inputs.values[*index].text());
      for (const auto& more : each.inputs.further) out += more.input == *index ? "+" + std::string(more.text) : "";
      break;
    }
  }
  return out;
}

std::string beat(std::string_view channel, int id, const std::string& fields, const std::string& data = "") {
  return R"({"winlog":{"channel":")" + std::string(channel) + R"(","event_id":")" + std::to_string(id) + R"("})" + (data.empty() ? "" : R"(,"winlog.event_data":{)" + data + "}") + "," + fields + "}";
}

TEST(WinlogbeatModules, Sysmon) {
  const auto of = [](int id, const std::string& fields, std::initializer_list<std::string_view> names, const std::string& data = "") { return embedded_inputs(beat("Microsoft-Windows-Sysmon/Operational", id, fields, data), names); };
  EXPECT_EQ(of(1, R"("rule":{"name":"t"},"process":{"pe":{"original_file_name":"o","company":"c","description":"d","product":"p","file_version":"1"}})", {"RuleName", "OriginalFileName", "Company", "Description", "Product", "FileVersion"}),
            "RuleName=t|OriginalFileName=o|Company=c|Description=d|Product=p|FileVersion=1");
  EXPECT_EQ(of(7, R"("file":{"path":"C:\\a.dll","pe":{"original_file_name":"o","imphash":"ab"},"hash":{"md5":"cd","sha256":"ef"}})", {"ImageLoaded", "OriginalFileName", "Hashes"}), "ImageLoaded=C:\\a.dll|OriginalFileName=o|Hashes=MD5=CD,SHA256=EF,IMPHASH=AB");
  EXPECT_EQ(of(15, R"("file":{"path":"a","hash":{"sha1":"cd"}})", {"TargetFilename", "Hash"}), "TargetFilename=a|Hash=SHA1=CD");
  EXPECT_EQ(of(9, R"("file.path":"\\Device\\x")", {"Device", "TargetFilename"}), "Device=\\Device\\x");
  EXPECT_EQ(of(10, R"("process":{"executable":"s","pid":5,"entity_id":"{G}","thread":{"id":6}})", {"SourceImage", "SourceProcessId", "SourceProcessGUID", "SourceThreadId", "Image"}), "SourceImage=s|SourceProcessId=5|SourceProcessGUID={G}|SourceThreadId=6");
  for (const auto& [word, value] : {std::pair("egress", "true"), {"outbound", "true"}, {"ingress", "false"}, {"inbound", "false"}}) {
    EXPECT_EQ(of(3, std::string(R"("network":{"direction":")") + word + R"("})", {"Initiated"}), std::string("Initiated=") + value);
  }
  EXPECT_EQ(of(3, R"("network":{"direction":"unknown","type":"ipv6","protocol":"https"})", {"Initiated", "SourceIsIpv6", "DestinationIsIpv6", "DestinationPortName"}), "SourceIsIpv6=true|DestinationIsIpv6=true|DestinationPortName=https");
  EXPECT_EQ(of(3, R"("network":{"type":"ipv4"})", {"SourceIsIpv6", "Protocol"}), "SourceIsIpv6=false");
  EXPECT_EQ(of(13, R"("registry":{"hive":"HKLM","key":"a\\v","value":"v","data":{"type":"SZ_DWORD","strings":["4"]}})", {"TargetObject", "Details"}), "TargetObject=HKLM\\a\\v|Details=DWORD (0x00000004)");
  EXPECT_EQ(of(13, R"("registry":{"hive":"HKLM","key":"a","value":"v","data":{"strings":["4294967297"],"type":"REG_QWORD"}})", {"TargetObject", "Details"}), "TargetObject=HKLM\\a\\v|Details=QWORD (0x00000001-0x00000001)");
  EXPECT_EQ(of(13, R"("registry":{"path":"p","data":{"strings":["4294967296"],"type":"REG_DWORD"}})", {"TargetObject", "Details"}), "TargetObject=p|Details=4294967296") << "no DWORD: as it stands";
  EXPECT_EQ(of(13, R"("registry":{"data":{"strings":["4"],"type":"REG_SZ"}})", {"Details"}), "Details=4");
  EXPECT_EQ(of(13, R"("registry":{"data":{"strings":["Binary Data"],"type":"REG_BINARY"}})", {"Details"}), "Details=Binary Data");
  EXPECT_EQ(of(22, R"("dns":{"answers":[{"type":"CNAME","data":"a.b"},{"data":"1.2.3.4","type":"A"},{"data":"fe80::1"}],"resolved_ip":["1.2.3.4","fe80::1"]},"sysmon":{"dns":{"status":"DNS_ERROR_RCODE_NAME_ERROR"}})", {"QueryResults", "QueryStatus"}),
            "QueryResults=type:  5 a.b;::ffff:1.2.3.4;fe80::1;|QueryStatus=9003");
  EXPECT_EQ(of(22, R"("dns":{"resolved_ip":["1.2.3.4"]})", {"QueryResults"}), "QueryResults=::ffff:1.2.3.4;");
  EXPECT_EQ(of(23, R"("sysmon":{"file":{"is_executable":true,"archived":false}})", {"IsExecutable", "Archived"}), "IsExecutable=true|Archived=false");
  EXPECT_EQ(of(25, R"("message":"Image is replaced")", {"Type"}), "Type=Image is replaced");
  EXPECT_EQ(of(25, R"("message":"Process Tampering:\r\nType: Image is locked\r\nUser: u")", {"Type"}), "Type=Image is locked");
  EXPECT_EQ(of(13, R"("registry":{"path":"p","data":{"type":"SZ_DWORD","strings":["4"]}},"network":{"direction":"egress"})", {"TargetObject", "Details"}, R"("TargetObject":"mine","details":"own")"), "TargetObject=mine|Details=own") << "the event's own data win";
}

TEST(WinlogbeatModules, Security) {
  const auto of = [](int id, const std::string& fields, std::initializer_list<std::string_view> names, const std::string& data = "") { return embedded_inputs(beat("Security", id, fields, data), names); };
  EXPECT_EQ(of(4624, R"("source":{"ip":"10.1.1.1","port":5,"domain":"WS"},"process":{"pid":500,"executable":"p"},"user":{"name":"u","domain":"D","id":"S-1"},"winlog.logon.id":"0x3")",
               {"IpAddress", "IpPort", "WorkstationName", "ProcessId", "ProcessName", "TargetUserName", "TargetDomainName", "TargetUserSid", "SubjectUserName", "SourceIp"}),
            "IpAddress=10.1.1.1|IpPort=5|WorkstationName=WS|ProcessId=0x1f4|ProcessName=p|TargetUserName=u|TargetDomainName=D|TargetUserSid=S-1");
  EXPECT_EQ(of(4688, R"("process":{"pid":500,"executable":"p","command_line":"c","parent":{"pid":4,"executable":"q"}},"user":{"name":"u","effective":{"name":"e"}})", {"NewProcessId", "NewProcessName", "CommandLine", "ParentProcessName", "SubjectUserName", "TargetUserName"}),
            "NewProcessId=0x1f4|NewProcessName=p|CommandLine=c|ParentProcessName=q|SubjectUserName=u|TargetUserName=e");
  EXPECT_EQ(of(4732, R"("group":{"name":"Administrators","domain":"Builtin","id":"S-1-5-32-544"},"user":{"name":"u","target":{"name":"m"}})", {"TargetUserName", "TargetDomainName", "TargetSid", "SubjectUserName"}),
            "TargetUserName=Administrators|TargetDomainName=Builtin|TargetSid=S-1-5-32-544|SubjectUserName=u");
  EXPECT_EQ(of(4720, R"("user":{"name":"u","target":{"name":"m","id":"S-2"}})", {"TargetUserName", "TargetSid", "SubjectUserName"}), "TargetUserName=m|TargetSid=S-2|SubjectUserName=u");
  EXPECT_EQ(of(4781, R"("user":{"target":{"name":"old"},"changes":{"name":"new"}})", {"OldTargetUserName", "NewTargetUserName"}), "OldTargetUserName=old|NewTargetUserName=new");
  EXPECT_EQ(of(4778, R"("source":{"ip":"1.1.1.1","domain":"c"},"user":{"name":"u"})", {"ClientAddress", "ClientName", "AccountName"}), "ClientAddress=1.1.1.1|ClientName=c|AccountName=u");
  EXPECT_EQ(of(4624, R"("source":{"ip":"10.1.1.1"},"user":{"name":"u"})", {"IpAddress", "TargetUserName"}, R"("IpAddress":"-","TargetUserName":"t")"), "IpAddress=-|TargetUserName=t") << "the event's own data win";
}

TEST(WinlogbeatModules, PowerShell) {
  const std::string operational = "Microsoft-Windows-PowerShell/Operational";
  EXPECT_EQ(embedded_inputs(beat(operational, 4104, R"("powershell":{"file":{"script_block_text":"t","script_block_id":"i"},"sequence":1,"total":2},"file":{"path":"C:\\x.ps1"})"), {"ScriptBlockText", "ScriptBlockId", "MessageNumber", "MessageTotal", "Path"}),
            "ScriptBlockText=t|ScriptBlockId=i|MessageNumber=1|MessageTotal=2|Path=C:\\x.ps1");
  const std::string details = R"("powershell":{"command":{"name":"n","invocation_details":[{"related_command":"Out-Null","type":"CommandInvocation","value":"\"Out-Null\""},{"name":"\"A\"","related_command":"Out-Null","type":"ParameterBinding","value":"\"b\""},{"value":"raw"}]}},
      "process":{"command_line":"host -x","title":"ConsoleHost"},"user":{"name":"u"})";
  EXPECT_EQ(embedded_inputs(beat(operational, 4103, details), {"Payload", "ContextInfo"}),
            "Payload=CommandInvocation(Out-Null): \"Out-Null\"\nParameterBinding(Out-Null): name=\"A\"; value=\"b\"\nraw\n|ContextInfo=        Host Name = ConsoleHost\n        Host Application = host -x\n        Command Name = n\n");
  EXPECT_EQ(embedded_inputs(beat(operational, 4103, details + R"(,"message":"CommandInvocation(x): \"Context:\"\nContext:\n\n\nContext:\n        Severity = I\n        Host Name = h\n\n\nUser Data:\n\n")"), {"Payload", "ContextInfo"}),
            "Payload=CommandInvocation(x): \"Context:\"\nContext:|ContextInfo=        Severity = I\n        Host Name = h") << "the message says it as it was";
  EXPECT_EQ(embedded_inputs(beat("Windows PowerShell", 400, R"("powershell":{"engine":{"version":"2.0","new_state":"Available","previous_state":"None"},"runspace_id":"r","process":{"executable_version":"2.0"}},"process":{"title":"ConsoleHost","command_line":"powershell","entity_id":"g"},
      "message":"Engine state is changed.\n\tEngineVersion=2.0")"), {"Data", "HostApplication", "HostName", "HostId", "HostVersion", "EngineVersion", "NewEngineState", "PreviousEngineState", "RunspaceId", "CommandLine"}),
            "Data=Engine state is changed.\n\tEngineVersion=2.0|HostApplication=powershell|HostName=ConsoleHost|HostId=g|HostVersion=2.0|EngineVersion=2.0|NewEngineState=Available|PreviousEngineState=None|RunspaceId=r");
  EXPECT_EQ(embedded_inputs(beat("Windows PowerShell", 600, R"("powershell":{"provider":{"name":"Registry","new_state":"Started"},"engine":{"version":"5"}},"user":{"domain":"D","name":"u"})"), {"Data", "ProviderName", "UserId"}),
            "Data=\tProviderName=Registry\n\tNewProviderState=Started\n\tUserId=D\\u\n\tEngineVersion=5\n|ProviderName=Registry|UserId=D\\u") << "without a message";
}

TEST(NestedEvents, KeywordsSeeEveryValueButTheShippersOwn) {
  EXPECT_EQ(inputs_of(R"({"@timestamp":"t0","@metadata":{"beat":"b1"},"agent":{"name":"b2"},"ecs":{"version":"b3"},"host":{"name":"b4","os":{"name":"b5"}},"log":{"level":"b6"},"tags":["b7"],"event":{"code":"1","kind":"b8","module":"b9","original":"<Event>","action":"Created"},"_id":"b0",
      "process":{"args":["a1","a2"],"name":"e.exe"},"powershell":{"x":"ps"},"dns":{"answers":[{"data":"d1"}]},"registry":{"hive":"HKU","path":"HKU\\p"},"user":{"name":"u"},"labels":{"k":"own"},"mine":"top","list":[["l1"],"l2"],
      "winlog":{"channel":"Application","event_id":1,"task":"w"}})"),
            "t.application EventID=1 TimeCreated_SystemTime=t0 Channel=Application Computer=b4 | <Event> Created HKU HKU\\p a1 a2 d1 e.exe l1 l2 own ps top u w");
}

TEST(NestedEvents, ListsInsideListsAndObjectsInPlaceOfValues) {
  const auto no_value = [](std::string_view json) {
    static Decoder decoder(catalog());
    EXPECT_TRUE(decoder.decode(json).has_value());
    return decoder.notices().no_value;
  };
  const std::string flat = R"({"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,"Provider_Name":"P","CommandLine":)", nested = R"({"winlog":{"channel":"Microsoft-Windows-Sysmon/Operational","event_id":1,"provider_name":"P","event_data":{"CommandLine":)";
  const std::string head = "t.sysmon Provider_Name=P EventID=1 Channel=Microsoft-Windows-Sysmon/Operational";
  for (const auto& [start, end] : {std::pair(flat, "}"), {nested, "}}}"}}) {
    EXPECT_EQ(inputs_of(start + R"([["x"]])" + end), head + " CommandLine=x") << start;
    EXPECT_EQ(inputs_of(start + R"([[["x"],"y"],[],"z"])" + end), head + " CommandLine=x +CommandLine=y +CommandLine=z") << start;
    EXPECT_FALSE(no_value(start + R"([["x"],"y"])" + end));
    EXPECT_EQ(inputs_of(start + R"([{"a":"x"},{"a":["y"]}])" + end), head + " | x y") << start;
    EXPECT_TRUE(no_value(start + R"([{"a":"x"},{"a":["y"]}])" + end));
    EXPECT_EQ(inputs_of(start + R"([{"a":"x"},"y",{"b":1},["z"]])" + end), head + " CommandLine=y +CommandLine=z | 1 x") << start;
    EXPECT_TRUE(no_value(start + R"(["y",{"b":1}])" + end));
    EXPECT_EQ(inputs_of(start + R"({"a":"x"})" + end), head + " | x") << start;
    EXPECT_TRUE(no_value(start + R"({"a":"x"})" + end));
  }
  EXPECT_FALSE(no_value(R"({"Channel":"Application","EventID":1,"Provider_Name":"P","other":{"a":"x"}})")) << "no input";
}

TEST(NestedEvents, ElasticProcessStartsOnLinux) {
  EXPECT_EQ(inputs_of(R"({"event":{"category":["process"],"type":["start"],"action":"exec"},"host":{"os":{"type":"linux"}},"process":{"executable":"/bin/sh","command_line":"sh -c x","pid":5,"parent":{"executable":"/bin/su"}},"user":{"name":"root"}})"),
            "t.linux Image=/bin/sh CommandLine=sh -c x ParentImage=/bin/su User=root ProcessId=5 | exec");
  EXPECT_EQ(inputs_of(R"({"event":{"category":["process"],"type":["end"]},"host":{"os":{"type":"linux"}},"process":{"executable":"/bin/sh"}})"), "");
  EXPECT_EQ(inputs_of(R"({"event":{"category":["process"],"type":["start"]},"host":{"os":{"type":"macos"}},"process":{"executable":"/bin/sh"}})"), "");
}

TEST(NestedEvents, JournalEntriesAreSyslog) {
  EXPECT_EQ(inputs_of(R"({"__REALTIME_TIMESTAMP":"1709870706123456","_HOSTNAME":"h","SYSLOG_IDENTIFIER":"sshd","_PID":"7","PRIORITY":"6","MESSAGE":"Failed password","_EXE":"/usr/sbin/sshd"})"),
            "t.sshd message=Failed password program=sshd pid=7 host=h time=2024-03-08T04:05:06.123456Z severity=info | /usr/sbin/sshd");
  EXPECT_EQ(inputs_of(R"({"_channel":"auditd","_provider":"EXECVE","type":"EXECVE","a0":"sh"})"), "t.execve type=EXECVE a0=sh") << "where a line of text came from is no value";
}

TEST(NestedEvents, ListsInTheJournalAreBytesOrSeveralValues) {
  const auto entry = [](const std::string& fields) { return inputs_of(R"({"__REALTIME_TIMESTAMP":"0","SYSLOG_IDENTIFIER":"sshd",)" + fields + "}"); };
  const std::string head = "t.sshd message=", tail = " program=sshd time=1970-01-01T00:00:00.000000Z";
  const std::string text = head + "Hi!" + tail;
  EXPECT_EQ(entry(R"("MESSAGE":"Hi!")"), text);
  EXPECT_EQ(entry(R"("MESSAGE":[72,105,33])"), text) << "bytes";
  EXPECT_EQ(entry(R"("MESSAGE":[[72,105,33]])"), text);
  EXPECT_EQ(entry(R"("MESSAGE":["Hi!"])"), text);
  EXPECT_EQ(entry(R"("MESSAGE":[72])"), head + "H" + tail) << "one byte";
  EXPECT_EQ(entry(R"("MESSAGE":[72,255,33,0])"), head + "H\xEF\xBF\xBD!" + std::string(1, '\0') + tail);
  EXPECT_EQ(entry(R"("MESSAGE":["a",[98,98],null,"c"])"), head + "a" + tail + " +message=bb +message=c") << "a field that occurs several times";
  EXPECT_EQ(entry(R"("MESSAGE":[])"), "t.sshd" + tail);
  EXPECT_EQ(entry(R"("MESSAGE":null)"), "t.sshd" + tail);
  EXPECT_EQ(entry(R"("MESSAGE":[300,1.5,true,{"x":1},[[1],"y",104]])"), head + "300" + tail + " +message=1.5 +message=true +message=h") << "what journalctl does not write";
  EXPECT_EQ(entry(R"("MESSAGE":"m","MY_FIELD":[115,104])"), head + "m" + tail + " | sh") << "other fields too";
  EXPECT_EQ(inputs_of(R"({"SYSLOG_IDENTIFIER":["sshd",[115,115,104,100]],"MESSAGE":[72,105,33],"__REALTIME_TIMESTAMP":"0"})"), text.substr(0, text.size() - tail.size()) + " program=sshd time=1970-01-01T00:00:00.000000Z +program=sshd") << "in any order";
}

TEST(NestedEvents, NxlogsOwnEventTypeIsNotTheEvents) {
  const auto event_type = [](const std::string& more) {
    return inputs_of(R"({"SourceName":"Microsoft-Windows-Sysmon","Channel":"Microsoft-Windows-Sysmon/Operational",)" + more + "}");
  };
  EXPECT_NE(event_type(R"("EventID":13,"EventType":"INFO")").find("EventType=SetValue"), std::string::npos);
  EXPECT_NE(event_type(R"("EventID":12,"EventType":"INFO","Message":"Registry object added or deleted:\r\nEventType: DeleteKey\r\nUtcTime: x")").find("EventType=DeleteKey"), std::string::npos);
  EXPECT_EQ(event_type(R"("EventID":12,"EventType":"INFO")").find("EventType="), std::string::npos);
  EXPECT_NE(event_type(R"("EventID":12,"EventType":"CreateKey")").find("EventType=CreateKey"), std::string::npos);
  EXPECT_NE(inputs_of(R"({"SourceName":"S","Channel":"Security","EventID":4624,"Keywords":-9214364837600034816})").find("Keywords=0x8020000000000000"), std::string::npos);
}

TEST(NestedEvents, WhatIsOfNoKnownFormStaysAsItWas) {
  EXPECT_EQ(inputs_of(R"({"_type":"t.execve","a0":"x","winlog":{"channel":"Security","event_data":{"Image":"i"}},"Event":{"System":{"EventID":1}}})"), "t.execve a0=x | 1 Security i");
  EXPECT_EQ(inputs_of(R"({"Channel":"Application","EventID":1,"Provider_Name":"P","process":{"executable":"e"},"message":"m"})"), "t.application Provider_Name=P EventID=1 Channel=Application Message=m | e") << "a flat event with an object in it";
  EXPECT_EQ(inputs_of(R"({"process":{"executable":"e"}})"), "");
  EXPECT_EQ(inputs_of(R"({"Event":[1,{"System":[{"EventID":[{"x":{}}]}]}],"winlog":"text","winlog.event_data":7})"), "");
}

TEST(NestedEvents, EveryFormGoesByItsProviderWhereItNamesNoChannel) {
  const auto types_of = [](std::string_view json) {
    static Decoder decoder(Catalog::embedded());
    const auto decoded = decoder.decode(json);
    std::string out;
    for (const Decoded& each : *decoded) out += each.type->id + " ";
    return out;
  };
  for (const char* json : {R"({"Provider_Name":"Microsoft-Windows-Sysmon","EventID":1})", R"({"provider_name":"Microsoft-Windows-Sysmon","eventid":"1"})", R"({"Event":{"System":{"Provider":{"@Name":"Microsoft-Windows-Sysmon"},"EventID":{"#text":"1"}}}})",
                           R"({"System":{"Provider":{"#attributes":{"Name":"Microsoft-Windows-Sysmon"}},"EventID":1}})", R"({"System":{"Provider":{"Name":"Microsoft-Windows-Sysmon"},"EventID":1.0}})",
                           R"({"winlog":{"provider_name":"Microsoft-Windows-Sysmon","event_id":1}})", R"({"winlog":{"provider_name":"Microsoft-Windows-Sysmon"},"event":{"code":"1"}})", R"({"winlog.provider_name":"Microsoft-Windows-Sysmon","winlog.event_id":"1"})"}) {
    EXPECT_EQ(types_of(json), "windows.process_creation ") << json;
  }
  EXPECT_EQ(types_of(R"({"Provider_Name":"Microsoft-Windows-Security-Auditing","EventID":4688})"), "windows.process_creation windows.security ");
  EXPECT_EQ(types_of(R"({"winlog":{"provider_name":"Service Control Manager","event_id":7045}})"), "windows.system ");
  EXPECT_EQ(types_of(R"({"Provider_Name":"Linux-Sysmon","EventID":1})"), "linux.process_creation ");
  EXPECT_EQ(types_of(R"({"Provider_Name":"Somebody","EventID":1})"), "windows.other ");
}

}  // namespace
}  // namespace creance::events
