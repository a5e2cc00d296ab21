#include "events/evtx/flat_event.hpp"

#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "base/limits.hpp"
#include "events/json_text.hpp"
#include "events/json_writer.hpp"
#include "events/shapes.hpp"

namespace creance::events::evtx {
namespace {

bool is_number_field(std::string_view name) {
  constexpr std::array<std::string_view, 8> kNames = {"EventID", "Version", "Level", "Task", "Opcode", "EventRecordID", "Execution_ProcessID", "Execution_ThreadID"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

}  // namespace

void FlatEvent::begin() {
  text_.clear();
  elements_.clear();
  values_.clear();
  area_ = Area::kNone;
  in_attribute_ = false;
}

FlatEvent::Range FlatEvent::store(std::string_view text) {
  const size_t begin = text_.size();
  text_.append(text);
  return {begin, text_.size()};
}

bool FlatEvent::too_long() const { return text_.size() > limits::kEvtxEventBytesMax; }

void FlatEvent::open_element(std::string_view name) {
  if (!elements_.empty()) elements_.back().has_child = true;
  if (elements_.size() == 1) {
    area_ = name == "System" ? Area::kSystem : name == "EventData" ? Area::kEventData : name == "UserData" ? Area::kUserData : name == "RenderingInfo" ? Area::kRendering : Area::kNone;
  }
  Element element;
  element.name = store(name);
  element.text_begin = text_.size();
  elements_.push_back(element);
}

void FlatEvent::open_attribute(std::string_view name) {
  attribute_ = store(name);
  attribute_text_ = text_.size();
  in_attribute_ = true;
}

void FlatEvent::close_attribute() {
  in_attribute_ = false;
  if (elements_.empty()) return;
  Element& element = elements_.back();
  const Range value{attribute_text_, text_.size()};
  element.text_begin = text_.size();
  if (area_ == Area::kSystem && elements_.size() == 3) {
    const std::string_view field = system_field(of(element.name), of(attribute_));
    if (!field.empty() && value.end > value.begin) add_value(store(field), value, true, false);
    element.text_begin = text_.size();
  } else if (area_ == Area::kEventData && elements_.size() == 3 && of(attribute_) == "Name") {
    element.data_name = value;
    element.has_data_name = true;
  }
}

void FlatEvent::text(std::string_view utf8) { text_.append(utf8); }

void FlatEvent::next_value() {
  if (in_attribute_ || elements_.empty()) {
    text_.push_back('\n');
    return;
  }
  const Element& element = elements_.back();
  if (area_ == Area::kEventData && elements_.size() == 3 && !element.has_data_name && of(element.name) == "Data") {
    add_value({}, {element.text_begin, text_.size()}, false, true);
    elements_.back().text_begin = text_.size();
  } else {
    text_.push_back('\n');
  }
}

void FlatEvent::close_element() {
  CHECK(!elements_.empty());
  const Element element = elements_.back();
  const size_t depth = elements_.size();
  elements_.pop_back();
  const Range value{element.text_begin, text_.size()};
  switch (area_) {
    case Area::kSystem: {
      if (depth != 3) break;
      const std::string_view field = system_field(of(element.name), {});
      if (!field.empty() && value.end > value.begin) add_value(store(field), value, true, false);
      break;
    }
    case Area::kEventData:
      if (depth != 3) break;
      if (element.has_data_name) add_value(element.data_name, value, false, false);
      else if (of(element.name) == "Data") add_value({}, value, false, true);
      else add_value(element.name, value, false, false);
      break;
    case Area::kUserData:
      if (depth >= 3 && !element.has_child) add_value(element.name, value, false, false);
      break;
    case Area::kRendering:
      if (depth == 3 && of(element.name) == "Message") add_value(element.name, value, false, false);
      break;
    case Area::kNone: break;
  }
  if (depth == 2) area_ = Area::kNone;
  // What follows in the parent is text of the parent: what the child left behind is not.
  if (!elements_.empty()) elements_.back().text_begin = text_.size();
}

void FlatEvent::write(uint64_t record, std::string& json) {
  ObjectWriter object(json);
  uint32_t system_seen = 0;
  for (const Value& value : values_) {
    if (!value.of_system) continue;
    const std::string_view name = of(value.name);
    const int32_t index = system_index(name);
    if (index < 0 || (system_seen & 1u << index) != 0) continue;  // a second one is no work of Windows
    system_seen |= 1u << index;
    if (is_number_field(name) && is_json_number(of(value.text))) object.number(name, of(value.text));
    else object.text(name, of(value.text));
  }
  if ((system_seen & 1u << system_index("EventRecordID")) == 0) object.number("EventRecordID", std::to_string(record));
  std::string& name = name_;
  std::string& unnamed = unnamed_;
  unnamed.clear();
  bool any_unnamed = false;
  for (const Value& value : values_) {
    if (value.of_system) continue;
    if (value.unnamed) {
      if (any_unnamed) unnamed.push_back('\n');
      unnamed.append(of(value.text));
      any_unnamed = true;
      continue;
    }
    name.assign(of(value.name));
    std::erase(name, ' ');
    const int32_t index = system_index(name);
    object.text(index >= 0 && (system_seen & 1u << index) != 0 ? data_beside_system(index) : std::string_view(name), of(value.text));
  }
  if (any_unnamed) object.text("Data", unnamed);
  object.close();
}

}  // namespace creance::events::evtx
