// How the kernel's scheduler shares the processor with the calling thread (sched(7), sched_setattr(2)). Not a priority: nobody gets more of it than before.
#pragma once
#include <chrono>

namespace creance::os {

// Asks for turns of this length instead of the usual few milliseconds: a thread that only ever wants a moment then comes to its turn sooner, and gives it up sooner. Its nice value and share stay.
// False: this kernel (before Linux 6.12) or this policy knows no such wish, and everything is as it was. Threads that it makes take the wish over.
bool ask_for_turns_of(std::chrono::microseconds length);

}  // namespace creance::os
