// One event as a line of JSON -> the inputs of each Template Type that it is routed to. Not a line reader, not a matcher.
//
// Routing: `Channel`, `EventID` and `Provider_Name` against the Types' sources (compared without case). An event without `Channel` goes by provider and event id to
// a source that lists providers. `{"_type": "linux.fifo_created", …}` names its Type directly and then goes to no other. One event may go to several Types, to each once.
//
// Fields: a field is the input of the same name, compared without ASCII case (an exact name wins over another case; of equal names the last one wins), or of the name
// that the source's `rename` gives it. Numbers and booleans are their text, as written. null and an empty list are absent. Of a list of scalars (lists inside of it are opened) the first value stands in
// `values`, the rest in `further`. What is no input (further fields, leaves of nested objects, losers among equal names) is in `others`, if the Type wants them.
// `_source` and `_type` are never values. A lone UTF-16 surrogate in an escape becomes U+FFFD, and so does a byte that is no UTF-8; what is nested too deep is left out alone, and told:
// an attacker's odd file name does not make an event disappear.
//
// One thread at a time. Never throws. No allocation in the steady state (buffers grow to the largest event seen).
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "events/wanted.hpp"
#include "schema/catalog.hpp"
#include "schema/inputs.hpp"

namespace creance::events {

struct Decoded {
  const schema::TemplateType* type = nullptr;  // of the catalog
  schema::Inputs inputs;                       // views into the Decoder
};

class Decoder {
 public:
  // kGeneral: no event goes the short way that flat events have (flat_reader.hpp); the answers are the same, and a test compares them.
  enum class Ways : uint8_t { kAll, kGeneral };
  // The catalog must outlive the Decoder and stay where it is.
  explicit Decoder(const schema::Catalog& catalog, const Wants& wants = {}, Ways ways = Ways::kAll);
  Decoder(Decoder&&) noexcept;
  Decoder& operator=(Decoder&&) noexcept;
  ~Decoder();

  // Empty: well-formed, and no Type takes it. The views are valid until the next call, and as long as `json`. kInvalid: not one JSON object; kTooLarge: longer than
  // limits::kEventLineBytesMax. The detail is the reason alone; the caller knows file and line, and fault_offset() says where in the line.
  Result<std::span<const Decoded>> decode(std::string_view json);

  // Of the last call that gave an event.
  struct Notices {
    bool mended = false;     // bytes that are no UTF-8, or control characters inside strings: read as U+FFFD, and as themselves
    bool too_deep = false;   // what is nested deeper than limits::kEventDepthMax was left out
    bool no_value = false;   // an input that is wanted is an object, or a list with objects in it: those are looked at by keywords only
    bool left_out = false;   // a field of the journal that journalctl left out, since it was long (null)
  };
  const Notices& notices() const;
  std::string_view json() const;  // the event as it was read: `json`, or mended

  size_t fault_offset() const;  // of the last call that gave kInvalid
  uint64_t duplicate_keys() const;  // fields that lost against another of the same name, so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace creance::events
