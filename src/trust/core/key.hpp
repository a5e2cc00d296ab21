// Public keys and signature verification (TUF specification section 4.2; schemes ed25519, ecdsa-sha2-nistp256, rsassa-pss-sha256). No private keys here.
// A key that cannot be used (unknown scheme, `public` missing, broken or small-order point, RSA below 2048 bits) is kept, says why, and verifies nothing: one such key does not spoil a role whose
// other keys make the threshold. Values; any number of threads.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace creance::trust {

enum class Scheme : uint8_t { kUnknown, kEd25519, kEcdsaP256Sha256, kRsaPssSha256 };

class PublicKey {
 public:
  // A TUF KEY object {"keytype","scheme","keyval":{…}}; kInvalid only if it is not of that shape: what `keyval` holds is the key type's business, `public` for those known here. Ed25519 and ECDSA
  // keys may be hexadecimal or PEM.
  static Result<PublicKey> from_json(const JsonField& key);
  static Result<PublicKey> ed25519(BytesView raw);  // 32 bytes; kInvalid for another length or a small-order point
  // PEM "PUBLIC KEY" (SubjectPublicKeyInfo); the scheme follows from the key.
  static Result<PublicKey> from_pem(std::string_view pem);

  bool verify(BytesView message, BytesView signature) const;
  Status usable() const;                      // kInvalid or kUnsupported with the reason
  Scheme scheme() const { return scheme_; }
  const Json& json() const { return json_; }  // as it stood in the metadata, unknown members too
  // SHA-256 of the canonical JSON of json(), 64 hexadecimal digits. Metadata may file a key under another name (TAP 12); we always use this one.
  const std::string& id() const { return id_; }
  // Equal for equal key material, whatever name or spelling: what a threshold counts.
  const std::string& identity() const { return identity_; }
  std::string pem() const;                    // SubjectPublicKeyInfo; "" for a key that cannot be used
  std::string ed25519_hex() const;            // 64 hexadecimal digits; "" for other schemes
  friend bool operator==(const PublicKey& a, const PublicKey& b) { return a.identity_ == b.identity_ && a.scheme_ == b.scheme_; }

 private:
  PublicKey() = default;
  Scheme scheme_ = Scheme::kUnknown;
  Json json_;
  std::string id_;
  std::string identity_;
  std::string problem_;               // why it cannot be used; "" = it can
  std::shared_ptr<void> key_;         // EVP_PKEY; immutable
};

}  // namespace creance::trust
