#include "trust/keys/key_file.hpp"

#include <argon2.h>
#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/check.hpp"

namespace creance::trust {
namespace {

constexpr size_t kKeyFileBytesMax = 65'536;
constexpr size_t kSaltBytes = 16;
constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;
constexpr size_t kSecretBytes = 32;

using CipherPtr = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

// Wiped when it goes.
struct Secret {
  Bytes bytes;
  ~Secret() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

Status check_cost(const KeyFileCost& cost) {
  const bool fits = cost.lanes >= 1 && cost.lanes <= limits::kKeyFileLanesMax && cost.passes >= 1 && cost.passes <= limits::kKeyFilePassesMax && cost.memory_kib >= 8 * cost.lanes &&
                    cost.memory_kib <= limits::kKeyFileMemoryKibMax;
  if (fits) return {};
  return fail(ErrorCode::kTooLarge, fmt::format("Argon2id with {} KiB, {} passes and {} lanes is outside the limits", cost.memory_kib, cost.passes, cost.lanes));
}

Status derive(Secret& out, std::string_view passphrase, BytesView salt, const KeyFileCost& cost) {
  TRY_VOID(check_cost(cost));
  out.bytes.resize(kSecretBytes);
  const int done = argon2id_hash_raw(cost.passes, cost.memory_kib, cost.lanes, passphrase.data(), passphrase.size(), salt.data(), salt.size(), out.bytes.data(), out.bytes.size());
  if (done != ARGON2_OK) return fail(ErrorCode::kUnsupported, fmt::format("the passphrase cannot be worked with: {}", argon2_error_message(done)));
  return {};
}

Bytes encrypt(BytesView plain, const Secret& secret, BytesView nonce, BytesView bound) {
  const CipherPtr context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Bytes out(plain.size() + kTagBytes);
  int length = 0;
  bool ok = EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, secret.bytes.data(), nonce.data()) == 1;
  ok = ok && EVP_EncryptUpdate(context.get(), nullptr, &length, bound.data(), static_cast<int>(bound.size())) == 1;
  ok = ok && EVP_EncryptUpdate(context.get(), out.data(), &length, plain.data(), static_cast<int>(plain.size())) == 1 && length == static_cast<int>(plain.size());
  ok = ok && EVP_EncryptFinal_ex(context.get(), out.data() + plain.size(), &length) == 1 && length == 0;
  ok = ok && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, out.data() + plain.size()) == 1;
  CHECK(ok);
  return out;
}

bool decrypt(Secret& plain, BytesView sealed, const Secret& secret, BytesView nonce, BytesView bound) {
  const CipherPtr context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  const size_t size = sealed.size() - kTagBytes;
  plain.bytes.resize(size);
  Bytes tag(sealed.end() - kTagBytes, sealed.end());
  int length = 0;
  bool ok = EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, secret.bytes.data(), nonce.data()) == 1;
  ok = ok && EVP_DecryptUpdate(context.get(), nullptr, &length, bound.data(), static_cast<int>(bound.size())) == 1;
  ok = ok && EVP_DecryptUpdate(context.get(), plain.bytes.data(), &length, sealed.data(), static_cast<int>(size)) == 1;
  ok = ok && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1;
  return ok && EVP_DecryptFinal_ex(context.get(), plain.bytes.data() + size, &length) == 1;
}

// What the seal binds beside the secret: nobody can put another public key, or cheaper costs, beside it.
Result<Bytes> bound_part(Json document) {
  document.remove("sealed");
  return canonical_json(document);
}

Result<Bytes> hex_at(const JsonField& object, std::string_view name, size_t bytes_min, size_t bytes_max) {
  TRY(const JsonField field, object.at(name));
  TRY(const std::string text, field.text(2 * bytes_min, 2 * bytes_max));
  const auto bytes = from_hex(text);
  if (!bytes) return fail(field.error("must be hexadecimal"));
  return *bytes;
}

Result<KeyPair> open_sealed(const Json& document, std::string_view passphrase) {
  const JsonField root(document);
  TRY(const std::string type, root.text_at("_type"));
  if (type != "private-key") return fail(ErrorCode::kInvalid, "not a private key");
  if (passphrase.empty()) return fail(ErrorCode::kDenied, "the key is encrypted: give its passphrase");
  TRY(const JsonField kdf, root.at("kdf"));
  TRY(const std::string name, kdf.text_at("name"));
  TRY(const std::string cipher, root.text_at("cipher"));
  if (name != "argon2id" || cipher != "aes-256-gcm") return fail(ErrorCode::kUnsupported, "the key is sealed in a way that is not known here");
  KeyFileCost cost;
  TRY(const int64_t memory, kdf.integer_at("memory_kib", 1, UINT32_MAX));
  TRY(const int64_t passes, kdf.integer_at("passes", 1, UINT32_MAX));
  TRY(const int64_t lanes, kdf.integer_at("lanes", 1, UINT32_MAX));
  cost = {static_cast<uint32_t>(memory), static_cast<uint32_t>(passes), static_cast<uint32_t>(lanes)};
  TRY(const Bytes salt, hex_at(kdf, "salt", kSaltBytes, 64));
  TRY(const Bytes nonce, hex_at(root, "nonce", kNonceBytes, kNonceBytes));
  TRY(const Bytes sealed, hex_at(root, "sealed", kTagBytes + 1, kKeyFileBytesMax));
  TRY(const JsonField public_field, root.at("public"));
  TRY(const PublicKey public_key, PublicKey::from_json(public_field));
  TRY(const Bytes bound, bound_part(document));
  Secret secret;
  TRY_VOID(derive(secret, passphrase, salt, cost));
  Secret plain;
  if (!decrypt(plain, sealed, secret, nonce, bound)) return fail(ErrorCode::kDenied, "wrong passphrase for the key, or the file was changed");
  TRY(KeyPair key, KeyPair::from_pem(as_text(plain.bytes)));
  if (key.public_key() != public_key) return fail(ErrorCode::kDenied, "the public key in the file is not that of its private key");
  return key;
}

Status save_text(FileSystem& files, const std::filesystem::path& path, std::string& text) {
  if (files.exists(path)) return fail(ErrorCode::kExists, fmt::format("`{}` exists; a key is never overwritten", path.string()));
  if (path.has_parent_path()) TRY_VOID(files.make_directories(path.parent_path()));
  Status written = files.write_atomic(path, as_bytes(text), 0600);
  OPENSSL_cleanse(text.data(), text.size());
  return written;
}

}  // namespace

Result<std::string> seal_key(const KeyPair& key, std::string_view passphrase, Random& random, const KeyFileCost& cost) {
  Bytes salt(kSaltBytes);
  Bytes nonce(kNonceBytes);
  random.fill(salt);
  random.fill(nonce);
  Json document = Json::object({{"_type", "private-key"},
                                {"public", key.public_key().json()},
                                {"kdf", Json::object({{"name", "argon2id"}, {"memory_kib", cost.memory_kib}, {"passes", cost.passes}, {"lanes", cost.lanes}, {"salt", to_hex(salt)}})},
                                {"cipher", "aes-256-gcm"},
                                {"nonce", to_hex(nonce)}});
  TRY(const Bytes bound, bound_part(document));
  Secret secret;
  TRY_VOID(derive(secret, passphrase, salt, cost));
  std::string plain = key.to_pem();
  document.set("sealed", to_hex(encrypt(as_bytes(plain), secret, nonce, bound)));
  OPENSSL_cleanse(plain.data(), plain.size());
  return to_json_pretty(document);
}

Result<KeyPair> open_key(std::string_view text, std::string_view passphrase) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos || text[first] != '{') return KeyPair::from_pem(text, passphrase);
  TRY(const Json document, parse_json(as_bytes(text), {.bytes_max = kKeyFileBytesMax}));
  return open_sealed(document, passphrase);
}

Status save_key(FileSystem& files, const std::filesystem::path& path, const KeyPair& key) {
  std::string pem = key.to_pem();
  return save_text(files, path, pem);
}

Status save_key(FileSystem& files, const std::filesystem::path& path, const KeyPair& key, std::string_view passphrase, Random& random) {
  if (passphrase.empty()) return save_key(files, path, key);
  TRY(std::string text, seal_key(key, passphrase, random));
  return save_text(files, path, text);
}

Result<KeyPair> load_key(FileSystem& files, const std::filesystem::path& path, std::string_view passphrase) {
  TRY(Bytes text, files.read(path, kKeyFileBytesMax));
  auto key = open_key(as_text(text), passphrase);
  OPENSSL_cleanse(text.data(), text.size());
  if (!key) return fail(key.error().code, fmt::format("`{}`: {}", path.string(), key.error().detail));
  return key;
}

Status save_public_key(FileSystem& files, const std::filesystem::path& path, const PublicKey& key) {
  if (path.has_parent_path()) TRY_VOID(files.make_directories(path.parent_path()));
  return files.write_atomic(path, as_bytes(to_json_pretty(key.json())), 0644);
}

Result<PublicKey> load_public_key(FileSystem& files, const std::filesystem::path& path) {
  TRY(const Bytes bytes, files.read(path, kKeyFileBytesMax));
  if (as_text(bytes).starts_with("-----BEGIN")) return PublicKey::from_pem(as_text(bytes));
  TRY(const Json json, parse_json(bytes));
  const Json* within = json.find("public");  // of a sealed private key
  TRY(PublicKey key, PublicKey::from_json(within != nullptr ? JsonField(*within, "public") : JsonField(json)));
  TRY_VOID(key.usable());
  return key;
}

}  // namespace creance::trust
