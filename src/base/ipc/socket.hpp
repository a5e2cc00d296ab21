// Datagram socket pairs between a supervisor and its children, with descriptors beside a message. Owns its descriptor; movable; one thread.
// Failure: kUnavailable when nothing can be read or the peer does not take more now, kNotFound when the peer is gone, kInvalid for bytes that are no message.
#pragma once
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "base/ipc/messages.hpp"

namespace creance::ipc {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset();

 private:
  int fd_ = -1;
};

class Socket {
 public:
  Socket() = default;
  Socket(Descriptor descriptor, Process peer) : descriptor_(std::move(descriptor)), peer_(peer) {}
  // {for the supervisor, for its child}; both close on exec and do not block.
  static Result<std::pair<Socket, Socket>> pair(Process supervisor, Process child);

  int fd() const { return descriptor_.get(); }
  explicit operator bool() const { return static_cast<bool>(descriptor_); }
  void close() { descriptor_.reset(); }

  template <class T>
  Status send(const T& message, Process self) { return send_frame(encode(message, self), {}); }
  Status send_frame(const Frame& frame, std::span<const int> descriptors);
  // Descriptors that came along without `descriptors` to take them are closed, and the message is refused.
  Result<Frame> receive(std::vector<Descriptor>* descriptors = nullptr);

 private:
  Descriptor descriptor_;
  Process peer_{};
};

}  // namespace creance::ipc
