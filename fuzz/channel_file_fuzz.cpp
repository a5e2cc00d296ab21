// The door for channel files, signature and digest switched off. First byte below 0x80: the channel of a feature, patched by what follows; from 0x80 on: the rest is the file.
// What the verifier lets through must run without a fault within its cost, on events made from it to hurt it; what it refuses must not hurt the interpreter's own checks either.
// The mutator knows the format (tests/channel/mutator.hpp).
#include <algorithm>
#include <cstdlib>
#include <vector>

#include "channel/hostile_events.hpp"
#include "channel/mutator.hpp"
#include "interpreter/interpreter.hpp"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max) __attribute__((weak));  // absent where a corpus is only replayed

namespace creance {
namespace {

using namespace channel;
using test::feature_channels;
using test::kFeatureInputs;
using test::Mutator;

Bytes file_of(const uint8_t* data, size_t size) {
  if (size == 0) return feature_channels()[0];
  if (data[0] >= 0x80) return {data + 1, data + size};
  Bytes bytes = feature_channels()[data[0] % feature_channels().size()];
  for (size_t i = 1; i + 4 <= size; i += 4) {  // place (2 bytes), how, value
    const size_t at = (static_cast<size_t>(data[i]) << 8 | data[i + 1]) % bytes.size();
    if (data[i + 2] % 2 == 0) bytes[at] ^= data[i + 3];
    else bytes[at] = static_cast<uint8_t>(bytes[at] + data[i + 3]);
  }
  return bytes;
}

void run(const VerifiedChannel& channel, uint64_t seed, bool trusted) {
  static const std::vector<schema::InputValue> kValues{schema::InputValue("C:\\Windows\\PowerShell.exe"), schema::InputValue("x /a -B caé"), schema::InputValue("10.1.2.3")};
  static const std::vector<schema::FurtherValue> kFurther{{0, "owers powershell~1"}, {1, "x"}};
  static const std::vector<std::string_view> kOthers{"some hell"};
  interpreter::Scratch scratch(channel);
  const auto check = [&](const schema::Inputs& inputs) {
    const interpreter::Outcome outcome = interpreter::evaluate(channel, inputs, scratch);
    if (!trusted) return;
    const interpreter::EventSize size = interpreter::measure(inputs);
    const uint64_t declared = channel.cost_fixed() + channel.cost_per_value() * size.values + channel.cost_per_byte() * size.bytes;
    if (!outcome.faults.empty() || outcome.steps > channel.cost_bound() || outcome.steps > declared) std::abort();
  };
  check({kValues, kFurther, kOthers});
  if (!trusted) return;
  test::HostileEvents hostile(channel, seed);
  for (const size_t bytes : {size_t{16}, size_t{40}, size_t{200}}) check(hostile.make(bytes).inputs());
}

void try_file(Bytes& bytes) {
  const Expectation expectation{std::nullopt, kFeatureInputs};
  auto channel = VerifiedChannel::verify(bytes, expectation);
  if (!channel && channel.error().code == "V030") {  // all but the cost is proven: say the right one
    test::repair_cost(bytes);
    channel = VerifiedChannel::verify(bytes, expectation);
  }
  if (channel) return run(*channel, bytes.size() ^ (bytes.empty() ? 0 : bytes.back()), true);
  const auto layout = map_sections(bytes);
  if (layout) run(UncheckedChannelForTests::make(*layout), 0, false);
}

size_t put_file(const Bytes& bytes, uint8_t* data, size_t size_max) {
  if (bytes.size() + 1 > size_max) return 0;
  data[0] = 0x80;
  std::copy(bytes.begin(), bytes.end(), data + 1);
  return bytes.size() + 1;
}

}  // namespace
}  // namespace creance

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max, unsigned seed) {
  using namespace creance;
  if (seed % 16 == 0 && LLVMFuzzerMutate != nullptr) return LLVMFuzzerMutate(data, size, size_max);  // bytes without a meaning, now and then
  const size_t written = put_file(Mutator(seed).mutate(file_of(data, size)), data, size_max);
  return written != 0 ? written : LLVMFuzzerMutate != nullptr ? LLVMFuzzerMutate(data, size, size_max) : size;
}

extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* a, size_t a_size, const uint8_t* b, size_t b_size, uint8_t* out, size_t size_max, unsigned seed) {
  using namespace creance;
  return put_file(Mutator(seed).cross(file_of(a, a_size), file_of(b, b_size)), out, size_max);
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  creance::Bytes bytes = creance::file_of(data, size);
  creance::try_file(bytes);
  return 0;
}
