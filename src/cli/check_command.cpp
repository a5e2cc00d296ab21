// check: are these rules content that would run? Parses, binds and compiles them, and prints every diagnostic.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "cli/command.hpp"
#include "cli/rule_files.hpp"
#include "compiler/build.hpp"

namespace creance::cli {
namespace {

struct CheckOptions {
  RuleSources sources;
  std::string types;
  bool strict = false;
};

int check(const CheckOptions& options, const Session& session) {
  const auto catalog = load_catalog(options.types, session.terminal);
  if (!catalog) return kUsage;
  LoadedRules loaded = load_rules(options.sources, session.terminal);
  Diagnostics diagnostics = std::move(loaded.diagnostics);
  const auto built = compiler::build(loaded.rules, *catalog, diagnostics, loaded.correlations);
  sort(diagnostics);
  print_diagnostics(diagnostics, session.json, session.terminal);
  if (!built) session.terminal.error(built.error().detail);
  const auto errors = std::ranges::count(diagnostics, Severity::kError, &Diagnostic::severity);
  const auto warnings = std::ranges::count(diagnostics, Severity::kWarning, &Diagnostic::severity);
  const size_t usable = built ? loaded.rules.size() - built->refused.size() + loaded.correlations.size() - built->refused_correlations.size() : 0;
  session.terminal.note(fmt::format("{} rules in {} files: {} usable, {} errors, {} warnings", loaded.documents, loaded.files, usable, errors, warnings));
  if (loaded.unreadable) return kUnreadable;
  if (loaded.files == 0) return kUsage;  // a mistyped folder is not clean content
  return errors > 0 || !built || (options.strict && warnings > 0) ? kFindings : kOk;
}

}  // namespace

void add_check(CLI::App& app, Session& session) {
  auto* options = session.keep<CheckOptions>();
  CLI::App* command = add_command(app, session, "check", "Judge rules without running them", {"creance check --rules rules/", "creance check --rules new.yml --json | jq .message"});
  add_rule_options(*command, options->sources);
  command->add_option("--types", options->types, "Folder of Template Types in place of the built-in ones");
  command->add_flag("--strict", options->strict, "Warnings are findings too");
  command->callback([&session, options] { session.run = [&session, options] { return check(*options, session); }; });
}

}  // namespace creance::cli
