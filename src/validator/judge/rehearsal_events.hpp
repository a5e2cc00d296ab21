// What a release carries of its cases to the hosts: for each Template Type the events, as JSON Lines, over which a host with too few events of its own rehearses it.
// Chosen fairly: first the first event of each rule, then the second of each, … until a limit (limits::kRehearsal…) is reached. Pure; the same cases give the same bytes,
// in whatever order rules and files come.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "validator/judge/cases.hpp"

namespace creance::validator {

struct RehearsalEvents {
  std::string lines;   // each ended by a newline
  uint32_t count = 0;
};

// By id of the Type. Only of cases that passed; none: no entry.
std::map<std::string, RehearsalEvents> rehearsal_events(std::span<const CaseResult> results);

}  // namespace creance::validator
