// Whose voice a report is: the sensor's next word, an echo of an older one, or a second host that uses the same identity (a copied disk, a machine image that was enrolled before it was copied,
// a snapshot that was restored). Pure: the record and the report in, one answer out. Trusts nothing but that the report carries the identity's signature.
// Two starts of one sensor cannot live at once, since a state folder is locked: so two boot epochs that are alive at the same time are two hosts.
#pragma once
#include <string>

#include "plan/messages.hpp"
#include "server/store/store.hpp"

namespace creance::server {

enum class Voice : uint8_t {
  kNext,          // taken
  kAgain,         // the answer to it was lost
  kLate,          // an echo: it was followed by another one already
  kReplaced,      // of a start that was replaced: may be the echo of a process that is dead by now
  kWentBack,      // sequence went back, or forked, within one epoch: restored with its memory. Alone, a new epoch mends it; with the other one alive, that shows
  kClone,         // two hosts are alive under this identity
  kOtherMachine,  // it does not run where it was enrolled
  kRetired,       // this identity is given up
};
struct Heard {
  Voice voice = Voice::kNext;
  std::string words;  // for people
};
// `digest`: SHA-256 of the report's bytes, hex.
Heard hear(const SensorRecord& sensor, const plan::Report& report, const std::string& digest, WallTime now);
// The record after what was heard; of kNext everything but what the report says of its host.
void remember(SensorRecord& sensor, const plan::Report& report, const std::string& digest, Voice voice, WallTime now);

}  // namespace creance::server
