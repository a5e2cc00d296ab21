#include "base/os/byte_stream.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/os/real.hpp"

namespace creance::os {
namespace {

class DescriptorStream final : public ByteStream {
 public:
  DescriptorStream(int fd, bool owned, std::string name, std::optional<uint64_t> size) : fd_(fd), owned_(owned), name_(std::move(name)), size_(size) {}
  ~DescriptorStream() override {
    if (owned_) ::close(fd_);
  }
  DescriptorStream(const DescriptorStream&) = delete;
  DescriptorStream& operator=(const DescriptorStream&) = delete;

  Result<size_t> read(std::span<char> out) override {
    for (;;) {
      const ssize_t n = ::read(fd_, out.data(), out.size());
      if (n >= 0) return static_cast<size_t>(n);
      if (errno != EINTR) return fail(errno_error(errno, "cannot read", name_));
    }
  }
  std::optional<uint64_t> size() const override { return size_; }
  const std::string& name() const override { return name_; }

 private:
  int fd_;
  bool owned_;
  std::string name_;
  std::optional<uint64_t> size_;
};

}  // namespace

Result<std::unique_ptr<ByteStream>> open_stream(const std::string& path) {
  const bool standard_input = path == "-";
  const int fd = standard_input ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(errno_error(errno, "cannot open", path));
  struct stat about{};
  if (::fstat(fd, &about) != 0) {
    const int reason = errno;
    if (!standard_input) ::close(fd);
    return fail(errno_error(reason, "cannot look at", path));
  }
  if (S_ISDIR(about.st_mode)) {
    if (!standard_input) ::close(fd);
    return fail(ErrorCode::kInvalid, fmt::format("cannot read `{}`: it is a folder, name the files in it", path));
  }
  const std::optional<uint64_t> size = S_ISREG(about.st_mode) ? std::optional(static_cast<uint64_t>(about.st_size)) : std::nullopt;
  return std::make_unique<DescriptorStream>(fd, !standard_input, standard_input ? "standard input" : path, size);
}

}  // namespace creance::os
