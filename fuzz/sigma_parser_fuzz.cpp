// The bytes of a rule file. Must not crash, and what it gives must obey the contract of sigma/rule.hpp and sigma/parser.hpp: a condition in post-order over selections
// that exist, no item without values, no rule beside an error of its own, diagnostics that are one printable line; and binding must hold for whatever was parsed.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.hpp"
#include "base/text.hpp"
#include "sigma/binder.hpp"
#include "sigma/codes.hpp"
#include "sigma/parser.hpp"

namespace {
using namespace creance;

void check_condition(const sigma::Rule& rule) {
  CHECK(!rule.condition.empty());
  std::vector<bool> has_parent(rule.condition.size());
  for (size_t i = 0; i < rule.condition.size(); ++i) {
    const sigma::ConditionNode& node = rule.condition[i];
    CHECK((node.kind == sigma::NodeKind::kSelection) == node.children.empty());
    if (node.kind == sigma::NodeKind::kSelection) CHECK(node.selection < rule.selections.size());
    if (node.kind == sigma::NodeKind::kNot) CHECK(node.children.size() == 1);
    for (const uint32_t child : node.children) {
      CHECK(child < i);
      CHECK(!has_parent[child]);
      has_parent[child] = true;
    }
  }
  for (size_t i = 0; i + 1 < has_parent.size(); ++i) CHECK(has_parent[i]);
  CHECK(!has_parent.back());
}

void check_rule(const sigma::Rule& rule) {
  CHECK(!rule.title.empty());
  for (const sigma::Selection& selection : rule.selections) {
    CHECK(!selection.alternatives.empty());
    for (const sigma::Alternative& alternative : selection.alternatives) {
      CHECK(!alternative.items.empty());
      for (const sigma::Item& item : alternative.items) {
        CHECK(!item.values.empty());
        for (const sigma::Value& value : item.values) CHECK(value.kind != sigma::ValueKind::kNull || value.text.empty());
      }
    }
  }
  check_condition(rule);
}

void check_diagnostic(const Diagnostic& diagnostic) {
  CHECK(sigma::code_info(diagnostic.code).severity == diagnostic.severity);
  for (const std::string* text : {&diagnostic.message, &diagnostic.help}) {
    CHECK(text->size() < 1'000);
    CHECK(!invalid_utf8_at(*text));
    for (const char c : *text) CHECK(static_cast<uint8_t>(c) >= 0x20);
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  sigma::ParseOutcome outcome = sigma::parse({reinterpret_cast<const char*>(data), size}, "fuzz.yml");
  CHECK(outcome.rules.size() <= outcome.documents);
  CHECK(outcome.rules.size() == outcome.documents || has_errors(outcome.diagnostics));
  for (const sigma::Rule& rule : outcome.rules) {
    check_rule(rule);
    for (const sigma::Binding& binding : sigma::bind(rule, schema::Catalog::embedded(), outcome.diagnostics)) CHECK(binding.type != nullptr);
  }
  for (const Diagnostic& diagnostic : outcome.diagnostics) check_diagnostic(diagnostic);
  return 0;
}
