#include "base/json.hpp"

#include <gtest/gtest.h>

namespace creance {
namespace {

Result<Json> parse(std::string_view text, JsonLimits limits = {}) { return parse_json(as_bytes(text), limits); }
std::string canonical(std::string_view text) {
  const auto bytes = canonical_json(*parse(text));
  return bytes ? std::string(as_text(*bytes)) : "refused";
}

TEST(ParseJson, KeepsMembersInTheirOrder) {
  const auto json = parse(R"({"b":1,"a":[true,null,"x",-5],"c":{}})");
  ASSERT_TRUE(json);
  EXPECT_EQ(to_json(*json), R"({"b":1,"a":[true,null,"x",-5],"c":{}})");
  EXPECT_EQ(json->find("a")->elements()[3].integer(), -5);
  EXPECT_EQ(to_json_sorted(*json), R"({"a":[true,null,"x",-5],"b":1,"c":{}})");
  EXPECT_EQ(to_json_pretty(*parse(R"({"a":[1,{}],"b":[]})")), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}\n");
}

TEST(ToJson, WhatIsWrittenCanAlwaysBeRead) {
  using namespace std::string_view_literals;
  const Json odd = Json::object({{"a\xff"sv.data(), "x\xc3(\xed\xa0\x80)\0\x1f\x7f"sv}});
  const auto again = parse(to_json(odd));
  ASSERT_TRUE(again) << to_json(odd);
  EXPECT_EQ(again->find("a\xEF\xBF\xBD")->string(), "x\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD)\0\x1f\x7f"sv);
}

TEST(ParseJson, RefusesWhatTwoReadersCouldTakeDifferently) {
  for (const std::string_view text : {R"({"a":1,"a":2})", R"({"x":{"k":1,"b":2,"k":3}})", R"({"a":1,"\u0061":2})", R"({"a":1} x)", R"({"a":1}{})", "", " ", "{", "[1,]", "{\"a\":1,}", "01", "1.5", "1e3",
                                      "-0.0", "nan", "'a'", "\"a", "\"\x01\"", "\"\\ud800\"", "/*c*/1", "9223372036854775808", "-9223372036854775809", "1e999999"}) {
    const auto json = parse(text);
    ASSERT_FALSE(json) << text;
    EXPECT_EQ(json.error().code, ErrorCode::kInvalid) << text;
  }
  using namespace std::string_view_literals;
  EXPECT_FALSE(parse("{\"a\":1}\0"sv));
  EXPECT_FALSE(parse("{\"a\":\"\0\"}"sv));
  EXPECT_FALSE(parse("\xEF\xBB\xBF{}"));
  EXPECT_FALSE(parse("\"\xC0\xAF\""));          // overlong
  EXPECT_FALSE(parse("\"\xED\xA0\x80\""));      // surrogate
  EXPECT_FALSE(parse("\"\xF4\x90\x80\x80\""));  // above U+10FFFF
  EXPECT_FALSE(parse("\"\xE2\x82\""));          // cut
}

TEST(ParseJson, RefusesAnEscapedNulWhereItIsNotAllowed) {
  for (const std::string_view text : {R"("\u0000")", R"({"a":["x\u0000y"]})", R"({"a\u0000":1})", R"("\ud83d\ude00\u0000")"}) {
    EXPECT_EQ(parse(text, {.escaped_nul = false}).error().code, ErrorCode::kInvalid) << text;
    EXPECT_TRUE(parse(text)) << text;
  }
  EXPECT_TRUE(parse(R"({"a":"\u0001","b":"\\u0000"})", {.escaped_nul = false}));  // the second is a backslash and a word
}

TEST(ParseJson, NamesTheMemberThatOccursTwice) { EXPECT_EQ(parse(R"({"a":1,"a":2})").error().detail, "the member `a` occurs twice in one object"); }

TEST(ParseJson, HasALimitOnBytesDepthAndValues) {
  EXPECT_TRUE(parse("[[1]]", {.bytes_max = 5}));
  EXPECT_EQ(parse("[[1]]", {.bytes_max = 4}).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(parse("[[1]]", {.depth_max = 2}));
  EXPECT_EQ(parse("[[1]]", {.depth_max = 1}).error().code, ErrorCode::kTooLarge);
  EXPECT_TRUE(parse("[1,2]", {.nodes_max = 3}));
  EXPECT_EQ(parse("[1,2]", {.nodes_max = 2}).error().code, ErrorCode::kTooLarge);
  EXPECT_EQ(parse(R"({"a":1})", {.nodes_max = 2}).error().code, ErrorCode::kTooLarge);
}

TEST(ParseJson, DeepNestingCostsNothing) {
  const std::string deep(1'000'000, '[');
  EXPECT_EQ(parse(deep).error().code, ErrorCode::kTooLarge);
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  EXPECT_EQ(parse(objects).error().code, ErrorCode::kTooLarge);
}

TEST(ParseJson, RealNumbersOnlyWhereAllowed) {
  EXPECT_DOUBLE_EQ(parse("1.5e2", {.reals = true})->real(), 150.0);
  EXPECT_EQ(to_json(Json(0.1)), "0.1");
  EXPECT_EQ(to_json(Json(1.0 / 0.0)), "null");
}

// OLPC: keys sorted by code point, only `"` and `\` escaped, everything else as it is.
TEST(CanonicalJson, FollowsItsSpecification) {
  EXPECT_EQ(canonical(R"({ "b" : 1, "a" : [ true, null, "x" ] })"), R"({"a":[true,null,"x"],"b":1})");
  EXPECT_EQ(canonical(R"("\u00e9\n\t\"\\\/")"), "\"\xC3\xA9\n\t\\\"\\\\/\"");
  EXPECT_EQ(canonical(R"({"\ue000":1,"\ud83d\ude00":2,"Z":3,"a":4})"), "{\"Z\":3,\"a\":4,\"\xEE\x80\x80\":1,\"\xF0\x9F\x98\x80\":2}");  // not by UTF-16 unit
  EXPECT_EQ(canonical("[-0, 9007199254740993]"), "[0,9007199254740993]");
  EXPECT_FALSE(canonical_json(Json(1.5)));
}

TEST(CanonicalJson, DoesNotDependOnOrderOrSpelling) { EXPECT_EQ(canonical(R"({"a":"\u0041","b":2})"), canonical("{\"b\":2,\n\"a\":\"A\"}")); }

TEST(JsonField, NamesThePathOfWhatIsWrong) {
  const Json json = *parse(R"({"a":{"b":[1,{"c":"x"}]}})");
  const JsonField root(json);
  EXPECT_EQ(root.at("a")->at("z").error().detail, "a: lacks `z`");
  const auto list = *root.at("a")->at("b")->elements();
  EXPECT_EQ(list[1].integer_at("c").error().detail, "a.b[1].c: must be an integer");
  EXPECT_EQ(list[0].text().error().detail, "a.b[0]: must be text");
  EXPECT_EQ(list[0].integer(2, 3).error().detail, "a.b[0]: 1 is not between 2 and 3");
}

TEST(Time, RoundTripsAndRefusesOtherSpellings) {
  for (const std::string text : {"1970-01-01T00:00:00Z", "2026-11-23T10:00:00Z", "2024-02-29T23:59:59Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"}) EXPECT_EQ(format_time(*parse_time(text)), text);
  for (const std::string_view text : {"2026-11-23T10:00:00", "2026-11-23 10:00:00Z", "2026-11-23T10:00:00+00:00", "2026-11-23T10:00:00.5Z", "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
                                      "2026-11-23T24:00:00Z", "2026-11-23T10:60:00Z", "2026-11-23T10:00:60Z", "2026-00-10T10:00:00Z", "", "+026-11-23T10:00:00Z"}) {
    EXPECT_FALSE(parse_time(text)) << text;
  }
}

}  // namespace
}  // namespace creance
