#include "cli/rule_files.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/limits.hpp"
#include "base/os/real.hpp"
#include "base/text.hpp"
#include "cli/file_search.hpp"
#include "sigma/parser.hpp"
#include "sigma/resolve.hpp"
#include "validator/judge/codes.hpp"

namespace creance::cli {
namespace {
namespace fs = std::filesystem;

constexpr const char* kPipelineFile = "pipeline.yml";

bool is_cases_file(std::string_view name) { return (name.ends_with(".cases.yml") || name.ends_with(".cases.yaml")) && !name.starts_with("."); }
bool is_rule_file(std::string_view name) { return (name.ends_with(".yml") || name.ends_with(".yaml")) && !is_cases_file(name) && !name.starts_with("."); }

// Beside `x.cases.yml`: is there no `x.yml`? Its cases would be run by nobody.
bool is_orphan(const std::string& path) {
  if (!is_cases_file(fs::path(path).filename().string())) return false;
  std::string rule = path;
  rule.erase(rule.rfind(".cases."), std::string_view(".cases").size());
  std::error_code ec;
  return !fs::exists(rule, ec);
}

// The pipelines that were named, and those of the folders; none of their files is a rule.
sigma::Pipeline load_pipeline(const RuleSources& sources, FileSystem& files, SeenFiles& seen, LoadedRules& loaded, const Terminal& terminal) {
  sigma::PipelineFiles wanted{sources.pipelines, sources.placeholders};
  std::error_code ec;
  for (const std::string& path : sources.rules) {
    const std::string own = (fs::path(path) / kPipelineFile).string();
    if (!fs::is_regular_file(own, ec) || std::ranges::find(wanted.pipelines, own) != wanted.pipelines.end()) continue;
    terminal.note(fmt::format("with the pipeline `{}`", own));
    wanted.pipelines.push_back(own);
  }
  const size_t before = loaded.diagnostics.size();
  auto pipeline = sigma::read_pipeline(wanted, files, loaded.diagnostics);
  loaded.settings_broken = std::any_of(loaded.diagnostics.begin() + static_cast<ptrdiff_t>(before), loaded.diagnostics.end(), [](const Diagnostic& d) { return d.severity == Severity::kError; });
  if (!pipeline) {
    terminal.error(fmt::format("cannot read a pipeline or placeholders: {}", pipeline.error().detail));
    loaded.unreadable = true;
    return {};
  }
  for (const std::string& file : pipeline->files) (void)seen.add(file);
  return std::move(*pipeline);
}

}  // namespace

void add_rule_options(CLI::App& command, RuleSources& sources) {
  command.add_option("--rules", sources.rules, "Sigma rules, correlations and filters: files, or folders to search for *.yml and *.yaml")->required()->take_all();
  command.add_option("--placeholders", sources.placeholders, "Files with the values of placeholders (`expand`): a map of names and values")->take_all();
  command.add_option("--pipeline", sources.pipelines, "Files with mappings of fields and log sources, and placeholders; besides pipeline.yml at the top of a folder of rules")->take_all();
}

LoadedRules load_rules(const RuleSources& sources, const Terminal& terminal) {
  LoadedRules loaded;
  os::RealFileSystem file_system;
  SeenFiles seen;
  std::vector<sigma::Filter> filters;
  const sigma::Pipeline pipeline = load_pipeline(sources, file_system, seen, loaded, terminal);
  for (const std::string& path : sources.rules) {
    FoundFiles found;
    std::error_code ec;
    if (fs::is_directory(path, ec)) {
      if (seen.add(path) == nullptr) found = search_files(path, {.takes = is_rule_file, .hidden_folders = false}, seen);
      if (found.files.empty() && found.problems.empty()) terminal.warning(fmt::format("no rules (*.yml, *.yaml) in `{}` that were not read already", path));
    } else if (!fs::exists(path, ec)) {
      found.problems.push_back(fmt::format("`{}`: {}", path, ec ? ec.message() : "no such file or folder"));
    } else if (seen.add(path) == nullptr) {
      found.files.push_back(path);
    }
    for (const std::string& problem : found.problems) {
      terminal.error("cannot read rules: " + problem);
      loaded.unreadable = true;
    }
    for (const std::string& other : found.passed_over) {
      if (is_orphan(other)) loaded.diagnostics.push_back(validator::judge_diagnostic("J016", other, {1, 1}, "there is no rule file of this name: its cases are not run"));
    }
    for (const std::string& file : found.files) {
      const auto bytes = file_system.read(file, limits::kRuleFileBytesMax * 16);
      if (!bytes) {
        terminal.error(fmt::format("cannot read rule: {}", bytes.error().detail));
        loaded.unreadable = true;
        continue;
      }
      auto parsed = sigma::parse(as_text(*bytes), file);
      ++loaded.files;
      loaded.documents += parsed.documents - static_cast<uint32_t>(parsed.filters.size()) - parsed.refused_filters;
      std::ranges::move(parsed.rules, std::back_inserter(loaded.rules));
      std::ranges::move(parsed.correlations, std::back_inserter(loaded.correlations));
      loaded.settings_broken = loaded.settings_broken || parsed.refused_filters > 0;
      std::ranges::move(parsed.filters, std::back_inserter(filters));
      std::ranges::move(parsed.diagnostics, std::back_inserter(loaded.diagnostics));
    }
  }
  sigma::Resolved resolved = sigma::resolve(std::move(loaded.rules), filters, loaded.correlations, pipeline, loaded.diagnostics);
  loaded.rules = std::move(resolved.rules);
  loaded.settings_broken = loaded.settings_broken || resolved.filter_lost;
  sort(loaded.diagnostics);
  return loaded;
}

std::shared_ptr<const schema::Catalog> load_catalog(const std::string& types_directory, const Terminal& terminal) {
  if (types_directory.empty()) return {std::shared_ptr<void>(), &schema::Catalog::embedded()};
  Diagnostics diagnostics;
  auto types = schema::load_types(types_directory, diagnostics);
  for (const Diagnostic& d : diagnostics) terminal.note(to_line(d));
  if (types) return std::make_shared<schema::Catalog>(std::move(*types));
  terminal.error(types.error().detail);
  return nullptr;
}

void print_diagnostics(const Diagnostics& diagnostics, bool json, const Terminal& terminal) {
  for (const Diagnostic& d : diagnostics) {
    if (json) {
      const nlohmann::ordered_json object = {{"file", d.file}, {"line", d.span.line}, {"column", d.span.column}, {"severity", to_string(d.severity)}, {"code", d.code}, {"message", d.message}, {"help", d.help}};
      terminal.data_line(object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
      continue;
    }
    const Style style = d.severity == Severity::kError ? Style::kRed : d.severity == Severity::kWarning ? Style::kYellow : Style::kBlue;
    const bool one_line = !terminal.output_is_a_terminal();  // programs read one diagnostic a line
    const std::string help = d.help.empty() ? "" : one_line ? fmt::format(" ({})", d.help) : terminal.styled(Style::kDim, "\n    help: " + d.help);
    terminal.data_line(fmt::format("{}:{}:{}: {} {}: {}{}", printable(d.file, 4096), d.span.line, d.span.column, terminal.styled(style, to_string(d.severity)), d.code, d.message, help));
  }
}

}  // namespace creance::cli
