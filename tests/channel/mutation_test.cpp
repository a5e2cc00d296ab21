// One small channel per feature of the format: every truncation, every flipped bit, random splices. Each is refused, or runs without a fault within its declared cost.
// With the verifier left out, the interpreter's own checks still keep every access in bounds (run this under the asan-ubsan preset): there, multi-byte damage and cut sections, too.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>
#include <set>

#include "channel/features.hpp"
#include "channel/hostile_events.hpp"
#include "interpreter/interpreter.hpp"

namespace creance::test {
namespace {

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

void run_one(const channel::VerifiedChannel& channel, interpreter::Scratch& scratch, const schema::Inputs& inputs) {
  const interpreter::Outcome outcome = interpreter::evaluate(channel, inputs, scratch);
  ASSERT_TRUE(outcome.faults.empty());
  ASSERT_LE(outcome.steps, channel.cost_bound());
  const interpreter::EventSize size = interpreter::measure(inputs);
  ASSERT_LE(outcome.steps, channel.cost_fixed() + channel.cost_per_value() * size.values + channel.cost_per_byte() * size.bytes);
}

// Runs what the verifier let through; nothing may go wrong.
void run_within_cost(const channel::VerifiedChannel& channel, uint64_t seed) {
  interpreter::Scratch scratch(channel);
  for (const auto& values : events()) run_one(channel, scratch, {values, kFurther, kOthers});
  HostileEvents hostile(channel, seed);
  const HostileEvent event = hostile.make(48);
  run_one(channel, scratch, event.inputs());
}

// Without the verifier: anything but a memory error, also where the file speaks of another number of inputs.
void run_unchecked(BytesView bytes) {
  const auto layout = channel::map_sections(bytes);
  if (!layout) return;
  const auto channel = channel::UncheckedChannelForTests::make(*layout);
  interpreter::Scratch scratch(channel);
  for (const auto& values : events()) (void)interpreter::evaluate(channel, {values, kFurther, kOthers}, scratch);
  if (layout->header->input_count == kFeatureInputs) return;
  const std::vector<schema::InputValue> as_many(layout->header->input_count, schema::InputValue("C:\\Windows\\PowerShell.exe"));
  (void)interpreter::evaluate(channel, {as_many, kFurther, kOthers}, scratch);
}

// Both ways; the verifier's answer.
bool try_both(Bytes bytes, uint64_t seed) {
  run_unchecked(bytes);
  auto channel = channel::VerifiedChannel::verify(bytes, {std::nullopt, kFeatureInputs});
  if (!channel && channel.error().code == "V030") {
    repair_cost(bytes);
    channel = channel::VerifiedChannel::verify(bytes, {std::nullopt, kFeatureInputs});
    EXPECT_TRUE(channel || channel.error().code == "V031") << "the cost that was computed is not accepted";
  }
  if (channel) run_within_cost(*channel, seed);
  return channel.has_value();
}

// How many random tries where all cannot be made; a hundred times as many in the full check.
size_t rounds(size_t quick) {
#ifdef __SANITIZE_ADDRESS__
  quick /= 4;
#endif
  return std::getenv("CREANCE_FULL") != nullptr ? quick * 100 : quick;
}

class Mutations : public testing::TestWithParam<Feature> {
 protected:
  Bytes bytes_ = channel_of(GetParam());
  std::mt19937_64 random_{bytes_.size()};
  size_t below(size_t n) { return static_cast<size_t>(random_() % n); }
};

}  // namespace

TEST_P(Mutations, EveryTruncationIsRefused) {
  for (size_t size = 0; size < bytes_.size(); ++size) {
    const Bytes cut(bytes_.begin(), bytes_.begin() + static_cast<ptrdiff_t>(size));
    ASSERT_FALSE(channel::VerifiedChannel::verify(cut, {std::nullopt, kFeatureInputs})) << size;
  }
  Bytes longer = bytes_;
  longer.push_back(0);
  EXPECT_FALSE(channel::VerifiedChannel::verify(longer, {std::nullopt, kFeatureInputs}));
}

// Truncations that a header of their own makes plausible: every section with every smaller number of records (bitmaps in steps).
TEST_P(Mutations, EveryCutSectionIsRefusedOrHarmless) {
  const auto& header = *reinterpret_cast<const channel::Header*>(bytes_.data());
  for (uint32_t section = 0; section < channel::kSectionCount; ++section) {
    const uint32_t count = header.sections[section].count;
    for (uint32_t keep = 0; keep < count; keep += 1 + count / 1'000) {
      (void)try_both(with_sections(bytes_, [&](uint32_t i, uint32_t all) { return i == section ? keep : all; }), keep);
      if (HasFatalFailure()) FAIL() << "section " << section << " with " << keep << " records";
    }
  }
}

TEST_P(Mutations, EveryFlippedBitIsRefusedOrHarmless) {
  size_t accepted = 0;
  for (size_t bit = 0; bit < bytes_.size() * 8; ++bit) {
    const auto flip = static_cast<uint8_t>(1u << (bit % 8));
    bytes_[bit / 8] ^= flip;
    if (auto channel = channel::VerifiedChannel::verify(bytes_, {std::nullopt, kFeatureInputs})) {
      ++accepted;
      run_within_cost(*channel, bit);
    }
    run_unchecked(bytes_);
    bytes_[bit / 8] ^= flip;
    if (HasFatalFailure()) FAIL() << "bit " << bit;
  }
  EXPECT_GT(accepted, 0u);  // texts are free: else the test would not try the interpreter at all
}

TEST_P(Mutations, SplicesAreRefusedOrHarmless) {
  for (const Feature& other : features()) {
    const Bytes from = channel_of(other);
    for (size_t round = 0; round < rounds(200); ++round) {
      Bytes spliced = bytes_;
      const size_t words = std::min(bytes_.size(), from.size()) / 4;
      const size_t at = below(words);
      const size_t count = 1 + below(std::min<size_t>(below(4) == 0 ? words : 16, words - at));
      // The same place of the other file, or any place.
      const size_t source = below(2) == 0 ? at : below(words - count + 1);
      std::copy_n(from.begin() + static_cast<ptrdiff_t>(source * 4), count * 4, spliced.begin() + static_cast<ptrdiff_t>(at * 4));
      (void)try_both(std::move(spliced), round);
      if (HasFatalFailure()) FAIL() << other.name << " round " << round;
    }
  }
}

// Several numbers at once behind the header: small ones, neighbours, ends of ranges, numbers from elsewhere in the file.
TEST_P(Mutations, CorruptRecordsAreRefusedOrHarmless) {
  const size_t words = (bytes_.size() - sizeof(channel::Header)) / 4;
  if (words == 0) return;
  for (size_t round = 0; round < rounds(20'000); ++round) {
    Bytes corrupt = bytes_;
    for (size_t n = 1 + below(below(8) == 0 ? 40 : 4); n > 0; --n) {
      uint8_t* const at = corrupt.data() + sizeof(channel::Header) + 4 * below(words);
      auto value = load_le<uint32_t>(at);
      switch (below(7)) {
        case 0: value = static_cast<uint32_t>(below(8)); break;
        case 1: ++value; break;
        case 2: --value; break;
        case 3: value = 0xffffffff - static_cast<uint32_t>(below(3)); break;
        case 4: value = load_le<uint32_t>(corrupt.data() + 4 * below(corrupt.size() / 4)); break;
        case 5: value ^= 1u << below(32); break;
        default: value = static_cast<uint32_t>(random_()); break;
      }
      std::memcpy(at, &value, 4);
    }
    (void)try_both(std::move(corrupt), round);
    if (HasFatalFailure()) FAIL() << "round " << round;
  }
}

INSTANTIATE_TEST_SUITE_P(Channel, Mutations, testing::ValuesIn(features()), [](const auto& param_info) { return std::string(param_info.param.name); });

// The list of features has everything that the format has: what is missing here would be tried by none of the tests above.
TEST(Features, CoverTheWholeFormat) {
  std::set<std::pair<channel::PredicateKind, int>> predicates;  // kind and flags, 4: over every value
  std::set<channel::GlobKind> tokens;
  std::set<channel::InstructionKind> instructions;
  std::set<int> assertions;
  std::set<uint32_t> regex_flags;
  std::set<int> tables;
  std::array<bool, channel::kSectionCount> sections{};
  for (const Feature& feature : features()) {
    const Bytes bytes = channel_of(feature);
    const auto layout = channel::map_sections(bytes);
    ASSERT_TRUE(layout);
    for (uint32_t i = 0; i < channel::kSectionCount; ++i) sections[i] = sections[i] || layout->header->sections[i].count > 0;
    for (const auto& p : layout->predicates) predicates.emplace(p.kind, p.flags | (p.input == channel::kEveryValue ? 4 : 0));
    for (const auto& token : layout->glob_tokens) tokens.insert(token.kind);
    for (const auto& regex : layout->regexes) regex_flags.insert(regex.flags);
    for (const auto& i : layout->instructions) {
      instructions.insert(i.kind);
      if (i.kind == channel::InstructionKind::kAssert) assertions.insert(i.argument);
    }
    for (const auto& index : layout->indexes) {
      int bit = 0;
      for (const channel::TableRef* table : {&index.exact, &index.suffix, &index.prefix, &index.near_grams, &index.far_grams}) {
        if (table->log2_slots != channel::kNoTable) tables.insert(bit);
        ++bit;
      }
      if (index.input == channel::kEveryValue) tables.insert(8);
    }
  }
  for (uint32_t i = 0; i < channel::kSectionCount; ++i) EXPECT_TRUE(sections[i]) << "no feature has records in section " << i;
  using enum channel::PredicateKind;
  for (auto kind = kPresent; kind <= channel::kLastPredicateKind; kind = static_cast<channel::PredicateKind>(static_cast<int>(kind) + 1)) {
    EXPECT_TRUE(predicates.contains({kind, 0}) || predicates.contains({kind, channel::kCased})) << "no feature has predicates of kind " << static_cast<int>(kind);
  }
  for (const auto kind : {kEquals, kStartsWith, kEndsWith, kContains}) {
    for (const int flags : {0, int{channel::kCased}, int{channel::kIndexed}}) EXPECT_TRUE(predicates.contains({kind, flags})) << static_cast<int>(kind) << " with flags " << flags;
  }
  for (const int flags : {0, int{channel::kCased}}) EXPECT_TRUE(predicates.contains({kGlob, flags})) << flags;
  for (const auto& wanted : {std::pair{kContains, 4 | channel::kIndexed}, std::pair{kContains, 4}, std::pair{kGlob, 4}, std::pair{kRegex, 4}}) EXPECT_TRUE(predicates.contains(wanted)) << static_cast<int>(wanted.first);
  EXPECT_EQ(tokens.size(), 4u);
  EXPECT_EQ(instructions.size(), 7u);
  EXPECT_EQ(assertions.size(), 6u);
  EXPECT_EQ(regex_flags, (std::set<uint32_t>{0, 1, 2}));
  EXPECT_EQ(tables, (std::set<int>{0, 1, 2, 3, 4, 8}));
}

TEST(Verifier, AsksForFingerprintAndInputs) {
  const Bytes bytes = channel_of(features()[0]);
  schema::Fingerprint right{};
  right.fill(0x5a);
  EXPECT_TRUE(channel::VerifiedChannel::verify(bytes, {right, 3}));
  EXPECT_EQ(channel::VerifiedChannel::verify(bytes, {schema::Fingerprint{}, 3}).error().code, "V005");
  EXPECT_EQ(channel::VerifiedChannel::verify(bytes, {right, 2}).error().code, "V006");
  EXPECT_EQ(channel::VerifiedChannel::verify(bytes, {right, 4}).error().code, "V006");
}

TEST(Verifier, RefusesBytesThatAreNotAligned) {
  const Bytes bytes = channel_of(features()[0]);
  Bytes shifted(bytes.size() + 1);
  std::ranges::copy(bytes, shifted.begin() + 1);
  EXPECT_EQ(channel::VerifiedChannel::verify(BytesView(shifted).subspan(1), {std::nullopt, 3}).error().code, "V001");
}

}  // namespace creance::test
