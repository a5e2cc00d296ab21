// Streams of events for measuring: read once from files of JSON lines, decoded, mixed as asked. A fifth of the events is the sample that the compiler may count on; it is never measured.
#pragma once
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "schema/catalog.hpp"
#include "schema/inputs.hpp"
#include "sigma/rule.hpp"

namespace creance::bench {

// An event that owns its texts, one behind the other, as a collector would reuse its buffer.
struct OwnedEvent {
  const schema::TemplateType* type = nullptr;
  std::vector<schema::InputValue> values;
  std::vector<schema::FurtherValue> further;
  std::vector<std::string_view> others;
  std::unique_ptr<std::string> text;
  std::string line;  // the JSON that it was decoded from
  schema::Inputs inputs() const { return {values, further, others}; }
};

struct Events {
  std::map<std::string, std::vector<OwnedEvent>> measured;  // by Type
  std::vector<OwnedEvent> sample;
  size_t lines = 0;
};
Events read_events(const std::vector<std::string>& files);

// mixed: 20 % process creations, the other Types evened out, of those that the rules speak of (`types`). natural: in the proportions of the files. process, pipe: one Type alone. At most `most`, in a random order that is always the same.
std::vector<const OwnedEvent*> stream(const Events& events, const std::string& mix, size_t most, const std::set<const schema::TemplateType*>& types);

// The same events with something random in every command line, path and detail, so that no value comes twice: behind a text without a backslash, before the last part of a path.
std::vector<OwnedEvent> salted(const std::vector<const OwnedEvent*>& events);
// As they are, but one behind the other in memory: to fetch events from all over it is no work of the interpreter.
std::vector<OwnedEvent> side_by_side(const std::vector<const OwnedEvent*>& events);

std::vector<sigma::Rule> read_rules(const std::vector<std::string>& folders);
// `times` as many rules: copies with other ids whose texts are changed.
std::vector<sigma::Rule> multiplied(const std::vector<sigma::Rule>& rules, size_t times);

double cpu_seconds();  // of this thread: on a busy machine the wall clock would measure the others
size_t resident_bytes();

}  // namespace creance::bench
