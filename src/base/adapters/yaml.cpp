#include "base/yaml.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>
#include <unordered_set>

#include "base/limits.hpp"
#include "base/text.hpp"

namespace creance::yaml {
namespace {

struct Refused {  // thrown inside this file only, through yaml-cpp's parser
  Span span;
  std::string message;
};

Span to_span(const YAML::Mark& mark) { return {static_cast<uint32_t>(mark.line + 1), static_cast<uint32_t>(mark.column + 1)}; }

class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(std::vector<Document>& documents) : documents_(documents) {}
  void OnDocumentStart(const YAML::Mark& mark) override {
    // At a token that begins nothing (a `,` outside of brackets) yaml-cpp gives empty documents for ever and stays where it is.
    if (!documents_.empty() && mark.pos == document_start_) throw Refused{to_span(mark), "not valid YAML: this can begin no value"};
    document_start_ = mark.pos;
    documents_.emplace_back();
    open_.clear();
  }
  void OnDocumentEnd() override {
    if (documents_.back().nodes.empty()) documents_.back().nodes.emplace_back();
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override { add(mark, Kind::kNull, "", false); }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { throw Refused{to_span(mark), "aliases (`*name`) are not taken here"}; }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t, const std::string& value) override {
    const bool quoted = tag == "!";
    const bool null = !quoted && (value.empty() || value == "~" || value == "null" || value == "Null" || value == "NULL");
    add(mark, null ? Kind::kNull : Kind::kScalar, value, quoted);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override { open(mark, Kind::kSequence); }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t, YAML::EmitterStyle::value) override { open(mark, Kind::kMap); }
  void OnMapEnd() override { open_.pop_back(); }

 private:
  struct Open {
    uint32_t node;
    std::unordered_set<std::string> keys;
  };
  void open(const YAML::Mark& mark, Kind kind) {
    if (open_.size() >= limits::kYamlDepthMax) throw Refused{to_span(mark), fmt::format("nested deeper than {} levels", limits::kYamlDepthMax)};
    open_.push_back({add(mark, kind, "", false), {}});
  }
  uint32_t add(const YAML::Mark& mark, Kind kind, const std::string& text, bool quoted) {
    auto& nodes = documents_.back().nodes;
    if (nodes.size() >= limits::kYamlNodesMax) throw Refused{to_span(mark), fmt::format("more than {} nodes", limits::kYamlNodesMax)};
    const auto index = static_cast<uint32_t>(nodes.size());
    if (!open_.empty()) attach(mark, kind, text, index);
    nodes.push_back({kind, quoted, text, to_span(mark), {}});
    return index;
  }
  void attach(const YAML::Mark& mark, Kind kind, const std::string& text, uint32_t index) {
    Open& parent = open_.back();
    Node& node = documents_.back().nodes[parent.node];
    if (node.kind == Kind::kMap && node.children.size() % 2 == 0) {
      if (kind != Kind::kScalar) throw Refused{to_span(mark), "a key must be plain text"};
      if (!parent.keys.insert(text).second) throw Refused{to_span(mark), fmt::format("duplicate key `{}`", printable(text))};
    }
    node.children.push_back(index);
  }

  std::vector<Document>& documents_;
  int document_start_ = -1;
  std::vector<Open> open_;
};

// yaml-cpp's parser recurses with the nesting: a cheap upper bound of it, from brackets and from indentation, before it sees the text.
std::optional<Span> too_deep(std::string_view text) {
  size_t brackets = 0;
  size_t line_start = 0;
  uint32_t line = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '[' || c == '{') ++brackets;
    if ((c == ']' || c == '}') && brackets > 0) --brackets;
    if (brackets > 4096) return Span{line, static_cast<uint32_t>(i - line_start + 1)};
    if (c == '\n') {
      line_start = i + 1;
      ++line;
    } else if (i - line_start > 4096 && text.substr(line_start, i - line_start).find_first_not_of(" -?:\t") == std::string_view::npos) {
      return Span{line, static_cast<uint32_t>(i - line_start + 1)};
    }
  }
  return std::nullopt;
}

}  // namespace

const Node* Document::find(const Node& map, std::string_view key) const {
  if (map.kind != Kind::kMap) return nullptr;
  for (size_t i = 0; i + 1 < map.children.size(); i += 2) {
    if (nodes[map.children[i]].text == key) return &nodes[map.children[i + 1]];
  }
  return nullptr;
}

std::optional<std::vector<Document>> parse(std::string_view text, const std::string& file, std::string_view code, Diagnostics& diagnostics) {
  const auto refuse = [&](Span span, std::string message) {
    diagnostics.push_back({file, span, Severity::kError, std::string(code), std::move(message), ""});
    return std::nullopt;
  };
  if (const auto at = invalid_utf8_at(text)) return refuse(span_of(text, *at), "invalid UTF-8");
  if (const auto deep = too_deep(text)) return refuse(*deep, fmt::format("nested deeper than {} levels", limits::kYamlDepthMax));
  std::vector<Document> documents;
  Builder builder(documents);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refused& refused) {
    return refuse(refused.span, refused.message);
  } catch (const YAML::Exception& error) {
    return refuse(to_span(error.mark), fmt::format("not valid YAML: {}", printable(error.msg)));
  }
  return documents;
}

}  // namespace creance::yaml
