// Reserved files on a real disk; only `main` functions make it. In place on ext4, xfs, tmpfs and, the files being marked so, on btrfs; where a file system writes everything anew
// (ZFS, thin volumes) the space is the file system's to give, and the write may fail like any other.
#pragma once
#include "base/seams/reserved_files.hpp"

namespace creance::os {

class RealReservedFiles final : public ReservedFiles {
 public:
  Status reserve(const std::filesystem::path& path, BytesView blank) override;
  Status write(const std::filesystem::path& path, BytesView bytes) override;
  Status take_spare(const std::filesystem::path& path) override;
};

// As write, but there once only, for two processes that write one reserved file in turn, each only when it sees there what the other wrote (hand_over in durable.hpp).
Status hand_over(const std::filesystem::path& path, BytesView bytes);

}  // namespace creance::os
