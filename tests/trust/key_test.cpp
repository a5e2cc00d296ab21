// Sections are those of The Update Framework specification 1.0.34; a test without one checks what the specification leaves to the implementation.
#include "base/digest.hpp"
#include "trust/keys/key_file.hpp"
#include "trust/tree.hpp"

namespace creance::trust::testing {
namespace {

Result<PublicKey> from(std::string_view keytype, std::string_view scheme, std::string_view text) {
  const Json json = Json::object({{"keytype", keytype}, {"scheme", scheme}, {"keyval", Json::object({{"public", text}})}});
  return PublicKey::from_json(JsonField(json));
}

TEST(Ed25519, FollowsRfc8032) {  // section 7.1, test 1 and test 2
  const KeyPair one = *KeyPair::ed25519_from_seed(*from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
  EXPECT_EQ(one.public_key().ed25519_hex(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  KeyPair two = *KeyPair::ed25519_from_seed(*from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
  const Bytes sig = *two.sign(Bytes{0x72});
  EXPECT_EQ(to_hex(sig), "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
  EXPECT_TRUE(two.public_key().verify(Bytes{0x72}, sig));
  EXPECT_FALSE(two.public_key().verify(Bytes{0x73}, sig));
  EXPECT_FALSE(one.public_key().verify(Bytes{0x72}, sig));
}

// Specification 4.2, ed25519 (RFC 8032, 5.1.7).
TEST(Ed25519, SmallOrderAndUncanonicalKeysVerifyNothing) {
  const std::vector<std::string> bad{
      "0000000000000000000000000000000000000000000000000000000000000000", "0100000000000000000000000000000000000000000000000000000000000000",
      "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
      "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
      "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "0100000000000000000000000000000000000000000000000000000000000080",
      "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"};
  // With the neutral element as the key, R = S·B verifies any message in a library that does not look; S = 0, R = neutral element.
  Bytes forged(64, 0);
  forged[0] = 1;
  for (const std::string& hex : bad) {
    const auto key = from("ed25519", "ed25519", hex);
    ASSERT_TRUE(key) << hex;
    EXPECT_FALSE(key->usable()) << hex;
    EXPECT_FALSE(key->verify(as_bytes("anything"), forged)) << hex;
    EXPECT_FALSE(PublicKey::ed25519(*from_hex(hex))) << hex;
  }
}

// Specification 4.2, key types and schemes.
TEST(Keys, OfEverySchemeSignAndVerify) {
  for (int kind = 0; kind < 3; ++kind) {
    KeyPair pair = kind == 0 ? *KeyPair::generate_ed25519() : kind == 1 ? *KeyPair::generate_ecdsa_p256() : *KeyPair::generate_rsa(2048);
    const Bytes sig = *pair.sign(as_bytes("message"));
    EXPECT_TRUE(pair.public_key().verify(as_bytes("message"), sig)) << kind;
    EXPECT_FALSE(pair.public_key().verify(as_bytes("Message"), sig)) << kind;
    Bytes bent = sig;
    bent[bent.size() / 2] ^= 1;
    EXPECT_FALSE(pair.public_key().verify(as_bytes("message"), bent)) << kind;
    EXPECT_FALSE(pair.public_key().verify(as_bytes("message"), Bytes{})) << kind;
    const auto again = PublicKey::from_json(JsonField(pair.public_key().json()));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->id(), pair.public_key().id());
    EXPECT_TRUE(again->verify(as_bytes("message"), sig)) << kind;
  }
}

// Specification 4.2, KEYID and KEYVAL.
TEST(Keys, HexAndPemOfOneKeyAreOneKey) {
  const KeyPair pair = *KeyPair::generate_ed25519();
  const std::string hex = pair.public_key().ed25519_hex();
  const std::string der = to_base64(*from_hex("302a300506032b6570032100" + hex));  // RFC 8410
  const auto pem = from("ed25519", "ed25519", "-----BEGIN PUBLIC KEY-----\n" + der + "\n-----END PUBLIC KEY-----\n");
  ASSERT_TRUE(pem && pem->usable());
  EXPECT_EQ(pem->identity(), pair.public_key().identity());
  EXPECT_NE(pem->id(), pair.public_key().id());

  KeyPair ec = *KeyPair::generate_ecdsa_p256();
  const std::string spki = ec.public_key().identity();  // hexadecimal DER; the point is its last 65 bytes
  const auto point = from("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", spki.substr(spki.size() - 130));
  ASSERT_TRUE(point && point->usable()) << point->usable().error().detail;
  EXPECT_TRUE(point->verify(as_bytes("m"), *ec.sign(as_bytes("m"))));
}

// Specification 4.2: other key types may stand in metadata.
TEST(Keys, ThatCannotBeUsedAreKeptAndSayWhy) {
  const std::string rsa_1024 =
      "-----BEGIN PUBLIC KEY-----\n"
      "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCsnSg/6rxFy0naF1DpbIYy8Icf\n"
      "WavsUvpm4RI4c3vywJOnOA9jkGivl97JWusnfPvobIYKddiwsxZuj6HYeXskCuSO\n"
      "nb4FunSZBuyf23KkxGbUVMhhCBIW1Mz7NIQT0KHjJZSoDbOg0R6cNrC32MHJ8odl\n"
      "aIjPrM3e2L8qbh2J3wIDAQAB\n"
      "-----END PUBLIC KEY-----\n";
  EXPECT_NE(from("rsa", "rsassa-pss-sha256", rsa_1024)->usable().error().detail.find("1024 bits"), std::string::npos);
  EXPECT_EQ(from("sphincs", "sphincs-shake", "00")->usable().error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(from("rsa", "ed25519", std::string(64, '2'))->usable());
  EXPECT_FALSE(from("ed25519", "ed25519", "zz")->usable());
  EXPECT_FALSE(from("ed25519", "ed25519", std::string(62, '2'))->usable());
  EXPECT_FALSE(from("ecdsa", "ecdsa-sha2-nistp256", "04" + std::string(128, '1'))->usable());  // not on the curve
  EXPECT_EQ(PublicKey::from_json(JsonField(*parse_json(as_bytes("{}")))).error().code, ErrorCode::kInvalid);
}

TEST(Keys, HaveInTheirKeyvalWhatTheirTypeSays) {  // 4.2, KEYVAL
  for (const std::string_view text : {R"({"keytype":"sigstore-oidc","scheme":"Fulcio","keyval":{"identity":"a","issuer":"b"}})", R"({"keytype":"x","scheme":"y","keyval":{"public":{"n":1}}})",
                                      R"({"keytype":"x","scheme":"y","keyval":{}})", R"({"keytype":"ed25519","scheme":"ed25519","keyval":{"private":""}})",
                                      R"({"keytype":"rsa","scheme":"rsassa-pss-sha256","keyval":{"public":7}})"}) {
    const Json json = *parse_json(as_bytes(text));
    const auto key = PublicKey::from_json(JsonField(json));
    ASSERT_TRUE(key) << text << key.error().detail;
    EXPECT_FALSE(key->usable()) << text;
    EXPECT_FALSE(key->verify(as_bytes("anything"), Bytes(64, 1))) << text;
    EXPECT_EQ(key->json(), json);
    EXPECT_EQ(key->id(), sha256(*canonical_json(json)).hex());
  }
  for (const std::string_view text : {R"({"keytype":"x","scheme":"y"})", R"({"keytype":"x","scheme":"y","keyval":"z"})", R"({"keytype":"x","keyval":{}})", R"({"scheme":"y","keyval":{}})"}) {
    EXPECT_FALSE(PublicKey::from_json(JsonField(*parse_json(as_bytes(text))))) << text;
  }
  // Two broken keys are two: neither takes the other's place.
  const Json a = *parse_json(as_bytes(R"({"keytype":"x","scheme":"y","keyval":{"identity":"a"}})"));
  const Json b = *parse_json(as_bytes(R"({"keytype":"x","scheme":"y","keyval":{"identity":"b"}})"));
  EXPECT_FALSE(*PublicKey::from_json(JsonField(a)) == *PublicKey::from_json(JsonField(b)));
}

// Numbers that count up: a test must replay.
struct Counting final : Random {
  uint8_t next = 0;
  void fill(std::span<uint8_t> out) override {
    for (uint8_t& byte : out) byte = next++;
  }
};

TEST(KeyFiles, RoundTripPlainAndEncryptedWithModes) {
  fake::MemoryFileSystem files;
  Counting random;
  const KeyPair pair = *KeyPair::generate_ed25519();
  ASSERT_TRUE(save_key(files, "/keys/plain.pem", pair));
  ASSERT_TRUE(save_key(files, "/keys/secret.key", pair, "correct horse", random));
  EXPECT_EQ(files.mode("/keys/plain.pem"), 0600u);
  EXPECT_EQ(files.mode("/keys/secret.key"), 0600u);
  EXPECT_EQ(load_key(files, "/keys/plain.pem")->public_key().id(), pair.public_key().id());
  EXPECT_EQ(load_key(files, "/keys/secret.key", "correct horse")->public_key().id(), pair.public_key().id());
  EXPECT_EQ(load_key(files, "/keys/secret.key", "wrong").error().code, ErrorCode::kDenied);
  EXPECT_EQ(load_key(files, "/keys/secret.key").error().code, ErrorCode::kDenied);
  EXPECT_EQ(save_key(files, "/keys/plain.pem", pair).error().code, ErrorCode::kExists);
  EXPECT_EQ(load_key(files, "/keys/none.pem").error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(files.write_atomic("/keys/junk.pem", as_bytes("junk"), 0600));
  EXPECT_EQ(load_key(files, "/keys/junk.pem").error().code, ErrorCode::kInvalid);
  ASSERT_TRUE(save_public_key(files, "/keys/plain.pub", pair.public_key()));
  EXPECT_EQ(load_public_key(files, "/keys/plain.pub")->id(), pair.public_key().id());
  EXPECT_EQ(load_public_key(files, "/keys/secret.key")->id(), pair.public_key().id());  // readable without the passphrase
}

TEST(KeyFiles, OfEveryKindAreSealed) {
  Counting random;
  for (const KeyPair& pair : {KeyPair(*KeyPair::generate_ed25519()), KeyPair(*KeyPair::generate_ecdsa_p256()), KeyPair(*KeyPair::generate_rsa(2048))}) {
    const std::string sealed = *seal_key(pair, "pass", random, {64, 1, 1});
    EXPECT_EQ(sealed.find("PRIVATE"), std::string::npos);
    EXPECT_EQ(open_key(sealed, "pass")->public_key().id(), pair.public_key().id());
  }
}

TEST(KeyFiles, ASealBindsAllThatStandsInTheFile) {
  Counting random;
  const KeyPair pair = *KeyPair::generate_ed25519();
  const Json sealed = *parse_json(as_bytes(*seal_key(pair, "pass", random, {64, 1, 1})));
  const auto with = [&](const char* name, Json value) {
    Json bent = sealed;
    bent.set(name, std::move(value));
    return open_key(to_json(bent), "pass").error().code;
  };
  EXPECT_EQ(with("public", key(9).public_key().json()), ErrorCode::kDenied);
  EXPECT_EQ(with("note", "more"), ErrorCode::kDenied);
  EXPECT_EQ(with("nonce", std::string(24, '0')), ErrorCode::kDenied);
  EXPECT_EQ(with("sealed", std::string(200, '0')), ErrorCode::kDenied);
  EXPECT_EQ(with("cipher", "rot13"), ErrorCode::kUnsupported);
  const auto cost = [&](const char* name, int64_t value) {
    Json kdf = *sealed.find("kdf");
    kdf.set(name, value);
    return with("kdf", kdf);
  };
  EXPECT_EQ(cost("passes", 2), ErrorCode::kDenied);
  EXPECT_EQ(cost("memory_kib", int64_t{limits::kKeyFileMemoryKibMax} + 1), ErrorCode::kTooLarge);  // nobody makes us take 4 TiB
  EXPECT_EQ(cost("passes", int64_t{limits::kKeyFilePassesMax} + 1), ErrorCode::kTooLarge);
  EXPECT_EQ(cost("lanes", int64_t{limits::kKeyFileLanesMax} + 1), ErrorCode::kTooLarge);
  EXPECT_EQ(cost("lanes", 0), ErrorCode::kInvalid);
}

TEST(KeyFiles, OfOpenSslAreRead) {  // made once with: openssl genpkey -algorithm ED25519 -aes-256-cbc -pass pass:correct-horse
  const std::string_view pem = 
      "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
      "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiGOc3cX5ZK7AICCAAw\n"
      "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEHZMorugcj0kF9/3Rgi2RE8EQDaT\n"
      "A9uO5C40ZsVgJnetHcYiwGlFnk+e9Ytix/+cH1wkCPCMTpjmQ4oU5tB04rHTa+3J\n"
      "/1O/Rnt7xvcWwjvY0fc=\n"
      "-----END ENCRYPTED PRIVATE KEY-----\n";
  EXPECT_TRUE(open_key(pem, "correct-horse"));
  EXPECT_EQ(open_key(pem, "wrong").error().code, ErrorCode::kDenied);
  EXPECT_EQ(open_key(pem, "").error().code, ErrorCode::kDenied);
}

TEST(Documents, AreSignedInTwoPlacesAndOpenOnlyWithTheThreshold) {
  KeyPair a = key(1);
  KeyPair b = key(2);
  const RoleKeys role{{a.public_key().id(), b.public_key().id()}, 2, {{a.public_key().id(), a.public_key()}, {b.public_key().id(), b.public_key()}}};
  Signer* const first[] = {&a};
  const Bytes half = *sign_document(Json::object({{"_type", "grant"}, {"text", "\n"}}), first);
  EXPECT_EQ(open_document(half, role, "grant").error().code, ErrorCode::kDenied);
  EXPECT_EQ(open_document(*add_signature(half, a), role, "grant").error().code, ErrorCode::kDenied);  // the same person twice
  const Bytes whole = *add_signature(half, b);
  EXPECT_EQ(*open_document(whole, role, "grant")->find("text"), Json("\n"));
  std::string bent(as_text(whole));
  bent.replace(bent.find("\"grant\""), 7, "\"Grant\"");
  EXPECT_EQ(open_document(as_bytes(bent), role, "grant").error().code, ErrorCode::kDenied);
}

class WrongSigner final : public Signer {
 public:
  explicit WrongSigner(KeyPair& inner) : inner_(inner) {}
  const PublicKey& public_key() const override { return inner_.public_key(); }
  Result<Bytes> sign(BytesView) override { return Bytes(64, 7); }

 private:
  KeyPair& inner_;
};
TEST(Documents, ASignatureThatDoesNotVerifyNeverLeaves) {
  KeyPair pair = key(1);
  WrongSigner wrong(pair);
  Signer* const signers[] = {&wrong};
  EXPECT_EQ(sign_document(Json::object({{"_type", "x"}}), signers).error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace creance::trust::testing
