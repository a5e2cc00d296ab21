// The cases beside a rule: events that it must match and events that it must not. Each is judged by both judges (D5): compiled, verified and interpreted, and by the
// reference evaluator. `<rule>.cases.yml` stands beside `<rule>.yml`; docs/how-to/write-rules.md has the form.
//
//   rule: 4f0f6f0e-…                 # the id of a rule of that file; several rules: several documents
//   cases:
//     - name: default pipe           # unique in its document
//       match: true
//       type: linux.fifo_created     # only where the event cannot say it by Channel and EventID
//       unavailable: [User]          # inputs that the host cannot say
//       event: {Channel: Microsoft-Windows-Sysmon/Operational, EventID: 17, PipeName: '\x'}
//
// A correlation's cases are sequences; `rule` is its id, and the rules that it refers to are run for it:
//
//     - name: third failure
//       hits: [3, 6]                 # numbers of the events that complete a hit, from 1; once for each hit; empty: none
//       type: linux.process_creation # of the events that do not say `_type` themselves
//       events: [{UtcTime: '2026-11-23 10:00:00', User: bob, …}, …]
//
// Never throws; bad files are diagnostics (J…), never a crash. One thread at a time.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/seams/files.hpp"
#include "schema/catalog.hpp"
#include "sigma/correlation.hpp"
#include "sigma/rule.hpp"

namespace creance::validator {

// One case as written.
struct Case {
  std::string name;
  Span span;
  bool match = false;
  std::string event_json;                // one flat JSON object; `type` is in it as `_type`
  std::string type;                      // as `type` says; empty: it does not
  std::vector<std::string> unavailable;  // names of inputs
  bool is_sequence = false;              // then `match` is whether there are hits, and event_json is empty
  std::vector<std::string> events_json;
  std::vector<uint32_t> hits;            // from 1, ascending
};
struct RuleCases {
  std::string file;
  std::string rule_id;  // lower case
  Span span;
  std::vector<Case> cases;
};

// The documents of one cases file. Wrong parts are reported (J001–J006) and left out.
std::vector<RuleCases> parse_cases(std::string_view yaml, const std::string& file, Diagnostics& diagnostics);

// "rules/a.yml" -> "rules/a.cases.yml"
std::string cases_file_of(const std::string& rule_file);

enum class Verdict : uint8_t {
  kPassed,
  kWrong,      // both judges agree, and not with the case
  kDisagree,   // the judges differ: a bug of ours, which blocks a release
  kFault,      // the interpreter reported a fault
  kUnusable,   // the event could not be judged: not decodable, or of no Template Type of the rule
};
std::string_view to_string(Verdict verdict);  // "passed", "wrong", …

// What the two answers say about the case. Faults first: a judge that failed has said nothing.
Verdict verdict_of(bool expected, bool interpreter, bool reference, size_t faults);

struct CaseResult {
  std::string rule_id;
  std::string name;
  std::string file;  // of the cases
  Span span;
  bool expected = false;
  Verdict verdict = Verdict::kPassed;
  bool passed = true;  // verdict == kPassed
  std::string reason;  // one line; "" if passed
  std::string event_json;          // as Case has it
  std::vector<std::string> types;  // ids of the rule's Types that the event goes to
};

// Whether the cases try an input that the rule reads: it should have a value in a matching case and in another one.
struct InputCoverage {
  std::string rule_id;
  std::string type;
  std::string input;
  bool in_matching = false;
  bool in_not_matching = false;
};

struct CaseReport {
  std::vector<CaseResult> results;      // in the order of rules and cases
  std::vector<InputCoverage> coverage;  // of rules with cases
  Diagnostics diagnostics;              // sorted; of cases files (J…), and of rules that no judge takes (C…)
};

// Pure: judges the given cases. A rule or correlation without cases is a warning.
CaseReport judge_cases(std::span<const sigma::Rule> rules, std::span<const RuleCases> cases, const schema::Catalog& catalog, std::span<const sigma::Correlation> correlations = {});

// Reads the cases file beside each rule and correlation and judges them.
CaseReport run_cases(std::span<const sigma::Rule> rules, const schema::Catalog& catalog, FileSystem& files, std::span<const sigma::Correlation> correlations = {});

}  // namespace creance::validator
