// IP addresses as text: dotted IPv4 without leading zeros, IPv6 as RFC 4291 section 2.2. No zones, no ports, no IPv4-mapped folding. Never allocates.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace creance::channel {

struct Address {
  uint32_t family = 0;                  // 4 or 6
  std::array<uint8_t, 16> bytes{};      // IPv4 in the first 4
};

std::optional<Address> parse_address(std::string_view text) noexcept;

// Whether the first `bits` bits are equal; both of one family.
bool in_network(const std::array<uint8_t, 16>& address, const uint8_t* network, uint32_t bits) noexcept;

}  // namespace creance::channel
