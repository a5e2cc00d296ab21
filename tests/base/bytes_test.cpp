#include "base/bytes.hpp"

#include <gtest/gtest.h>

#include "base/digest.hpp"

namespace creance {

TEST(Hex, RoundTripsAndRefusesOddOrForeignText) {
  EXPECT_EQ(to_hex(Bytes{0x00, 0xfe, 0x10}), "00fe10");
  EXPECT_EQ(*from_hex("00FE10"), (Bytes{0x00, 0xfe, 0x10}));
  EXPECT_EQ(from_hex("0").error().code, ErrorCode::kInvalid);
  EXPECT_EQ(from_hex("0g").error().code, ErrorCode::kInvalid);
}

TEST(Base64, RoundTripsEveryLength) {
  for (size_t n = 0; n < 70; ++n) {
    Bytes bytes(n);
    for (size_t i = 0; i < n; ++i) bytes[i] = static_cast<uint8_t>(i * 37 + n);
    EXPECT_EQ(*from_base64(to_base64(bytes)), bytes) << n;
  }
  EXPECT_EQ(to_base64(as_bytes("fooba")), "Zm9vYmE=");  // RFC 4648 section 10
  EXPECT_FALSE(from_base64("Zm9v!mE="));
  EXPECT_FALSE(from_base64("Zm9"));
}

TEST(Sha256, MatchesTheStandardsExample) {  // FIPS 180-4, example "abc"
  EXPECT_EQ(sha256(as_bytes("abc")).hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace creance
