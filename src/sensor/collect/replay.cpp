#include "sensor/collect/replay.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "base/check.hpp"
#include "base/limits.hpp"
#include "base/os/real.hpp"
#include "events/decoder.hpp"
#include "events/records.hpp"

namespace creance::sensor {
namespace {

class DescriptorStream final : public ByteStream {  // does not own its descriptor: the next round reads it again
 public:
  DescriptorStream(int descriptor, std::string name) : descriptor_(descriptor), name_(std::move(name)) {}
  Result<size_t> read(std::span<char> out) override {
    for (;;) {
      const ssize_t n = ::pread(descriptor_, out.data(), out.size(), at_);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail(os::errno_error(errno, "cannot read", name_));
      at_ += n;
      return static_cast<size_t>(n);
    }
  }
  std::optional<uint64_t> size() const override { return std::nullopt; }
  const std::string& name() const override { return name_; }

 private:
  int descriptor_;
  off_t at_ = 0;
  std::string name_;
};

class ReplayCollector final : public Collector {
 public:
  ReplayCollector(const ReplayOptions& options, const Clock& clock) : options_(options), clock_(clock), decoder_(schema::Catalog::embedded()) {
    for (const schema::TemplateType& type : schema::Catalog::embedded().types()) {
      index_.emplace(&type, static_cast<uint32_t>(supplied_.size()));
      supplied_.push_back({&type, std::vector<bool>(type.inputs.size(), true)});
    }
    rewind();
    const uint64_t skip = options_.position == nullptr ? 0 : *options_.position;
    for (uint64_t i = 0; i < skip; ++i) {
      if (next_record().has_value()) continue;
      rewind();  // the file is another one now
      break;
    }
  }

  std::string name() const override { return fmt::format("replay of `{}`", options_.name); }
  std::span<const Supplied> supplied() const override { return supplied_; }
  int descriptor() const override { return -1; }
  uint64_t lost() override { return lost_; }
  std::optional<MonotonicTime> due() const override { return ended_ ? std::nullopt : std::optional(due_); }

  Next next(MonotonicTime now, Event& out) override {
    if (ended_) return Next::kEnded;
    if (pending_.empty()) {
      if (now < due_) return Next::kNothing;
      if (const Next read = read_event(now); read != Next::kEvent) return read;
      if (pending_.empty()) return Next::kNothing;  // a line for no Type: its turn is over
    }
    const events::Decoded& decoded = pending_.front();
    out.type = index_.find(decoded.type)->second;
    out.inputs = decoded.inputs;
    out.time = clock_.wall();
    return Next::kEvent;
  }

  void consumed() override {
    CHECK(!pending_.empty());
    pending_ = pending_.subspan(1);
    if (pending_.empty()) keep_position();
  }

  Status fill_synthetic(uint32_t type, std::span<schema::InputValue> out) override {
    const schema::TemplateType& wanted = *supplied_[type].type;
    std::string json = fmt::format("{{\"_type\":\"{}\"", wanted.id);
    for (const schema::InputDefinition& input : wanted.inputs) json += fmt::format(",\"{}\":\"1\"", input.name);
    json += "}";
    // One copy of the decoder, since its views may be in use.
    auto decoded = self_check_.decode(json);
    if (!decoded || decoded->size() != 1 || (*decoded)[0].type != &wanted) return fail(ErrorCode::kInvalid, fmt::format("the replay collector does not route its own event of {}", wanted.id));
    const auto values = (*decoded)[0].inputs.values;
    for (size_t i = 0; i < values.size() && i < out.size(); ++i)
      if (values[i].has_value()) out[i] = values[i];
    return {};
  }

 private:
  void rewind() {
    blocks_.emplace(std::make_unique<DescriptorStream>(options_.descriptor, options_.name));
    block_.clear();
    records_.begin(block_);
    read_ = 0;
  }
  void keep_position() {
    if (options_.position != nullptr) *options_.position = read_;
  }
  // Nothing: the file is over, or cannot be read further.
  std::optional<events::Record> next_record() {
    events::Record record;
    for (;;) {
      const bool found = records_.next(record);
      if (found && !record.damaged) break;
      if (found) continue;  // a wrong checksum: the events are read nonetheless
      const auto more = blocks_->next(block_);
      if (!more) ++lost_;
      if (!more || !*more) return std::nullopt;
      records_.begin(block_);
    }
    ++read_;
    return record;
  }
  Next read_event(MonotonicTime now) {
    bool fresh = read_ == 0;
    for (;;) {
      const auto record = next_record();
      if (!record) {
        if (!options_.loop || fresh) {  // an empty file does not turn for ever
          ended_ = true;
          return Next::kEnded;
        }
        rewind();
        fresh = true;
        continue;
      }
      if (options_.rate_per_s > 0) {
        const MonotonicTime step(std::max<int64_t>(1, 1000 / options_.rate_per_s));
        due_ = now - due_ > MonotonicTime(1000) ? now + step : due_ + step;  // after a pause it does not hurry
      }
      const auto decoded = record->problem.empty() ? decoder_.decode(record->json) : Result<std::span<const events::Decoded>>(fail(ErrorCode::kInvalid, ""));
      if (!decoded) {
        ++lost_;
        keep_position();
        return Next::kEvent;
      }
      pending_ = *decoded;
      if (pending_.empty()) keep_position();
      return Next::kEvent;
    }
  }

  ReplayOptions options_;
  const Clock& clock_;
  events::Decoder decoder_;
  events::Decoder self_check_{schema::Catalog::embedded()};
  std::optional<events::BlockSource> blocks_;
  events::Block block_;
  events::RecordReader records_;
  std::map<const schema::TemplateType*, uint32_t> index_;
  std::vector<Supplied> supplied_;
  std::span<const events::Decoded> pending_;
  uint64_t read_ = 0;  // events of this round
  uint64_t lost_ = 0;
  bool ended_ = false;
  MonotonicTime due_{0};
};

}  // namespace

Result<std::unique_ptr<Collector>> make_replay_collector(const ReplayOptions& options, const Clock& clock) {
  if (::lseek(options.descriptor, 0, SEEK_SET) != 0) return fail(os::errno_error(errno, "cannot read from the start of", options.name));
  return std::make_unique<ReplayCollector>(options, clock);
}

}  // namespace creance::sensor
