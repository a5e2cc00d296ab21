#include "scan/scan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "events/decoder.hpp"
#include "events/records.hpp"
#include "interpreter/correlation.hpp"
#include "interpreter/interpreter.hpp"
#include "scan/feed.hpp"
#include "scan/outbox.hpp"
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
  // An event that something was found in.
  struct Event {
    uint64_t record = 0;        // of the piece, in its order
    uint64_t number = 0;        // its line, or of an EVTX file the record's number
    std::string_view in_block;  // as it stands there; else
    size_t made_begin = 0;      // where it is in `made`
    size_t made_size = 0;
  };
  struct Matched {
    Event event;
    Hit hit;
  };
  // What correlations want to see of one event: its time, some of its inputs, and the sources that it matched.
  struct Observed {
    Event event;
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
  std::vector<Remark> remarks;
  std::vector<Observed> observed;
  std::vector<uint32_t> sources;
  std::vector<Kept> values;
  std::string text;
  std::string made;  // events that matched and do not stand in the block as JSON
  uint64_t records = 0;
  uint64_t events = 0;
  uint64_t routed = 0;
  uint64_t looked_at = 0;
  uint64_t duplicates = 0;
  uint64_t faults = 0;
  uint64_t values_cut = 0;
  uint64_t values_left_out = 0;

  void clear() {
    matches.clear();
    remarks.clear();
    observed.clear();
    sources.clear();
    values.clear();
    text.clear();
    made.clear();
    records = events = routed = looked_at = duplicates = faults = values_cut = values_left_out = 0;
  }

  std::string_view text_of(const Event& event) const { return event.in_block.empty() ? std::string_view(made).substr(event.made_begin, event.made_size) : event.in_block; }
};

// A piece on its way from the file to the report.
struct Work {
  Piece piece;
  Findings findings;
};

// What the content looks at: the inputs that its instances read, and what correlations want beside them.
events::Wanted wanted_of(const Ruleset::State& rules, const schema::TemplateType& type) {
  const LoadedChannel* const loaded = rules.channel_for(type);
  events::Wanted wanted{loaded != nullptr && loaded->reads_every_value, std::vector<bool>(type.inputs.size(), loaded != nullptr && loaded->reads_every_value)};
  if (loaded == nullptr) return wanted;
  for (uint32_t i = 0; i < loaded->channel.instance_count(); ++i) {
    for (const uint32_t input : loaded->channel.instance(i).inputs) wanted.inputs[input] = true;
  }
  for (const uint32_t input : loaded->wanted) wanted.inputs[input] = true;
  for (const uint32_t input : loaded->times) wanted.inputs[input] = true;
  return wanted;
}

// One thread's evaluator.
class Evaluator {
 public:
  explicit Evaluator(const Ruleset::State& rules)
      : rules_(rules), decoder_(*rules.catalog, [&rules](const schema::TemplateType& type) { return wanted_of(rules, type); }) {
    for (const LoadedChannel& each : rules.channels) scratches_.emplace_back(each.channel);
  }

  void evaluate(const Piece& piece, Findings& out) {
    out.clear();
    records_.begin(piece.block);
    events::Record record;
    const uint64_t before = decoder_.duplicate_keys();
    while (records_.next(record)) {
      ++out.records;
      look_at(record, out);
    }
    out.duplicates = decoder_.duplicate_keys() - before;
  }

 private:
  void look_at(const events::Record& record, Findings& out) {
    if (!record.problem.empty()) {
      out.remarks.push_back({record.damaged ? Remark::Kind::kDamaged : Remark::Kind::kMalformed, record.number, 0, std::string(record.problem)});
      return;
    }
    const auto decoded = decoder_.decode(record.json);
    if (!decoded) {
      const bool has_place = record.on_one_line && decoded.error().code == ErrorCode::kInvalid;
      out.remarks.push_back({Remark::Kind::kMalformed, record.number, has_place ? span_of(record.json, decoder_.fault_offset()).column : 0, decoded.error().detail});
      return;
    }
    ++out.events;
    if (!decoded->empty()) ++out.routed;
    if (std::ranges::any_of(*decoded, [&](const events::Decoded& each) { return rules_.channel_for(*each.type) != nullptr; })) ++out.looked_at;
    if (const auto& notices = decoder_.notices(); notices.mended || notices.too_deep || notices.no_value || notices.left_out) remark(notices, record.number, out);
    hits_.clear();
    const size_t observed = out.observed.size();
    for (const events::Decoded& each : *decoded) interpret(each, out);
    if (hits_.empty()) return;
    std::stable_sort(hits_.begin(), hits_.end());
    hits_.erase(std::unique(hits_.begin(), hits_.end()), hits_.end());
    const bool in_block = record.in_block && !decoder_.notices().mended;
    const std::string_view json = decoder_.json();
    const Findings::Event event{out.records, record.number, in_block ? json : std::string_view(), out.made.size(), in_block ? 0 : json.size()};
    if (!in_block) out.made.append(json);
    for (const Hit& hit : hits_) {
      if (!rules_.silent[hit.rule]) out.matches.push_back({event, hit});
    }
    for (size_t i = observed; i < out.observed.size(); ++i) out.observed[i].event = event;
  }

  static void remark(const events::Decoder::Notices& notices, uint64_t line, Findings& out) {
    if (notices.mended) out.remarks.push_back({Remark::Kind::kMended, line, 0, "bytes that are no UTF-8, or control characters inside a string: read as U+FFFD, and as themselves"});
    if (notices.too_deep) out.remarks.push_back({Remark::Kind::kTooDeep, line, 0, fmt::format("nested deeper than {}: what is below was left out, the rest was judged", limits::kEventDepthMax)});
    if (notices.no_value) out.remarks.push_back({Remark::Kind::kNoValue, line, 0, "a field that a rule looks at is an object, or a list with objects in it, which no input can hold: only keywords looked at what is inside"});
    if (notices.left_out) out.remarks.push_back({Remark::Kind::kLeftOut, line, 0, "a field is null: journalctl leaves long ones out without --all"});
  }

  void interpret(const events::Decoded& event, Findings& out) {
    const LoadedChannel* loaded = rules_.channel_for(*event.type);
    if (loaded == nullptr) return;
    const auto position = static_cast<size_t>(loaded - rules_.channels.data());
    const interpreter::Outcome outcome = interpreter::evaluate(loaded->channel, event.inputs, scratches_[position]);
    const size_t before = hits_.size();
    for (const uint32_t instance : outcome.matches) hits_.push_back({loaded->rules[instance], event.type});
    if (!loaded->sources.empty() && !outcome.matches.empty()) observe(*loaded, event, outcome.matches, before, out);
    out.faults += outcome.faults.size();
    out.values_cut += outcome.values_cut;
    out.values_left_out += outcome.values_left_out;
  }

  // A rule that has matched the same event over another Type already is not seen twice.
  void observe(const LoadedChannel& loaded, const events::Decoded& event, std::span<const uint32_t> matches, size_t before, Findings& out) {
    const size_t first = out.sources.size();
    for (const uint32_t instance : matches) {
      const auto earlier = std::span(hits_).first(before);
      const bool again = std::ranges::find(earlier, loaded.rules[instance], &Hit::rule) != earlier.end();
      const uint32_t source = loaded.sources[instance];  // of two instances where the Type answers by two log sources: an event is one match of the rule
      const auto known = std::span(out.sources).subspan(first);
      if (source != kNoSource && !again && std::ranges::find(known, source) == known.end()) out.sources.push_back(source);
    }
    if (out.sources.size() == first) return;
    out.observed.push_back({{}, &loaded, schema::event_time(loaded.times, event.inputs.values), first, out.sources.size() - first, out.values.size()});
    for (const uint32_t input : loaded.wanted) {
      const schema::InputValue& value = event.inputs.values[input];
      out.values.push_back({out.text.size(), value.has_value() ? value.size : 0, value.presence});
      if (value.has_value()) out.text += value.text();
    }
  }

  const Ruleset::State& rules_;
  events::RecordReader records_;
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
    to.lines += piece.block.format == events::Format::kEvtx ? findings.records : piece.block.lines;
    to.events += findings.events;
    to.routed += findings.routed;
    to.looked_at += findings.looked_at;
    to.duplicates += findings.duplicates;
    to.matches += findings.matches.size();
    to.faults += findings.faults;
    to.values_cut += findings.values_cut;
    to.values_left_out += findings.values_left_out;
    if (piece.error) to.error = piece.error;
    for (const Remark& each : findings.remarks) {
      if (to.remarks[static_cast<size_t>(each.kind)]++ < kRemarksListedMax) to.first_remarks.push_back(each);
      if (sinks_.on_remark) sinks_.on_remark(to.file, each);
    }
    size_t observed = 0;
    const auto correlate_before = [&](uint64_t record) {
      for (; observed < findings.observed.size() && findings.observed[observed].event.record < record; ++observed) correlate(findings, findings.observed[observed], to);
    };
    for (const Findings::Matched& each : findings.matches) {  // correlations see an event after its matches were told
      correlate_before(each.event.record);
      if (sinks_.on_match) sinks_.on_match({&rules_.rules[each.hit.rule], each.hit.type, to.file, each.event.number, findings.text_of(each.event)});
    }
    correlate_before(UINT64_MAX);
    if (sinks_.on_progress) sinks_.on_progress(bytes_before_ + piece.bytes_done, bytes_total_);
    if (piece.last) bytes_before_ += piece.bytes_done;
  }

  std::vector<FileReport> take() {
    if (state_ && sinks_.on_correlated) {
      const interpreter::CorrelationCounts& counts = state_->counts();
      sinks_.on_correlated({counts.untimed, counts.went_back, counts.evicted, counts.dropped});
    }
    return std::move(reports_);
  }

 private:
  static constexpr interpreter::Hash128 kHashKey{0x6372656174696f6e, 0x636f7272656c6174};  // files are no live opponent: any key does, and results do not depend on it

  void correlate(const Findings& findings, const Findings::Observed& observed, FileReport& to) {
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
      sinks_.on_match({&rules_.correlations[rules_.correlated->correlations[hit.correlation]], channel.type, to.file, observed.event.number, findings.text_of(observed.event), &found});
    }
  }

  const Ruleset::State& rules_;
  const Sinks& sinks_;
  std::optional<uint64_t> bytes_total_;
  uint64_t bytes_before_ = 0;  // of the files that are reported to their end
  std::vector<FileReport> reports_;
  std::optional<interpreter::CorrelationState> state_;
  std::vector<schema::InputValue> values_;
};

}  // namespace

std::vector<FileReport> run(const Ruleset& ruleset, std::span<const std::string> files, unsigned threads, const Sinks& sinks, events::Format format) {
  const Ruleset::State& rules = ruleset.state();
  const unsigned workers = std::clamp(threads, 1u, limits::kScanThreadsMax);
  Feed feed(files, format, workers);
  Outbox<Work> outbox(workers);
  Reporter reporter(rules, files, feed.bytes_total(), sinks);
  const auto work = [&] {
    Evaluator evaluator(rules);
    for (;;) {
      auto [mine, may_look_ahead] = outbox.take();
      if (!feed.next(mine->piece, may_look_ahead)) {
        outbox.give_back(std::move(mine));
        return;
      }
      evaluator.evaluate(mine->piece, mine->findings);
      outbox.submit(std::move(mine), [&](const Work& done) { reporter.report(done.piece, done.findings); });
    }
  };
  {
    std::vector<std::jthread> helpers;
    for (unsigned i = 1; i < workers; ++i) helpers.emplace_back(work);
    work();
  }
  return reporter.take();
}

}  // namespace creance::scan
