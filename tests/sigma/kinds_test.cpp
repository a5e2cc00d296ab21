// Every key of the three kinds of documents, with every kind of YAML node as its value: the parser says what is wrong at the place of that value, or of its key where
// there is none, and takes nothing silently that the specification does not give to this key.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.hpp"
#include "sigma/parser.hpp"

namespace creance::sigma {
namespace {

struct Kind {
  std::string name;
  std::string yaml;  // in flow style, on one line
  std::vector<std::string> found;  // one of these is in the message; empty where the message depends on the key
};
std::vector<Kind> kinds() {
  const std::vector<std::string> nothing{"nothing", "no value", "empty", "has no", "null", "takes no"};
  return {{"null", "", nothing},
          {"tilde", "~", nothing},
          {"empty text", "''", {}},
          {"text", "some words", {}},
          {"integer", "42", {"`42`"}},
          {"negative", "-1", {"`-1`"}},
          {"float", "1.5", {"`1.5`"}},
          {"bool", "true", {"`true`"}},
          {"list", "[x1, x2]", {"a list", "`x1`"}},
          {"list of list", "[[x]]", {"a list"}},
          {"list of map", "[{k: v}]", {"a list", "a map", "`k`", "has no id"}},
          {"list of null", "[~]", {"nothing", "null", "a list"}},
          {"empty list", "[]", {"empty", "no value", "nothing"}},
          {"map", "{k: v}", {"a map", "`k`"}},
          {"empty map", "{}", {"empty", "map", "no value", "neither", "has no", "does not say", "needs"}},
          {"long", std::string(100'000, 'x'), {}},
          {"bytes", "\xff\xfe", {"UTF-8"}},
          {"alias", "*anchor", {"a map", "`k`", "neither", "the alias", "has no", "does not say", "not defined"}},
          {"unknown alias", "*none", {"anchor"}},
          {"tagged", "!!binary aGk=", {"tag"}},
          {"date", "2026-01-01", {}}};
}

// One value of a document, marked by @@ on its line, as `key: @@`.
struct Document {
  std::string name;
  std::string yaml;
};
const std::string kAnchor = "x-anchor: &anchor {k: [v]}\n";
const std::string kRule = kAnchor + R"(title: T
id: 00000000-0000-4000-8000-000000000001
logsource:
  category: process_creation
detection:
  s:
    Image: a
  condition: s
)";
const std::string kCorrelation = kAnchor + R"(title: C
id: 00000000-0000-4000-8000-000000000002
correlation:
  type: value_count
  rules: [a, b]
  group-by: [who]
  timespan: 5m
  condition:
    gte: 3
    field: Image
  aliases:
    who:
      a: User
      b: Account
  generate: true
---
title: A
id: 00000000-0000-4000-8000-000000000003
name: a
logsource: {category: process_creation}
detection: {s: {Image: a}, condition: s}
---
title: B
id: 00000000-0000-4000-8000-000000000004
name: b
logsource: {category: process_creation}
detection: {s: {Image: b}, condition: s}
)";
const std::string kFilter = kAnchor + R"(title: F
id: 00000000-0000-4000-8000-000000000005
logsource:
  category: process_creation
filter:
  rules: [a]
  s:
    Image: b
  condition: not s
)";

// Replaces the value of `key`, with everything nested below it; where it is not there, adds it below the line of its parent.
std::string with(const std::string& document, const std::string& path) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < document.size();) {
    const size_t end = document.find('\n', at);
    lines.push_back(document.substr(at, end - at));
    at = end + 1;
  }
  const std::string indent = path.substr(0, path.find_first_not_of(' '));
  std::string out;
  bool done = false;
  bool inside = false;
  for (const std::string& line : lines) {
    if (inside && line.starts_with(indent + " ")) continue;
    inside = false;
    if (!done && line.starts_with(path + ":")) {
      out += path + ": @@\n";
      done = inside = true;
      continue;
    }
    out += line + "\n";
  }
  if (done) return out;
  const size_t level = indent.size() / 2;
  const std::array<std::string, 3> parents{kAnchor, path.starts_with("  product") || path.starts_with("  service") ? "logsource:\n" : "correlation:\n", path.starts_with("    Image") ? "  s:\n" : "  condition:\n"};
  out = document;
  const size_t at = out.find(parents.at(level));
  EXPECT_NE(at, std::string::npos) << path;
  out.insert(at + parents.at(level).size(), path + ": @@\n");
  return out;
}

struct Key {
  std::string path;              // with its indentation
  std::vector<std::string> fine; // kinds that are right here, or are text that the compiler judges
  std::vector<std::string> elsewhere = {};  // kinds that are right here, and do not go with another part
};

void sweep(const std::string& document, const std::vector<Key>& keys) {
  for (const Key& key : keys) {
    const std::string marked = with(document, key.path);
    for (const Kind& kind : kinds()) {
      std::string yaml = marked;
      const size_t at = yaml.find("@@");
      ASSERT_NE(at, std::string::npos);
      yaml.replace(at, 2, kind.yaml);
      const auto line = static_cast<uint32_t>(std::count(yaml.begin(), yaml.begin() + static_cast<ptrdiff_t>(at), '\n') + 1);
      const ParseOutcome outcome = parse(yaml, "k.yml");
      std::string all;
      bool here = false;
      bool said = kind.found.empty();
      for (const Diagnostic& d : outcome.diagnostics) {
        all += to_line(d) + "\n";
        EXPECT_FALSE(d.message.empty() || d.help.empty()) << d.code;
        EXPECT_LT(d.message.size(), 1'000u) << key.path << " with " << kind.name;
        if (d.span.line != line || d.span.column == 0 || d.code == "S022") continue;
        here = true;
        said = said || std::ranges::any_of(kind.found, [&](const std::string& part) { return d.message.find(part) != std::string::npos; });
      }
      const std::string where = "`" + key.path + "` with " + kind.name + ":\n" + all.substr(0, 2'000);
      if (std::ranges::find(key.fine, kind.name) != key.fine.end()) {
        EXPECT_FALSE(has_errors(outcome.diagnostics)) << where;
        continue;
      }
      if (std::ranges::find(key.elsewhere, kind.name) != key.elsewhere.end()) {
        EXPECT_TRUE(has_errors(outcome.diagnostics)) << where;
        continue;
      }
      if (kind.name == "alias" && has_errors(outcome.diagnostics)) continue;  // what is wrong inside of it stands at the anchor
      EXPECT_TRUE(here) << "nothing is said at line " << line << " of " << where;
      EXPECT_TRUE(said) << "it is not said what was found in " << where;
    }
  }
}

const std::vector<std::string> kText{"text", "date"};
std::vector<std::string> also(std::vector<std::string> more) {
  more.insert(more.end(), kText.begin(), kText.end());
  return more;
}
const std::vector<Key> kMetadata{{"title", kText}, {"id", {}}, {"name", also({"long"})}, {"status", {}}, {"level", {}}, {"description", also({"long"})}, {"author", also({"long"})}, {"license", also({"long"})}, {"date", {"date"}},
                                 {"modified", {"date"}}, {"tags", {}}, {"references", {"list"}}, {"falsepositives", also({"list", "long"})}, {"fields", {"list"}}, {"related", {}}};

TEST(Kinds, OfEveryKeyOfARule) {
  std::vector<Key> keys = kMetadata;
  const std::vector<Key> own{{"taxonomy", also({"long"})},
                             {"logsource", {}},
                             {"  category", also({"long"})},
                             {"  product", also({"long"})},
                             {"  service", also({"long"})},
                             {"detection", {}},
                             {"  s", {"list", "map", "alias", "list of map"}},
                             {"    Image", also({"null", "tilde", "empty text", "integer", "negative", "float", "bool", "list", "list of null", "long"})},
                             {"    Image|contains", also({"integer", "negative", "float", "bool", "list", "long", "empty text"})},
                             {"    Image|re", also({"list", "long", "empty text", "integer", "negative", "float", "bool"})},
                             {"    Image|exists", {"bool"}},
                             {"    Image|gt", {"integer", "negative", "float"}},
                             {"    Image|cidr", also({"list", "long", "empty text", "integer", "negative", "float", "bool"})},
                             {"    Image|fieldref", also({"list", "long"})},
                             {"  condition", {}}};
  keys.insert(keys.end(), own.begin(), own.end());
  sweep(kRule, keys);
}

TEST(Kinds, OfEveryKeyOfACorrelation) {
  std::vector<Key> keys = kMetadata;
  const std::vector<Key> own{{"correlation", {}},
                             {"  type", {}},
                             {"  rules", {}, also({"list", "long"})},
                             {"  group-by", also({"list", "long"})},
                             {"  timespan", {}},
                             {"  condition", {}},
                             {"    gte", {"integer"}},
                             {"    lt", {"integer"}},
                             {"    eq", {}, {"integer"}},
                             {"    field", also({"list", "long"})},
                             {"  aliases", {}},
                             {"    who", {}},
                             {"      a", also({"long"})},
                             {"  generate", {"bool"}}};
  keys.insert(keys.end(), own.begin(), own.end());
  sweep(kCorrelation, keys);
}

TEST(Kinds, OfEveryKeyOfAFilter) {
  std::vector<Key> keys = kMetadata;
  const std::vector<Key> own{{"logsource", {}},       {"  category", also({"long"})}, {"filter", {}}, {"  rules", also({"list", "long"})}, {"  s", {"list", "map", "alias", "list of map"}},
                             {"    Image", also({"null", "tilde", "empty text", "integer", "negative", "float", "bool", "list", "list of null", "long"})}, {"  condition", {}}};
  keys.insert(keys.end(), own.begin(), own.end());
  sweep(kFilter, keys);
}

}  // namespace
}  // namespace creance::sigma
