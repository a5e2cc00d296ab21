// Expression -> decision nodes that only lead forward (channel/format.hpp, NodeRecord). Short-circuit, cheap tests first; no recursion.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "channel/format.hpp"
#include "compiler/expression.hpp"

namespace creance::compiler {

// Nodes with targets relative to the first of them. `effort` by predicate: what testing it costs; `chance` by predicate: how often it holds, or empty: unknown. Nothing: more than `nodes_max`.
// A condition that is always true or always false still gets one node.
std::optional<std::vector<channel::NodeRecord>> decide(std::span<const Expression> expressions, uint32_t root, std::span<const double> effort, std::span<const double> chance, size_t nodes_max);

}  // namespace creance::compiler
