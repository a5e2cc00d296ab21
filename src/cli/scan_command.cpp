// scan: which events do these rules match? One line a match with --json, else tables by level and rule.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/event_files.hpp"
#include "cli/rule_files.hpp"
#include "cli/sample_logs.hpp"
#include "scan/scan.hpp"

namespace creance::cli {
namespace {

struct ScanOptions {
  RuleSources sources;
  std::vector<std::string> events;
  std::vector<std::string> logs;
  std::string format = "auto";
  std::string types;
  unsigned threads = 0;
  bool strict = false;
  bool allow_skipped = false;
};

std::string json_text(std::string_view text) { return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

std::string json_texts(const std::vector<std::string>& texts) { return nlohmann::json(texts).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

// What the rule says of itself, behind id, title and level.
std::string about(const sigma::Metadata& rule) { return fmt::format(R"("author":{},"tags":{},"references":{})", json_text(rule.author), json_texts(rule.tags), json_texts(rule.references)); }

// The event is a JSON object as it stands in the file: it is put in whole, not parsed again.
std::string match_line(const scan::Match& match) {
  std::string found;
  if (match.found != nullptr) {
    found = fmt::format(R"("events":{},"group":{{)", match.found->events);
    for (size_t i = 0; i < match.found->group.size(); ++i) found += fmt::format("{}{}:{}", i == 0 ? "" : ",", json_text(match.found->group[i].first), json_text(match.found->group[i].second));
    found += "},";
  }
  return fmt::format(R"({{"rule_id":{},"rule_title":{},"level":{},"file":{},"line":{},{}{},"event":{}}})", json_text(match.rule->id), json_text(match.rule->title), json_text(sigma::to_string(match.rule->level)), json_text(match.file), match.line,
                     found, about(*match.rule), match.event);
}

Style style_of(sigma::Level level) {
  return level >= sigma::Level::kHigh ? Style::kRed : level == sigma::Level::kMedium ? Style::kYellow : Style::kPlain;
}

class Counts {
 public:
  void add(const scan::Match& match) {
    auto& [count, where] = by_rule_[match.rule];
    if (count++ == 0) where = fmt::format("{}:{}", match.file, match.line);
    ++by_level_[match.rule->level];
  }
  void print(const Terminal& terminal) const {
    if (by_rule_.empty()) return;
    Table levels({"LEVEL", "MATCHES"});
    for (auto it = by_level_.rbegin(); it != by_level_.rend(); ++it) levels.row({terminal.styled(style_of(it->first), name(it->first)), fmt::to_string(it->second)});
    std::vector<std::pair<const sigma::Metadata*, std::pair<uint64_t, std::string>>> rows(by_rule_.begin(), by_rule_.end());
    std::ranges::sort(rows, [](const auto& a, const auto& b) { return std::tuple(b.first->level, b.second.first, a.first->title, a.first->id) < std::tuple(a.first->level, a.second.first, b.first->title, b.first->id); });
    Table rules({"LEVEL", "MATCHES", "RULE", "FIRST AT"});
    for (const auto& [rule, entry] : rows) rules.row({terminal.styled(style_of(rule->level), name(rule->level)), fmt::to_string(entry.first), printable(rule->title, 90), printable(entry.second, 200)});
    terminal.data(rules.text(terminal));
    terminal.data_line("");
    terminal.data(levels.text(terminal));
  }

 private:
  static std::string name(sigma::Level level) { return level == sigma::Level::kNone ? "none" : std::string(sigma::to_string(level)); }
  std::map<const sigma::Metadata*, std::pair<uint64_t, std::string>> by_rule_;
  std::map<sigma::Level, uint64_t> by_level_;
};

// Tells what was left out; a rule that does not run is never passed over in silence.
void report_refused(const scan::Ruleset& ruleset, const Diagnostics& diagnostics, uint32_t documents, const Terminal& terminal) {
  size_t errors = 0;
  for (const Diagnostic& d : diagnostics) {
    // S203, C043: runs over some of its Types only. S14x: filters that leave out other events than they seem to.
    if (d.severity != Severity::kError && d.code != "S203" && d.code != "C043" && !d.code.starts_with("S14")) continue;
    terminal.note(to_line(d));
    errors += d.severity == Severity::kError;
  }
  const size_t refused = documents - std::min<size_t>(documents, ruleset.running().size() + ruleset.running_correlations().size());
  if (refused > 0) terminal.warning(fmt::format("{} of {} rules do not run, for the {} errors above", refused, documents, errors));
}

struct Totals {
  uint64_t lines = 0, events = 0, routed = 0, looked_at = 0, malformed = 0, matches = 0, faults = 0;
  bool unreadable = false;
  bool skipped = false;  // some input was not looked at, or not to its end
};

void report_remarks(const scan::FileReport& report, const Terminal& terminal) {
  for (const scan::Remark& each : report.first_remarks) {
    const std::string column = each.column == 0 ? "" : fmt::format(":{}", each.column);
    terminal.warning(fmt::format("{}:{}{}: {}{}", printable(report.file, 4096), each.line, column, each.kind == scan::Remark::Kind::kMalformed ? "malformed event skipped: " : "", printable(each.reason, 200)));
  }
  constexpr std::array<std::string_view, scan::Remark::kKinds> kMore = {"malformed events skipped", "events nested too deep", "events with bytes that JSON forbids", "entries whose long fields journalctl left out", "events with objects in place of values", "damaged parts"};
  for (size_t kind = 0; kind < kMore.size(); ++kind) {
    if (report.remarks[kind] > scan::kRemarksListedMax) terminal.warning(fmt::format("{}: {} more {}", printable(report.file, 4096), report.remarks[kind] - scan::kRemarksListedMax, kMore[kind]));
  }
}

Totals report_files(const std::vector<scan::FileReport>& reports, const Terminal& terminal) {
  Totals totals;
  for (const scan::FileReport& report : reports) {
    totals.lines += report.lines;
    totals.events += report.events;
    totals.routed += report.routed;
    totals.looked_at += report.looked_at;
    totals.malformed += report.malformed();
    totals.matches += report.matches;
    totals.faults += report.faults;
    totals.skipped = totals.skipped || report.malformed() > 0 || report.count(scan::Remark::Kind::kTooDeep) > 0 || report.values_cut > 0 || report.values_left_out > 0;
    report_remarks(report, terminal);
    if (report.duplicates > 0) terminal.warning(fmt::format("{}: {} fields stand more than once in their event: the one with the exact name, else the last, was judged, the others by keywords alone", printable(report.file, 4096), report.duplicates));
    if (report.values_cut > 0) terminal.warning(fmt::format("{}: {} values were longer than {} bytes: matched up to there, and by nothing that is said of their end", printable(report.file, 4096), report.values_cut, limits::kInputBytesMax));
    if (report.values_left_out > 0) terminal.warning(fmt::format("{}: {} values were left out: of the further values of an event, and of those that are no input, {} with {} bytes together are looked at", printable(report.file, 4096), report.values_left_out, limits::kFurtherValuesMax, limits::kFurtherBytesMax));
    if (report.error) {
      terminal.error(report.error->detail);
      totals.unreadable = true;
    } else if (report.events == 0 && report.malformed() > 0) {
      terminal.error(fmt::format("{}: none of its {} lines is an event; --format says what it is where the content does not", report.file, report.lines));
      totals.unreadable = true;
    } else if (report.events > 0 && report.looked_at == 0) {
      terminal.warning(fmt::format("{}: no rule looks at any of its {} events", printable(report.file, 4096), report.events));
    }
  }
  if (totals.faults > 0) terminal.error(fmt::format("{} run-time faults in instances; please report it with the rules", totals.faults));
  return totals;
}

void report_correlations(const scan::CorrelationReport& report, const Terminal& terminal) {
  if (report.untimed > 0) terminal.warning(fmt::format("correlations: {} events have no readable time and count as happening with the event before them", report.untimed));
  if (report.went_back > 0) terminal.warning(fmt::format("correlations: time went back by more than the timespan {} times, and what came then was counted apart; sort events that belong together by time, or give their files in the order of their events", report.went_back));
  if (report.evicted > 0) terminal.warning(fmt::format("correlations: memory was full, {} groups left before their time was over; scan fewer hosts or hours at once", report.evicted));
  if (report.dropped > 0) terminal.warning(fmt::format("correlations: {} events left their groups before their time was over, since a group was too large", report.dropped));
}

int scan_files(const ScanOptions& options, const Session& session) {
  const Terminal& terminal = session.terminal;
  const auto catalog = load_catalog(options.types, terminal);
  if (!catalog) return kUsage;
  LoadedRules loaded = load_rules(options.sources, terminal);
  Diagnostics diagnostics = std::move(loaded.diagnostics);
  const auto logs = SampleLogs::read(options.logs, *catalog);
  if (!logs) {
    terminal.error(fmt::format("--logs: {}", logs.error().detail));
    return logs.error().code == ErrorCode::kInvalid ? kUsage : kUnreadable;
  }
  const auto ruleset = scan::Ruleset::prepare(std::move(loaded.rules), *catalog, diagnostics, std::move(loaded.correlations), logs->samples());
  if (!ruleset) {
    terminal.error(ruleset.error().detail);
    return kUsage;
  }
  sort(diagnostics);
  report_refused(*ruleset, diagnostics, loaded.documents, terminal);
  if (loaded.unreadable) return kUnreadable;
  if (loaded.settings_broken) {
    terminal.error("a filter, pipeline or file of placeholders has errors, and without it the rules would find something else; no event was read");
    return kUsage;
  }
  if (options.strict && has_errors(diagnostics)) {
    terminal.error("--strict: some rules do not run; no event was read");
    return kFindings;
  }
  if (ruleset->running().empty()) {
    terminal.error("none of the rules runs; no event was read");
    return kUsage;
  }
  const EventFiles events = event_files(options.events, terminal);
  if (events.files.empty()) return kUnreadable;
  Counts counts;
  ProgressBar bar(terminal, "scanning");
  scan::Sinks sinks;
  sinks.on_match = [&](const scan::Match& match) {
    if (session.json) terminal.data_line(match_line(match));
    else counts.add(match);
  };
  scan::CorrelationReport correlated;
  sinks.on_correlated = [&](const scan::CorrelationReport& report) { correlated = report; };
  sinks.on_progress = [&](uint64_t done, std::optional<uint64_t> total) { bar.update(done, total.value_or(0)); };
  const unsigned threads = options.threads > 0 ? options.threads : std::max(1u, std::thread::hardware_concurrency());
  const auto reports = scan::run(*ruleset, events.files, std::min(threads, limits::kScanThreadsMax), sinks, *events::format_from(options.format));
  bar.finish();
  if (!session.json) counts.print(terminal);
  Totals totals = report_files(reports, terminal);
  report_correlations(correlated, terminal);
  totals.skipped = totals.skipped || correlated.evicted > 0 || correlated.dropped > 0;
  terminal.note(fmt::format("{} rules over {} events in {} lines ({} that no rule looks at, {} of them of no Template Type; {} malformed): {} matches", ruleset->running().size() + ruleset->running_correlations().size(), totals.events, totals.lines,
                            totals.events - totals.looked_at, totals.events - totals.routed, totals.malformed, totals.matches));
  if (totals.skipped && !options.allow_skipped) {
    terminal.error("some input was skipped or forgotten, as said above: the result is not complete (--allow-skipped takes it as it is)");
    return kUnreadable;
  }
  if (totals.unreadable || !events.complete) return kUnreadable;
  return totals.matches > 0 || totals.faults > 0 ? kFindings : kOk;
}

}  // namespace

void add_scan(CLI::App& app, Session& session) {
  auto* options = session.keep<ScanOptions>();
  CLI::App* command = add_command(app, session, "scan", "Run rules over files of events",
                                  {"creance scan --rules rules/ --events sysmon.jsonl", "creance scan --rules rules/ --events Security.evtx /var/log/audit/ --json", "journalctl -o json | creance scan --rules rules/ --events -"});
  add_rule_options(*command, options->sources);
  command->add_option("--events", options->events, "Files of events, packed (gzip, zstd) or not, or folders to search; - is standard input")->required()->take_all();
  command->add_option("--format", options->format, "What the events are; auto: as their content says")->check(CLI::IsMember({"auto", "json", "evtx", "auditd", "syslog"}))->capture_default_str();
  command->add_option("--logs", options->logs, "Files of events like these: what rarely holds in them wakes the rules. For speed alone; matches do not depend on it")->take_all();
  command->add_option("--types", options->types, "Folder of Template Types in place of the built-in ones");
  command->add_option("--threads", options->threads, "Threads that read and match; without: one per core");
  command->add_flag("--allow-skipped", options->allow_skipped, "Malformed events, parts of events that are nested too deep, values cut at a limit and what correlations forgot do not change the exit code");
  command->add_flag("--strict", options->strict, "A rule that does not run is an error, and nothing is scanned");
  command->callback([&session, options] { session.run = [&session, options] { return scan_files(*options, session); }; });
}

}  // namespace creance::cli
