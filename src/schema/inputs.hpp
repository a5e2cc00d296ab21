// One event as the Content Interpreter and the reference evaluator see it: the ordered inputs of its Template Type. Not the event's own format.
// Views only: what they point to must outlive the call. Trivially copyable, never allocates.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>

namespace creance::schema {

// D1: a value, absent (the event has none) or unavailable (this host cannot say). Present and empty is a value.
enum class Presence : uint8_t { kAbsent = 0, kUnavailable = 1, kValue = 2 };

// Text is UTF-8 as far as the source gave it; other bytes are passed through. Numbers and booleans are their text ("4688", "true").
struct InputValue {
  const char* data = nullptr;
  uint32_t size = 0;
  Presence presence = Presence::kAbsent;

  constexpr InputValue() = default;
  constexpr explicit InputValue(std::string_view text) : data(text.data()), size(static_cast<uint32_t>(text.size())), presence(Presence::kValue) {}
  static constexpr InputValue unavailable() {
    InputValue value;
    value.presence = Presence::kUnavailable;
    return value;
  }
  constexpr std::string_view text() const { return {data, size}; }
  constexpr bool has_value() const { return presence == Presence::kValue; }
};

// Where one input has several values (a list in the event), the first stands in `values`, the rest here. A predicate holds if it holds for any of them.
struct FurtherValue {
  uint32_t input = 0;
  std::string_view text;
};

struct Inputs {
  std::span<const InputValue> values;        // exactly as many as the Template Type has inputs, in its order
  std::span<const FurtherValue> further;     // usually empty
  std::span<const std::string_view> others;  // values of the event that are no input; only keywords look at them
};

}  // namespace creance::schema
