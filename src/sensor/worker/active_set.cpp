#include "sensor/worker/active_set.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/digest.hpp"
#include "base/os/real.hpp"

namespace creance::sensor {
namespace {

Result<Bytes> read_small(int folder, std::string_view name, size_t bytes_max) {
  const ipc::Descriptor fd(::openat(folder, std::string(name).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail(os::errno_error(errno, "cannot open", std::string(name)));
  Bytes bytes(bytes_max + 1);
  size_t have = 0;
  for (;;) {
    const ssize_t n = ::pread(fd.get(), bytes.data() + have, bytes.size() - have, static_cast<off_t>(have));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(os::errno_error(errno, "cannot read", std::string(name)));
    have += static_cast<size_t>(n);
    if (have > bytes_max) return fail(ErrorCode::kTooLarge, fmt::format("`{}` is larger than {} bytes", name, bytes_max));
    if (n == 0) break;
  }
  bytes.resize(have);
  return bytes;
}

void note_held(const LoadedChannel& loaded, const Supplied& supplied, std::vector<HeldInstance>& held) {
  const bool any_missing = std::ranges::find(supplied.available, false) != supplied.available.end();
  for (uint32_t i = 0; i < loaded.channel.instance_count(); ++i) {
    const channel::InstanceInfo info = loaded.channel.instance(i);
    std::string_view missing;
    for (const uint32_t input : info.inputs)
      if (!supplied.available[input] && missing.empty()) missing = supplied.type->inputs[input].name;
    if (missing.empty() && info.reads_every_value && any_missing) missing = "every value (keywords)";
    if (!missing.empty()) held.push_back({std::string(info.rule_id), std::string(missing)});
  }
}

}  // namespace

Result<MappedFile> MappedFile::open(int folder, const std::string& name, uint64_t bytes) {
  const ipc::Descriptor fd(::openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) return fail(os::errno_error(errno, "cannot open", name));
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return fail(os::errno_error(errno, "cannot read", name));
  if (!S_ISREG(info.st_mode) || static_cast<uint64_t>(info.st_size) != bytes || bytes > limits::kChannelBytesMax)
    return fail(ErrorCode::kInvalid, fmt::format("`{}` has {} bytes where {} belong", name, info.st_size, bytes));
  void* at = ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (at == MAP_FAILED) return fail(os::errno_error(errno, "cannot map", name));
  MappedFile file;
  file.at_ = static_cast<const uint8_t*>(at);
  file.bytes_ = bytes;
  return file;
}

MappedFile::MappedFile(MappedFile&& other) noexcept : at_(std::exchange(other.at_, nullptr)), bytes_(other.bytes_) {}

MappedFile::~MappedFile() {
  if (at_ != nullptr) ::munmap(const_cast<uint8_t*>(at_), bytes_);
}

Result<ActiveSet> ActiveSet::load(int sets_folder, const ipc::Set& set, std::span<const Supplied> supplied) {
  ActiveSet active;
  active.set_ = set;
  if (set == ipc::kNoSet) return active;
  active.hex_ = to_hex(set);
  const ipc::Descriptor folder(::openat(sets_folder, active.hex_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder) return fail(os::errno_error(errno, "cannot open the set", active.hex_));
  TRY(const Bytes bytes, read_small(folder.get(), ipc::kSetRecordName, sizeof(ipc::SetRecord) + 64));
  TRY(const auto record, ipc::from_record<ipc::SetRecord>(bytes));
  if (record.release != set) return fail(ErrorCode::kInvalid, fmt::format("set.bin of {} belongs to another release", active.hex_));
  for (size_t i = 0; i < record.count; ++i) {
    const ipc::SetFile& entry = record.files[i];
    const auto type = std::ranges::find_if(supplied, [&](const Supplied& s) { return s.type->fingerprint == entry.fingerprint; });
    if (type == supplied.end()) {
      // A Type that this sensor does not supply is none of its business; another interface of one that it does is a release that was not made for this build.
      const auto known = std::ranges::find_if(supplied, [&](const Supplied& s) { return entry.name.view().starts_with(s.type->id + "."); });
      const bool fits_elsewhere = known != supplied.end() && std::any_of(record.files.begin(), record.files.begin() + record.count, [&](const ipc::SetFile& other) { return other.fingerprint == known->type->fingerprint; });
      if (known != supplied.end() && !fits_elsewhere)
        return fail(ErrorCode::kInvalid, fmt::format("`{}`: made for another interface of {} than this build supplies ({})", entry.name.view(), known->type->id, to_hex(known->type->fingerprint)));
      continue;
    }
    TRY(MappedFile file, MappedFile::open(folder.get(), std::string(entry.name.view()), entry.bytes));
    const Digest digest = sha256(file.bytes());
    if (digest.bytes != entry.sha256) return fail(ErrorCode::kInvalid, fmt::format("`{}`: its bytes are not the ones that were signed", entry.name.view()));
    auto verified = channel::VerifiedChannel::verify(file.bytes(), {type->type->fingerprint, static_cast<uint32_t>(type->type->inputs.size())});
    if (!verified) return fail(ErrorCode::kInvalid, fmt::format("`{}`: {} at byte {}: {}", entry.name.view(), verified.error().code, verified.error().offset, verified.error().detail));
    // D1, once more and not through the verifier: what the file expects is what this collector writes.
    if (verified->input_count() != type->type->inputs.size())
      return fail(ErrorCode::kInvalid, fmt::format("`{}`: expects {} inputs, the sensor supplies {}", entry.name.view(), verified->input_count(), type->type->inputs.size()));
    const uint32_t count = verified->instance_count();
    interpreter::Scratch scratch(*verified);
    active.channels_.push_back({static_cast<uint32_t>(type - supplied.begin()), digest.hex(), std::move(file), std::move(*verified), std::move(scratch), std::vector<uint8_t>(count, 0), std::vector<uint32_t>(count, 0)});
    active.instances_ += count;
    note_held(active.channels_.back(), *type, active.held_);
  }
  return active;
}

LoadedChannel* ActiveSet::of_type(uint32_t type) {
  const auto found = std::ranges::find(channels_, type, &LoadedChannel::type);
  return found == channels_.end() ? nullptr : &*found;
}

bool ActiveSet::has_tag(std::string_view tag) const {
  for (const LoadedChannel& loaded : channels_)
    for (uint32_t i = 0; i < loaded.channel.instance_count(); ++i) {
      const channel::TextList tags = loaded.channel.instance(i).tags;
      for (size_t t = 0; t < tags.size(); ++t)
        if (tags[t] == tag) return true;
    }
  return false;
}

}  // namespace creance::sensor
