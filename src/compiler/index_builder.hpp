// Lays out the wake-up tables of the indexed predicates of a draft (channel/format.hpp, IndexRecord). The verifier proves that each can be found.
#pragma once
#include "channel/writer.hpp"

namespace creance::compiler {

// Every predicate with kIndexed gets its place; wake lists are set already.
void build_indexes(channel::Draft& draft);

}  // namespace creance::compiler
