// Rules as the commands take them: files and folders, searched for *.yml and *.yaml in the order of their names. Links are followed; what was read already is not read again.
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

namespace creance::cli {

struct LoadedRules {
  std::vector<sigma::Rule> rules;
  std::vector<sigma::Correlation> correlations;
  Diagnostics diagnostics;      // of the rule files, sorted
  uint32_t files = 0;
  uint32_t documents = 0;
  bool unreadable = false;      // a path was not there or could not be read; told on standard error
};

// Folders are searched through, `*.cases.yml` left out; a file that is named is always taken.
LoadedRules load_rules(const std::vector<std::string>& paths, const Terminal& terminal);

// The catalog of this build, or of --types DIR; problems are told on standard error, with nothing returned.
std::shared_ptr<const schema::Catalog> load_catalog(const std::string& types_directory, const Terminal& terminal);

// One diagnostic a line, or one JSON object a line.
void print_diagnostics(const Diagnostics& diagnostics, bool json, const Terminal& terminal);

}  // namespace creance::cli
