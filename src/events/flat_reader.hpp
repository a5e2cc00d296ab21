// Flat events the fast way: one JSON object of scalars. What it answers is what decoder.cpp's general way answers; all else (nested, malformed, odd) it leaves to that.
//
// It remembers the names of events in their order, as a tree: a name is compared with the one that followed the last time, and at the end of the way stands what is known of such
// events, with the plan for each combination of the values that decide where they go. So no name is looked up in a table, and only the values that somebody wants are unescaped.
// Memory: kNamesRemembered names and kShapesRemembered ends; then it starts anew, which changes no answer. Events that never come twice in the same form are left to the general
// way, after a few. One thread at a time. Never throws. No allocation for events of forms that it knows.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "events/decoder.hpp"
#include "events/field_plan.hpp"
#include "events/json_index.hpp"
#include "events/json_text.hpp"
#include "events/router.hpp"

namespace creance::events {

class FlatReader {
 public:
  static constexpr size_t kNamesRemembered = 16'384;  // 64 bytes each
  static constexpr size_t kShapesRemembered = 2'048;  // sequences of names that an event ended with

  explicit FlatReader(Router& router) : router_(router) { forget(); }

  // True: `out` was filled; its views are into `text`, the arena and this reader, valid until the next call. `text` as JsonIndex wants it; the arena is reset for it.
  bool read(std::string_view text, TextArena& arena, std::vector<Decoded>& out);

  uint64_t duplicates() const { return duplicates_; }

 private:
  static constexpr size_t kNameBytesMax = 48;  // the closing quote included; longer ones go the general way
  // A name, behind those of the nodes above it.
  struct alignas(64) Node {
    std::array<char, kNameBytesMax> name{};  // with the closing quote
    uint32_t bytes = 0;
    uint32_t first_child = 0;   // 0: none
    uint32_t next_sibling = 0;  // 0: none
    uint32_t shape = kNoShape;
  };
  static_assert(sizeof(Node) == 64);
  static constexpr uint32_t kNoShape = 0xffffffff;
  static constexpr uint32_t kNoField = 0xffffffff;

  // Where events of one shape went when the deciding values were these.
  struct Way {
    std::vector<std::string> deciding;  // the values as they stand in the JSON
    bool flat = true;                   // false: they are of a form that the general way unfolds
    std::vector<const Route*> routes;
    std::vector<FieldPlan> plans;       // one a route
    std::vector<uint8_t> needed;        // by field: some plan has it
    uint64_t duplicates = 0;
  };
  struct Shape {
    std::vector<char> names;
    std::vector<Field> fields;          // their keys, in `names`; no values
    std::vector<uint32_t> deciding;     // fields that origin_of() looks at
    bool has_parts = false;             // dotted names that the general way unfolds
    uint32_t payload = kNoField;        // a text that may hold JSON with the event's data
    std::vector<Way> ways;
    uint32_t next_way = 0;              // to be replaced, when there are enough
  };
  // What is handed out of one route.
  struct Built {
    std::vector<schema::InputValue> values;
    std::vector<uint32_t> set;          // inputs that are not absent
    std::vector<std::string_view> others;
  };

  std::string_view token(size_t field) const;
  uint32_t child(uint32_t parent, uint32_t place) const;
  uint32_t learn(uint32_t parent, uint32_t place, uint32_t colon);
  Shape* find_shape();
  std::unique_ptr<Shape> make_shape() const;
  const Way* find_way(Shape& shape, TextArena& arena);
  bool make_way(const Shape& shape, TextArena& arena, Way& way);
  bool read_values(const Way& way, TextArena& arena);
  Decoded build(const Route& route, const FieldPlan& plan);
  bool miss();
  void forget();

  Router& router_;
  JsonIndex index_;
  FieldPlanner planner_;
  std::string_view text_;
  std::span<const uint32_t> places_;
  size_t field_count_ = 0;
  std::vector<Node> nodes_;  // 0: the top
  std::vector<std::unique_ptr<Shape>> shapes_;
  std::vector<Field> deciding_;
  std::vector<std::string_view> texts_;  // by field; a null view: none
  std::vector<Built> built_;             // by route
  WholeNumbers whole_;
  bool learned_ = false;                 // something new in this event
  uint32_t misses_ = 0;                  // events in a row that were not of a known form
  uint32_t skip_ = 0;                    // events that are left to the general way without a look
  uint64_t duplicates_ = 0;
};

}  // namespace creance::events
