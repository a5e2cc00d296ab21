// What a generated inputs struct is made of: an input that has no default, so that a collector which leaves one out does not compile (D1).
#pragma once
#include "schema/inputs.hpp"

namespace creance::schema {

struct Required {
  constexpr Required(InputValue given) : value(given) {}            // NOLINT(google-explicit-constructor): designated initialisers read better
  constexpr Required(std::string_view text) : value(text) {}        // NOLINT(google-explicit-constructor)
  InputValue value;
};
inline constexpr InputValue kAbsent{};
inline constexpr InputValue kUnavailable = InputValue::unavailable();

}  // namespace creance::schema
