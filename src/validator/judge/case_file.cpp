#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <span>

#include "base/json.hpp"
#include "base/text.hpp"
#include "base/yaml.hpp"
#include "validator/judge/cases.hpp"
#include "validator/judge/codes.hpp"

namespace creance::validator {
namespace {

std::string quote(std::string_view text) { return "`" + printable(text) + "`"; }

// YAML 1.2 core schema, as far as it is also a JSON integer: other numbers stay the text that they are, which is how events carry them.
std::optional<int64_t> as_integer(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || digits.size() > 18 || (digits[0] == '0' && digits.size() > 1)) return std::nullopt;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_text(const yaml::Node* node) { return node != nullptr && node->kind == yaml::Kind::kScalar && !node->is_null(); }

Json scalar_as_json(const yaml::Node& node) {
  if (node.is_null()) return {};
  if (node.type == yaml::Scalar::kString) return Json(node.text);
  if (node.text == "true" || node.text == "false") return Json(node.text == "true");
  if (const auto number = as_integer(node.text)) return Json(*number);
  return Json(node.text);
}

class CaseFileReader {
 public:
  CaseFileReader(const yaml::Document& document, const std::string& file, Diagnostics& diagnostics) : document_(document), file_(file), diagnostics_(diagnostics) {}

  std::optional<RuleCases> read() {
    const yaml::Node& root = document_.root();
    if (root.kind != yaml::Kind::kMap) return report("J002", root.span, "the document is not a map with `rule` and `cases`"), std::nullopt;
    static constexpr std::array<std::string_view, 2> kKeys{"rule", "cases"};
    check_keys(root, kKeys);
    const yaml::Node* rule = document_.find(root, "rule");
    const yaml::Node* cases = document_.find(root, "cases");
    if (!is_text(rule)) report("J002", root.span, "`rule` must be the id of the rule");
    if (cases == nullptr || cases->kind != yaml::Kind::kSequence) report("J002", root.span, "`cases` must be a list");
    if (!is_text(rule) || cases == nullptr || cases->kind != yaml::Kind::kSequence) return std::nullopt;
    RuleCases out{file_, to_ascii_lower(rule->text), rule->span, {}};
    std::set<std::string, std::less<>> names;
    for (const uint32_t child : cases->children) {
      auto one = read_case(document_.at(child));
      if (!one) continue;
      if (!names.insert(one->name).second) report("J006", one->span, fmt::format("a second case has the name {}", quote(one->name)));
      out.cases.push_back(std::move(*one));
    }
    return out;
  }

 private:
  void report(std::string_view code, Span span, std::string message, std::string help = "") {
    diagnostics_.push_back(judge_diagnostic(code, file_, span, std::move(message), std::move(help)));
  }

  void check_keys(const yaml::Node& map, std::span<const std::string_view> known) {
    for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
      const yaml::Node& key = document_.at(map.children[i]);
      if (std::ranges::find(known, key.text) != known.end()) continue;
      const auto like = nearest(key.text, known);
      report("J003", key.span, fmt::format("the key {} does not exist", quote(key.text)), like ? fmt::format("did you mean `{}`?", *like) : "");
    }
  }

  std::optional<Case> read_case(const yaml::Node& node) {
    if (node.kind != yaml::Kind::kMap) return report("J002", node.span, "a case must be a map"), std::nullopt;
    if (document_.find(node, "events") != nullptr) return read_sequence(node);
    static constexpr std::array<std::string_view, 5> kKeys{"name", "match", "event", "type", "unavailable"};
    check_keys(node, kKeys);
    Case out;
    out.span = node.span;
    const size_t before = diagnostics_.size();
    if (const yaml::Node* name = text(node, "name")) out.name = name->text;
    if (const yaml::Node* match = text(node, "match")) {
      if (match->type != yaml::Scalar::kBoolean || (match->text != "true" && match->text != "false")) report("J002", match->span, "`match` must be true or false");
      out.match = match->text == "true";
    }
    unavailable(node, out);
    const yaml::Node* given = document_.find(node, "event");
    if (given == nullptr) report("J002", node.span, "`event` must be a flat map of fields");
    Json event = given == nullptr ? Json::object() : read_event(*given, false);
    if (document_.find(node, "type") != nullptr) {
      if (const yaml::Node* type = text(node, "type")) {
        out.type = type->text;
        event.set("_type", Json(type->text));
      }
    }
    out.event_json = to_json(event);
    if (diagnostics_.size() != before) return std::nullopt;
    return out;
  }

  const yaml::Node* text(const yaml::Node& map, std::string_view key) {
    const yaml::Node* node = document_.find(map, key);
    if (is_text(node) && !node->text.empty()) return node;
    report("J002", node == nullptr ? map.span : node->span, fmt::format("`{}` must be given", key));
    return nullptr;
  }

  void unavailable(const yaml::Node& map, Case& out) {
    const yaml::Node* list = document_.find(map, "unavailable");
    if (list == nullptr) return;
    if (list->kind != yaml::Kind::kSequence) return report("J002", list->span, "`unavailable` must be a list of inputs");
    for (const uint32_t child : list->children) {
      const yaml::Node& name = document_.at(child);
      if (!is_text(&name)) {
        report("J002", name.span, "`unavailable` must be a list of inputs");
      } else {
        out.unavailable.push_back(name.text);
      }
    }
  }

  std::optional<Case> read_sequence(const yaml::Node& node) {
    static constexpr std::array<std::string_view, 4> kKeys{"name", "hits", "events", "type"};
    check_keys(node, kKeys);
    Case out;
    out.span = node.span;
    out.is_sequence = true;
    const size_t before = diagnostics_.size();
    if (const yaml::Node* name = text(node, "name")) out.name = name->text;
    const yaml::Node* type = document_.find(node, "type") != nullptr ? text(node, "type") : nullptr;
    if (type != nullptr) out.type = type->text;
    const yaml::Node& events = *document_.find(node, "events");
    if (events.kind != yaml::Kind::kSequence || events.children.empty()) return report("J002", events.span, "`events` must be a list of flat maps of fields"), std::nullopt;
    for (const uint32_t child : events.children) {
      Json event = read_event(document_.at(child), true);
      if (type != nullptr && document_.at(child).kind == yaml::Kind::kMap && document_.find(document_.at(child), "_type") == nullptr) event.set("_type", Json(type->text));
      out.events_json.push_back(to_json(event));
    }
    const yaml::Node* hits = document_.find(node, "hits");
    if (hits == nullptr || hits->kind != yaml::Kind::kSequence) return report("J002", node.span, "`hits` must be the list of the events that complete a hit, `[]` for none"), std::nullopt;
    for (const uint32_t child : hits->children) {
      const yaml::Node& hit = document_.at(child);
      const auto number = is_text(&hit) ? as_integer(hit.text) : std::nullopt;
      if (!number || *number < 1 || *number > static_cast<int64_t>(out.events_json.size())) report("J002", hit.span, fmt::format("a hit must be the number of an event, 1 to {}", out.events_json.size()));
      else out.hits.push_back(static_cast<uint32_t>(*number));
    }
    std::ranges::sort(out.hits);
    out.match = !out.hits.empty();
    if (diagnostics_.size() != before) return std::nullopt;
    return out;
  }

  Json read_event(const yaml::Node& given, bool may_say_type) {
    Json event = Json::object();
    const yaml::Node* node = &given;
    if (node->kind != yaml::Kind::kMap) {
      report("J002", node->span, "an event must be a flat map of fields");
      return event;
    }
    Json::Object fields;  // keys are unique already: the reader of YAML sees to it
    for (size_t i = 0; i + 1 < node->children.size(); i += 2) {
      const yaml::Node& key = document_.at(node->children[i]);
      const yaml::Node& value = document_.at(node->children[i + 1]);
      if (key.text == "_type" && !may_say_type) report("J002", key.span, "`_type` is set by `type` of the case");
      if (value.kind == yaml::Kind::kMap) {
        report("J002", value.span, fmt::format("the field {} is a map; events are flat", quote(key.text)));
      } else if (value.kind == yaml::Kind::kSequence) {
        fields.emplace_back(key.text, list(value));
      } else {
        fields.emplace_back(key.text, scalar_as_json(value));
      }
    }
    return Json(std::move(fields));
  }

  Json list(const yaml::Node& sequence) {
    Json::Array values;
    for (const uint32_t child : sequence.children) {
      const yaml::Node& value = document_.at(child);
      if (value.kind == yaml::Kind::kMap || value.kind == yaml::Kind::kSequence) {
        report("J002", value.span, "a list of an event holds scalars only");
      } else {
        values.push_back(scalar_as_json(value));
      }
    }
    return Json(std::move(values));
  }

  const yaml::Document& document_;
  const std::string& file_;
  Diagnostics& diagnostics_;
};

}  // namespace

std::vector<RuleCases> parse_cases(std::string_view text, const std::string& file, Diagnostics& diagnostics) {
  std::vector<RuleCases> out;
  const auto documents = yaml::parse(text, file, "J001", diagnostics);
  if (!documents) return out;
  const size_t before = diagnostics.size();
  for (const yaml::Document& document : *documents) {
    if (document.is_blank()) continue;
    auto cases = CaseFileReader(document, file, diagnostics).read();
    if (!cases) continue;
    if (cases->cases.empty() && diagnostics.size() == before) diagnostics.push_back(judge_diagnostic("J015", file, cases->span, "the list of cases is empty"));
    out.push_back(std::move(*cases));
  }
  if (out.empty() && diagnostics.size() == before) diagnostics.push_back(judge_diagnostic("J015", file, {1, 1}, "the file has no case"));
  return out;
}

std::string cases_file_of(const std::string& rule_file) {
  for (const std::string_view extension : {".yml", ".yaml"}) {
    if (rule_file.ends_with(extension)) return rule_file.substr(0, rule_file.size() - extension.size()) + ".cases" + std::string(extension);
  }
  return rule_file + ".cases.yml";
}

}  // namespace creance::validator
