// Nested events: the scalars inside their objects, and the flat fields that they are, by the tables of shapes.hpp. decoder.cpp walks the JSON and tells what it meets; then
// unfold() replaces the event's top level by the flat fields of the form that was recognised. For decoder.cpp only. No allocation in the steady state.
#pragma once
#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "events/json_text.hpp"
#include "events/shapes.hpp"

namespace creance::events {

// One field of the event's top level, or of its flat form.
struct Field {
  std::string_view key;
  std::string_view text;    // the value, or the first of a list
  bool has_value = false;   // false: null, an empty list, an object
  uint32_t more_begin = 0;  // further values of a list, in State::more
  uint32_t more_end = 0;
  bool has_objects = false; // an object, or a list with objects in it, which no value can hold
};

// What a value is because of where it stands. Copied down the walk.
struct Context {
  enum Mode : uint8_t {
    kPlain,            // of no known form
    kTree,             // at `place` of the ShapeTree
    kNames,            // members are named fields
    kNamed,            // the field `name`
    kElements,         // inside the XML element `name` (empty: outside of any)
    kSystem,           // members are System elements
    kSystemElement,    // the System element `name`
    kSystemAttribute,  // its attribute `attribute`
    kEventData,        // members are data by name, or `Data`
    kData,             // a datum (in an object: with its name and text apart), of the name `name` if that is not empty
    kDataAttributes,   // the attributes of the datum at hand
    kDataName,
    kDataText,
    kDropped,
  };
  Mode mode = kPlain;
  bool of_event = false;    // below the part of the event that the system wrote, not what a shipper added
  bool of_shipper = false;  // in ECS: what the shipper says of itself and of the host
  uint16_t place = 0;
  std::string_view name;
  std::string_view attribute;
};

// What decides the way of an event.
struct Origin {
  std::string_view type, channel, provider, event_id;
  bool says_source = false;  // nxlog's name for the provider
  bool is_journal = false;   // an entry of systemd's journal, as `journalctl -o json` writes it
  bool has_parts = false;    // dotted names of an event's XML or of Winlogbeat
  std::string_view payload;  // what may be EvtxECmd's: the event's data as JSON inside a text
  bool is_evtx_ecmd = false; // and it is: its parts stand beside it
  bool is_flat() const { return channel.data() != nullptr && (provider.data() != nullptr || !says_source); }
};
Origin origin_of(std::span<const Field> fields);

class Nested {
 public:
  void clear();
  // The walk. open_… give the context of what is inside.
  Context top(std::string_view key) const;
  Context open_top(std::string_view key) const;
  Context open_object(const Context& context);
  Context open_list(const Context& context) const;
  Context member(const Context& context, std::string_view key) const;
  void scalar(const Context& context, std::optional<std::string_view> text);
  void close_object(const Context& context);

  // Parts of a known form were met inside objects: an event whose System fields stand flat at the top has its data in them.
  bool has_parts() const { return has_parts_; }
  // Replaces `fields` by the flat ones where the event has one of the known forms; `more` grows by further values of lists. Else the nested scalars become leaves.
  // Where the top level has System fields and parts lie beside them, its other fields stay too; of equal names the part's is the last.
  void unfold(std::vector<Field>& fields, std::vector<std::string_view>& more, size_t json_bytes, const Origin& origin);

  std::span<const std::string_view> leaves();  // scalars that are no field's value
  // How the form at hand is routed where its fields do not say so themselves; null views else.
  std::string_view channel() const { return channel_; }
  std::string_view provider() const { return provider_; }
  std::string_view event_id() const { return event_id_; }

 private:
  struct Placed {
    Context context;
    std::string_view text;
    bool has_value;
    bool is_object = false;  // in place of the value of a named field, or where an element of a list of objects begins
    bool used = false;       // it is in a field's value
  };
  Shape shape_of() const;
  bool is_process_start_on_linux() const;
  void unfold_shape(Shape shape, bool keep_top, std::vector<Field>& fields, std::vector<std::string_view>& more);
  void name_top(std::vector<Field>& fields, const Origin& origin);
  void unfold_nxlog(std::vector<Field>& fields);
  void add_joined(std::vector<Field>& fields);
  void add_fallbacks(Shape shape, std::vector<Field>& fields, std::vector<std::string_view>& more);
  void add_composed(Shape shape, Log log, std::string_view id, std::vector<Field>& fields);
  void add_pipeline(Log log, std::string_view id, std::vector<Field>& fields);
  void add_leaves_of_unused(Shape shape, std::span<const Field> fields);
  std::string_view joined(std::span<const std::string_view> parts, std::string_view between);

  std::vector<Placed> placed_;
  std::vector<std::string_view> leaves_;         // of contexts outside the event proper
  std::vector<std::string_view> shipper_leaves_; // of the shipper's own words
  std::vector<std::string_view> event_leaves_;   // unmapped, below what the system wrote
  std::vector<std::string_view> unnamed_;        // data without a name
  std::vector<Field> flat_;
  std::vector<int32_t> fallback_;                // by place: index into placed_, or -1
  std::array<int32_t, static_cast<size_t>(Part::kCount)> parts_{};  // likewise, by part
  std::vector<std::string_view> pieces_;
  uint32_t marks_ = 0;
  bool has_parts_ = false;
  bool says_top_ = false;                        // an element of System at the top says what the event is
  bool told_ = true;                             // placed_ was used up or given to leaves_
  std::string_view datum_name_, datum_text_;     // of the object of a datum that is open
  bool datum_has_text_ = false, datum_open_ = false;
  TextArena composed_;
  std::string_view channel_, provider_, event_id_;
};

}  // namespace creance::events
