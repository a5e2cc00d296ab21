// Pieces of the files to scan, in order, for any number of threads. Not an evaluator. For scan.cpp only.
#pragma once
#include <cstdint>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "events/line_source.hpp"

namespace creance::scan {

// Some whole lines of one file. Reused: clear() keeps the memory.
struct Piece {
  struct LineRef {
    size_t offset;
    size_t size;
    uint64_t number;
    bool too_long;
  };
  uint64_t sequence = 0;
  size_t file = 0;
  std::string text;
  std::vector<LineRef> lines;
  std::optional<Error> error;  // the file could not be opened or read further
  uint64_t bytes_done = 0;     // of all files, as stored

  std::string_view text_of(const LineRef& line) const { return std::string_view(text).substr(line.offset, line.size); }
  void clear();
};

class Feed {
 public:
  explicit Feed(std::span<const std::string> files);

  // The next piece; false: there is none. Any thread; reading is done by one at a time.
  bool next(Piece& piece);

  std::optional<uint64_t> bytes_total() const { return bytes_total_; }

 private:
  bool fill(Piece& piece);
  void finish_file();

  std::mutex mutex_;
  std::span<const std::string> files_;
  size_t file_ = 0;
  std::optional<events::LineSource> source_;
  uint64_t sequence_ = 0;
  uint64_t bytes_before_ = 0;  // of the files that are finished
  std::optional<uint64_t> bytes_total_;
};

// Lets pieces pass in the order of their sequence.
class Turn {
 public:
  void wait_for(uint64_t sequence);
  void done();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t next_ = 0;
};

}  // namespace creance::scan
