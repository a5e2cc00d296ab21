// Private keys and signing. A Signer may be a key file (key_file.hpp), a hardware token (pkcs11.hpp) or another process (creance-signer); nobody else sees private bytes.
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "trust/core/metadata.hpp"

namespace creance::trust {

class Signer {
 public:
  virtual ~Signer() = default;
  virtual const PublicKey& public_key() const = 0;
  virtual Result<Bytes> sign(BytesView message) = 0;  // kDenied: the holder refuses; kUnavailable: cannot be reached
};

// An Ed25519, ECDSA P-256 or RSA private key in memory (RFC 8032, RFC 8410, PKCS#8).
class KeyPair final : public Signer {
 public:
  static Result<KeyPair> generate_ed25519();
  static Result<KeyPair> ed25519_from_seed(BytesView seed);  // 32 bytes, drawn at random; fixed ones for tests and demonstrations that must replay
  static Result<KeyPair> generate_ecdsa_p256();
  static Result<KeyPair> generate_rsa(unsigned bits = 3072);
  // PKCS#8 PEM, plain or encrypted (PBES2, as OpenSSL writes it). kDenied: wrong or missing passphrase; kInvalid: no private key of a kind we use.
  static Result<KeyPair> from_pem(std::string_view pem, std::string_view passphrase = "");
  std::string to_pem() const;  // PKCS#8, not encrypted: for key_file.hpp

  KeyPair(KeyPair&&) noexcept;
  ~KeyPair() override;
  const PublicKey& public_key() const override { return public_key_; }
  Result<Bytes> sign(BytesView message) override;

 private:
  KeyPair(std::shared_ptr<void> key, PublicKey public_key);
  std::shared_ptr<void> key_;  // EVP_PKEY
  PublicKey public_key_;
};

// Envelopes: TUF metadata and every other signed document (grants).
Result<Bytes> sign_document(const Json& signed_part, std::span<Signer* const> signers);
// Adds (or replaces) one signature, for detached signing by a second person: what is signed stays as it is, byte for byte in its canonical form.
Result<Bytes> add_signature(BytesView envelope, Signer& signer);
// The signed part, if `threshold` different keys of the role signed it; kInvalid, kDenied. `what` names the document in messages.
Result<Json> open_document(BytesView envelope, const RoleKeys& role, std::string_view what, size_t bytes_max = limits::kHttpBodyBytesMax);

}  // namespace creance::trust
