// What must not run on a host whatever the plan says: the part of the decision (decide.hpp) that reaches content which waits on a ladder, too.
#pragma once
#include "plan/decide.hpp"

namespace creance::plan {

// Denied by the signed list or by the host's owner: the release itself, or one of its channel files as far as they are known.
bool forbidden(const Documents& documents, const Digest& release);

}  // namespace creance::plan
