// Times and addresses as text, for formats that hold them as numbers. Pure; UTC, proleptic Gregorian calendar.
#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace creance::events {

// Seconds since 1970-01-01T00:00:00Z and a fraction of `digits` (1 to 9) decimal places -> "2013-03-28T14:36:03.243Z". Years before 0 or after 9999 are clamped.
std::string iso_stamp(int64_t seconds, uint32_t fraction, int digits);

std::string ipv6_text(std::span<const unsigned char, 16> bytes);  // RFC 5952

}  // namespace creance::events
