// What threads finished, on its way back into the order of files and lines. For scan.cpp only.
// A thread takes an empty piece of work, fills it and submits it; whoever brings the next one in order reports all that now can be, without holding the others up.
//
// INVARIANT: as many pieces as there are threads are kept for the first file that is not read to its end. So the one that all others wait for can always be read, and a
// slow file cannot make the files behind it fill the memory. `Work` has a member `piece` (feed.hpp).
#pragma once
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/check.hpp"

namespace creance::scan {

template <class Work>
class Outbox {
 public:
  explicit Outbox(unsigned threads) : reserve_(threads) {
    for (unsigned i = 0; i < kPerThread * threads; ++i) free_.push_back(std::make_unique<Work>());
  }

  struct Taken {
    std::unique_ptr<Work> work;
    bool may_look_ahead;  // it may hold a piece of a later file
  };
  // Waits until one is free.
  Taken take() {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [&] { return !free_.empty(); });
    Taken out{std::move(free_.back()), false};
    free_.pop_back();
    out.may_look_ahead = free_.size() >= reserve_;
    return out;
  }

  // `report` is called for each piece in order, by one thread at a time.
  template <class Report>
  void submit(std::unique_ptr<Work> work, const Report& report) {
    std::unique_lock lock(mutex_);
    const auto place = std::pair(work->piece.file, work->piece.sequence);
    CHECK(waiting_.emplace(place, std::move(work)).second);
    if (reporting_) return;  // the one who reports comes to it
    reporting_ = true;
    while (!waiting_.empty() && waiting_.begin()->first == next_) {
      auto first = std::move(waiting_.begin()->second);
      waiting_.erase(waiting_.begin());
      next_ = first->piece.last ? std::pair(next_.first + 1, uint64_t{0}) : std::pair(next_.first, next_.second + 1);
      lock.unlock();
      report(*first);
      lock.lock();
      free_.push_back(std::move(first));
      freed_.notify_one();
    }
    reporting_ = false;
  }

  // For work that was taken and not needed.
  void give_back(std::unique_ptr<Work> work) {
    {
      const std::lock_guard lock(mutex_);
      free_.push_back(std::move(work));
    }
    freed_.notify_one();
  }

 private:
  static constexpr unsigned kPerThread = 4;
  const size_t reserve_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Work>> free_;
  std::map<std::pair<size_t, uint64_t>, std::unique_ptr<Work>> waiting_;  // file, sequence
  std::pair<size_t, uint64_t> next_{0, 0};
  bool reporting_ = false;
};

}  // namespace creance::scan
