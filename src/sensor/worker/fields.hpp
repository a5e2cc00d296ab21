// Which inputs of which Template Types this host can really say, by which collector, and which rules of a set can therefore not fire: for `creance-sensor status --fields`.
// Reads the set as the worker does; runs nothing.
#pragma once
#include <string>
#include <vector>

#include "sensor/worker/active_set.hpp"

namespace creance::sensor {

struct TypeFields {
  const schema::TemplateType* type = nullptr;
  std::vector<bool> available;            // per input
  uint32_t rules = 0;                     // of the set
  uint32_t held = 0;                      // of these
  bool any_available() const;
};
struct Foreign {                          // rules of a Type that has no collector on this host
  std::string type;                       // or the file's name, where this build does not know the Type
  std::vector<std::string> rule_ids;      // empty likewise
};
struct Fields {
  std::string collector;
  std::string set;                        // 64 digits; empty: no content
  std::vector<TypeFields> types;          // all that the collector supplies
  std::vector<HeldInstance> held;
  std::vector<Foreign> without_collector;
  uint32_t rules = 0;                     // of the set, of Types that have a collector
};

// kInvalid, kNotFound: the set cannot be loaded.
Result<Fields> read_fields(int sets_folder, const ipc::Set& set, std::string collector, std::span<const Supplied> supplied, std::span<const ipc::Set> without);

enum class FieldsForm : uint8_t { kText, kColours, kJson };
std::string to_text(const Fields& fields, FieldsForm form);  // with a newline at the end

}  // namespace creance::sensor
