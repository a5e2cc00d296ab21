// What makes two rules or correlations the same: a digest over their meaning, not over where they stand. State and names that outlive a file depend on it.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/decimal.hpp"
#include "sigma/rule.hpp"

namespace creance::compiler {

class Fingerprint {
 public:
  void add(std::string_view text);
  void add(Int128 number);
  void add(const sigma::Rule& rule);  // id, log source, selections and condition
  void add(const sigma::ConditionNode& node);
  std::array<uint8_t, 32> digest() const;

 private:
  std::string text_;
};

}  // namespace creance::compiler
