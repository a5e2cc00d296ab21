// Keys in a PKCS#11 token, tried with SoftHSM2 (package softhsm2). OASIS PKCS #11 2.40/3.0; URIs: RFC 7512.
#include <cstdlib>
#include <fstream>

#include "trust/keys/pkcs11.hpp"
#include "trust/tree.hpp"

namespace creance::trust::testing {
namespace {

namespace fs = std::filesystem;
constexpr const char* kModule = "/usr/lib/softhsm/libsofthsm2.so";

struct Token : ::testing::Test {
  fs::path dir;
  void SetUp() override {
#ifdef __SANITIZE_ADDRESS__
    GTEST_SKIP() << "SoftHSM leaks at its end";
#endif
    if (!fs::exists(kModule)) GTEST_SKIP() << "SoftHSM2 is not installed (package softhsm2)";
    dir = fs::path(::testing::TempDir()) / ("creance-token-" + std::to_string(::getpid()));
    fs::remove_all(dir);
    fs::create_directories(dir / "tokens");
    std::ofstream(dir / "softhsm2.conf") << "directories.tokendir = " << (dir / "tokens").string() << "\nobjectstore.backend = file\nlog.level = ERROR\n";
    ::setenv("SOFTHSM2_CONF", (dir / "softhsm2.conf").c_str(), 1);
    for (const char* label : {"content", "other"}) {
      ASSERT_EQ(std::system(("softhsm2-util --init-token --free --label " + std::string(label) + " --pin 1234 --so-pin 5678 >/dev/null 2>&1").c_str()), 0);
    }
  }
  void TearDown() override {
    if (!dir.empty()) fs::remove_all(dir);
  }
  static TokenKey named(const std::string& object, const std::string& token = "content") { return {kModule, token, object, {}}; }
};

TEST_F(Token, KeysMadeInsideSignContentMetadata) {
  const std::pair<const char*, Scheme> kinds[] = {{"ana", Scheme::kEd25519}, {"ben", Scheme::kEcdsaP256Sha256}};
  std::vector<std::unique_ptr<Signer>> signers;
  for (const auto& [name, scheme] : kinds) {
    const auto made = make_token_key(named(name), "1234", scheme);
    ASSERT_TRUE(made) << made.error().detail;
    EXPECT_EQ(made->scheme(), scheme);
    auto signer = open_token_key(named(name), "1234");
    ASSERT_TRUE(signer) << signer.error().detail;
    EXPECT_EQ((*signer)->public_key().id(), made->id());
    signers.push_back(std::move(*signer));
  }
  Tree t;
  auto delegations = t.delegations();
  delegations[0].role = {{signers[0]->public_key(), signers[1]->public_key()}, 2};
  ASSERT_TRUE(t.repository.publish_targets(t.signed_by(make_targets(2, t.now + std::chrono::days(30), delegations), {&t.targets}), [](const std::string&) -> Signer* { return nullptr; }, t.online(), t.now));
  std::vector<TargetFile> files{{"content/r1/a.channel", bytes("abc"), std::nullopt}};
  const Json next = *next_targets({}, files, {}, t.now + std::chrono::days(90));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(sign_document(next, std::vector<Signer*>{signers[1].get()}));  // r and s of every length become DER that verifies
  Signer* const first[] = {signers[0].get()};
  const Bytes half = *sign_document(next, first);
  const Bytes whole = *add_signature(half, *signers[1]);
  ASSERT_TRUE(t.repository.publish({{"content", whole, files}}, t.online(), t.now));
  ASSERT_TRUE(t.client.refresh(t.now));
  EXPECT_EQ(*t.client.download(*t.client.target("content/r1/a.channel")), bytes("abc"));
}

TEST_F(Token, SaysWhatIsWrong) {
  ASSERT_TRUE(make_token_key(named("ana"), "1234", Scheme::kEd25519));
  EXPECT_EQ(make_token_key(named("ana"), "1234", Scheme::kEd25519).error().code, ErrorCode::kExists);
  EXPECT_EQ(make_token_key(named("rsa"), "1234", Scheme::kRsaPssSha256).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(open_token_key(named("ana"), "9999").error().code, ErrorCode::kDenied);
  EXPECT_EQ(open_token_key(named("ana"), "").error().code, ErrorCode::kNotFound);  // private keys are not seen without a PIN
  EXPECT_EQ(open_token_key(named("nobody"), "1234").error().code, ErrorCode::kNotFound);
  const auto no_token = open_token_key(named("ana", "lost"), "1234");
  EXPECT_EQ(no_token.error().code, ErrorCode::kNotFound);
  EXPECT_NE(no_token.error().detail.find("`content`"), std::string::npos) << no_token.error().detail;
  ASSERT_TRUE(make_token_key(named("ben"), "1234", Scheme::kEcdsaP256Sha256));
  EXPECT_EQ(open_token_key(named(""), "1234").error().code, ErrorCode::kInvalid);  // two fit
  TokenKey elsewhere = named("ana");
  elsewhere.module_path = "/nowhere/module.so";
  EXPECT_EQ(open_token_key(elsewhere, "1234").error().code, ErrorCode::kNotFound);
  elsewhere.module_path = "/lib/x86_64-linux-gnu/libm.so.6";
  EXPECT_EQ(open_token_key(elsewhere, "1234").error().code, ErrorCode::kInvalid);
}

TEST(TokenUri, NamesOneKey) {
  const auto key = parse_token_uri("pkcs11:token=my%20token;object=ana;id=%01%ff?module-path=/usr/lib/x.so");
  ASSERT_TRUE(key) << key.error().detail;
  EXPECT_EQ(key->token, "my token");
  EXPECT_EQ(key->object, "ana");
  EXPECT_EQ(key->id, (Bytes{1, 255}));
  EXPECT_EQ(key->module_path, "/usr/lib/x.so");
  for (const char* wrong : {"ana.key", "pkcs11:", "pkcs11:token=t", "pkcs11:object=o?module-path=/x", "pkcs11:token=t?module-path=x.so", "pkcs11:token=t;object=%zz?module-path=/x", "pkcs11:token=t;serial=1?module-path=/x",
                            "pkcs11:token?module-path=/x", "pkcs11:token=t%4?module-path=/x"}) {
    EXPECT_EQ(parse_token_uri(wrong).error().code, ErrorCode::kInvalid) << wrong;
  }
}

}  // namespace
}  // namespace creance::trust::testing
