// What the interpreter is compared with in the same run, each over the same decoded events: other ways to look for the same literals, and rule by rule as most engines do it.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <span>

#include "channel/verified_channel.hpp"
#include "streams.hpp"

namespace creance::bench {

using Channels = std::map<const schema::TemplateType*, const channel::VerifiedChannel*>;

// One event at a time; the number of hits or matches.
using Rival = std::function<uint64_t(const OwnedEvent&)>;

// Every literal of the channels (equals, starts, ends, contains; not case-sensitive), one database for each Type and input: a prefilter alone, no rule is evaluated.
Rival re2_set_over_literals(const Channels& channels);
Rival hyperscan_over_literals(const Channels& channels);  // empty function: built without it
// Rule by rule: the reference evaluator, routed by Type.
Rival rule_by_rule(std::span<const sigma::Rule> rules);
// simdjson alone over the event's line: every value is visited, none kept.
Rival parse_alone();

}  // namespace creance::bench
