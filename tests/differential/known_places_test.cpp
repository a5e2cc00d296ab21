// Places where engines are known to go wrong, each from the rule's YAML and the event's JSON to the verdict of both judges.
#include <gtest/gtest.h>

#include <ctime>

#include "base/bytes.hpp"
#include "both_judges.hpp"
#include "events/decoder.hpp"
#include "sigma/parser.hpp"

namespace creance::differential {
namespace {

const schema::Catalog& catalog() {
  static const schema::Catalog made([] {
    schema::TemplateType type{.id = "t.known", .version = 1};
    for (const char* name : {"A", "B", "C", "Name With Spaces"}) type.inputs.push_back({name, schema::InputType::kString, ""});
    return std::vector<schema::TemplateType>{type};
  }());
  return made;
}

std::string yaml_of(const std::string& detection) {
  std::string out = "title: Known\nid: 00000000-0000-4000-8000-000000000001\nstatus: test\nlogsource:\n  category: known\ndetection:\n";
  for (size_t at = 0; at < detection.size();) {
    const size_t end = std::min(detection.find('\n', at), detection.size());
    out += "  " + detection.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

std::vector<std::string> codes_of(const std::string& detection) {
  std::vector<std::string> out;
  for (const Diagnostic& d : sigma::parse(yaml_of(detection), "known.yml").diagnostics) {
    if (d.severity == Severity::kError) out.push_back(d.code);
  }
  return out;
}
using Codes = std::vector<std::string>;

// One rule, any number of events.
class Rule {
 public:
  explicit Rule(const std::string& detection) : decoder_(catalog()), type_(*catalog().find("t.known")) {
    sigma::ParseOutcome parsed = sigma::parse(yaml_of(detection), "known.yml");
    for (const Diagnostic& d : parsed.diagnostics) {
      if (d.severity == Severity::kError) ADD_FAILURE() << to_line(d);
    }
    judges_ = std::make_unique<BothJudges>(type_, std::move(parsed.rules));
    EXPECT_EQ(judges_->error(), "");
    EXPECT_TRUE(judges_->rules().size() == 1 && judges_->compiled(0) && judges_->judged(0)) << judges_->reason(0);
  }

  // `members`: of the event, as JSON, without braces. `unavailable`: inputs that the host cannot supply.
  bool matches(const std::string& members, const std::vector<std::string>& unavailable = {}) {
    const auto decoded = decoder_.decode(R"({"_type":"t.known")" + (members.empty() ? "" : "," + members) + "}");
    if (!decoded || decoded->size() != 1) {
      ADD_FAILURE() << members << ": " << (decoded ? "no event" : decoded.error().detail);
      return false;
    }
    schema::Inputs inputs = (*decoded)[0].inputs;
    std::vector<schema::InputValue> values(inputs.values.begin(), inputs.values.end());
    for (const std::string& name : unavailable) values[*type_.input_index(name)] = schema::InputValue::unavailable();
    inputs.values = values;
    EXPECT_EQ(judges_->disagreement(inputs), "");
    return judges_->judge(0, inputs);
  }

 private:
  events::Decoder decoder_;
  const schema::TemplateType& type_;
  std::unique_ptr<BothJudges> judges_;
};

bool selects(const std::string& line, const std::string& members) { return Rule("sel:\n  " + line + "\ncondition: sel").matches(members); }

TEST(KnownPlaces, TwoBackslashesAreOne) {
  EXPECT_TRUE(selects(R"(A: 'C:\\x')", R"("A":"C:\\x")"));
  EXPECT_FALSE(selects(R"(A: 'C:\\x')", R"("A":"C:\\\\x")"));
  EXPECT_TRUE(selects(R"(A: 'C:\x')", R"("A":"C:\\x")"));
  EXPECT_TRUE(selects(R"(A: '\\\\server\share')", R"("A":"\\\\server\\share")"));
  EXPECT_TRUE(selects(R"(A|contains: '\\')", R"("A":"a\\b")"));
  EXPECT_TRUE(selects(R"(A|endswith: '\')", R"("A":"a\\")"));
}

TEST(KnownPlaces, NotOverAnAbsentFieldHolds) {
  Rule rule("f:\n  A: x\ncondition: not f");
  EXPECT_TRUE(rule.matches(""));
  EXPECT_TRUE(rule.matches(R"("A":null)"));
  EXPECT_TRUE(rule.matches(R"("A":"y")"));
  EXPECT_FALSE(rule.matches(R"("A":"X")"));
}

TEST(KnownPlaces, NullIsAbsentNotEmpty) {
  Rule rule("sel:\n  A: null\ncondition: sel");
  EXPECT_TRUE(rule.matches(""));
  EXPECT_TRUE(rule.matches(R"("A":null)"));
  EXPECT_TRUE(rule.matches(R"("A":[])"));
  EXPECT_FALSE(rule.matches(R"("A":"")"));
  EXPECT_FALSE(rule.matches(R"("A":"null")"));
  Rule empty("sel:\n  A: ''\ncondition: sel");
  EXPECT_FALSE(empty.matches(""));
  EXPECT_TRUE(empty.matches(R"("A":"")"));
  Rule mixed("sel:\n  A:\n    - null\n    - ''\n    - 7\n    - x*\ncondition: sel");
  for (const char* yes : {"", R"("A":"")", R"("A":7)", R"("A":"7")", R"("A":"XY")"}) EXPECT_TRUE(mixed.matches(yes)) << yes;
  EXPECT_FALSE(mixed.matches(R"("A":"8")"));
}

TEST(KnownPlaces, NumbersAndTextsOfThemAreOneThing) {
  for (const char* rule : {"A: 88", "A: '88'"}) {
    EXPECT_TRUE(selects(rule, R"("A":88)"));
    EXPECT_TRUE(selects(rule, R"("A":"88")"));
    EXPECT_FALSE(selects(rule, R"("A":"088")"));
    EXPECT_FALSE(selects(rule, R"("A":880)"));
  }
  EXPECT_TRUE(selects("A: true", R"("A":true)"));
  EXPECT_TRUE(selects("A: true", R"("A":"True")"));
  EXPECT_TRUE(selects("A|gt: 87", R"("A":"88")"));
  EXPECT_TRUE(selects("A|gt: 9007199254740992", R"("A":9007199254740993)")) << "neighbours that are one double";
  EXPECT_FALSE(selects("A|gt: 9007199254740993", R"("A":9007199254740993)"));
  EXPECT_FALSE(selects("A: 9007199254740993", R"("A":9007199254740992)"));
  EXPECT_TRUE(selects("A|gt: 9223372036854775807", R"("A":18446744073709551615)"));
  EXPECT_FALSE(selects("A|gt: 87", R"("A":"88x")"));
}

TEST(KnownPlaces, WildcardsBesideEscapedOnes) {
  Rule rule(R"(sel:
  A: 'a\*b*c\?d?e'
condition: sel)");
  EXPECT_TRUE(rule.matches(R"("A":"a*b--c?dxe")"));
  EXPECT_TRUE(rule.matches(R"("A":"A*Bc?dxe")"));
  EXPECT_FALSE(rule.matches(R"("A":"aXbc?dxe")"));
  EXPECT_FALSE(rule.matches(R"("A":"a*bcXdxe")"));
  EXPECT_FALSE(rule.matches(R"("A":"a*bc?de")"));
  EXPECT_TRUE(selects(R"(A: 'a\\*')", R"("A":"a\\b")"));   // a backslash, then a wildcard
  EXPECT_TRUE(selects(R"(A: 'a\\\*')", R"("A":"a\\*")"));  // a backslash, then a star
  EXPECT_FALSE(selects(R"(A: 'a\\\*')", R"("A":"a\\b")"));
}

TEST(KnownPlaces, CaseBeyondAscii) {
  EXPECT_TRUE(selects("A: ÄÖÜПРИВЕТΣ", R"("A":"äöüприветς")"));
  EXPECT_TRUE(selects("A|contains: straße", R"("A":"DIE STRAẞE")"));
  EXPECT_FALSE(selects("A: straße", R"("A":"STRASSE")"));  // simple folding: one character for one
  EXPECT_TRUE(selects("A: ⅷ", R"("A":"Ⅷ")"));
  EXPECT_FALSE(selects("A|cased: ä", R"("A":"Ä")"));
  EXPECT_FALSE(selects("A: i", R"("A":"İ")"));  // the dotted capital has no simple folding to i
  EXPECT_TRUE(selects("A|re|i: '^ä+$'", R"("A":"äÄ")"));
}

TEST(KnownPlaces, WindashInBothDirections) {
  const std::vector<std::string> dashes = {"-", "/", "–", "—", "―"};
  for (const std::string& rule : dashes) {
    Rule both("sel:\n  A|contains|windash: ' " + rule + "accepteula'\ncondition: sel");
    for (const std::string& event : dashes) EXPECT_TRUE(both.matches(R"("A":"x.exe )" + event + R"(AcceptEula b")")) << rule << event;
    EXPECT_FALSE(both.matches(R"("A":"x.exe accepteula b")"));
    EXPECT_FALSE(both.matches(R"("A":"x.exe +accepteula b")"));
  }
  EXPECT_TRUE(selects("A|windash|contains|all:\n    - ' -a'\n    - ' /b'", R"("A":"x /a -b")"));
  EXPECT_FALSE(selects("A|contains: ' -a'", R"("A":"x /a")"));
}

TEST(KnownPlaces, Base64AtEveryOffsetAndOfUtf16) {
  const std::string text = "/bin/sh -c evil";
  Rule plain("sel:\n  A|base64offset|contains: '/bin/sh'\ncondition: sel");
  Rule wide("sel:\n  A|wide|base64offset|contains: '/bin/sh'\ncondition: sel");
  Rule big("sel:\n  A|utf16be|base64offset|contains: '/bin/sh'\ncondition: sel");
  const auto utf16 = [](const std::string& ascii, bool little) {
    std::string out;
    for (const char c : ascii) out += little ? std::string{c, '\0'} : std::string{'\0', c};
    return out;
  };
  for (size_t offset = 0; offset < 6; ++offset) {
    const std::string before(offset, 'x');
    const auto event = [](const std::string& bytes) { return R"("A":")" + to_base64(as_bytes(bytes)) + "\""; };
    EXPECT_TRUE(plain.matches(event(before + text))) << offset;
    EXPECT_FALSE(plain.matches(event(before + utf16(text, true)))) << offset;
    EXPECT_TRUE(wide.matches(event(before + utf16(text, true)))) << offset;
    EXPECT_FALSE(wide.matches(event(before + text))) << offset;
    EXPECT_TRUE(big.matches(event(before + utf16(text, false)))) << offset;
  }
  EXPECT_TRUE(selects("A|utf16|base64: cmd", R"("A":"//5jAG0AZAA=")"));  // with the mark in front: FF FE
}

TEST(KnownPlaces, NamesOfSelectionsHoldAnything) {
  Rule pipes("sel|x:\n  A: a\nsel.y:\n  B: b\nsel-z:\n  C: c\ncondition: sel|x and sel.y and not sel-z");
  EXPECT_TRUE(pipes.matches(R"("A":"a","B":"b")"));
  EXPECT_FALSE(pipes.matches(R"("A":"a")"));
  EXPECT_FALSE(pipes.matches(R"("A":"a","B":"b","C":"c")"));
  Rule pattern("sel.1:\n  A: a\nsel.2:\n  B: b\nselx:\n  C: c\ncondition: all of sel.*");
  EXPECT_TRUE(pattern.matches(R"("A":"a","B":"b")"));  // the dot is a dot: selx is not meant
  EXPECT_FALSE(pattern.matches(R"("A":"a","C":"c")"));
  Rule words("android:\n  A: a\nnotable:\n  B: b\norder:\n  C: c\ncondition: android and notable and not order");
  EXPECT_TRUE(words.matches(R"("A":"a","B":"b")"));
}

TEST(KnownPlaces, FieldNamesWithSpacesInTheLog) {
  Rule rule("sel:\n  Name With Spaces|endswith: x\ncondition: sel");
  EXPECT_TRUE(rule.matches(R"("Name With Spaces":"ax")"));
  EXPECT_TRUE(rule.matches(R"("name with spaces":"ax")"));
  EXPECT_FALSE(rule.matches(R"("NameWithSpaces":"ax")"));
  EXPECT_TRUE(Rule("kw:\n  - needle\ncondition: kw").matches(R"("Some Other Name":"a needle here")"));
}

TEST(KnownPlaces, ConditionsThatCannotBe) {
  const std::string sel = "sel:\n  A: x\n";
  EXPECT_EQ(codes_of(sel + "condition: ''"), Codes{"S060"});
  EXPECT_EQ(codes_of(sel + "condition: selection"), Codes{"S061"});
  EXPECT_EQ(codes_of(sel + "condition: 1 of other*"), Codes{"S062"});
  EXPECT_EQ(codes_of(sel + "condition: sel | count() by A > 5"), Codes{"S065"});
  EXPECT_EQ(codes_of(sel + "condition: " + std::string(100'000, '(') + "sel" + std::string(100'000, ')')), Codes{"S064"});
  EXPECT_EQ(codes_of(sel + "condition: " + std::string(100'000, '(')), Codes{"S064"});
  std::string nots;
  for (int i = 0; i < 50'000; ++i) nots += "not ";
  EXPECT_EQ(codes_of(sel + "condition: " + nots + "sel"), Codes{"S064"});
}

TEST(KnownPlaces, NestingUpToTheLimitIsJudged) {
  const std::string sel = "sel:\n  A: x\n";
  std::string even = "sel";
  for (size_t i = 0; i < limits::kConditionDepthMax / 2; ++i) even = "not " + even;
  EXPECT_TRUE(Rule(sel + "condition: " + even).matches(R"("A":"x")"));
  EXPECT_FALSE(Rule(sel + "condition: not " + even).matches(R"("A":"x")"));
  EXPECT_TRUE(Rule(sel + "condition: " + std::string(limits::kConditionDepthMax, '(') + "sel" + std::string(limits::kConditionDepthMax, ')')).matches(R"("A":"x")"));
}

TEST(KnownPlaces, WhatIsNoSigmaIsRefused) {
  EXPECT_EQ(codes_of("sel:\n  A|endwith: x\ncondition: sel"), Codes{"S046"});
  EXPECT_EQ(codes_of("sel:\n  A: x\n  A: y\ncondition: sel"), Codes{"S007"});
  EXPECT_EQ(codes_of("sel: 7\ncondition: sel"), Codes{"S042"});
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + ", " + before + "]\n";
  }
  EXPECT_FALSE(codes_of(bomb + "condition: a0").empty());
}

TEST(KnownPlaces, AListOfAHundredThousandValues) {
  std::string detection = "sel:\n  A:\n";
  for (int i = 0; i < 100'000; ++i) detection += "    - value-" + std::to_string(i * 7) + "\n";
  const std::clock_t begin = std::clock();
  Rule rule(detection + "condition: sel");
  EXPECT_LT(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC, 30.0);
  EXPECT_TRUE(rule.matches(R"("A":"VALUE-0")"));
  EXPECT_TRUE(rule.matches(R"("A":"value-699993")"));
  EXPECT_FALSE(rule.matches(R"("A":"value-699994")"));
  EXPECT_FALSE(rule.matches(R"("B":"value-0")"));
}

TEST(KnownPlaces, UnavailableInputsHoldARuleWhateverAsks) {
  EXPECT_FALSE(Rule("f:\n  A: x\ncondition: not f").matches("", {"A"}));
  EXPECT_FALSE(Rule("sel:\n  A|exists: false\ncondition: sel").matches("", {"A"}));
  EXPECT_FALSE(Rule("sel:\n  A: null\ncondition: sel").matches("", {"A"}));
  EXPECT_FALSE(Rule("sel:\n  A|neq: x\ncondition: sel").matches("", {"A"}));
  EXPECT_FALSE(Rule("sel:\n  B|fieldref|neq: A\ncondition: sel").matches(R"("B":"x")", {"A"}));
  EXPECT_FALSE(Rule("kw:\n  - needle\ncondition: kw").matches(R"("B":"needle")", {"A"}));
  EXPECT_FALSE(Rule("kw:\n  - needle\ncondition: not kw").matches("", {"A"}));
  EXPECT_FALSE(Rule("sel:\n  B: x\nother:\n  A: y\ncondition: sel or other").matches(R"("B":"x")", {"A"}));
  EXPECT_TRUE(Rule("sel:\n  B: x\ncondition: sel").matches(R"("B":"x")", {"A"}));
}

TEST(KnownPlaces, EventsThatAreOdd) {
  Rule any("sel:\n  A: b\ncondition: sel");
  EXPECT_TRUE(any.matches(R"("A":["a","b"])"));
  EXPECT_TRUE(any.matches(R"("A":["a",["b"]])"));  // values of a list inside of a list are the list's
  EXPECT_TRUE(any.matches(R"("A":"a","A":"b")"));   // the last of a key that stands twice
  EXPECT_FALSE(any.matches(R"("A":"b","A":"a")"));
  EXPECT_TRUE(Rule("f:\n  A: b\ncondition: not f").matches(R"("A":["a","c"])"));
  EXPECT_FALSE(Rule("f:\n  A: b\ncondition: not f").matches(R"("A":["a","b"])"));  // `not` is of the line, not of each value
  EXPECT_TRUE(selects("A: 'a?b'", R"("A":"a\ud800b")"));
  EXPECT_TRUE(selects("A|re: '^a.b$'", R"("A":"a\udfffb")"));
  EXPECT_TRUE(selects("A|re: '^a.b$'", "\"A\":\"a\xff" "b\""));  // a byte that is no UTF-8 hides no event
}

}  // namespace
}  // namespace creance::differential
