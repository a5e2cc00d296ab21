// One small channel per feature of the format: every truncation, every flipped bit, random splices. Each is refused, or runs without a fault within its declared cost.
// With the verifier left out, the interpreter's own checks still keep every access in bounds (run this under the asan-ubsan preset).
#include <algorithm>
#include <cstdlib>
#include <random>

#include "channel/sections.hpp"
#include "interpreter/fixture.hpp"

namespace creance::channel {
class UncheckedChannelForTests {
 public:
  static VerifiedChannel make(const Layout& layout) { return VerifiedChannel(layout); }
};
}  // namespace creance::channel

namespace creance::test {
namespace {

struct Feature {
  const char* name;
  const char* detection;
  friend void PrintTo(const Feature& feature, std::ostream* out) { *out << feature.name; }
};
constexpr Feature kFeatures[] = {
    {"exact", "sel:\n  A:\n    - cmd\n    - ''\ncondition: sel"},
    {"suffix", "sel:\n  A|endswith:\n    - '\\powershell.exe'\n    - xe\ncondition: sel"},
    {"prefix", "sel:\n  A|startswith:\n    - 'c:\\windows'\n    - c\ncondition: sel"},
    {"near", "sel:\n  A|contains: owers\ncondition: sel"},
    {"far", "sel:\n  A|contains: powershell\ncondition: sel"},
    {"short", "sel:\n  A|contains: ow\ncondition: sel"},
    {"not", "sel:\n  A|contains: ow\nf:\n  B: null\n  C|exists: true\ncondition: sel and not f"},
    {"glob", "sel:\n  A: '?:\\*\\p*r?hell*'\ncondition: sel"},
    {"windash", "sel:\n  B|contains|windash: '-a -b'\ncondition: sel"},
    {"cased", "sel:\n  B|contains|cased: ' -B'\ncondition: not sel"},
    {"regex", "sel:\n  B|re|i: '^(x|\\W)+[a-é]{1,3}\\b.*é$'\ncondition: sel"},
    {"cidr", "sel:\n  C|cidr:\n    - 10.0.0.0/9\n    - 'fe80::/10'\ncondition: sel"},
    {"number", "sel:\n  C|lt: 7.5\nf:\n  C|gte: 3\ncondition: sel or f"},
    {"fieldref", "sel:\n  A|fieldref|endswith: B\nf:\n  A|fieldref|contains: C\ncondition: sel or f"},
    {"keywords", "kw:\n  - hell\n  - '?-b'\ncondition: kw"},
};

Bytes channel_of(const Feature& feature) {
  Diagnostics diagnostics;
  Bytes bytes = compile_rules(type_of({"A", "B", "C"}), parse_rules(rule_yaml(feature.detection)), diagnostics);
  EXPECT_TRUE(diagnostics.empty());
  EXPECT_LE(bytes.size(), 16'384u);
  return bytes;
}

const std::vector<std::vector<schema::InputValue>>& events() {
  static const std::vector<std::vector<schema::InputValue>> kEvents{
      {schema::InputValue("C:\\Windows\\PowerShell.exe"), schema::InputValue("x /a -B caé"), schema::InputValue("10.1.2.3")},
      {schema::InputValue("cmd"), {}, schema::InputValue("5")},
      {schema::InputValue(""), schema::InputValue("d"), schema::InputValue::unavailable()},
  };
  return kEvents;
}
const std::vector<schema::FurtherValue> kFurther{{0, "owers powershell"}, {1, "x"}};
const std::vector<std::string_view> kOthers{"some hell"};

// Runs what the verifier let through; nothing may go wrong.
void run_within_cost(const channel::VerifiedChannel& channel) {
  interpreter::Scratch scratch(channel);
  for (const auto& values : events()) {
    const schema::Inputs inputs{values, kFurther, kOthers};
    const interpreter::Outcome outcome = interpreter::evaluate(channel, inputs, scratch);
    ASSERT_TRUE(outcome.faults.empty());
    ASSERT_LE(outcome.steps, channel.cost_bound());
  }
}

// Without the verifier: anything but a memory error.
void run_unchecked(BytesView bytes) {
  const auto layout = channel::map_sections(bytes);
  if (!layout || layout->header->input_count != 3) return;
  const auto channel = channel::UncheckedChannelForTests::make(*layout);
  interpreter::Scratch scratch(channel);
  for (const auto& values : events()) (void)interpreter::evaluate(channel, {values, kFurther, kOthers}, scratch);
}

// Every bit; with the sanitizers, which make each try many times slower, every 11th (all positions within a byte come), unless the full check asks for all.
size_t bit_step() {
#ifdef __SANITIZE_ADDRESS__
  return std::getenv("CREANCE_FULL") != nullptr ? 1 : 11;
#else
  return 1;
#endif
}

class Mutations : public testing::TestWithParam<Feature> {};

}  // namespace

TEST_P(Mutations, EveryTruncationIsRefused) {
  const Bytes bytes = channel_of(GetParam());
  for (size_t size = 0; size < bytes.size(); ++size) {
    const Bytes cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
    ASSERT_FALSE(channel::VerifiedChannel::verify(cut, {std::nullopt, 3})) << size;
  }
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(channel::VerifiedChannel::verify(longer, {std::nullopt, 3}));
}

TEST_P(Mutations, EveryFlippedBitIsRefusedOrHarmless) {
  Bytes bytes = channel_of(GetParam());
  size_t accepted = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; bit += bit_step()) {
    const auto flip = static_cast<uint8_t>(1u << (bit % 8));
    bytes[bit / 8] ^= flip;
    if (auto channel = channel::VerifiedChannel::verify(bytes, {std::nullopt, 3})) {
      ++accepted;
      run_within_cost(*channel);
    }
    run_unchecked(bytes);
    bytes[bit / 8] ^= flip;
    if (HasFatalFailure()) FAIL() << "bit " << bit;
  }
  EXPECT_GT(accepted, 0u);  // texts are free: else the test would not try the interpreter at all
}

TEST_P(Mutations, SplicesAreRefusedOrHarmless) {
  const Bytes bytes = channel_of(GetParam());
  std::mt19937 random(static_cast<uint32_t>(bytes.size()));
  for (const Feature& other : kFeatures) {
    const Bytes from = channel_of(other);
    for (int round = 0; round < 100; ++round) {
      Bytes spliced = bytes;
      const size_t words = std::min(bytes.size(), from.size()) / 4;
      const size_t at = random() % words;
      const size_t count = 1 + random() % std::min<size_t>(16, words - at);
      std::copy_n(from.begin() + static_cast<ptrdiff_t>((random() % (words - count + 1)) * 4), count * 4, spliced.begin() + static_cast<ptrdiff_t>(at * 4));
      if (auto channel = channel::VerifiedChannel::verify(spliced, {std::nullopt, 3})) run_within_cost(*channel);
      run_unchecked(spliced);
      if (HasFatalFailure()) FAIL() << other.name << " round " << round;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Channel, Mutations, testing::ValuesIn(kFeatures), [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(Verifier, AsksForFingerprintAndInputs) {
  const Bytes bytes = channel_of(kFeatures[0]);
  schema::Fingerprint right{};
  right.fill(0x5a);
  EXPECT_TRUE(channel::VerifiedChannel::verify(bytes, {right, 3}));
  EXPECT_EQ(channel::VerifiedChannel::verify(bytes, {schema::Fingerprint{}, 3}).error().code, "V005");
  EXPECT_EQ(channel::VerifiedChannel::verify(bytes, {right, 2}).error().code, "V006");
  EXPECT_EQ(channel::VerifiedChannel::verify(bytes, {right, 4}).error().code, "V006");
}

TEST(Verifier, RefusesBytesThatAreNotAligned) {
  const Bytes bytes = channel_of(kFeatures[0]);
  Bytes shifted(bytes.size() + 1);
  std::ranges::copy(bytes, shifted.begin() + 1);
  EXPECT_EQ(channel::VerifiedChannel::verify(BytesView(shifted).subspan(1), {std::nullopt, 3}).error().code, "V001");
}

}  // namespace creance::test
