// Correlations of every kind over two small Types, and their files: for tests and the fuzzer.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "base/limits.hpp"
#include "compiler/correlations.hpp"
#include "interpreter/correlation.hpp"
#include "schema/type.hpp"
#include "sigma/parser.hpp"

namespace creance::test {

inline constexpr interpreter::Hash128 kKey{0x0706050403020100, 0x0f0e0d0c0b0a0908};
inline constexpr int64_t kSecond = 1'000'000;

// Inputs of the Types "test.one" and "test.two": Time, Host, User, Value; in the second, User is called Account.
inline const std::vector<schema::TemplateType>& types() {
  static const std::vector<schema::TemplateType> kTypes = [] {
    std::vector<schema::TemplateType> out;
    for (const char* id : {"test.one", "test.two"}) {
      schema::TemplateType type{.id = id, .title = "Test"};
      type.inputs = {{"UtcTime", schema::InputType::kTime, ""}, {"Host", schema::InputType::kString, ""}, {out.empty() ? "User" : "Account", schema::InputType::kString, ""}, {"Value", schema::InputType::kString, ""}};
      type.fingerprint.fill(static_cast<uint8_t>(out.size() + 1));
      out.push_back(std::move(type));
    }
    return out;
  }();
  return kTypes;
}

// Rules `a` to `f`; `e` and `f` run over the second Type. What they detect does not matter here: a test says which match.
inline std::string rule_documents() {
  std::string out;
  for (char name = 'a'; name <= 'f'; ++name) {
    out += std::string("---\ntitle: Rule ") + name + "\nid: 00000000-0000-4000-8000-00000000000" + name + "\nname: " + name +
           "\nlogsource: {product: linux, category: process_creation}\ndetection: {sel: {Image: " + name + "}, condition: sel}\n";
  }
  return out;
}

// `body`: the lines under `correlation:`, not indented. Number n gets the name cn.
inline std::string correlation_document(int number, const std::string& body) {
  std::string out = "---\ntitle: Correlation " + std::to_string(number) + "\nid: 00000000-0000-4000-8000-0000000001" + std::to_string(10 + number) + "\nname: c" + std::to_string(number) + "\nlevel: high\ncorrelation:\n";
  for (size_t at = 0; at < body.size();) {
    const size_t end = std::min(body.find('\n', at), body.size());
    out += "  " + body.substr(at, end - at) + "\n";
    at = end + 1;
  }
  return out;
}

inline std::string body(const std::string& kind, const std::string& rules, const std::string& span, const std::string& condition, const std::string& group = "[User]") {
  return "type: " + kind + "\nrules: " + rules + "\ngroup-by: " + group + "\ntimespan: " + span + (condition.empty() ? "" : "\ncondition: " + condition);
}

// One of each kind.
inline constexpr uint64_t kSmallest = limits::kCorrelationStateBytesMin;

inline std::vector<std::string> all_kinds() {
  return {body("event_count", "[a, b]", "10s", "{gte: 3}", "[Host, User]"),
          body("value_count", "[a]", "10s", "{field: [Host, Value], gte: 3}"),
          body("temporal", "[a, b, c]", "10s", "a and not b or c"),
          body("temporal_ordered", "[a, b, c]", "10s", "{gte: 2}"),
          body("value_sum", "[a]", "10s", "{field: Value, gt: 3, lte: 9}"),
          body("value_max", "[a]", "10s", "{field: Value, neq: 3}"),
          body("value_avg", "[a, e]", "10s", "{field: Value, gte: 2}", "[who]") + "\naliases:\n  who: {a: User, e: Account}",
          body("value_percentile", "[a]", "10s", "{field: Value, percentile: 75, gte: 2}"),
          body("value_percentile", "[b]", "10s", "{field: Value, lte: 50}"),
          body("temporal_ordered", "[c0, c4, b]", "20s", "c0 and (c4 or b)", "[User]")};
}

// Of parsed rules `a` to `f`: `e` and `f` run over the second Type, the others over the first.
inline std::vector<std::vector<const schema::TemplateType*>> types_of(const std::vector<sigma::Rule>& rules) {
  std::vector<std::vector<const schema::TemplateType*>> out;
  for (const sigma::Rule& rule : rules) out.push_back({&types()[rule.name >= "e" ? 1 : 0]});
  return out;
}

}  // namespace creance::test
