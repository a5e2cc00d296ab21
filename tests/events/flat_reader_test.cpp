// The short way of flat events answers what the general way answers: over generated JSON, well-formed and not, each text several times, so that names are learned and then known.
#include "events/flat_reader.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "events/answers.hpp"
#include "events/decoder.hpp"

namespace creance::events {
namespace {

using schema::TemplateType;

const schema::Catalog& catalog() {
  static const schema::Catalog made([] {
    const auto type = [](std::string id, std::vector<schema::EventSource> sources, std::vector<std::string> inputs) {
      TemplateType out;
      out.id = std::move(id);
      out.sources = std::move(sources);
      for (auto& name : inputs) out.inputs.push_back({name, name == "EventID" || name == "User" ? schema::InputType::kInteger : schema::InputType::kString, ""});
      return out;
    };
    std::vector<TemplateType> types;
    types.push_back(type("t.process", {{{"Sysmon"}, {}, {1}, {}}, {{"Security"}, {}, {4688}, {{"Image", "NewProcessName"}}}}, {"EventID", "Channel", "Image", "CommandLine", "ThreatName", "User", "user", "Hashes", "md5", "sha1", "sha256", "Imphash"}));
    types.push_back(type("t.security", {{{"Security"}, {}, {}, {}}}, {"EventID", "NewProcessName", "Provider_Name"}));
    types.push_back(type("t.etw", {{{"Etw"}, {"P"}, {7}, {}}}, {"EventID", "Data"}));
    types.push_back(type("t.rest", {{{}, {}, {}, {}, true}}, {"Image"}));
    return types;
  }());
  return made;
}

std::string spaced(const std::string& text) { return *rc::gen::weightedElement<std::string>({{12, ""}, {1, " "}, {1, "\t \r"}}) + text; }

std::string name() {
  return *rc::gen::weightedOneOf<std::string>(
      {{12, rc::gen::element<std::string>("EventID", "Channel", "Provider_Name", "Image", "CommandLine", "NewProcessName", "User", "user", "Data", "Threat Name", "SourceName", "_type", "_source", "_channel", "image", "IMAGE", "Hashes", "Hashes", "md5", "Imphash")},
       {2, rc::gen::element<std::string>("", "a", "ab", "abcdefg", "abcdefgh", "abcdefghi", "Im\\u0061ge", "a\\\"b", "@timestamp", "winlog.channel", "log_name", "System", "__REALTIME_TIMESTAMP")},
       {1, rc::gen::map(rc::gen::inRange(30, 60), [](int n) { return std::string(static_cast<size_t>(n), 'n'); })}});
}

std::string text_value() {
  const auto piece = rc::gen::weightedOneOf<std::string>(
      {{6, rc::gen::element<std::string>("C:", "\\\\", "\\\\Windows\\\\", "cmd.exe", "powershell -enc ", "x", "eight..8", "ä", "日本", " ")},
       {2, rc::gen::element<std::string>("\\n", "\\\"", "\\/", "\\u00e4", "\\ud83d\\ude00", "\\ud800", "\\udc00\\u0041")},
       {1, rc::gen::element<std::string>("\\", "\\x", "\\u12", "\\u12g4", "\x01", "\xff", "\"", "\\ud83d\\u12")}});
  const auto pieces = *rc::gen::container<std::vector<std::string>>(piece);
  std::string out;
  for (const std::string& each : pieces) out += each;
  return "\"" + out + "\"";
}

std::string value_for(const std::string& key) {
  if (key == "EventID" && *rc::gen::weightedElement<bool>({{9, true}, {1, false}})) return *rc::gen::element<std::string>("1", "7", "4688", "\"1\"", "2", "01", "1.0", "4.688e3", "\" 7 \"", "null");
  if (key == "Channel" && *rc::gen::weightedElement<bool>({{9, true}, {1, false}})) return *rc::gen::element<std::string>("\"Sysmon\"", "\"SECURITY\"", "\"Etw\"", "\"\"", "null", "\"Sys\\u006don\"");
  if (key == "Provider_Name") return *rc::gen::element<std::string>("\"P\"", "\"p\"", "\"Q\"", "null");
  if (key == "Hashes") return *rc::gen::element<std::string>("\"MD5=aa,SHA256=bb,IMPHASH=cc\"", "\"sha1=d\\u0064, md5=ee\"", "\"MD5=,=x,SHA256\"", "\"\"", "null", "[\"MD5=aa\"]", "{}");
  if (key == "_type") return *rc::gen::element<std::string>("\"t.process\"", "\"t.none\"", "\"\"", "1");
  return *rc::gen::weightedOneOf<std::string>({{12, rc::gen::exec(text_value)},
                                               {3, rc::gen::element<std::string>("0", "-1.5e+3", "-20e1", "\"007\"", "true", "false", "null", "\"\"", "1", "1e5")},
                                               {1, rc::gen::element<std::string>("01", "+1", "nul", "tru e", "1 2", "\"a\" \"b\"", "\"a\"b", "1\"x\"", "a", "", ",", ":", "'a'")},
                                               {1, rc::gen::element<std::string>("[]", "{}", "[\"a\",\"b\"]", "{\"k\":\"v\"}", "[1,[2,{\"k\":3}]]", "[", "{\"a\":}")}});
}

std::string event() {
  std::string out = "{";
  std::vector<std::string> names;
  if (*rc::gen::weightedElement<bool>({{4, true}, {1, false}})) names = {"Channel", "EventID"};
  const int more = *rc::gen::inRange(0, 8);
  for (int i = 0; i < more; ++i) names.push_back(name());
  for (size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += spaced(",");
    out += spaced("\"" + names[i] + "\"") + spaced(":") + spaced(value_for(names[i]));
  }
  out += spaced("}");
  return *rc::gen::weightedElement<std::string>({{30, out}, {1, " " + out + " \r"}, {1, out + "x"}, {1, out + out}, {1, out.substr(0, out.size() / 2)}, {1, "[" + out + "]"}, {1, ""}});
}

RC_GTEST_PROP(FlatReader, AnswersLikeTheGeneralWay, ()) {
  const bool with_others = *rc::gen::arbitrary<bool>();
  const bool all_inputs = *rc::gen::arbitrary<bool>();
  const Wants wants = [&](const TemplateType& type) {
    Wanted wanted{with_others, {}};
    for (size_t i = 0; !all_inputs && i < type.inputs.size(); ++i) wanted.inputs.push_back(i % 2 == 0);
    return wanted;
  };
  Decoder both(catalog(), wants), general(catalog(), wants, Decoder::Ways::kGeneral);
  std::vector<std::string> events;
  const int count = *rc::gen::inRange(1, 6);
  for (int i = 0; i < count; ++i) events.push_back(event());
  for (int round = 0; round < 3; ++round) {
    for (const std::string& json : events) RC_ASSERT(told(both.decode(json)) == told(general.decode(json)));
  }
  RC_ASSERT(both.duplicate_keys() == general.duplicate_keys());
}

// Other values under the same names: what is remembered of one event is not used for another that goes elsewhere.
TEST(FlatReader, DecidingValuesAreLookedAtInEveryEvent) {
  Decoder decoder(catalog());
  const auto type_of = [&](std::string_view json) {
    const auto answer = decoder.decode(json);
    return !answer ? "refused" : answer->empty() ? "none" : answer->front().type->id;
  };
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(type_of(R"({"Channel":"Sysmon","EventID":1,"Image":"a"})"), "t.process");
    EXPECT_EQ(type_of(R"({"Channel":"Security","EventID":1,"Image":"a"})"), "t.security");
    EXPECT_EQ(type_of(R"({"Channel":"Sysmon","EventID":2,"Image":"a"})"), "t.rest");
    EXPECT_EQ(type_of(R"({"Channel":"Sysmon","EventID":null,"Image":"a"})"), "none");
    EXPECT_EQ(type_of(R"({"Channel":"Sysmon","EventID":1,"Image":"\x"})"), "refused");
    for (int id = 100; id < 120; ++id) EXPECT_EQ(type_of(R"({"Channel":"Sysmon","EventID":)" + std::to_string(id) + R"(,"Image":"a"})"), "t.rest");
  }
}

// More names than are remembered, of one place and of all: the answers stay, and so does the memory.
TEST(FlatReader, ManyNamesChangeNoAnswer) {
  Decoder both(catalog()), general(catalog(), {}, Decoder::Ways::kGeneral);
  const auto check = [&](const std::string& json) { ASSERT_EQ(told(both.decode(json)), told(general.decode(json))) << json; };
  for (uint32_t i = 0; i < 2 * FlatReader::kNamesRemembered; ++i) {
    check(R"({"Channel":"Sysmon","EventID":1,"n)" + std::to_string(i % 40) + "\":\"v\",\"m" + std::to_string(i) + "\":1,\"Image\":\"a\"}");
    if (i % 8 == 0) check(R"({"Channel":"Sysmon","EventID":1,"Image":"a"})");
  }
  std::string wide = R"({"Channel":"Sysmon","EventID":1)";
  for (int i = 0; i < 2'000; ++i) wide += ",\"w" + std::to_string(i) + "\":\"v\"";
  for (int round = 0; round < 3; ++round) check(wide + ",\"Image\":\"a\"}");
}

}  // namespace
}  // namespace creance::events
