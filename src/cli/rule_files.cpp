#include "cli/rule_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/limits.hpp"
#include "base/os/real.hpp"
#include "sigma/parser.hpp"

namespace creance::cli {
namespace {
namespace fs = std::filesystem;

bool is_rule_file(const fs::path& path) {
  const std::string name = path.filename().string();
  return (name.ends_with(".yml") || name.ends_with(".yaml")) && !name.ends_with(".cases.yml") && !name.ends_with(".cases.yaml") && !name.starts_with(".");
}

// Files below `path`, sorted; an error code for what cannot be read.
std::vector<std::string> files_below(const std::string& path, std::error_code& ec) {
  std::vector<std::string> found;
  if (!fs::is_directory(path, ec)) {
    if (!ec) found.push_back(path);
    return found;
  }
  fs::recursive_directory_iterator it(path, fs::directory_options::follow_directory_symlink, ec);
  for (; !ec && it != fs::recursive_directory_iterator(); it.increment(ec)) {
    if (it.depth() > 64) it.disable_recursion_pending();  // a loop of links
    if (it->is_regular_file(ec) && is_rule_file(it->path())) found.push_back(it->path().string());
    ec.clear();
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace

LoadedRules load_rules(const std::vector<std::string>& paths, const Terminal& terminal) {
  LoadedRules loaded;
  os::RealFileSystem file_system;
  std::set<std::string> seen;
  for (const std::string& path : paths) {
    std::error_code ec;
    const auto files = files_below(path, ec);
    if (ec) {
      terminal.error(fmt::format("cannot read rules `{}`: {}", path, ec.message()));
      loaded.unreadable = true;
    } else if (files.empty()) {
      terminal.warning(fmt::format("no rules (*.yml) in `{}`", path));
    }
    for (const std::string& file : files) {
      if (!seen.insert(file).second) continue;
      const auto bytes = file_system.read(file, limits::kRuleFileBytesMax * 16);
      if (!bytes) {
        terminal.error(fmt::format("cannot read rule: {}", bytes.error().detail));
        loaded.unreadable = true;
        continue;
      }
      auto parsed = sigma::parse(as_text(*bytes), file);
      ++loaded.files;
      loaded.documents += parsed.documents;
      std::ranges::move(parsed.rules, std::back_inserter(loaded.rules));
      std::ranges::move(parsed.diagnostics, std::back_inserter(loaded.diagnostics));
    }
  }
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
    terminal.data_line(fmt::format("{}:{}:{}: {} {}: {}", d.file, d.span.line, d.span.column, terminal.styled(style, to_string(d.severity)), d.code, d.message));
    if (!d.help.empty() && terminal.output_is_a_terminal()) terminal.data_line(terminal.styled(Style::kDim, "    help: " + d.help));
  }
}

}  // namespace creance::cli
