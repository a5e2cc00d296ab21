// The door for correlation files and the matches that they see; signature and digest switched off. First byte below 0x80: the file of one kind of correlation (or of all), patched;
// from 0x80 on: the file stands in the input. Then come events. What the verifier lets through must run without a fault within its cost; what it refuses must not hurt the
// state's own checks either. Input: kind, number of patches, patches (place, 2 bytes; value), or kind and size (2 bytes), file; then events of 6 bytes.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "channel/verified_correlations.hpp"
#include "correlation/samples.hpp"

namespace creance::channel {
class UncheckedCorrelationsForTests {
 public:
  static VerifiedCorrelations make(const CorrelationLayout& layout) { return VerifiedCorrelations(layout); }
};
}  // namespace creance::channel

namespace creance {
namespace {

using channel::CorrelationHeader;
using channel::VerifiedCorrelations;

const std::vector<Bytes>& samples() {
  static const std::vector<Bytes> kSamples = [] {
    std::vector<Bytes> out;
    const std::vector<std::string> kinds = test::all_kinds();
    for (size_t i = 0; i <= kinds.size(); ++i) {  // each kind alone, as far as it needs no other one; last, all of them
      std::string yaml;
      for (size_t k = 0; k < kinds.size(); ++k) {
        if (i == kinds.size() || i == k) yaml += test::correlation_document(static_cast<int>(k), kinds[k]);
      }
      auto parsed = sigma::parse(yaml + test::rule_documents(), "c.yml");
      const auto built = compiler::compile_correlations(parsed.correlations, parsed.rules, test::types_of(parsed.rules), parsed.diagnostics, test::kSmallest);
      if (built && built->built) out.push_back(built->built->bytes);
    }
    return out;
  }();
  return kSamples;
}

class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(data, size) {}
  size_t left() const { return rest_.size(); }
  uint32_t number(size_t bytes) {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes && !rest_.empty(); ++i) {
      value = value << 8 | rest_[0];
      rest_ = rest_.subspan(1);
    }
    return value;
  }
  Bytes take(size_t size) {
    const auto part = rest_.first(std::min(size, rest_.size()));
    rest_ = rest_.subspan(part.size());
    return {part.begin(), part.end()};
  }

 private:
  BytesView rest_;
};

Bytes file_of(Input& input) {
  const uint32_t kind = input.number(1);
  if (kind >= 0x80) return input.take(input.number(2));
  Bytes bytes = samples()[kind % samples().size()];
  for (uint32_t patches = input.number(1); patches > 0 && input.left() >= 3; --patches) {
    const size_t at = input.number(2) % bytes.size();
    bytes[at] ^= static_cast<uint8_t>(input.number(1));
  }
  return bytes;
}

void run(const VerifiedCorrelations& file, Input events, bool trusted) {
  static const std::vector<std::string> kTexts{"", "h", "u", "3", "-7.5", "none", std::string(70'000, 'x'), "18446744073709551616"};
  interpreter::CorrelationState state(file, test::kKey);
  int64_t time = 0;
  for (int count = 0; events.left() >= 6 && count < 400; ++count) {
    const uint32_t type = events.number(1) % 3;
    const uint32_t choice = events.number(2);
    const uint32_t rules = events.number(1);
    time += static_cast<int64_t>(static_cast<int16_t>(events.number(2))) * 100'000;
    if (type >= file.type_count()) continue;
    const uint32_t inputs = file.layout().types[type].input_count;
    if (inputs > limits::kInputsPerTypeMax) continue;
    std::vector<schema::InputValue> values(inputs);
    for (uint32_t i = 0; i < inputs; ++i) {
      const uint32_t pick = choice >> (i * 3 % 16) & 7;
      if (rules % 16 == 15 && i == 2) values[i] = schema::InputValue::unavailable();
      else if (rules % 16 != 14 || i != 1) values[i] = schema::InputValue(kTexts[pick]);
    }
    std::vector<uint32_t> sources;
    for (uint32_t s = 0; s < file.source_count() && s < 64; ++s) {
      if ((rules >> (s % 8) & 1) != 0 && (!trusted || file.layout().sources[s].type == type)) sources.push_back(s);
    }
    const auto outcome = state.observe({type, sources, {values, {}, {}}, rules % 32 == 31 ? std::nullopt : std::optional(time)});
    if (!trusted) continue;
    if (outcome.faults != 0 || outcome.steps > file.cost_bound()) std::abort();
    for (const auto& hit : outcome.hits) {
      (void)file.correlation(hit.correlation);
      for (const uint32_t input : file.group_inputs(hit.feed)) {
        if (input >= inputs) std::abort();
      }
    }
  }
}

}  // namespace
}  // namespace creance

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace creance;
  Input input(data, size);
  Bytes bytes = file_of(input);
  auto file = channel::VerifiedCorrelations::verify(bytes);
  if (!file && file.error().code == "V048") {  // all but the cost is proven: say the right one
    const auto layout = channel::map_correlation_sections(bytes);
    const uint64_t cost = channel::correlation_cost(*layout, layout->header->state_bytes);
    std::memcpy(bytes.data() + offsetof(channel::CorrelationHeader, cost_bound), &cost, sizeof cost);
    file = channel::VerifiedCorrelations::verify(bytes);
  }
  if (file) {
    if (file->state_bytes() <= 1u << 20) run(*file, input, true);
    return 0;
  }
  const auto layout = channel::map_correlation_sections(bytes);
  if (layout && layout->header->state_bytes <= 1u << 20) run(channel::UncheckedCorrelationsForTests::make(*layout), input, false);
  return 0;
}
