// How a command stands in the program: it adds itself to the parser, and gives back what to run. Exit codes are the contract of every command.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/terminal.hpp"

namespace CLI {
class App;
}

namespace creance::cli {

enum ExitCode : int { kOk = 0, kFindings = 1, kUnreadable = 2, kUsage = 3 };

struct Session {
  Terminal terminal;
  bool json = false;
  std::function<int()> run;  // set by the command that was named

  // What a command's options are parsed into: as long-lived as the session.
  template <class T, class... Arguments>
  T* keep(Arguments&&... arguments) {
    auto made = std::make_shared<T>(std::forward<Arguments>(arguments)...);
    kept.push_back(made);
    return made.get();
  }
  std::vector<std::shared_ptr<void>> kept;
};

// One line each; `app` is the program's parser, `session` outlives the run.
void add_check(CLI::App& app, Session& session);
void add_test(CLI::App& app, Session& session);
void add_pack(CLI::App& app, Session& session);
void add_scan(CLI::App& app, Session& session);
void add_init(CLI::App& app, Session& session);
void add_types(CLI::App& app, Session& session);
void add_keys(CLI::App& app, Session& session);
void add_sign(CLI::App& app, Session& session);
void add_push(CLI::App& app, Session& session);
void add_release(CLI::App& app, Session& session);
void add_rollout(CLI::App& app, Session& session);
void add_sensor(CLI::App& app, Session& session);
void add_policy(CLI::App& app, Session& session);
void add_detections(CLI::App& app, Session& session);
void add_completion(CLI::App& app, Session& session);

// A subcommand with --json, and its examples under --help.
CLI::App* add_command(CLI::App& app, Session& session, const std::string& name, const std::string& description, const std::vector<std::string>& examples);

}  // namespace creance::cli
