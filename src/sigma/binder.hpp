// Which Template Types a rule runs over, and which input each field is. Diagnostics for log sources and fields that nothing supplies, with the nearest name.
#pragma once
#include <vector>

#include "base/diagnostic.hpp"
#include "schema/catalog.hpp"
#include "sigma/rule.hpp"

namespace creance::sigma {

struct Binding {
  const schema::TemplateType* type = nullptr;                // of the catalog
  const schema::AnsweredLogSource* logsource = nullptr;      // restrictions to put in front of the condition
};

// One binding per Type that answers the log source and has every field of the rule. A Type that answers but lacks a field is an error naming the field, the Type and the
// nearest input, if no other Type fits; with several Types answering, those that fit are bound and the others noted.
std::vector<Binding> bind(const Rule& rule, const schema::Catalog& catalog, Diagnostics& diagnostics);

}  // namespace creance::sigma
