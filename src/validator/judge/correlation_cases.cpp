#include "validator/judge/correlation_cases.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "channel/verified_correlations.hpp"
#include "compiler/build.hpp"
#include "events/decoder.hpp"
#include "interpreter/correlation.hpp"
#include "interpreter/interpreter.hpp"
#include "reference/correlation.hpp"
#include "reference/judge.hpp"
#include "schema/event_time.hpp"
#include "sigma/binder.hpp"
#include "validator/judge/codes.hpp"

namespace creance::validator {
namespace {

std::string quote(std::string_view text) { return "`" + printable(text) + "`"; }
constexpr interpreter::Hash128 kHashKey{0x6361736573206f66, 0x636f7272656c6174};  // results do not depend on it

// One Template Type's channel, and the judges of the rules that correlations want to see over it.
struct Bench {
  const schema::TemplateType* type = nullptr;
  std::unique_ptr<const Bytes> bytes;
  std::unique_ptr<const channel::VerifiedChannel> channel;
  std::unique_ptr<interpreter::Scratch> scratch;
  std::vector<uint32_t> rules;  // instance -> rule
  struct Judged {
    uint32_t rule;
    std::vector<reference::Judge> judges;  // one for each log source by which the Type answers
  };
  std::vector<Judged> judged;
};

}  // namespace

struct CorrelationJudges::State {
  std::span<const sigma::Rule> rules;
  std::span<const sigma::Correlation> correlations;
  events::Decoder decoder;
  std::string problem;  // why nothing can be judged; "" if all is well
  std::vector<Bench> benches;
  std::optional<compiler::BuiltCorrelations> built;
  std::optional<channel::VerifiedCorrelations> file;
  std::vector<sigma::LinkedCorrelation> linked;

  State(std::span<const sigma::Rule> given, std::span<const sigma::Correlation> correlated, const schema::Catalog& catalog) : rules(given), correlations(correlated), decoder(catalog) {
    Diagnostics told_already;
    auto build = compiler::build(rules, catalog, told_already, correlations);
    if (!build) problem = build.error().detail;
    if (!build || !build->correlations) return;
    built = std::move(build->correlations);
    auto verified = channel::VerifiedCorrelations::verify(built->bytes);
    if (!verified) {
      problem = fmt::format("the verifier refuses the correlations: {} {}", verified.error().code, verified.error().detail);
      return;
    }
    file.emplace(std::move(*verified));
    linked = sigma::link(correlations, rules, told_already);
    for (compiler::BuiltChannel& each : build->channels) add(each, catalog);
  }

  bool wanted(const schema::TemplateType* type, uint32_t rule) const {
    return std::ranges::any_of(built->sources, [&](const auto& source) { return source.type == type && source.rule == rule; });
  }

  void add(compiler::BuiltChannel& channel, const schema::Catalog& catalog) {
    Bench bench;
    bench.type = channel.type;
    for (const uint32_t rule : std::set<uint32_t>(channel.rules.begin(), channel.rules.end())) {
      if (!wanted(channel.type, rule)) continue;
      Bench::Judged judged{rule, {}};
      Diagnostics told_already;
      for (const sigma::Binding& binding : sigma::bind(rules[rule], catalog, told_already)) {
        if (binding.type != channel.type) continue;
        auto judge = reference::Judge::make(rules[rule], binding);
        if (judge) judged.judges.push_back(std::move(*judge));
        else problem = fmt::format("the reference evaluator refuses the rule {}: {}", quote(rules[rule].title), judge.error().detail);
      }
      bench.judged.push_back(std::move(judged));
    }
    if (bench.judged.empty()) return;
    bench.bytes = std::make_unique<const Bytes>(std::move(channel.bytes));
    auto verified = channel::VerifiedChannel::verify(*bench.bytes, {channel.type->fingerprint, static_cast<uint32_t>(channel.type->inputs.size())});
    if (!verified) {
      problem = fmt::format("the verifier refuses the channel of {}: {} {}", quote(channel.type->id), verified.error().code, verified.error().detail);
      return;
    }
    bench.channel = std::make_unique<const channel::VerifiedChannel>(std::move(*verified));
    bench.scratch = std::make_unique<interpreter::Scratch>(*bench.channel);
    bench.rules = channel.rules;
    benches.push_back(std::move(bench));
  }

  // Numbers of the events that complete a hit of the correlation, by each judge.
  struct Answers {
    std::vector<uint32_t> interpreter;
    std::vector<uint32_t> reference;
    size_t faults = 0;
  };
  Result<Answers> run(uint32_t index, const Case& one) {
    Answers answers;
    interpreter::CorrelationState fast(*file, kHashKey);
    reference::CorrelationJudge slow(correlations, linked, rules);
    for (uint32_t number = 1; number <= one.events_json.size(); ++number) {
      const auto decoded = decoder.decode(one.events_json[number - 1]);
      if (!decoded) return fail(ErrorCode::kInvalid, fmt::format("event {} is not usable: {}", number, decoded.error().detail));
      if (decoded->empty()) return fail(ErrorCode::kInvalid, fmt::format("no Template Type takes event {}; check Channel, EventID and `type`", number));
      for (const events::Decoded& event : *decoded) {
        const auto bench = std::ranges::find(benches, event.type, &Bench::type);
        if (bench == benches.end()) continue;
        const auto time = schema::event_time(schema::time_inputs(*event.type), event.inputs.values);
        feed(*bench, event, time, fast, index, number, answers);
        reference::SeenEvent seen{event.type, event.inputs, {}, time};
        for (const Bench::Judged& judged : bench->judged) {
          if (std::ranges::any_of(judged.judges, [&](const reference::Judge& judge) { return judge.matches(event.inputs); })) seen.rules.push_back(judged.rule);
        }
        if (seen.rules.empty()) continue;
        for (const reference::SeenHit& hit : slow.observe(seen)) {
          if (hit.correlation == index) answers.reference.push_back(number);
        }
      }
    }
    return answers;
  }

  void feed(Bench& bench, const events::Decoded& event, std::optional<int64_t> time, interpreter::CorrelationState& state, uint32_t index, uint32_t number, Answers& answers) {
    const interpreter::Outcome outcome = interpreter::evaluate(*bench.channel, event.inputs, *bench.scratch);
    answers.faults += outcome.faults.size();
    std::vector<uint32_t> sources;
    for (const uint32_t instance : outcome.matches) {
      const auto source = std::ranges::find_if(built->sources, [&](const auto& s) { return s.type == bench.type && s.rule == bench.rules[instance]; });
      if (source == built->sources.end()) continue;
      const auto number_of = static_cast<uint32_t>(source - built->sources.begin());
      if (std::ranges::find(sources, number_of) == sources.end()) sources.push_back(number_of);
    }
    if (sources.empty()) return;
    const interpreter::CorrelationOutcome correlated = state.observe({file->source(sources[0]).type, sources, event.inputs, time});
    answers.faults += correlated.faults;
    for (const interpreter::CorrelationHit& hit : correlated.hits) {
      if (built->correlations[hit.correlation] == index) answers.interpreter.push_back(number);
    }
  }
};

CorrelationJudges::CorrelationJudges(std::span<const sigma::Rule> rules, std::span<const sigma::Correlation> correlations, const schema::Catalog& catalog) : state_(std::make_unique<State>(rules, correlations, catalog)) {}
CorrelationJudges::CorrelationJudges(CorrelationJudges&&) noexcept = default;
CorrelationJudges::~CorrelationJudges() = default;

void CorrelationJudges::judge(const sigma::Correlation& correlation, const RuleCases& cases, CaseReport& report) {
  State& s = *state_;
  const auto index = static_cast<uint32_t>(&correlation - s.correlations.data());
  const bool runs = s.problem.empty() && s.built && std::ranges::find(s.built->correlations, index) != s.built->correlations.end();
  if (!runs) {
    report.diagnostics.push_back(judge_diagnostic("J010", cases.file, cases.span, fmt::format("the correlation {} cannot be judged{}{}", quote(correlation.title), s.problem.empty() ? "" : ": ", s.problem)));
  }
  for (const Case& one : cases.cases) {
    CaseResult result{correlation.id, one.name, cases.file, one.span, one.match, Verdict::kPassed, true, "", "", {}};
    const auto conclude = [&](Verdict verdict, std::string reason) {
      result.verdict = verdict;
      result.passed = verdict == Verdict::kPassed;
      result.reason = std::move(reason);
    };
    if (!runs) {
      conclude(Verdict::kUnusable, "the correlation cannot be judged");
    } else if (!one.is_sequence) {
      report.diagnostics.push_back(judge_diagnostic("J014", cases.file, one.span, fmt::format("{} is one event, and {} is a correlation", quote(one.name), quote(correlation.title))));
      conclude(Verdict::kUnusable, "a correlation is judged on a sequence of events");
    } else if (const auto answers = s.run(index, one); !answers) {
      conclude(Verdict::kUnusable, answers.error().detail);
    } else {
      const auto list = [](const std::vector<uint32_t>& numbers) { return fmt::format("[{}]", fmt::join(numbers, ", ")); };
      if (answers->faults > 0) conclude(Verdict::kFault, fmt::format("the interpreter reports {} faults", answers->faults));
      else if (answers->interpreter != answers->reference) conclude(Verdict::kDisagree, fmt::format("the judges disagree: the interpreter has hits at {}, the reference evaluator at {}", list(answers->interpreter), list(answers->reference)));
      else if (answers->interpreter != one.hits) conclude(Verdict::kWrong, fmt::format("the case wants hits at {}, both judges have them at {}", list(one.hits), list(answers->interpreter)));
    }
    report.results.push_back(std::move(result));
  }
  const auto with = std::ranges::count(cases.cases, true, &Case::match);
  if (with == 0 || with == static_cast<ptrdiff_t>(cases.cases.size())) {
    report.diagnostics.push_back(judge_diagnostic("J007", cases.file, cases.span, fmt::format("the correlation {} has {} cases with hits and {} without", quote(correlation.title), with, static_cast<ptrdiff_t>(cases.cases.size()) - with), "write at least one sequence that must give a hit and one that must not"));
  }
}

}  // namespace creance::validator
