// The Decoder's contract: fields to inputs, routing, and what is malformed.
#include "events/answers.hpp"
#include "events/decoder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/limits.hpp"

namespace creance::events {
namespace {

using schema::Catalog;
using schema::EventSource;
using schema::Presence;
using schema::TemplateType;

const Catalog& catalog() {
  static const Catalog made([] {
    EventSource audit{{"Security"}, {}, {4688}, {{"Image", "NewProcessName"}}};
    std::vector<TemplateType> types;
    types.push_back(make_type("t.process", {{{"Sysmon/Operational"}, {}, {1}, {}}, audit}, {"EventID", "Channel", "Image", "CommandLine", "User"}));
    types.push_back(make_type("t.security", {{{"Security"}, {}, {}, {}}}, {"EventID", "NewProcessName"}));
    types.push_back(make_type("t.etw", {{{"Etw/Analytic"}, {"My-Provider"}, {7}, {}}}, {"EventID", "Data"}));
    types.push_back(make_type("t.fifo", {}, {"Path"}));
    return types;
  }());
  return made;
}

struct DecoderTest : testing::Test {
  Decoder decoder{catalog()};

  std::vector<Decoded> decode(std::string_view json) {
    const auto result = decoder.decode(json);
    EXPECT_TRUE(result.has_value()) << json << ": " << (result ? "" : result.error().detail);
    return result ? std::vector<Decoded>(result->begin(), result->end()) : std::vector<Decoded>();
  }
  std::string reason(std::string_view json) {
    const auto result = decoder.decode(json);
    return result ? "accepted" : result.error().detail;
  }
  static const schema::InputValue& input(const Decoded& decoded, std::string_view name) { return decoded.inputs.values[*decoded.type->input_index(name)]; }
  static std::vector<std::string> others(const Decoded& decoded) {
    std::vector<std::string> out(decoded.inputs.others.begin(), decoded.inputs.others.end());
    std::sort(out.begin(), out.end());
    return out;
  }
};

TEST_F(DecoderTest, RoutesByChannelAndEventIdWithoutCase) {
  const auto got = decode(R"({"Channel":"SYSMON/operational","EventID":1,"Image":"C:\\a.exe"})");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].type->id, "t.process");
  EXPECT_EQ(got[0].inputs.values.size(), 5u);
  EXPECT_EQ(input(got[0], "Image").text(), "C:\\a.exe");
  EXPECT_EQ(input(got[0], "EventID").text(), "1");
  EXPECT_EQ(input(got[0], "User").presence, Presence::kAbsent);
  EXPECT_TRUE(decode(R"({"Channel":"Sysmon/Operational","EventID":2})").empty());
  EXPECT_TRUE(decode(R"({"EventID":1})").empty());
  EXPECT_TRUE(decode(R"({})").empty());
  EXPECT_EQ(decode(R"({"Channel":"Sysmon/Operational","EventID":"1"})").size(), 1u) << "a number in quotes is the same number";
  EXPECT_TRUE(decode(R"({"Channel":"Sysmon/Operational","EventID":"1x"})").empty());
}

TEST_F(DecoderTest, OneEventGoesToSeveralTypesEachWithItsOwnNames) {
  const auto got = decode(R"({"Channel":"Security","EventID":4688,"NewProcessName":"x.exe","Image":"decoy"})");
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(got[0].type->id, "t.process");
  EXPECT_EQ(input(got[0], "Image").text(), "x.exe");
  EXPECT_EQ(others(got[0]), (std::vector<std::string>{"decoy"}));
  EXPECT_EQ(got[1].type->id, "t.security");
  EXPECT_EQ(input(got[1], "NewProcessName").text(), "x.exe");
}

TEST_F(DecoderTest, WithoutChannelTheProviderDecides) {
  EXPECT_EQ(decode(R"({"Provider_Name":"my-provider","EventID":7,"Data":"d"})").size(), 1u);
  EXPECT_EQ(decode(R"({"Provider_Name":"My-Provider","EventID":7,"Channel":"Etw/Analytic"})").size(), 1u);
  EXPECT_TRUE(decode(R"({"Provider_Name":"My-Provider","EventID":8})").empty());
  EXPECT_TRUE(decode(R"({"Provider_Name":"My-Provider","EventID":7,"Channel":"Elsewhere"})").empty());
  EXPECT_TRUE(decode(R"({"Provider_Name":"Other","EventID":7})").empty());
}

TEST_F(DecoderTest, WritersOfALogStandInForAChannelThatIsNotNamed) {
  EventSource sysmon{{"Sysmon/Operational"}, {}, {1}, {}};
  sysmon.writers = {"Sysmon"};
  EventSource security{{"Security"}, {}, {}, {}};
  security.writers = {"Auditing", "Eventlog"};
  EventSource system{{"System"}, {}, {}, {}};
  system.writers = {"Eventlog"};
  const Catalog made({make_type("t.sysmon", {sysmon}, {"EventID"}), make_type("t.security", {security}, {"EventID"}), make_type("t.system", {system}, {"EventID"})});
  Decoder over_made(made);
  const auto types_of = [&](std::string_view json) {
    const auto got = over_made.decode(json);
    std::string out;
    for (const Decoded& each : *got) out += each.type->id + " ";
    return out;
  };
  EXPECT_EQ(types_of(R"({"Provider_Name":"SYSMON","EventID":1})"), "t.sysmon ");
  EXPECT_EQ(types_of(R"({"Provider_Name":"Sysmon","EventID":1,"Channel":""})"), "t.sysmon ");
  EXPECT_EQ(types_of(R"({"Provider_Name":"Sysmon","EventID":1,"Channel":"ForwardedEvents"})"), "t.sysmon ") << "the collector's log, not the event's";
  EXPECT_EQ(types_of(R"({"Provider_Name":"Sysmon","EventID":2})"), "");
  EXPECT_EQ(types_of(R"({"Provider_Name":"Sysmon","EventID":1,"Channel":"Sysmon/Debug"})"), "") << "a channel that is named decides";
  EXPECT_EQ(types_of(R"({"EventID":1,"Channel":"Sysmon/Operational"})"), "t.sysmon ") << "and needs no provider";
  EXPECT_EQ(types_of(R"({"Provider_Name":"Eventlog","EventID":1102})"), "t.security t.system ") << "it writes into both";
  EXPECT_EQ(types_of(R"({"Provider_Name":"Eventlog","EventID":1102,"Channel":"Security"})"), "t.security ");
}

TEST_F(DecoderTest, WhatDecidesTheWayIsReadWithoutCaseToo) {
  EXPECT_EQ(decode(R"({"channel":"Sysmon/Operational","eventid":1})").size(), 1u);
  EXPECT_EQ(decode(R"({"CHANNEL":"Sysmon/Operational","EventId":1})").size(), 1u);
  EXPECT_EQ(decode(R"({"provider_name":"My-Provider","EVENTID":7})").size(), 1u);
  EXPECT_EQ(decode(R"({"Channel":"Sysmon/Operational","channel":"Elsewhere","EventID":1,"eventID":2})").size(), 1u) << "an exact name wins";
  EXPECT_EQ(decode(R"({"channel":"Elsewhere","CHANNEL":"Sysmon/Operational","eventID":2,"eventid":1})").size(), 1u) << "of equal names the last one";
  EXPECT_TRUE(decode(R"({"Channel":"Elsewhere","channel":"Sysmon/Operational","EventID":1})").empty());
}

TEST_F(DecoderTest, WholeNumbersAreDigitsWhereTheInputIsANumber) {
  TemplateType type = make_type("t.numbers", {{{"Sysmon/Operational"}, {}, {1}, {}}}, {"EventID", "ProcessId", "Version"});
  type.inputs[0].type = type.inputs[1].type = schema::InputType::kInteger;
  const Catalog made({type});
  Decoder over_made(made);
  const auto id_of = [&](const std::string& spelled) {
    const auto got = over_made.decode(R"({"Channel":"Sysmon/Operational","EventID":)" + spelled + "}");
    return !got || got->empty() ? "none" : std::string(got->front().inputs.values[0].text());
  };
  for (const char* one : {"1", "1.0", "1.000", "1e0", "10e-1", "0.1E+1", "\"1\"", "\" 1 \"", "\"1.0\"", "\"01\"", "0.0001e4"}) EXPECT_EQ(id_of(one), "1") << one;
  for (const char* other : {"1.5", "\"1x\"", "\"0x1\"", "\"\"", "\"1 1\"", "-1", "1e-1", "4294967297", "1e999999999999999999999", "true", "\"1.\""}) EXPECT_EQ(id_of(other), "none") << other;
  const auto got = over_made.decode(R"({"Channel":"Sysmon/Operational","EventID":1,"ProcessId":[4092.0,"-5.0",9223372036854775807,9.3e18,"0x10","1.5",0.0,1e18],"Version":10.0})");
  ASSERT_EQ(got->size(), 1u);
  std::string values(got->front().inputs.values[1].text());
  for (const auto& further : got->front().inputs.further) values += " " + std::string(further.text);
  EXPECT_EQ(values, "4092 -5 9223372036854775807 9.3e18 0x10 1.5 0 1000000000000000000") << "what is no whole number of 64 bits stays as it is written";
  EXPECT_EQ(got->front().inputs.values[2].text(), "10.0") << "a text stays as it is written";
}

TEST_F(DecoderTest, AnEventMayNameItsType) {
  const auto got = decode(R"({"_type":"t.fifo","Path":"/tmp/x","Channel":"Security","EventID":4688})");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].type->id, "t.fifo");
  EXPECT_EQ(input(got[0], "Path").text(), "/tmp/x");
  EXPECT_EQ(others(got[0]), (std::vector<std::string>{"4688", "Security"}));
  const auto process = decode(R"({"_type":"t.process","Image":"i","NewProcessName":"n"})");
  ASSERT_EQ(process.size(), 1u);
  EXPECT_EQ(input(process[0], "Image").text(), "i") << "a named Type has no renames";
  EXPECT_EQ(decode(R"({"_type":"_doc","Channel":"Security"})").size(), 1u) << "an export's own word: no Type of ours is called so";
}

TEST_F(DecoderTest, ValuesOfEveryKindBecomeText) {
  const auto got = decode(R"({"_type":"t.process","EventID":-1.50e+3,"Channel":true,"Image":null,"CommandLine":"","User":"\u00e4\"\\\/\b\f\n\r\t\ud83d\ude00"})");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(input(got[0], "EventID").text(), "-1.50e+3");
  EXPECT_EQ(input(got[0], "Channel").text(), "true");
  EXPECT_EQ(input(got[0], "Image").presence, Presence::kAbsent);
  EXPECT_EQ(input(got[0], "CommandLine").presence, Presence::kValue);
  EXPECT_EQ(input(got[0], "CommandLine").text(), "");
  EXPECT_EQ(input(got[0], "User").text(), "ä\"\\/\b\f\n\r\t😀");
}

TEST_F(DecoderTest, ALoneSurrogateDoesNotHideAnEvent) {
  const auto got = decode(R"({"_type":"t.process","Image":"a\ud800b","CommandLine":"\udc00","User":"\ud800\u0041"})");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(input(got[0], "Image").text(), "a\uFFFDb");
  EXPECT_EQ(input(got[0], "CommandLine").text(), "\uFFFD");
  EXPECT_EQ(input(got[0], "User").text(), "\uFFFD" "A");
}

TEST_F(DecoderTest, ListsGiveSeveralValuesAndNestedLeavesAreOthers) {
  const auto got = decode(R"({"_type":"t.process","Image":["a",null,"b",3,{"k":"leaf1"},["inner"]],"User":{"Name":"leaf3","In":[{"x":4},[]]},"CommandLine":[],"X":["y","z"]})");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(input(got[0], "Image").text(), "a");
  ASSERT_EQ(got[0].inputs.further.size(), 3u);
  EXPECT_EQ(got[0].inputs.further[0].input, *got[0].type->input_index("Image"));
  EXPECT_EQ(got[0].inputs.further[0].text, "b");
  EXPECT_EQ(got[0].inputs.further[1].text, "3");
  EXPECT_EQ(got[0].inputs.further[2].text, "inner");
  EXPECT_EQ(input(got[0], "User").presence, Presence::kAbsent);
  EXPECT_EQ(input(got[0], "CommandLine").presence, Presence::kAbsent);
  EXPECT_EQ(others(got[0]), (std::vector<std::string>{"4", "leaf1", "leaf3", "y", "z"}));
}

TEST(Hashes, OneAloneIsTakenFromAll) {
  const auto inputs = [](std::string_view json) {
    std::string out;
    for (const Decoder::Ways ways : {Decoder::Ways::kAll, Decoder::Ways::kGeneral}) {
      Decoder decoder(schema::Catalog::embedded(), {}, ways);
      const auto decoded = decoder.decode(json);
      std::string told;
      for (const Decoded& each : *decoded) {
        for (const char* name : {"md5", "sha1", "sha256", "Imphash"}) {
          const auto index = each.type->input_index(name);
          if (index && each.inputs.values[*index].has_value()) told += std::string(name) + "=" + std::string(each.inputs.values[*index].text()) + " ";
        }
      }
      EXPECT_TRUE(ways == Decoder::Ways::kAll || told == out) << told;
      out = told;
    }
    return out;
  };
  const std::string head = R"({"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":1,)";
  EXPECT_EQ(inputs(head + R"("Hashes":"MD5=AA,SHA256=BB,IMPHASH=CC"})"), "md5=AA sha256=BB Imphash=CC ");
  EXPECT_EQ(inputs(head + R"("Hashes":"SHA1=AA"})"), "sha1=AA ");
  EXPECT_EQ(inputs(head + R"("Hashes":"MD5=AA,IMPHASH=CC","Imphash":"own","MD5":"field"})"), "md5=field Imphash=own ") << "the event's own field wins";
  EXPECT_EQ(inputs(head + R"("Hashes":"MD5=,SHA1,XMD5=a"})"), "");
  EXPECT_EQ(inputs(R"({"Channel":"Microsoft-Windows-Sysmon/Operational","EventID":15,"Hash":"MD5=AA"})"), "md5=AA ");
  EXPECT_EQ(inputs(R"({"winlog":{"channel":"Microsoft-Windows-Sysmon/Operational","event_id":1},"process":{"hash":{"sha256":"bb"}}})"), "sha256=BB ");
}

TEST_F(DecoderTest, ExactNameWinsAndTheLastOfEqualNames) {
  const auto got = decode(R"({"_type":"t.process","IMAGE":"odd","Image":"first","Image":"last","image":"odd2","user":"u1","USER":"u2"})");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(input(got[0], "Image").text(), "last");
  EXPECT_EQ(input(got[0], "User").text(), "u2");
  EXPECT_EQ(others(got[0]), (std::vector<std::string>{"first", "odd", "odd2", "u1"}));
  EXPECT_EQ(decoder.duplicate_keys(), 4u);
}

TEST_F(DecoderTest, EscapedNamesAreNames) {
  const auto got = decode(R"({"_type":"t.process","Im\u0061ge":"i","a\"b":"q"})");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(input(got[0], "Image").text(), "i");
  EXPECT_EQ(others(got[0]), (std::vector<std::string>{"q"}));
}

TEST_F(DecoderTest, SourceIsNeverAValueAndOthersAreOptional) {
  EXPECT_TRUE(others(decode(R"({"_type":"t.fifo","_source":"corpus/path"})")[0]).empty());
  Decoder lean(catalog(), [](const TemplateType& type) { return Wanted{type.id == "t.security", {}}; });
  const auto got = lean.decode(R"({"Channel":"Security","EventID":4688,"Extra":"e"})");
  ASSERT_TRUE(got.has_value());
  ASSERT_EQ(got->size(), 2u);
  EXPECT_TRUE((*got)[0].inputs.others.empty());
  EXPECT_EQ((*got)[1].inputs.others.size(), 2u);  // Channel is no input of t.security
}

TEST_F(DecoderTest, MalformedLinesAreRefusedWithAReason) {
  EXPECT_EQ(reason(""), "no JSON on this line");
  EXPECT_EQ(reason("   "), "no JSON on this line");
  EXPECT_EQ(reason("[]"), "not a JSON object");
  EXPECT_EQ(reason("7"), "not a JSON object");
  EXPECT_EQ(reason("{\"a\":1\xff}"), "`1\\xff` is no JSON value");
  EXPECT_EQ(reason("{\"a\":\"\xff\",}"), "not valid UTF-8") << "what comes first is named";
  EXPECT_EQ(reason("{\"a\":\"\x01\",}"), "a control character inside a string");
  EXPECT_EQ(reason(R"({"a":"b)"), "a string without an end");
  EXPECT_EQ(reason(R"({"a":"\x"})"), "a bad escape inside a string");
  EXPECT_EQ(reason(R"({"a":"\u12g4"})"), "a bad escape inside a string");
  EXPECT_EQ(reason(R"({"a":1} {"b":2})"), "a second object behind the first one; give each event a line of its own");
  for (const char* bad : {R"({"a":1)", R"({"a":1,})", R"({"a" "b"})", R"({"a":1 "b":2})", R"({"a":01})", R"({"a":1.})", R"({"a":-})", R"({"a":nul})", R"({"a":tru})", R"({"a":truex})",
                          R"({"a":})", R"({a:1})", R"({"a":[1,2})", R"({"a":{"b":1]})", R"({"a":[1 2]})", R"({"a":1}x)", R"({"a":"b"c})", R"({,})", "{", "}", R"({"a":[nope]})", R"({"a":+1})",
                          R"({"a":{"b" 1}})", R"({"a":[1,]})", R"({"a":"b":{"c":1}})", R"({"a":"b":{"c":1}},"d":2})", R"({"a":"b":1}})", R"({"x":{"a":"b" :{"c":1}}}})", R"({"x":["a":{"b":1}]})", R"({"x":[["a":{"b":1}]]})"}) {
    EXPECT_NE(reason(bad), "accepted") << bad;
  }
  EXPECT_EQ(decode(R"({"_type":"t.fifo","Path":"after all that"})").size(), 1u);
}

TEST_F(DecoderTest, NestingIsBounded) {
  const auto nested = [](size_t levels, char open, char close) {
    std::string text = R"({"_type":"t.fifo","a":)";
    for (size_t i = 0; i < levels; ++i) text += open == '{' ? std::string(R"({"k":)") : std::string(1, open);
    text += "1" + std::string(levels, close) + "}";
    return text;
  };
  for (const auto& [open, close] : {std::pair('[', ']'), std::pair('{', '}')}) {
    const auto whole = decode(nested(limits::kEventDepthMax - 1, open, close));
    EXPECT_FALSE(decoder.notices().too_deep);
    EXPECT_EQ(others(whole[0]), (std::vector<std::string>{"1"}));
    for (const size_t levels : {size_t{limits::kEventDepthMax}, size_t{1'000'000}}) {
      std::string line = nested(levels, open, close);
      line.insert(line.size() - 1, R"(,"b":[["2"]],"Path":"p")");
      const auto got = decode(line);
      ASSERT_EQ(got.size(), 1u);
      EXPECT_TRUE(decoder.notices().too_deep);
      EXPECT_EQ(others(got[0]), (std::vector<std::string>{"2"})) << "what is too deep is left out alone";
      EXPECT_EQ(input(got[0], "Path").text(), "p");
    }
  }
  EXPECT_EQ(reason(R"({"a":)" + std::string(1'000'000, '[')), "a list without an end");
}

TEST_F(DecoderTest, FaultsAreToldWithTheirPlace) {
  const std::tuple<std::string, size_t, const char*> cases[] = {
      {R"({"a":1)", 6, "an object without an end"},      {R"({"a":[1)", 7, "a list without an end"},          {R"({"a":1,})", 7, "a name in quotes was expected"},
      {R"({"a" "b"})", 5, "`:` was expected"},           {R"({"a":1 "b":2})", 7, "`,` or `}` was expected"},    {R"({"a":[1 2]})", 8, "`,` or `]` was expected"},
      {R"({"a":01})", 5, "`01` is no JSON value"},       {R"({"a":})", 5, "a value was expected"},              {R"({"a":1}x)", 7, "text behind the object"},
      {R"({"a":1}{"b":2})", 7, "a second object behind the first one; give each event a line of its own"},              {R"({"a":"\u00g0"})", 6, "a bad escape inside a string"},
      {R"({"a":"b)", 5, "a string without an end"},      {"  ", 2, "no JSON on this line"},                     {"\xff\xfe{\0", 0, "not valid UTF-8"},
  };
  for (const auto& [json, offset, wanted] : cases) {
    EXPECT_EQ(reason(json), wanted) << json;
    EXPECT_EQ(decoder.fault_offset(), offset) << json;
  }
}

TEST_F(DecoderTest, BytesThatJsonForbidsDoNotHideAnEvent) {
  const auto got = decode("{\"_type\":\"t.process\",\"Image\":\"a\xff\xc0\xafz\",\"CommandLine\":\"\x01\t\\\"\",\"User\":\"\xe2\x82\",\"\xff\":\"k\"}");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_TRUE(decoder.notices().mended);
  EXPECT_EQ(input(got[0], "Image").text(), "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz");
  EXPECT_EQ(input(got[0], "CommandLine").text(), "\x01\t\"");
  EXPECT_EQ(input(got[0], "User").text(), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(others(got[0]), (std::vector<std::string>{"k"}));
  EXPECT_EQ(decode(decoder.json()).size(), 1u) << "what was read is JSON";
  EXPECT_FALSE(decoder.notices().mended);
}

TEST_F(DecoderTest, LengthIsBounded) {
  std::string line = R"({"_type":"t.fifo","Path":")";
  line.append(limits::kEventLineBytesMax - line.size() - 2, 'x').append("\"}");
  ASSERT_EQ(line.size(), limits::kEventLineBytesMax);
  EXPECT_EQ(reason(line), "accepted");
  line.insert(line.size() - 2, "x");
  const auto result = decoder.decode(line);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kTooLarge);
}

TEST_F(DecoderTest, ManyCombinationsDoNotGrowTheMemoryOfRoutes) {
  for (uint32_t i = 0; i < limits::kRoutesRememberedMax * 2 + 10; ++i) {
    EXPECT_TRUE(decode(R"({"Channel":"C)" + std::to_string(i) + R"(","EventID":1})").empty());
  }
  EXPECT_EQ(decode(R"({"Channel":"Sysmon/Operational","EventID":1})").size(), 1u);
}

// ---- names that differ in case alone, and events that nobody asks for

TEST(DecoderNames, ExactNameWinsWhereInputsDifferInCaseAlone) {
  const Catalog made({make_type("t.audit", {{{"auditd"}, {}, {}, {}}}, {"syscall", "a0", "SYSCALL"})});
  Decoder over_made(made);
  const auto both = over_made.decode(R"({"Channel":"auditd","SYSCALL":"openat","syscall":257})");
  ASSERT_TRUE(both && both->size() == 1);
  EXPECT_EQ((*both)[0].inputs.values[0].text(), "257");
  EXPECT_EQ((*both)[0].inputs.values[2].text(), "openat");
  const auto neither = over_made.decode(R"({"Channel":"auditd","Syscall":"257","A0":"1"})");
  ASSERT_TRUE(neither && neither->size() == 1);
  EXPECT_EQ((*neither)[0].inputs.values[0].text(), "257");
  EXPECT_EQ((*neither)[0].inputs.values[1].text(), "1");
  EXPECT_FALSE((*neither)[0].inputs.values[2].has_value());
  EXPECT_EQ(over_made.duplicate_keys(), 0u);
}

TEST(DecoderRouting, TypeForUnclaimedEventsTakesOnlyThose) {
  EventSource unclaimed;
  unclaimed.unclaimed = true;
  const Catalog made({make_type("t.other", {unclaimed}, {"EventID"}), make_type("t.security", {{{"Security"}, {}, {4624}, {}}}, {"EventID"})});
  Decoder over_made(made);
  const auto type_of = [&](std::string_view json) {
    const auto decoded = over_made.decode(json);
    EXPECT_TRUE(decoded && decoded->size() <= 1) << json;
    return decoded && !decoded->empty() ? (*decoded)[0].type->id : std::string("none");
  };
  EXPECT_EQ(type_of(R"({"Channel":"Security","EventID":4624})"), "t.security");
  EXPECT_EQ(type_of(R"({"Channel":"Security","EventID":1})"), "t.other");
  EXPECT_EQ(type_of(R"({"Channel":"Setup","EventID":"2"})"), "t.other");
  EXPECT_EQ(type_of(R"({"Provider_Name":"Microsoft-Windows-RPC","EventID":5})"), "t.other");
  EXPECT_EQ(type_of(R"({"EventID":5})"), "none");                          // of no log
  EXPECT_EQ(type_of(R"({"Channel":"Setup"})"), "none");                    // no Windows event
  EXPECT_EQ(type_of(R"({"Channel":"Setup","EventID":"x"})"), "none");
  EXPECT_EQ(type_of(R"({"_type":"t.other"})"), "t.other");
}

}  // namespace
}  // namespace creance::events
