#include "events/decoder.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <vector>

#include "base/limits.hpp"
#include "base/text.hpp"
#include "events/field_plan.hpp"
#include "events/flat_reader.hpp"
#include "events/json_fault.hpp"
#include "events/json_text.hpp"
#include "events/nested.hpp"
#include "events/router.hpp"

namespace creance::events {
namespace {

namespace ondemand = simdjson::ondemand;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// An object or list that the walk is inside of.
struct Frame {
  bool is_object = false;
  bool is_own = false;  // a list that is a field's own value, or inside of such a one
  Context context;  // what its members or elements are
  simdjson::simdjson_result<ondemand::object_iterator> object_at, object_end;
  simdjson::simdjson_result<ondemand::array_iterator> array_at, array_end;
};

Error malformed(std::string reason) { return Error{ErrorCode::kInvalid, std::move(reason)}; }
Error malformed(simdjson::error_code) { return malformed("not well-formed JSON"); }  // json_fault.hpp says more

}  // namespace

#define JSON_TRY(declaration, expression)                                                    \
  auto CREANCE_CONCAT(json_result_, __LINE__) = (expression);                                \
  if (CREANCE_CONCAT(json_result_, __LINE__).error() != simdjson::SUCCESS)                   \
    return fail(malformed(CREANCE_CONCAT(json_result_, __LINE__).error()));                  \
  declaration = std::move(CREANCE_CONCAT(json_result_, __LINE__)).value_unsafe()

struct Decoder::State {
  State(const schema::Catalog& catalog, const Wants& wants, Ways which) : router(catalog, wants), flat(router), ways(which) {}

  Router router;
  FlatReader flat;
  Ways ways;
  ondemand::parser parser;
  size_t json_bytes = 0;
  std::vector<char> padded;  // the line, with the room behind it that the parser reads
  TextArena arena;
  std::vector<Field> fields;
  std::vector<std::string_view> more;    // further values of lists
  Nested nested;                         // scalars inside nested objects and lists, and which fields they are
  std::array<Frame, limits::kEventDepthMax> frames;

  FieldPlanner planner;
  FieldPlan plan;
  struct Built {
    std::vector<schema::InputValue> values;
    std::vector<schema::FurtherValue> further;
    std::vector<std::string_view> others;
  };
  std::vector<Built> built;  // one for each Type of an event
  std::vector<Decoded> decoded;
  WholeNumbers whole;
  uint64_t duplicates = 0;

  std::string_view event_text;  // the event at hand, as it was read
  Origin origin;
  std::string mended;
  std::string spliced;  // an event whose data stood inside a text, beside it
  Notices notices;
  size_t fault_offset = 0;
  bool has_lists = false;      // or objects, at the top level
  bool of_journal = false;     // lists at the top level are what systemd's journal means by them

  void pad(std::string_view json);
  bool read_flat(std::string_view json);
  Status read(std::string_view json);
  Result<Field> read_field(ondemand::field& field);
  Status walk(ondemand::value& value, Field& field);
  Status read_journal_list(ondemand::value& value, Field& field);
  Status read_event(std::string_view json);
  Status read_payload();
  Error explain(Error error);
  void add_value(Field& field, std::string_view value);
  Result<std::optional<std::string_view>> scalar(ondemand::value& value);
  Result<std::string_view> key_of(ondemand::field& field);
  std::span<const Route* const> find_routes();
  Decoded build(const Route& route, Built& to);
};

// A scalar's text; nothing: null.
Result<std::optional<std::string_view>> Decoder::State::scalar(ondemand::value& value) {
  std::string_view text;
  const std::string_view token = value.raw_json_token();  // up to the next bracket, comma, colon or value
  // The parser would take a text with a colon behind it for the first name of an object, and pass over all up to that object's end.
  if (token.starts_with('"') && token.data()[token.size()] == ':') return fail(malformed("a name in place of a value"));
  switch (read_scalar(trimmed_token(token), arena, text)) {
    case Scalar::kValue: return std::optional(text);
    case Scalar::kNull: return std::optional<std::string_view>();
    case Scalar::kBadEscape: return fail(malformed("a bad escape inside a string"));
    case Scalar::kBad: break;
  }
  return fail(malformed("a value that is no JSON"));
}

Result<std::string_view> Decoder::State::key_of(ondemand::field& field) {
  const char* begin = field.key().raw();
  const char* line_end = padded.data() + padded.size();
  const char* end = static_cast<const char*>(std::memchr(begin, '"', static_cast<size_t>(line_end - begin)));
  if (end != nullptr && std::memchr(begin, '\\', static_cast<size_t>(end - begin)) == nullptr) return std::string_view(begin, static_cast<size_t>(end - begin));
  const char* close = begin;  // with an escape in it: the end is the first quote that is not escaped
  while (close < line_end && *close != '"') close += *close == '\\' ? 2 : 1;
  if (close >= line_end) return fail(malformed("a string without an end"));
  const auto text = unescape(std::string_view(begin, static_cast<size_t>(close - begin)), arena);
  if (!text) return fail(malformed("a bad escape inside a name"));
  return *text;
}

// Everything inside a list or object, with a stack of our own. Scalars of a list that is a field's own value are its values, those of lists inside of it too; all else goes to `nested`.
Status Decoder::State::walk(ondemand::value& value, Field& field) {
  size_t depth = 0;
  const auto enter = [&](ondemand::value& from, bool is_object, const Context& context) -> Status {
    Frame& frame = frames[depth];
    frame.is_object = is_object;
    frame.is_own = !is_object && (depth == 0 || frames[depth - 1].is_own);
    if (is_object && (depth == 0 || frames[depth - 1].is_own)) field.has_objects = true;
    frame.context = is_object ? nested.open_object(context) : nested.open_list(context);
    if (is_object) {
      JSON_TRY(ondemand::object object, from.get_object());
      frame.object_at = object.begin();
      frame.object_end = object.end();
      if (frame.object_at.error() != simdjson::SUCCESS) return fail(malformed(frame.object_at.error()));
    } else {
      JSON_TRY(ondemand::array array, from.get_array());
      frame.array_at = array.begin();
      frame.array_end = array.end();
      if (frame.array_at.error() != simdjson::SUCCESS) return fail(malformed(frame.array_at.error()));
    }
    ++depth;
    return {};
  };
  JSON_TRY(const ondemand::json_type outer, value.type());
  TRY_VOID(enter(value, outer == ondemand::json_type::object, nested.open_top(field.key)));
  bool fresh = true;  // the top frame was just entered: its iterator stands on its first element
  while (depth > 0) {
    Frame& frame = frames[depth - 1];
    if (!fresh) {
      if (frame.is_object) ++frame.object_at; else ++frame.array_at;
    }
    fresh = false;
    if (frame.is_object ? frame.object_at == frame.object_end : frame.array_at == frame.array_end) {
      if (frame.is_object) nested.close_object(frame.context);
      --depth;
      continue;
    }
    ondemand::value element;
    Context context;
    if (frame.is_object) {
      JSON_TRY(ondemand::field inner, *frame.object_at);
      TRY(const std::string_view key, key_of(inner));
      context = nested.member(frame.context, key);
      element = inner.value();
    } else {
      JSON_TRY(element, *frame.array_at);
      context = frame.context;
    }
    JSON_TRY(const ondemand::json_type type, element.type());
    if (type == ondemand::json_type::object || type == ondemand::json_type::array) {
      if (depth + 1 >= frames.size()) {  // passed over by the next step of the frame's iterator
        notices.too_deep = true;
        continue;
      }
      TRY_VOID(enter(element, type == ondemand::json_type::object, context));
      fresh = true;
      continue;
    }
    TRY(const auto text, scalar(element));
    if (!frame.is_own || context.mode != Context::kPlain) nested.scalar(context, text);
    else if (text) add_value(field, *text);
  }
  return {};
}

void Decoder::State::add_value(Field& field, std::string_view value) {
  if (field.has_value) {
    more.push_back(value);
    return;
  }
  field.text = value;
  field.has_value = true;
}

// What `journalctl -o json` writes as a list (systemd.journal-fields(7), journalctl(1)): bytes, where the value is no text; values, where the field occurs more than once, each a text, bytes or null.
Status Decoder::State::read_journal_list(ondemand::value& value, Field& field) {
  std::string bytes;
  const auto take_byte = [&](ondemand::value& from) {
    const std::string_view token = trimmed_token(from.raw_json_token());
    uint32_t byte = 0;
    const auto parsed = std::from_chars(token.data(), token.data() + token.size(), byte);
    if (parsed.ec != std::errc{} || parsed.ptr != token.data() + token.size() || byte > 255) return false;
    bytes.push_back(static_cast<char>(byte));
    return true;
  };
  const auto end_bytes = [&] {
    if (bytes.empty()) return;
    char* const begin = arena.reserve(0);
    char* out = begin;
    for (std::string_view rest = bytes; !rest.empty();) {  // no longer than its numbers were
      const size_t valid = invalid_utf8_at(rest).value_or(rest.size());
      out = std::copy_n(rest.data(), valid, out);
      if (valid < rest.size()) out = std::ranges::copy(kReplacement, out).out;
      rest.remove_prefix(std::min(valid + 1, rest.size()));
    }
    arena.commit(out);
    add_value(field, {begin, static_cast<size_t>(out - begin)});
    bytes.clear();
  };
  JSON_TRY(ondemand::array array, value.get_array());
  for (auto each : array) {
    JSON_TRY(ondemand::value element, std::move(each));
    JSON_TRY(const ondemand::json_type type, element.type());
    if (type == ondemand::json_type::number && take_byte(element)) continue;
    end_bytes();
    if (type == ondemand::json_type::array) {
      JSON_TRY(ondemand::array inner, element.get_array());
      for (auto one : inner) {
        JSON_TRY(ondemand::value number, std::move(one));
        JSON_TRY(const ondemand::json_type inner_type, number.type());
        if (inner_type == ondemand::json_type::number) (void)take_byte(number);
      }
      end_bytes();
    } else if (type != ondemand::json_type::object) {  // which journalctl does not write
      TRY(const auto scalar_text, scalar(element));
      if (scalar_text) add_value(field, *scalar_text);
      else notices.left_out = true;
    }
  }
  end_bytes();
  return {};
}

Result<Field> Decoder::State::read_field(ondemand::field& field) {
  Field out;
  TRY(out.key, key_of(field));
  ondemand::value& value = field.value();
  JSON_TRY(const ondemand::json_type type, value.type());
  if (type == ondemand::json_type::object || type == ondemand::json_type::array) {
    has_lists = true;
    out.more_begin = static_cast<uint32_t>(more.size());
    TRY_VOID(of_journal && type == ondemand::json_type::array ? read_journal_list(value, out) : walk(value, out));
    out.more_end = static_cast<uint32_t>(more.size());
    return out;
  }
  TRY(const auto text, scalar(value));
  out.has_value = text.has_value();
  out.text = text.value_or(std::string_view());
  return out;
}

// Behind it the room that the parser reads.
void Decoder::State::pad(std::string_view json) {
  const size_t room = json.size() + simdjson::SIMDJSON_PADDING;
  if (padded.size() < room) padded.resize(std::bit_ceil(room));
  if (!json.empty()) std::memcpy(padded.data(), json.data(), json.size());
  std::memset(padded.data() + json.size(), ' ', simdjson::SIMDJSON_PADDING);
}

// The whole answer, if the event is a flat one that needs nothing else.
bool Decoder::State::read_flat(std::string_view json) {
  if (ways != Ways::kAll || json.size() > limits::kEventLineBytesMax) return false;
  pad(json);
  event_text = json;
  notices = {};
  return flat.read(std::string_view(padded.data(), json.size()), arena, decoded);
}

Status Decoder::State::read(std::string_view json) {
  fields.clear();
  more.clear();
  nested.clear();
  whole.reset();
  has_lists = false;
  event_text = json;
  pad(json);
  arena.reset(json.size());
  json_bytes = json.size();
  if (parser.capacity() < json.size() && parser.allocate(std::bit_ceil(std::max<size_t>(json.size(), 4096))) != simdjson::SUCCESS) {
    return fail(ErrorCode::kTooLarge, "no memory for this line");
  }
  JSON_TRY(ondemand::document document, parser.iterate(simdjson::padded_string_view(padded.data(), json.size(), padded.size())));
  JSON_TRY(ondemand::object object, document.get_object());
  for (auto each : object) {
    JSON_TRY(ondemand::field field, std::move(each));
    TRY(Field read, read_field(field));
    fields.push_back(read);
  }
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS) return fail(malformed("something behind the object"));
  return {};
}

// The reason, and the place, in the words of a reader that is slow and exact.
Error Decoder::State::explain(Error error) {
  fault_offset = 0;
  if (auto found = find_json_fault(event_text)) {
    fault_offset = found->offset;
    error.detail = std::move(found->reason);
  }
  return error;
}

// The event with all that has to be read twice: strings with bytes that JSON forbids, lists of the journal, JSON inside a string.
Status Decoder::State::read_event(std::string_view json) {
  if (json.size() > limits::kEventLineBytesMax) return fail(ErrorCode::kTooLarge, fmt::format("longer than {} bytes", limits::kEventLineBytesMax));
  notices = {};
  if (auto first = read(json); !first) {
    if (!mend_strings(json, mended)) return fail(explain(std::move(first.error())));
    if (auto second = read(mended); !second) {
      event_text = json;
      return fail(explain(std::move(second.error())));
    }
    notices.mended = true;
  }
  origin = origin_of(fields);
  if (!origin.payload.empty()) TRY_VOID(read_payload());
  if (!origin.is_journal) return {};
  if (has_lists) {
    of_journal = true;
    const auto again = read(event_text);
    of_journal = false;
    if (!again) return fail(explain(again.error()));
  }
  notices.left_out = notices.left_out || std::ranges::any_of(fields, [](const Field& field) { return !field.has_value; });
  return {};
}

// EvtxECmd writes an event's data as JSON inside a text, `"Payload": "{\"EventData\": …}"`: the event is read again with those members beside its own.
Status Decoder::State::read_payload() {
  if (!origin.payload.starts_with(R"({"EventData")") && !origin.payload.starts_with(R"({"UserData")")) return {};
  if (find_json_fault(origin.payload)) return {};  // then it is a text like others
  const std::string_view given = event_text;
  spliced.assign(given.substr(0, given.rfind('}'))).append(",").append(origin.payload.substr(1));
  const auto again = read(spliced);
  event_text = given;
  if (!again) return fail(explain(again.error()));
  origin = origin_of(fields);
  origin.is_evtx_ecmd = true;
  return {};
}

std::span<const Route* const> Decoder::State::find_routes() {
  if (!origin.type.empty()) {  // else one that we do not know is somebody else's word (Elasticsearch's documents have a `_type`)
    if (const auto named = router.route_to(origin.type); !named.empty()) return named;
  }
  if (!origin.is_flat() || origin.has_parts || nested.has_parts()) {
    nested.unfold(fields, more, json_bytes, origin);
    origin = origin_of(fields);
    if (nested.channel().data() != nullptr) origin.channel = nested.channel();
    if (nested.provider().data() != nullptr) origin.provider = nested.provider();
    if (nested.event_id().data() != nullptr) origin.event_id = nested.event_id();
  }
  return router.route(origin.channel, origin.provider, origin.event_id);
}

Decoded Decoder::State::build(const Route& route, Built& to) {
  planner.plan(route, fields, plan);
  duplicates += plan.duplicates;
  to.values.assign(route.type->inputs.size(), schema::InputValue());
  to.further.clear();
  to.others.clear();
  for (const uint32_t loser : plan.losers) {
    const Field& field = fields[loser];
    if (!field.has_value) continue;
    to.others.push_back(field.text);
    to.others.insert(to.others.end(), more.begin() + field.more_begin, more.begin() + field.more_end);
  }
  for (const auto& [input, winner, is_whole, algorithm] : plan.winners) {
    const Field& field = fields[winner];
    if (algorithm.data() != nullptr) {
      const std::string_view hash = field.has_value ? hash_in(field.text, algorithm) : std::string_view();
      if (hash.data() != nullptr) to.values[input] = schema::InputValue(hash);
      continue;
    }
    notices.no_value = notices.no_value || field.has_objects;
    if (field.has_value) to.values[input] = schema::InputValue(is_whole ? whole.digits_of(field.text) : field.text);
    for (uint32_t m = field.more_begin; m < field.more_end; ++m) to.further.push_back({input, is_whole ? whole.digits_of(more[m]) : more[m]});
  }
  if (route.wanted.others) to.others.insert(to.others.end(), nested.leaves().begin(), nested.leaves().end());
  return {route.type, {to.values, to.further, to.others}};
}

Decoder::Decoder(const schema::Catalog& catalog, const Wants& wants, Ways ways) : state_(std::make_unique<State>(catalog, wants, ways)) {}
Decoder::Decoder(Decoder&&) noexcept = default;
Decoder& Decoder::operator=(Decoder&&) noexcept = default;
Decoder::~Decoder() = default;

Result<std::span<const Decoded>> Decoder::decode(std::string_view json) {
  State& s = *state_;
  s.decoded.clear();
  if (s.read_flat(json)) return std::span<const Decoded>(s.decoded);
  TRY_VOID(s.read_event(json));
  const auto routes = s.find_routes();
  if (s.built.size() < routes.size()) s.built.resize(routes.size());
  for (size_t i = 0; i < routes.size(); ++i) s.decoded.push_back(s.build(*routes[i], s.built[i]));
  return std::span<const Decoded>(s.decoded);
}

const Decoder::Notices& Decoder::notices() const { return state_->notices; }
std::string_view Decoder::json() const { return state_->event_text; }
size_t Decoder::fault_offset() const { return state_->fault_offset; }
uint64_t Decoder::duplicate_keys() const { return state_->duplicates + state_->flat.duplicates(); }

}  // namespace creance::events
