// Where the structure of one JSON text lies: the places of { } [ ] : , outside of strings, and of the first byte of each string, number or word. Not a parser.
// What it says holds for well-formed and malformed text alike; between two places there is one scalar and white space at most.
// One thread at a time. Never throws. Memory grows to the largest text seen.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace creance::events {

class JsonIndex {
 public:
  JsonIndex();
  JsonIndex(JsonIndex&&) noexcept;
  JsonIndex& operator=(JsonIndex&&) noexcept;
  ~JsonIndex();

  // `text`: with as many bytes behind it that may be read as simdjson wants (SIMDJSON_PADDING). False: not valid UTF-8, a control character inside a string, a string without
  // an end, nothing at all, or no memory.
  bool build(std::string_view text);
  std::span<const uint32_t> places() const;  // ascending; valid until the next build()

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace creance::events
