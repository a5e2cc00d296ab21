// Runs rules over files of events: what `creance scan` does, without its screen. Compiles one channel per Template Type, verifies it, and interprets every event.
// Not a judge of rules: parsing is sigma/parser.hpp, binding happens in prepare().
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/result.hpp"
#include "compiler/build.hpp"
#include "events/format.hpp"
#include "schema/catalog.hpp"
#include "sigma/correlation.hpp"
#include "sigma/rule.hpp"

namespace creance::scan {

// Owns the rules and their channels. Immutable; any number of threads and runs. Movable.
class Ruleset {
 public:
  // Binds and compiles. A rule that binds to no Type or that the compiler refuses is left out, with its reason in `diagnostics`; refused() lists it.
  // An Error only where nothing can run at all (a channel as a whole is over a limit). The catalog must outlive the Ruleset. `samples`: what the compiler counts on; matches do not depend on it.
  static Result<Ruleset> prepare(std::vector<sigma::Rule> rules, const schema::Catalog& catalog, Diagnostics& diagnostics, std::vector<sigma::Correlation> correlations = {}, const compiler::Samples& samples = {});
  Ruleset(Ruleset&&) noexcept;
  Ruleset& operator=(Ruleset&&) noexcept;
  ~Ruleset();

  std::span<const sigma::Rule> rules() const;                 // as given, in that order
  std::span<const sigma::Rule* const> running() const;        // those that run over at least one Type
  std::span<const sigma::Rule* const> refused() const;        // those that run over none
  std::span<const sigma::Correlation* const> running_correlations() const;
  struct ChannelSummary {
    const schema::TemplateType* type;
    uint32_t instances;
    size_t bytes;
  };
  std::vector<ChannelSummary> channels() const;

  struct State;
  const State& state() const { return *state_; }

 private:
  explicit Ruleset(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// What a correlation found, beside the event that completed it.
struct Found {
  uint32_t events = 0;  // that made the hit, as interpreter::CorrelationHit::events
  std::vector<std::pair<std::string, std::string>> group;  // names as in group-by, values
};

struct Match {
  const sigma::Metadata* rule = nullptr;       // a rule or a correlation
  const schema::TemplateType* type = nullptr;  // the first Type over which it matched
  std::string_view file;                       // as given
  uint64_t line = 0;                           // 1-based; of an EVTX file the record's number
  std::string_view event;                      // one JSON object on one line: as it stands in the file, or the flat one that was made of it. Valid during the callback
  const Found* found = nullptr;                // of a correlation: then file, line and event are those of the last event
};

// What was left out of correlations, and why (interpreter::CorrelationCounts).
struct CorrelationReport {
  uint64_t untimed = 0;
  uint64_t went_back = 0;
  uint64_t evicted = 0;
  uint64_t dropped = 0;
};

// Something about one event that its reader must know.
struct Remark {
  enum class Kind : uint8_t {
    kMalformed,  // no event: it was passed over
    kTooDeep,    // what is nested too deep was left out, the rest was judged
    kMended,     // it has bytes that JSON forbids: read as U+FFFD, control characters as themselves
    kLeftOut,    // journalctl left a long field out before we could see it
    kNoValue,    // a field that a rule looks at is an object: it counts as absent, keywords look at what is inside
    kDamaged,    // a checksum of the file is wrong; what could be read was judged
  };
  static constexpr size_t kKinds = 6;
  Kind kind;
  uint64_t line;       // as Match::line
  uint32_t column;     // 1-based, in characters; 0: not known
  std::string reason;
};

inline constexpr size_t kRemarksListedMax = 20;
struct FileReport {
  std::string file;
  uint64_t lines = 0;      // all of them, blank ones too; of an EVTX file the records
  uint64_t events = 0;     // well-formed
  uint64_t routed = 0;     // events that some Type took
  uint64_t looked_at = 0;  // of these, those of a Type that a running rule is of
  std::array<uint64_t, Remark::kKinds> remarks{};  // by kind
  uint64_t matches = 0;
  uint64_t faults = 0;     // run-time checks that failed in instances: a finding about content
  uint64_t duplicates = 0; // fields that lost against another of the same name
  uint64_t values_cut = 0; // values longer than limits::kInputBytesMax
  uint64_t values_left_out = 0;  // further and other values behind limits::kFurtherValuesMax or kFurtherBytesMax
  std::vector<Remark> first_remarks;  // at most kRemarksListedMax of each kind
  std::optional<Error> error;         // could not be opened, or not be read to its end; what was read counts

  uint64_t count(Remark::Kind kind) const { return remarks[static_cast<size_t>(kind)]; }
  uint64_t malformed() const { return count(Remark::Kind::kMalformed); }
};

// Called by one thread at a time (not always the same one), for files in the order given and lines ascending, whatever the number of threads. Any may be empty.
struct Sinks {
  std::function<void(const Match&)> on_match;  // one call for each rule and event; hits of correlations follow the matches of the same line
  std::function<void(std::string_view file, const Remark&)> on_remark;
  // Bytes of the files as stored; total is nothing while a pipe is among them.
  std::function<void(uint64_t bytes_done, std::optional<uint64_t> bytes_total)> on_progress;
  std::function<void(const CorrelationReport&)> on_correlated;  // once, at the end, if correlations ran
};

// `files`: paths, "-" is standard input. `threads`: 0 counts as 1; at most limits::kScanThreadsMax. Memory: per thread a few blocks (limits::kScanBatchBytes, or the
// longest line) and what unpacking needs. Reading and unpacking go on in all threads, of different files at once. A pipe is scanned as its lines come.
// `format` holds for all files. One report per file, in the order given.
std::vector<FileReport> run(const Ruleset& ruleset, std::span<const std::string> files, unsigned threads, const Sinks& sinks, events::Format format = events::Format::kAuto);

}  // namespace creance::scan
