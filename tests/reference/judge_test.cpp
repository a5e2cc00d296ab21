// The reference evaluator against the Sigma specification 2.1.0, one behaviour a test. The texts in quotes are what a rule's author writes.
#include "reference/judge.hpp"

#include <gtest/gtest.h>

#include "base/limits.hpp"
#include "reference/rule_builder.hpp"

namespace creance::reference {
namespace {

using namespace testing_rules;

const schema::TemplateType& type() {
  static const schema::TemplateType made = type_of({"A", "B", "Number"});
  return made;
}

Result<Judge> judge_of(const sigma::Rule& rule, const schema::AnsweredLogSource* logsource = nullptr) { return Judge::make(rule, {&type(), logsource}); }

// Does the line match an event whose A is `text`?
bool line(std::string_view field, std::vector<V> values, const std::string& text) {
  const auto judge = judge_of(rule_of(item(field, std::move(values))));
  EXPECT_TRUE(judge.has_value()) << field << ": " << (judge ? "" : judge.error().detail);
  return judge && judge->matches(Event(type()).set("A", text).inputs());
}
bool on(std::string_view field, std::vector<V> values, const Event& event) {
  const auto judge = judge_of(rule_of(item(field, std::move(values))));
  EXPECT_TRUE(judge.has_value()) << field << ": " << (judge ? "" : judge.error().detail);
  return judge && judge->matches(event.inputs());
}
ErrorCode refusal(std::string_view field, std::vector<V> values) {
  const auto judge = judge_of(rule_of(item(field, std::move(values))));
  EXPECT_FALSE(judge.has_value()) << field;
  return judge ? ErrorCode::kExists : judge.error().code;
}

TEST(Reference, TextIsTheWholeFieldWithoutCase) {
  EXPECT_TRUE(line("A", {"Cmd.exe"}, "cMD.EXE"));
  EXPECT_FALSE(line("A", {"cmd.exe"}, "cmd.exe "));
  EXPECT_FALSE(line("A", {"cmd"}, "cmd.exe"));
  EXPECT_TRUE(line("A", {"x", "cmd"}, "cmd"));
  EXPECT_TRUE(line("a", {"x"}, "X")) << "field names have no case";
}

TEST(Reference, FoldsBeyondAscii) {
  EXPECT_TRUE(line("A", {"STRAẞE ÄÖ"}, "straße äö"));
  EXPECT_TRUE(line("A", {"ΣΊΣΥΦΟΣ"}, "σίσυφος")) << "final sigma folds too";
  EXPECT_TRUE(line("A", {"К"}, "к"));
  EXPECT_TRUE(line("A", {"k"}, "\u212A")) << "Kelvin sign";
  EXPECT_FALSE(line("A", {"ss"}, "ß")) << "simple folding keeps the number of characters";
  EXPECT_FALSE(line("A|cased", {"Ä"}, "ä"));
}

TEST(Reference, WildcardsAndEscapes) {
  EXPECT_TRUE(line("A", {"prog?.exe"}, "progA.exe"));
  EXPECT_FALSE(line("A", {"prog?.exe"}, "prog.exe"));
  EXPECT_TRUE(line("A", {"?"}, "ä")) << "one character, not one byte";
  EXPECT_TRUE(line("A", {"a*c"}, "a\r\nbc"));
  EXPECT_TRUE(line("A", {"*"}, ""));
  EXPECT_TRUE(line("A", {R"(a\*b)"}, "a*b"));
  EXPECT_FALSE(line("A", {R"(a\*b)"}, "axb"));
  EXPECT_TRUE(line("A", {R"(a\?)"}, "a?"));
  EXPECT_TRUE(line("A", {R"(C:\Windows\x)"}, R"(c:\windows\X)")) << "a lone backslash is itself";
  EXPECT_TRUE(line("A", {R"(C:\\Windows)"}, R"(C:\Windows)")) << "two are one";
  EXPECT_TRUE(line("A", {R"(dir\\*)"}, R"(dir\anything)")) << "an escaped backslash and a wildcard";
  EXPECT_TRUE(line("A", {R"(dir\\\*)"}, R"(dir\*)"));
  EXPECT_FALSE(line("A", {R"(dir\\\*)"}, R"(dir\x)"));
  EXPECT_TRUE(line("A", {R"(\\\\server)"}, R"(\\server)")) << "four are two";
  EXPECT_TRUE(line("A", {R"(\\\server)"}, R"(\\server)")) << "three are two";
  EXPECT_TRUE(line("A", {"x\\"}, "x\\")) << "a backslash at the end";
}

TEST(Reference, PositionModifiers) {
  EXPECT_TRUE(line("A|contains", {"b"}, "aBc"));
  EXPECT_TRUE(line("A|startswith", {"ab"}, "ABC"));
  EXPECT_FALSE(line("A|startswith", {"b"}, "abc"));
  EXPECT_TRUE(line("A|endswith", {R"(\cmd.exe)"}, R"(C:\CMD.exe)"));
  EXPECT_FALSE(line("A|endswith", {"b"}, "abc"));
  EXPECT_TRUE(line("A|contains", {"a*d"}, "xabcdx"));
  EXPECT_TRUE(line("A|contains", {""}, ""));
  EXPECT_TRUE(line("A|contains|all", {"a", "b"}, "ba"));
  EXPECT_FALSE(line("A|contains|all", {"a", "b"}, "a"));
  EXPECT_TRUE(line("A|contains|cased", {"B"}, "aBc"));
  EXPECT_FALSE(line("A|contains|cased", {"B"}, "abc"));
}

TEST(Reference, NullEmptyAndExists) {
  const Event absent(type());
  const Event empty = [] { return std::move(Event(type()).set("A", "")); }();
  const Event full = [] { return std::move(Event(type()).set("A", "x")); }();
  EXPECT_TRUE(on("A", {Null{}}, absent));
  EXPECT_FALSE(on("A", {Null{}}, empty));
  EXPECT_FALSE(on("A", {""}, absent));
  EXPECT_TRUE(on("A", {""}, empty));
  EXPECT_FALSE(on("A", {""}, full));
  EXPECT_TRUE(on("A", {Null{}, ""}, absent));
  EXPECT_TRUE(on("A", {Null{}, ""}, empty));
  EXPECT_TRUE(on("A|exists", {Flag{true}}, empty));
  EXPECT_FALSE(on("A|exists", {Flag{true}}, absent));
  EXPECT_TRUE(on("A|exists", {Flag{false}}, absent));
  EXPECT_FALSE(on("A|exists", {Flag{false}}, full));
  EXPECT_FALSE(on("A", {"*"}, absent)) << "a wildcard needs a value";
}

TEST(Reference, NumbersAndBooleansAreText) {
  EXPECT_TRUE(line("A", {4688}, "4688"));
  EXPECT_FALSE(line("A", {4688}, "04688"));
  EXPECT_TRUE(line("A", {Flag{true}}, "True"));
  EXPECT_TRUE(line("A|contains", {44}, "4688442"));
  EXPECT_TRUE(line("A", {Number{"1.5"}}, "1.5"));
}

TEST(Reference, NumericComparisons) {
  EXPECT_TRUE(line("A|lt", {10}, "9"));
  EXPECT_FALSE(line("A|lt", {10}, "10"));
  EXPECT_TRUE(line("A|lte", {10}, "10"));
  EXPECT_TRUE(line("A|gt", {10}, "10.5"));
  EXPECT_FALSE(line("A|gt", {10}, "9.99"));
  EXPECT_TRUE(line("A|gte", {Number{"-2.5"}}, "-2.5"));
  EXPECT_TRUE(line("A|gt", {9}, "0010"));
  EXPECT_TRUE(line("A|gt", {9}, "1e1"));
  for (const char* no_number : {"", "x", "0x10", "10 ", ".", "-", "inf", "1,000", "99x"}) EXPECT_FALSE(line("A|gte", {0}, no_number)) << no_number;
  EXPECT_TRUE(line("A|gte", {0}, "1."));
  EXPECT_TRUE(line("A|gte", {0}, ".5"));
  EXPECT_EQ(refusal("A|lt", {"x"}), ErrorCode::kInvalid);
}

TEST(Reference, RegularExpressions) {
  EXPECT_TRUE(line("A|re", {"b+c"}, "abbcd"));
  EXPECT_FALSE(line("A|re", {"B"}, "b"));
  EXPECT_TRUE(line("A|re|i", {"B"}, "b"));
  EXPECT_FALSE(line("A|re", {"^b$"}, "a\nb\nc"));
  EXPECT_TRUE(line("A|re|m", {"^b$"}, "a\nb\nc"));
  EXPECT_FALSE(line("A|re", {"a.b"}, "a\nb"));
  EXPECT_TRUE(line("A|re|s", {"a.b"}, "a\nb"));
  EXPECT_TRUE(line("A|re", {"^.$"}, "ä"));
  EXPECT_TRUE(line("A|re", {"^a.b$"}, "a\xff" "b")) << "a byte that is not UTF-8 is a character";
  EXPECT_TRUE(line("A|re|i", {"^ä$"}, "Ä"));
  EXPECT_TRUE(line("A|re", {R"(\\x\.exe$)"}, R"(c:\x.exe)"));
  EXPECT_TRUE(line("A|re", {R"(^(?<name>a)\(\?<$)"}, "a(?<"));
  EXPECT_EQ(refusal("A|re", {"("}), ErrorCode::kInvalid);
  EXPECT_EQ(refusal("A|re", {"a(?=b)"}), ErrorCode::kInvalid);
}

TEST(Reference, Networks) {
  EXPECT_TRUE(line("A|cidr", {"10.0.0.0/8"}, "10.255.0.1"));
  EXPECT_FALSE(line("A|cidr", {"10.0.0.0/8"}, "11.0.0.1"));
  EXPECT_TRUE(line("A|cidr", {"192.168.4.0/22"}, "192.168.7.255"));
  EXPECT_FALSE(line("A|cidr", {"192.168.4.0/22"}, "192.168.8.0"));
  EXPECT_TRUE(line("A|cidr", {"0.0.0.0/0"}, "1.2.3.4"));
  EXPECT_TRUE(line("A|cidr", {"127.0.0.1/32"}, "127.0.0.1"));
  EXPECT_TRUE(line("A|cidr", {"fe80::/10"}, "FE80:0:0::1"));
  EXPECT_FALSE(line("A|cidr", {"fe80::/10"}, "fec0::1"));
  EXPECT_TRUE(line("A|cidr", {"::1/128"}, "0:0:0:0:0:0:0:1"));
  EXPECT_FALSE(line("A|cidr", {"10.0.0.0/8"}, "::ffff:10.0.0.1"));
  EXPECT_FALSE(line("A|cidr", {"0.0.0.0/0"}, "::1"));
  for (const char* none : {"", "10.0.0", "10.0.0.256", "10.0.0.01", " 10.0.0.1", "10.0.0.1/8", "host"}) EXPECT_FALSE(line("A|cidr", {"0.0.0.0/0"}, none)) << none;
  EXPECT_EQ(refusal("A|cidr", {"10.0.0.0/33"}), ErrorCode::kInvalid);
  EXPECT_EQ(refusal("A|cidr", {"10.0.*"}), ErrorCode::kInvalid);
}

TEST(Reference, Windash) {
  for (const char* dash : {"-", "/", "–", "—", "―"}) {
    EXPECT_TRUE(line("A|windash|contains", {" -f "}, std::string("x.exe ") + dash + "f y")) << dash;
    EXPECT_TRUE(line("A|contains|windash", {" /f "}, std::string("x.exe ") + dash + "f y")) << dash;
    EXPECT_TRUE(line("A|windash", {"-a /b"}, std::string("/a ") + dash + "b")) << "each on its own";
  }
  EXPECT_FALSE(line("A|windash", {"a-b"}, "a/b")) << "inside a word it is no flag";
  EXPECT_TRUE(line("A|windash", {"a-b"}, "a-b"));
  EXPECT_FALSE(line("A|windash", {"- a"}, "/ a")) << "a flag has a letter behind it";
  EXPECT_FALSE(line("A|windash", {"--a"}, "//a")) << "only the dash before the word";
  EXPECT_TRUE(line("A|windash", {"--a"}, "-/a"));
}

TEST(Reference, Encodings) {
  EXPECT_TRUE(line("A|base64", {"foobar"}, "Zm9vYmFy"));
  EXPECT_TRUE(line("A|base64|contains", {"foobar"}, "xx Zm9vYmFy yy"));
  for (const char* text : {"L2Jpbi9iYXNo", "IC9iaW4vYmFzaA==", "ICAvYmluL2Jhc2g="}) EXPECT_TRUE(line("A|base64offset|contains", {"/bin/bash"}, text)) << text;
  EXPECT_FALSE(line("A|base64offset|contains", {"/bin/bash"}, "L2Jpbi9iYXN"));
  EXPECT_TRUE(line("A|wide|base64offset|contains", {"ping"}, "xxxcABpAG4AZw")) << "UTF-16LE of ping";
  EXPECT_TRUE(line("A|utf16le|base64", {"cmd"}, "YwBtAGQA"));
  EXPECT_TRUE(line("A|utf16be|base64", {"cmd"}, "AGMAbQBk"));
  EXPECT_TRUE(line("A|utf16|base64", {"cmd"}, "//5jAG0AZAA="));
  EXPECT_TRUE(line("A|wide|contains", {"cmd"}, std::string("xc\0m\0d\0y", 8)));
  EXPECT_TRUE(line("A|wide|base64", {"😀"}, "PdgA3g==")) << "a surrogate pair";
  EXPECT_TRUE(line("A|windash|base64", {"-a"}, "L2E="));
  EXPECT_EQ(refusal("A|base64", {"a*"}), ErrorCode::kInvalid);
  EXPECT_EQ(refusal("A|base64offset|contains", {"a"}), ErrorCode::kInvalid) << "it would match everything";
}

TEST(Reference, NotEqualIsTheNegationOfTheLine) {
  EXPECT_TRUE(line("A|neq", {"x"}, "y"));
  EXPECT_FALSE(line("A|neq", {"x"}, "X"));
  EXPECT_FALSE(line("A|neq", {"x", "y"}, "y"));
  EXPECT_TRUE(line("A|contains|neq", {"x"}, "y"));
  EXPECT_TRUE(on("A|neq", {"x"}, Event(type())));
  EXPECT_TRUE(on("A|fieldref|neq", {"B"}, Event(type()).set("A", "1").set("B", "2")));
}

TEST(Reference, FieldReferences) {
  EXPECT_TRUE(on("A|fieldref", {"B"}, Event(type()).set("A", "Same").set("B", "sAME")));
  EXPECT_FALSE(on("A|fieldref|cased", {"B"}, Event(type()).set("A", "Same").set("B", "sAME")));
  EXPECT_FALSE(on("A|fieldref", {"B"}, Event(type()).set("A", "x")));
  EXPECT_FALSE(on("A|fieldref", {"B"}, Event(type())));
  EXPECT_TRUE(on("A|fieldref|startswith", {"b"}, Event(type()).set("A", "abc").set("B", "AB")));
  EXPECT_TRUE(on("A|fieldref|endswith", {"B"}, Event(type()).set("A", "abc").set("B", "BC")));
  EXPECT_TRUE(on("A|fieldref|contains", {"B"}, Event(type()).set("A", "abc").set("B", "b")));
  EXPECT_FALSE(on("A|fieldref", {"B"}, Event(type()).set("A", "abc").set("B", "a*"))) << "the other field's text is no pattern";
  EXPECT_EQ(refusal("A|fieldref", {"Nothing"}), ErrorCode::kInvalid);
}

TEST(Reference, SeveralValuesOfOneInput) {
  const auto event = [] { return std::move(Event(type()).set("A", "one").add("A", "two")); };
  EXPECT_TRUE(on("A", {"two"}, event()));
  EXPECT_TRUE(on("A|all", {"one", "two"}, event()));
  EXPECT_TRUE(on("A|contains|all", {"on", "tw"}, event()));
  EXPECT_FALSE(on("A|neq", {"two"}, event()));
  EXPECT_TRUE(on("B|fieldref", {"A"}, std::move(event().set("B", "TWO"))));
}

TEST(Reference, KeywordsLookAtEverySingleValue) {
  const auto event = [] { return std::move(Event(type()).set("A", "first half").set("B", "x").add("B", "further").other("elsewhere")); };
  EXPECT_TRUE(on("", {"HALF"}, event()));
  EXPECT_TRUE(on("", {"urthe"}, event()));
  EXPECT_TRUE(on("", {"nothing", "where"}, event()));
  EXPECT_FALSE(on("", {"halfx"}, event()));
  EXPECT_TRUE(on("|all", {"first", "else"}, event()));
  EXPECT_FALSE(on("|all", {"first", "none"}, event()));
  EXPECT_TRUE(on("", {"f*h"}, event()));
  EXPECT_FALSE(on("", {"first*elsewhere"}, event())) << "not across values";
  EXPECT_TRUE(on("|re", {"^else"}, event()));
  EXPECT_TRUE(on("", {46}, std::move(Event(type()).set("A", "4688"))));
}

TEST(Reference, SelectionsAndConditions) {
  const auto selections = [] {
    return std::vector{selection("a", {{item("A", {"1"}), item("B", {"2"})}}), selection("b", {{item("A", {"3"})}, {item("B", {"4"})}})};
  };
  const auto matches = [&](std::vector<sigma::ConditionNode> condition, std::string a, std::string b) {
    return judge_of(rule(selections(), std::move(condition)))->matches(Event(type()).set("A", std::move(a)).set("B", std::move(b)).inputs());
  };
  EXPECT_TRUE(matches({leaf(0)}, "1", "2"));
  EXPECT_FALSE(matches({leaf(0)}, "1", "4")) << "a map is AND";
  EXPECT_TRUE(matches({leaf(1)}, "3", "x"));
  EXPECT_TRUE(matches({leaf(1)}, "x", "4")) << "a list of maps is OR";
  EXPECT_TRUE(matches({leaf(0), leaf(1), negated(1), both({0, 2})}, "1", "2"));
  EXPECT_FALSE(matches({leaf(0), leaf(1), both({0, 1})}, "1", "2"));
  EXPECT_TRUE(matches({leaf(0), leaf(1), either({0, 1})}, "1", "2"));
  EXPECT_TRUE(matches({leaf(0), leaf(1), either({0, 1}), negated(2)}, "x", "y"));
}

TEST(Reference, AnUnavailableInputNeverMatches) {
  EXPECT_FALSE(on("A", {"x"}, Event(type()).unavailable("A")));
  EXPECT_FALSE(on("A", {Null{}}, Event(type()).unavailable("A")));
  EXPECT_FALSE(on("A|neq", {"x"}, Event(type()).unavailable("A")));
  EXPECT_TRUE(on("A", {"x"}, Event(type()).set("A", "x").unavailable("B"))) << "it does not read B";
  EXPECT_FALSE(on("A|fieldref", {"B"}, Event(type()).set("A", "x").unavailable("B")));
  EXPECT_FALSE(on("", {"x"}, Event(type()).set("A", "x").unavailable("B"))) << "keywords read everything";
  const auto judge = judge_of(rule({selection("s", {{item("A", {"x"})}}), selection("f", {{item("B", {"y"})}})}, {leaf(0), leaf(1), negated(1), both({0, 2})}));
  EXPECT_FALSE(judge->matches(Event(type()).set("A", "x").unavailable("B").inputs())) << "under not too";
  EXPECT_TRUE(judge->matches(Event(type()).set("A", "x").inputs()));
}

TEST(Reference, RestrictionsOfTheLogSourceStandInFront) {
  const schema::AnsweredLogSource logsource{{"windows", "x", ""}, {{"Number", {"12"}}, {"B", {"CreateKey", "a*"}}}};
  const auto judge = judge_of(rule_of(item("A", {"x"})), &logsource);
  EXPECT_TRUE(judge->matches(Event(type()).set("A", "x").set("Number", "12").set("B", "createkey").inputs()));
  EXPECT_FALSE(judge->matches(Event(type()).set("A", "x").set("Number", "13").set("B", "createkey").inputs()));
  EXPECT_FALSE(judge->matches(Event(type()).set("A", "x").set("Number", "12").set("B", "abc").inputs())) << "restrictions have no wildcards";
  EXPECT_FALSE(judge->matches(Event(type()).set("A", "x").set("Number", "12").inputs()));
  EXPECT_FALSE(judge->matches(Event(type()).set("A", "x").set("Number", "12").unavailable("B").inputs()));
}

TEST(Reference, CutsLongValues) {
  const std::string fits = std::string(limits::kInputBytesMax - 1, 'x') + "E";
  EXPECT_TRUE(line("A|endswith", {"e"}, fits));
  EXPECT_FALSE(line("A|endswith", {"e"}, fits + "zzz"));
  EXPECT_TRUE(line("A|contains", {"e"}, fits + "zzz"));
  EXPECT_FALSE(line("A|contains", {"z"}, fits + "z"));
}

TEST(Reference, RefusesWhatItDoesNotSupport) {
  EXPECT_EQ(refusal("A|expand", {"%x%"}), ErrorCode::kUnsupported);
  EXPECT_EQ(refusal("A|hour", {"x"}), ErrorCode::kInvalid);
  EXPECT_EQ(refusal("|hour", {3}), ErrorCode::kInvalid);
  EXPECT_EQ(refusal("Nothing", {"x"}), ErrorCode::kInvalid);
  EXPECT_EQ(refusal("", {Null{}}), ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace creance::reference
