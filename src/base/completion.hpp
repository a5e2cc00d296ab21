// Completion scripts for bash, zsh and fish, of any of our programs: subcommands of any depth, options, and words that an argument may be. Each is to be sourced, or put where the shell looks for them
// (bash-completion's folder, $fpath, fish's completions). Not a parser of command lines. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace creance::completion {

struct Option {
  std::string name;  // "--json"
  std::string does;
  bool takes_value = false;
};
struct Command {
  std::string path;  // "" the program itself, "/policy", "/policy/show"; parents stand before their children
  std::string does;
  std::vector<Option> options;
  std::vector<std::string> words;  // what its argument may be; empty: a file
};

// `shell`: bash, zsh or fish; "" for any other.
std::string script(std::string_view program, const std::vector<Command>& commands, std::string_view shell);

}  // namespace creance::completion
