#include <fmt/format.h>

#include <array>

#include "base/limits.hpp"
#include "sensor/collect/collector.hpp"

namespace creance::sensor {
namespace {
constexpr char kPoison[1] = {'p'};  // no collector's value can point here
constexpr size_t kSlots = limits::kInputsPerTypeMax + 16;
}  // namespace

Status check_written_inputs(Collector& collector) {
  for (uint32_t i = 0; i < collector.supplied().size(); ++i) {
    const schema::TemplateType& type = *collector.supplied()[i].type;
    std::array<schema::InputValue, kSlots> slots;
    for (schema::InputValue& slot : slots) {
      slot.data = kPoison;
      slot.size = 0xdeadbeef;
    }
    TRY_VOID(collector.fill_synthetic(i, slots));
    size_t written = 0, first_missing = kSlots, unavailable = 0;
    for (size_t n = 0; n < kSlots; ++n) {
      const bool filled = !(slots[n].data == kPoison && slots[n].size == 0xdeadbeef);
      written += filled ? 1 : 0;
      if (!filled && first_missing == kSlots) first_missing = n;
      if (filled && n < type.inputs.size() && (slots[n].presence == schema::Presence::kUnavailable) == collector.supplied()[i].available[n]) ++unavailable;
    }
    if (written != type.inputs.size() || first_missing != type.inputs.size())
      return fail(ErrorCode::kInvalid, fmt::format("collector `{}` writes {} inputs of {}, the interface manifest says {} (first one missing: {}); this build must not run", collector.name(), written, type.id,
                                                   type.inputs.size(), first_missing < type.inputs.size() ? type.inputs[first_missing].name : "none"));
    if (unavailable != 0)
      return fail(ErrorCode::kInvalid, fmt::format("collector `{}` says of {} inputs of {} another availability than it fills", collector.name(), unavailable, type.id));
  }
  return {};
}

}  // namespace creance::sensor
