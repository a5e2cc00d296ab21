// Regular expressions of rules: the pattern up to the first zero byte, then the text. Compiled, verified and run by us and by RE2: both must agree, or both refuse.
#include <re2/re2.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "channel/verified_channel.hpp"
#include "compiler/compile.hpp"
#include "interpreter/interpreter.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace creance;
  const uint8_t* const zero = std::find(data, data + size, uint8_t{0});
  const std::string pattern(data, zero);
  const std::string text = zero == data + size ? std::string() : std::string(zero + 1, data + size);
  if (pattern.size() > 256 || text.size() > 1024) return 0;
  const auto ascii = [](char c) { return static_cast<uint8_t>(c) < 0x80; };
  if (!std::ranges::all_of(text, ascii) || !std::ranges::all_of(pattern, ascii)) return 0;  // RE2 works on bytes; what differs is in docs/reference/channel-format.md
  if (pattern.find("\\p") != std::string::npos || pattern.find("\\P") != std::string::npos || pattern.find("\\C") != std::string::npos || pattern.find("\\Q") != std::string::npos) return 0;

  schema::TemplateType type{.id = "fuzz.type", .version = 1};
  type.inputs.push_back({"A", schema::InputType::kString, ""});
  sigma::Rule rule{{.file = "fuzz.yml", .id = "x", .title = "T"}};
  rule.selections = {{"sel", {}, {{{sigma::Item{.field = "A", .modifiers = {sigma::Modifier::kRegex}, .values = {{sigma::ValueKind::kString, pattern, {}}}}}}}}};
  rule.condition = {{sigma::NodeKind::kSelection, 0, {}}};
  const compiler::BoundRule bound{&rule, nullptr};
  Diagnostics diagnostics;
  const auto bytes = compiler::compile(type, {&bound, 1}, diagnostics);
  if (!bytes) std::abort();
  const auto channel = channel::VerifiedChannel::verify(*bytes, {std::nullopt, 1});
  if (!channel) std::abort();
  if (!diagnostics.empty()) return 0;
  interpreter::Scratch scratch(*channel);
  const schema::InputValue value(text);
  const interpreter::Outcome outcome = interpreter::evaluate(*channel, {{&value, 1}, {}, {}}, scratch);
  if (!outcome.faults.empty() || outcome.steps > channel->cost_bound()) std::abort();
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 re(pattern, options);
  if (re.ok() && RE2::PartialMatch(text, re) != !outcome.matches.empty()) std::abort();
  return 0;
}
