// Bytes that arrive one after the other, from a file, a pipe or a test. The streaming counterpart of files.hpp; knows nothing of lines or compression.
// One thread at a time.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "base/result.hpp"

namespace creance {

class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // At most out.size() bytes; 0 = the end. May give fewer than asked (pipes do). kIo.
  virtual Result<size_t> read(std::span<char> out) = 0;
  virtual std::optional<uint64_t> size() const = 0;  // bytes in all; nothing for pipes and terminals
  virtual const std::string& name() const = 0;       // as the user named it, for messages
};

}  // namespace creance
