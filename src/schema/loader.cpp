#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/digest.hpp"
#include "base/limits.hpp"
#include "base/os/real.hpp"
#include "base/text.hpp"
#include "base/yaml.hpp"
#include "schema/catalog.hpp"
#include "schema/fingerprint.hpp"

namespace creance::schema {
namespace {

// Reads one document of types/. Grammar (every key known, unknown ones refused with the nearest name):
//   id, version, title, description, platform, collected: scalars      inputs: [{name, type, about}]
//   logsources: [{product, category, service, when: {INPUT: [value…]}}]
//   sources: [{channels: […], writers: […], providers: […], event_ids: […], rename: {INPUT: FIELD}, unclaimed: true}]
class TypeReader {
 public:
  TypeReader(const yaml::Document& document, const std::string& file, Diagnostics& diagnostics) : doc_(document), file_(file), diagnostics_(diagnostics) {}

  TemplateType read() {
    TemplateType type;
    const yaml::Node& root = doc_.root();
    if (!expect(root, yaml::Kind::kMap, "a Template Type is a map")) return type;
    known_keys(root, {"id", "version", "title", "description", "platform", "collected", "inputs", "logsources", "sources"});
    type.id = required_text(root, "id");
    type.version = number(root, "version");
    type.title = required_text(root, "title");
    type.description = required_text(root, "description");
    type.platform = required_text(root, "platform");
    type.collected = flag(root, "collected");
    if (!type.id.empty() && type.id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") != std::string::npos) {
      report(root.span, "T005", fmt::format("`{}` is no id of a Template Type", printable(type.id)), "use lower-case letters, digits, `_` and `.`");
    }
    read_inputs(root, type);
    each(root, "logsources", [&](const yaml::Node& node) { type.logsources.push_back(read_logsource(node, type)); });
    each(root, "sources", [&](const yaml::Node& node) { type.sources.push_back(read_source(node, type)); });
    return type;
  }

 private:
  void report(Span span, std::string_view code, std::string message, std::string help = "") {
    diagnostics_.push_back({file_, span, Severity::kError, std::string(code), std::move(message), std::move(help)});
  }
  bool expect(const yaml::Node& node, yaml::Kind kind, std::string_view what) {
    if (node.kind == kind && !node.is_null()) return true;
    report(node.span, "T002", std::string(what));
    return false;
  }
  void known_keys(const yaml::Node& map, std::initializer_list<std::string_view> keys) {
    for (size_t i = 0; i < map.children.size(); i += 2) {
      const yaml::Node& key = doc_.at(map.children[i]);
      if (std::ranges::find(keys, key.text) != keys.end()) continue;
      const auto near = nearest(key.text, std::span(keys.begin(), keys.size()));
      report(key.span, "T003", fmt::format("unknown key `{}`", printable(key.text)), near ? fmt::format("did you mean `{}`?", *near) : "");
    }
  }
  std::string required_text(const yaml::Node& map, std::string_view key) {
    const yaml::Node* node = doc_.find(map, key);
    if (node == nullptr || node->kind != yaml::Kind::kScalar || node->text.empty()) {
      report(node ? node->span : map.span, "T004", fmt::format("`{}` is missing or is no text", key));
      return "";
    }
    return node->text;
  }
  uint32_t parse_number(const yaml::Node& node) {
    uint32_t value = 0;
    const auto [end, ec] = std::from_chars(node.text.data(), node.text.data() + node.text.size(), value);
    if (node.kind != yaml::Kind::kScalar || ec != std::errc() || end != node.text.data() + node.text.size()) {
      report(node.span, "T006", fmt::format("`{}` is no number", printable(node.text)));
    }
    return value;
  }
  uint32_t number(const yaml::Node& map, std::string_view key) {
    const yaml::Node* node = doc_.find(map, key);
    if (node != nullptr) return parse_number(*node);
    report(map.span, "T004", fmt::format("`{}` is missing", key));
    return 0;
  }
  bool flag(const yaml::Node& map, std::string_view key) {
    const yaml::Node* node = doc_.find(map, key);
    if (node == nullptr) return false;
    if (node->kind != yaml::Kind::kScalar || (node->text != "true" && node->text != "false")) report(node->span, "T004", fmt::format("`{}` is true or false", key));
    return node->text == "true";
  }
  template <class Use>
  void each(const yaml::Node& map, std::string_view key, const Use& use) {
    const yaml::Node* list = doc_.find(map, key);
    if (list == nullptr || list->is_null()) return;
    if (!expect(*list, yaml::Kind::kSequence, fmt::format("`{}` is a list", key))) return;
    for (const uint32_t child : list->children) use(doc_.at(child));
  }
  std::vector<std::string> texts(const yaml::Node& map, std::string_view key) {
    std::vector<std::string> out;
    each(map, key, [&](const yaml::Node& node) {
      if (expect(node, yaml::Kind::kScalar, fmt::format("`{}` is a list of texts", key))) out.push_back(node.text);
    });
    return out;
  }
  template <class Use>
  void each_entry(const yaml::Node& map, std::string_view key, const TemplateType& type, const Use& use) {
    const yaml::Node* entries = doc_.find(map, key);
    if (entries == nullptr || !expect(*entries, yaml::Kind::kMap, fmt::format("`{}` is a map", key))) return;
    for (size_t i = 0; i + 1 < entries->children.size(); i += 2) {
      const yaml::Node& name = doc_.at(entries->children[i]);
      if (!type.input_index(name.text)) report(name.span, "T008", fmt::format("`{}` is no input of this Type", printable(name.text)));
      use(name.text, doc_.at(entries->children[i + 1]));
    }
  }

  void read_inputs(const yaml::Node& root, TemplateType& type) {
    std::set<std::string> names;
    each(root, "inputs", [&](const yaml::Node& node) {
      if (!expect(node, yaml::Kind::kMap, "an input is a map of name, type and about")) return;
      known_keys(node, {"name", "type", "about"});
      InputDefinition input{required_text(node, "name"), read_input_type(node), required_text(node, "about")};
      if (input.name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") != std::string::npos) {
        report(node.span, "T012", fmt::format("`{}` is no name of an input", printable(input.name)), "use letters, digits, `_`, `.` and `-`");
      }
      if (!names.insert(input.name).second) report(node.span, "T007", fmt::format("input `{}` stands twice", printable(input.name)));
      type.inputs.push_back(std::move(input));
    });
    if (type.inputs.empty()) report(root.span, "T004", "a Template Type has at least one input");
    if (type.inputs.size() > limits::kInputsPerTypeMax) report(root.span, "T009", fmt::format("more than {} inputs", limits::kInputsPerTypeMax));
  }
  InputType read_input_type(const yaml::Node& node) {
    const std::string name = required_text(node, "type");
    for (const InputType type : {InputType::kString, InputType::kInteger, InputType::kBoolean, InputType::kIp, InputType::kTime}) {
      if (name == to_string(type)) return type;
    }
    report(node.span, "T010", fmt::format("`{}` is no type of an input", printable(name)), "use string, integer, boolean, ip or time");
    return InputType::kString;
  }
  AnsweredLogSource read_logsource(const yaml::Node& node, const TemplateType& type) {
    AnsweredLogSource answered;
    if (!expect(node, yaml::Kind::kMap, "a log source is a map")) return answered;
    known_keys(node, {"product", "category", "service", "when"});
    const auto text = [&](std::string_view key) { return doc_.find(node, key) ? required_text(node, key) : std::string(); };
    answered.logsource = {text("product"), text("category"), text("service")};
    each_entry(node, "when", type, [&](const std::string& input, const yaml::Node& values) {
      Restriction restriction{input, {}};
      if (!expect(values, yaml::Kind::kSequence, "the values of `when` are a list")) return;
      for (const uint32_t child : values.children) restriction.values.push_back(doc_.at(child).text);
      answered.when.push_back(std::move(restriction));
    });
    return answered;
  }
  EventSource read_source(const yaml::Node& node, const TemplateType& type) {
    EventSource source;
    if (!expect(node, yaml::Kind::kMap, "a source is a map")) return source;
    known_keys(node, {"channels", "writers", "providers", "event_ids", "rename", "unclaimed"});
    source.channels = texts(node, "channels");
    source.writers = texts(node, "writers");
    source.providers = texts(node, "providers");
    each(node, "event_ids", [&](const yaml::Node& id) { source.event_ids.push_back(parse_number(id)); });
    each_entry(node, "rename", type, [&](const std::string& input, const yaml::Node& field) { source.rename.emplace_back(input, field.text); });
    source.unclaimed = flag(node, "unclaimed");
    return source;
  }

  const yaml::Document& doc_;
  const std::string& file_;
  Diagnostics& diagnostics_;
};

std::optional<TemplateType> load_type(FileSystem& files, const std::filesystem::path& path, Diagnostics& diagnostics) {
  const std::string file = path.string();
  const auto bytes = files.read(path, limits::kTypeFileBytesMax);
  if (!bytes) {
    diagnostics.push_back({file, {}, Severity::kError, "T001", bytes.error().detail, ""});
    return std::nullopt;
  }
  const auto documents = yaml::parse(as_text(*bytes), file, "T001", diagnostics);
  if (!documents) return std::nullopt;
  if (documents->size() != 1) {
    diagnostics.push_back({file, {1, 1}, Severity::kError, "T002", "one file holds exactly one Template Type", ""});
    return std::nullopt;
  }
  TemplateType type = TypeReader(documents->front(), file, diagnostics).read();
  if (path.stem() != type.id) diagnostics.push_back({file, {1, 1}, Severity::kError, "T011", fmt::format("the file of `{}` must be named `{}.yml`", printable(type.id), printable(type.id)), ""});
  type.fingerprint = fingerprint_of(type);
  return type;
}

}  // namespace

Fingerprint fingerprint_of(const TemplateType& type) {
  std::string text = fmt::format("creance template type 1\n{}\n{}\n", type.id, type.version);
  for (const InputDefinition& input : type.inputs) text += fmt::format("{}\t{}\n", input.name, to_string(input.type));
  return sha256(as_bytes(text)).bytes;
}

Result<std::vector<TemplateType>> load_types(const std::filesystem::path& directory, Diagnostics& diagnostics) {
  os::RealFileSystem files;
  TRY(const auto names, files.list(directory));
  std::vector<TemplateType> types;
  const size_t before = diagnostics.size();
  for (const std::string& name : names) {
    if (!name.ends_with(".yml") && !name.ends_with(".yaml")) continue;
    if (auto type = load_type(files, directory / name, diagnostics)) types.push_back(std::move(*type));
  }
  if (types.empty() && diagnostics.size() == before) return fail(ErrorCode::kNotFound, fmt::format("no Template Types (*.yml) in `{}`", directory.string()));
  if (std::any_of(diagnostics.begin() + static_cast<ptrdiff_t>(before), diagnostics.end(), [](const Diagnostic& d) { return d.severity == Severity::kError; })) {
    return fail(ErrorCode::kInvalid, fmt::format("the Template Types in `{}` have errors", directory.string()));
  }
  return types;
}

}  // namespace creance::schema
