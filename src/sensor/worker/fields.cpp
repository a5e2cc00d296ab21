#include "sensor/worker/fields.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/os/real.hpp"
#include "base/text.hpp"
#include "sensor/worker/detection.hpp"

namespace creance::sensor {
namespace {

std::string json_text(std::string_view text) {
  std::string out;
  bool cut = false;
  append_json_text(text, text.size(), out, cut);
  return out;
}

template <class Range, class Each>
std::string json_list(const Range& range, const Each& each) {
  std::string out;
  for (const auto& entry : range) {
    const std::string text = each(entry);
    if (!text.empty()) out += (out.empty() ? "" : ",") + text;
  }
  return "[" + out + "]";
}

std::string names_of(const TypeFields& type, bool available) {
  std::string out;
  for (size_t i = 0; i < type.available.size(); ++i)
    if (type.available[i] == available) out += (out.empty() ? "" : ",") + json_text(type.type->inputs[i].name);
  return "[" + out + "]";
}

std::string unavailable_text(const TypeFields& type) {
  if (!type.any_available()) return "all";
  constexpr size_t kNamedMax = 6;
  std::string out;
  size_t count = 0;
  for (size_t i = 0; i < type.available.size(); ++i) {
    if (type.available[i]) continue;
    if (++count <= kNamedMax) out += (out.empty() ? "" : ", ") + type.type->inputs[i].name;
  }
  if (count > kNamedMax) out += fmt::format(" and {} more", count - kNamedMax);
  return out.empty() ? "-" : out;
}

std::string as_json(const Fields& fields) {
  return fmt::format("{{\"collector\":{},\"running_digest\":{},\"rules\":{},\"types\":{},\"held\":{},\"without_collector\":{}}}\n", json_text(fields.collector), json_text(fields.set), fields.rules,
                     json_list(fields.types,
                               [&](const TypeFields& type) {
                                 return fmt::format("{{\"type\":{},\"collector\":{},\"rules\":{},\"held\":{},\"available\":{},\"unavailable\":{}}}", json_text(type.type->id), type.any_available() ? json_text(fields.collector) : "null",
                                                    type.rules, type.held, names_of(type, true), names_of(type, false));
                               }),
                     json_list(fields.held, [](const HeldInstance& held) { return fmt::format("{{\"rule_id\":{},\"input\":{}}}", json_text(held.rule_id), json_text(held.input)); }),
                     json_list(fields.without_collector, [](const Foreign& foreign) {
                       return fmt::format("{{\"type\":{},\"rules\":{}}}", json_text(foreign.type), json_list(foreign.rule_ids, [](const std::string& id) { return json_text(id); }));
                     }));
}

}  // namespace

bool TypeFields::any_available() const { return std::ranges::find(available, true) != available.end(); }

Result<Fields> read_fields(int sets_folder, const ipc::Set& set, std::string collector, std::span<const Supplied> supplied, std::span<const ipc::Set> without) {
  Fields fields;
  fields.collector = std::move(collector);
  for (const Supplied& each : supplied) fields.types.push_back({each.type, each.available, 0, 0});
  if (set == ipc::kNoSet) return fields;
  TRY(const std::unique_ptr<ActiveSet> active, ActiveSet::load(sets_folder, set, supplied, ActiveSet::Cases::kNone, {}, without));
  fields.set = active->hex();
  fields.rules = active->instances();
  fields.held.assign(active->held().begin(), active->held().end());
  for (LoadedChannel& loaded : active->channels()) {
    TypeFields& type = fields.types[loaded.type];
    type.rules += loaded.channel.instance_count();
    for (uint32_t i = 0; i < loaded.channel.instance_count(); ++i) type.held += std::ranges::find(fields.held, loaded.channel.instance(i).rule_id, &HeldInstance::rule_id) != fields.held.end();
  }
  const ipc::Descriptor folder(::openat(sets_folder, active->hex().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
  if (!folder) return fail(os::errno_error(errno, "cannot open the set", active->hex()));
  for (const ipc::SetFile& file : active->foreign()) {
    Foreign foreign{std::string(file.name.view()), {}};
    const auto& types = schema::Catalog::embedded().types();
    const auto known = std::ranges::find(types, file.fingerprint, &schema::TemplateType::fingerprint);
    if (known != types.end()) {
      foreign.type = known->id;
      TRY(const MappedFile mapped, MappedFile::open(folder.get(), std::string(file.name.view()), file.bytes));
      const auto channel = channel::VerifiedChannel::verify(mapped.bytes(), {known->fingerprint, static_cast<uint32_t>(known->inputs.size())});
      if (!channel) return fail(ErrorCode::kInvalid, fmt::format("`{}`: {} at byte {}", file.name.view(), channel.error().code, channel.error().offset));
      for (uint32_t i = 0; i < channel->instance_count(); ++i) foreign.rule_ids.emplace_back(channel->instance(i).rule_id);
    }
    fields.without_collector.push_back(std::move(foreign));
  }
  return fields;
}

std::string to_text(const Fields& fields, FieldsForm form) {
  if (form == FieldsForm::kJson) return as_json(fields);
  const bool colours = form == FieldsForm::kColours;
  const auto coloured = [&](const char* colour, const std::string& text) { return colours ? fmt::format("\x1b[{}m{}\x1b[0m", colour, text) : text; };
  constexpr const char* kBold = "1";
  constexpr const char* kYellow = "33";
  std::string out = fmt::format("collector  {}\nrunning    {}\nrules      {}, {} of them held\n\n", printable(fields.collector, 128), fields.set.empty() ? "no content" : fields.set.substr(0, 12), fields.rules, fields.held.size());
  size_t width = 4, whole = 0;
  const auto shown = [](const TypeFields& type) { return type.rules > 0 || std::ranges::find(type.available, false) != type.available.end(); };
  for (const TypeFields& type : fields.types) {
    if (shown(type)) width = std::max(width, type.type->id.size());
    else ++whole;
  }
  out += coloured(kBold, fmt::format("{:<{}}  {:>9}  {:>5}  {:>4}  {:<17}  {}", "TYPE", width, "AVAILABLE", "RULES", "HELD", "COLLECTOR", "UNAVAILABLE")) + "\n";
  for (const TypeFields& type : fields.types) {
    if (!shown(type)) continue;
    const auto count = std::ranges::count(type.available, true);
    const std::string line = fmt::format("{:<{}}  {:>9}  {:>5}  {:>4}  {:<17}  {}", type.type->id, width, fmt::format("{}/{}", count, type.available.size()), type.rules, type.held,
                                         type.any_available() ? printable(fields.collector.substr(0, fields.collector.find(" of "))) : "none", unavailable_text(type));
    out += (type.held > 0 || count == 0 ? coloured(kYellow, line) : line) + "\n";
  }
  if (whole > 0) out += fmt::format("and {} more Types, all of whose inputs are available, without rules\n", whole);
  if (!fields.held.empty()) {
    out += "\n" + coloured(kBold, "rules that cannot fire here: an input is missing") + "\n";
    for (const HeldInstance& held : fields.held) out += fmt::format("{}  {}\n", printable(held.rule_id), printable(held.input));
  }
  if (!fields.without_collector.empty()) {
    out += "\n" + coloured(kBold, "rules that cannot fire here: no collector for their Type") + "\n";
    for (const Foreign& foreign : fields.without_collector)
      out += foreign.rule_ids.empty() ? fmt::format("{}  (this build does not know the Type)\n", printable(foreign.type)) : fmt::format("{}  {} {}\n", foreign.type, foreign.rule_ids.size(), foreign.rule_ids.size() == 1 ? "rule" : "rules");
  }
  return out;
}

}  // namespace creance::sensor
