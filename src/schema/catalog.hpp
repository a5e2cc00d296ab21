// All Template Types that a program knows. Owns them; immutable after loading; any number of threads.
#pragma once
#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/result.hpp"
#include "schema/type.hpp"

namespace creance::schema {

class Catalog {
 public:
  // The Types of this build (types/*.yml, embedded by the generator).
  static const Catalog& embedded();
  explicit Catalog(std::vector<TemplateType> types);

  std::span<const TemplateType> types() const { return types_; }
  const TemplateType* find(std::string_view id) const;  // nullptr: none

  struct Answer {
    const TemplateType* type;
    const AnsweredLogSource* logsource;  // with the restrictions that apply
  };
  // Every Type that answers a rule's log source: each part that the rule names must be equal; a Type's log source that names more than the rule is still an answer.
  // Empty: no Type of this catalog does.
  std::vector<Answer> answers(const LogSource& wanted) const;

 private:
  std::vector<TemplateType> types_;
};

// Reads *.yml of a folder (types/). Problems go to `diagnostics` (codes T…), with file and span; the result is kInvalid if any is an error.
// In the library creance_schema_loader, apart, since it needs yaml-cpp.
Result<std::vector<TemplateType>> load_types(const std::filesystem::path& directory, Diagnostics& diagnostics);

}  // namespace creance::schema
