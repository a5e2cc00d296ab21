// Lays out the wake-up tables of the indexed predicates of a draft (channel/format.hpp, IndexRecord). The verifier proves that each can be found.
#pragma once
#include <cstdint>
#include <map>

#include "channel/writer.hpp"
#include "compiler/selectivity.hpp"

namespace creance::compiler {

// Every predicate with kIndexed gets its place; wake lists are set already. `grams`: of a sample, by input; literals are found by what is rare in it.
void build_indexes(channel::Draft& draft, const std::map<uint32_t, GramCounts>& grams = {});

}  // namespace creance::compiler
