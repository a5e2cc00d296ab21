#include "base/yaml.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"

namespace creance::yaml {
namespace {
std::string refusal(std::string_view text) {
  Diagnostics diagnostics;
  EXPECT_FALSE(parse(text, "f.yml", "T001", diagnostics));
  return diagnostics.empty() ? "" : to_line(diagnostics.front());
}
}  // namespace

TEST(Yaml, KeepsSpansQuotesAndOrder) {
  Diagnostics diagnostics;
  const auto documents = parse("a: 1\nb:\n  - 'x'\n  - ~\n", "f.yml", "T001", diagnostics);
  ASSERT_TRUE(documents);
  const Document& doc = documents->front();
  const Node* b = doc.find(doc.root(), "b");
  ASSERT_NE(b, nullptr);
  ASSERT_EQ(b->children.size(), 2u);
  EXPECT_EQ(doc.at(b->children[0]).type, Scalar::kString);
  EXPECT_EQ(doc.at(b->children[0]).span, (Span{3, 5}));
  EXPECT_TRUE(doc.at(b->children[1]).is_null());
}

TEST(Yaml, RefusesWhatWouldBeGuessedOrWouldHurt) {
  EXPECT_EQ(refusal("a: 1\na: 2\n"), "f.yml:2:1: error T001: the key `a` occurs twice in this map");
  EXPECT_NE(refusal("a: &x 1\nb: *x\n").find("aliases"), std::string::npos);
  EXPECT_NE(refusal("a: \xff\n").find("f.yml:1:4: error T001: byte 0xff is not valid UTF-8"), std::string::npos);
  EXPECT_NE(refusal("a: " + std::string(100'000, '[') + std::string(100'000, ']')).find("nested deeper"), std::string::npos);
  EXPECT_NE(refusal(std::string(100'000, '[')).find("a key must be plain text"), std::string::npos);  // unclosed, the outer ones read as keys
  EXPECT_NE(refusal(std::string(100'000, '{')).find("a key must be plain text"), std::string::npos);
  EXPECT_NE(refusal("a: !!binary aGk=\n").find("tag"), std::string::npos);
  EXPECT_NE(refusal("a: b\x01\n").find("control character"), std::string::npos);
  std::string dashes;
  for (int i = 0; i < 100'000; ++i) dashes += "- ";
  EXPECT_NE(refusal(dashes).find("nested deeper"), std::string::npos);
  EXPECT_NE(refusal("a: [1, 2\n").find("not valid YAML"), std::string::npos);
}

}  // namespace creance::yaml

namespace creance {

TEST(Utf8, FindsTheFirstBadByte) {
  EXPECT_EQ(invalid_utf8_at("aé€😀"), std::nullopt);
  EXPECT_EQ(invalid_utf8_at("a\xC0\x80"), 1u);           // overlong
  EXPECT_EQ(invalid_utf8_at("ab\xED\xA0\x80"), 2u);      // surrogate
  EXPECT_EQ(invalid_utf8_at("\xF4\x90\x80\x80"), 0u);    // above U+10FFFF
  EXPECT_EQ(invalid_utf8_at("abc\xE2\x82"), 3u);         // cut
}

TEST(Nearest, OffersOnlyWhatIsAlike) {
  constexpr std::string_view names[] = {"PipeName", "Image", "User"};
  EXPECT_EQ(nearest("pipname", names), "PipeName");
  EXPECT_EQ(nearest("CommandLine", names), std::nullopt);
}

TEST(Printable, EscapesControlsAndCutsAtCharacters) {
  EXPECT_EQ(printable("a\x1b[2J\n"), "a\\x1b[2J\\x0a");
  EXPECT_EQ(printable("ééé", 4), "éé…");
  EXPECT_EQ(printable("a\xC2\x9b" "b\xE2\x80\xAE" "c\xC2\xA0"), "a\\xc2\\x9bb\\xe2\\x80\\xaec\xC2\xA0");
}

}  // namespace creance
