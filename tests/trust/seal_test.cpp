// Sealing to one recipient. HPKE: RFC 9180; the vector is its appendix A.2.1 (base mode, first message).
#include <gtest/gtest.h>

#include "trust/keys/seal.hpp"

namespace creance::trust {
namespace {

Bytes hex(std::string_view text) { return *from_hex(text); }

struct Vector {
  SealKey ephemeral = *SealKey::from_raw(hex("f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600"));
  SealKey recipient = *SealKey::from_raw(hex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb"));
  Bytes info = hex("4f6465206f6e2061204772656369616e2055726e");
  Bytes aad = hex("436f756e742d30");
  Bytes plain = hex("4265617574792069732074727574682c20747275746820626561757479");
  Bytes encapsulated = hex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
  Bytes text = hex("1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28");
};

TEST(Seal, GivesTheVectorOfRfc9180) {  // A.2.1.1, sequence number 0
  const Vector v;
  EXPECT_EQ(v.recipient.public_key(), hex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"));
  const auto sealed = seal(v.recipient.public_key(), v.plain, v.info, v.aad, v.ephemeral);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed->encapsulated, v.encapsulated);
  EXPECT_EQ(sealed->text, v.text);
  EXPECT_EQ(*open({v.encapsulated, v.text}, v.recipient, v.info, v.aad), v.plain);
}

TEST(Seal, OpensForNobodyElseAndForNothingElse) {
  const Vector v;
  const Sealed good{v.encapsulated, v.text};
  const auto refused = [](const Result<Bytes>& opened) { return !opened && opened.error().code == ErrorCode::kDenied; };
  EXPECT_TRUE(refused(open(good, SealKey::generate(), v.info, v.aad)));
  EXPECT_TRUE(refused(open(good, v.recipient, as_bytes("other"), v.aad)));
  EXPECT_TRUE(refused(open(good, v.recipient, v.info, as_bytes("Count-1"))));
  EXPECT_TRUE(refused(open({SealKey::generate().public_key(), v.text}, v.recipient, v.info, v.aad)));
  for (size_t i = 0; i < v.text.size(); ++i) {
    Sealed changed = good;
    changed.text[i] ^= 1;
    EXPECT_TRUE(refused(open(changed, v.recipient, v.info, v.aad))) << i;
  }
  for (const size_t size : {0u, 15u, 16u}) EXPECT_FALSE(open({v.encapsulated, Bytes(v.text.begin(), v.text.begin() + static_cast<std::ptrdiff_t>(size))}, v.recipient, v.info, v.aad)) << size;
}

TEST(Seal, RefusesKeysThatAgreeOnNothing) {  // RFC 7748 section 6.1; RFC 9180 section 7.1.4
  const Vector v;
  Bytes one(32);
  one[0] = 1;
  for (const Bytes& low : {Bytes(32), one, hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), hex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")}) {
    EXPECT_EQ(seal(low, v.plain, v.info, v.aad).error().code, ErrorCode::kInvalid) << to_hex(low);
    EXPECT_EQ(open({low, v.text}, v.recipient, v.info, v.aad).error().code, ErrorCode::kInvalid) << to_hex(low);
  }
  EXPECT_FALSE(seal(Bytes(31), v.plain, v.info, v.aad));
  EXPECT_FALSE(SealKey::from_raw(Bytes(33)));
}

TEST(Seal, KeysComeBackFromTheirFile) {
  const SealKey key = SealKey::generate();
  const auto again = SealKey::from_raw(key.raw());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->public_key(), key.public_key());
  EXPECT_EQ(again->id().size(), 64u);
}

TEST(SealedDocument, IsBoundToNameVersionAndRecipient) {
  const SealKey acme = SealKey::generate();
  const SealKey other = SealKey::generate();
  const Bytes plain{'{', '}'};
  const Bytes document = *seal_document("policy/acme.json", 3, plain, acme.public_key());
  EXPECT_TRUE(is_sealed_document(document));
  EXPECT_FALSE(is_sealed_document(plain));
  EXPECT_FALSE(is_sealed_document(as_bytes("[")));
  const auto opened = open_document_sealed_as("policy/acme.json", document, acme);
  ASSERT_TRUE(opened) << opened.error().detail;
  EXPECT_EQ(opened->plain, plain);
  EXPECT_EQ(opened->version, 3);
  EXPECT_EQ(open_document_sealed_as("policy/other.json", document, acme).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(open_document_sealed_as("policy/acme.json", document, other).error().code, ErrorCode::kDenied);
  // Members that say what it is: changing one leaves nothing that opens.
  const auto with = [&](const char* member, const Json& value) {
    Json json = *parse_json(document);
    json.set(member, value);
    return *canonical_json(json);
  };
  EXPECT_EQ(open_document_sealed_as("policy/other.json", with("name", "policy/other.json"), acme).error().code, ErrorCode::kDenied);
  EXPECT_EQ(open_document_sealed_as("policy/acme.json", with("version", 4), acme).error().code, ErrorCode::kDenied);
  EXPECT_EQ(open_document_sealed_as("policy/acme.json", with("recipient", other.id()), other).error().code, ErrorCode::kDenied);
  for (const auto& [member, value] : {std::pair<const char*, Json>{"suite", "none"}, {"_type", "policy"}, {"encapsulated", "00"}, {"text", "%%"}, {"version", 0}}) EXPECT_FALSE(open_document_sealed_as("policy/acme.json", with(member, value), acme)) << member;
  EXPECT_NE(*seal_document("policy/acme.json", 3, plain, acme.public_key()), document);  // a fresh key each time
}

TEST(SealedDocument, CannotBeReadInTheTree) {
  const SealKey key = SealKey::generate();
  const std::string secret = "a mute that nobody else should read";
  const Bytes document = *seal_document("policy/acme.json", 1, as_bytes(secret), key.public_key());
  EXPECT_EQ(as_text(document).find("mute"), std::string_view::npos);
}

}  // namespace
}  // namespace creance::trust
