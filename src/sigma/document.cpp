#include "sigma/document.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/limits.hpp"

namespace creance::sigma {
namespace {

std::string_view code_of(yaml::Problem problem) {
  switch (problem) {
    case yaml::Problem::kNotText: return "S002";
    case yaml::Problem::kTab: return "S003";
    case yaml::Problem::kSyntax: return "S004";
    case yaml::Problem::kDepth: return "S005";
    case yaml::Problem::kSize: return "S006";
    case yaml::Problem::kRepeatedKey: return "S007";
    case yaml::Problem::kKey: return "S008";
    case yaml::Problem::kTag: return "S009";
    case yaml::Problem::kCircle: return "S010";
    case yaml::Problem::kMergeKey: return "S011";
    case yaml::Problem::kAlias: break;  // not with aliases taken
  }
  return "S004";
}

}  // namespace

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
  if (text.size() > limits::kRuleFileBytesMax) {
    reporter.report("S001", {1, 1}, fmt::format("the file has {} bytes, more than the {} that a rule file may have", text.size(), limits::kRuleFileBytesMax));
    return {};
  }
  yaml::Outcome read = yaml::read(text, {.aliases = true});
  if (read.trouble) reporter.report(code_of(read.trouble->problem), read.trouble->span, read.trouble->message);
  return {std::move(read.documents), !read.trouble};
}

}  // namespace creance::sigma
