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

Result<std::string> read_cases(int folder, const ipc::SetFile& entry) {
  const std::string name = std::string(entry.name.view()) + std::string(ipc::kSetCasesSuffix);
  TRY(const Bytes bytes, read_small(folder, name, entry.cases_bytes));
  if (sha256(bytes).bytes != entry.cases_sha256) return fail(ErrorCode::kInvalid, fmt::format("`{}`: its bytes are not the ones that were signed", name));
  return std::string(as_text(bytes));
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

namespace {

// Why a correlation cannot run here. Some rule of it comes by no feed that could ever bring something: "" if every rule has one; nothing if it is not about this host at all.
struct Missing {
  bool concerns_this_host = false;
  std::string what;
};
Missing missing_of(uint32_t index, const channel::VerifiedCorrelations& file, std::span<const LoadedChannel> channels, std::span<const Supplied> supplied, std::span<const HeldInstance> held, const std::vector<uint8_t>& held_correlations) {
  const channel::CorrelationLayout& l = file.layout();
  const channel::CorrelationRecord& c = l.correlations[index];
  Missing out;
  std::vector<bool> comes(c.rule_count, false);
  std::vector<std::string> reasons(c.rule_count);
  for (const channel::FeedRecord& feed : l.feeds.subspan(c.feeds.first, c.feeds.count)) {
    const channel::SourceInfo source = file.source(feed.source);
    const auto channel = std::ranges::find_if(channels, [&](const LoadedChannel& each) { return !each.sources.empty() && each.observed_type == source.type; });
    std::string& reason = reasons[feed.rule];
    if (channel == channels.end()) {
      if (reason.empty()) reason = fmt::format("rule {}", source.rule_id);
      continue;
    }
    out.concerns_this_host = true;
    const Supplied& type = supplied[channel->type];
    const auto missing = std::ranges::find_if(l.numbers.subspan(feed.columns.first, feed.columns.count), [&](uint32_t input) { return !type.available[input]; });
    if (std::ranges::find(channel->sources, feed.source) == channel->sources.end() || std::ranges::find(held, source.rule_id, &HeldInstance::rule_id) != held.end()) reason = fmt::format("rule {}", source.rule_id);
    else if (feed.from != channel::kFromSource && held_correlations[feed.from] != 0) reason = fmt::format("correlation {}", file.correlation(feed.from).rule_id);
    else if (missing != l.numbers.subspan(feed.columns.first, feed.columns.count).end()) reason = type.type->inputs[*missing].name;
    else comes[feed.rule] = true;
  }
  for (size_t rule = 0; rule < comes.size() && out.what.empty(); ++rule) {
    if (!comes[rule]) out.what = reasons[rule].empty() ? "a rule" : reasons[rule];
  }
  return out;
}

}  // namespace

Status ActiveSet::load_correlations(int folder, const ipc::SetFile& entry, std::span<const Supplied> supplied, interpreter::Hash128 hash_key) {
  TRY(MappedFile mapped, MappedFile::open(folder, std::string(entry.name.view()), entry.bytes));
  const Digest digest = sha256(mapped.bytes());
  if (digest.bytes != entry.sha256) return fail(ErrorCode::kInvalid, fmt::format("`{}`: its bytes are not the ones that were signed", entry.name.view()));
  auto file = channel::VerifiedCorrelations::verify(mapped.bytes());
  if (!file) return fail(ErrorCode::kInvalid, fmt::format("`{}`: {} at byte {}: {}", entry.name.view(), file.error().code, file.error().offset, file.error().detail));
  for (LoadedChannel& loaded : channels_) {
    const schema::TemplateType& type = *supplied[loaded.type].type;
    for (uint32_t source = 0; source < file->source_count(); ++source) {
      const channel::SourceInfo info = file->source(source);
      const channel::ObservedType observed = file->type(info.type);
      if (observed.fingerprint != type.fingerprint) continue;
      // D1, once more and not through the verifier: what the file expects is what this collector writes.
      if (observed.input_count != type.inputs.size()) return fail(ErrorCode::kInvalid, fmt::format("`{}`: expects {} inputs of {}, the sensor supplies {}", entry.name.view(), observed.input_count, type.id, type.inputs.size()));
      loaded.sources.resize(loaded.channel.instance_count(), kNoSource);
      loaded.silent.resize(loaded.channel.instance_count(), 0);
      loaded.observed_type = info.type;
      loaded.times.assign(observed.times.begin(), observed.times.end());
      for (uint32_t i = 0; i < loaded.channel.instance_count(); ++i) {
        if (loaded.channel.instance(i).rule_id != info.rule_id) continue;
        loaded.sources[i] = source;
        loaded.silent[i] = info.silent ? 1 : 0;
      }
    }
  }
  const uint32_t count = file->correlation_count();
  interpreter::CorrelationState state(*file, hash_key);
  std::vector<uint8_t> held(count, 0);
  for (uint32_t i = 0; i < count; ++i) {
    const Missing missing = missing_of(i, *file, channels_, supplied, held_, held);
    if (missing.concerns_this_host && missing.what.empty()) {
      ++instances_;
      continue;
    }
    held[i] = 1;
    state.hold(i);
    if (missing.concerns_this_host) held_.push_back({std::string(file->correlation(i).rule_id), missing.what});
  }
  correlations_ = std::make_unique<LoadedCorrelations>(LoadedCorrelations{digest.hex(), std::move(mapped), std::move(*file), std::move(state), std::vector<uint8_t>(count, 0), std::vector<uint32_t>(count, 0), std::vector<uint32_t>(count, 0)});
  return {};
}

void ActiveSet::inherit(ActiveSet& before) {
  if (correlations_ && before.correlations_) correlations_->state.inherit(before.correlations_->state);
}

Result<std::unique_ptr<ActiveSet>> ActiveSet::load(int sets_folder, const ipc::Set& set, std::span<const Supplied> supplied, Cases cases, interpreter::Hash128 hash_key, std::span<const ipc::Set> without) {
  auto active = std::make_unique<ActiveSet>();
  active->set_ = set;
  if (set == ipc::kNoSet) return active;
  active->hex_ = to_hex(set);
  const ipc::Descriptor folder(::openat(sets_folder, active->hex_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder) return fail(os::errno_error(errno, "cannot open the set", active->hex_));
  TRY(const Bytes bytes, read_small(folder.get(), ipc::kSetRecordName, sizeof(ipc::SetRecord) + 64));
  TRY(const auto record, ipc::from_record<ipc::SetRecord>(bytes));
  if (record.release != set) return fail(ErrorCode::kInvalid, fmt::format("set.bin of {} belongs to another release", active->hex_));
  const ipc::SetFile* correlations = nullptr;
  bool foreign_correlations = false;
  for (size_t i = 0; i < record.count; ++i) {
    const ipc::SetFile& entry = record.files[i];
    if (std::ranges::find(without, entry.sha256) != without.end()) continue;
    if (entry.fingerprint == channel::kCorrelationsInterface) {
      correlations = &entry;
      continue;
    }
    foreign_correlations = foreign_correlations || entry.name.view().starts_with(std::string(channel::kCorrelationsId) + ".");
    const auto type = std::ranges::find_if(supplied, [&](const Supplied& s) { return s.type->fingerprint == entry.fingerprint; });
    if (type == supplied.end()) {
      // A Type that this sensor does not supply is none of its business; another interface of one that it does is a release that was not made for this build.
      const auto known = std::ranges::find_if(supplied, [&](const Supplied& s) { return entry.name.view().starts_with(s.type->id + "."); });
      const bool fits_elsewhere = known != supplied.end() && std::any_of(record.files.begin(), record.files.begin() + record.count, [&](const ipc::SetFile& other) { return other.fingerprint == known->type->fingerprint; });
      if (known != supplied.end() && !fits_elsewhere)
        return fail(ErrorCode::kInvalid, fmt::format("`{}`: made for another interface of {} than this build supplies ({})", entry.name.view(), known->type->id, to_hex(known->type->fingerprint)));
      if (known == supplied.end()) active->foreign_.push_back(entry);
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
    active->channels_.push_back({.type = static_cast<uint32_t>(type - supplied.begin()), .file_index = static_cast<uint32_t>(i), .sha256 = digest.hex(), .file = std::move(file), .channel = std::move(*verified), .scratch = std::move(scratch), .suspended = std::vector<uint8_t>(count, 0),
                                .hits = std::vector<uint32_t>(count, 0), .bytes = std::vector<uint32_t>(count, 0), .cases = {}, .sources = {}, .silent = {}, .times = {}});
    if (cases == Cases::kRead && entry.cases_bytes > 0) {
      TRY(active->channels_.back().cases, read_cases(folder.get(), entry));
    }
    active->instances_ += count;
    note_held(active->channels_.back(), *type, active->held_);
  }
  if (correlations == nullptr && foreign_correlations) return fail(ErrorCode::kInvalid, "the correlations were made for another form of their file than this build reads");
  if (correlations != nullptr) TRY_VOID(active->load_correlations(folder.get(), *correlations, supplied, hash_key));
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
