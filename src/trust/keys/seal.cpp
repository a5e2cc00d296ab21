#include "trust/keys/seal.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "base/check.hpp"
#include "base/digest.hpp"

namespace creance::trust {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;
constexpr std::string_view kVersion = "HPKE-v1";
constexpr std::array<uint8_t, 5> kKemSuite = {'K', 'E', 'M', 0x00, 0x20};
constexpr std::array<uint8_t, 10> kHpkeSuite = {'H', 'P', 'K', 'E', 0x00, 0x20, 0x00, 0x01, 0x00, 0x03};
constexpr std::string_view kSuiteName = "x25519-hkdf-sha256-chacha20-poly1305";
constexpr std::string_view kDocumentInfo = "creance sealed document 1";

using CipherPtr = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;
using ContextPtr = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;
using Pkey = std::shared_ptr<EVP_PKEY>;

struct Wiped {
  Bytes bytes;
  ~Wiped() { OPENSSL_cleanse(bytes.data(), bytes.size()); }
};

Bytes hmac(BytesView key, BytesView message) {
  Bytes out(32);
  unsigned int length = 0;
  static constexpr uint8_t kNothing = 0;  // HMAC takes no null key
  CHECK(HMAC(EVP_sha256(), key.empty() ? &kNothing : key.data(), static_cast<int>(key.size()), message.data(), message.size(), out.data(), &length) != nullptr);
  CHECK(length == out.size());
  return out;
}

void append(Bytes& out, BytesView more) { out.insert(out.end(), more.begin(), more.end()); }

// Section 4: LabeledExtract and LabeledExpand. One block of HKDF-Expand is all that is asked for here.
Bytes labeled_extract(BytesView salt, BytesView suite, std::string_view label, BytesView input) {
  Wiped labeled;
  append(labeled.bytes, as_bytes(kVersion));
  append(labeled.bytes, suite);
  append(labeled.bytes, as_bytes(label));
  append(labeled.bytes, input);
  return hmac(salt, labeled.bytes);
}

Bytes labeled_expand(BytesView secret, BytesView suite, std::string_view label, BytesView info, size_t length) {
  CHECK(length <= 32);
  Bytes labeled{static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)};
  append(labeled, as_bytes(kVersion));
  append(labeled, suite);
  append(labeled, as_bytes(label));
  append(labeled, info);
  labeled.push_back(1);
  Bytes out = hmac(secret, labeled);
  out.resize(length);
  return out;
}

// Section 4.1, after the Diffie-Hellman step.
Bytes shared_secret(BytesView agreed, BytesView encapsulated, BytesView recipient) {
  Bytes context(encapsulated.begin(), encapsulated.end());
  append(context, recipient);
  const Wiped secret{labeled_extract({}, kKemSuite, "eae_prk", agreed)};
  return labeled_expand(secret.bytes, kKemSuite, "shared_secret", context, 32);
}

struct Schedule {  // section 5.1, mode_base
  Wiped key;
  Bytes nonce;
};
Schedule schedule(BytesView shared, BytesView info) {
  Bytes context{0};
  append(context, labeled_extract({}, kHpkeSuite, "psk_id_hash", {}));
  append(context, labeled_extract({}, kHpkeSuite, "info_hash", info));
  const Wiped secret{labeled_extract(shared, kHpkeSuite, "secret", {})};
  return {{labeled_expand(secret.bytes, kHpkeSuite, "key", context, kKeyBytes)}, labeled_expand(secret.bytes, kHpkeSuite, "base_nonce", context, kNonceBytes)};
}

Pkey pkey_of(const std::shared_ptr<void>& key) { return std::static_pointer_cast<EVP_PKEY>(key); }

Json header(std::string_view name, int64_t version, std::string_view recipient, std::string_view encapsulated) {
  return Json::object({{"_type", "sealed"}, {"name", name}, {"version", version}, {"suite", kSuiteName}, {"recipient", recipient}, {"encapsulated", encapsulated}});
}

}  // namespace

// X25519; kInvalid where nothing is agreed (RFC 7748 section 6.1: a low-order point gives zeros).
Result<Bytes> agree(const SealKey& own, BytesView other) {
  if (other.size() != kKeyBytes) return fail(ErrorCode::kInvalid, "an X25519 public key has 32 bytes");
  const Pkey peer(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, other.data(), other.size()), EVP_PKEY_free);
  CHECK(peer != nullptr);
  const ContextPtr context(EVP_PKEY_CTX_new(pkey_of(own.key_).get(), nullptr), EVP_PKEY_CTX_free);
  Bytes agreed(kKeyBytes);
  size_t length = agreed.size();
  CHECK(context && EVP_PKEY_derive_init(context.get()) == 1 && EVP_PKEY_derive_set_peer(context.get(), peer.get()) == 1);
  if (EVP_PKEY_derive(context.get(), agreed.data(), &length) != 1 || length != agreed.size() || agreed == Bytes(kKeyBytes)) return fail(ErrorCode::kInvalid, "an X25519 public key of low order");
  return agreed;
}

SealKey::SealKey(std::shared_ptr<void> key) : key_(std::move(key)), public_key_(kKeyBytes) {
  size_t length = public_key_.size();
  CHECK(EVP_PKEY_get_raw_public_key(pkey_of(key_).get(), public_key_.data(), &length) == 1 && length == public_key_.size());
}

SealKey SealKey::generate() {
  const Pkey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"), EVP_PKEY_free);
  CHECK(key != nullptr);
  return SealKey(key);
}

Result<SealKey> SealKey::from_raw(BytesView raw) {
  if (raw.size() != kKeyBytes) return fail(ErrorCode::kInvalid, "an X25519 private key has 32 bytes");
  const Pkey key(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, raw.data(), raw.size()), EVP_PKEY_free);
  CHECK(key != nullptr);
  return SealKey(key);
}

Bytes SealKey::raw() const {
  Bytes out(kKeyBytes);
  size_t length = out.size();
  CHECK(EVP_PKEY_get_raw_private_key(pkey_of(key_).get(), out.data(), &length) == 1 && length == out.size());
  return out;
}

std::string SealKey::id() const { return sha256(public_key_).hex(); }

Result<Sealed> seal(BytesView recipient_public, BytesView plain, BytesView info, BytesView aad, const SealKey& ephemeral) {
  TRY(Bytes agreed, agree(ephemeral, recipient_public));
  const Wiped wiped{std::move(agreed)};
  const Wiped shared{shared_secret(wiped.bytes, ephemeral.public_key(), recipient_public)};
  const Schedule keys = schedule(shared.bytes, info);
  const CipherPtr context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Sealed out{ephemeral.public_key(), Bytes(plain.size() + kTagBytes)};
  int length = 0;
  bool ok = EVP_EncryptInit_ex(context.get(), EVP_chacha20_poly1305(), nullptr, keys.key.bytes.data(), keys.nonce.data()) == 1;
  ok = ok && EVP_EncryptUpdate(context.get(), nullptr, &length, aad.data(), static_cast<int>(aad.size())) == 1;
  ok = ok && EVP_EncryptUpdate(context.get(), out.text.data(), &length, plain.data(), static_cast<int>(plain.size())) == 1 && length == static_cast<int>(plain.size());
  ok = ok && EVP_EncryptFinal_ex(context.get(), out.text.data() + plain.size(), &length) == 1 && length == 0;
  ok = ok && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, kTagBytes, out.text.data() + plain.size()) == 1;
  CHECK(ok);
  return out;
}

Result<Bytes> open(const Sealed& sealed, const SealKey& recipient, BytesView info, BytesView aad) {
  if (sealed.text.size() < kTagBytes || sealed.text.size() > limits::kTargetBytesMax) return fail(ErrorCode::kInvalid, "not a sealed text");
  TRY(Bytes agreed, agree(recipient, sealed.encapsulated));
  const Wiped wiped{std::move(agreed)};
  const Wiped shared{shared_secret(wiped.bytes, sealed.encapsulated, recipient.public_key())};
  const Schedule keys = schedule(shared.bytes, info);
  const CipherPtr context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  const size_t size = sealed.text.size() - kTagBytes;
  Bytes plain(size);
  Bytes tag(sealed.text.begin() + static_cast<std::ptrdiff_t>(size), sealed.text.end());
  int length = 0;
  bool ok = EVP_DecryptInit_ex(context.get(), EVP_chacha20_poly1305(), nullptr, keys.key.bytes.data(), keys.nonce.data()) == 1;
  ok = ok && EVP_DecryptUpdate(context.get(), nullptr, &length, aad.data(), static_cast<int>(aad.size())) == 1;
  ok = ok && EVP_DecryptUpdate(context.get(), plain.data(), &length, sealed.text.data(), static_cast<int>(size)) == 1;
  ok = ok && EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, kTagBytes, tag.data()) == 1;
  if (!ok || EVP_DecryptFinal_ex(context.get(), plain.data() + size, &length) != 1) return fail(ErrorCode::kDenied, "sealed to another key, for another document, or changed");
  return plain;
}

Result<Bytes> seal_document(std::string_view name, int64_t version, BytesView plain, BytesView recipient_public) {
  const SealKey ephemeral = SealKey::generate();
  Json document = header(name, version, sha256(recipient_public).hex(), to_hex(ephemeral.public_key()));
  TRY(const Bytes aad, canonical_json(document));
  TRY(const Sealed sealed, seal(recipient_public, plain, as_bytes(kDocumentInfo), aad, ephemeral));
  document.set("text", to_base64(sealed.text));
  return canonical_json(document);
}

bool is_sealed_document(BytesView bytes) {
  const auto json = parse_json(bytes, {.bytes_max = limits::kTargetBytesMax});
  const Json* type = json && json->is_object() ? json->find("_type") : nullptr;
  return type != nullptr && type->is_string() && type->string() == "sealed";
}

Result<Opened> open_document_sealed_as(std::string_view name, BytesView bytes, const SealKey& recipient) {
  TRY(const Json json, parse_json(bytes, {.bytes_max = limits::kTargetBytesMax}));
  const JsonField document(json);
  TRY(const std::string type, document.text_at("_type"));
  TRY(const std::string suite, document.text_at("suite"));
  if (type != "sealed" || suite != kSuiteName) return fail(ErrorCode::kInvalid, "not a sealed document of a kind that is known here");
  TRY(const std::string said, document.text_at("name", 1, 1'024));
  if (said != name) return fail(ErrorCode::kInvalid, fmt::format("it was sealed as `{}`, not as `{}`", said, name));
  Opened opened;
  TRY(opened.version, document.integer_at("version", 1));
  TRY(const std::string to, document.text_at("recipient", 64, 64));
  if (to != recipient.id()) return fail(ErrorCode::kDenied, fmt::format("it is sealed to key {}, and the key here is {}", to.substr(0, 16), recipient.id().substr(0, 16)));
  TRY(const std::string encapsulated, document.text_at("encapsulated", 2 * kKeyBytes, 2 * kKeyBytes));
  TRY(const std::string text, document.text_at("text", 0, limits::kTargetBytesMax));
  Sealed sealed;
  TRY(sealed.encapsulated, from_hex(encapsulated));
  TRY(sealed.text, from_base64(text));
  TRY(const Bytes aad, canonical_json(header(said, opened.version, to, encapsulated)));
  TRY(opened.plain, open(sealed, recipient, as_bytes(kDocumentInfo), aad));
  return opened;
}

}  // namespace creance::trust
