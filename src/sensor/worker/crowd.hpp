// Whether events come so close to each other that it is better to fetch them together: to be woken for each costs more than to judge it. An event after a quiet moment, and each of a stream that
// is not dense, is fetched at once. Counts alone, no clock of its own. One thread.
#pragma once
#include <algorithm>
#include <cstdint>

#include "base/seams/clock.hpp"

namespace creance::sensor {

class Crowd {
 public:
  static constexpr MonotonicTime kLook{4};    // events are counted over so long …
  static constexpr uint32_t kMany = 16;       // … and from so many on they are fetched together …
  static constexpr MonotonicTime kGather{1};  // … at this interval

  void event(MonotonicTime now) {
    turn(now);
    ++count_;
  }
  bool dense(MonotonicTime now) {
    turn(now);
    return dense_ || count_ >= kMany;
  }

 private:
  void turn(MonotonicTime now) {
    if (now - since_ < kLook) return;
    dense_ = now - since_ < 2 * kLook && count_ >= kMany;
    since_ = now;
    count_ = 0;
  }
  MonotonicTime since_{-1'000'000};
  uint32_t count_ = 0;
  bool dense_ = false;  // the time before
};

}  // namespace creance::sensor
