// What a swap of content does to the events of a worker: its own loop and thread, over real channel files, with events from memory that never end.
#pragma once
#include <string>
#include <vector>

namespace creance::bench {

// Rules of the folders, events of the files, mixed. Prints the time from one event to the next, of all and of the longest behind each swap: without a swap (at places by chance), with `swaps` of them, and with as many sets made ready in the
// event's thread. As processor time of that thread, since on a busy machine the clock measures the others too; and by the clock. Returns an exit code.
int measure_swaps(const std::vector<std::string>& folders, const std::vector<std::string>& files, size_t swaps);

}  // namespace creance::bench
