// A rule file, the line `%%%`, and an event as JSON: both judges (D5) must give one answer, and the interpreter no fault. What the compiler takes, the verifier and the
// reference evaluator must take, too.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include "base/check.hpp"
#include "channel/verified_channel.hpp"
#include "compiler/build.hpp"
#include "events/decoder.hpp"
#include "interpreter/interpreter.hpp"
#include "reference/judge.hpp"
#include "sigma/binder.hpp"
#include "sigma/parser.hpp"

namespace {
using namespace creance;

bool reference_matches(const sigma::Rule& rule, const schema::TemplateType& type, const schema::Inputs& inputs) {
  Diagnostics ignored;
  bool matches = false;
  for (const sigma::Binding& binding : sigma::bind(rule, schema::Catalog::embedded(), ignored)) {
    if (binding.type != &type) continue;
    const auto judge = reference::Judge::make(rule, binding);
    if (!judge) std::fprintf(stderr, "the reference evaluator refuses: %s\n", judge.error().detail.c_str());
    CHECK(judge.has_value());
    matches = matches || judge->matches(inputs);
  }
  return matches;
}

void compare(const sigma::Rule& rule, const compiler::BuiltChannel& built, const schema::Inputs& inputs) {
  const auto verified = channel::VerifiedChannel::verify(built.bytes, {built.type->fingerprint, static_cast<uint32_t>(built.type->inputs.size())});
  CHECK(verified.has_value());
  interpreter::Scratch scratch(*verified);
  const interpreter::Outcome outcome = interpreter::evaluate(*verified, inputs, scratch);
  CHECK(outcome.faults.empty());
  CHECK(outcome.steps <= verified->cost_bound());
  CHECK(!outcome.matches.empty() == reference_matches(rule, *built.type, inputs));
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::string_view kSeparator = "\n%%%\n";
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t at = text.find(kSeparator);
  if (at == std::string_view::npos || size > 65'536) return 0;
  static events::Decoder decoder(schema::Catalog::embedded());
  const sigma::ParseOutcome parsed = sigma::parse(text.substr(0, at), "fuzz.yml");
  const auto decoded = decoder.decode(text.substr(at + kSeparator.size()));
  if (!decoded || decoded->empty()) return 0;
  for (const sigma::Rule& rule : parsed.rules) {
    Diagnostics ignored;
    const auto built = compiler::build({&rule, 1}, schema::Catalog::embedded(), ignored);
    if (!built) continue;
    for (const compiler::BuiltChannel& channel : built->channels) {
      for (const events::Decoded& event : *decoded) {
        if (event.type == channel.type) compare(rule, channel, event.inputs);
      }
    }
  }
  return 0;
}
