#include "base/digest.hpp"

#include <openssl/evp.h>

#include <algorithm>

#include "base/check.hpp"

namespace creance {

Result<Digest> Digest::parse(std::string_view hex) {
  TRY(const Bytes raw, from_hex(hex));
  if (raw.size() != 32) return fail(ErrorCode::kInvalid, "a SHA-256 digest has 64 hexadecimal digits");
  Digest digest;
  std::ranges::copy(raw, digest.bytes.begin());
  return digest;
}

Digest sha256(BytesView bytes) {
  Digest digest;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.bytes.data(), nullptr, EVP_sha256(), nullptr) == 1);
  return digest;
}

std::array<uint8_t, 64> sha512(BytesView bytes) {
  std::array<uint8_t, 64> digest;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, EVP_sha512(), nullptr) == 1);
  return digest;
}

}  // namespace creance
