#include "plan/policy_text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <vector>

#include "base/text.hpp"
#include "base/yaml.hpp"

namespace creance::plan {
namespace {

constexpr std::string_view kBooleans[] = {"paused", "require_evidence"};
constexpr std::string_view kNumbers[] = {"version", "delay_s"};
constexpr std::string_view kLists[] = {"groups", "tags", "mutes", "keep", "deny", "windows"};
constexpr std::string_view kRules[] = {"ring", "paused", "pin", "delay", "delay_s", "mutes", "windows"};

template <size_t N>
bool among(std::string_view name, const std::string_view (&names)[N]) { return std::ranges::find(names, name) != std::end(names); }

std::string at(const std::string& file, Span span, std::string_view what) { return fmt::format("{}:{}:{}: {}", file, span.line, span.column, what); }
std::unexpected<Error> wrong(const std::string& file, const yaml::Node& node, std::string_view what) { return fail(ErrorCode::kInvalid, at(file, node.span, what)); }

// "90s", "15m", "12h", "2d" in seconds.
std::optional<int64_t> seconds_of(std::string_view text) {
  if (text.size() < 2) return std::nullopt;
  const int64_t unit = text.back() == 's' ? 1 : text.back() == 'm' ? 60 : text.back() == 'h' ? 3'600 : text.back() == 'd' ? 86'400 : 0;
  int64_t number = 0;
  const char* end = text.data() + text.size() - 1;
  const auto parsed = std::from_chars(text.data(), end, number);
  if (unit == 0 || parsed.ec != std::errc() || parsed.ptr != end || number < 0 || number > 366 * 86'400) return std::nullopt;
  return number * unit;
}

// A YAML document as the JSON that policy.hpp parses, and the place of each value by its path there.
class Converted {
 public:
  // What a list or a value under this key must be is said here, in the words of YAML; whether it makes sense, by policy.cpp.
  static Result<Converted> make(const yaml::Document& document, const std::string& file) {
    Converted out(document, file);
    TRY_VOID(out.name_all());
    // Children stand behind their parents: from the end on, each is ready when its parent takes it.
    for (size_t i = document.nodes.size(); i-- > 0;) TRY_VOID(out.convert(static_cast<uint32_t>(i)));
    out.json_ = std::move(out.values_.front());
    return out;
  }

  Json& json() { return json_; }
  // "groups[1].ring: what" -> "file:line:column: groups[1].ring: what".
  Error located(const Error& error) const {
    std::string_view best;
    for (const auto& [path, span] : places_) {
      if (path.size() > best.size() && error.detail.starts_with(path) && error.detail.substr(path.size()).starts_with(": ")) best = path;
    }
    return {error.code, at(file_, best.empty() ? document_->root().span : places_.at(std::string(best)), error.detail)};
  }

 private:
  struct Node {
    std::string path, key;  // `key`: under which it stands, or the list that it is an entry of
  };
  Converted(const yaml::Document& document, const std::string& file) : document_(&document), file_(file), nodes_(document.nodes.size()), values_(document.nodes.size()) {}

  Status name_all() {
    for (size_t i = 0; i < document_->nodes.size(); ++i) {
      const yaml::Node& node = document_->nodes[i];
      const std::string path = nodes_[i].path;
      if (node.kind == yaml::Kind::kSequence) {
        for (size_t entry = 0; entry < node.children.size(); ++entry) name(node.children[entry], fmt::format("{}[{}]", path, entry), nodes_[i].key);
      } else if (node.kind == yaml::Kind::kMap) {
        for (size_t member = 0; member + 1 < node.children.size(); member += 2) {
          const yaml::Node& key = document_->at(node.children[member]);
          const std::string called = key.text == "delay" ? "delay_s" : key.text;
          if (called != key.text && document_->find(node, called) != nullptr) return wrong(file_, key, "`delay` and `delay_s` say the same: write one of them");
          name(node.children[member + 1], path.empty() ? called : path + "." + called, key.text);
        }
      }
    }
    return {};
  }
  void name(uint32_t index, std::string path, std::string key) {
    places_.emplace(path, document_->at(index).span);
    nodes_[index] = {std::move(path), std::move(key)};
  }

  Status convert(uint32_t index) {
    const yaml::Node& node = document_->at(index);
    const std::string& key = nodes_[index].key;
    const bool entry = nodes_[index].path.ends_with(']');
    if (!entry && among(key, kLists) && node.kind != yaml::Kind::kSequence) return wrong(file_, node, fmt::format("`{}` must be a list", key));
    if (node.kind == yaml::Kind::kMap) {
      if (entry && key != "groups") return wrong(file_, node, fmt::format("`{}` must be a list of texts", key));
      values_[index] = Json::object();
      for (size_t member = 0; member + 1 < node.children.size(); member += 2) {
        const uint32_t value = node.children[member + 1];
        values_[index].set(document_->at(node.children[member]).text == "delay" ? "delay_s" : document_->at(node.children[member]).text, std::move(values_[value]));
      }
      return {};
    }
    if (node.kind == yaml::Kind::kSequence) {
      if (entry) return wrong(file_, node, key == "groups" ? "a group must be `key: value` lines: name, tags, ring, …" : fmt::format("`{}` must be a list of texts", key));
      Json::Array list;
      for (const uint32_t child : node.children) list.push_back(std::move(values_[child]));
      if (key == "windows" && list.empty()) return wrong(file_, node, "`windows` is empty: nothing would ever be taken; leave it out, or write `paused: true`");
      values_[index] = Json(std::move(list));
      return {};
    }
    return scalar(index, node, key, entry);
  }

  Status scalar(uint32_t index, const yaml::Node& node, const std::string& key, bool entry) {
    if (entry && key == "groups") return wrong(file_, node, "a group must be `key: value` lines: name, tags, ring, …");
    if (!entry && key == "default") return wrong(file_, node, "`default` must be `key: value` lines: ring, …");
    if (!entry && among(key, kBooleans)) {
      if (node.type != yaml::Scalar::kBoolean) return wrong(file_, node, fmt::format("`{}` must be true or false", key));
      values_[index] = Json(node.text.front() == 't' || node.text.front() == 'T');
      return {};
    }
    if (!entry && key == "delay") {
      const auto seconds = seconds_of(node.text);
      if (!seconds) return wrong(file_, node, "`delay` must be a number with s, m, h or d behind it, like 12h");
      values_[index] = Json(*seconds);
      return {};
    }
    if (!entry && among(key, kNumbers)) {
      int64_t number = 0;
      const auto parsed = std::from_chars(node.text.data(), node.text.data() + node.text.size(), number);
      if (node.type != yaml::Scalar::kInteger || parsed.ec != std::errc() || parsed.ptr != node.text.data() + node.text.size()) return wrong(file_, node, fmt::format("`{}` must be a number", key));
      values_[index] = Json(number);
      return {};
    }
    if (node.text.empty() && !entry) return wrong(file_, node, fmt::format("`{}` must be a name", key));
    values_[index] = Json(node.text);
    return {};
  }

  const yaml::Document* document_;
  std::string file_;
  std::vector<Node> nodes_;
  std::vector<Json> values_;
  std::map<std::string, Span> places_;
  Json json_;
};

// The one document of the text; nothing: it says nothing.
Result<std::optional<yaml::Document>> document_of(std::string_view text, const std::string& file) {
  Diagnostics diagnostics;
  auto documents = yaml::parse(text, file, "policy", diagnostics);
  if (!documents || documents->size() > 1) return fail(ErrorCode::kInvalid, diagnostics.empty() ? at(file, {1, 1}, "must be one document") : at(file, diagnostics.front().span, diagnostics.front().message));
  if (documents->empty() || documents->front().is_blank()) return std::optional<yaml::Document>();
  if (documents->front().root().kind != yaml::Kind::kMap) return wrong(file, documents->front().root(), "must be `key: value` lines");
  return std::optional(std::move(documents->front()));
}

// A misspelled key would silently loosen what its author wanted.
Status only(const yaml::Document& document, const yaml::Node& map, std::vector<std::string_view> known, bool rules, const std::string& file) {
  if (map.kind != yaml::Kind::kMap) return {};
  if (rules) known.insert(known.end(), std::begin(kRules), std::end(kRules));
  for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
    const yaml::Node& key = document.at(map.children[i]);
    if (std::ranges::find(known, key.text) != known.end()) continue;
    const std::string name = key.text.substr(0, 64);
    const auto meant = nearest(name, known);
    std::erase_if(known, [](std::string_view one) { return one == "_type" || one == "delay_s"; });  // as machines write it
    return wrong(file, key, fmt::format("`{}` is not known here{} known are {}", name, meant ? fmt::format(": is `{}` meant?", *meant) : ";", fmt::join(known, ", ")));
  }
  return {};
}

Status check_zones(const Windows& windows, const std::string& path, const Converted& converted, const ZoneCheck& zone_known) {
  for (size_t i = 0; i < windows.size(); ++i) {
    if (const auto known = zone_known(windows[i].zone); !known) return fail(converted.located({known.error().code, fmt::format("{}windows[{}]: {}", path, i, known.error().detail)}));
  }
  return {};
}

bool is_plain(std::string_view text) {
  const auto fine = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.' || c == '/'; };
  return !text.empty() && text.front() != '-' && text.front() != '.' && std::ranges::all_of(text, fine) && yaml::plain_type(text) == yaml::Scalar::kString;
}

std::string quoted(std::string_view text) { return is_plain(text) ? std::string(text) : to_json(Json(text)); }  // a JSON text is a YAML text

std::string list_of(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) out += (out.empty() ? "" : ", ") + quoted(text);
  return "[" + out + "]";
}

std::string span_of(std::chrono::seconds delay) {
  const int64_t seconds = delay.count();
  for (const auto& [unit, letter] : {std::pair{int64_t{86'400}, 'd'}, {int64_t{3'600}, 'h'}, {int64_t{60}, 'm'}}) {
    if (seconds % unit == 0) return fmt::format("{}{}", seconds / unit, letter);
  }
  return fmt::format("{}s", seconds);
}

void add_rules(std::string& out, const GroupRules& rules, std::string_view indent) {
  out += fmt::format("{}ring: {}\n", indent, to_string(rules.ring));
  if (rules.paused) out += fmt::format("{}paused: true\n", indent);
  if (rules.pin) out += fmt::format("{}pin: {}\n", indent, quoted(*rules.pin));
  if (rules.delay.count() > 0) out += fmt::format("{}delay: {}\n", indent, span_of(rules.delay));
  if (!rules.windows.empty()) {
    out += fmt::format("{}windows:\n", indent);
    for (const Window& window : rules.windows) out += fmt::format("{}  - {}\n", indent, quoted(window.text()));
  }
  if (!rules.mutes.empty()) {
    out += fmt::format("{}mutes:\n", indent);
    for (const std::string& mute : rules.mutes) out += fmt::format("{}  - {}\n", indent, quoted(mute));
  }
}

}  // namespace

Result<LocalPolicy> parse_local_policy(std::string_view text, const std::string& file, const ZoneCheck& zone_known) {
  TRY(const auto document, document_of(text, file));
  if (!document) return LocalPolicy{};  // nothing but comments
  TRY_VOID(only(*document, document->root(), {"paused", "pin", "delay", "ring", "mutes", "keep", "deny", "require_evidence", "windows"}, false, file));
  TRY(auto converted, Converted::make(*document, file));
  converted.json().set("_type", "local");
  auto policy = LocalPolicy::parse(as_bytes(to_json(converted.json())));
  if (!policy) return fail(converted.located(policy.error()));
  for (const Windows& windows : policy->windows) TRY_VOID(check_zones(windows, "", converted, zone_known));
  return policy;
}

Result<Policy> parse_tenant_policy(std::string_view text, const std::string& file, const ZoneCheck& zone_known) {
  TRY(const auto document, document_of(text, file));
  if (!document) return fail(ErrorCode::kInvalid, fmt::format("{}:1:1: is empty; a policy has `tenant`, `groups` and `default`", file));
  TRY_VOID(only(*document, document->root(), {"_type", "tenant", "version", "groups", "default"}, false, file));
  if (const yaml::Node* groups = document->find(document->root(), "groups")) {
    for (const uint32_t group : groups->kind == yaml::Kind::kSequence ? groups->children : std::vector<uint32_t>()) TRY_VOID(only(*document, document->at(group), {"name", "tags"}, true, file));
  }
  if (const yaml::Node* fallback = document->find(document->root(), "default")) TRY_VOID(only(*document, *fallback, {}, true, file));
  TRY(auto converted, Converted::make(*document, file));
  Json& json = converted.json();
  if (json.find("_type") == nullptr) json.set("_type", "policy");
  if (json.find("groups") == nullptr) json.set("groups", Json::array());
  const bool says_version = json.find("version") != nullptr;
  if (!says_version) json.set("version", 1);
  auto policy = Policy::parse(as_bytes(to_json(json)), UnknownMember::kRefused);
  if (!policy) return fail(converted.located(policy.error()));
  if (!says_version) policy->version = 0;
  for (size_t i = 0; i < policy->groups.size(); ++i) TRY_VOID(check_zones(policy->groups[i].rules.windows, fmt::format("groups[{}].", i), converted, zone_known));
  TRY_VOID(check_zones(policy->fallback.windows, "default.", converted, zone_known));
  return policy;
}

std::string to_yaml(const Policy& policy) {
  std::string out = fmt::format("tenant: {}\n", quoted(policy.tenant));
  if (policy.version > 0) out += fmt::format("version: {}\n", policy.version);
  out += policy.groups.empty() ? "groups: []\n" : "groups:\n";
  for (const Group& group : policy.groups) {
    out += fmt::format("  - name: {}\n    tags: {}\n", quoted(group.name), list_of(group.tags));
    add_rules(out, group.rules, "    ");
  }
  out += "default:\n";
  add_rules(out, policy.fallback, "  ");
  return out;
}

}  // namespace creance::plan
