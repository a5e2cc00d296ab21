// What changed between two channel files: a Zstandard frame (RFC 8878) whose prefix is the older file, as `zstd --patch-from` makes it. Deltas are hints and carry no trust: the result is
// verified against the digest that signed metadata gives for the whole file, and whoever has no fitting delta fetches that. ADR 0093.
// In the tree: delta_path() of transports.hpp. In the library creance_trust_delta.
#pragma once
#include <filesystem>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/seams/files.hpp"
#include "base/seams/transport.hpp"
#include "trust/client/transports.hpp"

namespace creance::trust {

// kTooLarge: one of the files is larger than a target may be.
Result<Bytes> make_delta(BytesView from, BytesView to);
// The newer file, not verified. Never gives more than `bytes_max` bytes (kTooLarge); kInvalid for anything that is no such delta of `from`.
Result<Bytes> apply_delta(BytesView from, BytesView delta, size_t bytes_max);

// A Transport that brings target files with a hash in their name (`targets/<folders>/<sha256>.<name>`, consistent snapshots) by delta from a file of the same name that lies under
// `<have>/targets/` under another hash; all else, and everything whose delta does not lead to that hash, from `upstream` as it is. References must outlive it.
class DeltaTransport final : public Transport {
 public:
  DeltaTransport(Transport& upstream, FileSystem& files, std::filesystem::path have) : upstream_(upstream), files_(files), have_(std::move(have)) {}
  Result<Bytes> fetch(const std::string& path, size_t bytes_max) override;
  uint64_t applied() const { return applied_; }  // target files that came by delta

 private:
  Transport& upstream_;
  FileSystem& files_;
  std::filesystem::path have_;
  uint64_t applied_ = 0;
};

}  // namespace creance::trust
