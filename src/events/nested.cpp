#include "events/nested.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.hpp"
#include "base/text.hpp"
#include "events/stamp.hpp"
#include "events/syslog.hpp"

namespace creance::events {
namespace {

bool is_system_top(std::string_view name) { return name == "winlog" || name == "Event" || name == "System" || name == "EventData" || name == "UserData" || name == "RenderingInfo" || name == "event_data" || name == "user_data"; }

std::string_view value_of(std::span<const Field> fields, std::string_view key) {
  for (const Field& field : fields) {
    if (field.has_value && equal_ignoring_ascii_case(field.key, key)) return field.text;
  }
  return {};
}

bool holds_for(const Where& where, Log log, std::string_view id) { return (where.logs & log) != 0 && (where.ids.empty() || lists_id(where.ids, id) != where.but_these); }

constexpr std::string_view kSysmonChannel = "Microsoft-Windows-Sysmon/Operational";

}  // namespace

Origin origin_of(std::span<const Field> fields) {
  Origin out;
  bool exact_channel = false, exact_provider = false, exact_id = false;
  // As everywhere: without regard to case, an exact name wins, of equal names the last one.
  const auto take = [](const Field& field, std::string_view name, std::string_view& to, bool& exact) {
    if ((field.key[0] | 0x20) != (name[0] | 0x20) || !equal_ignoring_ascii_case(field.key, name)) return;
    const bool same = field.key == name;
    if (exact && !same) return;
    to = field.text;
    exact = same;
  };
  for (const Field& field : fields) {
    if (!field.has_value || field.key.empty()) continue;
    switch (field.key[0]) {
      case 'E': out.has_parts = out.has_parts || field.key.starts_with("EventData.") || field.key.starts_with("Event."); break;
      case 'S': out.has_parts = out.has_parts || field.key.starts_with("System."); break;
      case 'U': out.has_parts = out.has_parts || field.key.starts_with("UserData."); break;
      case 'w': out.has_parts = out.has_parts || field.key.starts_with("winlog."); break;
      default: break;
    }
    switch (field.key.size()) {
      case 5:
        if (field.key == "_type") out.type = field.text;
        break;
      case 7:
        if (field.key == "Payload" && field.text.starts_with('{')) out.payload = field.text;
        take(field, "Channel", out.channel, exact_channel);
        take(field, "EventID", out.event_id, exact_id);
        break;
      case 8:
        if (field.key == "_channel") out.channel = field.text, exact_channel = true;
        break;
      case 9:
        if (field.key == "_provider") out.provider = field.text, exact_provider = true;
        break;
      case 10:
        if (field.key == "SourceName") out.says_source = true;
        break;
      case 20:
        if (field.key == "__REALTIME_TIMESTAMP") out.is_journal = true;
        break;
      case 13: take(field, "Provider_Name", out.provider, exact_provider); break;
      default: break;
    }
  }
  return out;
}

void Nested::clear() {
  placed_.clear();
  leaves_.clear();
  shipper_leaves_.clear();
  event_leaves_.clear();
  unnamed_.clear();
  marks_ = 0;
  told_ = has_parts_ = says_top_ = false;
  datum_open_ = false;
  channel_ = provider_ = event_id_ = {};
}

Context Nested::top(std::string_view key) const {
  Context context;
  context.mode = Context::kTree;
  context.place = ShapeTree::kTop;
  return member(context, key);
}

// Elements of System that have attributes, outside of it: exports that put all of System at the top write them so.
Context Nested::open_top(std::string_view key) const {
  Context context = top(key);
  if (context.mode == Context::kPlain && has_system_attributes(key)) {
    context.mode = Context::kSystemElement;
    context.name = key;
  }
  return context;
}

Context Nested::member(const Context& from, std::string_view key) const {
  Context out = from;
  switch (from.mode) {
    case Context::kTree: {
      std::string_view rest = key;
      while (!rest.empty()) {
        // A name with a dot in it may also be one of the tree's own ("@timestamp" has none, but tools write `winlog.event_data.Image` as well as `winlog.event_data: {Image}`).
        const size_t end = std::min(rest.find('.'), rest.size());
        const std::string_view name = rest.substr(0, end);
        const bool of_markup = is_attributes(name) || name.starts_with("@xmlns") || name.starts_with("xmlns") || name.ends_with("_attributes");
        if (of_markup && (out.place != ShapeTree::kTop || name == "Event_attributes")) {  // of an XML element on the way: namespaces
          out.mode = Context::kDropped;
          return out;
        }
        if (out.place == ShapeTree::kTop) out.of_event = is_system_top(name);
        out.place = ShapeTree::get().step(out.place, name);
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (out.place == ShapeTree::kNowhere) {
          out.mode = Context::kPlain;
          return out;
        }
        const Node& node = ShapeTree::get().at(out.place);
        out.of_shipper = out.of_shipper || node.of_shipper;
        const Role role = node.role;
        const auto into = [&](Context::Mode mode) {
          out.mode = mode;
          out.name = {};
          return rest.empty() ? out : member(out, rest);  // at most one step: no mode but kTree goes on by itself
        };
        if (role == Role::kNames) return into(Context::kNames);
        if (role == Role::kElements) return into(Context::kElements);
        if (role == Role::kSystem) return into(Context::kSystem);
        if (role == Role::kEventData) return into(Context::kEventData);
        if (role == Role::kDropped) return into(Context::kDropped);
      }
      return out;
    }
    case Context::kNames:
      out.mode = Context::kNamed;
      out.name = key;
      return out;
    case Context::kElements: {
      const size_t dot = key.rfind('.');  // of dotted names the last one is the leaf
      const std::string_view leaf = dot == std::string_view::npos ? key : key.substr(dot + 1);
      if (leaf == "xml_name" || is_attributes(leaf) || leaf.starts_with('@') || leaf.starts_with("xmlns") || leaf.ends_with("_attributes")) out.mode = Context::kDropped;
      else if (!leaf.starts_with('#')) out.name = leaf;
      return out;
    }
    case Context::kSystem: {
      const size_t dot = key.find('.');
      out.mode = Context::kSystemElement;
      out.name = bare_name(key.substr(0, dot));
      return dot == std::string_view::npos ? out : member(out, key.substr(dot + 1));
    }
    case Context::kSystemElement: {
      if (is_attributes(key) || is_text(key)) return out;
      const size_t dot = key.rfind('.');
      out.mode = Context::kSystemAttribute;
      out.attribute = bare_name(dot == std::string_view::npos ? key : key.substr(dot + 1));
      if (is_text(out.attribute)) out.mode = Context::kSystemElement;
      return out;
    }
    case Context::kEventData:
      if (is_attributes(key) || key.starts_with('@') || key.starts_with("xmlns") || key.ends_with("_attributes")) {
        out.mode = Context::kDropped;
      } else {
        out.mode = Context::kData;
        out.name = key == "Data" ? std::string_view() : key;
      }
      return out;
    case Context::kData:
      if (is_attributes(key)) out.mode = Context::kDataAttributes;
      else if (is_text(key)) out.mode = Context::kDataText;
      else if (bare_name(key) == "Name") out.mode = Context::kDataName;
      else if (key.starts_with('@')) out.mode = Context::kDropped;
      else out.mode = Context::kNamed, out.name = key;
      return out;
    case Context::kDataAttributes:
      out.mode = bare_name(key) == "Name" ? Context::kDataName : Context::kDropped;
      return out;
    case Context::kNamed:
      out.mode = Context::kPlain;  // deeper than any form goes
      return out;
    default: return out;
  }
}

Context Nested::open_list(const Context& context) const {
  Context out = context;
  if (context.mode == Context::kEventData) {  // a list of data with their names
    out.mode = Context::kData;
    out.name = {};
  }
  return out;
}

Context Nested::open_object(const Context& context) {
  if (context.mode == Context::kNamed) placed_.push_back({context, {}, false, true});
  if (context.mode == Context::kTree) {
    const Part part = ShapeTree::get().at(context.place).part;
    if (part == Part::kAnswer || part == Part::kDetail) placed_.push_back({context, {}, false, true});
  }
  if (context.mode == Context::kData) {
    datum_open_ = true;
    datum_has_text_ = false;
    datum_name_ = context.name;
    datum_text_ = {};
  }
  return context;
}

void Nested::close_object(const Context& context) {
  if (context.mode != Context::kData || !datum_open_) return;
  datum_open_ = false;
  if (datum_name_.empty() && !datum_has_text_) return;  // it held its data by name
  Context datum = context;
  datum.name = datum_name_;
  scalar(datum, datum_has_text_ ? std::optional(datum_text_) : std::optional(std::string_view()));
}

void Nested::scalar(const Context& context, std::optional<std::string_view> text) {
  const auto leaf = [&] {
    if (text) (context.of_event ? event_leaves_ : context.of_shipper ? shipper_leaves_ : leaves_).push_back(*text);
  };
  const auto place = [&](std::string_view name, std::optional<std::string_view> value) {
    Context placed = context;
    placed.name = name;
    placed_.push_back({placed, value.value_or(std::string_view()), value.has_value()});
    has_parts_ = has_parts_ || context.mode != Context::kTree;
  };
  switch (context.mode) {
    case Context::kPlain: leaf(); return;
    case Context::kTree: {
      const Node& node = ShapeTree::get().at(context.place);
      if (node.role == Role::kInner) {
        leaf();
        return;
      }
      if (text) marks_ |= node.marks;
      place(node.field, text);
      return;
    }
    case Context::kNames:
    case Context::kSystem:
    case Context::kEventData: leaf(); return;
    case Context::kNamed: place(context.name, context.of_event && !text ? std::optional(std::string_view()) : text); return;
    case Context::kElements:
      if (context.name.empty()) leaf();
      else place(context.name, text.value_or(std::string_view()));  // an empty element is a value without characters
      return;
    case Context::kSystemElement:
    case Context::kSystemAttribute: {
      const std::string_view name = system_field(context.name, context.mode == Context::kSystemElement ? std::string_view() : context.attribute);
      if (name.empty()) {
        if (context.mode == Context::kSystemElement || (!context.of_event && context.attribute != "Qualifiers")) leaf();  // of attributes only those that Windows' names hold (not EventID's Qualifiers)
        return;
      }
      if (text && (name == "EventID" || name == "Channel" || name == "Provider_Name")) {
        if (context.of_event) marks_ |= bit(Shape::kXml);
        else says_top_ = true;
      }
      place(name, text);
      return;
    }
    case Context::kData: place(context.name, text.value_or(std::string_view())); return;
    case Context::kDataText:
      if (datum_open_ && !datum_has_text_) {
        datum_text_ = text.value_or(std::string_view());
        datum_has_text_ = true;
      } else {  // a list of texts of one element: several data
        Context datum = context;
        datum.mode = Context::kData;
        datum.name = datum_name_;
        if (datum_open_) {
          placed_.push_back({datum, datum_text_, true});
          datum_text_ = text.value_or(std::string_view());
        }
      }
      return;
    case Context::kDataName:
      if (text && datum_open_) datum_name_ = *text;
      return;
    case Context::kDataAttributes:
    case Context::kDropped: return;
  }
}

Shape Nested::shape_of() const {
  for (const Shape shape : {Shape::kWinlog, Shape::kXml, Shape::kWinlogOld, Shape::kJournal}) {
    if ((marks_ & bit(shape)) != 0) return shape;
  }
  return is_process_start_on_linux() ? Shape::kEcs : Shape::kFlat;
}

// ECS: categorisation fields, and host.os.type.
bool Nested::is_process_start_on_linux() const {
  bool process = false, start = false, on_linux = false;
  for (const Placed& each : placed_) {
    if (each.context.mode != Context::kTree) continue;
    const Node& node = ShapeTree::get().at(each.context.place);
    process = process || (node.part == Part::kCategory && each.text == "process");
    start = start || (node.part == Part::kType && each.text == "start");
    on_linux = on_linux || (node.part == Part::kSystem && each.text == "linux");
  }
  return process && start && on_linux;
}

std::span<const std::string_view> Nested::leaves() {
  if (!told_) {  // no form was recognised: everything nested is a value of the event and no field
    told_ = true;
    leaves_.insert(leaves_.end(), event_leaves_.begin(), event_leaves_.end());
    leaves_.insert(leaves_.end(), shipper_leaves_.begin(), shipper_leaves_.end());
    for (const Placed& each : placed_) {
      if (each.has_value && each.context.mode != Context::kDropped) leaves_.push_back(each.text);
    }
  }
  return leaves_;
}

std::string_view Nested::joined(std::span<const std::string_view> parts, std::string_view between) {
  size_t bytes = 0;
  for (const std::string_view part : parts) bytes += part.size() + between.size();
  char* const begin = composed_.reserve(bytes);
  char* out = begin;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out = std::copy(between.begin(), between.end(), out);
    out = std::copy(parts[i].begin(), parts[i].end(), out);
  }
  composed_.commit(out);
  return {begin, static_cast<size_t>(out - begin)};
}

void Nested::unfold(std::vector<Field>& fields, std::vector<std::string_view>& more, size_t json_bytes, const Origin& origin) {
  const bool is_nxlog = !value_of(fields, "SourceName").empty() && !value_of(fields, "Channel").empty();
  composed_.reset(4 * json_bytes + 4096);  // users, hashes, unnamed data and what modules took apart, each put together of what the event holds once, and of a few bytes for each value
  if (is_nxlog) {
    unfold_nxlog(fields);
    return;
  }
  const bool keep_top = (has_parts_ || origin.has_parts) && (says_top_ || origin.channel.data() != nullptr || origin.event_id.data() != nullptr || origin.provider.data() != nullptr);
  // The top level's scalars are places of the tree too: `@timestamp`, `message`, `winlog.event_data.Image`.
  const size_t nested_count = placed_.size();
  const size_t leaf_count = leaves_.size(), shipper_leaf_count = shipper_leaves_.size(), event_leaf_count = event_leaves_.size();
  for (const Field& field : fields) {
    const Context context = top(field.key);
    if (context.mode == Context::kPlain || !field.has_value || (keep_top && context.mode == Context::kTree)) continue;
    scalar(context, field.text);
    for (uint32_t m = field.more_begin; m < field.more_end; ++m) scalar(context, more[m]);
  }
  const Shape found = shape_of();
  const Shape shape = found == Shape::kFlat && keep_top ? Shape::kXml : found;
  if (shape == Shape::kFlat) {
    placed_.resize(nested_count);
    leaves_.resize(leaf_count);
    shipper_leaves_.resize(shipper_leaf_count);
    event_leaves_.resize(event_leaf_count);
    return;
  }
  if (keep_top) name_top(fields, origin);
  unfold_shape(shape, keep_top, fields, more);
}

// The names of System's elements, where they stand at the top as texts, and what EvtxECmd calls them.
void Nested::name_top(std::vector<Field>& fields, const Origin& origin) {
  for (Field& field : fields) {
    if (origin.is_evtx_ecmd) {
      const auto name = evtx_ecmd_field(field.key);
      if (!name) continue;
      if (name->empty()) field.has_value = false;
      else field.key = *name;
    } else if (has_system_attributes(field.key) && field.has_value) {
      const std::string_view name = system_field(field.key, {});
      if (!name.empty()) field.key = name;
    }
  }
}

void Nested::unfold_shape(Shape shape, bool keep_top, std::vector<Field>& fields, std::vector<std::string_view>& more) {
  told_ = true;
  const ShapeTree& tree = ShapeTree::get();
  const bool of_ecs = shape == Shape::kWinlog || shape == Shape::kEcs;  // there, what the shipper says of itself and of the host is no value of the event
  if (!of_ecs) leaves_.insert(leaves_.end(), shipper_leaves_.begin(), shipper_leaves_.end());
  if (!keep_top) {
    for (const Field& field : fields) {
      const Context context = top(field.key);
      if (!field.has_value || context.mode != Context::kPlain || (of_ecs && context.of_shipper)) continue;
      leaves_.push_back(field.text);
      leaves_.insert(leaves_.end(), more.begin() + field.more_begin, more.begin() + field.more_end);
    }
  }
  leaves_.insert(leaves_.end(), event_leaves_.begin(), event_leaves_.end());
  flat_.clear();
  fallback_.assign(tree.size(), -1);
  parts_.fill(-1);
  uint32_t system_seen = 0;
  if (keep_top) {
    for (const Field& field : fields) {
      const Context::Mode mode = top(field.key).mode;
      if (mode != Context::kPlain && mode != Context::kTree) continue;  // it was placed
      flat_.push_back(field);
      if (has_system_attributes(field.key)) flat_.back().has_objects = false;  // it was read as System's
      if (const int32_t index = field.has_value ? system_index(field.key) : -1; index >= 0) system_seen |= 1u << index;
    }
  }
  for (const Placed& each : placed_) {
    const bool of_system = each.context.mode == Context::kTree || each.context.mode == Context::kSystemElement || each.context.mode == Context::kSystemAttribute;
    const int32_t index = of_system && each.has_value ? system_index(each.context.name) : -1;
    if (index >= 0) system_seen |= 1u << index;
  }
  const Placed* before = nullptr;
  for (size_t i = 0; i < placed_.size(); ++i) {
    const Placed& each = placed_[i];
    const Context& context = each.context;
    Field field{context.name, each.text, each.has_value, static_cast<uint32_t>(more.size()), static_cast<uint32_t>(more.size()), each.is_object};
    if (context.mode == Context::kTree) {
      const Node& node = tree.at(context.place);
      if (node.role == Role::kFallback || node.role == Role::kPart) {
        if (fallback_[context.place] < 0 && each.has_value) fallback_[context.place] = static_cast<int32_t>(i);
        continue;
      }
      if ((node.shapes & bit(shape)) == 0) {
        if (each.has_value && !(of_ecs && context.of_shipper)) leaves_.push_back(each.text);
        continue;
      }
    } else if (context.mode == Context::kData && context.name.empty()) {
      unnamed_.push_back(each.text);
      continue;
    } else if (context.mode != Context::kSystemElement && context.mode != Context::kSystemAttribute) {
      const int32_t index = system_index(context.name);
      if (index >= 0 && (system_seen & 1u << index) != 0) field.key = data_beside_system(index);
    }
    const bool goes_on = before != nullptr && context.mode == before->context.mode && context.mode != Context::kData && context.name.data() == before->context.name.data() && context.place == before->context.place && !flat_.empty() && each.has_value;
    before = &each;
    if (each.is_object && context.mode == Context::kNamed && !flat_.empty() && flat_.back().key.data() == context.name.data()) {  // a list of values and objects
      flat_.back().has_objects = true;
      continue;
    }
    if (goes_on && !flat_.back().has_value && flat_.back().has_objects) {
      flat_.back().text = each.text;
      flat_.back().has_value = true;
      continue;
    }
    if (goes_on && flat_.back().has_value) {  // a further value of the same list
      more.push_back(each.text);
      flat_.back().more_end = static_cast<uint32_t>(more.size());
      continue;
    }
    flat_.push_back(field);
  }
  add_joined(flat_);
  add_fallbacks(shape, flat_, more);
  add_leaves_of_unused(shape, flat_);
  fields.swap(flat_);
}

// Data without names are one field, as many lines as there are; Winlogbeat calls them param1, param2, ….
void Nested::add_joined(std::vector<Field>& fields) {
  if (unnamed_.empty()) {
    for (size_t n = 1;; ++n) {
      char digits[24];
      const auto end = std::to_chars(digits, digits + sizeof digits, n).ptr;
      const std::string_view number(digits, static_cast<size_t>(end - digits));
      const auto at = std::find_if(fields.begin(), fields.end(), [&](const Field& field) { return field.has_value && field.key.starts_with("param") && field.key.substr(5) == number; });
      if (at == fields.end() || n > 128) break;
      unnamed_.push_back(at->text);
    }
    if (!value_of(fields, "Data").empty()) return;
  }
  if (!unnamed_.empty()) fields.push_back({"Data", joined(unnamed_, "\n"), true, 0, 0});
}

void Nested::add_fallbacks(Shape shape, std::vector<Field>& fields, std::vector<std::string_view>& more) {
  const ShapeTree& tree = ShapeTree::get();
  const auto strong_or_fallback = [&](std::string_view name) {
    const std::string_view strong = value_of(fields, name);
    if (!strong.empty()) return strong;
    for (size_t place = 0; place < tree.size(); ++place) {
      if (fallback_[place] >= 0 && tree.at(static_cast<uint16_t>(place)).field == name) return placed_[static_cast<size_t>(fallback_[place])].text;
    }
    return std::string_view();
  };
  const std::string_view id = strong_or_fallback("EventID");
  const Log log = log_of(value_of(fields, "Channel"), strong_or_fallback("Provider_Name"));
  const auto has = [&](std::string_view key) { return std::any_of(fields.begin(), fields.end(), [&](const Field& field) { return (field.has_value || field.has_objects) && equal_ignoring_ascii_case(field.key, key); }); };
  for (size_t place = 0; place < tree.size(); ++place) {
    if (fallback_[place] < 0) continue;
    for (uint16_t at = static_cast<uint16_t>(place);; at = tree.at(at).next_same) {
      const Node& node = tree.at(at);
      if (node.role == Role::kPart && (node.shapes & bit(shape)) != 0) parts_[static_cast<size_t>(node.part)] = fallback_[place];
      if (node.next_same == 0) break;
    }
  }
  for (size_t place = 0; place < tree.size(); ++place) {
    if (fallback_[place] < 0) continue;
    const auto first = static_cast<size_t>(fallback_[place]);
    for (uint16_t at = static_cast<uint16_t>(place);; at = tree.at(at).next_same) {
      const Node& node = tree.at(at);
      if (node.role == Role::kFallback && (node.shapes & bit(shape)) != 0 && holds_for(node.where, log, id) && !has(node.field)) {
        Field made{node.field, {}, false, static_cast<uint32_t>(more.size()), static_cast<uint32_t>(more.size())};
        for (size_t i = first; i < placed_.size() && placed_[i].context.mode == Context::kTree && placed_[i].context.place == place; ++i) {
          Placed& each = placed_[i];
          if (!each.has_value) continue;
          SmallText room;
          std::optional<std::string_view> text;
          const bool is_one = i == first && (i + 1 == placed_.size() || placed_[i + 1].context.place != place);
          if (const int32_t type = parts_[static_cast<size_t>(Part::kDataType)]; node.spelling == Spelling::kRegistryData && type >= 0 && is_one) {
            text = registry_details(placed_[static_cast<size_t>(type)].text, each.text, room);
            placed_[static_cast<size_t>(type)].used = text->data() == room.data();
          } else {
            text = respelled(node.spelling, each.text, room);
          }
          if (!text) continue;
          if (text->data() == room.data()) text = joined(std::span(&*text, 1), "");
          each.used = true;
          if (made.has_value) {
            more.push_back(*text);
            made.more_end = static_cast<uint32_t>(more.size());
          } else {
            made.text = *text;
            made.has_value = true;
          }
          if (node.spelling != Spelling::kAsItIs && node.spelling != Spelling::kRegistryData) break;  // words and numbers, one each
        }
        if (made.has_value) fields.push_back(made);
      }
      if (node.next_same == 0) break;
    }
  }
  add_composed(shape, log, id, fields);
  if (shape == Shape::kEcs) {  // what Sysmon for Linux calls its event 1
    channel_ = "Linux-Sysmon/Operational";
    event_id_ = "1";
  }
  if (shape == Shape::kJournal) {
    channel_ = "syslog";
    provider_ = value_of(fields, "program");
    for (Field& field : fields) {
      uint32_t number = 0;
      const char* const end = field.text.data() + field.text.size();
      const bool is_number = std::from_chars(field.text.data(), end, number).ptr == end;
      if (field.key == "severity" && is_number) field.text = severity_name(number);
      if (field.key == "facility" && is_number) field.text = facility_name(number);
      int64_t micros = 0;  // since 1970
      if (field.key != "time" || std::from_chars(field.text.data(), end, micros).ptr != end || micros < 0) continue;
      const std::string stamp = iso_stamp(micros / 1'000'000, static_cast<uint32_t>(micros % 1'000'000), 6);
      const std::string_view one[] = {stamp};
      field.text = joined(one, "");
    }
  }
}

// What modules took apart, put together again.
void Nested::add_composed(Shape shape, Log log, std::string_view id, std::vector<Field>& fields) {
  const auto has = [&](std::string_view key) { return std::any_of(fields.begin(), fields.end(), [&](const Field& field) { return (field.has_value || field.has_objects) && equal_ignoring_ascii_case(field.key, key); }); };
  const auto add = [&](std::string_view key, std::string_view text) { fields.push_back({key, text, true, 0, 0}); };
  const auto part = [&](Part which) {
    const int32_t at = parts_[static_cast<size_t>(which)];
    return at < 0 ? std::string_view() : placed_[static_cast<size_t>(at)].text;
  };
  const auto use = [&](Part which) {
    if (const int32_t at = parts_[static_cast<size_t>(which)]; at >= 0) placed_[static_cast<size_t>(at)].used = true;
    return part(which);
  };
  const auto add_user = [&](std::string_view key) {
    if (part(Part::kUserName).empty() || has(key)) return;
    const std::string_view both[] = {use(Part::kUserDomain), use(Part::kUserName)};
    add(key, both[0].empty() ? both[1] : joined(both, "\\"));
  };
  if (log == kRest) add_user("User");
  if (log == kClassicPowerShell) add_user("UserId");
  if (shape != Shape::kWinlog) return;
  if (log == kRest) {
    const std::string_view name = id == "15" ? "Hash" : "Hashes";  // Sysmon's name for it in its event 15
    if (!has(name)) {
      pieces_.clear();
      for (const auto& [label, which] : {std::pair<std::string_view, Part>{"SHA1=", Part::kSha1}, {"MD5=", Part::kMd5}, {"SHA256=", Part::kSha256}, {"IMPHASH=", Part::kImphash}}) {
        if (part(which).empty()) continue;
        const std::string_view both[] = {label, use(which)};
        const std::string_view hash = joined(both, "");
        char* const begin = const_cast<char*>(hash.data());  // of composed_, which is ours
        std::transform(begin, begin + hash.size(), begin, [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });  // as Sysmon writes them
        pieces_.push_back(hash);
      }
      if (!pieces_.empty()) add(name, joined(pieces_, ","));
    }
    if (!has("TargetObject") && !part(Part::kHive).empty()) {
      pieces_ = {use(Part::kHive)};
      if (!part(Part::kKey).empty()) pieces_.push_back(use(Part::kKey));
      // The module's key has the value's name in it, that of others has not.
      if (const std::string_view value = part(Part::kValue); !value.empty() && !(part(Part::kKey).ends_with(value) && part(Part::kKey).size() > value.size() && part(Part::kKey)[part(Part::kKey).size() - value.size() - 1] == '\\')) pieces_.push_back(use(Part::kValue));
      add("TargetObject", joined(pieces_, "\\"));
    }
    if (id == "22" && !has("QueryResults")) {
      pieces_.clear();
      const auto answer = [&](std::string_view data) {
        const bool is_v6 = data.find(':') != std::string_view::npos;
        const bool is_v4 = !is_v6 && data.find_first_not_of("0123456789.") == std::string_view::npos;
        pieces_.insert(pieces_.end(), {is_v6 ? "" : is_v4 ? "::ffff:" : "type:  5 ", data, ";"});
      };
      for (const Part which : {Part::kAnswerData, Part::kResolved}) {
        if (!pieces_.empty()) break;  // the addresses are among the answers
        for (Placed& each : placed_) {
          if (each.context.mode != Context::kTree || !each.has_value || each.text.empty() || ShapeTree::get().at(each.context.place).part != which) continue;
          answer(each.text);
          each.used = true;
        }
      }
      if (!pieces_.empty()) add("QueryResults", joined(pieces_, ""));
    }
    const std::string_view message = value_of(fields, "Message");
    if (id == "25" && !message.empty() && !has("Type")) {  // the module's message is the type
      const std::string_view type = labelled(message, "Type: ");
      if (!type.empty() || message.find('\n') == std::string_view::npos) add("Type", type.empty() ? message : type);
    }
  }
  if ((log & (kPowerShell | kClassicPowerShell)) != 0) add_pipeline(log, id, fields);
}

// Of PowerShell's events 4103 and of its classic log the module keeps the message, and the lines of the data as fields.
void Nested::add_pipeline(Log log, std::string_view id, std::vector<Field>& fields) {
  const auto has = [&](std::string_view key) { return !value_of(fields, key).empty(); };
  const std::string_view message = value_of(fields, "Message");
  const auto text = log == kPowerShell ? pipeline_text(message) : std::nullopt;
  struct Line {
    std::string_view label, field;
  };
  const auto lines_of = [&](std::span<const Line> lines, std::string_view before, std::string_view between) {
    pieces_.clear();
    for (const Line& line : lines) {
      const std::string_view value = value_of(fields, line.field);
      if (!value.empty()) pieces_.insert(pieces_.end(), {before, line.label, between, value, "\n"});
    }
    return joined(pieces_, "");
  };
  if (log == kPowerShell && id == "4103") {
    if (!has("Payload")) {
      std::string_view payload = text ? text->payload : std::string_view();
      if (payload.empty()) {
        pieces_.clear();
        std::string_view type, command, name, value;
        const auto end = [&] {
          if (!type.empty()) pieces_.insert(pieces_.end(), {type, "(", command, "): "});
          if (!name.empty()) pieces_.insert(pieces_.end(), {"name=", name, "; value="});
          if (!type.empty() || !value.empty()) pieces_.insert(pieces_.end(), {value, "\n"});
          type = command = name = value = {};
        };
        for (const Placed& each : placed_) {
          if (each.context.mode != Context::kTree) continue;
          const Part which = ShapeTree::get().at(each.context.place).part;
          if (which == Part::kDetail) end();
          if (!each.has_value) continue;
          if (which == Part::kDetailType) type = each.text;
          if (which == Part::kDetailCommand) command = each.text;
          if (which == Part::kDetailName) name = each.text;
          if (which == Part::kDetailValue) value = each.text;
        }
        end();
        payload = joined(pieces_, "");
      }
      if (!payload.empty()) fields.push_back({"Payload", payload, true, 0, 0});
    }
    if (!has("ContextInfo")) {
      constexpr Line kLines[] = {{"Host Name", "HostName"}, {"Host Version", "HostVersion"}, {"Host ID", "HostId"}, {"Host Application", "HostApplication"}, {"Engine Version", "EngineVersion"}, {"Runspace ID", "RunspaceId"}, {"Pipeline ID", "PipelineId"},
                                 {"Command Name", "CommandName"}, {"Command Type", "CommandType"}, {"Script Name", "ScriptName"}, {"Command Path", "CommandPath"}, {"Sequence Number", "SequenceNumber"}, {"Shell ID", "ShellId"}};
      const std::string_view context = text && !text->context.empty() ? text->context : lines_of(kLines, "        ", " = ");
      if (!context.empty()) fields.push_back({"ContextInfo", context, true, 0, 0});
    }
  }
  if (log == kClassicPowerShell && !has("Data")) {
    constexpr Line kLines[] = {{"ProviderName", "ProviderName"}, {"NewProviderState", "NewProviderState"}, {"NewEngineState", "NewEngineState"}, {"PreviousEngineState", "PreviousEngineState"}, {"DetailSequence", "DetailSequence"}, {"DetailTotal", "DetailTotal"},
                               {"SequenceNumber", "SequenceNumber"}, {"UserId", "UserId"}, {"HostName", "HostName"}, {"HostVersion", "HostVersion"}, {"HostId", "HostId"}, {"HostApplication", "HostApplication"}, {"EngineVersion", "EngineVersion"},
                               {"RunspaceId", "RunspaceId"}, {"PipelineId", "PipelineId"}, {"CommandName", "CommandName"}, {"CommandType", "CommandType"}, {"ScriptName", "ScriptName"}, {"CommandPath", "CommandPath"}, {"CommandLine", "CommandLine"}};
    const std::string_view data = message.find('=') != std::string_view::npos ? message : lines_of(kLines, "\t", "=");
    if (!data.empty()) fields.push_back({"Data", data, true, 0, 0});
  }
}

// Values of the event that no field took: keywords see them, unless a field of the same name says the same.
void Nested::add_leaves_of_unused(Shape shape, std::span<const Field> fields) {
  const ShapeTree& tree = ShapeTree::get();
  const bool of_ecs = shape == Shape::kWinlog || shape == Shape::kEcs;
  for (size_t i = 0; i < placed_.size(); ++i) {
    const Placed& each = placed_[i];
    if (each.context.mode != Context::kTree || each.used || !each.has_value || (of_ecs && each.context.of_shipper)) continue;
    const Role role = tree.at(each.context.place).role;
    if (role != Role::kFallback && role != Role::kPart) continue;
    bool told = false;
    const bool is_first = fallback_[each.context.place] == static_cast<int32_t>(i);  // of one place; a look for each of many would take long
    for (uint16_t at = each.context.place; is_first && !told; at = tree.at(at).next_same) {
      const Node& node = tree.at(at);
      told = node.role == Role::kFallback && std::any_of(fields.begin(), fields.end(), [&](const Field& field) { return field.has_value && field.key == node.field && field.text == each.text; });
      if (node.next_same == 0) break;
    }
    if (!told) leaves_.push_back(each.text);
  }
}

// The flat form of nxlog: other names for the System part, and its own EventType over that of the event.
void Nested::unfold_nxlog(std::vector<Field>& fields) {
  const bool is_sysmon = value_of(fields, "Channel") == kSysmonChannel;
  const std::string_view id = value_of(fields, "EventID");
  const std::string_view message = value_of(fields, "Message");
  const bool has_opcode_value = !value_of(fields, "OpcodeValue").empty();
  for (Field& field : fields) {
    if (const std::string_view name = nxlog_field(field.key); !name.empty()) {
      field.key = name;
    } else if (field.key == "EventType" && is_nxlog_severity(field.text)) {
      field.has_value = false;
      if (!is_sysmon) continue;
      constexpr std::string_view kLabel = "EventType: ";
      if (const size_t at = message.find(kLabel); at != std::string_view::npos) {
        const size_t begin = at + kLabel.size();
        field.text = message.substr(begin, std::min(message.find_first_of("\r\n", begin), message.size()) - begin);
      } else {
        field.text = id == "13" ? "SetValue" : id == "14" ? "RenameKey" : id == "17" ? "CreatePipe" : id == "18" ? "ConnectPipe" : "";
      }
      field.has_value = !field.text.empty();
    } else if ((field.key == "Opcode" && has_opcode_value) || field.key == "EventReceivedTime" || field.key == "SourceModuleName" || field.key == "SourceModuleType" || field.key == "Severity" || field.key == "SeverityValue") {
      field.has_value = false;  // the collector's own
    } else if (field.key == "Keywords") {  // a signed number there
      int64_t number = 0;
      const auto parsed = std::from_chars(field.text.data(), field.text.data() + field.text.size(), number);
      if (parsed.ptr != field.text.data() + field.text.size() || parsed.ec != std::errc{}) continue;
      char digits[20] = "0x";
      const auto end = std::to_chars(digits + 2, digits + sizeof digits, static_cast<uint64_t>(number), 16).ptr;
      const std::string_view one[] = {std::string_view(digits, static_cast<size_t>(end - digits))};
      field.text = joined(one, "");
    }
  }
}

}  // namespace creance::events
