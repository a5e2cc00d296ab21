// From parsed rules to channels: binds each rule to the Template Types that it runs over and compiles one channel per Type, and the
// correlations over them. What `check`, `pack`, `scan` and the judges share.
// Deterministic: the same rules in any order give the same bytes. Pure; any number of threads.
#pragma once
#include <map>
#include <span>
#include <vector>

#include "base/bytes.hpp"
#include "base/diagnostic.hpp"
#include "base/result.hpp"
#include "schema/catalog.hpp"
#include "schema/inputs.hpp"
#include "compiler/correlations.hpp"
#include "sigma/rule.hpp"

namespace creance::compiler {

struct BuiltChannel {
  const schema::TemplateType* type = nullptr;  // of the catalog
  Bytes bytes;
  std::vector<uint32_t> rules;  // by instance: the index of the rule among the given ones; as many as the verifier counted, every channel has passed it
  uint64_t cost_bound = 0;      // likewise
};

struct Build {
  std::vector<BuiltChannel> channels;  // by id of the Type; only those with instances
  std::vector<uint32_t> refused;       // indices of the rules that run over no Type at all; each has an error in the diagnostics
  std::optional<BuiltCorrelations> correlations;   // nothing: no correlation runs
  std::vector<uint32_t> refused_correlations;      // indices; each has an error in the diagnostics
};

// Sample events by Type, for choosing what wakes a rule (compile.hpp, Options::sample). What they view must outlive the call.
using Samples = std::map<const schema::TemplateType*, std::vector<schema::Inputs>>;

// A rule without an id is compiled under one that is made of its title and content, `#` and 16 hexadecimal digits. Two rules or correlations with one id are an error (C001), told at the later one, which is refused. kTooLarge: a channel as a whole is over a limit.
Result<Build> build(std::span<const sigma::Rule> rules, const schema::Catalog& catalog, Diagnostics& diagnostics, std::span<const sigma::Correlation> correlations = {}, const Samples& samples = {});

}  // namespace creance::compiler
