// Whose voice a report is: the sensor's next word, an echo of an older one, or a second host that uses the same identity (a copied disk, a machine image that was enrolled before it was copied,
// a snapshot that was restored). Pure: the record and the report in, one answer out.
// A signature says who wrote a report, not when: whoever listened can say it again. So what does not simply go on is asked back with a nonce, and only a report that carries it is a voice that is
// alive now. Nothing but such voices is judged, and what does not answer changes nothing.
// Two starts of one sensor cannot live at once, since a state folder is locked: so two boot epochs that are alive at the same time are two hosts.
#pragma once
#include <array>
#include <string>

#include "base/seams/random.hpp"
#include "plan/messages.hpp"
#include "server/store/store.hpp"

namespace creance::server {

enum class Voice : uint8_t {
  kNext,          // taken
  kAgain,         // the answer to it was lost
  kLate,          // an echo: it was followed by another one already
  kChallenge,     // may be an echo, or somebody new: to be said again with a nonce. Leaves no trace in the record
  kReplaced,      // of a start that was replaced, and alive: a process that is dying, or a second host
  kWentBack,      // sequence went back, or forked, within one epoch: restored with its memory. Alone, a new epoch mends it; with the other one alive, that shows
  kClone,         // two hosts are alive under this identity
  kOtherMachine,  // it does not run where it was enrolled
  kRetired,       // this identity is given up
};
struct Heard {
  Voice voice = Voice::kNext;
  std::string words;  // for people
};
// `digest`: SHA-256 of the report's bytes, hex. `answers`: it carries the nonce that this server asked it for (Challenges::answers).
Heard hear(const SensorRecord& sensor, const plan::Report& report, const std::string& digest, bool answers, WallTime now);
// The record after what was heard; of kNext everything but what the report says of its host.
void remember(SensorRecord& sensor, const plan::Report& report, const std::string& digest, Voice voice, WallTime now);

// The nonces. None is kept: each is a keyed digest of who claims to speak, of the record that it was asked in, and of the time, so that no flood of echoes can push out what another one was asked. It
// is good for one to two minutes, and until the record changes: an answer that changed something is worth nothing afterwards. A restart of the server asks anew.
class Challenges {
 public:
  explicit Challenges(Random& random) { random.fill(secret_); }
  std::string nonce(const SensorRecord& sensor, const plan::Report& report, WallTime now) const;  // 32 hex
  bool answers(const SensorRecord& sensor, const plan::Report& report, WallTime now) const;

 private:
  std::string of(const SensorRecord& sensor, const plan::Report& report, int64_t window) const;
  std::array<uint8_t, 32> secret_{};
};

}  // namespace creance::server
