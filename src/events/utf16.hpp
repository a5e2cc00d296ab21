// UTF-16 as UTF-8. A surrogate without its other half becomes U+FFFD. Not a detector of encodings. One thread at a time.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace creance::events {

void append_utf8(uint32_t rune, std::string& out);
void append_utf16(std::string_view bytes, std::string& out);  // little-endian; an odd last byte is left out

// A text that comes in pieces of any size.
class Utf16Text {
 public:
  explicit Utf16Text(bool big_endian) : big_endian_(big_endian) {}
  void feed(std::string_view bytes, std::string& out);
  void finish(std::string& out);  // what is half a character at the end becomes U+FFFD

 private:
  bool big_endian_;
  std::string held_;  // little-endian: at most a first half of a pair, and a byte
  std::string units_;
};

}  // namespace creance::events
