// What a child may say, how often and in which order: a message can be well-formed and still be a lie. Pure. What does not fit here no sound process of this build says, so the
// supervisor ends whoever says it.
#pragma once
#include <cstdint>
#include <deque>
#include <string_view>

#include "base/ipc/messages.hpp"
#include "base/seams/clock.hpp"

namespace creance::sensor {

// A burst, then so many a second. The largest burst of a sound worker is what waits in its outbox (worker.cpp) beside its answer and the held instances.
class MessageBudget {
 public:
  static constexpr uint32_t kBurst = 8'192;
  static constexpr uint32_t kPerSecond = 1'024;
  bool take(MonotonicTime now);  // false: a flood

 private:
  uint32_t left_ = kBurst;
  MonotonicTime filled_{0};
};

// The words of one worker, from its start to its end.
class WorkerTalk {
 public:
  void asked(const ipc::Set& set) { asked_.push_back(set); }   // at its start, or by Activate: it answers each once, in order
  // What is wrong with this word; empty: nothing.
  std::string_view judge(const ipc::Frame& frame);
  const ipc::Set& active() const { return active_; }           // what it last said that it runs
  bool ready() const { return ready_; }                        // it may have read content

 private:
  bool ready_ = false;
  std::deque<ipc::Set> asked_;
  ipc::Set active_{};
  uint32_t held_ = 0, held_said_ = 0;
  ipc::Health health_{};
};

}  // namespace creance::sensor
