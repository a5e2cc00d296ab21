// The XML tree of one Windows event, told element by element -> the flat JSON object that the decoder reads. Knows where the parts of an event stand, not how they are stored.
//
// System's elements and attributes get Windows' names joined by `_` (`Provider_Name`), numbers among them as JSON numbers; data of EventData the name of their `Name` attribute
// without blanks; data without a name are one field `Data`, a line each; of UserData each leaf element. A name that System has too becomes `EventData_<name>`.
// One thread at a time, reused. No allocation in the steady state.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace creance::events::evtx {

class FlatEvent {
 public:
  void begin();
  void open_element(std::string_view name);
  void open_attribute(std::string_view name);  // until close_attribute: text is its value
  void close_attribute();
  void text(std::string_view utf8);            // appended to the attribute or element that is open
  void next_value();                           // a further value of the same element (an array)
  void close_element();
  bool too_long() const;                       // more than limits::kEvtxEventBytesMax

  // The event. `record` stands in where System names none.
  void write(uint64_t record, std::string& json);

 private:
  enum class Area : uint8_t { kNone, kSystem, kEventData, kUserData, kRendering };
  struct Range {
    size_t begin = 0, end = 0;
  };
  struct Element {
    Range name;
    size_t text_begin = 0;      // of its own text, in text_
    bool has_child = false;
    Range data_name;            // its attribute `Name`
    bool has_data_name = false;
  };
  struct Value {
    Range name, text;
    bool of_system;
    bool unnamed;
  };
  std::string_view of(const Range& range) const { return std::string_view(text_).substr(range.begin, range.end - range.begin); }
  Range store(std::string_view text);
  void add_value(Range name, Range text, bool of_system, bool unnamed) { values_.push_back({name, text, of_system, unnamed}); }

  std::string text_;  // names and values, as they came
  std::string name_, unnamed_;
  std::vector<Element> elements_;
  std::vector<Value> values_;
  Area area_ = Area::kNone;
  Range attribute_;
  size_t attribute_text_ = 0;
  bool in_attribute_ = false;
};

}  // namespace creance::events::evtx
