#include "channel/fold.hpp"

#include <gtest/gtest.h>

#include "channel/address.hpp"
#include "channel/utf8.hpp"

namespace creance::channel {

TEST(Fold, KnowsSimpleFoldingAndNothingMore) {
  EXPECT_EQ(fold("ABCxyz019_[`{"), "abcxyz019_[`{");
  EXPECT_EQ(fold("ÀÉÎ ΑΒΓς ДЖ Ⱥ"), "àéî αβγσ дж ⱥ");
  EXPECT_EQ(fold("ẞ"), "ß");            // status S
  EXPECT_EQ(fold("İ"), "İ");            // only full and Turkic foldings
  EXPECT_EQ(fold("ﬀ"), "ﬀ");            // only a full folding
  EXPECT_EQ(fold("\u212a\u2126"), "kω");  // Kelvin, Ohm
  EXPECT_EQ(fold("Ꭰ"), "Ꭰ");            // Cherokee folds to capitals
}

TEST(Fold, LeavesOtherBytesAlone) {
  EXPECT_EQ(fold("A\xff\xc3"), "a\xff\xc3");
  EXPECT_EQ(fold("\xc3" "A"), "\xc3" "a");
  EXPECT_EQ(fold(std::string("A\0B", 3)), std::string("a\0b", 3));
}

TEST(Fold, IsTheSameAtEveryAlignmentAndNeverGrowsPastItsBound) {
  for (size_t before = 0; before < 70; ++before) {
    const std::string text = std::string(before, 'Q') + "Ⱥ" + std::string(40, 'Z');
    EXPECT_EQ(fold(text), std::string(before, 'q') + "ⱥ" + std::string(40, 'z'));
  }
  for (uint32_t rune = 0; rune <= kRuneMax; ++rune) {
    char text[4];
    const uint32_t size = encode(rune, text);
    char out[8];
    ASSERT_LE(fold({text, size}, out), size == 1 ? 1 : folded_bytes_max(size)) << rune;
    ASSERT_EQ(fold_rune(fold_rune(rune)), fold_rune(rune)) << rune;
  }
}

TEST(Fold, OrbitsHoldAllThatFoldAlike) {
  EXPECT_EQ(fold_orbit('k'), (std::vector<uint32_t>{'K', 'k', 0x212a}));
  EXPECT_EQ(fold_orbit('S'), (std::vector<uint32_t>{'S', 's', 0x17f}));
  EXPECT_EQ(fold_orbit('1'), std::vector<uint32_t>{'1'});
}

TEST(Utf8, DecodesForwardAndBackwardAlike) {
  const std::string text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xff" "b\xe2\x82";
  std::vector<uint32_t> forward;
  for (size_t at = 0; at < text.size(); at += forward.back()) forward.push_back(decode(text.data() + at, text.data() + text.size()).size);
  std::vector<uint32_t> backward;
  for (size_t end = text.size(); end > 0; end -= backward.back()) backward.push_back(size_before(text.data(), text.data() + end));
  EXPECT_EQ(forward, (std::vector<uint32_t>{1, 2, 3, 4, 1, 1, 1, 1}));
  EXPECT_EQ(backward, std::vector<uint32_t>(forward.rbegin(), forward.rend()));
}

TEST(Address, ParsesWhatItShouldAndNothingElse) {
  for (const char* text : {"0.0.0.0", "255.255.255.255", "::", "::1", "1::", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "fe80::1:2"}) EXPECT_TRUE(parse_address(text)) << text;
  for (const char* text : {"", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4 ", "1..2.3", ":", ":::", "1:::2", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "12345::", "g::", "1:", ":1", "fe80::1%eth0",
                           "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "1.2.3.4::"})
    EXPECT_FALSE(parse_address(text)) << text;
  EXPECT_EQ(parse_address("1::2")->bytes[1], 1);
  EXPECT_EQ(parse_address("1::2")->bytes[15], 2);
}

}  // namespace creance::channel
