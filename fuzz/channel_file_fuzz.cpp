// The door for channel files, signature and digest switched off. First byte below 0x80: a channel compiled here, patched by what follows (and its declared cost repaired, so that
// patches get past the last check); from 0x80 on: the rest is the file. What the verifier lets through must run without a fault within its cost; what it refuses must not hurt the
// interpreter's own checks either.
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "channel/cost.hpp"
#include "channel/sections.hpp"
#include "channel/verified_channel.hpp"
#include "compiler/compile.hpp"
#include "interpreter/interpreter.hpp"
#include "sigma/parser.hpp"

namespace creance::channel {
class UncheckedChannelForTests {
 public:
  static VerifiedChannel make(const Layout& layout) { return VerifiedChannel(layout); }
};
}  // namespace creance::channel

namespace creance {
namespace {

constexpr uint32_t kInputs = 3;

std::vector<Bytes> make_channels() {
  schema::TemplateType type{.id = "fuzz.type", .version = 1};
  for (const char* name : {"A", "B", "C"}) type.inputs.push_back({name, schema::InputType::kString, ""});
  std::vector<Bytes> out;
  for (const char* detection : {"  sel:\n    A: [cmd, '']\n  condition: sel\n", "  sel:\n    A|endswith: ['\\powershell.exe', xe]\n  condition: sel\n",
                                "  sel:\n    A|startswith: ['c:\\windows', c]\n  f:\n    B: null\n  condition: sel and not f\n", "  sel:\n    A|contains: [owers, powershell, '~1']\n  condition: sel\n",
                                "  sel:\n    A: '?:\\*\\p*r?hell*'\n    B|contains|windash: '-a -b'\n  condition: sel\n", "  sel:\n    B|re|i: '^(x|\\W)+[a-é]{1,3}\\b.*é$'\n  condition: sel\n",
                                "  sel:\n    C|cidr: [10.0.0.0/9, 'fe80::/10']\n    C|lt: 7\n  condition: sel\n", "  sel:\n    A|fieldref|endswith: B\n  kw:\n    - hell\n    - '?-b'\n  condition: sel or kw\n"}) {
    const auto parsed = sigma::parse(std::string("title: T\nid: 00000000-0000-4000-8000-000000000001\nlogsource:\n  product: windows\ndetection:\n") + detection, "fuzz.yml");
    if (parsed.rules.size() != 1) std::abort();
    const compiler::BoundRule bound{&parsed.rules[0], nullptr};
    Diagnostics diagnostics;
    const auto bytes = compiler::compile(type, {&bound, 1}, diagnostics);
    if (!bytes || !diagnostics.empty()) std::abort();
    out.push_back(*bytes);
  }
  return out;
}

interpreter::Outcome run(const channel::VerifiedChannel& channel, interpreter::Scratch& scratch) {
  static const std::vector<schema::InputValue> kValues{schema::InputValue("C:\\Windows\\PowerShell.exe"), schema::InputValue("x /a -B caé"), schema::InputValue("10.1.2.3")};
  static const std::vector<schema::FurtherValue> kFurther{{0, "owers powershell~1"}, {1, "x"}};
  static const std::vector<std::string_view> kOthers{"some hell"};
  return interpreter::evaluate(channel, {kValues, kFurther, kOthers}, scratch);
}

void try_file(Bytes& bytes) {
  auto channel = channel::VerifiedChannel::verify(bytes, {std::nullopt, kInputs});
  if (!channel && channel.error().code == "V030") {  // all but the cost is proven: say the right one
    const channel::Cost cost = channel::channel_cost(*channel::map_sections(bytes));
    auto* const header = reinterpret_cast<channel::Header*>(bytes.data());
    header->cost_bound = cost.bound;
    header->cost_fixed = cost.fixed;
    header->cost_per_value = cost.per_value;
    header->cost_per_byte = cost.per_byte;
    channel = channel::VerifiedChannel::verify(bytes, {std::nullopt, kInputs});
  }
  if (channel) {
    interpreter::Scratch scratch(*channel);
    const interpreter::Outcome outcome = run(*channel, scratch);
    if (!outcome.faults.empty() || outcome.steps > channel->cost_bound()) std::abort();
    return;
  }
  const auto layout = channel::map_sections(bytes);
  if (!layout || layout->header->input_count != kInputs) return;
  const auto unchecked = channel::UncheckedChannelForTests::make(*layout);
  interpreter::Scratch scratch(unchecked);
  (void)run(unchecked, scratch);
}

}  // namespace
}  // namespace creance

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace creance;
  static const std::vector<Bytes> kChannels = make_channels();
  if (size == 0) return 0;
  Bytes bytes;
  if (data[0] >= 0x80) {
    bytes.assign(data + 1, data + size);
  } else {
    bytes = kChannels[data[0] % kChannels.size()];
    for (size_t i = 1; i + 4 <= size; i += 4) {  // place (2 bytes), how, value
      const size_t at = (static_cast<size_t>(data[i]) << 8 | data[i + 1]) % bytes.size();
      if (data[i + 2] % 2 == 0) bytes[at] ^= data[i + 3];
      else bytes[at] = static_cast<uint8_t>(bytes[at] + data[i + 3]);
    }
  }
  try_file(bytes);
  return 0;
}
