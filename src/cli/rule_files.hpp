// Rules as the commands take them: files and folders, searched for *.yml and *.yaml in the order of their names. Links are followed; what was read already is not read again.
// The file `pipeline.yml` at the top of a folder of rules is its pipeline (sigma/pipeline.hpp) and no rule.
#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "cli/terminal.hpp"
#include "schema/catalog.hpp"
#include "sigma/correlation.hpp"
#include "sigma/rule.hpp"

namespace CLI {
class App;
}

namespace creance::cli {

// Where the rules come from, and what is put into them: the options that check, test, scan, pack and sign share.
struct RuleSources {
  std::vector<std::string> rules;
  std::vector<std::string> placeholders;
  std::vector<std::string> pipelines;
};
void add_rule_options(CLI::App& command, RuleSources& sources);

struct LoadedRules {
  std::vector<sigma::Rule> rules;  // as they run: filters, mappings and placeholders applied
  std::vector<sigma::Correlation> correlations;  // refused ones too, as sigma/parser.hpp gives them
  Diagnostics diagnostics;      // of the rule files, sorted
  uint32_t files = 0;
  uint32_t documents = 0;       // rules and correlations, unusable ones too
  bool settings_broken = false; // a filter or pipeline has errors, or could not be put into a rule: the rules would find something else than what was asked for
  bool unreadable = false;      // a path was not there or could not be read; told on standard error
};

// Folders are searched through, `*.cases.yml` left out; a file that is named is always taken.
LoadedRules load_rules(const RuleSources& sources, const Terminal& terminal);

// The catalog of this build, or of --types DIR; problems are told on standard error, with nothing returned.
std::shared_ptr<const schema::Catalog> load_catalog(const std::string& types_directory, const Terminal& terminal);

// One diagnostic a line, or one JSON object a line.
void print_diagnostics(const Diagnostics& diagnostics, bool json, const Terminal& terminal);

}  // namespace creance::cli
