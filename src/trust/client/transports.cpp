#include "trust/client/transports.hpp"

#include <fmt/format.h>

namespace creance::trust {

Result<std::filesystem::path> safe_relative_path(std::string_view path) {
  std::filesystem::path out;
  std::string_view rest = path;
  for (;;) {
    const size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    const bool odd = segment.empty() || segment == "." || segment == ".." || segment.size() > 255 || segment.find('\\') != std::string_view::npos || segment.find('\0') != std::string_view::npos;
    if (odd) return fail(ErrorCode::kInvalid, fmt::format("`{}` is not a plain relative path", path.substr(0, 200)));
    out /= segment;
    if (slash == std::string_view::npos) return out;
    rest.remove_prefix(slash + 1);
  }
}

DirectoryTransport::DirectoryTransport(FileSystem& files, std::filesystem::path root) : files_(files), root_(std::move(root)) {}

Result<Bytes> DirectoryTransport::fetch(const std::string& path, size_t bytes_max) {
  TRY(const std::filesystem::path relative, safe_relative_path(path));
  return files_.read(root_ / relative, bytes_max);
}

RecordingTransport::RecordingTransport(Transport& upstream, FileSystem& files, std::filesystem::path mirror) : upstream_(upstream), files_(files), mirror_(std::move(mirror)) {}

Result<Bytes> RecordingTransport::fetch(const std::string& path, size_t bytes_max) {
  TRY(const std::filesystem::path relative, safe_relative_path(path));
  TRY(Bytes bytes, upstream_.fetch(path, bytes_max));
  const std::filesystem::path to = mirror_ / relative;
  TRY_VOID(files_.make_directories(to.parent_path()));
  TRY_VOID(files_.write_atomic(to, bytes));
  return bytes;
}

}  // namespace creance::trust
