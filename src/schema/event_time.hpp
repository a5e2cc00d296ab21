// When an event happened, as its inputs say. Pure; never allocates, never throws.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "schema/inputs.hpp"
#include "schema/type.hpp"

namespace creance::schema {

// Microseconds since 1970-01-01T00:00:00 UTC. Taken: what calendar.hpp takes, with seconds and in the years 1601 to 9999; or plain seconds with an optional fraction, or milli-,
// micro- or nanoseconds since 1970 (told apart by their size).
std::optional<int64_t> parse_time(std::string_view text) noexcept;

// The inputs of a Type that can say when its events happened, best first: UtcTime, TimeCreated_SystemTime, @timestamp, Timestamp, EventTime; a Type with none of these, but with
// inputs of type `time`: the first of them. Only inputs of type `time` count.
std::vector<uint32_t> time_inputs(const TemplateType& type);

// The first of `inputs` that has a readable value.
std::optional<int64_t> event_time(std::span<const uint32_t> inputs, std::span<const InputValue> values) noexcept;

}  // namespace creance::schema
