// SipHash-2-4 with 128 bits of output (Aumasson, Bernstein: "SipHash: a fast short-input PRF"), so that nobody who chooses values can choose where they land. Never allocates.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace creance::interpreter {

struct Hash128 {
  uint64_t low;
  uint64_t high;
  friend bool operator==(const Hash128&, const Hash128&) = default;
};

inline Hash128 siphash(const Hash128& key, std::string_view text) noexcept {
  uint64_t v0 = key.low ^ 0x736f6d6570736575ull;
  uint64_t v1 = key.high ^ 0x646f72616e646f6dull ^ 0xee;
  uint64_t v2 = key.low ^ 0x6c7967656e657261ull;
  uint64_t v3 = key.high ^ 0x7465646279746573ull;
  const auto rounds = [&](int n) {
    for (int i = 0; i < n; ++i) {
      v0 += v1;
      v1 = std::rotl(v1, 13) ^ v0;
      v0 = std::rotl(v0, 32);
      v2 += v3;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1;
      v1 = std::rotl(v1, 17) ^ v2;
      v2 = std::rotl(v2, 32);
    }
  };
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  uint64_t last = static_cast<uint64_t>(text.size()) << 56;
  if (at < text.size()) std::memcpy(&last, text.data() + at, text.size() - at);
  v3 ^= last;
  rounds(2);
  v0 ^= last;
  v2 ^= 0xee;
  rounds(4);
  Hash128 out;
  out.low = v0 ^ v1 ^ v2 ^ v3;
  v1 ^= 0xdd;
  rounds(4);
  out.high = v0 ^ v1 ^ v2 ^ v3;
  return out;
}

}  // namespace creance::interpreter
