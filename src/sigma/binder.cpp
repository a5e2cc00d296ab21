#include "sigma/binder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "sigma/codes.hpp"

namespace creance::sigma {
namespace {

struct FieldUse {
  std::string_view name;
  Span span;
  std::string_view origin;  // file of a filter or pipeline that brought it, else ""
};

bool is_field_reference(const Item& item) { return std::ranges::find(item.modifiers, Modifier::kFieldRef) != item.modifiers.end(); }

// Each field of the rule once, at its first place. With `fieldref`, the values are fields too.
std::vector<FieldUse> fields_of(const Rule& rule) {
  std::vector<FieldUse> uses;
  std::set<std::string, std::less<>> seen;
  const auto add = [&](std::string_view name, Span span, std::string_view origin) {
    if (seen.insert(to_ascii_lower(name)).second) uses.push_back({name, span, origin});
  };
  for (const Selection& selection : rule.selections) {
    for (const Alternative& alternative : selection.alternatives) {
      for (const Item& item : alternative.items) {
        if (!item.is_keyword()) add(item.field, item.span, selection.origin);
        if (!is_field_reference(item)) continue;
        for (const Value& value : item.values) add(value.text, value.span, selection.origin);
      }
    }
  }
  return uses;
}

std::vector<FieldUse> lacking(const std::vector<FieldUse>& uses, const schema::TemplateType& type) {
  std::vector<FieldUse> out;
  std::ranges::copy_if(uses, std::back_inserter(out), [&](const FieldUse& use) { return !type.input_index(use.name); });
  return out;
}

std::string help_for(const FieldUse& use, const schema::TemplateType& type) {
  std::vector<std::string_view> names;
  for (const schema::InputDefinition& input : type.inputs) names.push_back(input.name);
  const auto like = nearest(use.name, names);
  return like ? fmt::format("did you mean {}?", quote(*like)) : fmt::format("see the inputs of {} in its reference page", quote(type.id));
}

std::string describe(const schema::LogSource& logsource) {
  std::string out;
  for (const auto& [name, value] : {std::pair{"product", &logsource.product}, std::pair{"category", &logsource.category}, std::pair{"service", &logsource.service}}) {
    if (!value->empty()) out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", name, *value);
  }
  return out;
}

// The part of the log source that no Type of the catalog has, with the nearest one that exists.
std::string help_for(const schema::LogSource& wanted, const schema::Catalog& catalog) {
  const auto advise = [&](const std::string& text, std::string schema::LogSource::*part) -> std::string {
    std::vector<std::string_view> names;
    for (const schema::TemplateType& type : catalog.types()) {
      for (const schema::AnsweredLogSource& answered : type.logsources) names.push_back(answered.logsource.*part);
    }
    if (text.empty() || std::ranges::find(names, text) != names.end()) return "";
    std::erase(names, std::string_view());
    const auto like = nearest(text, names);
    return like ? fmt::format("did you mean {}?", quote(*like)) : "";
  };
  for (const auto& [text, part] : {std::pair{wanted.category, &schema::LogSource::category}, std::pair{wanted.product, &schema::LogSource::product}, std::pair{wanted.service, &schema::LogSource::service}}) {
    if (std::string help = advise(text, part); !help.empty()) return help;
  }
  // A log without a Type of its own still reaches the Type of unclaimed events; only the rule's site knows which log it is.
  const auto takes_unclaimed = [](const schema::Catalog::Answer& answer) { return std::ranges::any_of(answer.type->sources, &schema::EventSource::unclaimed); };
  if (!wanted.product.empty() && !wanted.service.empty() && std::ranges::any_of(catalog.answers({wanted.product, wanted.category, ""}), takes_unclaimed)) {
    return fmt::format("say in a pipeline which log it is: `logsource: {{product: {0}, service: {1}}}`, `to: {{product: {0}}}`, `add: {{Channel: …}}`", wanted.product, wanted.service);
  }
  return "";
}

// A Type may answer by several of its log sources; one without restrictions covers the others.
void add(std::vector<Binding>& bound, const schema::Catalog::Answer& answer) {
  const auto same = [&](const Binding& b) { return b.type == answer.type; };
  if (std::ranges::any_of(bound, [&](const Binding& b) { return same(b) && b.logsource->when.empty(); })) return;
  if (answer.logsource->when.empty()) std::erase_if(bound, same);
  bound.push_back({answer.type, answer.logsource});
}

}  // namespace

std::vector<Binding> bind(const Rule& rule, const schema::Catalog& catalog, Diagnostics& diagnostics) {
  Reporter reporter(rule.file, diagnostics);
  std::vector<Binding> bound;
  const auto answers = catalog.answers(rule.logsource);
  if (answers.empty()) {
    reporter.report("S201", rule.logsource_span, fmt::format("no Template Type answers the log source {}", quote(describe(rule.logsource))), help_for(rule.logsource, catalog));
    return bound;
  }
  struct Misfit {
    const schema::TemplateType* type;
    std::vector<FieldUse> lacks;
  };
  std::vector<Misfit> misfits;
  const auto uses = fields_of(rule);
  for (const schema::Catalog::Answer& answer : answers) {
    auto lacks = lacking(uses, *answer.type);
    if (lacks.empty()) {
      add(bound, answer);
    } else if (std::ranges::none_of(misfits, [&](const Misfit& m) { return m.type == answer.type; })) {
      misfits.push_back({answer.type, std::move(lacks)});
    }
  }
  if (!bound.empty()) {
    if (misfits.empty()) return bound;
    // Where it runs is short and of use; where it does not may be every other log of the product.
    constexpr size_t kNamedMax = 4;
    std::vector<std::string> names;
    for (const Binding& b : bound) {
      if (names.size() < kNamedMax && std::ranges::find(names, quote(b.type->id)) == names.end()) names.push_back(quote(b.type->id));
    }
    const FieldUse& lacked = misfits.front().lacks.front();
    reporter.report("S203", lacked.span, fmt::format("the rule runs over {}{} only: {} other Template Type{} the log source but {} no {}{}", fmt::join(names, ", "), bound.size() > names.size() ? ", …" : "", misfits.size() == 1 ? "one" : "some",
                    misfits.size() == 1 ? " answers" : "s answer", misfits.size() == 1 ? "has" : "have", quote(lacked.name), uses.size() > 1 ? " or another of its fields" : ""));
    return bound;
  }
  // None fits: the Type that lacks least says what is missing.
  const auto closest = std::ranges::min_element(misfits, {}, [](const Misfit& m) { return m.lacks.size(); });
  for (const FieldUse& use : closest->lacks) {
    if (reporter.is_full()) break;
    const std::string message = fmt::format("the field {} is no input of the Template Type {}", quote(use.name), quote(closest->type->id));
    if (use.origin.empty()) reporter.report("S202", use.span, message, help_for(use, *closest->type));
    else Reporter(std::string(use.origin), diagnostics).report("S202", use.span, fmt::format("{} (put into the rule {})", message, quote(rule.title)), help_for(use, *closest->type));
  }
  return bound;
}

}  // namespace creance::sigma
