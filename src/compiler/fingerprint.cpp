#include "compiler/fingerprint.hpp"

#include <fmt/format.h>

#include <bit>

#include "base/digest.hpp"
#include "channel/correlation_format.hpp"

namespace creance::compiler {

void Fingerprint::add(std::string_view text) { text_ += fmt::format("{}:{};", text.size(), text); }

void Fingerprint::add(Int128 number) {
  const auto words = std::bit_cast<channel::Wide>(number);
  text_ += fmt::format("{}.{};", words.high, words.low);
}

void Fingerprint::add(const sigma::Rule& rule) {
  for (const std::string* part : {&rule.id, &rule.logsource.product, &rule.logsource.category, &rule.logsource.service}) add(*part);
  for (const sigma::Selection& selection : rule.selections) {
    add("selection");
    for (const sigma::Alternative& alternative : selection.alternatives) {
      add("or");
      for (const sigma::Item& item : alternative.items) {
        add(item.field);
        for (const sigma::Modifier modifier : item.modifiers) add(static_cast<Int128>(modifier));
        for (const sigma::Value& value : item.values) {
          add(static_cast<Int128>(value.kind));
          add(value.text);
        }
      }
    }
  }
  for (const sigma::ConditionNode& node : rule.condition) add(node);
}

void Fingerprint::add(const sigma::ConditionNode& node) {
  add(static_cast<Int128>(node.kind));
  add(static_cast<Int128>(node.selection));
  for (const uint32_t child : node.children) add(static_cast<Int128>(child));
}

std::array<uint8_t, 32> Fingerprint::digest() const { return sha256(as_bytes(text_)).bytes; }

}  // namespace creance::compiler
