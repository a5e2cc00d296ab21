// Correlations -> correlation file: which matches go where, under which inputs. Deterministic, pure.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/diagnostic.hpp"
#include "base/limits.hpp"
#include "base/result.hpp"
#include "schema/catalog.hpp"
#include "sigma/correlation.hpp"

namespace creance::compiler {

struct BuiltCorrelations {
  Bytes bytes;
  std::vector<uint32_t> correlations;  // of the file -> indices of the given ones
  struct Source {
    const schema::TemplateType* type = nullptr;
    uint32_t rule = 0;  // index into the given rules
  };
  std::vector<Source> sources;         // of the file
  uint64_t cost_bound = 0;             // as the verifier found it: build() lets nothing else pass
};

struct CompiledCorrelations {
  std::optional<BuiltCorrelations> built;  // nothing: none runs
  // Rules that are named by correlations only to be counted, none of which runs: they would report what is no finding by itself. Each has an error (C047). Ascending.
  std::vector<uint32_t> held;
};

// `runs_over[i]`: the Types over which rule i runs. Correlations that cannot run are left out with a diagnostic (S12x, C041 to C047), unless they were refused when they were
// read; so are those that only such ones refer to.
Result<CompiledCorrelations> compile_correlations(std::span<const sigma::Correlation> correlations, std::span<const sigma::Rule> rules,
                                                  std::span<const std::vector<const schema::TemplateType*>> runs_over, Diagnostics& diagnostics,
                                                  uint64_t state_bytes = limits::kCorrelationStateBytes);

}  // namespace creance::compiler
