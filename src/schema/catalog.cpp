#include "schema/catalog.hpp"

#include "base/text.hpp"

namespace creance::schema {
namespace {
bool agrees(std::string_view wanted, std::string_view supplied) { return wanted.empty() || equal_ignoring_ascii_case(wanted, supplied); }
}  // namespace

Catalog::Catalog(std::vector<TemplateType> types) : types_(std::move(types)) {}

const TemplateType* Catalog::find(std::string_view id) const {
  for (const TemplateType& type : types_) {
    if (type.id == id) return &type;
  }
  return nullptr;
}

std::vector<Catalog::Answer> Catalog::answers(const LogSource& wanted) const {
  std::vector<Answer> found;
  for (const TemplateType& type : types_) {
    for (const AnsweredLogSource& answered : type.logsources) {
      const LogSource& has = answered.logsource;
      if (agrees(wanted.product, has.product) && agrees(wanted.category, has.category) && agrees(wanted.service, has.service)) {
        found.push_back({&type, &answered});
      }
    }
  }
  return found;
}

}  // namespace creance::schema
