// JSON scalars -> text. Works on tokens that a JSON parser has already cut out; not a parser of documents.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace creance::events {

// Memory for unescaped strings of one event: a block that only grows, reused for the next. Views stay valid until reset().
class TextArena {
 public:
  // Room for all strings of a document of `bytes`: unescaping makes none longer.
  void reset(size_t bytes) {
    if (block_.size() < bytes) block_.resize(bytes + bytes / 2);
    used_ = 0;
  }
  char* reserve(size_t bytes);  // CHECKs that reset() made enough room
  void commit(const char* end) { used_ = static_cast<size_t>(end - block_.data()); }

 private:
  std::vector<char> block_;
  size_t used_ = 0;
};

// The text between the quotes of a JSON string, unescaped: a view of itself if it has no escape, else in the arena. Nothing: a bad escape.
// A lone surrogate becomes U+FFFD.
std::optional<std::string_view> unescape(std::string_view inner, TextArena& arena);

bool is_json_number(std::string_view token);  // RFC 8259 section 6

// The whole number that a text is, however JSON spells it (`4688`, `4688.0`, `4.688e3`), blanks around it left out; nothing: it is none, or needs more than 64 bits.
std::optional<int64_t> whole_number(std::string_view text);

}  // namespace creance::events
