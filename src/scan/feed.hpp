// Blocks of the files to scan, for any number of threads, and their way back into order. Not an evaluator. For scan.cpp only.
//
// Each file is read (and unpacked) by one thread at a time, different files by different threads at once. A thread takes the first file that no other one is reading; only
// if all threads would stand at one file does it look further ahead. What is finished waits in the Outbox until everything before it was reported.
// Memory: the pieces that the Outbox has, whatever the number and the size of the files.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

#include "base/result.hpp"
#include "events/blocks.hpp"

namespace creance::scan {

// One block of one file, reused.
struct Piece {
  size_t file = 0;
  uint64_t sequence = 0;       // within the file, from 0
  bool last = false;           // of its file
  events::Block block;
  std::optional<Error> error;  // the file could not be opened or read further (then `last`)
  uint64_t bytes_done = 0;     // of the file, as stored
};

class Feed {
 public:
  // `threads` of them will call next().
  Feed(std::span<const std::string> files, events::Format format, unsigned threads);
  ~Feed();

  // The next piece; false: there is none any more. Any thread. `may_look_ahead`: pieces of files behind the first unfinished one are welcome.
  bool next(Piece& piece, bool may_look_ahead);

  std::optional<uint64_t> bytes_total() const { return bytes_total_; }

 private:
  struct Source;
  bool read(Source& source, Piece& piece);
  std::shared_ptr<Source> claim(bool may_look_ahead);

  std::mutex mutex_;
  std::condition_variable released_;
  std::span<const std::string> files_;
  events::Format format_;
  size_t open_max_;
  size_t next_file_ = 0;
  std::deque<std::shared_ptr<Source>> open_;  // files begun and not finished, in order
  std::optional<uint64_t> bytes_total_;
};

}  // namespace creance::scan
