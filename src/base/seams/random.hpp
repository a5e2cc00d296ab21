// Random bytes from outside, so that a test or the simulator can replay a run from a seed.
#pragma once
#include <cstdint>
#include <span>

namespace creance {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<uint8_t> out) = 0;  // the real one is cryptographically strong
};

}  // namespace creance
