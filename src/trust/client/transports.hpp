// Transports without a network: a folder, and a recorder that mirrors what another transport fetched.
// The updater runs Client over RecordingTransport(HttpTransport); `admit`, which has no network and trusts nobody, runs its own Client with its own metadata folder over
// DirectoryTransport on the recorded mirror and comes to the same result. Both must have started from the same shipped root; delete the updater's metadata folder and mirror together or not at all.
#pragma once
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/seams/files.hpp"
#include "base/seams/transport.hpp"
#include "trust/core/trusted_set.hpp"

namespace creance::trust {

class DirectoryTransport final : public Transport {
 public:
  DirectoryTransport(FileSystem& files, std::filesystem::path root);
  Result<Bytes> fetch(const std::string& path, size_t bytes_max) override;  // kInvalid for a path that would leave the folder

 private:
  FileSystem& files_;
  std::filesystem::path root_;
};

// "12.rollout.json" → 12 and "rollout"; nothing for names without a version.
struct VersionedName {
  int64_t version = 0;
  std::string role;  // percent-encoded, as it stands in the name
};
std::optional<VersionedName> parse_versioned_name(std::string_view file);

// Every file below `folder`, as paths relative to it; not deeper than 16 levels.
Result<std::vector<std::filesystem::path>> files_below(FileSystem& files, const std::filesystem::path& folder);

class RecordingTransport final : public Transport {
 public:
  RecordingTransport(Transport& upstream, FileSystem& files, std::filesystem::path mirror);
  // A file that was fetched is in the mirror, whole, before this returns. Errors of the disk are errors of the fetch.
  Result<Bytes> fetch(const std::string& path, size_t bytes_max) override;
  // Removes what a client with `trusted` will not ask for again: superseded versions of metadata (never roots), and target files that a loaded role spoke about and no longer names.
  // Call it after the reader of the mirror (admit) has come to the same state. For clients with the standard prefixes.
  Status prune(const TrustedSet& trusted);

 private:
  Transport& upstream_;
  FileSystem& files_;
  std::filesystem::path mirror_;
};

// Where a tree keeps the delta that leads from one target file to another (delta/delta.hpp): `deltas/<sha256 of the older>/<sha256 of the newer>.zst`.
std::string delta_path(const std::string& from_sha256, const std::string& to_sha256);

// "metadata/2.root.json" → relative path of path segments; kInvalid for absolute paths, empty, "." and ".." segments, NUL, backslash.
Result<std::filesystem::path> safe_relative_path(std::string_view path);

}  // namespace creance::trust
