// Signing keys that never leave a token (smart card, HSM): spoken to directly through its PKCS#11 module (OASIS PKCS #11 2.40 and 3.0), because Debian 12 has no OpenSSL provider for it.
// Ed25519 (CKM_EDDSA) and ECDSA P-256 (CKM_ECDSA over our SHA-256). A key is named by a URI (RFC 7512); the PIN is given apart, from a file or not at all where the token has a pad of its own.
//     pkcs11:token=content;object=ana?module-path=/usr/lib/softhsm/libsofthsm2.so
// In the library creance_trust_token. A module is loaded once a process and shared. One thread for each key. Errors: kNotFound no such token or key · kDenied PIN · kInvalid URI, ambiguous
// · kUnsupported another kind of key · kUnavailable the module or token fails.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "trust/keys/signer.hpp"

namespace creance::trust {

struct TokenKey {
  std::string module_path;  // absolute; code that runs in this process: from the person at the keyboard, never from a document
  std::string token;        // the token's label
  std::string object;       // the key's label; "": any, if it is the only one
  Bytes id;                 // CKA_ID; empty: any
};

bool is_token_uri(std::string_view text);
Result<TokenKey> parse_token_uri(std::string_view uri);

Result<std::unique_ptr<Signer>> open_token_key(const TokenKey& key, std::string_view pin);
// Makes a key pair inside the token that cannot be taken out again, and gives its public part. kExists: a key of that label is there. Scheme: kEd25519 or kEcdsaP256Sha256.
Result<PublicKey> make_token_key(const TokenKey& key, std::string_view pin, Scheme scheme);

}  // namespace creance::trust
