#include "sensor/supervise/next_identity.hpp"

#include <algorithm>

#include "base/ipc/records.hpp"

namespace creance::sensor {
namespace {

// Written in one piece, and so the moment from which there is no way back; what follows may be done again and again.
std::filesystem::path record_of(const std::filesystem::path& state) { return state / "state/next-identity.bin"; }

}  // namespace

Status take_next_identity(FileSystem& files, const std::filesystem::path& state) {
  ipc::NextIdentity next;
  TRY(const Bytes key, files.read(state / "spool/again/sensor.key", next.key.size()));
  TRY(const Bytes identity, files.read(state / "spool/again/identity.json", next.identity.size()));
  if (key.empty() || identity.empty()) return fail(ErrorCode::kNotFound, "the new identity is empty");
  next.key_bytes = static_cast<uint32_t>(key.size());
  next.identity_bytes = static_cast<uint32_t>(identity.size());
  std::ranges::copy(key, next.key.begin());
  std::ranges::copy(identity, next.identity.begin());
  TRY_VOID(ipc::write_record(files, record_of(state), next));
  return finish_next_identity(files, state);
}

Status finish_next_identity(FileSystem& files, const std::filesystem::path& state) {
  const auto next = ipc::read_record<ipc::NextIdentity>(files, record_of(state));
  if (!next && next.error().code == ErrorCode::kNotFound) return {};
  if (!next) return fail(next.error());
  TRY_VOID(files.write_atomic(state / "sensor.key", BytesView(next->key).first(next->key_bytes), 0600));
  TRY_VOID(files.write_atomic(state / "identity.json", BytesView(next->identity).first(next->identity_bytes), 0644));
  TRY_VOID(files.remove(record_of(state)));
  return files.remove_tree(state / "spool/again");
}

}  // namespace creance::sensor
