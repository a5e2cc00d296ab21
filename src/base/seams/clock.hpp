// Time comes from outside (D11): decisions take `now`; whoever drives them holds a Clock.
#pragma once
#include <chrono>
#include <cstdint>

namespace creance {

using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;      // UTC; may jump, may be wrong
using MonotonicTime = std::chrono::duration<int64_t, std::milli>;       // since an arbitrary start; never goes back

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual MonotonicTime monotonic() const = 0;
};

}  // namespace creance
