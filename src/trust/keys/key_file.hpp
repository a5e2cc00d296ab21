// Private keys in files. Plain: PKCS#8 PEM. With a passphrase: JSON whose secret is sealed with AES-256-GCM under a key that Argon2id (RFC 9106) makes from the passphrase; the public
// key stands in it readable and is bound to the secret. Files of earlier versions and of other tools (PKCS#8 with PBES2) are read too.
#pragma once
#include "base/seams/files.hpp"
#include "base/seams/random.hpp"
#include "trust/keys/signer.hpp"

namespace creance::trust {

// RFC 9106, section 4, second choice: 64 MiB, three passes. A file may name others within limits::kKeyFile…Max.
struct KeyFileCost {
  uint32_t memory_kib = 65'536;
  uint32_t passes = 3;
  uint32_t lanes = 4;
};

// kUnsupported only for costs outside the limits.
Result<std::string> seal_key(const KeyPair& key, std::string_view passphrase, Random& random, const KeyFileCost& cost = {});
// Any of the forms above. kDenied: wrong or missing passphrase, or a changed file · kInvalid: no private key · kTooLarge: costs above the limits.
Result<KeyPair> open_key(std::string_view text, std::string_view passphrase);

// Mode 0600; refuses to replace an existing file (kExists). Folders are made. Without a passphrase: plain.
Status save_key(FileSystem& files, const std::filesystem::path& path, const KeyPair& key);
Status save_key(FileSystem& files, const std::filesystem::path& path, const KeyPair& key, std::string_view passphrase, Random& random);
Result<KeyPair> load_key(FileSystem& files, const std::filesystem::path& path, std::string_view passphrase = "");
// A public key file holds the TUF key object as JSON; a sealed private key file gives its public key too, without the passphrase.
Status save_public_key(FileSystem& files, const std::filesystem::path& path, const PublicKey& key);
Result<PublicKey> load_public_key(FileSystem& files, const std::filesystem::path& path);

}  // namespace creance::trust
