// The content that a worker runs: the channel files of one release that this sensor's collector can feed, verified and mapped. All or nothing.
// Reads below the given folder only, and there only what set.bin names. Owns mappings and scratch memory; one thread at a time.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/ipc/records.hpp"
#include "base/ipc/socket.hpp"
#include "channel/verified_channel.hpp"
#include "channel/verified_correlations.hpp"
#include "interpreter/correlation.hpp"
#include "interpreter/interpreter.hpp"
#include "sensor/collect/collector.hpp"

namespace creance::sensor {

struct HeldInstance {
  std::string rule_id;
  std::string input;  // or, of a correlation, the rule that it misses
};

class MappedFile {
 public:
  static Result<MappedFile> open(int folder, const std::string& name, uint64_t bytes);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  ~MappedFile();
  BytesView bytes() const { return {at_, bytes_}; }

 private:
  MappedFile() = default;
  const uint8_t* at_ = nullptr;
  size_t bytes_ = 0;
};

struct LoadedChannel {
  uint32_t type = 0;                 // index into the collector's supplied()
  uint32_t file_index = 0;           // in set.bin
  std::string sha256;                // 64 digits
  MappedFile file;
  channel::VerifiedChannel channel;
  interpreter::Scratch scratch;
  std::vector<uint8_t> suspended;    // per instance
  std::vector<uint32_t> hits;        // per instance, in the present minute
  std::vector<uint32_t> bytes;       // per instance: of its detections, in the present minute
  std::string cases;                 // JSON Lines; only in rehearsals
  // What correlations want of this channel; empty where they want nothing.
  std::vector<uint32_t> sources;     // per instance: source of the correlation file, or kNoSource
  std::vector<uint8_t> silent;       // per instance: reports nothing by itself
  std::vector<uint32_t> times;       // inputs that say when
  uint32_t observed_type = 0;        // of the correlation file
};
inline constexpr uint32_t kNoSource = 0xffffffff;

struct LoadedCorrelations {
  std::string sha256;
  MappedFile mapped;
  channel::VerifiedCorrelations file;
  interpreter::CorrelationState state;
  std::vector<uint8_t> suspended;    // per correlation: over its hits or bytes; over its steps, the state itself leaves it out
  std::vector<uint32_t> hits;        // per correlation, in the present minute
  std::vector<uint32_t> bytes;       // per correlation: of its detections, in the present minute
};

class ActiveSet {
 public:
  ActiveSet() = default;
  enum class Cases : uint8_t { kNone, kRead };  // the release's own cases are for rehearsals
  // kNoSet: an empty one. kInvalid, with the file and the verifier's code: nothing of it may run.
  // `hash_key`: secret and random; for the state of correlations, until inherit(). `without`: digests of channel files that this host refuses; the rest of the set runs.
  static Result<std::unique_ptr<ActiveSet>> load(int sets_folder, const ipc::Set& set, std::span<const Supplied> supplied, Cases cases = Cases::kNone, interpreter::Hash128 hash_key = {}, std::span<const ipc::Set> without = {});
  void inherit(ActiveSet& before);  // the state of correlations that are the same; `before` must not be evaluated any more

  const ipc::Set& set() const { return set_; }
  const std::string& hex() const { return hex_; }
  std::span<LoadedChannel> channels() { return channels_; }
  const LoadedCorrelations* correlations() const { return correlations_.get(); }
  LoadedCorrelations* correlations() { return correlations_.get(); }
  LoadedChannel* of_type(uint32_t type);  // nullptr: this set says nothing about such events
  uint32_t instances() const { return instances_; }
  std::span<const HeldInstance> held() const { return held_; }  // read an input that this host cannot say
  std::span<const ipc::SetFile> foreign() const { return foreign_; }  // channel files of Types that this sensor's collector does not supply
  bool has_tag(std::string_view tag) const;

 private:
  Status load_correlations(int folder, const ipc::SetFile& entry, std::span<const Supplied> supplied, interpreter::Hash128 hash_key);
  ipc::Set set_{};
  std::string hex_;
  std::vector<LoadedChannel> channels_;
  std::unique_ptr<LoadedCorrelations> correlations_;
  std::vector<HeldInstance> held_;
  std::vector<ipc::SetFile> foreign_;
  uint32_t instances_ = 0;
};

}  // namespace creance::sensor
