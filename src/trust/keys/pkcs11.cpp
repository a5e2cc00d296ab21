#include "trust/keys/pkcs11.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <p11-kit/pkcs11.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include "base/digest.hpp"

namespace creance::trust {
namespace {

constexpr size_t kObjectsMax = 64;   // keys of one label; more is no answer to "which"
constexpr size_t kSlotsMax = 256;
constexpr size_t kAttributeBytesMax = 4'096;
constexpr std::array<uint8_t, 10> kP256{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};                                // OID 1.2.840.10045.3.1.7
constexpr std::array<uint8_t, 14> kEdwards25519{0x13, 0x0c, 'e', 'd', 'w', 'a', 'r', 'd', 's', '2', '5', '5', '1', '9'};  // PrintableString, PKCS #11 3.0, 2.3.5

Error failed(std::string_view what, CK_RV code) {
  switch (code) {
    case CKR_PIN_INCORRECT: return {ErrorCode::kDenied, fmt::format("{}: wrong PIN", what)};
    case CKR_PIN_LOCKED: return {ErrorCode::kDenied, fmt::format("{}: the PIN is locked after too many wrong ones", what)};
    case CKR_USER_NOT_LOGGED_IN: case CKR_USER_PIN_NOT_INITIALIZED: case CKR_PIN_LEN_RANGE: case CKR_PIN_INVALID: return {ErrorCode::kDenied, fmt::format("{}: the token wants its PIN", what)};
    case CKR_MECHANISM_INVALID: return {ErrorCode::kUnsupported, fmt::format("{}: the token does not know this kind of key", what)};
    case CKR_TOKEN_NOT_PRESENT: case CKR_DEVICE_REMOVED: return {ErrorCode::kUnavailable, fmt::format("{}: the token was taken away", what)};
    default: return {ErrorCode::kUnavailable, fmt::format("{}: PKCS#11 error {:#x}", what, code)};
  }
}

// A loaded and initialised module.
class Module {
 public:
  static Result<std::shared_ptr<Module>> load(const std::string& path) {
    static std::mutex mutex;
    static std::map<std::string, std::weak_ptr<Module>> loaded;
    const std::lock_guard lock(mutex);
    if (auto known = loaded[path].lock()) return known;
    void* handle = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle == nullptr) return fail(ErrorCode::kNotFound, fmt::format("the PKCS#11 module `{}` cannot be loaded: {}", path, std::string_view(::dlerror()).substr(0, 200)));
    auto module = std::shared_ptr<Module>(new Module(handle));
    const auto get_list = reinterpret_cast<CK_C_GetFunctionList>(::dlsym(handle, "C_GetFunctionList"));
    if (get_list == nullptr || get_list(&module->functions_) != CKR_OK || module->functions_ == nullptr) return fail(ErrorCode::kInvalid, fmt::format("`{}` is no PKCS#11 module", path));
    CK_C_INITIALIZE_ARGS arguments{};
    arguments.flags = CKF_OS_LOCKING_OK;
    const CK_RV code = module->functions_->C_Initialize(&arguments);
    if (code != CKR_OK && code != CKR_CRYPTOKI_ALREADY_INITIALIZED) return fail(failed(fmt::format("the PKCS#11 module `{}` does not start", path), code));
    module->ours_ = code == CKR_OK;
    loaded[path] = module;
    return module;
  }
  ~Module() {
    if (ours_) functions_->C_Finalize(nullptr);
    ::dlclose(handle_);
  }
  CK_FUNCTION_LIST& operator*() const { return *functions_; }
  CK_FUNCTION_LIST* operator->() const { return functions_; }

 private:
  explicit Module(void* handle) : handle_(handle) {}
  void* handle_;
  CK_FUNCTION_LIST* functions_ = nullptr;
  bool ours_ = false;
};

std::string label_of(const CK_TOKEN_INFO& info) {  // padded with blanks
  std::string text(reinterpret_cast<const char*>(info.label), sizeof info.label);
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

// A session with a token, logged in if a PIN was given or the token asks for it on a pad of its own.
class Session {
 public:
  static Result<std::unique_ptr<Session>> open(const TokenKey& key, std::string_view pin, bool writes) {
    TRY(std::shared_ptr<Module> module, Module::load(key.module_path));
    CK_FUNCTION_LIST& f = **module;  // stays valid: the session keeps the module
    CK_ULONG count = 0;
    if (const CK_RV code = f.C_GetSlotList(CK_TRUE, nullptr, &count); code != CKR_OK) return fail(failed("the tokens cannot be listed", code));
    std::vector<CK_SLOT_ID> slots(std::min<size_t>(count, kSlotsMax));
    count = slots.size();
    if (const CK_RV code = f.C_GetSlotList(CK_TRUE, slots.data(), &count); code != CKR_OK) return fail(failed("the tokens cannot be listed", code));
    slots.resize(std::min<size_t>(count, slots.size()));
    std::string seen;
    for (const CK_SLOT_ID slot : slots) {
      CK_TOKEN_INFO info{};
      if (f.C_GetTokenInfo(slot, &info) != CKR_OK) continue;
      const std::string label = label_of(info);
      if (label != key.token) {
        seen += (seen.empty() ? "" : ", ") + ("`" + label.substr(0, 32) + "`");
        continue;
      }
      auto session = std::unique_ptr<Session>(new Session(std::move(module)));
      const CK_FLAGS flags = CKF_SERIAL_SESSION | (writes ? CKF_RW_SESSION : 0UL);
      if (const CK_RV code = f.C_OpenSession(slot, flags, nullptr, nullptr, &session->handle_); code != CKR_OK) return fail(failed(fmt::format("token `{}`", label), code));
      session->open_ = true;
      const bool pad = (info.flags & CKF_PROTECTED_AUTHENTICATION_PATH) != 0;
      if (!pin.empty() || pad) {
        auto* text = reinterpret_cast<CK_UTF8CHAR*>(const_cast<char*>(pin.data()));
        const CK_RV code = f.C_Login(session->handle_, CKU_USER, pin.empty() ? nullptr : text, pin.size());
        if (code != CKR_OK && code != CKR_USER_ALREADY_LOGGED_IN) return fail(failed(fmt::format("token `{}`", label), code));
      }
      return session;
    }
    return fail(ErrorCode::kNotFound, fmt::format("there is no token `{}`; there are: {}", key.token, seen.empty() ? "none" : seen.substr(0, 300)));
  }
  ~Session() {
    if (open_) (*module_)->C_CloseSession(handle_);
  }
  CK_FUNCTION_LIST& f() const { return **module_; }
  CK_SESSION_HANDLE handle() const { return handle_; }

  Result<std::vector<CK_OBJECT_HANDLE>> find(CK_OBJECT_CLASS kind, const TokenKey& key) const {
    std::vector<CK_ATTRIBUTE> wanted{{CKA_CLASS, &kind, sizeof kind}};
    if (!key.object.empty()) wanted.push_back({CKA_LABEL, const_cast<char*>(key.object.data()), key.object.size()});
    if (!key.id.empty()) wanted.push_back({CKA_ID, const_cast<uint8_t*>(key.id.data()), key.id.size()});
    if (const CK_RV code = f().C_FindObjectsInit(handle_, wanted.data(), wanted.size()); code != CKR_OK) return fail(failed("the token's keys cannot be listed", code));
    std::vector<CK_OBJECT_HANDLE> found(kObjectsMax);
    CK_ULONG count = 0;
    const CK_RV code = f().C_FindObjects(handle_, found.data(), found.size(), &count);
    f().C_FindObjectsFinal(handle_);
    if (code != CKR_OK) return fail(failed("the token's keys cannot be listed", code));
    found.resize(std::min<size_t>(count, found.size()));
    return found;
  }
  Result<Bytes> attribute(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type) const {
    CK_ATTRIBUTE wanted{type, nullptr, 0};
    CK_RV code = f().C_GetAttributeValue(handle_, object, &wanted, 1);
    if (code == CKR_OK && wanted.ulValueLen <= kAttributeBytesMax) {
      Bytes value(wanted.ulValueLen);
      wanted.pValue = value.data();
      code = f().C_GetAttributeValue(handle_, object, &wanted, 1);
      if (code == CKR_OK && wanted.ulValueLen <= value.size()) return value;
    }
    return fail(failed("the token does not say what kind of key it is", code));
  }

 private:
  explicit Session(std::shared_ptr<Module> module) : module_(std::move(module)) {}
  std::shared_ptr<Module> module_;  // outlives the session
  CK_SESSION_HANDLE handle_ = 0;
  bool open_ = false;
};

// CKA_EC_POINT is a DER OCTET STRING around the point; some modules give the point alone.
BytesView unwrapped(const Bytes& point, size_t length) {
  if (point.size() == length + 2 && point[0] == 0x04 && point[1] == length) return BytesView(point).subspan(2);
  return point;
}

Result<PublicKey> read_public_key(const Session& session, CK_OBJECT_HANDLE object, CK_KEY_TYPE type) {
  TRY(const Bytes point, session.attribute(object, CKA_EC_POINT));
  if (type == CKK_EC_EDWARDS) return PublicKey::ed25519(unwrapped(point, 32));
  TRY(const Bytes curve, session.attribute(object, CKA_EC_PARAMS));
  if (!std::ranges::equal(curve, kP256)) return fail(ErrorCode::kUnsupported, "an ECDSA key that is not on the curve P-256");
  const Json json = Json::object({{"keytype", "ecdsa"}, {"scheme", "ecdsa-sha2-nistp256"}, {"keyval", Json::object({{"public", to_hex(unwrapped(point, 65))}})}});
  TRY(const PublicKey key, PublicKey::from_json(JsonField(json)));
  TRY_VOID(key.usable());
  return PublicKey::from_pem(key.pem());  // the spelling that every other client reads
}

Result<CK_KEY_TYPE> key_type(const Session& session, CK_OBJECT_HANDLE object) {
  TRY(const Bytes bytes, session.attribute(object, CKA_KEY_TYPE));
  CK_KEY_TYPE type = 0;
  if (bytes.size() != sizeof type) return fail(ErrorCode::kUnavailable, "the token does not say what kind of key it is");
  std::ranges::copy(bytes, reinterpret_cast<uint8_t*>(&type));
  if (type != CKK_EC && type != CKK_EC_EDWARDS) return fail(ErrorCode::kUnsupported, "the key in the token is neither Ed25519 nor ECDSA P-256");
  return type;
}

Result<CK_OBJECT_HANDLE> only_one(const Session& session, CK_OBJECT_CLASS kind, const TokenKey& key) {
  TRY(const auto found, session.find(kind, key));
  const std::string_view what = kind == CKO_PRIVATE_KEY ? "private" : "public";
  if (found.empty()) return fail(ErrorCode::kNotFound, fmt::format("token `{}` has no {} key `{}` (a PIN may be needed to see it)", key.token, what, key.object));
  if (found.size() > 1) return fail(ErrorCode::kInvalid, fmt::format("token `{}` has {} {} keys that fit; name one by `object` or `id`", key.token, found.size(), what));
  return found[0];
}

// r and s side by side → DER.
Result<Bytes> ecdsa_der(BytesView raw) {
  if (raw.size() != 64) return fail(ErrorCode::kUnavailable, "the token gave no ECDSA signature of the curve P-256");
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature(ECDSA_SIG_new(), ECDSA_SIG_free);
  ECDSA_SIG_set0(signature.get(), BN_bin2bn(raw.data(), 32, nullptr), BN_bin2bn(raw.data() + 32, 32, nullptr));
  Bytes der(static_cast<size_t>(std::max(0, i2d_ECDSA_SIG(signature.get(), nullptr))));
  unsigned char* to = der.data();
  i2d_ECDSA_SIG(signature.get(), &to);
  return der;
}

class TokenSigner final : public Signer {
 public:
  TokenSigner(std::unique_ptr<Session> session, CK_OBJECT_HANDLE key, CK_KEY_TYPE type, PublicKey public_key)
      : session_(std::move(session)), key_(key), type_(type), public_key_(std::move(public_key)) {}
  const PublicKey& public_key() const override { return public_key_; }
  Result<Bytes> sign(BytesView message) override {
    const Digest digest = sha256(message);
    const BytesView data = type_ == CKK_EC ? BytesView(digest.bytes) : message;
    CK_MECHANISM mechanism{type_ == CKK_EC ? CKM_ECDSA : CKM_EDDSA, nullptr, 0};
    if (const CK_RV code = session_->f().C_SignInit(session_->handle(), &mechanism, key_); code != CKR_OK) return fail(failed("the token does not sign", code));
    Bytes signature(256);
    CK_ULONG length = signature.size();
    const CK_RV code = session_->f().C_Sign(session_->handle(), const_cast<uint8_t*>(data.data()), data.size(), signature.data(), &length);
    if (code != CKR_OK || length > signature.size()) return fail(failed("the token does not sign", code));
    signature.resize(length);
    return type_ == CKK_EC ? ecdsa_der(signature) : Result<Bytes>(std::move(signature));
  }

 private:
  std::unique_ptr<Session> session_;
  CK_OBJECT_HANDLE key_;
  CK_KEY_TYPE type_;
  PublicKey public_key_;
};

Result<std::string> unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const auto byte = from_hex(text.substr(i + 1, 2));
    if (!byte || byte->size() != 1) return fail(ErrorCode::kInvalid, "a `%` that no two hexadecimal digits follow");
    out += static_cast<char>((*byte)[0]);
    i += 2;
  }
  return out;
}

}  // namespace

bool is_token_uri(std::string_view text) { return text.starts_with("pkcs11:"); }

Result<TokenKey> parse_token_uri(std::string_view uri) {
  const auto wrong = [&](std::string_view why) { return fail(ErrorCode::kInvalid, fmt::format("`{}`: {}; write pkcs11:token=NAME;object=NAME?module-path=FILE", uri.substr(0, 200), why)); };
  if (!is_token_uri(uri) || uri.size() > 2'048) return wrong("no PKCS#11 URI");
  TokenKey key;
  std::string_view rest = uri.substr(7);
  const size_t query = std::min(rest.find('?'), rest.size());
  for (const auto& [part, separator] : {std::pair{rest.substr(0, query), ';'}, std::pair{rest.substr(std::min(query + 1, rest.size())), '&'}}) {
    for (size_t at = 0; at < part.size();) {
      const size_t end = std::min(part.find(separator, at), part.size());
      const std::string_view attribute = part.substr(at, end - at);
      at = end + 1;
      const size_t equals = attribute.find('=');
      if (equals == std::string_view::npos) return wrong("an attribute without a value");
      const std::string_view name = attribute.substr(0, equals);
      TRY(std::string value, unescaped(attribute.substr(equals + 1)));
      if (name == "token") {
        key.token = std::move(value);
      } else if (name == "object") {
        key.object = std::move(value);
      } else if (name == "id") {
        key.id.assign(value.begin(), value.end());
      } else if (name == "module-path") {
        key.module_path = std::move(value);
      } else if (name != "type") {
        return wrong(fmt::format("the attribute `{}` is not understood", name.substr(0, 40)));  // silently another key than was meant is worse
      }
    }
  }
  if (key.token.empty()) return wrong("`token` is missing");
  if (!key.module_path.starts_with('/')) return wrong("`module-path` must be the absolute path of the token's module");
  return key;
}

Result<std::unique_ptr<Signer>> open_token_key(const TokenKey& key, std::string_view pin) {
  TRY(std::unique_ptr<Session> session, Session::open(key, pin, false));
  TRY(const CK_OBJECT_HANDLE handle, only_one(*session, CKO_PRIVATE_KEY, key));
  TRY(const CK_KEY_TYPE type, key_type(*session, handle));
  // The public half has the same CKA_ID by convention; where there is none, the label.
  TokenKey public_half = key;
  if (auto id = session->attribute(handle, CKA_ID); id && !id->empty()) public_half.id = std::move(*id);
  TRY(const CK_OBJECT_HANDLE public_handle, only_one(*session, CKO_PUBLIC_KEY, public_half));
  TRY(PublicKey public_key, read_public_key(*session, public_handle, type));
  return std::make_unique<TokenSigner>(std::move(session), handle, type, std::move(public_key));
}

Result<PublicKey> make_token_key(const TokenKey& key, std::string_view pin, Scheme scheme) {
  if (scheme != Scheme::kEd25519 && scheme != Scheme::kEcdsaP256Sha256) return fail(ErrorCode::kUnsupported, "keys in a token are Ed25519 or ECDSA P-256");
  if (key.object.empty()) return fail(ErrorCode::kInvalid, "a new key needs a name: `object`");
  TRY(const std::unique_ptr<Session> session, Session::open(key, pin, true));
  TRY(const auto there, session->find(CKO_PRIVATE_KEY, {key.module_path, key.token, key.object, {}}));
  if (!there.empty()) return fail(ErrorCode::kExists, fmt::format("token `{}` has a key `{}` already; a key is never overwritten", key.token, key.object));
  const bool edwards = scheme == Scheme::kEd25519;
  CK_MECHANISM mechanism{edwards ? CKM_EC_EDWARDS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, nullptr, 0};
  CK_BBOOL yes = CK_TRUE;
  CK_BBOOL no = CK_FALSE;
  Bytes curve = edwards ? Bytes(kEdwards25519.begin(), kEdwards25519.end()) : Bytes(kP256.begin(), kP256.end());
  std::string label = key.object;
  const Digest name = sha256(as_bytes(label));  // an id that is stable for the label, where none was given
  Bytes id = key.id.empty() ? Bytes(name.bytes.begin(), name.bytes.begin() + 8) : key.id;
  CK_ATTRIBUTE public_part[] = {{CKA_TOKEN, &yes, sizeof yes},  {CKA_PRIVATE, &no, sizeof no},  {CKA_VERIFY, &yes, sizeof yes}, {CKA_EC_PARAMS, curve.data(), curve.size()},
                                {CKA_LABEL, label.data(), label.size()}, {CKA_ID, id.data(), id.size()}};
  CK_ATTRIBUTE private_part[] = {{CKA_TOKEN, &yes, sizeof yes}, {CKA_PRIVATE, &yes, sizeof yes}, {CKA_SIGN, &yes, sizeof yes}, {CKA_SENSITIVE, &yes, sizeof yes}, {CKA_EXTRACTABLE, &no, sizeof no},
                                 {CKA_LABEL, label.data(), label.size()}, {CKA_ID, id.data(), id.size()}};
  CK_OBJECT_HANDLE public_handle = 0;
  CK_OBJECT_HANDLE private_handle = 0;
  const CK_RV code = session->f().C_GenerateKeyPair(session->handle(), &mechanism, public_part, std::size(public_part), private_part, std::size(private_part), &public_handle, &private_handle);
  if (code != CKR_OK) return fail(failed(fmt::format("token `{}` makes no key", key.token), code));
  return read_public_key(*session, public_handle, edwards ? CKK_EC_EDWARDS : CKK_EC);
}

}  // namespace creance::trust
