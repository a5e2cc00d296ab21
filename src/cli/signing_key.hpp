// The keys that persons sign with: a file, or a key in a PKCS#11 token. Passphrases and PINs come from files, never from the command line, where every user of the machine could read them.
#pragma once
#include <memory>
#include <string>

#include "base/result.hpp"
#include "base/seams/files.hpp"
#include "trust/keys/signer.hpp"

namespace creance::cli {

// The file's text without its line end; "" for an empty path. kInvalid: an empty file.
Result<std::string> read_passphrase(FileSystem& files, const std::string& path);
// `key`: a key file, or "pkcs11:token=…;object=…?module-path=…" (trust/keys/pkcs11.hpp); the passphrase is then the PIN.
Result<std::unique_ptr<trust::Signer>> open_signer(FileSystem& files, const std::string& key, const std::string& passphrase_file);

}  // namespace creance::cli
