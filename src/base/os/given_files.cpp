#include "base/os/given_files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/os/real.hpp"

namespace creance::os {

bool GivenFiles::take(std::string_view argument) {
  const size_t colon = argument.find(':');
  int number = -1;
  if (colon == std::string_view::npos || std::from_chars(argument.data(), argument.data() + colon, number).ptr != argument.data() + colon || number < 3 || colon + 1 == argument.size()) return false;
  given_.insert_or_assign(std::filesystem::path(argument.substr(colon + 1)), ipc::Descriptor(number));
  return true;
}

Result<Bytes> GivenFiles::read(const std::filesystem::path& path, size_t bytes_max) {
  const auto found = given_.find(path);
  if (found == given_.end()) return disk_.read(path, bytes_max);
  Bytes bytes;
  for (;;) {
    constexpr size_t kStep = 16'384;
    const size_t have = bytes.size();
    bytes.resize(have + kStep);
    const ssize_t n = ::pread(found->second.get(), bytes.data() + have, kStep, static_cast<off_t>(have));
    bytes.resize(have + static_cast<size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(errno_error(errno, "cannot read", path));
    if (bytes.size() > bytes_max) return fail(ErrorCode::kTooLarge, fmt::format("`{}` is larger than the limit of {} bytes", path.string(), bytes_max));
    if (n == 0) return bytes;
  }
}

}  // namespace creance::os
