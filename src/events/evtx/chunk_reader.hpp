// The events of one EVTX chunk, each as a flat JSON object. Our own reader of binary XML ([MS-EVEN6], section 2.2.12), since its bytes come from outside: every offset, count and size is
// checked against the chunk, nesting is an explicit stack, and work and output of one record are bounded (docs/adr/0060-evtx-reader.md).
// A record that is damaged is a problem of its own; the ones behind it are read. One thread at a time, reused. Never throws; no allocation in the steady state.
#pragma once
#include <memory>
#include <string>
#include <string_view>

namespace creance::events::evtx {

class ChunkReader {
 public:
  ChunkReader();
  ChunkReader(ChunkReader&&) noexcept;
  ChunkReader& operator=(ChunkReader&&) noexcept;
  ~ChunkReader();

  // `chunk`: kChunkBytes, or fewer where the file is cut off. It must stay as it is until the last next(). `ordinal`: 1-based, for messages.
  void begin(std::string_view chunk, uint64_t ordinal);

  // The next event, appended to `json` (empty before), or what is wrong in `problem` (likewise); `damaged`: then it is a checksum, and the events are read nonetheless. False: that was all.
  bool next(std::string& json, std::string& problem, uint64_t& number, bool& damaged);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace creance::events::evtx
