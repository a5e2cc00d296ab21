// Completion scripts and man pages, made from the parser itself, so that they never disagree with it.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/parser_words.hpp"
#include "cli/command.hpp"

namespace creance::cli {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) { return app.get_subcommands([](const CLI::App*) { return true; }); }

std::string roff(std::string_view text) {  // man(7): a leading dot or quote would be a request, a backslash an escape
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') out += "\\e";
    else if (c == '-') out += "\\-";
    else out += c;
    line_start = c == '\n';
  }
  return out;
}

void man_options(const CLI::App& app, std::string& out) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_name(false, true).empty()) continue;
    out += fmt::format(".TP\n.B {}\n{}\n", roff(option->get_name(true, true)), roff(option->get_description()));
  }
}

std::string man_page(const CLI::App& app) {
  std::string out = ".TH CREANCE 1 \"\" \"creance " CREANCE_VERSION "\" \"User Commands\"\n.SH NAME\ncreance \\- detection content, checked, signed, released in rings\n.SH SYNOPSIS\n.B creance\n.I COMMAND\n[options]\n.SH DESCRIPTION\n";
  out += roff(app.get_description()) + "\n.SH OPTIONS\n";
  man_options(app, out);
  out += ".SH COMMANDS\n";
  for (const CLI::App* command : commands_of(app)) {
    out += fmt::format(".SS creance {}\n{}\n", roff(command->get_name()), roff(command->get_description()));
    man_options(*command, out);
    for (const CLI::App* nested : commands_of(*command)) {
      out += fmt::format(".PP\n.B creance {} {}\n{}\n", roff(command->get_name()), roff(nested->get_name()), roff(nested->get_description()));
      man_options(*nested, out);
    }
    if (!command->get_footer().empty()) out += ".PP\n.nf\n" + roff(command->get_footer()) + "\n.fi\n";
  }
  return out + ".SH EXIT STATUS\n0 ok, 1 findings, 2 input unreadable, 3 usage or configuration.\n";
}

}  // namespace

void add_completion(CLI::App& app, Session& session) {
  auto* shell = session.keep<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Completion script for a shell");
  command->add_option("SHELL", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer("Examples:\n  source <(creance completion bash)");
  command->callback([&app, &session, shell] {
    session.run = [&app, &session, shell] {
      session.terminal.data(completion::script("creance", completion::words_of(app), *shell));
      return static_cast<int>(kOk);
    };
  });
  CLI::App* man = app.add_subcommand("man", "The manual page, for man(1)");
  man->footer("Examples:\n  creance man | man -l -");
  man->callback([&app, &session] {
    session.run = [&app, &session] {
      session.terminal.data(man_page(app));
      return static_cast<int>(kOk);
    };
  });
}

}  // namespace creance::cli
