// What fields of 64 KiB made to hurt the public rules cost per byte, in steps, against the public events: at most four times as much. Steps do not depend on the machine.
#include <gtest/gtest.h>

#include "channel/hostile_fields.hpp"
#include "compiler/build.hpp"
#include "events/decoder.hpp"
#include "interpreter/interpreter.hpp"
#include "shared_data.hpp"

namespace creance {
namespace {

struct Running {
  channel::VerifiedChannel channel;
  interpreter::Scratch scratch;
  double steps = 0, bytes = 0;  // of ordinary events
  uint64_t events = 0;

  double run(const schema::Inputs& inputs) {
    const interpreter::Outcome outcome = interpreter::evaluate(channel, inputs, scratch);
    const interpreter::EventSize size = interpreter::measure(inputs);
    EXPECT_TRUE(outcome.faults.empty());
    EXPECT_LE(outcome.steps, channel.cost_bound());
    EXPECT_LE(outcome.steps, channel.cost_fixed() + channel.cost_per_value() * size.values + channel.cost_per_byte() * size.bytes);
    return static_cast<double>(outcome.steps);
  }
};

TEST(HostileFields, CostAtMostFourTimesAnOrdinaryEventPerByte) {
  SKIP_WITHOUT_SHARED_DATA();
  const schema::Catalog& catalog = schema::Catalog::embedded();
  Diagnostics diagnostics;
  const auto built = compiler::build(shared_data::rules(), catalog, diagnostics);
  ASSERT_TRUE(built);
  std::map<const schema::TemplateType*, Running> running;
  for (const compiler::BuiltChannel& each : built->channels) {
    auto verified = channel::VerifiedChannel::verify(each.bytes, {each.type->fingerprint, static_cast<uint32_t>(each.type->inputs.size())});
    ASSERT_TRUE(verified);
    interpreter::Scratch scratch(*verified);
    running.emplace(each.type, Running{std::move(*verified), std::move(scratch)});
  }
  events::Decoder decoder(catalog);
  for (const std::string& name : shared_data::event_files(true)) {
    shared_data::each_event(shared_data::folder() / name, [&](uint64_t, std::string_view json) {
      const auto decoded = decoder.decode(json);
      if (!decoded) return;
      for (const events::Decoded& event : *decoded) {
        const auto found = running.find(event.type);
        if (found == running.end()) continue;
        Running& of_type = found->second;
        of_type.steps += of_type.run(event.inputs);
        of_type.bytes += static_cast<double>(interpreter::measure(event.inputs).bytes);
        ++of_type.events;
      }
    });
  }
  size_t compared = 0;
  for (auto& [type, of_type] : running) {
    if (of_type.events < 500) continue;  // too few to say what is ordinary
    for (const test::HostileKind& kind : test::kHostileKinds) {
      const test::HostileFields hostile(of_type.channel, kind);
      const schema::Inputs inputs{hostile.values, {}, {}};
      const interpreter::EventSize size = interpreter::measure(inputs);
      if (size.bytes == 0) continue;
      ++compared;
      EXPECT_LE(of_type.run(inputs) / static_cast<double>(size.bytes), 4 * of_type.steps / of_type.bytes) << type->id << ": " << kind.name;
    }
  }
  EXPECT_GE(compared, 20u);
}

}  // namespace
}  // namespace creance
