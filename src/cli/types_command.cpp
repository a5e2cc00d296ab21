#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "cli/command.hpp"
#include "cli/rule_files.hpp"

namespace creance::cli {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const schema::TemplateType& type) {
  Json inputs = Json::array();
  for (const auto& input : type.inputs) inputs.push_back({{"name", input.name}, {"type", schema::to_string(input.type)}, {"about", input.description}});
  return {{"type", type.id}, {"version", type.version}, {"platform", type.platform}, {"title", type.title}, {"fingerprint", to_hex(type.fingerprint)}, {"inputs", inputs}};
}

int list(const schema::Catalog& catalog, const Session& session) {
  Table table({"TYPE", "VERSION", "INPUTS", "FINGERPRINT", "TITLE"});
  for (const auto& type : catalog.types()) {
    if (session.json) session.terminal.data_line(to_json(type).dump());
    table.row({type.id, fmt::to_string(type.version), fmt::to_string(type.inputs.size()), to_hex(type.fingerprint).substr(0, 16), type.title});
  }
  if (!session.json) session.terminal.data(table.text(session.terminal));
  return kOk;
}

int show(const schema::Catalog& catalog, const std::string& id, const Session& session) {
  const schema::TemplateType* type = catalog.find(id);
  if (type == nullptr) {
    std::vector<std::string_view> names;
    for (const auto& known : catalog.types()) names.push_back(known.id);
    const auto near = nearest(id, names);
    session.terminal.error(fmt::format("no Template Type `{}`; {}", id, near ? fmt::format("did you mean `{}`?", *near) : "`creance types` lists them"));
    return kUsage;
  }
  if (session.json) {
    session.terminal.data_line(to_json(*type).dump());
    return kOk;
  }
  session.terminal.data_line(fmt::format("{} (version {}): {}\nfingerprint {}\n", type->id, type->version, type->description, to_hex(type->fingerprint)));
  Table table({"INPUT", "TYPE", "MEANING"});
  for (const auto& input : type->inputs) table.row({input.name, std::string(schema::to_string(input.type)), input.description});
  session.terminal.data(table.text(session.terminal));
  return kOk;
}

}  // namespace

void add_types(CLI::App& app, Session& session) {
  CLI::App* command = add_command(app, session, "types", "Template Types and their inputs", {"creance types", "creance types windows.pipe_created"});
  auto* id = session.keep<std::string>();
  auto* directory = session.keep<std::string>();
  command->add_option("TYPE", *id, "Show this one");
  command->add_option("--types", *directory, "Folder of Template Types in place of the built-in ones");
  command->callback([&session, id, directory] {
    session.run = [&session, id, directory] {
      const auto catalog = load_catalog(*directory, session.terminal);
      if (!catalog) return static_cast<int>(kUsage);
      return id->empty() ? list(*catalog, session) : show(*catalog, *id, session);
    };
  });
}

}  // namespace creance::cli
