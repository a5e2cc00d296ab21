#include "base/ipc/socket.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/os/real.hpp"

namespace creance::ipc {

namespace {
constexpr size_t kDescriptorsMax = 32;
}

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void Descriptor::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Result<std::pair<Socket, Socket>> Socket::pair(Process supervisor, Process child) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) return fail(os::errno_error(errno, "cannot make", "socket pair"));
  Descriptor a(ends[0]), b(ends[1]);
  return std::pair<Socket, Socket>(Socket(std::move(a), child), Socket(std::move(b), supervisor));
}

Status Socket::send_frame(const Frame& frame, std::span<const int> descriptors) {
  CHECK(descriptors.size() <= kDescriptorsMax);
  iovec part{const_cast<Frame*>(&frame), sizeof frame};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kDescriptorsMax)> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  if (!descriptors.empty()) {
    header.msg_control = control.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* entry = CMSG_FIRSTHDR(&header);
    entry->cmsg_level = SOL_SOCKET;
    entry->cmsg_type = SCM_RIGHTS;
    entry->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(entry), descriptors.data(), descriptors.size_bytes());
  }
  for (;;) {
    const ssize_t n = ::sendmsg(descriptor_.get(), &header, MSG_NOSIGNAL);
    if (n == static_cast<ssize_t>(sizeof frame)) return {};
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) return fail(ErrorCode::kUnavailable, "the peer does not take more messages now");
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) return fail(ErrorCode::kNotFound, "the peer is gone");
    return fail(os::errno_error(errno, "cannot send on", "socket pair"));
  }
}

Result<Frame> Socket::receive(std::vector<Descriptor>* descriptors) {
  std::array<uint8_t, kMessageBytes + 1> bytes;
  iovec part{bytes.data(), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * kDescriptorsMax)> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();
  ssize_t n = 0;
  do n = ::recvmsg(descriptor_.get(), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  while (n < 0 && errno == EINTR);
  if (n < 0 && errno == EAGAIN) return fail(ErrorCode::kUnavailable, "no message");
  if (n == 0 || (n < 0 && errno == ECONNRESET)) return fail(ErrorCode::kNotFound, "the peer is gone");
  if (n < 0) return fail(os::errno_error(errno, "cannot receive on", "socket pair"));
  std::vector<Descriptor> came;
  for (cmsghdr* entry = CMSG_FIRSTHDR(&header); entry != nullptr; entry = CMSG_NXTHDR(&header, entry)) {
    if (entry->cmsg_level != SOL_SOCKET || entry->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (entry->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(entry) + i * sizeof fd, sizeof fd);
      came.emplace_back(fd);
    }
  }
  auto frame = decode(BytesView(bytes.data(), static_cast<size_t>(n)), peer_);
  if (frame && (header.msg_flags & MSG_CTRUNC) != 0) return fail(ErrorCode::kInvalid, "more descriptors beside a message than belong there");
  if (frame && descriptors == nullptr && !came.empty()) return fail(ErrorCode::kInvalid, "descriptors beside a message where none belong");
  if (frame && descriptors != nullptr) *descriptors = std::move(came);
  return frame;
}

}  // namespace creance::ipc
