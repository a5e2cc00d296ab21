// What a rule that is over its budget still tells until its minute is over: not the flood, but samples of what is new in it, so that whoever floods a rule does not blind it. A hit is new by its
// actor (who did it: program, parent, account), of which as many go through as there is room for; or by the values that the rule reads, one a second. The two have room of their own: a flood of
// one actor over ever new paths does not take the place of another actor. Fixed size, hashes by a secret key, one minute. One thread.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

#include "base/seams/clock.hpp"

namespace creance::sensor {

class Trickle {
 public:
  static constexpr size_t kEach = 16;               // actors, and values: 32 samples a minute at most
  static constexpr MonotonicTime kValuesEvery{1'000};
  bool full() const { return actors_.count == kEach && values_.count == kEach; }
  // Whether this hit is told.
  bool take(uint64_t actor, uint64_t values, MonotonicTime now) {
    if (actors_.add(actor)) {
      values_.add(values);
      return true;
    }
    if (last_ && now - *last_ < kValuesEvery) return false;
    if (!values_.add(values)) return false;
    last_ = now;
    return true;
  }

 private:
  struct Seen {
    std::array<uint64_t, kEach> hashes{};
    size_t count = 0;
    bool add(uint64_t hash) {  // false: seen, or no room
      const auto end = hashes.begin() + static_cast<std::ptrdiff_t>(count);
      if (count == kEach || std::find(hashes.begin(), end, hash) != end) return false;
      hashes[count++] = hash;
      return true;
    }
  };
  Seen actors_, values_;
  std::optional<MonotonicTime> last_;
};

}  // namespace creance::sensor
