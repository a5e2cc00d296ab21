#include "trust/client/updater.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/check.hpp"
#include "base/digest.hpp"

namespace creance::trust {

std::string percent_encode(std::string_view text, bool keep_slash) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~' || (keep_slash && c == '/');
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string stored_name(std::string_view role) {
  constexpr std::string_view kSuffix = ".json";
  std::string name = percent_encode(role, false);
  if (name.size() + kSuffix.size() > limits::kFileNameBytesMax) name = "sha256=" + sha256(as_bytes(role)).hex();
  return name.append(kSuffix);
}

namespace {
constexpr size_t kMarkBytesMax = 1'024;
constexpr std::chrono::minutes kMarkStep{10};  // written again at most so often: what a reboot takes back of the time

// `clock`: {"boot": "…", "monotonic_ms": 1234, "time": "…Z"}. The time was at least `time` when this boot had come to `uptime`.
struct TimeMark {
  WallTime time{};
  Uptime uptime;

  static Result<TimeMark> parse(BytesView bytes) {
    TRY(const Json json, parse_json(bytes));
    const JsonField field(json, "clock");
    TimeMark mark;
    TRY(mark.time, field.time_at("time"));
    TRY(mark.uptime.boot_id, field.text_at("boot", 0, 64));
    TRY(const int64_t monotonic, field.integer_at("monotonic_ms", 0));
    mark.uptime.at = MonotonicTime(monotonic);
    return mark;
  }
  Bytes to_bytes() const {
    const std::string text = to_json(Json::object({{"boot", uptime.boot_id}, {"monotonic_ms", uptime.at.count()}, {"time", format_time(time)}}));
    return Bytes(text.begin(), text.end());
  }
  // Of another boot nothing is known but that it came later.
  WallTime at(const Uptime& later) const { return later.boot_id == uptime.boot_id && later.at > uptime.at ? time + (later.at - uptime.at) : time; }
};

// A file that verified metadata names must be there. kNotFound is kept for what nobody trusted speaks about: whoever withholds a file must not make it look as if there were none.
Result<Bytes> fetch_named(Transport& transport, const std::string& path, size_t bytes_max) {
  auto bytes = transport.fetch(path, bytes_max);
  if (!bytes && bytes.error().code == ErrorCode::kNotFound) return fail(ErrorCode::kUnavailable, fmt::format("the tree names `{}`, but it is not there ({})", path, bytes.error().detail));
  return bytes;
}
}  // namespace

struct Client::State {
  Transport& transport;
  FileSystem& files;
  std::filesystem::path dir;
  ClientOptions options;
  std::optional<TrustedSet> trusted;  // set by a refresh that succeeded
  std::chrono::milliseconds behind{0};

  std::filesystem::path clock_path() const { return dir / "clock"; }  // no metadata: no `.json`

  std::filesystem::path path_of(const std::string& role) const { return dir / stored_name(role); }
  Result<Bytes> read(const std::string& role, size_t bytes_max) { return files.read(path_of(role), bytes_max); }
  Status keep(const std::string& role, BytesView bytes) { return files.write_atomic(path_of(role), bytes); }

  Result<TrustedSet> start(WallTime now) {
    auto stored = read("root", limits::kRootBytesMax);
    if (!stored) return fail(stored.error().code, fmt::format("no trusted root to start from ({})", stored.error().detail));
    return TrustedSet::start(*stored, now);
  }

  // 5.3
  Status update_root(TrustedSet& set) {
    for (uint32_t i = 0; i < options.root_rotations_max; ++i) {
      auto bytes = transport.fetch(fmt::format("{}{}.root.json", options.metadata_prefix, set.root().version + 1), limits::kRootBytesMax);
      if (!bytes) {
        if (bytes.error().code == ErrorCode::kNotFound) break;
        return fail(bytes.error());
      }
      TRY_VOID(set.update_root(*bytes));
      // Before the new root is stored: if we are stopped in between, the next refresh meets the same rotation again and not a bar set by a taken key (5.3.11).
      if (set.online_keys_rotated()) {
        TRY_VOID(files.remove(path_of("snapshot")));
        TRY_VOID(files.remove(path_of("timestamp")));
        TRY_VOID(files.remove(clock_path()));  // the taken key may have driven the time up, too
      }
      TRY_VOID(keep("root", *bytes));
    }
    return {};
  }

  // The least that the time can be: when the stored timestamp was signed, and what was known earlier in `clock`, gone on with the machine's monotonic clock. An earlier reading of the wall clock is not
  // among it: one that once was wrong and far ahead would lock the host out when it is put right.
  void raise_floor(TrustedSet& set, const std::optional<Uptime>& uptime) {
    const auto bytes = read("timestamp", limits::kTimestampBytesMax);
    const auto stored = bytes ? Timestamp::parse(*bytes) : Result<Timestamp>(fail(bytes.error()));
    if (!stored || !stored->issued || !check_signatures(stored->envelope, set.root().roles.at("timestamp"), "timestamp")) return;
    set.raise_floor(*stored->issued);
    const auto mark = files.read(clock_path(), kMarkBytesMax);
    if (!uptime || !mark) return;
    if (const auto parsed = TimeMark::parse(*mark)) set.raise_floor(parsed->at(*uptime));
  }
  Status keep_mark(const TrustedSet& set, const std::optional<Uptime>& uptime) {
    if (!uptime || !set.floor()) return {};
    const TimeMark next{std::chrono::floor<std::chrono::seconds>(*set.floor()), *uptime};
    const auto bytes = files.read(clock_path(), kMarkBytesMax);
    const auto before = bytes ? TimeMark::parse(*bytes) : Result<TimeMark>(fail(bytes.error()));
    const bool follows = before && before->uptime.boot_id == uptime->boot_id && before->at(*uptime) + kMarkStep > next.time && before->uptime.at + kMarkStep > uptime->at;
    return follows ? Status() : files.write_atomic(clock_path(), next.to_bytes(), 0644);
  }

  // What was stored counts if it is signed; what is not is as if it were not there.
  void load_stored_timestamp(TrustedSet& set) {
    if (const auto stored = read("timestamp", limits::kTimestampBytesMax)) (void)set.update_timestamp(*stored, Source::kStored).has_value();
  }
  void load_stored_snapshot(TrustedSet& set) {
    if (const auto stored = read("snapshot", limits::kSnapshotBytesMax)) (void)set.update_snapshot(*stored, Source::kStored).has_value();
  }

  // 5.4
  Status update_timestamp(TrustedSet& set) {
    load_stored_timestamp(set);
    TRY(const Bytes bytes, fetch_named(transport, options.metadata_prefix + "timestamp.json", limits::kTimestampBytesMax));
    const Status updated = set.update_timestamp(bytes, Source::kRepository);
    if (!updated && updated.error().code != ErrorCode::kExists) return updated;
    if (updated) TRY_VOID(keep("timestamp", bytes));
    return set.finish_timestamp();
  }

  static size_t cap(const MetaFile& meta, size_t most) { return meta.length ? std::min(static_cast<size_t>(*meta.length), most) : most; }
  std::string metadata_path(const TrustedSet& set, const std::string& role, int64_t version) const {
    const std::string name = percent_encode(role, false) + ".json";
    return options.metadata_prefix + (set.root().consistent_snapshot ? fmt::format("{}.{}", version, name) : name);
  }

  // 5.5
  Status update_snapshot(TrustedSet& set) {
    load_stored_snapshot(set);
    if (set.snapshot_is_current()) return {};
    const MetaFile& named = set.timestamp()->snapshot;
    TRY(const Bytes bytes, fetch_named(transport, metadata_path(set, "snapshot", named.version), cap(named, limits::kSnapshotBytesMax)));
    TRY_VOID(set.update_snapshot(bytes, Source::kRepository));
    return keep("snapshot", bytes);
  }

  // 5.6.1 to 5.6.6, and the same for delegated roles
  Result<const Targets*> load(TrustedSet& set, const std::string& role, const std::string& delegator) {
    if (const Targets* known = set.targets(role, delegator)) return known;
    const MetaFile* named = set.meta(role);
    if (named == nullptr) return fail(ErrorCode::kNotFound, fmt::format("the snapshot does not list the role `{}`", role));
    if (const auto stored = read(role, limits::kTargetsBytesMax)) {
      if (set.update_targets(*stored, role, delegator)) return set.targets(role, delegator);
    }
    TRY(const Bytes bytes, fetch_named(transport, metadata_path(set, role, named->version), cap(*named, limits::kTargetsBytesMax)));
    TRY_VOID(set.update_targets(bytes, role, delegator));
    TRY_VOID(keep(role, bytes));
    return set.targets(role, delegator);
  }
};

Client::Client(Transport& transport, FileSystem& files, std::filesystem::path metadata_dir, ClientOptions options)
    : state_(new State{transport, files, std::move(metadata_dir), std::move(options), std::nullopt}) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;

Status Client::init(BytesView shipped_root) {
  if (state_->files.exists(state_->path_of("root"))) return {};
  TRY(const TrustedSet checked, TrustedSet::start(shipped_root, WallTime{}));
  TRY_VOID(state_->files.make_directories(state_->dir));
  return state_->keep("root", shipped_root);
}

Status Client::refresh(WallTime now, const std::optional<Uptime>& uptime) {
  state_->trusted.reset();
  TRY(TrustedSet set, state_->start(now));
  TRY_VOID(state_->update_root(set));
  state_->raise_floor(set, uptime);
  state_->behind = set.now() - now;
  TRY_VOID(state_->keep_mark(set, uptime));
  TRY_VOID(set.finish_root());
  TRY_VOID(state_->update_timestamp(set));
  state_->behind = set.now() - now;
  TRY_VOID(state_->keep_mark(set, uptime));
  TRY_VOID(state_->update_snapshot(set));
  TRY(const Targets* targets, state_->load(set, "targets", "root"));
  CHECK(targets != nullptr);
  state_->trusted = std::move(set);
  return {};
}

Status Client::refresh_offline(WallTime now) {
  state_->trusted.reset();
  TRY(TrustedSet set, state_->start(now));
  state_->raise_floor(set, std::nullopt);
  TRY_VOID(set.finish_root());
  state_->load_stored_timestamp(set);
  TRY_VOID(set.finish_timestamp());
  state_->load_stored_snapshot(set);
  if (!set.snapshot_is_current()) return fail(ErrorCode::kNotFound, "the stored snapshot is not there, expired or not the one that the stored timestamp names; refresh");
  TRY(const Bytes stored, state_->read("targets", limits::kTargetsBytesMax));
  TRY_VOID(set.update_targets(stored, "targets", "root"));
  state_->trusted = std::move(set);
  return {};
}

Result<TargetInfo> Client::target(const std::string& path) {
  if (!state_->trusted) return fail(ErrorCode::kUnavailable, "no successful refresh yet");
  TrustedSet& set = *state_->trusted;
  struct Visit {
    std::string role, delegator;
  };
  std::vector<Visit> stack{{"targets", "root"}};
  std::set<std::string> visited;
  while (!stack.empty()) {
    const Visit visit = std::move(stack.back());
    stack.pop_back();
    if (visited.contains(visit.role)) continue;
    if (visited.size() >= state_->options.delegations_max) break;
    TRY(const Targets* targets, state_->load(set, visit.role, visit.delegator));
    visited.insert(visit.role);
    if (const auto found = targets->targets.find(path); found != targets->targets.end()) {
      TargetInfo info{found->second, visit.role, ""};
      std::string as = path;
      if (set.root().consistent_snapshot) {
        const auto sha256 = info.file.hashes.find("sha256");
        const std::string& hash = sha256 != info.file.hashes.end() ? sha256->second : info.file.hashes.begin()->second;
        const size_t slash = path.rfind('/');
        const size_t file = slash == std::string::npos ? 0 : slash + 1;
        as = path.substr(0, file) + hash + "." + path.substr(file);
      }
      info.fetched_as = state_->options.targets_prefix + percent_encode(as, true);
      return info;
    }
    std::vector<Visit> next;
    bool terminated = false;
    if (targets->succinct) next.push_back({targets->succinct->bin_of(path), visit.role});
    for (const Delegation& delegation : targets->delegations) {
      if (!delegation.covers(path)) continue;
      next.push_back({delegation.name, visit.role});
      terminated = delegation.terminating;
      if (terminated) break;
    }
    if (terminated) stack.clear();  // nothing after this delegation and its descendants may speak about the path
    stack.insert(stack.end(), std::make_move_iterator(next.rbegin()), std::make_move_iterator(next.rend()));
  }
  return fail(ErrorCode::kNotFound, fmt::format("no role that may says anything about the target `{}`", path));
}

Result<Bytes> Client::download(const TargetInfo& info) {
  const auto length = static_cast<size_t>(info.file.length);
  if (length > limits::kTargetBytesMax) return fail(ErrorCode::kTooLarge, fmt::format("target `{}` has {} bytes, the limit is {}", info.file.path, length, limits::kTargetBytesMax));
  TRY(Bytes bytes, fetch_named(state_->transport, info.fetched_as, length));
  TRY_VOID(check_length_and_hashes(bytes, info.file.length, info.file.hashes, fmt::format("target `{}`", info.file.path)));
  return bytes;
}

Result<const Targets*> Client::load_role(const std::string& role, const std::string& delegator) {
  if (!state_->trusted) return fail(ErrorCode::kUnavailable, "no successful refresh yet");
  if (state_->trusted->role_keys(role, delegator) == nullptr) return fail(ErrorCode::kNotFound, fmt::format("`{}` does not delegate to `{}`", delegator, role));
  return state_->load(*state_->trusted, role, delegator);
}

const RoleKeys* Client::role_keys(const std::string& role) const {
  if (!state_->trusted) return nullptr;
  const RoleKeys* top = state_->trusted->role_keys(role, "root");
  return top != nullptr ? top : state_->trusted->role_keys(role, "targets");
}

std::chrono::milliseconds Client::clock_behind() const { return state_->behind; }

const TrustedSet* Client::trusted() const { return state_->trusted ? &*state_->trusted : nullptr; }

Result<Bytes> Client::stored(const std::string& role) const { return state_->read(role, limits::kTargetsBytesMax); }

}  // namespace creance::trust
