// What rules mean, on events: Sigma specification 2.1.0. Each test compiles, verifies and evaluates.
#include <algorithm>
#include <random>

#include "channel/fold.hpp"
#include "interpreter/fixture.hpp"

namespace creance::test {

TEST(Strings, CompareWholeFieldsWithoutCase) {
  EXPECT_TRUE(selects("A: CMD.exe", {{"A", "cmd.EXE"}}));
  EXPECT_FALSE(selects("A: cmd.exe", {{"A", "xcmd.exe"}}));
  EXPECT_FALSE(selects("A: cmd.exe", {{"A", "cmd.exex"}}));
  EXPECT_FALSE(selects("A: cmd.exe", {{"B", "cmd.exe"}}));
}

TEST(Strings, FoldLettersBeyondAscii) {
  EXPECT_TRUE(selects("A: ÄÖÜ-ñ-ΣΑΣ-ПРИВЕТ", {{"A", "äöü-Ñ-σας-привет"}}));  // final sigma folds to sigma
  EXPECT_TRUE(selects("A|contains: ß", {{"A", "STRAẞE"}}));
  EXPECT_TRUE(selects("A: kelvin", {{"A", "\xe2\x84\xaa" "elvin"}}));  // U+212A
  EXPECT_TRUE(selects("A|endswith: Ⱥ", {{"A", "xⱥ"}}));                // 2 bytes fold to 3
  EXPECT_FALSE(selects("A: ä", {{"A", "a"}}));
}

TEST(Wildcards, AnyRunTakesAnythingIncludingLineBreaks) {
  EXPECT_TRUE(selects("A: 'a*c'", {{"A", "a\n\nb\xff" "c"}}));
  EXPECT_TRUE(selects("A: 'a*c'", {{"A", "ac"}}));
  EXPECT_FALSE(selects("A: 'a*c'", {{"A", "acd"}}));
  EXPECT_TRUE(selects("A: '*'", {{"A", ""}}));
  EXPECT_FALSE(selects("A: '*'", {{"B", "x"}}));
  EXPECT_TRUE(selects("A: 'ab*ba'", {{"A", "abba"}}));
  EXPECT_FALSE(selects("A: 'ab*ba'", {{"A", "aba"}}));  // the two ends may not overlap
  EXPECT_TRUE(selects("A: '*ab*ab*c'", {{"A", "abxabxc"}}));
  EXPECT_FALSE(selects("A: '*ab*ab*c'", {{"A", "abc"}}));
}

TEST(Wildcards, AnyOneTakesOneCharacterNotOneByte) {
  EXPECT_TRUE(selects("A: 'a?c'", {{"A", "aéc"}}));
  EXPECT_TRUE(selects("A: 'a?c'", {{"A", "a😀c"}}));
  EXPECT_FALSE(selects("A: 'a?c'", {{"A", "ac"}}));
  EXPECT_FALSE(selects("A: 'a??c'", {{"A", "aéc"}}));
  EXPECT_TRUE(selects("A: '*?x'", {{"A", "€x"}}));
  EXPECT_FALSE(selects("A: '*??x'", {{"A", "€x"}}));
  EXPECT_FALSE(selects("A: '*??x*'", {{"A", "€x€"}}));
  EXPECT_TRUE(selects("A: '?*?x?*'", {{"A", "a€x€"}}));
  EXPECT_TRUE(selects("A: 'a?c'", {{"A", "a\xff" "c"}}));  // a byte that is not UTF-8 is one character
}

TEST(Wildcards, EscapesStandBesideWildcards) {
  EXPECT_TRUE(selects("A: 'C:\\\\*\\cmd.?xe'", {{"A", "c:\\windows\\cmd.exe"}}));
  EXPECT_TRUE(selects(R"(A: 'a\*b*')", {{"A", "a*bcd"}}));
  EXPECT_FALSE(selects(R"(A: 'a\*b*')", {{"A", "axbcd"}}));
  EXPECT_TRUE(selects(R"(A: 'a\?b?')", {{"A", "a?bc"}}));
  EXPECT_FALSE(selects(R"(A: 'a\?b?')", {{"A", "axbc"}}));
  EXPECT_TRUE(selects(R"(A: 'a\\*')", {{"A", R"(a\bc)"}}));  // an escaped backslash, then a wildcard
  EXPECT_FALSE(selects(R"(A: 'a\\*')", {{"A", "abc"}}));
  EXPECT_TRUE(selects(R"(A: 'a\\\*')", {{"A", R"(a\*)"}}));  // an escaped backslash, then an escaped star
  EXPECT_FALSE(selects(R"(A: 'a\\\*')", {{"A", R"(a\b)"}}));
}

TEST(Backslashes, TwoAreOneAndALoneOneIsItself) {
  EXPECT_TRUE(selects(R"(A: 'a\\b')", {{"A", R"(a\b)"}}));
  EXPECT_FALSE(selects(R"(A: 'a\\b')", {{"A", R"(a\\b)"}}));
  EXPECT_TRUE(selects(R"(A: 'a\b')", {{"A", R"(a\b)"}}));
  EXPECT_TRUE(selects(R"(A: 'a\\\\b')", {{"A", R"(a\\b)"}}));
  EXPECT_TRUE(selects(R"(A: '\\\\host')", {{"A", R"(\\host)"}}));
  EXPECT_TRUE(selects(R"(A|endswith: '\')", {{"A", R"(c:\)"}}));
}

TEST(Modifiers, ContainsStartsAndEnds) {
  EXPECT_TRUE(selects("A|contains: BCD", {{"A", "abcde"}}));
  EXPECT_TRUE(selects("A|startswith: AB", {{"A", "abcde"}}));
  EXPECT_FALSE(selects("A|startswith: BC", {{"A", "abcde"}}));
  EXPECT_TRUE(selects("A|endswith: DE", {{"A", "abcde"}}));
  EXPECT_FALSE(selects("A|endswith: CD", {{"A", "abcde"}}));
  EXPECT_TRUE(selects("A|contains: 'b*d'", {{"A", "abcde"}}));
  EXPECT_TRUE(selects("A|contains: 'b?d'", {{"A", "abcde"}}));
  EXPECT_FALSE(selects("A|contains: 'b?e'", {{"A", "abcde"}}));
  EXPECT_TRUE(selects("A|startswith: 'a?c'", {{"A", "abcde"}}));
  EXPECT_TRUE(selects("A|contains: ''", {{"A", ""}}));
  EXPECT_FALSE(selects("A|contains: ''", {{"B", "x"}}));
}

TEST(Modifiers, ListsAreAlternativesUnlessAll) {
  EXPECT_TRUE(selects("A|contains:\n  - x\n  - bc", {{"A", "abc"}}));
  EXPECT_FALSE(selects("A|contains|all:\n  - x\n  - bc", {{"A", "abc"}}));
  EXPECT_TRUE(selects("A|contains|all:\n  - c\n  - ab", {{"A", "abc"}}));
}

TEST(Modifiers, CasedComparesBytes) {
  EXPECT_TRUE(selects("A|cased: aBc", {{"A", "aBc"}}));
  EXPECT_FALSE(selects("A|cased: aBc", {{"A", "abc"}}));
  EXPECT_TRUE(selects("A|contains|cased: 'Bc'", {{"A", "aBcd"}}));
  EXPECT_FALSE(selects("A|contains|cased: 'Bc'", {{"A", "abcd"}}));
  EXPECT_TRUE(selects("A|cased: 'a?C*'", {{"A", "abCd"}}));
  EXPECT_FALSE(selects("A|cased: 'a?C*'", {{"A", "abcd"}}));
}

TEST(Numbers, CompareAsText) {
  EXPECT_TRUE(selects("A: 88", {{"A", "88"}}));
  EXPECT_TRUE(selects("A: '88'", {{"A", "88"}}));
  EXPECT_FALSE(selects("A: 88", {{"A", "088"}}));
  EXPECT_FALSE(selects("A: 88", {{"A", "888"}}));
  EXPECT_TRUE(selects("A: true", {{"A", "True"}}));
  EXPECT_TRUE(selects("A|contains: 88", {{"A", "1881"}}));
}

TEST(Times, PartsAreThoseOfUtc) {
  const Event evening{{"A", "2026-11-27T22:28:59.123Z"}};
  EXPECT_TRUE(selects("A|minute: 28", evening));
  EXPECT_TRUE(selects("A|hour: 22", evening));
  EXPECT_TRUE(selects("A|day: 27", evening));
  EXPECT_TRUE(selects("A|month: 11", evening));
  EXPECT_TRUE(selects("A|year: 2026", evening));
  EXPECT_TRUE(selects("A|week: 48", evening));
  EXPECT_FALSE(selects("A|hour: 23", evening));
  EXPECT_TRUE(selects("A|hour: 22", {{"A", "2026-11-27 22:28:59.123"}}));  // as Sysmon writes it
  EXPECT_TRUE(selects("A|hour: 22", {{"A", "2026-11-27T22:28"}}));
  EXPECT_TRUE(selects("A|hour: 1", {{"A", "2026-11-27T22:28:59-03:00"}}));  // of the day behind
  EXPECT_TRUE(selects("A|day: 28", {{"A", "2026-11-27T22:28:59-0300"}}));
  EXPECT_TRUE(selects("A|year: 1999", {{"A", "2000-01-01T00:30+01:00"}}));
}

TEST(Times, CompareAndListLikeNumbers) {
  const Event night{{"A", "2026-11-27 03:05:00"}};
  EXPECT_TRUE(selects("A|hour|lt: 6", night));
  EXPECT_FALSE(selects("A|hour|lt: 3", night));
  EXPECT_TRUE(selects("A|hour|lte: 3", night));
  EXPECT_TRUE(selects("A|minute|gt: 4", night));
  EXPECT_FALSE(selects("A|minute|gt: 5", night));
  EXPECT_TRUE(selects("A|minute|gte: 5", night));
  EXPECT_TRUE(selects("A|hour:\n  - 1\n  - 3", night));
  EXPECT_TRUE(selects("A|hour|neq: 4", night));
  EXPECT_FALSE(selects("A|hour|neq: 3", night));
  EXPECT_TRUE(selects("A|hour|neq: 3", {{"A", "no time"}}));
}

TEST(Times, WeeksAreThoseOfIso8601) {
  EXPECT_TRUE(selects("A|week: 53", {{"A", "2027-01-03T00:00Z"}}));
  EXPECT_TRUE(selects("A|week: 1", {{"A", "2027-01-04T00:00Z"}}));
  EXPECT_TRUE(selects("A|week: 1", {{"A", "2024-12-30T00:00Z"}}));
  EXPECT_TRUE(selects("A|week: 52", {{"A", "2022-01-01T00:00Z"}}));
}

TEST(Times, AnythingElseIsNoTime) {
  for (const char* text : {"", "2026-11-27", "22:28", "1764282539", "2026-02-29T00:00", "2026-11-31T00:00", "2026-11-27T24:00", "27.11.2026 22:28", "2026-11-27T22:28 UTC", " 2026-11-27T22:28", "2026-11-27T22:28:59.Z", "2026-11-27T22:28+1"}) {
    EXPECT_FALSE(selects("A|year|gte: 0", {{"A", text}})) << text;
  }
  EXPECT_FALSE(selects("A|year|gte: 0", {{"B", "2026-11-27T22:28"}}));
}

TEST(Null, IsAbsentAndNothingElse) {
  EXPECT_TRUE(selects("A: null", {{"B", "x"}}));
  EXPECT_FALSE(selects("A: null", {{"A", ""}}));
  EXPECT_FALSE(selects("A: null", {{"A", "x"}}));
  EXPECT_FALSE(selects("A: ''", {{"B", "x"}}));
  EXPECT_TRUE(selects("A: ''", {{"A", ""}}));
  EXPECT_FALSE(selects("A: ''", {{"A", " "}}));
  EXPECT_TRUE(selects("A:\n  - null\n  - x", {{"B", "x"}}));
}

TEST(Not, HoldsOverAbsentFields) {
  const std::string rule = "sel:\n  B: x\nfilter:\n  A: y\ncondition: sel and not filter";
  EXPECT_TRUE(matches(rule, {{"B", "x"}}));
  EXPECT_TRUE(matches(rule, {{"B", "x"}, {"A", "z"}}));
  EXPECT_FALSE(matches(rule, {{"B", "x"}, {"A", "y"}}));
}

TEST(Unavailable, HoldsAnInstanceThatReadsItUnderNotToo) {
  const std::string rule = "sel:\n  B: x\nfilter:\n  A: y\ncondition: sel and not filter";
  EXPECT_FALSE(matches(rule, {{"B", "x"}}, {"A"}));
  EXPECT_TRUE(matches(rule, {{"B", "x"}}, {"C"}));
  EXPECT_FALSE(matches("sel:\n  A: null\ncondition: sel", {}, {"A"}));
  EXPECT_FALSE(matches("sel:\n  A|exists: false\ncondition: sel", {}, {"A"}));
  EXPECT_FALSE(matches("sel:\n  B: x\nother:\n  A: y\ncondition: sel or other", {{"B", "x"}}, {"A"}));  // reads it anywhere
  EXPECT_FALSE(matches("kw:\n  - word\ncondition: kw", {{"B", "a word"}}, {"A"}));                     // keywords read everything
}

TEST(Exists, AsksForPresence) {
  EXPECT_TRUE(selects("A|exists: true", {{"A", ""}}));
  EXPECT_FALSE(selects("A|exists: true", {{"B", ""}}));
  EXPECT_TRUE(selects("A|exists: false", {{"B", ""}}));
}

TEST(Keywords, AreSubstringsOfAnySingleValue) {
  const std::string rule = "kw:\n  - First Word\n  - 'a*z'\ncondition: kw";
  EXPECT_TRUE(matches(rule, {{"A", "the FIRST word here"}}));
  EXPECT_TRUE(matches(rule, {{"Unknown", "the first word here"}}));  // a value that is no input
  EXPECT_TRUE(matches(rule, {{"C", "xx a--z xx"}}));
  EXPECT_FALSE(matches(rule, {{"A", "first "}, {"B", "word"}}));     // not across values
  EXPECT_FALSE(matches(rule, {{"A", "a"}, {"B", "z"}}));
}

TEST(Keywords, AllNeedsEachSomewhere) {
  const std::string rule = "kw:\n  '|all':\n    - one\n    - two\ncondition: kw";
  EXPECT_TRUE(matches(rule, {{"A", "xonex"}, {"Unknown", "xtwox"}}));
  EXPECT_FALSE(matches(rule, {{"A", "xonex"}}));
}

TEST(Conditions, WholeGrammar) {
  const std::string selections = "sel_a:\n  A: a\nsel_b:\n  B: b\nother:\n  C: c\n";
  const Event a{{"A", "a"}};
  const Event ab{{"A", "a"}, {"B", "b"}};
  const Event abc{{"A", "a"}, {"B", "b"}, {"C", "c"}};
  EXPECT_TRUE(matches(selections + "condition: 1 of sel_*", a));
  EXPECT_FALSE(matches(selections + "condition: all of sel_*", a));
  EXPECT_TRUE(matches(selections + "condition: all of sel_*", ab));
  EXPECT_FALSE(matches(selections + "condition: all of them", ab));
  EXPECT_TRUE(matches(selections + "condition: all of them", abc));
  EXPECT_TRUE(matches(selections + "condition: 1 of sel_* and not other", ab));
  EXPECT_FALSE(matches(selections + "condition: 1 of sel_* and not other", abc));
  EXPECT_TRUE(matches(selections + "condition: not (sel_b or other) and sel_a", a));
  EXPECT_TRUE(matches(selections + "condition: sel_a or sel_b and other", a));  // and binds tighter
  EXPECT_FALSE(matches(selections + "condition: (sel_a or sel_b) and other", a));
  EXPECT_TRUE(matches(selections + "condition: not sel_b", a));
  EXPECT_TRUE(matches(selections + "condition: not not sel_a", a));
  EXPECT_FALSE(matches(selections + "condition: sel_a and not sel_a", a));
  EXPECT_TRUE(matches(selections + "condition: sel_a or not sel_a", {}));
}

TEST(Selections, ListsOfMapsAreAlternatives) {
  const std::string rule = "sel:\n  - A: a\n    B: b\n  - C: c\ncondition: sel";
  EXPECT_TRUE(matches(rule, {{"C", "c"}}));
  EXPECT_TRUE(matches(rule, {{"A", "a"}, {"B", "b"}}));
  EXPECT_FALSE(matches(rule, {{"A", "a"}, {"B", "x"}}));
}

TEST(Cidr, BothFamiliesWithoutMappedFolding) {
  EXPECT_TRUE(selects("A|cidr: 192.168.0.0/16", {{"A", "192.168.255.1"}}));
  EXPECT_FALSE(selects("A|cidr: 192.168.0.0/16", {{"A", "192.169.0.1"}}));
  EXPECT_FALSE(selects("A|cidr: 192.168.0.0/16", {{"A", "::ffff:192.168.1.1"}}));
  EXPECT_TRUE(selects("A|cidr: 10.0.0.0/9", {{"A", "10.127.255.255"}}));
  EXPECT_FALSE(selects("A|cidr: 10.0.0.0/9", {{"A", "10.128.0.0"}}));
  EXPECT_TRUE(selects("A|cidr: 0.0.0.0/0", {{"A", "1.2.3.4"}}));
  EXPECT_FALSE(selects("A|cidr: 0.0.0.0/0", {{"A", "1.2.3"}}));
  EXPECT_FALSE(selects("A|cidr: 0.0.0.0/0", {{"A", "1.2.3.256"}}));
  EXPECT_TRUE(selects("A|cidr: 'fe80::/10'", {{"A", "FE80:0:0:0:0:0:0:1"}}));
  EXPECT_TRUE(selects("A|cidr: '2001:db8::/33'", {{"A", "2001:db8:7fff::"}}));
  EXPECT_FALSE(selects("A|cidr: '2001:db8::/33'", {{"A", "2001:db8:8000::"}}));
  EXPECT_TRUE(selects("A|cidr: '::1/128'", {{"A", "0:0:0:0:0:0:0:1"}}));
  EXPECT_TRUE(selects("A|cidr: '::/0'", {{"A", "::ffff:192.168.1.1"}}));
}

TEST(Regex, IsUnanchoredAndCaseSensitive) {
  EXPECT_TRUE(selects("A|re: 'b[0-9]+d'", {{"A", "ab12de"}}));
  EXPECT_FALSE(selects("A|re: 'b[0-9]+d'", {{"A", "aB12de"}}));
  EXPECT_TRUE(selects("A|re|i: 'b[0-9]+d'", {{"A", "aB12De"}}));
  EXPECT_TRUE(selects("A|re: '(?i)b\\d+d'", {{"A", "aB12De"}}));
  EXPECT_FALSE(selects("A|re: 'a.b'", {{"A", "a\nb"}}));
  EXPECT_TRUE(selects("A|re|s: 'a.b'", {{"A", "a\nb"}}));
  EXPECT_FALSE(selects("A|re: '^b'", {{"A", "a\nb"}}));
  EXPECT_TRUE(selects("A|re|m: '^b$'", {{"A", "a\nb\nc"}}));
  EXPECT_TRUE(selects("A|re: '^$'", {{"A", ""}}));
  EXPECT_FALSE(selects("A|re: ''", {{"B", "x"}}));  // an absent field matches nothing
  EXPECT_TRUE(selects("A|re|i: 'ÄÖ'", {{"A", "xäÖx"}}));
}

TEST(Windash, AnyDashStandsForAny) {
  EXPECT_TRUE(selects("A|windash|contains: ' -enc '", {{"A", "x /enc y"}}));
  EXPECT_TRUE(selects("A|windash|contains: ' /accepteula '", {{"A", "x -accepteula y"}}));
  EXPECT_TRUE(selects("A|contains|windash: ' -enc '", {{"A", "x \u2015enc y"}}));
  EXPECT_FALSE(selects("A|windash|contains: ' -enc '", {{"A", "x +enc y"}}));
  EXPECT_TRUE(selects("A|windash|contains: 'a-b'", {{"A", "a-b"}}));
  EXPECT_FALSE(selects("A|windash|contains: 'a-b'", {{"A", "a/b"}}));  // a word character stands before it
  EXPECT_TRUE(selects("A|windash|contains: ' -a -b '", {{"A", "x /a \u2013b y"}}));  // each on its own
  EXPECT_TRUE(selects("A|windash|endswith: ' -x'", {{"A", "cmd /x"}}));
}

TEST(Base64, AtOneAndAtEveryOffset) {
  EXPECT_TRUE(selects("A|base64: foobar", {{"A", "Zm9vYmFy"}}));
  EXPECT_TRUE(selects("A|base64|contains: foobar", {{"A", "x Zm9vYmFy x"}}));
  // "foobar" behind zero, one and two bytes, with something behind it
  EXPECT_TRUE(selects("A|base64offset|contains: foobar", {{"A", to_base64(as_bytes("foobar!"))}}));
  EXPECT_TRUE(selects("A|base64offset|contains: foobar", {{"A", to_base64(as_bytes("xfoobar!"))}}));
  EXPECT_TRUE(selects("A|base64offset|contains: foobar", {{"A", to_base64(as_bytes("xxfoobar!"))}}));
  EXPECT_FALSE(selects("A|base64offset|contains: foobar", {{"A", to_base64(as_bytes("xxfooba!"))}}));
}

TEST(Base64, OfUtf16) {
  const std::string wide("h\0t\0t\0p\0", 8);
  EXPECT_TRUE(selects("A|wide|base64offset|contains: http", {{"A", to_base64(as_bytes("x" + wide))}}));
  EXPECT_TRUE(selects("A|utf16le|base64offset|contains: http", {{"A", to_base64(as_bytes("xx" + wide))}}));
  const std::string big("\0h\0t\0t\0p", 8);
  EXPECT_TRUE(selects("A|utf16be|base64offset|contains: http", {{"A", to_base64(as_bytes("x" + big))}}));
  EXPECT_FALSE(selects("A|wide|base64offset|contains: http", {{"A", to_base64(as_bytes("xhttp"))}}));
}

TEST(FieldRef, ComparesTwoFields) {
  EXPECT_TRUE(selects("A|fieldref: B", {{"A", "Same"}, {"B", "sAME"}}));
  EXPECT_FALSE(selects("A|fieldref: B", {{"A", "Same"}}));
  EXPECT_FALSE(selects("A|fieldref: B", {{"B", "Same"}}));
  EXPECT_TRUE(selects("A|fieldref|startswith: B", {{"A", "prefix and more"}, {"B", "PREFIX"}}));
  EXPECT_TRUE(selects("A|fieldref|endswith: B", {{"A", "more and suffix"}, {"B", "SUFFIX"}}));
  EXPECT_TRUE(selects("A|fieldref|contains: B", {{"A", "more and suffix"}, {"B", "AND"}}));
  EXPECT_FALSE(selects("A|fieldref|contains: B", {{"A", "and"}, {"B", "more and"}}));
}

TEST(Comparisons, AreOfNumbers) {
  EXPECT_TRUE(selects("A|lt: 10", {{"A", "9"}}));
  for (const auto& [less, more] : {std::pair("9007199254740992", "9007199254740993"), std::pair("-9007199254740993", "-9007199254740992"), std::pair("9223372036854775806", "9223372036854775807"), std::pair("-9223372036854775808", "-9223372036854775807")}) {
    EXPECT_TRUE(selects("A|lt: " + std::string(more), {{"A", less}})) << less;
    EXPECT_FALSE(selects("A|lt: " + std::string(less), {{"A", more}})) << less;
    EXPECT_TRUE(selects("A|gt: " + std::string(less), {{"A", more}})) << less;
    EXPECT_FALSE(selects("A|gt: " + std::string(more), {{"A", less}})) << less;
    EXPECT_FALSE(selects("A|gt: " + std::string(more), {{"A", more}}));
    EXPECT_TRUE(selects("A|gte: " + std::string(more), {{"A", "00" + std::string(more)}}) || more[0] == '-');
  }
  EXPECT_TRUE(selects("A|gt: 9223372036854775807", {{"A", "18446744073709551616"}})) << "longer than 64 bits";
  EXPECT_TRUE(selects("A|lt: -9223372036854775808", {{"A", "-99999999999999999999999"}}));
  EXPECT_FALSE(selects("A|gt: 1", {{"A", std::string(65, '9')}})) << "longer than a number may be";
  EXPECT_TRUE(selects("A|gte: 5", {{"A", "5.0"}}));
  EXPECT_TRUE(selects("A|lt: 5", {{"A", "4.99"}}));
  EXPECT_TRUE(selects("A|lt: 5.5", {{"A", "5"}}));
  EXPECT_TRUE(selects("A|gt: 999", {{"A", "1e3"}}));
  EXPECT_FALSE(selects("A|lt: 10", {{"A", "10"}}));
  EXPECT_TRUE(selects("A|lte: 10", {{"A", "10"}}));
  EXPECT_TRUE(selects("A|gt: 10", {{"A", "10.5"}}));
  EXPECT_TRUE(selects("A|gte: -3", {{"A", "-3"}}));
  EXPECT_FALSE(selects("A|gt: 10", {{"A", "abc"}}));
  EXPECT_FALSE(selects("A|gt: 10", {{"A", "11 "}}));
  EXPECT_FALSE(selects("A|lt: 10", {{"A", ""}}));
  EXPECT_FALSE(selects("A|lt: 10", {{"A", "nan"}}));
}

TEST(FurtherValues, HoldIfAnyHolds) {
  const schema::TemplateType type = type_of({"A", "B", "C"});
  for (const std::string rule : {"A: two", "A|contains: wo", "A|re: 't.o'", "A|startswith: 'long enough two'", "A|contains: 'enough two'"}) {
    Loaded loaded = load("sel:\n  " + rule + "\ncondition: sel");
    const std::vector<schema::InputValue> values{schema::InputValue("one"), schema::InputValue("two"), {}};
    const std::vector<schema::FurtherValue> further{{1, "two"}, {0, rule.size() > 20 ? "Long Enough Two" : "TWO"}, {0, "two"}};
    EXPECT_EQ(loaded.run({values, further, {}}).matches.size(), 1u) << rule;
    EXPECT_EQ(loaded.run({values, std::span(further).first(1), {}}).matches.size(), 0u) << rule;
  }
}

TEST(LongValues, AreCutAndCounted) {
  Loaded loaded = load("sel:\n  A|contains: needle\ncondition: sel");
  std::string text(limits::kInputBytesMax - 6, 'x');
  std::vector<schema::InputValue> values(3);
  const std::string fits = text + "needle";
  values[0] = schema::InputValue(fits);
  EXPECT_EQ(loaded.run({values, {}, {}}).matches.size(), 1u);
  EXPECT_EQ(loaded.run({values, {}, {}}).values_cut, 0u);
  const std::string longer = text + "xneedle";
  values[0] = schema::InputValue(longer);
  EXPECT_EQ(loaded.run({values, {}, {}}).matches.size(), 0u);
  EXPECT_EQ(loaded.run({values, {}, {}}).values_cut, 1u);
}

TEST(FurtherValues, AreLeftOutPastTheLimitAndCounted) {
  Loaded loaded = load("kw:\n  - needle\ncondition: kw");
  const std::vector<schema::InputValue> values(3);
  const std::string filler(limits::kFurtherBytesMax - 6, 'x');
  const std::string more = filler + "x";
  EXPECT_EQ(loaded.run({values, {}, std::vector<std::string_view>{filler, "needle"}}).matches.size(), 1u);
  const std::vector<std::string_view> too_much{more, "needle"};
  EXPECT_EQ(loaded.run({values, {}, too_much}).matches.size(), 0u);
  EXPECT_EQ(loaded.run({values, {}, too_much}).values_left_out, 1u);
  EXPECT_EQ(loaded.run({values, {}, too_much}).values_cut, 0u);
  std::vector<std::string_view> many(limits::kFurtherValuesMax, "x");
  many.back() = "needle";
  EXPECT_EQ(loaded.run({values, {}, many}).matches.size(), 1u);
  many.insert(many.begin(), "x");
  EXPECT_EQ(loaded.run({values, {}, many}).matches.size(), 0u);
}

TEST(Inputs, WrongCountIsAFaultAndNoMatch) {
  Loaded loaded = load("sel:\n  A: null\ncondition: sel");
  interpreter::Scratch scratch(loaded.channel());
  const std::vector<schema::InputValue> values(2);
  const interpreter::Outcome outcome = interpreter::evaluate(loaded.channel(), {values, {}, {}}, scratch);
  ASSERT_EQ(outcome.faults.size(), 1u);
  EXPECT_EQ(outcome.faults[0].code, interpreter::FaultCode::kInputCount);
  EXPECT_EQ(outcome.faults[0].instance, interpreter::kEveryInstance);
  EXPECT_TRUE(outcome.matches.empty());
}

TEST(Matches, CarryWhatTheRuleSays) {
  const schema::TemplateType type = type_of({"A"});
  const auto rules = parse_rules(rule_yaml("sel:\n  A|contains: x\ncondition: sel", 7, "tags:\n  - attack.t1055\n  - attack.execution\nreferences:\n  - https://example.org/a\n"));
  Diagnostics diagnostics;
  Loaded loaded(type, compile_rules(type, rules, diagnostics));
  const channel::InstanceInfo info = loaded.channel().instance(0);
  EXPECT_EQ(info.rule_id, "00000000-0000-4000-8000-000000000007");
  EXPECT_EQ(info.title, "Rule 7");
  EXPECT_EQ(info.level, "high");
  EXPECT_EQ(info.author, "Ada");
  ASSERT_EQ(info.tags.size(), 2u);
  EXPECT_EQ(info.tags[1], "attack.execution");
  ASSERT_EQ(info.references.size(), 1u);
  EXPECT_EQ(info.references[0], "https://example.org/a");
  EXPECT_EQ(std::vector<uint32_t>(info.inputs.begin(), info.inputs.end()), std::vector<uint32_t>{0});
  EXPECT_EQ(loaded.channel().type_id(), "test.type");
  EXPECT_EQ(loaded.channel().type_version(), 3u);
}

// Inner literals that no index finds are looked for one by one at first, then together (late_literals.hpp): in texts that hold some of them, at both ends too, cased apart, beside further values.
TEST(Semantics, ManyInnerLiteralsOfOneEventAreFoundTogether) {
  std::mt19937 random(11);
  const auto word = [&] {
    std::string out;
    for (auto size = 3 + random() % 9; size > 0; --size) out += "abc"[random() % 3];
    if (random() % 8 == 0) out += "É";
    return out;
  };
  std::vector<std::string> words;
  std::string yaml, wakes_all;
  for (int n = 0; n < 200; ++n) {
    words.push_back(word());
    const std::string wakes = "a long literal, so it wakes rule " + std::to_string(n) + ";";
    wakes_all += wakes;
    yaml += (n == 0 ? "" : "---\n") + rule_yaml("sel:\n  A|contains: '" + words.back() + "'\n  B|contains: '" + wakes + "'\ncondition: sel", n + 1);
  }
  const schema::TemplateType type = type_of({"A", "B"});
  Diagnostics diagnostics;
  Loaded loaded(type, compile_rules(type, parse_rules(yaml), diagnostics));
  ASSERT_TRUE(diagnostics.empty());
  ASSERT_GE(std::ranges::count_if(loaded.channel().layout().predicates, [](const channel::PredicateRecord& p) { return p.input == 0 && (p.flags & channel::kIndexed) == 0; }), 100);
  size_t found = 0;
  for (int n = 0; n < 300; ++n) {
    const auto text = [&] {
      std::string out;
      for (auto pieces = random() % 3 == 0 ? 200 : random() % 6; pieces > 0; --pieces) {
        std::string piece = random() % 2 == 0 ? words[random() % words.size()] : word();
        if (random() % 2 == 0) piece[0] = static_cast<char>(piece[0] - 32);
        out += piece;
      }
      return out;
    };
    const std::string first = text();
    const std::string second = text();
    const std::vector<schema::InputValue> values{random() % 5 == 0 ? schema::InputValue() : schema::InputValue(first), schema::InputValue(wakes_all)};
    const std::vector<schema::FurtherValue> further{{0, second}, {1, words[0]}};
    const auto matches = loaded.run({values, further, {}}).matches;
    std::vector<uint32_t> expected;
    for (uint32_t i = 0; i < words.size(); ++i) {
      const std::string literal = channel::fold(words[i]);
      const bool in_first = values[0].has_value() && channel::fold(first).find(literal) != std::string::npos;
      if (in_first || channel::fold(second).find(literal) != std::string::npos) expected.push_back(i);
    }
    found += expected.size();
    ASSERT_TRUE(std::ranges::equal(matches, expected)) << first << " and " << second;
  }
  EXPECT_GE(found, 1'000u);
}

}  // namespace creance::test
