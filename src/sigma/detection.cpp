#include "sigma/detection.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hpp"
#include "sigma/condition.hpp"
#include "sigma/modifiers.hpp"

namespace creance::sigma {
namespace {

class DetectionReader {
 public:
  DetectionReader(const YamlDocument& document, std::string_view text, Reporter& reporter) : document_(document), text_(text), reporter_(reporter) {}

  Detection read(const YamlNode& detection, std::string_view own_key) {
    const YamlNode* condition = nullptr;
    for (size_t i = 0; i + 1 < detection.children.size(); i += 2) {
      const YamlNode& key = document_.at(detection.children[i]);
      const YamlNode& value = document_.at(detection.children[i + 1]);
      if (!own_key.empty() && key.text == own_key) continue;
      if (key.text == "condition") {
        condition = &value;
      } else if (key.text == "timeframe") {
        reporter_.report("S068", key.span, "`timeframe` has no effect");
      } else {
        selection(key, value);
      }
    }
    if (out_.selections.empty()) reporter_.report("S041", detection.span, "the detection has no search identifier");
    if (condition == nullptr) {
      reporter_.report("S020", detection.span, "the detection has no `condition`");
    } else if (!out_.selections.empty()) {
      this->condition(*condition);
    }
    return std::move(out_);
  }

  std::vector<Item> items(const YamlNode& map) { return alternative(map).items; }

 private:
  void selection(const YamlNode& key, const YamlNode& value) {
    if (is_condition_word(key.text)) reporter_.report("S070", key.span, fmt::format("the search identifier {} has the name of a condition's word", quote(key.text)));
    if (key.text.size() > limits::kSelectionNameBytesMax) {
      reporter_.report("S042", key.span, fmt::format("the name of a search identifier is longer than {} bytes", limits::kSelectionNameBytesMax), "give it a short name");
    }
    Selection selection{key.text, key.span, {}, {}};
    if (value.kind == YamlKind::kScalar && value.type == ValueKind::kString) {
      reporter_.report("S058", value.span, fmt::format("the search identifier {} is a text; it is taken as a keyword", quote(key.text)));
      Item keywords;
      keywords.span = value.span;
      keyword(value, keywords);
      selection.alternatives.push_back({{std::move(keywords)}});
    } else if (value.kind == YamlKind::kScalar) {
      reporter_.report("S042", value.type == ValueKind::kNull ? key.span : value.span, fmt::format("the search identifier {} must be a map, a list or a text, not {}", quote(key.text), describe(value)));
    } else if (value.children.empty()) {
      reporter_.report("S043", value.span, fmt::format("the search identifier {} is empty", quote(key.text)));
    } else if (value.kind == YamlKind::kMap) {
      selection.alternatives.push_back(alternative(value));
    } else {
      list(value, selection);
    }
    out_.selections.push_back(std::move(selection));  // with its errors, too: the condition may name it
  }

  // Maps are alternatives; the plain values of the list are together one more: keywords.
  void list(const YamlNode& sequence, Selection& selection) {
    Item keywords;
    for (const uint32_t child : sequence.children) {
      const YamlNode& node = document_.at(child);
      if (node.kind == YamlKind::kMap && !node.children.empty()) {
        selection.alternatives.push_back(alternative(node));
      } else if (node.kind == YamlKind::kMap) {
        reporter_.report("S043", node.span, "an alternative is empty");
      } else if (node.kind == YamlKind::kSequence) {
        reporter_.report("S045", node.span, "a list inside the list of a search identifier");
      } else {
        if (keywords.values.empty()) keywords.span = node.span;
        keyword(node, keywords);
      }
    }
    if (!keywords.values.empty()) selection.alternatives.push_back({{std::move(keywords)}});
  }

  void keyword(const YamlNode& node, Item& item) {
    if (node.type == ValueKind::kNull) return reporter_.report("S054", node.span, "a keyword is null");
    value(node, item);
  }

  Alternative alternative(const YamlNode& map) {
    Alternative alternative;
    for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
      alternative.items.push_back(item(document_.at(map.children[i]), document_.at(map.children[i + 1])));
    }
    return alternative;
  }

  Item item(const YamlNode& key, const YamlNode& value) {
    Item item;
    item.span = key.span;
    const std::string_view whole = key.text;
    const size_t bar = whole.find('|');
    item.field = std::string(whole.substr(0, bar));
    const bool known = bar == std::string_view::npos || modifiers(whole.substr(bar + 1), key, item);
    if (item.field.empty() && bar == std::string_view::npos) reporter_.report("S053", key.span, "a field has no name");
    values(key, value, item);
    if (known && !item.values.empty()) check_modifiers(item, reporter_);
    return item;
  }

  bool modifiers(std::string_view text, const YamlNode& key, Item& item) {
    bool known = true;
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find('|', begin), text.size());
      const std::string_view name = text.substr(begin, end - begin);
      begin = end + 1;
      if (const auto modifier = modifier_named(name)) {
        if (item.modifiers.size() >= kModifiersMax) {
          reporter_.report("S047", key.span, fmt::format("more than {} modifiers on one field", kModifiersMax));
          return false;
        }
        item.modifiers.push_back(*modifier);
        continue;
      }
      known = false;
      if (reporter_.is_full()) continue;
      const auto like = modifier_like(name);
      reporter_.report("S046", key.span, name.empty() ? "an empty modifier" : fmt::format("the modifier {} does not exist", quote(name)),
                       like ? fmt::format("did you mean `{}`?", *like) : "");
    }
    return known;
  }

  void values(const YamlNode& key, const YamlNode& node, Item& item) {
    if (node.kind == YamlKind::kMap) return reporter_.report("S045", node.span, fmt::format("the value of {} is a map", quote(key.text)));
    if (node.kind == YamlKind::kScalar) return one(node, item);
    if (node.children.empty()) return reporter_.report("S043", node.span, fmt::format("the list of {} is empty", quote(key.text)));
    for (const uint32_t child : node.children) {
      const YamlNode& element = document_.at(child);
      if (element.kind != YamlKind::kScalar) {
        reporter_.report("S045", element.span, fmt::format("the list of {} holds a {}", quote(key.text), element.kind == YamlKind::kMap ? "map" : "list"));
      } else {
        one(element, item);
      }
    }
  }

  void one(const YamlNode& node, Item& item) {
    if (item.is_keyword()) return keyword(node, item);
    value(node, item);
  }

  void value(const YamlNode& node, Item& item) {
    if (++values_ > limits::kValuesPerRuleMax) {
      if (values_ == limits::kValuesPerRuleMax + 1) reporter_.report("S051", node.span, fmt::format("the rule has more than {} values", limits::kValuesPerRuleMax));
      return;
    }
    if (node.type == ValueKind::kInteger && (node.text.starts_with("0x") || node.text.starts_with("0o"))) {
      reporter_.report("S057", node.span, fmt::format("{} is a number in another base to YAML", quote(node.text)));
    }
    item.values.push_back({node.type, node.text, node.span});
  }

  void condition(const YamlNode& node) {
    std::vector<ConditionText> texts;
    if (node.kind == YamlKind::kMap) return reporter_.report("S021", node.span, fmt::format("`condition` must be text or a list of texts, not {}", describe(node)));
    if (node.kind == YamlKind::kScalar) {
      if (node.type == ValueKind::kNull) return reporter_.report("S020", node.span, "`condition` is empty");
      texts.push_back(place(node));
    } else {
      if (node.children.empty()) return reporter_.report("S043", node.span, "the list of conditions is empty");
      for (const uint32_t child : node.children) {
        const YamlNode& element = document_.at(child);
        if (element.kind != YamlKind::kScalar || element.type == ValueKind::kNull) return reporter_.report("S021", element.span, fmt::format("an entry of `condition` must be text, not {}", describe(element)));
        texts.push_back(place(element));
      }
    }
    std::vector<bool> used(out_.selections.size());
    const uint32_t errors = reporter_.errors();
    out_.condition = parse_conditions(texts, out_.selections, used, reporter_);
    if (reporter_.errors() != errors) return;
    for (size_t i = 0; i < used.size(); ++i) {
      if (!used[i]) reporter_.report("S063", out_.selections[i].span, fmt::format("the search identifier {} is not used by the condition", quote(out_.selections[i].name)));
    }
  }

  // Where the scalar stands in the file exactly as its value, each token has its own column.
  ConditionText place(const YamlNode& node) const {
    const std::string_view source = text_.substr(std::min<size_t>(node.offset, text_.size()));
    const std::string_view value = node.text;
    const bool one_line = value.find('\n') == std::string_view::npos;
    if (one_line && source.starts_with(value)) return {value, node.span, true};
    const bool quoted = !source.empty() && (source[0] == '\'' || source[0] == '"');
    if (one_line && quoted && source.substr(1).starts_with(value)) return {value, {node.span.line, node.span.column + 1}, true};
    return {value, node.span, false};
  }

  static constexpr size_t kModifiersMax = 8;
  const YamlDocument& document_;
  std::string_view text_;
  Reporter& reporter_;
  Detection out_;
  uint32_t values_ = 0;
};

}  // namespace

Detection read_detection(const YamlDocument& document, const YamlNode& detection, std::string_view text, Reporter& reporter, std::string_view own_key) {
  return DetectionReader(document, text, reporter).read(detection, own_key);
}

std::vector<Item> read_items(const YamlDocument& document, const YamlNode& map, Reporter& reporter) { return DetectionReader(document, {}, reporter).items(map); }

}  // namespace creance::sigma
