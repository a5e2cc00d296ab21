#include "scan/scan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/limits.hpp"
#include "events/decoder.hpp"
#include "interpreter/correlation.hpp"
#include "interpreter/interpreter.hpp"
#include "scan/feed.hpp"
#include "scan/ruleset.hpp"
#include "schema/event_time.hpp"

namespace creance::scan {
namespace {

struct Hit {
  uint32_t rule;  // index
  const schema::TemplateType* type;
  friend bool operator<(const Hit& a, const Hit& b) { return a.rule < b.rule; }
  friend bool operator==(const Hit& a, const Hit& b) { return a.rule == b.rule; }
};

// What one piece gave, to be reported when it is its turn.
struct Findings {
  struct Matched {
    size_t line;  // index into Piece::lines
    Hit hit;
  };
  struct Malformed {
    uint64_t line;
    std::string reason;
  };
  // What correlations want to see of one event: its time, some of its inputs, and the sources that it matched.
  struct Observed {
    size_t line;
    const LoadedChannel* channel;
    std::optional<int64_t> time_us;
    size_t first_source, source_count;  // in `sources`
    size_t first_value;                 // in `values`, one for each of channel->wanted
  };
  struct Kept {
    size_t offset, size;  // in `text`
    schema::Presence presence;
  };
  std::vector<Matched> matches;
  std::vector<Malformed> malformed;
  std::vector<Observed> observed;
  std::vector<uint32_t> sources;
  std::vector<Kept> values;
  std::string text;
  uint64_t events = 0;
  uint64_t routed = 0;
  uint64_t faults = 0;
  uint64_t values_cut = 0;

  void clear() {
    matches.clear();
    malformed.clear();
    observed.clear();
    sources.clear();
    values.clear();
    text.clear();
    events = routed = faults = values_cut = 0;
  }
};

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r") == std::string_view::npos; }

// One thread's evaluator.
class Evaluator {
 public:
  explicit Evaluator(const Ruleset::State& rules)
      : rules_(rules), decoder_(*rules.catalog, [&rules](const schema::TemplateType& type) {
          const LoadedChannel* channel = rules.channel_for(type);
          return channel != nullptr && channel->reads_every_value;
        }) {
    for (const LoadedChannel& each : rules.channels) scratches_.emplace_back(each.channel);
  }

  void evaluate(const Piece& piece, Findings& out) {
    out.clear();
    for (size_t i = 0; i < piece.lines.size(); ++i) line(piece, i, out);
  }

 private:
  void line(const Piece& piece, size_t index, Findings& out) {
    const Piece::LineRef& ref = piece.lines[index];
    if (ref.too_long) {
      out.malformed.push_back({ref.number, fmt::format("longer than {} bytes", limits::kEventLineBytesMax)});
      return;
    }
    const std::string_view text = piece.text_of(ref);
    if (is_blank(text)) return;
    const auto decoded = decoder_.decode(text);
    if (!decoded) {
      out.malformed.push_back({ref.number, decoded.error().detail});
      return;
    }
    ++out.events;
    if (!decoded->empty()) ++out.routed;
    hits_.clear();
    for (const events::Decoded& each : *decoded) interpret(index, each, out);
    std::stable_sort(hits_.begin(), hits_.end());
    hits_.erase(std::unique(hits_.begin(), hits_.end()), hits_.end());
    for (const Hit& hit : hits_) {
      if (!rules_.silent[hit.rule]) out.matches.push_back({index, hit});
    }
  }

  void interpret(size_t line, const events::Decoded& event, Findings& out) {
    const LoadedChannel* loaded = rules_.channel_for(*event.type);
    if (loaded == nullptr) return;
    const auto position = static_cast<size_t>(loaded - rules_.channels.data());
    const interpreter::Outcome outcome = interpreter::evaluate(loaded->channel, event.inputs, scratches_[position]);
    const size_t before = hits_.size();
    for (const uint32_t instance : outcome.matches) hits_.push_back({loaded->rules[instance], event.type});
    if (!loaded->sources.empty() && !outcome.matches.empty()) observe(line, *loaded, event, outcome.matches, before, out);
    out.faults += outcome.faults.size();
    out.values_cut += outcome.values_cut;
  }

  // A rule that has matched the same event over another Type already is not seen twice.
  void observe(size_t line, const LoadedChannel& loaded, const events::Decoded& event, std::span<const uint32_t> matches, size_t before, Findings& out) {
    const size_t first = out.sources.size();
    for (const uint32_t instance : matches) {
      const auto earlier = std::span(hits_).first(before);
      const bool again = std::ranges::find(earlier, loaded.rules[instance], &Hit::rule) != earlier.end();
      if (loaded.sources[instance] != kNoSource && !again) out.sources.push_back(loaded.sources[instance]);
    }
    if (out.sources.size() == first) return;
    out.observed.push_back({line, &loaded, schema::event_time(loaded.times, event.inputs.values), first, out.sources.size() - first, out.values.size()});
    for (const uint32_t input : loaded.wanted) {
      const schema::InputValue& value = event.inputs.values[input];
      out.values.push_back({out.text.size(), value.has_value() ? value.size : 0, value.presence});
      if (value.has_value()) out.text += value.text();
    }
  }

  const Ruleset::State& rules_;
  events::Decoder decoder_;
  std::vector<interpreter::Scratch> scratches_;  // by channel
  std::vector<Hit> hits_;
};

// Takes the findings in the order of the pieces; called by one thread at a time.
class Reporter {
 public:
  Reporter(const Ruleset::State& rules, std::span<const std::string> files, std::optional<uint64_t> bytes_total, const Sinks& sinks)
      : rules_(rules), sinks_(sinks), bytes_total_(bytes_total) {
    for (const std::string& file : files) reports_.emplace_back().file = file;
    if (rules.correlated) state_.emplace(rules.correlated->file, kHashKey);
  }

  void report(const Piece& piece, const Findings& findings) {
    FileReport& to = reports_[piece.file];
    to.lines += piece.lines.size();
    to.events += findings.events;
    to.routed += findings.routed;
    to.malformed += findings.malformed.size();
    to.matches += findings.matches.size();
    to.faults += findings.faults;
    to.values_cut += findings.values_cut;
    if (piece.error) to.error = piece.error;
    for (const Findings::Malformed& each : findings.malformed) {
      if (to.first_malformed.size() < kMalformedListedMax) to.first_malformed.emplace_back(each.line, each.reason);
      if (sinks_.on_malformed) sinks_.on_malformed(to.file, each.line, each.reason);
    }
    size_t observed = 0;
    for (size_t i = 0; i <= findings.matches.size(); ++i) {  // correlations see an event after its matches were told
      const size_t line = i < findings.matches.size() ? findings.matches[i].line : SIZE_MAX;
      for (; observed < findings.observed.size() && findings.observed[observed].line < line; ++observed) correlate(piece, findings, findings.observed[observed], to);
      if (line == SIZE_MAX || !sinks_.on_match) continue;
      const Hit& hit = findings.matches[i].hit;
      sinks_.on_match({&rules_.rules[hit.rule], hit.type, to.file, piece.lines[line].number, piece.text_of(piece.lines[line])});
    }
    if (sinks_.on_progress) sinks_.on_progress(piece.bytes_done, bytes_total_);
  }

  std::vector<FileReport> take() {
    if (state_ && sinks_.on_correlated) {
      const interpreter::CorrelationCounts& counts = state_->counts();
      sinks_.on_correlated({counts.untimed, counts.restarted, counts.evicted, counts.dropped});
    }
    return std::move(reports_);
  }

 private:
  static constexpr interpreter::Hash128 kHashKey{0x6372656174696f6e, 0x636f7272656c6174};  // files are no live opponent: any key does, and results do not depend on it

  void correlate(const Piece& piece, const Findings& findings, const Findings::Observed& observed, FileReport& to) {
    const LoadedChannel& channel = *observed.channel;
    const channel::VerifiedCorrelations& file = rules_.correlated->file;
    values_.assign(channel.type->inputs.size(), schema::InputValue());
    for (size_t i = 0; i < channel.wanted.size(); ++i) {
      const Findings::Kept& kept = findings.values[observed.first_value + i];
      if (kept.presence == schema::Presence::kValue) values_[channel.wanted[i]] = schema::InputValue(std::string_view(findings.text).substr(kept.offset, kept.size));
    }
    const auto sources = std::span(findings.sources).subspan(observed.first_source, observed.source_count);
    const interpreter::CorrelationOutcome outcome = state_->observe({channel.observed_type, sources, {values_, {}, {}}, observed.time_us});
    to.faults += outcome.faults;
    for (const interpreter::CorrelationHit& hit : outcome.hits) {
      const channel::CorrelationInfo info = file.correlation(hit.correlation);
      if (info.silent) continue;
      ++to.matches;
      if (!sinks_.on_match) continue;
      Found found{hit.events, {}};
      const auto inputs = file.group_inputs(hit.feed);
      for (size_t i = 0; i < inputs.size(); ++i) found.group.emplace_back(info.group_names[i], values_[inputs[i]].text());
      const Piece::LineRef& line = piece.lines[observed.line];
      sinks_.on_match({&rules_.correlations[rules_.correlated->correlations[hit.correlation]], channel.type, to.file, line.number, piece.text_of(line), &found});
    }
  }

  const Ruleset::State& rules_;
  const Sinks& sinks_;
  std::optional<uint64_t> bytes_total_;
  std::vector<FileReport> reports_;
  std::optional<interpreter::CorrelationState> state_;
  std::vector<schema::InputValue> values_;
};

}  // namespace

std::vector<FileReport> run(const Ruleset& ruleset, std::span<const std::string> files, unsigned threads, const Sinks& sinks) {
  const Ruleset::State& rules = ruleset.state();
  Feed feed(files);
  Turn turn;
  Reporter reporter(rules, files, feed.bytes_total(), sinks);
  const auto work = [&] {
    Evaluator evaluator(rules);
    Piece piece;
    Findings findings;
    while (feed.next(piece)) {
      evaluator.evaluate(piece, findings);
      turn.wait_for(piece.sequence);
      reporter.report(piece, findings);
      turn.done();
    }
  };
  const unsigned others = std::clamp(threads, 1u, limits::kScanThreadsMax) - 1;
  {
    std::vector<std::jthread> helpers;
    for (unsigned i = 0; i < others; ++i) helpers.emplace_back(work);
    work();
  }
  return reporter.take();
}

}  // namespace creance::scan
