#include "events/flat_reader.hpp"

#include <bit>
#include <cstring>

#include "events/nested.hpp"

namespace creance::events {
namespace {

constexpr uint32_t kSiblingsMax = 64;    // names that may follow the same ones; more are searched faster in the general way's table
constexpr size_t kFieldsMax = 1'024;     // of one event
constexpr size_t kWaysMax = 8;           // combinations of deciding values remembered for one shape
constexpr uint32_t kMissesMax = 64;      // in a row; then the look is not worth its time for a while
constexpr uint32_t kSkipped = 1'024;

uint64_t load(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}

// `size` >= 1; 8 bytes may be read at either.
bool same(const char* a, const char* b, uint32_t size) {
  if (size < 8) return ((load(a) ^ load(b)) << (64 - 8 * size)) == 0;
  for (uint32_t at = 0; at + 8 < size; at += 8) {
    if (load(a + at) != load(b + at)) return false;
  }
  return load(a + size - 8) == load(b + size - 8);
}
static_assert(std::endian::native == std::endian::little);

Origin origin_of_name(std::string_view key) {
  const Field field{key, "{", true, 0, 0};
  return origin_of(std::span(&field, 1));
}
bool decides(const Origin& origin) {
  return origin.type.data() != nullptr || origin.channel.data() != nullptr || origin.provider.data() != nullptr || origin.event_id.data() != nullptr || origin.says_source || origin.is_journal;
}

}  // namespace

std::string_view FlatReader::token(size_t field) const {
  const uint32_t begin = places_[4 * field + 3];
  return trimmed_token(text_.substr(begin, places_[4 * field + 4] - begin));
}

bool FlatReader::miss() {
  if (++misses_ >= kMissesMax) {
    misses_ = 0;
    skip_ = kSkipped;
  }
  return false;
}

void FlatReader::forget() {
  nodes_.assign(1, {});
  shapes_.clear();
}

uint32_t FlatReader::child(uint32_t parent, uint32_t place) const {
  const char* const name = text_.data() + place + 1;
  uint32_t at = nodes_[parent].first_child;
  while (at != 0 && !same(nodes_[at].name.data(), name, nodes_[at].bytes)) at = nodes_[at].next_sibling;
  return at;
}

// 0: a name that is not remembered.
uint32_t FlatReader::learn(uint32_t parent, uint32_t place, uint32_t colon) {
  const std::string_view quoted = trimmed_token(text_.substr(place, colon - place));
  if (quoted.size() < 2 || quoted.front() != '"' || quoted.size() - 1 > kNameBytesMax || quoted.find('\\') != std::string_view::npos) return 0;
  uint32_t siblings = 0;
  uint32_t last = 0;
  for (uint32_t at = nodes_[parent].first_child; at != 0; at = nodes_[at].next_sibling, ++siblings) last = at;
  if (siblings >= kSiblingsMax || nodes_.size() >= kNamesRemembered) return 0;
  const auto made = static_cast<uint32_t>(nodes_.size());
  Node& node = nodes_.emplace_back();
  node.bytes = static_cast<uint32_t>(quoted.size() - 1);
  std::memcpy(node.name.data(), quoted.data() + 1, node.bytes);
  (last == 0 ? nodes_[parent].first_child : nodes_[last].next_sibling) = made;
  learned_ = true;
  return made;
}

// The shape of the event at hand; null: it is not flat, or its names are not remembered.
FlatReader::Shape* FlatReader::find_shape() {
  if (places_.size() < 5 || (places_.size() - 1) % 4 != 0 || text_[places_[0]] != '{' || text_[places_.back()] != '}') return nullptr;
  field_count_ = (places_.size() - 1) / 4;
  if (field_count_ > kFieldsMax) return nullptr;
  uint32_t node = 0;
  for (size_t i = 0; i < field_count_; ++i) {
    const uint32_t* const at = places_.data() + 4 * i + 1;
    if (text_[at[0]] != '"' || text_[at[1]] != ':' || (i + 1 < field_count_ && text_[at[3]] != ',')) return nullptr;
    uint32_t next = child(node, at[0]);
    if (next == 0) next = learn(node, at[0], at[1]);
    if (next == 0) return nullptr;
    node = next;
  }
  if (nodes_[node].shape == kNoShape) {
    if (shapes_.size() >= kShapesRemembered) return nullptr;
    nodes_[node].shape = static_cast<uint32_t>(shapes_.size());
    shapes_.push_back(make_shape());
    learned_ = true;
  }
  return shapes_[nodes_[node].shape].get();
}

std::unique_ptr<FlatReader::Shape> FlatReader::make_shape() const {
  auto shape = std::make_unique<Shape>();
  std::vector<std::string_view> keys;
  size_t bytes = 0;
  for (size_t i = 0; i < field_count_; ++i) {
    const std::string_view quoted = trimmed_token(text_.substr(places_[4 * i + 1], places_[4 * i + 2] - places_[4 * i + 1]));
    keys.push_back(quoted.substr(1, quoted.size() - 2));
    bytes += keys.back().size();
  }
  shape->names.reserve(bytes);
  for (const std::string_view key : keys) {
    const size_t begin = shape->names.size();
    shape->names.insert(shape->names.end(), key.begin(), key.end());
    Field& field = shape->fields.emplace_back();
    field.key = std::string_view(shape->names.data() + begin, key.size());
    const Origin origin = origin_of_name(key);
    const auto at = static_cast<uint32_t>(shape->fields.size() - 1);
    if (decides(origin)) shape->deciding.push_back(at);
    if (!origin.payload.empty()) shape->payload = at;
    shape->has_parts = shape->has_parts || origin.has_parts;
  }
  return shape;
}

// Null: a value that decides is malformed.
const FlatReader::Way* FlatReader::find_way(Shape& shape, TextArena& arena) {
  for (const Way& way : shape.ways) {
    const auto equal = [&](size_t i) { return token(shape.deciding[i]) == way.deciding[i]; };
    size_t i = 0;
    while (i < shape.deciding.size() && equal(i)) ++i;
    if (i == shape.deciding.size()) return &way;
  }
  Way made;
  if (!make_way(shape, arena, made)) return nullptr;
  learned_ = true;
  if (shape.ways.size() < kWaysMax) return &shape.ways.emplace_back(std::move(made));
  Way& replaced = shape.ways[shape.next_way++ % kWaysMax];
  replaced = std::move(made);
  return &replaced;
}

bool FlatReader::make_way(const Shape& shape, TextArena& arena, Way& way) {
  deciding_.clear();
  for (const uint32_t field : shape.deciding) {
    way.deciding.emplace_back(token(field));
    std::string_view text;
    const Scalar scalar = read_scalar(token(field), arena, text);
    if (scalar == Scalar::kBadEscape || scalar == Scalar::kBad) return false;
    deciding_.push_back({shape.fields[field].key, text, scalar == Scalar::kValue, 0, 0});
  }
  const Origin origin = origin_of(deciding_);
  std::span<const Route* const> routes;
  if (!origin.type.empty()) routes = router_.route_to(origin.type);
  if (origin.is_journal) way.flat = false;
  if (routes.empty() && origin.is_flat()) routes = router_.route(origin.channel, origin.provider, origin.event_id);
  else if (routes.empty()) way.flat = false;
  way.routes.assign(routes.begin(), routes.end());
  way.needed.assign(field_count_, 0);
  way.plans.resize(way.routes.size());
  for (size_t i = 0; i < way.routes.size(); ++i) {
    FieldPlan& plan = way.plans[i];
    planner_.plan(*way.routes[i], shape.fields, plan);
    way.duplicates += plan.duplicates;
    for (const FieldPlan::Winner& winner : plan.winners) way.needed[winner.field] = 1;
    for (const uint32_t loser : plan.losers) way.needed[loser] = 1;
  }
  return true;
}

// All are checked, the needed ones unescaped.
bool FlatReader::read_values(const Way& way, TextArena& arena) {
  if (texts_.size() < field_count_) texts_.resize(field_count_);
  for (size_t i = 0; i < field_count_; ++i) {
    const uint32_t begin = places_[4 * i + 3];
    const std::string_view value = trimmed_token(text_.substr(begin, places_[4 * i + 4] - begin));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {  // most are strings, and most of them have no escape
      const std::string_view inner = value.substr(1, value.size() - 2);
      if (const size_t backslash = first_backslash(inner, 0); backslash == inner.size()) {
        texts_[i] = inner;
        continue;
      } else if (way.needed[i] != 0) {
        const auto text = unescape_from(inner, backslash, arena);
        if (!text) return false;
        texts_[i] = *text;
        continue;
      }
    }
    if (way.needed[i] != 0) {
      texts_[i] = {};
      const Scalar scalar = read_scalar(value, arena, texts_[i]);
      if (scalar == Scalar::kBadEscape || scalar == Scalar::kBad) return false;
    } else if (!is_scalar(value)) {
      return false;
    }
  }
  return true;
}

Decoded FlatReader::build(const Route& route, const FieldPlan& plan) {
  if (built_.size() <= route.number) built_.resize(router_.route_count());
  Built& to = built_[route.number];
  if (to.values.empty()) to.values.resize(route.type->inputs.size());
  for (const uint32_t input : to.set) to.values[input] = schema::InputValue();
  to.set.clear();
  to.others.clear();
  for (const FieldPlan::Winner& winner : plan.winners) {
    std::string_view text = texts_[winner.field];
    if (text.data() == nullptr) continue;
    if (winner.algorithm.data() != nullptr) text = hash_in(text, winner.algorithm);
    if (text.data() == nullptr) continue;
    to.values[winner.input] = schema::InputValue(winner.is_whole ? whole_.digits_of(text) : text);
    to.set.push_back(winner.input);
  }
  for (const uint32_t loser : plan.losers) {
    if (texts_[loser].data() != nullptr) to.others.push_back(texts_[loser]);
  }
  return {route.type, {to.values, {}, to.others}};
}

bool FlatReader::read(std::string_view text, TextArena& arena, std::vector<Decoded>& out) {
  if (skip_ > 0) {
    --skip_;
    return false;
  }
  text_ = text;
  arena.reset(text.size());
  if (!index_.build(text)) return miss();
  places_ = index_.places();
  if (nodes_.size() >= kNamesRemembered || shapes_.size() >= kShapesRemembered) forget();
  learned_ = false;
  Shape* const shape = find_shape();
  if (shape == nullptr || shape->has_parts || (shape->payload != kNoField && token(shape->payload).starts_with("\"{"))) return miss();
  const Way* const way = find_way(*shape, arena);
  arena.reset(text.size());  // what make_way() unescaped is not needed any more
  if (way == nullptr || !way->flat || !read_values(*way, arena)) return miss();
  whole_.reset();
  for (size_t i = 0; i < way->routes.size(); ++i) out.push_back(build(*way->routes[i], way->plans[i]));
  duplicates_ += way->duplicates;
  if (learned_) miss();
  else misses_ = 0;
  return true;
}

}  // namespace creance::events
