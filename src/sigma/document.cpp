#include "sigma/document.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>
#include <unordered_set>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace creance::sigma {
namespace {

// Byte positions of yaml-cpp -> spans in code points.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_(text) {
    starts_.push_back(0);
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') starts_.push_back(i + 1);
    }
  }
  size_t offset(const YAML::Mark& mark) const {
    if (mark.line < 0 || mark.column < 0) return 0;
    const auto line = std::min(static_cast<size_t>(mark.line), starts_.size() - 1);
    return std::min(starts_[line] + static_cast<size_t>(mark.column), text_.size());
  }
  // Cost: the columns before it. A line's prefix is remembered, so that one very long line does not cost its square.
  Span span(const YAML::Mark& mark) {
    if (mark.line < 0 || mark.column < 0) return {};
    const auto line = std::min(static_cast<size_t>(mark.line), starts_.size() - 1);
    const size_t to = offset(mark);
    if (line != cached_line_ || to < cached_offset_) {
      cached_line_ = line;
      cached_offset_ = starts_[line];
      cached_column_ = 1;
    }
    for (; cached_offset_ < to; ++cached_offset_) {
      if ((static_cast<uint8_t>(text_[cached_offset_]) & 0xC0) != 0x80) ++cached_column_;
    }
    return {static_cast<uint32_t>(line + 1), cached_column_};
  }
  // Whether a quoted scalar begins at `offset` and has no end (YAML 1.2, 7.3.1 and 7.3.2).
  bool is_unclosed_quote(size_t offset) const {
    const char quote = offset < text_.size() ? text_[offset] : ' ';
    if (quote != '\'' && quote != '"') return false;
    for (size_t i = offset + 1; i < text_.size(); ++i) {
      if (quote == '"' && text_[i] == '\\') {
        ++i;
      } else if (text_[i] == quote) {
        if (quote == '"' || i + 1 >= text_.size() || text_[i + 1] != '\'') return false;
        ++i;
      }
    }
    return true;
  }
  bool is_written_null(size_t offset) const {
    const std::string_view rest = text_.substr(std::min(offset, text_.size()));
    return rest.starts_with('~') || rest.starts_with("null") || rest.starts_with("Null") || rest.starts_with("NULL");
  }
  // The dash behind which, but for blanks, there is nothing before `offset`.
  std::optional<size_t> dash_before(size_t offset) const {
    const size_t at = offset == 0 ? std::string_view::npos : text_.find_last_not_of(" \t\r\n", offset - 1);
    return at != std::string_view::npos && text_[at] == '-' ? std::optional(at) : std::nullopt;
  }
  Span span_at(size_t offset) const { return span_of(text_, offset); }
  std::string_view line(size_t index) const {
    if (index >= starts_.size()) return {};
    const size_t end = index + 1 < starts_.size() ? starts_[index + 1] - 1 : text_.size();
    return text_.substr(starts_[index], end - starts_[index]);
  }

 private:
  std::string_view text_;
  std::vector<size_t> starts_;
  size_t cached_line_ = SIZE_MAX;
  size_t cached_offset_ = 0;
  uint32_t cached_column_ = 1;
};

struct Refused {  // leaves yaml-cpp's parser from the event handler; caught in this file
  std::string_view code;
  Span span;
  std::string message;
};

class Builder final : public YAML::EventHandler {
 public:
  Builder(Lines& lines, std::vector<YamlDocument>& documents) : lines_(lines), documents_(documents) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    // At a token that begins nothing (a `,` outside of brackets) yaml-cpp gives empty documents for ever and stays where it is.
    if (!documents_.empty() && mark.pos == document_start_) throw Refused{"S004", lines_.span(mark), "not valid YAML: this can begin no value"};
    document_start_ = mark.pos;
    current_ = {};
    open_.clear();
    expanded_.clear();
    anchors_.clear();
  }
  void OnDocumentEnd() override {
    if (current_.nodes.empty()) current_.nodes.emplace_back();
    documents_.push_back(std::move(current_));
    current_ = {};
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const uint32_t node = add(mark, anchor, YamlKind::kScalar, ValueKind::kNull, "");
    place_of_nothing(mark, current_.nodes[node]);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    ValueKind type = ValueKind::kString;
    if (tag == "?" || tag.empty()) {
      type = plain_type(value);
    } else if (tag != "!" && tag != "tag:yaml.org,2002:str") {
      throw Refused{"S009", lines_.span(mark), fmt::format("the tag {} has no meaning here", quote(tag))};
    }
    if (tag == "?" && value.starts_with('\t')) throw Refused{"S003", lines_.span(mark), "a tab in the indentation"};  // yaml-cpp takes it as part of the text
    if (lines_.is_unclosed_quote(lines_.offset(mark))) throw Refused{"S004", lines_.span(mark), "this quote is never closed"};  // yaml-cpp closes it at the end
    add(mark, anchor, YamlKind::kScalar, type, type == ValueKind::kNull ? "" : value);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Refused{"S004", lines_.span(mark), "the alias has no anchor before it"};
    const uint32_t node = found->second;
    if (std::ranges::any_of(open_, [&](const Open& o) { return o.node == node; })) throw Refused{"S010", lines_.span(mark), "the alias refers to the node that it stands in"};
    // A node of its own with the same children, so that what is wrong with it is told where it is used.
    const auto index = static_cast<uint32_t>(current_.nodes.size());
    YamlNode again = current_.nodes[node];
    again.span = lines_.span(mark);
    again.offset = static_cast<uint32_t>(lines_.offset(mark));
    attach(mark, index, again);
    current_.nodes.push_back(std::move(again));
    expanded_.push_back(expanded_[node]);
    count(mark, expanded_.back());
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlKind::kSequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, YamlKind::kMap);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Size {  // aliases counted with what they expand to
    uint64_t nodes = 0;
    uint64_t bytes = 0;
    void operator+=(const Size& more) {
      nodes += more.nodes;
      bytes += more.bytes;
    }
  };
  struct Open {
    uint32_t node;
    Size expanded;  // so far, itself included
    std::unordered_set<std::string> keys;
  };

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YamlKind kind) {
    if (open_.size() >= limits::kYamlDepthMax) throw Refused{"S005", lines_.span(mark), fmt::format("nested deeper than {} levels", limits::kYamlDepthMax)};
    if (!tag.empty() && tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:map" && tag != "tag:yaml.org,2002:seq") {
      throw Refused{"S009", lines_.span(mark), fmt::format("the tag {} has no meaning here", quote(tag))};
    }
    const uint32_t node = add(mark, anchor, kind, ValueKind::kNull, "");
    open_.push_back({node, Size{1, 0}, {}});
  }
  void close() {
    const Open closed = std::move(open_.back());
    open_.pop_back();
    expanded_[closed.node] = closed.expanded;
    if (!open_.empty()) open_.back().expanded += Size{closed.expanded.nodes - 1, closed.expanded.bytes};  // itself was counted when it was added
  }
  void count(const YAML::Mark& mark, const Size& size) {
    total_ += size;
    if (!open_.empty()) open_.back().expanded += size;
    if (total_.nodes > limits::kYamlNodesMax) throw Refused{"S006", lines_.span(mark), fmt::format("more than {} nodes, aliases counted with what they expand to", limits::kYamlNodesMax)};
    if (total_.bytes > limits::kYamlExpandedBytesMax) throw Refused{"S006", lines_.span(mark), fmt::format("aliases expand to more than {} bytes", limits::kYamlExpandedBytesMax)};
  }
  uint32_t add(const YAML::Mark& mark, YAML::anchor_t anchor, YamlKind kind, ValueKind type, const std::string& text) {
    const auto index = static_cast<uint32_t>(current_.nodes.size());
    YamlNode node{kind, type, text, lines_.span(mark), static_cast<uint32_t>(lines_.offset(mark)), {}};
    attach(mark, index, node);
    current_.nodes.push_back(std::move(node));
    expanded_.push_back({1, text.size()});
    if (anchor != 0) anchors_[anchor] = index;
    count(mark, expanded_.back());
    return index;
  }
  // yaml-cpp gives the place of whatever follows; what has no value is its key, or the dash in front of it.
  void place_of_nothing(const YAML::Mark& mark, YamlNode& node) {
    if (open_.empty() || lines_.is_written_null(node.offset)) return;
    const YamlNode& parent = current_.nodes[open_.back().node];
    if (parent.kind == YamlKind::kMap) {
      const YamlNode& key = current_.nodes[parent.children[parent.children.size() - 2]];
      node.span = key.span;
      node.offset = key.offset;
    } else if (const auto dash = lines_.dash_before(lines_.offset(mark))) {
      node.span = lines_.span_at(*dash);
      node.offset = static_cast<uint32_t>(*dash);
    }
  }
  void attach(const YAML::Mark& mark, uint32_t index, const YamlNode& node) {
    if (open_.empty()) return;
    Open& parent = open_.back();
    YamlNode& map = current_.nodes[parent.node];
    if (map.kind == YamlKind::kMap && map.children.size() % 2 == 0) {
      if (node.kind != YamlKind::kScalar || node.type == ValueKind::kNull) throw Refused{"S008", lines_.span(mark), "a key must be plain text"};
      if (node.text == "<<") throw Refused{"S011", lines_.span(mark), "the merge key `<<` is not part of YAML 1.2"};
      if (!parent.keys.insert(node.text).second) throw Refused{"S007", lines_.span(mark), fmt::format("the key {} occurs twice in this map", quote(node.text))};
    }
    map.children.push_back(index);
  }

  Lines& lines_;
  std::vector<YamlDocument>& documents_;
  YamlDocument current_;
  std::vector<Open> open_;
  std::vector<Size> expanded_;  // per node of the current document
  std::unordered_map<YAML::anchor_t, uint32_t> anchors_;
  int document_start_ = -1;
  Size total_;  // of all documents
};

// UTF-8 and the characters that YAML 1.2 section 5.1 allows; the rest would reach terminals and logs.
bool is_text(std::string_view text, Reporter& reporter) {
  if (const auto at = invalid_utf8_at(text)) {
    reporter.report("S002", span_of(text, *at), fmt::format("byte 0x{:02x} is not valid UTF-8", static_cast<uint8_t>(text[*at])));
    return false;
  }
  const auto control = std::ranges::find_if(text, [](char c) { return (static_cast<uint8_t>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F; });
  if (control == text.end()) return true;
  reporter.report("S002", span_of(text, static_cast<size_t>(control - text.begin())), fmt::format("control character 0x{:02x} in the text", static_cast<uint8_t>(*control)));
  return false;
}

// Whether yaml-cpp stumbled over a tab in an indentation, at this line or the one before.
std::optional<Span> indenting_tab(const Lines& lines, const YAML::Mark& mark) {
  for (int line = mark.line; line >= 0 && line >= mark.line - 1; --line) {
    const std::string_view text = lines.line(static_cast<size_t>(line));
    const size_t tab = text.find('\t');
    if (tab != std::string_view::npos && text.substr(0, tab).find_first_not_of(" -") == std::string_view::npos) {
      return Span{static_cast<uint32_t>(line + 1), static_cast<uint32_t>(tab + 1)};
    }
  }
  return std::nullopt;
}

bool is_digits(std::string_view text) { return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }); }
bool is_hex(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}
std::string_view without_sign(std::string_view text) { return !text.empty() && (text[0] == '-' || text[0] == '+') ? text.substr(1) : text; }

bool is_float(std::string_view text) {
  text = without_sign(text);
  if (text == ".inf" || text == ".Inf" || text == ".INF") return true;
  if (const size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    if (!is_digits(without_sign(text.substr(e + 1)))) return false;
    text = text.substr(0, e);
  }
  const size_t dot = text.find('.');
  if (dot == std::string_view::npos) return is_digits(text);
  const std::string_view whole = text.substr(0, dot);
  const std::string_view fraction = text.substr(dot + 1);
  return (whole.empty() ? is_digits(fraction) : is_digits(whole) && (fraction.empty() || is_digits(fraction)));
}

}  // namespace

ValueKind plain_type(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return ValueKind::kNull;
  if (text == "true" || text == "True" || text == "TRUE" || text == "false" || text == "False" || text == "FALSE") return ValueKind::kBoolean;
  if (is_digits(without_sign(text))) return ValueKind::kInteger;
  if (text.starts_with("0x") && is_hex(text.substr(2))) return ValueKind::kInteger;
  if (text.starts_with("0o") && is_digits(text.substr(2)) && text.find_first_of("89") == std::string_view::npos) return ValueKind::kInteger;
  if (is_float(text) || text == ".nan" || text == ".NaN" || text == ".NAN") return ValueKind::kFloat;
  return ValueKind::kString;
}

std::string describe(const YamlNode& node) {
  if (node.kind == YamlKind::kMap) return node.children.empty() ? "an empty map" : "a map";
  if (node.kind == YamlKind::kSequence) return node.children.empty() ? "an empty list" : "a list";
  switch (node.type) {
    case ValueKind::kNull: return "nothing";
    case ValueKind::kBoolean: return fmt::format("the truth value {}", quote(node.text));
    case ValueKind::kInteger:
    case ValueKind::kFloat: return fmt::format("the number {}", quote(node.text));
    case ValueKind::kString: break;
  }
  return node.text.empty() ? "an empty text" : fmt::format("the text {}", quote(node.text));
}

void warn_of_number(const YamlNode& node, std::string_view what, Reporter& reporter) {
  if (node.kind != YamlKind::kScalar || node.type == ValueKind::kString || node.type == ValueKind::kNull) return;
  reporter.report("S038", node.span, fmt::format("{} should be text, and is {}", what, describe(node)));
}

YamlOutcome read_yaml(std::string_view text, Reporter& reporter) {
  YamlOutcome outcome;
  if (text.size() > limits::kRuleFileBytesMax) {
    reporter.report("S001", {1, 1}, fmt::format("the file has {} bytes, more than the {} that a rule file may have", text.size(), limits::kRuleFileBytesMax));
    return outcome;
  }
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark is no part of the text
  if (!is_text(text, reporter)) return outcome;
  Lines lines(text);
  Builder builder(lines, outcome.documents);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    outcome.complete = true;
  } catch (const Refused& refused) {
    reporter.report(refused.code, refused.span, refused.message);
  } catch (const YAML::Exception& error) {
    if (const auto tab = indenting_tab(lines, error.mark)) {
      reporter.report("S003", *tab, "a tab in the indentation");
    } else {
      reporter.report("S004", lines.span(error.mark), fmt::format("not valid YAML: {}", printable(error.msg)));
    }
  }
  return outcome;
}

}  // namespace creance::sigma
