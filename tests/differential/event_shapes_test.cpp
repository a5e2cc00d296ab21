// A sample of the public events, written in every form in which tools export them (nested JSON of four kinds, nxlog, a list, a packed file, EVTX): the whole scan finds exactly the same matches.
#include <gtest/gtest.h>

#include <unistd.h>
#include <zlib.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "events/evtx_writer.hpp"
#include "scan/scan.hpp"
#include "shared_data.hpp"

namespace creance {
namespace {

using Json = nlohmann::ordered_json;

const std::vector<std::string> kSystem = {"Provider_Name", "Provider_Guid", "EventID", "Version", "Level", "Task", "Opcode", "Keywords", "TimeCreated_SystemTime", "EventRecordID", "Correlation_ActivityID", "Execution_ProcessID", "Execution_ThreadID",
                                          "Channel", "Computer", "Security_UserID"};
bool is_system(const std::string& name) { return std::find(kSystem.begin(), kSystem.end(), name) != kSystem.end(); }

// Every so many of the quick events, such as have a channel (all forms but the flat one name it), without what is only in the sample; and where each one stands.
struct Sample {
  std::vector<Json> events;
  std::map<std::string, uint64_t> line_of;  // place in the data -> line in the sample
};
Sample sample() {
  Sample out;
  size_t n = 0;
  for (const std::string& file : shared_data::event_files(true)) {
    const std::string error = shared_data::each_event(shared_data::folder() / file, [&](uint64_t line, std::string_view json) {
      if (n++ % 7 != 0) return;
      Json event = Json::parse(json);
      event.erase("_source");
      if (!event.contains("Channel") || !event.contains("Provider_Name")) return;
      out.events.push_back(std::move(event));
      out.line_of.emplace(shared_data::text_of({file, line}), out.events.size());
    });
    EXPECT_EQ(error, "");
  }
  return out;
}

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

// Calls for each datum, System's names apart; `Data` line by line without a name.
void each_datum(const Json& event, const std::function<void(const std::string& name, const std::string& text)>& call) {
  for (const auto& [name, value] : event.items()) {
    if (is_system(name)) continue;
    if (name == "Data") {
      std::istringstream lines(text_of(value) + "\n");
      for (std::string line; std::getline(lines, line);) call("", line);
    } else {
      call(name.starts_with("EventData_") ? name.substr(10) : name, text_of(value));
    }
  }
}

Json as_evtx_dump(const Json& event) {
  Json system = Json::object(), data = Json::object(), unnamed = Json::array();
  const auto attribute = [&](const char* element, const char* name, const char* flat) {
    if (event.contains(flat)) system[element]["#attributes"][name] = event[flat];
  };
  attribute("Provider", "Name", "Provider_Name");
  attribute("Provider", "Guid", "Provider_Guid");
  attribute("TimeCreated", "SystemTime", "TimeCreated_SystemTime");
  attribute("Correlation", "ActivityID", "Correlation_ActivityID");
  attribute("Execution", "ProcessID", "Execution_ProcessID");
  attribute("Execution", "ThreadID", "Execution_ThreadID");
  attribute("Security", "UserID", "Security_UserID");
  for (const char* name : {"EventID", "Version", "Level", "Task", "Opcode", "Keywords", "EventRecordID", "Channel", "Computer"}) {
    if (event.contains(name)) system[name] = event[name];
  }
  each_datum(event, [&](const std::string& name, const std::string& text) {
    if (name.empty()) unnamed.push_back(text);
    else data[name] = text.empty() ? Json(nullptr) : Json(text);
  });
  if (!unnamed.empty()) data["Data"]["#text"] = unnamed;
  return {{"Event", {{"#attributes", {{"xmlns", "x"}}}, {"System", system}, {"EventData", data}}}};
}

Json as_xml_json(const Json& event) {
  Json system = Json::object(), data = Json::array();
  const auto attribute = [&](const char* element, const char* name, const char* flat) {
    if (event.contains(flat)) system[element][std::string("@") + name] = text_of(event[flat]);
  };
  attribute("Provider", "Name", "Provider_Name");
  attribute("Provider", "Guid", "Provider_Guid");
  attribute("TimeCreated", "SystemTime", "TimeCreated_SystemTime");
  attribute("Correlation", "ActivityID", "Correlation_ActivityID");
  attribute("Execution", "ProcessID", "Execution_ProcessID");
  attribute("Execution", "ThreadID", "Execution_ThreadID");
  attribute("Security", "UserID", "Security_UserID");
  if (event.contains("EventID")) system["EventID"] = {{"@Qualifiers", "0"}, {"#text", text_of(event["EventID"])}};
  for (const char* name : {"Version", "Level", "Task", "Opcode", "Keywords", "EventRecordID", "Channel", "Computer"}) {
    if (event.contains(name)) system[name] = text_of(event[name]);
  }
  each_datum(event, [&](const std::string& name, const std::string& text) {
    Json datum = Json::object();
    if (!name.empty()) datum["@Name"] = name;
    if (!text.empty()) datum["#text"] = text;
    data.push_back(datum);
  });
  return {{"Event", {{"System", system}, {"EventData", {{"Data", data}}}}}};
}

// Winlogbeat does not keep the numbers of Level, Task, Opcode and Keywords.
Json without_numbers(Json event) {
  for (const char* name : {"Level", "Task", "Opcode", "Keywords"}) event.erase(name);
  return event;
}
Json as_winlogbeat(const Json& event, bool dotted) {
  Json winlog = Json::object(), data = Json::object();
  const auto put = [&](const char* flat, const std::function<void(const Json&)>& to) {
    if (event.contains(flat)) to(event[flat]);
  };
  Json out = {{"agent", {{"type", "winlogbeat"}, {"name", "collector"}}}, {"ecs", {{"version", "8.0.0"}}}, {"event", {{"kind", "event"}, {"code", text_of(event["EventID"])}, {"provider", event["Provider_Name"]}}}};
  put("TimeCreated_SystemTime", [&](const Json& v) { out["@timestamp"] = v; });
  put("Channel", [&](const Json& v) { winlog["channel"] = v; });
  put("Provider_Name", [&](const Json& v) { winlog["provider_name"] = v; });
  put("Provider_Guid", [&](const Json& v) { winlog["provider_guid"] = v; });
  put("EventID", [&](const Json& v) { winlog["event_id"] = text_of(v); });
  put("Version", [&](const Json& v) { winlog["version"] = v; });
  put("EventRecordID", [&](const Json& v) { winlog["record_id"] = text_of(v); });
  put("Computer", [&](const Json& v) { winlog["computer_name"] = v; });
  put("Correlation_ActivityID", [&](const Json& v) { winlog["activity_id"] = v; });
  put("Execution_ProcessID", [&](const Json& v) { winlog["process"]["pid"] = v; });
  put("Execution_ThreadID", [&](const Json& v) { winlog["process"]["thread"]["id"] = v; });
  put("Security_UserID", [&](const Json& v) { winlog["user"]["identifier"] = v; });
  put("Message", [&](const Json& v) { out["message"] = v; });
  size_t n = 0;
  each_datum(event, [&](const std::string& name, const std::string& text) {
    if (name != "Message") data[name.empty() ? "param" + std::to_string(++n) : name] = text;
  });
  if (!data.empty()) winlog["event_data"] = data;
  out["winlog"] = winlog;
  if (!dotted) return out;
  Json flat = Json::object();
  const std::function<void(const std::string&, const Json&)> flatten = [&](const std::string& path, const Json& value) {
    if (!value.is_object()) {
      flat[path] = value;
      return;
    }
    for (const auto& [name, inner] : value.items()) flatten(path.empty() ? name : path + "." + name, inner);
  };
  flatten("", out);
  return flat;
}

Json as_nxlog(const Json& event) {
  Json out = {{"EventReceivedTime", "now"}, {"SourceModuleName", "in"}, {"SourceModuleType", "im_msvistalog"}, {"Severity", "INFO"}, {"SeverityValue", 2}};
  const std::map<std::string, std::string> names = {{"Provider_Name", "SourceName"}, {"Provider_Guid", "ProviderGuid"}, {"Computer", "Hostname"}, {"EventRecordID", "RecordNumber"}, {"Execution_ProcessID", "ExecutionProcessID"},
                                                    {"Execution_ThreadID", "ThreadID"}, {"Correlation_ActivityID", "ActivityID"}, {"Security_UserID", "UserID"}, {"TimeCreated_SystemTime", "EventTime"}, {"Opcode", "OpcodeValue"}};
  for (const auto& [name, value] : event.items()) {
    const auto at = names.find(name);
    out[at == names.end() ? name : at->second] = value;
  }
  if (out.contains("Keywords")) out["Keywords"] = static_cast<int64_t>(std::stoull(text_of(out["Keywords"]), nullptr, 16));
  if (out.contains("EventType") && event["Channel"] == "Microsoft-Windows-Sysmon/Operational") {  // nxlog writes its own over it; the text still says it
    out["Message"] = "An event:\r\nEventType: " + text_of(event["EventType"]) + "\r\nUtcTime: x";
    out["EventType"] = "INFO";
  }
  return out;
}

uint64_t number_of(const Json& event, const char* name) { return event.contains(name) ? std::stoull(text_of(event[name])) : 0; }
std::string sid_bytes(const std::string& text) {
  std::istringstream parts(text);
  std::vector<uint64_t> numbers;
  for (std::string part; std::getline(parts, part, '-');) numbers.push_back(part == "S" ? 0 : std::stoull(part));
  std::string out = events::le(numbers[1], 1) + events::le(numbers.size() - 3, 1);
  for (int i = 5; i >= 0; --i) out.push_back(static_cast<char>(numbers[2] >> (8 * i)));
  for (size_t i = 3; i < numbers.size(); ++i) out += events::le(numbers[i], 4);
  return out;
}
std::string guid_bytes(const std::string& text) {
  std::string digits;
  for (const char c : text) {
    if (std::isxdigit(static_cast<unsigned char>(c))) digits.push_back(c);
  }
  const auto byte = [&](size_t i) { return static_cast<char>(std::stoi(digits.substr(2 * i, 2), nullptr, 16)); };
  std::string out;
  for (const size_t i : {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15}) out.push_back(byte(i));
  return out;
}

std::string as_evtx(const std::vector<Json>& sampled) {
  std::vector<std::string> chunks;
  std::optional<events::EvtxChunk> chunk;
  uint64_t number = 0;
  for (const Json& event : sampled) {
    events::EvtxEvent e;
    e.provider = text_of(event["Provider_Name"]);
    if (event.contains("Provider_Guid")) e.provider_guid = text_of(event["Provider_Guid"]);
    e.id = static_cast<uint16_t>(number_of(event, "EventID"));
    e.version = static_cast<uint8_t>(number_of(event, "Version"));
    e.level = static_cast<uint8_t>(number_of(event, "Level"));
    e.task = static_cast<uint16_t>(number_of(event, "Task"));
    e.opcode = static_cast<uint8_t>(number_of(event, "Opcode"));
    if (event.contains("Keywords")) e.keywords = std::stoull(text_of(event["Keywords"]), nullptr, 16);
    e.time = 132'000'000'001'234'567;
    e.record = ++number;
    if (event.contains("Correlation_ActivityID")) e.activity = guid_bytes(text_of(event["Correlation_ActivityID"]));
    e.process = static_cast<uint32_t>(number_of(event, "Execution_ProcessID"));
    e.thread = static_cast<uint32_t>(number_of(event, "Execution_ThreadID"));
    e.channel = text_of(event["Channel"]);
    if (event.contains("Computer")) e.computer = text_of(event["Computer"]);
    if (event.contains("Security_UserID")) e.user_sid = sid_bytes(text_of(event["Security_UserID"]));
    std::string id = e.provider + "\n" + e.provider_guid + "\n" + e.channel + "\n" + e.computer;
    each_datum(event, [&](const std::string& name, const std::string& text) {
      e.data.emplace_back(name, events::evtx_string(text.size() > 20'000 ? text.substr(0, 20'000) : text));
      id += "\n" + name;
    });
    const auto write = [&] { return chunk->add(id, events::evtx_template(e), events::evtx_values(e), e.time, e.record); };
    if (!chunk) chunk.emplace(number);
    if (write()) continue;
    if (chunk->count() > 0) chunks.push_back(chunk->finish());
    chunk.emplace(number);
    EXPECT_TRUE(write()) << "an event larger than a chunk";
  }
  if (chunk) chunks.push_back(chunk->finish());
  return events::evtx_file(chunks, number + 1);
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

struct EventShapes : testing::Test {
  std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / ("creance_event_shapes_" + std::to_string(::getpid()));
  void SetUp() override { std::filesystem::create_directories(folder); }
  void TearDown() override { std::filesystem::remove_all(folder); }

  using Found = std::set<std::pair<std::string, uint64_t>>;  // rule, line
  Found scan(const scan::Ruleset& rules, const std::string& name, const std::string& bytes, size_t events) {
    const std::string path = (folder / name).string();
    std::ofstream(path, std::ios::binary) << bytes;
    Found out;
    scan::Sinks sinks;
    sinks.on_match = [&](const scan::Match& match) {
      out.emplace(match.rule->id, match.line);
      EXPECT_TRUE(match.event.starts_with('{') && match.event.find('\n') == std::string_view::npos);
    };
    const std::vector<std::string> files = {path};
    const auto reports = scan::run(rules, files, 2, sinks);
    EXPECT_EQ(reports[0].events, events) << name;
    EXPECT_EQ(reports[0].malformed(), 0u) << name << ": " << (reports[0].first_remarks.empty() ? "" : reports[0].first_remarks[0].reason);
    EXPECT_FALSE(reports[0].error.has_value()) << name;
    return out;
  }
};

TEST_F(EventShapes, GiveTheSameMatchesAsTheFlatForm) {
  SKIP_WITHOUT_SHARED_DATA();
  Diagnostics diagnostics;
  auto rules = scan::Ruleset::prepare(shared_data::rules(), schema::Catalog::embedded(), diagnostics);
  ASSERT_TRUE(rules.has_value());
  const Sample taken = sample();
  const std::vector<Json>& sampled = taken.events;
  ASSERT_GT(sampled.size(), 2'000u);
  const auto lines = [&](const std::function<Json(const Json&)>& form) {
    std::string out;
    for (const Json& event : sampled) out += form(event).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    return out;
  };
  const auto differences = [](const Found& wanted, const Found& got) {
    std::vector<std::pair<std::string, uint64_t>> out;
    std::set_symmetric_difference(wanted.begin(), wanted.end(), got.begin(), got.end(), std::back_inserter(out));
    std::string text = std::to_string(out.size()) + " differ";
    for (size_t i = 0; i < std::min<size_t>(out.size(), 5); ++i) text += "; " + out[i].first + " line " + std::to_string(out[i].second) + (wanted.contains(out[i]) ? " is missing" : " should not be");
    return text;
  };
  const std::string none = "0 differ";
  const Found flat = scan(*rules, "flat.jsonl", lines([](const Json& e) { return e; }), sampled.size());
  Found expected;
  const auto expectations = shared_data::expected_matches();
  for (const sigma::Rule* rule : rules->running()) {
    const auto at = expectations.find(rule->id);
    if (at == expectations.end()) continue;
    for (const shared_data::Place& place : at->second) {
      if (const auto line = taken.line_of.find(shared_data::text_of(place)); line != taken.line_of.end()) expected.emplace(rule->id, line->second);
    }
  }
  ASSERT_GT(expected.size(), 0u);
  EXPECT_EQ(differences(expected, flat), none) << "the sample has all its matches, and no other";
  EXPECT_EQ(differences(flat, scan(*rules, "dump.jsonl", lines(as_evtx_dump), sampled.size())), none);
  EXPECT_EQ(differences(flat, scan(*rules, "xml.jsonl", lines(as_xml_json), sampled.size())), none);
  EXPECT_EQ(differences(flat, scan(*rules, "nxlog.jsonl", lines(as_nxlog), sampled.size())), none);
  EXPECT_EQ(differences(flat, scan(*rules, "flat.jsonl.gz", gzip(lines([](const Json& e) { return e; })), sampled.size())), none);
  EXPECT_EQ(differences(flat, scan(*rules, "x.evtx", as_evtx(sampled), sampled.size())), none);
  const Found lean = scan(*rules, "lean.jsonl", lines(without_numbers), sampled.size());
  EXPECT_EQ(differences(lean, scan(*rules, "beat.jsonl", lines([](const Json& e) { return as_winlogbeat(e, false); }), sampled.size())), none);
  EXPECT_EQ(differences(lean, scan(*rules, "dotted.jsonl", lines([](const Json& e) { return as_winlogbeat(e, true); }), sampled.size())), none);
  std::string list = "[\n";
  for (size_t i = 0; i < sampled.size(); ++i) list += (i > 0 ? ",\n" : "") + as_evtx_dump(sampled[i]).dump(-1, ' ', false, Json::error_handler_t::replace);
  Found shifted;
  for (const auto& [rule, line] : flat) shifted.emplace(rule, line + 1);
  EXPECT_EQ(differences(shifted, scan(*rules, "list.json", list + "\n]\n", sampled.size())), none);
  std::cout << sampled.size() << " events in eight forms, " << flat.size() << " matches in each\n";
}

}  // namespace
}  // namespace creance
