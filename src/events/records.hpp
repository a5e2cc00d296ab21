// The events of one block, one after the other, each as one JSON object for decoder.hpp: lines of JSON as they stand, other formats as the flat object that we make of them.
// One thread at a time, one for each thread. Never throws; no allocation in the steady state.
#pragma once
#include <memory>
#include <string_view>

#include "events/blocks.hpp"

namespace creance::events {

struct Record {
  std::string_view json;      // valid until the next call; in_block: as long as the block
  uint64_t number = 0;        // line, 1-based; of an EVTX file the record's number
  std::string_view problem;   // not empty: there is no event, for this reason (and `json` is empty)
  bool damaged = false;       // then: it is about the file around the events, which are read nonetheless
  bool in_block = false;
  bool on_one_line = false;   // `json` is line `number` of the file, from its begin
};

class RecordReader {
 public:
  RecordReader();
  RecordReader(RecordReader&&) noexcept;
  RecordReader& operator=(RecordReader&&) noexcept;
  ~RecordReader();

  void begin(const Block& block);  // which must stay as it is until the last next()
  bool next(Record& out);          // false: that was all. Blank lines are passed over

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace creance::events
