// test: the cases beside the rules, each judged by the interpreter and by the reference evaluator. Failures last, and alone.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "base/json.hpp"
#include "base/os/real.hpp"
#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/rule_files.hpp"
#include "validator/judge/cases.hpp"

namespace creance::cli {
namespace {

struct TestOptions {
  RuleSources sources;
  std::string types;
};

void print_result(const validator::CaseResult& result, const Session& session) {
  if (session.json) {
    session.terminal.data_line(to_json(Json::object({{"rule_id", result.rule_id}, {"case", result.name}, {"file", result.file}, {"line", result.span.line}, {"passed", result.passed}, {"reason", result.reason}})));
  } else if (!result.passed) {
    session.terminal.data_line(fmt::format("{}:{}: {}: {}: {}", result.file, result.span.line, session.terminal.styled(Style::kRed, "failed"), printable(result.name), printable(result.reason, 300)));
  }
}

int test(const TestOptions& options, const Session& session) {
  const Terminal& terminal = session.terminal;
  const auto catalog = load_catalog(options.types, terminal);
  if (!catalog) return kUsage;
  LoadedRules loaded = load_rules(options.sources, terminal);
  os::RealFileSystem files;
  const validator::CaseReport report = validator::run_cases(loaded.rules, *catalog, files, loaded.correlations);
  Diagnostics diagnostics = std::move(loaded.diagnostics);
  std::ranges::copy(report.diagnostics, std::back_inserter(diagnostics));
  sort(diagnostics);
  print_diagnostics(diagnostics, session.json, terminal);
  for (const validator::CaseResult& result : report.results) print_result(result, session);
  const auto failed = std::ranges::count(report.results, false, &validator::CaseResult::passed);
  const auto passed = static_cast<ptrdiff_t>(report.results.size()) - failed;
  terminal.note(fmt::format("{} rules, {} cases: {} passed by both judges, {}", loaded.rules.size() + loaded.correlations.size(), report.results.size(), passed, terminal.styled(failed > 0 ? Style::kRed : Style::kGreen, fmt::format("{} failed", failed), false)));
  if (loaded.unreadable) return kUnreadable;
  if (loaded.files == 0) return kUsage;  // a mistyped folder is not clean content
  return failed > 0 || has_errors(diagnostics) ? kFindings : kOk;
}

}  // namespace

void add_test(CLI::App& app, Session& session) {
  auto* options = session.keep<TestOptions>();
  CLI::App* command = add_command(app, session, "test", "Run the cases beside the rules, by both judges", {"creance test --rules rules/", "creance test --rules rules/ --json"});
  add_rule_options(*command, options->sources);
  command->add_option("--types", options->types, "Folder of Template Types in place of the built-in ones");
  command->callback([&session, options] { session.run = [&session, options] { return test(*options, session); }; });
}

}  // namespace creance::cli
