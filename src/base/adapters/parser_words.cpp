#include "base/parser_words.hpp"

#include <CLI/CLI.hpp>

namespace creance::completion {
namespace {

void add_options(const CLI::App& app, Command& out) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) out.options.push_back({"--" + name, option->get_description(), option->get_expected_min() > 0 && option->get_type_size() > 0});
    if (option->get_name(true) == "SHELL") out.words = {"bash", "zsh", "fish"};
  }
}

}  // namespace

std::vector<Command> words_of(const CLI::App& program) {
  std::vector<Command> out;
  struct Waiting {
    const CLI::App* app;
    std::string path;
  };
  std::vector<Waiting> waiting = {{&program, ""}};  // parents before their children
  for (size_t i = 0; i < waiting.size(); ++i) {
    const Waiting now = waiting[i];
    Command command{now.path, now.app->get_description(), {}, {}};
    add_options(*now.app, command);
    if (now.app->get_fallthrough() && now.app->get_parent() != nullptr && now.app->get_parent()->get_parent() != nullptr) {
      Command parents;
      add_options(*now.app->get_parent(), parents);
      for (Option& option : parents.options)
        if (option.name != "--help") command.options.push_back(std::move(option));
    }
    out.push_back(std::move(command));
    for (const CLI::App* child : now.app->get_subcommands([](const CLI::App*) { return true; })) waiting.push_back({child, now.path + "/" + child->get_name()});
  }
  return out;
}

}  // namespace creance::completion
