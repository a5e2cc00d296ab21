// pack: rules -> a release in a folder, reproducible byte for byte. Refuses rules with errors and cases that fail.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "base/digest.hpp"
#include "cli/command.hpp"
#include "cli/content_pack.hpp"
#include "cli/rule_files.hpp"

namespace creance::cli {
namespace {

struct PackOptions {
  PackRequest request;
  std::string types;
  std::string out = "dist";
};

int report(const PackOutcome& outcome, const PackOptions& options, const std::filesystem::path& folder, const Session& session) {
  const Terminal& terminal = session.terminal;
  Table table({"FILE", "BYTES", "SHA-256"});
  for (const auto& [name, bytes] : outcome.files) {
    const std::string digest = sha256(bytes).hex();
    if (session.json) terminal.data_line(to_json(Json::object({{"file", (folder / name).string()}, {"bytes", bytes.size()}, {"sha256", digest}})));
    table.row({name, fmt::to_string(bytes.size()), digest});
  }
  if (!session.json) terminal.data(table.text(terminal));
  terminal.note(fmt::format("release {}: {} instances, {} cases passed by both judges, in `{}`; next: creance sign {}", options.request.release, outcome.instances, outcome.cases, folder.string(), folder.string()));
  return kOk;
}

int pack(const PackOptions& options, const Session& session) {
  const Terminal& terminal = session.terminal;
  const auto catalog = load_catalog(options.types, terminal);
  if (!catalog) return kUsage;
  const auto outcome = make_pack(options.request, *catalog, terminal);
  if (!outcome) {
    terminal.error(outcome.error().detail);
    return kUsage;
  }
  if (outcome->files.empty()) {
    print_diagnostics(outcome->diagnostics, session.json, terminal);
    for (const std::string& failure : outcome->failures) terminal.error(failure);
    terminal.error("nothing was packed");
    return outcome->unreadable ? kUnreadable : kFindings;
  }
  for (const Diagnostic& d : outcome->diagnostics) terminal.note(to_line(d));
  const std::filesystem::path folder = std::filesystem::path(options.out) / options.request.release;
  if (const auto written = write_pack(folder, outcome->files); !written) {
    terminal.error(written.error().detail);
    return written.error().code == ErrorCode::kExists ? kUsage : kUnreadable;
  }
  return report(*outcome, options, folder, session);
}

}  // namespace

void add_pack(CLI::App& app, Session& session) {
  auto* options = session.keep<PackOptions>();
  CLI::App* command = add_command(app, session, "pack", "Make a release of channel files from rules", {"creance pack --rules rules/ --release starter-1 --out dist"});
  add_rule_options(*command, options->request.sources);
  command->add_option("--logs", options->request.logs, "Files of events: what rarely holds in them wakes the rules. Sources of the release, as the rules are")->take_all();
  command->add_option("--release", options->request.release, "Name of the release")->required();
  command->add_option("--notes", options->request.notes, "The author's words, for the release notes");
  command->add_option("--category", options->request.category, "Content category that policies name")->capture_default_str();
  command->add_option("--out", options->out, "Folder in which the release's folder is made")->capture_default_str();
  command->add_option("--types", options->types, "Folder of Template Types in place of the built-in ones");
  command->callback([&session, options] { session.run = [&session, options] { return pack(*options, session); }; });
}

}  // namespace creance::cli
