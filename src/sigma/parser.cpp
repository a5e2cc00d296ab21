#include "sigma/parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "sigma/codes.hpp"
#include "sigma/detection.hpp"
#include "sigma/document.hpp"

namespace creance::sigma {
namespace {

// Sigma specification 2.1.0, "File Structure".
constexpr std::array<std::string_view, 18> kRuleKeys{"title", "id", "name", "related", "taxonomy", "status", "description", "license", "references",
                                                     "author", "date", "modified", "logsource", "detection", "fields", "falsepositives", "level", "tags"};
constexpr std::string_view kScopeKey = "scope";
constexpr std::array<std::string_view, 4> kLogSourceKeys{"product", "category", "service", "definition"};
constexpr std::array<std::string_view, 5> kStatuses{"stable", "test", "experimental", "deprecated", "unsupported"};
constexpr std::array<std::string_view, 6> kRelations{"correlation", "derived", "obsolete", "merged", "renamed", "similar"};
constexpr std::array<Level, 5> kLevels{Level::kInformational, Level::kLow, Level::kMedium, Level::kHigh, Level::kCritical};
constexpr size_t kTitleCharactersMax = 256;
constexpr size_t kDescriptionCharactersMax = 65'535;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower_word(char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '_' || c == '-'; }

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? c != '-' : !(is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))) return false;
  }
  return true;
}

// Under this detections are recorded, whether it is a UUID or not. `#` begins what stands in for the id of a rule that has none.
bool is_id(std::string_view text) {
  const auto printable = [](char c) { return c > ' ' && c <= '~'; };
  return !text.empty() && text.size() <= limits::kRuleIdBytesMax && text[0] != '#' && std::ranges::all_of(text, printable);
}

bool is_date(std::string_view text) {
  if (text.size() != 10) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (i == 4 || i == 7 ? text[i] != '-' : !is_digit(text[i])) return false;
  }
  const auto number = [&](size_t at, size_t n) {
    int value = 0;
    for (const char c : text.substr(at, n)) value = value * 10 + (c - '0');
    return value;
  };
  const int year = number(0, 4);
  const int month = number(5, 2);
  const int day = number(8, 2);
  constexpr std::array kDays{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day >= 1 && day <= kDays[static_cast<size_t>(month - 1)] + (month == 2 && leap ? 1 : 0);
}

bool is_tag(std::string_view text) {
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == text.size()) return false;
  return std::ranges::all_of(text.substr(0, dot), is_lower_word) && std::ranges::all_of(text.substr(dot + 1), [](char c) { return is_lower_word(c) || c == '.'; });
}

size_t characters(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(text, [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

class RuleReader {
 public:
  RuleReader(const YamlDocument& document, std::string_view text, const std::string& file, Reporter& reporter) : document_(document), text_(text), reporter_(reporter) {
    rule_.file = file;
  }

  std::optional<Rule> read() {
    const YamlNode& root = document_.root();
    if (root.kind != YamlKind::kMap) {
      reporter_.report("S013", root.span, fmt::format("the document must be a map of keys, not {}", sigma::describe(root)));
      return std::nullopt;
    }
    if (refused_kind(root)) return std::nullopt;
    const uint32_t errors = reporter_.errors();
    describe(root);
    log_source(root);
    detection(root);
    if (reporter_.errors() != errors) return std::nullopt;
    return std::move(rule_);
  }

  bool is_correlation() const { return has("correlation"); }
  bool is_filter() const { return has("filter"); }
  std::optional<Filter> filter() {
    const YamlNode& root = document_.root();
    if (refused_kind(root)) return std::nullopt;
    const uint32_t errors = reporter_.errors();
    describe(root);
    log_source(root);
    Filter out;
    static_cast<Metadata&>(out) = static_cast<Metadata&&>(rule_);
    out.logsource = std::move(rule_.logsource);
    out.logsource_span = rule_.logsource_span;
    for (const std::string_view key : {"detection", "correlation"}) {
      if (const Entry entry = find(root, key); entry.key != nullptr) reporter_.report("S117", entry.key->span, fmt::format("a filter with a `{}`", key));
    }
    const Entry entry = find(root, "filter");
    read_filter(document_, *entry.key, *entry.value, text_, out, reporter_);
    if (reporter_.errors() != errors) return std::nullopt;
    return out;
  }
  Correlation correlation() {
    const YamlNode& root = document_.root();
    const uint32_t errors = reporter_.errors();
    (void)refused_kind(root);
    describe(root);
    Correlation out;
    static_cast<Metadata&>(out) = static_cast<Metadata&&>(rule_);
    out.refused = !read_correlation(document_, root, text_, out, reporter_) || reporter_.errors() != errors;
    return out;
  }

 private:
  bool has(std::string_view key) const { return document_.root().kind == YamlKind::kMap && find(document_.root(), key).key != nullptr; }

  void describe(const YamlNode& root) {
    rule_.span = root.span;
    unknown_keys(root);
    texts(root);
    lists(root);
    related(root);
  }

  struct Entry {
    const YamlNode* key = nullptr;
    const YamlNode* value = nullptr;
  };
  // Of a value; where there is nothing, of its key.
  static Span place(const Entry& entry) { return entry.value->kind == YamlKind::kScalar && entry.value->type == ValueKind::kNull ? entry.key->span : entry.value->span; }
  Entry find(const YamlNode& map, std::string_view name) const {
    for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
      if (document_.at(map.children[i]).text == name) return {&document_.at(map.children[i]), &document_.at(map.children[i + 1])};
    }
    return {};
  }

  bool refused_kind(const YamlNode& root) {
    const auto refuse = [&](std::string_view key, std::string_view code, std::string_view message) {
      const Entry entry = find(root, key);
      if (entry.key == nullptr) return false;
      reporter_.report(code, entry.key->span, std::string(message));
      return true;
    };
    return refuse("action", "S014", "the legacy multi-part form (`action:`) is not Sigma 2");
  }

  void unknown_keys(const YamlNode& root) {
    for (size_t i = 0; i + 1 < root.children.size() && !reporter_.is_full(); i += 2) {
      const YamlNode& key = document_.at(root.children[i]);
      if (std::ranges::find(kRuleKeys, key.text) != kRuleKeys.end() || key.text == kScopeKey || key.text == "correlation" || key.text == "filter") continue;
      if (key.text == "generate" && is_correlation()) continue;
      const auto like = nearest(key.text, kRuleKeys);
      if (like && find(root, *like).key == nullptr) {
        reporter_.report("S023", key.span, fmt::format("the key {} is almost `{}`", quote(key.text), *like), fmt::format("did you mean `{}`? As written, the key is ignored", *like));
      } else {
        reporter_.report("S022", key.span, fmt::format("the key {} is not part of the Sigma specification", quote(key.text)));
      }
    }
  }

  void not_plain_text(const YamlNode& node, std::string_view name) { warn_of_number(node, fmt::format("`{}`", name), reporter_); }

  // The text of an optional key; nothing if absent, empty (a warning) or no scalar (an error).
  const YamlNode* scalar(const YamlNode& map, std::string_view name) {
    const Entry entry = find(map, name);
    if (entry.key == nullptr) return nullptr;
    if (entry.value->kind != YamlKind::kScalar) {
      reporter_.report("S021", entry.value->span, fmt::format("`{}` must be text, not {}", name, sigma::describe(*entry.value)));
      return nullptr;
    }
    if (entry.value->type == ValueKind::kNull || entry.value->text.empty()) {
      reporter_.report("S031", entry.key->span, fmt::format("`{}` has no value", name));
      return nullptr;
    }
    return entry.value;
  }

  void texts(const YamlNode& root) {
    title(root);
    const auto copy = [&](std::string_view name, std::string& to) {
      const YamlNode* node = scalar(root, name);
      if (node == nullptr) return node;
      to = node->text;
      not_plain_text(*node, name);
      return node;
    };
    if (find(root, "id").key == nullptr) reporter_.report("S028", root.span, "the rule has no id");
    if (const YamlNode* node = copy("id", rule_.id)) {
      if (!is_id(rule_.id)) reporter_.report("S021", node->span, fmt::format("the id {} is not 1 to {} printable ASCII characters without blanks, the first of them not `#`", quote(rule_.id), limits::kRuleIdBytesMax), "give it a random UUID (version 4), for example from `uuidgen`");
      else if (!is_uuid(rule_.id)) reporter_.report("S027", node->span, fmt::format("the id {} is not a UUID", quote(rule_.id)));
      if (is_uuid(rule_.id)) rule_.id = to_ascii_lower(rule_.id);
    }
    copy("name", rule_.name);
    copy("author", rule_.author);
    copy("license", rule_.license);
    if (const YamlNode* node = copy("description", rule_.description)) long_text(*node, "description", kDescriptionCharactersMax);
    for (auto [name, to] : {std::pair{"date", &rule_.date}, std::pair{"modified", &rule_.modified}}) {
      const YamlNode* node = copy(name, *to);
      if (node != nullptr && !is_date(*to)) reporter_.report("S026", node->span, fmt::format("{} is not a date as YYYY-MM-DD", quote(*to)));
    }
    if (const YamlNode* node = copy("status", rule_.status)) {
      if (const auto status = one_of(*node, "status", "S025", kStatuses)) rule_.status = kStatuses[*status];
    }
    if (const YamlNode* node = scalar(root, "level")) level(*node);
    if (const YamlNode* node = scalar(root, "taxonomy"); node != nullptr && node->text != "sigma") not_plain_text(*node, "taxonomy"), rule_.taxonomy = {node->text, node->span};
  }

  void title(const YamlNode& root) {
    const Entry entry = find(root, "title");
    if (entry.key == nullptr) return reporter_.report("S020", root.span, "the rule has no `title`");
    if (entry.value->kind != YamlKind::kScalar) return reporter_.report("S021", entry.value->span, fmt::format("`title` must be text, not {}", sigma::describe(*entry.value)));
    if (entry.value->text.empty()) return reporter_.report("S020", entry.key->span, "`title` is empty");
    rule_.title = entry.value->text;
    not_plain_text(*entry.value, "title");
    long_text(*entry.value, "title", kTitleCharactersMax);
  }

  void long_text(const YamlNode& node, std::string_view name, size_t characters_max) {
    if (characters(node.text) > characters_max) reporter_.report("S029", node.span, fmt::format("`{}` is longer than {} characters", name, characters_max));
  }

  // The one of `allowed` that the node names, without regard to case; nothing if it names none.
  std::optional<size_t> one_of(const YamlNode& node, std::string_view key, std::string_view code, std::span<const std::string_view> allowed) {
    const std::string lower = to_ascii_lower(node.text);
    const auto found = std::ranges::find(allowed, lower);
    if (found == allowed.end()) {
      const auto like = nearest(lower, allowed);
      reporter_.report(code, node.span, fmt::format("the {} {} does not exist", key, quote(node.text)), like ? fmt::format("did you mean `{}`?", *like) : "");
      return std::nullopt;
    }
    if (*found != node.text) reporter_.report("S039", node.span, fmt::format("the {} {} is not in lower case", key, quote(node.text)));
    return static_cast<size_t>(found - allowed.begin());
  }

  void level(const YamlNode& node) {
    std::array<std::string_view, kLevels.size()> names;
    std::ranges::transform(kLevels, names.begin(), [](Level l) { return to_string(l); });
    if (const auto level = one_of(node, "level", "S024", names)) rule_.level = kLevels[*level];
  }

  void lists(const YamlNode& root) {
    list(root, "tags", rule_.tags, false, "S030");
    list(root, "references", rule_.references, false);
    list(root, "falsepositives", rule_.false_positives, true);
    list(root, "fields", rule_.fields, false);
  }

  void list(const YamlNode& root, std::string_view name, std::vector<std::string>& to, bool scalar_is_fine, std::string_view tag_code = "") {
    const Entry entry = find(root, name);
    if (entry.key == nullptr) return;
    const YamlNode& value = *entry.value;
    if (value.kind == YamlKind::kScalar && !value.text.empty() && scalar_is_fine) {
      not_plain_text(value, name);
      to.push_back(value.text);
      return;
    }
    if ((value.kind == YamlKind::kScalar && value.text.empty()) || (value.kind == YamlKind::kSequence && value.children.empty())) {
      return reporter_.report("S031", entry.key->span, fmt::format("`{}` has no value", name));
    }
    if (value.kind != YamlKind::kSequence) return reporter_.report("S021", value.span, fmt::format("`{}` must be a list of texts, not {}", name, sigma::describe(value)));
    for (const uint32_t child : value.children) {
      const YamlNode& node = document_.at(child);
      if (node.kind != YamlKind::kScalar || node.type == ValueKind::kNull) {
        reporter_.report("S021", node.span, fmt::format("an entry of `{}` must be text, not {}", name, sigma::describe(node)));
        continue;
      }
      warn_of_number(node, fmt::format("an entry of `{}`", name), reporter_);
      if (!tag_code.empty() && !is_tag(node.text)) reporter_.report(tag_code, node.span, fmt::format("the tag {} is not of the form `namespace.name`", quote(node.text)));
      to.push_back(node.text);
    }
  }

  void related(const YamlNode& root) {
    const Entry entry = find(root, "related");
    if (entry.key == nullptr) return;
    if (entry.value->kind == YamlKind::kScalar && entry.value->type == ValueKind::kNull) return reporter_.report("S031", entry.key->span, "`related` has no value");
    if (entry.value->kind != YamlKind::kSequence) return reporter_.report("S035", entry.value->span, fmt::format("`related` must be a list of maps with id and type, not {}", sigma::describe(*entry.value)));
    if (entry.value->children.empty()) return reporter_.report("S031", entry.key->span, "`related` has no value");
    for (const uint32_t child : entry.value->children) {
      const YamlNode& node = document_.at(child);
      if (node.kind != YamlKind::kMap) {
        reporter_.report("S035", node.span, fmt::format("an entry of `related` must be a map with id and type, not {}", sigma::describe(node)));
        continue;
      }
      const Entry id = find(node, "id");
      const Entry type = find(node, "type");
      if (id.value == nullptr) reporter_.report("S035", node.span, "an entry of `related` has no id");
      else if (!is_uuid(id.value->text)) reporter_.report("S035", place(id), fmt::format("the id of an entry of `related` must be a UUID, not {}", sigma::describe(*id.value)));
      else if (type.value == nullptr) reporter_.report("S035", node.span, "an entry of `related` has no type");
      else if (std::ranges::find(kRelations, type.value->text) == kRelations.end()) reporter_.report("S035", place(type), fmt::format("the type of an entry of `related` is {}", sigma::describe(*type.value)));
    }
  }

  void log_source(const YamlNode& root) {
    const Entry entry = find(root, "logsource");
    if (entry.key == nullptr) return reporter_.report("S020", root.span, "the rule has no `logsource`");
    rule_.logsource_span = entry.key->span;
    if (entry.value->kind != YamlKind::kMap) return reporter_.report("S021", place(entry), fmt::format("`logsource` must be a map, not {}", sigma::describe(*entry.value)));
    const YamlNode& map = *entry.value;
    for (size_t i = 0; i + 1 < map.children.size() && !reporter_.is_full(); i += 2) {
      const YamlNode& key = document_.at(map.children[i]);
      if (std::ranges::find(kLogSourceKeys, key.text) != kLogSourceKeys.end()) continue;
      const auto like = nearest(key.text, kLogSourceKeys);
      reporter_.report("S033", key.span, fmt::format("the key {} is not part of a log source", quote(key.text)), like ? fmt::format("did you mean `{}`?", *like) : "");
    }
    const auto part = [&](std::string_view name, std::string& to) {
      const YamlNode* node = scalar(map, name);
      if (node == nullptr) return;
      to = to_ascii_lower(node->text);
      not_plain_text(*node, name);
      if (to != node->text) reporter_.report("S034", node->span, fmt::format("the name {} is not in lower case", quote(node->text)));
    };
    part("product", rule_.logsource.product);
    part("category", rule_.logsource.category);
    part("service", rule_.logsource.service);
    if (const Entry given = find(map, "definition"); given.key != nullptr && given.value->kind != YamlKind::kScalar) {
      reporter_.report("S033", given.value->span, fmt::format("`definition` should be text, not {}", sigma::describe(*given.value)));
    }
    if (rule_.logsource == schema::LogSource{}) reporter_.report("S032", entry.key->span, "the log source names neither product, category nor service");
  }

  void detection(const YamlNode& root) {
    const Entry entry = find(root, "detection");
    if (entry.key == nullptr) return reporter_.report("S020", root.span, "the rule has no `detection`");
    if (entry.value->kind != YamlKind::kMap) return reporter_.report("S021", place(entry), fmt::format("`detection` must be a map, not {}", sigma::describe(*entry.value)));
    Detection detection = read_detection(document_, *entry.value, text_, reporter_);
    rule_.selections = std::move(detection.selections);
    rule_.condition = std::move(detection.condition);
  }

  const YamlDocument& document_;
  std::string_view text_;
  Reporter& reporter_;
  Rule rule_;
};

// Of a text that is no YAML behind its last good document: would it be a filter?
bool looks_like_filter(std::string_view text, const std::vector<YamlDocument>& good) {
  constexpr std::string_view kKey = "filter:";
  size_t at = text.starts_with(kKey) ? 0 : std::string_view::npos;
  for (size_t found = text.find("\nfilter:"); found != std::string_view::npos; found = text.find("\nfilter:", found + 1)) at = found + 1;
  const size_t known = good.empty() ? 0 : std::ranges::max(good.back().nodes, {}, &YamlNode::offset).offset;
  return at != std::string_view::npos && (good.empty() || at > known);
}

}  // namespace

ParseOutcome parse(std::string_view text, const std::string& file) {
  ParseOutcome outcome;
  Reporter reporter(file, outcome.diagnostics);
  const YamlOutcome read = read_yaml(text, reporter);
  if (text.starts_with(yaml::kByteOrderMark)) text.remove_prefix(yaml::kByteOrderMark.size());  // offsets count from here
  std::set<std::string, std::less<>> ids;
  for (const YamlDocument& document : read.documents) {
    if (document.is_blank()) continue;
    ++outcome.documents;
    const auto is_new = [&](const Metadata& parsed) {
      if (parsed.id.empty() || ids.insert(parsed.id).second) return true;
      reporter.report("S036", parsed.span, fmt::format("the id {} is that of an earlier rule of this file", quote(parsed.id)));
      return false;
    };
    const auto keep = [&](auto parsed, auto& to) {
      if (parsed && is_new(*parsed)) to.push_back(std::move(*parsed));
    };
    RuleReader reader(document, text, file, reporter);
    if (reader.is_filter()) {
      const size_t before = outcome.filters.size();
      keep(reader.filter(), outcome.filters);
      if (outcome.filters.size() == before) ++outcome.refused_filters;
    } else if (reader.is_correlation()) {
      Correlation correlation = reader.correlation();
      if (!correlation.refused && !is_new(correlation)) correlation.refused = true;
      outcome.correlations.push_back(std::move(correlation));
    } else {
      keep(reader.read(), outcome.rules);
    }
  }
  if (!read.complete) {
    ++outcome.documents;
    if (looks_like_filter(text, read.documents)) ++outcome.refused_filters;
  }
  if (read.complete && outcome.documents == 0) reporter.report("S012", {1, 1}, "the file has no rule");
  sort(outcome.diagnostics);
  return outcome;
}

}  // namespace creance::sigma
