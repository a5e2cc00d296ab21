#include "base/completion.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace creance::completion {
namespace {

std::string_view name_of(const Command& command) { return std::string_view(command.path).substr(command.path.rfind('/') + 1); }

std::vector<const Command*> below(const std::vector<Command>& commands, const Command& parent) {
  std::vector<const Command*> out;
  for (const Command& command : commands)
    if (!command.path.empty() && command.path.substr(0, command.path.rfind('/')) == parent.path) out.push_back(&command);
  return out;
}

std::string function_name(std::string_view program) {
  std::string out = "_";
  for (const char c : program) out += c == '-' ? '_' : c;
  return out;
}

// Between single quotes. In fish `\` and `'` are escaped there; in bash and zsh a `'` ends them.
std::string fish_quoted(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\'' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
  return "'" + out + "'";
}
std::string shell_quoted(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return "'" + out + "'";
}
std::string described(std::string_view name, std::string_view does) {  // for zsh's _describe, where a colon ends the name
  std::string out(name);
  out += ':';
  for (const char c : does) out += c == '\\' || c == ':' ? std::string{'\\', c} : std::string(1, c);
  return shell_quoted(out);
}

// The paths that a word may lead to, for `case`.
std::string paths(const std::vector<Command>& commands, std::string_view between) {
  std::string out;
  for (const Command& command : commands)
    if (!command.path.empty()) out += (out.empty() ? "" : std::string(between)) + command.path;
  return out.empty() ? "/" : out;
}

std::string bash(std::string_view program, const std::vector<Command>& commands) {
  const std::string function = function_name(program);
  std::string out = fmt::format("# bash completion for {0}; load with: source <({0} completion bash)\n{1}() {{\n  local current=${{COMP_WORDS[COMP_CWORD]}} at= words= i\n", program, function);
  out += fmt::format("  for ((i = 1; i < COMP_CWORD; i++)); do\n    case \"$at/${{COMP_WORDS[i]}}\" in\n      {}) at=\"$at/${{COMP_WORDS[i]}}\" ;;\n    esac\n  done\n  case \"$at\" in\n", paths(commands, "|"));
  for (const Command& command : commands) {
    std::string words;
    for (const Command* child : below(commands, command)) words += fmt::format(" {}", name_of(*child));
    for (const std::string& word : command.words) words += " " + word;
    for (const Option& option : command.options) words += " " + option.name;
    out += fmt::format("    '{}') words='{}' ;;\n", command.path, words.empty() ? words : words.substr(1));
  }
  out += "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n  [ ${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- \"$current\"))\n}\n";
  return out + fmt::format("complete -o filenames -F {} {}\n", function, program);
}

std::string zsh(std::string_view program, const std::vector<Command>& commands) {
  const std::string function = function_name(program);
  std::string out = fmt::format("#compdef {0}\n# zsh completion for {0}; load with: source <({0} completion zsh), after compinit\n{1}() {{\n  local at= valued= i\n  local -a choices options\n", program, function);
  out += fmt::format("  for ((i = 2; i < CURRENT; i++)); do\n    case \"$at/${{words[i]}}\" in\n      ({}) at=\"$at/${{words[i]}}\" ;;\n    esac\n  done\n  case \"$at\" in\n", paths(commands, "|"));
  for (const Command& command : commands) {
    out += fmt::format("    ('{}')\n      choices=(", command.path);
    for (const Command* child : below(commands, command)) out += " " + described(name_of(*child), child->does);
    for (const std::string& word : command.words) out += " " + described(word, "");
    out += " )\n      options=(";
    std::string valued;
    for (const Option& option : command.options) {
      out += " " + described(option.name, option.does);
      if (option.takes_value) valued += fmt::format("{}{}", valued.empty() ? "" : "|", option.name);
    }
    out += fmt::format(" )\n      valued='{}' ;;\n", valued);
  }
  out += "  esac\n  if [[ -n $valued && ${words[CURRENT-1]} == (${~valued}) ]]; then\n    _files\n  elif [[ ${words[CURRENT]} == -* ]]; then\n    _describe -o 'option' options\n";
  out += "  elif (( $#choices )); then\n    _describe 'command' choices\n  else\n    _files\n  fi\n}\n";
  // Autoloaded from $fpath it is the body of the function itself; sourced, it only says whose it is.
  return out + fmt::format("if [[ ${{funcstack[1]}} == {0} ]]; then\n  {0} \"$@\"\nelse\n  (( $+functions[compdef] )) || {{ autoload -U compinit && compinit }}\n  compdef {0} {1}\nfi\n", function, program);
}

std::string fish(std::string_view program, const std::vector<Command>& commands) {
  const std::string at = "_" + function_name(program) + "_at";
  std::string out = fmt::format("# fish completion for {0}; load with: {0} completion fish | source\nfunction {1}\n  set -l at ''\n  for word in (commandline -opc)\n    switch \"$at/$word\"\n      case {2}\n        set at \"$at/$word\"\n    end\n  end\n  test \"$at\" = \"$argv[1]\"\nend\n",
                                program, at, paths(commands, " "));
  out += fmt::format("complete -c {} -e\n", program);
  for (const Command& command : commands) {
    const std::string here = fmt::format("complete -c {} -n \"{} '{}'\"", program, at, command.path);
    for (const Command* child : below(commands, command)) out += fmt::format("{} -f -a {} -d {}\n", here, name_of(*child), fish_quoted(child->does));
    for (const std::string& word : command.words) out += fmt::format("{} -f -a {}\n", here, word);
    for (const Option& option : command.options) out += fmt::format("{} -l {} -d {}{}\n", here, option.name.substr(2), fish_quoted(option.does), option.takes_value ? " -r" : "");
  }
  return out;
}

}  // namespace

std::string script(std::string_view program, const std::vector<Command>& commands, std::string_view shell) {
  if (shell == "bash") return bash(program, commands);
  if (shell == "zsh") return zsh(program, commands);
  return shell == "fish" ? fish(program, commands) : std::string();
}

}  // namespace creance::completion
