// SHA-256 (FIPS 180-4) and SHA-512 of bytes, through OpenSSL's EVP interface. Threads: any number. Never fails (CHECK on an OpenSSL refusal).
// In the library `creance_digest`, apart from `creance_base`, which must build without OpenSSL.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <string>

#include "base/bytes.hpp"

namespace creance {

struct Digest {  // SHA-256
  std::array<uint8_t, 32> bytes{};
  friend auto operator<=>(const Digest&, const Digest&) = default;
  std::string hex() const { return to_hex(bytes); }
  static Result<Digest> parse(std::string_view hex);  // 64 hexadecimal digits
};

Digest sha256(BytesView bytes);
std::array<uint8_t, 64> sha512(BytesView bytes);

}  // namespace creance
