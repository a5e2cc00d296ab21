// Pipelines and placeholders: what a site says about rules that are not its own, in YAML files. Read here, put into rules by resolve.hpp.
//
//   include: [other.yml]                       # read before this file's own parts; relative to it
//   placeholders:
//     domain_controllers: ['DC01$', 'DC02$']   # `%domain_controllers%` in a value with the modifier `expand`
//   mappings:                                  # in order; each sees what the ones before it made
//     - logsource: {product: windows, category: process_creation}   # for rules that name the same in each part given here
//       taxonomy: ecs                          # for rules of this taxonomy; left out: of `sigma`
//       to: {product: windows, service: security}                   # the log source that the rule gets
//       fields: {Image: NewProcessName}        # names of fields, compared without case
//       add: {EventID: 4688}                   # must hold, too
//
// Every key known, unknown ones refused. A placeholders file is the map below `placeholders` alone. Source: Sigma specification 2.1.0, "Placeholders", "Taxonomy".
#pragma once
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/seams/files.hpp"
#include "sigma/rule.hpp"

namespace creance::sigma {

struct Placeholder {
  std::vector<Value> values;  // at least one; strings may hold Sigma's wildcards and escapes
  std::string file;
  Span span;
};

// Of a placeholder's name.
constexpr bool is_placeholder_character(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'; }

struct Mapping {
  std::string file;
  Span span;
  std::string taxonomy;              // "": `sigma`
  schema::LogSource logsource;       // which rules; empty: those of its taxonomy
  std::optional<schema::LogSource> to;
  std::vector<std::pair<std::string, std::string>> fields;  // from, in lower case -> to
  std::vector<Item> add;
};

struct Pipeline {
  std::map<std::string, Placeholder, std::less<>> placeholders;
  std::vector<Mapping> mappings;
  std::vector<std::string> files;  // all that were read, included ones too
};

// Reads the files and what they include. Problems go to `diagnostics` (S14x, S15x and the YAML codes); what could be read is in the result all the same.
// kNotFound, kTooLarge, kIo: a file that was named here could not be read (an included one is a diagnostic at the place that names it).
struct PipelineFiles {
  std::vector<std::string> pipelines;
  std::vector<std::string> placeholders;
};
Result<Pipeline> read_pipeline(const PipelineFiles& paths, FileSystem& files, Diagnostics& diagnostics);

}  // namespace creance::sigma
