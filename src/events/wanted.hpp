// What a reader of events looks at, of one Template Type. Empty: everything.
#pragma once
#include <functional>
#include <vector>

#include "schema/type.hpp"

namespace creance::events {

struct Wanted {
  bool others = true;        // values that are no input's (needed for keywords only, and not free)
  std::vector<bool> inputs;  // by input; empty: all. One that is not wanted stays absent, whatever the event says
  bool wants(uint32_t input) const { return inputs.empty() || inputs[input]; }
};
// Asked once for each Type. An empty function: everything of all.
using Wants = std::function<Wanted(const schema::TemplateType&)>;

}  // namespace creance::events
