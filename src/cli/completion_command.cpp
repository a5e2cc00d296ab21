// Completion scripts and man pages, made from the parser itself, so that they never disagree with it.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/command.hpp"

namespace creance::cli {
namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) { return app.get_subcommands([](const CLI::App*) { return true; }); }

std::string options_of(const CLI::App& app) {
  std::string words;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words += " --" + name;
  }
  return words;
}

std::string bash_script(const CLI::App& app) {
  std::string out = "# bash completion for creance; load with: source <(creance completion bash)\n_creance() {\n  local current=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} words\n  case $command in\n";
  std::string names;
  for (const CLI::App* command : commands_of(app)) {
    names += " " + command->get_name();
    std::string below;
    for (const CLI::App* nested : commands_of(*command)) below += " " + nested->get_name() + options_of(*nested);
    out += fmt::format("    {}) words=\"{}{}\" ;;\n", command->get_name(), options_of(*command), below);
  }
  out += fmt::format("    *) words=\"{}{}\" ;;\n  esac\n", names, options_of(app));
  out += "  [ \"$COMP_CWORD\" -gt 1 ] || words=\"" + names + options_of(app) + "\"\n";
  out += "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$current\"))\n}\ncomplete -o filenames -F _creance creance\n";
  return out;
}

std::string zsh_script(const CLI::App& app) { return "#compdef creance\nautoload -U +X bashcompinit && bashcompinit\n" + bash_script(app); }

std::string fish_script(const CLI::App& app) {
  std::string out = "# fish completion for creance; load with: creance completion fish | source\n";
  for (const CLI::App* command : commands_of(app)) {
    out += fmt::format("complete -c creance -n __fish_use_subcommand -a {} -d '{}'\n", command->get_name(), command->get_description());
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) out += fmt::format("complete -c creance -n '__fish_seen_subcommand_from {}' -l {} -d '{}'\n", command->get_name(), name, option->get_description());
    }
  }
  return out;
}

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
      out += fmt::format(".TP\n.B creance {} {}\n{}\n", roff(command->get_name()), roff(nested->get_name()), roff(nested->get_description()));
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
      session.terminal.data(*shell == "fish" ? fish_script(app) : *shell == "zsh" ? zsh_script(app) : bash_script(app));
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
