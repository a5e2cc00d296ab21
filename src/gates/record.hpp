// A decision with all that it was made from, as one line of JSON, and back: decide(replayed) gives the logged decision again.
#pragma once
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "gates/controller.hpp"

namespace creance::gates {

struct Record {
  WallTime now{};
  Rollout rollout;
  Summary summary;
  Decision decision;
};
std::string to_json(const Record& record);
Result<Record> parse_record(std::string_view json);  // kInvalid: not a record

}  // namespace creance::gates
