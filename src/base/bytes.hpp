// Bytes: views, hexadecimal, little-endian loads and stores. Copies nothing it need not, never reads past a view.
#pragma once
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace creance {

using Bytes = std::vector<uint8_t>;
using BytesView = std::span<const uint8_t>;

inline BytesView as_bytes(std::string_view text) { return {reinterpret_cast<const uint8_t*>(text.data()), text.size()}; }
inline std::string_view as_text(BytesView bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string to_hex(BytesView bytes);                 // lower case
Result<Bytes> from_hex(std::string_view hex);        // either case; kInvalid for odd length or another character
std::string to_base64(BytesView bytes);              // RFC 4648 section 4, padded
Result<Bytes> from_base64(std::string_view text);    // padded, no white space

static_assert(std::endian::native == std::endian::little, "channel files are read in place and are little-endian");
template <class T>
T load_le(const uint8_t* at) noexcept {  // the caller has checked the bounds
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace creance
