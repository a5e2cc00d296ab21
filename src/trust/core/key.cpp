#include "trust/core/key.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/digest.hpp"

namespace creance::trust {
namespace {

using PkeyPtr = std::shared_ptr<EVP_PKEY>;
PkeyPtr own(EVP_PKEY* key) { return PkeyPtr(key, EVP_PKEY_free); }

constexpr size_t kEd25519Bytes = 32;
constexpr size_t kPublicTextMax = 8'192;  // a 16,384-bit RSA key in PEM has fewer

// Little-endian y of the points whose order divides 8, without the sign bit (RFC 8032, 5.1; the group's cofactor is 8). A signature under such a key proves nothing.
constexpr std::array<std::string_view, 5> kSmallOrder{
    "0000000000000000000000000000000000000000000000000000000000000000", "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"};

std::string ed25519_problem(BytesView raw) {
  if (raw.size() != kEd25519Bytes) return "an Ed25519 key has 32 bytes";
  Bytes y(raw.begin(), raw.end());
  y[31] &= 0x7f;
  // y must be below p = 2^255 - 19: anything else is a second spelling of another key.
  const bool top = y[31] == 0x7f && std::all_of(y.begin() + 1, y.begin() + 31, [](uint8_t b) { return b == 0xff; });
  if (top && y[0] >= 0xed) return "the Ed25519 key is not canonical";
  if (std::ranges::find(kSmallOrder, to_hex(y)) != kSmallOrder.end()) return "the Ed25519 key is a small-order point";
  return "";
}

Bytes spki_der(EVP_PKEY* key) {
  unsigned char* out = nullptr;
  const int length = i2d_PUBKEY(key, &out);
  if (length <= 0) return {};
  Bytes der(out, out + length);
  OPENSSL_free(out);
  return der;
}

PkeyPtr read_pem(std::string_view pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free);
  const auto refuse = [](char*, int, int, void*) { return -1; };  // an encrypted file is no public key; without a callback OpenSSL would ask on the terminal
  return own(PEM_read_bio_PUBKEY(bio.get(), nullptr, refuse, nullptr));
}

PkeyPtr p256_from_point(const Bytes& point) {
  const std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> build(OSSL_PARAM_BLD_new(), OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  const std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)> params(OSSL_PARAM_BLD_to_param(build.get()), OSSL_PARAM_free);
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr), EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 || EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) return nullptr;
  return own(key);
}

bool is_p256(EVP_PKEY* key) {
  char name[64] = {};
  size_t length = 0;
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_group_name(key, name, sizeof name, &length) == 1 && std::string_view(name, length) == "prime256v1";
}

Bytes raw_ed25519(EVP_PKEY* key) {
  Bytes raw(kEd25519Bytes);
  size_t length = raw.size();
  if (EVP_PKEY_get_raw_public_key(key, raw.data(), &length) != 1 || length != kEd25519Bytes) return {};
  return raw;
}

struct Material {
  PkeyPtr key;
  std::string problem;
};

Material ed25519_material(const std::string& text) {
  Bytes raw;
  if (const auto hex = from_hex(text)) {
    raw = *hex;
  } else if (const PkeyPtr key = read_pem(text); key && EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_ED25519) {
    raw = raw_ed25519(key.get());
  } else {
    return {nullptr, "`public` is neither 64 hexadecimal digits nor a PEM key of that type"};
  }
  if (std::string problem = ed25519_problem(raw); !problem.empty()) return {nullptr, problem};
  return {own(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw.data(), raw.size())), ""};
}

Material ecdsa_material(const std::string& text) {
  PkeyPtr key;
  if (const auto hex = from_hex(text); hex && hex->size() == 65) {
    key = p256_from_point(*hex);
  } else {
    key = read_pem(text);
  }
  if (!key || !is_p256(key.get())) return {nullptr, "`public` is not a key on the curve P-256"};
  return {key, ""};
}

Material rsa_material(const std::string& text) {
  PkeyPtr key = read_pem(text);
  const int id = key ? EVP_PKEY_get_base_id(key.get()) : 0;
  if (id != EVP_PKEY_RSA && id != EVP_PKEY_RSA_PSS) return {nullptr, "`public` is not an RSA key in PEM"};
  const int bits = EVP_PKEY_get_bits(key.get());
  if (bits < 2048 || bits > 16'384) return {nullptr, fmt::format("an RSA key of {} bits; 2048 to 16384 are allowed", bits)};
  return {key, ""};
}

Scheme scheme_of(std::string_view keytype, std::string_view scheme) {
  if (keytype == "ed25519" && scheme == "ed25519") return Scheme::kEd25519;
  if ((keytype == "ecdsa" || keytype == "ecdsa-sha2-nistp256") && scheme == "ecdsa-sha2-nistp256") return Scheme::kEcdsaP256Sha256;
  if (keytype == "rsa" && scheme == "rsassa-pss-sha256") return Scheme::kRsaPssSha256;
  return Scheme::kUnknown;
}

Json key_json(std::string_view keytype, std::string_view scheme, std::string_view text) {
  return Json::object({{"keytype", keytype}, {"scheme", scheme}, {"keyval", Json::object({{"public", text}})}});
}

}  // namespace

Result<PublicKey> PublicKey::from_json(const JsonField& field) {
  TRY(const std::string keytype, field.text_at("keytype"));
  TRY(const std::string scheme, field.text_at("scheme"));
  TRY(const JsonField keyval, field.at("keyval"));
  if (!keyval.value().is_object()) return fail(keyval.error("must be an object"));
  TRY(const Bytes canonical, canonical_json(field.value()));
  PublicKey key;
  key.json_ = field.value();
  key.id_ = sha256(canonical).hex();
  key.scheme_ = scheme_of(keytype, scheme);
  // What stands in `keyval` is the key type's business (section 4.2): of one that is not known here nothing is asked, and a known one without its `public` is a broken key, not a broken document.
  Material material;
  const auto text = key.scheme_ == Scheme::kUnknown ? Result<std::string>("") : keyval.text_at("public", 0, kPublicTextMax);
  if (!text) {
    material.problem = text.error().detail;
  } else {
    switch (key.scheme_) {
      case Scheme::kEd25519: material = ed25519_material(*text); break;
      case Scheme::kEcdsaP256Sha256: material = ecdsa_material(*text); break;
      case Scheme::kRsaPssSha256: material = rsa_material(*text); break;
      case Scheme::kUnknown: material.problem = "a key type and scheme that is not known here"; break;
    }
  }
  if (!material.key && material.problem.empty()) material.problem = "the key cannot be read";
  key.problem_ = material.problem;
  const Bytes der = material.key ? spki_der(material.key.get()) : Bytes{};
  key.identity_ = der.empty() ? "unusable:" + key.id_ : to_hex(der);
  key.key_ = material.key;
  return key;
}

Result<PublicKey> PublicKey::ed25519(BytesView raw) {
  const Json json = key_json("ed25519", "ed25519", to_hex(raw));
  TRY(PublicKey key, from_json(JsonField(json)));
  TRY_VOID(key.usable());
  return key;
}

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  const PkeyPtr key = pem.size() <= kPublicTextMax ? read_pem(pem) : nullptr;
  if (!key) return fail(ErrorCode::kInvalid, "not a PEM public key");
  Json json;
  switch (EVP_PKEY_get_base_id(key.get())) {
    case EVP_PKEY_ED25519: json = key_json("ed25519", "ed25519", to_hex(raw_ed25519(key.get()))); break;
    case EVP_PKEY_EC: json = key_json("ecdsa", "ecdsa-sha2-nistp256", pem); break;
    case EVP_PKEY_RSA: json = key_json("rsa", "rsassa-pss-sha256", pem); break;
    default: return fail(ErrorCode::kUnsupported, "a public key of a kind that is not used here");
  }
  TRY(PublicKey result, from_json(JsonField(json)));
  TRY_VOID(result.usable());
  return result;
}

Status PublicKey::usable() const {
  if (problem_.empty()) return {};
  return fail(scheme_ == Scheme::kUnknown ? ErrorCode::kUnsupported : ErrorCode::kInvalid, fmt::format("key {}: {}", id_.substr(0, 12), problem_));
}

std::string PublicKey::pem() const {
  if (!key_) return "";
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(BIO_new(BIO_s_mem()), BIO_free);
  if (PEM_write_bio_PUBKEY(bio.get(), static_cast<EVP_PKEY*>(key_.get())) != 1) return "";
  char* data = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(std::max(0L, length)));
}

std::string PublicKey::ed25519_hex() const {
  if (scheme_ != Scheme::kEd25519 || !key_) return "";
  return to_hex(raw_ed25519(static_cast<EVP_PKEY*>(key_.get())));
}

bool PublicKey::verify(BytesView message, BytesView signature) const {
  if (!key_ || signature.empty() || signature.size() > 2'048) return false;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  EVP_PKEY_CTX* options = nullptr;  // owned by context
  const EVP_MD* digest = scheme_ == Scheme::kEd25519 ? nullptr : EVP_sha256();
  if (EVP_DigestVerifyInit(context.get(), &options, digest, nullptr, static_cast<EVP_PKEY*>(key_.get())) != 1) return false;
  if (scheme_ == Scheme::kRsaPssSha256) {
    if (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1) return false;
    if (EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_AUTO) != 1) return false;
    if (EVP_PKEY_CTX_set_rsa_mgf1_md(options, EVP_sha256()) != 1) return false;
  }
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
}

}  // namespace creance::trust
