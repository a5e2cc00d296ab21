// Where a worker's events come from. A collector fills the inputs of Template Types and judges nothing. Single thread; views live until the next call.
// What an input the source cannot say is, is fixed per collector: `unavailable`, never silently absent (D1).
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/seams/clock.hpp"
#include "schema/catalog.hpp"
#include "schema/inputs.hpp"

namespace creance::sensor {

struct Supplied {  // one line of the interface manifest
  const schema::TemplateType* type = nullptr;  // of the embedded catalog
  std::vector<bool> available;                 // per input
};

struct Event {
  uint32_t type = 0;      // index into supplied()
  schema::Inputs inputs;  // as many as the Type has
  WallTime time{};        // when it happened
};

enum class Next : uint8_t { kEvent, kNothing, kEnded };

class Collector {
 public:
  virtual ~Collector() = default;
  virtual std::string name() const = 0;                          // for people: "ebpf", "replay of `x.jsonl`"
  virtual std::span<const Supplied> supplied() const = 0;
  virtual Next next(MonotonicTime now, Event& out) = 0;
  virtual void consumed() = 0;                                   // the event that next() gave last was evaluated: it will not be given again, to a restarted worker either
  virtual int descriptor() const = 0;                            // becomes readable when next() has something; -1: there is none
  virtual std::optional<MonotonicTime> due() const = 0;          // when next() has something, where a time decides
  // Which of supplied() the content looks at from now on. Of the others a source may leave events out, or all but a sample; such events were not lost.
  virtual void wants(const std::function<bool(uint32_t type)>& wanted) { (void)wanted; }
  virtual uint64_t lost() = 0;                                   // events that the source could not deliver, so far
  virtual std::optional<uint64_t> crashed() { return std::nullopt; }  // processes of this host that ended by a signal that dumps core, so far; nothing: it cannot say
  // The collector's own way of filling inputs, over an event that it makes up, into `out`; writes nothing else. For the self-check.
  virtual Status fill_synthetic(uint32_t type, std::span<schema::InputValue> out) = 0;
};

// D1: counts the inputs that the collector really writes, in an array of poison, not through the generator's own count. kInvalid names Type, expected and counted.
Status check_written_inputs(Collector& collector);

}  // namespace creance::sensor
