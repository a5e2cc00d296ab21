// Reads a BPF ring buffer through its map descriptor alone: two mappings, no library, no privilege. What was consumed is in memory that the kernel shares, so that
// a restarted worker goes on exactly where the last one stopped. One reader at a time. Layout: Documentation/bpf/ringbuf.rst of the kernel.
#pragma once
#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace creance::sensor {

class RingBuffer {
 public:
  static Result<RingBuffer> map(int descriptor, uint32_t bytes);  // `bytes`: the map's max_entries, a power of two
  RingBuffer(RingBuffer&& other) noexcept;
  RingBuffer& operator=(RingBuffer&&) = delete;
  ~RingBuffer();

  // The next record, a view into the buffer until advance(); nothing when all are read. Discarded records are passed over.
  std::optional<BytesView> peek();
  void advance();  // past the record that peek() gave

 private:
  RingBuffer() = default;
  uint8_t* consumer_ = nullptr;        // page with the consumer's position
  const uint8_t* producer_ = nullptr;  // page with the producer's position, then the data twice
  uint32_t bytes_ = 0;
  uint64_t next_ = 0;                  // position behind the record that peek() gave
};

}  // namespace creance::sensor
