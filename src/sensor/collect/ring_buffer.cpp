#include "sensor/collect/ring_buffer.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "base/os/real.hpp"

namespace creance::sensor {
namespace {
constexpr uint32_t kBusy = 1u << 31;
constexpr uint32_t kDiscarded = 1u << 30;
constexpr uint32_t kHeadBytes = 8;
size_t page() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }
uint64_t load(const uint8_t* at) { return std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(const_cast<uint8_t*>(at))).load(std::memory_order_acquire); }
}  // namespace

Result<RingBuffer> RingBuffer::map(int descriptor, uint32_t bytes) {
  if (bytes < page() || (bytes & (bytes - 1)) != 0) return fail(ErrorCode::kInvalid, "a ring buffer's size is a power of two of at least one page");
  RingBuffer ring;
  ring.bytes_ = bytes;
  void* consumer = ::mmap(nullptr, page(), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (consumer == MAP_FAILED) return fail(os::errno_error(errno, "cannot map", "ring buffer"));
  ring.consumer_ = static_cast<uint8_t*>(consumer);
  void* producer = ::mmap(nullptr, page() + 2 * size_t{bytes}, PROT_READ, MAP_SHARED, descriptor, static_cast<off_t>(page()));
  if (producer == MAP_FAILED) return fail(os::errno_error(errno, "cannot map", "ring buffer"));
  ring.producer_ = static_cast<const uint8_t*>(producer);
  return ring;
}

RingBuffer::RingBuffer(RingBuffer&& other) noexcept
    : consumer_(std::exchange(other.consumer_, nullptr)), producer_(std::exchange(other.producer_, nullptr)), bytes_(other.bytes_), next_(other.next_) {}

RingBuffer::~RingBuffer() {
  if (consumer_ != nullptr) ::munmap(consumer_, page());
  if (producer_ != nullptr) ::munmap(const_cast<uint8_t*>(producer_), page() + 2 * size_t{bytes_});
}

std::optional<BytesView> RingBuffer::peek() {
  for (;;) {
    const uint64_t at = load(consumer_);
    if (at >= load(producer_)) return std::nullopt;
    const uint8_t* record = producer_ + page() + (at & (bytes_ - 1));
    const uint32_t length = std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(const_cast<uint8_t*>(record))).load(std::memory_order_acquire);
    if ((length & kBusy) != 0) return std::nullopt;
    const uint32_t payload = length & ~(kBusy | kDiscarded);
    next_ = at + ((kHeadBytes + uint64_t{payload} + 7) & ~uint64_t{7});
    if (payload > bytes_ - kHeadBytes) {  // cannot be; never read beyond the mapping all the same
      next_ = load(producer_);
      advance();
      return std::nullopt;
    }
    if ((length & kDiscarded) == 0) return BytesView(record + kHeadBytes, payload);
    advance();
  }
}

void RingBuffer::advance() { std::atomic_ref<uint64_t>(*reinterpret_cast<uint64_t*>(consumer_)).store(next_, std::memory_order_release); }

}  // namespace creance::sensor
