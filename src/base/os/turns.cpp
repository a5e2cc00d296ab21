#include "base/os/turns.hpp"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace creance::os {
namespace {
struct Attributes {  // sched_attr of linux/sched/types.h, in its first version; the header cannot be had beside <sched.h>
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;  // runtime of an ordinary thread: the length of a turn
};
static_assert(sizeof(Attributes) == 48);
}  // namespace

bool ask_for_turns_of(std::chrono::microseconds length) {
  Attributes now{};
  if (::syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0 || now.policy != SCHED_OTHER) return false;
  now.size = sizeof now;
  now.runtime = static_cast<uint64_t>(std::chrono::nanoseconds(length).count());
  if (::syscall(SYS_sched_setattr, 0, &now, 0) != 0) return false;
  Attributes then{};
  return ::syscall(SYS_sched_getattr, 0, &then, sizeof then, 0) == 0 && then.runtime == now.runtime;
}

}  // namespace creance::os
