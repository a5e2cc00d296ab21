// The plain bytes of a stream that may be packed with gzip or zstd, which its first bytes tell. Not a line reader.
// A name that ends in .gz or .zst without the magic bytes is refused. Several members or frames one after the other are one text. zstd windows up to 128 MiB.
// One thread at a time.
#pragma once
#include <memory>

#include "base/seams/byte_stream.hpp"

namespace creance::events {

class Unpacker {
 public:
  explicit Unpacker(std::unique_ptr<ByteStream> stream);
  Unpacker(Unpacker&&) noexcept;
  Unpacker& operator=(Unpacker&&) noexcept;
  ~Unpacker();

  // At least one byte, or 0 at the end. kInvalid: the packed data are damaged or cut off; what came before was delivered. Else the stream's own error.
  Result<size_t> read(std::span<char> out);

  const ByteStream& stream() const;
  uint64_t bytes_read() const;  // of the stream as it is stored

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace creance::events
