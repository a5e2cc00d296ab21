#include "scan/scan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "base/limits.hpp"
#include "events/decoder.hpp"
#include "interpreter/interpreter.hpp"
#include "scan/feed.hpp"
#include "scan/ruleset.hpp"

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
  std::vector<Matched> matches;
  std::vector<Malformed> malformed;
  uint64_t events = 0;
  uint64_t routed = 0;
  uint64_t faults = 0;
  uint64_t values_cut = 0;

  void clear() {
    matches.clear();
    malformed.clear();
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
    for (const events::Decoded& each : *decoded) interpret(each, out);
    std::stable_sort(hits_.begin(), hits_.end());
    hits_.erase(std::unique(hits_.begin(), hits_.end()), hits_.end());
    for (const Hit& hit : hits_) out.matches.push_back({index, hit});
  }

  void interpret(const events::Decoded& event, Findings& out) {
    const LoadedChannel* loaded = rules_.channel_for(*event.type);
    if (loaded == nullptr) return;
    const auto position = static_cast<size_t>(loaded - rules_.channels.data());
    const interpreter::Outcome outcome = interpreter::evaluate(loaded->channel, event.inputs, scratches_[position]);
    for (const uint32_t instance : outcome.matches) hits_.push_back({loaded->rules[instance], event.type});
    out.faults += outcome.faults.size();
    out.values_cut += outcome.values_cut;
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
    if (sinks_.on_match) {
      for (const Findings::Matched& each : findings.matches) {
        const Piece::LineRef& line = piece.lines[each.line];
        sinks_.on_match({&rules_.rules[each.hit.rule], each.hit.type, to.file, line.number, piece.text_of(line)});
      }
    }
    if (sinks_.on_progress) sinks_.on_progress(piece.bytes_done, bytes_total_);
  }

  std::vector<FileReport> take() { return std::move(reports_); }

 private:
  const Ruleset::State& rules_;
  const Sinks& sinks_;
  std::optional<uint64_t> bytes_total_;
  std::vector<FileReport> reports_;
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
