// The law of the verifier: what it accepted never faults and never costs more steps than declared. On events made out of each channel to hurt it.
// A failure of the generated part prints RC_PARAMS="reproduce=…", with which the same command replays it.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>

#include "channel/features.hpp"
#include "channel/hostile_events.hpp"
#include "interpreter/interpreter.hpp"

namespace creance::test {
namespace {

struct Tally {
  uint64_t events = 0;
  uint64_t matches = 0;
  double tightest = 0;  // the largest share of what was declared for an event
};

// Empty: the law holds for this event.
std::string broken_law(const channel::VerifiedChannel& channel, interpreter::Scratch& scratch, const schema::Inputs& inputs, Tally& tally) {
  const interpreter::Outcome outcome = interpreter::evaluate(channel, inputs, scratch);
  const interpreter::EventSize size = interpreter::measure(inputs);
  const uint64_t declared = channel.cost_fixed() + channel.cost_per_value() * size.values + channel.cost_per_byte() * size.bytes;
  ++tally.events;
  tally.matches += outcome.matches.size();
  tally.tightest = std::max(tally.tightest, static_cast<double>(outcome.steps) / static_cast<double>(declared));
  if (!outcome.faults.empty()) return fmt::format("{} faults", outcome.faults.size());
  if (outcome.steps > declared) return fmt::format("{} steps, declared are {} for {} values with {} bytes", outcome.steps, declared, size.values, size.bytes);
  if (outcome.steps > channel.cost_bound()) return fmt::format("{} steps, the bound is {}", outcome.steps, channel.cost_bound());
  return "";
}

int scale() {
#ifdef __SANITIZE_ADDRESS__
  constexpr int kQuick = 1;
#else
  constexpr int kQuick = 4;
#endif
  return std::getenv("CREANCE_FULL") != nullptr ? kQuick * 20 : kQuick;
}

class Law : public testing::TestWithParam<Feature> {};

}  // namespace

TEST_P(Law, HoldsOnEventsMadeFromTheChannel) {
  const Bytes bytes = channel_of(GetParam());
  const auto channel = channel::VerifiedChannel::verify(bytes, {std::nullopt, kFeatureInputs});
  ASSERT_TRUE(channel);
  interpreter::Scratch scratch(*channel);
  HostileEvents hostile(*channel, 7);
  Tally tally;
  const auto run = [&](size_t bytes_each, int count) {
    for (int i = 0; i < count; ++i) {
      const HostileEvent event = hostile.make(bytes_each);
      ASSERT_EQ(broken_law(*channel, scratch, event.inputs(), tally), "") << "event " << i << " of " << bytes_each << " bytes";
    }
  };
  run(24, 500 * scale());
  run(600, 50 * scale());
  run(limits::kInputBytesMax, 3 * scale());
  if (!GetParam().detections.empty()) {
    EXPECT_GT(tally.matches, 0u) << "hostile events never match: they do not meet the channel";
  }
  std::printf("%s: %llu events, %llu matches, at most %.0f %% of what is declared\n", GetParam().name, static_cast<unsigned long long>(tally.events), static_cast<unsigned long long>(tally.matches), 100 * tally.tightest);
}

INSTANTIATE_TEST_SUITE_P(Channel, Law, testing::ValuesIn(features()), [](const auto& param_info) { return std::string(param_info.param.name); });

TEST(GeneratedLaw, HoldsForSetsOfRules) {
  std::vector<const char*> detections;
  for (const Feature& feature : features()) detections.insert(detections.end(), feature.detections.begin(), feature.detections.end());
  Tally tally;
  const bool ok = rc::check("no event costs more than declared", [&] {
    Feature made{"generated", {}};
    const int count = *rc::gen::inRange(1, 7);
    for (int i = 0; i < count; ++i) made.detections.push_back(*rc::gen::elementOf(detections));
    const Bytes bytes = channel_of(made, SIZE_MAX);
    const auto channel = channel::VerifiedChannel::verify(bytes, {std::nullopt, kFeatureInputs});
    if (!channel) RC_FAIL(std::string(channel.error().code) + " " + channel.error().detail);
    interpreter::Scratch scratch(*channel);
    HostileEvents hostile(*channel, *rc::gen::arbitrary<uint64_t>());
    for (int i = 0; i < 20; ++i) {
      const HostileEvent event = hostile.make(i == 0 ? 4'000 : 40);
      const std::string broken = broken_law(*channel, scratch, event.inputs(), tally);
      if (!broken.empty()) RC_FAIL(broken);
    }
  });
  EXPECT_TRUE(ok);
  EXPECT_GT(tally.matches, tally.events / 10);
}

}  // namespace creance::test
