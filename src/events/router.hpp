// Which Template Types take an event, and which of its fields is which input. Built once from the catalog; remembers the answers it gave.
// One thread at a time.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "events/wanted.hpp"
#include "schema/catalog.hpp"

namespace creance::events {

// Field name -> input, without ASCII case; of inputs that differ in case alone the exact one, else the first. Open addressing, at most half full.
class FieldTable {
 public:
  struct Found {
    uint32_t input;
    bool exact;  // case too
  };
  explicit FieldTable(std::vector<std::string> names);  // the field name of each input, in order
  std::optional<Found> find(std::string_view name) const;

 private:
  std::vector<std::string> names_;
  std::vector<uint16_t> slots_;  // input + 1; 0 = free
};

// An input that is one hash alone, which Sysmon gives among others in one field: `MD5=…,SHA256=…,IMPHASH=…`.
struct HashInput {
  uint32_t input;
  uint32_t from;               // the input `Hashes` or `Hash`
  std::string_view algorithm;  // `MD5`
};

struct Route {
  Route(const schema::TemplateType& of, Wanted wants, FieldTable names, uint32_t n);
  const schema::TemplateType* type = nullptr;
  Wanted wanted;
  FieldTable fields;
  uint32_t number = 0;            // of all routes
  std::vector<HashInput> hashes;  // wanted ones
};

// The value of `algorithm` in `MD5=…,SHA256=…`, letters of either case; a null view: it is not there.
std::string_view hash_in(std::string_view hashes, std::string_view algorithm);

class Router {
 public:
  Router(const schema::Catalog& catalog, const Wants& wants);

  // In the order of the catalog, each Type once. An absent field is a null view. Valid until the next call.
  std::span<const Route* const> route(std::string_view channel, std::string_view provider, std::string_view event_id);
  std::span<const Route* const> route_to(std::string_view type_id);  // empty: no such Type
  size_t route_count() const { return routes_.size(); }

 private:
  struct Source {
    const schema::EventSource* source;
    uint32_t route;
  };
  std::vector<const Route*> decide(std::string_view channel, std::string_view provider, std::string_view event_id) const;

  std::vector<Route> routes_;
  std::vector<Source> sources_;                                    // in the order of the catalog
  std::unordered_map<std::string, std::vector<const Route*>> by_type_;
  std::unordered_map<std::string, std::vector<const Route*>> remembered_;
  std::string key_;
};

}  // namespace creance::events
