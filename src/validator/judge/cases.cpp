#include "validator/judge/cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <memory>
#include <set>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "channel/verified_channel.hpp"
#include "compiler/build.hpp"
#include "events/decoder.hpp"
#include "interpreter/interpreter.hpp"
#include "reference/judge.hpp"
#include "sigma/binder.hpp"
#include "validator/judge/codes.hpp"
#include "validator/judge/correlation_cases.hpp"

namespace creance::validator {
namespace {

std::string quote(std::string_view text) { return "`" + printable(text) + "`"; }

// One rule, ready to be judged over one Template Type by both judges.
struct Bench {
  const schema::TemplateType* type = nullptr;
  std::unique_ptr<const Bytes> bytes;  // the verified channel points into them
  std::unique_ptr<const channel::VerifiedChannel> channel;
  std::unique_ptr<interpreter::Scratch> scratch;
  std::vector<reference::Judge> judges;    // one for each log source by which the Type answers; the rule matches if any does
  std::vector<uint32_t> reads;             // inputs
  std::vector<InputCoverage> coverage;     // parallel to `reads`
};

struct Judgement {
  bool interpreter = false;
  bool reference = false;
  size_t faults = 0;
};

// By what an event is known to be of the Type, in words.
std::string marks_of(const schema::TemplateType& type) {
  if (type.sources.empty()) return "no mark of their own";
  const schema::EventSource& source = type.sources[0];
  std::string out = !source.channels.empty() ? fmt::format("Channel {}", quote(source.channels[0])) : !source.providers.empty() ? fmt::format("Provider_Name {}", quote(source.providers[0])) : "an EventID that no other Type takes";
  if (!source.event_ids.empty()) out += fmt::format(" and EventID {}", fmt::join(source.event_ids, " or "));
  return out;
}

class RuleJudge {
 public:
  RuleJudge(const sigma::Rule& rule, const schema::Catalog& catalog, CaseReport& report) : rule_(rule), report_(report) {
    Diagnostics found;
    const auto built = compiler::build({&rule, 1}, catalog, found);
    if (!built) found.push_back(judge_diagnostic("J010", rule.file, rule.span, "the rule cannot be compiled: " + built.error().detail));
    if (built) {
      for (const compiler::BuiltChannel& channel : built->channels) add(channel);
    }
    Diagnostics ignored;  // the binder's are among the compiler's
    for (const sigma::Binding& binding : sigma::bind(rule, catalog, ignored)) add_reference(binding, found);
    for (const Bench& bench : benches_) {
      if (bench.judges.empty()) found.push_back(judge_diagnostic("J013", rule.file, rule.span, fmt::format("no reference evaluator for {}", quote(bench.type->id))));
    }
    usable_ = !benches_.empty() && !has_errors(found);
    std::ranges::move(found, std::back_inserter(report.diagnostics));
  }

  bool usable() const { return usable_; }

  CaseResult judge(const Case& one, const std::string& file, events::Decoder& decoder) {
    CaseResult result{rule_.id, one.name, file, one.span, one.match, Verdict::kPassed, true, "", one.event_json, {}};
    if (one.is_sequence) {
      report_.diagnostics.push_back(judge_diagnostic("J014", file, one.span, fmt::format("{} has a sequence of events, and {} is no correlation", quote(one.name), quote(rule_.title))));
      return conclude(result, Verdict::kUnusable, "a rule sees one event at a time");
    }
    const auto decoded = decoder.decode(one.event_json);
    if (!decoded) return conclude(result, Verdict::kUnusable, "the event is not usable: " + decoded.error().detail);
    Judgement judgement;
    std::string others;
    bool judged = false;
    for (const events::Decoded& event : *decoded) {
      const auto bench = std::ranges::find(benches_, event.type, &Bench::type);
      if (bench == benches_.end()) {
        others += fmt::format("{}{}", others.empty() ? "" : ", ", quote(event.type->id));
        continue;
      }
      judged = true;
      result.types.push_back(event.type->id);
      if (!judge_on(*bench, event.inputs, one, file, judgement)) return conclude(result, Verdict::kUnusable, "an unavailable input does not exist");
    }
    if (!judged) {
      if (others.empty()) return conclude(result, Verdict::kUnusable, fmt::format("the event is of no Template Type; events of {} have {}, or the case says `type`", quote(benches_[0].type->id), marks_of(*benches_[0].type)));
      return conclude(result, Verdict::kUnusable, fmt::format("the event goes to {}, not to one of the rule ({}); check Channel, EventID and `type`", others, types()));
    }
    return decide(result, judgement);
  }

  void finish_coverage(const std::string& file, Span span) {
    for (Bench& bench : benches_) {
      for (InputCoverage& input : bench.coverage) {
        if (!input.in_matching && !input.in_not_matching) {
          report_.diagnostics.push_back(judge_diagnostic("J008", file, span, fmt::format("no case gives a value to {}, which the rule reads", quote(input.input))));
        }
        report_.coverage.push_back(std::move(input));
      }
      bench.coverage.clear();
    }
  }

 private:
  void add(const compiler::BuiltChannel& built) {
    Bench bench;
    bench.type = built.type;
    bench.bytes = std::make_unique<const Bytes>(built.bytes);
    auto verified = channel::VerifiedChannel::verify(*bench.bytes, {built.type->fingerprint, static_cast<uint32_t>(built.type->inputs.size())});
    if (!verified) {
      report_.diagnostics.push_back(judge_diagnostic("J010", rule_.file, rule_.span, fmt::format("the verifier refuses the compiled rule: {} {}", verified.error().code, verified.error().detail)));
      return;
    }
    bench.channel = std::make_unique<const channel::VerifiedChannel>(std::move(*verified));
    bench.scratch = std::make_unique<interpreter::Scratch>(*bench.channel);
    std::set<uint32_t> reads;
    for (uint32_t i = 0; i < bench.channel->instance_count(); ++i) {
      const auto inputs = bench.channel->instance(i).inputs;
      reads.insert(inputs.begin(), inputs.end());
    }
    bench.reads.assign(reads.begin(), reads.end());
    for (const uint32_t input : bench.reads) bench.coverage.push_back({rule_.id, built.type->id, built.type->inputs[input].name, false, false});
    benches_.push_back(std::move(bench));
  }

  void add_reference(const sigma::Binding& binding, Diagnostics& found) {
    const auto bench = std::ranges::find(benches_, binding.type, &Bench::type);
    if (bench == benches_.end()) return;  // the compiler refused it and said why
    auto judge = reference::Judge::make(rule_, binding);
    if (judge) {
      bench->judges.push_back(std::move(*judge));
    } else {
      found.push_back(judge_diagnostic("J013", rule_.file, rule_.span, "the reference evaluator refuses the rule: " + judge.error().detail));
    }
  }

  std::string types() const {
    std::string out;
    for (const Bench& bench : benches_) out += fmt::format("{}{}", out.empty() ? "" : ", ", quote(bench.type->id));
    return out;
  }

  // False: the case names an unavailable input that the Type does not have.
  bool judge_on(Bench& bench, schema::Inputs inputs, const Case& one, const std::string& file, Judgement& judgement) {
    std::vector<schema::InputValue> values(inputs.values.begin(), inputs.values.end());
    for (const std::string& name : one.unavailable) {
      const auto index = bench.type->input_index(name);
      if (!index) {
        report_.diagnostics.push_back(judge_diagnostic("J009", file, one.span, fmt::format("{} is no input of {}", quote(name), quote(bench.type->id))));
        return false;
      }
      values[*index] = schema::InputValue::unavailable();
    }
    inputs.values = values;
    const interpreter::Outcome outcome = interpreter::evaluate(*bench.channel, inputs, *bench.scratch);
    judgement.interpreter = judgement.interpreter || !outcome.matches.empty();
    judgement.faults += outcome.faults.size();
    judgement.reference = judgement.reference || std::ranges::any_of(bench.judges, [&](const reference::Judge& judge) { return judge.matches(inputs); });
    for (size_t i = 0; i < bench.reads.size() && i < bench.coverage.size(); ++i) {
      if (!values[bench.reads[i]].has_value()) continue;
      (one.match ? bench.coverage[i].in_matching : bench.coverage[i].in_not_matching) = true;
    }
    return true;
  }

  static CaseResult conclude(CaseResult result, Verdict verdict, std::string reason) {
    result.verdict = verdict;
    result.passed = verdict == Verdict::kPassed;
    result.reason = std::move(reason);
    return result;
  }

  static CaseResult decide(const CaseResult& result, const Judgement& judgement) {
    const auto says = [](bool match) { return match ? "a match" : "no match"; };
    const Verdict verdict = verdict_of(result.expected, judgement.interpreter, judgement.reference, judgement.faults);
    switch (verdict) {
      case Verdict::kFault: return conclude(result, verdict, fmt::format("the interpreter reports {} faults", judgement.faults));
      case Verdict::kDisagree: return conclude(result, verdict, fmt::format("the judges disagree: the interpreter says {}, the reference evaluator {}", says(judgement.interpreter), says(judgement.reference)));
      case Verdict::kWrong: return conclude(result, verdict, fmt::format("the case wants {}, both judges say {}", says(result.expected), says(judgement.interpreter)));
      case Verdict::kPassed:
      case Verdict::kUnusable: break;
    }
    return result;
  }

  const sigma::Rule& rule_;
  CaseReport& report_;
  std::vector<Bench> benches_;
  bool usable_ = false;
};

void judge_rule(const sigma::Rule& rule, const RuleCases& cases, const schema::Catalog& catalog, events::Decoder& decoder, CaseReport& report) {
  RuleJudge judge(rule, catalog, report);
  if (!judge.usable()) {
    report.diagnostics.push_back(judge_diagnostic("J010", cases.file, cases.span, fmt::format("the rule {} cannot be judged", quote(rule.title))));
    for (const Case& one : cases.cases) report.results.push_back({rule.id, one.name, cases.file, one.span, one.match, Verdict::kUnusable, false, "the rule cannot be judged", one.event_json, {}});
    return;
  }
  for (const Case& one : cases.cases) report.results.push_back(judge.judge(one, cases.file, decoder));
  judge.finish_coverage(cases.file, cases.span);
  const auto matching = std::ranges::count(cases.cases, true, &Case::match);
  const auto other = static_cast<ptrdiff_t>(cases.cases.size()) - matching;
  if (matching < 2 || other < 2) {
    report.diagnostics.push_back(judge_diagnostic("J007", cases.file, cases.span, fmt::format("the rule {} has {} matching and {} other cases", quote(rule.title), matching, other)));
  }
}

}  // namespace

Verdict verdict_of(bool expected, bool interpreter, bool reference, size_t faults) {
  if (faults > 0) return Verdict::kFault;
  if (interpreter != reference) return Verdict::kDisagree;
  return interpreter == expected ? Verdict::kPassed : Verdict::kWrong;
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPassed: return "passed";
    case Verdict::kWrong: return "wrong";
    case Verdict::kDisagree: return "disagree";
    case Verdict::kFault: return "fault";
    case Verdict::kUnusable: return "unusable";
  }
  return "";
}

CaseReport judge_cases(std::span<const sigma::Rule> rules, std::span<const RuleCases> cases, const schema::Catalog& catalog, std::span<const sigma::Correlation> correlations) {
  CaseReport report;
  events::Decoder decoder(catalog);
  std::set<const RuleCases*> used;
  std::optional<CorrelationJudges> judges;  // made when a correlation has cases
  const auto judge_all = [&](const sigma::Metadata& rule, const auto& judge) {
    const std::string file = cases_file_of(rule.file);
    bool found = false;
    for (const RuleCases& candidate : cases) {
      if (candidate.file != file || candidate.rule_id != rule.id || rule.id.empty()) continue;
      used.insert(&candidate);
      if (candidate.cases.empty()) continue;
      found = true;
      for (const Case& one : candidate.cases) {  // the decoder passes over a name that it does not know
        if (!one.type.empty() && catalog.find(one.type) == nullptr) report.diagnostics.push_back(judge_diagnostic("J002", candidate.file, one.span, fmt::format("`type` of {} is no Template Type: {}", quote(one.name), quote(one.type))));
      }
      judge(candidate);
    }
    if (found) return;
    const bool beside = rule.id.empty() && std::ranges::any_of(cases, [&](const RuleCases& c) { return c.file == file; });
    report.diagnostics.push_back(judge_diagnostic(beside ? "J012" : "J005", rule.file, rule.span, fmt::format("the rule {} has no {}", quote(rule.title), beside ? "id, but cases" : "cases")));
  };
  for (const sigma::Rule& rule : rules) {
    judge_all(rule, [&](const RuleCases& of_rule) { judge_rule(rule, of_rule, catalog, decoder, report); });
  }
  for (const sigma::Correlation& correlation : correlations) {
    judge_all(correlation, [&](const RuleCases& of_correlation) {
      if (!judges) judges.emplace(rules, correlations, catalog);
      judges->judge(correlation, of_correlation, report);
    });
  }
  for (const RuleCases& candidate : cases) {
    if (!used.contains(&candidate)) report.diagnostics.push_back(judge_diagnostic("J004", candidate.file, candidate.span, fmt::format("no rule beside it has the id {}", quote(candidate.rule_id))));
  }
  sort(report.diagnostics);
  return report;
}

CaseReport run_cases(std::span<const sigma::Rule> rules, const schema::Catalog& catalog, FileSystem& files, std::span<const sigma::Correlation> correlations) {
  Diagnostics diagnostics;
  std::vector<RuleCases> cases;
  std::set<std::string> seen;
  std::vector<const sigma::Metadata*> all;
  for (const sigma::Rule& rule : rules) all.push_back(&rule);
  for (const sigma::Correlation& correlation : correlations) all.push_back(&correlation);
  for (const sigma::Metadata* rule : all) {
    const std::string file = cases_file_of(rule->file);
    if (!seen.insert(file).second || !files.exists(file)) continue;
    const auto bytes = files.read(file, limits::kRuleFileBytesMax);
    if (!bytes) {
      diagnostics.push_back(judge_diagnostic("J011", file, {}, "the cases file cannot be read: " + bytes.error().detail));
      continue;
    }
    std::ranges::move(parse_cases(as_text(*bytes), file, diagnostics), std::back_inserter(cases));
  }
  CaseReport report = judge_cases(rules, cases, catalog, correlations);
  std::ranges::move(diagnostics, std::back_inserter(report.diagnostics));
  sort(report.diagnostics);
  return report;
}

}  // namespace creance::validator
