#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <optional>
#include <sstream>

#include "base/text.hpp"
#include "cli/command.hpp"

namespace creance::cli {
namespace {

// A first word that is no command: say so, with the nearest one, before anything that the parser finds missing.
std::optional<std::string> unknown_command(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return std::nullopt;
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(command->get_name());
  if (std::ranges::find(names, argv[1]) != names.end()) return std::nullopt;
  const std::vector<std::string_view> views(names.begin(), names.end());
  const auto near = nearest(argv[1], views);
  return fmt::format("no command `{}`{}", argv[1], near ? fmt::format("; did you mean `{}`?", *near) : "");
}

int usage_error(const CLI::App& app, const CLI::ParseError& error, const Terminal& terminal, int argc, char** argv) {
  if (error.get_exit_code() == 0) {  // --help, --version
    std::ostringstream help;
    app.exit(error, help, help);
    terminal.data(help.str());
    if (terminal.flush()) return kOk;
    terminal.error("standard output could not be written to the end");
    return kUnreadable;
  }
  terminal.error(unknown_command(app, argc, argv).value_or(error.what()));
  const auto named = app.get_subcommands();
  terminal.note(fmt::format("see `creance {}{}--help`", named.empty() ? "" : named.front()->get_name(), named.empty() ? "" : " "));
  return kUsage;
}

int run(int argc, char** argv) {
  Session session;
  CLI::App app{"Creance: detection content from its author's desk to every sensor, on a line the whole way."};
  app.set_version_flag("--version", "creance " CREANCE_VERSION);
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help of every command");
  std::string color = "auto";
  app.add_option("--color", color, "auto, always or never; NO_COLOR is honoured")->check(CLI::IsMember({"auto", "always", "never"}));
  bool quiet = false;
  app.add_flag("-q,--quiet", quiet, "Only results and errors");
  for (const auto add : {add_init, add_check, add_test, add_pack, add_scan, add_types, add_keys, add_sign, add_push, add_release, add_rollout, add_sensor, add_policy, add_detections, add_completion}) {
    add(app, session);
  }
  app.footer("Exit codes: 0 ok, 1 findings, 2 input unreadable, 3 usage or configuration.\nExamples: `creance check --rules rules/` · `creance scan --rules rules/ --events sysmon.jsonl`");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error, session.terminal, argc, argv);
  }
  session.terminal.choose_color(color == "always" ? ColorChoice::kAlways : color == "never" ? ColorChoice::kNever : ColorChoice::kAuto);
  if (quiet) session.terminal.be_quiet();
  const int code = session.run();
  if (!session.terminal.flush()) {
    session.terminal.error("standard output could not be written to the end");
    return kUnreadable;
  }
  return code;
}

}  // namespace

CLI::App* add_command(CLI::App& app, Session& session, const std::string& name, const std::string& description, const std::vector<std::string>& examples) {
  CLI::App* command = app.add_subcommand(name, description);
  command->add_flag("--json", session.json, "JSON on standard output, for machines");
  command->fallthrough();
  std::string footer = examples.empty() ? "" : "Examples:\n";
  for (const std::string& example : examples) footer += "  " + example + "\n";
  command->footer(footer);
  return command;
}

}  // namespace creance::cli

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of writing, told once, not a death
  return creance::cli::run(argc, argv);
}
