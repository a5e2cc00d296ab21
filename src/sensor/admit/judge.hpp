// What admit tells the supervisor, from documents that are trusted already: the host's decision (plan/decide.hpp) and what it means for what the host runs, keeps and
// refuses. Pure; the simulator asks the same function.
#pragma once
#include <optional>
#include <string>

#include "base/ipc/records.hpp"
#include "plan/decide.hpp"
#include "sensor/admit/admit.hpp"

namespace creance::sensor {

struct HostMemory {
  ipc::Refusals refusals;
  uint64_t plan_seen = 0;                  // newest plan that this host ever believed
  std::optional<plan::Grant> grant;        // verified
  bool clock_right = true;                 // plan::HostState
};

struct Judgement {
  ipc::Admitted answer;                    // without `offer` and grant: those are added when the files stand ready (offer_in)
  plan::Decision decision;
  bool offers() const { return decision.action == plan::Action::kAnnounce || decision.action == plan::Action::kTake || decision.action == plan::Action::kHold; }
};
Judgement judge(const Question& question, plan::Documents documents, const plan::Host& host, const HostMemory& memory, WallTime now);

// The release's files stand ready: it is offered, with the verdict of the grant if that was asked for.
void offer_in(Judgement& judgement, const HostMemory& memory);

}  // namespace creance::sensor
