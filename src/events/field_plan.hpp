// Which field of an event is which input of a Type. The names alone decide, so events with the same names in the same order share one plan.
#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "events/nested.hpp"
#include "events/router.hpp"

namespace creance::events {

struct FieldPlan {
  struct Winner {
    uint32_t input;
    uint32_t field;
    bool is_whole;  // an integer by its Type: a whole number stands there as digits, however it was spelled
    std::string_view algorithm;  // not null: not the field's value, but this hash in it (hash_in)
  };
  std::vector<Winner> winners;   // ascending by input, then those of hashes; wanted ones alone
  std::vector<uint32_t> losers;  // fields that are no input's value, in the order in which they lost; empty where nobody wants others
  uint64_t duplicates = 0;       // fields that lost against another of the same name
};

// One thread at a time; no allocation in the steady state.
class FieldPlanner {
 public:
  void plan(const Route& route, std::span<const Field> fields, FieldPlan& out);

 private:
  std::vector<uint32_t> winners_;  // input -> field
  std::vector<bool> exact_;
};

}  // namespace creance::events
