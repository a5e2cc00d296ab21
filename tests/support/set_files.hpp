// Lays a compiled set out on a host's disk as admit would have put it there: for tests and measurements. One way to do it, so that a change to set.bin is made once.
#pragma once
#include <filesystem>
#include <functional>
#include <string>

#include "base/digest.hpp"
#include "base/ipc/records.hpp"
#include "base/seams/files.hpp"
#include "channel/correlation_format.hpp"
#include "compiler/build.hpp"

namespace creance::test {

// Below `sets`, in a folder of the release's name. The release's digest is `tag`, 32 times. `change`: of the record and of what lies in the folder, before set.bin is written.
inline Result<ipc::Set> write_set(FileSystem& files, const std::filesystem::path& sets, uint8_t tag, const compiler::Build& built, const std::function<void(ipc::SetRecord&, const std::filesystem::path&)>& change = {}) {
  ipc::SetRecord record;
  record.release.fill(tag);
  record.name.assign("set-" + std::to_string(tag));
  const std::filesystem::path folder = sets / to_hex(record.release);
  TRY_VOID(files.make_directories(folder));
  const auto add = [&](const std::string& name, const Bytes& bytes, const schema::Fingerprint& fingerprint) -> Status {
    ipc::SetFile& file = record.files[record.count++];
    file.name.assign(name);
    file.sha256 = sha256(bytes).bytes;
    file.fingerprint = fingerprint;
    file.bytes = bytes.size();
    return files.write_atomic(folder / name, bytes, 0644);
  };
  if (built.correlations) TRY_VOID(add(std::string(channel::kCorrelationsId) + ".63726561.channel", built.correlations->bytes, channel::kCorrelationsInterface));
  for (const compiler::BuiltChannel& channel : built.channels) TRY_VOID(add(channel.type->id + ".channel", channel.bytes, channel.type->fingerprint));
  if (change) change(record, folder);
  TRY_VOID(files.write_atomic(folder / "set.bin", ipc::to_record(record), 0444));  // for the worker's user too
  return record.release;
}

}  // namespace creance::test
