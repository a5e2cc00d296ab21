// One typed value of binary XML -> the text that Windows renders. [MS-EVEN6] section 2.2.12.3, table of value types.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace creance::events::evtx {

inline constexpr uint8_t kTypeNull = 0x00, kTypeString = 0x01, kTypeAnsi = 0x02, kTypeBinary = 0x0e, kTypeSid = 0x13, kTypeBinXml = 0x21, kArrayFlag = 0x80;

// Appends the text of a value that is no array and no binary XML; false: its size does not fit its type, or the type is unknown.
bool append_value(uint8_t type, std::string_view bytes, std::string& out);

size_t element_bytes(uint8_t type);  // of an array of fixed-size values; 0: not of a fixed size

}  // namespace creance::events::evtx
