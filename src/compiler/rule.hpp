// One Sigma rule over one Template Type -> expression. Refuses with diagnostics (C002…C013) what it cannot express.
#pragma once
#include <optional>

#include "base/diagnostic.hpp"
#include "compiler/compile.hpp"
#include "compiler/expression.hpp"

namespace creance::compiler {

// Nothing: refused; `diagnostics` got at least one error.
std::optional<CompiledRule> compile_rule(const schema::TemplateType& type, const BoundRule& bound, Diagnostics& diagnostics);

}  // namespace creance::compiler
