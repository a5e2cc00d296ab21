// What must hold whatever comes: the cost of events made to hurt, and of a swap of content while events come. Prints figures; the tests assert on steps and counts.
#pragma once
#include <span>
#include <vector>

#include "compiler/build.hpp"
#include "rivals.hpp"

namespace creance::bench {

// Events with 64 KiB in several inputs against `usual` ones of the same Type, per byte: near matches, one gram over and over, whole literals, texts that walk regular expressions.
void compare_hostile(const channel::VerifiedChannel& channel, const schema::TemplateType& type, const std::vector<const OwnedEvent*>& usual);

// One thread evaluates `events` over and over while another makes the next content ready and hands it over between two events; then both in one thread. Latencies are processor time of the
// event's thread: on a busy machine the clock would measure the others.
void swap_under_load(std::span<const compiler::BuiltChannel> channels, const std::vector<const OwnedEvent*>& events);

}  // namespace creance::bench
