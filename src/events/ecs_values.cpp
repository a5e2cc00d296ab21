#include "events/ecs_values.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

namespace creance::events {
namespace {

std::optional<uint64_t> number_of(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    text.remove_prefix(2);
    base = 16;
  }
  uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

char* put(char* out, std::string_view text) { return std::copy(text.begin(), text.end(), out); }

char* put_padded(char* out, uint32_t number) {
  for (int shift = 28; shift >= 0; shift -= 4) *out++ = "0123456789abcdef"[(number >> shift) & 15];
  return out;
}

// Error codes of Windows (winerror.h) that the module writes by their names.
constexpr std::pair<std::string_view, std::string_view> kDnsStatus[] = {
    {"SUCCESS", "0"}, {"ERROR_ACCESS_DENIED", "5"}, {"ERROR_NOT_ENOUGH_MEMORY", "8"}, {"ERROR_INVALID_DATA", "13"}, {"ERROR_OUTOFMEMORY", "14"}, {"ERROR_INVALID_NAME", "123"}, {"ERROR_INVALID_NETNAME", "1214"},
    {"ERROR_CANCELLED", "1223"}, {"ERROR_TIMEOUT", "1460"}, {"ERROR_OBJECT_NOT_FOUND", "4312"}, {"DNS_ERROR_RCODE_FORMAT_ERROR", "9001"}, {"DNS_ERROR_RCODE_SERVER_FAILURE", "9002"}, {"DNS_ERROR_RCODE_NAME_ERROR", "9003"},
    {"DNS_ERROR_RCODE_NOT_IMPLEMENTED", "9004"}, {"DNS_ERROR_RCODE_REFUSED", "9005"}, {"DNS_ERROR_RCODE_YXDOMAIN", "9006"}, {"DNS_ERROR_RCODE_YXRRSET", "9007"}, {"DNS_ERROR_RCODE_NXRRSET", "9008"},
    {"DNS_ERROR_RCODE_NOTAUTH", "9009"}, {"DNS_ERROR_RCODE_NOTZONE", "9010"}, {"DNS_ERROR_RCODE_BADSIG", "9016"}, {"DNS_ERROR_RCODE_BADKEY", "9017"}, {"DNS_ERROR_RCODE_BADTIME", "9018"}, {"DNS_INFO_NO_RECORDS", "9501"},
    {"DNS_ERROR_BAD_PACKET", "9502"}, {"DNS_ERROR_NO_PACKET", "9503"}, {"DNS_ERROR_RCODE", "9504"}, {"DNS_ERROR_UNSECURE_PACKET", "9505"}, {"DNS_REQUEST_PENDING", "9506"}, {"DNS_ERROR_INVALID_TYPE", "9551"},
    {"DNS_ERROR_INVALID_IP_ADDRESS", "9552"}, {"DNS_ERROR_TRY_AGAIN_LATER", "9554"}, {"DNS_ERROR_NON_RFC_NAME", "9556"}, {"DNS_ERROR_INVALID_NAME_CHAR", "9560"}, {"DNS_ERROR_RECORD_DOES_NOT_EXIST", "9701"},
    {"DNS_ERROR_RECORD_TIMED_OUT", "9705"}, {"DNS_ERROR_NAME_DOES_NOT_EXIST", "9714"}, {"DNS_ERROR_NO_TCPIP", "9851"}, {"DNS_ERROR_NO_DNS_SERVERS", "9852"}, {"WSAECONNRESET", "10054"}, {"WSAENOBUFS", "10055"},
    {"WSAETIMEDOUT", "10060"},
};

}  // namespace

std::optional<std::string_view> respelled(Spelling spelling, std::string_view text, SmallText& room) {
  switch (spelling) {
    case Spelling::kAsItIs:
    case Spelling::kRegistryData: return text;
    case Spelling::kHexadecimal: {
      const auto number = text.starts_with("0x") ? std::nullopt : number_of(text);
      if (!number) return text;
      char* const out = put(room.data(), "0x");
      return std::string_view(room.data(), static_cast<size_t>(std::to_chars(out, room.data() + room.size(), *number, 16).ptr - room.data()));
    }
    case Spelling::kIsOutbound:
      if (text == "egress" || text == "outbound") return "true";
      if (text == "ingress" || text == "inbound") return "false";
      return std::nullopt;
    case Spelling::kIsIpv6:
      if (text == "ipv6") return "true";
      if (text == "ipv4") return "false";
      return std::nullopt;
    case Spelling::kDnsStatus: {
      const auto at = std::ranges::find(kDnsStatus, text, &std::pair<std::string_view, std::string_view>::first);
      return at == std::end(kDnsStatus) ? text : at->second;
    }
  }
  return text;
}

std::string_view registry_details(std::string_view type, std::string_view text, SmallText& room) {
  const bool is_long = type.ends_with("_QWORD");
  if (!is_long && !type.ends_with("_DWORD")) return text;
  const auto number = number_of(text);
  if (!number || (!is_long && *number > UINT32_MAX)) return text;
  char* out = put(room.data(), is_long ? "QWORD (0x" : "DWORD (0x");
  if (is_long) out = put(put_padded(out, static_cast<uint32_t>(*number >> 32)), "-0x");
  out = put(put_padded(out, static_cast<uint32_t>(*number)), ")");
  return {room.data(), static_cast<size_t>(out - room.data())};
}

std::optional<PipelineText> pipeline_text(std::string_view message) {
  constexpr std::string_view kContext = "Context:", kUserData = "User Data:";
  const auto is_line = [&](size_t at, std::string_view label) {
    const size_t end = at + label.size();
    return (at == 0 || message[at - 1] == '\n') && (end == message.size() || message[end] == '\n' || message[end] == '\r');
  };
  const auto trimmed = [](std::string_view text) {
    while (!text.empty() && (text.front() == '\n' || text.front() == '\r')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    return text;
  };
  // A command may hold such lines too: the last ones are the event's.
  size_t user = message.rfind(kUserData);
  while (user != std::string_view::npos && !is_line(user, kUserData)) user = user == 0 ? std::string_view::npos : message.rfind(kUserData, user - 1);
  size_t at = message.substr(0, user).rfind(kContext);
  while (at != std::string_view::npos && !is_line(at, kContext)) at = at == 0 ? std::string_view::npos : message.rfind(kContext, at - 1);
  if (at == std::string_view::npos) return std::nullopt;
  const size_t begin = at + kContext.size();
  return PipelineText{trimmed(message.substr(0, at)), trimmed(message.substr(begin, user == std::string_view::npos ? user : user - begin))};
}

std::string_view labelled(std::string_view message, std::string_view label) {
  const size_t at = message.find(label);
  if (at == std::string_view::npos) return {};
  const size_t begin = at + label.size();
  return message.substr(begin, std::min(message.find_first_of("\r\n", begin), message.size()) - begin);
}

bool lists_id(std::string_view ids, std::string_view id) {
  while (!ids.empty()) {
    const size_t end = std::min(ids.find(' '), ids.size());
    if (ids.substr(0, end) == id) return true;
    ids.remove_prefix(std::min(end + 1, ids.size()));
  }
  return false;
}

}  // namespace creance::events
