#include "events/evtx/value.hpp"

#include <fmt/format.h>

#include <iterator>

#include "events/evtx/layout.hpp"
#include "events/stamp.hpp"
#include "events/utf16.hpp"

namespace creance::events::evtx {
namespace {

constexpr int64_t kFileTimeEpochSeconds = 11'644'473'600;  // 1601-01-01 to 1970-01-01

bool append_sid(std::string_view bytes, std::string& out) {
  if (bytes.size() < 8 || bytes.size() != 8 + 4 * static_cast<size_t>(static_cast<uint8_t>(bytes[1]))) return false;
  uint64_t authority = 0;
  for (size_t i = 2; i < 8; ++i) authority = authority << 8 | static_cast<uint8_t>(bytes[i]);
  auto to = std::back_inserter(out);
  if (authority >> 32 != 0) fmt::format_to(to, "S-{}-0x{:x}", static_cast<uint8_t>(bytes[0]), authority);
  else fmt::format_to(to, "S-{}-{}", static_cast<uint8_t>(bytes[0]), authority);
  for (size_t at = 8; at < bytes.size(); at += 4) fmt::format_to(to, "-{}", number_at<uint32_t>(bytes, at));
  return true;
}

void append_file_time(uint64_t ticks, std::string& out) {
  out += iso_stamp(static_cast<int64_t>(ticks / 10'000'000) - kFileTimeEpochSeconds, static_cast<uint32_t>(ticks % 10'000'000) * 100, 9);
}

bool append_system_time(std::string_view bytes, std::string& out) {
  const auto part = [&](size_t i) { return number_at<uint16_t>(bytes, 2 * i); };
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", part(0), part(1), part(3), part(4), part(5), part(6), part(7));
  return true;
}

template <class T>
bool append_number(std::string_view bytes, const char* pattern, std::string& out) {
  if (bytes.size() != sizeof(T)) return false;
  const T value = number_at<T>(bytes, 0);
  if constexpr (sizeof(T) == 1) fmt::format_to(std::back_inserter(out), fmt::runtime(pattern), static_cast<int>(value));
  else fmt::format_to(std::back_inserter(out), fmt::runtime(pattern), value);
  return true;
}

}  // namespace

size_t element_bytes(uint8_t type) {
  switch (type) {
    case 0x03: case 0x04: return 1;
    case 0x05: case 0x06: return 2;
    case 0x07: case 0x08: case 0x0b: case 0x0d: case 0x14: return 4;
    case 0x09: case 0x0a: case 0x0c: case 0x11: case 0x15: return 8;
    case 0x0f: case 0x12: return 16;
    default: return 0;
  }
}

bool append_value(uint8_t type, std::string_view bytes, std::string& out) {
  switch (type) {
    case kTypeNull: return true;
    case kTypeString: {
      while (bytes.size() >= 2 && bytes[bytes.size() - 1] == '\0' && bytes[bytes.size() - 2] == '\0' && bytes.size() % 2 == 0) bytes.remove_suffix(2);
      append_utf16(bytes, out);
      return true;
    }
    case kTypeAnsi:  // in the writer's code page, which the file does not name: Latin-1 keeps every byte apart
      while (bytes.ends_with('\0')) bytes.remove_suffix(1);
      for (const char c : bytes) append_utf8(static_cast<uint8_t>(c), out);
      return true;
    case 0x03: return append_number<int8_t>(bytes, "{}", out);
    case 0x04: return append_number<uint8_t>(bytes, "{}", out);
    case 0x05: return append_number<int16_t>(bytes, "{}", out);
    case 0x06: return append_number<uint16_t>(bytes, "{}", out);
    case 0x07: return append_number<int32_t>(bytes, "{}", out);
    case 0x08: return append_number<uint32_t>(bytes, "{}", out);
    case 0x09: return append_number<int64_t>(bytes, "{}", out);
    case 0x0a: return append_number<uint64_t>(bytes, "{}", out);
    case 0x0b: return append_number<float>(bytes, "{}", out);
    case 0x0c: return append_number<double>(bytes, "{}", out);
    case 0x0d:
      if (bytes.size() != 4) return false;
      out += number_at<uint32_t>(bytes, 0) != 0 ? "true" : "false";
      return true;
    case kTypeBinary:
      for (const char c : bytes) fmt::format_to(std::back_inserter(out), "{:02X}", static_cast<uint8_t>(c));
      return true;
    case 0x0f: {
      if (bytes.size() != 16) return false;
      fmt::format_to(std::back_inserter(out), "{{{:08X}-{:04X}-{:04X}-", number_at<uint32_t>(bytes, 0), number_at<uint16_t>(bytes, 4), number_at<uint16_t>(bytes, 6));
      for (size_t i = 8; i < 16; ++i) {
        if (i == 10) out.push_back('-');
        fmt::format_to(std::back_inserter(out), "{:02X}", static_cast<uint8_t>(bytes[i]));
      }
      out.push_back('}');
      return true;
    }
    case 0x10: return bytes.size() == 8 ? append_number<uint64_t>(bytes, "0x{:x}", out) : append_number<uint32_t>(bytes, "0x{:x}", out);
    case 0x11:
      if (bytes.size() != 8) return false;
      append_file_time(number_at<uint64_t>(bytes, 0), out);
      return true;
    case 0x12: return bytes.size() == 16 && append_system_time(bytes, out);
    case kTypeSid: return append_sid(bytes, out);
    case 0x14: return append_number<uint32_t>(bytes, "0x{:x}", out);
    case 0x15: return append_number<uint64_t>(bytes, "0x{:x}", out);
    default: return false;
  }
}

}  // namespace creance::events::evtx
