#include "base/yaml.hpp"

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

namespace creance::yaml {
namespace {

std::string quote(std::string_view text) { return "`" + printable(text) + "`"; }

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
  Trouble trouble;
};
Refused refused(Problem problem, Span span, std::string message) { return {{problem, span, std::move(message)}}; }

class Builder final : public YAML::EventHandler {
 public:
  Builder(Lines& lines, const Options& options, std::vector<Document>& documents) : lines_(lines), options_(options), documents_(documents) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    // At a token that begins nothing (a `,` outside of brackets) yaml-cpp gives empty documents for ever and stays where it is.
    if (!documents_.empty() && mark.pos == document_start_) throw refused(Problem::kSyntax, lines_.span(mark), "not valid YAML: this can begin no value");
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
    const uint32_t node = add(mark, anchor, Kind::kScalar, Scalar::kNull, "");
    place_of_nothing(mark, current_.nodes[node]);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, const std::string& value) override {
    Scalar type = Scalar::kString;
    if (tag == "?" || tag.empty()) {
      type = plain_type(value);
    } else if (tag != "!" && tag != "tag:yaml.org,2002:str") {
      throw refused(Problem::kTag, lines_.span(mark), fmt::format("the tag {} has no meaning here", quote(tag)));
    }
    if (tag == "?" && value.starts_with('\t')) throw refused(Problem::kTab, lines_.span(mark), "a tab in the indentation");  // yaml-cpp takes it as part of the text
    if (lines_.is_unclosed_quote(lines_.offset(mark))) throw refused(Problem::kSyntax, lines_.span(mark), "this quote is never closed");  // yaml-cpp closes it at the end
    add(mark, anchor, Kind::kScalar, type, type == Scalar::kNull ? "" : value);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (!options_.aliases) throw refused(Problem::kAlias, lines_.span(mark), "aliases (`*name`) are not taken here");
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw refused(Problem::kSyntax, lines_.span(mark), "the alias has no anchor before it");
    const uint32_t node = found->second;
    if (std::ranges::any_of(open_, [&](const Open& o) { return o.node == node; })) throw refused(Problem::kCircle, lines_.span(mark), "the alias refers to the node that it stands in");
    // A node of its own with the same children, so that what is wrong with it is told where it is used.
    const auto index = static_cast<uint32_t>(current_.nodes.size());
    Node again = current_.nodes[node];
    again.span = lines_.span(mark);
    again.offset = static_cast<uint32_t>(lines_.offset(mark));
    attach(mark, index, again);
    current_.nodes.push_back(std::move(again));
    expanded_.push_back(expanded_[node]);
    count(mark, expanded_.back());
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Kind::kSequence);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Kind::kMap);
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

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Kind kind) {
    if (open_.size() >= limits::kYamlDepthMax) throw refused(Problem::kDepth, lines_.span(mark), fmt::format("nested deeper than {} levels", limits::kYamlDepthMax));
    if (!tag.empty() && tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:map" && tag != "tag:yaml.org,2002:seq") {
      throw refused(Problem::kTag, lines_.span(mark), fmt::format("the tag {} has no meaning here", quote(tag)));
    }
    const uint32_t node = add(mark, anchor, kind, Scalar::kNull, "");
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
    if (total_.nodes > limits::kYamlNodesMax) throw refused(Problem::kSize, lines_.span(mark), fmt::format("more than {} nodes, aliases counted with what they expand to", limits::kYamlNodesMax));
    if (total_.bytes > limits::kYamlExpandedBytesMax) throw refused(Problem::kSize, lines_.span(mark), fmt::format("aliases expand to more than {} bytes", limits::kYamlExpandedBytesMax));
  }
  uint32_t add(const YAML::Mark& mark, YAML::anchor_t anchor, Kind kind, Scalar type, const std::string& text) {
    const auto index = static_cast<uint32_t>(current_.nodes.size());
    Node node{kind, type, text, lines_.span(mark), static_cast<uint32_t>(lines_.offset(mark)), {}};
    attach(mark, index, node);
    current_.nodes.push_back(std::move(node));
    expanded_.push_back({1, text.size()});
    if (anchor != 0) anchors_[anchor] = index;
    count(mark, expanded_.back());
    return index;
  }
  // yaml-cpp gives the place of whatever follows; what has no value is its key, or the dash in front of it.
  void place_of_nothing(const YAML::Mark& mark, Node& node) {
    if (open_.empty() || lines_.is_written_null(node.offset)) return;
    const Node& parent = current_.nodes[open_.back().node];
    if (parent.kind == Kind::kMap) {
      const Node& key = current_.nodes[parent.children[parent.children.size() - 2]];
      node.span = key.span;
      node.offset = key.offset;
    } else if (const auto dash = lines_.dash_before(lines_.offset(mark))) {
      node.span = lines_.span_at(*dash);
      node.offset = static_cast<uint32_t>(*dash);
    }
  }
  void attach(const YAML::Mark& mark, uint32_t index, const Node& node) {
    if (open_.empty()) return;
    Open& parent = open_.back();
    Node& map = current_.nodes[parent.node];
    if (map.kind == Kind::kMap && map.children.size() % 2 == 0) {
      if (node.kind != Kind::kScalar || node.type == Scalar::kNull) throw refused(Problem::kKey, lines_.span(mark), "a key must be plain text");
      if (node.text == "<<") throw refused(Problem::kMergeKey, lines_.span(mark), "the merge key `<<` is not part of YAML 1.2");
      if (!parent.keys.insert(node.text).second) throw refused(Problem::kRepeatedKey, lines_.span(mark), fmt::format("the key {} occurs twice in this map", quote(node.text)));
    }
    map.children.push_back(index);
  }

  Lines& lines_;
  const Options options_;
  std::vector<Document>& documents_;
  Document current_;
  std::vector<Open> open_;
  std::vector<Size> expanded_;  // per node of the current document
  std::unordered_map<YAML::anchor_t, uint32_t> anchors_;
  int document_start_ = -1;
  Size total_;  // of all documents
};

// UTF-8 and the characters that YAML 1.2 section 5.1 allows; the rest would reach terminals and logs.
std::optional<Trouble> not_text(std::string_view text) {
  if (const auto at = invalid_utf8_at(text)) return Trouble{Problem::kNotText, span_of(text, *at), fmt::format("byte 0x{:02x} is not valid UTF-8", static_cast<uint8_t>(text[*at]))};
  const auto control = std::ranges::find_if(text, [](char c) { return (static_cast<uint8_t>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7F; });
  if (control == text.end()) return std::nullopt;
  return Trouble{Problem::kNotText, span_of(text, static_cast<size_t>(control - text.begin())), fmt::format("control character 0x{:02x} in the text", static_cast<uint8_t>(*control))};
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

Scalar plain_type(std::string_view text) {
  if (text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL") return Scalar::kNull;
  if (text == "true" || text == "True" || text == "TRUE" || text == "false" || text == "False" || text == "FALSE") return Scalar::kBoolean;
  if (is_digits(without_sign(text))) return Scalar::kInteger;
  if (text.starts_with("0x") && is_hex(text.substr(2))) return Scalar::kInteger;
  if (text.starts_with("0o") && is_digits(text.substr(2)) && text.find_first_of("89") == std::string_view::npos) return Scalar::kInteger;
  if (is_float(text) || text == ".nan" || text == ".NaN" || text == ".NAN") return Scalar::kFloat;
  return Scalar::kString;
}

const Node* Document::find(const Node& map, std::string_view key) const {
  if (map.kind != Kind::kMap) return nullptr;
  for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
    if (nodes[map.children[i]].text == key) return &nodes[map.children[i + 1]];
  }
  return nullptr;
}

Outcome read(std::string_view text, const Options& options) {
  Outcome outcome;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  outcome.trouble = not_text(text);
  if (outcome.trouble) return outcome;
  Lines lines(text);
  Builder builder(lines, options, outcome.documents);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& end) {
    outcome.trouble = end.trouble;
  } catch (const YAML::Exception& error) {
    const auto tab = indenting_tab(lines, error.mark);
    outcome.trouble = tab ? Trouble{Problem::kTab, *tab, "a tab in the indentation"} : Trouble{Problem::kSyntax, lines.span(error.mark), fmt::format("not valid YAML: {}", printable(error.msg))};
  }
  return outcome;
}

std::optional<std::vector<Document>> parse(std::string_view text, const std::string& file, std::string_view code, Diagnostics& diagnostics) {
  Outcome outcome = read(text, {.aliases = false});
  if (!outcome.trouble) return std::move(outcome.documents);
  diagnostics.push_back({file, outcome.trouble->span, Severity::kError, std::string(code), std::move(outcome.trouble->message), ""});
  return std::nullopt;
}

}  // namespace creance::yaml
