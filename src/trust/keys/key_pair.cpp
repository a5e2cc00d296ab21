#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>

#include "base/check.hpp"
#include "trust/keys/signer.hpp"

namespace creance::trust {
namespace {

using PkeyPtr = std::shared_ptr<EVP_PKEY>;
using BioPtr = std::unique_ptr<BIO, decltype(&BIO_free)>;
constexpr size_t kKeyFileBytesMax = 65'536;

PkeyPtr own(EVP_PKEY* key) { return PkeyPtr(key, EVP_PKEY_free); }
EVP_PKEY* pkey(const std::shared_ptr<void>& key) { return static_cast<EVP_PKEY*>(key.get()); }
std::string take(BIO* bio) {
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(std::max(0L, length)));
}

Result<PublicKey> public_part(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_mem()), BIO_free);
  if (PEM_write_bio_PUBKEY(bio.get(), key) != 1) return fail(ErrorCode::kInvalid, "the key has no public part");
  return PublicKey::from_pem(take(bio.get()));
}

}  // namespace

KeyPair::KeyPair(std::shared_ptr<void> key, PublicKey public_key) : key_(std::move(key)), public_key_(std::move(public_key)) {}
KeyPair::KeyPair(KeyPair&&) noexcept = default;
KeyPair::~KeyPair() = default;

Result<KeyPair> KeyPair::generate_ed25519() {
  const PkeyPtr key = own(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  CHECK(key != nullptr);
  TRY(PublicKey public_key, public_part(key.get()));
  return KeyPair(key, std::move(public_key));
}

Result<KeyPair> KeyPair::ed25519_from_seed(BytesView seed) {
  if (seed.size() != 32) return fail(ErrorCode::kInvalid, "an Ed25519 seed has 32 bytes");
  const PkeyPtr key = own(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()));
  CHECK(key != nullptr);
  TRY(PublicKey public_key, public_part(key.get()));
  return KeyPair(key, std::move(public_key));
}

Result<KeyPair> KeyPair::generate_ecdsa_p256() {
  const PkeyPtr key = own(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "prime256v1"));
  CHECK(key != nullptr);
  TRY(PublicKey public_key, public_part(key.get()));
  return KeyPair(key, std::move(public_key));
}

Result<KeyPair> KeyPair::generate_rsa(unsigned bits) {
  if (bits < 2048 || bits > 8192) return fail(ErrorCode::kInvalid, "an RSA key has 2048 to 8192 bits");
  const PkeyPtr key = own(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<size_t>(bits)));
  CHECK(key != nullptr);
  TRY(PublicKey public_key, public_part(key.get()));
  return KeyPair(key, std::move(public_key));
}

Result<KeyPair> KeyPair::from_pem(std::string_view pem, std::string_view passphrase) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(std::min(pem.size(), kKeyFileBytesMax))), BIO_free);
  std::string phrase(passphrase);
  // Without a callback OpenSSL would ask on the terminal.
  const auto ask = [](char* buffer, int size, int /*writing*/, void* user) -> int {
    const auto& text = *static_cast<const std::string*>(user);
    if (text.empty() || static_cast<int>(text.size()) > size) return -1;
    std::ranges::copy(text, buffer);
    return static_cast<int>(text.size());
  };
  ERR_clear_error();
  const PkeyPtr key = own(PEM_read_bio_PrivateKey(bio.get(), nullptr, ask, &phrase));
  OPENSSL_cleanse(phrase.data(), phrase.size());
  ERR_clear_error();
  if (!key) {
    if (pem.find("ENCRYPTED") != std::string_view::npos) return fail(ErrorCode::kDenied, passphrase.empty() ? "the key is encrypted: give its passphrase" : "wrong passphrase for the key");
    return fail(ErrorCode::kInvalid, "not a PEM private key");
  }
  TRY(PublicKey public_key, public_part(key.get()));
  return KeyPair(key, std::move(public_key));
}

std::string KeyPair::to_pem() const {
  const BioPtr bio(BIO_new(BIO_s_mem()), BIO_free);
  CHECK(PEM_write_bio_PKCS8PrivateKey(bio.get(), pkey(key_), nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return take(bio.get());
}

Result<Bytes> KeyPair::sign(BytesView message) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_PKEY_CTX* options = nullptr;
  const EVP_MD* digest = public_key_.scheme() == Scheme::kEd25519 ? nullptr : EVP_sha256();
  bool ok = EVP_DigestSignInit(context.get(), &options, digest, nullptr, pkey(key_)) == 1;
  if (public_key_.scheme() == Scheme::kRsaPssSha256) {
    ok = ok && EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) == 1 && EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) == 1;
  }
  size_t length = 0;
  ok = ok && EVP_DigestSign(context.get(), nullptr, &length, message.data(), message.size()) == 1;
  Bytes signature(length);
  ok = ok && EVP_DigestSign(context.get(), signature.data(), &length, message.data(), message.size()) == 1;
  if (!ok) return fail(ErrorCode::kUnsupported, "the key cannot sign");
  signature.resize(length);
  return signature;
}

}  // namespace creance::trust
