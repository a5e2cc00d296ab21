// creance-schema-gen TYPES_DIR OUT_DIR: writes from types/*.yml what D1 asks for:
//   OUT_DIR/generated/types.hpp          one inputs struct per Type that a collector of ours fills (`collected`), fixed-size, every input required
//   OUT_DIR/generated/catalog.cpp        the catalog built into every program
//   OUT_DIR/share/schemas/<id>.json      JSON Schema 2020-12 of an event of the Type
//   OUT_DIR/share/types/<id>.md          reference page
// --seed-fault omit-last-input: leaves the last input out of inputs(); for the test that the worker's own count finds a broken generator.
#include <fmt/format.h>

#include <cctype>
#include <cstdio>
#include <string>
#include <vector>

#include "base/os/real.hpp"
#include "schema/catalog.hpp"

namespace creance::schema {
namespace {

std::string literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string identifier(std::string_view name) {
  std::string out;
  for (const char c : name) out += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  if (out.empty() || std::isdigit(static_cast<unsigned char>(out[0]))) out.insert(0, "_");
  return out;
}

std::string struct_name(std::string_view id) {
  std::string out;
  bool upper = true;
  for (const char c : id) {
    if (c == '.' || c == '_') {
      upper = true;
      continue;
    }
    out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return out;
}

std::string fingerprint_literal(const Fingerprint& fingerprint) {
  std::string out = "{";
  for (const uint8_t b : fingerprint) out += fmt::format("0x{:02x},", b);
  out.back() = '}';
  return out;
}

std::string struct_text(const TemplateType& type, bool omit_last) {
  std::string out = fmt::format("// {}: {}\nstruct {} {{\n", type.id, type.description, struct_name(type.id));
  out += fmt::format("  static constexpr std::string_view kTypeId = {};\n  static constexpr uint32_t kVersion = {};\n", literal(type.id), type.version);
  out += fmt::format("  static constexpr uint32_t kInputCount = {};\n  static constexpr Fingerprint kFingerprint = {};\n\n", type.inputs.size(), fingerprint_literal(type.fingerprint));
  for (const InputDefinition& input : type.inputs) out += fmt::format("  Required {};  // {}: {}\n", identifier(input.name), to_string(input.type), input.description);
  out += "\n  // Fills the first kInputCount slots of an event's inputs, in the Type's order.\n  constexpr void write(std::span<InputValue, kInputCount> out) const {\n";
  const size_t count = type.inputs.size() - (omit_last ? 1 : 0);
  for (size_t i = 0; i < count; ++i) out += fmt::format("    out[{}] = {}.value;\n", i, identifier(type.inputs[i].name));
  return out + "  }\n};\n\n";
}

std::string header_text(const std::vector<TemplateType>& types, bool omit_last) {
  std::string out =
      "// Generated from types/*.yml. Do not edit.\n#pragma once\n#include <cstdint>\n#include <span>\n#include <string_view>\n\n"
      "#include \"schema/required.hpp\"\n#include \"schema/type.hpp\"\n\nnamespace creance::schema::types {\n\n";
  for (const TemplateType& type : types) {
    if (type.collected) out += struct_text(type, omit_last);
  }
  return out + "}  // namespace creance::schema::types\n";
}

std::string list_text(const std::vector<std::string>& items) {
  std::string out = "{";
  for (const std::string& item : items) out += literal(item) + ",";
  return out + "}";
}

std::string logsource_text(const AnsweredLogSource& answered) {
  std::string when = "{";
  for (const Restriction& r : answered.when) when += fmt::format("{{{}, {}}},", literal(r.input), list_text(r.values));
  const LogSource& l = answered.logsource;
  return fmt::format("{{{{{}, {}, {}}}, {}}}}},\n", literal(l.product), literal(l.category), literal(l.service), when);
}

std::string source_text(const EventSource& source) {
  std::string rename = "{";
  for (const auto& [input, field] : source.rename) rename += fmt::format("{{{}, {}}},", literal(input), literal(field));
  return fmt::format("{{{}, {}, {{{}}}, {}}}, {}, {}}},\n", list_text(source.channels), list_text(source.providers), fmt::join(source.event_ids, ","), rename, source.unclaimed, list_text(source.writers));
}

std::string catalog_text(const std::vector<TemplateType>& types) {
  // Inputs lie in tables: thousands of initialisers with strings in them would take the compiler a minute.
  std::string out =
      "// Generated from types/*.yml. Do not edit.\n#include \"schema/catalog.hpp\"\n\nnamespace creance::schema {\nnamespace {\nstruct Row {\n  const char* name;\n  InputType type;\n  const char* about;\n};\n"
      "std::vector<InputDefinition> inputs_of(std::span<const Row> rows) {\n  std::vector<InputDefinition> out;\n  out.reserve(rows.size());\n  for (const Row& row : rows) out.push_back({row.name, row.type, row.about});\n  return out;\n}\n";
  for (size_t t = 0; t < types.size(); ++t) {
    const TemplateType& type = types[t];
    out += fmt::format("constexpr Row kInputs{}[] = {{\n", t);
    for (const InputDefinition& i : type.inputs) out += fmt::format("    {{{}, static_cast<InputType>({}), {}}},\n", literal(i.name), static_cast<int>(i.type), literal(i.description));
    out += "};\n";
    out += fmt::format("TemplateType make_{}() {{\n  TemplateType type;\n  type.id = {};\n  type.version = {};\n", t, literal(type.id), type.version);
    out += fmt::format("  type.title = {};\n  type.description = {};\n  type.platform = {};\n", literal(type.title), literal(type.description), literal(type.platform));
    out += fmt::format("  type.collected = {};\n  type.fingerprint = {};\n  type.inputs = inputs_of(kInputs{});\n", type.collected, fingerprint_literal(type.fingerprint), t);
    out += "  type.logsources = {\n";
    for (const AnsweredLogSource& l : type.logsources) out += "      " + logsource_text(l);
    out += "  };\n  type.sources = {\n";
    for (const EventSource& s : type.sources) out += "      " + source_text(s);
    out += "  };\n  return type;\n}\n";
  }
  out += "}  // namespace\n\nconst Catalog& Catalog::embedded() {\n  static const Catalog catalog = [] {\n    std::vector<TemplateType> types;\n";
  for (size_t t = 0; t < types.size(); ++t) out += fmt::format("    types.push_back(make_{}());\n", t);
  return out + "    return Catalog(std::move(types));\n  }();\n  return catalog;\n}\n\n}  // namespace creance::schema\n";
}

std::string_view json_type(InputType type) {
  switch (type) {
    case InputType::kInteger: return R"(["integer", "string"])";
    case InputType::kBoolean: return R"(["boolean", "string"])";
    case InputType::kString: case InputType::kIp: case InputType::kTime: return R"("string")";
  }
  return R"("string")";
}

std::string json_schema_text(const TemplateType& type) {
  std::string out = fmt::format("{{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \"$id\": \"urn:creance:type:{}:{}\",\n  \"title\": {},\n  \"description\": {},\n", type.id,
                                type.version, literal(type.title), literal(type.description));
  out += fmt::format("  \"x-fingerprint\": \"{}\",\n  \"type\": \"object\",\n  \"properties\": {{\n", to_hex(type.fingerprint));
  for (size_t i = 0; i < type.inputs.size(); ++i) {
    const InputDefinition& input = type.inputs[i];
    out += fmt::format("    {}: {{\"type\": {}, \"description\": {}}}{}\n", literal(input.name), json_type(input.type), literal(input.description), i + 1 < type.inputs.size() ? "," : "");
  }
  return out + "  }\n}\n";
}

std::string page_text(const TemplateType& type) {
  std::string out = fmt::format("# {}\n\n{}\n\nVersion {}, {} inputs, interface fingerprint `{}`.\n\n", type.id, type.description, type.version, type.inputs.size(), to_hex(type.fingerprint));
  out += "Sigma log sources:\n\n";
  for (const AnsweredLogSource& l : type.logsources) {
    std::vector<std::string> parts;
    for (const auto& [key, value] : {std::pair{"product", &l.logsource.product}, std::pair{"category", &l.logsource.category}, std::pair{"service", &l.logsource.service}}) {
      if (!value->empty()) parts.push_back(fmt::format("{} `{}`", key, *value));
    }
    out += fmt::format("- {}", fmt::join(parts, ", "));
    for (const Restriction& r : l.when) out += fmt::format(", where `{}` is `{}`", r.input, fmt::join(r.values, "` or `"));
    out += "\n";
  }
  out += "\n| input | type | meaning |\n|---|---|---|\n";
  for (const InputDefinition& input : type.inputs) out += fmt::format("| `{}` | {} | {} |\n", input.name, to_string(input.type), input.description);
  return out;
}

Status write(FileSystem& files, const std::filesystem::path& path, const std::string& text) {
  if (const auto old = files.read(path, 64u << 20); old && as_text(*old) == text) return {};  // untouched: nothing is built again
  TRY_VOID(files.make_directories(path.parent_path()));
  return files.write_atomic(path, as_bytes(text), 0644);
}

Status generate(const std::vector<TemplateType>& types, const std::filesystem::path& out, bool omit_last) {
  os::RealFileSystem files;
  TRY_VOID(write(files, out / "generated/types.hpp", header_text(types, omit_last)));
  TRY_VOID(write(files, out / "generated/catalog.cpp", catalog_text(types)));
  for (const TemplateType& type : types) {
    TRY_VOID(write(files, out / "share/schemas" / (type.id + ".json"), json_schema_text(type)));
    TRY_VOID(write(files, out / "share/types" / (type.id + ".md"), page_text(type)));
  }
  return {};
}

int run(const std::vector<std::string>& arguments) {
  const bool omit_last = arguments.size() == 4 && arguments[2] == "--seed-fault" && arguments[3] == "omit-last-input";
  if (arguments.size() != 2 && !omit_last) {
    std::fputs("usage: creance-schema-gen TYPES_DIR OUT_DIR [--seed-fault omit-last-input]\n", stderr);
    return 3;
  }
  Diagnostics diagnostics;
  const auto types = load_types(arguments[0], diagnostics);
  for (const Diagnostic& d : diagnostics) fmt::print(stderr, "{}\n", to_line(d));
  if (!types) {
    fmt::print(stderr, "creance-schema-gen: {}\n", types.error().detail);
    return 1;
  }
  if (const auto done = generate(*types, arguments[1], omit_last); !done) {
    fmt::print(stderr, "creance-schema-gen: {}\n", done.error().detail);
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace creance::schema

int main(int argc, char** argv) { return creance::schema::run({argv + 1, argv + argc}); }
