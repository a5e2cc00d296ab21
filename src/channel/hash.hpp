// The hashes of the wake-up tables: how writer, verifier and interpreter find the same slot. Part of the format (docs/reference/channel-format.md, "Indexes").
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "channel/format.hpp"

namespace creance::channel {

constexpr uint64_t mix(uint64_t x) noexcept {
  x *= 0x9e3779b97f4a7c15ull;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93ull;
  x ^= x >> 29;
  return x;
}

// The last `size` bytes before `end`, little-endian; size <= 8.
inline uint64_t tail_key(const char* end, size_t size) noexcept {
  if (size >= 8) {
    uint64_t key;
    std::memcpy(&key, end - 8, 8);
    return key;
  }
  uint64_t key = 0;
  for (size_t i = 0; i < size; ++i) key |= static_cast<uint64_t>(static_cast<uint8_t>(*(end - size + i))) << (8 * i);
  return key;
}

// `head`, `tail`: the first and the last min(8, size) bytes.
inline uint64_t exact_hash(uint64_t head, uint64_t tail, size_t size) noexcept { return mix(head + std::rotl(tail, 29) * 3 + size); }
inline uint64_t exact_hash(std::string_view text) noexcept {
  const size_t size = std::min<size_t>(8, text.size());
  return exact_hash(tail_key(text.data() + size, size), tail_key(text.data() + text.size(), size), text.size());
}
// Both take the last min(8, n) bytes of what must be equal.
inline uint64_t suffix_hash(uint64_t key, uint32_t size) noexcept { return mix(key + (static_cast<uint64_t>(size) << 56)); }
inline uint64_t prefix_hash(uint64_t key, uint32_t length) noexcept { return mix(key ^ std::rotr(static_cast<uint64_t>(length), 16)); }
// A gram of `size` bytes (2 to 4) is a little-endian number; what is above its size is zero.
inline uint64_t gram_hash(uint32_t gram, uint32_t size) noexcept { return mix(gram + (static_cast<uint64_t>(size) << 32)); }
constexpr uint32_t gram_mask(uint32_t size) noexcept { return 0xffffffffu >> (32 - 8 * size); }
// Places in a bitmap of 2^log2 bits: of a gram, and of a key of the other tables by its hash.
inline constexpr uint32_t kGramMultiplier = 0x9e3779b1u;
constexpr uint32_t gram_bit(uint32_t gram, uint32_t log2) noexcept { return (gram * kGramMultiplier) >> (32 - log2); }
constexpr uint32_t key_bit(uint64_t hash, uint32_t log2) noexcept { return static_cast<uint32_t>(hash >> (64 - log2)); }

inline uint32_t load_gram(const char* at, uint32_t size = 4) noexcept {
  uint32_t gram = 0;
  if (size == 4) std::memcpy(&gram, at, 4);
  else std::memcpy(&gram, at, size);
  return gram;
}

constexpr uint32_t tag_of(uint64_t hash) noexcept { return static_cast<uint32_t>(hash >> 32); }

}  // namespace creance::channel
