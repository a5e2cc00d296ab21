// What is wrong with a line that is no JSON object, and where. Not a parser: it keeps nothing. For lines that the decoder refused, and for JSON that stands inside a string.
// Strict RFC 8259, as the decoder is, without recursion; time grows with the text alone. Any number of threads.
#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace creance::events {

struct JsonFault {
  size_t offset;       // in bytes; where reading went wrong
  std::string reason;  // in words, without the place
};
// Nothing: the text is one JSON object, blanks around it aside.
std::optional<JsonFault> find_json_fault(std::string_view text);

// What stands in for the end of a string that is missing: an escape that JSON does not have (json_documents.hpp).
inline constexpr std::string_view kMissingEnd = "\\\x01";

// A line whose strings hold bytes that are no UTF-8 or control characters as they are, both of which JSON forbids: the same line with U+FFFD for each such byte, and with the control
// characters escaped. False: there is nothing to mend.
bool mend_strings(std::string_view text, std::string& out);

}  // namespace creance::events
