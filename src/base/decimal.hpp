// Decimal numbers as text -> exact integers in units of 10^-9, so that sums do not depend on their order. `[+-]digits[.digits]`, at most 18 digits before the point
// (leading zeros aside); digits behind the ninth after it are cut. No exponents, no other bases, no white space. Never allocates.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace creance {

__extension__ using Int128 = __int128;

inline constexpr int64_t kDecimalUnits = 1'000'000'000;  // of one

constexpr std::optional<Int128> parse_decimal(std::string_view text) noexcept {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  constexpr int kWholeDigitsMax = 18;
  constexpr int kFractionDigits = 9;
  Int128 value = 0;
  int whole = 0;
  int fraction = -1;  // digits behind the point; -1: no point yet
  bool any = false;
  for (const char c : text) {
    if (c == '.' && fraction < 0 && any) {
      fraction = 0;
      continue;
    }
    if (c < '0' || c > '9') return std::nullopt;
    any = true;
    if (fraction >= kFractionDigits) continue;
    if (fraction >= 0) ++fraction;
    else if ((whole > 0 || c != '0') && ++whole > kWholeDigitsMax) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  if (!any || text.ends_with('.')) return std::nullopt;
  for (int i = fraction < 0 ? 0 : fraction; i < kFractionDigits; ++i) value *= 10;
  return negative ? -value : value;
}

}  // namespace creance
