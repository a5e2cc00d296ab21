// Sealing bytes to one recipient: HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305, one message for each encapsulation (OpenSSL 3.0 has the parts,
// not HPKE itself; ADR 0098). Keeps a secret and binds it to `info` and `aad`; says nothing about who sealed it: that is what signatures are for. Values; any number of threads.
#pragma once
#include <memory>
#include <string>

#include "base/json.hpp"
#include "base/result.hpp"

namespace creance::trust {

class SealKey {
 public:
  static SealKey generate();
  static Result<SealKey> from_raw(BytesView raw);  // 32 bytes; kInvalid
  const Bytes& public_key() const { return public_key_; }  // 32 bytes
  Bytes raw() const;                                        // the private key, for its file
  std::string id() const;                                   // SHA-256 of the public key, 64 hexadecimal digits

 private:
  explicit SealKey(std::shared_ptr<void> key);
  friend Result<Bytes> agree(const SealKey& own, BytesView other);
  std::shared_ptr<void> key_;  // EVP_PKEY, immutable
  Bytes public_key_;
};

struct Sealed {
  Bytes encapsulated;  // 32 bytes, the ephemeral public key
  Bytes text;          // as long as the plain bytes, and 16 more
};
// `ephemeral` is used once and never again; kInvalid for a recipient that is no X25519 key (a low-order point among them).
Result<Sealed> seal(BytesView recipient_public, BytesView plain, BytesView info, BytesView aad, const SealKey& ephemeral = SealKey::generate());
// kDenied: sealed to somebody else, for something else, or changed.
Result<Bytes> open(const Sealed& sealed, const SealKey& recipient, BytesView info, BytesView aad);

// A document of the tree that one recipient alone can read, bound to its path and version, so that it stands for no other:
//     {"_type": "sealed", "name": "policy/demo.json", "version": 3, "suite": "x25519-hkdf-sha256-chacha20-poly1305", "recipient": "<id of its key>", "encapsulated": "<64 hex>", "text": "<base64>"}
// Associated data: the canonical JSON of all members but `text`.
Result<Bytes> seal_document(std::string_view name, int64_t version, BytesView plain, BytesView recipient_public);
bool is_sealed_document(BytesView bytes);  // by its `_type`; nothing else is looked at
// Its plain bytes and version. kInvalid: not such a document, or of another name. kDenied: as open().
struct Opened {
  Bytes plain;
  int64_t version = 0;
};
Result<Opened> open_document_sealed_as(std::string_view name, BytesView bytes, const SealKey& recipient);

}  // namespace creance::trust
