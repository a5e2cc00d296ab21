#include "trust/client/transports.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "trust/client/updater.hpp"

namespace creance::trust {

Result<std::filesystem::path> safe_relative_path(std::string_view path) {
  std::filesystem::path out;
  std::string_view rest = path;
  for (;;) {
    const size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    const bool odd = segment.empty() || segment == "." || segment == ".." || segment.size() > limits::kFileNameBytesMax || segment.find('\\') != std::string_view::npos || segment.find('\0') != std::string_view::npos;
    if (odd) return fail(ErrorCode::kInvalid, fmt::format("`{}` is not a plain relative path", path.substr(0, 200)));
    out /= segment;
    if (slash == std::string_view::npos) return out;
    rest.remove_prefix(slash + 1);
  }
}

std::string delta_path(const std::string& from_sha256, const std::string& to_sha256) { return "deltas/" + from_sha256 + "/" + to_sha256 + ".zst"; }

DirectoryTransport::DirectoryTransport(FileSystem& files, std::filesystem::path root) : files_(files), root_(std::move(root)) {}

Result<Bytes> DirectoryTransport::fetch(const std::string& path, size_t bytes_max) {
  TRY(const std::filesystem::path relative, safe_relative_path(path));
  return files_.read(root_ / relative, bytes_max);
}

std::optional<VersionedName> parse_versioned_name(std::string_view file) {
  const size_t dot = file.find('.');
  if (dot == std::string_view::npos || !file.ends_with(".json") || dot + 1 >= file.size() - 5) return std::nullopt;
  VersionedName name;
  const auto [end, error] = std::from_chars(file.data(), file.data() + dot, name.version);
  if (error != std::errc() || end != file.data() + dot || name.version < 1) return std::nullopt;
  name.role = std::string(file.substr(dot + 1, file.size() - dot - 6));
  return name;
}

Result<std::vector<std::filesystem::path>> files_below(FileSystem& files, const std::filesystem::path& folder) {
  constexpr std::ptrdiff_t kDepthMax = 16;
  std::vector<std::filesystem::path> out;
  std::vector<std::filesystem::path> open{""};
  while (!open.empty()) {
    const std::filesystem::path at = open.back();
    open.pop_back();
    auto names = files.list(at.empty() ? folder : folder / at);
    if (!names && at.empty()) return fail(names.error());
    if (!names || (names->empty() && !at.empty())) {  // a file is what cannot be listed; an empty folder is no loss
      out.push_back(at);
      continue;
    }
    if (std::distance(at.begin(), at.end()) >= kDepthMax) continue;
    for (const std::string& name : *names) open.push_back(at / name);
  }
  std::ranges::sort(out);
  return out;
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

Status RecordingTransport::prune(const TrustedSet& trusted) {
  std::map<std::string, int64_t> current;  // percent-encoded role → version
  if (trusted.timestamp() != nullptr) current["snapshot"] = trusted.timestamp()->snapshot.version;
  if (trusted.snapshot() != nullptr) {
    for (const auto& [file, meta] : trusted.snapshot()->meta) current[percent_encode(file.substr(0, file.size() - std::min<size_t>(file.size(), 5)), false)] = meta.version;
  }
  if (files_.exists(mirror_ / "metadata")) {
    TRY(const auto names, files_.list(mirror_ / "metadata"));
    for (const std::string& file : names) {
      const auto name = parse_versioned_name(file);
      if (!name || name->role == "root") continue;
      const auto known = current.find(name->role);
      if (known != current.end() && name->version < known->second) TRY_VOID(files_.remove(mirror_ / "metadata" / file));
    }
  }
  const Targets* top = trusted.targets("targets", "root");
  if (top == nullptr || !files_.exists(mirror_ / "targets")) return {};
  TRY(const auto fetched, files_below(files_, mirror_ / "targets"));
  for (const std::filesystem::path& file : fetched) {
    const std::string stored = file.filename().string();  // "<hash>.<name>"
    const size_t dot = stored.find('.');
    if (dot == std::string::npos) continue;
    const std::string target = (file.parent_path() / stored.substr(dot + 1)).generic_string();
    for (const Delegation& delegation : top->delegations) {
      const Targets* role = trusted.targets(delegation.name, "targets");
      if (role != nullptr && role->succinct) role = trusted.targets(role->succinct->bin_of(target), delegation.name);
      // The stored name is percent-encoded; one that needed it is left alone.
      if (role == nullptr || target.find('%') != std::string::npos || !delegation.covers(target)) continue;
      const auto named = role->targets.find(target);
      const bool wanted = named != role->targets.end() && std::ranges::any_of(named->second.hashes, [&](const auto& hash) { return hash.second == stored.substr(0, dot); });
      if (!wanted) TRY_VOID(files_.remove(mirror_ / "targets" / file));
      break;
    }
  }
  return {};
}

}  // namespace creance::trust
