// A random UUID, version 4 (RFC 9562 section 5.4), in lower case.
#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "base/bytes.hpp"
#include "base/seams/random.hpp"

namespace creance {

inline std::string random_uuid(Random& random) {
  std::array<uint8_t, 16> bytes;
  random.fill(bytes);
  bytes[6] = static_cast<uint8_t>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<uint8_t>((bytes[8] & 0x3F) | 0x80);
  std::string hex = to_hex(bytes);
  for (const size_t at : {8u, 13u, 18u, 23u}) hex.insert(at, 1, '-');
  return hex;
}

}  // namespace creance
